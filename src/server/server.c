/*
 * One thread, one loop. What it waits for: the listeners, the connections (libh2o's), timers, and
 * eventfds: of each camera one an outlet (a packet was published), one for its status and one for an
 * answer about its controls; one for new terms, one for a compared password, and one to stop.
 *
 * Everything of libh2o that belongs to the loop is made in the first turn and undone in the last,
 * for libh2o keeps memory of its own for each thread.
 *
 * Stopping: nothing is accepted any more, streams get their closing boundary and end, waiting
 * snapshots are answered; then connections may finish until the deadline, are cut off after it, and
 * the loop ends when the last has gone.
 */
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "exchange/controls.h"
#include "server/guard.h"
#include "server/inside.h"
#include "server/tls.h"

/* Clients may take their last bytes this long; then they are cut off. */
#define LET_GO_NS (500 * NS_PER_MS)

/*
 * A turn or two after that they are gone. These are turns and not time, for on a busy machine much
 * time may pass before a turn, and libh2o's memory is only given back when all are gone.
 */
#define CUT_OFF_TURNS 20
#define CUT_OFF_MS    10

/* libh2o's own deadline of TLS handshakes says nothing, so connections_tick() is to be sooner. */
#define HANDSHAKE_GRACE_MS 5000

/* From one look at everybody to the next. */
#define TICK_MS 1000

/* Connections taken in one go, so that a rush of them does not hold up pictures. */
#define ACCEPT_AT_ONCE 16

/* ---- accepting ---- */

ON_SERVER static void welcome(struct listener *listener, h2o_socket_t *socket)
{
	if (!connections_add(&listener->server->connections, socket, listener->tls))
		return;
	listen_tune(h2o_socket_get_fd(socket));
	h2o_accept(&listener->accept, socket);
}

/* Out of fds or memory: pending connections would wake us for ever, so look away for a while. */
ON_SERVER static void pause_accepting(struct server *server)
{
	const char *reason = strerror(errno);
	unsigned suppressed;

	if (log_allowed(&server->accept_faults, 60 * NS_PER_S, &suppressed))
		log_warning("server", "cannot accept connections: %s; trying again", reason);
	for (size_t i = 0; i < server->n_listeners; i++)
		h2o_socket_read_stop(server->listeners[i].socket);
	if (!h2o_timeout_is_linked(&server->pause))
		h2o_timeout_link(
			server->context.loop, &server->context.one_sec_timeout, &server->pause);
}

ON_SERVER static void on_connection(h2o_socket_t *socket, const char *err)
{
	struct listener *listener = socket->data;

	(void)err; /* accept() tells */
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		h2o_socket_t *accepted = h2o_evloop_socket_accept(socket);

		if (accepted) {
			welcome(listener, accepted);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(listener->server);
		/* EAGAIN: that was all. Else the client has gone again, and the loop comes back. */
		return;
	}
}

ON_SERVER static void on_pause_over(h2o_timeout_entry_t *entry)
{
	struct server *server = H2O_STRUCT_FROM_MEMBER(struct server, pause, entry);

	for (size_t i = 0; i < server->n_listeners; i++)
		h2o_socket_read_start(server->listeners[i].socket, on_connection);
}

/* ---- the loop ---- */

/* Tell libh2o the limits that it watches over. */
ON_SERVER static void set_limits(struct server *server)
{
	const struct server_limits *limits = &server->connections.limits;
	uint64_t request_timeout_ms = limits->request_timeout_s * (uint64_t)1000;

	server->config.max_request_entity_size = limits->body_bytes;
	server->context.handshake_timeout.timeout = request_timeout_ms + HANDSHAKE_GRACE_MS;
	server->context.http1.req_timeout.timeout = request_timeout_ms;
	server->context.http2.idle_timeout.timeout = request_timeout_ms;
}

ON_SERVER static void on_tick(h2o_timeout_entry_t *entry)
{
	struct server *server = H2O_STRUCT_FROM_MEMBER(struct server, tick, entry);
	uint64_t now_ns = clock_now_ns();

	connections_tick(&server->connections, now_ns);
	for (size_t i = 0; i < server->n_feeds; i++)
		feed_tick(&server->feeds[i], now_ns);
	h2o_timeout_link(server->context.loop, &server->context.one_sec_timeout, &server->tick);
}

