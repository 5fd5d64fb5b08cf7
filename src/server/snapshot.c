/*
 * A snapshot: one picture, as fresh as the client asks. When the newest is not, the request waits
 * for one that is, and the wait counts as demand. The request's pool disposes of the snapshot,
 * whether it was answered or its client vanished.
 */
#include "server/inside.h"

#include <inttypes.h>
#include <stdio.h>

/* How long a client waits for a picture. */
#define PATIENCE_MS 2000

/* Without max_age_ms: no older than two frames of a slow camera, or this. */
#define MIN_MAX_AGE_NS (100 * NS_PER_MS)

/* Lives in its request's pool. */
struct snapshot {
	h2o_generator_t generator;
	h2o_linklist_t link; /* in feed->snapshots while it waits */
	bool waiting;
	h2o_timeout_entry_t timeout;
	struct feed *feed;
	struct channel *channel;
	h2o_req_t *req;
	uint64_t captured_since_boot_ns; /* what is fresh enough */
	struct part *part;               /* being sent */
};

/* The snapshot waits no longer. */
ON_SERVER static void end_wait(struct snapshot *snapshot)
{
	if (!snapshot->waiting)
		return;
	snapshot->waiting = false;
	h2o_linklist_unlink(&snapshot->link);
	h2o_timeout_unlink(&snapshot->timeout);
	channel_drop(snapshot->channel);
}

/*
 * Keep a part for the snapshot until that is disposed of. A client that takes nothing may not have
 * all the pictures that come kept; those of one picture share it.
 */
ON_SERVER static bool hold(struct snapshot *snapshot, struct part *part)
{
	struct server *server = snapshot->feed->server;

	if (!part->n_snapshots && server->n_snapshot_parts >= server->connections.limits.streams) {
		connections_note(snapshot->req, LIMIT_STREAMS);
		return false;
	}
	server->n_snapshot_parts += !part->n_snapshots;
	part->n_snapshots++;
	snapshot->part = part_ref(part);
	return true;
}

ON_SERVER static void let_go(struct snapshot *snapshot)
{
	if (!snapshot->part)
		return;
	snapshot->part->n_snapshots--;
	snapshot->feed->server->n_snapshot_parts -= !snapshot->part->n_snapshots;
	part_unref(snapshot->part);
}

ON_SERVER static void dispose_snapshot(void *memory)
{
	struct snapshot *snapshot = memory;

	end_wait(snapshot);
	let_go(snapshot);
}

/* An entity tag for a picture: its number, and its time, for numbers begin anew. */
ON_SERVER static const char *format_etag(h2o_req_t *req, const struct packet *packet)
{
	char *etag = h2o_mem_alloc_pool(&req->pool, 40);

	(void)snprintf(
		etag, 40, "\"%" PRIu32 "-%" PRIx64 "\"", packet->sequence, packet->captured_ns);
	return etag;
}

/* Wait no longer and take hold of a part; one too many is refused. */
ON_SERVER static bool begin_answer(struct snapshot *snapshot, struct part *part)
{
	end_wait(snapshot);
	if (!hold(snapshot, part)) {
		reply_header(snapshot->req, "Retry-After", "1");
		reply_sentence(
			snapshot->req, 503, "There are as many snapshots already as are allowed.");
		return false;
	}
	connections_watch_answer(snapshot->req);
	reply_live_headers(snapshot->req);
	return true;
}

/* Answer with a part as the body. */
ON_SERVER static void send_part(struct snapshot *snapshot, struct part *part)
{
	h2o_req_t *req = snapshot->req;
	h2o_iovec_t bufs[PACKET_PIECES_MOST];

	req->res.content_length = part->packet->length_bytes;
	reply_header(req, "Content-Type", "image/jpeg");
	h2o_start_response(req, &snapshot->generator);
	if (reply_is_head(req))
		h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
	else
		h2o_send(req, bufs, part_lay_out_picture(part, bufs), H2O_SEND_STATE_FINAL);
}

