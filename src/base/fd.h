/* File descriptors: small helpers. An fd is -1 when closed. */
#ifndef FANLIGHT_FD_H
#define FANLIGHT_FD_H

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
 * Wait until fd is readable (1), stop_fd is (0), or deadline_ns of CLOCK_MONOTONIC has passed
 * (-ETIMEDOUT; UINT64_MAX waits for ever). An error on fd counts as readable: the next call on it
 * says what it is. Either fd may be -1.
 */
ANY_THREAD int fd_wait(int fd, int stop_fd, uint64_t deadline_ns);

#endif
