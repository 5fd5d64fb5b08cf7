/*
 * Setting a V4L2 device up for streaming: what comes in (v4l2_signal.h), crop, format, rate.
 */
#ifndef FANLIGHT_V4L2_SETUP_H
#define FANLIGHT_V4L2_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "camera/camera.h"
#include "camera/v4l2_choose.h"
#include "camera/v4l2_device.h"

/* The pictures that a device was set to deliver; one shape for both of V4L2's APIs. */
struct v4l2_picture {
	uint32_t fourcc;
	uint32_t width, height;                  /* pixels */
	uint32_t n_buffers;                      /* memory planes of a picture */
	uint32_t stride_bytes[FRAME_MAX_PLANES]; /* of each memory plane */
	uint32_t size_bytes[FRAME_MAX_PLANES];   /* the most that each can hold */
	enum frame_encoding encoding;
	enum frame_range range;
	uint32_t fps_numerator, fps_denominator; /* 0/1 when the driver does not say */
};

/*
 * Choose and set everything that config asks for except its controls.
 * Returns 0, or a negative errno with a sentence in reason.
 */
ON_CAPTURE int setup_device(const struct v4l2_device *device, const struct camera_config *config,
	struct v4l2_picture *ret_picture, char reason[CAMERA_REASON_BYTES]);

/* Whether the device still delivers pictures of this format and size. */
ON_CAPTURE bool setup_is_current(
	const struct v4l2_device *device, const struct v4l2_picture *picture);

/*
 * What a device offers that can be read, format by format in the driver's order; of a range of
 * sizes those worth considering, given a wish (v4l2_choose_sizes()).
 * Returns 0 and modes for the caller to free, or -ENOMEM.
 */
ANY_THREAD int setup_list_modes(const struct v4l2_device *device, const struct camera_config *wish,
	struct v4l2_mode **ret_modes, size_t *ret_n);

#endif
