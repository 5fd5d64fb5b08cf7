#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/guard.h"
#include "server/inside.h"
#include "server/origin.h"
#include "viewer.h"

/* The one handler of all paths. */
struct entrance {
	h2o_handler_t super;
	struct server *server;
};

void reply_header(h2o_req_t *req, const char *name, const char *value)
{
	h2o_iovec_t lower = h2o_strdup(&req->pool, name, SIZE_MAX);

	/* HTTP/2 wants small letters, some HTTP/1 readers the usual ones. */
	h2o_strtolower(lower.base, lower.len);
	h2o_add_header_by_str(&req->pool, &req->res.headers, lower.base, lower.len, 0, name, value,
		strlen(value));
}

ON_SERVER static const struct terms *terms_of(const h2o_req_t *req)
{
	return H2O_STRUCT_FROM_MEMBER(struct server, context, req->conn->ctx)->terms;
}

/*
 * Any page may read what anybody may; else those of the origins that are listed. Returns whether
 * the one that asks may.
 */
ON_SERVER static bool add_origin(h2o_req_t *req)
{
	const struct terms *terms = terms_of(req);
	ssize_t i = h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), -1);
	h2o_iovec_t origin = i < 0 ? (h2o_iovec_t){NULL, 0} : req->headers.entries[i].value;

	if (!terms->is_closed && !*terms->config.origins) {
		reply_header(req, "Access-Control-Allow-Origin", "*");
		return true;
	}
	reply_header(req, "Vary", "Origin");
	if (!terms_list_has(terms->config.origins, origin.base, origin.len))
		return false;
	reply_header(req, "Access-Control-Allow-Origin",
		h2o_strdup(&req->pool, origin.base, origin.len).base);
	reply_header(req, "Access-Control-Allow-Credentials", "true");
	return true;
}

void reply_live_headers(h2o_req_t *req)
{
	(void)add_origin(req); /* a page that may not reads nothing; others than pages do */
	reply_header(req, "Cache-Control", "no-store, no-cache, must-revalidate, max-age=0");
	reply_header(req, "Pragma", "no-cache");
	reply_header(req, "X-Content-Type-Options", "nosniff");
}

bool reply_is_head(const h2o_req_t *req)
{
	return h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
}

bool reply_is_image(const h2o_req_t *req)
{
	ssize_t i = h2o_find_header_by_str(&req->headers, H2O_STRLIT("sec-fetch-dest"), -1);
	h2o_iovec_t value;

	/* Browsers send that over TLS and to localhost only; but an <img> accepts images first. */
	if (i < 0)
		i = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT, -1);
	if (i < 0)
		return false;
	value = req->headers.entries[i].value;
	return value.len >= 5 && !memcmp(value.base, "image", 5);
}

bool reply_is_known(const h2o_req_t *req, const char *etag)
{
	ssize_t i = -1;

	/* A tag's quotes make it unmistakable within a list. */
	while ((i = h2o_find_header(&req->headers, H2O_TOKEN_IF_NONE_MATCH, i)) >= 0) {
		h2o_iovec_t tags = req->headers.entries[i].value;

		if (h2o_memis(tags.base, tags.len, H2O_STRLIT("*")) ||
			h2o_strstr(tags.base, tags.len, etag, strlen(etag)) != SIZE_MAX)
			return true;
	}
	return false;
}

ON_SERVER static const char *reason_phrase(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 204:
		return "No Content";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 414:
		return "URI Too Long";
	case 415:
		return "Unsupported Media Type";
	case 421:
		return "Misdirected Request";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Service Unavailable";
	}
}

/* Send these bytes, which stay where they are, as the whole body. */
ON_SERVER static void send_body(
	h2o_req_t *req, int status, const char *type, const void *body, size_t body_bytes)
{
	static h2o_generator_t nothing_to_do;
	h2o_iovec_t buf = {(char *)body, body_bytes};
	bool has_body = status != 204 && status != 304;

	req->res.status = status;
	req->res.reason = reason_phrase(status);
	if (has_body) {
		req->res.content_length = body_bytes;
		reply_header(req, "Content-Type", type);
	}
	connections_watch_answer(req);
	h2o_start_response(req, &nothing_to_do);
	if (!has_body || reply_is_head(req))
		h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
	else
		h2o_send(req, &buf, 1, H2O_SEND_STATE_FINAL);
}

void reply(h2o_req_t *req, int status, const char *type, const char *body, size_t body_bytes)
{
	connections_take_answer(req, body_bytes);
	send_body(req, status, type, h2o_strdup(&req->pool, body, body_bytes).base, body_bytes);
}

void reply_nothing(h2o_req_t *req)
{
	send_body(req, 204, NULL, NULL, 0);
}

