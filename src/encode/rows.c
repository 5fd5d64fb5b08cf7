/*
 * Every YCbCr layout is taken apart by the same two loops: packed 4:2:2 is luma interleaved with a
 * row of interleaved chroma, which is just what semi-planar formats keep in their second plane.
 */
#include "encode/rows.h"

#include <string.h>

#include <linux/videodev2.h>

#include "encode/kernels.h"

static const struct rows_format formats[] = {
	{V4L2_PIX_FMT_YUYV, ROWS_PACKED, .bytes_per_pixel = 2},
	{V4L2_PIX_FMT_YVYU, ROWS_PACKED, .bytes_per_pixel = 2, .cr_first = true},
	{V4L2_PIX_FMT_UYVY, ROWS_PACKED, .bytes_per_pixel = 2, .chroma_first = true},
	{V4L2_PIX_FMT_VYUY, ROWS_PACKED, .bytes_per_pixel = 2, .chroma_first = true,
		.cr_first = true},
	{V4L2_PIX_FMT_NV12, ROWS_SEMI_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true},
	{V4L2_PIX_FMT_NV12M, ROWS_SEMI_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true},
	{V4L2_PIX_FMT_NV21, ROWS_SEMI_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true,
		.cr_first = true},
	{V4L2_PIX_FMT_NV21M, ROWS_SEMI_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true,
		.cr_first = true},
	{V4L2_PIX_FMT_NV16, ROWS_SEMI_PLANAR, .bytes_per_pixel = 1},
	{V4L2_PIX_FMT_NV61, ROWS_SEMI_PLANAR, .bytes_per_pixel = 1, .cr_first = true},
	{V4L2_PIX_FMT_YUV420, ROWS_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true},
	{V4L2_PIX_FMT_YUV420M, ROWS_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true},
	{V4L2_PIX_FMT_YVU420, ROWS_PLANAR, .bytes_per_pixel = 1, .chroma_420 = true,
		.cr_first = true},
	{V4L2_PIX_FMT_YUV422P, ROWS_PLANAR, .bytes_per_pixel = 1},
	{V4L2_PIX_FMT_GREY, ROWS_GREY, .bytes_per_pixel = 1, .depth = 8},
	{V4L2_PIX_FMT_Y10, ROWS_GREY, .bytes_per_pixel = 2, .depth = 10},
	{V4L2_PIX_FMT_Y12, ROWS_GREY, .bytes_per_pixel = 2, .depth = 12},
	{V4L2_PIX_FMT_Y16, ROWS_GREY, .bytes_per_pixel = 2, .depth = 16},
	{V4L2_PIX_FMT_RGB24, ROWS_RGB, .bytes_per_pixel = 3},
	{V4L2_PIX_FMT_BGR24, ROWS_RGB, .bytes_per_pixel = 3},
	{V4L2_PIX_FMT_XBGR32, ROWS_RGB, .bytes_per_pixel = 4},
	{V4L2_PIX_FMT_XRGB32, ROWS_RGB, .bytes_per_pixel = 4},
	{V4L2_PIX_FMT_ABGR32, ROWS_RGB, .bytes_per_pixel = 4},
};

const struct rows_format *rows_find_format(uint32_t fourcc)
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

bool rows_fit(const struct rows_format *format, const struct frame *frame)
{
	uint64_t width = frame->width, height = frame->height;
	uint64_t pairs = (width + 1) / 2;
	uint64_t chroma_rows = format->chroma_420 ? (height + 1) / 2 : height;

	if (!width || !height)
		return false;
	switch (format->layout) {
	case ROWS_PACKED:
		return plane_fits(frame, 0, pairs * 4, height);
	case ROWS_SEMI_PLANAR:
		return plane_fits(frame, 0, width, height) &&
		       plane_fits(frame, 1, pairs * 2, chroma_rows);
	case ROWS_PLANAR:
		return plane_fits(frame, 0, width, height) &&
		       plane_fits(frame, 1, pairs, chroma_rows) &&
		       plane_fits(frame, 2, pairs, chroma_rows);
	case ROWS_GREY:
	case ROWS_RGB:
		return plane_fits(frame, 0, width * format->bytes_per_pixel, height);
	}
	return false;
}

