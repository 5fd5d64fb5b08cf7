#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/videodev2.h>

#include "camera/formats.h"

static const char *const native[] = {"YUYV", "UYVY", "YVYU", "VYUY", "NV12", "NV21", "NV16", "NV61",
	"YU12", "YV12", "422P", "NM12", "NM21", "YM12", "GREY", "Y10", "Y12", "Y16", "RGB3", "BGR3",
	"XR24", "BX24", "AR24", "MJPG", "JPEG"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void every_native_format_is_found_by_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(native); i++) {
		const struct format *format = format_find(format_parse(native[i]));
		char text[5];

		assert_non_null(format);
		assert_string_equal(format_name(format->fourcc, text), native[i]);
	}
	assert_null(format_find(V4L2_PIX_FMT_SBGGR8));
	assert_null(format_find(0));
}

static void names_that_are_none_are_refused(void **state)
{
	(void)state;
	assert_int_equal(format_parse(""), 0);
	assert_int_equal(format_parse("YUYV2"), 0);
	assert_int_equal(format_parse("Y\n"), 0);
	assert_int_equal(format_parse("Y10"), V4L2_PIX_FMT_Y10);
}

static void odd_fourccs_are_printable(void **state)
{
	char text[5];

	(void)state;
	assert_string_equal(format_name(0x01020304, text), "????");
	assert_string_equal(format_name(v4l2_fourcc('A', 0x80, '\n', ' '), text), "A??");
}

/* Lay out a contiguous picture in the tightest memory that holds it. */
static int lay_out(const char *name, uint32_t width, uint32_t height, uint32_t stride, size_t size,
	struct frame *ret_frame)
{
	static uint8_t memory[1]; /* only its address counts */
	uint8_t *base = memory;

	*ret_frame = (struct frame){.fourcc = format_parse(name), .width = width, .height = height};
	return format_lay_out(format_find(ret_frame->fourcc), ret_frame, &base, &size, &stride);
}

struct expected {
	const char *name;
	uint32_t stride, n_planes;
	uint32_t offsets[3], strides[3];
	size_t size;
};

/* 64x32 in rows of 80 pixels, as the V4L2 documents place the planes. */
static const struct expected contiguous[] = {
	{"YUYV", 160, 1, {0}, {160}, 160 * 32},
	{"NV12", 80, 2, {0, 2560}, {80, 80}, 80 * 48},
	{"NV21", 80, 2, {0, 2560}, {80, 80}, 80 * 48},
	{"NV16", 80, 2, {0, 2560}, {80, 80}, 80 * 64},
	{"NV61", 80, 2, {0, 2560}, {80, 80}, 80 * 64},
	{"YU12", 80, 3, {0, 2560, 3200}, {80, 40, 40}, 80 * 48},
	{"YV12", 80, 3, {0, 2560, 3200}, {80, 40, 40}, 80 * 48},
	{"422P", 80, 3, {0, 2560, 3840}, {80, 40, 40}, 80 * 64},
	{"GREY", 80, 1, {0}, {80}, 80 * 32},
	{"Y16", 160, 1, {0}, {160}, 160 * 32},
	{"RGB3", 240, 1, {0}, {240}, 240 * 32},
	{"XR24", 320, 1, {0}, {320}, 320 * 32},
};

static void contiguous_planes_lie_where_v4l2_puts_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(contiguous); i++) {
		const struct expected *e = &contiguous[i];
		struct frame frame;

		assert_int_equal(lay_out(e->name, 64, 32, e->stride, e->size, &frame), 0);
		assert_int_equal(frame.n_planes, e->n_planes);
		for (size_t k = 0; k < e->n_planes; k++) {
			const struct frame_plane *plane = &frame.planes[k];

			assert_int_equal(plane->offset_bytes, e->offsets[k]);
			assert_int_equal(plane->stride_bytes, e->strides[k]);
			assert_int_equal(plane->size_bytes, e->size - e->offsets[k]);
			assert_ptr_equal(plane->data, frame.planes[0].data + e->offsets[k]);
		}
	}
}

