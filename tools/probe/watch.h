/* Watching: all viewers' connections on one thread. */
#ifndef FANLIGHT_PROBE_WATCH_H
#define FANLIGHT_PROBE_WATCH_H

#include "probe/viewer.h"

/*
 * Let open viewers watch for so long, or until all have ended or SIGINT or SIGTERM asks to stop.
 * The connections are closed on return. Returns 0 or a negative errno.
 */
ANY_THREAD int watch(struct viewer *viewers, size_t n_viewers, uint64_t duration_ns);

#endif
