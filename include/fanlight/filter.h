/*
 * A filter of your own: a shared object that exports fanlight_filter, named in the settings as
 * process = plugin:/path/name.so SETTINGS. pkg-config fanlight tells where this header is.
 *
 * Fanlight loads it from the folder plugin-dir, if the file and the folder belong to root or to the
 * user that Fanlight runs as, and nobody else may write to them. It is tried in a process of its own
 * first. After that Fanlight may be confined to the system calls that it needs itself (sandbox in
 * fanlight.conf): others end it.
 *
 * Each use in a camera's chain is one filter: create, process for each frame that somebody wants,
 * destroy. create and destroy are called on one thread, process on another; of one filter never two
 * at a time, but filters of several cameras at the same time.
 */
#ifndef FANLIGHT_FILTER_H
#define FANLIGHT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "fanlight/frame.h"

/* Rises when anything of this header or of frame.h changes that a plugin was compiled with. */
#define FANLIGHT_FILTER_ABI 1

/* What was found in a frame. It goes along with its picture, and stands in /state. */
struct filter_results {
	/*
	 * Set a result of this frame: a name of at most 23 bytes of a-z, 0-9 and _, and a text of
	 * at most 63 bytes of UTF-8. Returns 0, -EINVAL (longer, or other bytes) or -ENOSPC (eight
	 * others are there).
	 */
	int (*set)(struct filter_results *results, const char *name, const char *text);
};

struct fanlight_filter {
	uint32_t abi; /* FANLIGHT_FILTER_ABI */
	bool draws;   /* process writes to pixels */

	/*
	 * settings is what follows the path in the chain, without the space; valid during the call.
	 * Returns 0 and *ret_filter, which is passed to the others, or a negative errno.
	 */
	int (*create)(const char *settings, void **ret_filter);

	/*
	 * See a frame: raw, in any format that the camera delivers, with its planes complete; its
	 * pixels are those of the camera, in the matrix and range that it says. Only if draws is
	 * set may they be written to, within the rows and columns of the picture. order says how
	 * the picture will be read, as filters before have left it, and may be changed; nothing
	 * else may. The frame and the results are valid during the call.
	 * Returns 0, or a negative errno, and the frame is dropped.
	 */
	int (*process)(void *filter, struct frame *frame, struct filter_results *results);

	void (*destroy)(void *filter);
};

/* What a plugin defines. */
extern const struct fanlight_filter fanlight_filter;

#endif
