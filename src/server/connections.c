#include "server/connections.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/tcp.h>

#include "base/clock.h"

/* For cameras that come back, the files of libraries, and what else a running server opens. */
#define FDS_IN_RESERVE 32

#define LOG_INTERVAL_NS (60 * NS_PER_S)

struct connection {
	h2o_linklist_t link;
	struct connections *connections;
	h2o_socket_t *socket;
	uint64_t acked_bytes; /* that the client's kernel has accepted */
	uint64_t since_ns;    /* nothing was due, or that last changed */
	bool is_cut_off;
};

void connections_begin(struct connections *connections)
{
	h2o_linklist_init_anchor(&connections->all);
}

bool connections_are_gone(const struct connections *connections)
{
	return h2o_linklist_is_empty((h2o_linklist_t *)&connections->all);
}

ON_SERVER static void on_closed(void *data)
{
	struct connection *connection = data;

	h2o_linklist_unlink(&connection->link);
	free(connection);
}

/* ---- file descriptors ---- */

/* The kernel gives the lowest number that is free. */
ON_SERVER static bool is_in_reserve(int fd)
{
	struct rlimit limit;
	rlim_t reserve = FDS_IN_RESERVE;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return false;
	if (reserve > limit.rlim_cur / 4)
		reserve = limit.rlim_cur / 4;
	return (rlim_t)fd >= limit.rlim_cur - reserve;
}

bool connections_add(struct connections *connections, h2o_socket_t *socket)
{
	struct connection *connection;
	unsigned suppressed;

	if (is_in_reserve(h2o_socket_get_fd(socket))) {
		connections->refused++;
		if (log_allowed(&connections->refusals, LOG_INTERVAL_NS, &suppressed))
			log_warning("server",
				"too many connections for the limit of open files: refused one, "
				"and %u since the last such line",
				suppressed);
		h2o_socket_close(socket);
		return false;
	}
	connection = h2o_mem_alloc(sizeof *connection);
	*connection = (struct connection){
		.connections = connections,
		.socket = socket,
		.since_ns = clock_now_ns(),
	};
	h2o_linklist_insert(&connections->all, &connection->link);
	socket->on_close.cb = on_closed;
	socket->on_close.data = connection;
	return true;
}

/* ---- stalls ---- */

/* libh2o sees the end of it and closes it; one already shut is no error. */
ON_SERVER static void shut_down(h2o_socket_t *socket)
{
	(void)shutdown(h2o_socket_get_fd(socket), SHUT_RDWR);
}

ON_SERVER static void cut_off(struct connection *connection)
{
	struct connections *connections = connection->connections;
	h2o_socket_t *socket = connection->socket;
	struct linger at_once = {.l_onoff = 1};
	struct sockaddr_storage address;
	struct sockaddr *peer = (struct sockaddr *)&address;
	socklen_t peer_bytes = h2o_socket_getpeername(socket, peer);
	char host[NI_MAXHOST] = "a client";
	unsigned suppressed;
	size_t length = peer_bytes ? h2o_socket_getnumerichost(peer, peer_bytes, host) : SIZE_MAX;

	/* Several of its streams may be held up. */
	if (connection->is_cut_off)
		return;
	connection->is_cut_off = true;
	connections->stalled++;
	if (log_allowed(&connections->stalls, LOG_INTERVAL_NS, &suppressed))
		log_warning("server",
			"%.*s took nothing for %u s and was cut off; so were %u others since the "
			"last such line",
			length < sizeof host ? (int)length : (int)sizeof host, host,
			(unsigned)(connections->stall_timeout_ns / NS_PER_S), suppressed);
	/* Else the kernel would keep for long what the client does not take. */
	(void)setsockopt(
		h2o_socket_get_fd(socket), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	shut_down(socket);
}

/* A socket that tells nothing counts as one that stands still. */
ON_SERVER static uint64_t acked_bytes(h2o_socket_t *socket)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof info;

	(void)getsockopt(h2o_socket_get_fd(socket), IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_bytes_acked;
}

void connections_tick(struct connections *connections, uint64_t now_ns)
{
	h2o_linklist_t *link = connections->all.next;

	for (; link != &connections->all; link = link->next) {
		struct connection *connection = H2O_STRUCT_FROM_MEMBER(
			struct connection, link, link);
		uint64_t acked = acked_bytes(connection->socket);

		if (!h2o_socket_is_writing(connection->socket) || acked != connection->acked_bytes)
			connection->since_ns = now_ns;
		connection->acked_bytes = acked;
		if (now_ns - connection->since_ns >= connections->stall_timeout_ns)
			cut_off(connection);
	}
}

void connections_watch(struct stall *stall, h2o_req_t *req, uint64_t now_ns)
{
	h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
	struct connection *connection = socket->on_close.data;

	/* While the connection writes, a stream may just have to wait for its turn. */
	if (req->version < 0x200 || !stall->since_ns || stall->bytes_sent != req->bytes_sent ||
		h2o_socket_is_writing(socket))
		stall->since_ns = now_ns;
	stall->bytes_sent = req->bytes_sent;
	if (now_ns - stall->since_ns >= connection->connections->stall_timeout_ns)
		cut_off(connection);
}

void connections_cut_off(struct connections *connections)
{
	h2o_linklist_t *link = connections->all.next;

	for (; link != &connections->all; link = link->next)
		shut_down(H2O_STRUCT_FROM_MEMBER(struct connection, link, link)->socket);
}
