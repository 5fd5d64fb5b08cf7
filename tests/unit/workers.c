/* The pool of helpers: each part is done once, nobody sleeps through work or waits in vain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "encode/workers.h"

#define N_OWNERS 3
#define ROUNDS   3000

ON_MAIN static struct workers *make_workers(unsigned n_threads, unsigned n_jobs)
{
	struct workers *workers;

	assert_int_equal(workers_create(n_threads, n_jobs, &workers), 0);
	return workers;
}

/* ---- parts ---- */

/* Plain memory, so that a thread sanitizer sees whether hand-overs are ordered. */
struct owner {
	struct job *job;
	pthread_t thread;
	unsigned round, wrong;
	unsigned done[WORKERS_THREADS_MOST], seen_round[WORKERS_THREADS_MOST];
};

static void do_counted(void *context, unsigned part)
{
	struct owner *owner = context;

	owner->done[part]++;
	owner->seen_round[part] = owner->round;
}

static void *run_rounds(void *context)
{
	struct owner *owner = context;

	role_take(&role_encode, NULL);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		unsigned n_parts = 1 + round % WORKERS_THREADS_MOST;

		memset(owner->done, 0, sizeof owner->done);
		owner->round = round;
		job_run(owner->job, n_parts);
		for (unsigned i = 0; i < WORKERS_THREADS_MOST; i++) {
			owner->wrong += owner->done[i] != (i < n_parts);
			owner->wrong += i < n_parts && owner->seen_round[i] != round;
		}
	}
	return NULL;
}

ON_MAIN static void every_part_of_every_job_is_done_once(void **state)
{
	struct workers *workers = make_workers(4, N_OWNERS);
	struct owner owners[N_OWNERS] = {{0}};

	(void)state;
	for (size_t i = 0; i < N_OWNERS; i++) {
		owners[i].job = workers_add_job(workers, do_counted, &owners[i]);
		assert_int_equal(
			pthread_create(&owners[i].thread, NULL, run_rounds, &owners[i]), 0);
	}
	for (size_t i = 0; i < N_OWNERS; i++) {
		assert_int_equal(pthread_join(owners[i].thread, NULL), 0);
		assert_int_equal(owners[i].wrong, 0);
	}
	workers_destroy(workers);
}

struct order {
	unsigned n, parts[WORKERS_THREADS_MOST];
};

static void note_order(void *context, unsigned part)
{
	struct order *order = context;

	order->parts[order->n++] = part;
}