void reply_sentence(h2o_req_t *req, int status, const char *format, ...)
{
	char text[512];
	va_list args;
	size_t length;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text - 1, format, args);
	va_end(args);
	length = strlen(text);
	text[length++] = '\n';
	reply(req, status, "text/plain; charset=utf-8", text, length);
}

void reply_no_picture(h2o_req_t *req, const struct feed *feed, const char *reason)
{
	reply_header(req, "Retry-After", "1");
	reply_live_headers(req);
	reply_sentence(req, 503, "No picture from camera %s: %s.", feed->camera.name, reason);
}

void reply_stopping(h2o_req_t *req)
{
	reply_header(req, "Retry-After", "1");
	reply_sentence(req, 503, "Fanlight is stopping.");
}

/* What the page may load, and who may show it in a frame: we, and the origins that are listed. */
ON_SERVER static const char *format_policy(h2o_req_t *req)
{
	static const char frames[] = "frame-ancestors 'self' ";
	static const char rest[] = "; default-src 'none'; script-src 'self'; worker-src 'self'; "
				   "style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
				   "base-uri 'none'; form-action 'none'";
	const struct server_config *config = &terms_of(req)->config;
	char *policy = h2o_mem_alloc_pool(
		&req->pool, sizeof frames + sizeof config->origins + sizeof rest);
	char *mark = stpcpy(policy, frames), *end = stpcpy(mark, config->origins);

	/* Either would begin something else. */
	while ((mark = strpbrk(mark, ",;")))
		*mark = ' ';
	(void)stpcpy(end, rest);
	return policy;
}

ON_SERVER static void serve_asset(h2o_req_t *req, h2o_iovec_t path)
{
	for (size_t i = 0; i < VIEWER_ASSETS; i++) {
		const struct viewer_asset *asset = &viewer_assets[i];

		if (!h2o_memis(path.base, path.len, asset->path, strlen(asset->path)))
			continue;
		reply_header(req, "ETag", asset->etag);
		reply_header(req, "Cache-Control", "no-cache");
		reply_header(req, "Content-Security-Policy", format_policy(req));
		reply_header(req, "Referrer-Policy", "no-referrer");
		reply_header(req, "X-Content-Type-Options", "nosniff");
		send_body(req, reply_is_known(req, asset->etag) ? 304 : 200, asset->type,
			asset->data, asset->size);
		return;
	}
	reply_sentence(req, 404, "There is nothing at this address.");
}

/* The time of the clock that live streams tell, for viewers to set theirs by. */
ON_SERVER static void serve_clock(h2o_req_t *req)
{
	char text[64];
	int length = snprintf(text, sizeof text, "{\"now_us\":%" PRIu64 "}",
		(uint64_t)(clock_now_ns() / NS_PER_US));

	reply_live_headers(req);
	reply(req, 200, "application/json", text, (size_t)length);
}

ON_SERVER static void serve(
	struct server *server, h2o_req_t *req, h2o_iovec_t path, const struct request *request)
{
	struct feed *feed = &server->feeds[request->camera];

	switch (request->route) {
	case ROUTE_ASSET:
		serve_asset(req, path);
		break;
	case ROUTE_STREAM:
	case ROUTE_LIVE:
		stream_serve(feed, req, request);
		break;
	case ROUTE_REPORT:
		stream_take_report(feed, req, request);
		break;
	case ROUTE_SNAPSHOT:
		snapshot_serve(feed, req, request);
		break;
	case ROUTE_STATE:
		state_serve(server, req);
		break;
	case ROUTE_HEALTH:
		health_serve(server, req);
		break;
	case ROUTE_METRICS:
		metrics_serve(server, req);
		break;
	case ROUTE_CONTROLS:
		controls_serve(feed, req, CONTROL_CAMERA);
		break;
	case ROUTE_PROCESS:
		controls_serve(feed, req, CONTROL_FILTERS);
		break;
	case ROUTE_CLOCK:
		serve_clock(req);
		break;
	}
}

/* Whether a request's method is one of those that an Allow header lists. */
ON_SERVER static bool is_allowed(const h2o_req_t *req, const char *methods)
{
	h2o_iovec_t list = {(char *)methods, strlen(methods)};
	const char *method;
	size_t length;

	while ((method = h2o_next_token(&list, ',', &length, NULL)))
		if (h2o_memis(req->method.base, req->method.len, method, length))
			return true;
	return false;
}

/* Answer a request that was understood, unless it may not do what it asks for. */
ON_SERVER static void serve_if_allowed(
	struct server *server, h2o_req_t *req, h2o_iovec_t path, const struct request *request)
{
	const char *methods = request_methods(request->route), *reason;
	bool changes = !reply_is_head(req) &&
		       !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET"));
	int status = 0;

	if (!is_allowed(req, methods)) {
		reply_header(req, "Allow", methods);
		reply_sentence(req, 405, "Only %s is understood here.", methods);
	} else if (changes && (status = origin_check(req, &reason))) {
		reply_sentence(req, status, "%s", reason);
	} else if (server->stopping) {
		reply_stopping(req);
	} else {
		serve(server, req, path, request);
	}
}

