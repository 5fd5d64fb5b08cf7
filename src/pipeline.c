/*
 * Every thread's loop, on one page.
 *
 *   capture (one a camera): open; wait for a frame, publish it, give back the one that returns;
 *                           when the camera fails or the program stops, recall what is on loan and
 *                           close; wait, and open again. What is next, and when, says life.h.
 *   encode  (one a camera): sleep while nobody wants pictures; else take the newest frame, encode
 *                           it, with the help of the workers, and publish the packet.
 *   control (one a camera): answer what the server asks about the camera's controls, and follow what
 *                           changes them elsewhere, on an fd of its own while capture has one.
 *   workers (a few)       : encode slices of any camera's frame (encode/workers.c).
 *   server  (one):          turn libh2o's loop.
 *   login   (one):          compare a password with its hash for the server, which takes a while.
 *
 * Two exchanges join them, frames and packets; a third carries the camera's status to the server.
 * Control has a pair of them with the server (requests, answers) and with capture: presence says
 * where the camera is, wishes which format it should change to.
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
#include "camera/desk.h"
#include "camera/dmabuf.h"
#include "camera/formats.h"
#include "encode/passthrough.h"
#include "encode/slicer.h"
#include "exchange/controls.h"
#include "exchange/packet.h"
#include "life.h"

/* Where control finds the camera. */
struct presence {
	bool open;
	struct camera_info info;
	uint64_t wish;                     /* the last that was tried */
	char refused[CAMERA_REASON_BYTES]; /* why it was in vain; "" when it was granted */
};

struct wish {
	uint64_t number;
	struct format_wish format;
};

struct pipeline {
	/* all threads, constant while they run */
	const struct camera_config *config;
	char room[48]; /* for the log */
	int capture_stop_fd, control_stop_fd, encode_stop_fd;
	int capture_wake_fd; /* for its pulse; the others have something that wakes them */

	/* between threads */
	struct exchange frames;   /* capture to encode, of struct frame */
	struct exchange packets;  /* encode to server, of struct packet * */
	struct exchange status;   /* capture to server, of struct camera_status */
	struct exchange news;     /* capture to main, of struct camera_status */
	struct exchange presence; /* capture to control, of struct presence */
	struct exchange wishes;   /* control to capture, of struct wish */
	struct exchange requests; /* server to control, of struct control_request */
	struct exchange answers;  /* control to server, of struct control_answer */
	struct demand demand;     /* server to encode */
	struct camera_stats stats;
	struct pulse capture_pulse, control_pulse, encode_pulse;
	struct frame frame_slots[EXCHANGE_SLOTS];
	struct packet *packet_slots[EXCHANGE_SLOTS];
	struct camera_status status_slots[EXCHANGE_SLOTS];
	struct camera_status news_slots[EXCHANGE_SLOTS];
	struct presence presence_slots[EXCHANGE_SLOTS];
	struct wish wish_slots[EXCHANGE_SLOTS];
	struct control_request request_slots[EXCHANGE_SLOTS];
	struct control_answer answer_slots[EXCHANGE_SLOTS];

	/* capture */
	struct camera *camera;
	struct life life;
	struct life search;         /* for a camera, while the pattern stands in for one */
	int arrivals_fd;            /* -1 where the kernel does not tell of devices */
	struct camera_status now;   /* what was published last */
	struct camera_config asked; /* config, in the format that was wished last */
	struct format_wish settled; /* the one before, to go back to */
	bool trying;                /* another format, which did not start yet */
	struct presence here;       /* what was announced last */

	/* control */
	struct desk desk;
	uint64_t wish; /* the number of the last */
	bool waiting;  /* the server, for it to be tried */

	/* encode */
	struct slicer *slicer;
	struct packet_pool pool;
	struct log_limit bad_frames;

	/* main */
	pthread_t capture_thread, control_thread, encode_thread;
	bool capturing, controlling, encoding;
	const struct camera_status *told; /* the newest of news; NULL before the first */
};

