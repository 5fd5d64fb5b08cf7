#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/trace.h"
#include "camera/formats.h"
#include "pipeline/inside.h"

/* With idle = stop a camera rests when nobody has watched for so long: pages are loaded again. */
#define IDLE_NS (10 * NS_PER_S)

/* Why frames have ended that could go on. */
#define OTHER_FORMAT 1
#define REST         2

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
	bool other = p->now.online != online || strcmp(reason, p->now.reason);

	if (p->now.online != online || !p->now.since_ns) {
		p->now.since_ns = clock_now_ns();
		p->now.since_boot_ns = clock_boot_ns(p->now.since_ns);
	}
	p->now.state = p->life.state;
	p->now.online = online;
	if (reason != p->now.reason)
		(void)snprintf(p->now.reason, sizeof p->now.reason, "%s", reason);
	publish_status_to(p, &p->status);
	publish_status_to(p, &p->news);
	if (other) /* an attempt in vain is no reason to show the same again */
		publish_status_to(p, &p->troubles);
}

/* Say why it is offline, once in the log: the same reason again is no news. */
ON_CAPTURE static void report_fault(struct pipeline *p, const char *reason)
{
	if (p->now.online || strcmp(reason, p->now.reason))
		log_warning(p->room, "%s; trying again until it works", reason);
	publish_status(p, reason);
}

/* Give the camera back what has come home. Returns 0 or the first error; all are settled. */
ON_CAPTURE static int return_loans(struct pipeline *p, const struct homecoming *home)
{
	int first = 0;

	for (unsigned i = 0; i < home->n; i++) {
		int err = camera_return(p->camera, &home->frames[i]);

		first = first < 0 ? first : err;
		stat_add(&p->stats.on_loan, -1ull);
	}
	return first;
}

