/*
 * Origin: whether a request that changes something was sent by our own page, or by no browser.
 *
 * A browser lets any page send requests to any server, but tells which page sent them in headers
 * that the page cannot set; and it asks first before it sends JSON elsewhere, which nothing here
 * agrees to.
 */
#ifndef FANLIGHT_SERVER_ORIGIN_H
#define FANLIGHT_SERVER_ORIGIN_H

#include <h2o.h>

#include "base/roles.h"

/*
 * Check a request other than GET and HEAD. It has to be JSON; its Sec-Fetch-Site, if any, has to be
 * same-origin, and its Origin, if any, the host that it is sent to.
 * Returns 0, or the status to refuse it with (403, 415) with a sentence in *ret_reason.
 */
ANY_THREAD int origin_check(const h2o_req_t *req, const char **ret_reason);

#endif
