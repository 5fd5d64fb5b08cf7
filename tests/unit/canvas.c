/* Frames that a screen cannot show as they are, drawn: their colours, their place, and no more. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <linux/videodev2.h>

#include "preview/canvas.h"

/* Of red, green and blue. */
static const int jpeg_tolerance[3] = {4, 4, 4};
/* libyuv's arithmetic is of 6 bits, */
static const int tolerance[3] = {3, 3, 3};
/* and its factors are below 2: blue's is 2.11 in limited range of BT.709, 2.14 of BT.2020. */
static const int blue_tolerance[3] = {3, 3, 12};

#define WIDTH        40
#define HEIGHT       20
#define STRIDE       (WIDTH * 4 + 64)
#define UNTOUCHED    0x5a
#define FRAME_STRIDE 2048

static uint8_t memory[(HEIGHT + 2) * STRIDE];
static uint8_t pixels[3][64 * FRAME_STRIDE];
static stat_counter copied;

/* A canvas with room around it that is not its own. */
static struct canvas blank_canvas(void)
{
	memset(memory, UNTOUCHED, sizeof memory);
	atomic_store(&copied, 0);
	return (struct canvas){.data = memory + STRIDE,
		.size_bytes = HEIGHT * STRIDE,
		.width = WIDTH,
		.height = HEIGHT,
		.stride_bytes = STRIDE};
}

static void assert_only_middle_is_drawn(uint32_t width, uint32_t height)
{
	uint32_t left = (WIDTH - width) / 2, top = 1 + (HEIGHT - height) / 2;

	for (uint32_t y = 0; y < HEIGHT + 2; y++)
		for (uint32_t x = 0; x < STRIDE; x++)
			if (y < top || y >= top + height || x < 4 * left || x >= 4 * (left + width))
				assert_int_equal(memory[y * STRIDE + x], UNTOUCHED);
	assert_int_equal(atomic_load(&copied), width * height * 4);
}

static void assert_drawn(uint32_t width, uint32_t height, const uint8_t rgb[3], const int most[3])
{
	uint32_t left = (WIDTH - width) / 2, top = 1 + (HEIGHT - height) / 2;

	assert_only_middle_is_drawn(width, height);
	for (uint32_t y = top; y < top + height; y++)
		for (uint32_t x = left; x < left + width; x++)
			for (uint32_t i = 0; i < 3; i++)
				assert_true(abs(memory[y * STRIDE + 4 * x + 2 - i] - rgb[i]) <=
					    most[i]);
}

/* The exact samples of a colour, by the definitions. */
static void samples_of(const uint8_t rgb[3], enum frame_encoding encoding, enum frame_range range,
	uint8_t ret_ycbcr[3])
{
	static const double red_blue[][2] = {
		[FRAME_BT601] = {0.299, 0.114},
		[FRAME_BT709] = {0.2126, 0.0722},
		[FRAME_BT2020] = {0.2627, 0.0593},
	};
	double r = rgb[0] / 255.0, g = rgb[1] / 255.0, b = rgb[2] / 255.0;
	double kr = red_blue[encoding][0], kb = red_blue[encoding][1];
	double y = kr * r + (1 - kr - kb) * g + kb * b;
	bool full = range == FRAME_FULL_RANGE;

	ret_ycbcr[0] = (uint8_t)lrint(full ? 255 * y : 16 + 219 * y);
	ret_ycbcr[1] = (uint8_t)fmin(255, 128 + (full ? 255 : 224) * (b - y) / (2 * (1 - kb)) + .5);
	ret_ycbcr[2] = (uint8_t)fmin(255, 128 + (full ? 255 : 224) * (r - y) / (2 * (1 - kr)) + .5);
}

/* How the bytes of each plane repeat: a letter for a sample. */
static const struct layout {
	uint32_t fourcc;
	const char *planes[3];
} layouts[] = {
	{V4L2_PIX_FMT_YUYV, {"yuyv"}},
	{V4L2_PIX_FMT_UYVY, {"uyvy"}},
	{V4L2_PIX_FMT_NV12, {"y", "uv"}},
	{V4L2_PIX_FMT_NV12M, {"y", "uv"}},
	{V4L2_PIX_FMT_NV21, {"y", "vu"}},
	{V4L2_PIX_FMT_NV21M, {"y", "vu"}},
	{V4L2_PIX_FMT_YUV420, {"y", "u", "v"}},
	{V4L2_PIX_FMT_YUV420M, {"y", "u", "v"}},
	{V4L2_PIX_FMT_YUV422P, {"y", "u", "v"}},
	{V4L2_PIX_FMT_RGB24, {"rgb"}},
	{V4L2_PIX_FMT_BGR24, {"bgr"}},
	{V4L2_PIX_FMT_XBGR32, {"bgr "}},
	{V4L2_PIX_FMT_ABGR32, {"bgr "}},
};

