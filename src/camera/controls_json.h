/* A V4L2 device's controls as JSON, and values of JSON for them. */
#ifndef FANLIGHT_CONTROLS_JSON_H
#define FANLIGHT_CONTROLS_JSON_H

#include <jansson.h>

#include "base/roles.h"
#include "camera/controls.h"

/*
 * Every control with its class, range and current value, null where that cannot be read; in the
 * driver's order. Without memory, what there was memory for.
 */
ANY_THREAD json_t *controls_to_json(const struct v4l2_device *device);

/*
 * The value that JSON means for a control; its text lives as long as json does. Whether the control
 * takes it is for control_check().
 * Returns 0, or -EINVAL with a sentence that says what kind of value it wants.
 */
ANY_THREAD int control_value_from_json(const struct control *control, const json_t *json,
	struct control_value *ret_value, char reason[CAMERA_REASON_BYTES]);

#endif
