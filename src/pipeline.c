/*
 * Every thread's loop, on one page.
 *
 *   capture (one a camera): open; wait for a frame, publish it, give back the one that returns;
 *                           when the camera fails or the program stops, recall what is on loan and
 *                           close; wait, and open again. What is next, and when, says life.h.
 *   encode  (one a camera): sleep while nobody wants pictures; else take the newest frame, encode
 *                           it, with the help of the workers, and publish the packet.
 *   workers (a few)       : encode slices of any camera's frame (encode/workers.c).
 *   server  (one):          turn libh2o's loop.
 *   login   (one):          compare a password with its hash for the server, which takes a while.
 *
 * Two exchanges join them, frames and packets; a third carries the camera's status to the server.
 * Downstream starts first, upstream stops first.
 */
#include "pipeline.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <linux/videodev2.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "camera/dmabuf.h"
#include "camera/formats.h"
#include "encode/passthrough.h"
#include "encode/slicer.h"
#include "exchange/packet.h"
#include "life.h"

struct pipeline {
	/* all threads, constant while they run */
	const struct camera_config *config;
	char room[48]; /* for the log */
	int capture_stop_fd, encode_stop_fd;

	/* between threads */
	struct exchange frames;  /* capture to encode, of struct frame */
	struct exchange packets; /* encode to server, of struct packet * */
	struct exchange status;  /* capture to server, of struct camera_status */
	struct demand demand;    /* server to encode */
	struct camera_stats stats;
	struct frame frame_slots[EXCHANGE_SLOTS];
	struct packet *packet_slots[EXCHANGE_SLOTS];
	struct camera_status status_slots[EXCHANGE_SLOTS];

	/* capture */
	struct camera *camera;
	struct life life;
	struct life search;       /* for a camera, while the pattern stands in for one */
	int arrivals_fd;          /* -1 where the kernel does not tell of devices */
	struct camera_status now; /* what was published last */

	/* encode */
	struct slicer *slicer;
	struct packet_pool pool;
	struct log_limit bad_frames;

	/* main */
	pthread_t capture_thread, encode_thread;
	bool capturing, encoding;
};

/* ---- capture ---- */

/* Say how the camera is, with the reason for it; "" when online. */
ON_CAPTURE static void publish_status(struct pipeline *p, const char *reason)
{
	struct camera_status *slot = exchange_slot(&p->status);
	bool online = p->life.state == CAMERA_STREAMING;

	if (p->now.online != online || !p->now.since_ns)
		p->now.since_ns = clock_now_ns();
	p->now.state = p->life.state;
	p->now.online = online;
	if (reason != p->now.reason)
		(void)snprintf(p->now.reason, sizeof p->now.reason, "%s", reason);
	*slot = p->now;
	(void)exchange_publish(&p->status);
}

/* Say why it is offline, once in the log: the same reason again is no news. */
ON_CAPTURE static void report_fault(struct pipeline *p, const char *reason)
{
	if (p->now.online || strcmp(reason, p->now.reason))
		log_warning(p->room, "%s; trying again until it works", reason);
	publish_status(p, reason);
}

/* Give back what a slot carries, if anything. */
ON_CAPTURE static int return_loan(struct pipeline *p, struct frame *frame)
{
	int err = 0;

	if (frame->fourcc) {
		err = camera_return(p->camera, frame);
		stat_add(&p->stats.on_loan, -1ull);
	}
	frame->fourcc = 0;
	return err;
}

ON_CAPTURE static void log_online(const struct pipeline *p)
{
	const struct camera_info *info = &p->now.info;
	char name[5], device_name[5];

	log_info(p->room, "%s%s%s: %ux%u %s at %.4g fps, %u buffers%s", info->card,
		*info->path ? ", " : "", info->path, info->width, info->height,
		format_name(info->fourcc, name),
		(double)info->fps_numerator / (info->fps_denominator ? info->fps_denominator : 1),
		info->buffers, info->dmabuf ? " as dma-bufs" : "");
	if (info->converted)
		log_warning(p->room, "libv4l2 converts %s to %s, which costs a copy of every frame",
			format_name(info->device_fourcc, device_name), name);
}

