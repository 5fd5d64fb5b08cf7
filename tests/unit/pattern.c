#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <linux/videodev2.h>

#include "base/fd.h"
#include "base/stamp.h"
#include "camera/camera.h"
#include "camera/formats.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define BUFFERS 6

static const char *const drawn[] = {"YUYV", "UYVY", "YVYU", "VYUY", "NV12", "NV21", "NV16", "NV61",
	"YU12", "YV12", "422P", "GREY", "RGB3", "BGR3", "XR24", "BX24", "AR24"};

/* ---- helpers ---- */

static struct camera_stats stats;

ON_CAPTURE static struct camera *start_pattern(
	struct camera_config *config, const char *format, uint32_t width, uint32_t height)
{
	char reason[CAMERA_REASON_BYTES] = "";
	struct camera *camera;

	memset(&stats, 0, sizeof stats);
	*config = (struct camera_config){.name = "test",
		.source = "pattern",
		.width = width,
		.height = height,
		.fps = 240,
		.fourcc = format_parse(format)};
	assert_int_equal(camera_open(config, &stats, &camera, reason), 0);
	assert_int_equal(camera_start(camera), 0);
	return camera;
}

ON_CAPTURE static void stop_pattern(struct camera *camera)
{
	camera_stop(camera);
	camera_close(camera);
}

/* The next frame, however long it takes. */
ON_CAPTURE static struct frame borrow(struct camera *camera)
{
	struct frame frame;
	int err;

	do {
		assert_int_equal(fd_wait(camera_poll_fd(camera), -1, UINT64_MAX), 1);
		err = camera_borrow(camera, &frame);
	} while (err == -EAGAIN);
	assert_int_equal(err, 0);
	return frame;
}

/* One byte of a plane's sample. */
static uint8_t byte_at(const struct frame *frame, size_t plane, size_t x_bytes, size_t y)
{
	const struct frame_plane *p = &frame->planes[plane];
	size_t at = y * p->stride_bytes + x_bytes;

	assert_true(at < p->size_bytes);
	return p->data[at];
}

/* Luma, or green, of a pixel: what tells black from white in every format. */
static uint8_t brightness(const struct frame *frame, size_t x, size_t y)
{
	switch (frame->fourcc) {
	case V4L2_PIX_FMT_YUYV:
	case V4L2_PIX_FMT_YVYU:
		return byte_at(frame, 0, 2 * x, y);
	case V4L2_PIX_FMT_UYVY:
	case V4L2_PIX_FMT_VYUY:
		return byte_at(frame, 0, 2 * x + 1, y);
	case V4L2_PIX_FMT_RGB24:
	case V4L2_PIX_FMT_BGR24:
		return byte_at(frame, 0, 3 * x + 1, y);
	case V4L2_PIX_FMT_XBGR32:
	case V4L2_PIX_FMT_ABGR32:
		return byte_at(frame, 0, 4 * x + 1, y);
	case V4L2_PIX_FMT_XRGB32:
		return byte_at(frame, 0, 4 * x + 2, y);
	}
	return byte_at(frame, 0, x, y);
}

static void read_luma(const struct frame *frame, uint8_t luma[STAMP_HEIGHT * STAMP_WIDTH])
{
	for (size_t y = 0; y < STAMP_HEIGHT; y++)
		for (size_t x = 0; x < STAMP_WIDTH; x++)
			luma[y * STAMP_WIDTH + x] = brightness(frame, x, y);
}

