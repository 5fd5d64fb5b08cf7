#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

/* Written by log_init() before any thread starts, read-only from then on. */
static enum log_level shown = LOG_LEVEL_INFO;
static bool to_journal, coloured;

static const struct {
	const char *name, *colour;
	int priority; /* syslog's */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", "\033[31m", 3},
	[LOG_LEVEL_WARNING] = {"warning", "\033[33m", 4},
	[LOG_LEVEL_INFO] = {"info", "", 6},
};

void log_init(enum log_level most_shown)
{
	const char *journal = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	shown = most_shown;
	to_journal = journal && sscanf(journal, "%llu:%llu", &device, &inode) == 2 &&
		     !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
	coloured = !to_journal && !getenv("NO_COLOR") && isatty(STDERR_FILENO);
}

void log_line(enum log_level level, const char *room, const char *format, ...)
{
	char line[1024];
	int saved_errno = errno, prefix, text;
	va_list args;
	size_t length;

	if (level > shown)
		return;

	if (to_journal) {
		prefix = snprintf(line, sizeof line, "<%d>%s: ", levels[level].priority, room);
	} else {
		uint64_t now_us = clock_now_ns() / NS_PER_US;

		prefix = snprintf(line, sizeof line,
			"%s%6llu.%06llu %s %s: ", coloured ? levels[level].colour : "",
			(unsigned long long)(now_us / 1000000),
			(unsigned long long)(now_us % 1000000), levels[level].name, room);
	}
	if (prefix < 0 || prefix > 512)
		prefix = 0;

	va_start(args, format);
	text = vsnprintf(line + prefix, sizeof line - 8 - (size_t)prefix, format, args);
	va_end(args);

	length = (size_t)prefix + (text < 0 ? 0 : (size_t)text);
	if (length > sizeof line - 9)
		length = sizeof line - 9;
	/* One event is one line, whatever a device calls itself. */
	for (size_t i = (size_t)prefix; i < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	if (coloured && *levels[level].colour) {
		memcpy(line + length, "\033[0m", 4);
		length += 4;
	}
	line[length++] = '\n';
	/* A log that cannot be written has nowhere to say so. */
	if (write(STDERR_FILENO, line, length) < 0)
		(void)0;
	errno = saved_errno;
}

int log_allowed(struct log_limit *limit, uint64_t interval_ns, unsigned *ret_suppressed)
{
	uint64_t now = clock_now_ns();

	if (now < limit->next_ns) {
		limit->suppressed++;
		return 0;
	}
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	limit->next_ns = now + interval_ns;
	return 1;
}
