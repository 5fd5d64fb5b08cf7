#include "server/connections.h"

#include <malloc.h>
#include <netinet/in.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/tcp.h>

#include "base/clock.h"
#include "base/memory.h"

/*
 * For cameras that come back, the encoder, and those who are connected already, until they are seen
 * to take too much: libh2o ends the process when it finds no memory.
 */
#define MEMORY_IN_RESERVE (16u << 20)

/* For cameras that come back, the files of libraries, and what else a running server opens. */
#define FDS_IN_RESERVE 32
/* What cameras, exchanges and the log have open beside that; 16 cameras with 8 variants have less. */
#define FDS_OF_OTHERS 2048

#define LOG_INTERVAL_NS (60 * NS_PER_S)

/* A client may use up so many seconds' worth of its rate at once: a page begins with a burst. */
#define BURST_S 2

/* A household that comes back at once, as after a restart, brings a hundred connections. */
#define HANDSHAKE_BURST_S 10

/* Addresses without a connection whose handshakes are not forgotten yet. */
#define RESTING_MOST 1024

/* Frames that are cheap, against one that counts. */
#define CHEAP_FRAMES 100

/* Headers that a connection's open requests may hold, as they came. A browser's are 2 KB. */
#define HEADER_BYTES_MOST 65536

/* Answers that a connection has asked for and not taken, but for one, however long. */
#define ANSWER_BYTES_MOST 131072

/* Open requests that a connection always may have; beyond, four for each connection are for all. */
#define REQUESTS_LEAST          8
#define REQUESTS_PER_CONNECTION 4

/* libh2o's own timers, which say goodbye, have the same deadline and shall be first. */
#define GOODBYE_NS (2 * NS_PER_S)

/* An address that connections come from. */
struct caller {
	uint8_t address
		[CONNECTION_ADDRESS_BYTES]; /* as IPv6 writes it; of IPv6 itself the first half */
	size_t n_connections;
	uint64_t handshakes_used_ns; /* the time up to which its rate of them is used up */
	h2o_linklist_t link;         /* in connections->resting while it has no connection */
};

struct connection {
	h2o_linklist_t link;
	struct connections *connections;
	struct caller *caller;
	h2o_socket_t *socket;
	uint64_t acked_bytes;  /* that the client's kernel has accepted */
	uint64_t accepting_ns; /* since when nothing was due, or that last changed */
	uint64_t quiet_ns;     /* since when there is no whole request */
	uint64_t rate_used_ns; /* the time up to which its rate is used up */
	size_t n_requests;     /* whole ones that are open */
	size_t n_blocks;       /* of headers, of those and others */
	size_t n_streams;
	size_t header_bytes, answer_bytes;
	bool is_cut_off;
};

/* What a request has taken of its connection; lives in the request's pool. */
struct share {
	struct connection *connection;
	size_t n_requests, n_blocks, n_streams, header_bytes, answer_bytes;
};

/* A response that is being sent whole; lives in its request's pool. */
struct answer {
	h2o_linklist_t link;
	h2o_req_t *req;
	struct stall stall;
};

static const struct {
	const char *name, *what;
} limit_texts[LIMITS] = {
	[LIMIT_FILES] = {"files",
		"was refused: the other file descriptors are kept for cameras and files"},
	[LIMIT_SHORTAGE] = {"shortage",
		"was refused or cut off: the memory that is left is kept for cameras"},
	[LIMIT_CONNECTIONS] = {"connections", "was refused: there are max-connections"},
	[LIMIT_CONNECTIONS_PER_ADDRESS] = {"connections-per-address",
		"was refused: it has max-connections-per-address"},
	[LIMIT_STREAMS] = {"streams", "was refused a stream or snapshot: there are max-streams"},
	[LIMIT_STREAMS_PER_CONNECTION] = {"streams-per-connection",
		"was refused a stream: its connection has max-streams-per-connection"},
	[LIMIT_RATE] = {"requests-per-second",
		"was refused: it asked for more than max-requests-per-second"},
	[LIMIT_HANDSHAKES] = {"handshakes-per-second",
		"was refused: it began more TLS handshakes than max-handshakes-per-second"},
	[LIMIT_URL] = {"url-bytes", "was refused: it asked for more than max-url-bytes"},
	[LIMIT_HEADERS] = {"header-bytes",
		"was refused: it sent more than max-header-bytes or 100 headers"},
	[LIMIT_BODY] = {"body-bytes", "was refused: it sent more than max-body-bytes"},
	[LIMIT_MALFORMED] = {"malformed", "was refused: what it sent is no request"},
	[LIMIT_MEMORY] = {"memory", "was cut off: its open requests take too much memory"},
	[LIMIT_REQUEST_TIME] = {"request-timeout",
		"was cut off: it sent no whole request within request-timeout"},
	[LIMIT_STALL] = {"stall-timeout", "was cut off: it took nothing for stall-timeout"},
	[LIMIT_LOGINS] = {"logins", "was refused: its name and password or its token is wrong"},
	[LIMIT_WAITING_LOGINS] = {"waiting-logins",
		"was refused: too many are logging in with passwords that are new"},
};

