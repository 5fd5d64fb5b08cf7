#include "server/tls.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <h2o.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

/* Apple's systems accept no server certificate that is valid for longer. */
#define VALID_DAYS 825
#define DAY_S      (24 * 60 * 60)

/* A new one is made at the first start when the old one has less than this to go. */
#define RENEW_S (30 * DAY_S)

/* server_config.state_dir and a file name */
#define PAIR_PATH_BYTES 288

/* TLS 1.2 with forward secrecy and authenticated encryption only; 1.3 has nothing else. */
#define CIPHERS                "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_CHACHA20_FIRST "ECDHE+CHACHA20:ECDHE+AESGCM"
#define SUITES_CHACHA20_FIRST \
	"TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"

/* Why OpenSSL failed, in its words; empties its queue. */
ON_MAIN static const char *ssl_reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return text ? text : "unknown error";
}

/* ---- a certificate of our own ---- */

ON_MAIN static int add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	int ok = extension && X509_add_ext(cert, extension, -1);

	X509_EXTENSION_free(extension);
	return ok;
}

/* Fill in everything but the signature: 1, or 0 when OpenSSL refuses. */
ON_MAIN static int fill_in(X509 *cert, EVP_PKEY *key)
{
	char host[HOST_NAME_MAX + 1] = "", names[2 * HOST_NAME_MAX + 96];
	X509_NAME *subject = X509_get_subject_name(cert);
	unsigned char serial[8];
	BIGNUM *number;
	int ok;

	(void)gethostname(host, sizeof host - 1);
	if (!*host)
		(void)snprintf(host, sizeof host, "fanlight");
	(void)snprintf(names, sizeof names, "DNS:%s,DNS:%s.local,DNS:localhost,IP:127.0.0.1,IP:::1",
		host, host);

	if (getentropy(serial, sizeof serial))
		return 0;
	serial[0] &= 0x7f; /* serial numbers are positive */
	number = BN_bin2bn(serial, sizeof serial, NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);

	return ok && X509_set_version(cert, X509_VERSION_3) &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) &&
	       X509_gmtime_adj(X509_getm_notAfter(cert), (VALID_DAYS - 1L) * DAY_S) &&
	       X509_NAME_add_entry_by_txt(
		       subject, "CN", MBSTRING_UTF8, (unsigned char *)"Fanlight", -1, -1, 0) &&
	       X509_set_issuer_name(cert, subject) && X509_set_pubkey(cert, key) &&
	       add_extension(cert, NID_subject_alt_name, names) &&
	       add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(cert, NID_ext_key_usage, "serverAuth");
}

ON_MAIN static int write_pair(const char *path, X509 *cert, EVP_PKEY *key)
{
	BIO *pem = BIO_new(BIO_s_mem());
	char *text;
	long bytes;
	int err = -EIO;

	if (pem && PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) &&
		PEM_write_bio_X509(pem, cert)) {
		bytes = BIO_get_mem_data(pem, &text);
		err = file_replace(path, text, (size_t)bytes);
	}
	BIO_free(pem);
	return err;
}

ON_MAIN static int make_pair(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	int err = -EIO;

	if (key && cert && fill_in(cert, key) && X509_sign(cert, key, EVP_sha256()))
		err = write_pair(path, cert, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}

/* Whether the pair at path is there and will do for a while. */
ON_MAIN static bool pair_is_good(const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	time_t soon = time(NULL) + RENEW_S;
	bool good = cert && X509_cmp_current_time(X509_get0_notBefore(cert)) < 0 &&
		    X509_cmp_time(X509_get0_notAfter(cert), &soon) > 0;

	X509_free(cert);
	if (file)
		(void)fclose(file); /* only read */
	ERR_clear_error();
	return good;
}

ON_MAIN static int provide_pair(const char *folder, char path[PAIR_PATH_BYTES], char *reason)
{
	int err;

	(void)snprintf(path, PAIR_PATH_BYTES, "%s/self-signed.pem", folder);
	if (pair_is_good(path))
		return 0;
	err = file_make_folders(folder);
	if (!err)
		err = make_pair(path);
	if (err < 0)
		(void)snprintf(reason, SERVER_REASON_BYTES,
			"https: cannot write a certificate to %.120s: %s; name one with --cert and "
			"--key, or use --https off",
			path, strerror(-err));
	else
		log_info("server", "made a self-signed certificate: %s", path);
	return err;
}

/* ---- the cipher ---- */

/* The shortest of some times that a record of the full length takes; UINT64_MAX if it cannot be. */
ON_MAIN static uint64_t sealing_ns(const EVP_CIPHER *cipher)
{
	static const unsigned char key[EVP_MAX_KEY_LENGTH], nonce[EVP_MAX_IV_LENGTH];
	static unsigned char record[16384];
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint64_t best_ns = UINT64_MAX;
	int length, ok = context && EVP_EncryptInit_ex(context, cipher, NULL, key, nonce) == 1;

	for (int i = 0; ok && i < 8; i++) {
		uint64_t begin_ns = clock_now_ns(), took_ns;

		ok = EVP_EncryptUpdate(context, record, &length, record, sizeof record) == 1;
		took_ns = clock_now_ns() - begin_ns;
		best_ns = ok && took_ns < best_ns ? took_ns : best_ns;
	}
	EVP_CIPHER_CTX_free(context);
	return best_ns;
}

/*
 * Clients ask for AES first where they have instructions for it, as most have. A board without, such
 * as many Raspberry Pis, seals four times as fast with ChaCha20, and it does so for each viewer.
 */
ON_MAIN static int prefer_faster_cipher(SSL_CTX *ssl)
{
	if (sealing_ns(EVP_chacha20_poly1305()) >= sealing_ns(EVP_aes_128_gcm()))
		return 1;
	SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	return SSL_CTX_set_cipher_list(ssl, CIPHERS_CHACHA20_FIRST) == 1 &&
	       SSL_CTX_set_ciphersuites(ssl, SUITES_CHACHA20_FIRST) == 1;
}

/* ---- the context ---- */

void tls_log_fingerprint(SSL_CTX *ssl)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char text[3 * EVP_MAX_MD_SIZE + 1];
	unsigned n;

	if (!X509_digest(SSL_CTX_get0_certificate(ssl), EVP_sha256(), hash, &n))
		return;
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(text + i * 3, 4, "%02X:", hash[i]);
	text[n * 3 - 1] = '\0';
	log_info("server", "self-signed certificate, SHA-256 %s", text);
}

