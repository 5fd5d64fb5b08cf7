#include <errno.h>
#include <string.h>

#include <linux/videodev2.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/trace.h"
#include "camera/dmabuf.h"
#include "encode/passthrough.h"
#include "pipeline/inside.h"

/* A frame in work. */
struct work {
	struct frame view;      /* filtered */
	struct results results; /* of its filters */
	uint64_t begin_ns;      /* of the picture that is made next */
	unsigned n_made;        /* pictures */
	/* What outlets were wanted for as it began; the server may change its mind at any time. */
	bool wanted[OUTLETS_MOST];
	struct variant variants[OUTLETS_MOST];
};

/* Count a frame and its times, by the first picture that was made of it. */
ON_ENCODE static void count_encoded(struct pipeline *p, const struct packet *packet)
{
	struct camera_stats *stats = &p->stats;

	stat_add(&stats->encoded, 1);
	histogram_record_span(
		&stats->dequeue_to_encode, packet->dequeued_ns, packet->encode_begin_ns);
	histogram_record_span(&stats->encode, packet->encode_begin_ns, packet->encode_end_ns);
}

ON_ENCODE static bool is_compressed(const struct frame *frame)
{
	return frame->fourcc == V4L2_PIX_FMT_MJPEG || frame->fourcc == V4L2_PIX_FMT_JPEG;
}

/* The camera's own JPEG, whatever its size: a JPEG says it itself. */
ON_ENCODE static int copy_jpeg(struct pipeline *p, const struct work *work, struct packet *packet)
{
	const struct frame *frame = &work->view;
	int err = passthrough_copy(frame->planes[0].data, frame->payload_bytes, packet);

	if (err < 0)
		return err;
	/* It may be copied once more to be decoded. */
	if (!work->n_made && (packet->width != frame->width || packet->height != frame->height))
		stat_add(&p->stats.odd_size, 1);
	p->last_width = packet->width;
	p->last_height = packet->height;
	return 0;
}

int encode_frame(struct pipeline *p, unsigned i, const struct frame *frame, struct packet *packet,
	bool piecemeal)
{
	const struct variant *variant = &packet->variant;
	struct frame scaled = *frame;

	scaled.order.width = frame_shown_width(frame);
	scaled.order.height = frame_shown_height(frame);
	variant_fit(variant, &scaled.order.width, &scaled.order.height);
	slicer_set_quality(
		p->slicers[i], variant->quality ? variant->quality : p->settings->jpeg.quality);
	return (piecemeal ? slicer_encode_piecemeal : slicer_encode)(
		p->slicers[i], &scaled, packet);
}

/* Encode what is shown of a frame as outlet i has it: the packet's variant. */
ON_ENCODE static int make_jpeg(struct pipeline *p, unsigned i, const struct work *work,
	struct packet *packet, bool piecemeal)
{
	const struct frame *view = &work->view;

	if (is_compressed(view))
		return copy_jpeg(p, work, packet);
	p->last_width = frame_shown_width(view);
	p->last_height = frame_shown_height(view);
	return encode_frame(p, i, view, packet, piecemeal);
}

void publish_packet(struct pipeline *p, unsigned i, struct packet *packet)
{
	outlet_publish(&p->outlets[i], packet);
	if (exchange_has_replaced(&p->outlets[i].packets))
		stat_add(&p->stats.dropped_server_busy, 1);
}

/*
 * Make outlet i's picture of a frame and publish it; when somebody takes it piece by piece it is
 * published first. Returns 0 or a negative errno.
 */
ON_ENCODE static int encode_and_publish(struct pipeline *p, unsigned i, struct work *work)
{
	const struct frame *view = &work->view;
	bool piecemeal = outlet_is_piecemeal(&p->outlets[i]) && !is_compressed(view);
	struct packet *packet;
	int err = packet_pool_get(&p->pools[i], &packet);

	if (err < 0)
		return err;
	packet->variant = work->variants[i];
	packet->filtering = p->filtering;
	packet->sequence = view->sequence;
	packet->results = work->results;
	packet->captured_ns = view->captured_ns;
	packet->dequeued_ns = view->dequeued_ns;
	packet->encode_begin_ns = work->begin_ns;
	if (piecemeal) {
		packet->exchange = &p->outlets[i].packets;
		publish_packet(p, i, packet);
	}
	err = make_jpeg(p, i, work, packet, piecemeal);
	packet->encode_end_ns = work->begin_ns = clock_now_ns();
	TRACE(encode_end, view->captured_ns);
	packet_end(packet, !err);
	if (!err && !work->n_made++) {
		count_encoded(p, packet);
		outage_remember(p, packet);
	}
	if (!err && !piecemeal)
		publish_packet(p, i, packet);
	packet_unref(packet);
	return err;
}

/*
 * Make the variants that are wanted. The picture as it is, if wanted, is never held up for more
 * than one of them: the others take turns when a newer frame waits.
 */
ON_ENCODE static int encode_variants(struct pipeline *p, struct work *work)
{
	unsigned n_variants = p->n_outlets - 1, begin = p->turn;
	int err = 0;

	for (unsigned n = 0; !err && n < n_variants; n++) {
		unsigned variant = (begin + n) % n_variants;

		if (!work->wanted[1 + variant])
			continue;
		err = encode_and_publish(p, 1 + variant, work);
		p->turn = variant + 1;
		if (outlet_wanted(&p->outlets[0]) && exchange_is_fresh(&p->frames))
			break;
	}
	return err;
}

