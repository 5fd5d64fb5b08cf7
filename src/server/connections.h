/*
 * Connections: who is connected, and who is cut off because a picture is due and he takes nothing.
 *
 * A client may refuse to take bytes in two ways: its kernel accepts none, or it keeps the window of
 * an HTTP/2 stream shut. The first is watched here for every connection; the second by whoever
 * sends a response, through a stall.
 */
#ifndef FANLIGHT_CONNECTIONS_H
#define FANLIGHT_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

#include "base/log.h"
#include "base/roles.h"

/* All of the server thread. */
struct connections {
	h2o_linklist_t all; /* struct connection */
	uint64_t stall_timeout_ns;
	uint64_t stalled; /* cut off, since start */
	uint64_t refused; /* for want of file descriptors, since start */
	struct log_limit stalls, refusals;
};

/* How long a response's HTTP/2 window has been shut; zeroed at first. */
struct stall {
	uint64_t since_ns;
	size_t bytes_sent;
};

ON_SERVER void connections_begin(struct connections *connections);

/*
 * Keep an eye on a socket that was just accepted, until it is closed. Returns false if it took one
 * of the file descriptors that are in reserve for cameras and files; it is closed then.
 */
ON_SERVER bool connections_add(struct connections *connections, h2o_socket_t *socket);

ON_SERVER bool connections_are_gone(const struct connections *connections);

/* Cut off whose kernel has accepted nothing for the timeout; once a second. */
ON_SERVER void connections_tick(struct connections *connections, uint64_t now_ns);

/*
 * Cut off the client of a response that is being sent, if its HTTP/2 window alone has held that up
 * for the timeout; once a second. The request is gone only when the loop has turned.
 */
ON_SERVER void connections_watch(struct stall *stall, h2o_req_t *req, uint64_t now_ns);

/* Cut off everybody. */
ON_SERVER void connections_cut_off(struct connections *connections);

#endif
