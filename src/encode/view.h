/*
 * A view: the rows of a frame in the order that it asks for.
 *
 * Nothing is copied but what the order takes. Upside down is the same rows from the other end, a
 * mirrored row is reversed where it was split. A turned picture is read in strips of columns that
 * are as wide as a cache line of luma, one scaled down row by row as it is read. Turned and scaled
 * pictures have 4:2:0 chroma, unless they are grey.
 */
#ifndef FANLIGHT_VIEW_H
#define FANLIGHT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pixels.h"
#include "base/roles.h"
#include "encode/rows.h"
#include "fanlight/frame.h"

/* Where the samples of an output column come from, and how they weigh in: 256 in all. */
struct view_span {
	uint32_t first, n;
	const uint16_t *weights;
};

/* All zero is none. */
struct view {
	const struct pixel_format *format;
	struct frame_order order;
	uint32_t width, height; /* scaled, but not yet turned */
	bool scaled;

	/* to scale; luma, then chroma */
	struct view_span *spans[2];
	uint16_t *weights;
	uint16_t *sums[4]; /* of two rows of luma, then Cb, Cr */
	uint8_t *source[7];

	/* to turn: columns of the picture, as rows */
	uint8_t *strip[3], *tile[6];
	uint32_t strip_left, strip_right; /* of luma */
	size_t strip_stride_bytes;
};

/* Whether an order takes more than one pass over rows as they lie: it turns or scales. */
ANY_THREAD bool view_is_resampled(const struct frame *frame);

/*
 * Prepare to read frames like this one, which fits. Returns 0, -EINVAL (it would have to be scaled
 * up) or -ENOMEM; then, too, view_finish() frees what there is.
 */
ON_ENCODE int view_set_up(
	struct view *view, const struct pixel_format *format, const struct frame *frame);
ANY_THREAD void view_finish(struct view *view);

/* Another frame comes, like the one that the view was set up for. */
ON_ENCODE void view_begin(struct view *view);

/*
 * Read n (1 or 2) rows of what is shown, as rows_read() does; from an even row on if n is 2. It is
 * fastest for one row after the other.
 */
ON_ENCODE void view_read(struct view *view, const struct frame *frame, uint32_t row, uint32_t n,
	const struct rows_group *group);

#endif
