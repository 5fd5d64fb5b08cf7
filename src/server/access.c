#include "server/access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/fd.h"
#include "server/inside.h"
#include "server/login.h"

/* A login that is in use is looked at again after this, for it may have been changed. */
#define REMEMBER_NS (600 * NS_PER_S)

/* Wrong logins that cost nothing; then one second, two, four, and so on to a minute. */
#define FREE_FAILURES 3
#define DELAY_MOST_S  60

/* Requests that wait for the login thread, which does some twenty a second. */
#define WAITING_MOST 32

/* A request that waits; lives in its pool. */
struct visit {
	h2o_linklist_t link;
	struct server *server;
	h2o_req_t *req;
	enum right right;
	void (*go_on)(struct server *server, h2o_req_t *req);
	struct login login;
	uint8_t digest[ACCESS_DIGEST_BYTES];
};

int access_init(struct access *access)
{
	int err = verifier_init(&access->verifier);

	access->done_fd = -1;
	if (err < 0)
		return err;
	/* libh2o closes what it watches. */
	access->done_fd = fcntl(access->verifier.done_fd, F_DUPFD_CLOEXEC, 0);
	if (access->done_fd < 0)
		return -errno;
	return RAND_bytes(access->key, sizeof access->key) == 1 ? 0 : -EIO;
}

void access_finish(struct access *access)
{
	fd_close(&access->done_fd);
	verifier_finish(&access->verifier);
	OPENSSL_cleanse(access, sizeof *access);
}

void access_forget(struct access *access)
{
	memset(access->remembered, 0, sizeof access->remembered);
	access->is_outdated = true;
}

/* ---- answers ---- */

ON_SERVER static void deny(h2o_req_t *req)
{
	reply_live_headers(req);
	reply_header(req, "WWW-Authenticate", "Basic realm=\"Fanlight\", charset=\"UTF-8\"");
	reply_sentence(req, 401, "Log in to see this.");
}

ON_SERVER static void put_off(h2o_req_t *req, unsigned seconds)
{
	char *text = h2o_mem_alloc_pool(&req->pool, 16);

	(void)snprintf(text, 16, "%u", seconds);
	reply_live_headers(req);
	reply_header(req, "Retry-After", text);
	reply_sentence(req, 429, "There were wrong logins from your address; try again later.");
}

/* Answer a request whose login is good for something. */
ON_SERVER static void grant(struct server *server, h2o_req_t *req, enum right has, enum right needs,
	void (*go_on)(struct server *server, h2o_req_t *req))
{
	if (has >= needs)
		go_on(server, req);
	else
		reply_sentence(req, 403, "This account may watch, and nothing else.");
}

/* ---- whom to remember ---- */

ON_SERVER static enum right find_remembered(
	const struct access *access, const uint8_t digest[ACCESS_DIGEST_BYTES])
{
	uint64_t now_ns = clock_now_ns();
	enum right right = RIGHT_NONE;

	for (size_t i = 0; i < ACCESS_REMEMBERED; i++) {
		const struct remembered *known = &access->remembered[i];
		bool same = !CRYPTO_memcmp(known->digest, digest, ACCESS_DIGEST_BYTES);

		if (same && now_ns < known->until_ns)
			right = known->right;
	}
	return right;
}

ON_SERVER static void remember(struct access *access)
{
	struct remembered *oldest = access->remembered;

	for (size_t i = 1; i < ACCESS_REMEMBERED; i++)
		if (access->remembered[i].until_ns < oldest->until_ns)
			oldest = &access->remembered[i];
	memcpy(oldest->digest, access->asked_digest, ACCESS_DIGEST_BYTES);
	oldest->right = access->asked_right;
	oldest->until_ns = clock_now_ns() + REMEMBER_NS;
}

ON_SERVER static struct offender *find_offender(struct access *access, const uint8_t *address)
{
	for (size_t i = 0; i < ACCESS_OFFENDERS; i++)
		if (access->offenders[i].failures &&
			!memcmp(access->offenders[i].address, address, CONNECTION_ADDRESS_BYTES))
			return &access->offenders[i];
	return NULL;
}

/* Seconds that an address has to wait, rounded up; 0 if it need not. */
ON_SERVER static unsigned seconds_to_wait(struct access *access, const uint8_t *address)
{
	const struct offender *offender = find_offender(access, address);
	uint64_t now_ns = clock_now_ns();

	if (!offender || now_ns >= offender->until_ns)
		return 0;
	return (unsigned)((offender->until_ns - now_ns + NS_PER_S - 1) / NS_PER_S);
}

