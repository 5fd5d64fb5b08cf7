/* Plugins: filters in shared objects, as include/fanlight/filter.h says. */
#ifndef FANLIGHT_PROCESS_PLUGIN_H
#define FANLIGHT_PROCESS_PLUGIN_H

#include "exchange/results.h"
#include "process/filter.h"

/*
 * Load a plugin and make a filter of it. folder is the one that it must lie in; if it is to be
 * tried, a child starts it first.
 * Returns 0 or a negative errno with a sentence in reason.
 */
ANY_THREAD int plugin_create(const char *folder, const char *path, const char *settings, bool tried,
	struct filter **ret_filter, char reason[PROCESS_REASON_BYTES]);

#endif
