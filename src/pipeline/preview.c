#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "camera/dmabuf.h"
#include "pipeline/inside.h"

/* Until a screen that is not there, or another program's, is looked for again: few tell. */
#define SEARCH_NS NS_PER_S

/* Say once why there is no screen. */
ON_PREVIEW static void do_without(struct pipeline *p, const char *reason)
{
	kms_close(p->screen);
	p->screen = NULL;
	p->search_ns = clock_now_ns() + SEARCH_NS;
	if (!strcmp(reason, p->screen_fault))
		return;
	(void)snprintf(p->screen_fault, sizeof p->screen_fault, "%s", reason);
	log_warning(p->room, "preview: %s; trying again until it works", reason);
}

ON_PREVIEW static void look_for_screen(struct pipeline *p)
{
	char reason[KMS_REASON_BYTES];

	if (kms_open(p->config->preview, p->config->preview_mode, &p->screen, reason) < 0) {
		do_without(p, reason);
		return;
	}
	*p->screen_fault = '\0';
	p->drawing = false;
	log_info(p->room, "preview on %s", kms_name(p->screen));
}

/* Have a frame drawn, since the screen cannot show it as it is. */
ON_PREVIEW static int draw(struct pipeline *p, const struct frame *frame)
{
	int err = dmabuf_begin(frame, false, &p->stats.dmabuf_syncs);

	if (err < 0)
		return 0; /* no fault of the screen's, and the encoder tells of it, too */
	err = kms_draw(p->screen, frame, &p->stats.copied_bytes);
	dmabuf_end(frame, false, &p->stats.dmabuf_syncs);
	if (err == -EBADMSG)
		return 0; /* the encoder tells of it, too; the next one may be whole */
	if (!p->drawing && (!err || err == -ENOTSUP))
		log_warning(p->room,
			err == -ENOTSUP
				? "preview: the screen cannot show this format; choose another"
				: "preview: the screen cannot show frames as they are, which costs a "
				  "copy of each; see memory and size in fanlight.conf(5)");
	p->drawing = true;
	return err == -ENOTSUP ? 0 : err;
}

/* The screen cannot be shown on any more. */
ON_PREVIEW static void lose_screen(struct pipeline *p, const char *why)
{
	char reason[KMS_REASON_BYTES];

	(void)snprintf(reason, sizeof reason, "%s is lost: %s", kms_name(p->screen), why);
	do_without(p, reason);
}

/* Screens may have come or gone. */
ON_PREVIEW static void follow_hotplug(struct pipeline *p)
{
	if (p->hotplug_fd < 0 || !kms_has_hotplugged(p->hotplug_fd))
		return;
	if (!p->screen)
		p->search_ns = clock_now_ns();
	else if (!kms_is_connected(p->screen))
		lose_screen(p, "it was unplugged");
}

ON_PREVIEW static void show(struct pipeline *p, const struct frame *frame)
{
	int err = kms_show(p->screen, frame);

	p->shown_captured_ns = frame->captured_ns;
	if (err == -ENOTSUP)
		err = draw(p, frame);
	if (err < 0)
		lose_screen(p, strerror(-err));
}

/* Count a flip that has happened. */
ON_PREVIEW static void note_flip(struct pipeline *p)
{
	uint64_t flip_ns;

	if (!p->screen || !kms_take_flip(p->screen, &flip_ns))
		return;
	stat_add(&p->stats.previewed, 1);
	histogram_record_span(&p->stats.capture_to_flip, p->shown_captured_ns, flip_ns);
}

ON_PREVIEW static void forget(struct pipeline *p)
{
	if (p->screen)
		kms_forget(p->screen);
	p->drawing = false;
}

/* Show the newest frame if the screen is free. A recall is answered whatever the screen does. */
ON_PREVIEW static void take_frame(struct pipeline *p)
{
	const struct frame *frame;
	void *slot;
	bool recalled = exchange_is_recalled(&p->shown);

	if (!recalled && (!p->screen || kms_is_busy(p->screen)))
		return;
	/* First: what is put down may be on the screen. */
	if (recalled)
		forget(p);
	if (!exchange_take_keeping(&p->shown, &slot))
		return;
	frame = slot;
	if (frame->fourcc)
		show(p, frame);
	else if (!recalled)
		forget(p); /* a recall that came in between */
}

void *preview_loop(void *context)
{
	struct pipeline *p = context;

	role_take(&role_preview, p->config->name);
	for (;;) {
		int fds[] = {p->preview_stop_fd, p->shown.fresh_fd,
			p->screen ? kms_poll_fd(p->screen) : -1, p->hotplug_fd};

		if (!fd_wait_any(fds, 4, p->screen ? UINT64_MAX : p->search_ns))
			break;
		fd_drain(p->shown.fresh_fd);
		pulse_beat(&p->preview_pulse);
		note_flip(p);
		follow_hotplug(p);
		if (!p->screen && clock_now_ns() >= p->search_ns)
			look_for_screen(p);
		take_frame(p);
	}
	kms_close(p->screen);
	p->screen = NULL;
	return NULL;
}
