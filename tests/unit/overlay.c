/* Overlays: words in every format, upright, and painted no more often than they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <png.h>

#include "base/clock.h"
#include "frames.h"
#include "process/canvas.h"
#include "process/chain.h"
#include "process/template.h"
#include "process/text.h"

static const struct size sizes[] = {{1, 1}, {3, 2}, {17, 9}, {64, 48}, {101, 67}};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

/* ---- what paints ---- */

static unsigned n_drawn;

void __real_text_draw(struct text *text, const struct text_plane *plane, uint32_t x, uint32_t y,
	const char *string, size_t n_bytes, uint8_t luma);
void __wrap_text_draw(struct text *text, const struct text_plane *plane, uint32_t x, uint32_t y,
	const char *string, size_t n_bytes, uint8_t luma);

void __wrap_text_draw(struct text *text, const struct text_plane *plane, uint32_t x, uint32_t y,
	const char *string, size_t n_bytes, uint8_t luma)
{
	n_drawn++;
	__real_text_draw(text, plane, x, y, string, n_bytes, luma);
}

static struct filter_stats stats[FILTERS_NAMED];
static stat_counter copied_bytes;
static char reason[PROCESS_REASON_BYTES];

#define LOGO "test-overlay.png"

static int make_chain(const char *rotate, const char *flip, const char *scale, const char *overlay,
	const char *font, struct chain **ret_chain)
{
	char logo[PROCESS_TEXT_BYTES] = "/nowhere.png";
	struct process_config config;

	process_config_init(&config);
	config.camera = "front";
	config.font = font;
	assert_int_equal(process_set(&config, PROCESS_STEPS, "orient, overlay"), 0);
	assert_int_equal(process_set(&config, PROCESS_ROTATE, rotate), 0);
	assert_int_equal(process_set(&config, PROCESS_FLIP, flip), 0);
	assert_int_equal(process_set(&config, PROCESS_SCALE, scale), 0);
	assert_int_equal(process_set(&config, PROCESS_OVERLAY, overlay), 0);
	if (realpath(LOGO, logo))
		assert_int_equal(process_set(&config, PROCESS_LOGO, logo), 0);
	return chain_create(&config, stats, ret_chain, reason);
}

ON_ENCODE static void run(struct chain *chain, struct frame frame, struct frame *ret_view)
{
	struct results results = {1, {{"found", "it"}}};

	*ret_view = frame;
	assert_int_equal(chain_run(chain, ret_view, &results, &copied_bytes), 0);
}

/* ---- what is expected ---- */

/* At these pixels of the picture as it is shown; padding is a quarter of a line. */
#define WORDS  "g"
#define LINE   12
#define LEFT   3
#define TOP    2
#define LOOKS  "size=12 colour=#ff8000c0 box=#10203060 "
#define WIDEST 100

static const uint8_t ink_rgb[] = {255, 128, 0}, box_rgb[] = {16, 32, 48};

static uint8_t coverage[LINE][WIDEST];
static uint32_t width, height, ink_alpha, box_alpha;

ON_ENCODE static int expect_words(void **state)
{
	const struct text_plane plane = {coverage[0], WIDEST, LINE, WIDEST};
	struct text *text;

	(void)state;
	if (text_create(FONT, LINE, &text) < 0)
		return -1;
	width = text_width(text, WORDS, strlen(WORDS)) + LINE / 4 * 2;
	height = LINE;
	ink_alpha = 0xc0;
	box_alpha = 0x60;
	text_draw(text, &plane, LINE / 4, 0, WORDS, strlen(WORDS), 255);
	text_destroy(text);
	return 0;
}

/* A PNG of the ink's colour. */
static void write_logo(uint32_t across, uint32_t down, const uint8_t *alphas)
{
	png_image png = {.version = PNG_IMAGE_VERSION,
		.width = across,
		.height = down,
		.format = PNG_FORMAT_RGBA};
	uint8_t *pixels = calloc((size_t)across * down, 4);

	assert_non_null(pixels);
	for (uint32_t i = 0; alphas && i < across * down; i++) {
		memcpy(pixels + 4 * i, ink_rgb, 3);
		pixels[4 * i + 3] = alphas[i];
	}
	assert_true(png_image_write_to_file(&png, LOGO, 0, pixels, 0, NULL));
	free(pixels);
}

