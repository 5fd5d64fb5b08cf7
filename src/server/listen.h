/* Listening sockets: made before any thread, accepted from by the server's loop. */
#ifndef FANLIGHT_SERVER_LISTEN_H
#define FANLIGHT_SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include <h2o.h>

#include "base/roles.h"
#include "server/server.h"

/* A name such as localhost may have an IPv4 and an IPv6 address; http and https make it four. */
#define LISTENERS_MAX 8

struct listener {
	int fd; /* -1 once the loop has it */
	bool tls;
	char url[128];
	struct server *server;
	h2o_socket_t *socket;
	h2o_accept_ctx_t accept;
};

/*
 * Bind and listen at every address that the host stands for, all on one port. setting is what the
 * user calls it ("http"); where systemd passes sockets of that name, they are it. Appends to
 * listeners[], of which there are *n, at most LISTENERS_MAX.
 * Returns 0, or a negative errno with one sentence in reason.
 */
ON_MAIN int listen_open(const struct server_address *address, const char *setting,
	struct listener *listeners, size_t *n, char reason[SERVER_REASON_BYTES]);

/* Whether only this machine can reach a listening socket. */
ON_MAIN bool listen_is_local(int fd);

/* Set what an accepted connection needs so that little lies unsent in the kernel. */
ANY_THREAD void listen_tune(int fd);

#endif
