#include "server/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/fd.h"

/*
 * The kernel holds at most this much that it has not sent yet. What is written later is fresher;
 * on a slow link the default would keep seconds of pictures. Less costs throughput.
 */
#define NOTSENT_LOWAT_BYTES 16384

/* Clients have little to say. libh2o keeps a buffer as large as what it once read at a time. */
#define RECEIVE_BYTES 32768

/*
 * Connections that the kernel takes while we are busy, as net.core.somaxconn allows. Those beyond go
 * unanswered, and the client tries again no sooner than a second later.
 */
#define BACKLOG 1024

/* Best effort: without it memory is wasted. */
ON_MAIN static void limit_receiving(int fd)
{
	int bytes = RECEIVE_BYTES;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

ON_MAIN static int bind_socket(const struct addrinfo *info, int *ret_fd)
{
	int on = 1, off = 0, err;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* Best efforts: without them a restart may wait, or IPv4 not be served. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	limit_receiving(fd);
	if (info->ai_family == AF_INET6) {
		bool any = IN6_IS_ADDR_UNSPECIFIED(
			&((struct sockaddr_in6 *)info->ai_addr)->sin6_addr);

		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
	}
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		err = -errno;
		fd_close(&fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

ON_MAIN static uint16_t bound_port(int fd)
{
	struct sockaddr_in6 address; /* has the port where the IPv4 kind has it */
	socklen_t length = sizeof address;

	return getsockname(fd, (struct sockaddr *)&address, &length) < 0 ? 0
									 : ntohs(address.sin6_port);
}

/* What to type into a browser. */
ON_MAIN static void format_url(struct listener *listener, const char *scheme, const char *host)
{
	char name[64] = "localhost";
	bool any = !*host || !strcmp(host, "::") || !strcmp(host, "0.0.0.0");
	bool v6 = !any && strchr(host, ':');

	if (any)
		(void)gethostname(name, sizeof name - 1); /* else localhost will do */
	(void)snprintf(listener->url, sizeof listener->url, "%s://%s%s%s:%u/", scheme,
		v6 ? "[" : "", any ? name : host, v6 ? "]" : "", bound_port(listener->fd));
}

ON_MAIN static int explain(int err, const char *setting, const char *host, unsigned port,
	char reason[SERVER_REASON_BYTES])
{
	const char *shown = *host ? host : "*";

	if (err == -EADDRINUSE)
		(void)snprintf(reason, SERVER_REASON_BYTES,
			"%s: %s:%u is in use by another program; stop it or choose another with --%s",
			setting, shown, port, setting);
	else if (err == -EACCES)
		(void)snprintf(reason, SERVER_REASON_BYTES,
			"%s: no permission to listen at %s:%u; choose a port above 1023 with --%s",
			setting, shown, port, setting);
	else if (err == -EADDRNOTAVAIL)
		(void)snprintf(reason, SERVER_REASON_BYTES,
			"%s: %s is no address of this machine; choose another with --%s", setting,
			shown, setting);
	else
		(void)snprintf(reason, SERVER_REASON_BYTES, "%s: cannot listen at %s:%u: %s",
			setting, shown, port, strerror(-err));
	return err;
}

ON_MAIN static int resolve(const struct server_address *address, const char *setting,
	struct addrinfo **ret_infos, char reason[SERVER_REASON_BYTES])
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	/* An IPv6 socket at :: takes IPv4 too. */
	const char *host = *address->host ? address->host : "::";
	char port[8];
	int status;

	(void)snprintf(port, sizeof port, "%u", address->port);
	status = getaddrinfo(host, port, &hints, ret_infos);
	if (!status)
		return 0;
	(void)snprintf(reason, SERVER_REASON_BYTES, "%s: cannot resolve %s: %s", setting, host,
		gai_strerror(status));
	return -EADDRNOTAVAIL;
}

ON_MAIN static int listen_at(const struct server_address *address, const char *setting,
	struct listener *listeners, size_t *n, char reason[SERVER_REASON_BYTES])
{
	struct addrinfo *infos;
	size_t n_before = *n;
	uint16_t port = address->port;
	int first_err = 0, err = resolve(address, setting, &infos, reason);

	if (err < 0)
		return err;
	for (struct addrinfo *info = infos; info && *n < LISTENERS_MAX; info = info->ai_next) {
		struct listener *listener = &listeners[*n];

		/* Port 0 was the kernel's to choose once; the others follow. */
		((struct sockaddr_in6 *)info->ai_addr)->sin6_port = htons(port);
		err = bind_socket(info, &listener->fd);
		if (err < 0) {
			first_err = first_err ? first_err : err;
			continue;
		}
		port = bound_port(listener->fd);
		listener->tls = !strcmp(setting, "https");
		format_url(listener, setting, address->host);
		(*n)++;
	}
	freeaddrinfo(infos);
	/* A name whose IPv6 address is not there is still served at its IPv4 one. */
	if (*n > n_before && first_err != -EADDRINUSE)
		return 0;
	return explain(first_err, setting, address->host, port, reason);
}

#if HAVE_SYSTEMD
/* Returns 0, or -EINVAL for what is no listening TCP socket. */
ON_MAIN static int adopt_socket(int fd)
{
	if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) <= 0 ||
		fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -EINVAL;
	limit_receiving(fd);
	return 0;
}

/* Take those sockets that systemd opened in the setting's name. Returns how many. */
ON_MAIN static int adopt(const struct server_address *address, const char *setting,
	struct listener *listeners, size_t *n, char reason[SERVER_REASON_BYTES])
{
	char **names = NULL;
	int n_fds = sd_listen_fds_with_names(0, &names), n_adopted = 0;

	for (int i = 0; i < n_fds; i++) {
		if (n_adopted >= 0 && !strcmp(names[i], setting) && *n < LISTENERS_MAX) {
			struct listener *listener = &listeners[(*n)++];

			listener->fd = SD_LISTEN_FDS_START + i;
			listener->tls = !strcmp(setting, "https");
			n_adopted = adopt_socket(listener->fd) < 0 ? -EINVAL : n_adopted + 1;
			format_url(listener, setting, address->host);
		}
		free(names[i]);
	}
	free(names);
	if (n_adopted < 0)
		(void)snprintf(reason, SERVER_REASON_BYTES,
			"%s: what systemd passed is no listening TCP socket; mend the socket unit",
			setting);
	return n_adopted;
}
#endif

int listen_open(const struct server_address *address, const char *setting,
	struct listener *listeners, size_t *n, char reason[SERVER_REASON_BYTES])
{
	int err;

#if HAVE_SYSTEMD
	err = adopt(address, setting, listeners, n, reason);
	if (err)
		return err < 0 ? err : 0;
#endif
	err = listen_at(address, setting, listeners, n, reason);

	/* Everywhere, on a machine without IPv6. */
	if ((err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL) && !*address->host) {
		struct server_address v4 = *address;

		(void)snprintf(v4.host, sizeof v4.host, "0.0.0.0");
		err = listen_at(&v4, setting, listeners, n, reason);
	}
	return err;
}

bool listen_is_local(int fd)
{
	struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
	socklen_t length = sizeof storage;

	if (getsockname(fd, (struct sockaddr *)&storage, &length) < 0)
		return false;
	if (storage.ss_family == AF_INET)
		return ntohl(((struct sockaddr_in *)&storage)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&storage)->sin6_addr);
}

void listen_tune(int fd)
{
	int on = 1, lowat = NOTSENT_LOWAT_BYTES;

	/* Either failing costs latency, not correctness. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
}
