/*
 * Every YCbCr layout is taken apart by the same two loops: packed 4:2:2 is luma interleaved with a
 * row of interleaved chroma, which is just what semi-planar formats keep in their second plane.
 */
#include "encode/rows.h"

#include <string.h>

#include "encode/kernels.h"

static const uint8_t *row_of(const struct frame *frame, uint32_t plane, uint32_t row)
{
	return frame->planes[plane].data + (size_t)row * frame->planes[plane].stride_bytes;
}

/* Interleaved chroma to Cb and Cr. */
static void split_chroma(const struct pixel_format *format, const uint8_t *chroma, size_t n,
	const struct rows_group *group)
{
	if (format->cr_first)
		kernels_find(0)->deinterleave(group->cr, group->cb, chroma, n);
	else
		kernels_find(0)->deinterleave(group->cb, group->cr, chroma, n);
}

static void read_packed(const struct pixel_format *format, const struct frame *frame, uint32_t row,
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

static void read_semi_planar(const struct pixel_format *format, const struct frame *frame,
	uint32_t row, uint32_t n, const struct rows_group *group)
{
	size_t pairs = (frame->width + 1) / 2;
	const uint8_t *chroma = row_of(frame, 1, format->chroma_420 ? (row + n - 1) / 2 : row);

	copy_luma(frame, row, n, group);
	if (n == 2 && !format->chroma_420) {
		kernels_find(0)->average(
			group->scratch[0], chroma, row_of(frame, 1, row + 1), pairs * 2);
		chroma = group->scratch[0];
	}
	split_chroma(format, chroma, pairs, group);
}

static void read_planar(const struct pixel_format *format, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group)
{
	size_t pairs = (frame->width + 1) / 2;

	copy_luma(frame, row, n, group);
	for (uint32_t plane = 1; plane <= 2; plane++) {
		uint8_t *out = (plane == 1) == format->cr_first ? group->cr : group->cb;

		if (format->chroma_420)
			memcpy(out, row_of(frame, plane, (row + n - 1) / 2), pairs);
		else if (n == 1)
			memcpy(out, row_of(frame, plane, row), pairs);
		else
			kernels_find(0)->average(out, row_of(frame, plane, row),
				row_of(frame, plane, row + 1), pairs);
	}
}

/* Fixed point as libjpeg has it, of sums of n samples each. */
static void convert_sums(const uint32_t sums[3], uint32_t n, uint8_t *ret_cb, uint8_t *ret_cr)
{
	int32_t red = (int32_t)sums[0], green = (int32_t)sums[1], blue = (int32_t)sums[2];
	int32_t half = (int32_t)n * 32768, middle = (int32_t)n * 128 * 65536;

	*ret_cb = (uint8_t)((32768 * blue - 11059 * red - 21709 * green + middle + half - 1) /
			    ((int32_t)n * 65536));
	*ret_cr = (uint8_t)((32768 * red - 27439 * green - 5329 * blue + middle + half - 1) /
			    ((int32_t)n * 65536));
}

static void read_rgb(const struct pixel_format *format, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group)
{
	for (uint32_t pair = 0; pair * 2 < frame->width; pair++) {
		uint32_t columns = pair * 2 + 1 < frame->width ? 2 : 1;
		uint32_t sums[3] = {0};

		for (uint32_t i = 0; i < n * columns; i++) {
			uint32_t x = pair * 2 + i % columns;
			const uint8_t *pixel = row_of(frame, 0, row + i / columns) +
					       (size_t)x * format->bytes_per_pixel;
			uint32_t red = pixel[format->red], green = pixel[format->green],
				 blue = pixel[format->blue];

			group->y[i / columns][x] = (uint8_t)((19595 * red + 38470 * green +
								     7471 * blue + 32768) >>
							     16);
			sums[0] += red;
			sums[1] += green;
			sums[2] += blue;
		}
		convert_sums(sums, n * columns, &group->cb[pair], &group->cr[pair]);
	}
}

void rows_read(const struct pixel_format *format, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group)
{
	switch (format->layout) {
	case PIXELS_PACKED:
		read_packed(format, frame, row, n, group);
		break;
	case PIXELS_SEMI_PLANAR:
		read_semi_planar(format, frame, row, n, group);
		break;
	case PIXELS_PLANAR:
		read_planar(format, frame, row, n, group);
		break;
	case PIXELS_GREY:
		if (format->bytes_per_pixel == 1)
			copy_luma(frame, row, n, group);
		else
			for (uint32_t i = 0; i < n; i++)
				kernels_find(0)->narrow(group->y[i], row_of(frame, 0, row + i),
					frame->width, format->depth);
		break;
	case PIXELS_RGB:
		read_rgb(format, frame, row, n, group);
		break;
	}
}