ON_SERVER static void on_stop(h2o_socket_t *socket, const char *err)
{
	struct server *server = socket->data;

	(void)err; /* an eventfd has no errors to tell */
	fd_drain(h2o_socket_get_fd(socket));
	server->stopping = true;
	server->stop_deadline_ns = clock_now_ns() + LET_GO_NS;
	h2o_timeout_unlink(&server->pause);
	for (size_t i = 0; i < server->n_listeners; i++)
		h2o_socket_close(server->listeners[i].socket);
	access_stop(server);
	for (size_t i = 0; i < server->n_feeds; i++) {
		streams_stop(&server->feeds[i]);
		snapshots_stop(&server->feeds[i]);
		controls_stop(&server->feeds[i]);
	}
	h2o_context_request_shutdown(&server->context);
}

/* Serve by other terms; streams and connections that there are go on. */
ON_SERVER static void on_renewed(h2o_socket_t *socket, const char *err)
{
	struct server *server = socket->data;
	void *slot;

	(void)err; /* an eventfd has no errors to tell */
	fd_drain(h2o_socket_get_fd(socket));
	if (!exchange_take(&server->renewals, &slot))
		return;
	server->terms = *(struct terms **)slot;
	server->connections.limits = server->terms->config.limits;
	access_forget(&server->access);
	set_limits(server);
	for (size_t i = 0; i < server->n_listeners; i++)
		if (server->listeners[i].tls)
			server->listeners[i].accept.ssl_ctx = server->terms->ssl;
}

ON_SERVER static void begin(struct server *server)
{
	h2o_loop_t *loop = h2o_evloop_create();

	h2o_context_init(&server->context, loop, &server->config);
	set_limits(server);
	connections_begin(&server->connections);
	access_begin(server);
	snapshots_begin(server);
	streams_begin(server);
	controls_begin(server);
	for (size_t i = 0; i < server->n_feeds; i++)
		feed_begin(&server->feeds[i], loop);
	server->stop = feed_watch(loop, &server->stop_watch_fd, server, on_stop);
	server->renewed = feed_watch(loop, &server->renewed_fd, server, on_renewed);
	for (size_t i = 0; i < server->n_listeners; i++) {
		struct listener *listener = &server->listeners[i];

		listener->accept = (h2o_accept_ctx_t){
			.ctx = &server->context,
			.hosts = server->config.hosts,
			.ssl_ctx = listener->tls ? server->terms->ssl : NULL,
		};
		listener->socket = feed_watch(loop, &listener->fd, listener, on_connection);
	}
	server->tick.cb = on_tick;
	server->pause.cb = on_pause_over;
	on_tick(&server->tick);
	server->begun = true;
}

ON_SERVER static void end(struct server *server)
{
	h2o_loop_t *loop = server->context.loop;

	/* Connections that cannot be got rid of: the process ends soon, let it take them. */
	if (!connections_are_gone(&server->connections))
		return;
	h2o_socket_close(server->stop);
	h2o_socket_close(server->renewed);
	connections_end(&server->connections);
	access_end(server);
	for (size_t i = 0; i < server->n_feeds; i++)
		feed_end(&server->feeds[i]);
	h2o_timeout_unlink(&server->tick);
	h2o_timeout_unlink(&server->context.http2._graceful_shutdown_timeout);
	h2o_timeout_dispose(loop, &server->patience);
	h2o_timeout_dispose(loop, &server->control_patience);
	h2o_timeout_dispose(loop, &server->gate_recheck);
	h2o_context_dispose(&server->context);
	h2o_evloop_destroy(loop);
}

int server_turn(struct server *server)
{
	int32_t wait_ms = TICK_MS; /* whatever libh2o makes of a clock that is being set */

	if (!server->begun)
		begin(server);
	if (server->stopping) {
		if (connections_are_gone(&server->connections) ||
			server->cut_off_turns == CUT_OFF_TURNS) {
			end(server);
			return 0;
		}
		if (clock_now_ns() >= server->stop_deadline_ns) {
			connections_cut_off(&server->connections);
			server->cut_off_turns++;
		}
		wait_ms = CUT_OFF_MS;
	}
	(void)h2o_evloop_run(server->context.loop, wait_ms); /* EINTR: the next turn waits on */
	return 1;
}