/* What a value becomes at a pixel of the picture as it is shown. */
static double blend(double value, uint32_t x, uint32_t y, uint8_t ink, uint8_t box)
{
	if (x < LEFT || x >= LEFT + width || y < TOP || y >= TOP + height)
		return value;
	value += (box - value) * box_alpha / 255;
	return value + (ink - value) * coverage[y - TOP][x - LEFT] / 255 * ink_alpha / 255;
}

/* The mean of what a sample becomes at the pixels that share it. */
static double expect(const struct frame *view, const struct canvas_component *c, uint32_t sample_x,
	uint32_t sample_y, double before, uint8_t ink, uint8_t box)
{
	double sum = 0;
	unsigned n = 0;

	for (uint32_t i = 0; i < 1u << (c->x_shift + c->y_shift); i++) {
		uint32_t x = (sample_x << c->x_shift) + (i & ((1u << c->x_shift) - 1));
		uint32_t y = (sample_y << c->y_shift) + (i >> c->x_shift), across, down;

		if (x >= view->width || y >= view->height)
			continue;
		x = view->order.mirrored ? view->width - 1 - x : x;
		y = view->order.flipped ? view->height - 1 - y : y;
		across = view->order.transposed ? y : x;
		down = view->order.transposed ? x : y;
		sum += blend(before, across, down, ink, box);
		n++;
	}
	return sum / n;
}

static void check(const struct frame *view, const struct frame *before)
{
	const struct pixel_format *format = pixel_format_find(view->fourcc);
	uint8_t ink[CANVAS_COMPONENTS], box[CANVAS_COMPONENTS];
	struct canvas now, then;

	canvas_init(&now, format, view);
	canvas_init(&then, format, before);
	canvas_colour(format, view, ink_rgb, ink);
	canvas_colour(format, view, box_rgb, box);
	for (unsigned k = 0; k < now.n_components; k++) {
		const struct canvas_component *c = &now.components[k];

		for (uint32_t y = 0; y < c->height; y++)
			for (uint32_t x = 0; x < c->width; x++) {
				uint8_t was = canvas_get(&then, &then.components[k], x, y);
				double expected = expect(view, c, x, y, was, ink[k], box[k]);

				if (fabs(expected - canvas_get(&now, c, x, y)) > 2)
					fail_msg("%u at %u,%u is %u, not %.1f", k, x, y,
						canvas_get(&now, c, x, y), expected);
			}
	}
}

/* ---- tests ---- */

ON_ENCODE static void check_every_format(const char *overlay)
{
	static const char *const orders[][2] = {{"0", "none"}, {"90", "none"}, {"180", "none"},
		{"270", "none"}, {"0", "horizontal"}, {"0", "vertical"}, {"90", "horizontal"}};

	for (size_t i = 0; i < N_FORMATS * N_SIZES * 7; i++) {
		uint32_t fourcc = formats[i / 7 / N_SIZES];
		struct size size = sizes[i / 7 % N_SIZES];
		struct frame frame = make_frame(fourcc, size, FRAME_LIMITED_RANGE), view;
		struct frame before = make_frame(fourcc, size, FRAME_LIMITED_RANGE);
		struct chain *chain;

		assert_int_equal(make_chain(orders[i % 7][0], orders[i % 7][1], "none", overlay,
					 FONT, &chain),
			0);
		assert_true(chain_draws(chain, &frame));
		run(chain, frame, &view);
		check(&view, &before);
		chain_destroy(chain);
		free_frame(&frame);
		free_frame(&before);
	}
}

ON_ENCODE static void words_are_blended_into_every_format_upright(void **state)
{
	assert_int_equal(expect_words(state), 0);
	check_every_format("3,2 " LOOKS WORDS);
}

ON_ENCODE static void logo_is_blended_into_every_format_upright(void **state)
{
	static const uint8_t alphas[] = {0, 255, 128, 255, 20, 0};

	(void)state;
	width = 3;
	height = 2;
	ink_alpha = 255;
	box_alpha = 0;
	for (unsigned i = 0; i < 6; i++)
		coverage[i / 3][i % 3] = alphas[i];
	write_logo(3, 2, alphas);
	check_every_format("3,2 box=#ffffff {logo}");
	(void)unlink(LOGO);
}

