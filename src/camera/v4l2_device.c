#include "camera/v4l2_device.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "camera/reason.h"

/* Where a list has no end: far more formats, sizes, inputs or standards than any device has. */
#define LIST_MOST 512

int device_ioctl(int fd, unsigned long request, void *arg)
{
	while (ioctl(fd, request, arg))
		if (errno != EINTR)
			return -errno;
	return 0;
}

ANY_THREAD static int cannot_open(const char *path, int err, char reason[CAMERA_REASON_BYTES])
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return reason_set(reason, err,
			"no permission to use %.64s: add the user to the group video "
			"(sudo usermod -aG video USER) and log in again",
			path);
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		return reason_set(reason, err, "%.100s is not there; plug the camera in", path);
	default:
		return reason_set(reason, err, "cannot open %.100s: %s", path, strerror(-err));
	}
}

/* Find out what a node is: the capture type, or a sentence why it is no camera. */
ANY_THREAD static int identify(struct v4l2_device *device, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_capability *capability = &device->capability;
	const char *what = "";
	uint32_t caps;

	if (device_ioctl(device->fd, VIDIOC_QUERYCAP, capability) < 0)
		return reason_set(
			reason, -ENODEV, "%.100s is no video device of Linux (V4L2)", device->path);
	caps = capability->capabilities & V4L2_CAP_DEVICE_CAPS ? capability->device_caps
							       : capability->capabilities;

	if (caps & (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE)) {
		device->multiplanar = !(caps & V4L2_CAP_VIDEO_CAPTURE);
		device->type = device->multiplanar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
						   : V4L2_BUF_TYPE_VIDEO_CAPTURE;
		if (caps & V4L2_CAP_STREAMING)
			return 0;
		return reason_set(reason, -ENODEV,
			"%.100s cannot stream into shared buffers (read() only)", device->path);
	}
	if (caps & V4L2_CAP_META_CAPTURE)
		what = " but the camera's metadata";
	else if (caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE))
		what = " but converts or encodes it";
	else if (caps & (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE))
		what = " but is an output";
	return reason_set(reason, -ENODEV,
		"%.64s delivers no video%s; fanlight --list shows the cameras", device->path, what);
}

int device_open(struct v4l2_device *device, const char *path, char reason[CAMERA_REASON_BYTES])
{
	int err;

	*device = (struct v4l2_device){.fd = -1};
	(void)snprintf(device->path, sizeof device->path, "%s", path);
	device->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (device->fd < 0)
		return errno == EBUSY ? device_failed(device, -EBUSY, "open it", reason)
				      : cannot_open(path, -errno, reason);
	err = identify(device, reason);
	if (err < 0)
		device_close(device);
	return err;
}

void device_close(struct v4l2_device *device)
{
	fd_close(&device->fd);
}

/* Whether a process has the node open; false too when we may not look. */
ANY_THREAD static bool has_open(const char *pid, const char *node)
{
	char path[PATH_MAX], target[PATH_MAX];
	const struct dirent *entry;
	bool found = false;
	DIR *fds;

	(void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
	fds = opendir(path);
	if (!fds)
		return false;
	while (!found && (entry = readdir(fds))) {
		ssize_t length;

		length = readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		found = !strcmp(target, node);
	}
	(void)closedir(fds);
	return found;
}

/* "program (PID 123)" of another process that has the node open; false when none is to be seen. */
ANY_THREAD static bool find_user(const char *path, char *ret_user, size_t user_bytes)
{
	char node[PATH_MAX], comm[PATH_MAX], name[32] = "";
	const struct dirent *entry;
	bool found = false;
	DIR *proc;

	if (!realpath(path, node))
		return false;
	proc = opendir("/proc");
	if (!proc)
		return false;
	while (!found && (entry = readdir(proc))) {
		FILE *file;

		if (!isdigit((unsigned char)*entry->d_name) || atoi(entry->d_name) == getpid() ||
			!has_open(entry->d_name, node))
			continue;
		found = true;
		(void)snprintf(comm, sizeof comm, "/proc/%s/comm", entry->d_name);
		file = fopen(comm, "re");
		if (file) {
			if (fgets(name, sizeof name, file))
				name[strcspn(name, "\n")] = '\0';
			(void)fclose(file);
		}
		(void)snprintf(ret_user, user_bytes, "%s (PID %.16s)", *name ? name : "a process",
			entry->d_name);
	}
	(void)closedir(proc);
	return found;
}

int device_failed(const struct v4l2_device *device, int err, const char *what,
	char reason[CAMERA_REASON_BYTES])
{
	char user[64] = "another program or camera section";

	if (err != -EBUSY)
		return reason_set(
			reason, err, "%.64s: cannot %s: %s", device->path, what, strerror(-err));
	(void)find_user(device->path, user, sizeof user);
	return reason_set(reason, err, "%.64s is in use by %s: cannot %s; end that first",
		device->path, user, what);
}

bool device_format(
	const struct v4l2_device *device, uint32_t index, struct v4l2_fmtdesc *ret_format)
{
	*ret_format = (struct v4l2_fmtdesc){.index = index, .type = device->type};
	return index < LIST_MOST && !device_ioctl(device->fd, VIDIOC_ENUM_FMT, ret_format);
}

bool device_size(const struct v4l2_device *device, uint32_t fourcc, uint32_t index,
	struct v4l2_frmsizeenum *ret_size)
{
	*ret_size = (struct v4l2_frmsizeenum){.index = index, .pixel_format = fourcc};
	return index < LIST_MOST && !device_ioctl(device->fd, VIDIOC_ENUM_FRAMESIZES, ret_size) &&
	       (!index || ret_size->type == V4L2_FRMSIZE_TYPE_DISCRETE);
}

bool device_input(const struct v4l2_device *device, uint32_t index, struct v4l2_input *ret_input)
{
	*ret_input = (struct v4l2_input){.index = index};
	return index < LIST_MOST && !device_ioctl(device->fd, VIDIOC_ENUMINPUT, ret_input);
}

bool device_standard(
	const struct v4l2_device *device, uint32_t index, struct v4l2_standard *ret_standard)
{
	*ret_standard = (struct v4l2_standard){.index = index};
	return index < LIST_MOST && !device_ioctl(device->fd, VIDIOC_ENUMSTD, ret_standard);
}

/* The rate of a frame interval. */
ANY_THREAD static double rate_of(const struct v4l2_fract *interval)
{
	return interval->numerator ? (double)interval->denominator / interval->numerator : 0.0;
}

size_t device_rates(const struct v4l2_device *device, uint32_t fourcc, uint32_t width,
	uint32_t height, double *ret_rates, size_t n, bool *ret_range)
{
	struct v4l2_frmivalenum interval = {
		.pixel_format = fourcc, .width = width, .height = height};
	size_t found = 0;

	*ret_range = false;
	while (found < n && !device_ioctl(device->fd, VIDIOC_ENUM_FRAMEINTERVALS, &interval)) {
		if (interval.type != V4L2_FRMIVAL_TYPE_DISCRETE) {
			if (n < 2)
				return 0;
			*ret_range = true;
			ret_rates[0] = rate_of(&interval.stepwise.max);
			ret_rates[1] = rate_of(&interval.stepwise.min);
			return 2;
		}
		ret_rates[found++] = rate_of(&interval.discrete);
		interval.index++;
	}
	return found;
}
