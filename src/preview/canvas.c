#include "preview/canvas.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <drm_fourcc.h>
#include <libyuv.h>
#include <linux/videodev2.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "preview/decode.h"

int canvas_create(struct canvas *canvas, int drm_fd, uint32_t width, uint32_t height)
{
	uint32_t handle, handles[4] = {0}, pitches[4] = {0}, offsets[4] = {0};
	uint64_t size_bytes, offset;
	void *data;

	if (drmModeCreateDumbBuffer(
		    drm_fd, width, height, 32, 0, &handle, &canvas->stride_bytes, &size_bytes))
		return -errno;
	handles[0] = handle;
	pitches[0] = canvas->stride_bytes;
	if (drmModeAddFB2(drm_fd, width, height, DRM_FORMAT_XRGB8888, handles, pitches, offsets,
		    &canvas->framebuffer, 0) ||
		drmModeMapDumbBuffer(drm_fd, handle, &offset))
		return -errno;
	data = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, drm_fd, (off_t)offset);
	if (data == MAP_FAILED)
		return -errno;
	canvas->data = data;
	canvas->size_bytes = size_bytes;
	canvas->width = width;
	canvas->height = height;
	canvas_clear(canvas);
	return 0;
}

void canvas_destroy(struct canvas *canvas)
{
	if (canvas->data)
		(void)munmap(canvas->data, canvas->size_bytes); /* it is ours */
	canvas->data = NULL;
}

void canvas_clear(struct canvas *canvas)
{
	memset(canvas->data, 0, canvas->size_bytes);
}

/* ---- colours ---- */

/* For the sake of the CPU's nearest cache: packed pixels are unpacked so many at a time. */
#define BLOCK 512

/*
 * From what YCbCr means to R'G'B'. In limited range libyuv's blue is short by as much as 2, 12 and 16
 * of 255 levels (BT.601, 709 and 2020): its factor has six bits behind the point in a signed byte.
 */
ON_PREVIEW static const struct YuvConstants *find_matrix(const struct frame *frame)
{
	bool full = frame->range == FRAME_FULL_RANGE;

	switch (frame->encoding) {
	case FRAME_BT709:
	case FRAME_SMPTE240M: /* the nearest */
		return full ? &kYuvF709Constants : &kYuvH709Constants;
	case FRAME_BT2020:
		return full ? &kYuvV2020Constants : &kYuv2020Constants;
	case FRAME_BT601:
		break;
	}
	return full ? &kYuvJPEGConstants : &kYuvI601Constants;
}

/* Packed 4:2:2, for which libyuv has one matrix only, but not for planes. */
ON_PREVIEW static int convert_packed(
	const struct frame *frame, uint8_t *out, int stride_bytes, int width, int height)
{
	const struct YuvConstants *matrix = find_matrix(frame);
	uint8_t y[BLOCK], u[BLOCK / 2], v[BLOCK / 2];
	int err = 0;

	for (int row = 0; row < height; row++) {
		const uint8_t *from = frame->planes[0].data +
				      (size_t)row * frame->planes[0].stride_bytes;

		for (int x = 0; x < width; x += BLOCK) {
			int n = width - x < BLOCK ? width - x : BLOCK;

			err |= (frame->fourcc == V4L2_PIX_FMT_YUYV ? YUY2ToI422 : UYVYToI422)(
				from + 2 * x, 0, y, 0, u, 0, v, 0, n, 1);
			err |= I422ToARGBMatrix(y, 0, u, 0, v, 0,
				out + (ptrdiff_t)row * stride_bytes + 4 * (ptrdiff_t)x, 0, matrix,
				n, 1);
		}
	}
	return err;
}

/* Convert the left upper part of a frame; libyuv's ARGB is B G R A in memory, as XRGB8888 is. */
ON_PREVIEW static int convert(
	const struct frame *frame, uint8_t *out, int stride_bytes, int width, int height)
{
	const struct YuvConstants *matrix = find_matrix(frame);
	const struct frame_plane *planes = frame->planes;
	int strides[FRAME_MAX_PLANES];

	for (uint32_t i = 0; i < FRAME_MAX_PLANES; i++)
		strides[i] = (int)planes[i].stride_bytes;
	switch (frame->fourcc) {
	case V4L2_PIX_FMT_YUYV:
	case V4L2_PIX_FMT_UYVY:
		return convert_packed(frame, out, stride_bytes, width, height);
	case V4L2_PIX_FMT_NV12:
	case V4L2_PIX_FMT_NV12M:
		return NV12ToARGBMatrix(planes[0].data, strides[0], planes[1].data, strides[1], out,
			stride_bytes, matrix, width, height);
	case V4L2_PIX_FMT_NV21:
	case V4L2_PIX_FMT_NV21M:
		return NV21ToARGBMatrix(planes[0].data, strides[0], planes[1].data, strides[1], out,
			stride_bytes, matrix, width, height);
	case V4L2_PIX_FMT_YUV420:
	case V4L2_PIX_FMT_YUV420M:
		return I420ToARGBMatrix(planes[0].data, strides[0], planes[1].data, strides[1],
			planes[2].data, strides[2], out, stride_bytes, matrix, width, height);
	case V4L2_PIX_FMT_YUV422P:
		return I422ToARGBMatrix(planes[0].data, strides[0], planes[1].data, strides[1],
			planes[2].data, strides[2], out, stride_bytes, matrix, width, height);
	case V4L2_PIX_FMT_GREY:
		return I400ToARGBMatrix(
			planes[0].data, strides[0], out, stride_bytes, matrix, width, height);
	case V4L2_PIX_FMT_BGR24:
		return RGB24ToARGB(planes[0].data, strides[0], out, stride_bytes, width, height);
	case V4L2_PIX_FMT_RGB24:
		return RAWToARGB(planes[0].data, strides[0], out, stride_bytes, width, height);
	case V4L2_PIX_FMT_XBGR32:
	case V4L2_PIX_FMT_ABGR32:
		return ARGBCopy(planes[0].data, strides[0], out, stride_bytes, width, height);
	}
	return -1;
}

uint8_t *canvas_at(const struct canvas *canvas, uint32_t width, uint32_t height, uint32_t row)
{
	uint32_t x = (canvas->width - width) / 2, y = (canvas->height - height) / 2 + row;

	return canvas->data + (size_t)y * canvas->stride_bytes + (size_t)x * 4;
}

int canvas_draw(struct canvas *canvas, const struct frame *frame, stat_counter *copied_bytes)
{
	uint32_t width = frame->width < canvas->width ? frame->width : canvas->width;
	uint32_t height = frame->height < canvas->height ? frame->height : canvas->height;

	if (frame->fourcc == V4L2_PIX_FMT_MJPEG || frame->fourcc == V4L2_PIX_FMT_JPEG)
		return decode_draw(
			canvas, frame->planes[0].data, frame->payload_bytes, copied_bytes);
	if (convert(frame, canvas_at(canvas, width, height, 0), (int)canvas->stride_bytes,
		    (int)width, (int)height))
		return -ENOTSUP;
	stat_add(copied_bytes, (uint64_t)width * height * 4);
	return 0;
}
