/* A canvas: memory of a screen's to draw frames on, where they cannot be shown as they are. */
#ifndef FANLIGHT_CANVAS_H
#define FANLIGHT_CANVAS_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "base/stats.h"
#include "fanlight/frame.h"

/* XRGB8888; zeros are none. */
struct canvas {
	uint8_t *data;
	size_t size_bytes;
	uint32_t width, height; /* pixels */
	uint32_t stride_bytes;
	uint32_t framebuffer; /* its DRM identity */
};

/* On a DRM device; black. Returns 0 or a negative errno, after which it may be destroyed, too. */
ON_PREVIEW int canvas_create(struct canvas *canvas, int drm_fd, uint32_t width, uint32_t height);

/* Unmap it; the rest goes when the device is closed. */
ON_PREVIEW void canvas_destroy(struct canvas *canvas);

ON_PREVIEW void canvas_clear(struct canvas *canvas);

/* Where a row of a picture in the middle begins; the picture fits. */
ON_PREVIEW uint8_t *canvas_at(
	const struct canvas *canvas, uint32_t width, uint32_t height, uint32_t row);

/*
 * Draw a frame in the middle, cut where it is too large, or as a JPEG scaled down; what is written
 * is added to copied_bytes. Returns 0, -ENOTSUP for a format that it does not know, or -EBADMSG for
 * a broken JPEG.
 */
ON_PREVIEW int canvas_draw(
	struct canvas *canvas, const struct frame *frame, stat_counter *copied_bytes);

#endif
