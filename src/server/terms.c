#include "server/terms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "server/tls.h"

int terms_create(const struct server_config *config, struct terms **ret_terms,
	char reason[SERVER_REASON_BYTES])
{
	struct terms *terms = calloc(1, sizeof *terms);
	int err = 0;

	(void)snprintf(reason, SERVER_REASON_BYTES, "server: out of memory");
	if (!terms)
		return -ENOMEM;
	terms->config = *config;
	terms->is_closed = *config->accounts;
	if (terms->is_closed)
		err = accounts_load(config->accounts, &terms->accounts, reason);
	if (!err && terms->is_closed)
		err = signature_load_key(config->state_dir, terms->signing_key, reason);
	if (!err && config->https.enabled)
		err = tls_create(config, &terms->ssl, reason);
	if (err < 0) {
		terms_destroy(terms);
		return err;
	}
	*ret_terms = terms;
	return 0;
}

void terms_destroy(struct terms *terms)
{
	if (!terms)
		return;
	SSL_CTX_free(terms->ssl); /* connections hold it as long as they need it */
	OPENSSL_cleanse(terms, sizeof *terms);
	free(terms);
}

bool terms_list_has(const char *list, const char *item, size_t item_bytes)
{
	while (*list) {
		size_t length = strcspn(list, ", ");

		if (item_bytes && length == item_bytes && !strncasecmp(list, item, length))
			return true;
		list += length;
		list += strspn(list, ", ");
	}
	return false;
}
