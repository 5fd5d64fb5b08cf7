#include "server/accounts.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/file.h"

/* yescrypt, with the cost that libxcrypt thinks right. */
#define HASH_PREFIX "$y$"
#define TOKEN_MARK  "sha256$"

/* A hash of nothing anybody knows: only the time that it takes matters. */
#define NOBODYS_HASH "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$"

/* ---- the file ---- */

ANY_THREAD static bool parse_token(const char *hex, uint8_t ret_token[ACCOUNT_DIGEST_BYTES])
{
	size_t bytes;

	return strlen(hex) == 2 * ACCOUNT_DIGEST_BYTES &&
	       OPENSSL_hexstr2buf_ex(ret_token, ACCOUNT_DIGEST_BYTES, &bytes, hex, '\0') == 1;
}

ANY_THREAD static bool is_name(const char *name)
{
	size_t length = strlen(name);

	/* What a file, a header and a log can hold. */
	for (const char *c = name; *c; c++)
		if (*c == ':' || *c == '#' || (unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return length && length < ACCOUNT_NAME_BYTES;
}

/* line is cut into its parts. Returns 0, or -EINVAL with a reason. */
ANY_THREAD static int parse_line(char *line, struct account *account, const char **ret_reason)
{
	const char *name = strsep(&line, ":"), *right = strsep(&line, ":");

	*ret_reason = "is not NAME:RIGHT:SECRET; make it with fanlight passwd";
	if (!right || !line || !is_name(name))
		return -EINVAL;
	(void)snprintf(account->name, sizeof account->name, "%s", name);
	account->right = !strcmp(right, "view") ? RIGHT_VIEW : RIGHT_CONTROL;
	*ret_reason = "has another right than view or control";
	if (account->right == RIGHT_CONTROL && strcmp(right, "control") != 0)
		return -EINVAL;
	*ret_reason = "has a secret that is no hash; make it with fanlight passwd";
	if (!strncmp(line, TOKEN_MARK, strlen(TOKEN_MARK)))
		return parse_token(line + strlen(TOKEN_MARK), account->token) ? 0 : -EINVAL;
	if (*line != '$' || strlen(line) >= sizeof account->hash)
		return -EINVAL;
	(void)snprintf(account->hash, sizeof account->hash, "%s", line);
	return 0;
}

int accounts_parse(const char *text, struct accounts *ret_accounts, unsigned *ret_line,
	const char **ret_reason)
{
	char line[ACCOUNT_NAME_BYTES + ACCOUNT_HASH_BYTES + 64];

	*ret_accounts = (struct accounts){.n = 0};
	for (*ret_line = 1; *text; (*ret_line)++) {
		size_t length = strcspn(text, "\n");

		*ret_reason = "is too long";
		if (length >= sizeof line)
			return -EINVAL;
		(void)snprintf(line, sizeof line, "%.*s", (int)length, text);
		text += length + (text[length] == '\n');
		line[strcspn(line, "\r")] = '\0';
		if (!*line || *line == '#')
			continue;
		*ret_reason = "is one account too many";
		if (ret_accounts->n == ACCOUNTS_MOST ||
			parse_line(line, &ret_accounts->list[ret_accounts->n], ret_reason) < 0)
			return -EINVAL;
		ret_accounts->n++;
	}
	return 0;
}

int accounts_load(
	const char *path, struct accounts *ret_accounts, char reason[ACCOUNTS_REASON_BYTES])
{
	char *text = malloc(ACCOUNTS_FILE_BYTES);
	int err = text ? file_read(path, text, ACCOUNTS_FILE_BYTES) : -ENOMEM;
	const char *what;
	unsigned line;

	if (err < 0) {
		(void)snprintf(reason, ACCOUNTS_REASON_BYTES, "accounts: %.140s: %s", path,
			strerror(-err));
	} else {
		err = accounts_parse(text, ret_accounts, &line, &what);
		if (err < 0)
			(void)snprintf(reason, ACCOUNTS_REASON_BYTES,
				"accounts: line %u of %.120s %s", line, path, what);
	}
	free(text);
	return err;
}

ON_MAIN static int make_hash(const char *password, char ret_hash[ACCOUNT_HASH_BYTES])
{
	struct crypt_data *data = calloc(1, sizeof *data);
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *hash = NULL;

	if (data && crypt_gensalt_rn(HASH_PREFIX, 0, NULL, 0, salt, sizeof salt))
		hash = crypt_r(password, salt, data);
	if (hash && *hash == '$')
		(void)snprintf(ret_hash, ACCOUNT_HASH_BYTES, "%s", hash);
	else
		hash = NULL;
	if (data)
		OPENSSL_cleanse(data, sizeof *data);
	free(data);
	return hash ? 0 : -EIO;
}

/* 256 bits of chance, and what is kept of them. */
ON_MAIN static int make_token(
	char ret_token[ACCOUNT_TOKEN_BYTES], char ret_secret[ACCOUNT_HASH_BYTES])
{
	uint8_t chance[ACCOUNT_DIGEST_BYTES], digest[ACCOUNT_DIGEST_BYTES];
	unsigned char text[ACCOUNT_TOKEN_BYTES + 1];
	size_t used = strlen(TOKEN_MARK);

	if (RAND_bytes(chance, sizeof chance) != 1)
		return -EIO;
	EVP_EncodeBlock(text, chance, sizeof chance);
	for (size_t i = 0; i < ACCOUNT_TOKEN_BYTES - 1; i++)
		ret_token[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : (char)text[i];
	ret_token[ACCOUNT_TOKEN_BYTES - 1] = '\0';
	SHA256((unsigned char *)ret_token, ACCOUNT_TOKEN_BYTES - 1, digest);
	memcpy(ret_secret, TOKEN_MARK, used);
	return OPENSSL_buf2hexstr_ex(ret_secret + used, ACCOUNT_HASH_BYTES - used, NULL, digest,
		       sizeof digest, '\0') == 1
		       ? 0
		       : -EIO;
}

/* The file without the lines of that name; NULL out of memory. */
ON_MAIN static char *without(const char *text, const char *name)
{
	char *kept = calloc(1, strlen(text) + 2), *end = kept;
	size_t name_length = strlen(name);

	while (kept && *text) {
		size_t length = strcspn(text, "\n");

		if (strncmp(text, name, name_length) != 0 || text[name_length] != ':') {
			memcpy(end, text, length);
			end += length;
			*end++ = '\n';
		}
		text += length + (text[length] == '\n');
	}
	return kept;
}

ON_MAIN static int put(const char *path, const char *name, enum right right, const char *secret)
{
	char *text = calloc(1, ACCOUNTS_FILE_BYTES), *kept = NULL, *all = NULL;
	int err = text ? file_read(path, text, ACCOUNTS_FILE_BYTES) : -ENOMEM, length;

	if (err == -ENOENT)
		err = 0;
	if (err >= 0)
		kept = without(text, name);
	if (kept) {
		length = asprintf(&all, "%s%s:%s:%s\n", kept, name,
			right == RIGHT_VIEW ? "view" : "control", secret);
		err = length < 0 ? -ENOMEM : file_replace(path, all, (size_t)length);
	}
	free(all);
	free(kept);
	free(text);
	return err;
}

int accounts_put(const char *path, const char *name, enum right right, const char *password,
	char ret_token[ACCOUNT_TOKEN_BYTES], char reason[ACCOUNTS_REASON_BYTES])
{
	char secret[ACCOUNT_HASH_BYTES];
	int err;

	if (!is_name(name)) {
		(void)snprintf(reason, ACCOUNTS_REASON_BYTES,
			"\"%.80s\" is no name; use 1 to 63 characters without space, : and #",
			name);
		return -EINVAL;
	}
	if (password && (!*password || strlen(password) >= ACCOUNT_SECRET_BYTES)) {
		(void)snprintf(reason, ACCOUNTS_REASON_BYTES,
			"this is no password; use 1 to %d bytes", ACCOUNT_SECRET_BYTES - 1);
		return -EINVAL;
	}
	err = password ? make_hash(password, secret) : make_token(ret_token, secret);
	if (!err)
		err = put(path, name, right, secret);
	if (err < 0)
		(void)snprintf(reason, ACCOUNTS_REASON_BYTES, "cannot write %.140s: %s", path,
			strerror(-err));
	return err < 0 ? err : 0;
}

/* ---- questions ---- */

const struct account *accounts_find(const struct accounts *accounts, const char *name)
{
	for (size_t i = 0; i < accounts->n; i++)
		if (*accounts->list[i].hash && !strcmp(accounts->list[i].name, name))
			return &accounts->list[i];
	return NULL;
}

enum right accounts_check_token(const struct accounts *accounts, const char *token)
{
	uint8_t digest[ACCOUNT_DIGEST_BYTES];
	enum right right = RIGHT_NONE;

	SHA256((const unsigned char *)token, strlen(token), digest);
	for (size_t i = 0; i < accounts->n; i++) {
		const struct account *account = &accounts->list[i];
		bool same = !CRYPTO_memcmp(account->token, digest, sizeof digest);

		if (same && !*account->hash)
			right = account->right;
	}
	return right;
}

bool account_check_password(const char *hash, const char *password)
{
	struct crypt_data *data = calloc(1, sizeof *data);
	const char *made = data ? crypt_r(password, hash ? hash : NOBODYS_HASH, data) : NULL;
	bool good = made && hash && strlen(made) == strlen(hash) &&
		    !CRYPTO_memcmp(made, hash, strlen(hash));

	if (data)
		OPENSSL_cleanse(data, sizeof *data);
	free(data);
	return good;
}
