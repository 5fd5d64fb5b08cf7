/* A report: what a live stream's viewer tells of what it saw. It may be anything, from anybody. */
#ifndef FANLIGHT_SERVER_REPORT_H
#define FANLIGHT_SERVER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

#define REPORT_BYTES_MOST 1024

struct report {
	uint32_t serial; /* of the newest picture that it has drawn */
	bool has_age;
	uint64_t age_ns; /* of that picture when it was drawn, by the viewer's idea of our clock */
	unsigned next;   /* which picture after that one it reports at the latest, from 1 */
};

/*
 * Understand a report in JSON, {"serial":17,"age_ms":42.5,"next":4}; members that are not known are
 * ignored.
 * Returns 0, or -EINVAL with a sentence in *ret_reason.
 */
ANY_THREAD int report_parse(
	const char *text, size_t length, struct report *ret_report, const char **ret_reason);

#endif
