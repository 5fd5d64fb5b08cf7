/*
 * A job's counter `unclaimed` is all that threads compete for. Posting sets it to the number of
 * parts, claiming takes one away, and nobody looks at anything else of a job before it has claimed
 * a part; so it does no harm to come late, even so late that another frame has been posted since.
 * Who has claimed a part is waited for: a job is over when `unfinished` is zero.
 *
 * Sleep and wake-up are semaphores: they keep a count as an eventfd does, so that no wake-up is
 * lost whichever side comes first, and cost no system call when nobody sleeps.
 *   wanted:   one count for each part that a helper could do, posted after the parts. A helper that
 *             takes a count looks through all jobs until it finds nothing to claim. Counts are left
 *             over when parts were done by others; then a look finds nothing, and that is all.
 *   finished: one count a job at most. Exactly one thread brings `unfinished` to zero. When that is
 *             a helper it posts, and the owner, who saw that it was not the last, waits. It stays
 *             awake for as long as the parts have taken it: on a busy core who sleeps for a moment
 *             gets the core back only when the other's turn is over, milliseconds later.
 *
 * Schedulers like to wake a thread on the core of who wakes it, on some boards to save power. There
 * a helper would only take turns with the thread that it is to help, so it leaves for another core.
 */
#include "encode/workers.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct job {
	/* the owner's, constant after workers_add_job() */
	struct workers *workers;
	void (*do_part)(void *context, unsigned part);
	void *context;

	/* written by the owner before it posts, read by whoever claimed a part */
	unsigned n_parts;

	/* all threads */
	alignas(64) atomic_uint unclaimed;
	alignas(64) atomic_uint unfinished;
	atomic_int core; /* that the owner posted on; a hint */
	sem_t finished;
};

struct helper {
	struct workers *workers;
	pthread_t thread;
	char name[16];
	unsigned last_job; /* that it took a part of */
};

struct workers {
	/* main; constant for others */
	struct job *jobs;
	unsigned n_jobs, n_jobs_given;
	struct helper helpers[WORKERS_THREADS_MOST - 1];
	unsigned n_helpers;
	cpu_set_t cores; /* that this process may use */

	/* all threads */
	sem_t wanted;
	atomic_bool stopping;
};

/* ---- parts ---- */

ON_ENCODE static bool claim_part(struct job *job, unsigned *ret_part)
{
	unsigned left = atomic_load_explicit(&job->unclaimed, memory_order_relaxed);

	/* Acquire, partner of the release in job_run(): what belongs to the parts is seen. */
	while (left)
		if (atomic_compare_exchange_weak_explicit(&job->unclaimed, &left, left - 1,
			    memory_order_acquire, memory_order_relaxed)) {
			*ret_part = job->n_parts - left;
			return true;
		}
	return false;
}

/* Do a claimed part. True when with it the job is done. */
ON_ENCODE static bool finish_part(struct job *job, unsigned part)
{
	job->do_part(job->context, part);
	/* Release what this part wrote; the last one acquires what all others did. */
	return atomic_fetch_sub_explicit(&job->unfinished, 1, memory_order_acq_rel) == 1;
}

/* Counts are never lost to a signal's interruption. */
ON_ENCODE static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0 && errno == EINTR)
		;
}

/* Wait for the last helper of a job that began at a time; asleep when that is not running. */
ON_ENCODE static void wait_for_helpers(struct job *job, uint64_t begin_ns)
{
	uint64_t now_ns = clock_now_ns(), patience_ns = now_ns - begin_ns;

	while (sem_trywait(&job->finished) < 0)
		if (clock_now_ns() - now_ns > patience_ns) {
			wait_for(&job->finished);
			return;
		}
}

void job_run(struct job *job, unsigned n_parts)
{
	unsigned n_wanted = n_parts - 1, part;
	uint64_t begin_ns = clock_now_ns();
	bool done = false;

	job->n_parts = n_parts;
	/* Relaxed, both: published with unclaimed. */
	atomic_store_explicit(&job->core, sched_getcpu(), memory_order_relaxed);
	atomic_store_explicit(&job->unfinished, n_parts, memory_order_relaxed);
	/* Release, partner of the acquire in claim_part(). */
	atomic_store_explicit(&job->unclaimed, n_parts, memory_order_release);

	if (n_wanted > job->workers->n_helpers)
		n_wanted = job->workers->n_helpers;
	while (n_wanted--)
		(void)sem_post(&job->workers->wanted); /* fails only at two thousand million */
	while (claim_part(job, &part))
		done = finish_part(job, part);
	if (!done)
		wait_for_helpers(job, begin_ns);
}

