#include "camera/dmabuf.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <linux/dma-buf.h>

/* A device that takes longer for a picture has hung, and would have us hang with it. */
#define FENCE_MOST_MS 1000

/* Planes that share a buffer are neighbours and share its fd. */
ANY_THREAD static bool is_first_of_buffer(const struct frame *frame, uint32_t plane)
{
	int fd = frame->planes[plane].dmabuf_fd;

	return fd >= 0 && (!plane || frame->planes[plane - 1].dmabuf_fd != fd);
}

/* Wait for the buffer's fences: of who writes it, and before writing of who reads it as well. */
ANY_THREAD static int wait_for_fences(int dmabuf_fd, bool writes)
{
	struct pollfd fences = {dmabuf_fd, writes ? POLLOUT : POLLIN, 0};
	int n;

	do
		n = poll(&fences, 1, FENCE_MOST_MS);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

ANY_THREAD static int sync_buffer(int dmabuf_fd, uint64_t flags, stat_counter *syncs)
{
	struct dma_buf_sync sync = {.flags = flags};

	while (ioctl(dmabuf_fd, DMA_BUF_IOCTL_SYNC, &sync))
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	stat_add(syncs, 1);
	return 0;
}

/* End what was begun on the first n planes. */
ANY_THREAD static void end_first(
	const struct frame *frame, uint32_t n, uint64_t access, stat_counter *syncs)
{
	/* What was written has been read again; whether the device sees it is nobody's matter. */
	for (uint32_t i = 0; i < n; i++)
		if (is_first_of_buffer(frame, i))
			(void)sync_buffer(
				frame->planes[i].dmabuf_fd, DMA_BUF_SYNC_END | access, syncs);
}

ANY_THREAD static uint64_t access_of(bool writes)
{
	return writes ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ;
}

int dmabuf_begin(const struct frame *frame, bool writes, stat_counter *syncs)
{
	for (uint32_t i = 0; i < frame->n_planes; i++) {
		int err;

		if (!is_first_of_buffer(frame, i))
			continue;
		err = wait_for_fences(frame->planes[i].dmabuf_fd, writes);
		if (!err)
			err = sync_buffer(frame->planes[i].dmabuf_fd,
				DMA_BUF_SYNC_START | access_of(writes), syncs);
		if (err < 0) {
			end_first(frame, i, access_of(writes), syncs);
			return err;
		}
	}
	return 0;
}

void dmabuf_end(const struct frame *frame, bool writes, stat_counter *syncs)
{
	end_first(frame, frame->n_planes, access_of(writes), syncs);
}
