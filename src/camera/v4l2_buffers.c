#include "camera/v4l2_buffers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "camera/memory.h"

/* With fewer no driver streams. */
#define LEAST_BUFFERS 2

void buffers_init(struct v4l2_buffers *buffers, const struct v4l2_device *device)
{
	*buffers = (struct v4l2_buffers){.device = device};
	for (uint32_t i = 0; i < VIDEO_MAX_FRAME; i++)
		for (uint32_t k = 0; k < FRAME_MAX_PLANES; k++)
			buffers->planes[i][k].dmabuf_fd = -1;
}

struct v4l2_buffer buffers_request(const struct v4l2_buffers *buffers, uint32_t index,
	struct v4l2_plane planes[VIDEO_MAX_PLANES])
{
	struct v4l2_buffer request = {
		.index = index,
		.type = buffers->device->type,
		.memory = buffers->owner,
	};

	if (buffers->device->multiplanar) {
		memset(planes, 0, VIDEO_MAX_PLANES * sizeof *planes);
		request.m.planes = planes;
		request.length = VIDEO_MAX_PLANES;
	}
	return request;
}

int buffers_queue(const struct v4l2_buffers *buffers, uint32_t index)
{
	const struct plane_memory *memory = buffers->planes[index];
	bool import = buffers->owner == V4L2_MEMORY_DMABUF;
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer request = buffers_request(buffers, index, planes);

	if (buffers->device->multiplanar) {
		request.length = buffers->n_planes;
		for (uint32_t i = 0; import && i < buffers->n_planes; i++) {
			planes[i].m.fd = memory[i].dmabuf_fd;
			planes[i].length = (uint32_t)memory[i].length_bytes;
		}
	} else if (import) {
		request.m.fd = memory->dmabuf_fd;
		request.length = (uint32_t)memory->length_bytes;
	}
	return device_ioctl(buffers->device->fd, VIDIOC_QBUF, &request);
}

void buffers_free(struct v4l2_buffers *buffers)
{
	struct v4l2_requestbuffers none = {.type = buffers->device->type, .memory = buffers->owner};

	for (uint32_t i = 0; i < VIDEO_MAX_FRAME; i++)
		for (uint32_t k = 0; k < FRAME_MAX_PLANES; k++) {
			struct plane_memory *memory = &buffers->planes[i][k];

			if (memory->data)
				(void)munmap(memory->data, memory->length_bytes); /* it is ours */
			memory->data = NULL;
			fd_close(&memory->dmabuf_fd);
		}
	/* Closing frees them as well; a device that is gone has none. */
	if (buffers->n)
		(void)device_ioctl(buffers->device->fd, VIDIOC_REQBUFS, &none);
	buffers->n = 0;
}

/* Ask for so many buffers, or for fewer where there is no memory. */
ON_CAPTURE static int ask_buffers(
	struct v4l2_buffers *buffers, enum v4l2_memory owner, uint32_t wanted)
{
	for (;;) {
		struct v4l2_requestbuffers request = {
			.count = wanted,
			.type = buffers->device->type,
			.memory = owner,
		};
		int err = device_ioctl(buffers->device->fd, VIDIOC_REQBUFS, &request);

		buffers->owner = owner;
		buffers->n = err < 0 ? 0 : request.count;
		if (buffers->n > VIDEO_MAX_FRAME)
			buffers->n = VIDEO_MAX_FRAME;
		if (!err && !request.count)
			err = -ENOMEM;
		if (err != -ENOMEM || wanted <= LEAST_BUFFERS)
			return err;
		wanted = wanted / 2 > LEAST_BUFFERS ? wanted / 2 : LEAST_BUFFERS;
	}
}

ON_CAPTURE static int map_plane(
	struct plane_memory *memory, size_t length_bytes, int fd, off_t offset)
{
	void *data = mmap(NULL, length_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (data == MAP_FAILED)
		return -errno;
	memory->data = data;
	memory->length_bytes = length_bytes;
	return 0;
}

/* ---- the driver's own ---- */

ON_CAPTURE static int export_plane(
	const struct v4l2_buffers *buffers, uint32_t index, uint32_t plane)
{
	struct v4l2_exportbuffer request = {
		.type = buffers->device->type,
		.index = index,
		.plane = plane,
		.flags = O_RDWR | O_CLOEXEC,
	};

	return device_ioctl(buffers->device->fd, VIDIOC_EXPBUF, &request) < 0 ? -1 : request.fd;
}

/* Map one plane: the dma-buf itself if there is one, so that its CPU access is what is synced. */
ON_CAPTURE static int map_own_plane(struct v4l2_buffers *buffers, uint32_t index, uint32_t plane,
	size_t length_bytes, off_t device_offset, bool export)
{
	struct plane_memory *memory = &buffers->planes[index][plane];

	if (export)
		memory->dmabuf_fd = export_plane(buffers, index, plane);
	if (memory->dmabuf_fd >= 0 && !map_plane(memory, length_bytes, memory->dmabuf_fd, 0))
		return 0;
	/* An export that cannot be mapped is none. */
	fd_close(&memory->dmabuf_fd);
	return map_plane(memory, length_bytes, buffers->device->fd, device_offset);
}

ON_CAPTURE static int map_own(struct v4l2_buffers *buffers, uint32_t index, bool export)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer request = buffers_request(buffers, index, planes);
	int err = device_ioctl(buffers->device->fd, VIDIOC_QUERYBUF, &request);