/*
 * The part of its size, in either direction, that a picture may be decoded at: 1/1 for filters, for
 * variants one that the largest of them fits into.
 */
ON_ENCODE static unsigned find_denom(
	const struct pipeline *p, const struct work *work, uint32_t width, uint32_t height)
{
	unsigned denom = chain_is_empty(p->chain) ? 8 : 1;

	for (unsigned i = 1; i < p->n_outlets; i++) {
		uint32_t fit_width = width, fit_height = height;

		if (!work->wanted[i])
			continue;
		variant_fit(&work->variants[i], &fit_width, &fit_height);
		while (denom > 1 && (fit_width > (width + denom - 1) / denom ||
					    fit_height > (height + denom - 1) / denom))
			denom /= 2;
	}
	return denom;
}

/* Decode a camera's own JPEG, if it is one that would be passed on. */
ON_ENCODE static int decode(struct pipeline *p, struct work *work)
{
	struct packet *checked;
	int err = packet_pool_get(&p->pools[0], &checked);
	unsigned denom = 1;

	if (err < 0)
		return err;
	err = copy_jpeg(p, work, checked);
	if (!err) {
		denom = find_denom(p, work, checked->width, checked->height);
		err = jpeg_decode(p->decoder, checked->pieces[0].data,
			checked->pieces[0].length_bytes, denom, &work->view);
	}
	if (denom > 1) {
		/* Variants are parts of this. */
		work->view.order.width = checked->width;
		work->view.order.height = checked->height;
	}
	packet_unref(checked);
	return err;
}

/* Know which variants are wanted; whether any is. */
ON_ENCODE static bool note_variants(const struct pipeline *p, struct work *work)
{
	bool any = false;

	for (unsigned i = 1; i < p->n_outlets; i++) {
		work->wanted[i] = outlet_wanted(&p->outlets[i]);
		work->variants[i] = outlet_variant(&p->outlets[i]);
		any |= work->wanted[i];
	}
	return any;
}

/* Filter a frame, and encode it as it is wanted. Returns 0 or a negative errno. */
ON_ENCODE static int filter_and_encode(struct pipeline *p, struct work *work)
{
	bool filters = !chain_is_empty(p->chain);
	int err = 0;

	if (filters && is_compressed(&work->view))
		err = decode(p, work);
	if (!err && filters)
		err = chain_run(p->chain, &work->view, &work->results, &p->stats.copied_bytes);
	if (!err && outlet_wanted(&p->outlets[0]))
		err = encode_and_publish(p, 0, work);
	if (err < 0 || !note_variants(p, work))
		return err;
	if (is_compressed(&work->view))
		err = decode(p, work);
	return err < 0 ? err : encode_variants(p, work);
}

ON_ENCODE static const char *reason_of(int err)
{
	switch (err) {
	case -EBADMSG:
		return "the camera's JPEG is broken";
	case -EOPNOTSUPP:
		return "filters and variants cannot take the kind of JPEG that the camera sends; set "
		       "format to a raw one, such as YUYV";
	case -ETIMEDOUT:
		return "a device does not finish with its buffer";
	default:
		return strerror(-err);
	}
}

/* Have viewers get a frame; one that they cannot is dropped, counted and, now and then, logged. */
ON_ENCODE static void serve_frame(struct pipeline *p, const struct frame *frame)
{
	struct work work = {.view = *frame, .begin_ns = clock_now_ns()};
	bool draws = chain_draws(p->chain, frame) && !is_compressed(frame);
	const char *filter;
	unsigned suppressed;
	int err;

	TRACE(encode_begin, frame->captured_ns);
	err = dmabuf_begin(frame, draws, &p->stats.dmabuf_syncs);
	if (!err) {
		err = filter_and_encode(p, &work);
		dmabuf_end(frame, draws, &p->stats.dmabuf_syncs);
	}
	filter = chain_take_news(p->chain);
	if (filter)
		log_warning(
			p->room, "filter %s takes too long and is left out from now on", filter);
	if (!err)
		return;
	if (!work.n_made)
		stat_add(err == -EBADMSG ? &p->stats.dropped_corrupt : &p->stats.dropped_encode, 1);
	if (log_allowed(&p->bad_frames, 10 * NS_PER_S, &suppressed))
		log_warning(p->room, "frame %u dropped: %s (and %u more before it)",
			frame->sequence, reason_of(err), suppressed);
}

/* Filter as the newest settings say; pictures of those before are forgotten. */
ON_ENCODE static void take_chain(struct pipeline *p)
{
	void *slot;

	if (!exchange_take(&p->chains, &slot))
		return;
	p->chain = *(struct chain **)slot;
	outage_forget(p);
}

void *encode_loop(void *context)
{
	struct pipeline *p = context;

	role_take(&role_encode, p->config->name);
	for (;;) {
		const int fds[] = {p->encode_stop_fd, p->frames.fresh_fd, p->demand.event_fd,
			p->troubles.fresh_fd, p->chains.fresh_fd};
		int event = fd_wait_any(fds, 5, outage_due_ns(p));
		void *slot;

		if (event == 0)
			return NULL;
		if (event > 0)
			fd_drain(fds[event]);
		pulse_beat(&p->encode_pulse);
		if (event != 1) {
			take_chain(p);
			outage_show(p);
		}

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
		take_chain(p);
		if (((struct frame *)slot)->fourcc && demand_exists(&p->demand))
			serve_frame(p, slot);
	}
}
