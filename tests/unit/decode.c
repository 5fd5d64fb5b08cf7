/* Cameras' JPEGs as raw frames: every sampling, size and scale, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <linux/videodev2.h>

#include "base/pixels.h"
#include "encode/decode.h"
#include "process/canvas.h"

struct kind {
	J_COLOR_SPACE colours;
	int h, v; /* of luma; of chroma 1 */
	bool progressive;
	uint32_t fourcc; /* that it is decoded to; 0 when it is refused */
};

static const struct kind kinds[] = {
	{JCS_YCbCr, 2, 2, false, V4L2_PIX_FMT_YUV420},
	{JCS_YCbCr, 2, 1, false, V4L2_PIX_FMT_YUV422P},
	{JCS_YCbCr, 1, 1, false, V4L2_PIX_FMT_YUV422P},
	{JCS_YCbCr, 1, 2, false, V4L2_PIX_FMT_YUV420},
	{JCS_YCbCr, 2, 2, true, V4L2_PIX_FMT_YUV420},
	{JCS_GRAYSCALE, 1, 1, false, V4L2_PIX_FMT_GREY},
	{JCS_GRAYSCALE, 2, 2, false, V4L2_PIX_FMT_GREY},
	{JCS_YCbCr, 4, 1, false, 0},
	{JCS_RGB, 1, 1, false, 0},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static const uint32_t sizes[][2] = {{1, 1}, {16, 16}, {17, 9}, {33, 31}, {100, 75}};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

/* A slope across, one down, and one of both: the same at every scale. */
static double sample(unsigned component, double across, double down)
{
	return component == 0   ? 40 + 170 * across
	       : component == 1 ? 90 + 80 * down
				: 160 - 40 * across - 40 * down;
}

/* Returns a JPEG, to be freed. */
static uint8_t *encode(
	const struct kind *kind, uint32_t width, uint32_t height, unsigned long *ret_length)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	uint8_t *jpeg = NULL, *line = malloc((size_t)width * 3);

	*ret_length = 0;
	assert_non_null(line);
	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &jpeg, ret_length);
	c.image_width = width;
	c.image_height = height;
	c.input_components = kind->colours == JCS_GRAYSCALE ? 1 : 3;
	c.in_color_space = kind->colours;
	jpeg_set_defaults(&c);
	jpeg_set_colorspace(&c, kind->colours);
	jpeg_set_quality(&c, 100, TRUE);
	c.comp_info[0].h_samp_factor = kind->h;
	c.comp_info[0].v_samp_factor = kind->v;
	if (kind->progressive)
		jpeg_simple_progression(&c);
	jpeg_start_compress(&c, TRUE);
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t i = 0; i < width * (uint32_t)c.input_components; i++) {
			uint32_t x = i / (uint32_t)c.input_components;

			line[i] = (uint8_t)lrint(sample(i % (uint32_t)c.input_components,
				(x + 0.5) / width, (y + 0.5) / height));
		}
		(void)jpeg_write_scanlines(&c, &line, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	free(line);
	return jpeg;
}

/* The slopes, wherever a sample is not a part of the border's padding. */
static void check_slopes(const struct frame *frame, uint32_t width, uint32_t height, unsigned denom)
{
	struct canvas canvas;

	canvas_init(&canvas, pixel_format_find(frame->fourcc), frame);
	for (unsigned k = 0; k < canvas.n_components; k++) {
		const struct canvas_component *c = &canvas.components[k];

		for (uint32_t y = 0; y + 1 < c->height; y++)
			for (uint32_t x = 0; x + 1 < c->width; x++) {
				double across = (x + 0.5) * (denom << c->x_shift) / width;
				double down = (y + 0.5) * (denom << c->y_shift) / height;
				double expected = sample(k, across, down);

				if (fabs(canvas_get(&canvas, c, x, y) - expected) > 3)
					fail_msg("%ux%u: %u at %u,%u is %u, not %.1f", width,
						height, k, x, y, canvas_get(&canvas, c, x, y),
						expected);
			}
	}
}

