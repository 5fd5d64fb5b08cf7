/*
 * The chain: what is done to a camera's frames before they are encoded, one filter after the other.
 *
 * It is made anew when its settings change. Each filter's time and failures are counted under its
 * name, whichever chain it was in.
 */
#ifndef FANLIGHT_PROCESS_CHAIN_H
#define FANLIGHT_PROCESS_CHAIN_H

#include <stdbool.h>

#include "base/roles.h"
#include "base/stats.h"
#include "exchange/results.h"
#include "fanlight/frame.h"
#include "process/config.h"

/* Frames in succession for which a plugin may take longer than it should. */
#define CHAIN_OVERRUNS 30

struct chain;

/*
 * Returns 0 or, with a sentence in reason, -ENOMEM or why a plugin was not loaded. stats lives as
 * long as the chain; what is new in it is named, so only one thread at a time makes a camera's
 * chains.
 */
ANY_THREAD int chain_create(const struct process_config *config, struct filter_stats *stats,
	struct chain **ret_chain, char reason[PROCESS_REASON_BYTES]);

/* NULL is ignored. */
ANY_THREAD void chain_destroy(struct chain *chain);

/* Whether there is nothing to be done. */
ON_ENCODE bool chain_is_empty(const struct chain *chain);

/* Whether it writes to the memory of a frame; that is then not the camera's own, if it is kept. */
ON_ENCODE bool chain_draws(const struct chain *chain, const struct frame *frame);

/*
 * Do it. The frame is a copy of the camera's: its pixels are the same, or a copy of the chain's,
 * valid until the next call; how it is read, and which part, may be changed. The caller stands for
 * CPU access, to write if chain_draws(). What is copied is counted.
 * Returns 0, -EINVAL (a format or size that cannot be taken), -ENOMEM, or what a filter says.
 */
ON_ENCODE int chain_run(struct chain *chain, struct frame *frame, struct results *results,
	stat_counter *copied_bytes);

/* The name of a plugin that is left out from now on, for it took too long; or NULL for no news. */
ON_ENCODE const char *chain_take_news(struct chain *chain);

#endif
