/* dma-bufs: CPU access to memory that devices write. */
#ifndef FANLIGHT_DMABUF_H
#define FANLIGHT_DMABUF_H

#include "base/roles.h"
#include "fanlight/frame.h"

/*
 * Stand before and after CPU reads of a frame: DMA_BUF_IOCTL_SYNC on each distinct dma-buf of it.
 * Frames without dma-bufs need and get nothing. Returns 0 or a negative errno.
 */
ON_ENCODE int dmabuf_begin_read(const struct frame *frame);
ON_ENCODE int dmabuf_end_read(const struct frame *frame);

#endif
