/*
 * The choice whether a frame is worth slicing, learnt from what frames took.
 *
 * One way leads: all frames go its way, but now and then one has a turn the other way. When those
 * are faster than usual more often than not the other way leads. Wins are counted and the usual
 * time is a mean that no single frame moves far, so that one that was interrupted decides nothing.
 * Slices have to be clearly faster: they take time of cores that others may want, and wait for the
 * slowest of these.
 */
#ifndef FANLIGHT_CHOICE_H
#define FANLIGHT_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"

/* Frames that go the leading way for each that tries the other; fewer after it has won. */
#define CHOICE_FRAMES     32
#define CHOICE_FRAMES_WON 4

/* How much more often the other way has to win than to lose to lead. */
#define CHOICE_WINS 4

/* Zeroed at first: slices lead. */
struct choice {
	bool whole;        /* the way that leads */
	uint64_t usual_ns; /* running mean of what it takes; 0 when not known yet */
	unsigned frames;   /* that went that way since the other was tried */
	unsigned wins;     /* of the other, less what it lost since */
};

/* Whether to slice the next frame. */
ANY_THREAD bool choice_next(const struct choice *choice);

/* Learn what a frame took, sliced or not. */
ANY_THREAD void choice_learn(struct choice *choice, bool sliced, uint64_t took_ns);

#endif
