#include "base/histogram.h"

#include "base/clock.h"
#include "base/stats.h"

static size_t bucket_of(uint64_t value_ns)
{
	/* Whole microseconds begun, less one: so that a value at a bound falls below it. */
	uint64_t us = (value_ns ? value_ns - 1 : 0) / NS_PER_US;
	unsigned bits;

	if (us < 1u << HISTOGRAM_FIRST_BITS)
		return 0;
	if (us >= 1u << HISTOGRAM_LAST_BITS)
		return HISTOGRAM_BOUNDS;
	bits = 63 - (unsigned)__builtin_clzll(us);
	return 1 + 4 * (bits - HISTOGRAM_FIRST_BITS) + (us >> (bits - 2) & 3);
}

void histogram_record(struct histogram *histogram, uint64_t value_ns)
{
	stat_add(&histogram->buckets[bucket_of(value_ns)], 1);
	stat_add(&histogram->sum_ns, value_ns);
}

uint64_t histogram_bound_us(size_t bucket)
{
	/* Quarters from the lowest bound on: 4/4, then 5/4 to 8/4 of each power of two. */
	uint64_t quarters = bucket ? 5 + (bucket - 1) % 4 : 4;

	return quarters << (HISTOGRAM_FIRST_BITS - 2 + (bucket ? (bucket - 1) / 4 : 0));
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += stat_read(&histogram->buckets[i]);
	return count;
}