ON_ENCODE static void samples_are_those_of_the_file(void **state)
{
	struct jpeg_decoder *decoder = *state;

	for (size_t i = 0; i < N_KINDS * N_SIZES * 4; i++) {
		const struct kind *kind = &kinds[i / 4 / N_SIZES];
		uint32_t width = sizes[i / 4 % N_SIZES][0], height = sizes[i / 4 % N_SIZES][1];
		unsigned denom = 1u << i % 4;
		struct frame frame = {.sequence = 7, .captured_ns = 8, .kept = true};
		unsigned long length;
		uint8_t *jpeg;
		int err;

		if (!kind->fourcc)
			continue;
		jpeg = encode(kind, width, height, &length);
		err = jpeg_decode(decoder, jpeg, length, denom, &frame);
		assert_int_equal(err, 0);
		assert_int_equal(frame.width, (width + denom - 1) / denom);
		assert_int_equal(frame.height, (height + denom - 1) / denom);
		assert_true(pixels_fit(pixel_format_find(frame.fourcc), &frame));
		if (denom == 1)
			assert_int_equal(frame.fourcc, kind->fourcc);
		assert_false(frame.kept);
		assert_int_equal(frame.range, FRAME_FULL_RANGE);
		assert_int_equal(frame.sequence + frame.captured_ns, 15);
		check_slopes(&frame, width, height, denom);
		free(jpeg);
	}
}

ON_ENCODE static void what_no_raw_format_has_is_refused(void **state)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		struct frame frame = {.width = 99};
		unsigned long length;
		uint8_t *jpeg = encode(&kinds[i], 33, 31, &length);

		if (!kinds[i].fourcc) {
			assert_int_equal(jpeg_decode(*state, jpeg, length, 1, &frame), -EOPNOTSUPP);
			assert_int_equal(frame.width, 99);
		}
		free(jpeg);
	}
}

/* Where a JPEG says how large it is: behind the marker of its frame. */
static uint8_t *find_size(uint8_t *jpeg, size_t length)
{
	static const uint8_t sof[] = {0xff, 0xc0, 0, 17, 8};
	uint8_t *found = memmem(jpeg, length, sof, sizeof sof);

	assert_non_null(found);
	return found + sizeof sof;
}

ON_ENCODE static void what_is_broken_costs_one_picture(void **state)
{
	struct frame frame = {0};
	unsigned long length;
	uint8_t *jpeg = encode(&kinds[0], 33, 31, &length), *size = find_size(jpeg, length);
	uint8_t whole[4];

	memcpy(whole, size, sizeof whole);
	assert_int_equal(jpeg_decode(*state, jpeg, 20, 1, &frame), -EBADMSG);
	assert_int_equal(jpeg_decode(*state, jpeg, 0, 1, &frame), -EBADMSG);
	assert_int_equal(jpeg_decode(*state, jpeg, length, 1, &frame), 0);
	/* More than its bytes can say, and more than there is room for. */
	memcpy(size, "\x10\x00\x10\x00", 4);
	assert_int_equal(jpeg_decode(*state, jpeg, length, 1, &frame), -EBADMSG);
	memcpy(size, "\xff\x00\xff\x00", 4);
	assert_int_equal(jpeg_decode(*state, jpeg, length, 1, &frame), -EOPNOTSUPP);
	memcpy(size, whole, 4);
	assert_int_equal(jpeg_decode(*state, jpeg, length, 1, &frame), 0);
	check_slopes(&frame, 33, 31, 1);
	free(jpeg);
}

static int open_decoder(void **state)
{
	return jpeg_decoder_create((struct jpeg_decoder **)state);
}

static int close_decoder(void **state)
{
	jpeg_decoder_destroy(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_those_of_the_file),
		cmocka_unit_test(what_no_raw_format_has_is_refused),
		cmocka_unit_test(what_is_broken_costs_one_picture),
	};

	return cmocka_run_group_tests(tests, open_decoder, close_decoder);
}