/* ---- capture ---- */

ON_CAPTURE static void publish_status_to(struct pipeline *p, struct exchange *readers)
{
	struct camera_status *slot = exchange_slot(readers);

	*slot = p->now;
	(void)exchange_publish(readers);
}

/* Say how the camera is, with the reason for it; "" when online. */
ON_CAPTURE static void publish_status(struct pipeline *p, const char *reason)
{
	bool online = p->life.state == CAMERA_STREAMING;

	if (p->now.online != online || !p->now.since_ns)
		p->now.since_ns = clock_now_ns();
	p->now.state = p->life.state;
	p->now.online = online;
	if (reason != p->now.reason)
		(void)snprintf(p->now.reason, sizeof p->now.reason, "%s", reason);
	publish_status_to(p, &p->status);
	publish_status_to(p, &p->news);
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
		what = *doing ? "cannot stream: its media pipeline is not set up (see media-ctl)"
			      : "has ended the stream";
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

/* Capture has come round. */
ON_CAPTURE static void beat_capture(struct pipeline *p)
{
	fd_drain(p->capture_wake_fd);
	pulse_beat(&p->capture_pulse);
}

/*
 * Deliver frames until the program stops (0), another format is wished (1), or the camera fails (a
 * negative errno).
 */
ON_CAPTURE static int capture_frames(struct pipeline *p)
{
	bool stands_in = p->now.info.stands_in && p->arrivals_fd >= 0;
	p->search = (struct life){.told = true, .due_ns = UINT64_MAX};
	for (;;) {
		/* A restart may change the camera's. */
		const int fds[] = {p->capture_stop_fd, p->wishes.fresh_fd,
			camera_poll_fd(p->camera), stands_in ? p->arrivals_fd : -1,
			p->capture_wake_fd};
		int err = fd_wait_any(fds, 5, p->life.due_ns);

		if (err == 0 || err == 1)
			return err;
		beat_capture(p);
		if (err == 4)
			continue;
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

/* Tell control where the camera is, or that it is not open. */
ON_CAPTURE static void announce(struct pipeline *p, bool open)
{
	struct presence *slot = exchange_slot(&p->presence);

	p->here.open = open;
	p->here.info = p->now.info;
	*slot = p->here;
	(void)exchange_publish(&p->presence);
}

/* Have control close the camera, too: else it could not come back under its own number. */
ON_CAPTURE static void withdraw(struct pipeline *p)
{
	struct presence *slot = exchange_slot(&p->presence);

	p->here.open = false;
	*slot = p->here;
	(void)exchange_recall(&p->presence);
	(void)fd_wait(p->presence.returned_fd, -1, UINT64_MAX);
	fd_drain(p->presence.returned_fd);
	(void)exchange_collect(&p->presence);
}

/*
 * Deliver from an open camera until the program stops (0), it is to be opened in another format
 * (1), or it fails, with the reason.
 */
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
	p->trying = false;
	announce(p, true);
	life_listen(&p->life,
		info->fps_numerator ? NS_PER_S * info->fps_denominator / info->fps_numerator : 0,
		clock_now_ns());
	err = capture_frames(p);
	withdraw(p);
	recall_loans(p);
	camera_stop(p->camera);
	if (err < 0)
		explain_fault(p, err, "", reason);
	return err;
}

/*
 * One life of the camera, from opening to closing: 0 to stop, 1 to go on in another format, or why
 * it ended, with the reason. A camera without a signal stays open, to tell when it is back.
 */
ON_CAPTURE static int capture_once(struct pipeline *p, char reason[CAMERA_REASON_BYTES])
{
	int err;

	p->camera = NULL;
	life_open(&p->life);
	publish_status(p, p->now.reason);
	err = camera_open(&p->asked, &p->stats, &p->camera, reason);
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
	int fds[] = {p->capture_stop_fd, p->arrivals_fd, p->camera ? camera_poll_fd(p->camera) : -1,
		p->capture_wake_fd};

	for (;;) {
		int event = fd_wait_any(fds, 4, p->life.due_ns);

		if (event <= 0)
			return event < 0; /* the pause is over */
		beat_capture(p);
		if (event == 2) {
			life_recheck(&p->life, clock_now_ns());
			fds[2] = -1; /* it has said all it can */
		} else if (event == 1 && camera_has_arrived(p->arrivals_fd)) {
			life_hurry(&p->life, clock_now_ns());
		}
	}
}

ON_CAPTURE static void ask_format(struct pipeline *p, const struct format_wish *wish)
{
	p->asked.fourcc = wish->fourcc;
	p->asked.width = wish->width;
	p->asked.height = wish->height;
	p->asked.fps = wish->fps;
}

/* Try another format from now on, if one is wished. */
ON_CAPTURE static void take_wish(struct pipeline *p)
{
	const struct wish *wish;
	void *slot;

	fd_drain(p->wishes.fresh_fd);
	if (!exchange_take(&p->wishes, &slot))
		return;
	wish = slot;
	p->settled = (struct format_wish){
		p->asked.fourcc, p->asked.width, p->asked.height, p->asked.fps};
	ask_format(p, &wish->format);
	if (!(p->asked.fps > 0))
		p->asked.fps = p->settled.fps;
	p->trying = true;
	p->here.wish = wish->number;
	*p->here.refused = '\0';
}

/*
 * After a failure: whether there is another format to open in at once. One that is wished and does
 * not start gives way to the one before, one that suits this camera no more to the configured one.
 */
ON_CAPTURE static bool fall_back(struct pipeline *p, int err, const char *reason)
{
	const struct camera_config *asked = &p->asked, *config = p->config;

	if (p->trying) {
		log_warning(p->room, "%s; going back to the format before", reason);
		ask_format(p, &p->settled);
		p->trying = false;
		(void)snprintf(p->here.refused, sizeof p->here.refused, "%s", reason);
		return true;
	}
	if (err != -EINVAL || (asked->fourcc == config->fourcc && asked->width == config->width &&
				      asked->height == config->height))
		return false;
	p->asked = *config;
	return true;
}

/* Deliver in one format after the other: 0 to stop, or why there is no going on. */
ON_CAPTURE static int live_on(struct pipeline *p, char reason[CAMERA_REASON_BYTES])
{
	int err;

	do {
		take_wish(p);
		err = capture_once(p, reason);
		if (err < 0 && fall_back(p, err, reason)) {
			camera_close(p->camera); /* one without a signal */
			err = 1;
		}
	} while (err > 0);
	return err;
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
		int err = live_on(p, reason);

		if (!err)
			break;
		announce(p, false);
		stat_add(&p->stats.faults[life_fault(err)], 1);
		life_fail(&p->life, err, clock_now_ns());
		report_fault(p, reason);
		going_on = wait_to_open(p);
		camera_close(p->camera); /* one without a signal */
	} while (going_on);
	fd_close(&p->arrivals_fd);
	return NULL;
}

/* ---- control ---- */

ON_CONTROL static void answer_server(struct pipeline *p, int err, char *json)
{
	struct control_answer *slot = exchange_slot(&p->answers);

	*slot = (struct control_answer){err, json};
	(void)exchange_publish(&p->answers);
}

/* Controls or formats are others than they were: the server looks, whether or not it has asked. */
ON_CONTROL static void note_change(struct pipeline *p)
{
	stat_add(&p->stats.controls_changed, 1);
	fd_signal(p->answers.fresh_fd);
}

/* Go where the camera is; who waits for its other format hears what came of it. */
ON_CONTROL static void follow_camera(struct pipeline *p)
{
	const struct presence *presence;
	char reason[CAMERA_REASON_BYTES], *json;
	void *slot;
	int err;

	fd_drain(p->presence.fresh_fd);
	if (!exchange_is_fresh(&p->presence))
		return;
	/* First: capture, whose camera goes, waits until this is taken. */
	desk_close(&p->desk);
	(void)exchange_take(&p->presence, &slot);
	presence = slot;
	if (presence->open && desk_open(&p->desk, &presence->info, reason) < 0)
		log_warning(p->room, "%s", reason);
	note_change(p);
	if (p->waiting && presence->wish == p->wish) {
		err = desk_settle(&p->desk, presence->refused, &json);
		answer_server(p, err, json);
		p->waiting = false;
	}
}

ON_CONTROL static void attend_server(struct pipeline *p)
{
	const struct control_request *request;
	struct format_wish format;
	struct wish *wish;
	void *slot;
	char *json;
	int err;

	fd_drain(p->requests.fresh_fd);
	if (!exchange_take(&p->requests, &slot))
		return;
	request = slot;
	err = desk_ask(&p->desk, request->text, request->bytes, &format, &json);
	if (request->bytes)
		note_change(p);
	if (err <= 0) {
		answer_server(p, err, json);
		return;
	}
	p->waiting = true;
	wish = exchange_slot(&p->wishes);
	*wish = (struct wish){++p->wish, format};
	(void)exchange_publish(&p->wishes);
}

static void *control_loop(void *context)
{
	struct pipeline *p = context;

	role_take(&role_control, p->config->name);
	for (;;) {
		struct pollfd fds[] = {
			{p->control_stop_fd, POLLIN, 0},
			{p->presence.fresh_fd, POLLIN, 0},
			{p->requests.fresh_fd, POLLIN, 0},
			/* Not POLLIN: that would ask for pictures. */
			{desk_event_fd(&p->desk), POLLPRI, 0},
		};

		(void)poll(fds, 4, -1); /* EINTR: looking costs nothing */
		if (fds[0].revents)
			break;
		pulse_beat(&p->control_pulse);
		if (fds[3].revents && desk_look(&p->desk))
			note_change(p);
		follow_camera(p);
		attend_server(p);
	}
	desk_close(&p->desk);
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
		pulse_beat(&p->encode_pulse);
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
		pulse_beat(&thread->pulse);
	return NULL;
}

static void *login_loop(void *context)
{
	struct server_thread *thread = context;

	role_take(&role_login, NULL);
	while (server_login_turn(thread->server))
		pulse_beat(&thread->login_pulse);
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

const char *server_thread_stuck(struct server_thread *thread)
{
	/* Both, that each is asked. */
	bool serves = pulse_take(&thread->pulse, -1);
	bool logs_in = pulse_take(&thread->login_pulse, server_login_fd(thread->server));

	return !serves ? role_server.name : !logs_in ? role_login.name : NULL;
}

/* ---- main ---- */

#define EXCHANGES 8

struct exchange_slots {
	struct exchange *exchange;
	void *slots;
	size_t slot_bytes;
};

ON_MAIN static void list_exchanges(struct pipeline *p, struct exchange_slots ret_list[EXCHANGES])
{
	const struct exchange_slots list[EXCHANGES] = {
		{&p->frames, p->frame_slots, sizeof p->frame_slots[0]},
		{&p->packets, p->packet_slots, sizeof p->packet_slots[0]},
		{&p->status, p->status_slots, sizeof p->status_slots[0]},
		{&p->news, p->news_slots, sizeof p->news_slots[0]},
		{&p->presence, p->presence_slots, sizeof p->presence_slots[0]},
		{&p->wishes, p->wish_slots, sizeof p->wish_slots[0]},
		{&p->requests, p->request_slots, sizeof p->request_slots[0]},
		{&p->answers, p->answer_slots, sizeof p->answer_slots[0]},
	};

	memcpy(ret_list, list, sizeof list);
}

int pipeline_create(const struct camera_config *camera, const struct jpeg_config *jpeg,
	struct workers *workers, struct pipeline **ret_pipeline)
{
	/* Not calloc(): the exchanges are aligned to cache lines. */
	struct pipeline *p = aligned_alloc(alignof(struct pipeline), sizeof *p);
	struct exchange_slots exchanges[EXCHANGES];
	int err;

	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof *p);
	p->config = camera;
	p->asked = *camera;
	(void)strcpy(p->now.reason, "it is being opened");
	(void)snprintf(p->room, sizeof p->room, "camera %s", camera->name);
	p->capture_stop_fd = p->control_stop_fd = p->encode_stop_fd = -1;
	p->capture_wake_fd = p->demand.event_fd = -1;
	p->desk.device.fd = -1;
	list_exchanges(p, exchanges);
	for (size_t i = 0; i < EXCHANGES; i++)
		exchanges[i].exchange->fresh_fd = exchanges[i].exchange->returned_fd = -1;

	err = slicer_create(jpeg, workers, &p->slicer);
	for (size_t i = 0; !err && i < EXCHANGES; i++)
		err = exchange_init(
			exchanges[i].exchange, exchanges[i].slots, exchanges[i].slot_bytes);
	if (err < 0)
		goto fail;
	err = desk_init(&p->desk);
	if (err < 0)
		goto fail;
	err = demand_init(&p->demand);
	if (err < 0)
		goto fail;
	err = p->capture_stop_fd = fd_event();
	if (err < 0)
		goto fail;
	err = p->capture_wake_fd = fd_event();
	if (err < 0)
		goto fail;
	err = p->control_stop_fd = fd_event();
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
		.requests = &p->requests,
		.answers = &p->answers,
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
	err = -pthread_create(&p->control_thread, NULL, control_loop, p);
	p->controlling = !err;
	if (!err)
		err = -pthread_create(&p->capture_thread, NULL, capture_loop, p);
	p->capturing = !err;
	if (err < 0)
		pipeline_stop(p);
	return err;
}

const char *pipeline_name(const struct pipeline *p)
{
	return p->config->name;
}

int pipeline_news_fd(const struct pipeline *p)
{
	return p->news.fresh_fd;
}

bool pipeline_take_news(struct pipeline *p, const struct camera_status **ret_status)
{
	void *slot;
	bool news;

	fd_drain(p->news.fresh_fd);
	news = exchange_take(&p->news, &slot);
	if (news)
		p->told = slot;
	*ret_status = p->told;
	return news;
}

const char *pipeline_stuck_thread(struct pipeline *p)
{
	/* All, that each is asked. */
	bool captures = pulse_take(&p->capture_pulse, p->capture_wake_fd);
	bool controls = pulse_take(&p->control_pulse, p->requests.fresh_fd);
	bool encodes = pulse_take(&p->encode_pulse, p->demand.event_fd);

	return !captures   ? role_capture.name
	       : !controls ? role_control.name
	       : !encodes  ? role_encode.name
			   : NULL;
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
	if (p->controlling) {
		fd_signal(p->control_stop_fd);
		(void)pthread_join(p->control_thread, NULL);
		p->controlling = false;
	}
	if (p->encoding) {
		fd_signal(p->encode_stop_fd);
		(void)pthread_join(p->encode_thread, NULL);
		p->encoding = false;
	}
}

void pipeline_destroy(struct pipeline *p)
{
	struct exchange_slots exchanges[EXCHANGES];

	if (!p)
		return;
	for (size_t i = 0; i < EXCHANGE_SLOTS; i++) {
		packet_unref(p->packet_slots[i]);
		free(p->answer_slots[i].json);
	}
	packet_pool_finish(&p->pool);
	slicer_destroy(p->slicer);
	list_exchanges(p, exchanges);
	for (size_t i = 0; i < EXCHANGES; i++)
		exchange_finish(exchanges[i].exchange);
	desk_finish(&p->desk);
	demand_finish(&p->demand);
	fd_close(&p->capture_stop_fd);
	fd_close(&p->capture_wake_fd);
	fd_close(&p->control_stop_fd);
	fd_close(&p->encode_stop_fd);
	free(p);
}