static struct frame frame_of(const struct layout *layout, uint32_t width, uint32_t height,
	const uint8_t rgb[3], const uint8_t ycbcr[3])
{
	struct frame frame = {.fourcc = layout->fourcc, .width = width, .height = height};
	uint8_t value[256] = {['r'] = rgb[0],
		['g'] = rgb[1],
		['b'] = rgb[2],
		['y'] = ycbcr[0],
		['u'] = ycbcr[1],
		['v'] = ycbcr[2]};

	for (; frame.n_planes < 3 && layout->planes[frame.n_planes]; frame.n_planes++) {
		const char *pattern = layout->planes[frame.n_planes];
		uint8_t *plane = pixels[frame.n_planes];

		for (size_t i = 0; i < sizeof pixels[0]; i++)
			plane[i] = value[(uint8_t)pattern[i % FRAME_STRIDE % strlen(pattern)]];
		frame.planes[frame.n_planes] = (struct frame_plane){
			.data = plane, .stride_bytes = FRAME_STRIDE, .dmabuf_fd = -1};
	}
	return frame;
}

static const uint8_t colours[][3] = {{255, 255, 255}, {0, 0, 0}, {191, 0, 0}, {0, 191, 0},
	{0, 0, 191}, {191, 191, 0}, {30, 90, 180}};

ON_PREVIEW static void every_format_has_its_true_colours(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		for (size_t k = 0; k < sizeof colours / sizeof *colours; k++)
			for (int way = 0; way < 6; way++) {
				struct canvas canvas = blank_canvas();
				uint8_t ycbcr[3];
				struct frame frame;

				samples_of(colours[k], (enum frame_encoding)(way / 2),
					(enum frame_range)(way % 2), ycbcr);
				frame = frame_of(&layouts[i], 30, 16, colours[k], ycbcr);
				frame.encoding = (enum frame_encoding)(way / 2);
				frame.range = (enum frame_range)(way % 2);
				assert_int_equal(canvas_draw(&canvas, &frame, &copied), 0);
				assert_drawn(30, 16, colours[k],
					way == 3 || way == 5 ? blue_tolerance : tolerance);
			}
}

ON_PREVIEW static void grey_has_its_range(void **state)
{
	static const struct layout grey = {V4L2_PIX_FMT_GREY, {"y"}};
	static const uint8_t white[3] = {255, 255, 255};

	(void)state;
	for (int range = 0; range < 2; range++) {
		struct canvas canvas = blank_canvas();
		uint8_t ycbcr[3];
		struct frame frame;

		samples_of(white, FRAME_BT601, (enum frame_range)range, ycbcr);
		frame = frame_of(&grey, 30, 16, white, ycbcr);
		frame.range = (enum frame_range)range;
		assert_int_equal(canvas_draw(&canvas, &frame, &copied), 0);
		assert_drawn(30, 16, white, tolerance);
	}
}

ON_PREVIEW static void what_is_too_large_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
		static const uint8_t black[3], ycbcr[3] = {16, 128, 128};
		struct canvas canvas = blank_canvas();
		struct frame frame = frame_of(&layouts[i], 640, 40, black, ycbcr);

		frame.range = FRAME_LIMITED_RANGE;
		assert_int_equal(canvas_draw(&canvas, &frame, &copied), 0);
		assert_drawn(WIDTH, HEIGHT, black, tolerance);
	}
}

/* Packed pixels are unpacked in blocks; a wide row has several, each at its place. */
ON_PREVIEW static void wide_rows_are_whole(void **state)
{
	enum { wide = 1026 };
	static uint8_t drawn[wide * 4];
	struct canvas canvas = {.data = drawn,
		.size_bytes = sizeof drawn,
		.width = wide,
		.height = 1,
		.stride_bytes = sizeof drawn};
	static uint8_t row[wide * 2];
	struct frame frame = {.fourcc = V4L2_PIX_FMT_YUYV,
		.width = wide,
		.height = 1,
		.n_planes = 1,
		.planes = {{.data = row, .stride_bytes = sizeof row, .dmabuf_fd = -1}}};

	(void)state;
	for (size_t x = 0; x < wide; x++) {
		row[2 * x] = (uint8_t)(x / 5);
		row[2 * x + 1] = 128;
	}
	assert_int_equal(canvas_draw(&canvas, &frame, &copied), 0);
	for (size_t x = 0; x < wide; x++)
		assert_true(abs(drawn[4 * x] - (int)(x / 5)) <= tolerance[0]);
}