static const uint8_t *row_of(const struct frame *frame, uint32_t plane, uint32_t row)
{
	return frame->planes[plane].data + (size_t)row * frame->planes[plane].stride_bytes;
}

/* Interleaved chroma to Cb and Cr. */
static void split_chroma(const struct rows_format *format, const uint8_t *chroma, size_t n,
	const struct rows_group *group)
{
	if (format->cr_first)
		kernels_find(0)->deinterleave(group->cr, group->cb, chroma, n);
	else
		kernels_find(0)->deinterleave(group->cb, group->cr, chroma, n);
}

static void read_packed(const struct rows_format *format, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group)
{
	const struct kernels *kernels = kernels_find(0);
	size_t pairs = (frame->width + 1) / 2;
	const uint8_t *chroma = group->scratch[0];

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *source = row_of(frame, 0, row + i);

		if (format->chroma_first)
			kernels->deinterleave(group->scratch[i], group->y[i], source, pairs * 2);
		else
			kernels->deinterleave(group->y[i], group->scratch[i], source, pairs * 2);
	}
	if (n == 2) {
		kernels->average(
			group->scratch[2], group->scratch[0], group->scratch[1], pairs * 2);
		chroma = group->scratch[2];
	}
	split_chroma(format, chroma, pairs, group);
}

static void copy_luma(
	const struct frame *frame, uint32_t row, uint32_t n, const struct rows_group *group)
{
	for (uint32_t i = 0; i < n; i++)
		memcpy(group->y[i], row_of(frame, 0, row + i), frame->width);
}

static void read_semi_planar(const struct rows_format *format, const struct frame *frame,
	uint32_t row, uint32_t n, const struct rows_group *group)
{
	size_t pairs = (frame->width + 1) / 2;
	const uint8_t *chroma = row_of(frame, 1, format->chroma_420 ? row / 2 : row);

	copy_luma(frame, row, n, group);
	if (n == 2 && !format->chroma_420) {
		kernels_find(0)->average(
			group->scratch[0], chroma, row_of(frame, 1, row + 1), pairs * 2);
		chroma = group->scratch[0];
	}
	split_chroma(format, chroma, pairs, group);
}

static void read_planar(const struct rows_format *format, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group)
{
	size_t pairs = (frame->width + 1) / 2;

	copy_luma(frame, row, n, group);
	for (uint32_t plane = 1; plane <= 2; plane++) {
		uint8_t *out = (plane == 1) == format->cr_first ? group->cr : group->cb;

		if (format->chroma_420)
			memcpy(out, row_of(frame, plane, row / 2), pairs);
		else if (n == 1)
			memcpy(out, row_of(frame, plane, row), pairs);
		else
			kernels_find(0)->average(out, row_of(frame, plane, row),
				row_of(frame, plane, row + 1), pairs);
	}
}

void rows_read(const struct rows_format *format, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group)
{
	switch (format->layout) {
	case ROWS_PACKED:
		read_packed(format, frame, row, n, group);
		break;
	case ROWS_SEMI_PLANAR:
		read_semi_planar(format, frame, row, n, group);
		break;
	case ROWS_PLANAR:
		read_planar(format, frame, row, n, group);
		break;
	case ROWS_GREY:
		if (format->bytes_per_pixel == 1)
			copy_luma(frame, row, n, group);
		else
			for (uint32_t i = 0; i < n; i++)
				kernels_find(0)->narrow(group->y[i], row_of(frame, 0, row + i),
					frame->width, format->depth);
		break;
	case ROWS_RGB:
		break;
	}
}
