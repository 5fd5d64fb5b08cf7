/*
 * Connections: who is connected, what each has taken of what there is for all, and who is refused
 * or cut off because he reached a limit.
 *
 * A client may refuse to take bytes in two ways: its kernel accepts none, or it keeps the window of
 * an HTTP/2 stream shut. The first is watched here for every connection; the second for every
 * response, through a stall.
 *
 * What a client can make the server keep is bounded: for each connection its buffers, 64 KB of
 * headers and 128 KB of answers; for each request a few KB; and of requests there are, beyond a few
 * for each connection, four times as many as connections are allowed. Of pictures there are as many
 * as streams are allowed, and as many again for snapshots.
 */
#ifndef FANLIGHT_CONNECTIONS_H
#define FANLIGHT_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

#include "base/log.h"
#include "base/roles.h"
#include "server/server.h"

#define CONNECTION_ADDRESS_BYTES 16

/* What a client may run into. */
enum limit {
	LIMIT_FILES,    /* of file descriptors, but for those in reserve for cameras and files */
	LIMIT_SHORTAGE, /* of memory, but for what is in reserve likewise */
	LIMIT_CONNECTIONS,
	LIMIT_CONNECTIONS_PER_ADDRESS,
	LIMIT_STREAMS,
	LIMIT_STREAMS_PER_CONNECTION,
	LIMIT_RATE,       /* of requests and of frames that make work */
	LIMIT_HANDSHAKES, /* that begin */
	LIMIT_URL,
	LIMIT_HEADERS,
	LIMIT_BODY,
	LIMIT_MALFORMED, /* what is no request */
	LIMIT_MEMORY,    /* of open requests */
	LIMIT_REQUEST_TIME,
	LIMIT_STALL,
	LIMIT_LOGINS,         /* that may be wrong */
	LIMIT_WAITING_LOGINS, /* whose passwords are yet to be compared */
	LIMITS,
};

/* All of the server thread. */
struct connections {
	h2o_linklist_t all;     /* struct connection */
	h2o_linklist_t answers; /* struct answer: responses that are being sent */
	void *callers;          /* of tsearch(): struct caller, the addresses that there are */
	h2o_linklist_t resting; /* those of them that have no connection */
	size_t n_resting;
	struct server_limits limits;
	size_t n_connections, n_streams, n_requests;
	struct connection *reading; /* the last that a frame came from, or NULL */
	uint64_t reached[LIMITS];   /* times, since start */
	struct log_limit logs[LIMITS];
};

/* How long a response's HTTP/2 window has been shut; zeroed at first. */
struct stall {
	uint64_t since_ns;
	size_t bytes_sent;
};

/* Allow the process as many files as the limits need, where the system lets it. */
ON_MAIN void connections_allow_files(const struct server_limits *limits);

ON_SERVER void connections_begin(struct connections *connections);

/* Forget all addresses; there are no connections any more. */
ON_SERVER void connections_end(struct connections *connections);

/*
 * Keep an eye on a socket that was just accepted, until it is closed. Returns false if it is one
 * too many, in all, of its address (of IPv6 the first half counts), for the file descriptors or for
 * the memory, or begins with a TLS handshake and its address has had too many of late; it is closed
 * then.
 */
ON_SERVER bool connections_add(
	struct connections *connections, h2o_socket_t *socket, bool shakes_hands);

ON_SERVER bool connections_are_gone(const struct connections *connections);

/*
 * Cut off who is out of time, by whatever deadline, and while memory is short who came last; once a
 * second.
 */
ON_SERVER void connections_tick(struct connections *connections, uint64_t now_ns);

/*
 * Cut off the client of a response that is being sent, if its HTTP/2 window alone has held that up
 * for the timeout; once a second. The request is gone only when the loop has turned.
 */
ON_SERVER void connections_watch(struct stall *stall, h2o_req_t *req, uint64_t now_ns);

/* Do that for a response that is about to be sent whole, until its request is disposed of. */
ON_SERVER void connections_watch_answer(h2o_req_t *req);

/* Cut off everybody. */
ON_SERVER void connections_cut_off(struct connections *connections);

/* ---- what a client takes; false when it is too much, and counted ---- */

/* An HTTP/2 frame that begins at bytes. Window updates are many where pictures flow, and cheap. */
ON_SERVER bool connections_take_frame(
	struct connections *connections, const uint8_t *bytes, bool is_cheap);

/* A block of headers of an HTTP/2 request, until that is disposed of. */
ON_SERVER bool connections_take_headers(h2o_req_t *req, size_t bytes);

/* A whole request, until it is disposed of. */
ON_SERVER bool connections_take_request(h2o_req_t *req);

/* Give back what a request with a body took of its connection's rate, once. */
ON_SERVER void connections_return_rate(h2o_req_t *req);

/* The body of an answer, until its request is disposed of; who takes too much is cut off. */
ON_SERVER void connections_take_answer(h2o_req_t *req, size_t bytes);

/* A stream, until its request is disposed of. */
ON_SERVER bool connections_take_stream(h2o_req_t *req);

/* ---- who asks ---- */

/* The address that limits are counted by; valid as long as the request. */
ON_SERVER const uint8_t *connections_address(h2o_req_t *req);

/* Whether it is this machine's own. */
ON_SERVER bool connections_is_local(h2o_req_t *req);

ON_SERVER bool connections_is_encrypted(h2o_req_t *req);

/* Count that a request reached a limit and, now and then, log whose it was. */
ON_SERVER void connections_note(h2o_req_t *req, enum limit limit);

/* The same for bytes that stand at the beginning of their sender's socket's buffer. */
ON_SERVER void connections_note_sender(
	struct connections *connections, const uint8_t *bytes, enum limit limit);

/* And for who sent the HTTP/2 frame that is at work. */
ON_SERVER void connections_note_reading(struct connections *connections, enum limit limit);

/* What the limit is called in metrics ("connections-per-address"). */
ANY_THREAD const char *connections_limit_name(enum limit limit);

#endif
