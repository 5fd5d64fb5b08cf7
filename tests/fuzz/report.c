/* Whatever a viewer reports: no crash, and nothing comes of it that could not be. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/flight.h"
#include "server/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *reason = NULL;
	struct report report;

	if (report_parse((const char *)data, size, &report, &reason) < 0) {
		must(reason && reason[strlen(reason) - 1] == '.');
	} else {
		must(size <= REPORT_BYTES_MOST);
		must(report.next >= 1 && report.next <= FLIGHT_NEXT_MOST);
		must(report.age_ns <= 3600 * NS_PER_S && (report.has_age || !report.age_ns));
	}
	return 0;
}