/* The sentence for an open camera that failed while it tried to do ("cannot ...: ") something. */
ON_CAPTURE static void explain_fault(
	const struct pipeline *p, int err, const char *doing, char reason[CAMERA_REASON_BYTES])
{
	const struct camera_info *info = &p->now.info;
	const char *name = *info->path ? info->path : info->card, *what;

	switch (err) {
	case -ETIMEDOUT:
		what = "delivers no frames";
		break;
	case -ENODEV:
		what = "is gone";
		break;
	case -ENOLINK:
	case -ENOLCK:
	case -ERANGE:
		what = "has lost its signal";
		break;
	case -ESTALE:
		what = info->stands_in ? "gives way to a camera" : "delivers other pictures now";
		break;
	case -EPIPE:
		what = "has ended the stream";
		break;
	default:
		(void)snprintf(
			reason, CAMERA_REASON_BYTES, "%.96s: %s%s", name, doing, strerror(-err));
		return;
	}
	(void)snprintf(reason, CAMERA_REASON_BYTES, "%.96s %s", name, what);
}

/* Publish the newest frame. Returns 0, -EAGAIN (none), or how the camera has failed. */
ON_CAPTURE static int capture_frame(struct pipeline *p)
{
	struct frame *slot = exchange_slot(&p->frames);
	int err = camera_borrow(p->camera, slot);

	if (err < 0)
		return err;
	stat_add(&p->stats.on_loan, 1);
	stat_add(&p->stats.captured, 1);
	stat_set(&p->stats.last_captured_ns, slot->captured_ns);
	histogram_record_span(&p->stats.capture_to_dequeue, slot->captured_ns, slot->dequeued_ns);
	life_hear(&p->life, slot->dequeued_ns);

	/* Opening proves little: a grabber without a signal opens, too. */
	if (!p->now.online) {
		publish_status(p, "");
		log_online(p);
	}
	slot = exchange_publish(&p->frames);
	/* What nobody wants is not taken, and not lost. */
	if (exchange_has_replaced(&p->frames) && demand_exists(&p->demand))
		stat_add(&p->stats.dropped_encoder_busy, 1);
	return return_loan(p, slot);
}

/* No frame came. Returns 0 or, when the camera is to be closed, a negative errno. */
ON_CAPTURE static int bear_silence(struct pipeline *p)
{
	char reason[CAMERA_REASON_BYTES];

	switch (life_look(&p->life, clock_now_ns())) {
	case LIFE_LISTEN:
		break;
	case LIFE_REPORT:
		explain_fault(p, -ETIMEDOUT, "", reason);
		report_fault(p, reason);
		break;
	case LIFE_RESTART:
		stat_add(&p->stats.restarted, 1);
		camera_stop(p->camera);
		return camera_start(p->camera);
	case LIFE_GIVE_UP:
		return -ETIMEDOUT;
	}
	return 0;
}

/* Whether a camera is there now for which the pattern has stood in. */
ON_CAPTURE static bool finds_camera(struct pipeline *p)
{
	uint64_t now_ns = clock_now_ns();

	if (camera_has_arrived(p->arrivals_fd))
		life_hurry(&p->search, now_ns);
	if (now_ns < p->search.due_ns)
		return false;
	life_fail(&p->search, -ENOENT, now_ns);
	return camera_is_found();
}