/* ---- helpers ---- */

/* Go elsewhere when a job has parts left and was posted on this core. */
ON_ENCODE static void leave_core_of(const struct job *job)
{
	cpu_set_t cores = job->workers->cores;
	/* Relaxed, both: hints. */
	int core = atomic_load_explicit(&job->core, memory_order_relaxed);

	if (!atomic_load_explicit(&job->unclaimed, memory_order_relaxed) || core != sched_getcpu())
		return;
	CPU_CLR(core, &cores);
	(void)sched_setaffinity(0, sizeof cores, &cores); /* where there is no other, stay */
}

/* A part of the next job in turn that has one left, or NULL. */
ON_ENCODE static struct job *claim_any(struct helper *helper, unsigned *ret_part)
{
	struct workers *workers = helper->workers;

	for (unsigned i = 1; i <= workers->n_jobs; i++) {
		unsigned at = (helper->last_job + i) % workers->n_jobs;

		leave_core_of(&workers->jobs[at]);
		if (claim_part(&workers->jobs[at], ret_part)) {
			helper->last_job = at;
			return &workers->jobs[at];
		}
	}
	return NULL;
}

static void *help_loop(void *context)
{
	struct helper *helper = context;
	struct workers *workers = helper->workers;
	struct job *job;
	unsigned part;

	role_take(&role_encode, helper->name);
	for (;;) {
		wait_for(&workers->wanted);
		if (atomic_load(&workers->stopping))
			return NULL;
		while ((job = claim_any(helper, &part)))
			if (finish_part(job, part))
				(void)sem_post(&job->finished); /* it is 0: cannot overflow */
	}
}

/* ---- main ---- */

ON_MAIN static int start_helper(struct workers *workers)
{
	struct helper *helper = &workers->helpers[workers->n_helpers];
	int err;

	helper->workers = workers;
	(void)snprintf(helper->name, sizeof helper->name, "w%u", workers->n_helpers + 1);
	err = -pthread_create(&helper->thread, NULL, help_loop, helper);
	if (!err)
		workers->n_helpers++;
	return err;
}

int workers_create(unsigned n_threads, unsigned n_jobs, struct workers **ret_workers)
{
	struct workers *workers = calloc(1, sizeof *workers);
	int err = 0;

	if (!workers)
		return -ENOMEM;
	(void)sem_init(&workers->wanted, 0, 0); /* cannot fail with these arguments */
	/* Fails only where there are more cores than a set can name; those are as good. */
	if (sched_getaffinity(0, sizeof workers->cores, &workers->cores) < 0)
		memset(&workers->cores, 0xff, sizeof workers->cores);
	workers->jobs = aligned_alloc(alignof(struct job), n_jobs * sizeof(struct job));
	if (!workers->jobs) {
		workers_destroy(workers);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n_jobs; i++) {
		workers->jobs[i] = (struct job){.workers = workers};
		(void)sem_init(&workers->jobs[i].finished, 0, 0); /* as above */
	}
	workers->n_jobs = n_jobs;

	if (!n_threads)
		n_threads = (unsigned)CPU_COUNT(&workers->cores);
	if (n_threads > WORKERS_THREADS_MOST)
		n_threads = WORKERS_THREADS_MOST;
	while (!err && workers->n_helpers < n_threads - 1)
		err = start_helper(workers);
	if (err < 0) {
		workers_destroy(workers);
		return err;
	}
	*ret_workers = workers;
	return 0;
}

void workers_destroy(struct workers *workers)
{
	if (!workers)
		return;
	atomic_store(&workers->stopping, true);
	for (unsigned i = 0; i < workers->n_helpers; i++)
		(void)sem_post(&workers->wanted); /* as in job_run() */
	for (unsigned i = 0; i < workers->n_helpers; i++)
		(void)pthread_join(workers->helpers[i].thread, NULL); /* ours, joined once */
	for (unsigned i = 0; i < workers->n_jobs; i++)
		(void)sem_destroy(&workers->jobs[i].finished); /* nobody waits any more */
	(void)sem_destroy(&workers->wanted);
	free(workers->jobs);
	free(workers);
}

unsigned workers_n_threads(const struct workers *workers)
{
	return workers->n_helpers + 1;
}

struct job *workers_add_job(
	struct workers *workers, void (*do_part)(void *context, unsigned part), void *context)
{
	struct job *job;

	assert(workers->n_jobs_given < workers->n_jobs);
	job = &workers->jobs[workers->n_jobs_given++];
	job->do_part = do_part;
	job->context = context;
	return job;
}
