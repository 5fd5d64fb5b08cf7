/* The choice of format, size and rate, over what devices offer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "camera/v4l2_choose.h"

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

#define YUYV V4L2_PIX_FMT_YUYV
#define MJPG V4L2_PIX_FMT_MJPEG
#define GREY V4L2_PIX_FMT_GREY
#define RGB3 V4L2_PIX_FMT_RGB24
#define NV12 V4L2_PIX_FMT_NV12
#define RGGB V4L2_PIX_FMT_SRGGB8

/* A common USB 2 webcam: raw is fast only where it is small. */
static const struct v4l2_mode webcam[] = {
	{YUYV, 640, 480, 30},
	{YUYV, 1280, 720, 10},
	{YUYV, 1920, 1080, 5},
	{MJPG, 640, 480, 60},
	{MJPG, 1280, 720, 30},
	{MJPG, 1920, 1080, 30},
};

static void choose(const struct v4l2_mode *modes, size_t n, const struct camera_config *wish,
	uint32_t fourcc, uint32_t width, uint32_t height)
{
	char reason[CAMERA_REASON_BYTES];
	struct v4l2_mode mode;

	assert_int_equal(v4l2_choose(modes, n, wish, &mode, reason), 0);
	assert_int_equal(mode.fourcc, fourcc);
	assert_int_equal(mode.width, width);
	assert_int_equal(mode.height, height);
}

#define assert_chosen(modes, wish, fourcc, width, height) \
	choose(modes, LENGTH(modes), &(struct camera_config)wish, fourcc, width, height)
#define WISH(...)           \
	{                   \
		__VA_ARGS__ \
	}

static void refuse(const struct v4l2_mode *modes, size_t n, const struct camera_config *wish,
	const char *expected)
{
	char reason[CAMERA_REASON_BYTES];
	struct v4l2_mode mode = {.fourcc = 1};

	assert_int_equal(v4l2_choose(modes, n, wish, &mode, reason), -EINVAL);
	assert_string_equal(reason, expected);
	assert_int_equal(mode.fourcc, 1);
}

static void mjpeg_is_chosen_where_only_it_reaches_the_rate(void **state)
{
	(void)state;
	assert_chosen(webcam, WISH(), MJPG, 1280, 720);
}

static void raw_is_chosen_where_it_reaches_the_rate(void **state)
{
	static const struct v4l2_mode modes[] = {
		{MJPG, 1280, 720, 60},
		{YUYV, 1280, 720, 25},
		{YUYV, 1920, 1080, 25},
		{YUYV, 640, 480, 60},
	};

	(void)state;
	assert_chosen(modes, WISH(), YUYV, 1280, 720);
}

static void colour_is_chosen_before_grey_and_yuv_before_rgb(void **state)
{
	static const struct v4l2_mode modes[] = {
		{GREY, 640, 480, 30},
		{MJPG, 640, 480, 30},
		{RGB3, 640, 480, 30},
		{NV12, 640, 480, 30},
	};

	(void)state;
	choose(modes, 4, &(struct camera_config){0}, NV12, 640, 480);
	choose(modes, 3, &(struct camera_config){0}, RGB3, 640, 480);
	choose(modes, 2, &(struct camera_config){0}, MJPG, 640, 480);
}

static void equal_formats_are_chosen_in_the_drivers_order(void **state)
{
	static const struct v4l2_mode modes[] = {
		{NV12, 640, 480, 30},
		{YUYV, 640, 480, 30},
	};

	(void)state;
	assert_chosen(modes, WISH(), NV12, 640, 480);
}

static void ntsc_rate_counts_as_thirty(void **state)
{
	static const struct v4l2_mode modes[] = {
		{MJPG, 640, 480, 30},
		{YUYV, 640, 480, 30 / 1.001},
	};

	(void)state;
	assert_chosen(modes, WISH(.fps = 30), YUYV, 640, 480);
}

static void slow_camera_is_taken_at_its_fastest(void **state)
{
	static const struct v4l2_mode modes[] = {
		{YUYV, 1280, 720, 5},
		{YUYV, 640, 480, 15},
		{YUYV, 320, 240, 15},
		{YUYV, 1920, 1080, 20},
	};

	(void)state;
	assert_chosen(modes, WISH(), YUYV, 640, 480);
}