	if (err < 0)
		return err;
	if (!buffers->device->multiplanar)
		return map_own_plane(buffers, index, 0, request.length, request.m.offset, export);
	for (uint32_t i = 0; !err && i < buffers->n_planes; i++)
		err = map_own_plane(
			buffers, index, i, planes[i].length, planes[i].m.mem_offset, export);
	return err;
}

ON_CAPTURE static int get_own(struct v4l2_buffers *buffers, uint32_t wanted, uint32_t least)
{
	int err = ask_buffers(buffers, V4L2_MEMORY_MMAP, wanted);

	/* Few are copied by the CPU here, for which the driver keeps its own mapping coherent. */
	for (uint32_t i = 0; !err && i < buffers->n; i++)
		err = map_own(buffers, i, buffers->n >= least);
	return err;
}

/* ---- memory of ours ---- */

ON_CAPTURE static int import_plane(struct plane_memory *memory, const struct memory_source *source,
	uint32_t stride_bytes, uint32_t size_bytes)
{
	int fd = memory_allocate(source, stride_bytes, size_bytes);

	if (fd < 0)
		return fd;
	memory->dmabuf_fd = fd;
	return map_plane(memory, size_bytes, fd, 0);
}

/*
 * See whether the driver takes them, without streaming. All: where it wants contiguous memory some
 * may be so by chance.
 */
ON_CAPTURE static int try_queueing(struct v4l2_buffers *buffers)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < buffers->n; i++)
		err = buffers_queue(buffers, i);
	/* Takes back what was queued. */
	(void)device_ioctl(buffers->device->fd, VIDIOC_STREAMOFF, (void *)&buffers->device->type);
	return err;
}

ON_CAPTURE static int import_from(struct v4l2_buffers *buffers, const struct memory_source *source,
	const struct v4l2_picture *picture, uint32_t wanted, uint32_t least)
{
	int err = ask_buffers(buffers, V4L2_MEMORY_DMABUF, wanted);

	if (!err && buffers->n < least)
		err = -ENOBUFS;
	for (uint32_t i = 0; !err && i < buffers->n; i++)
		for (uint32_t k = 0; !err && k < buffers->n_planes; k++)
			err = import_plane(&buffers->planes[i][k], source, picture->stride_bytes[k],
				picture->size_bytes[k]);
	if (!err)
		err = try_queueing(buffers);
	if (err < 0)
		buffers_free(buffers);
	return err;
}

/* Import from the first device of a kind that serves. */
ON_CAPTURE static int import(struct v4l2_buffers *buffers, const struct v4l2_picture *picture,
	enum camera_memory kind, uint32_t wanted, uint32_t least, struct camera_info *info)
{
	struct memory_source source;
	int err = -ENOENT, told = -ENOENT;

	for (unsigned i = 0; err < 0; i++) {
		err = memory_open(&source, kind, i);
		if (err == -ERANGE)
			return told;
		if (!err)
			err = import_from(buffers, &source, picture, wanted, least);
		memory_close(&source);
		/* What is there and does not serve says more than what is not. */
		if (err < 0 && (err != -ENOENT || !*info->memory_note)) {
			told = err;
			(void)snprintf(info->memory_note, sizeof info->memory_note, "%s: %s",
				source.path, strerror(-err));
		}
	}
	(void)snprintf(info->memory, sizeof info->memory, "%s", memory_names[kind]);
	(void)snprintf(info->memory_path, sizeof info->memory_path, "%s", source.path);
	*info->memory_note = '\0';
	return 0;
}

int buffers_get(struct v4l2_buffers *buffers, const struct v4l2_picture *picture,
	enum camera_memory memory, uint32_t wanted, uint32_t least, struct camera_info *info)
{
	bool is_usb = !strncmp((const char *)buffers->device->capability.bus_info, "usb-", 4);
	bool choosing = memory == CAMERA_MEMORY_AUTO;
	int err = 0;

	*info->memory_path = *info->memory_note = '\0';
	buffers->n_planes = picture->n_buffers;
	/*
	 * Left the choice: the encoder likes cached memory, which heaps are for sure. Pictures from
	 * USB are put together by the CPU, so that the driver's own memory is cached as well.
	 */
	if (choosing)
		memory = is_usb ? CAMERA_MEMORY_MMAP : CAMERA_MEMORY_HEAP;
	if (memory != CAMERA_MEMORY_MMAP)
		err = import(buffers, picture, memory, wanted, least, info);
	if (memory != CAMERA_MEMORY_MMAP && !err)
		return 0;
	if (choosing && err == -ENOENT)
		*info->memory_note = '\0'; /* few machines have heaps */
	(void)snprintf(info->memory, sizeof info->memory, "%s", memory_names[CAMERA_MEMORY_MMAP]);
	return get_own(buffers, wanted, least);
}
