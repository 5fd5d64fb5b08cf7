#include "camera/v4l2_signal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fd.h"
#include "camera/reason.h"

#define EDID_BLOCK_BYTES 128
#define EDID_BLOCKS_MOST 256

/* ---- input and standard ---- */

ON_CAPTURE static int select_input(
	const struct v4l2_device *device, const char *wished, char reason[CAMERA_REASON_BYTES])
{
	const char *separator = " ";
	struct v4l2_input input;
	char text[64];

	for (uint32_t i = 0; device_input(device, i, &input); i++) {
		int index = (int)i, err;

		(void)snprintf(text, sizeof text, "%u", i);
		if (strcmp(wished, text) && strcasecmp(wished, (const char *)input.name))
			continue;
		err = device_ioctl(device->fd, VIDIOC_S_INPUT, &index);
		return err < 0 ? device_failed(device, err, "select the input", reason) : 0;
	}

	(void)reason_set(reason, 0, "no input \"%s\"; there is", wished);
	for (uint32_t i = 0; device_input(device, i, &input); i++) {
		(void)snprintf(text, sizeof text, "%u (%s)", i, input.name);
		reason_add(reason, separator, text);
		separator = ", ";
	}
	return -EINVAL;
}

/* PAL finds the driver's PAL, or else its PAL-BG and the like. */
ON_CAPTURE static int select_standard(
	const struct v4l2_device *device, const char *wished, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_standard standard;
	const char *separator = " ";
	v4l2_std_id found = 0;
	uint32_t n = 0;
	int err;

	(void)reason_set(reason, 0, "no standard \"%s\" at this input; there is", wished);
	for (; device_standard(device, n, &standard); n++) {
		const char *name = (const char *)standard.name;

		reason_add(reason, separator, name);
		separator = ", ";
		if (!strcasecmp(name, wished))
			found = standard.id;
		else if (!found && !strncasecmp(name, wished, strlen(wished)))
			found = standard.id;
	}
	if (!n)
		reason_add(reason, " ", "none");
	if (!found)
		return -EINVAL;
	err = device_ioctl(device->fd, VIDIOC_S_STD, &found);
	return err < 0 ? device_failed(device, err, "set the standard", reason) : 0;
}

/* Whether a standard comes in that the device is not set to; not if it cannot tell. */
ON_CAPTURE static bool detects_other_standard(
	const struct v4l2_device *device, v4l2_std_id *ret_detected)
{
	v4l2_std_id current;

	*ret_detected = V4L2_STD_UNKNOWN;
	return !device_ioctl(device->fd, VIDIOC_QUERYSTD, ret_detected) && *ret_detected &&
	       !device_ioctl(device->fd, VIDIOC_G_STD, &current) && !(current & *ret_detected);
}

/* Take the standard that comes in; what cannot be detected stays as it stands. */
ON_CAPTURE static int detect_standard(
	const struct v4l2_device *device, char reason[CAMERA_REASON_BYTES])
{
	v4l2_std_id detected;
	int err;

	if (!detects_other_standard(device, &detected))
		return 0;
	err = device_ioctl(device->fd, VIDIOC_S_STD, &detected);
	return err < 0 ? device_failed(device, err, "set the standard that comes in", reason) : 0;
}

/* The input that is selected; false for devices that have none to select. */
ON_CAPTURE static bool current_input(const struct v4l2_device *device, struct v4l2_input *ret_input)
{
	int index;

	if (device_ioctl(device->fd, VIDIOC_G_INPUT, &index) < 0)
		return false;
	return device_input(device, (uint32_t)index, ret_input);
}

/* Of analogue inputs only: a sensor without power may say so, too, until it streams. */
ON_CAPTURE static int analogue_status(const struct v4l2_input *input)
{
	if (input->status & V4L2_IN_ST_NO_SIGNAL)
		return -ENOLINK;
	return input->status & (V4L2_IN_ST_NO_H_LOCK | V4L2_IN_ST_NO_SYNC) ? -ENOLCK : 0;
}

/* ---- EDID ---- */

/* Read a file that must be an EDID: how many blocks, or a negative errno with a sentence. */
ANY_THREAD static int read_edid(const char *path, uint8_t edid[EDID_BLOCKS_MOST * EDID_BLOCK_BYTES],
	char reason[CAMERA_REASON_BYTES])
{
	static const uint8_t header[] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, edid, EDID_BLOCKS_MOST * EDID_BLOCK_BYTES);
	int err = -errno;

	fd_close(&fd);
	if (n < 0)
		return reason_set(
			reason, err, "cannot read the EDID %.100s: %s", path, strerror(-err));
	if (n < EDID_BLOCK_BYTES || n % EDID_BLOCK_BYTES || memcmp(edid, header, sizeof header))
		return reason_set(reason, -EINVAL,
			"%.100s is no EDID: it must be binary, blocks of 128 bytes", path);
	for (ssize_t block = 0; block < n; block += EDID_BLOCK_BYTES) {
		uint8_t sum = 0;

		for (ssize_t i = 0; i < EDID_BLOCK_BYTES; i++)
			sum = (uint8_t)(sum + edid[block + i]);
		if (sum)
			return reason_set(reason, -EINVAL,
				"%.100s is damaged: the sum over its block %zd is wrong", path,
				block / EDID_BLOCK_BYTES);
	}
	return (int)(n / EDID_BLOCK_BYTES);
}

int signal_check_edid(const char *path, char reason[CAMERA_REASON_BYTES])
{
	uint8_t edid[EDID_BLOCKS_MOST * EDID_BLOCK_BYTES];
	int blocks = read_edid(path, edid, reason);

	return blocks < 0 ? blocks : 0;
}

