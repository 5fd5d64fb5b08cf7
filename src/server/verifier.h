/*
 * The verifier: one password at a time is compared with its hash, on a thread of its own, for that
 * takes longer than a picture may wait.
 *
 * The question belongs to the server until it asks and again when it has taken the answer; in
 * between to the login thread. Eventfds wake who gets it.
 */
#ifndef FANLIGHT_SERVER_VERIFIER_H
#define FANLIGHT_SERVER_VERIFIER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/roles.h"
#include "server/accounts.h"

struct verifier {
	int asked_fd, done_fd, stop_fd;
	atomic_bool is_asked; /* and not answered: it is the login thread's */
	bool is_known;        /* there is such an account */
	bool is_good;         /* the answer */
	char hash[ACCOUNT_HASH_BYTES];
	char password[ACCOUNT_SECRET_BYTES];
};

/* Returns 0 or a negative errno; finish it in either case. */
ANY_THREAD int verifier_init(struct verifier *verifier);
ANY_THREAD void verifier_finish(struct verifier *verifier);

/* Ask whether this is the password of an account, or of NULL where there is none. */
ON_SERVER void verifier_ask(
	struct verifier *verifier, const struct account *account, const char *password);

/* Once done_fd is readable, which is drained by the caller: true, and the answer. */
ON_SERVER bool verifier_take(struct verifier *verifier, bool *ret_is_good);

/* Wait for a question and answer it: 1, or 0 when stop_fd is readable. */
ON_LOGIN int verifier_turn(struct verifier *verifier);

#endif
