/* Filters of every format: what they leave alone, and what they hide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/videodev2.h>

#include "base/pixels.h"
#include "frames.h"
#include "process/canvas.h"
#include "process/chain.h"

static const struct size sizes[] = {{1, 1}, {3, 2}, {17, 9}, {64, 48}, {101, 67}};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

/* ---- chains ---- */

static struct filter_stats stats[FILTERS_NAMED];
static stat_counter copied_bytes;
static struct results results;
static char reason[PROCESS_REASON_BYTES];

/* Pairs of a setting and its value, up to NULL. */
static struct chain *make_chain(const char *const settings[])
{
	struct process_config config;
	struct chain *chain;

	process_config_init(&config);
	for (size_t i = 0; settings[i]; i += 2)
		assert_int_equal(
			process_set(&config, process_find_setting(settings[i]), settings[i + 1]),
			0);
	assert_int_equal(chain_create(&config, stats, &chain, reason), 0);
	return chain;
}

/* ---- mask ---- */

/* Whether the pixel of a component's sample lies inside of the box, in hundredths. */
static bool is_in_box(const struct frame *frame, uint32_t x, uint32_t y, const double box[4])
{
	double across = (x + 0.5) / frame->width, down = (y + 0.5) / frame->height;

	return across > box[0] && across < box[2] && down > box[1] && down < box[3];
}

/* What is hidden is the value; what lies more than two pixels beside is as it was. */
static void check_hidden(const struct frame *frame, const struct frame *before, const double box[4],
	const uint8_t values[3])
{
	const struct pixel_format *format = pixel_format_find(frame->fourcc);
	double wider[] = {box[0] - 2.0 / frame->width, box[1] - 2.0 / frame->height,
		box[2] + 2.0 / frame->width, box[3] + 2.0 / frame->height};
	struct canvas canvas, canvas_before;

	canvas_init(&canvas, format, frame);
	canvas_init(&canvas_before, format, before);
	for (unsigned k = 0; k < canvas.n_components; k++) {
		const struct canvas_component *c = &canvas.components[k];

		for (uint32_t y = 0; y < frame->height; y++)
			for (uint32_t x = 0; x < frame->width; x++) {
				uint32_t sx = x >> c->x_shift, sy = y >> c->y_shift;
				uint8_t now = canvas_get(&canvas, c, sx, sy);

				if (is_in_box(frame, x, y, box))
					assert_int_equal(now, values[k]);
				else if (!is_in_box(frame, x, y, wider))
					assert_int_equal(
						now, canvas_get(&canvas_before,
							     &canvas_before.components[k], sx, sy));
			}
	}
}

ON_ENCODE static void mask_hides_all_of_its_polygon_and_nothing_else(void **state)
{
	static const char *const settings[] = {
		"process", "mask", "mask", "20,10 70,10 70,60 20,60", NULL};
	static const double box[] = {0.2, 0.1, 0.7, 0.6};
	struct chain *chain = make_chain(settings);

	(void)state;
	for (size_t f = 0; f < N_FORMATS; f++)
		for (size_t s = 0; s < N_SIZES; s++) {
			struct frame frame = make_frame(formats[f], sizes[s], FRAME_LIMITED_RANGE),
				     view = frame;
			struct frame before = make_frame(formats[f], sizes[s], FRAME_LIMITED_RANGE);
			uint8_t black[3];

			canvas_colour(pixel_format_find(formats[f]), &frame,
				(const uint8_t[3]){0, 0, 0}, black);
			assert_true(chain_draws(chain, &frame));
			assert_int_equal(chain_run(chain, &view, &results, &copied_bytes), 0);
			check_hidden(&frame, &before, box, black);
			free_frame(&frame);
			free_frame(&before);
		}
	chain_destroy(chain);
}

