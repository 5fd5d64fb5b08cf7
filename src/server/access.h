/*
 * Access: whether a request may have what it asks for.
 *
 * Logins that were found good are remembered for a while, by a keyed hash; others wait while the
 * login thread looks at them, one after the other. Whoever gives wrong ones has to wait longer each
 * time, by address. All of it is bounded: a few dozen logins, addresses and requests that wait.
 */
#ifndef FANLIGHT_SERVER_ACCESS_H
#define FANLIGHT_SERVER_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "base/roles.h"
#include "server/accounts.h"
#include "server/connections.h"
#include "server/verifier.h"

#define ACCESS_DIGEST_BYTES 32
#define ACCESS_REMEMBERED   64
#define ACCESS_OFFENDERS    64

struct server;

/* A login that was good. */
struct remembered {
	uint8_t digest[ACCESS_DIGEST_BYTES];
	enum right right;
	uint64_t until_ns;
};

/* An address that wrong logins came from. */
struct offender {
	uint8_t address[CONNECTION_ADDRESS_BYTES];
	unsigned failures;
	uint64_t until_ns; /* no login of its is looked at before */
};

struct access {
	struct verifier verifier;
	int done_fd; /* its duplicate, -1 once the loop has it */

	/* server thread */
	uint8_t key[ACCESS_DIGEST_BYTES]; /* of digests, made anew at each start */
	struct remembered remembered[ACCESS_REMEMBERED];
	struct offender offenders[ACCESS_OFFENDERS];
	h2o_socket_t *done;
	h2o_linklist_t waiting; /* struct visit */
	unsigned n_waiting;
	bool is_asking;
	bool is_outdated; /* what it is asked is of accounts that were replaced since */
	/* what the login thread looks at; its request may be gone */
	uint8_t asked_digest[ACCESS_DIGEST_BYTES];
	uint8_t asked_address[CONNECTION_ADDRESS_BYTES];
	enum right asked_right;
};

/* Returns 0 or a negative errno; finish it in either case. */
ON_MAIN int access_init(struct access *access);
ANY_THREAD void access_finish(struct access *access);

ON_SERVER void access_begin(struct server *server);

/* Answer with 503 who waits for his password to be compared: nobody may any more. */
ON_SERVER void access_stop(struct server *server);
ON_SERVER void access_end(struct server *server);

/* Remember nobody: the accounts are others. */
ON_SERVER void access_forget(struct access *access);

/*
 * Call go_on for a request that has the right, now or, unless it is disposed of first, later. All
 * others are answered.
 */
ON_SERVER void access_ask(struct server *server, h2o_req_t *req, enum right right,
	void (*go_on)(struct server *server, h2o_req_t *req));

/* Whether the host that a request names is one that it may. */
ON_SERVER bool access_knows_host(const struct server *server, const h2o_req_t *req);

#endif
