/* File descriptors: small helpers. An fd is -1 when closed. */
#ifndef FANLIGHT_FD_H
#define FANLIGHT_FD_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

/* Close *fd unless it is -1, and make it -1. Keeps errno. */
ANY_THREAD void fd_close(int *fd);

/* A non-blocking eventfd: the fd, or a negative errno. */
ANY_THREAD int fd_event(void);

/* Make an eventfd readable; never blocks, never fails on one of ours. */
ANY_THREAD void fd_signal(int event_fd);

/* Make an eventfd unreadable again. */
ANY_THREAD void fd_drain(int event_fd);

/*
 * Wait until one of n fds (at most FD_WAIT_MOST, those that are -1 left out) is readable or
 * deadline_ns of CLOCK_MONOTONIC has passed; UINT64_MAX waits for ever. An error on an fd counts as
 * readable: the next call on it says what it is.
 * Returns the index of the first that is, or -ETIMEDOUT.
 */
#define FD_WAIT_MOST 6
ANY_THREAD int fd_wait_any(const int fds[], size_t n, uint64_t deadline_ns);

/* The same for two: 1 when fd is readable, 0 when stop_fd is. */
ANY_THREAD int fd_wait(int fd, int stop_fd, uint64_t deadline_ns);

#endif
