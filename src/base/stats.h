/*
 * Counters: written by one thread with a plain atomic add, read by any.
 *
 * Relaxed throughout: a counter says how often something happened and orders nothing else.
 */
#ifndef FANLIGHT_STATS_H
#define FANLIGHT_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"

typedef _Atomic uint64_t stat_counter;

static inline void stat_add(stat_counter *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void stat_set(stat_counter *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

static inline uint64_t stat_read(const stat_counter *counter)
{
	return atomic_load_explicit((stat_counter *)counter, memory_order_relaxed);
}

/* Why a camera could not be opened, or had to be closed. */
enum camera_fault {
	FAULT_GONE,    /* it is not there */
	FAULT_BUSY,    /* another program has it */
	FAULT_DENIED,  /* no permission */
	FAULT_SIGNAL,  /* no signal, no lock, or one that it cannot take */
	FAULT_CHANGED, /* its pictures changed their shape */
	FAULT_SILENT,  /* no frame in time, and stopping and starting did not help */
	FAULT_MEMORY,  /* none for its buffers */
	FAULT_DRIVER,  /* whatever else the driver refused */
	CAMERA_FAULTS,
};

/* Filters of a camera that have a name of their own. */
#define FILTERS_NAMED 16

struct filter_stats {
	/* main, then control */
	atomic_bool named; /* the name is there, and stays */
	char name[32];

	/* encode */
	stat_counter failed;   /* frames that it refused, which were dropped */
	stat_counter bypassed; /* times it was left out, for it was too slow */
	struct histogram time;
};

/* Its name, or NULL as long as it has none. */
static inline const char *filter_stats_name(const struct filter_stats *stats)
{
	/* Acquire, partner of the release where it is named. */
	return atomic_load_explicit((atomic_bool *)&stats->named, memory_order_acquire)
		       ? stats->name
		       : NULL;
}

/* What happened to one camera's frames since start. Each group is written by one thread. */
struct camera_stats {
	/* capture */
	stat_counter captured;         /* frames the camera delivered whole */
	stat_counter last_captured_ns; /* CLOCK_MONOTONIC of the newest of them, 0 for none yet */
	stat_counter dropped_stale;    /* whole, but a newer one was ready: requeued unseen */
	stat_counter dropped_lost;     /* gaps in the camera's own sequence */
	stat_counter dropped_starved;  /* those that came when we had left the driver no buffer */
	stat_counter dropped_error;    /* flagged as bad by the driver, or of an impossible size */
	stat_counter on_loan;          /* buffers now with the encoder or in between */
	stat_counter dropped_encoder_busy;  /* wanted, but a newer one came before it was encoded */
	stat_counter opened;                /* times the camera was opened */
	stat_counter restarted;             /* times it fell silent and was stopped and started */
	stat_counter lost;                  /* times it went away or failed after that */
	stat_counter faults[CAMERA_FAULTS]; /* times it could not be opened, or failed, by cause */
	stat_counter odd_time;     /* frames stamped backwards, ahead, or by another clock */
	stat_counter odd_sequence; /* frames whose number did not rise */
	stat_counter copied_bytes; /* raw pixels made of others; also encode and preview */
	struct histogram capture_to_dequeue;

	/* preview */
	stat_counter previewed; /* frames that a screen has flipped to */
	struct histogram capture_to_flip;

	/* control */
	stat_counter controls_changed; /* here or elsewhere: whoever shows them may ask again */

	/* encode */
	stat_counter encoded;         /* packets published */
	stat_counter dropped_corrupt; /* camera JPEGs that no decoder could use */
	stat_counter odd_size;     /* camera JPEGs of another size than it was set to; passed on */
	stat_counter dmabuf_syncs; /* begins and ends of CPU access to a dma-buf; also preview */
	stat_counter dropped_encode;      /* libjpeg refused, or no memory for the packet */
	stat_counter dropped_server_busy; /* encoded, but a newer one came before it was served */
	stat_counter placeholders;        /* published in place of pictures */
	struct histogram dequeue_to_encode, encode;
	struct filter_stats filters[FILTERS_NAMED];
};

#endif