ON_PREVIEW static void unknown_format_is_refused(void **state)
{
	struct canvas canvas = blank_canvas();
	struct frame frame = {.fourcc = V4L2_PIX_FMT_SBGGR8, .width = 4, .height = 4};

	(void)state;
	assert_int_equal(canvas_draw(&canvas, &frame, &copied), -ENOTSUP);
	assert_only_middle_is_drawn(0, 0);
}

/* ---- JPEG ---- */

/* A picture of one colour; its bytes are to be freed. */
static struct frame jpeg_of(uint32_t width, uint32_t height, const uint8_t rgb[3], bool progressive)
{
	struct frame frame = {.fourcc = V4L2_PIX_FMT_MJPEG, .width = width, .height = height};
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	unsigned long bytes = 0;
	uint8_t row[3 * 512], *jpeg = NULL;
	JSAMPROW rows = row;

	for (size_t i = 0; i < sizeof row; i++)
		row[i] = rgb[i % 3];
	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &jpeg, &bytes);
	c.image_width = width;
	c.image_height = height;
	c.input_components = 3;
	c.in_color_space = JCS_RGB;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, 100, TRUE);
	if (progressive)
		jpeg_simple_progression(&c);
	jpeg_start_compress(&c, TRUE);
	while (c.next_scanline < height)
		(void)jpeg_write_scanlines(&c, &rows, 1);
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	frame.payload_bytes = (uint32_t)bytes;
	frame.n_planes = 1;
	frame.planes[0] = (struct frame_plane){.data = jpeg, .size_bytes = (uint32_t)bytes};
	return frame;
}

ON_PREVIEW static void jpeg_is_decoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
		struct frame frame = jpeg_of(30, 16, colours[i], false);
		struct canvas canvas = blank_canvas();

		assert_int_equal(canvas_draw(&canvas, &frame, &copied), 0);
		assert_drawn(30, 16, colours[i], jpeg_tolerance);
		free((uint8_t *)frame.planes[0].data);
	}
}

ON_PREVIEW static void jpeg_that_is_too_large_is_scaled_down(void **state)
{
	struct frame frame = jpeg_of(128, 72, colours[2], false);
	struct canvas canvas = blank_canvas();

	(void)state;
	assert_int_equal(canvas_draw(&canvas, &frame, &copied), 0);
	assert_drawn(32, 18, colours[2], jpeg_tolerance); /* two eighths */
	free((uint8_t *)frame.planes[0].data);
}

ON_PREVIEW static void jpeg_that_is_none_is_refused(void **state)
{
	struct frame several_scans = jpeg_of(30, 16, colours[2], true);
	struct frame too_large = jpeg_of(330, 16, colours[2], false);
	struct frame broken = jpeg_of(30, 16, colours[2], false);
	struct canvas canvas = blank_canvas();

	(void)state;
	broken.payload_bytes = 20;
	assert_int_equal(canvas_draw(&canvas, &several_scans, &copied), -EBADMSG);
	assert_int_equal(canvas_draw(&canvas, &too_large, &copied), -EBADMSG);
	assert_int_equal(canvas_draw(&canvas, &broken, &copied), -EBADMSG);
	broken.payload_bytes = 0;
	assert_int_equal(canvas_draw(&canvas, &broken, &copied), -EBADMSG);
	assert_only_middle_is_drawn(0, 0);
	free((uint8_t *)several_scans.planes[0].data);
	free((uint8_t *)too_large.planes[0].data);
	free((uint8_t *)broken.planes[0].data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_has_its_true_colours),
		cmocka_unit_test(grey_has_its_range),
		cmocka_unit_test(what_is_too_large_is_cut),
		cmocka_unit_test(wide_rows_are_whole),
		cmocka_unit_test(unknown_format_is_refused),
		cmocka_unit_test(jpeg_is_decoded),
		cmocka_unit_test(jpeg_that_is_too_large_is_scaled_down),
		cmocka_unit_test(jpeg_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