/* Rows that are not as they were. */
ON_ENCODE static void find_rows(
	const char *scale, const char *overlay, uint32_t *ret_first, uint32_t *ret_last)
{
	struct frame frame = make_frame(V4L2_PIX_FMT_GREY, (struct size){200, 100}, 0), view;
	struct frame before = make_frame(V4L2_PIX_FMT_GREY, (struct size){200, 100}, 0);
	const struct frame_plane *plane = &frame.planes[0];
	struct chain *chain;

	assert_int_equal(make_chain("0", "none", scale, overlay, FONT, &chain), 0);
	run(chain, frame, &view);
	*ret_first = UINT32_MAX;
	for (uint32_t y = 0; y < 100; y++)
		if (memcmp(plane->data + (size_t)y * plane->stride_bytes,
			    before.planes[0].data + (size_t)y * plane->stride_bytes, 200) != 0) {
			*ret_first = *ret_first < y ? *ret_first : y;
			*ret_last = y;
		}
	chain_destroy(chain);
	free_frame(&frame);
	free_frame(&before);
}

ON_ENCODE static void logo_is_as_large_as_it_is_asked_for(void **state)
{
	static const uint8_t alphas[] = {255, 255};
	static const struct {
		const char *scale, *overlay;
		uint32_t first, last;
	} cases[] = {
		{"none", "0,10 {logo}", 10, 11},
		{"none", "0,10 size=30 {logo}", 10, 39},
		{"none", "bottom-left size=50% {logo}", 48, 97},
		{"1/2", "0,10 {logo}", 20, 23},
		{"1/2", "0,10 size=5 {logo}", 20, 29},
	};

	(void)state;
	write_logo(1, 2, alphas);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t first, last;

		find_rows(cases[i].scale, cases[i].overlay, &first, &last);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(last, cases[i].last);
	}
	(void)unlink(LOGO);
}

ON_ENCODE static void places_and_sizes_are_those_that_are_shown(void **state)
{
	static const struct {
		const char *scale, *overlay;
		uint32_t first, last; /* row of the frame */
	} cases[] = {
		{"none", "0,10 size=20 box=#ff00ff x", 10, 29},
		{"none", "0,-10 size=20 box=#ff00ff x", 70, 89},
		{"none", "top-left size=20 box=#ff00ff x", 10, 29},
		{"none", "bottom-right size=20% box=#ff00ff x", 70, 89},
		{"none", "0,0 size=20 box=#ff00ff x%ny", 0, 39},
		{"1/2", "0,10 size=20 box=#ff00ff x", 20, 59},
		{"1/2", "bottom-left size=20% box=#ff00ff x", 70, 89},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t first, last;

		find_rows(cases[i].scale, cases[i].overlay, &first, &last);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(last, cases[i].last);
	}
}

ON_ENCODE static void lines_that_are_too_long_go_on_below(void **state)
{
	uint32_t first, last;

	(void)state;
	find_rows("none",
		"0,0 size=20 box=#ff00ff far too long for the two hundred pixels of a line", &first,
		&last);
	assert_int_equal(first, 0);
	assert_in_range(last, 2 * 20 - 1, 99);
	assert_int_equal((last + 1) % 20, 0);
	/* Each of these fits into one. */
	find_rows("none", "0,0 size=20 box=#ff00ff a line%nuncharacteristically", &first, &last);
	assert_int_equal(last, 2 * 20 - 1);
}

ON_ENCODE static void what_lies_outside_of_the_picture_is_left_out(void **state)
{
	static const char *const overlays[] = {"16384,16384 x", "-16384,-16384 x",
		"-7,-1 size=512 x", "30,-12 size=20 much longer than wide%nand%n%n%nhigher",
		"30,0 size=100% x ; top-left {result:none}"};

	(void)state;
	for (size_t i = 0; i < sizeof overlays / sizeof *overlays; i++)
		for (size_t s = 0; s < N_SIZES; s++) {
			struct frame frame = make_frame(V4L2_PIX_FMT_NV12, sizes[s], 0), view;
			struct chain *chain;

			assert_int_equal(
				make_chain("90", "none", "1/2", overlays[i], FONT, &chain), 0);
			run(chain, frame, &view);
			chain_destroy(chain);
			free_frame(&frame);
		}
}

ON_ENCODE static void words_are_painted_only_when_they_change(void **state)
{
	struct frame frame = make_frame(V4L2_PIX_FMT_YUYV, (struct size){64, 48}, 0), view;
	struct frame other = make_frame(V4L2_PIX_FMT_UYVY, (struct size){64, 48}, 0);
	struct chain *chain;

	(void)state;
	assert_int_equal(make_chain("0", "none", "none", "top-left {name}; top-right {sequence}",
				 FONT, &chain),
		0);
	n_drawn = 0;
	for (int i = 0; i < 3; i++)
		run(chain, frame, &view);
	assert_int_equal(n_drawn, 2);
	frame.sequence++;
	for (int i = 0; i < 3; i++)
		run(chain, frame, &view);
	assert_int_equal(n_drawn, 3);
	other.sequence = frame.sequence;
	for (int i = 0; i < 3; i++)
		run(chain, other, &view);
	assert_int_equal(n_drawn, 5);
	chain_destroy(chain);
	free_frame(&frame);
	free_frame(&other);
}