ON_SERVER static void send_picture(struct snapshot *snapshot, struct part *part)
{
	h2o_req_t *req = snapshot->req;
	const char *etag = format_etag(req, part->packet);

	if (!begin_answer(snapshot, part))
		return;
	snapshot->feed->snapshots_sent++;
	reply_header(req, "ETag", etag);
	reply_header(req, "X-Timestamp", part->timestamp);
	if (!reply_is_known(req, etag)) {
		req->res.status = 200;
		send_part(snapshot, part);
		return;
	}
	req->res.status = 304;
	req->res.reason = "Not Modified";
	h2o_start_response(req, &snapshot->generator);
	h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

ON_SERVER static void send_nothing(struct snapshot *snapshot, const char *reason)
{
	end_wait(snapshot);
	reply_no_picture(snapshot->req, snapshot->feed, reason);
}

/*
 * There is no picture: a status that programs understand. A browser's <img> shows the body of any
 * status, and others are better served with a sentence.
 */
ON_SERVER static void send_placeholder(struct snapshot *snapshot, struct part *part)
{
	h2o_req_t *req = snapshot->req;

	if (!reply_is_image(req)) {
		send_nothing(snapshot, feed_status(snapshot->feed)->reason);
		return;
	}
	if (!begin_answer(snapshot, part))
		return;
	reply_header(req, "Retry-After", "1");
	reply_header(req, "X-Fanlight-Placeholder", "yes");
	req->res.status = 503;
	req->res.reason = "Service Unavailable";
	send_part(snapshot, part);
}

ON_SERVER static void on_impatient(h2o_timeout_entry_t *entry)
{
	struct snapshot *snapshot = H2O_STRUCT_FROM_MEMBER(struct snapshot, timeout, entry);
	const struct camera_status *status = feed_status(snapshot->feed);

	send_nothing(snapshot, status->online ? "none came in time" : camera_status_words(status));
}

ON_SERVER static bool is_fresh_enough(const struct snapshot *snapshot)
{
	const struct part *picture = snapshot->channel->picture;

	return picture && picture->captured_boot_ns >= snapshot->captured_since_boot_ns;
}

/* Answer if there is something to answer with. */
ON_SERVER static bool try_to_answer(struct snapshot *snapshot)
{
	struct part *placeholder = channel_placeholder(snapshot->channel);

	if (is_fresh_enough(snapshot))
		send_picture(snapshot, snapshot->channel->picture);
	else if (placeholder)
		send_placeholder(snapshot, placeholder);
	else
		return false;
	return true;
}

ON_SERVER static uint64_t default_max_age_ns(struct feed *feed)
{
	uint64_t max_age_ns = 2 * feed_interval_ns(feed);

	return max_age_ns > MIN_MAX_AGE_NS ? max_age_ns : MIN_MAX_AGE_NS;
}

void snapshot_serve(struct feed *feed, h2o_req_t *req, const struct request *request)
{
	uint64_t max_age_ns = request->max_age_chosen ? request->max_age_ns
						      : default_max_age_ns(feed);
	struct channel *channel = channel_find(feed, req, &request->variant);
	uint64_t now_ns = clock_read_ns(CLOCK_BOOTTIME);
	struct snapshot *snapshot;

	if (!channel)
		return;
	snapshot = h2o_mem_alloc_shared(&req->pool, sizeof *snapshot, dispose_snapshot);
	*snapshot = (struct snapshot){
		.timeout = {.cb = on_impatient},
		.feed = feed,
		.channel = channel,
		.req = req,
		.captured_since_boot_ns = now_ns > max_age_ns ? now_ns - max_age_ns : 0,
	};
	if (try_to_answer(snapshot))
		return;
	snapshot->waiting = true;
	h2o_linklist_insert(&feed->snapshots, &snapshot->link);
	h2o_timeout_link(req->conn->ctx->loop, &feed->server->patience, &snapshot->timeout);
	channel_want(channel);
}

void snapshots_publish(struct feed *feed)
{
	h2o_linklist_t *link = feed->snapshots.next, *next;

	for (; link != &feed->snapshots; link = next) {
		struct snapshot *snapshot = H2O_STRUCT_FROM_MEMBER(struct snapshot, link, link);

		next = link->next;
		(void)try_to_answer(snapshot); /* else it waits on */
	}
}

void snapshots_stop(struct feed *feed)
{
	while (!h2o_linklist_is_empty(&feed->snapshots))
		send_nothing(H2O_STRUCT_FROM_MEMBER(struct snapshot, link, feed->snapshots.next),
			"Fanlight is stopping");
}

void snapshots_begin(struct server *server)
{
	h2o_timeout_init(server->context.loop, &server->patience, PATIENCE_MS);
}
