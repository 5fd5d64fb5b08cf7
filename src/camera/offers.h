/* What a camera could deliver instead: formats, sizes and rates to switch to. */
#ifndef FANLIGHT_OFFERS_H
#define FANLIGHT_OFFERS_H

#include <jansson.h>

#include "base/roles.h"
#include "camera/camera.h"
#include "camera/v4l2_device.h"

/*
 * Whether the camera offers what wish asks for (fourcc, width, height; fps unless 0). device is
 * open for a V4L2 camera and not looked at for others.
 * Returns 0, -EINVAL with a sentence that tells what there is, or -ENOMEM with one.
 */
ANY_THREAD int offers_check(const struct camera_info *info, const struct v4l2_device *device,
	const struct camera_config *wish, char reason[CAMERA_REASON_BYTES]);

/*
 * The formats that can be read, each with its sizes, the current one among them, and their rates.
 * NULL without memory.
 */
ANY_THREAD json_t *offers_to_json(const struct camera_info *info, const struct v4l2_device *device);

/* What the camera delivers now: {"fourcc", "width", "height", "fps"}. */
ANY_THREAD json_t *offers_current_to_json(const struct camera_info *info);

#endif
