/* Orient: turned, mirrored, cut and scaled, all by no more than the order that rows are read in. */
#include <errno.h>
#include <stdlib.h>

#include "process/filter.h"

struct orient {
	struct filter filter;
	struct orient_config config;
};

/* A part of n samples that begins at first, even, and is not empty. */
static void fit_part(uint32_t n, uint32_t *first, uint32_t *length)
{
	if (*first >= n)
		*first = n - 1;
	*first &= ~1u;
	if (*length > n - *first)
		*length = n - *first;
}

/* Turn, then mirror: once columns are rows, mirroring them is flipping what lies in the frame. */
static struct frame_order turn(const struct orient_config *config)
{
	bool transposed = config->quarter_turns & 1;
	bool mirrored = config->quarter_turns >= 2, flipped = (config->quarter_turns + 1) & 2;

	return (struct frame_order){
		.mirrored = mirrored ^ (transposed ? config->flipped : config->mirrored),
		.flipped = flipped ^ (transposed ? config->mirrored : config->flipped),
		.transposed = transposed,
	};
}

/* Cut out what is asked of the picture as it is shown, from wherever that lies in the frame. */
static void crop(
	const struct orient_config *config, const struct pixel_format *format, struct frame *frame)
{
	const struct frame_order *order = &frame->order;
	uint32_t left = config->crop_left, top = config->crop_top;
	uint32_t width = config->crop_width, height = config->crop_height;

	fit_part(frame_shown_width(frame), &left, &width);
	fit_part(frame_shown_height(frame), &top, &height);
	if (order->transposed) {
		uint32_t column = top, columns = height;

		top = left;
		left = column;
		height = width;
		width = columns;
	}
	if (order->mirrored)
		left = (frame->width - left - width) & ~1u;
	if (order->flipped)
		top = (frame->height - top - height) & ~1u;
	pixels_crop(format, frame, left, top, width, height);
}

static uint32_t scale(uint32_t shown, uint32_t divisor, uint32_t wanted)
{
	if (divisor)
		wanted = shown / divisor ? shown / divisor : 1;
	return wanted < shown ? wanted : shown;
}

ON_ENCODE static int orient_run(struct filter *filter, const struct pixel_format *format,
	struct frame *frame, struct results *results)
{
	const struct orient_config *config = &((struct orient *)filter)->config;
	uint32_t width, height;

	(void)results; /* it finds nothing */
	frame->order = turn(config);
	if (config->crop_width)
		crop(config, format, frame);
	width = scale(frame_shown_width(frame), config->divisor, config->width);
	height = scale(frame_shown_height(frame), config->divisor, config->height);
	frame->order.width = width;
	frame->order.height = height;
	return 0;
}

static void orient_destroy(struct filter *filter)
{
	free(filter);
}

struct filter *orient_create(const struct orient_config *config)
{
	struct orient *orient = calloc(1, sizeof *orient);

	if (!orient)
		return NULL;
	orient->filter = (struct filter){.run = orient_run, .destroy = orient_destroy};
	orient->config = *config;
	return &orient->filter;
}
