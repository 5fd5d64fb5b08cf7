#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

void fd_close(int *fd)
{
	int saved_errno = errno;

	if (*fd >= 0)
		(void)close(*fd); /* nothing written through these could be lost */
	*fd = -1;
	errno = saved_errno;
}

int fd_event(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void fd_signal(int event_fd)
{
	/* EAGAIN: the counter is full, so the fd is readable already. */
	(void)!eventfd_write(event_fd, 1);
}

void fd_drain(int event_fd)
{
	eventfd_t count;

	/* EAGAIN: it was not readable. */
	(void)!eventfd_read(event_fd, &count);
}

int fd_wait_any(const int fds[], size_t n, uint64_t deadline_ns)
{
	struct pollfd polls[FD_WAIT_MOST];

	assert(n <= FD_WAIT_MOST);
	for (size_t i = 0; i < n; i++)
		polls[i] = (struct pollfd){fds[i], POLLIN | POLLPRI, 0};
	for (;;) {
		struct timespec wait, *timeout = NULL;
		int ready;

		if (deadline_ns != UINT64_MAX) {
			uint64_t now = clock_now_ns();
			uint64_t left = deadline_ns > now ? deadline_ns - now : 0;

			wait.tv_sec = (time_t)(left / NS_PER_S);
			wait.tv_nsec = (long)(left % NS_PER_S);
			timeout = &wait;
		}
		ready = ppoll(polls, n, timeout, NULL);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return -errno;
		for (size_t i = 0; ready && i < n; i++)
			if (polls[i].revents)
				return (int)i;
		return -ETIMEDOUT;
	}
}

int fd_wait(int fd, int stop_fd, uint64_t deadline_ns)
{
	const int fds[] = {stop_fd, fd};

	return fd_wait_any(fds, 2, deadline_ns);
}
