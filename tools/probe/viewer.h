/* A viewer: one connection of its own to a server, and what became of the pictures on it. */
#ifndef FANLIGHT_PROBE_VIEWER_H
#define FANLIGHT_PROBE_VIEWER_H

#include <curl/curl.h>

#include "probe/link.h"
#include "probe/multipart.h"
#include "probe/records.h"
#include "probe/stamps.h"

enum viewer_kind { VIEWER_FAST, VIEWER_SLOW, VIEWER_STALLED, VIEWER_KINDS };

/* How to ask; the same for all viewers of a run. */
struct viewer_config {
	long http_version;    /* CURL_HTTP_VERSION_... */
	bool insecure;        /* take any certificate */
	bool raw_clock;       /* ustreamer's times are of CLOCK_MONOTONIC_RAW */
	uint64_t bytes_per_s; /* of slow viewers */
};

/* Of one picture; UINT32_MAX us where it is not known. */
struct sample {
	uint64_t came_ns;     /* its last byte */
	uint64_t captured_ns; /* CLOCK_MONOTONIC; 0: not known */
	uint32_t age_us;      /* from its capture to its last byte */
	uint32_t delivery_us; /* from the end of its encoding to its last byte */
};

struct viewer {
	/* constant */
	const char *url;
	enum viewer_kind kind;
	CURL *curl;
	struct link *link;     /* NULL for fast ones */
	struct stamps *stamps; /* of all viewers */
	bool raw_clock;        /* ustreamer's times are of CLOCK_MONOTONIC_RAW */

	enum { BODY_UNKNOWN, BODY_MULTIPART, BODY_RECORDS } body;
	struct multipart multipart;
	struct records records;

	struct sample *samples;
	size_t n_samples, capacity;
	uint64_t bytes;                          /* of the stream, as it came out of the protocol */
	uint64_t begin_ns;                       /* when it asked */
	enum time_source source;                 /* of the last picture */
	char failure[CURL_ERROR_SIZE];           /* what went wrong; "" if nothing did */
	char transport_failure[CURL_ERROR_SIZE]; /* in libcurl's words */
};

/*
 * Prepare a zeroed viewer to be added to a multi handle; viewer_close() it in any case.
 * Returns 0 or -ENOMEM.
 */
ANY_THREAD int viewer_open(struct viewer *viewer, const char *url, enum viewer_kind kind,
	const struct viewer_config *config, struct stamps *stamps);

/* Its transfer has ended by itself: say why. */
ANY_THREAD void viewer_end(struct viewer *viewer, CURLcode result);

/* "HTTP/1.1" or "HTTP/2", as spoken. */
ANY_THREAD const char *viewer_protocol(const struct viewer *viewer);

ANY_THREAD void viewer_close(struct viewer *viewer);

#endif