/* A grey picture to JPEG and back, in place. */
static void through_jpeg(uint8_t *luma, uint32_t width, uint32_t height, int quality)
{
	struct jpeg_error_mgr errors;
	struct jpeg_compress_struct to = {.err = jpeg_std_error(&errors)};
	struct jpeg_decompress_struct from = {.err = &errors};
	unsigned char *jpeg = NULL;
	unsigned long length = 0;

	jpeg_create_compress(&to);
	jpeg_mem_dest(&to, &jpeg, &length);
	to.image_width = width;
	to.image_height = height;
	to.input_components = 1;
	to.in_color_space = JCS_GRAYSCALE;
	jpeg_set_defaults(&to);
	jpeg_set_quality(&to, quality, TRUE);
	jpeg_start_compress(&to, TRUE);
	while (to.next_scanline < height) {
		JSAMPROW row = luma + (size_t)to.next_scanline * width;

		jpeg_write_scanlines(&to, &row, 1);
	}
	jpeg_finish_compress(&to);
	jpeg_destroy_compress(&to);

	jpeg_create_decompress(&from);
	jpeg_mem_src(&from, jpeg, length);
	(void)jpeg_read_header(&from, TRUE);
	jpeg_start_decompress(&from);
	while (from.output_scanline < height) {
		JSAMPROW row = luma + (size_t)from.output_scanline * width;

		jpeg_read_scanlines(&from, &row, 1);
	}
	(void)jpeg_finish_decompress(&from);
	jpeg_destroy_decompress(&from);
	free(jpeg);
}

/* ---- the stamp ---- */

static void draw_stamp(uint8_t luma[STAMP_HEIGHT * STAMP_WIDTH], uint64_t value)
{
	uint8_t bits[STAMP_BYTES];

	stamp_write(value, bits);
	for (size_t y = 0; y < STAMP_HEIGHT; y++)
		for (size_t x = 0; x < STAMP_WIDTH; x++) {
			size_t bit = y / 8 * STAMP_COLUMNS + x / 8;

			luma[y * STAMP_WIDTH + x] = bits[bit / 8] >> (7 - bit % 8) & 1 ? 235 : 16;
		}
}

static void stamp_survives_jpeg_at_quality_50(void **state)
{
	static const uint64_t values[] = {0, 1, UINT64_MAX, 0x0123456789abcdef, 0xaaaaaaaaaaaaaaaa,
		0x5555555555555555, 86400000000000};
	uint8_t luma[STAMP_HEIGHT * STAMP_WIDTH];

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		uint64_t value = ~values[i];

		draw_stamp(luma, values[i]);
		through_jpeg(luma, STAMP_WIDTH, STAMP_HEIGHT, 50);
		assert_true(stamp_read(luma, STAMP_WIDTH, STAMP_WIDTH, STAMP_HEIGHT, &value));
		assert_true(value == values[i]);
	}
}

static void damaged_stamp_is_not_believed(void **state)
{
	uint8_t luma[STAMP_HEIGHT * STAMP_WIDTH];
	uint64_t value = 7;

	(void)state;
	for (size_t block = 0; block < STAMP_COLUMNS * STAMP_ROWS; block++) {
		size_t x0 = block % STAMP_COLUMNS * 8, y0 = block / STAMP_COLUMNS * 8;

		draw_stamp(luma, 0x0123456789abcdef);
		for (size_t y = y0; y < y0 + 8; y++)
			for (size_t x = x0; x < x0 + 8; x++)
				luma[y * STAMP_WIDTH + x] ^= 0xff;
		assert_false(stamp_read(luma, STAMP_WIDTH, STAMP_WIDTH, STAMP_HEIGHT, &value));
	}
	memset(luma, 16, sizeof luma);
	assert_false(stamp_read(luma, STAMP_WIDTH, STAMP_WIDTH, STAMP_HEIGHT, &value));
	assert_false(stamp_read(luma, STAMP_WIDTH, STAMP_WIDTH - 1, STAMP_HEIGHT, &value));
	assert_false(stamp_read(luma, STAMP_WIDTH, STAMP_WIDTH, STAMP_HEIGHT - 1, &value));
	assert_int_equal(value, 7);
}

ON_CAPTURE static void stamp_tells_the_capture_time_in_every_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(drawn); i++) {
		struct camera_config config;
		struct camera *camera = start_pattern(&config, drawn[i], 320, 240);
		uint8_t luma[STAMP_HEIGHT * STAMP_WIDTH];

		for (unsigned n = 0; n < 3; n++) {
			struct frame frame = borrow(camera);
			uint64_t value;

			read_luma(&frame, luma);
			assert_true(
				stamp_read(luma, STAMP_WIDTH, STAMP_WIDTH, STAMP_HEIGHT, &value));
			assert_true(value == frame.captured_ns);
			assert_true(frame.captured_ns <= frame.dequeued_ns);
			assert_int_equal(camera_return(camera, &frame), 0);
		}
		stop_pattern(camera);
	}
}

