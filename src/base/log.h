/*
 * The log: one line an event, on standard error.
 *
 * On a terminal or in a file a line is "SECONDS LEVEL room: text", SECONDS of CLOCK_MONOTONIC.
 * Under systemd (JOURNAL_STREAM names our stderr) it is "<PRIORITY>room: text": the journal adds
 * its own time. Colours only on a terminal, and never when NO_COLOR is set.
 */
#ifndef FANLIGHT_LOG_H
#define FANLIGHT_LOG_H

#include <stdint.h>

#include "base/roles.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };

/* Look at stderr once and set what is shown; before any thread starts. */
ON_MAIN void log_init(enum log_level most_shown);

/* One line; room is the part of the program ("camera front", "server"). Keeps errno. */
ANY_THREAD void log_line(enum log_level level, const char *room, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)

/*
 * Rate limit for faults that repeat: true for the first of each interval. The state belongs to
 * the caller's thread, zeroed at first; *ret_suppressed counts what was held back since.
 */
struct log_limit {
	uint64_t next_ns;
	unsigned suppressed;
};
ANY_THREAD int log_allowed(struct log_limit *limit, uint64_t interval_ns, unsigned *ret_suppressed);

#endif
