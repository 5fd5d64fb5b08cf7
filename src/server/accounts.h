/*
 * Accounts: who may see and who may change something, in a file of lines NAME:RIGHT:SECRET.
 *
 * RIGHT is view, or control, which includes it. SECRET is a hash of a password as crypt(3) writes
 * it, or sha256$ and the hash of a token that was made here, which nobody can guess.
 */
#ifndef FANLIGHT_SERVER_ACCOUNTS_H
#define FANLIGHT_SERVER_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

#define ACCOUNTS_MOST         64
#define ACCOUNTS_FILE_BYTES   32768
#define ACCOUNTS_REASON_BYTES 256
#define ACCOUNT_NAME_BYTES    64
#define ACCOUNT_HASH_BYTES    256
#define ACCOUNT_SECRET_BYTES  256 /* of a password, with its 0 */
#define ACCOUNT_TOKEN_BYTES   44  /* of a token, with its 0 */
#define ACCOUNT_DIGEST_BYTES  32

enum right { RIGHT_NONE, RIGHT_VIEW, RIGHT_CONTROL };

struct account {
	char name[ACCOUNT_NAME_BYTES];
	enum right right;
	char hash[ACCOUNT_HASH_BYTES]; /* for crypt(3); "" where there is a token */
	uint8_t token[ACCOUNT_DIGEST_BYTES];
};

struct accounts {
	struct account list[ACCOUNTS_MOST];
	size_t n;
};

/*
 * Understand the text of such a file; empty lines and those that begin with # are left out.
 * Returns 0, or -EINVAL with the number of the line and a sentence on what is wrong with it.
 */
ANY_THREAD int accounts_parse(const char *text, struct accounts *ret_accounts, unsigned *ret_line,
	const char **ret_reason);

/* Read a file of accounts. Returns 0, or a negative errno with one sentence in reason. */
ANY_THREAD int accounts_load(
	const char *path, struct accounts *ret_accounts, char reason[ACCOUNTS_REASON_BYTES]);

/*
 * Put an account into a file, in the place of one of that name, and make the file if there is none:
 * with a password, or where that is NULL with a new token, which is written to ret_token. Returns
 * 0, or a negative errno with one sentence in reason.
 */
ON_MAIN int accounts_put(const char *path, const char *name, enum right right, const char *password,
	char ret_token[ACCOUNT_TOKEN_BYTES], char reason[ACCOUNTS_REASON_BYTES]);

/* The account of this name with a password, or NULL. */
ANY_THREAD const struct account *accounts_find(const struct accounts *accounts, const char *name);

/* What the holder of a token may do; compares with every one, in the same time. */
ANY_THREAD enum right accounts_check_token(const struct accounts *accounts, const char *token);

/*
 * Whether a password is the one that was hashed; hash NULL takes as long and says no. Takes some
 * 50 ms of CPU, and that is what it is for.
 */
ANY_THREAD bool account_check_password(const char *hash, const char *password);

#endif