ON_ENCODE static void fields_are_those_of_the_picture(void **state)
{
	static const struct results results = {2, {{"left", "1%T{fps}"}, {"right", "r"}}};
	static const struct template_values values = {.name = "front",
		.fps = 29.97,
		.sequence = 7,
		.width = 640,
		.height = 360,
		.time = {.tm_year = 126, .tm_mon = 10, .tm_mday = 22, .tm_hour = 23, .tm_min = 5},
		.results = &results};
	static const char *const templates[][2] = {
		{"{name}: {fps} fps, {size}, #{sequence}", "front: 30.0 fps, 640x360, #7"},
		{"%F %T 100%%", "2026-11-22 23:05:00 100%"},
		{"{{}name} {;}", "{name} ;"},
		{"<{result:left}|{result:lef}|{result:right}>", "<1%T{fps}||r>"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
		assert_true(template_is_right(templates[i][0]));
		template_expand(templates[i][0], &values, text, sizeof text);
		assert_string_equal(text, templates[i][1]);
	}
	template_expand("12345678{name}", &values, text, 12);
	assert_string_equal(text, "12345678fro");
}

/* Painted are as many frames as came in a second, by the times that they were taken. */
ON_ENCODE static void frames_are_counted_by_their_times(void **state)
{
	struct frame frame = make_frame(V4L2_PIX_FMT_GREY, (struct size){64, 48}, 0), view;
	struct chain *chain;

	(void)state;
	assert_int_equal(make_chain("0", "none", "none", "top-left {fps}", FONT, &chain), 0);
	frame.captured_ns = 100 * NS_PER_S;
	n_drawn = 0;
	/* 0.0 at first, for want of a second before; then 25.0. */
	for (int i = 0; i < 100; i++, frame.captured_ns += NS_PER_S / 25)
		run(chain, frame, &view);
	assert_int_equal(n_drawn, 2);
	chain_destroy(chain);
	free_frame(&frame);
}

static void without_a_font_there_is_no_chain(void **state)
{
	struct chain *chain = NULL;

	(void)state;
	assert_int_equal(
		make_chain("0", "none", "none", "top-left x", "/nowhere.ttf", &chain), -ENOENT);
	assert_string_equal(reason, "overlay has no font: /nowhere.ttf: No such file or directory; "
				    "name another with the setting font");
	assert_int_equal(
		make_chain("0", "none", "none", "top-left x", "/proc/self/exe", &chain), -EINVAL);
	assert_null(chain);
}

static void what_is_no_logo_is_refused(void **state)
{
	struct chain *chain = NULL;
	FILE *file;

	(void)state;
	(void)unlink(LOGO);
	assert_int_equal(make_chain("0", "none", "none", "top-left {logo}", FONT, &chain), -EINVAL);
	assert_string_equal(reason, "overlay has a {logo}, and the setting logo names no file");
	write_logo(1025, 1, NULL);
	assert_int_equal(make_chain("0", "none", "none", "top-left {logo}", FONT, &chain), -EINVAL);
	assert_non_null(strstr(reason, "has 1025x1 pixels; use one of at most 1024x1024"));
	file = fopen(LOGO, "w");
	assert_non_null(file);
	fputs("no PNG", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(make_chain("0", "none", "none", "top-left {logo}", FONT, &chain), -EINVAL);
	assert_non_null(strstr(reason, "; use a PNG"));
	(void)unlink(LOGO);
	assert_null(chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_blended_into_every_format_upright),
		cmocka_unit_test(logo_is_blended_into_every_format_upright),
		cmocka_unit_test(logo_is_as_large_as_it_is_asked_for),
		cmocka_unit_test(places_and_sizes_are_those_that_are_shown),
		cmocka_unit_test(lines_that_are_too_long_go_on_below),
		cmocka_unit_test(what_lies_outside_of_the_picture_is_left_out),
		cmocka_unit_test(words_are_painted_only_when_they_change),
		cmocka_unit_test(fields_are_those_of_the_picture),
		cmocka_unit_test(frames_are_counted_by_their_times),
		cmocka_unit_test(without_a_font_there_is_no_chain),
		cmocka_unit_test(what_is_no_logo_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
