/* Screens that come and go: what the kernel multicasts to udev about devices of its DRM subsystem. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>

#include "base/fd.h"
#include "preview/kms.h"

#define GROUP_KERNEL 1 /* what udev makes of it goes to another */

int kms_watch_hotplug(void)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_groups = GROUP_KERNEL};
	int fd = socket(
		AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&kernel, sizeof kernel)) {
		int err = -errno;

		fd_close(&fd);
		return err;
	}
	return fd;
}

bool kms_has_hotplugged(int watch_fd)
{
	static const char of_screens[] = "SUBSYSTEM=drm"; /* one of the strings in a message */
	bool changed = false;
	char message[4096];
	ssize_t n;

	for (;;) {
		n = recv(watch_fd, message, sizeof message, 0);
		/* Too many to tell is news enough. */
		if (n < 0 && errno != ENOBUFS)
			return changed;
		changed = changed || n < 0 ||
			  memmem(message, (size_t)n, of_screens, sizeof of_screens);
	}
}
