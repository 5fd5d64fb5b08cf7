#include "camera/formats.h"

#include <errno.h>
#include <string.h>

#include <linux/videodev2.h>

/* fourcc, kind, planes, buffers, bytes per pixel, chroma bytes, horizontal and vertical shift */
static const struct format formats[] = {
	{V4L2_PIX_FMT_YUYV, FORMAT_YUV, 1, 1, 2, 0, 1, 0},
	{V4L2_PIX_FMT_UYVY, FORMAT_YUV, 1, 1, 2, 0, 1, 0},
	{V4L2_PIX_FMT_YVYU, FORMAT_YUV, 1, 1, 2, 0, 1, 0},
	{V4L2_PIX_FMT_VYUY, FORMAT_YUV, 1, 1, 2, 0, 1, 0},
	{V4L2_PIX_FMT_NV12, FORMAT_YUV, 2, 1, 1, 2, 1, 1},
	{V4L2_PIX_FMT_NV21, FORMAT_YUV, 2, 1, 1, 2, 1, 1},
	{V4L2_PIX_FMT_NV16, FORMAT_YUV, 2, 1, 1, 2, 1, 0},
	{V4L2_PIX_FMT_NV61, FORMAT_YUV, 2, 1, 1, 2, 1, 0},
	{V4L2_PIX_FMT_YUV420, FORMAT_YUV, 3, 1, 1, 1, 1, 1},
	{V4L2_PIX_FMT_YVU420, FORMAT_YUV, 3, 1, 1, 1, 1, 1},
	{V4L2_PIX_FMT_YUV422P, FORMAT_YUV, 3, 1, 1, 1, 1, 0},
	{V4L2_PIX_FMT_NV12M, FORMAT_YUV, 2, 2, 1, 2, 1, 1},
	{V4L2_PIX_FMT_NV21M, FORMAT_YUV, 2, 2, 1, 2, 1, 1},
	{V4L2_PIX_FMT_YUV420M, FORMAT_YUV, 3, 3, 1, 1, 1, 1},
	{V4L2_PIX_FMT_GREY, FORMAT_GREY, 1, 1, 1, 0, 0, 0},
	{V4L2_PIX_FMT_Y10, FORMAT_GREY, 1, 1, 2, 0, 0, 0},
	{V4L2_PIX_FMT_Y12, FORMAT_GREY, 1, 1, 2, 0, 0, 0},
	{V4L2_PIX_FMT_Y16, FORMAT_GREY, 1, 1, 2, 0, 0, 0},
	{V4L2_PIX_FMT_RGB24, FORMAT_RGB, 1, 1, 3, 0, 0, 0},
	{V4L2_PIX_FMT_BGR24, FORMAT_RGB, 1, 1, 3, 0, 0, 0},
	{V4L2_PIX_FMT_XBGR32, FORMAT_RGB, 1, 1, 4, 0, 0, 0}, /* XR24: B G R X in memory */
	{V4L2_PIX_FMT_XRGB32, FORMAT_RGB, 1, 1, 4, 0, 0, 0}, /* BX24: X R G B in memory */
	{V4L2_PIX_FMT_ABGR32, FORMAT_RGB, 1, 1, 4, 0, 0, 0}, /* AR24: B G R A in memory */
	{V4L2_PIX_FMT_MJPEG, FORMAT_COMPRESSED, 1, 1, 0, 0, 0, 0},
	{V4L2_PIX_FMT_JPEG, FORMAT_COMPRESSED, 1, 1, 0, 0, 0, 0},
};

const struct format *format_find(uint32_t fourcc)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (formats[i].fourcc == fourcc)
			return &formats[i];
	return NULL;
}

const char *format_name(uint32_t fourcc, char text[5])
{
	size_t length = 4;

	for (size_t i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)(fourcc >> 8 * i);

		text[i] = c >= ' ' && c < 0x7f ? (char)c : '?';
	}
	while (length && text[length - 1] == ' ')
		length--;
	text[length] = '\0';
	return text;
}

uint32_t format_parse(const char *name)
{
	size_t length = strlen(name);
	uint32_t fourcc = 0;

	if (!length || length > 4)
		return 0;
	for (size_t i = 0; i < 4; i++) {
		unsigned char c = i < length ? (unsigned char)name[i] : ' ';

		if (c < ' ' || c >= 0x7f)
			return 0;
		fourcc |= (uint32_t)c << 8 * i;
	}
	return fourcc;
}

/* How far one plane reaches, from its first byte to the end of its last row. */
struct extent {
	size_t stride_bytes, row_bytes, rows;
};

static size_t halve(size_t n, unsigned shift)
{
	return (n + (1u << shift) - 1) >> shift;
}

static struct extent plane_extent(
	const struct format *format, const struct frame *frame, size_t plane, size_t stride_bytes)
{
	/* A packed row holds whole groups: two pixels of YUYV share their chroma. */
	size_t group = format->n_planes == 1 ? 1u << format->h_shift : 1;

	if (!plane)
		return (struct extent){
			.stride_bytes = stride_bytes,
			.row_bytes = (frame->width + group - 1) / group * group *
				     format->bytes_per_pixel,
			.rows = frame->height,
		};
	return (struct extent){
		.stride_bytes = stride_bytes,
		.row_bytes = halve(frame->width, format->h_shift) * format->chroma_bytes,
		.rows = halve(frame->height, format->v_shift),
	};
}

/* Place one plane at offset in a memory plane, when it fits. */
static int place_plane(struct frame_plane *plane, const struct extent *extent, const uint8_t *base,
	size_t size_bytes, size_t offset)
{
	uint64_t last = (uint64_t)extent->stride_bytes * (extent->rows - 1);

	if (extent->stride_bytes < extent->row_bytes || offset > size_bytes ||
		last + extent->row_bytes > size_bytes - offset)
		return -EINVAL;
	plane->data = base + offset;
	plane->stride_bytes = (uint32_t)extent->stride_bytes;
	plane->offset_bytes = (uint32_t)offset;
	size_bytes -= offset;
	plane->size_bytes = size_bytes < UINT32_MAX ? (uint32_t)size_bytes : UINT32_MAX;
	return 0;
}

int format_lay_out(const struct format *format, struct frame *frame, uint8_t *const base[],
	const size_t size_bytes[], const uint32_t stride_bytes[])
{
	size_t offset = 0;

	if (!frame->width || !frame->height)
		return -EINVAL;
	frame->n_planes = format->n_planes;
	if (format->kind == FORMAT_COMPRESSED) {
		static const struct extent anything = {.rows = 1};

		return place_plane(&frame->planes[0], &anything, base[0], size_bytes[0], 0);
	}

	for (size_t i = 0; i < format->n_planes; i++) {
		size_t buffer = format->n_buffers > 1 ? i : 0;
		size_t stride = stride_bytes[buffer];
		struct extent extent;
		int err;

		/* V4L2: a contiguous chroma row is as much shorter as its samples are fewer. */
		if (i && format->n_buffers == 1)
			stride = stride * format->chroma_bytes >> format->h_shift;
		extent = plane_extent(format, frame, i, stride);
		err = place_plane(
			&frame->planes[i], &extent, base[buffer], size_bytes[buffer], offset);
		if (err < 0)
			return err;
		if (format->n_buffers == 1)
			offset += extent.stride_bytes * extent.rows;
	}
	return 0;
}
