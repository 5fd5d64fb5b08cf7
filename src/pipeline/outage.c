#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "pipeline/inside.h"

/* Players take a stream that is silent for longer for one that is broken. */
#define AGAIN_NS (1 * NS_PER_S)

/* Where no picture has come and no size was asked for. */
#define WIDTH  1280
#define HEIGHT 720

ON_ENCODE static bool is_missed(const struct pipeline *p)
{
	return p->settings->placeholder && p->trouble && camera_status_is_bad(p->trouble) &&
	       demand_exists(&p->demand);
}

uint64_t outage_due_ns(const struct pipeline *p)
{
	return is_missed(p) ? p->placeholder_due_ns : UINT64_MAX;
}

/* By the wall clock, as it is now. */
ON_ENCODE static void format_since(const struct pipeline *p, char *ret_text, size_t text_bytes)
{
	time_t seconds = (time_t)(clock_wall_ns(p->trouble->since_ns) / NS_PER_S);
	struct tm local;

	/* Neither fails with a clock that is anywhere near to the truth; else the line is empty. */
	if (!localtime_r(&seconds, &local) ||
		!strftime(ret_text, text_bytes, "Offline since %F %T", &local))
		*ret_text = '\0';
}

/* Draw what is to be said, as large as the pictures of a variant are. Returns 0 or -ENOMEM. */
ON_ENCODE static int draw(
	struct pipeline *p, const struct variant *variant, struct frame *ret_frame)
{
	uint32_t width = p->last_width, height = p->last_height;
	char since[64];
	const char *const lines[] = {p->config->name, since, p->trouble->reason};
	int err;

	if (!width) {
		width = p->config->width ? p->config->width : WIDTH;
		height = p->config->width ? p->config->height : HEIGHT;
	}
	variant_fit(variant, &width, &height);
	format_since(p, since, sizeof since);
	err = placeholder_draw(p->placeholder, width, height, lines, 3, ret_frame);
	if (!err || err == -ENOMEM)
		return err;
	if (!p->font_failed)
		log_warning(p->room,
			"%s: %s; placeholders have no words until the setting font names a font",
			p->settings->font,
			err == -ENOENT ? strerror(ENOENT) : "it is no font that can be scaled");
	p->font_failed = true;
	return 0;
}

/* Publish a placeholder in outlet i; there may be memory for the next one. */
ON_ENCODE static void publish_placeholder(struct pipeline *p, unsigned i)
{
	struct variant variant = outlet_variant(&p->outlets[i]);
	struct packet *packet;
	struct frame frame;
	int err;

	if (draw(p, &variant, &frame) < 0 || packet_pool_get(&p->pools[i], &packet) < 0)
		return;
	packet->variant = variant;
	packet->placeholder = true;
	packet->captured_ns = packet->dequeued_ns = packet->encode_begin_ns = clock_now_ns();
	err = slicer_encode(p->slicers[i], &frame, packet);
	packet->encode_end_ns = clock_now_ns();
	packet_end(packet, !err);
	if (!err) {
		stat_add(&p->stats.placeholders, 1);
		publish_packet(p, i, packet);
	}
	packet_unref(packet);
}

void outage_show(struct pipeline *p)
{
	void *slot;

	if (exchange_take(&p->troubles, &slot))
		p->trouble = slot;
	if (!is_missed(p))
		return;
	p->placeholder_due_ns = clock_now_ns() + AGAIN_NS;
	for (unsigned i = 0; i < p->n_outlets; i++)
		if (outlet_wanted(&p->outlets[i]))
			publish_placeholder(p, i);
}
