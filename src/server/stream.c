/*
 * A send begins when a part is published and the stream is idle, or when the last send has been
 * accepted by the kernel and a newer part has come meanwhile. So a client that takes its time gets
 * the newest picture each time and nothing in between, and nothing is ever queued for it here. Nor
 * is much queued in its kernel: while the gate says so, an idle stream passes parts over. Nor, where
 * the viewer reports what it has drawn, anywhere else: its flight says so.
 *
 * Where a link is slow a picture is sent while it is encoded, unless it needs a length in advance:
 * each send takes what is ready of it, and in between the stream is idle, with its part.
 *
 * libh2o reads what it was given until it calls proceed or disposes of the request, so a stream
 * holds its part that long. The request's pool disposes of the stream, whatever ended it.
 */
#include "server/stream.h"

#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/trace.h"

/*
 * The kernel has no event for a window that opens. This is short against a frame's interval, so
 * that a reader who nearly keeps up gets all that it can take; gates are shut for slow ones only.
 */
#define GATE_RECHECK_MS 10

/*
 * A picture that takes this long to transfer begins before it is whole. It costs a write for each
 * piece instead of one; on a fast link there is nothing to win by that.
 */
#define PIECEMEAL_NS (2 * NS_PER_MS)

/* ustreamer's headers of a part; its times are seconds of CLOCK_MONOTONIC. */
ON_SERVER static h2o_iovec_t format_extra_header(struct stream *stream, const struct part *part)
{
	const struct packet *packet = part->packet;
	double now = (double)clock_now_ns() / 1e9, grab = (double)packet->captured_ns / 1e9;
	double published = (double)packet->encode_end_ns / 1e9;
	int length = snprintf(stream->header, sizeof stream->header,
		"%.*s"
		"X-UStreamer-Online: %s\r\n"
		"X-UStreamer-Dropped: 0\r\n"
		"X-UStreamer-Width: %" PRIu32 "\r\n"
		"X-UStreamer-Height: %" PRIu32 "\r\n"
		"X-UStreamer-Client-FPS: %.0f\r\n"
		"X-UStreamer-Grab-Time: %.6f\r\n"
		"X-UStreamer-Encode-Begin-Time: %.6f\r\n"
		"X-UStreamer-Encode-End-Time: %.6f\r\n"
		"X-UStreamer-Expose-Begin-Time: %.6f\r\n"
		"X-UStreamer-Expose-Cmp-Time: %.6f\r\n"
		"X-UStreamer-Expose-End-Time: %.6f\r\n"
		"X-UStreamer-Send-Time: %.6f\r\n"
		"X-UStreamer-Latency: %.6f\r\n\r\n",
		(int)part->header_bytes - 2, part->header,
		feed_status(stream->feed)->online ? "true" : "false", packet->width, packet->height,
		stream->rate.per_second, grab, (double)packet->encode_begin_ns / 1e9, published,
		published, published, published, now, now - grab);

	return (h2o_iovec_t){stream->header, (size_t)length};
}

ON_SERVER static int fd_of(const struct stream *stream)
{
	h2o_conn_t *conn = stream->req->conn;

	return h2o_socket_get_fd(conn->callbacks->get_socket(conn));
}

/* Ask a shut gate again soon, when there may be a newer part too. */
ON_SERVER static void look_again(struct stream *stream)
{
	struct server *server = stream->feed->server;

	if (!h2o_timeout_is_linked(&stream->recheck))
		h2o_timeout_link(server->context.loop, &server->gate_recheck, &stream->recheck);
}

/* Whether parts are worth to be sent while they grow, as the link is. */
ON_SERVER static bool is_link_slow(const struct stream *stream, const struct gate_view *view)
{
	const struct part *newest = stream->channel->newest;

	return newest && view->bytes_per_s &&
	       newest->packet->length_bytes * NS_PER_S / view->bytes_per_s > PIECEMEAL_NS;
}

ON_SERVER static void set_piecemeal(struct stream *stream, bool piecemeal)
{
	if (piecemeal != stream->piecemeal)
		outlet_set_piecemeal(stream->channel->outlet, piecemeal);
	stream->piecemeal = piecemeal;
}

/* Ask the kernel whether a part may start at now_ns. */
ON_SERVER static bool has_room(struct stream *stream, uint64_t now_ns)
{
	struct gate_view view = gate_look(fd_of(stream));

	set_piecemeal(stream, stream->layout != PART_CLASSIC && is_link_slow(stream, &view));
	return gate_is_open(&stream->gate, view, now_ns);
}