/* ---- the picture ---- */

/* 75 % bars as SMPTE RP 219 (BT.709) and EBU's tables (BT.601) list them. */
static const uint8_t bars_709[8][3] = {{180, 128, 128}, {168, 44, 136}, {145, 147, 44},
	{133, 63, 52}, {63, 193, 204}, {51, 109, 212}, {28, 212, 120}, {16, 128, 128}};
static const uint8_t bars_601[8][3] = {{180, 128, 128}, {162, 44, 142}, {131, 156, 44},
	{112, 72, 58}, {84, 184, 198}, {65, 100, 212}, {35, 212, 114}, {16, 128, 128}};

ON_CAPTURE static void check_bars(
	uint32_t width, uint32_t height, enum frame_encoding encoding, const uint8_t bars[8][3])
{
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "YU12", width, height);
	struct frame frame = borrow(camera);

	assert_int_equal(frame.encoding, encoding);
	assert_int_equal(frame.range, FRAME_LIMITED_RANGE);
	for (size_t i = 0; i < 8; i++) {
		size_t x = width * (2 * i + 1) / 16, y = height / 2;

		assert_int_equal(byte_at(&frame, 0, x, y), bars[i][0]);
		assert_int_equal(byte_at(&frame, 1, x / 2, y / 2), bars[i][1]);
		assert_int_equal(byte_at(&frame, 2, x / 2, y / 2), bars[i][2]);
	}
	assert_int_equal(camera_return(camera, &frame), 0);
	stop_pattern(camera);
}

ON_CAPTURE static void bars_have_their_standard_colours(void **state)
{
	(void)state;
	check_bars(1280, 720, FRAME_BT709, bars_709);
	check_bars(640, 480, FRAME_BT601, bars_601);
}

ON_CAPTURE static void rgb_bars_are_full_range(void **state)
{
	static const uint8_t yellow[3] = {191, 191, 0};
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "RGB3", 640, 480);
	struct frame frame = borrow(camera);

	(void)state;
	assert_int_equal(frame.range, FRAME_FULL_RANGE);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(byte_at(&frame, 0, 3 * 120 + i, 240), yellow[i]);
	assert_int_equal(camera_return(camera, &frame), 0);
	stop_pattern(camera);
}

/* Columns of a row that are as bright as the sweep, and nothing else there is. */
static size_t count_white(const struct frame *frame, size_t y)
{
	size_t n = 0;

	for (size_t x = 0; x < frame->width; x++)
		n += brightness(frame, x, y) == 235;
	return n;
}

ON_CAPTURE static void sweep_moves_and_leaves_no_trail(void **state)
{
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "YUYV", 640, 360);
	struct frame first = borrow(camera);

	(void)state;
	assert_int_equal(count_white(&first, 280), 4);
	for (unsigned n = 0; n < 3 * BUFFERS; n++) {
		struct frame next = borrow(camera);

		assert_int_equal(count_white(&next, 280), 4);
		assert_int_equal(brightness(&next, next.sequence * 4 % 640, 280), 235);
		assert_int_equal(camera_return(camera, &next), 0);
	}
	assert_int_equal(camera_return(camera, &first), 0);
	stop_pattern(camera);
}

ON_CAPTURE static void clock_and_counter_change(void **state)
{
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "GREY", 640, 360);
	struct frame one = borrow(camera), two = borrow(camera);
	size_t upper = 0, lower = 0;

	(void)state;
	for (size_t y = 270; y < 360; y++)
		for (size_t x = 0; x < 640; x++) {
			bool differs = brightness(&one, x, y) != brightness(&two, x, y);

			*(y < 315 ? &upper : &lower) += differs;
		}
	assert_true(upper > 0);
	assert_true(lower > 0);
	assert_int_equal(camera_return(camera, &one), 0);
	assert_int_equal(camera_return(camera, &two), 0);
	stop_pattern(camera);
}

