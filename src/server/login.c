#include "server/login.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* Base64 of the longest name and password. */
#define BASIC_BYTES_MOST ((ACCOUNT_NAME_BYTES + ACCOUNT_SECRET_BYTES) / 3 * 4 + 4)

/* The scheme's name in any case, then a space: moves value behind them. */
ANY_THREAD static bool skip_scheme(h2o_iovec_t *value, const char *scheme)
{
	size_t length = strlen(scheme);

	if (value->len <= length || value->base[length] != ' ' ||
		strncasecmp(value->base, scheme, length) != 0)
		return false;
	while (length < value->len && value->base[length] == ' ')
		length++;
	value->base += length;
	value->len -= length;
	return true;
}

ANY_THREAD static bool parse_basic(h2o_iovec_t value, struct login *login)
{
	unsigned char text[BASIC_BYTES_MOST];
	const char *colon;
	int length;
	bool good = false;

	if (!value.len || value.len % 4 || value.len > BASIC_BYTES_MOST)
		return false;
	length = EVP_DecodeBlock(text, (const unsigned char *)value.base, (int)value.len);
	/* It counts the padding as zeros. */
	for (size_t i = 1; length > 0 && i <= 2 && value.base[value.len - i] == '='; i++)
		length--;
	if (length > 0 && !memchr(text, '\0', (size_t)length)) {
		text[length] = '\0';
		colon = strchr((char *)text, ':');
		good = colon && colon - (char *)text < ACCOUNT_NAME_BYTES &&
		       strlen(colon + 1) < ACCOUNT_SECRET_BYTES;
	}
	if (good) {
		(void)snprintf(login->name, sizeof login->name, "%.*s", (int)(colon - (char *)text),
			(char *)text);
		(void)snprintf(login->secret, sizeof login->secret, "%s", colon + 1);
	}
	OPENSSL_cleanse(text, sizeof text);
	return good && *login->name;
}

bool login_parse(h2o_iovec_t value, struct login *ret_login)
{
	*ret_login = (struct login){.name = ""};
	if (skip_scheme(&value, "Basic"))
		return parse_basic(value, ret_login);
	if (!skip_scheme(&value, "Bearer") || !value.len || value.len >= ACCOUNT_SECRET_BYTES ||
		memchr(value.base, '\0', value.len))
		return false;
	memcpy(ret_login->secret, value.base, value.len);
	return true;
}
