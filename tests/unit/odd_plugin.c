/* A plugin with something wrong, which ODD says. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "fanlight/filter.h"

/* One that is nameless needs nothing else. */
#ifndef ODD
#define ODD 0
#endif

enum odd { CRASHES = 1, REFUSES, OLD, FAILS, SLOW, TALKS };

static int create(const char *settings, void **ret_filter)
{
	(void)settings;
	*ret_filter = NULL;
	if (ODD == CRASHES)
		abort();
	return ODD == REFUSES ? -ENODEV : 0;
}

/* Busy for longer than a millisecond, whatever the machine. */
static void dawdle(void)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000000000L + now.tv_nsec - begin.tv_nsec < 2000000);
}

static int process(void *filter, struct frame *frame, struct filter_results *results)
{
	(void)filter;
	(void)frame;
	if (ODD == SLOW)
		dawdle();
	if (ODD == TALKS) {
		char name[] = "a";

		/* What is too long or too much is refused; what was said may be said anew. */
		if (results->set(results, "Big", "1") != -EINVAL ||
			results->set(results, "", "1") != -EINVAL ||
			results->set(results, "abcdefghijklmnopqrstuvwx", "1") != -EINVAL ||
			results->set(results, "long",
				"0123456789012345678901234567890123456789"
				"012345678901234567890123") != -EINVAL)
			return -EPROTO;
		for (; *name <= 'h'; ++*name)
			if (results->set(results, name, "first") != 0)
				return -EPROTO;
		if (results->set(results, name, "one too many") != -ENOSPC)
			return -EPROTO;
		return results->set(results, "a", "second");
	}
	return ODD == FAILS ? -EIO : 0;
}

static void destroy(void *filter)
{
	(void)filter;
}

const struct fanlight_filter fanlight_filter = {
	.abi = FANLIGHT_FILTER_ABI + (ODD == OLD),
	.create = create,
	.process = process,
	.destroy = destroy,
};
