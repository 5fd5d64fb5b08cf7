/*
 * Memory for buffers that a driver is to import: dma-bufs out of DMA heaps, of screens (a DRM
 * device's dumb buffers), or of pages of ours (udmabuf).
 *
 * Which one serves depends on who writes and who reads. Heaps and pages are cached, which the CPU
 * likes; a screen can show what is its own; a device without an IOMMU takes only what is contiguous.
 */
#ifndef FANLIGHT_MEMORY_H
#define FANLIGHT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "camera/camera.h"

/* As the settings spell them, in the order of enum camera_memory, NULL at the end. */
extern const char *const memory_names[];

/* A device that memory comes from. */
struct memory_source {
	enum camera_memory kind;
	const char *path;
	int fd; /* -1 when closed */
};

/*
 * Open the index-th device of a kind. Returns 0 or a negative errno; -ERANGE when there are not so
 * many. source->path is set in any other case.
 */
ON_CAPTURE int memory_open(struct memory_source *source, enum camera_memory kind, unsigned index);

ON_CAPTURE void memory_close(struct memory_source *source);

/*
 * Get at least size_bytes for a picture, or a plane of one, with rows of stride_bytes (0 where it
 * has none). Returns a dma-buf's fd, which outlives the source and can be read and written, or a
 * negative errno.
 */
ON_CAPTURE int memory_allocate(
	const struct memory_source *source, uint32_t stride_bytes, size_t size_bytes);

#endif
