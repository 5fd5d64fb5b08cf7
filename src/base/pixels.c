#include "base/pixels.h"

#include <linux/videodev2.h>

static const struct pixel_format formats[] = {
	{V4L2_PIX_FMT_YUYV, PIXELS_PACKED, .bytes_per_pixel = 2},
	{V4L2_PIX_FMT_YVYU, PIXELS_PACKED, .bytes_per_pixel = 2, .cr_first = true},
	{V4L2_PIX_FMT_UYVY, PIXELS_PACKED, .bytes_per_pixel = 2, .chroma_first = true},
	{V4L2_PIX_FMT_VYUY, PIXELS_PACKED, .bytes_per_pixel = 2, .chroma_first = true,
		.cr_first = true},
	{V4L2_PIX_FMT_NV12, PIXELS_SEMI_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true},
	{V4L2_PIX_FMT_NV12M, PIXELS_SEMI_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true},
	{V4L2_PIX_FMT_NV21, PIXELS_SEMI_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true,
		.cr_first = true},
	{V4L2_PIX_FMT_NV21M, PIXELS_SEMI_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true,
		.cr_first = true},
	{V4L2_PIX_FMT_NV16, PIXELS_SEMI_PLANAR, .bytes_per_pixel = 1},
	{V4L2_PIX_FMT_NV61, PIXELS_SEMI_PLANAR, .bytes_per_pixel = 1, .cr_first = true},
	{V4L2_PIX_FMT_YUV420, PIXELS_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true},
	{V4L2_PIX_FMT_YUV420M, PIXELS_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true},
	{V4L2_PIX_FMT_YVU420, PIXELS_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true,
		.cr_first = true},
	{V4L2_PIX_FMT_YUV422P, PIXELS_PLANAR, .bytes_per_pixel = 1},
	{V4L2_PIX_FMT_GREY, PIXELS_GREY, .bytes_per_pixel = 1, .depth = 8},
	{V4L2_PIX_FMT_Y10, PIXELS_GREY, .bytes_per_pixel = 2, .depth = 10},
	{V4L2_PIX_FMT_Y12, PIXELS_GREY, .bytes_per_pixel = 2, .depth = 12},
	{V4L2_PIX_FMT_Y16, PIXELS_GREY, .bytes_per_pixel = 2, .depth = 16},
	{V4L2_PIX_FMT_RGB24, PIXELS_RGB, .bytes_per_pixel = 3, .green = 1, .blue = 2},
	{V4L2_PIX_FMT_BGR24, PIXELS_RGB, .bytes_per_pixel = 3, .red = 2, .green = 1},
	{V4L2_PIX_FMT_XBGR32, PIXELS_RGB, .bytes_per_pixel = 4, .red = 2, .green = 1},
	{V4L2_PIX_FMT_XRGB32, PIXELS_RGB, .bytes_per_pixel = 4, .red = 1, .green = 2, .blue = 3},
	{V4L2_PIX_FMT_ABGR32, PIXELS_RGB, .bytes_per_pixel = 4, .red = 2, .green = 1},
};

const struct pixel_format *pixel_format_find(uint32_t fourcc)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (formats[i].fourcc == fourcc)
			return &formats[i];
	return NULL;
}

static bool plane_fits(const struct frame *frame, uint32_t plane, uint64_t row_bytes, uint64_t rows)
{
	const struct frame_plane *p = &frame->planes[plane];

	return plane < frame->n_planes && p->data && p->stride_bytes >= row_bytes &&
	       p->size_bytes >= p->stride_bytes * (rows - 1) + row_bytes;
}

bool pixels_fit(const struct pixel_format *format, const struct frame *frame)
{
	uint64_t width = frame->width, height = frame->height;
	uint64_t pairs = (width + 1) / 2;
	uint64_t chroma_rows = format->chroma_420 ? (height + 1) / 2 : height;

	if (!width || !height)
		return false;
	switch (format->layout) {
	case PIXELS_PACKED:
		return plane_fits(frame, 0, pairs * 4, height);
	case PIXELS_SEMI_PLANAR:
		return plane_fits(frame, 0, width, height) &&
		       plane_fits(frame, 1, pairs * 2, chroma_rows);
	case PIXELS_PLANAR:
		return plane_fits(frame, 0, width, height) &&
		       plane_fits(frame, 1, pairs, chroma_rows) &&
		       plane_fits(frame, 2, pairs, chroma_rows);
	case PIXELS_GREY:
	case PIXELS_RGB:
		return plane_fits(frame, 0, width * format->bytes_per_pixel, height);
	}
	return false;
}

static void move_plane(struct frame_plane *plane, uint32_t row, uint32_t bytes)
{
	size_t skipped = (size_t)row * plane->stride_bytes + bytes;

	plane->data += skipped;
	plane->size_bytes -= (uint32_t)skipped;
	plane->offset_bytes += (uint32_t)skipped;
}

void pixels_crop(const struct pixel_format *format, struct frame *frame, uint32_t left,
	uint32_t top, uint32_t width, uint32_t height)
{
	uint32_t chroma_top = format->chroma_420 ? top / 2 : top;

	frame->width = width;
	frame->height = height;
	move_plane(&frame->planes[0], top, left * format->bytes_per_pixel);
	if (format->layout == PIXELS_SEMI_PLANAR)
		move_plane(&frame->planes[1], chroma_top, left);
	if (format->layout == PIXELS_PLANAR) {
		move_plane(&frame->planes[1], chroma_top, left / 2);
		move_plane(&frame->planes[2], chroma_top, left / 2);
	}
}
