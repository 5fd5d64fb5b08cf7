/*
 * Rows of raw frames, split into planar Y, Cb and Cr.
 *
 * The unit is a group: the one or two luma rows that share a row of chroma in the output. Sources
 * with 4:2:2 chroma have the rows of a pair averaged as they are split; sources with 4:2:0 chroma
 * have just one. RGB is converted, in its range, and its chroma averaged. Right of the picture's
 * width nothing meaningful is written.
 */
#ifndef FANLIGHT_ROWS_H
#define FANLIGHT_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/pixels.h"
#include "base/roles.h"
#include "fanlight/frame.h"

/* Where a group goes. Rows are of the width rounded up to a multiple of 16, and never overlap. */
struct rows_group {
	uint8_t *y[2];
	uint8_t *cb, *cr;
	uint8_t *scratch[3]; /* for interleaved chroma */
};

/*
 * Split n (1 or 2) rows of a frame that fits. The group's chroma is the row that the last of them
 * has in 4:2:0, or the average of theirs; grey writes luma only.
 */
ANY_THREAD void rows_read(const struct pixel_format *format, const struct frame *frame,
	uint32_t row, uint32_t n, const struct rows_group *group);

#endif
