/*
 * A pace: which of a camera's frames go to a viewer who wants fewer.
 *
 * Frames are let through on a grid of the wanted interval, by capture time. A frame that comes up
 * to a quarter of an interval early counts as on time, so that a camera that trembles around the
 * wanted rate loses nothing to it; one that comes late does not put the grid off.
 */
#ifndef FANLIGHT_SERVER_PACE_H
#define FANLIGHT_SERVER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/roles.h"

struct pace {
	uint64_t interval_ns; /* 0 lets everything through */
	uint64_t due_ns;      /* CLOCK_MONOTONIC, capture time that the next frame should have */
};

/* Longer than anybody watches, and short enough to be added to any time. */
#define PACE_INTERVAL_MOST_NS (UINT64_C(1) << 60)

ANY_THREAD static inline void pace_init(struct pace *pace, double fps)
{
	double interval_ns = fps > 0 ? (double)NS_PER_S / fps : 0;

	*pace = (struct pace){.interval_ns = interval_ns < (double)PACE_INTERVAL_MOST_NS
						     ? (uint64_t)interval_ns
						     : PACE_INTERVAL_MOST_NS};
}

/* Whether the frame captured at captured_ns would go through; asking changes nothing. */
ANY_THREAD static inline bool pace_is_due(const struct pace *pace, uint64_t captured_ns)
{
	return captured_ns + pace->interval_ns / 4 >= pace->due_ns;
}

/* Whether the frame captured at captured_ns goes through; if so the next is due one on. */
ANY_THREAD static inline bool pace_allows(struct pace *pace, uint64_t captured_ns)
{
	if (!pace_is_due(pace, captured_ns))
		return false;
	/* After a gap, such as the first frame, the grid begins anew. */
	if (captured_ns > pace->due_ns + pace->interval_ns)
		pace->due_ns = captured_ns;
	pace->due_ns += pace->interval_ns;
	return true;
}

/*
 * How many of the frames that were passed over since the last one, up to this captured_ns, should
 * have gone through; to be asked before pace_allows() is.
 */
ANY_THREAD static inline uint64_t pace_skipped(
	const struct pace *pace, uint64_t captured_ns, uint64_t passed)
{
	uint64_t due;

	if (!pace->interval_ns)
		return passed;
	due = captured_ns > pace->due_ns ? (captured_ns - pace->due_ns) / pace->interval_ns : 0;
	return due < passed ? due : passed;
}

#endif
