/*
 * A frame: one picture as a camera delivered it, in memory that belongs to the camera.
 *
 * A frame is a loan. Whoever holds it may read its pixels until it is returned; nobody copies
 * them. Where the memory is a dma-buf, CPU access stands between DMA_BUF_SYNC_START and _END
 * (the caller of an encoder or a filter does that, so they need not).
 */
#ifndef FANLIGHT_FRAME_H
#define FANLIGHT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX_PLANES 3

/* The matrix between R'G'B' and Y'CbCr. */
enum frame_encoding {
	FRAME_BT601,
	FRAME_BT709,
	FRAME_BT2020,
	FRAME_SMPTE240M,
};

/* The range of the samples: 0..255, or 16..235 for luma (and RGB) and 16..240 for chroma. */
enum frame_range {
	FRAME_FULL_RANGE,
	FRAME_LIMITED_RANGE,
};

/*
 * One colour plane. A semi-planar picture has two (Y, CbCr interleaved), a planar one three in the
 * order the fourcc says, whether or not they lie in one buffer.
 */
struct frame_plane {
	const uint8_t *data;   /* first byte of the plane's first row */
	uint32_t stride_bytes; /* from one row to the next; 0 for compressed pictures */
	uint32_t size_bytes;   /* readable bytes from data on */
	uint32_t offset_bytes; /* of data within its dma-buf */
	int dmabuf_fd;         /* -1 where the memory has none; belongs to the camera */
};

/*
 * How a picture is read, which costs no pass over it: mirrored, then upside down, then with its
 * columns as rows, then scaled down to a size. All zero is as it lies.
 */
struct frame_order {
	bool mirrored;          /* each row from its right end */
	bool flipped;           /* the last row first */
	bool transposed;        /* the left column is shown as the first row */
	uint32_t width, height; /* pixels shown, no more than are read; 0 for all */
};

struct frame {
	uint32_t fourcc;        /* a V4L2_PIX_FMT_*; 0 marks an empty frame */
	uint32_t width, height; /* pixels */
	uint32_t n_planes;
	struct frame_plane planes[FRAME_MAX_PLANES];
	uint32_t payload_bytes; /* of a compressed picture, in planes[0] */
	enum frame_encoding encoding;
	enum frame_range range;
	struct frame_order order;
	bool kept; /* others look at these pixels, or build upon them: draw into a copy */

	uint32_t sequence;    /* as the camera counts, gaps are frames that it lost */
	uint64_t captured_ns; /* CLOCK_MONOTONIC, when the camera took it */
	uint64_t dequeued_ns; /* CLOCK_MONOTONIC, when Fanlight got it */
	uint32_t loan;        /* the camera's own mark of the buffer; untouched by others */
};

/* Width and height of the picture that is shown, pixels. */
static inline uint32_t frame_shown_width(const struct frame *frame)
{
	if (frame->order.width)
		return frame->order.width;
	return frame->order.transposed ? frame->height : frame->width;
}

static inline uint32_t frame_shown_height(const struct frame *frame)
{
	if (frame->order.height)
		return frame->order.height;
	return frame->order.transposed ? frame->width : frame->height;
}

#endif