const char *connections_limit_name(enum limit limit)
{
	return limit_texts[limit].name;
}

void connections_begin(struct connections *connections)
{
	h2o_linklist_init_anchor(&connections->all);
	h2o_linklist_init_anchor(&connections->answers);
	h2o_linklist_init_anchor(&connections->resting);
}

bool connections_are_gone(const struct connections *connections)
{
	return !connections->n_connections;
}

ON_SERVER static struct connection *of_link(h2o_linklist_t *link)
{
	return H2O_STRUCT_FROM_MEMBER(struct connection, link, link);
}

ON_SERVER static struct connection *of_request(h2o_req_t *req)
{
	return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

/* Count it and, now and then, name who it was. */
ON_SERVER static void note(struct connections *connections, enum limit limit, h2o_socket_t *socket)
{
	struct sockaddr_storage address;
	struct sockaddr *peer = (struct sockaddr *)&address;
	socklen_t peer_bytes = h2o_socket_getpeername(socket, peer);
	char host[NI_MAXHOST] = "a client";
	size_t length = peer_bytes ? h2o_socket_getnumerichost(peer, peer_bytes, host) : SIZE_MAX;
	unsigned suppressed;

	connections->reached[limit]++;
	if (log_allowed(&connections->logs[limit], LOG_INTERVAL_NS, &suppressed))
		log_warning("server", "%.*s %s; and %u more since the last such line",
			length < sizeof host ? (int)length : (int)sizeof host, host,
			limit_texts[limit].what, suppressed);
}

void connections_note(h2o_req_t *req, enum limit limit)
{
	struct connection *connection = of_request(req);

	note(connection->connections, limit, connection->socket);
}

const uint8_t *connections_address(h2o_req_t *req)
{
	return of_request(req)->caller->address;
}

bool connections_is_local(h2o_req_t *req)
{
	static const uint8_t v4[CONNECTION_ADDRESS_BYTES - 4];
	const uint8_t *address = connections_address(req);

	/* Of ::1 the first half is all that is kept, and no other network begins so. */
	return !memcmp(address, v4, sizeof v4) && (!address[12] || address[12] == 127);
}

bool connections_is_encrypted(h2o_req_t *req)
{
	return of_request(req)->socket->ssl;
}

/* ---- who is let in ---- */

void connections_allow_files(const struct server_limits *limits)
{
	rlim_t wanted = (rlim_t)limits->connections + FDS_IN_RESERVE + FDS_OF_OTHERS;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= wanted)
		return;
	files.rlim_cur = wanted < files.rlim_max ? wanted : files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* then the reserve takes care */
}

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

