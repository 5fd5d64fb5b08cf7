/* Accounts, logins and signed addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/accounts.h"
#include "server/login.h"
#include "server/signature.h"
#include "server/terms.h"

#define HOUR_S 3600

static const uint8_t key[SIGNATURE_KEY_BYTES] = "a key that nobody ever will use";

static bool parse(const char *value, struct login *ret_login)
{
	char copy[1024];

	(void)snprintf(copy, sizeof copy, "%s", value);
	return login_parse((h2o_iovec_t){copy, strlen(copy)}, ret_login);
}

static void logins_are_read_as_browsers_write_them(void **state)
{
	struct login login;

	(void)state;
	assert_true(parse("Basic YWxpY2U6c2VjcmV0", &login));
	assert_string_equal(login.name, "alice");
	assert_string_equal(login.secret, "secret");
	assert_true(parse("basic  YTpiOmM=", &login));
	assert_string_equal(login.name, "a");
	assert_string_equal(login.secret, "b:c");
	assert_true(parse("BASIC YTo=", &login));
	assert_string_equal(login.secret, "");
	assert_true(parse("Bearer abc-_", &login));
	assert_string_equal(login.name, "");
	assert_string_equal(login.secret, "abc-_");
}

static void what_is_no_login_is_refused(void **state)
{
	static const char *const bad[] = {"", "Basic", "Basic ", "Basic a", "Basic !!!!",
		"Basic ====", "Basic YWxpY2U=" /* no colon */, "Basic OmI=" /* no name */,
		"Basic YQA6Yg==" /* a 0 */, "Bearer", "Bearer ", "Digest username=\"a\"",
		"BasicYTpi", "Basic YTpi,Basic YTpi"};
	char longest[1024] = "Bearer ";
	struct login login;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(bad[i], &login))
			fail_msg("\"%s\" was taken", bad[i]);
	memset(longest + 7, 'a', 256);
	assert_false(parse(longest, &login));
	longest[7 + 255] = '\0';
	assert_true(parse(longest, &login));
	memcpy(longest, "Basic ", 6);
	memset(longest + 6, 'Y', 1000);
	assert_false(parse(longest, &login));
}

static void accounts_are_read(void **state)
{
	struct accounts accounts;
	const char *reason;
	unsigned line;

	(void)state;
	assert_int_equal(accounts_parse("# who\r\n\nalice:control:$y$a$b\r\nbob:view:$6$x$y",
				 &accounts, &line, &reason),
		0);
	assert_int_equal(accounts.n, 2);
	assert_string_equal(accounts_find(&accounts, "alice")->hash, "$y$a$b");
	assert_int_equal(accounts_find(&accounts, "alice")->right, RIGHT_CONTROL);
	assert_int_equal(accounts_find(&accounts, "bob")->right, RIGHT_VIEW);
	assert_null(accounts_find(&accounts, "bo"));
	assert_null(accounts_find(&accounts, ""));
}

static void wrong_accounts_are_named_by_their_line(void **state)
{
	static const char *const bad[] = {"alice", "alice:view", ":view:$y$", "a b:view:$y$",
		"a:admin:$y$", "a:view:", "a:view:plain", "a:view:sha256$12",
		"a:view:sha256$zz6B014789D7F1D38A48EECBF32A4022C427F2190D16A25C402EF0ECB13D5075"};
	struct accounts accounts;
	const char *reason;
	unsigned line;
	char text[8192] = "";

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		(void)snprintf(text, sizeof text, "ok:view:$y$x\n\n%s\nok:view:$y$x\n", bad[i]);
		if (accounts_parse(text, &accounts, &line, &reason) != -EINVAL || line != 3)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	*text = '\0';
	for (int i = 0; i < ACCOUNTS_MOST + 1; i++)
		strcat(text, "a:view:$y$x\n");
	assert_int_equal(accounts_parse(text, &accounts, &line, &reason), -EINVAL);
	assert_int_equal(line, ACCOUNTS_MOST + 1);
}

