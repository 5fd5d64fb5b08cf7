/* Threads of a pipeline, one at a time: the test is what they are joined to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "base/fd.h"
#include "pipeline/inside.h"

#define PATIENCE_NS (60 * NS_PER_S)

/* A camera that is not there. */
static const struct camera_settings settings = {
	.camera = {.name = "a", .source = "name:nobody's"}, .jpeg = {80, JPEG_CHROMA_420}};

static struct workers *workers;
static struct pipeline *p;

/* Of the thread that is tested. */
static struct pulse *pulse;
static int wake_fd = -1;
static atomic_bool looked;

void __real_fd_drain(int event_fd);
void __wrap_fd_drain(int event_fd);

/* Main looks at the worst of times. */
void __wrap_fd_drain(int event_fd)
{
	bool looks = event_fd == wake_fd;

	role_take(&role_main, NULL); /* as good as */
	if (looks)
		(void)pulse_take(pulse, wake_fd);
	__real_fd_drain(event_fd);
	if (looks)
		atomic_store(&looked, true);
}

ON_MAIN static int make_pipeline(void **state)
{
	char reason[PROCESS_REASON_BYTES];

	(void)state;
	assert_int_equal(workers_create(1, pipeline_n_jobs(&settings), &workers), 0);
	assert_int_equal(pipeline_create(&settings, workers, &p, reason), 0);
	return 0;
}

ON_MAIN static int free_pipeline(void **state)
{
	(void)state;
	pipeline_destroy(p);
	workers_destroy(workers);
	return 0;
}

/* The next that is published to us; a wait in vain fails. */
static void *take_next(struct exchange *from)
{
	void *slot;

	while (!exchange_take(from, &slot)) {
		assert_int_equal(fd_wait(from->fresh_fd, -1, clock_now_ns() + PATIENCE_NS), 1);
		fd_drain(from->fresh_fd);
	}
	return slot;
}

static void a_format_that_is_wished_as_the_camera_goes_is_answered(void **state)
{
	const struct presence *presence;
	struct wish *wish;
	pthread_t thread;

	(void)state;
	/* Nobody will plug it in: it is waited for without looking. */
	p->life.told = true;
	role_take(&role_capture, NULL); /* its thread has yet to start */
	while (p->life.due_ns != UINT64_MAX)
		life_fail(&p->life, -ENOENT, 0);
	assert_int_equal(pthread_create(&thread, NULL, capture_loop, p), 0);
	/* The last thing that it says before it waits. */
	while (!*((const struct camera_status *)take_next(&p->news))->reason)
		;
	wish = exchange_slot(&p->wishes);
	*wish = (struct wish){.number = 1, .format = {.width = 640, .height = 480}};
	(void)exchange_publish(&p->wishes);
	do
		presence = take_next(&p->presence);
	while (presence->wish != 1);
	assert_false(presence->open);
	assert_string_not_equal(presence->refused, "");
	fd_signal(p->capture_stop_fd);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* A thread that is asked for its pulse while it comes round does so once more, if it has to. */
static void assert_beats(void *(*loop)(void *), struct pulse *its, int its_wake_fd, int stop_fd)
{
	uint64_t deadline_ns = clock_now_ns() + PATIENCE_NS;
	pthread_t thread;

	role_take(&role_main, NULL);
	pulse = its;
	wake_fd = its_wake_fd;
	atomic_store(&looked, false);
	assert_int_equal(pthread_create(&thread, NULL, loop, p), 0);
	assert_true(pulse_take(its, its_wake_fd));
	while ((!atomic_load(&looked) || atomic_load(&its->wanted)) && clock_now_ns() < deadline_ns)
		(void)sched_yield();
	assert_false(atomic_load(&its->wanted));
	fd_signal(stop_fd);
	assert_int_equal(pthread_join(thread, NULL), 0);
	wake_fd = -1;
}

static void threads_that_are_asked_while_they_come_round_are_not_stuck(void **state)
{
	(void)state;
	assert_beats(capture_loop, &p->capture_pulse, p->capture_wake_fd, p->capture_stop_fd);
	assert_beats(control_loop, &p->control_pulse, p->requests.fresh_fd, p->control_stop_fd);
	assert_beats(encode_loop, &p->encode_pulse, p->demand.event_fd, p->encode_stop_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_format_that_is_wished_as_the_camera_goes_is_answered, make_pipeline,
			free_pipeline),
		cmocka_unit_test_setup_teardown(
			threads_that_are_asked_while_they_come_round_are_not_stuck, make_pipeline,
			free_pipeline),
	};

	role_take(&role_main, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
