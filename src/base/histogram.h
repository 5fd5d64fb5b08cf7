/*
 * Histograms of durations: written by one thread with plain atomic adds, read by any.
 *
 * Log-linear: four buckets to each power of two from 64 us to 16.8 s, one below and one above them,
 * so that a value is known to within a quarter whatever its size. Each counts what is greater than
 * the bound of the bucket before it and at most its own. All zero is empty.
 */
#ifndef FANLIGHT_HISTOGRAM_H
#define FANLIGHT_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

#define HISTOGRAM_FIRST_BITS 6  /* the lowest bound is 2^6 us */
#define HISTOGRAM_LAST_BITS  24 /* the highest is 2^24 us */
#define HISTOGRAM_BOUNDS     (4 * (HISTOGRAM_LAST_BITS - HISTOGRAM_FIRST_BITS) + 1)
#define HISTOGRAM_BUCKETS    (HISTOGRAM_BOUNDS + 1)

struct histogram {
	_Atomic uint64_t buckets[HISTOGRAM_BUCKETS]; /* how many values fell into each */
	_Atomic uint64_t sum_ns;
};

/* Count a value. */
ANY_THREAD void histogram_record(struct histogram *histogram, uint64_t value_ns);

/* Count the time between two moments; 0 where the clocks disagree and it would be negative. */
ANY_THREAD static inline void histogram_record_span(
	struct histogram *histogram, uint64_t from_ns, uint64_t to_ns)
{
	histogram_record(histogram, to_ns > from_ns ? to_ns - from_ns : 0);
}

/* The greatest value that falls into a bucket; only the last, HISTOGRAM_BOUNDS, has none. */
ANY_THREAD uint64_t histogram_bound_us(size_t bucket);

/* How many values fell into the buckets so far; the writer may be adding meanwhile. */
ANY_THREAD uint64_t histogram_count(const struct histogram *histogram);

#endif
