/*
 * The exchange at full speed, two real threads; made for ThreadSanitizer as well as for speed.
 *
 * A loan is a buffer of plain memory: the writer fills it before it publishes, the reader reads it
 * while it holds the slot, so that every missing memory order is a data race for the sanitizer to
 * find, and torn words for the checks. The ledger keeps where each loan is.
 *
 * FANLIGHT_STRESS: hand-overs of the full-speed test (default 5 million).
 */
#include <poll.h>
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
#include "exchange/exchange.h"

#define HAND_OVERS   5000000
#define BURSTS       50000
#define RECALL_EVERY 10007
#define LOANS        4 /* one a slot, and one to fill: the fifth would never be needed */
#define WORDS        8
#define PATIENCE_MS  60000 /* then a wake-up counts as lost; it is no measure of speed */

struct publication {
	uint64_t sequence; /* 0: empty */
	uint32_t loan;
	bool answer; /* the writer waits for word that it was seen */
	bool last;
};

struct stress {
	struct exchange ex;
	struct publication slots[EXCHANGE_SLOTS];
	uint64_t loans[LOANS][WORDS];
	int seen_fd; /* the reader answers through it */
	bool sleepy; /* the reader sleeps on the eventfd, else it spins */

	/* writer */
	bool out[LOANS];

	/* reader */
	uint64_t newest;

	/* written by the reader, read by the writer; relaxed, so that it orders nothing */
	atomic_ullong taken;
};

/* cmocka cannot fail a test from another thread; this can. */
static void must(bool promise, const char *what)
{
	if (promise)
		return;
	(void)fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

static void wait_for(int fd, const char *what)
{
	struct pollfd pfd = {fd, POLLIN, 0};

	must(poll(&pfd, 1, PATIENCE_MS) == 1, what);
}

/* ---- writer ---- */

/* Take the loan out of a slot that came back; its buffer is the writer's alone again. */
static void settle(struct stress *s, struct publication *slot)
{
	if (!slot->sequence)
		return;
	must(slot->loan < LOANS && s->out[slot->loan], "a loan comes home once");
	for (size_t i = 0; i < WORDS; i++)
		must(s->loans[slot->loan][i] == slot->sequence, "a loan comes home as it was");
	s->out[slot->loan] = false;
	slot->sequence = 0;
}

static void publish(struct stress *s, struct publication publication)
{
	struct publication *slot = exchange_slot(&s->ex);

	while (publication.loan < LOANS && s->out[publication.loan])
		publication.loan++;
	must(publication.loan < LOANS, "at most as many loans are out as there are slots");
	must(!slot->sequence, "the writer's slot is empty");
	s->out[publication.loan] = true;
	for (size_t i = 0; i < WORDS; i++)
		s->loans[publication.loan][i] = publication.sequence;
	*slot = publication;
	settle(s, exchange_publish(&s->ex));
}

static void recall(struct stress *s)
{
	settle(s, exchange_recall(&s->ex));
	wait_for(s->ex.returned_fd, "a recall is answered");
	fd_drain(s->ex.returned_fd);
	settle(s, exchange_collect(&s->ex));
	for (size_t i = 0; i < LOANS; i++)
		must(!s->out[i], "after a recall every loan is home");
}

/* ---- reader ---- */

/* Look at what was taken, twice, so that a writer in it shows. True for the last one. */
static bool inspect(struct stress *s, const struct publication *slot)
{
	uint64_t sequence = slot->sequence;

	if (!sequence)
		return false; /* a recall */
	must(sequence > s->newest, "nothing older comes after newer");
	s->newest = sequence;
	atomic_fetch_add_explicit(&s->taken, 1, memory_order_relaxed);
	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < WORDS; i++)
			must(s->loans[slot->loan][i] == sequence, "nothing is torn");
	must(slot->sequence == sequence, "a slot taken is left alone");
	if (slot->answer)
		fd_signal(s->seen_fd);
	return slot->last;
}

static void *read_all(void *context)
{
	struct stress *s = context;
	void *slot;
	bool last = false;

	while (!last) {
		if (s->sleepy) {
			wait_for(s->ex.fresh_fd, "the newest publication wakes the reader");
			fd_drain(s->ex.fresh_fd);
		}
		if (exchange_take(&s->ex, &slot))
			last = inspect(s, slot);
		else if (!s->sleepy)
			(void)sched_yield(); /* with one core, let the writer run */
	}
	/* Answer the last recall, as a stopped pipeline's reader does. */
	wait_for(s->ex.fresh_fd, "a recall wakes the reader");
	while (!exchange_is_recalled(&s->ex))
		(void)sched_yield();
	must(exchange_take(&s->ex, &slot), "a recall can be taken");
	return NULL;
}

/* ---- tests ---- */

static struct stress *start(bool sleepy, pthread_t *ret_reader)
{
	/* Not calloc(): the exchange is aligned to cache lines. */
	static struct stress s;

	s = (struct stress){.sleepy = sleepy};
	assert_int_equal(exchange_init(&s.ex, s.slots, sizeof s.slots[0]), 0);
	s.seen_fd = fd_event();
	assert_true(s.seen_fd >= 0);
	assert_int_equal(pthread_create(ret_reader, NULL, read_all, &s), 0);
	return &s;
}

static unsigned long long count_taken(struct stress *s)
{
	return atomic_load_explicit(&s->taken, memory_order_relaxed);
}

/* Send the last one, have everything back, and close. */
static void finish(struct stress *s, pthread_t reader, uint64_t sequence)
{
	publish(s, (struct publication){.sequence = sequence, .answer = true, .last = true});
	wait_for(s->seen_fd, "the last publication is seen");
	recall(s);
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_true(s->newest == sequence);
	print_message(
		"# %llu published, %llu taken\n", (unsigned long long)sequence, count_taken(s));
	exchange_finish(&s->ex);
	fd_close(&s->seen_fd);
}

static void full_speed_tears_and_loses_nothing(void **state)
{
	const char *asked = getenv("FANLIGHT_STRESS");
	uint64_t hand_overs = asked ? strtoull(asked, NULL, 10) : HAND_OVERS, sequence;
	pthread_t reader;
	struct stress *s = start(false, &reader);

	(void)state;
	/* Where cores are few, yielding mixes the two; a good part must really change hands. */
	for (sequence = 1; sequence < hand_overs || count_taken(s) < hand_overs / 4; sequence++) {
		publish(s, (struct publication){.sequence = sequence});
		if (sequence % 4 == 0)
			(void)sched_yield();
		if (sequence % RECALL_EVERY == 0)
			recall(s);
	}
	finish(s, reader, sequence);
}

/* After each burst the writer waits until its last was seen: a lost wake-up would be for ever. */
static void sleeping_reader_never_misses_the_newest(void **state)
{
	uint64_t sequence = 1;
	pthread_t reader;
	struct stress *s = start(true, &reader);

	(void)state;
	for (unsigned burst = 0; burst < BURSTS; burst++) {
		for (unsigned n = burst % 5; n; n--)
			publish(s, (struct publication){.sequence = sequence++});
		publish(s, (struct publication){.sequence = sequence++, .answer = true});
		wait_for(s->seen_fd, "the newest publication is seen");
		fd_drain(s->seen_fd);
		if (burst % 101 == 0)
			recall(s);
	}
	finish(s, reader, sequence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_speed_tears_and_loses_nothing),
		cmocka_unit_test(sleeping_reader_never_misses_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