/* Whoever has an IPv6 address has a network of them. */
ON_SERVER static void read_address(
	h2o_socket_t *socket, uint8_t ret_address[CONNECTION_ADDRESS_BYTES])
{
	struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
	const struct in6_addr *v6 = &((struct sockaddr_in6 *)&storage)->sin6_addr;

	memset(ret_address, 0, CONNECTION_ADDRESS_BYTES);
	if (!h2o_socket_getpeername(socket, (struct sockaddr *)&storage))
		return;
	if (storage.ss_family == AF_INET)
		memcpy(ret_address + 12, &((struct sockaddr_in *)&storage)->sin_addr, 4);
	else if (storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		memcpy(ret_address + 12, v6->s6_addr + 12, 4);
	else if (storage.ss_family == AF_INET6)
		memcpy(ret_address, v6->s6_addr, 8);
}

ON_SERVER static int compare_callers(const void *a, const void *b)
{
	return memcmp(a, b, CONNECTION_ADDRESS_BYTES);
}

/* The caller at an address, made if there is none. */
ON_SERVER static struct caller *find_caller(
	struct connections *connections, const uint8_t address[CONNECTION_ADDRESS_BYTES])
{
	struct caller **found = tfind(address, &connections->callers, compare_callers);
	struct caller *caller;

	if (found)
		return *found;
	caller = h2o_mem_alloc(sizeof *caller);
	*caller = (struct caller){.n_connections = 0};
	memcpy(caller->address, address, CONNECTION_ADDRESS_BYTES);
	if (!tsearch(caller, &connections->callers, compare_callers))
		h2o_fatal("no memory"); /* as libh2o itself ends then */
	return caller;
}

ON_SERVER static void stop_resting(struct connections *connections, struct caller *caller)
{
	if (!h2o_linklist_is_linked(&caller->link))
		return;
	h2o_linklist_unlink(&caller->link);
	connections->n_resting--;
}

ON_SERVER static void forget(struct connections *connections, struct caller *caller)
{
	stop_resting(connections, caller);
	(void)tdelete(caller, &connections->callers, compare_callers);
	free(caller);
}

/* One that has no connection is kept as long as its handshakes count. */
ON_SERVER static void forget_if_gone(
	struct connections *connections, struct caller *caller, uint64_t now_ns)
{
	bool rests = h2o_linklist_is_linked(&caller->link);

	if (caller->n_connections)
		return;
	if (caller->handshakes_used_ns <= now_ns ||
		(!rests && connections->n_resting >= RESTING_MOST)) {
		forget(connections, caller);
	} else if (!rests) {
		h2o_linklist_insert(&connections->resting, &caller->link);
		connections->n_resting++;
	}
}

void connections_end(struct connections *connections)
{
	while (!h2o_linklist_is_empty(&connections->resting))
		forget(connections,
			H2O_STRUCT_FROM_MEMBER(struct caller, link, connections->resting.next));
}

/* Use up a share of a rate, of which burst_s seconds' worth may be used at once; whether it is there. */
ON_SERVER static bool use(uint64_t *used_ns, uint64_t share_ns, unsigned burst_s)
{
	uint64_t now_ns = clock_now_ns();

	if (*used_ns < now_ns)
		*used_ns = now_ns;
	if (*used_ns + share_ns > now_ns + burst_s * NS_PER_S)
		return false;
	*used_ns += share_ns;
	return true;
}

/* The limit that one more connection would go beyond, or LIMITS. */
ON_SERVER static enum limit find_limit(const struct connections *connections, h2o_socket_t *socket,
	struct caller *caller, bool shakes_hands)
{
	if (is_in_reserve(h2o_socket_get_fd(socket)))
		return LIMIT_FILES;
	if (connections->n_connections >= connections->limits.connections)
		return LIMIT_CONNECTIONS;
	if (caller->n_connections >= connections->limits.connections_per_address)
		return LIMIT_CONNECTIONS_PER_ADDRESS;
	if (shakes_hands &&
		!use(&caller->handshakes_used_ns,
			NS_PER_S / connections->limits.handshakes_per_second, HANDSHAKE_BURST_S))
		return LIMIT_HANDSHAKES;
	return memory_is_short(MEMORY_IN_RESERVE) ? LIMIT_SHORTAGE : LIMITS;
}

ON_SERVER static void on_closed(void *data)
{
	struct connection *connection = data;
	struct connections *connections = connection->connections;

	if (connections->reading == connection)
		connections->reading = NULL;
	connections->n_connections--;
	connection->caller->n_connections--;
	forget_if_gone(connections, connection->caller, clock_now_ns());
	h2o_linklist_unlink(&connection->link);
	free(connection);
}

bool connections_add(struct connections *connections, h2o_socket_t *socket, bool shakes_hands)
{
	struct connection *connection;
	struct caller *caller;
	uint8_t address[CONNECTION_ADDRESS_BYTES];
	enum limit limit;

	read_address(socket, address);
	caller = find_caller(connections, address);
	limit = find_limit(connections, socket, caller, shakes_hands);
	if (limit != LIMITS) {
		note(connections, limit, socket);
		forget_if_gone(connections, caller, clock_now_ns());
		h2o_socket_close(socket);
		return false;
	}
	connection = h2o_mem_alloc(sizeof *connection);
	*connection = (struct connection){
		.connections = connections,
		.caller = caller,
		.socket = socket,
		.accepting_ns = clock_now_ns(),
		.quiet_ns = clock_now_ns(),
	};
	connections->n_connections++;
	caller->n_connections++;
	stop_resting(connections, caller);
	h2o_linklist_insert(&connections->all, &connection->link);
	socket->on_close.cb = on_closed;
	socket->on_close.data = connection;
	return true;
}

/* ---- what they take ---- */

ON_SERVER static void dispose_share(void *memory)
{
	struct share *share = memory;
	struct connection *connection = share->connection;

	connection->n_blocks -= share->n_blocks;
	connection->connections->n_requests -= share->n_blocks;
	connection->header_bytes -= share->header_bytes;
	connection->answer_bytes -= share->answer_bytes;
	connection->n_streams -= share->n_streams;
	connection->connections->n_streams -= share->n_streams;
	connection->n_requests -= share->n_requests;
	if (share->n_requests && !connection->n_requests)
		connection->quiet_ns = clock_now_ns();
}

ON_SERVER static void take(h2o_req_t *req, struct share taken)
{
	struct share *share = h2o_mem_alloc_shared(&req->pool, sizeof *share, dispose_share);
	struct connection *connection = of_request(req);

	taken.connection = connection;
	*share = taken;
	connection->n_requests += taken.n_requests;
	connection->n_blocks += taken.n_blocks;
	connection->connections->n_requests += taken.n_blocks;
	connection->n_streams += taken.n_streams;
	connection->connections->n_streams += taken.n_streams;
	connection->header_bytes += taken.header_bytes;
	connection->answer_bytes += taken.answer_bytes;
}

/* One that counts moves the time up to which the rate is used up by a second's share. */
ON_SERVER static uint64_t rate_share_ns(const struct connection *connection)
{
	return NS_PER_S / connection->connections->limits.requests_per_second;
}

ON_SERVER static bool take_rate(struct connection *connection, unsigned divisor)
{
	if (use(&connection->rate_used_ns, rate_share_ns(connection) / divisor, BURST_S))
		return true;
	note(connection->connections, LIMIT_RATE, connection->socket);
	return false;
}

/* libh2o tells not whose bytes they are, but they stand in the socket's buffer. NULL for nobody's. */
ON_SERVER static struct connection *find_sender(
	const struct connections *connections, const uint8_t *bytes)
{
	for (h2o_linklist_t *link = connections->all.next; link != &connections->all;
		link = link->next)
		if ((uint8_t *)of_link(link)->socket->input->bytes == bytes)
			return of_link(link);
	return NULL;
}

void connections_note_sender(
	struct connections *connections, const uint8_t *bytes, enum limit limit)
{
	struct connection *sender = find_sender(connections, bytes);

	if (sender)
		note(connections, limit, sender->socket);
}

void connections_note_reading(struct connections *connections, enum limit limit)
{
	if (connections->reading)
		note(connections, limit, connections->reading->socket);
}

bool connections_take_frame(struct connections *connections, const uint8_t *bytes, bool is_cheap)
{
	struct connection *connection = connections->reading;

	if (!connection || (uint8_t *)connection->socket->input->bytes != bytes) {
		connection = find_sender(connections, bytes);
		if (!connection)
			return true;
		connections->reading = connection;
	}
	return take_rate(connection, is_cheap ? CHEAP_FRAMES : 1);
}

bool connections_take_headers(h2o_req_t *req, size_t bytes)
{
	struct connection *connection = of_request(req);
	struct connections *connections = connection->connections;

	take(req, (struct share){.n_blocks = 1, .header_bytes = bytes});
	if (connection->header_bytes <= HEADER_BYTES_MOST &&
		(connection->n_blocks <= REQUESTS_LEAST ||
			connections->n_requests <=
				(size_t)REQUESTS_PER_CONNECTION * connections->limits.connections))
		return true;
	note(connections, LIMIT_MEMORY, connection->socket);
	return false;
}

bool connections_take_request(h2o_req_t *req)
{
	take(req, (struct share){.n_requests = 1});
	/* Of HTTP/2 the frames have been counted. */
	return req->version >= 0x200 || take_rate(of_request(req), 1);
}

void connections_return_rate(h2o_req_t *req)
{
	struct connection *connection = of_request(req);

	/* Of HTTP/2 a frame of headers and one of data. */
	connection->rate_used_ns -= (req->version >= 0x200 ? 2 : 1) * rate_share_ns(connection);
}

bool connections_take_stream(h2o_req_t *req)
{
	struct connection *connection = of_request(req);
	struct connections *connections = connection->connections;
	enum limit limit = LIMITS;

	if (connections->n_streams >= connections->limits.streams)
		limit = LIMIT_STREAMS;
	else if (connection->n_streams >= connections->limits.streams_per_connection)
		limit = LIMIT_STREAMS_PER_CONNECTION;
	if (limit != LIMITS) {
		note(connections, limit, connection->socket);
		return false;
	}
	take(req, (struct share){.n_streams = 1});
	return true;
}

/* ---- deadlines ---- */

/* libh2o sees the end of it and closes it; one already shut is no error. */
ON_SERVER static void shut_down(h2o_socket_t *socket)
{
	(void)shutdown(h2o_socket_get_fd(socket), SHUT_RDWR);
}

ON_SERVER static void cut_off(struct connection *connection, enum limit limit)
{
	struct linger at_once = {.l_onoff = 1};

	/* Several of its streams may be held up. */
	if (connection->is_cut_off)
		return;
	connection->is_cut_off = true;
	note(connection->connections, limit, connection->socket);
	/* Else the kernel would keep for long what the client does not take. */
	(void)setsockopt(h2o_socket_get_fd(connection->socket), SOL_SOCKET, SO_LINGER, &at_once,
		sizeof at_once);
	shut_down(connection->socket);
}

void connections_take_answer(h2o_req_t *req, size_t bytes)
{
	struct connection *connection = of_request(req);

	if (connection->answer_bytes && connection->answer_bytes + bytes > ANSWER_BYTES_MOST)
		cut_off(connection, LIMIT_MEMORY);
	take(req, (struct share){.answer_bytes = bytes});
}

/* A socket that tells nothing counts as one that stands still. */
ON_SERVER static uint64_t acked_bytes(h2o_socket_t *socket)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof info;

	(void)getsockopt(h2o_socket_get_fd(socket), IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_bytes_acked;
}

ON_SERVER static void check(struct connection *connection, uint64_t now_ns)
{
	const struct server_limits *limits = &connection->connections->limits;
	uint64_t acked = acked_bytes(connection->socket);

	if (!h2o_socket_is_writing(connection->socket) || acked != connection->acked_bytes)
		connection->accepting_ns = now_ns;
	connection->acked_bytes = acked;
	if (now_ns - connection->accepting_ns >= limits->stall_timeout_s * NS_PER_S)
		cut_off(connection, LIMIT_STALL);
	/* What libh2o counts from the last byte, so that a trickle of them is enough for ever. */
	if (!connection->n_requests &&
		now_ns >= connection->quiet_ns + limits->request_timeout_s * NS_PER_S + GOODBYE_NS)
		cut_off(connection, LIMIT_REQUEST_TIME);
}

/* Who came first stays longest. What somebody leaves is there a turn later. */
ON_SERVER static void shed(struct connections *connections)
{
	h2o_linklist_t *link = connections->all.prev;

	if (!memory_is_short(MEMORY_IN_RESERVE))
		return;
	if (malloc_trim(0) && !memory_is_short(MEMORY_IN_RESERVE))
		return;
	while (link != &connections->all && of_link(link)->is_cut_off)
		link = link->prev;
	if (link != &connections->all)
		cut_off(of_link(link), LIMIT_SHORTAGE);
}

void connections_tick(struct connections *connections, uint64_t now_ns)
{
	h2o_linklist_t *link, *next;

	for (link = connections->resting.next; link != &connections->resting; link = next) {
		next = link->next;
		forget_if_gone(
			connections, H2O_STRUCT_FROM_MEMBER(struct caller, link, link), now_ns);
	}
	for (link = connections->all.next; link != &connections->all; link = link->next)
		check(of_link(link), now_ns);
	for (link = connections->answers.next; link != &connections->answers; link = link->next) {
		struct answer *answer = H2O_STRUCT_FROM_MEMBER(struct answer, link, link);

		connections_watch(&answer->stall, answer->req, now_ns);
	}
	shed(connections);
}

void connections_watch(struct stall *stall, h2o_req_t *req, uint64_t now_ns)
{
	struct connection *connection = of_request(req);
	uint64_t timeout_ns = connection->connections->limits.stall_timeout_s * NS_PER_S;

	/* While the connection writes, a stream may just have to wait for its turn. */
	if (req->version < 0x200 || !stall->since_ns || stall->bytes_sent != req->bytes_sent ||
		h2o_socket_is_writing(connection->socket))
		stall->since_ns = now_ns;
	stall->bytes_sent = req->bytes_sent;
	if (now_ns - stall->since_ns >= timeout_ns)
		cut_off(connection, LIMIT_STALL);
}

ON_SERVER static void dispose_answer(void *memory)
{
	h2o_linklist_unlink(&((struct answer *)memory)->link);
}

void connections_watch_answer(h2o_req_t *req)
{
	struct answer *answer = h2o_mem_alloc_shared(&req->pool, sizeof *answer, dispose_answer);

	*answer = (struct answer){.req = req};
	h2o_linklist_insert(&of_request(req)->connections->answers, &answer->link);
}

void connections_cut_off(struct connections *connections)
{
	for (h2o_linklist_t *link = connections->all.next; link != &connections->all;
		link = link->next)
		shut_down(of_link(link)->socket);
}