ON_MAIN static void accounts_that_are_put_are_found(void **state)
{
	char folder[] = "/tmp/fanlight-access-XXXXXX", path[64], token[ACCOUNT_TOKEN_BYTES];
	char reason[ACCOUNTS_REASON_BYTES];
	struct accounts accounts;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/accounts", folder);
	assert_int_equal(accounts_put(path, "a", RIGHT_VIEW, "first", token, reason), 0);
	assert_int_equal(accounts_put(path, "ab", RIGHT_VIEW, NULL, token, reason), 0);
	assert_int_equal(
		accounts_put(path, "a", RIGHT_CONTROL, "p\xc3\xa4ss:word", token, reason), 0);
	assert_int_equal(accounts_load(path, &accounts, reason), 0);
	assert_int_equal(accounts.n, 2);
	assert_int_equal(accounts_find(&accounts, "a")->right, RIGHT_CONTROL);
	assert_true(
		account_check_password(accounts_find(&accounts, "a")->hash, "p\xc3\xa4ss:word"));
	assert_false(account_check_password(accounts_find(&accounts, "a")->hash, "first"));
	assert_false(account_check_password(accounts_find(&accounts, "a")->hash, ""));
	assert_false(account_check_password(NULL, "first"));
	assert_int_equal(accounts_check_token(&accounts, token), RIGHT_VIEW);
	token[3] ^= 1;
	assert_int_equal(accounts_check_token(&accounts, token), RIGHT_NONE);
	assert_int_equal(accounts_check_token(&accounts, ""), RIGHT_NONE);

	assert_int_equal(accounts_put(path, "a:b", RIGHT_VIEW, "x", token, reason), -EINVAL);
	assert_int_equal(accounts_put(path, "a", RIGHT_VIEW, "", token, reason), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static bool check(const char *path, uint64_t now_s)
{
	return signature_check(key, path, strlen(path), now_s);
}

static void a_signed_address_is_good_until_it_expires(void **state)
{
	char text[SIGNATURE_ADDRESS_BYTES];

	(void)state;
	assert_int_equal(signature_sign(key, "https://h:1/stream", 1000, text), 0);
	assert_non_null(strstr(text, "https://h:1/stream?expires=1000&signature="));
	assert_true(check(text + strlen("https://h:1"), 999));
	assert_false(check(text + strlen("https://h:1"), 1000));
	assert_int_equal(signature_sign(key, "/?action=stream", UINT64_MAX / 4, text), 0);
	assert_true(check(text, HOUR_S));
}

static void a_changed_address_is_not_signed(void **state)
{
	char text[SIGNATURE_ADDRESS_BYTES], changed[SIGNATURE_ADDRESS_BYTES + 8];
	uint8_t other[SIGNATURE_KEY_BYTES] = {0};

	(void)state;
	assert_int_equal(signature_sign(key, "/stream?fps=5", 1000, text), 0);
	for (size_t i = 0; text[i]; i++) {
		strcpy(changed, text);
		changed[i] ^= 1;
		assert_false(check(changed, 1));
	}
	(void)snprintf(changed, sizeof changed, "%s&fps=9", text);
	assert_false(check(changed, 1));
	assert_false(signature_check(other, text, strlen(text), 1));
	assert_false(check("", 1));
	assert_false(check("/stream?expires=99", 1));
	assert_int_equal(signature_sign(key, "https://host", 1, text), -EINVAL);
	assert_int_equal(signature_sign(key, "/a#b", 1, text), -EINVAL);
}

static void a_list_has_whole_items_in_any_case(void **state)
{
	(void)state;
	assert_true(terms_list_has("a.example, B.example", "b.EXAMPLE", 9));
	assert_true(terms_list_has("a,b", "b", 1));
	assert_false(terms_list_has("a.example", "a.exampl", 8));
	assert_false(terms_list_has("a.example", "", 0));
	assert_false(terms_list_has("", "a", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_are_read_as_browsers_write_them),
		cmocka_unit_test(what_is_no_login_is_refused),
		cmocka_unit_test(accounts_are_read),
		cmocka_unit_test(wrong_accounts_are_named_by_their_line),
		cmocka_unit_test(accounts_that_are_put_are_found),
		cmocka_unit_test(a_signed_address_is_good_until_it_expires),
		cmocka_unit_test(a_changed_address_is_not_signed),
		cmocka_unit_test(a_list_has_whole_items_in_any_case),
	};

	role_take(&role_main, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