/* Deliver frames until the program stops (0) or the camera fails (a negative errno). */
ON_CAPTURE static int capture_frames(struct pipeline *p)
{
	bool stands_in = p->now.info.stands_in && p->arrivals_fd >= 0;
	p->search = (struct life){.told = true, .due_ns = UINT64_MAX};
	for (;;) {
		/* A restart may change the camera's. */
		const int fds[] = {p->capture_stop_fd, camera_poll_fd(p->camera),
			stands_in ? p->arrivals_fd : -1};
		int err = fd_wait_any(fds, 3, p->life.due_ns);

		if (!err)
			return 0;
		if (stands_in && finds_camera(p))
			return -ESTALE;
		if (err > 0)
			err = capture_frame(p);
		/* Bad frames only are silence, too, and the wait for them never times out. */
		if (err == -EAGAIN || err == -ETIMEDOUT)
			err = bear_silence(p);
		if (err < 0)
			return err;
	}
}

/* Have every loan back, wherever it is. The encode thread runs, so it answers. */
ON_CAPTURE static void recall_loans(struct pipeline *p)
{
	struct frame *slot = exchange_slot(&p->frames);

	/* The camera may be gone; a return that fails is settled all the same. */
	slot->fourcc = 0;
	(void)return_loan(p, exchange_recall(&p->frames));
	(void)fd_wait(p->frames.returned_fd, -1, UINT64_MAX);
	fd_drain(p->frames.returned_fd);
	(void)return_loan(p, exchange_collect(&p->frames));
}

/* Deliver from an open camera until the program stops (0) or it fails, with the reason. */
ON_CAPTURE static int capture_opened(struct pipeline *p, char reason[CAMERA_REASON_BYTES])
{
	const struct camera_info *info = &p->now.info;
	int err;

	camera_describe(p->camera, &p->now.info);
	err = camera_start(p->camera);
	if (err < 0) {
		explain_fault(p, err, "cannot start streaming: ", reason);
		return err;
	}
	life_listen(&p->life,
		info->fps_numerator ? NS_PER_S * info->fps_denominator / info->fps_numerator : 0,
		clock_now_ns());
	err = capture_frames(p);
	recall_loans(p);
	camera_stop(p->camera);
	if (err < 0)
		explain_fault(p, err, "", reason);
	return err;
}

/*
 * One life of the camera, from opening to closing: 0 to stop, or why it ended, with the reason. A
 * camera without a signal stays open, to tell when it is back.
 */
ON_CAPTURE static int capture_once(struct pipeline *p, char reason[CAMERA_REASON_BYTES])
{
	int err;

	p->camera = NULL;
	life_open(&p->life);
	publish_status(p, p->now.reason);
	err = camera_open(p->config, &p->stats, &p->camera, reason);
	if (err < 0)
		return err;
	stat_add(&p->stats.opened, 1);
	err = capture_opened(p, reason);
	camera_close(p->camera);
	p->camera = NULL;
	if (err < 0)
		stat_add(&p->stats.lost, 1);
	return err;
}

/* Wait until it is time to open the camera again. False when the program stops. */
ON_CAPTURE static bool wait_to_open(struct pipeline *p)
{
	int fds[] = {
		p->capture_stop_fd, p->arrivals_fd, p->camera ? camera_poll_fd(p->camera) : -1};

	for (;;) {
		int event = fd_wait_any(fds, 3, p->life.due_ns);

		if (event <= 0)
			return event < 0; /* the pause is over */
		if (event == 2) {
			life_recheck(&p->life, clock_now_ns());
			fds[2] = -1; /* it has said all it can */
		} else if (camera_has_arrived(p->arrivals_fd)) {
			life_hurry(&p->life, clock_now_ns());
		}
	}
}

static void *capture_loop(void *context)
{
	struct pipeline *p = context;
	char reason[CAMERA_REASON_BYTES];
	bool going_on;

	role_take(&role_capture, p->config->name);
	p->arrivals_fd = camera_watch_arrivals();
	p->life.told = p->arrivals_fd >= 0;
	do {
		int err = capture_once(p, reason);

		if (!err)
			break;
		stat_add(&p->stats.faults[life_fault(err)], 1);
		life_fail(&p->life, err, clock_now_ns());
		report_fault(p, reason);
		going_on = wait_to_open(p);
		camera_close(p->camera); /* one without a signal */
	} while (going_on);
	fd_close(&p->arrivals_fd);
	return NULL;
}

