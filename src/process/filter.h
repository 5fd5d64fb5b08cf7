/* What every filter of a chain is: it sees one frame after the other, all on one thread. */
#ifndef FANLIGHT_PROCESS_FILTER_H
#define FANLIGHT_PROCESS_FILTER_H

#include <stdbool.h>

#include "base/pixels.h"
#include "base/roles.h"
#include "exchange/results.h"
#include "fanlight/frame.h"
#include "process/config.h"

/* The first member of every filter. */
struct filter {
	/*
	 * ON_ENCODE: draw into the frame or change how it is read; it is of this format, fits and
	 * can be written to if the filter draws. Returns 0 or a negative errno, and the frame is
	 * dropped. Results add up along the chain.
	 */
	int (*run)(struct filter *filter, const struct pixel_format *format, struct frame *frame,
		struct results *results);
	void (*destroy)(struct filter *filter);
	bool draws;
};

/* Makers, one a kind. Return NULL without memory. */
ANY_THREAD struct filter *orient_create(const struct orient_config *config);
ANY_THREAD struct filter *mask_create(const struct mask_config *config);

/* Needs a font. Returns 0 or a negative errno with a sentence in reason. */
ANY_THREAD int overlay_create(const struct process_config *config, struct filter **ret_filter,
	char reason[PROCESS_REASON_BYTES]);

#endif
