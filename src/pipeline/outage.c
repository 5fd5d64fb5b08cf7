#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "pipeline/inside.h"

/* Players take a stream that is silent for longer for one that is broken. */
#define AGAIN_NS (1 * NS_PER_S)

/* Where no picture has come, or none that can be so large, and no size was asked for. */
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
	time_t seconds = (time_t)(clock_wall_of_boot_ns(p->trouble->since_boot_ns) / NS_PER_S);
	struct tm local;

	/* Neither fails with a clock that is anywhere near to the truth; else the line is empty. */
	if (!localtime_r(&seconds, &local) ||
		!strftime(ret_text, text_bytes, "Offline since %F %T", &local))
		*ret_text = '\0';
}

/* Decode a packet. The decoder has what it is decoded to. Returns 0 or a negative errno. */
ON_ENCODE static int decode(
	struct jpeg_decoder *decoder, const struct packet *packet, struct frame *ret_frame)
{
	uint8_t *jpeg = malloc(packet->length_bytes), *at = jpeg;
	int err;

	if (!jpeg)
		return -ENOMEM;
	for (unsigned i = 0; i < packet->n_pieces; i++)
		at = mempcpy(at, packet->pieces[i].data, packet->pieces[i].length_bytes);
	*ret_frame = (struct frame){0};
	err = jpeg_decode(decoder, jpeg, packet->length_bytes, 1, ret_frame);
	free(jpeg);
	return err;
}

/* Make the ground of placeholders, of the last picture if it can be. Returns 0 or -ENOMEM. */
ON_ENCODE static int begin(struct pipeline *p)
{
	uint32_t width = p->last_width, height = p->last_height;
	/* Its own: what an outage takes is given back. */
	struct jpeg_decoder *decoder = NULL;
	struct frame last;
	bool decoded;
	int err;

	if (p->placeholder)
		return 0;
	if (!width || (uint64_t)width * height > DECODE_PIXELS_MOST) {
		width = p->config->width ? p->config->width : WIDTH;
		height = p->config->width ? p->config->height : HEIGHT;
	}
	decoded = p->last && !jpeg_decoder_create(&decoder) && !decode(decoder, p->last, &last);
	err = placeholder_create(
		p->settings->font, width, height, decoded ? &last : NULL, &p->placeholder);
	jpeg_decoder_destroy(decoder);
	return err;
}

/* Draw what is to be said. Returns 0 or -ENOMEM. */
ON_ENCODE static int draw(struct pipeline *p, struct frame *ret_frame)
{
	char since[64];
	const char *const lines[] = {p->config->name, since, p->trouble->reason};
	int err = begin(p);

	if (err < 0)
		return err;
	format_since(p, since, sizeof since);
	err = placeholder_draw(p->placeholder, lines, 3, ret_frame);
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
	struct packet *packet;
	struct frame frame;
	int err;

	if (draw(p, &frame) < 0 || packet_pool_get(&p->pools[i], &packet) < 0)
		return;
	packet->variant = outlet_variant(&p->outlets[i]);
	packet->filtering = p->filtering;
	packet->placeholder = true;
	packet->captured_ns = packet->dequeued_ns = packet->encode_begin_ns = clock_now_ns();
	err = encode_frame(p, i, &frame, packet, false);
	packet->encode_end_ns = clock_now_ns();
	packet_end(packet, !err);
	if (!err) {
		stat_add(&p->stats.placeholders, 1);
		publish_packet(p, i, packet);
	}
	packet_unref(packet);
}

/* Drop what placeholders are drawn upon. */
ON_ENCODE static void end(struct pipeline *p)
{
	placeholder_destroy(p->placeholder);
	p->placeholder = NULL;
}

void outage_remember(struct pipeline *p, struct packet *picture)
{
	if (!p->settings->placeholder)
		return;
	end(p);
	packet_unref(p->last);
	p->last = packet_ref(picture);
}

void outage_forget(struct pipeline *p)
{
	bool shown = p->placeholder;

	end(p);
	packet_unref(p->last);
	p->last = NULL;
	p->filtering++;
	/* Wanted or not: the server keeps the newest for whoever comes. */
	for (unsigned i = 0; i < p->n_outlets; i++) {
		outlet_clear(&p->outlets[i]);
		if (shown)
			publish_placeholder(p, i);
	}
}

void outage_show(struct pipeline *p)
{
	void *slot;

	if (exchange_take(&p->troubles, &slot))
		p->trouble = slot;
	/* Not at rest: what was shown before may be shown once more. */
	if (p->placeholder && p->trouble->online)
		end(p);
	if (!is_missed(p))
		return;
	p->placeholder_due_ns = clock_now_ns() + AGAIN_NS;
	for (unsigned i = 0; i < p->n_outlets; i++)
		if (outlet_wanted(&p->outlets[i]))
			publish_placeholder(p, i);
}