/* Show the source the EDID, if it is not shown already: sources drop the signal when it changes. */
ON_CAPTURE static int set_edid(const struct v4l2_device *device, uint32_t input, const char *path,
	char reason[CAMERA_REASON_BYTES])
{
	uint8_t wished[EDID_BLOCKS_MOST * EDID_BLOCK_BYTES], shown[sizeof wished];
	int blocks = read_edid(path, wished, reason), err;
	struct v4l2_edid edid = {.pad = input, .edid = shown, .blocks = EDID_BLOCKS_MOST};

	if (blocks < 0)
		return blocks;
	if (!device_ioctl(device->fd, VIDIOC_G_EDID, &edid) && edid.blocks == (uint32_t)blocks &&
		!memcmp(shown, wished, (size_t)blocks * EDID_BLOCK_BYTES))
		return 0;
	edid = (struct v4l2_edid){.pad = input, .edid = wished, .blocks = (uint32_t)blocks};
	err = device_ioctl(device->fd, VIDIOC_S_EDID, &edid);
	if (err == -E2BIG)
		return reason_set(reason, err, "%.64s takes no more than %u blocks of EDID",
			device->path, edid.blocks);
	return err < 0 ? device_failed(device, err, "set the EDID", reason) : 0;
}

/* ---- timings ---- */

/* Whether two timings make the same pictures; clocks are measured, and jitter. */
ANY_THREAD static bool are_alike(const struct v4l2_dv_timings *a, const struct v4l2_dv_timings *b)
{
	uint64_t most = a->bt.pixelclock + a->bt.pixelclock / 200;
	uint64_t least = a->bt.pixelclock - a->bt.pixelclock / 200;

	return a->bt.width == b->bt.width && a->bt.height == b->bt.height &&
	       a->bt.interlaced == b->bt.interlaced && b->bt.pixelclock <= most &&
	       b->bt.pixelclock >= least;
}

/* Whether the device is set to these timings. */
ON_CAPTURE static bool is_set_to(
	const struct v4l2_device *device, const struct v4l2_dv_timings *timings)
{
	struct v4l2_dv_timings current = {0};

	return !device_ioctl(device->fd, VIDIOC_G_DV_TIMINGS, &current) &&
	       are_alike(&current, timings);
}

/*
 * What comes in: 0, and whether the device is set to other timings, not if it cannot tell; or why
 * there are none, in one of the three words that matter.
 */
ON_CAPTURE static int query_timings(
	const struct v4l2_device *device, struct v4l2_dv_timings *ret_timings, bool *ret_other)
{
	int err;

	*ret_timings = (struct v4l2_dv_timings){0};
	err = device_ioctl(device->fd, VIDIOC_QUERY_DV_TIMINGS, ret_timings);
	*ret_other = !err && !is_set_to(device, ret_timings);
	return signal_is_missing(err) ? err : 0;
}

/* The sentence for a missing signal. */
ANY_THREAD static int signal_failed(
	const struct v4l2_device *device, int err, char reason[CAMERA_REASON_BYTES])
{
	if (err == -ENOLINK)
		return reason_set(reason, err,
			"%.64s has no signal; is the cable in, and the source on?", device->path);
	if (err == -ENOLCK)
		return reason_set(
			reason, err, "%.64s has a signal that is not stable", device->path);
	return reason_set(reason, err,
		"%.64s has a signal that it cannot take; set the source to another resolution",
		device->path);
}

ON_CAPTURE static int follow_timings(
	const struct v4l2_device *device, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_dv_timings timings;
	bool other;
	int err = query_timings(device, &timings, &other);

	if (err < 0)
		return signal_failed(device, err, reason);
	if (!other)
		return 0;
	err = device_ioctl(device->fd, VIDIOC_S_DV_TIMINGS, &timings);
	if (err == -EINVAL || err == -ERANGE) /* it can measure what it cannot take */
		return signal_failed(device, -ERANGE, reason);
	return err < 0 ? device_failed(device, err, "follow the signal's timings", reason) : 0;
}

/* ---- all together ---- */

bool signal_is_missing(int err)
{
	return err == -ENOLINK || err == -ENOLCK || err == -ERANGE;
}

int signal_select(const struct v4l2_device *device, const struct camera_config *config,
	char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_input input = {0};
	int err = 0;

	if (*config->input)
		err = select_input(device, config->input, reason);
	if (!err && *config->standard)
		err = select_standard(device, config->standard, reason);
	if (err < 0 || (!current_input(device, &input) && !*config->edid))
		return err;
	if (*config->edid)
		err = set_edid(device, input.index, config->edid, reason);
	if (!err && input.capabilities & V4L2_IN_CAP_DV_TIMINGS)
		err = follow_timings(device, reason);
	if (err < 0 || !(input.capabilities & V4L2_IN_CAP_STD))
		return err;
	if (!*config->standard)
		err = detect_standard(device, reason);
	if (err < 0)
		return err;
	err = analogue_status(&input);
	return err < 0 ? signal_failed(device, err, reason) : 0;
}

int signal_check(const struct v4l2_device *device, const struct camera_config *config)
{
	struct v4l2_input input;
	int err = 0;

	if (!current_input(device, &input))
		return 0;
	if (input.capabilities & V4L2_IN_CAP_DV_TIMINGS) {
		struct v4l2_dv_timings timings;
		bool other;

		err = query_timings(device, &timings, &other);
		if (!err && other)
			err = -ESTALE;
	}
	if (!err && input.capabilities & V4L2_IN_CAP_STD) {
		v4l2_std_id detected;

		err = analogue_status(&input);
		if (!err && !*config->standard && detects_other_standard(device, &detected))
			err = -ESTALE;
	}
	return err;
}
