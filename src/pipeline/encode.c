#include <errno.h>
#include <string.h>

#include <linux/videodev2.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/trace.h"
#include "camera/dmabuf.h"
#include "encode/passthrough.h"
#include "pipeline/inside.h"

/* Count a frame that was encoded, and its times, or why it could not be. */
ON_ENCODE static void count_encoded(struct pipeline *p, const struct packet *packet, int err)
{
	struct camera_stats *stats = &p->stats;

	if (err == -EBADMSG) {
		stat_add(&stats->dropped_corrupt, 1);
	} else if (err < 0) {
		stat_add(&stats->dropped_encode, 1);
	} else {
		stat_add(&stats->encoded, 1);
		histogram_record_span(
			&stats->dequeue_to_encode, packet->dequeued_ns, packet->encode_begin_ns);
		histogram_record_span(
			&stats->encode, packet->encode_begin_ns, packet->encode_end_ns);
	}
}

/* The camera's own JPEG, whatever its size: a JPEG says it itself. */
ON_ENCODE static int copy_jpeg(struct pipeline *p, const struct frame *frame, struct packet *packet)
{
	int err = passthrough_copy(frame->planes[0].data, frame->payload_bytes, packet);

	if (!err && (packet->width != frame->width || packet->height != frame->height))
		stat_add(&p->stats.odd_size, 1);
	return err;
}

ON_ENCODE static bool is_compressed(const struct frame *frame)
{
	return frame->fourcc == V4L2_PIX_FMT_MJPEG || frame->fourcc == V4L2_PIX_FMT_JPEG;
}

ON_ENCODE static int make_jpeg(
	struct pipeline *p, const struct frame *view, struct packet *packet, bool piecemeal)
{
	if (is_compressed(view))
		return copy_jpeg(p, view, packet);
	if (piecemeal)
		return slicer_encode_piecemeal(p->slicer, view, packet);
	return slicer_encode(p->slicer, view, packet);
}

/*
 * Run the filters; they see the camera's own JPEG decoded, if it is one that would be passed on.
 * The packet is where it is checked.
 */
ON_ENCODE static int filter_frame(struct pipeline *p, struct frame *view, struct packet *packet)
{
	const struct packet_piece *checked = &packet->pieces[0];
	int err = 0;

	if (chain_is_empty(p->chain))
		return 0;
	if (is_compressed(view))
		err = copy_jpeg(p, view, packet);
	if (!err && is_compressed(view))
		err = jpeg_decode(p->decoder, checked->data, checked->length_bytes, 1, view);
	return err < 0 ? err : chain_run(p->chain, view, &packet->results, &p->stats.copied_bytes);
}

/* Make the packet of one frame, filtered. Returns 0 or a negative errno, counted. */
ON_ENCODE static int encode_frame(
	struct pipeline *p, const struct frame *frame, struct packet *packet, bool piecemeal)
{
	bool draws = chain_draws(p->chain, frame) && !is_compressed(frame);
	int err = dmabuf_begin(frame, draws, &p->stats.dmabuf_syncs);
	struct frame view = *frame;

	if (err < 0)
		goto count;
	err = filter_frame(p, &view, packet);
	if (!err)
		err = make_jpeg(p, &view, packet, piecemeal);
	dmabuf_end(frame, draws, &p->stats.dmabuf_syncs);
	packet->encode_end_ns = clock_now_ns();
	TRACE(encode_end, frame->captured_ns);

count:
	count_encoded(p, packet, err);
	return err;
}

void publish_packet(struct pipeline *p, struct packet *packet)
{
	struct packet **slot = exchange_slot(&p->packets);

	*slot = packet_ref(packet);
	slot = exchange_publish(&p->packets);
	if (exchange_has_replaced(&p->packets))
		stat_add(&p->stats.dropped_server_busy, 1);
	packet_unref(*slot);
	*slot = NULL;
}

ON_ENCODE static const char *reason_of(int err)
{
	switch (err) {
	case -EBADMSG:
		return "the camera's JPEG is broken";
	case -EOPNOTSUPP:
		return "filters cannot take the kind of JPEG that the camera sends; set format to "
		       "a raw one, such as YUYV";
	case -ETIMEDOUT:
		return "a device does not finish with its buffer";
	default:
		return strerror(-err);
	}
}

/*
 * Encode and publish; a frame that cannot be is dropped, counted and, now and then, logged. When
 * somebody takes it piece by piece it is published first.
 */
ON_ENCODE static void encode_and_publish(struct pipeline *p, const struct frame *frame)
{
	bool piecemeal = demand_is_piecemeal(&p->demand) && !is_compressed(frame);
	struct packet *packet;
	const char *filter;
	unsigned suppressed;
	int err = packet_pool_get(&p->pool, &packet);

	if (err < 0) {
		stat_add(&p->stats.dropped_encode, 1);
		return;
	}
	packet->sequence = frame->sequence;
	packet->captured_ns = frame->captured_ns;
	packet->dequeued_ns = frame->dequeued_ns;
	packet->encode_begin_ns = clock_now_ns();
	TRACE(encode_begin, frame->captured_ns);
	if (piecemeal) {
		packet->exchange = &p->packets;
		publish_packet(p, packet);
	}
	err = encode_frame(p, frame, packet, piecemeal);
	packet_end(packet, !err);
	if (!err) {
		p->last_width = packet->width;
		p->last_height = packet->height;
	}
	if (!err && !piecemeal)
		publish_packet(p, packet);
	packet_unref(packet);
	filter = chain_take_news(p->chain);
	if (filter)
		log_warning(
			p->room, "filter %s takes too long and is left out from now on", filter);
	if (err < 0 && log_allowed(&p->bad_frames, 10 * NS_PER_S, &suppressed))
		log_warning(p->room, "frame %u dropped: %s (and %u more before it)",
			frame->sequence, reason_of(err), suppressed);
}

void *encode_loop(void *context)
{
	struct pipeline *p = context;

	role_take(&role_encode, p->config->name);
	for (;;) {
		const int fds[] = {p->encode_stop_fd, p->frames.fresh_fd, p->demand.event_fd,
			p->troubles.fresh_fd};
		int event = fd_wait_any(fds, 4, outage_due_ns(p));
		void *slot, *chain;

		if (event == 0)
			return NULL;
		pulse_beat(&p->encode_pulse);
		if (event > 0)
			fd_drain(fds[event]);
		if (event != 1)
			outage_show(p);

		/*
		 * While nobody wants pictures the newest frame stays in the exchange, untaken, and
		 * no further one wakes us; whoever comes gets it at once. A recall is answered
		 * whether or not.
		 */
		if (!demand_exists(&p->demand) && !exchange_is_recalled(&p->frames))
			continue;
		if (!exchange_take(&p->frames, &slot))
			continue;
		/* After the frame: what was captured after a change is filtered as that says. */
		if (exchange_take(&p->chains, &chain))
			p->chain = *(struct chain **)chain;
		if (((struct frame *)slot)->fourcc && demand_exists(&p->demand))
			encode_and_publish(p, slot);
	}
}
