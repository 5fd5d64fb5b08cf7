/* The choice whether to slice, on a machine that takes as long as the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "encode/choice.h"

#define WHOLE_NS 10000000
#define SLICES   2

/* Encode frames; how many of them were sliced. */
static unsigned encode(
	struct choice *choice, unsigned frames, uint64_t whole_ns, uint64_t sliced_ns)
{
	unsigned n_sliced = 0;

	for (unsigned i = 0; i < frames; i++) {
		bool sliced = choice_next(choice, SLICES);

		n_sliced += sliced;
		choice_learn(choice, sliced, sliced ? sliced_ns : whole_ns);
	}
	return n_sliced;
}

/* As many as a change of the lead takes when the other way saves a seventh each time. */
#define SOON (CHOICE_FRAMES + 7 * (CHOICE_FRAMES_SAVING + 1))

static void slices_lead_at_first(void **state)
{
	struct choice choice = {0};

	(void)state;
	assert_int_equal(
		encode(&choice, CHOICE_FRAMES, WHOLE_NS, WHOLE_NS * 6 / 10), CHOICE_FRAMES);
}

static void slices_that_pay_lead_soon(void **state)
{
	struct choice choice = {.whole = true};

	(void)state;
	encode(&choice, SOON, WHOLE_NS, WHOLE_NS * 6 / 10);
	assert_true(choice_next(&choice, SLICES));
	assert_false(choice.whole);
}

static void slices_that_cost_more_are_given_up_soon(void **state)
{
	struct choice choice = {0};

	(void)state;
	encode(&choice, SOON, WHOLE_NS, WHOLE_NS * 11 / 10);
	assert_false(choice_next(&choice, SLICES));
	assert_true(choice.whole);
}

/* On busy cores every other frame waits for a slice whose core does something else. */
static void slices_that_pay_half_of_the_time_are_given_up(void **state)
{
	struct choice choice = {0};

	(void)state;
	for (unsigned i = 0; i < 10 * SOON; i++)
		encode(&choice, 1, WHOLE_NS, i % 2 ? WHOLE_NS / 2 : WHOLE_NS * 3 / 2);
	assert_true(choice.whole);
}

static void slices_that_save_next_to_nothing_do_not_come_back(void **state)
{
	struct choice choice = {.whole = true};

	(void)state;
	encode(&choice, 1000, WHOLE_NS, WHOLE_NS * 98 / 100);
	assert_true(choice.whole);
}

static void slices_of_short_frames_are_given_up_however_fast(void **state)
{
	struct choice choice = {0};

	(void)state;
	/* They save 0.8 ms, and all of 0.9 ms if they could. */
	encode(&choice, 10 * SOON, 1600000, 800000);
	assert_true(choice.whole);
	encode(&choice, 10 * SOON, 900000, 0);
	assert_true(choice.whole);
	encode(&choice, 10 * SOON, 2400000, 1200000);
	assert_false(choice.whole);
}

static void slices_that_cannot_save_enough_are_not_tried(void **state)
{
	struct choice choice = {.whole = true};

	(void)state;
	assert_int_equal(encode(&choice, 10 * SOON, 1900000, 950000), 0);
	assert_true(encode(&choice, 10 * SOON, 2100000, 1050000) > 0);
}

static void the_other_way_is_tried_rarely(void **state)
{
	struct choice choice = {.whole = true};
	unsigned frames = 100 * (CHOICE_FRAMES + 1);

	(void)state;
	assert_int_equal(encode(&choice, frames, WHOLE_NS, WHOLE_NS * 2), 100);
	choice = (struct choice){0};
	assert_int_equal(encode(&choice, frames, WHOLE_NS, WHOLE_NS / 2), frames - 100);
}

static void what_pays_may_change_with_the_load(void **state)
{
	struct choice choice = {0};

	(void)state;
	for (int i = 0; i < 10; i++) {
		encode(&choice, 100, WHOLE_NS, WHOLE_NS * 6 / 10);
		assert_false(choice.whole);
		encode(&choice, 100, WHOLE_NS, WHOLE_NS * 3 / 2);
		assert_true(choice.whole);
	}
}

/* Frames of which every third is interrupted when it is whole, and none when it is sliced. */
static void encode_interrupted(struct choice *choice, unsigned frames)
{
	static unsigned n_whole;

	for (unsigned i = 0; i < frames; i++) {
		bool sliced = choice_next(choice, SLICES);
		bool interrupted = !sliced && ++n_whole % 3 == 0;

		choice_learn(choice, sliced, interrupted ? 2 * WHOLE_NS : WHOLE_NS);
	}
}

/* No faster most of the time, and faster all in all. */
static void slices_that_are_interrupted_less_pay(void **state)
{
	struct choice choice = {.whole = true};

	(void)state;
	encode_interrupted(&choice, 20 * SOON);
	assert_false(choice.whole);
	for (int i = 0; i < 100; i++) {
		encode_interrupted(&choice, SOON);
		assert_false(choice.whole);
	}
}

static void interrupted_frames_decide_nothing(void **state)
{
	struct choice choice = {0};

	(void)state;
	encode(&choice, 100, WHOLE_NS, WHOLE_NS * 6 / 10);
	for (int i = 0; i < 100; i++) {
		encode(&choice, 1, WHOLE_NS, WHOLE_NS * 100);
		encode(&choice, 19, WHOLE_NS, WHOLE_NS * 6 / 10);
		assert_false(choice.whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_lead_at_first),
		cmocka_unit_test(slices_that_pay_lead_soon),
		cmocka_unit_test(slices_that_cost_more_are_given_up_soon),
		cmocka_unit_test(slices_that_pay_half_of_the_time_are_given_up),
		cmocka_unit_test(slices_that_save_next_to_nothing_do_not_come_back),
		cmocka_unit_test(slices_of_short_frames_are_given_up_however_fast),
		cmocka_unit_test(slices_that_cannot_save_enough_are_not_tried),
		cmocka_unit_test(the_other_way_is_tried_rarely),
		cmocka_unit_test(what_pays_may_change_with_the_load),
		cmocka_unit_test(slices_that_are_interrupted_less_pay),
		cmocka_unit_test(interrupted_frames_decide_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
