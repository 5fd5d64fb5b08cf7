/*
 * The server: the newest packet of every camera to any number of HTTP clients, on libh2o.
 *
 * One thread, one event loop. For every client separately the latest frame wins: a send starts when
 * a packet is published or when the client's last one has left, and never before the kernel has
 * accepted the previous one. What a slow client misses is never made up for.
 */
#ifndef FANLIGHT_SERVER_H
#define FANLIGHT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/roles.h"
#include "base/stats.h"
#include "exchange/demand.h"
#include "exchange/exchange.h"
#include "exchange/outlet.h"
#include "exchange/status.h"

#define SERVER_REASON_BYTES 256

/* An address to listen on; port 0 asks the kernel for one. Host "" listens everywhere. */
struct server_address {
	bool enabled;
	char host[64]; /* name, IPv4 or IPv6 address without brackets */
	uint16_t port;
};

/* How much is taken on; what goes beyond is refused or cut off. */
struct server_limits {
	unsigned connections, connections_per_address;
	unsigned streams, streams_per_connection;
	unsigned requests_per_second;                 /* of one connection */
	unsigned handshakes_per_second;               /* TLS, of one address */
	unsigned url_bytes, header_bytes, body_bytes; /* of one request */
	unsigned request_timeout_s;                   /* to send a whole request, TLS included */
	unsigned stall_timeout_s;                     /* to take something of what was asked for */
};

/* Whether names, passwords and tokens are taken without TLS. */
enum cleartext_logins {
	CLEARTEXT_LOGINS_NEVER,
	CLEARTEXT_LOGINS_LOOPBACK,
	CLEARTEXT_LOGINS_ALWAYS
};

struct server_config {
	struct server_address http;  /* cleartext HTTP/1.1, and h2 by prior knowledge */
	struct server_address https; /* TLS with ALPN: h2, http/1.1 */
	char cert[256]; /* PEM files; both "" for a self-signed pair made on first start */
	char key[256];
	char state_dir[256];    /* where that pair is kept */
	unsigned target_age_ms; /* how long a reporting viewer's pictures may wait on their way */
	struct server_limits limits;
	char accounts[256]; /* a file; "" serves everybody */
	enum cleartext_logins cleartext_logins;
	char hosts[512];   /* that requests may name, with commas; "" for any */
	char origins[512]; /* of pages elsewhere that may read and frame this, with commas */
};

/* One camera as the server sees it. What the pointers lead to outlives the server. */
struct server_camera {
	const char *name;       /* a path segment: letters, digits, - and _ */
	const char *source;     /* as configured, for /state */
	double fps;             /* asked for; 0 for none */
	bool has_placeholder;   /* packets come while there is no picture, too */
	struct outlet *outlets; /* the first for pictures as they are; the server is the reader */
	unsigned n_outlets;
	struct exchange *status;   /* slots are struct camera_status; the server is the reader */
	struct exchange *requests; /* slots are struct control_request; the server is the writer */
	struct exchange *answers;  /* slots are struct control_answer; the server is the reader */
	struct demand *demand;
	const struct camera_stats *stats;
};

struct server;

/*
 * Bind the listeners, for which rights may be needed that are better given up then; no file is read,
 * and nothing is accepted yet. Returns 0, or a negative errno with one sentence in reason that says
 * what to do (port in use, no permission).
 */
ON_MAIN int server_create(const struct server_config *config, struct server **ret_server,
	char reason[SERVER_REASON_BYTES]);

/*
 * Load or make the certificate and what else config names, prepare the routes for n cameras (at
 * least one; the first is the default). To be called once, with the config that the server was
 * created with; config and cameras are copied. Logs the URLs. Returns 0, or a negative errno with one
 * sentence in reason; then the server can only be destroyed.
 */
ON_MAIN int server_prepare(struct server *server, const struct server_config *config,
	const struct server_camera *cameras, size_t n, char reason[SERVER_REASON_BYTES]);

/*
 * From now on serve by what config says of certificate, accounts, lists and limits; files are read
 * anew and keys of TLS session tickets are changed. Who is served now stays so. What else config
 * says, such as where to listen, stays as it was when the server was created. Returns 0, or a
 * negative errno with one sentence in reason; then nothing has changed.
 */
ON_MAIN int server_renew(struct server *server, const struct server_config *config,
	char reason[SERVER_REASON_BYTES]);

/*
 * One turn of the event loop: wait for something and do it.
 * Returns 1, or 0 when server_stop() was called and every client has been let go (streams ended
 * properly, given half a second to take the last bytes).
 */
ON_SERVER int server_turn(struct server *server);

/* One turn of the login thread: 1, or 0 when server_stop() was called. */
ON_LOGIN int server_login_turn(struct server *server);

/* An eventfd that wakes the login thread for a turn, whether or not there is something to do. */
ON_MAIN int server_login_fd(const struct server *server);

/* Ask both threads to end; may be called from any thread, once. */
ANY_THREAD void server_stop(struct server *server);

/* Close and free everything, after the loop has ended or if it never began. NULL is ignored. */
ANY_THREAD void server_destroy(struct server *server);

#endif
