/* What the viewers of one kind saw of one stream, in figures. */
#ifndef FANLIGHT_PROBE_REPORT_H
#define FANLIGHT_PROBE_REPORT_H

#include <jansson.h>

#include "probe/viewer.h"

/* Milliseconds that so many of all pictures did not exceed; n: how many pictures have a time. */
struct percentiles {
	size_t n;
	double p50, p95, p99, most;
};

struct summary {
	size_t viewers, failed;
	uint64_t pictures, bytes;
	double fps; /* a viewer's, on average, from its first picture on */
	struct percentiles age, delivery;
	uint64_t skipped, backwards, stalls;
	enum time_source source;
	const char *protocol;
};

/* What is known of a stream when it has been watched. */
struct run {
	uint64_t begin_ns; /* ages count from here on */
	uint64_t end_ns;   /* of watching */
	/* From one picture to the next, which tells what was skipped; 0: unknown. */
	uint64_t rhythm_ns;
};

/*
 * Find out from the viewers who were fast: ages count from when each has had a picture, because
 * connecting costs the server and this program, too. Returns 0 or -ENOMEM.
 */
ANY_THREAD int report_find_run(
	const struct viewer *viewers, size_t n_viewers, uint64_t end_ns, struct run *ret_run);

/* Sum up viewers of one kind of one stream, at least one. Returns 0 or -ENOMEM. */
ANY_THREAD int report_sum_up(const struct viewer *viewers, size_t n_viewers, const struct run *run,
	struct summary *ret_summary);

/* "fast", "slow" or "stalled". */
ANY_THREAD const char *report_kind_name(enum viewer_kind kind);

ANY_THREAD void report_print(enum viewer_kind kind, const struct summary *summary);

/* The same for programs; NULL when out of memory. */
ANY_THREAD json_t *report_json(enum viewer_kind kind, const struct summary *summary);

#endif
