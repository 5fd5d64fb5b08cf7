/* TLS: the certificate, given or made here, and what is negotiated with it. */
#ifndef FANLIGHT_SERVER_TLS_H
#define FANLIGHT_SERVER_TLS_H

#include <openssl/ssl.h>

#include "base/roles.h"
#include "server/server.h"

/*
 * Make a context for TLS 1.2 and 1.3 that offers h2 and http/1.1. Without cert and key files in
 * config the self-signed pair in state_dir is used, and made first where there is none or it has
 * run out.
 * Returns 0, or a negative errno with one sentence in reason. Free with SSL_CTX_free().
 */
ON_MAIN int tls_create(
	const struct server_config *config, SSL_CTX **ret_ssl, char reason[SERVER_REASON_BYTES]);

/* Log the SHA-256 of its certificate, for people to compare. */
ON_MAIN void tls_log_fingerprint(SSL_CTX *ssl);

#endif
