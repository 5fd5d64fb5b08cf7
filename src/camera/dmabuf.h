/* dma-bufs: CPU access to memory that devices write. */
#ifndef FANLIGHT_DMABUF_H
#define FANLIGHT_DMABUF_H

#include <stdbool.h>

#include "base/roles.h"
#include "base/stats.h"
#include "fanlight/frame.h"

/*
 * Stand before and after CPU access to a frame, to read or also to write: DMA_BUF_IOCTL_SYNC on
 * each distinct dma-buf of it, counted in syncs. Beginning also waits until devices whose work the
 * buffer knows of (its implicit fences) have written it, and to write also until they have read it,
 * for a second at most. Frames without dma-bufs need and get nothing.
 * Beginning returns 0 or a negative errno, -ETIMEDOUT where a device is not done; then nothing is to
 * be ended.
 */
ANY_THREAD int dmabuf_begin(const struct frame *frame, bool writes, stat_counter *syncs);
ANY_THREAD void dmabuf_end(const struct frame *frame, bool writes, stat_counter *syncs);

#endif
