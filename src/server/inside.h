/*
 * What the parts of the server share: the server, its feeds, and how requests are answered.
 *
 * A feed is one camera as its viewers see it: who streams, who waits. It has a channel for its
 * pictures as they are, and others for variants of them.
 */
#ifndef FANLIGHT_SERVER_INSIDE_H
#define FANLIGHT_SERVER_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

#include "base/clock.h"
#include "base/log.h"
#include "exchange/controls.h"
#include "exchange/exchange.h"
#include "server/access.h"
#include "server/connections.h"
#include "server/listen.h"
#include "server/part.h"
#include "server/request.h"
#include "server/server.h"
#include "server/terms.h"

/* A counter seen once a second, and its rate since. */
struct meter {
	uint64_t count, at_ns;
	double per_second;
};

/* Milliseconds of a stage of a picture's way: the last, and smoothed over some ten pictures. */
struct stage {
	double last_ms, average_ms;
};

/* How viewers speak to us. */
enum protocol { PROTOCOL_HTTP_1_0, PROTOCOL_HTTP_1_1, PROTOCOL_HTTP_2, PROTOCOLS };

/* What the streams of one protocol were sent, of one camera, since start. */
struct traffic {
	uint64_t frames;  /* that the kernel has taken */
	uint64_t bytes;   /* that were handed to libh2o */
	uint64_t skipped; /* frames that were not sent because a newer one came */
	struct histogram publish_to_sent, capture_to_sent; /* until the kernel had all of it */
	struct histogram capture_to_drawn;                 /* as viewers of live streams say */
};

/* An outlet as the server sees it. */
struct channel {
	/* constant */
	struct feed *feed;
	struct outlet *outlet;
	int fresh_fd; /* our own duplicate of the exchange's, -1 once the loop has it */

	/* server thread */
	h2o_socket_t *fresh;
	struct variant variant; /* that it has; of none before the first, as of the first channel */
	uint32_t filtering;     /* of its parts */
	struct part *newest;    /* that is whole; NULL before the first */
	struct part *picture;   /* the newest that is whole and no placeholder; likewise */
	struct part *growing;   /* that comes after it, or NULL */
	uint64_t serial;        /* of the newer of them */
	uint64_t asked;         /* feed->asked_channels, when it was asked for last */
	struct histogram encode; /* what its pictures took */
};

struct feed {
	/* constant */
	struct server *server;
	struct server_camera camera;
	/* our own duplicates of the exchanges' fresh_fd, -1 once the loop has them */
	int status_fd, answers_fd;

	/* server thread */
	struct channel channels[OUTLETS_MOST]; /* one an outlet */
	uint64_t asked_channels;               /* how often one was */
	struct part *picture; /* the newest of any channel that is no placeholder; NULL before it */
	h2o_socket_t *status_fresh;
	const struct camera_status *status; /* NULL before the first; the exchange's slot */
	uint64_t status_serial;             /* counts statuses from 1, which is none */
	h2o_socket_t *answered;
	bool asking;               /* the control thread is at work for us */
	struct errand *asked;      /* for whom; NULL when he has left */
	h2o_linklist_t errands;    /* struct errand that wait for their turn */
	uint64_t controls_changed; /* as it was when live streams were told */
	h2o_linklist_t streams;    /* struct stream */
	h2o_linklist_t snapshots;  /* struct snapshot that wait */
	uint64_t wanted_ns;        /* since when the first picture is waited for; 0 when it came */
	uint64_t first_picture_ns; /* how long that was, the last time */
	struct meter captured, encoded;
	struct stage capture_to_dequeue, wait, encode, publish, total;
	struct histogram demand_to_picture, encode_to_publish, publish_to_send;
	struct traffic traffic[PROTOCOLS];
	uint64_t snapshots_sent;
};

struct server {
	/* constant after server_prepare() */
	struct feed *feeds;
	struct server_camera *cameras; /* what feeds were made of, for request_parse() */
	size_t n_feeds;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	bool has_https;
	uint64_t target_age_ns;
	int stop_fd;       /* server_stop() signals it */
	int stop_watch_fd; /* its duplicate, -1 once the loop has it */
	int renewed_fd;    /* a duplicate of renewals.fresh_fd, likewise */
	uint64_t created_ns;
	h2o_globalconf_t config;

	/* main to server */
	struct exchange renewals; /* of struct terms * */
	struct terms *terms_slots[EXCHANGE_SLOTS];

	/* server thread, and main before that runs */
	struct terms *terms; /* the newest that was taken */

	/* server thread */
	h2o_socket_t *renewed;
	bool begun, stopping;
	uint64_t stop_deadline_ns;
	unsigned cut_off_turns; /* since then */
	h2o_context_t context;
	h2o_socket_t *stop;
	struct connections connections;
	struct access access;
	h2o_timeout_t patience;  /* of waiting snapshots */
	size_t n_snapshot_parts; /* that snapshots on their way hold */
	h2o_timeout_t control_patience;
	h2o_timeout_t gate_recheck; /* of streams that hold a part back */
	uint64_t last_stream_id;
	struct log_limit accept_faults;
	h2o_timeout_entry_t tick;  /* once a second */
	h2o_timeout_entry_t pause; /* of accepting, when there are no fds left */
	uint64_t created_wall_ns;  /* since 1970, by the clock when metrics were first asked for */
};

/* ---- feed.c ---- */

ON_SERVER void feed_begin(struct feed *feed, h2o_loop_t *loop);

/* Let everything go; no stream and no snapshot is left. */
ON_SERVER void feed_end(struct feed *feed);

/* Look at the counters, once a second. */
ON_SERVER void feed_tick(struct feed *feed, uint64_t now_ns);

