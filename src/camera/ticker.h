/* A ticker: the rate of a camera that has no sensor. Ticks fall on a fixed raster; none drifts. */
#ifndef FANLIGHT_TICKER_H
#define FANLIGHT_TICKER_H

#include <stdint.h>

#include "base/roles.h"

struct ticker {
	int fd; /* readable when a tick is due; -1 when stopped */
	uint64_t start_ns, interval_ns;
	uint64_t ticks; /* seen so far */
};

/* Frames per second as a fraction, exact to a thousandth. */
ANY_THREAD void ticker_fraction(
	double fps, uint32_t *ret_fps_numerator, uint32_t *ret_fps_denominator);

/* Tick from now on, the first at once. Returns 0 or a negative errno. */
ON_CAPTURE int ticker_start(
	struct ticker *ticker, uint32_t fps_numerator, uint32_t fps_denominator);

/* Stop; harmless when stopped. */
ON_CAPTURE void ticker_stop(struct ticker *ticker);

/*
 * See which ticks have passed since the last look; never waits. Returns 0 and how many (at least
 * one) in *ret_passed, -EAGAIN when none has, or another negative errno.
 */
ON_CAPTURE int ticker_look(struct ticker *ticker, uint64_t *ret_passed);

/* When the last tick seen was due, CLOCK_MONOTONIC. */
ON_CAPTURE uint64_t ticker_time_ns(const struct ticker *ticker);

#endif