/* OpenSSL would ask on the terminal and wait for ever, even when a key is read anew. */
ON_MAIN static int refuse_passphrase(char *text, int text_bytes, int for_writing, void *asked)
{
	(void)text;
	(void)text_bytes;
	(void)for_writing;
	*(bool *)asked = true;
	return -1;
}

ON_MAIN static int load_pair(
	SSL_CTX *ssl, const char *cert_path, const char *key_path, char *reason)
{
	const char *paths[] = {cert_path, key_path};
	struct stat status;
	bool asked = false;

	for (int i = 0; i < 2; i++)
		if (access(paths[i], R_OK) < 0) {
			int err = -errno;

			(void)snprintf(reason, SERVER_REASON_BYTES, "https: %s %.140s: %s",
				i ? "key" : "certificate", paths[i], strerror(-err));
			return err;
		}
	SSL_CTX_set_default_passwd_cb(ssl, refuse_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ssl, &asked);
	if (SSL_CTX_use_certificate_chain_file(ssl, cert_path) != 1) {
		(void)snprintf(reason, SERVER_REASON_BYTES,
			"https: %.120s is no PEM certificate (%.60s)", cert_path, ssl_reason());
		return -EINVAL;
	}
	if (SSL_CTX_use_PrivateKey_file(ssl, key_path, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(ssl) != 1) {
		const char *why = ssl_reason();

		(void)snprintf(reason, SERVER_REASON_BYTES,
			"https: %.80s is no PEM key of the certificate in %.80s (%.40s)", key_path,
			cert_path, asked ? "it has a passphrase" : why);
		return -EINVAL;
	}
	if (!stat(key_path, &status) && status.st_mode & (S_IWGRP | S_IRWXO))
		log_warning("server",
			"https: others than its user and group can reach the key %s; mend that "
			"with chmod 640",
			key_path);
	return 0;
}

ON_MAIN static int load_configured(SSL_CTX *ssl, const struct server_config *config, char *reason)
{
	char path[PAIR_PATH_BYTES];
	int err;

	if (*config->cert && *config->key)
		return load_pair(ssl, config->cert, config->key, reason);
	if (*config->cert || *config->key) {
		(void)snprintf(reason, SERVER_REASON_BYTES,
			"https: --cert and --key go together; --%s is missing",
			*config->cert ? "key" : "cert");
		return -EINVAL;
	}
	err = provide_pair(config->state_dir, path, reason);
	if (!err)
		err = load_pair(ssl, path, path, reason);
	return err;
}

int tls_create(
	const struct server_config *config, SSL_CTX **ret_ssl, char reason[SERVER_REASON_BYTES])
{
	static const unsigned char id[] = "fanlight";
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	int err;

	if (!ssl || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ssl, CIPHERS) != 1 || !prefer_faster_cipher(ssl) ||
		SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1) != 1) {
		(void)snprintf(reason, SERVER_REASON_BYTES, "https: %s", ssl_reason());
		SSL_CTX_free(ssl);
		return -EIO;
	}
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* Clients keep their sessions themselves, in tickets; else a thousand of them grow old here. */
	(void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	h2o_ssl_register_alpn_protocols(ssl, h2o_alpn_protocols);
	err = load_configured(ssl, config, reason);
	if (err < 0) {
		SSL_CTX_free(ssl);
		return err;
	}
	*ret_ssl = ssl;
	return 0;
}