/* The camera as it last said it was; never NULL, valid until anything asks again. */
ON_SERVER const struct camera_status *feed_status(struct feed *feed);

/* A picture has come, in any of its channels. */
ON_SERVER void feed_note_picture(struct feed *feed, struct part *part);

/* Have the loop watch an fd, which is its own from now on. */
ON_SERVER h2o_socket_t *feed_watch(h2o_loop_t *loop, int *fd, void *data, h2o_socket_cb callback);

/* From one frame to the next, by what the driver gave, what was asked, or 30 a second. */
ON_SERVER uint64_t feed_interval_ns(struct feed *feed);

/* A fault's word in /state and metrics. */
ANY_THREAD const char *feed_fault_name(enum camera_fault fault);

/* Whether it is online and frames advance, or rests; if not, a sentence in reason. */
ON_SERVER bool feed_is_healthy(struct feed *feed, uint64_t now_ns, char reason[256]);

ANY_THREAD void meter_update(struct meter *meter, uint64_t count, uint64_t now_ns);

/* ---- channel.c ---- */

ON_SERVER void channel_begin(struct channel *channel, h2o_loop_t *loop);

/* Let everything go. */
ON_SERVER void channel_end(struct channel *channel);

/*
 * The channel of what a request asks for. A variant keeps its channel while somebody wants it, and
 * until another needs it. NULL when it was refused, and that answered.
 */
ON_SERVER struct channel *channel_find(
	struct feed *feed, h2o_req_t *req, const struct variant *variant);

/* One more wants pictures of it, until channel_drop(). */
ON_SERVER void channel_want(struct channel *channel);
ON_SERVER void channel_drop(struct channel *channel);

/* The placeholder that is to be shown now, or NULL. */
ON_SERVER struct part *channel_placeholder(struct channel *channel);

/* ---- routes.c ---- */

ON_MAIN void routes_register(struct server *server, h2o_hostconf_t *host);

/* Add a header to a response; name and value must be static or of the request's pool. */
ON_SERVER void reply_header(h2o_req_t *req, const char *name, const char *value);

/* Headers of what is live: no caching, and which pages of other origins may read it. */
ON_SERVER void reply_live_headers(h2o_req_t *req);

/* Answer with this body, which is copied; HEAD gets its headers. */
ON_SERVER void reply(
	h2o_req_t *req, int status, const char *type, const char *body, size_t body_bytes);

/* Answer with a sentence, to which a line end is added. */
ON_SERVER void reply_sentence(h2o_req_t *req, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Answer that there is no picture, and why. */
ON_SERVER void reply_no_picture(h2o_req_t *req, const struct feed *feed, const char *reason);

/* Answer that Fanlight is stopping. */
ON_SERVER void reply_stopping(h2o_req_t *req);

/* Answer that it is done. */
ON_SERVER void reply_nothing(h2o_req_t *req);

ON_SERVER bool reply_is_head(const h2o_req_t *req);

/* Whether it is a browser's <img> that asks. */
ON_SERVER bool reply_is_image(const h2o_req_t *req);

/* Whether the client says that it has this entity tag already. */
ON_SERVER bool reply_is_known(const h2o_req_t *req, const char *etag);

/* ---- stream.c ---- */

/* Prepare the timer of those that hold a part back. */
ON_SERVER void streams_begin(struct server *server);

ON_SERVER void stream_serve(struct feed *feed, h2o_req_t *req, const struct request *request);

/* Take what a live stream's viewer tells, and answer. */
ON_SERVER void stream_take_report(struct feed *feed, h2o_req_t *req, const struct request *request);

/*
 * A new part or status has come, or more of a part: send it to every stream that is not sending, or
 * end it if there will be no picture for it.
 */
ON_SERVER void streams_publish(struct feed *feed);

/*
 * Measure their rates, let go who left while there was nothing to send, cut off who takes nothing;
 * once a second.
 */
ON_SERVER void streams_tick(struct feed *feed, uint64_t now_ns);

/* End every stream, those that are sending as soon as they have. */
ON_SERVER void streams_stop(struct feed *feed);

/* "h2", "http/1.1" or "http/1.0". */
ANY_THREAD const char *stream_protocol_name(enum protocol protocol);

/* ---- snapshot.c ---- */

/* Prepare the timer of those that wait. */
ON_SERVER void snapshots_begin(struct server *server);

ON_SERVER void snapshot_serve(struct feed *feed, h2o_req_t *req, const struct request *request);

/* A new part has come: answer those that waited for it, or for none to come. */
ON_SERVER void snapshots_publish(struct feed *feed);

/* Answer all that wait with 503. */
ON_SERVER void snapshots_stop(struct feed *feed);

/* ---- controls.c ---- */

/* Prepare the timer of those that wait. */
ON_SERVER void controls_begin(struct server *server);

/* Answer how the camera or its filters are; a request with a body changes them first. */
ON_SERVER void controls_serve(struct feed *feed, h2o_req_t *req, enum control_subject subject);

/* The control thread may have answered: pass that on. */
ON_SERVER void controls_take(struct feed *feed);

/* Answer all that wait with 503. */
ON_SERVER void controls_stop(struct feed *feed);

/* ---- state.c ---- */

/* A camera's status as live streams are told it; JSON to free(), or NULL out of memory. */
ON_SERVER char *state_status(struct feed *feed);

ON_SERVER void state_serve(struct server *server, h2o_req_t *req);
ON_SERVER void health_serve(struct server *server, h2o_req_t *req);

/* ---- metrics.c ---- */

ON_SERVER void metrics_serve(struct server *server, h2o_req_t *req);

#endif