/* Corners are those of the picture as it is shown. */
ON_ENCODE static void mask_follows_the_order(void **state)
{
	static const struct {
		const char *rotate, *flip;
		double box[4]; /* in the frame */
	} orders[] = {
		{"0", "none", {0, 0, 0.5, 0.25}},
		{"90", "none", {0, 0.5, 0.25, 1}},
		{"180", "none", {0.5, 0.75, 1, 1}},
		{"270", "none", {0.75, 0, 1, 0.5}},
		{"0", "horizontal", {0.5, 0, 1, 0.25}},
		{"0", "vertical", {0, 0.75, 0.5, 1}},
		{"90", "horizontal", {0, 0, 0.25, 0.5}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		const char *const settings[] = {"process", "orient, mask", "rotate",
			orders[i].rotate, "flip", orders[i].flip, "mask", "0,0 50,0 50,25 0,25",
			NULL};
		struct frame frame = make_frame(
			V4L2_PIX_FMT_YUYV, (struct size){64, 64}, FRAME_LIMITED_RANGE);
		struct frame before = make_frame(
			V4L2_PIX_FMT_YUYV, (struct size){64, 64}, FRAME_LIMITED_RANGE);
		struct chain *chain = make_chain(settings);
		struct frame view = frame;

		assert_int_equal(chain_run(chain, &view, &results, &copied_bytes), 0);
		check_hidden(&frame, &before, orders[i].box, (const uint8_t[]){16, 128, 128});
		chain_destroy(chain);
		free_frame(&frame);
		free_frame(&before);
	}
}

/* In each block all that is masked has one value, which is between those that were there. */
ON_ENCODE static void mosaic_has_one_value_a_block(void **state)
{
	static const char *const settings[] = {
		"process", "mask", "mask-style", "mosaic", "mask", "0,0 100,0 100,100 0,100", NULL};
	struct chain *chain = make_chain(settings);

	(void)state;
	for (size_t f = 0; f < N_FORMATS; f++) {
		struct frame frame = make_frame(
				     formats[f], (struct size){640, 100}, FRAME_LIMITED_RANGE),
			     view = frame;
		struct canvas canvas;

		assert_int_equal(chain_run(chain, &view, &results, &copied_bytes), 0);
		canvas_init(&canvas, pixel_format_find(formats[f]), &frame);
		for (unsigned k = 0; k < canvas.n_components; k++) {
			const struct canvas_component *c = &canvas.components[k];
			uint32_t columns = 22 >> c->x_shift, rows = 22 >> c->y_shift;

			for (uint32_t y = 0; y < c->height; y++)
				for (uint32_t x = 0; x < c->width; x++)
					assert_int_equal(canvas_get(&canvas, c, x, y),
						canvas_get(&canvas, c, x / columns * columns,
							y / rows * rows));
		}
		free_frame(&frame);
	}
	chain_destroy(chain);
}

/* ---- orient ---- */

ON_ENCODE static void check_orient(
	const char *const settings[], struct size from, struct size shown, struct frame *ret_view)
{
	struct frame frame = make_frame(V4L2_PIX_FMT_NV12, from, FRAME_LIMITED_RANGE);
	struct chain *chain = make_chain(settings);

	*ret_view = frame;
	assert_false(chain_draws(chain, &frame));
	assert_int_equal(chain_run(chain, ret_view, &results, &copied_bytes), 0);
	assert_int_equal(frame_shown_width(ret_view), shown.width);
	assert_int_equal(frame_shown_height(ret_view), shown.height);
	assert_true(pixels_fit(pixel_format_find(frame.fourcc), ret_view));
	/* What remains is where it was. */
	ret_view->planes[0].offset_bytes = (uint32_t)(ret_view->planes[0].data -
						      frame.planes[0].data);
	chain_destroy(chain);
	free_frame(&frame);
}

ON_ENCODE static void crop_is_of_what_is_shown(void **state)
{
	static const struct {
		const char *rotate, *flip;
		uint32_t left, top; /* in the frame */
	} orders[] = {
		{"0", "none", 20, 10},
		{"90", "none", 10, 60 - 20 - 30},
		{"180", "none", 100 - 20 - 30, 60 - 10 - 12},
		{"270", "none", 100 - 10 - 12, 20},
		{"0", "horizontal", 100 - 20 - 30, 10},
		{"0", "vertical", 20, 60 - 10 - 12},
	};

	(void)state;
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		const char *const settings[] = {"process", "orient", "rotate", orders[i].rotate,
			"flip", orders[i].flip, "crop", "30x12+20+10", NULL};
		struct frame view;

		check_orient(settings, (struct size){100, 60}, (struct size){30, 12}, &view);
		assert_int_equal(
			view.planes[0].offset_bytes % view.planes[0].stride_bytes, orders[i].left);
		assert_int_equal(
			view.planes[0].offset_bytes / view.planes[0].stride_bytes, orders[i].top);
	}
}

