/*
 * The guard stands in for functions of libh2o 2.2.5 that a client could misuse to end or to bloat
 * the process. For other versions of the library there is nothing in it.
 */
#ifndef FANLIGHT_GUARD_H
#define FANLIGHT_GUARD_H

#include "base/roles.h"

struct connections;

/*
 * Find the functions that are stood in for. Logs a warning if the library that was loaded is
 * another one than Fanlight was built for, or calls its own functions past ours. Whose frames they
 * are is looked up in connections, if that is not NULL; it must live as long as libh2o serves. To
 * be called before that; may be called again.
 */
ON_MAIN void guard_begin(struct connections *connections);

#endif
