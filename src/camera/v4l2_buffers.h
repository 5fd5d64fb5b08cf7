/*
 * The buffers that a V4L2 device fills: its driver's own, exported as dma-bufs where it can, or
 * memory of ours (camera/memory.h) that it imports.
 *
 * Whether a driver can import something shows when a buffer of it is queued, whatever its
 * capabilities say, so that is tried before any is taken. Where it cannot the driver's own serve.
 */
#ifndef FANLIGHT_V4L2_BUFFERS_H
#define FANLIGHT_V4L2_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#include <linux/videodev2.h>

#include "base/roles.h"
#include "camera/camera.h"
#include "camera/v4l2_device.h"
#include "camera/v4l2_setup.h"

/* One memory plane of a buffer. */
struct plane_memory {
	uint8_t *data; /* NULL when not mapped */
	size_t length_bytes;
	int dmabuf_fd; /* -1 where the driver cannot export */
};

struct v4l2_buffers {
	const struct v4l2_device *device;
	uint32_t n, n_planes;   /* 0 when there are none; memory planes of each */
	enum v4l2_memory owner; /* V4L2_MEMORY_MMAP the driver, V4L2_MEMORY_DMABUF we */
	struct plane_memory planes[VIDEO_MAX_FRAME][FRAME_MAX_PLANES];
};

/* None yet. device must live as long. */
ON_CAPTURE void buffers_init(struct v4l2_buffers *buffers, const struct v4l2_device *device);

/*
 * Get wanted buffers for pictures of a device that does not stream, mapped; fewer where there is no
 * memory, and more where the driver needs them. Fewer than least are only the driver's own, and no
 * dma-bufs. info->memory, memory_path and memory_note tell where from and why not as asked.
 * Returns 0 or a negative errno.
 */
ON_CAPTURE int buffers_get(struct v4l2_buffers *buffers, const struct v4l2_picture *picture,
	enum camera_memory memory, uint32_t wanted, uint32_t least, struct camera_info *info);

/* Unmap and give back all; the device does not stream. Harmless where there are none. */
ON_CAPTURE void buffers_free(struct v4l2_buffers *buffers);

/* A request about one of them, for VIDIOC_QUERYBUF or VIDIOC_DQBUF; planes is room for its planes. */
ON_CAPTURE struct v4l2_buffer buffers_request(const struct v4l2_buffers *buffers, uint32_t index,
	struct v4l2_plane planes[VIDEO_MAX_PLANES]);

/* Have the driver fill a buffer. Returns 0 or a negative errno. */
ON_CAPTURE int buffers_queue(const struct v4l2_buffers *buffers, uint32_t index);

#endif
