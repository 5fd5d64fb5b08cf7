/*
 * Demand: whether anybody downstream wants pictures. No demand, no encoding.
 *
 * The server counts open streams and waiting snapshots; the encode thread reads the count and
 * sleeps on event_fd while it is zero. So may capture, and the camera with it.
 */
#ifndef FANLIGHT_DEMAND_H
#define FANLIGHT_DEMAND_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/fd.h"
#include "base/roles.h"

struct demand {
	atomic_uint wanted;
	/* readable when demand rose from nothing */
	int event_fd; /* encode drains it; also when main wants its pulse */
	int risen_fd; /* capture drains it */
};

/* 0, or a negative errno when no eventfds can be had; finish it all the same. */
ANY_THREAD static inline int demand_init(struct demand *demand)
{
	atomic_init(&demand->wanted, 0);
	demand->event_fd = fd_event();
	demand->risen_fd = fd_event();
	if (demand->event_fd < 0)
		return demand->event_fd;
	return demand->risen_fd < 0 ? demand->risen_fd : 0;
}

ANY_THREAD static inline void demand_finish(struct demand *demand)
{
	fd_close(&demand->event_fd);
	fd_close(&demand->risen_fd);
}

/* One more wants pictures until demand_drop(). */
ON_SERVER static inline void demand_add(struct demand *demand)
{
	/* Relaxed here and below: the eventfds order the rise; a late fall costs one encode. */
	if (atomic_fetch_add_explicit(&demand->wanted, 1, memory_order_relaxed))
		return;
	fd_signal(demand->event_fd);
	fd_signal(demand->risen_fd);
}

ON_SERVER static inline void demand_drop(struct demand *demand)
{
	atomic_fetch_sub_explicit(&demand->wanted, 1, memory_order_relaxed);
}

ANY_THREAD static inline bool demand_exists(const struct demand *demand)
{
	return atomic_load_explicit(&demand->wanted, memory_order_relaxed) > 0;
}

#endif
