/*
 * Conversion of formats that Fanlight does not read itself (Bayer, vendors' own) by libv4lconvert,
 * to planar 4:2:0. It costs a pass over every picture.
 */
#ifndef FANLIGHT_V4L2_CONVERT_H
#define FANLIGHT_V4L2_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/videodev2.h>

#include "base/roles.h"
#include "camera/v4l2_setup.h"

/* What comes out: planes Y, Cb, Cr in one piece, rows without padding. */
#define CONVERTER_FOURCC V4L2_PIX_FMT_YUV420

struct converter;

/*
 * Make a converter of the pictures that a device was set to deliver; the device is asked for its
 * quirks (a camera that is mounted upside down ...).
 * Returns 0, -EINVAL (a format or size that cannot be converted) or -ENOMEM.
 */
ON_CAPTURE int converter_create(
	int device_fd, const struct v4l2_picture *picture, struct converter **ret_converter);
ON_CAPTURE void converter_destroy(struct converter *converter); /* NULL is ignored */

/* Bytes of a converted picture. */
ON_CAPTURE size_t converter_bytes(const struct converter *converter);

/*
 * Convert a picture into converter_bytes() at target; libv4lconvert may use source as scratch pad.
 * Returns 0 or -EBADMSG (no whole picture).
 */
ON_CAPTURE int converter_convert(
	struct converter *converter, uint8_t *source, size_t source_bytes, uint8_t *target);

/* Whether pictures of this fourcc can be converted. */
ANY_THREAD bool converter_knows(uint32_t fourcc);

#endif
