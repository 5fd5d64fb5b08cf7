#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "exchange/exchange.h"

/* What a slot carries here: the number of a loan, 0 for none. */
struct fixture {
	struct exchange ex;
	int slots[EXCHANGE_SLOTS];
};

static struct fixture *set_up(void)
{
	static struct fixture f;

	f = (struct fixture){.slots = {0}};
	assert_int_equal(exchange_init(&f.ex, f.slots, sizeof f.slots[0]), 0);
	return &f;
}

static void tear_down(struct fixture *f)
{
	exchange_finish(&f->ex);
	assert_int_equal(f->ex.fresh_fd, -1);
	assert_int_equal(f->ex.returned_fd, -1);
	exchange_finish(&f->ex);
}

/* Take what the writer was given back, leaving its slot empty. */
static int empty(int *slot)
{
	int number = *slot;

	*slot = 0;
	return number;
}

/* Publish a number; returns the one that came back. */
static int publish(struct fixture *f, int number)
{
	int *slot = exchange_slot(&f->ex);

	assert_int_equal(*slot, 0);
	*slot = number;
	return empty(exchange_publish(&f->ex));
}

/* The newest number, or -1 where nothing is fresh. */
static int take(struct fixture *f)
{
	void *slot = NULL;

	if (!exchange_take(&f->ex, &slot)) {
		assert_null(slot);
		return -1;
	}
	return *(int *)slot;
}

static bool is_readable(int fd)
{
	struct pollfd pfd = {fd, POLLIN, 0};

	return poll(&pfd, 1, 0) == 1;
}

static void newest_frame_wins(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	(void)publish(f, 1);
	(void)publish(f, 2);
	assert_int_equal(take(f), 2);
	assert_false(exchange_take(&f->ex, NULL));
	tear_down(f);
}

static void nothing_published_nothing_taken(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	assert_int_equal(take(f), -1);
	assert_false(exchange_is_fresh(&f->ex));
	assert_false(is_readable(f->ex.fresh_fd));
	tear_down(f);
}

static void nothing_is_taken_twice(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	(void)publish(f, 1);
	assert_true(exchange_is_fresh(&f->ex));
	assert_true(exchange_take(&f->ex, NULL));
	assert_false(exchange_is_fresh(&f->ex));
	assert_int_equal(take(f), -1);
	tear_down(f);
}

static void taken_slot_is_left_alone(void **state)
{
	struct fixture *f = set_up();
	void *held;

	(void)state;
	(void)publish(f, 1);
	assert_true(exchange_take(&f->ex, &held));
	for (int number = 2; number < 10; number++) {
		assert_ptr_not_equal(exchange_slot(&f->ex), held);
		(void)publish(f, number);
		assert_int_equal(*(int *)held, 1);
	}
	assert_int_equal(take(f), 9);
	tear_down(f);
}

static void each_loan_comes_back_once(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	assert_int_equal(publish(f, 1), 0);
	assert_int_equal(publish(f, 2), 1); /* never seen */
	assert_int_equal(take(f), 2);
	assert_int_equal(publish(f, 3), 0); /* the reader still holds 2 */
	assert_int_equal(take(f), 3);       /* and lets it go */
	assert_int_equal(publish(f, 4), 2);
	assert_int_equal(publish(f, 5), 4);
	assert_int_equal(take(f), 5);
	assert_int_equal(publish(f, 6), 3);
	tear_down(f);
}

static void publication_wakes_a_reader_that_has_drained(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	for (int number = 1; number < 5; number++) {
		(void)publish(f, number);
		assert_true(is_readable(f->ex.fresh_fd));
		fd_drain(f->ex.fresh_fd);
		assert_int_equal(take(f), number);
		assert_false(is_readable(f->ex.fresh_fd));
	}
	tear_down(f);
}

static void reader_that_leaves_a_frame_is_not_woken_for_the_next(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	(void)publish(f, 1);
	fd_drain(f->ex.fresh_fd);
	(void)publish(f, 2);
	assert_false(is_readable(f->ex.fresh_fd));
	assert_int_equal(take(f), 2);
	(void)publish(f, 3);
	assert_true(is_readable(f->ex.fresh_fd));
	tear_down(f);
}

static void recall_wakes_a_reader_that_left_a_frame(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	(void)publish(f, 1);
	fd_drain(f->ex.fresh_fd);
	assert_false(exchange_is_recalled(&f->ex));
	assert_int_equal(empty(exchange_recall(&f->ex)), 1);
	assert_true(is_readable(f->ex.fresh_fd));
	assert_true(exchange_is_recalled(&f->ex));
	tear_down(f);
}

/* Have the reader answer a recall; returns what collect brought. */
static int answer_recall(struct fixture *f)
{
	int number;

	assert_false(is_readable(f->ex.returned_fd));
	assert_int_equal(take(f), 0); /* the recall's empty slot */
	assert_true(is_readable(f->ex.returned_fd));
	assert_false(exchange_is_recalled(&f->ex));
	fd_drain(f->ex.returned_fd);
	number = empty(exchange_collect(&f->ex));
	for (int i = 0; i < EXCHANGE_SLOTS; i++)
		assert_int_equal(f->slots[i], 0);
	return number;
}

static void recall_brings_everything_back(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	/* One held by the reader, one untaken. */
	(void)publish(f, 1);
	assert_int_equal(take(f), 1);
	(void)publish(f, 2);
	assert_int_equal(empty(exchange_recall(&f->ex)), 2);
	assert_int_equal(answer_recall(f), 1);
	/* One held by the reader, none untaken. */
	(void)publish(f, 3);
	assert_int_equal(take(f), 3);
	assert_int_equal(empty(exchange_recall(&f->ex)), 0);
	assert_int_equal(answer_recall(f), 3);
	/* None at all. */
	assert_int_equal(empty(exchange_recall(&f->ex)), 0);
	assert_int_equal(answer_recall(f), 0);
	tear_down(f);
}

static void life_goes_on_after_a_recall(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	(void)publish(f, 1);
	assert_int_equal(empty(exchange_recall(&f->ex)), 1);
	assert_int_equal(answer_recall(f), 0);
	fd_drain(f->ex.fresh_fd);

	assert_int_equal(take(f), -1);
	assert_int_equal(publish(f, 2), 0);
	assert_true(is_readable(f->ex.fresh_fd));
	assert_int_equal(take(f), 2);
	assert_false(is_readable(f->ex.returned_fd));
	tear_down(f);
}

static void a_publication_that_nobody_took_is_noticed(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	(void)publish(f, 1);
	assert_false(exchange_has_replaced(&f->ex));
	(void)publish(f, 2);
	assert_true(exchange_has_replaced(&f->ex));
	assert_int_equal(take(f), 2);
	(void)publish(f, 3);
	assert_false(exchange_has_replaced(&f->ex));
	tear_down(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_frame_wins),
		cmocka_unit_test(nothing_published_nothing_taken),
		cmocka_unit_test(nothing_is_taken_twice),
		cmocka_unit_test(taken_slot_is_left_alone),
		cmocka_unit_test(each_loan_comes_back_once),
		cmocka_unit_test(publication_wakes_a_reader_that_has_drained),
		cmocka_unit_test(reader_that_leaves_a_frame_is_not_woken_for_the_next),
		cmocka_unit_test(recall_wakes_a_reader_that_left_a_frame),
		cmocka_unit_test(recall_brings_everything_back),
		cmocka_unit_test(life_goes_on_after_a_recall),
		cmocka_unit_test(a_publication_that_nobody_took_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
