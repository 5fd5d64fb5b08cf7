#include "encode/choice.h"

/* Weight of a frame in the mean, as a part of it. */
#define WEIGHT 16

/* Slices have to save one part in so many. */
#define CLEARLY 16

bool choice_next(const struct choice *choice)
{
	unsigned frames = choice->wins ? CHOICE_FRAMES_WON : CHOICE_FRAMES;

	return choice->whole == (choice->frames >= frames);
}

/* A mean to which no frame, however long interrupted, adds more than one of twice its length. */
static void follow_mean(uint64_t *mean_ns, uint64_t took_ns)
{
	if (!*mean_ns)
		*mean_ns = took_ns;
	if (took_ns > 2 * *mean_ns)
		took_ns = 2 * *mean_ns;
	*mean_ns += took_ns / WEIGHT - *mean_ns / WEIGHT;
}

void choice_learn(struct choice *choice, bool sliced, uint64_t took_ns)
{
	uint64_t margin_ns = choice->usual_ns / CLEARLY;
	uint64_t target_ns = sliced ? choice->usual_ns - margin_ns : choice->usual_ns + margin_ns;

	if (sliced != choice->whole) {
		follow_mean(&choice->usual_ns, took_ns);
		choice->frames++;
		return;
	}
	choice->frames = 0;
	if (took_ns < target_ns)
		choice->wins++;
	else if (choice->wins)
		choice->wins--;
	if (choice->wins == CHOICE_WINS)
		*choice = (struct choice){.whole = !sliced, .usual_ns = took_ns};
}