ON_ENCODE static void scale_keeps_within_the_picture(void **state)
{
	static const struct {
		const char *rotate, *scale;
		struct size shown;
	} scales[] = {
		{"0", "none", {100, 60}},
		{"0", "1/2", {50, 30}},
		{"90", "1/4", {15, 25}},
		{"0", "1/64", {1, 1}},
		{"270", "30x50", {30, 50}},
		{"0", "1000x30", {100, 30}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
		const char *const settings[] = {"process", "orient", "rotate", scales[i].rotate,
			"scale", scales[i].scale, NULL};
		struct frame view;

		check_orient(settings, (struct size){100, 60}, scales[i].shown, &view);
	}
}

/* ---- chains ---- */

ON_ENCODE static void what_the_camera_keeps_stays_as_it_is(void **state)
{
	static const char *const settings[] = {
		"process", "mask", "mask", "0,0 100,0 100,100 0,100", NULL};
	struct chain *chain = make_chain(settings);

	(void)state;
	for (size_t f = 0; f < N_FORMATS; f++) {
		struct frame frame = make_frame(
			formats[f], (struct size){33, 17}, FRAME_LIMITED_RANGE);
		struct frame before = make_frame(
				     formats[f], (struct size){33, 17}, FRAME_LIMITED_RANGE),
			     view;
		uint64_t bytes = 0;

		frame.kept = true;
		view = frame;
		assert_false(chain_draws(chain, &frame));
		copied_bytes = 0;
		assert_int_equal(chain_run(chain, &view, &results, &copied_bytes), 0);
		for (uint32_t i = 0; i < frame.n_planes; i++)
			bytes += frame.planes[i].size_bytes;
		assert_int_equal(stat_read(&copied_bytes), bytes);
		assert_true(pixels_fit(pixel_format_find(formats[f]), &view));
		for (uint32_t i = 0; i < frame.n_planes; i++) {
			assert_memory_equal(frame.planes[i].data, before.planes[i].data,
				frame.planes[i].size_bytes);
			assert_memory_not_equal(view.planes[i].data, before.planes[i].data,
				frame.planes[i].size_bytes);
		}
		free_frame(&frame);
		free_frame(&before);
	}
	chain_destroy(chain);
}

ON_ENCODE static void frames_that_do_not_fit_are_refused(void **state)
{
	static const char *const settings[] = {"process", "orient", NULL};
	struct frame frame = make_frame(
		V4L2_PIX_FMT_YUYV, (struct size){16, 16}, FRAME_LIMITED_RANGE);
	struct chain *chain = make_chain(settings);

	(void)state;
	frame.height++;
	assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), -EINVAL);
	frame.fourcc = V4L2_PIX_FMT_MJPEG;
	assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), -EINVAL);
	chain_destroy(chain);
	free_frame(&frame);
}

ON_ENCODE static void times_are_counted_by_name(void **state)
{
	static const char *const settings[] = {"process", "mask,orient", NULL};
	struct frame frame = make_frame(
		V4L2_PIX_FMT_YUYV, (struct size){16, 16}, FRAME_LIMITED_RANGE);
	struct chain *chain;

	(void)state;
	memset(stats, 0, sizeof stats);
	/* Whichever chain it was in. */
	for (int i = 0; i < 3; i++) {
		struct frame view = frame;

		chain = make_chain(settings);
		assert_int_equal(chain_run(chain, &view, &results, &copied_bytes), 0);
		chain_destroy(chain);
	}
	assert_string_equal(filter_stats_name(&stats[0]), "mask");
	assert_string_equal(filter_stats_name(&stats[1]), "orient");
	assert_null(filter_stats_name(&stats[2]));
	assert_int_equal(histogram_count(&stats[0].time), 3);
	assert_int_equal(histogram_count(&stats[1].time), 3);
	free_frame(&frame);
}

/* ---- settings ---- */

