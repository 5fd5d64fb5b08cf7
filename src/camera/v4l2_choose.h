/*
 * Which format, size and rate to take from those that a device offers. Pure logic: what a device
 * offers comes as a list, so that every rule here can be tested without one.
 */
#ifndef FANLIGHT_V4L2_CHOOSE_H
#define FANLIGHT_V4L2_CHOOSE_H

#include <stddef.h>
#include <stdint.h>

#include <linux/videodev2.h>

#include "base/roles.h"
#include "camera/camera.h"

/* A format at one size, as the device offers it. */
struct v4l2_mode {
	uint32_t fourcc;        /* one that format_find() knows, or libv4l converts */
	uint32_t width, height; /* pixels; 0 where the driver does not enumerate sizes */
	double fps;             /* the highest rate; 0 where the driver does not say */
};

/*
 * Choose from n modes, in the driver's order, what wish (fourcc, width, height, fps) asks for.
 *
 * Format and size are binding. What is left open: the largest size up to 1280x720 that reaches the
 * asked rate, or 25 fps; there a raw format before a compressed one and colour before grey. A
 * format that needs conversion is taken only where no other fits the wish.
 * Returns 0, or -EINVAL with a sentence in reason that lists what there is.
 */
ANY_THREAD int v4l2_choose(const struct v4l2_mode *modes, size_t n,
	const struct camera_config *wish, struct v4l2_mode *ret_mode,
	char reason[CAMERA_REASON_BYTES]);

/*
 * The rate to ask the driver for: the one wished for, else 30 fps or what the mode reaches, if
 * that is less.
 */
ANY_THREAD double v4l2_choose_fps(const struct v4l2_mode *mode, const struct camera_config *wish);

/*
 * The sizes worth considering of a device that takes any in a range: the wished one, rounded to
 * what the range has, or else the one nearest to 1280x720 and the usual ones below.
 * Writes at most V4L2_CHOOSE_SIZES (width, height) pairs; returns how many, at least one.
 */
#define V4L2_CHOOSE_SIZES 7
ANY_THREAD size_t v4l2_choose_sizes(const struct v4l2_frmsize_stepwise *range,
	const struct camera_config *wish, uint32_t ret_sizes[V4L2_CHOOSE_SIZES][2]);

#endif
