/*
 * Frames lent to two readers at once: one by hand, and at full speed with real threads, made for
 * ThreadSanitizer as well.
 *
 * A loan is a buffer of plain memory, which the lender fills before it lends it and a reader reads
 * while it holds it, so that a frame that goes home too early is a data race and torn words.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fd.h"
#include "exchange/lending.h"

#define READERS      LENDING_READERS
#define LOANS        LENDING_LOANS(READERS)
#define HAND_OVERS   20000
#define RECALL_EVERY 509
#define WORDS        16

struct reader {
	struct exchange ex;
	struct frame slots[EXCHANGE_SLOTS_KEEPING];
	int stop_fd;
	bool keeps; /* two */
	const struct frame *before;
	uint64_t (*loans)[WORDS];
	unsigned slowness; /* how often it yields with a frame in its hands */
	uint32_t newest;
	atomic_uint taken; /* relaxed: orders nothing */
};

struct shop {
	struct lending lending;
	struct reader readers[READERS];
	uint64_t loans[LOANS][WORDS];
	bool out[LOANS];
};

/* cmocka cannot fail a test from another thread; this can. */
static void must(bool promise, const char *what)
{
	if (promise)
		return;
	(void)fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

static struct shop *open_shop(void)
{
	/* Not calloc(): the exchanges are aligned to cache lines. */
	static struct shop s;

	s = (struct shop){.lending.n_readers = READERS};
	for (unsigned i = 0; i < READERS; i++) {
		struct reader *reader = &s.readers[i];

		assert_int_equal(
			exchange_init(&reader->ex, reader->slots, sizeof reader->slots[0]), 0);
		reader->stop_fd = fd_event();
		assert_true(reader->stop_fd >= 0);
		reader->loans = s.loans;
		s.lending.readers[i] = &reader->ex;
	}
	return &s;
}

static void close_shop(struct shop *s)
{
	for (unsigned i = 0; i < READERS; i++) {
		exchange_finish(&s->readers[i].ex);
		fd_close(&s->readers[i].stop_fd);
	}
}

static unsigned taken(const struct reader *reader)
{
	return atomic_load_explicit(&reader->taken, memory_order_relaxed);
}

/* ---- lender ---- */

static void welcome(struct shop *s, const struct homecoming *home)
{
	for (unsigned i = 0; i < home->n; i++) {
		const struct frame *frame = &home->frames[i];

		must(frame->loan < LOANS && s->out[frame->loan], "a loan comes home once");
		for (size_t k = 0; k < WORDS; k++)
			must(s->loans[frame->loan][k] == frame->sequence,
				"a loan comes home as it was");
		s->out[frame->loan] = false;
	}
}

ON_CAPTURE static void lend(struct shop *s, uint32_t sequence)
{
	struct frame frame = {.fourcc = 1, .sequence = sequence};
	struct homecoming home;

	while (frame.loan < LOANS && s->out[frame.loan])
		frame.loan++;
	must(frame.loan < LOANS, "one loan is home");
	s->out[frame.loan] = true;
	for (size_t k = 0; k < WORDS; k++)
		s->loans[frame.loan][k] = sequence;
	lending_lend(&s->lending, &frame, &home);
	welcome(s, &home);
}

ON_CAPTURE static void recall(struct shop *s)
{
	struct homecoming home;

	lending_recall(&s->lending, &home);
	welcome(s, &home);
	for (size_t i = 0; i < LOANS; i++)
		must(!s->out[i], "after a recall every loan is home");
}

/* ---- reader ---- */

/* Take the newest and look at it, slowly. Its number, or 0 when there is none. */
static uint32_t look(struct reader *reader)
{
	const struct frame *frame;
	void *slot;

	if (!(reader->keeps ? exchange_take_keeping : exchange_take)(&reader->ex, &slot))
		return 0;
	frame = slot;
	if (!frame->fourcc) {
		reader->before = NULL; /* a recall */
		return 0;
	}
	if (reader->keeps && reader->before)
		must(reader->loans[reader->before->loan][0] == reader->before->sequence,
			"what a reader keeps stays");
	reader->before = frame;
	must(frame->sequence > reader->newest, "nothing older comes after newer");
	reader->newest = frame->sequence;
	for (unsigned turn = 0; turn <= reader->slowness; turn++) {
		for (size_t k = 0; k < WORDS; k++)
			must(reader->loans[frame->loan][k] == frame->sequence,
				"what a reader looks at stays");
		if (turn)
			(void)sched_yield();
	}
	atomic_fetch_add_explicit(&reader->taken, 1, memory_order_relaxed);
	return frame->sequence;
}

static void *look_at_all(void *context)
{
	struct reader *reader = context;

	while (fd_wait(reader->ex.fresh_fd, reader->stop_fd, UINT64_MAX)) {
		fd_drain(reader->ex.fresh_fd);
		(void)look(reader);
	}
	return NULL;
}

/* ---- promises ---- */

ON_CAPTURE static void stalled_reader_costs_the_other_nothing(void **state)
{
	struct shop *s = open_shop();
	struct reader *good = &s->readers[0], *stalled = &s->readers[1];

	(void)state;
	stalled->keeps = true;
	lend(s, 1);
	assert_int_equal(look(stalled), 1);
	for (uint32_t i = 2; i < 100; i++) {
		lend(s, i);
		assert_int_equal(look(good), i);
	}
	assert_int_equal(s->loans[0][0], 1);
	assert_int_equal(look(stalled), 99);
	lend(s, 100);
	assert_int_equal(s->loans[0][0], 1); /* it is kept, too */
	assert_int_equal(look(stalled), 100);
	for (uint32_t i = 101; i < 105; i++)
		lend(s, i);
	assert_int_not_equal(s->loans[0][0], 1);
	close_shop(s);
}

ON_CAPTURE static void frame_goes_home_with_the_last_reader(void **state)
{
	static const struct frame frame = {.fourcc = 1}, next = {.fourcc = 1, .loan = 1};
	struct shop *s = open_shop();
	struct homecoming home;

	(void)state;
	lending_lend(&s->lending, &frame, &home);
	assert_int_equal(home.n, 0);
	assert_true(exchange_take(&s->readers[0].ex, NULL));
	lending_lend(&s->lending, &next, &home);
	assert_int_equal(home.n, 0); /* one has it, the other never took it */
	assert_true(exchange_take(&s->readers[0].ex, NULL));
	assert_true(exchange_take(&s->readers[1].ex, NULL));
	lending_lend(&s->lending, &(struct frame){.fourcc = 1, .loan = 2}, &home);
	assert_int_equal(home.n, 1);
	assert_int_equal(home.frames[0].loan, 0);
	close_shop(s);
}

ON_CAPTURE static void nothing_is_torn_or_lost_at_full_speed(void **state)
{
	struct shop *s = open_shop();
	pthread_t threads[READERS];
	uint32_t sequence;

	(void)state;
	s->readers[1].keeps = true;
	s->readers[1].slowness = 4;
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_at_all, &s->readers[i]), 0);
	/* Where cores are few a good part must really change hands. */
	for (sequence = 1; sequence < HAND_OVERS || taken(&s->readers[0]) < HAND_OVERS / 50 ||
			   taken(&s->readers[1]) < HAND_OVERS / 200;
		sequence++) {
		lend(s, sequence);
		if (sequence % 16 == 0)
			(void)sched_yield();
		if (sequence % RECALL_EVERY == 0)
			recall(s);
	}
	recall(s);
	for (unsigned i = 0; i < READERS; i++) {
		fd_signal(s->readers[i].stop_fd);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		print_message("# %u lent, %u taken\n", sequence, taken(&s->readers[i]));
	}
	close_shop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_goes_home_with_the_last_reader),
		cmocka_unit_test(stalled_reader_costs_the_other_nothing),
		cmocka_unit_test(nothing_is_torn_or_lost_at_full_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