static void only_what_is_allowed_is_taken(void **state)
{
	static const struct {
		const char *name, *good[6], *bad[12];
	} settings[] = {
		{"process", {"", "orient", "mask , orient", "orient,mask"},
			{",", "orient,", "orient mask", "orient, orient", "nonsense", " orient",
				"overlay, orient"}},
		{"overlay",
			{"", "top-left x", "-0,-0 size=5% colour=#FFffff00 box=none {name} %T;",
				"5,-6 box=#010203 {{}{;}%% ; bottom-right {fps}{sequence}{size}",
				"top-right {result:a_0}; 1,1 size=9 {logo}",
				"bottom-left   } size=1"},
			{"x", "top-left", "top-left ", "top-left ;", "top x", "5,6x x", "1, 2 x",
				"top-left {nonsense}", "top-left %", "top-left %Q",
				"top-left {result:A}", "top-left size=3 x"}},
		{"overlay", {"top-left size=4 x", "top-left size=512 x", "top-left size=100% x"},
			{"top-left size=513 x", "top-left size=0% x", "top-left size=101% x",
				"top-left colour=#12345 x", "top-left colour=red x",
				"top-left box=#1 x", "top-left {", "top-left {name",
				"top-left {result:}", "top-left x;;", "16385,0 x",
				"top-left {logo}x"}},
		{"logo", {"", "/a b.png"}, {"a.png", "./a.png"}},
		{"process", {"plugin:/a/b.so", "orient, plugin:/b.so x y", "plugin:/b.so  x"},
			{"plugin:", "plugin:b.so", "plugin:/b", "plugin:/.so", "plugin:/b.so, ",
				"plugin:/b.so, plugin:/c/b.so x", "plugin:/b.soo"}},
		{"plugin-dir", {"", "/usr/lib/fanlight"}, {"here", "./here"}},
		{"plugin-budget", {"off", "1", "1000"}, {"", "0", "1001", "1 ms"}},
		{"rotate", {"0", "90", "180", "270"}, {"", "45", "-90", "90 ", "360"}},
		{"flip", {"none", "both", "vertical", "horizontal"}, {"", "h", "Both"}},
		{"crop", {"none", "2x2+0+0", "640x480+16384+7"},
			{"", "0x2+0+0", "2x2", "2x2+0", "2x2+-1+0", "2x2+0+0 ", "2x2+0+99999",
				"99999999999999999999x2+0+0"}},
		{"scale", {"none", "1/2", "1/64", "1x1", "640x360"},
			{"", "1/0", "1/65", "2", "640x", "640x0", "0.5", "1/2/2"}},
		{"mask", {"", "0,0 1,1 2,0", "0,0 100,0 50.5,99.9;0,0 1,0 1,1", "1,1 2,2 3,3;"},
			{"0,0", "0,0 1,1", "0,0 1,1 101,0", "0,0 1,1 -1,0", "0,0 1,1 nan,0",
				"0,0 1,1 1e1,0", "a", "0,0 1,1 2,0;0,0", ";", "0 0 1 1 2 0",
				"0,0 1,1 2,."}},
		{"mask-style", {"black", "mosaic"}, {"", "white"}},
	};
	struct process_config config, before;

	(void)state;
	process_config_init(&config);
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		enum process_setting setting = process_find_setting(settings[i].name);

		for (size_t k = 0; k < 6 && settings[i].good[k]; k++) {
			assert_int_equal(process_set(&config, setting, settings[i].good[k]), 0);
			assert_string_equal(config.texts[setting], settings[i].good[k]);
		}
		before = config;
		for (size_t k = 0; k < 12 && settings[i].bad[k]; k++)
			assert_int_equal(
				process_set(&config, setting, settings[i].bad[k]), -EINVAL);
		assert_memory_equal(&config, &before, sizeof config);
	}
	assert_int_equal(process_find_setting("size"), PROCESS_SETTINGS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mask_hides_all_of_its_polygon_and_nothing_else),
		cmocka_unit_test(mask_follows_the_order),
		cmocka_unit_test(mosaic_has_one_value_a_block),
		cmocka_unit_test(crop_is_of_what_is_shown),
		cmocka_unit_test(scale_keeps_within_the_picture),
		cmocka_unit_test(what_the_camera_keeps_stays_as_it_is),
		cmocka_unit_test(frames_that_do_not_fit_are_refused),
		cmocka_unit_test(times_are_counted_by_name),
		cmocka_unit_test(only_what_is_allowed_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
