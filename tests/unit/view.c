/* What orders do to frames of every format, against one sample at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>
#include <linux/videodev2.h>

#include "encode/view.h"
#include "frames.h"

#define MOST       200 /* samples in a row or column */
#define COMPONENTS 3   /* Y, Cb, Cr */

static const struct size sizes[] = {
	{1, 1}, {2, 3}, {17, 9}, {16, 16}, {63, 65}, {64, 34}, {129, 67}, {131, 33}};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

/* ---- what is expected: planes that are turned whole ---- */

struct planes {
	uint32_t width[COMPONENTS], height[COMPONENTS];
	double samples[COMPONENTS][MOST][MOST]; /* by row and column */
};

/* The planes of a frame as it lies, upside down if so; its chroma is that of pairs of rows. */
static void read_planes(const struct frame *frame, bool flipped, struct planes *planes)
{
	const struct pixel_format *format = pixel_format_find(frame->fourcc);
	uint8_t rows[7][2 * MOST + 64];
	struct rows_group group = {.y = {rows[0], rows[1]},
		.cb = rows[2],
		.cr = rows[3],
		.scratch = {rows[4], rows[5], rows[6]}};
	bool grey = format->layout == PIXELS_GREY;

	for (unsigned c = 0; c < COMPONENTS; c++) {
		planes->width[c] = !c ? frame->width : grey ? 0 : (frame->width + 1) / 2;
		planes->height[c] = !c ? frame->height : grey ? 0 : (frame->height + 1) / 2;
	}
	for (uint32_t row = 0; row < frame->height; row++) {
		rows_read(format, frame, flipped ? frame->height - 1 - row : row, 1, &group);
		for (uint32_t x = 0; x < frame->width; x++)
			planes->samples[0][row][x] = rows[0][x];
		for (uint32_t x = 0; x < planes->width[1]; x++)
			for (unsigned c = 1; c < COMPONENTS; c++) {
				double *sample = &planes->samples[c][row / 2][x];

				/* The mean of both, or the row that 4:2:0 has of them. */
				if (row % 2 == 0)
					*sample = rows[1 + c][x];
				else if (!format->chroma_420)
					*sample = (*sample + rows[1 + c][x]) / 2;
			}
	}
}

static void turn_planes(
	const struct planes *in, const struct frame_order *order, struct planes *out)
{
	for (unsigned c = 0; c < COMPONENTS; c++) {
		uint32_t width = in->width[c], height = in->height[c];

		out->width[c] = order->transposed ? height : width;
		out->height[c] = order->transposed ? width : height;
		for (uint32_t y = 0; y < height; y++)
			for (uint32_t x = 0; x < width; x++) {
				double sample =
					in->samples[c][y][order->mirrored ? width - 1 - x : x];

				if (order->transposed)
					out->samples[c][x][y] = sample;
				else
					out->samples[c][y][x] = sample;
			}
	}
}

/* How much of [a, a + 1) lies between from and to. */
static double overlap(double a, double from, double to)
{
	return fmax(0, fmin(a + 1, to) - fmax(a, from));
}

/* The mean of the area that each sample stands for. */
static void scale_planes(
	const struct planes *in, uint32_t width, uint32_t height, struct planes *out)
{
	for (unsigned c = 0; c < COMPONENTS; c++) {
		out->width[c] = !in->width[c] ? 0 : c ? (width + 1) / 2 : width;
		out->height[c] = !in->width[c] ? 0 : c ? (height + 1) / 2 : height;
		for (uint32_t y = 0; y < out->height[c]; y++)
			for (uint32_t x = 0; x < out->width[c]; x++) {
				double down = (double)in->height[c] / out->height[c];
				double across = (double)in->width[c] / out->width[c], sum = 0;

				/* Where it might, so as not to look at all of them each time. */
				for (uint32_t v = (uint32_t)(y * down);
					v < in->height[c] && v < (y + 1) * down; v++)
					for (uint32_t u = (uint32_t)(x * across);
						u < in->width[c] && u < (x + 1) * across; u++)
						sum += in->samples[c][v][u] *
						       overlap(v, y * down, (y + 1) * down) *
						       overlap(u, x * across, (x + 1) * across);
				out->samples[c][y][x] = sum / (down * across);
			}
	}
}

