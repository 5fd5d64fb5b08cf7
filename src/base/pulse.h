/*
 * A thread's pulse: main takes it now and then, and the thread beats each time that it comes round.
 *
 * One that is blocked, deadlocked or going in circles does not beat; one that waits for work is
 * woken to.
 */
#ifndef FANLIGHT_PULSE_H
#define FANLIGHT_PULSE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/fd.h"
#include "base/roles.h"

struct pulse {
	atomic_bool wanted; /* and not beaten yet */
};

/*
 * Whether it has beaten since the last time, which is true the first time; if so, the next beat is
 * wanted from now on. wake_fd is an eventfd that wakes the thread, -1 when it comes round anyway.
 */
ON_MAIN static inline bool pulse_take(struct pulse *pulse, int wake_fd)
{
	if (atomic_load(&pulse->wanted))
		return false;
	atomic_store(&pulse->wanted, true);
	if (wake_fd >= 0)
		fd_signal(wake_fd);
	return true;
}

/*
 * The thread has come round, and has drained wake_fd if that woke it: drained after the beat, it
 * could take along that the next one is wanted.
 */
ANY_THREAD static inline void pulse_beat(struct pulse *pulse)
{
	atomic_store(&pulse->wanted, false);
}

#endif