/* ---- main ---- */

ON_MAIN static void configure(struct server *server)
{
	h2o_globalconf_t *config = &server->config;

	h2o_config_init(config);
	config->server_name = h2o_iovec_init(H2O_STRLIT("fanlight"));
	/* Else libh2o undoes TCP_NOTSENT_LOWAT on connections with a long round trip. */
	config->http2.latency_optimization.max_cwnd = 0;
	routes_register(server,
		h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535));
}

/* libh2o closes what it watches, and the exchange keeps its own. */
ON_MAIN static int duplicate_fds(struct feed *feed)
{
	bool failed = false;

	for (unsigned i = 0; i < feed->camera.n_outlets; i++) {
		struct channel *channel = &feed->channels[i];

		channel->feed = feed;
		channel->outlet = &feed->camera.outlets[i];
		channel->fresh_fd = fcntl(channel->outlet->packets.fresh_fd, F_DUPFD_CLOEXEC, 0);
		failed |= channel->fresh_fd < 0;
	}
	feed->status_fd = fcntl(feed->camera.status->fresh_fd, F_DUPFD_CLOEXEC, 0);
	feed->answers_fd = fcntl(feed->camera.answers->fresh_fd, F_DUPFD_CLOEXEC, 0);
	return failed || feed->status_fd < 0 || feed->answers_fd < 0 ? -EMFILE : 0;
}

ON_MAIN static int create_feeds(
	struct server *server, const struct server_camera *cameras, size_t n)
{
	server->feeds = calloc(n, sizeof *server->feeds);
	server->cameras = calloc(n, sizeof *server->cameras);
	if (!server->feeds || !server->cameras)
		return -ENOMEM;
	memcpy(server->cameras, cameras, n * sizeof *cameras);
	while (server->n_feeds < n) {
		struct feed *feed = &server->feeds[server->n_feeds];
		int err;

		feed->server = server;
		feed->camera = cameras[server->n_feeds++];
		err = duplicate_fds(feed);
		if (err < 0)
			return err;
	}
	return 0;
}

ON_MAIN static int open_listeners(
	struct server *server, const struct server_config *config, char *reason)
{
	int err = 0;

	if (config->http.enabled)
		err = listen_open(
			&config->http, "http", server->listeners, &server->n_listeners, reason);
	if (!err && config->https.enabled)
		err = listen_open(
			&config->https, "https", server->listeners, &server->n_listeners, reason);
	for (size_t i = 0; i < server->n_listeners; i++)
		server->listeners[i].server = server;
	return err;
}

ON_MAIN static void log_urls(const struct server *server)
{
	char urls[2 * sizeof server->listeners[0].url + 8] = "";
	const char *last = "";

	/* The addresses of one name share its URL. */
	for (size_t i = 0; i < server->n_listeners; i++) {
		const char *url = server->listeners[i].url;
		size_t used = strlen(urls);

		if (strcmp(url, last))
			(void)snprintf(
				urls + used, sizeof urls - used, "%s%s", used ? " " : "", url);
		last = url;
	}
	log_info("server", "open %s", *urls ? urls : "no address: http and https are both off");
}

/* Peers of this program have been found by strangers for years. */
ON_MAIN static void warn_if_open(const struct server *server)
{
	if (server->terms->is_closed)
		return;
	for (size_t i = 0; i < server->n_listeners; i++)
		if (!listen_is_local(server->listeners[i].fd)) {
			log_warning("server",
				"whoever reaches %s can watch: make an account with fanlight passwd, "
				"or keep to 127.0.0.1",
				server->listeners[i].url);
			return;
		}
}