/* ---- what comes out ---- */

static void check_row(const struct planes *expected, unsigned component, uint32_t row,
	const uint8_t *samples, double tolerance)
{
	for (uint32_t x = 0; x < expected->width[component]; x++)
		if (fabs(samples[x] - expected->samples[component][row][x]) > tolerance)
			fail_msg("component %u of row %u, column %u: %u instead of %g", component,
				row, x, samples[x], expected->samples[component][row][x]);
}

/* Read a frame in its order, in steps of n rows, and hold it against planes. */
ON_ENCODE static void check_view(
	const struct frame *frame, uint32_t step, const struct planes *expected, double tolerance)
{
	const struct pixel_format *format = pixel_format_find(frame->fourcc);
	uint8_t rows[7][2 * MOST + 64];
	struct rows_group group = {.y = {rows[0], rows[1]},
		.cb = rows[2],
		.cr = rows[3],
		.scratch = {rows[4], rows[5], rows[6]}};
	struct view view = {0};

	assert_int_equal(frame_shown_width(frame), expected->width[0]);
	assert_int_equal(frame_shown_height(frame), expected->height[0]);
	assert_int_equal(view_set_up(&view, format, frame), 0);
	view_begin(&view);
	for (uint32_t row = 0; row < expected->height[0]; row += step) {
		uint32_t n = expected->height[0] - row < step ? expected->height[0] - row : step;

		view_read(&view, frame, row, n, &group);
		for (uint32_t i = 0; i < n; i++)
			check_row(expected, 0, row + i, group.y[i], tolerance);
		for (unsigned c = 1; c < COMPONENTS; c++)
			check_row(expected, c, row / 2, rows[1 + c], tolerance);
	}
	view_finish(&view);
}

static bool is_grey(const struct frame *frame)
{
	return pixel_format_find(frame->fourcc)->layout == PIXELS_GREY;
}

static struct frame_order order_of(unsigned i)
{
	return (struct frame_order){.mirrored = i & 1, .flipped = i & 2, .transposed = i & 4};
}

ON_ENCODE static void every_order_of_every_format_is_exact(void **state)
{
	static struct planes lying, expected;

	(void)state;
	for (size_t f = 0; f < N_FORMATS; f++)
		for (size_t s = 0; s < N_SIZES; s++) {
			struct frame frame = make_frame(formats[f], sizes[s], FRAME_FULL_RANGE);

			for (unsigned i = 0; i < 8; i++) {
				frame.order = order_of(i);
				read_planes(&frame, frame.order.flipped, &lying);
				turn_planes(&lying, &frame.order, &expected);
				/* Means are rounded, of RGB twice over. */
				check_view(&frame, 2, &expected, 1);
				if (is_grey(&frame))
					check_view(&frame, 1, &expected, 0);
			}
			free_frame(&frame);
		}
}

ON_ENCODE static void scaled_pictures_are_means_of_areas(void **state)
{
	static const struct {
		struct size from, to;
	} scales[] = {{{128, 64}, {64, 32}}, {{128, 64}, {32, 16}}, {{128, 64}, {16, 8}},
		{{131, 67}, {65, 33}}, {{131, 67}, {100, 66}}, {{90, 51}, {90, 17}},
		{{51, 90}, {7, 90}}, {{130, 70}, {1, 1}}, {{3, 2}, {2, 1}}};
	static struct planes lying, scaled, expected;

	(void)state;
	for (size_t f = 0; f < N_FORMATS; f++)
		for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
			struct frame frame = make_frame(
				formats[f], scales[s].from, FRAME_FULL_RANGE);
			uint32_t width = scales[s].to.width, height = scales[s].to.height;

			for (unsigned i = 0; i < 8; i++) {
				frame.order = order_of(i);
				frame.order.width = i & 4 ? height : width;
				frame.order.height = i & 4 ? width : height;
				read_planes(&frame, frame.order.flipped, &lying);
				scale_planes(&lying, width, height, &scaled);
				turn_planes(&scaled, &frame.order, &expected);
				/* Each direction weighs in 1/256, and rounds. */
				check_view(&frame, 2, &expected, 2);
				if (is_grey(&frame))
					check_view(&frame, 1, &expected, 2);
			}
			free_frame(&frame);
		}
}

