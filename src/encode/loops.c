/*
 * One set of kernels, named LOOPS: the build compiles this file once for each instruction set.
 *
 * Plain C in a form that gcc turns into vector instructions of any of them; -fopt-info-vec tells.
 * Vectors spelled out with the compilers' extensions were no faster, and twice to four times slower
 * where they lack what a compiler finds by itself: the high half of a product, and packing.
 *
 * Colour is fixed point in 16-bit lanes: a sample is scaled up to fill an int16, multiplied by a
 * coefficient, and the high half of the product kept, which is one instruction for a whole vector
 * and leaves five fractional bits.
 */
#include "encode/kernels.h"

#define FRACTION_BITS 5
#define ROUND         (1 << (FRACTION_BITS - 1))

/* ---- rows ---- */

static void deinterleave(
	uint8_t *restrict even, uint8_t *restrict odd, const uint8_t *restrict pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		even[i] = pairs[2 * i];
		odd[i] = pairs[2 * i + 1];
	}
}

static void average(
	uint8_t *restrict out, const uint8_t *restrict a, const uint8_t *restrict b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((a[i] + b[i] + 1) >> 1);
}

static void narrow(uint8_t *restrict out, const uint8_t *restrict words, size_t n, unsigned depth)
{
	unsigned shift = depth - 8;

	for (size_t i = 0; i < n; i++) {
		uint16_t word = (uint16_t)(words[2 * i] | words[2 * i + 1] << 8);

		/* A driver may leave rubbish above the significant bits; it must not wrap. */
		word = (uint16_t)(word >> shift);
		out[i] = (uint8_t)(word > 255 ? 255 : word);
	}
}

static void reverse(uint8_t *restrict out, const uint8_t *restrict in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = in[n - 1 - i];
}

static void accumulate(
	uint16_t *restrict sums, const uint8_t *restrict samples, size_t n, uint16_t times)
{
	for (size_t i = 0; i < n; i++)
		sums[i] = (uint16_t)(sums[i] + samples[i] * times);
}

/* ---- colour ---- */

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

static void expand_luma(const struct colour *colour, uint8_t *samples, size_t n)
{
	int16_t offset = colour->y_offset, scale = colour->y_from_y;

	for (size_t i = 0; i < n; i++)
		samples[i] = to_sample(luma_term(samples[i], offset, scale), 0);
}

static void expand(uint8_t *chroma, size_t n, int16_t scale)
{
	for (size_t i = 0; i < n; i++)
		chroma[i] = to_sample(chroma_term(chroma[i], scale), 128);
}

static void expand_chroma(
	const struct colour *colour, uint8_t *restrict cb, uint8_t *restrict cr, size_t n)
{
	expand(cb, n, colour->cb_from_cb);
	expand(cr, n, colour->cr_from_cr);
}

static void convert_luma(const struct colour *colour, uint8_t *restrict y,
	const uint8_t *restrict cb, const uint8_t *restrict cr, size_t n)
{
	int16_t offset = colour->y_offset, scale = colour->y_from_y;
	int16_t from_cb = colour->y_from_cb, from_cr = colour->y_from_cr;

	for (size_t i = 0; i < n; i++) {
		int16_t tint = (int16_t)(chroma_term(cb[i], from_cb) + chroma_term(cr[i], from_cr));

		y[2 * i] = to_sample(luma_term(y[2 * i], offset, scale) + tint, 0);
		y[2 * i + 1] = to_sample(luma_term(y[2 * i + 1], offset, scale) + tint, 0);
	}
}

static void convert_chroma(
	const struct colour *colour, uint8_t *restrict cb, uint8_t *restrict cr, size_t n)
{
	int16_t cb_from_cb = colour->cb_from_cb, cb_from_cr = colour->cb_from_cr;
	int16_t cr_from_cb = colour->cr_from_cb, cr_from_cr = colour->cr_from_cr;

	for (size_t i = 0; i < n; i++) {
		uint8_t u = cb[i], v = cr[i];

		cb[i] = to_sample(chroma_term(u, cb_from_cb) + chroma_term(v, cb_from_cr), 128);
		cr[i] = to_sample(chroma_term(u, cr_from_cb) + chroma_term(v, cr_from_cr), 128);
	}
}

const struct kernels LOOPS = {
	.deinterleave = deinterleave,
	.average = average,
	.narrow = narrow,
	.reverse = reverse,
	.accumulate = accumulate,
	.expand_luma = expand_luma,
	.expand_chroma = expand_chroma,
	.convert_luma = convert_luma,
	.convert_chroma = convert_chroma,
};
