#include "probe/link.h"

#include <errno.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

/* A link that was idle does not catch up on more than this. */
#define IDLE_STEPS 2

void link_init(struct link *link, uint64_t bytes_per_s)
{
	*link = (struct link){
		.bytes_per_s = bytes_per_s, .server_fd = -1, .listen_fd = -1, .client_fd = -1};
}

/* Listen at a name of the kernel's choice. Returns 0 or -1 and errno. */
static int listen_anywhere(struct link *link, struct sockaddr *ret_address, socklen_t *ret_bytes)
{
	const struct sockaddr_un nameless = {.sun_family = AF_UNIX};

	link->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	*ret_bytes = sizeof nameless;
	if (link->listen_fd < 0 ||
		bind(link->listen_fd, (const struct sockaddr *)&nameless,
			sizeof nameless.sun_family) < 0 ||
		listen(link->listen_fd, 1) < 0)
		return -1;
	return getsockname(link->listen_fd, ret_address, ret_bytes);
}

int link_connect(struct link *link, struct sockaddr *address, socklen_t *address_bytes)
{
	int err;

	link_close(link);
	link->server_fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->server_fd < 0 || connect(link->server_fd, address, *address_bytes) < 0 ||
		listen_anywhere(link, address, address_bytes) < 0) {
		err = -errno;
		link_close(link);
		return err;
	}
	return 0;
}

/* Give the client what it has room for; false when there is more. */
static bool deliver(struct link *link)
{
	while (link->begin < link->end) {
		ssize_t n = send(link->client_fd, link->carried + link->begin,
			link->end - link->begin, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			link_close(link);
		if (n < 0)
			return false;
		link->begin += (size_t)n;
	}
	return true;
}

static void carry_to_client(struct link *link)
{
	while (link->budget_bytes && deliver(link)) {
		size_t most = sizeof link->carried;
		ssize_t n;

		if (most > link->budget_bytes)
			most = link->budget_bytes;
		n = recv(link->server_fd, link->carried, most, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			link_close(link);
			return;
		}
		link->begin = 0;
		link->end = (size_t)n;
		link->budget_bytes -= (uint64_t)n;
	}
	if (link->client_fd >= 0)
		(void)deliver(link);
}

/* What a viewer sends is little, and goes at once. */
static void carry_to_server(struct link *link)
{
	char request[4096];
	ssize_t n;

	while ((n = recv(link->client_fd, request, sizeof request, MSG_DONTWAIT)) > 0)
		if (send(link->server_fd, request, (size_t)n, MSG_NOSIGNAL) != n)
			n = 0;
	if (!n || errno != EAGAIN)
		link_close(link);
}

static void meet_client(struct link *link, uint64_t now_ns)
{
	link->client_fd = accept4(link->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (link->client_fd < 0)
		return;
	fd_close(&link->listen_fd);
	link->stepped_ns = now_ns;
}

void link_step(struct link *link, uint64_t now_ns)
{
	uint64_t most = link->bytes_per_s * IDLE_STEPS * LINK_STEP_NS / NS_PER_S;

	if (link->listen_fd >= 0)
		meet_client(link, now_ns);
	if (link->client_fd < 0)
		return;
	link->budget_bytes += link->bytes_per_s * (now_ns - link->stepped_ns) / NS_PER_S;
	link->stepped_ns = now_ns;
	if (link->budget_bytes > most)
		link->budget_bytes = most;
	carry_to_server(link);
	if (link->client_fd >= 0 && !link->stalled)
		carry_to_client(link);
}

void link_close(struct link *link)
{
	fd_close(&link->server_fd);
	fd_close(&link->listen_fd);
	fd_close(&link->client_fd);
}