/* As slices do: each is read by a view of its own, from the middle of a strip on. */
ON_ENCODE static void rows_may_be_read_from_anywhere(void **state)
{
	struct frame frame = make_frame(
		V4L2_PIX_FMT_NV12, (struct size){131, 66}, FRAME_FULL_RANGE);
	static struct planes lying, expected;
	uint8_t rows[7][2 * MOST];
	struct rows_group group = {.y = {rows[0], rows[1]},
		.cb = rows[2],
		.cr = rows[3],
		.scratch = {rows[4], rows[5], rows[6]}};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct view view = {0};

		frame.order = order_of(i);
		read_planes(&frame, frame.order.flipped, &lying);
		turn_planes(&lying, &frame.order, &expected);
		assert_int_equal(view_set_up(&view, pixel_format_find(frame.fourcc), &frame), 0);
		view_begin(&view);
		for (uint32_t k = 0; k + 1 < expected.height[0]; k += 2) {
			uint32_t row = k * 46 % (expected.height[0] - 1) & ~1u;

			view_read(&view, &frame, row, 2, &group);
			check_row(&expected, 0, row, rows[0], 0);
			check_row(&expected, 0, row + 1, rows[1], 0);
			check_row(&expected, 1, row / 2, rows[2], 0);
			check_row(&expected, 2, row / 2, rows[3], 0);
		}
		view_finish(&view);
	}
	free_frame(&frame);
}

ON_ENCODE static void nothing_is_scaled_up(void **state)
{
	struct frame frame = make_frame(V4L2_PIX_FMT_YUYV, (struct size){64, 32}, FRAME_FULL_RANGE);
	const struct pixel_format *format = pixel_format_find(frame.fourcc);
	struct view view = {0};

	(void)state;
	frame.order = (struct frame_order){.width = 65, .height = 32};
	assert_int_equal(view_set_up(&view, format, &frame), -EINVAL);
	frame.order = (struct frame_order){.width = 64, .height = 32, .transposed = true};
	assert_int_equal(view_set_up(&view, format, &frame), -EINVAL);
	view_finish(&view);
	free_frame(&frame);
}

/* A part is as the whole with everything else cut away. */
static void parts_of_every_format_are_those_pixels(void **state)
{
	static struct planes whole, part;

	(void)state;
	for (size_t f = 0; f < N_FORMATS; f++) {
		const struct pixel_format *format = pixel_format_find(formats[f]);
		struct frame frame = make_frame(
				     formats[f], (struct size){65, 47}, FRAME_FULL_RANGE),
			     cut = frame;

		pixels_crop(format, &cut, 14, 6, 51, 41);
		assert_true(pixels_fit(format, &cut));
		assert_int_equal(cut.planes[0].data - frame.planes[0].data,
			cut.planes[0].offset_bytes - frame.planes[0].offset_bytes);
		read_planes(&frame, false, &whole);
		read_planes(&cut, false, &part);
		for (unsigned c = 0; c < COMPONENTS; c++)
			for (uint32_t y = 0; y < part.height[c]; y++)
				for (uint32_t x = 0; x < part.width[c]; x++)
					assert_true(part.samples[c][y][x] ==
						    whole.samples[c][y + (c ? 3 : 6)]
								 [x + (c ? 7 : 14)]);
		free_frame(&frame);
	}
}

ON_ENCODE int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_of_every_format_is_exact),
		cmocka_unit_test(scaled_pictures_are_means_of_areas),
		cmocka_unit_test(rows_may_be_read_from_anywhere),
		cmocka_unit_test(nothing_is_scaled_up),
		cmocka_unit_test(parts_of_every_format_are_those_pixels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