ON_SERVER static size_t header_bytes(const h2o_req_t *req)
{
	size_t bytes = 0;

	for (size_t i = 0; i < req->headers.size; i++)
		bytes += req->headers.entries[i].name->len + req->headers.entries[i].value.len;
	return bytes;
}

/* Answer a request that is larger than one may be; whether it was. */
ON_SERVER static bool refuse_excess(const struct server_limits *limits, h2o_req_t *req)
{
	enum limit limit = guard_find_limit(req);

	if (req->path.len > limits->url_bytes)
		limit = LIMIT_URL;
	else if (header_bytes(req) > limits->header_bytes)
		limit = LIMIT_HEADERS;
	if (limit == LIMITS)
		return false;
	connections_note(req, limit);
	if (limit == LIMIT_URL)
		reply_sentence(req, 414, "The address is too long.");
	else
		reply_sentence(req, 431, "The headers are too large.");
	return true;
}

/* Answer what is refused before it is looked at; whether it was. */
ON_SERVER static bool refuse(struct server *server, h2o_req_t *req)
{
	if (!connections_take_request(req)) {
		req->http1_is_persistent = 0;
		reply_header(req, "Retry-After", "1");
		reply_sentence(req, 429, "These are too many requests; ask less often.");
		return true;
	}
	if (refuse_excess(&server->connections.limits, req))
		return true;
	if (!access_knows_host(server, req)) {
		reply_sentence(req, 421, "This is not the host that you named.");
		return true;
	}
	return false;
}

/* Understand what a request asks for, as request_parse() does; *ret_path is its path. */
ON_SERVER static int understand(struct server *server, h2o_req_t *req, h2o_iovec_t *ret_path,
	struct request *ret_request, const char **ret_reason)
{
	h2o_iovec_t path = req->path_normalized, query = {NULL, 0};

	/* "http://host/" and "/stream" are easily joined with a slash too many. */
	for (; path.len > 1 && path.base[1] == '/'; path.len--)
		path.base++;
	if (req->query_at != SIZE_MAX)
		query = (h2o_iovec_t){
			req->path.base + req->query_at + 1, req->path.len - req->query_at - 1};
	*ret_path = path;
	return request_parse(
		path, query, server->cameras, server->n_feeds, ret_request, ret_reason);
}

ON_SERVER static void answer(struct server *server, h2o_req_t *req)
{
	const char *reason;
	struct request request;
	h2o_iovec_t path;
	int err = understand(server, req, &path, &request, &reason);

	if (err < 0)
		reply_sentence(req, err == -ENOENT ? 404 : 400, "%s", reason);
	else
		serve_if_allowed(server, req, path, &request);
}

/* What one must be allowed to do to be answered. */
ON_SERVER static enum right needed_right(struct server *server, h2o_req_t *req)
{
	const char *reason;
	struct request request;
	h2o_iovec_t path;

	if (understand(server, req, &path, &request, &reason) < 0)
		return RIGHT_VIEW;
	if (request.route == ROUTE_HEALTH)
		return RIGHT_NONE;
	/* Who watches tells when he has seen a picture; whatever else changes something counts. */
	if (is_allowed(req, "GET,HEAD") || request.route == ROUTE_REPORT)
		return RIGHT_VIEW;
	return RIGHT_CONTROL;
}

/*
 * Browsers ask, without a login, before a page of another origin sends one along. Whatever changes
 * something is for our own page, and never agreed to.
 */
ON_SERVER static bool answer_preflight(h2o_req_t *req)
{
	ssize_t i = h2o_find_header_by_str(
		&req->headers, H2O_STRLIT("access-control-request-method"), -1);
	h2o_iovec_t wanted = i < 0 ? (h2o_iovec_t){NULL, 0} : req->headers.entries[i].value;

	if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS")) ||
		!h2o_memis(wanted.base, wanted.len, H2O_STRLIT("GET")) || !add_origin(req))
		return false;
	reply_header(req, "Access-Control-Allow-Headers", "Authorization");
	reply_header(req, "Access-Control-Max-Age", "600");
	reply_nothing(req);
	return true;
}

ON_SERVER static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct server *server = ((struct entrance *)handler)->server;

	if (!refuse(server, req) && !answer_preflight(req))
		access_ask(server, req, needed_right(server, req), answer);
	return 0;
}

void routes_register(struct server *server, h2o_hostconf_t *host)
{
	h2o_pathconf_t *all = h2o_config_register_path(host, "/", 0);
	struct entrance *entrance = (struct entrance *)h2o_create_handler(
		all, sizeof(struct entrance));

	entrance->super.on_req = on_request;
	entrance->server = server;
}
