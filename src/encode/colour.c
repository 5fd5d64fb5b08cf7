/*
 * Fixed point in 16-bit lanes: a sample is scaled up to fill an int16, multiplied by a coefficient,
 * and the high half of the product kept, which is one instruction for eight samples on SSE2 and
 * leaves five fractional bits. Luma does not enter chroma, because grey stays grey in any matrix.
 */
#include "encode/colour.h"

#include <math.h>

#define FRACTION_BITS 5
#define ROUND         (1 << (FRACTION_BITS - 1))

/* The weights of red and blue in luma. */
struct luma_weights {
	double red, blue;
};

static const struct luma_weights weights[] = {
	[FRAME_BT601] = {0.299, 0.114},
	[FRAME_BT709] = {0.2126, 0.0722},
	[FRAME_BT2020] = {0.2627, 0.0593},
	[FRAME_SMPTE240M] = {0.212, 0.087},
};

static int16_t fixed(double coefficient, double unit)
{
	return (int16_t)lrint(coefficient * unit);
}

/* What one unit of a source chroma contributes to the output's Y, Cb and Cr, given its R, G, B. */
static void convert_unit(double red, double green, double blue, double scale, int16_t *ret_y,
	int16_t *ret_cb, int16_t *ret_cr)
{
	const struct luma_weights *to = &weights[FRAME_BT601];
	double luma = to->red * red + (1 - to->red - to->blue) * green + to->blue * blue;

	*ret_y = fixed(luma * scale, 8192);
	*ret_cb = fixed((blue - luma) / (2 * (1 - to->blue)) * scale, 8192);
	*ret_cr = fixed((red - luma) / (2 * (1 - to->red)) * scale, 8192);
}

void colour_init(struct colour *colour, enum frame_encoding encoding, enum frame_range range)
{
	const struct luma_weights *from = &weights[encoding];
	bool limited = range == FRAME_LIMITED_RANGE;
	double green = 1 - from->red - from->blue;
	double red_from_cr = 2 * (1 - from->red), blue_from_cb = 2 * (1 - from->blue);
	double scale = limited ? 255.0 / 224 : 1;

	colour->same_matrix = encoding == FRAME_BT601;
	colour->identity = colour->same_matrix && !limited;
	colour->y_offset = limited ? 16 : 0;
	colour->y_from_y = fixed(limited ? 255.0 / 219 : 1, 16384);
	convert_unit(0, -blue_from_cb * from->blue / green, blue_from_cb, scale, &colour->y_from_cb,
		&colour->cb_from_cb, &colour->cr_from_cb);
	convert_unit(red_from_cr, -red_from_cr * from->red / green, 0, scale, &colour->y_from_cr,
		&colour->cb_from_cr, &colour->cr_from_cr);
}

static inline int16_t multiply_high(int16_t a, int16_t b)
{
	return (int16_t)((int32_t)a * b >> 16);
}

/* Terms of a sum, with FRACTION_BITS. */
static inline int16_t luma_term(uint8_t sample, int16_t offset, int16_t coefficient)
{
	return multiply_high((int16_t)((sample - offset) * 128), coefficient);
}

static inline int16_t chroma_term(uint8_t sample, int16_t coefficient)
{
	return multiply_high((int16_t)((sample - 128) * 256), coefficient);
}

static inline uint8_t to_sample(int sum, int offset)
{
	int16_t value = (int16_t)(((int16_t)(sum + ROUND) >> FRACTION_BITS) + offset);

	value = value < 0 ? 0 : value;
	return (uint8_t)(value > 255 ? 255 : value);
}

void colour_expand(const struct colour *colour, uint8_t *samples, size_t n)
{
	int16_t offset = colour->y_offset, scale = colour->y_from_y;

	for (size_t i = 0; i < n; i++)
		samples[i] = to_sample(luma_term(samples[i], offset, scale), 0);
}

void colour_convert_luma(const struct colour *colour, uint8_t *restrict y,
	const uint8_t *restrict cb, const uint8_t *restrict cr, size_t n)
{
	int16_t offset = colour->y_offset, scale = colour->y_from_y;
	int16_t from_cb = colour->y_from_cb, from_cr = colour->y_from_cr;

	if (colour->same_matrix) {
		colour_expand(colour, y, 2 * n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int16_t tint = (int16_t)(chroma_term(cb[i], from_cb) + chroma_term(cr[i], from_cr));

		y[2 * i] = to_sample(luma_term(y[2 * i], offset, scale) + tint, 0);
		y[2 * i + 1] = to_sample(luma_term(y[2 * i + 1], offset, scale) + tint, 0);
	}
}

static void expand_chroma(uint8_t *chroma, size_t n, int16_t scale)
{
	for (size_t i = 0; i < n; i++)
		chroma[i] = to_sample(chroma_term(chroma[i], scale), 128);
}

void colour_convert_chroma(
	const struct colour *colour, uint8_t *restrict cb, uint8_t *restrict cr, size_t n)
{
	int16_t cb_from_cb = colour->cb_from_cb, cb_from_cr = colour->cb_from_cr;
	int16_t cr_from_cb = colour->cr_from_cb, cr_from_cr = colour->cr_from_cr;

	if (colour->same_matrix) {
		expand_chroma(cb, n, cb_from_cb);
		expand_chroma(cr, n, cr_from_cr);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint8_t u = cb[i], v = cr[i];

		cb[i] = to_sample(chroma_term(u, cb_from_cb) + chroma_term(v, cb_from_cr), 128);
		cr[i] = to_sample(chroma_term(u, cr_from_cb) + chroma_term(v, cr_from_cr), 128);
	}
}
