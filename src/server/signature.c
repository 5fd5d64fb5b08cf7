#include "server/signature.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/file.h"

#define HASH_BYTES     32
#define MARK           "&signature="
#define TAIL_BYTES     (sizeof MARK - 1 + 2 * HASH_BYTES)
#define EXPIRES        "expires="
#define EXPIRES_DIGITS 19 /* so many a 64-bit number always holds */

int signature_load_key(const char *state_dir, uint8_t ret_key[SIGNATURE_KEY_BYTES],
	char reason[SIGNATURE_REASON_BYTES])
{
	char path[FILE_PATH_BYTES], text[SIGNATURE_KEY_BYTES + 1];
	int err;

	(void)snprintf(path, sizeof path, "%s/signing.key", state_dir);
	err = file_read(path, text, sizeof text);
	if (err == SIGNATURE_KEY_BYTES) {
		memcpy(ret_key, text, SIGNATURE_KEY_BYTES);
		OPENSSL_cleanse(text, sizeof text);
		return 0;
	}
	if (err >= 0 || err == -ENOENT) {
		err = RAND_bytes(ret_key, SIGNATURE_KEY_BYTES) == 1 ? 0 : -EIO;
		if (!err)
			err = file_make_folders(state_dir);
		if (!err)
			err = file_replace(path, ret_key, SIGNATURE_KEY_BYTES);
	}
	if (err < 0)
		(void)snprintf(reason, SIGNATURE_REASON_BYTES,
			"the key for signed addresses, %.120s: %s; choose another --state-dir",
			path, strerror(-err));
	return err;
}

ANY_THREAD static bool hash(
	const uint8_t *key, const char *text, size_t n, uint8_t ret_hash[HASH_BYTES])
{
	return HMAC(EVP_sha256(), key, SIGNATURE_KEY_BYTES, (const unsigned char *)text, n,
		       ret_hash, NULL) != NULL;
}

int signature_sign(const uint8_t key[SIGNATURE_KEY_BYTES], const char *address, uint64_t expires_s,
	char ret_signed[SIGNATURE_ADDRESS_BYTES])
{
	const char *host = strstr(address, "://"), *path = strchr(host ? host + 3 : address, '/');
	uint8_t digest[HASH_BYTES];
	size_t before;
	int length;

	if (!path || strchr(path, '#'))
		return -EINVAL;
	before = (size_t)(path - address);
	length = snprintf(ret_signed, SIGNATURE_ADDRESS_BYTES - TAIL_BYTES,
		"%s%c" EXPIRES "%" PRIu64, address, strchr(path, '?') ? '&' : '?', expires_s);
	if (length >= SIGNATURE_ADDRESS_BYTES - (int)TAIL_BYTES)
		return -ENAMETOOLONG;
	if (!hash(key, ret_signed + before, (size_t)length - before, digest))
		return -EIO;
	length += sprintf(ret_signed + length, MARK);
	for (size_t i = 0; i < HASH_BYTES; i++)
		length += sprintf(ret_signed + length, "%02x", digest[i]);
	return 0;
}

/* The time that stands last in the n bytes, 0 for none. */
ANY_THREAD static uint64_t parse_expires(const char *text, size_t n)
{
	size_t digits = 0;
	uint64_t expires_s = 0;

	while (digits < n && isdigit((unsigned char)text[n - digits - 1]))
		digits++;
	n -= digits;
	if (digits > EXPIRES_DIGITS || n < sizeof EXPIRES ||
		memcmp(text + n - strlen(EXPIRES), EXPIRES, strlen(EXPIRES)) != 0 ||
		(text[n - sizeof EXPIRES] != '?' && text[n - sizeof EXPIRES] != '&'))
		return 0;
	for (size_t i = 0; i < digits; i++)
		expires_s = expires_s * 10 + (uint64_t)(text[n + i] - '0');
	return expires_s;
}

bool signature_check(
	const uint8_t key[SIGNATURE_KEY_BYTES], const char *path, size_t n, uint64_t now_s)
{
	uint8_t digest[HASH_BYTES];
	char hex[2 * HASH_BYTES + 1];

	if (n <= TAIL_BYTES || memcmp(path + n - TAIL_BYTES, MARK, sizeof MARK - 1) != 0 ||
		!hash(key, path, n - TAIL_BYTES, digest))
		return false;
	for (size_t i = 0; i < HASH_BYTES; i++)
		(void)sprintf(hex + 2 * i, "%02x", digest[i]);
	return !CRYPTO_memcmp(hex, path + n - 2 * HASH_BYTES, 2 * HASH_BYTES) &&
	       parse_expires(path, n - TAIL_BYTES) > now_s;
}
