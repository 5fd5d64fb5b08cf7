#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pipeline/life.h"

#define AT_30_FPS (NS_PER_S / 30)

static uint64_t now_ns = 1000 * NS_PER_S;

/* A camera that has just delivered its first frame. */
ON_CAPTURE static struct life streaming(uint64_t interval_ns)
{
	struct life life = {0};

	life_open(&life);
	assert_int_equal(life.state, CAMERA_OPENING);
	life_listen(&life, interval_ns, now_ns);
	assert_int_equal(life.state, CAMERA_OPENING);
	life_hear(&life, now_ns);
	assert_int_equal(life.state, CAMERA_STREAMING);
	return life;
}

/* Let the time of the next look come; how long it took. */
ON_CAPTURE static uint64_t look_when_due(struct life *life, enum life_step expected)
{
	uint64_t from_ns = now_ns;

	assert_int_equal(life_look(life, life->due_ns - 1), LIFE_LISTEN);
	now_ns = life->due_ns;
	assert_int_equal(life_look(life, now_ns), expected);
	return now_ns - from_ns;
}

ON_CAPTURE static void missing_frame_is_reported_within_a_second(void **state)
{
	static const uint64_t intervals_ns[] = {
		NS_PER_S / 120, AT_30_FPS, NS_PER_S / 5, NS_PER_S, 10 * NS_PER_S};

	(void)state;
	for (size_t i = 0; i < sizeof intervals_ns / sizeof *intervals_ns; i++) {
		struct life life = streaming(intervals_ns[i]);
		uint64_t silence_ns = look_when_due(&life, LIFE_REPORT);

		assert_in_range(silence_ns, intervals_ns[i], intervals_ns[i] + NS_PER_S - 1);
		assert_int_equal(life.state, CAMERA_LOST);
	}
}

ON_CAPTURE static void silence_is_reported_then_restarted_then_given_up(void **state)
{
	struct life life = streaming(AT_30_FPS);

	(void)state;
	look_when_due(&life, LIFE_REPORT);
	look_when_due(&life, LIFE_RESTART);
	look_when_due(&life, LIFE_GIVE_UP);
}

ON_CAPTURE static void frame_after_a_restart_makes_all_good(void **state)
{
	struct life life = streaming(AT_30_FPS);

	(void)state;
	for (int i = 0; i < 3; i++) {
		look_when_due(&life, LIFE_REPORT);
		look_when_due(&life, LIFE_RESTART);
		life_hear(&life, now_ns);
		assert_int_equal(life.state, CAMERA_STREAMING);
	}
}

ON_CAPTURE static void camera_that_never_spoke_is_not_reported_as_falling_silent(void **state)
{
	struct life life = {0};

	(void)state;
	life_open(&life);
	life_listen(&life, AT_30_FPS, now_ns);
	look_when_due(&life, LIFE_RESTART);
	look_when_due(&life, LIFE_GIVE_UP);
}

ON_CAPTURE static void slow_camera_is_given_its_intervals(void **state)
{
	struct life life = streaming(10 * NS_PER_S);

	(void)state;
	look_when_due(&life, LIFE_REPORT);
	assert_int_equal(life_look(&life, now_ns + 200 * NS_PER_S), LIFE_LISTEN);
	look_when_due(&life, LIFE_RESTART);
}

ON_CAPTURE static void camera_that_promises_a_frame_in_years_is_given_an_hour(void **state)
{
	static const uint64_t years[] = {1, 50, 136};

	(void)state;
	for (size_t i = 0; i < sizeof years / sizeof *years; i++) {
		struct life life = streaming(years[i] * 365 * 24 * 3600 * NS_PER_S);

		assert_in_range(look_when_due(&life, LIFE_REPORT), NS_PER_S, 3600 * NS_PER_S);
		assert_in_range(look_when_due(&life, LIFE_RESTART), NS_PER_S, 3600 * NS_PER_S);
	}
}

/* Fail to open; how long the pause is, 0 for ever. */
ON_CAPTURE static uint64_t pause_after(struct life *life, int err)
{
	life_open(life);
	life_fail(life, err, now_ns);
	return life->due_ns == UINT64_MAX ? 0 : life->due_ns - now_ns;
}