/* libh2o closes what it watches, so it gets duplicates. */
ON_MAIN static int open_events(struct server *server)
{
	int err = exchange_init(
		&server->renewals, server->terms_slots, sizeof server->terms_slots[0]);

	if (!err)
		err = server->stop_fd = fd_event();
	if (err < 0)
		return err;
	server->stop_watch_fd = fcntl(server->stop_fd, F_DUPFD_CLOEXEC, 0);
	server->renewed_fd = fcntl(server->renewals.fresh_fd, F_DUPFD_CLOEXEC, 0);
	return server->stop_watch_fd < 0 || server->renewed_fd < 0 ? -errno : 0;
}

int server_renew(
	struct server *server, const struct server_config *config, char reason[SERVER_REASON_BYTES])
{
	struct terms **slot = exchange_slot(&server->renewals), *terms;
	struct server_config settled = *config;
	int err;

	/* A listener for TLS stays one. */
	settled.https.enabled = server->has_https;
	err = terms_create(&settled, &terms, reason);

	if (err < 0)
		return err;
	*slot = terms;
	slot = exchange_publish(&server->renewals);
	terms_destroy(*slot);
	*slot = NULL;
	return 0;
}

int server_create(const struct server_config *config, struct server **ret_server,
	char reason[SERVER_REASON_BYTES])
{
	/* Not calloc(): the exchange is aligned to cache lines. */
	struct server *server = aligned_alloc(alignof(struct server), sizeof *server);
	int err;

	(void)snprintf(reason, SERVER_REASON_BYTES, "server: out of memory or file descriptors");
	if (!server)
		return -ENOMEM;
	memset(server, 0, sizeof *server);
	server->stop_fd = server->stop_watch_fd = server->renewed_fd = -1;
	server->renewals.fresh_fd = server->renewals.returned_fd = -1;
	server->created_ns = clock_now_ns();
	server->target_age_ns = config->target_age_ms * NS_PER_MS;
	server->has_https = config->https.enabled;
	server->connections.limits = config->limits;
	guard_begin(&server->connections);
	connections_allow_files(&config->limits);
	configure(server);
	err = access_init(&server->access);
	if (!err)
		err = open_events(server);
	if (!err)
		err = open_listeners(server, config, reason);
	if (err < 0)
		server_destroy(server);
	else
		*ret_server = server;
	return err;
}

int server_prepare(struct server *server, const struct server_config *config,
	const struct server_camera *cameras, size_t n, char reason[SERVER_REASON_BYTES])
{
	void *slot;
	int err;

	(void)snprintf(reason, SERVER_REASON_BYTES, "server: out of memory or file descriptors");
	err = create_feeds(server, cameras, n);
	if (!err)
		err = server_renew(server, config, reason);
	if (err < 0)
		return err;
	(void)exchange_take(&server->renewals, &slot); /* it was just put there */
	server->terms = *(struct terms **)slot;
	if (server->terms->ssl && !*config->cert)
		tls_log_fingerprint(server->terms->ssl);
	warn_if_open(server);
	log_urls(server);
	return 0;
}

void server_stop(struct server *server)
{
	fd_signal(server->access.verifier.stop_fd);
	fd_signal(server->stop_fd);
}

int server_login_turn(struct server *server)
{
	return verifier_turn(&server->access.verifier);
}

int server_login_fd(const struct server *server)
{
	return server->access.verifier.asked_fd;
}

void server_destroy(struct server *server)
{
	if (!server)
		return;
	for (size_t i = 0; i < server->n_listeners; i++)
		fd_close(&server->listeners[i].fd);
	for (size_t i = 0; i < server->n_feeds; i++) {
		struct feed *feed = &server->feeds[i];

		for (unsigned j = 0; j < feed->camera.n_outlets; j++)
			fd_close(&feed->channels[j].fresh_fd);
		fd_close(&feed->status_fd);
		fd_close(&feed->answers_fd);
	}
	fd_close(&server->stop_fd);
	fd_close(&server->stop_watch_fd);
	fd_close(&server->renewed_fd);
	access_finish(&server->access);
	for (size_t i = 0; i < EXCHANGE_SLOTS; i++)
		terms_destroy(server->terms_slots[i]);
	exchange_finish(&server->renewals);
	h2o_config_dispose(&server->config);
	free(server->feeds);
	free(server->cameras);
	free(server);
}
