/* No page but ours can change something, whatever a browser lets it send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/origin.h"

/* The status for a request to this host with these headers, each NULL for none; 0 if it may go on. */
static int check(const char *host, const char *site, const char *origin, const char *type)
{
	const char *headers[][2] = {
		{"sec-fetch-site", site}, {"origin", origin}, {"content-type", type}};
	const char *reason = NULL;
	h2o_req_t req;
	int status;

	memset(&req, 0, sizeof req);
	h2o_mem_init_pool(&req.pool);
	req.authority = (h2o_iovec_t){(char *)host, strlen(host)};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (headers[i][1])
			h2o_add_header_by_str(&req.pool, &req.headers, headers[i][0],
				strlen(headers[i][0]), 1, NULL, headers[i][1],
				strlen(headers[i][1]));
	status = origin_check(&req, &reason);
	h2o_mem_clear_pool(&req.pool);
	if (status)
		assert_true(reason && reason[strlen(reason) - 1] == '.');
	return status;
}

#define JSON "application/json"

static void our_own_page_may(void **state)
{
	(void)state;
	assert_int_equal(check("cam:8080", NULL, "http://cam:8080", JSON), 0);
	assert_int_equal(check("Cam.local", "same-origin", "https://cam.LOCAL", JSON), 0);
	assert_int_equal(
		check("[::1]:80", NULL, "http://[::1]:80", "Application/JSON; charset=x"), 0);
}

static void who_is_no_browser_may(void **state)
{
	(void)state;
	assert_int_equal(check("cam:8080", NULL, NULL, JSON), 0);
}

static void other_pages_may_not(void **state)
{
	(void)state;
	assert_int_equal(check("cam", "cross-site", NULL, JSON), 403);
	assert_int_equal(check("cam", "same-site", "http://cam", JSON), 403);
	assert_int_equal(check("cam", "none", NULL, JSON), 403);
	assert_int_equal(check("cam", "", NULL, JSON), 403);
	assert_int_equal(check("cam", "same-origin", "http://evil", JSON), 403);
	assert_int_equal(check("cam", NULL, "http://cam:8080", JSON), 403);
	assert_int_equal(check("cam:8080", NULL, "http://cam", JSON), 403);
	assert_int_equal(check("cam", NULL, "http://evil/?://cam", JSON), 403);
	assert_int_equal(check("cam", NULL, "http://evil.cam", JSON), 403);
	assert_int_equal(check("cam", NULL, "null", JSON), 403);
	assert_int_equal(check("cam", NULL, "", JSON), 403);
}

static void what_a_form_can_send_is_refused(void **state)
{
	(void)state;
	assert_int_equal(check("cam", NULL, NULL, NULL), 415);
	assert_int_equal(check("cam", NULL, NULL, "text/plain"), 415);
	assert_int_equal(check("cam", NULL, NULL, "application/jsonp"), 415);
	assert_int_equal(check("cam", NULL, NULL, "text/plain;application/json"), 415);
	assert_int_equal(check("cam", "same-origin", "http://cam", "multipart/form-data"), 415);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_page_may),
		cmocka_unit_test(who_is_no_browser_may),
		cmocka_unit_test(other_pages_may_not),
		cmocka_unit_test(what_a_form_can_send_is_refused),
	};

	return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