/* Whether a part whose turn it is may start now; if not, somebody will ask again. */
ON_SERVER static bool may_start(struct stream *stream, const struct packet *packet)
{
	uint64_t now_ns = clock_now_ns();

	/* A report asks again, and so does a newer part. */
	if (stream->live && !packet->placeholder &&
		!flight_has_room(&stream->live->flight, packet->captured_ns, now_ns))
		return false;
	/* It reckons from the last that it let through, so only what will be sent asks. */
	if (!has_room(stream, now_ns)) {
		look_again(stream);
		return false;
	}
	return true;
}

/* The part to send now, or NULL. Placeholders are few and have no place in a pace. */
ON_SERVER static struct part *choose_part(struct stream *stream)
{
	struct channel *channel = stream->channel;
	struct part *newest = channel->newest;
	const struct packet *packet;
	uint64_t passed;

	if (stream->piecemeal && channel->growing && part_has_begun(channel->growing))
		newest = channel->growing;
	/* One that it began was perhaps given up since, and an older one is the newest again. */
	if (!newest || newest->serial <= stream->seen)
		return NULL;
	packet = newest->packet;
	if ((packet->placeholder || pace_is_due(&stream->pace, packet->captured_ns)) &&
		!may_start(stream, packet))
		return NULL;
	passed = newest->serial - stream->seen - 1;
	stream->seen = newest->serial;
	if (packet->placeholder)
		return newest;
	stream->traffic->skipped += pace_skipped(&stream->pace, packet->captured_ns, passed);
	return pace_allows(&stream->pace, packet->captured_ns) ? newest : NULL;
}

ON_SERVER static void end_stream(struct stream *stream)
{
	h2o_iovec_t closing = part_closing();

	stream->sending = true;
	h2o_send(stream->req, &closing, !stream->live, H2O_SEND_STATE_FINAL);
}

/* The first send of a part begins. */
ON_SERVER static void note_send(struct feed *feed, struct part *part)
{
	if (part->begun || part->packet->placeholder)
		return;
	part->begun = true;
	histogram_record_span(&feed->publish_to_send, part->published_ns, clock_now_ns());
}

/* The kernel has taken all of a stream's part. */
ON_SERVER static void note_sent(struct stream *stream)
{
	const struct part *part = stream->part;
	uint64_t captured_ns = part->packet->captured_ns, now_ns = clock_now_ns();

	TRACE(send_end, captured_ns, stream->id);
	if (part->packet->placeholder)
		return;
	stream->frames++;
	stream->age_ns = now_ns - captured_ns;
	stream->traffic->frames++;
	histogram_record_span(&stream->traffic->publish_to_sent, part->published_ns, now_ns);
	histogram_record_span(&stream->traffic->capture_to_sent, captured_ns, now_ns);
}

/* What has to be sent before any part, if anything. */
ON_SERVER static h2o_iovec_t lay_out_opening(struct stream *stream)
{
	bool begun = stream->begun;

	stream->begun = true;
	if (stream->live)
		return live_notice(stream->live, stream->feed);
	return begun ? (h2o_iovec_t){NULL, 0} : part_opening(stream->layout);
}

ON_SERVER static size_t count_bytes(const h2o_iovec_t *bufs, size_t n)
{
	size_t bytes = 0;

	while (n--)
		bytes += bufs[n].len;
	return bytes;
}

/* Lay out what is ready of the part, with a header of the stream's own if it needs one. */
ON_SERVER static size_t lay_out_part(struct stream *stream, h2o_iovec_t bufs[PART_IOVECS])
{
	const struct part *part = stream->part;
	size_t n = part_lay_out(part, stream->layout, &stream->part_done, bufs);

	if (stream->live && n) {
		live_send_picture(stream->live, part, stream->part_done, count_bytes(bufs, n),
			stream->header);
		bufs[0] = (h2o_iovec_t){stream->header, LIVE_HEADER_BYTES};
	} else if (stream->extra_headers && stream->layout == PART_CLASSIC) {
		bufs[0] = format_extra_header(stream, part);
	}
	return n;
}

/* Choose a part and begin with it. */
ON_SERVER static void begin_part(struct stream *stream)
{
	struct part *part = choose_part(stream);

	if (!part)
		return;
	stream->part = part_ref(part);
	stream->part_done = 0;
	note_send(stream->feed, part);
	TRACE(send_begin, part->packet->captured_ns, stream->id);
}

