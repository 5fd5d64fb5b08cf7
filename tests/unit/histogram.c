#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/stats.h"

/* The one bucket that a value falls into. */
static size_t bucket_of(uint64_t value_ns)
{
	struct histogram histogram = {0};
	size_t bucket = HISTOGRAM_BUCKETS;

	histogram_record(&histogram, value_ns);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (stat_read(&histogram.buckets[i])) {
			assert_int_equal(stat_read(&histogram.buckets[i]), 1);
			assert_int_equal(bucket, HISTOGRAM_BUCKETS);
			bucket = i;
		}
	assert_true(bucket < HISTOGRAM_BUCKETS);
	return bucket;
}

static uint64_t bound_ns(size_t bucket)
{
	return histogram_bound_us(bucket) * NS_PER_US;
}

static void bounds_rise_by_a_quarter_at_most(void **state)
{
	(void)state;
	assert_int_equal(histogram_bound_us(0), 64);
	assert_int_equal(histogram_bound_us(HISTOGRAM_BOUNDS - 1), 1 << 24);
	for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++) {
		assert_true(histogram_bound_us(i) > histogram_bound_us(i - 1));
		assert_true(4 * histogram_bound_us(i) <= 5 * histogram_bound_us(i - 1));
	}
}

static void a_value_falls_into_the_bucket_whose_bounds_hold_it(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(0), 0);
	assert_int_equal(bucket_of(1), 0);
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		assert_int_equal(bucket_of(bound_ns(i) - 1), i);
		assert_int_equal(bucket_of(bound_ns(i)), i);
		assert_int_equal(bucket_of(bound_ns(i) + 1), i + 1);
	}
	for (uint64_t value = 1; value < 60 * NS_PER_S; value += value / 97 + 1) {
		size_t bucket = bucket_of(value);

		assert_true(bucket == HISTOGRAM_BOUNDS || value <= bound_ns(bucket));
		assert_true(bucket == 0 || value > bound_ns(bucket - 1));
	}
}

static void what_is_too_long_is_counted_last(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(3600 * NS_PER_S), HISTOGRAM_BOUNDS);
	assert_int_equal(bucket_of(UINT64_MAX), HISTOGRAM_BOUNDS);
}

static void every_value_counts_and_adds_up(void **state)
{
	struct histogram histogram = {0};
	uint64_t sum_ns = 0;

	(void)state;
	assert_int_equal(histogram_count(&histogram), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		histogram_record(&histogram, i * i * NS_PER_US);
		sum_ns += i * i * NS_PER_US;
	}
	assert_int_equal(histogram_count(&histogram), 1000);
	assert_int_equal(stat_read(&histogram.sum_ns), sum_ns);
}

static void a_span_that_would_be_negative_is_none(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	histogram_record_span(&histogram, 7 * NS_PER_S, 7 * NS_PER_S - 1);
	histogram_record_span(&histogram, 7 * NS_PER_S, 8 * NS_PER_S);
	assert_int_equal(stat_read(&histogram.buckets[0]), 1);
	assert_int_equal(stat_read(&histogram.sum_ns), NS_PER_S);
	assert_int_equal(histogram_count(&histogram), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_rise_by_a_quarter_at_most),
		cmocka_unit_test(a_value_falls_into_the_bucket_whose_bounds_hold_it),
		cmocka_unit_test(what_is_too_long_is_counted_last),
		cmocka_unit_test(every_value_counts_and_adds_up),
		cmocka_unit_test(a_span_that_would_be_negative_is_none),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
