/* A placeholder: as large as asked, and with words that can be told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process/placeholder.h"

static const char *const words[] = {"Camera front is offline", "/dev/video0 is gone"};

/* Pixels that are not the ground, which fills the corners. */
static unsigned count_inked(const struct frame *frame)
{
	const struct frame_plane *plane = &frame->planes[0];
	unsigned n = 0;

	for (uint32_t y = 0; y < frame->height; y++)
		for (uint32_t x = 0; x < frame->width; x++)
			n += plane->data[y * plane->stride_bytes + x] != plane->data[0];
	return n;
}

ON_ENCODE static void words_are_drawn_at_any_size(void **state)
{
	static const uint32_t sizes[][2] = {{1920, 1080}, {640, 360}, {160, 120}, {1280, 16}};
	struct placeholder *placeholder;
	struct frame frame;

	(void)state;
	assert_int_equal(placeholder_create(FONT, &placeholder), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		assert_int_equal(
			placeholder_draw(placeholder, sizes[i][0], sizes[i][1], words, 2, &frame),
			0);
		assert_int_equal(frame.width, sizes[i][0]);
		assert_int_equal(frame.height, sizes[i][1]);
		assert_int_equal(frame.planes[0].size_bytes, sizes[i][0] * sizes[i][1]);
		assert_in_range(count_inked(&frame), 1, frame.planes[0].size_bytes / 2);
	}
	for (uint32_t size = 2; size <= 16; size += 2)
		assert_int_equal(placeholder_draw(placeholder, size, size, words, 2, &frame), 0);
	placeholder_destroy(placeholder);
}

ON_ENCODE static void other_words_make_another_picture(void **state)
{
	static const char *const others[] = {"Camera back is offline"};
	struct placeholder *placeholder;
	struct frame frame;
	uint8_t *first;

	(void)state;
	assert_int_equal(placeholder_create(FONT, &placeholder), 0);
	assert_int_equal(placeholder_draw(placeholder, 640, 360, words, 1, &frame), 0);
	first = malloc(640 * 360);
	assert_non_null(first);
	memcpy(first, frame.planes[0].data, 640 * 360);
	assert_int_equal(placeholder_draw(placeholder, 640, 360, others, 1, &frame), 0);
	assert_memory_not_equal(first, frame.planes[0].data, 640 * 360);
	assert_int_equal(placeholder_draw(placeholder, 640, 360, words, 1, &frame), 0);
	assert_memory_equal(first, frame.planes[0].data, 640 * 360);
	free(first);
	placeholder_destroy(placeholder);
}

ON_ENCODE static void without_a_font_there_is_the_ground(void **state)
{
	struct placeholder *placeholder;
	struct frame frame = {0};

	(void)state;
	assert_int_equal(placeholder_create("/nowhere.ttf", &placeholder), 0);
	assert_int_equal(placeholder_draw(placeholder, 640, 360, words, 2, &frame), -ENOENT);
	assert_int_equal(frame.width, 640);
	assert_int_equal(count_inked(&frame), 0);
	placeholder_destroy(placeholder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_drawn_at_any_size),
		cmocka_unit_test(other_words_make_another_picture),
		cmocka_unit_test(without_a_font_there_is_the_ground),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
