/*
 * The choice whether a frame is worth slicing, learnt from what frames took.
 *
 * One way leads: all frames go its way, but now and then one has a turn the other way. When those
 * have saved, all in all, as much time as a frame usually takes, the other way leads. No single
 * frame counts for more than that, so that one that was interrupted decides nothing. Slices have to
 * be clearly faster, by a millisecond at least: they take time of cores that others may want, and
 * more of it than whole frames do. Where they could not be, they are not even tried.
 */
#ifndef FANLIGHT_CHOICE_H
#define FANLIGHT_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"

/* Frames that go the leading way for each that tries the other; fewer while that saves time. */
#define CHOICE_FRAMES        32
#define CHOICE_FRAMES_SAVING 4

/* Zeroed at first: slices lead. */
struct choice {
	bool whole;        /* the way that leads */
	uint64_t usual_ns; /* running mean of what it takes; 0 when not known yet */
	unsigned frames;   /* that went that way since the other was tried */
	uint64_t saved_ns; /* by the other, less what it cost since */
};

/* Whether to cut the next frame into so many slices. */
ANY_THREAD bool choice_next(const struct choice *choice, unsigned n_slices);

/* Learn what a frame took, sliced or not. */
ANY_THREAD void choice_learn(struct choice *choice, bool sliced, uint64_t took_ns);

#endif