/* ---- encode ---- */

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

/* Make the packet of one frame. Returns 0 or a negative errno, counted. */
ON_ENCODE static int encode_frame(
	struct pipeline *p, const struct frame *frame, struct packet *packet, bool piecemeal)
{
	int err = dmabuf_begin_read(frame);

	if (err < 0)
		goto count;
	if (is_compressed(frame))
		err = copy_jpeg(p, frame, packet);
	else if (piecemeal)
		err = slicer_encode_piecemeal(p->slicer, frame, packet);
	else
		err = slicer_encode(p->slicer, frame, packet);
	(void)dmabuf_end_read(frame); /* only reads happened; nothing to flush */
	packet->encode_end_ns = clock_now_ns();

count:
	count_encoded(p, packet, err);
	return err;
}

/* The server's exchange takes a reference of its own. */
ON_ENCODE static void publish_packet(struct pipeline *p, struct packet *packet)
{
	struct packet **slot = exchange_slot(&p->packets);

	*slot = packet_ref(packet);
	slot = exchange_publish(&p->packets);
	if (exchange_has_replaced(&p->packets))
		stat_add(&p->stats.dropped_server_busy, 1);
	packet_unref(*slot);
	*slot = NULL;
}

/*
 * Encode and publish; a frame that cannot be is dropped, counted and, now and then, logged. When
 * somebody takes it piece by piece it is published first.
 */
ON_ENCODE static void encode_and_publish(struct pipeline *p, const struct frame *frame)
{
	bool piecemeal = demand_is_piecemeal(&p->demand) && !is_compressed(frame);
	struct packet *packet;
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
	if (piecemeal) {
		packet->exchange = &p->packets;
		publish_packet(p, packet);
	}
	err = encode_frame(p, frame, packet, piecemeal);
	packet_end(packet, !err);
	if (!err && !piecemeal)
		publish_packet(p, packet);
	packet_unref(packet);
	if (err < 0 && log_allowed(&p->bad_frames, 10 * NS_PER_S, &suppressed))
		log_warning(p->room, "frame %u dropped: %s (and %u more before it)",
			frame->sequence,
			err == -EBADMSG ? "the camera's JPEG is broken" : strerror(-err),
			suppressed);
}

static void *encode_loop(void *context)
{
	struct pipeline *p = context;

	role_take(&role_encode, p->config->name);
	for (;;) {
		struct pollfd fds[] = {
			{p->encode_stop_fd, POLLIN, 0},
			{p->frames.fresh_fd, POLLIN, 0},
			{p->demand.event_fd, POLLIN, 0},
		};
		void *slot;

		(void)poll(fds, 3, -1); /* EINTR: looking costs nothing */
		if (fds[0].revents)
			return NULL;
		fd_drain(p->frames.fresh_fd);
		fd_drain(p->demand.event_fd);

		/*
		 * While nobody wants pictures the newest frame stays in the exchange, untaken, and
		 * no further one wakes us; whoever comes gets it at once. A recall is answered
		 * whether or not.
		 */
		if (!demand_exists(&p->demand) && !exchange_is_recalled(&p->frames))
			continue;
		if (!exchange_take(&p->frames, &slot))
			continue;
		if (((struct frame *)slot)->fourcc && demand_exists(&p->demand))
			encode_and_publish(p, slot);
	}
}

/* ---- server ---- */

static void *server_loop(void *context)
{
	struct server_thread *thread = context;

	role_take(&role_server, NULL);
	while (server_turn(thread->server))
		;
	return NULL;
}

static void *login_loop(void *context)
{
	struct server_thread *thread = context;

	role_take(&role_login, NULL);
	while (server_login_turn(thread->server))
		;
	return NULL;
}

int server_thread_start(struct server_thread *thread, struct server *server)
{
	int err;

	thread->server = server;
	err = -pthread_create(&thread->login_thread, NULL, login_loop, thread);
	thread->login_running = !err;
	if (!err)
		err = -pthread_create(&thread->thread, NULL, server_loop, thread);
	thread->running = !err;
	return err;
}