static void camera_that_is_always_large_is_taken_at_its_smallest(void **state)
{
	static const struct v4l2_mode modes[] = {
		{YUYV, 3840, 2160, 30},
		{YUYV, 1920, 1080, 30},
	};

	(void)state;
	assert_chosen(modes, WISH(), YUYV, 1920, 1080);
}

static void asked_format_is_kept_though_slow(void **state)
{
	(void)state;
	assert_chosen(webcam, WISH(.fourcc = YUYV), YUYV, 640, 480);
	assert_chosen(webcam, WISH(.fourcc = YUYV, .width = 1280, .height = 720), YUYV, 1280, 720);
}

static void asked_size_is_kept_in_the_format_that_reaches_the_rate(void **state)
{
	(void)state;
	assert_chosen(webcam, WISH(.width = 640, .height = 480), YUYV, 640, 480);
	assert_chosen(webcam, WISH(.width = 1920, .height = 1080), MJPG, 1920, 1080);
}

static void asked_rate_decides_format_and_size(void **state)
{
	(void)state;
	assert_chosen(webcam, WISH(.fps = 60), MJPG, 640, 480);
	assert_chosen(webcam, WISH(.fps = 10), YUYV, 1280, 720);
	assert_chosen(webcam, WISH(.width = 640, .height = 480, .fps = 60), MJPG, 640, 480);
}

static void rate_that_nothing_reaches_gives_the_fastest(void **state)
{
	(void)state;
	assert_chosen(webcam, WISH(.fps = 200), MJPG, 640, 480);
}

static void unknown_rates_count_as_enough(void **state)
{
	static const struct v4l2_mode modes[] = {
		{MJPG, 1280, 720, 30},
		{YUYV, 1280, 720, 0},
	};

	(void)state;
	assert_chosen(modes, WISH(), YUYV, 1280, 720);
}

static void driver_without_sizes_suits_any_size(void **state)
{
	static const struct v4l2_mode modes[] = {{YUYV, 0, 0, 0}};

	(void)state;
	assert_chosen(modes, WISH(.width = 720, .height = 576), YUYV, 0, 0);
}

static void conversion_is_the_last_resort(void **state)
{
	static const struct v4l2_mode modes[] = {
		{RGGB, 1280, 720, 60},
		{YUYV, 320, 240, 15},
	};

	(void)state;
	assert_chosen(modes, WISH(), YUYV, 320, 240);
	assert_chosen(modes, WISH(.fourcc = RGGB), RGGB, 1280, 720);
	assert_chosen(modes, WISH(.width = 1280, .height = 720), RGGB, 1280, 720);
	assert_chosen(modes, WISH(.fps = 60), RGGB, 1280, 720);
	choose(modes, 1, &(struct camera_config){0}, RGGB, 1280, 720);
}

static void missing_format_is_refused_with_those_there_are(void **state)
{
	(void)state;
	refuse(webcam, LENGTH(webcam), &(struct camera_config){.fourcc = NV12},
		"no format NV12 that can be read; there is YUYV, MJPG");
}

static void missing_size_is_refused_with_those_there_are(void **state)
{
	(void)state;
	refuse(webcam, LENGTH(webcam), &(struct camera_config){.width = 800, .height = 600},
		"no size 800x600; there is 640x480, 1280x720, 1920x1080");
	refuse(webcam, 4, &(struct camera_config){.fourcc = MJPG, .width = 800, .height = 600},
		"no size 800x600 in MJPG; there is 640x480");
}

static void device_without_readable_formats_is_refused(void **state)
{
	(void)state;
	refuse(webcam, 0, &(struct camera_config){0}, "no format that can be read");
}

static void long_lists_end_in_dots(void **state)
{
	char reason[CAMERA_REASON_BYTES];
	struct v4l2_mode modes[60], mode;

	(void)state;
	for (uint32_t i = 0; i < LENGTH(modes); i++)
		modes[i] = (struct v4l2_mode){YUYV, 1000 + i, 1000 + i, 30};
	assert_int_equal(v4l2_choose(modes, LENGTH(modes),
				 &(struct camera_config){.width = 1, .height = 1}, &mode, reason),
		-EINVAL);
	assert_non_null(strstr(reason, "there is 1000x1000, 1001x1001"));
	assert_string_equal(reason + strlen(reason) - strlen(", ..."), ", ...");
}