ON_CAPTURE static void log_online(const struct pipeline *p)
{
	const struct camera_info *info = &p->now.info;
	const char *path = info->memory_path;
	char name[5], device_name[5];

	log_info(p->room, "%s%s%s: %ux%u %s at %.4g fps, %u buffers%s%s%s", info->card,
		*info->path ? ", " : "", info->path, info->width, info->height,
		format_name(info->fourcc, name),
		(double)info->fps_numerator / (info->fps_denominator ? info->fps_denominator : 1),
		info->buffers, info->dmabuf ? " as dma-bufs" : "", *path ? " of " : "", path);
	if (*info->memory_note)
		log_warning(p->room, "the buffers are the camera's own; %s", info->memory_note);
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
	struct homecoming home;
	struct frame frame;
	int err = camera_borrow(p->camera, &frame);

	if (err < 0)
		return err;
	stat_add(&p->stats.on_loan, 1);
	stat_add(&p->stats.captured, 1);
	stat_set(&p->stats.last_captured_ns, frame.captured_ns);
	histogram_record_span(&p->stats.capture_to_dequeue, frame.captured_ns, frame.dequeued_ns);
	life_hear(&p->life, frame.dequeued_ns);

	/* Opening proves little: a grabber without a signal opens, too. */
	if (!p->now.online) {
		publish_status(p, "");
		log_online(p);
	}
	/* Who draws into it is not to be seen by another reader. */
	frame.kept |= p->lending.n_readers > 1;
	TRACE(captured, frame.captured_ns, frame.sequence, frame.dequeued_ns);
	lending_lend(&p->lending, &frame, &home);
	/* What nobody wants is not taken, and not lost. */
	if (exchange_has_replaced(&p->frames) && demand_exists(&p->demand))
		stat_add(&p->stats.dropped_encoder_busy, 1);
	return return_loans(p, &home);
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

/* Whether nobody has watched for so long that a camera that works may rest. */
ON_CAPTURE static bool may_rest(struct pipeline *p)
{
	uint64_t now_ns = clock_now_ns();

	/* A screen is always watched, and the pattern that stands in would not be opened again. */
	if (demand_exists(&p->demand) || p->settings->idle != IDLE_STOP || p->now.info.stands_in ||
		*p->config->preview)
		p->watched_ns = now_ns;
	return p->now.online && now_ns >= p->watched_ns + IDLE_NS;
}

/* Capture has come round, woken for its pulse or by something else. */
ON_CAPTURE static void beat_capture(struct pipeline *p, bool for_pulse)
{
	if (for_pulse)
		fd_drain(p->capture_wake_fd);
	pulse_beat(&p->capture_pulse);
}

/*
 * Deliver frames until the program stops (0), another format is wished or the camera may rest
 * (OTHER_FORMAT, REST), or it fails (a negative errno).
 */
ON_CAPTURE static int capture_frames(struct pipeline *p)
{
	bool stands_in = p->now.info.stands_in && p->arrivals_fd >= 0;
	p->search = (struct life){.told = true, .due_ns = UINT64_MAX};
	p->watched_ns = clock_now_ns();
	for (;;) {
		/* A restart may change the camera's. */
		const int fds[] = {p->capture_stop_fd, p->wishes.fresh_fd,
			camera_poll_fd(p->camera), stands_in ? p->arrivals_fd : -1,
			p->capture_wake_fd, p->demand.risen_fd};
		int err = fd_wait_any(fds, 6, p->life.due_ns);

		if (err == 0 || err == OTHER_FORMAT)
			return err;
		beat_capture(p, err == 4);
		if (err == 5) {
			fd_drain(p->demand.risen_fd);
			p->watched_ns = clock_now_ns();
		}
		if (err >= 4)
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
		if (may_rest(p))
			return REST;
	}
}

/* Have every loan back, wherever it is. The encode thread runs, so it answers. */
ON_CAPTURE static void recall_loans(struct pipeline *p)
{
	struct homecoming home;

	lending_recall(&p->lending, &home);
	(void)return_loans(p, &home); /* the camera may be gone */
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
 * Deliver from an open camera as capture_frames() does; if it fails, with the reason.
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
 * One life of the camera, from opening to closing: 0 to stop, OTHER_FORMAT, REST, or why it ended,
 * with the reason. A camera without a signal stays open, to tell when it is back.
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
	int fds[] = {p->capture_stop_fd, p->wishes.fresh_fd, p->arrivals_fd,
		p->camera ? camera_poll_fd(p->camera) : -1, p->capture_wake_fd};

	for (;;) {
		int event = fd_wait_any(fds, 5, p->life.due_ns);

		/* The pause is over; or what was wished as the camera failed is to be answered. */
		if (event <= OTHER_FORMAT)
			return event != 0;
		beat_capture(p, event == 4);
		if (event == 3) {
			life_recheck(&p->life, clock_now_ns());
			fds[3] = -1; /* it has said all it can */
		} else if (event == 2 && camera_has_arrived(p->arrivals_fd)) {
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

/* Leave the camera alone until somebody watches or wishes. False when the program stops. */
ON_CAPTURE static bool rest(struct pipeline *p)
{
	const int fds[] = {
		p->capture_stop_fd, p->wishes.fresh_fd, p->demand.risen_fd, p->capture_wake_fd};
	int event = -1;

	life_rest(&p->life);
	publish_status(p, "");
	log_info(p->room, "nobody watches; the camera is closed until somebody does");
	while (!demand_exists(&p->demand) && event != 1) {
		event = fd_wait_any(fds, 4, UINT64_MAX);
		if (event == 0)
			return false;
		beat_capture(p, event == 3);
		if (event == 2)
			fd_drain(p->demand.risen_fd);
	}
	return true;
}

/* In one format after the other, with rests in between: 0 to stop, or why there is no going on. */
ON_CAPTURE static int live_on(struct pipeline *p, char reason[CAMERA_REASON_BYTES])
{
	int err;

	do {
		take_wish(p);
		err = capture_once(p, reason);
		if (err < 0 && fall_back(p, err, reason)) {
			camera_close(p->camera); /* one without a signal */
			err = OTHER_FORMAT;
		}
		if (err == REST && !rest(p))
			err = 0;
	} while (err > 0);
	return err;
}

void *capture_loop(void *context)
{
	struct pipeline *p = context;
	char reason[CAMERA_REASON_BYTES];
	bool going_on;

	role_take(&role_capture, p->config->name);
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
	return NULL;
}