static void memory_too_small_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(contiguous); i++) {
		const struct expected *e = &contiguous[i];
		/* The last row need not reach its whole stride, but it must hold its pixels. */
		size_t row = e->strides[e->n_planes - 1] * 64 / 80;
		size_t least = e->size - e->strides[e->n_planes - 1] + row;
		struct frame frame;

		assert_int_equal(lay_out(e->name, 64, 32, e->stride, least, &frame), 0);
		assert_int_equal(lay_out(e->name, 64, 32, e->stride, least - 1, &frame), -EINVAL);
		assert_int_equal(lay_out(e->name, 64, 32, e->stride, 0, &frame), -EINVAL);
	}
}

static void strides_too_small_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(contiguous); i++) {
		const struct expected *e = &contiguous[i];
		uint32_t least = e->stride * 64 / 80;
		struct frame frame;

		assert_int_equal(lay_out(e->name, 64, 32, least, e->size, &frame), 0);
		assert_int_equal(lay_out(e->name, 64, 32, least - 1, e->size, &frame), -EINVAL);
	}
}

static void odd_sizes_round_the_chroma_up(void **state)
{
	struct frame frame;

	(void)state;
	assert_int_equal(lay_out("YU12", 17, 17, 18, 18 * 17 + 2 * 9 * 9, &frame), 0);
	assert_int_equal(lay_out("YU12", 17, 17, 18, 18 * 17 + 2 * 9 * 9 - 1, &frame), -EINVAL);
	assert_int_equal(lay_out("YUYV", 17, 1, 34, 36, &frame), -EINVAL);
	assert_int_equal(lay_out("YUYV", 17, 1, 36, 36, &frame), 0);
}

static void impossible_sizes_are_refused(void **state)
{
	struct frame frame;

	(void)state;
	assert_int_equal(lay_out("YUYV", 0, 16, 64, 4096, &frame), -EINVAL);
	assert_int_equal(lay_out("YUYV", 16, 0, 64, 4096, &frame), -EINVAL);
	assert_int_equal(lay_out("XR24", UINT32_MAX, 1, UINT32_MAX, 4096, &frame), -EINVAL);
	assert_int_equal(lay_out("GREY", 1, UINT32_MAX, UINT32_MAX, 4096, &frame), -EINVAL);
}

static void separate_buffers_each_carry_a_plane(void **state)
{
	static uint8_t luma[1], cb[1], cr[1];
	uint8_t *const base[] = {luma, cb, cr};
	const size_t sizes[] = {80 * 32, 48 * 16, 48 * 16};
	const uint32_t strides[] = {80, 48, 48};
	struct frame frame = {.fourcc = V4L2_PIX_FMT_YUV420M, .width = 64, .height = 32};

	(void)state;
	assert_int_equal(
		format_lay_out(format_find(frame.fourcc), &frame, base, sizes, strides), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_ptr_equal(frame.planes[i].data, base[i]);
		assert_int_equal(frame.planes[i].stride_bytes, strides[i]);
		assert_int_equal(frame.planes[i].size_bytes, sizes[i]);
		assert_int_equal(frame.planes[i].offset_bytes, 0);
	}
}

static void compressed_pictures_have_no_stride(void **state)
{
	struct frame frame;

	(void)state;
	assert_int_equal(lay_out("MJPG", 64, 32, 0, 1000, &frame), 0);
	assert_int_equal(frame.n_planes, 1);
	assert_int_equal(frame.planes[0].stride_bytes, 0);
	assert_int_equal(frame.planes[0].size_bytes, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_native_format_is_found_by_its_name),
		cmocka_unit_test(names_that_are_none_are_refused),
		cmocka_unit_test(odd_fourccs_are_printable),
		cmocka_unit_test(contiguous_planes_lie_where_v4l2_puts_them),
		cmocka_unit_test(memory_too_small_is_refused),
		cmocka_unit_test(strides_too_small_are_refused),
		cmocka_unit_test(odd_sizes_round_the_chroma_up),
		cmocka_unit_test(impossible_sizes_are_refused),
		cmocka_unit_test(separate_buffers_each_carry_a_plane),
		cmocka_unit_test(compressed_pictures_have_no_stride),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
