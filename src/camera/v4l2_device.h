/*
 * A V4L2 device node: opening it, asking what it offers, and saying in words what went wrong.
 */
#ifndef FANLIGHT_V4L2_DEVICE_H
#define FANLIGHT_V4L2_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/videodev2.h>

#include "base/roles.h"
#include "camera/camera.h"

struct v4l2_device {
	int fd; /* O_RDWR, non-blocking; -1 when closed */
	char path[256];
	bool multiplanar;
	enum v4l2_buf_type type;
	struct v4l2_capability capability;
};

/* ioctl() that goes on after a signal: 0 or a negative errno. */
ANY_THREAD int device_ioctl(int fd, unsigned long request, void *arg);

/*
 * Open a node that captures video by streaming I/O. Changes nothing about the device.
 * Returns 0, or a negative errno with a sentence in reason; -ENODEV also for nodes that are no
 * cameras. device is closed then.
 */
ANY_THREAD int device_open(
	struct v4l2_device *device, const char *path, char reason[CAMERA_REASON_BYTES]);

ANY_THREAD void device_close(struct v4l2_device *device);

/*
 * The sentence for a call on the device that failed with err while it tried to do what; names the
 * program that holds a busy device. Returns err.
 */
ANY_THREAD int device_failed(const struct v4l2_device *device, int err, const char *what,
	char reason[CAMERA_REASON_BYTES]);

/* The device's pixel format number index: true, or false when there are no more. */
ANY_THREAD bool device_format(
	const struct v4l2_device *device, uint32_t index, struct v4l2_fmtdesc *ret_format);

/* The size number index of a format; only index 0 is a range. False when there are no more. */
ANY_THREAD bool device_size(const struct v4l2_device *device, uint32_t fourcc, uint32_t index,
	struct v4l2_frmsizeenum *ret_size);

/* The input number index: true, or false when there are no more. */
ANY_THREAD bool device_input(
	const struct v4l2_device *device, uint32_t index, struct v4l2_input *ret_input);

/* The standard number index of the current input: true, or false when there are no more. */
ANY_THREAD bool device_standard(
	const struct v4l2_device *device, uint32_t index, struct v4l2_standard *ret_standard);

/*
 * The rates at one size, frames per second in the driver's order, at most n of them. *ret_range:
 * the two written are the ends of a range. Returns how many; 0 when the driver does not say.
 */
ANY_THREAD size_t device_rates(const struct v4l2_device *device, uint32_t fourcc, uint32_t width,
	uint32_t height, double *ret_rates, size_t n, bool *ret_range);

#endif
