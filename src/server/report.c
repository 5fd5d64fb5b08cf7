#include "server/report.h"

#include <errno.h>

#include <jansson.h>

#include "server/flight.h"

#define AGE_MS_MOST 3600000.0

int report_parse(
	const char *text, size_t length, struct report *ret_report, const char **ret_reason)
{
	json_t *root = NULL;
	const json_t *serial, *age, *next;
	int err = -EINVAL;

	*ret_report = (struct report){.next = 1};
	*ret_reason = "A report has at most 1024 bytes.";
	if (length > REPORT_BYTES_MOST)
		return err;
	root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	serial = json_object_get(root, "serial");
	age = json_object_get(root, "age_ms");
	next = json_object_get(root, "next");

	*ret_reason = "A report is a JSON object with the serial of the picture that was drawn.";
	if (!json_is_integer(serial) || json_integer_value(serial) < 0 ||
		json_integer_value(serial) > UINT32_MAX)
		goto done;
	ret_report->serial = (uint32_t)json_integer_value(serial);

	*ret_reason = "age_ms is a number of milliseconds, up to an hour.";
	if (age) {
		double age_ms = json_number_value(age);

		if (!json_is_number(age) || !(age_ms >= 0 && age_ms <= AGE_MS_MOST))
			goto done;
		ret_report->has_age = true;
		ret_report->age_ns = (uint64_t)(age_ms * 1e6);
	}

	*ret_reason = "A report's next is a number of pictures, from 1 to 16.";
	if (next) {
		if (!json_is_integer(next) || json_integer_value(next) < 1 ||
			json_integer_value(next) > FLIGHT_NEXT_MOST)
			goto done;
		ret_report->next = (unsigned)json_integer_value(next);
	}
	err = 0;

done:
	json_decref(root);
	return err;
}
