/* What a request asks for: its path and query, understood. Knows nothing of connections. */
#ifndef FANLIGHT_SERVER_REQUEST_H
#define FANLIGHT_SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

#include "base/roles.h"
#include "server/part.h"
#include "server/server.h"

enum route {
	ROUTE_ASSET, /* the page and what belongs to it, if there is such a file */
	ROUTE_STREAM,
	ROUTE_SNAPSHOT,
	ROUTE_LIVE,
	ROUTE_REPORT, /* of a live stream's viewer */
	ROUTE_CLOCK,
	ROUTE_CONTROLS,
	ROUTE_PROCESS,
	ROUTE_STATE,
	ROUTE_HEALTH,
	ROUTE_METRICS,
};

struct request {
	enum route route;
	size_t camera;       /* index */
	h2o_iovec_t live_id; /* of a report; within the path */
	double fps;          /* at most; 0 for no limit */
	struct variant variant;
	enum part_layout layout;
	bool layout_chosen; /* by the client, so nothing is guessed from its headers */
	bool extra_headers; /* ustreamer's, in each part */
	bool max_age_chosen;
	uint64_t max_age_ns;
};

/*
 * Understand a path ("/front/stream") and a query ("fps=5", without the question mark). Fanlight's
 * own URLs, mjpg-streamer's (/?action=stream_1) and ustreamer's are known; query arguments that are
 * not, such as cache busters, are ignored.
 * Returns 0; -ENOENT (no such camera) or -EINVAL (a known argument with a bad value) with a
 * sentence in *ret_reason.
 */
ANY_THREAD int request_parse(h2o_iovec_t path, h2o_iovec_t query,
	const struct server_camera *cameras, size_t n, struct request *ret_request,
	const char **ret_reason);

/* The methods that an address understands, as an Allow header lists them. */
ANY_THREAD const char *request_methods(enum route route);

#endif
