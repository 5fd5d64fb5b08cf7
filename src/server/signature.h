/*
 * Signatures: addresses that let whoever has them see one thing for a while.
 *
 * A signed address is "/stream?fps=5&expires=TIME&signature=HEX": TIME in seconds since 1970, and a
 * keyed hash of all that stands before "&signature". The host is not part of it.
 */
#ifndef FANLIGHT_SERVER_SIGNATURE_H
#define FANLIGHT_SERVER_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

#define SIGNATURE_KEY_BYTES     32
#define SIGNATURE_ADDRESS_BYTES 2048
#define SIGNATURE_REASON_BYTES  256

/*
 * The key kept in state_dir; where there is none it is made. Returns 0, or a negative errno with
 * one sentence in reason.
 */
ON_MAIN int signature_load_key(const char *state_dir, uint8_t ret_key[SIGNATURE_KEY_BYTES],
	char reason[SIGNATURE_REASON_BYTES]);

/*
 * Sign an address ("https://host/stream?fps=5", or without scheme and host) to be good until
 * expires_s since 1970. Returns 0; -EINVAL (no path, or a # in it), -ENAMETOOLONG or -EIO.
 */
ANY_THREAD int signature_sign(const uint8_t key[SIGNATURE_KEY_BYTES], const char *address,
	uint64_t expires_s, char ret_signed[SIGNATURE_ADDRESS_BYTES]);

/* Whether a path with its query, n bytes, is signed and still good at now_s since 1970. */
ANY_THREAD bool signature_check(
	const uint8_t key[SIGNATURE_KEY_BYTES], const char *path, size_t n, uint64_t now_s);

#endif
