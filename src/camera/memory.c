#include "camera/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "base/fd.h"

/* The row of a dumb buffer for what has no rows: every device's alignment divides it. */
#define ROW_BYTES 4096

const char *const memory_names[] = {
	[CAMERA_MEMORY_AUTO] = "auto",
	[CAMERA_MEMORY_MMAP] = "mmap",
	[CAMERA_MEMORY_DRM] = "drm",
	[CAMERA_MEMORY_HEAP] = "heap",
	[CAMERA_MEMORY_UDMABUF] = "udmabuf",
	NULL,
};

/*
 * In the order to try. Heaps by name, since some kernels have more of them, which the CPU reads
 * slowly: any pages before contiguous ones, of which there are few.
 */
static const struct {
	enum camera_memory kind;
	const char *path;
} places[] = {
	{CAMERA_MEMORY_HEAP, "/dev/dma_heap/system"},
	{CAMERA_MEMORY_HEAP, "/dev/dma_heap/linux,cma"},
	{CAMERA_MEMORY_HEAP, "/dev/dma_heap/default_cma_region"},
	{CAMERA_MEMORY_HEAP, "/dev/dma_heap/reserved"},
	{CAMERA_MEMORY_DRM, "/dev/dri/card0"},
	{CAMERA_MEMORY_DRM, "/dev/dri/card1"},
	{CAMERA_MEMORY_DRM, "/dev/dri/card2"},
	{CAMERA_MEMORY_DRM, "/dev/dri/card3"},
	{CAMERA_MEMORY_UDMABUF, "/dev/udmabuf"},
};

int memory_open(struct memory_source *source, enum camera_memory kind, unsigned index)
{
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (places[i].kind != kind || index--)
			continue;
		*source = (struct memory_source){
			kind, places[i].path, open(places[i].path, O_RDWR | O_CLOEXEC)};
		if (source->fd < 0)
			return -errno;
		/* Whoever opens a screen first is its master, which is not what we are here for. */
		if (kind == CAMERA_MEMORY_DRM)
			(void)drmDropMaster(source->fd);
		return 0;
	}
	return -ERANGE;
}

void memory_close(struct memory_source *source)
{
	fd_close(&source->fd);
}

ON_CAPTURE static int allocate_from_heap(int heap_fd, size_t size_bytes)
{
	struct dma_heap_allocation_data request = {
		.len = size_bytes, .fd_flags = O_RDWR | O_CLOEXEC};

	return ioctl(heap_fd, DMA_HEAP_IOCTL_ALLOC, &request) ? -errno : (int)request.fd;
}

/*
 * Pixels of 32 bits, which every device has: that is a picture for the screen where the camera's is
 * one, too, and else only memory.
 */
ON_CAPTURE static int allocate_from_screen(int drm_fd, uint32_t stride_bytes, size_t size_bytes)
{
	uint32_t row_bytes = stride_bytes ? stride_bytes : ROW_BYTES, handle, pitch;
	uint64_t got_bytes;
	int fd = -1, err;

	if (drmModeCreateDumbBuffer(drm_fd, (row_bytes + 3) / 4,
		    (uint32_t)((size_bytes + row_bytes - 1) / row_bytes), 32, 0, &handle, &pitch,
		    &got_bytes))
		return -errno;
	err = drmPrimeHandleToFD(drm_fd, handle, DRM_CLOEXEC | DRM_RDWR, &fd) ? -errno : fd;
	(void)drmModeDestroyDumbBuffer(drm_fd, handle); /* the dma-buf holds what it was */
	return err;
}

ON_CAPTURE static int allocate_pages(int udmabuf_fd, size_t size_bytes)
{
	struct udmabuf_create request = {.flags = UDMABUF_FLAGS_CLOEXEC, .size = size_bytes};
	int fd = memfd_create("fanlight", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	request.memfd = (uint32_t)fd;
	/* Devices write to these pages: they must not be taken away. */
	if (ftruncate(fd, (off_t)size_bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		err = -errno;
	} else {
		err = ioctl(udmabuf_fd, UDMABUF_CREATE, &request);
		err = err < 0 ? -errno : err;
	}
	fd_close(&fd);
	return err;
}

int memory_allocate(const struct memory_source *source, uint32_t stride_bytes, size_t size_bytes)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	size_t whole_bytes = (size_bytes + page_bytes - 1) / page_bytes * page_bytes;

	switch (source->kind) {
	case CAMERA_MEMORY_HEAP:
		return allocate_from_heap(source->fd, whole_bytes);
	case CAMERA_MEMORY_DRM:
		return allocate_from_screen(source->fd, stride_bytes, size_bytes);
	case CAMERA_MEMORY_UDMABUF:
		return allocate_pages(source->fd, whole_bytes);
	case CAMERA_MEMORY_AUTO:
	case CAMERA_MEMORY_MMAP:
		break;
	}
	return -EINVAL;
}
