#include "camera/dmabuf.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/ioctl.h>

#include <linux/dma-buf.h>

/* Planes that share a buffer are neighbours and share its fd. */
ANY_THREAD static bool is_first_of_buffer(const struct frame *frame, uint32_t plane)
{
	int fd = frame->planes[plane].dmabuf_fd;

	return fd >= 0 && (!plane || frame->planes[plane - 1].dmabuf_fd != fd);
}

ON_ENCODE static int sync_frame(const struct frame *frame, uint64_t flags)
{
	struct dma_buf_sync sync = {.flags = flags | DMA_BUF_SYNC_READ};

	for (uint32_t i = 0; i < frame->n_planes; i++) {
		int err = 0;

		if (!is_first_of_buffer(frame, i))
			continue;
		do {
			if (ioctl(frame->planes[i].dmabuf_fd, DMA_BUF_IOCTL_SYNC, &sync))
				err = -errno;
			else
				err = 0;
		} while (err == -EINTR || err == -EAGAIN);
		if (err < 0)
			return err;
	}
	return 0;
}

int dmabuf_begin_read(const struct frame *frame)
{
	return sync_frame(frame, DMA_BUF_SYNC_START);
}

int dmabuf_end_read(const struct frame *frame)
{
	return sync_frame(frame, DMA_BUF_SYNC_END);
}