/* A wrong login came from there. When all places are taken, who may try soonest is forgotten. */
ON_SERVER static void blame(struct access *access, const uint8_t *address)
{
	struct offender *offender = find_offender(access, address);
	uint64_t delay_s = 0;

	if (!offender) {
		offender = access->offenders;
		for (size_t i = 1; i < ACCESS_OFFENDERS; i++)
			if (access->offenders[i].until_ns < offender->until_ns)
				offender = &access->offenders[i];
		*offender = (struct offender){.failures = 0};
		memcpy(offender->address, address, CONNECTION_ADDRESS_BYTES);
	}
	offender->failures++;
	if (offender->failures > FREE_FAILURES + 6)
		delay_s = DELAY_MOST_S;
	else if (offender->failures > FREE_FAILURES)
		delay_s = UINT64_C(1) << (offender->failures - FREE_FAILURES - 1);
	offender->until_ns = clock_now_ns() + delay_s * NS_PER_S;
}

ON_SERVER static void forgive(struct access *access, const uint8_t *address)
{
	struct offender *offender = find_offender(access, address);

	if (offender)
		*offender = (struct offender){.failures = 0};
}

/* ---- passwords, which take a while ---- */

ON_SERVER static struct visit *visit_of_link(h2o_linklist_t *link)
{
	return H2O_STRUCT_FROM_MEMBER(struct visit, link, link);
}

ON_SERVER static void end_visit(struct visit *visit)
{
	if (!h2o_linklist_is_linked(&visit->link))
		return;
	h2o_linklist_unlink(&visit->link);
	visit->server->access.n_waiting--;
}

ON_SERVER static void dispose_visit(void *memory)
{
	struct visit *visit = memory;

	end_visit(visit);
	OPENSSL_cleanse(&visit->login, sizeof visit->login);
}

/* Have the login thread look at the first that waits. */
ON_SERVER static void ask_next(struct server *server)
{
	struct access *access = &server->access;
	struct visit *visit;
	const struct account *account;

	if (access->is_asking || h2o_linklist_is_empty(&access->waiting))
		return;
	visit = visit_of_link(access->waiting.next);
	account = accounts_find(&server->terms->accounts, visit->login.name);
	access->is_asking = true;
	access->is_outdated = false;
	access->asked_right = account ? account->right : RIGHT_NONE;
	memcpy(access->asked_digest, visit->digest, ACCESS_DIGEST_BYTES);
	memcpy(access->asked_address, connections_address(visit->req), CONNECTION_ADDRESS_BYTES);
	verifier_ask(&access->verifier, account, visit->login.secret);
}

/* Answer one that waited, if by now it is known what to. */
ON_SERVER static void settle(struct visit *visit, bool was_asked)
{
	struct access *access = &visit->server->access;
	enum right has = find_remembered(access, visit->digest);
	unsigned seconds = seconds_to_wait(access, connections_address(visit->req));

	if (!has && !was_asked && !seconds)
		return;
	end_visit(visit);
	if (has) {
		grant(visit->server, visit->req, has, visit->right, visit->go_on);
		return;
	}
	connections_note(visit->req, LIMIT_LOGINS);
	if (was_asked)
		deny(visit->req);
	else
		put_off(visit->req, seconds);
}

ON_SERVER static void on_done(h2o_socket_t *socket, const char *err)
{
	struct server *server = socket->data;
	struct access *access = &server->access;
	h2o_linklist_t *link, *next;
	bool is_good;

	(void)err; /* an eventfd has no errors to tell */
	fd_drain(h2o_socket_get_fd(socket));
	if (!access->is_asking || !verifier_take(&access->verifier, &is_good))
		return;
	access->is_asking = false;
	if (access->is_outdated) {
		ask_next(server);
		return;
	}
	if (is_good) {
		remember(access);
		forgive(access, access->asked_address);
	} else {
		blame(access, access->asked_address);
	}
	for (link = access->waiting.next; link != &access->waiting; link = next) {
		struct visit *visit = visit_of_link(link);

		next = link->next;
		settle(visit, !memcmp(visit->digest, access->asked_digest, ACCESS_DIGEST_BYTES));
	}
	ask_next(server);
}

