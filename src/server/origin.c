#include "server/origin.h"

#include <stdbool.h>
#include <string.h>

/* A header's value, of no bytes if there is none. */
static h2o_iovec_t find(const h2o_req_t *req, const char *name)
{
	ssize_t i = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);

	return i < 0 ? (h2o_iovec_t){NULL, 0} : req->headers.entries[i].value;
}

static bool is_json(h2o_iovec_t type)
{
	static const char json[] = "application/json";
	size_t length = sizeof json - 1;

	return type.len >= length && h2o_lcstris(type.base, length, json, length) &&
	       (type.len == length || strchr("; \t", type.base[length]));
}

/* Whether an Origin, "https://camera.local:8443", names this host. */
static bool is_of_host(h2o_iovec_t origin, h2o_iovec_t host)
{
	size_t scheme = h2o_strstr(origin.base, origin.len, H2O_STRLIT("://"));

	if (scheme == SIZE_MAX)
		return false;
	scheme += strlen("://");
	return origin.len - scheme == host.len &&
	       !strncasecmp(origin.base + scheme, host.base, host.len);
}

int origin_check(const h2o_req_t *req, const char **ret_reason)
{
	h2o_iovec_t site = find(req, "sec-fetch-site"), origin = find(req, "origin");

	if ((site.base && !h2o_memis(site.base, site.len, H2O_STRLIT("same-origin"))) ||
		(origin.base && !is_of_host(origin, req->authority))) {
		*ret_reason = "Only Fanlight's own page may change something here; a proxy has to "
			      "pass the Host header on unchanged.";
		return 403;
	}
	if (!is_json(find(req, "content-type"))) {
		*ret_reason = "Content-Type has to be application/json.";
		return 415;
	}
	return 0;
}
