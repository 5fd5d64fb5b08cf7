/* Every set of kernels that this machine can run, bit for bit against plain C and arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "encode/kernels.h"

#define MOST 150 /* samples of an output; more than twice what any loop takes at once */

/* What no kernel may touch. */
#define GUARD 0xa5

/* loops.c, compiled to one sample at a time. */
extern const struct kernels kernels_plain;

static uint32_t random_state = 1;

static void fill(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		random_state = random_state * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(random_state >> 24);
	}
}

/* The plain one, too: it is held against the arithmetic. */
static void with_every_set(void (*check)(const struct kernels *kernels))
{
	const struct kernels *kernels;
	unsigned n = 0;

	while ((kernels = kernels_find(n))) {
		check(kernels);
		n++;
	}
	assert_true(n > 0);
	check(&kernels_plain);
}

/* ---- rows ---- */

static void check_deinterleave(const struct kernels *kernels)
{
	uint8_t pairs[2 * MOST + 1], even[MOST], odd[MOST];

	for (size_t n = 0; n < MOST; n++) {
		fill(pairs, sizeof pairs);
		memset(even, GUARD, sizeof even);
		memset(odd, GUARD, sizeof odd);
		/* From an odd address too: planes of imported buffers start anywhere. */
		kernels->deinterleave(even, odd, pairs + n % 2, n);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(even[i], pairs[n % 2 + 2 * i]);
			assert_int_equal(odd[i], pairs[n % 2 + 2 * i + 1]);
		}
		assert_int_equal(even[n], GUARD);
		assert_int_equal(odd[n], GUARD);
	}
}

static void check_average(const struct kernels *kernels)
{
	uint8_t a[256], b[256], out[257];

	for (int offset = 0; offset < 256; offset++) {
		/* Every pair of samples, in rows of odd lengths and from odd addresses, too. */
		size_t first = (size_t)offset % 3, n = 256 - first - (size_t)offset % 7;

		for (int i = 0; i < 256; i++) {
			a[i] = (uint8_t)i;
			b[i] = (uint8_t)(i + offset);
		}
		memset(out, GUARD, sizeof out);
		kernels->average(out, a, b, 256);
		for (int i = 0; i < 256; i++)
			assert_int_equal(out[i], (a[i] + b[i] + 1) / 2);
		assert_int_equal(out[256], GUARD);

		memset(out, GUARD, sizeof out);
		kernels->average(out, a + first, b + first, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(out[i], (a[first + i] + b[first + i] + 1) / 2);
		assert_int_equal(out[n], GUARD);
	}
}

static void check_narrow(const struct kernels *kernels)
{
	static const unsigned depths[] = {10, 12, 16};
	uint8_t words[2 * MOST], out[MOST + 1];

	for (size_t d = 0; d < 3; d++) {
		unsigned shift = depths[d] - 8;

		for (unsigned first = 0; first < 0x10000; first += MOST / 2) {
			unsigned n = MOST / 2 + first % 3;

			for (unsigned i = 0; i < n; i++) {
				words[2 * i] = (uint8_t)(first + i);
				words[2 * i + 1] = (uint8_t)((first + i) >> 8);
			}
			memset(out, GUARD, sizeof out);
			kernels->narrow(out, words, n, depths[d]);
			/* What exceeds the depth is white, not wrapped. */
			for (unsigned i = 0; i < n; i++) {
				unsigned want = ((first + i) & 0xffff) >> shift;

				assert_int_equal(out[i], want > 255 ? 255 : want);
			}
			assert_int_equal(out[n], GUARD);
		}
	}
}

static void check_reverse(const struct kernels *kernels)
{
	uint8_t in[MOST + 1], out[MOST + 1];

	for (size_t n = 0; n < MOST; n++) {
		fill(in, sizeof in);
		memset(out, GUARD, sizeof out);
		kernels->reverse(out, in + n % 2, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(out[i], in[n % 2 + n - 1 - i]);
		assert_int_equal(out[n], GUARD);
	}
}

static void check_accumulate(const struct kernels *kernels)
{
	static const uint16_t times[] = {1, 2, 128, 255, 256};
	uint8_t samples[MOST];
	uint16_t sums[MOST + 1];

	for (size_t n = 0; n < MOST; n++)
		for (size_t t = 0; t < sizeof times / sizeof times[0]; t++) {
			fill(samples, sizeof samples);
			for (size_t i = 0; i <= n; i++)
				sums[i] = (uint16_t)i;
			samples[0] = 255;
			kernels->accumulate(sums, samples, n, times[t]);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(sums[i], i + samples[i] * times[t]);
			assert_int_equal(sums[n], n);
		}
}

static void every_set_takes_rows_apart_exactly(void **state)
{
	(void)state;
	with_every_set(check_deinterleave);
	with_every_set(check_average);
	with_every_set(check_narrow);
	with_every_set(check_reverse);
	with_every_set(check_accumulate);
}

/* ---- colour ---- */

/* The planes of a picture row, and what lies behind them. */
struct planes {
	uint8_t y[2 * MOST + 1], cb[MOST + 1], cr[MOST + 1];
};

/* Two kernels change a copy each of the same n pairs: the same comes out, and nothing beyond. */
static void check_planes(const struct kernels *kernels, const struct colour *colour, size_t n)
{
	struct planes in, ours, plain;

	fill((uint8_t *)&in, sizeof in);
	ours = plain = in;
	kernels->convert_luma(colour, ours.y, ours.cb, ours.cr, n);
	kernels->convert_chroma(colour, ours.cb, ours.cr, n);
	kernels_plain.convert_luma(colour, plain.y, plain.cb, plain.cr, n);
	kernels_plain.convert_chroma(colour, plain.cb, plain.cr, n);
	assert_memory_equal(&ours, &plain, sizeof ours);
	assert_int_equal(ours.y[2 * n], in.y[2 * n]);
	assert_int_equal(ours.cb[n], in.cb[n]);

	/* From odd addresses. */
	ours = plain = in;
	kernels->expand_luma(colour, ours.y + 1, n);
	kernels->expand_chroma(colour, ours.cb + 1, ours.cr + 1, n);
	kernels_plain.expand_luma(colour, plain.y + 1, n);
	kernels_plain.expand_chroma(colour, plain.cb + 1, plain.cr + 1, n);
	assert_memory_equal(&ours, &plain, sizeof ours);
	assert_int_equal(ours.y[0], in.y[0]);
}

static void check_colour(const struct kernels *kernels)
{
	for (enum frame_encoding e = FRAME_BT601; e <= FRAME_SMPTE240M; e++)
		for (enum frame_range r = FRAME_FULL_RANGE; r <= FRAME_LIMITED_RANGE; r++) {
			struct colour colour;

			colour_init(&colour, e, r);
			for (size_t n = 0; n < MOST; n++)
				check_planes(kernels, &colour, n);
		}
}

static void every_set_makes_the_same_colours(void **state)
{
	(void)state;
	with_every_set(check_colour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_set_takes_rows_apart_exactly),
		cmocka_unit_test(every_set_makes_the_same_colours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
