/* Whatever is in a file of accounts: no crash, and an account has a name, a right and a secret. */
#include "must.h"

#include "server/accounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct accounts accounts;
	static const uint8_t nothing[ACCOUNT_DIGEST_BYTES];
	char *text = text_of(data, size);
	const char *reason;
	unsigned line;

	if (!accounts_parse(text, &accounts, &line, &reason))
		for (size_t i = 0; i < accounts.n; i++) {
			const struct account *account = &accounts.list[i];

			must(*account->name && !strchr(account->name, ':'));
			must(account->right == RIGHT_VIEW || account->right == RIGHT_CONTROL);
			must(*account->hash == '$' || !*account->hash);
			must(!*account->hash || !memcmp(account->token, nothing, sizeof nothing));
		}
	else
		must(line && *reason);
	free(text);
	return 0;
}
