/* Fixed point against the exact conversion, in double precision by way of R'G'B'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "encode/colour.h"

static const double red_weight[] = {0.299, 0.2126, 0.2627, 0.212};
static const double blue_weight[] = {0.114, 0.0722, 0.0593, 0.087};

static double clamp(double value)
{
	return fmin(fmax(value, 0), 255);
}

/* Full-range BT.601 Y, Cb and Cr, in levels, of samples that mean something else. */
static void convert_exactly(
	enum frame_encoding encoding, enum frame_range range, const uint8_t in[3], double out[3])
{
	double kr = red_weight[encoding], kb = blue_weight[encoding], kg = 1 - kr - kb;
	double y = range == FRAME_LIMITED_RANGE ? (in[0] - 16) / 219.0 : in[0] / 255.0;
	double chroma = range == FRAME_LIMITED_RANGE ? 224 : 255;
	double cb = (in[1] - 128) / chroma, cr = (in[2] - 128) / chroma;
	double r = y + 2 * (1 - kr) * cr, b = y + 2 * (1 - kb) * cb;
	double g = (y - kr * r - kb * b) / kg;

	y = 0.299 * r + 0.587 * g + 0.114 * b;
	out[0] = clamp(255 * y);
	out[1] = clamp(128 + 255 * (b - y) / 1.772);
	out[2] = clamp(128 + 255 * (r - y) / 1.402);
}

/* Every luma with a spread of chromas that includes the extremes. */
static void conversion_is_exact_to_one_level(void **state)
{
	static const uint8_t chromas[] = {
		0, 1, 15, 16, 17, 40, 64, 90, 127, 128, 129, 150, 200, 239, 240, 241, 254, 255};
	uint8_t y[256], cb[128], cr[128];
	double want[3];

	(void)state;
	for (enum frame_encoding e = FRAME_BT601; e <= FRAME_SMPTE240M; e++)
		for (enum frame_range r = FRAME_FULL_RANGE; r <= FRAME_LIMITED_RANGE; r++)
			for (size_t c = 0; c < sizeof chromas * sizeof chromas; c++) {
				uint8_t u = chromas[c % sizeof chromas];
				uint8_t v = chromas[c / sizeof chromas];
				struct colour colour;

				for (int i = 0; i < 256; i++)
					y[i] = (uint8_t)i;
				memset(cb, u, sizeof cb);
				memset(cr, v, sizeof cr);
				colour_init(&colour, e, r);
				colour_convert_luma(&colour, y, cb, cr, 128);
				colour_convert_chroma(&colour, cb, cr, 128);
				for (int i = 0; i < 256; i++) {
					convert_exactly(e, r, (uint8_t[]){(uint8_t)i, u, v}, want);
					assert_true(fabs(y[i] - want[0]) < 1);
					assert_true(fabs(cb[i / 2] - want[1]) < 1);
					assert_true(fabs(cr[i / 2] - want[2]) < 1);
				}
			}
}

/* Neighbours do not leak into each other, whatever the length. */
static void each_pair_uses_its_own_chroma(void **state)
{
	uint8_t y[2 * 67], cb[67], cr[67], in_y[2 * 67], in_cb[67], in_cr[67];
	uint32_t random = 7;
	double want[3];

	(void)state;
	for (enum frame_encoding e = FRAME_BT601; e <= FRAME_SMPTE240M; e++)
		for (size_t n = 1; n <= 67; n++) {
			struct colour colour;

			for (size_t i = 0; i < n; i++) {
				random = random * 1664525 + 1013904223;
				in_y[2 * i] = (uint8_t)random >> 3;
				in_y[2 * i + 1] = (uint8_t)(random >> 8);
				in_cb[i] = (uint8_t)(random >> 16);
				in_cr[i] = (uint8_t)(random >> 24);
			}
			memcpy(y, in_y, sizeof y);
			memcpy(cb, in_cb, sizeof cb);
			memcpy(cr, in_cr, sizeof cr);
			colour_init(&colour, e, FRAME_LIMITED_RANGE);
			colour_convert_luma(&colour, y, cb, cr, n);
			colour_convert_chroma(&colour, cb, cr, n);
			for (size_t i = 0; i < 2 * n; i++) {
				convert_exactly(e, FRAME_LIMITED_RANGE,
					(uint8_t[]){in_y[i], in_cb[i / 2], in_cr[i / 2]}, want);
				assert_true(fabs(y[i] - want[0]) < 1);
				assert_true(fabs(cb[i / 2] - want[1]) < 1);
				assert_true(fabs(cr[i / 2] - want[2]) < 1);
			}
		}
}

static void jfif_colours_need_nothing(void **state)
{
	struct colour colour;

	(void)state;
	colour_init(&colour, FRAME_BT601, FRAME_FULL_RANGE);
	assert_true(colour.identity);
	for (enum frame_encoding e = FRAME_BT601; e <= FRAME_SMPTE240M; e++) {
		colour_init(&colour, e, FRAME_LIMITED_RANGE);
		assert_false(colour.identity);
		assert_int_equal(colour.same_matrix, e == FRAME_BT601);
	}
}

static void grey_stays_grey_and_keeps_its_ends(void **state)
{
	(void)state;
	for (enum frame_encoding e = FRAME_BT601; e <= FRAME_SMPTE240M; e++) {
		uint8_t y[] = {0, 16, 235, 255}, cb[] = {128, 128}, cr[] = {128, 128};
		uint8_t full[] = {0, 1, 254, 255};
		struct colour colour;

		colour_init(&colour, e, FRAME_LIMITED_RANGE);
		colour_convert_luma(&colour, y, cb, cr, 2);
		colour_convert_chroma(&colour, cb, cr, 2);
		assert_memory_equal(y, "\x00\x00\xff\xff", 4);
		assert_memory_equal(cb, "\x80\x80", 2);
		assert_memory_equal(cr, "\x80\x80", 2);

		colour_init(&colour, e, FRAME_FULL_RANGE);
		colour_convert_luma(&colour, full, cb, cr, 2);
		assert_memory_equal(full, "\x00\x01\xfe\xff", 4);
	}
}

static void expansion_reaches_both_ends(void **state)
{
	struct colour colour;
	uint8_t samples[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		samples[i] = (uint8_t)i;
	colour_init(&colour, FRAME_BT601, FRAME_LIMITED_RANGE);
	colour_expand(&colour, samples, sizeof samples);
	for (int i = 0; i < 256; i++)
		assert_true(fabs(samples[i] - clamp((i - 16) * 255 / 219.0)) < 0.6);
	assert_int_equal(samples[16], 0);
	assert_int_equal(samples[235], 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversion_is_exact_to_one_level),
		cmocka_unit_test(each_pair_uses_its_own_chroma),
		cmocka_unit_test(jfif_colours_need_nothing),
		cmocka_unit_test(grey_stays_grey_and_keeps_its_ends),
		cmocka_unit_test(expansion_reaches_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
