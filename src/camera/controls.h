/* A V4L2 device's controls, set by name. */
#ifndef FANLIGHT_CONTROLS_H
#define FANLIGHT_CONTROLS_H

#include <stdint.h>

#include "base/roles.h"
#include "camera/camera.h"
#include "camera/v4l2_device.h"

/*
 * Set n controls in the given order (an automatic goes before what it would hold).
 * Returns 0, or a negative errno with a sentence in reason that names the control and what is
 * allowed: near names for one that is not there, the range or the menu for a value out of it.
 */
ON_CAPTURE int controls_apply(const struct v4l2_device *device,
	const struct camera_control_setting *settings, uint32_t n,
	char reason[CAMERA_REASON_BYTES]);

/*
 * A control's title as v4l2-ctl spells it on its command line: "Exposure, Dynamic Framerate" is
 * exposure_dynamic_framerate. Cut to what name holds.
 */
ANY_THREAD void control_name(const char *title, char name[32]);

#endif
