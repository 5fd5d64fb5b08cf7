/* What is asked of a camera's filters, as JSON: the document of deploy/filters.md. */
#ifndef FANLIGHT_PROCESS_DOCUMENT_H
#define FANLIGHT_PROCESS_DOCUMENT_H

#include <stddef.h>

#include "base/roles.h"
#include "process/config.h"

/*
 * Change a configuration as a patch of any bytes says, all of it or nothing. Returns 0 with the
 * whole document in *ret_json, or -EINVAL with {"error": sentence, "setting": name}; the caller
 * frees it, and it is NULL without memory. No bytes change nothing.
 */
ANY_THREAD int document_patch(
	struct process_config *config, const char *text, size_t bytes, char **ret_json);

/* Say likewise what was wrong with a setting (or NULL for none). Returns err. */
ANY_THREAD int document_refuse(const char *sentence, const char *setting, int err, char **ret_json);

#endif
