/* Text: where it is drawn, how it is broken, and what is made of bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "process/text.h"

#define WIDTH  200
#define HEIGHT 40
#define LINE   20

static uint8_t pixels[HEIGHT + 2][WIDTH];

/* A plane with a row before and behind that must not be touched. */
static const struct text_plane plane = {pixels[1], WIDTH, HEIGHT, WIDTH};

ON_ENCODE static int open_font(void **state)
{
	struct text *text;

	if (text_create(FONT, LINE, &text) < 0)
		return -1;
	*state = text;
	return 0;
}

ON_ENCODE static int close_font(void **state)
{
	text_destroy(*state);
	return 0;
}

static unsigned count_drawn(unsigned top, unsigned bottom, unsigned left, unsigned right)
{
	unsigned n = 0;

	for (unsigned y = top; y < bottom; y++)
		for (unsigned x = left; x < right; x++)
			n += pixels[1 + y][x] != 0;
	return n;
}

ON_ENCODE static void draw(struct text *text, uint32_t x, uint32_t y, const char *string)
{
	memset(pixels, 0, sizeof pixels);
	text_draw(text, &plane, x, y, string, strlen(string), 255);
}

ON_ENCODE static void a_line_is_drawn_in_its_place(void **state)
{
	draw(*state, 50, 10, "Hg");
	assert_int_not_equal(count_drawn(10, 10 + LINE, 50, 50 + 2 * LINE), 0);
	assert_int_equal(
		count_drawn(0, HEIGHT, 0, WIDTH), count_drawn(10, 10 + LINE, 49, 50 + 2 * LINE));
}

ON_ENCODE static void what_lies_outside_is_left_out(void **state)
{
	draw(*state, WIDTH - 5, HEIGHT - 10, "WWWW");
	assert_int_not_equal(count_drawn(0, HEIGHT, 0, WIDTH), 0);
	for (unsigned x = 0; x < WIDTH; x++)
		assert_int_equal(pixels[0][x] | pixels[HEIGHT + 1][x], 0);
	assert_int_equal(count_drawn(0, HEIGHT, 0, WIDTH / 2), 0);
}

ON_ENCODE static void utf8_is_one_glyph_a_character(void **state)
{
	uint8_t umlaut[HEIGHT + 2][WIDTH];

	draw(*state, 0, 0, "\xc3\xbc");
	memcpy(umlaut, pixels, sizeof umlaut);
	draw(*state, 0, 0, "u");
	assert_int_not_equal(count_drawn(0, HEIGHT, 0, WIDTH), 0);
	assert_memory_not_equal(umlaut, pixels, sizeof umlaut);
	draw(*state, 0, 0, "\xef\xbf\xbd");
	assert_memory_not_equal(umlaut, pixels, sizeof umlaut);
}

ON_ENCODE static void what_is_no_utf8_shows_as_such(void **state)
{
	static const char *const bad[] = {
		"\xff", "\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
	uint8_t mark[HEIGHT + 2][WIDTH];

	draw(*state, 0, 0, "\xef\xbf\xbd");
	memcpy(mark, pixels, sizeof mark);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		draw(*state, 0, 0, bad[i]);
		for (unsigned y = 0; y <= HEIGHT; y++) /* the first of the marks */
			assert_memory_equal(pixels[y], mark[y], 8);
	}
}

ON_ENCODE static void lines_break_at_spaces(void **state)
{
	static const char string[] = "one two three four five";
	size_t n = text_fit(*state, string, 100);

	assert_in_range(n, 3, sizeof string - 2);
	assert_int_equal(string[n], ' ');
	assert_int_equal(text_fit(*state, string, 10000), sizeof string - 1);
	assert_int_equal(text_fit(*state, "", 100), 0);
	assert_int_equal(text_fit(*state, "\xc3\xbc\xc3\xbc", 1), 2);
}

ON_ENCODE static void what_is_on_the_next_line_takes_no_room(void **state)
{
	static const char string[] = "one two\nthree four five six seven";
	uint32_t width_px = text_width(*state, string, strlen("one two"));

	assert_int_equal(text_fit(*state, string, width_px), strlen("one two"));
	assert_int_equal(text_fit(*state, "\none", width_px), 0);
}

ON_ENCODE static void size_that_cannot_be_had_is_refused_each_time(void **state)
{
	uint32_t width_px = text_width(*state, "one", 3);

	for (int i = 0; i < 2; i++)
		assert_int_equal(text_resize(*state, 100000), -EINVAL);
	assert_int_equal(text_resize(*state, LINE), 0);
	assert_int_equal(text_width(*state, "one", 3), width_px);
}

ON_ENCODE static void what_is_no_font_is_refused(void **state)
{
	struct text *text = NULL;

	(void)state;
	assert_int_equal(text_create("/nowhere.ttf", LINE, &text), -ENOENT);
	assert_int_equal(text_create("/proc/self/exe", LINE, &text), -EINVAL);
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_drawn_in_its_place),
		cmocka_unit_test(what_lies_outside_is_left_out),
		cmocka_unit_test(utf8_is_one_glyph_a_character),
		cmocka_unit_test(what_is_no_utf8_shows_as_such),
		cmocka_unit_test(lines_break_at_spaces),
		cmocka_unit_test(what_is_on_the_next_line_takes_no_room),
		cmocka_unit_test(size_that_cannot_be_had_is_refused_each_time),
		cmocka_unit_test(what_is_no_font_is_refused),
	};

	return cmocka_run_group_tests(tests, open_font, close_font);
}
