#include "server/verifier.h"

#include <stdint.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "base/fd.h"

int verifier_init(struct verifier *verifier)
{
	*verifier = (struct verifier){.asked_fd = -1, .done_fd = -1, .stop_fd = -1};
	verifier->asked_fd = fd_event();
	verifier->done_fd = fd_event();
	verifier->stop_fd = fd_event();
	if (verifier->asked_fd < 0)
		return verifier->asked_fd;
	return verifier->done_fd < 0   ? verifier->done_fd
	       : verifier->stop_fd < 0 ? verifier->stop_fd
				       : 0;
}

void verifier_finish(struct verifier *verifier)
{
	fd_close(&verifier->asked_fd);
	fd_close(&verifier->done_fd);
	fd_close(&verifier->stop_fd);
}

void verifier_ask(struct verifier *verifier, const struct account *account, const char *password)
{
	verifier->is_known = account;
	(void)snprintf(verifier->hash, sizeof verifier->hash, "%s", account ? account->hash : "");
	(void)snprintf(verifier->password, sizeof verifier->password, "%s", password);
	/* Pairs with the load in verifier_turn(). */
	atomic_store_explicit(&verifier->is_asked, true, memory_order_release);
	fd_signal(verifier->asked_fd);
}

bool verifier_take(struct verifier *verifier, bool *ret_is_good)
{
	/* Pairs with the store in verifier_turn(). */
	if (atomic_load_explicit(&verifier->is_asked, memory_order_acquire))
		return false;
	*ret_is_good = verifier->is_good;
	return true;
}

int verifier_turn(struct verifier *verifier)
{
	if (!fd_wait(verifier->asked_fd, verifier->stop_fd, UINT64_MAX))
		return 0;
	fd_drain(verifier->asked_fd);
	if (!atomic_load_explicit(&verifier->is_asked, memory_order_acquire))
		return 1;
	verifier->is_good = account_check_password(
		verifier->is_known ? verifier->hash : NULL, verifier->password);
	OPENSSL_cleanse(verifier->password, sizeof verifier->password);
	atomic_store_explicit(&verifier->is_asked, false, memory_order_release);
	fd_signal(verifier->done_fd);
	return 1;
}