static uint32_t checksum(const struct frame *frame)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < frame->planes[0].size_bytes; i++)
		sum = sum * 31 + frame->planes[0].data[i];
	return sum;
}

ON_CAPTURE static void any_size_stays_within_its_buffer(void **state)
{
	static const uint32_t sizes[][2] = {
		{16, 16}, {17, 19}, {127, 40}, {128, 40}, {129, 41}, {641, 359}, {160, 601}};

	(void)state;
	for (size_t i = 0; i < COUNT(drawn) * COUNT(sizes); i++) {
		const uint32_t *size = sizes[i % COUNT(sizes)];
		struct camera_config config;
		struct camera *camera = start_pattern(
			&config, drawn[i / COUNT(sizes)], size[0], size[1]);
		struct frame frames[BUFFERS];
		uint32_t sums[BUFFERS];

		for (size_t n = 0; n < BUFFERS; n++) {
			frames[n] = borrow(camera);
			assert_int_equal(frames[n].width, size[0]);
			assert_int_equal(frames[n].height, size[1]);
			sums[n] = checksum(&frames[n]);
		}
		for (size_t n = 0; n < BUFFERS; n++) {
			assert_int_equal(checksum(&frames[n]), sums[n]);
			assert_int_equal(camera_return(camera, &frames[n]), 0);
		}
		stop_pattern(camera);
	}
}

/* ---- the camera ---- */

ON_CAPTURE static void unasked_it_is_720p30_yuyv(void **state)
{
	struct camera_config config = {.source = "pattern"};
	char reason[CAMERA_REASON_BYTES];
	struct camera_info info;
	struct camera *camera;

	(void)state;
	assert_int_equal(camera_open(&config, &stats, &camera, reason), 0);
	camera_describe(camera, &info);
	assert_int_equal(info.fourcc, V4L2_PIX_FMT_YUYV);
	assert_int_equal(info.device_fourcc, V4L2_PIX_FMT_YUYV);
	assert_int_equal(info.width, 1280);
	assert_int_equal(info.height, 720);
	assert_int_equal(info.fps_numerator, 30);
	assert_int_equal(info.fps_denominator, 1);
	assert_int_equal(info.buffers, BUFFERS);
	assert_false(info.dmabuf);
	assert_false(info.converted);
	assert_int_equal(camera_poll_fd(camera), -1);
	camera_close(camera);
}

ON_CAPTURE static void buffers_on_loan_are_not_drawn_into(void **state)
{
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "YUYV", 64, 64);
	struct frame frames[BUFFERS], frame;
	uint64_t lost;

	(void)state;
	for (size_t i = 0; i < BUFFERS; i++) {
		frames[i] = borrow(camera);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(frames[i].planes[0].data, frames[k].planes[0].data);
	}
	lost = stat_read(&stats.dropped_lost);
	assert_int_equal(fd_wait(camera_poll_fd(camera), -1, UINT64_MAX), 1);
	assert_int_equal(camera_borrow(camera, &frame), -EAGAIN);
	assert_true(stat_read(&stats.dropped_lost) > lost);

	assert_int_equal(camera_return(camera, &frames[2]), 0);
	frame = borrow(camera);
	assert_ptr_equal(frame.planes[0].data, frames[2].planes[0].data);
	frames[2] = frame;
	for (size_t i = 0; i < BUFFERS; i++)
		assert_int_equal(camera_return(camera, &frames[i]), 0);
	stop_pattern(camera);
}

ON_CAPTURE static void buffers_are_filled_in_turn(void **state)
{
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "YUYV", 64, 64);

	(void)state;
	for (unsigned n = 0; n < 2 * BUFFERS; n++) {
		struct frame frame = borrow(camera), next;

		assert_int_equal(camera_return(camera, &frame), 0);
		next = borrow(camera);
		assert_int_equal(next.loan, (frame.loan + 1) % BUFFERS);
		assert_int_equal(camera_return(camera, &next), 0);
	}
	stop_pattern(camera);
}

