/* How near the process is to the end of its memory, and whether it keeps what it has. */
#ifndef FANLIGHT_MEMORY_H
#define FANLIGHT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/roles.h"

/*
 * Whether so many bytes more cannot be had: by the limits of the process, those of its control
 * groups (version 2), or the machine. What cannot be found out is taken for no limit.
 */
ANY_THREAD bool memory_is_short(size_t reserve_bytes);

/*
 * Keep in memory what the process uses, from when it first does: nothing of it is swapped out, and
 * no code is read from disk once more. Holds for any user that the process becomes.
 * Returns 0 or a negative errno; -EPERM: the limit RLIMIT_MEMLOCK is not infinite, and lifting it
 * takes CAP_SYS_RESOURCE, which root has unless it was taken away.
 */
ON_MAIN int memory_lock(void);

#endif