ON_SERVER static void wait_for_verifier(struct server *server, struct visit draft)
{
	struct access *access = &server->access;
	struct visit *visit;

	if (server->stopping) {
		reply_stopping(draft.req);
		return;
	}
	if (access->n_waiting >= WAITING_MOST) {
		connections_note(draft.req, LIMIT_WAITING_LOGINS);
		reply_header(draft.req, "Retry-After", "2");
		reply_sentence(draft.req, 503, "Too many are logging in; try again.");
		return;
	}
	visit = h2o_mem_alloc_shared(&draft.req->pool, sizeof *visit, dispose_visit);
	*visit = draft;
	access->n_waiting++;
	h2o_linklist_insert(&access->waiting, &visit->link);
	ask_next(server);
}

/* ---- all requests ---- */

/* Whether a secret may be taken from this client without TLS. */
ON_SERVER static bool may_log_in(const struct server *server, h2o_req_t *req)
{
	switch (server->terms->config.cleartext_logins) {
	case CLEARTEXT_LOGINS_ALWAYS:
		return true;
	case CLEARTEXT_LOGINS_LOOPBACK:
		return connections_is_encrypted(req) || connections_is_local(req);
	case CLEARTEXT_LOGINS_NEVER:
		break;
	}
	return connections_is_encrypted(req);
}

/* Look at a login that came with a request. */
ON_SERVER static void check_login(struct server *server, struct visit *draft, h2o_iovec_t header)
{
	struct access *access = &server->access;
	const uint8_t *address = connections_address(draft->req);
	enum right has = RIGHT_NONE;
	unsigned seconds;

	if (HMAC(EVP_sha256(), access->key, sizeof access->key, (unsigned char *)header.base,
		    header.len, draft->digest, NULL))
		has = find_remembered(access, draft->digest);
	seconds = has ? 0 : seconds_to_wait(access, address);
	if (has) {
		grant(server, draft->req, has, draft->right, draft->go_on);
	} else if (seconds) {
		connections_note(draft->req, LIMIT_LOGINS);
		put_off(draft->req, seconds);
	} else if (!login_parse(header, &draft->login)) {
		deny(draft->req);
	} else if (*draft->login.name) {
		wait_for_verifier(server, *draft);
	} else {
		has = accounts_check_token(&server->terms->accounts, draft->login.secret);
		if (has) {
			grant(server, draft->req, has, draft->right, draft->go_on);
		} else {
			blame(access, address);
			connections_note(draft->req, LIMIT_LOGINS);
			deny(draft->req);
		}
	}
}

void access_ask(struct server *server, h2o_req_t *req, enum right right,
	void (*go_on)(struct server *server, h2o_req_t *req))
{
	const struct terms *terms = server->terms;
	struct visit draft = {.server = server, .req = req, .right = right, .go_on = go_on};
	ssize_t i = h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, -1);
	uint64_t now_s = clock_read_ns(CLOCK_REALTIME) / NS_PER_S;

	if (!terms->is_closed || right == RIGHT_NONE ||
		(right == RIGHT_VIEW &&
			signature_check(terms->signing_key, req->path.base, req->path.len, now_s)))
		go_on(server, req);
	else if (!may_log_in(server, req))
		reply_sentence(req, 403, "Nobody can log in here without TLS; use https.");
	else if (i < 0)
		deny(req);
	else
		check_login(server, &draft, req->headers.entries[i].value);
	OPENSSL_cleanse(&draft.login, sizeof draft.login);
}

bool access_knows_host(const struct server *server, const h2o_req_t *req)
{
	const char *hosts = server->terms->config.hosts;
	h2o_iovec_t host = req->authority;
	size_t port = host.len;

	if (!*hosts)
		return true;
	while (port && host.base[port - 1] >= '0' && host.base[port - 1] <= '9')
		port--;
	if (port && host.base[port - 1] == ':')
		host.len = port - 1;
	return terms_list_has(hosts, host.base, host.len);
}

void access_begin(struct server *server)
{
	struct access *access = &server->access;

	h2o_linklist_init_anchor(&access->waiting);
	access->done = feed_watch(server->context.loop, &access->done_fd, server, on_done);
}

void access_stop(struct server *server)
{
	h2o_linklist_t *waiting = &server->access.waiting;

	while (!h2o_linklist_is_empty(waiting)) {
		struct visit *visit = visit_of_link(waiting->next);

		end_visit(visit);
		reply_stopping(visit->req);
	}
}

void access_end(struct server *server)
{
	h2o_socket_close(server->access.done);
}
