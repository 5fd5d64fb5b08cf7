/*
 * A slow link: stands between a client of any protocol and its server, and carries no more than so
 * many bytes a second towards the client. What the server may send ahead of that is decided by its
 * kernel and ours, as on a real link.
 */
#ifndef FANLIGHT_PROBE_LINK_H
#define FANLIGHT_PROBE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/socket.h>

#include "base/clock.h"
#include "base/roles.h"

/* How often a link is to be stepped; short against the ages that are measured over one. */
#define LINK_STEP_NS (10 * NS_PER_MS)

struct link {
	uint64_t bytes_per_s;
	bool stalled; /* carries nothing more towards the client */
	int server_fd, listen_fd, client_fd;
	uint64_t stepped_ns;
	uint64_t budget_bytes;
	uint8_t carried
		[65536]; /* read from the server, from begin to end not yet with the client */
	size_t begin, end;
};

/* Prepare an open link between nobody. */
ANY_THREAD void link_init(struct link *link, uint64_t bytes_per_s);

/*
 * Connect to the server and wait for the client, at an address that is put in place of the server's
 * (at most sizeof (struct sockaddr_un)). Returns 0 or a negative errno, and it may be tried again
 * with another address.
 */
ANY_THREAD int link_connect(struct link *link, struct sockaddr *address, socklen_t *address_bytes);

/* Carry what may be carried by now, both ways; at the end of one side the other one sees an end. */
ANY_THREAD void link_step(struct link *link, uint64_t now_ns);

ANY_THREAD void link_close(struct link *link);

#endif