ON_CAPTURE static void every_tick_is_a_frame_or_counted_as_lost(void **state)
{
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "YUYV", 64, 64);
	uint64_t first_ns = 0;

	(void)state;
	for (uint64_t n = 1; n <= 30; n++) {
		struct frame frame = borrow(camera);

		if (n == 1)
			first_ns = frame.captured_ns - frame.sequence * (1000000000ull / 240);
		assert_true(frame.sequence + 1 == n + stat_read(&stats.dropped_lost));
		/* No drift: a frame's time follows from its number. */
		assert_true(frame.captured_ns == first_ns + frame.sequence * (1000000000ull / 240));
		assert_int_equal(camera_return(camera, &frame), 0);
	}
	stop_pattern(camera);
}

ON_CAPTURE static void borrowing_never_waits(void **state)
{
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "YUYV", 64, 64);
	struct frame frame;
	int err;

	(void)state;
	/* A slow machine may find the next tick due already, but not for ever. */
	do {
		frame = borrow(camera);
		assert_int_equal(camera_return(camera, &frame), 0);
		err = camera_borrow(camera, &frame);
		if (!err)
			assert_int_equal(camera_return(camera, &frame), 0);
	} while (!err);
	assert_int_equal(err, -EAGAIN);
	stop_pattern(camera);
}

ON_CAPTURE static void stopped_it_can_start_again(void **state)
{
	struct camera_config config;
	struct camera *camera = start_pattern(&config, "NV12", 64, 64);
	struct frame frame = borrow(camera);

	(void)state;
	camera_stop(camera);
	assert_int_equal(camera_poll_fd(camera), -1);
	assert_int_equal(camera_return(camera, &frame), 0);
	assert_int_equal(camera_start(camera), 0);
	frame = borrow(camera);
	assert_int_equal(camera_return(camera, &frame), 0);
	stop_pattern(camera);
}

ON_CAPTURE static void what_it_cannot_do_is_said(void **state)
{
	const struct {
		struct camera_config config;
		const char *says;
	} cases[] = {
		{{.source = "pattern", .width = 8, .height = 720}, "8x720"},
		{{.source = "pattern", .width = 16, .height = 9000}, "16x9000"},
		{{.source = "pattern", .fps = 961}, "961 fps"},
		{{.source = "pattern", .fps = 0.5}, "0.5 fps"},
		{{.source = "pattern", .fourcc = V4L2_PIX_FMT_MJPEG}, "MJPG"},
		{{.source = "nonsense"}, "auto, pattern"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char reason[CAMERA_REASON_BYTES] = "";
		struct camera *camera = NULL;

		assert_int_equal(camera_open(&cases[i].config, &stats, &camera, reason), -EINVAL);
		assert_non_null(strstr(reason, cases[i].says));
		assert_null(camera);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamp_survives_jpeg_at_quality_50),
		cmocka_unit_test(damaged_stamp_is_not_believed),
		cmocka_unit_test(stamp_tells_the_capture_time_in_every_format),
		cmocka_unit_test(bars_have_their_standard_colours),
		cmocka_unit_test(rgb_bars_are_full_range),
		cmocka_unit_test(sweep_moves_and_leaves_no_trail),
		cmocka_unit_test(clock_and_counter_change),
		cmocka_unit_test(any_size_stays_within_its_buffer),
		cmocka_unit_test(unasked_it_is_720p30_yuyv),
		cmocka_unit_test(buffers_on_loan_are_not_drawn_into),
		cmocka_unit_test(buffers_are_filled_in_turn),
		cmocka_unit_test(every_tick_is_a_frame_or_counted_as_lost),
		cmocka_unit_test(borrowing_never_waits),
		cmocka_unit_test(stopped_it_can_start_again),
		cmocka_unit_test(what_it_cannot_do_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
