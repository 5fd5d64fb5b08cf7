/*
 * The guard stands in for functions of libh2o 2.2.5 that a client could misuse to end or to bloat
 * the process. For other versions of the library there is nothing in it.
 */
#ifndef FANLIGHT_GUARD_H
#define FANLIGHT_GUARD_H

#include <h2o.h>

#include "base/roles.h"
#include "server/connections.h"

/*
 * Find the functions that are stood in for. Logs a warning if the library that was loaded is
 * another one than Fanlight was built for, or calls its own functions past ours. Whose frames they
 * are is looked up in connections, if that is not NULL; it must live as long as libh2o serves. To
 * be called before that; may be called again.
 */
ON_MAIN void guard_begin(struct connections *connections);

/*
 * The limit that made the guard cut an HTTP/1 request short, of which nothing else is true then, or
 * LIMITS for one that is as it was sent.
 */
ON_SERVER enum limit guard_find_limit(const h2o_req_t *req);

#endif
