/*
 * Colour: from what the camera means by Y, Cb and Cr to what JFIF means, full-range BT.601.
 *
 * The matrices between R'G'B' and Y'CbCr are undone and redone as one; primaries and transfer
 * functions are left alone. Rows are converted in place, in fixed point, to within one level of the
 * exact result before clamping to 0..255.
 */
#ifndef FANLIGHT_COLOUR_H
#define FANLIGHT_COLOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "fanlight/frame.h"

struct colour {
	bool identity;    /* nothing to do */
	bool same_matrix; /* only the range changes: each component for itself */
	int16_t y_offset;
	int16_t y_from_y; /* in 1/16384 */
	/* in 1/8192 */
	int16_t y_from_cb, y_from_cr;
	int16_t cb_from_cb, cb_from_cr;
	int16_t cr_from_cb, cr_from_cr;
};

ANY_THREAD void colour_init(
	struct colour *colour, enum frame_encoding encoding, enum frame_range range);

/* Bring n samples of luma, grey, or R, G and B in any order, to full range. */
ANY_THREAD void colour_expand(const struct colour *colour, uint8_t *samples, size_t n);

/* Convert 2 * n luma samples; their n pairs of chroma are the source's, not yet converted. */
ANY_THREAD void colour_convert_luma(const struct colour *colour, uint8_t *restrict y,
	const uint8_t *restrict cb, const uint8_t *restrict cr, size_t n);

/* Convert n pairs of chroma. */
ANY_THREAD void colour_convert_chroma(
	const struct colour *colour, uint8_t *restrict cb, uint8_t *restrict cr, size_t n);

#endif