ON_CAPTURE static void pauses_grow_up_to_a_bound(void **state)
{
	struct life life = {0};
	uint64_t last_ns = 0, pause_ns = pause_after(&life, -EBUSY);

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_true(pause_ns >= last_ns);
		assert_true(pause_ns <= 4 * NS_PER_S);
		last_ns = pause_ns;
		pause_ns = pause_after(&life, -EBUSY);
	}
	assert_int_equal(pause_ns, last_ns);
	assert_int_equal(life.state, CAMERA_LOST);
}

ON_CAPTURE static void absent_camera_is_waited_for_without_looking(void **state)
{
	struct life life = {.told = true};
	int looks = 0;

	(void)state;
	while (pause_after(&life, -ENOENT))
		assert_true(++looks < 20);
	assert_int_equal(life.state, CAMERA_ABSENT);
	/* It comes, but its permissions are not there yet. */
	life_hurry(&life, now_ns);
	assert_int_equal(life.due_ns, now_ns);
	assert_true(pause_after(&life, -EACCES) > 0);
	assert_int_equal(life.state, CAMERA_LOST);
	assert_true(pause_after(&life, -ENOENT) > 0);
}

ON_CAPTURE static void absent_camera_of_which_nobody_tells_is_looked_for(void **state)
{
	struct life life = {0};

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_true(pause_after(&life, -ENOENT) > 0);
}

ON_CAPTURE static void pauses_begin_anew_after_a_frame(void **state)
{
	struct life life = {0};
	uint64_t first_ns = pause_after(&life, -EIO);

	(void)state;
	while (pause_after(&life, -EIO) < 4 * NS_PER_S)
		;
	life_open(&life);
	life_listen(&life, AT_30_FPS, now_ns);
	assert_true(pause_after(&life, -EIO) > first_ns); /* opening alone proves nothing */
	life_listen(&life, AT_30_FPS, now_ns);
	life_hear(&life, now_ns);
	assert_int_equal(pause_after(&life, -EIO), first_ns);
}

ON_CAPTURE static void camera_whose_pictures_changed_is_opened_at_once_but_not_in_circles(
	void **state)
{
	struct life life = streaming(AT_30_FPS);

	(void)state;
	life_fail(&life, -ESTALE, now_ns);
	assert_int_equal(life.due_ns, now_ns);
	assert_true(pause_after(&life, -ESTALE) > 0);
	assert_true(pause_after(&life, -ESTALE) > 0);
	life_listen(&life, AT_30_FPS, now_ns);
	life_hear(&life, now_ns);
	life_fail(&life, -ESTALE, now_ns);
	assert_int_equal(life.due_ns, now_ns);
}

ON_CAPTURE static void change_of_the_signal_shortens_the_pause_but_leaves_one(void **state)
{
	struct life life = {0};
	uint64_t pause_ns;

	(void)state;
	do
		pause_ns = pause_after(&life, -ENOLINK);
	while (pause_ns < 4 * NS_PER_S);
	life_recheck(&life, now_ns);
	assert_true(life.due_ns > now_ns);
	assert_true(life.due_ns < now_ns + NS_PER_S);
}

ON_CAPTURE static void a_rest_ends_with_opening(void **state)
{
	struct life life = streaming(AT_30_FPS);

	(void)state;
	life_rest(&life);
	assert_int_equal(life.state, CAMERA_IDLE);
	life_open(&life);
	assert_int_equal(life.state, CAMERA_OPENING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rest_ends_with_opening),
		cmocka_unit_test(missing_frame_is_reported_within_a_second),
		cmocka_unit_test(silence_is_reported_then_restarted_then_given_up),
		cmocka_unit_test(frame_after_a_restart_makes_all_good),
		cmocka_unit_test(camera_that_never_spoke_is_not_reported_as_falling_silent),
		cmocka_unit_test(slow_camera_is_given_its_intervals),
		cmocka_unit_test(camera_that_promises_a_frame_in_years_is_given_an_hour),
		cmocka_unit_test(pauses_grow_up_to_a_bound),
		cmocka_unit_test(absent_camera_is_waited_for_without_looking),
		cmocka_unit_test(absent_camera_of_which_nobody_tells_is_looked_for),
		cmocka_unit_test(
			camera_whose_pictures_changed_is_opened_at_once_but_not_in_circles),
		cmocka_unit_test(change_of_the_signal_shortens_the_pause_but_leaves_one),
		cmocka_unit_test(pauses_begin_anew_after_a_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
