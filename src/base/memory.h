/* How near the process is to the end of its memory. */
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

#endif
