/* Time: nanoseconds of CLOCK_MONOTONIC everywhere inside, wall clock only at the edges. */
#ifndef FANLIGHT_CLOCK_H
#define FANLIGHT_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

static inline uint64_t clock_read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Now, ns of CLOCK_MONOTONIC. */
static inline uint64_t clock_now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

/* The wall clock's reading (ns since 1970) at a moment of CLOCK_MONOTONIC, by today's offset. */
static inline uint64_t clock_wall_ns(uint64_t monotonic_ns)
{
	return clock_read_ns(CLOCK_REALTIME) - clock_now_ns() + monotonic_ns;
}

/*
 * CLOCK_BOOTTIME's reading at a moment of CLOCK_MONOTONIC since the machine last slept. Between two
 * of these moments it counts sleep, which CLOCK_MONOTONIC leaves out.
 */
static inline uint64_t clock_boot_ns(uint64_t monotonic_ns)
{
	uint64_t boot_ns = clock_read_ns(CLOCK_BOOTTIME); /* first: the answer is never too late */

	return boot_ns - clock_now_ns() + monotonic_ns;
}

/* As clock_wall_ns(), at a moment of CLOCK_BOOTTIME: the machine may have slept since. */
static inline uint64_t clock_wall_of_boot_ns(uint64_t boot_ns)
{
	return clock_read_ns(CLOCK_REALTIME) - clock_read_ns(CLOCK_BOOTTIME) + boot_ns;
}

#endif
