#include "encode/choice.h"

/* Weight of a frame in the mean, as a part of it. */
#define WEIGHT 16

/* Slices have to save one part in so many. */
#define CLEARLY 16

bool choice_next(const struct choice *choice)
{
	unsigned frames = choice->saved_ns ? CHOICE_FRAMES_SAVING : CHOICE_FRAMES;

	return choice->whole == (choice->frames >= frames);
}

void choice_learn(struct choice *choice, bool sliced, uint64_t took_ns)
{
	uint64_t usual_ns = choice->usual_ns ? choice->usual_ns : took_ns;
	uint64_t margin_ns = usual_ns / CLEARLY;
	uint64_t target_ns = sliced ? usual_ns - margin_ns : usual_ns + margin_ns;

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
