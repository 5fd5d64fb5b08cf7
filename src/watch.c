#include "watch.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE)

int watch_files(const char *const *paths, size_t n)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char folder[PATH_MAX];

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(folder, sizeof folder, "%s", paths[i]);
		if (*folder)
			(void)inotify_add_watch(
				fd, dirname(folder), CHANGES); /* a signal does, too */
	}
	return fd;
}

ON_MAIN static bool is_named(const char *name, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *slash = strrchr(paths[i], '/');

		if (!strcmp(name, slash ? slash + 1 : paths[i]))
			return true;
	}
	return false;
}

bool watch_tells(int fd, const char *const *paths, size_t n)
{
	_Alignas(struct inotify_event) char events[4096];
	bool told = false;
	ssize_t bytes;

	while ((bytes = read(fd, events, sizeof events)) > 0)
		for (const char *at = events; at < events + bytes;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			/* Of so many that some are lost, one may have been ours. */
			if (event->mask & IN_Q_OVERFLOW ||
				(event->len && is_named(event->name, paths, n)))
				told = true;
			at += sizeof *event + event->len;
		}
	return told;
}
