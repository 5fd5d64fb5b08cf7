/* Frames of every raw format, to be filled and freed by a test. */
#ifndef FANLIGHT_TEST_FRAMES_H
#define FANLIGHT_TEST_FRAMES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <linux/videodev2.h>

#include "base/pixels.h"
#include "fanlight/frame.h"

static const uint32_t formats[] = {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_YVYU, V4L2_PIX_FMT_UYVY,
	V4L2_PIX_FMT_VYUY, V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_NV12M, V4L2_PIX_FMT_NV21,
	V4L2_PIX_FMT_NV21M, V4L2_PIX_FMT_NV16, V4L2_PIX_FMT_NV61, V4L2_PIX_FMT_YUV420,
	V4L2_PIX_FMT_YUV420M, V4L2_PIX_FMT_YVU420, V4L2_PIX_FMT_YUV422P, V4L2_PIX_FMT_GREY,
	V4L2_PIX_FMT_Y10, V4L2_PIX_FMT_Y12, V4L2_PIX_FMT_Y16, V4L2_PIX_FMT_RGB24,
	V4L2_PIX_FMT_BGR24, V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_XRGB32, V4L2_PIX_FMT_ABGR32};
#define N_FORMATS (sizeof formats / sizeof formats[0])

struct size {
	uint32_t width, height;
};

static void add_plane(struct frame *frame, size_t row_bytes, size_t rows)
{
	size_t stride = row_bytes + 3; /* the next row does not begin where this one ends */
	size_t bytes = stride * (rows - 1) + row_bytes;
	uint8_t *data = malloc(bytes);
	uint32_t random = frame->width;

	assert_non_null(data);
	/* Slopes with noise on them, and nowhere as steep as to wrap. */
	for (size_t i = 0; i < bytes; i++) {
		random = random * 1664525 + 1013904223;
		data[i] = (uint8_t)(i % stride / 8 + i / stride / 2 + (random >> 27));
	}
	frame->planes[frame->n_planes++] = (struct frame_plane){.data = data,
		.stride_bytes = (uint32_t)stride,
		.size_bytes = (uint32_t)bytes,
		.dmabuf_fd = -1};
}

static struct frame make_frame(uint32_t fourcc, struct size size, enum frame_range range)
{
	const struct pixel_format *format = pixel_format_find(fourcc);
	struct frame frame = {
		.fourcc = fourcc, .width = size.width, .height = size.height, .range = range};
	size_t pairs = (size.width + 1) / 2;
	size_t chroma_rows = format->chroma_420 ? (size.height + 1) / 2 : size.height;

	add_plane(&frame,
		format->layout == PIXELS_PACKED ? pairs * 4 : size.width * format->bytes_per_pixel,
		size.height);
	if (format->layout == PIXELS_SEMI_PLANAR)
		add_plane(&frame, pairs * 2, chroma_rows);
	for (int i = 0; format->layout == PIXELS_PLANAR && i < 2; i++)
		add_plane(&frame, pairs, chroma_rows);
	return frame;
}

static void free_frame(struct frame *frame)
{
	for (uint32_t i = 0; i < frame->n_planes; i++)
		free((uint8_t *)frame->planes[i].data);
}

#endif
