/*
 * What comes into a V4L2 device: its input, the standard of analogue video, the timings of HDMI
 * and the like, and whether there is a signal at all.
 */
#ifndef FANLIGHT_V4L2_SIGNAL_H
#define FANLIGHT_V4L2_SIGNAL_H

#include "base/roles.h"
#include "camera/camera.h"
#include "camera/v4l2_device.h"

/*
 * Select the input that config asks for, show the source its EDID, and set the device to the
 * standard or the timings that come in. Devices that know of none of this are no error.
 * Returns 0, or a negative errno with a sentence in reason: -ENOLINK no signal, -ENOLCK one that is
 * not stable, -ERANGE one that the device cannot take.
 */
ON_CAPTURE int signal_select(const struct v4l2_device *device, const struct camera_config *config,
	char reason[CAMERA_REASON_BYTES]);

/*
 * After the device told of a change, with the config of signal_select(): 0 when what comes in is
 * still what it is set to, -ESTALE when it is something else, or -ENOLINK, -ENOLCK, -ERANGE.
 */
ON_CAPTURE int signal_check(const struct v4l2_device *device, const struct camera_config *config);

/* Whether err is one of the three that mean a missing or bad signal. */
ANY_THREAD bool signal_is_missing(int err);

/* Whether the file at path is an EDID. 0, or a negative errno with a sentence in reason. */
ON_MAIN int signal_check_edid(const char *path, char reason[CAMERA_REASON_BYTES]);

#endif
