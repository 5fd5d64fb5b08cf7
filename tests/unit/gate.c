/* The gate: frames wait for readers that do not read, and for nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/gate.h"

#define KB 1024u

static bool ask(struct gate *gate, uint32_t window_bytes, uint32_t outstanding_bytes, uint64_t ms)
{
	return gate_is_open(gate,
		(struct gate_view){window_bytes, outstanding_bytes, 2 * NS_PER_MS},
		NS_PER_S + ms * NS_PER_MS);
}

static void an_idle_connection_is_open(void **state)
{
	struct gate gate = {0};

	(void)state;
	assert_true(ask(&gate, 64 * KB, 0, 0));
	assert_true(ask(&gate, 64 * KB, 0, 33));
}

static void a_reader_with_a_full_buffer_is_waited_for(void **state)
{
	struct gate gate = {0};

	(void)state;
	assert_true(ask(&gate, 64 * KB, 0, 0));
	assert_false(ask(&gate, 0, 16 * KB, 33));
	assert_false(ask(&gate, 16 * KB, 0, 66));
	/* It need not tell of more than half of its room. */
	assert_true(ask(&gate, 32 * KB, 0, 100));
}

static void what_is_on_its_way_takes_room_too(void **state)
{
	struct gate gate = {0};

	(void)state;
	assert_true(ask(&gate, 64 * KB, 0, 0));
	assert_false(ask(&gate, 64 * KB, 60 * KB, 33));
	assert_false(ask(&gate, 16 * KB, 60 * KB, 66));
	assert_true(ask(&gate, 64 * KB, 20 * KB, 100));
}

static void a_long_fat_link_stays_open(void **state)
{
	struct gate gate = {0};

	(void)state;
	/* Frames of 50 KB, two of them on their way, to a window that has not grown yet. */
	for (uint64_t ms = 0; ms < 3000; ms += 33) {
		struct gate_view view = {64 * KB, ms ? 100 * KB : 0, 50 * NS_PER_MS};

		assert_true(gate_is_open(&gate, view, NS_PER_S + ms * NS_PER_MS));
	}
}

static void a_window_that_grows_stays_open(void **state)
{
	struct gate gate = {0};

	(void)state;
	for (uint32_t kb = 64; kb <= 6144; kb *= 2)
		assert_true(ask(&gate, kb * KB, 16 * KB, kb));
}

static void a_window_that_shrank_for_good_opens_in_the_end(void **state)
{
	struct gate gate = {0};
	uint64_t ms = 0;

	(void)state;
	assert_true(ask(&gate, 1024 * KB, 0, ms));
	while (!ask(&gate, 32 * KB, 0, ++ms))
		assert_true(ms < 1000);
	assert_true(ms > 100);
	/* From now on that is what it has. */
	assert_true(ask(&gate, 32 * KB, 0, ms + 33));
	assert_false(ask(&gate, 8 * KB, 0, ms + 66));
}

static void every_wait_counts_from_its_own_start(void **state)
{
	struct gate gate = {0};

	(void)state;
	assert_true(ask(&gate, 64 * KB, 0, 0));
	for (uint64_t ms = 100; ms < 5000; ms += 400) {
		assert_false(ask(&gate, 8 * KB, 0, ms));
		assert_false(ask(&gate, 16 * KB, 0, ms + 300));
		assert_true(ask(&gate, 64 * KB, 0, ms + 333));
	}
}

static void a_kernel_that_does_not_tell_opens_it(void **state)
{
	struct gate gate = {0};

	(void)state;
	assert_true(gate_is_open(&gate, gate_look(-1), NS_PER_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_connection_is_open),
		cmocka_unit_test(a_reader_with_a_full_buffer_is_waited_for),
		cmocka_unit_test(what_is_on_its_way_takes_room_too),
		cmocka_unit_test(a_long_fat_link_stays_open),
		cmocka_unit_test(a_window_that_grows_stays_open),
		cmocka_unit_test(a_window_that_shrank_for_good_opens_in_the_end),
		cmocka_unit_test(every_wait_counts_from_its_own_start),
		cmocka_unit_test(a_kernel_that_does_not_tell_opens_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
