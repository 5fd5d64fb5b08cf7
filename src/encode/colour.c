/* Luma does not enter chroma, because grey stays grey in any matrix. */
#include "encode/colour.h"

#include <math.h>

#include "encode/kernels.h"

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

void colour_expand(const struct colour *colour, uint8_t *samples, size_t n)
{
	kernels_find(0)->expand_luma(colour, samples, n);
}

void colour_convert_luma(const struct colour *colour, uint8_t *restrict y,
	const uint8_t *restrict cb, const uint8_t *restrict cr, size_t n)
{
	if (colour->same_matrix)
		colour_expand(colour, y, 2 * n);
	else
		kernels_find(0)->convert_luma(colour, y, cb, cr, n);
}

void colour_convert_chroma(
	const struct colour *colour, uint8_t *restrict cb, uint8_t *restrict cr, size_t n)
{
	const struct kernels *kernels = kernels_find(0);

	if (colour->same_matrix)
		kernels->expand_chroma(colour, cb, cr, n);
	else
		kernels->convert_chroma(colour, cb, cr, n);
}