/* Send what there is to send; the stream is idle. */
ON_SERVER static void send_next(struct stream *stream)
{
	h2o_iovec_t bufs[1 + PART_IOVECS];
	size_t n = 0, bytes;

	if (!stream->part) {
		begin_part(stream);
		bufs[n] = lay_out_opening(stream);
		n += bufs[n].len > 0;
	}
	if (stream->part)
		n += lay_out_part(stream, bufs + n);
	if (!n)
		return;
	bytes = count_bytes(bufs, n);
	stream->bytes += bytes;
	stream->traffic->bytes += bytes;
	stream->sending = true;
	h2o_send(stream->req, bufs, n, H2O_SEND_STATE_IN_PROGRESS);
}

/* Whether pictures are missing of which nothing is to be shown in this layout. */
ON_SERVER static bool lacks_picture(struct feed *feed, enum part_layout layout)
{
	return layout != PART_LIVE && !feed->camera.has_placeholder &&
	       camera_status_is_bad(feed_status(feed));
}

/* Send what there is, or end; the stream is idle. */
ON_SERVER static void go_on(struct stream *stream)
{
	if (stream->feed->server->stopping || lacks_picture(stream->feed, stream->layout))
		end_stream(stream);
	else
		send_next(stream);
}

/* The kernel has taken the last send. */
ON_SERVER static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
	struct stream *stream = (struct stream *)generator;

	(void)req;
	if (stream->part && stream->part_done >= PART_DONE) {
		if (stream->part_done == PART_DONE)
			note_sent(stream);
		part_unref(stream->part);
		stream->part = NULL;
	}
	if (stream->live)
		live_forget_notice(stream->live);
	stream->sending = false;
	go_on(stream);
}

ON_SERVER static void on_recheck(h2o_timeout_entry_t *entry)
{
	struct stream *stream = H2O_STRUCT_FROM_MEMBER(struct stream, recheck, entry);

	if (!stream->sending)
		go_on(stream);
}

ON_SERVER static void dispose_stream(void *memory)
{
	struct stream *stream = memory;

	h2o_timeout_unlink(&stream->recheck);
	h2o_linklist_unlink(&stream->link);
	part_unref(stream->part);
	live_finish(stream->live);
	set_piecemeal(stream, false);
	channel_drop(stream->channel);
}

/* What suits whoever asks: browsers' <img> wants the early layout, all others a length. */
ON_SERVER static enum part_layout choose_layout(const h2o_req_t *req, const struct request *request)
{
	if (request->route == ROUTE_LIVE)
		return PART_LIVE;
	if (request->layout_chosen)
		return request->layout;
	return reply_is_image(req) ? PART_EARLY : PART_CLASSIC;
}

ON_SERVER static enum protocol protocol_of(const h2o_req_t *req)
{
	if (req->version >= 0x200)
		return PROTOCOL_HTTP_2;
	return req->version == 0x100 ? PROTOCOL_HTTP_1_0 : PROTOCOL_HTTP_1_1;
}

const char *stream_protocol_name(enum protocol protocol)
{
	static const char *const names[PROTOCOLS] = {"http/1.0", "http/1.1", "h2"};

	return names[protocol];
}

/* ADDRESS:PORT of the client, for /state. */
ON_SERVER static void format_address(struct stream *stream)
{
	struct sockaddr_storage address;
	struct sockaddr *peer = (struct sockaddr *)&address;
	h2o_conn_t *conn = stream->req->conn;
	char host[NI_MAXHOST];
	size_t length;
	socklen_t peer_bytes = conn->callbacks->get_peername(conn, peer);

	length = peer_bytes ? h2o_socket_getnumerichost(peer, peer_bytes, host) : SIZE_MAX;
	if (length < sizeof host)
		(void)snprintf(stream->address, sizeof stream->address,
			peer->sa_family == AF_INET6 ? "[%.*s]:%d" : "%.*s:%d", (int)length, host,
			(int)h2o_socket_getport(peer));
}

ON_SERVER static struct stream *create_stream(
	struct channel *channel, h2o_req_t *req, const struct request *request)
{
	struct feed *feed = channel->feed;
	struct stream *stream = h2o_mem_alloc_shared(&req->pool, sizeof *stream, dispose_stream);
	enum protocol protocol = protocol_of(req);

