/*
 * Threads that help to encode: one pool for the process, shared by all cameras.
 *
 * A camera has a job, which it posts in parts. Its own thread does part after part until none is
 * left; helpers that are awake and free take parts, too. Nobody waits for a helper that has not
 * begun, so with all helpers busy a job takes as long as it takes without them. A helper goes from
 * job to job in turn, and so serves all cameras alike.
 */
#ifndef FANLIGHT_WORKERS_H
#define FANLIGHT_WORKERS_H

#include "base/roles.h"

/* As many threads as can work on one job. */
#define WORKERS_THREADS_MOST 16

struct workers;
struct job;

/*
 * Start the pool: n_threads for each job, of which one is its camera's own, so that n_threads - 1
 * helpers are started and 1 is none. 0 takes one thread a core that this process may use.
 * Returns 0, -ENOMEM or -EAGAIN (no more threads to be had).
 */
ON_MAIN int workers_create(unsigned n_threads, unsigned n_jobs, struct workers **ret_workers);

/* Stop and join the helpers, and free the jobs, of which none runs. NULL is ignored. */
ON_MAIN void workers_destroy(struct workers *workers);

/* How many threads work on a job at most, its camera's own included. */
ANY_THREAD unsigned workers_n_threads(const struct workers *workers);

/*
 * One of the n_jobs, each given once. do_part(context, part) is called for each part of a posted
 * job, on the thread that posts or on a helper, each of which has the encode role.
 */
ON_MAIN struct job *workers_add_job(
	struct workers *workers, void (*do_part)(void *context, unsigned part), void *context);

/*
 * Post a job of n_parts (at least 1), help with it, and return when all parts are done. They begin
 * in order; what they wrote is seen by the caller. Only one thread at a time runs a job.
 */
ON_ENCODE void job_run(struct job *job, unsigned n_parts);

#endif
