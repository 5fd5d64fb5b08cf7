#include "camera/reason.h"

#include <stdarg.h>
#include <string.h>

int reason_set(char reason[CAMERA_REASON_BYTES], int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, CAMERA_REASON_BYTES, format, args);
	va_end(args);
	return err;
}

void reason_add(char reason[CAMERA_REASON_BYTES], const char *separator, const char *item)
{
	static const char more[] = ", ...";
	size_t used = strlen(reason), more_bytes = sizeof more - 1;

	if (used >= more_bytes && !strcmp(reason + used - more_bytes, more))
		return;
	if (used + strlen(separator) + strlen(item) + sizeof more > CAMERA_REASON_BYTES) {
		/* A sentence that fills everything itself keeps its own end. */
		if (used + sizeof more <= CAMERA_REASON_BYTES)
			strcpy(reason + used, more);
		return;
	}
	(void)snprintf(reason + used, CAMERA_REASON_BYTES - used, "%s%s", separator, item);
}
