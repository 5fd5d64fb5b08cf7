/* Rows taken apart, bit for bit against one sample at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/videodev2.h>

#include "encode/rows.h"

#define MOST 80 /* samples in a row */

/* A frame whose samples are a function of component and place. */
static uint8_t sample(unsigned component, size_t x, size_t y)
{
	return (uint8_t)(component * 85 + x * 7 + y * 31 + x * y * 3);
}

/*
 * at: for packed formats the bytes of Y, Cb, Y, Cr; for semi-planar ones those of Cb and Cr; for
 * planar ones their planes.
 */
static const struct kind {
	uint32_t fourcc;
	enum { PACKED, SEMI_PLANAR, PLANAR } layout;
	unsigned chroma_rows_per;
	unsigned at[4];
} kinds[] = {
	{V4L2_PIX_FMT_YUYV, PACKED, 1, {0, 1, 2, 3}},
	{V4L2_PIX_FMT_YVYU, PACKED, 1, {0, 3, 2, 1}},
	{V4L2_PIX_FMT_UYVY, PACKED, 1, {1, 0, 3, 2}},
	{V4L2_PIX_FMT_VYUY, PACKED, 1, {1, 2, 3, 0}},
	{V4L2_PIX_FMT_NV12, SEMI_PLANAR, 2, {0, 1}},
	{V4L2_PIX_FMT_NV12M, SEMI_PLANAR, 2, {0, 1}},
	{V4L2_PIX_FMT_NV21, SEMI_PLANAR, 2, {1, 0}},
	{V4L2_PIX_FMT_NV21M, SEMI_PLANAR, 2, {1, 0}},
	{V4L2_PIX_FMT_NV16, SEMI_PLANAR, 1, {0, 1}},
	{V4L2_PIX_FMT_NV61, SEMI_PLANAR, 1, {1, 0}},
	{V4L2_PIX_FMT_YUV420, PLANAR, 2, {1, 2}},
	{V4L2_PIX_FMT_YUV420M, PLANAR, 2, {1, 2}},
	{V4L2_PIX_FMT_YVU420, PLANAR, 2, {2, 1}},
	{V4L2_PIX_FMT_YUV422P, PLANAR, 1, {1, 2}},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static void set_samples(const struct kind *kind, uint8_t *const planes[3], size_t stride,
	size_t pairs, size_t height)
{
	for (size_t y = 0; y < height; y++)
		for (size_t x = 0; x < 2 * pairs; x++) {
			size_t byte = kind->layout == PACKED ? x / 2 * 4 + kind->at[x % 2 * 2] : x;

			planes[0][y * stride + byte] = sample(0, x, y);
		}
	for (size_t y = 0; y * kind->chroma_rows_per < height; y++)
		for (size_t x = 0; x < pairs; x++)
			for (unsigned c = 0; c < 2; c++) {
				uint8_t value = sample(1 + c, x, y);

				if (kind->layout == PACKED)
					planes[0][y * stride + x * 4 + kind->at[1 + 2 * c]] = value;
				else if (kind->layout == SEMI_PLANAR)
					planes[1][y * stride + x * 2 + kind->at[c]] = value;
				else
					planes[kind->at[c]][y * stride + x] = value;
			}
}

static void check_group(
	const struct kind *kind, const struct frame *frame, uint32_t row, uint32_t n)
{
	static uint8_t memory[7][MOST];
	struct rows_group group = {.y = {memory[0], memory[1]},
		.cb = memory[2],
		.cr = memory[3],
		.scratch = {memory[4], memory[5], memory[6]}};
	const uint8_t *chroma[] = {group.cb, group.cr};

	rows_read(pixel_format_find(kind->fourcc), frame, row, n, &group);
	for (uint32_t i = 0; i < n; i++)
		for (size_t x = 0; x < frame->width; x++)
			assert_int_equal(group.y[i][x], sample(0, x, row + i));
	for (unsigned c = 0; c < 2; c++)
		for (size_t x = 0; x * 2 < frame->width; x++) {
			unsigned want = sample(1 + c, x, row / kind->chroma_rows_per);

			if (n == 2 && kind->chroma_rows_per == 1)
				want = (want + sample(1 + c, x, row + 1) + 1) / 2;
			assert_int_equal(chroma[c][x], want);
		}
}

static void every_format_is_split_exactly(void **state)
{
	enum { STRIDE = 2 * MOST, HEIGHT = 5 };
	uint8_t *planes[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		planes[i] = malloc(STRIDE * HEIGHT);
	for (size_t k = 0; k < N_KINDS; k++)
		for (uint32_t width = 1; width <= 66; width++) {
			struct frame frame = {.fourcc = kinds[k].fourcc,
				.width = width,
				.height = HEIGHT,
				.n_planes = 3};

			for (int i = 0; i < 3; i++)
				frame.planes[i] = (struct frame_plane){.data = planes[i],
					.stride_bytes = STRIDE,
					.size_bytes = STRIDE * HEIGHT};
			set_samples(&kinds[k], planes, STRIDE, (width + 1) / 2, HEIGHT);
			assert_true(pixels_fit(pixel_format_find(kinds[k].fourcc), &frame));
			check_group(&kinds[k], &frame, 0, 2);
			check_group(&kinds[k], &frame, 2, 2);
			check_group(&kinds[k], &frame, 3, 1);
			check_group(&kinds[k], &frame, 4, 1);
		}
	for (int i = 0; i < 3; i++)
		free(planes[i]);
}

static void odd_packed_rows_need_their_last_pair(void **state)
{
	uint8_t data[20] = {0};
	struct frame frame = {.fourcc = V4L2_PIX_FMT_YUYV,
		.width = 5,
		.height = 1,
		.n_planes = 1,
		.planes[0] = {.data = data, .stride_bytes = 10, .size_bytes = 20}};
	const struct pixel_format *format = pixel_format_find(frame.fourcc);

	(void)state;
	assert_false(pixels_fit(format, &frame));
	frame.planes[0].stride_bytes = 12;
	assert_true(pixels_fit(format, &frame));
	frame.planes[0].size_bytes = 11;
	assert_false(pixels_fit(format, &frame));
}

static void unknown_formats_are_not_found(void **state)
{
	(void)state;
	assert_null(pixel_format_find(0));
	assert_null(pixel_format_find(V4L2_PIX_FMT_MJPEG));
	assert_null(pixel_format_find(V4L2_PIX_FMT_SBGGR8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_is_split_exactly),
		cmocka_unit_test(odd_packed_rows_need_their_last_pair),
		cmocka_unit_test(unknown_formats_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
