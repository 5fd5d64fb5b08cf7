/*
 * Terms: on what the server serves, as far as that may change while it does. Made by main, then
 * constant; the server thread takes the newest.
 */
#ifndef FANLIGHT_SERVER_TERMS_H
#define FANLIGHT_SERVER_TERMS_H

#include <openssl/ssl.h>

#include "base/roles.h"
#include "server/accounts.h"
#include "server/server.h"
#include "server/signature.h"

struct terms {
	struct server_config config;
	bool is_closed; /* only those with an account are served, and who has a signed address */
	struct accounts accounts;
	uint8_t signing_key[SIGNATURE_KEY_BYTES];
	SSL_CTX *ssl; /* NULL without https */
};

/*
 * Read what config names: certificate, accounts, key. Returns 0, or a negative errno with one
 * sentence in reason.
 */
ON_MAIN int terms_create(const struct server_config *config, struct terms **ret_terms,
	char reason[SERVER_REASON_BYTES]);

/* NULL is ignored. */
ANY_THREAD void terms_destroy(struct terms *terms);

/* Whether a list ("a.example, b.example") has this item, in any case. */
ANY_THREAD bool terms_list_has(const char *list, const char *item, size_t item_bytes);

#endif
