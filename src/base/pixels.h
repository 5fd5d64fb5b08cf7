/* Raw pixel formats: where in a frame's planes its samples lie. */
#ifndef FANLIGHT_PIXELS_H
#define FANLIGHT_PIXELS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"
#include "fanlight/frame.h"

enum pixel_layout {
	PIXELS_PACKED,      /* one plane, luma and chroma bytes alternate, 4:2:2 */
	PIXELS_SEMI_PLANAR, /* a plane of luma, one of both chromas interleaved */
	PIXELS_PLANAR,      /* three planes */
	PIXELS_GREY,        /* one plane of luma, one or two bytes a sample */
	PIXELS_RGB,         /* one plane, all components of a pixel together */
};

struct pixel_format {
	uint32_t fourcc; /* V4L2_PIX_FMT_* */
	enum pixel_layout layout;
	uint8_t bytes_per_pixel;  /* of plane 0 */
	uint8_t depth;            /* significant bits of a grey sample */
	bool chroma_420;          /* chroma on every other row; else on each */
	bool chroma_first;        /* packed: chroma bytes before luma bytes */
	bool cr_first;            /* Cr before Cb */
	uint8_t red, green, blue; /* their places in a pixel of RGB */
};

/* The entry of a raw format, or NULL. */
ANY_THREAD const struct pixel_format *pixel_format_find(uint32_t fourcc);

/*
 * Whether every row of every plane lies within the memory that the frame describes. Packed 4:2:2 of
 * an odd width must have its last pair complete.
 */
ANY_THREAD bool pixels_fit(const struct pixel_format *format, const struct frame *frame);

/*
 * Narrow a frame that fits to a part of it; left and top are even. Offsets in dma-bufs move along,
 * so that it describes the same memory.
 */
ANY_THREAD void pixels_crop(const struct pixel_format *format, struct frame *frame, uint32_t left,
	uint32_t top, uint32_t width, uint32_t height);

#endif