	*stream = (struct stream){
		.generator = {.proceed = on_proceed},
		.feed = feed,
		.channel = channel,
		.req = req,
		.id = ++feed->server->last_stream_id,
		.protocol = protocol,
		.traffic = &feed->traffic[protocol],
		.layout = choose_layout(req, request),
		.live = request->route == ROUTE_LIVE ? live_create(req) : NULL,
		.extra_headers = request->extra_headers,
		/* The newest may be sent; what was before is not missed. */
		.seen = channel->newest ? channel->newest->serial - 1
					: channel->serial - (channel->growing != NULL),
		.rate = {.at_ns = clock_now_ns()},
		.recheck = {.cb = on_recheck},
	};
	format_address(stream);
	pace_init(&stream->pace, request->fps);
	h2o_linklist_insert(&feed->streams, &stream->link);
	channel_want(channel);
	return stream;
}

void streams_begin(struct server *server)
{
	h2o_timeout_init(server->context.loop, &server->gate_recheck, GATE_RECHECK_MS);
}

/* An old picture is not: a new one is on its way, or there is no camera for it. */
ON_SERVER static bool is_worth_showing(struct channel *channel)
{
	const struct packet *packet = channel->newest->packet;

	return packet->placeholder ? channel_placeholder(channel) != NULL
				   : packet->captured_ns + 2 * feed_interval_ns(channel->feed) >=
					     clock_now_ns();
}

void stream_serve(struct feed *feed, h2o_req_t *req, const struct request *request)
{
	static h2o_generator_t headers_only;
	struct channel *channel;
	struct stream *stream;

	if (lacks_picture(feed, choose_layout(req, request))) {
		reply_no_picture(req, feed, feed_status(feed)->reason);
		return;
	}
	channel = channel_find(feed, req, &request->variant);
	if (!channel)
		return;
	req->http1_is_persistent = 0; /* an HTTP/1.0 client sees the end by the close alone */
	reply_live_headers(req);
	if (!reply_is_head(req) && !connections_take_stream(req)) {
		reply_header(req, "Retry-After", "10");
		reply_sentence(req, 503, "There are as many streams already as are allowed.");
		return;
	}
	req->res.status = 200;
	reply_header(req, "Content-Type",
		request->route == ROUTE_LIVE ? LIVE_CONTENT_TYPE
					     : "multipart/x-mixed-replace;boundary=" PART_BOUNDARY);
	if (reply_is_head(req)) {
		h2o_start_response(req, &headers_only);
		h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
		return;
	}

	stream = create_stream(channel, req, request);
	if (channel->newest && !is_worth_showing(channel))
		stream->seen = channel->newest->serial;
	h2o_start_response(req, &stream->generator);
	send_next(stream);
}

void stream_take_report(struct feed *feed, h2o_req_t *req, const struct request *request)
{
	for (h2o_linklist_t *link = feed->streams.next; link != &feed->streams; link = link->next) {
		struct stream *stream = stream_of_link(link);
		struct live *live = stream->live;
		h2o_iovec_t id = request->live_id;

		if (!live || !h2o_memis(id.base, id.len, live->id, strlen(live->id)))
			continue;
		if (live_take_report(live, req, feed->server->target_age_ns)) {
			histogram_record(&stream->traffic->capture_to_drawn, live->drawn_age_ns);
			if (!stream->sending)
				send_next(stream);
		}
		return;
	}
	reply_sentence(req, 404, "This live stream has ended.");
}

void streams_publish(struct feed *feed)
{
	h2o_linklist_t *link = feed->streams.next, *next;

	for (; link != &feed->streams; link = next) {
		next = link->next;
		if (!stream_of_link(link)->sending)
			go_on(stream_of_link(link));
	}
}

/* libh2o does not read from an HTTP/1 client that it answers; this looks without reading. */
ON_SERVER static bool has_hung_up(const struct stream *stream)
{
	struct pollfd fd = {fd_of(stream), POLLRDHUP, 0};

	return poll(&fd, 1, 0) > 0;
}

void streams_tick(struct feed *feed, uint64_t now_ns)
{
	h2o_linklist_t *link = feed->streams.next, *next;

	for (; link != &feed->streams; link = next) {
		struct stream *stream = stream_of_link(link);
		bool quiet = stream->rate.count == stream->frames;

		next = link->next;
		meter_update(&stream->rate, stream->frames, now_ns);
		/* While pictures go out, the send that fails tells that nobody is there. */
		if (quiet && !stream->sending && has_hung_up(stream))
			end_stream(stream);
		if (stream->sending)
			connections_watch(&stream->stall, stream->req, now_ns);
		else
			stream->stall = (struct stall){0};
	}
}

void streams_stop(struct feed *feed)
{
	h2o_linklist_t *link = feed->streams.next, *next;

	for (; link != &feed->streams; link = next) {
		next = link->next;
		if (!stream_of_link(link)->sending)
			end_stream(stream_of_link(link));
	}
}