static void rate_to_ask_for_is_the_wish_or_thirty_at_most(void **state)
{
	static const struct v4l2_mode slow = {YUYV, 640, 480, 15}, fast = {YUYV, 640, 480, 120},
				      unknown = {YUYV, 640, 480, 0};
	static const struct camera_config none = {0}, sixty = {.fps = 60};

	(void)state;
	assert_true(v4l2_choose_fps(&slow, &none) == 15);
	assert_true(v4l2_choose_fps(&fast, &none) == 30);
	assert_true(v4l2_choose_fps(&unknown, &none) == 30);
	assert_true(v4l2_choose_fps(&fast, &sixty) == 60);
	assert_true(v4l2_choose_fps(&slow, &sixty) == 60);
}

static void wished_size_is_rounded_into_a_range(void **state)
{
	static const struct v4l2_frmsize_stepwise range = {32, 1920, 16, 32, 1080, 2};
	uint32_t sizes[V4L2_CHOOSE_SIZES][2];

	(void)state;
	assert_int_equal(v4l2_choose_sizes(&range,
				 &(struct camera_config){.width = 1001, .height = 701}, sizes),
		1);
	assert_int_equal(sizes[0][0], 992);
	assert_int_equal(sizes[0][1], 700);
	assert_int_equal(v4l2_choose_sizes(&range,
				 &(struct camera_config){.width = 9999, .height = 1}, sizes),
		1);
	assert_int_equal(sizes[0][0], 1920);
	assert_int_equal(sizes[0][1], 32);
}

static void range_offers_the_usual_sizes_that_it_has(void **state)
{
	static const struct v4l2_frmsize_stepwise wide = {16, 16384, 2, 16, 8640, 2},
						  small = {160, 640, 160, 120, 480, 120},
						  large = {2000, 4000, 8, 1000, 3000, 8};
	uint32_t sizes[V4L2_CHOOSE_SIZES][2];

	(void)state;
	assert_int_equal(
		v4l2_choose_sizes(&wide, &(struct camera_config){0}, sizes), V4L2_CHOOSE_SIZES);
	assert_int_equal(sizes[0][0], 1280);
	assert_int_equal(sizes[0][1], 720);

	/* the nearest to 1280x720, then the usual ones on its grid */
	assert_int_equal(v4l2_choose_sizes(&small, &(struct camera_config){0}, sizes), 4);
	assert_int_equal(sizes[0][0], 640);
	assert_int_equal(sizes[0][1], 480);
	assert_int_equal(sizes[3][0], 320);
	assert_int_equal(sizes[3][1], 240);

	assert_int_equal(v4l2_choose_sizes(&large, &(struct camera_config){0}, sizes), 1);
	assert_int_equal(sizes[0][0], 2000);
	assert_int_equal(sizes[0][1], 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mjpeg_is_chosen_where_only_it_reaches_the_rate),
		cmocka_unit_test(raw_is_chosen_where_it_reaches_the_rate),
		cmocka_unit_test(colour_is_chosen_before_grey_and_yuv_before_rgb),
		cmocka_unit_test(equal_formats_are_chosen_in_the_drivers_order),
		cmocka_unit_test(ntsc_rate_counts_as_thirty),
		cmocka_unit_test(slow_camera_is_taken_at_its_fastest),
		cmocka_unit_test(camera_that_is_always_large_is_taken_at_its_smallest),
		cmocka_unit_test(asked_format_is_kept_though_slow),
		cmocka_unit_test(asked_size_is_kept_in_the_format_that_reaches_the_rate),
		cmocka_unit_test(asked_rate_decides_format_and_size),
		cmocka_unit_test(rate_that_nothing_reaches_gives_the_fastest),
		cmocka_unit_test(unknown_rates_count_as_enough),
		cmocka_unit_test(driver_without_sizes_suits_any_size),
		cmocka_unit_test(conversion_is_the_last_resort),
		cmocka_unit_test(missing_format_is_refused_with_those_there_are),
		cmocka_unit_test(missing_size_is_refused_with_those_there_are),
		cmocka_unit_test(device_without_readable_formats_is_refused),
		cmocka_unit_test(long_lists_end_in_dots),
		cmocka_unit_test(rate_to_ask_for_is_the_wish_or_thirty_at_most),
		cmocka_unit_test(wished_size_is_rounded_into_a_range),
		cmocka_unit_test(range_offers_the_usual_sizes_that_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