ON_MAIN static void without_helpers_parts_are_done_in_order(void **state)
{
	struct workers *workers = make_workers(1, 1);
	struct order order = {0};
	struct job *job = workers_add_job(workers, note_order, &order);

	(void)state;
	assert_int_equal(workers_n_threads(workers), 1);
	role_take(&role_encode, NULL);
	job_run(job, 5);
	assert_int_equal(order.n, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(order.parts[i], i);
	workers_destroy(workers);
}

/* Each part is over only when all parts have begun, which takes as many threads. */
struct meeting {
	unsigned n_parts;
	sem_t begun[3];
};

static void meet(void *context, unsigned part)
{
	struct meeting *meeting = context;

	for (unsigned i = 0; i < meeting->n_parts; i++)
		(void)sem_post(&meeting->begun[part]);
	for (unsigned i = 0; i < meeting->n_parts; i++)
		(void)sem_wait(&meeting->begun[i]);
}

ON_MAIN static void helpers_never_sleep_through_a_job(void **state)
{
	struct workers *workers = make_workers(3, 1);
	struct meeting meeting = {.n_parts = 3};
	struct job *job = workers_add_job(workers, meet, &meeting);

	(void)state;
	for (unsigned i = 0; i < meeting.n_parts; i++)
		assert_int_equal(sem_init(&meeting.begun[i], 0, 0), 0);
	role_take(&role_encode, NULL);
	for (int round = 0; round < ROUNDS; round++)
		job_run(job, meeting.n_parts);
	workers_destroy(workers);
}

struct places {
	struct meeting meeting;
	int cores[2];
};

static void note_core(void *context, unsigned part)
{
	struct places *places = context;

	places->cores[part] = sched_getcpu();
	meet(&places->meeting, part);
}

ON_MAIN static void helpers_leave_the_core_of_whom_they_help(void **state)
{
	struct workers *workers = make_workers(2, 1);
	struct places places = {.meeting.n_parts = 2};
	struct job *job = workers_add_job(workers, note_core, &places);
	cpu_set_t before, one;

	(void)state;
	assert_int_equal(sem_init(&places.meeting.begun[0], 0, 0), 0);
	assert_int_equal(sem_init(&places.meeting.begun[1], 0, 0), 0);
	role_take(&role_encode, NULL);
	assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
	for (int core = 0; CPU_COUNT(&before) > 1 && core < CPU_SETSIZE; core++) {
		if (!CPU_ISSET(core, &before))
			continue;
		CPU_ZERO(&one);
		CPU_SET(core, &one);
		assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
		for (int round = 0; round < 100; round++) {
			job_run(job, 2);
			assert_int_equal((places.cores[0] == core) + (places.cores[1] == core), 1);
		}
	}
	assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
	workers_destroy(workers);
}

/* ---- busy helpers ---- */

struct stall {
	struct job *job;
	sem_t begun, over;
};

static void stall(void *context, unsigned part)
{
	struct stall *stalled = context;

	(void)part;
	(void)sem_post(&stalled->begun);
	(void)sem_wait(&stalled->over);
}

static void *run_stalled(void *context)
{
	struct stall *stalled = context;

	role_take(&role_encode, NULL);
	job_run(stalled->job, 2);
	return NULL;
}

ON_MAIN static void nobody_waits_for_helpers_that_are_busy(void **state)
{
	struct workers *workers = make_workers(2, 2);
	struct order order = {0};
	struct stall stalled;
	struct job *job;
	pthread_t thread;

	(void)state;
	assert_int_equal(sem_init(&stalled.begun, 0, 0), 0);
	assert_int_equal(sem_init(&stalled.over, 0, 0), 0);
	stalled.job = workers_add_job(workers, stall, &stalled);
	job = workers_add_job(workers, note_order, &order);
	assert_int_equal(pthread_create(&thread, NULL, run_stalled, &stalled), 0);
	(void)sem_wait(&stalled.begun);
	(void)sem_wait(&stalled.begun);

	role_take(&role_encode, NULL);
	for (int i = 0; i < 3; i++)
		job_run(job, 4);
	assert_int_equal(order.n, 12);

	(void)sem_post(&stalled.over);
	(void)sem_post(&stalled.over);
	assert_int_equal(pthread_join(thread, NULL), 0);
	workers_destroy(workers);
}

struct race {
	pthread_t owner;
	sem_t helping;
	unsigned done[2];
};

/* The owner is done at once when a helper has begun, who takes a thousand turns. */
static void do_unequally(void *context, unsigned part)
{
	struct race *race = context;

	if (pthread_equal(pthread_self(), race->owner)) {
		(void)sem_wait(&race->helping);
	} else {
		(void)sem_post(&race->helping);
		for (int i = 0; i < 1000; i++)
			(void)sched_yield();
	}
	race->done[part]++;
}

ON_MAIN static void a_helper_that_is_late_is_waited_for(void **state)
{
	struct workers *workers = make_workers(2, 1);
	struct race race = {.owner = pthread_self()};
	struct job *job = workers_add_job(workers, do_unequally, &race);

	(void)state;
	assert_int_equal(sem_init(&race.helping, 0, 0), 0);
	role_take(&role_encode, NULL);
	for (unsigned round = 1; round <= 100; round++) {
		job_run(job, 2);
		assert_int_equal(race.done[0], round);
		assert_int_equal(race.done[1], round);
	}
	workers_destroy(workers);
}

/* ---- the pool ---- */

ON_MAIN static void number_of_threads_is_as_asked(void **state)
{
	static const unsigned asked[] = {1, 2, WORKERS_THREADS_MOST, WORKERS_THREADS_MOST + 1};
	static const unsigned got[] = {1, 2, WORKERS_THREADS_MOST, WORKERS_THREADS_MOST};
	struct workers *workers;

	(void)state;
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		workers = make_workers(asked[i], 1);
		assert_int_equal(workers_n_threads(workers), got[i]);
		workers_destroy(workers);
	}
	workers = make_workers(0, 1);
	assert_in_range(workers_n_threads(workers), 1, WORKERS_THREADS_MOST);
	workers_destroy(workers);
	workers_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part_of_every_job_is_done_once),
		cmocka_unit_test(without_helpers_parts_are_done_in_order),
		cmocka_unit_test(helpers_never_sleep_through_a_job),
		cmocka_unit_test(helpers_leave_the_core_of_whom_they_help),
		cmocka_unit_test(nobody_waits_for_helpers_that_are_busy),
		cmocka_unit_test(a_helper_that_is_late_is_waited_for),
		cmocka_unit_test(number_of_threads_is_as_asked),
	};

	role_take(&role_main, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