void server_thread_stop(struct server_thread *thread)
{
	if (!thread->login_running)
		return;
	server_stop(thread->server);
	/* Joins cannot fail: the threads are ours and joined once. */
	if (thread->running)
		(void)pthread_join(thread->thread, NULL);
	(void)pthread_join(thread->login_thread, NULL);
	thread->running = thread->login_running = false;
}

/* ---- main ---- */

int pipeline_create(const struct camera_config *camera, const struct jpeg_config *jpeg,
	struct workers *workers, struct pipeline **ret_pipeline)
{
	/* Not calloc(): the exchanges are aligned to cache lines. */
	struct pipeline *p = aligned_alloc(alignof(struct pipeline), sizeof *p);
	int err;

	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof *p);
	p->config = camera;
	(void)strcpy(p->now.reason, "it is being opened");
	(void)snprintf(p->room, sizeof p->room, "camera %s", camera->name);
	p->capture_stop_fd = p->encode_stop_fd = p->demand.event_fd = -1;
	p->frames.fresh_fd = p->frames.returned_fd = -1;
	p->packets.fresh_fd = p->packets.returned_fd = -1;
	p->status.fresh_fd = p->status.returned_fd = -1;

	err = slicer_create(jpeg, workers, &p->slicer);
	if (err < 0)
		goto fail;
	err = exchange_init(&p->frames, p->frame_slots, sizeof p->frame_slots[0]);
	if (err < 0)
		goto fail;
	err = exchange_init(&p->packets, p->packet_slots, sizeof p->packet_slots[0]);
	if (err < 0)
		goto fail;
	err = exchange_init(&p->status, p->status_slots, sizeof p->status_slots[0]);
	if (err < 0)
		goto fail;
	err = demand_init(&p->demand);
	if (err < 0)
		goto fail;
	err = p->capture_stop_fd = fd_event();
	if (err < 0)
		goto fail;
	err = p->encode_stop_fd = fd_event();
	if (err < 0)
		goto fail;
	*ret_pipeline = p;
	return 0;

fail:
	pipeline_destroy(p);
	return err;
}

void pipeline_describe(struct pipeline *p, struct server_camera *ret_camera)
{
	*ret_camera = (struct server_camera){
		.name = p->config->name,
		.source = p->config->source,
		.fps = p->config->fps,
		.packets = &p->packets,
		.status = &p->status,
		.demand = &p->demand,
		.stats = &p->stats,
	};
}

int pipeline_start(struct pipeline *p)
{
	int err = -pthread_create(&p->encode_thread, NULL, encode_loop, p);

	if (err < 0)
		return err;
	p->encoding = true;
	err = -pthread_create(&p->capture_thread, NULL, capture_loop, p);
	if (err < 0) {
		pipeline_stop(p);
		return err;
	}
	p->capturing = true;
	return 0;
}

void pipeline_ask_to_stop(struct pipeline *p)
{
	fd_signal(p->capture_stop_fd);
}

void pipeline_stop(struct pipeline *p)
{
	/* Joins cannot fail: the threads are ours and joined once. */
	if (p->capturing) {
		pipeline_ask_to_stop(p);
		(void)pthread_join(p->capture_thread, NULL);
		p->capturing = false;
	}
	if (p->encoding) {
		fd_signal(p->encode_stop_fd);
		(void)pthread_join(p->encode_thread, NULL);
		p->encoding = false;
	}
}

void pipeline_destroy(struct pipeline *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < EXCHANGE_SLOTS; i++)
		packet_unref(p->packet_slots[i]);
	packet_pool_finish(&p->pool);
	slicer_destroy(p->slicer);
	exchange_finish(&p->frames);
	exchange_finish(&p->packets);
	exchange_finish(&p->status);
	demand_finish(&p->demand);
	fd_close(&p->capture_stop_fd);
	fd_close(&p->encode_stop_fd);
	free(p);
}
