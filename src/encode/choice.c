#include "encode/choice.h"

#include "base/clock.h"

/* Weight of a frame in the mean, as a part of it. */
#define WEIGHT 16

/*
 * Slices have to save one part in so many, and so much: nobody sees less, and to wake a helper and
 * to wait for it costs some 0.2 ms of CPU time, an eighth of what a small frame takes whole.
 */
#define CLEARLY        16
#define SAVES_LEAST_NS NS_PER_MS

bool choice_next(const struct choice *choice, unsigned n_slices)
{
	unsigned frames = choice->saved_ns ? CHOICE_FRAMES_SAVING : CHOICE_FRAMES;
	uint64_t perfect_ns = choice->usual_ns / n_slices;

	if (choice->whole && choice->usual_ns < perfect_ns + SAVES_LEAST_NS)
		return false;
	return choice->whole == (choice->frames >= frames);
}

void choice_learn(struct choice *choice, bool sliced, uint64_t took_ns)
{
	uint64_t usual_ns = choice->usual_ns ? choice->usual_ns : took_ns;
	uint64_t margin_ns = usual_ns / CLEARLY;
	uint64_t target_ns;

	if (margin_ns < SAVES_LEAST_NS)
		margin_ns = SAVES_LEAST_NS;
	target_ns = !sliced                ? usual_ns + margin_ns
		    : usual_ns > margin_ns ? usual_ns - margin_ns
					   : 0;
	if (took_ns > 2 * usual_ns)
		took_ns = 2 * usual_ns;
	if (sliced != choice->whole) {
		choice->usual_ns = usual_ns + took_ns / WEIGHT - usual_ns / WEIGHT;
		choice->frames++;
		return;
	}
	choice->frames = 0;
	choice->saved_ns += target_ns;
	choice->saved_ns -= took_ns < choice->saved_ns ? took_ns : choice->saved_ns;
	if (choice->saved_ns >= usual_ns)
		*choice = (struct choice){.whole = !sliced, .usual_ns = usual_ns};
}
