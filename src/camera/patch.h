/*
 * A request to change controls or the format, as it comes from outside:
 *
 *     {"controls": {"brightness": 140}, "format": {"width": 640, "height": 480}}
 *
 * Understood as far as that goes without a camera.
 */
#ifndef FANLIGHT_PATCH_H
#define FANLIGHT_PATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/roles.h"
#include "camera/camera.h"

/* Another format; zero is as it is. */
struct format_wish {
	uint32_t fourcc, width, height;
	double fps;
};

struct patch {
	json_t *root;
	json_t *controls; /* of root: an object, its values of any kind; NULL for none */
	struct format_wish format;
	bool has_format;
};

/*
 * Read a patch; with 0 patch_finish() must follow.
 * Returns 0, or -EINVAL with a sentence that says what is wrong.
 */
ANY_THREAD int patch_parse(
	const char *text, size_t bytes, struct patch *ret_patch, char reason[CAMERA_REASON_BYTES]);

ANY_THREAD void patch_finish(struct patch *patch);

#endif
