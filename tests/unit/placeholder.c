/* A placeholder: as large as asked, and with words that can be told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <linux/videodev2.h>

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
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		assert_int_equal(
			placeholder_create(FONT, sizes[i][0], sizes[i][1], NULL, &placeholder), 0);
		assert_int_equal(placeholder_draw(placeholder, words, 2, &frame), 0);
		assert_int_equal(frame.width, sizes[i][0]);
		assert_int_equal(frame.height, sizes[i][1]);
		assert_int_equal(frame.planes[0].size_bytes, sizes[i][0] * sizes[i][1]);
		assert_in_range(count_inked(&frame), 1, frame.planes[0].size_bytes / 2);
		placeholder_destroy(placeholder);
	}
	for (uint32_t size = 1; size <= 16; size++) {
		assert_int_equal(placeholder_create(FONT, size, size, NULL, &placeholder), 0);
		assert_int_equal(placeholder_draw(placeholder, words, 2, &frame), 0);
		placeholder_destroy(placeholder);
	}
}

ON_ENCODE static void other_words_make_another_picture(void **state)
{
	static const char *const others[] = {"Camera back is offline"};
	struct placeholder *placeholder;
	struct frame frame;
	uint8_t *first;

	(void)state;
	assert_int_equal(placeholder_create(FONT, 640, 360, NULL, &placeholder), 0);
	assert_int_equal(placeholder_draw(placeholder, words, 1, &frame), 0);
	first = malloc(640 * 360);
	assert_non_null(first);
	memcpy(first, frame.planes[0].data, 640 * 360);
	assert_int_equal(placeholder_draw(placeholder, others, 1, &frame), 0);
	assert_memory_not_equal(first, frame.planes[0].data, 640 * 360);
	assert_int_equal(placeholder_draw(placeholder, words, 1, &frame), 0);
	assert_memory_equal(first, frame.planes[0].data, 640 * 360);
	free(first);
	placeholder_destroy(placeholder);
}

ON_ENCODE static void without_a_font_there_is_the_ground(void **state)
{
	struct placeholder *placeholder;
	struct frame frame = {0};

	(void)state;
	assert_int_equal(placeholder_create("/nowhere.ttf", 640, 360, NULL, &placeholder), 0);
	assert_int_equal(placeholder_draw(placeholder, words, 2, &frame), -ENOENT);
	assert_int_equal(frame.width, 640);
	assert_int_equal(count_inked(&frame), 0);
	placeholder_destroy(placeholder);
}

/* Planar pictures of one luma on the left and one on the right, of one colour. */
struct halves {
	uint8_t luma[8][8], cb[4][4], cr[4][4];
};

static struct frame make_picture(struct halves *halves, uint32_t fourcc)
{
	for (unsigned y = 0; y < 8; y++)
		for (unsigned x = 0; x < 8; x++)
			halves->luma[y][x] = x < 4 ? 255 : 30;
	memset(halves->cb, 68, sizeof halves->cb);
	memset(halves->cr, 248, sizeof halves->cr);
	return (struct frame){
		.fourcc = fourcc,
		.width = 8,
		.height = 8,
		.n_planes = fourcc == V4L2_PIX_FMT_GREY ? 1 : 3,
		.planes = {{halves->luma[0], 8, sizeof halves->luma, 0, -1},
			{halves->cb[0], 4, sizeof halves->cb, 0, -1},
			{halves->cr[0], 4, sizeof halves->cr, 0, -1}},
	};
}

ON_ENCODE static void ground_is_the_picture_dimmed(void **state)
{
	static const uint32_t sizes[][2] = {{8, 8}, {4, 4}, {640, 360}, {7, 9}};
	struct placeholder *placeholder;
	struct halves halves;
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint32_t width = sizes[i][0], height = sizes[i][1];
		struct frame picture = make_picture(
			&halves, i % 2 ? V4L2_PIX_FMT_GREY : V4L2_PIX_FMT_YUV420);

		assert_int_equal(
			placeholder_create("/nowhere.ttf", width, height, &picture, &placeholder),
			0);
		/* What it was made of may go. */
		memset(&halves, 0, sizeof halves);
		assert_int_equal(placeholder_draw(placeholder, words, 2, &frame), -ENOENT);
		for (uint32_t y = 0; y < height; y++) {
			const uint8_t *luma = frame.planes[0].data +
					      y * frame.planes[0].stride_bytes;

			assert_int_equal(luma[0], 85);
			assert_int_equal(luma[(width - 1) / 2], 85);
			assert_int_equal(luma[width - 1], 10);
		}
		assert_int_equal(frame.planes[1].data[0], i % 2 ? 128 : 108);
		assert_int_equal(frame.planes[1].data[1], i % 2 ? 128 : 168);
		placeholder_destroy(placeholder);
	}
}

/* By the contrast that the Web's guidelines ask for at the least, as if luma were light's part. */
ON_ENCODE static void words_stand_out_from_white(void **state)
{
	struct placeholder *placeholder;
	struct halves halves;
	struct frame picture = make_picture(&halves, V4L2_PIX_FMT_GREY), frame;
	double brightest = 0, ground;

	(void)state;
	memset(halves.luma, 255, sizeof halves.luma);
	assert_int_equal(placeholder_create(FONT, 640, 360, &picture, &placeholder), 0);
	assert_int_equal(placeholder_draw(placeholder, words, 2, &frame), 0);
	assert_in_range(count_inked(&frame), 1000, 640 * 360 / 2);
	for (uint32_t i = 0; i < frame.planes[0].size_bytes; i++)
		brightest = fmax(brightest, frame.planes[0].data[i]);
	ground = frame.planes[0].data[0];
	assert_true((pow(brightest / 255, 2.2) + 0.05) / (pow(ground / 255, 2.2) + 0.05) > 4.5);
	placeholder_destroy(placeholder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_drawn_at_any_size),
		cmocka_unit_test(other_words_make_another_picture),
		cmocka_unit_test(without_a_font_there_is_the_ground),
		cmocka_unit_test(ground_is_the_picture_dimmed),
		cmocka_unit_test(words_stand_out_from_white),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
