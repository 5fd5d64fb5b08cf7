/*
 * Cameras that come: nodes made in /dev, and nodes whose permissions udev sets a moment later.
 * Links below /dev/v4l are made after both; who needs one looks again soon.
 */
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "camera/camera.h"

int camera_watch_arrivals(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, "/dev", IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0) {
		int err = -errno;

		fd_close(&fd);
		return err;
	}
	return fd;
}

bool camera_has_arrived(int watch_fd)
{
	alignas(struct inotify_event) char events[4096];
	bool arrived = false;
	ssize_t n;

	while ((n = read(watch_fd, events, sizeof events)) > 0) {
		const struct inotify_event *event;

		for (char *at = events; at < events + n; at += sizeof *event + event->len) {
			event = (const struct inotify_event *)at;
			/* Too many to tell is news enough. */
			if (event->mask & IN_Q_OVERFLOW ||
				(event->len && !strncmp(event->name, "video", 5)))
				arrived = true;
		}
	}
	return arrived;
}
