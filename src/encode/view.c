/*
 * What an order does is done in three steps, each of which knows only the one before: rows of the
 * frame, from above or from below; some columns of them, scaled or not; turned or mirrored.
 */
#include "encode/view.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "encode/kernels.h"

#define STRIP_COLUMNS 64
#define TILE_ROWS     16

/* Rows are read and written in whole vectors. */
#define SLACK_BYTES 64

/* ---- setting up ---- */

bool view_is_resampled(const struct frame *frame)
{
	const struct frame_order *order = &frame->order;
	uint32_t width = order->transposed ? frame->height : frame->width;
	uint32_t height = order->transposed ? frame->width : frame->height;

	return order->transposed || frame_shown_width(frame) != width ||
	       frame_shown_height(frame) != height;
}

/*
 * What part of output o of n_out, in 1/256, input i of n_in makes up: both divide the same length.
 * The parts of an output are rounded so that they add up.
 */
ANY_THREAD static uint32_t weigh(uint64_t i, uint64_t n_in, uint64_t o, uint64_t n_out)
{
	uint64_t from = i * n_out, to = from + n_out, begin = o * n_in, end = begin + n_in;

	from = from < begin ? begin : from > end ? end : from;
	to = to < begin ? begin : to > end ? end : to;
	return (uint32_t)(((to - begin) * 256 + n_in / 2) / n_in -
			  ((from - begin) * 256 + n_in / 2) / n_in);
}

/* Fill the spans of a row; weights has room for n_in + n_out and more. Returns what is left. */
ANY_THREAD static uint16_t *fill_spans(
	struct view_span *spans, uint32_t n_in, uint32_t n_out, uint16_t *weights)
{
	for (uint32_t o = 0; o < n_out; o++) {
		uint32_t first = (uint32_t)((uint64_t)o * n_in / n_out);
		uint32_t end = (uint32_t)(((uint64_t)(o + 1) * n_in + n_out - 1) / n_out);

		spans[o] = (struct view_span){first, end - first, weights};
		for (uint32_t i = first; i < end; i++)
			*weights++ = (uint16_t)weigh(i, n_in, o, n_out);
	}
	return weights;
}

ON_ENCODE static int set_up_scale(struct view *view, const struct frame *frame)
{
	size_t stride = (size_t)frame->width * 2 + SLACK_BYTES;
	uint32_t pairs = (frame->width + 1) / 2, shown_pairs = (view->width + 1) / 2;
	/* Each output has a part of a sample at either end. */
	size_t n_weights = (size_t)frame->width + pairs + 2 * ((size_t)view->width + shown_pairs);
	uint16_t *rest;

	view->spans[0] = calloc((size_t)view->width + shown_pairs, sizeof(struct view_span));
	view->weights = calloc(n_weights, sizeof *view->weights);
	view->sums[0] = calloc(4, stride * sizeof(uint16_t));
	view->source[0] = calloc(7, stride);
	if (!view->spans[0] || !view->weights || !view->sums[0] || !view->source[0])
		return -ENOMEM;
	view->spans[1] = view->spans[0] + view->width;
	rest = fill_spans(view->spans[0], frame->width, view->width, view->weights);
	(void)fill_spans(view->spans[1], pairs, shown_pairs, rest);
	for (int i = 1; i < 4; i++)
		view->sums[i] = view->sums[i - 1] + stride;
	for (int i = 1; i < 7; i++)
		view->source[i] = view->source[i - 1] + stride;
	return 0;
}

ON_ENCODE static int set_up_strip(struct view *view)
{
	size_t tile_stride = 2 * STRIP_COLUMNS + SLACK_BYTES;
	uint8_t *tile;

	/* Each tile is written whole. An odd number of cache lines, as for the encoder's rows. */
	view->strip_stride_bytes = (((size_t)view->height + TILE_ROWS + 63) / 64 | 1) * 64;
	view->strip[0] = calloc(2 * STRIP_COLUMNS, view->strip_stride_bytes);
	view->tile[0] = tile = calloc(2 * TILE_ROWS + 3, tile_stride);
	if (!view->strip[0] || !tile)
		return -ENOMEM;
	view->strip[1] = view->strip[0] + STRIP_COLUMNS * view->strip_stride_bytes;
	view->strip[2] = view->strip[1] + STRIP_COLUMNS / 2 * view->strip_stride_bytes;
	view->tile[1] = tile + TILE_ROWS * tile_stride;
	view->tile[2] = view->tile[1] + TILE_ROWS / 2 * tile_stride;
	for (int i = 0; i < 3; i++)
		view->tile[3 + i] = tile + (size_t)(2 * TILE_ROWS + i) * tile_stride;
	return 0;
}

int view_set_up(struct view *view, const struct pixel_format *format, const struct frame *frame)
{
	const struct frame_order *order = &frame->order;
	uint32_t shown_width = frame_shown_width(frame), shown_height = frame_shown_height(frame);
	int err = 0;

	view_finish(view);
	view->format = format;
	view->order = *order;
	view->width = order->transposed ? shown_height : shown_width;
	view->height = order->transposed ? shown_width : shown_height;
	view->scaled = view->width != frame->width || view->height != frame->height;
	if (view->width > frame->width || view->height > frame->height)
		return -EINVAL;
	if (view->scaled)
		err = set_up_scale(view, frame);
	if (!err && order->transposed)
		err = set_up_strip(view);
	return err;
}

void view_finish(struct view *view)
{
	free(view->spans[0]);
	free(view->weights);
	free(view->sums[0]);
	free(view->source[0]);
	free(view->strip[0]);
	free(view->tile[0]);
	*view = (struct view){0};
}

void view_begin(struct view *view)
{
	view->strip_left = view->strip_right = 0;
}

/* ---- rows of the frame ---- */

/* Rows as rows_read() has them, but counted from below when the picture is upside down. */
ON_ENCODE static void read_source(const struct view *view, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group)
{
	struct rows_group swapped = *group;

	if (!view->order.flipped) {
		rows_read(view->format, frame, row, n, group);
		return;
	}
	swapped.y[0] = group->y[n - 1];
	swapped.y[n - 1] = group->y[0];
	rows_read(view->format, frame, frame->height - row - n, n, &swapped);
}

/* ---- columns of them ---- */

/* The samples of a row of sums, from sample left on, as bytes of the columns of these spans. */
ON_ENCODE static void write_columns(uint8_t *out, const uint16_t *sums, uint32_t left,
	const struct view_span *spans, uint32_t n)
{
	for (uint32_t x = 0; x < n; x++) {
		const uint16_t *from = sums + (spans[x].first - left);
		uint32_t sum = 32768;

		for (uint32_t i = 0; i < spans[x].n; i++)
			sum += (uint32_t)from[i] * spans[x].weights[i];
		out[x] = (uint8_t)(sum >> 16);
	}
}

/* Add row i of n_in to the sums of row o of n_out, as much of it as belongs there. */
ON_ENCODE static void add_row(uint16_t *sums, const uint8_t *samples, size_t n, uint32_t i,
	uint32_t n_in, uint32_t o, uint32_t n_out)
{
	uint32_t weight = weigh(i, n_in, o, n_out);

	if (weight)
		kernels_find(0)->accumulate(sums, samples, n, (uint16_t)weight);
}

/* The part of a frame that columns x to end come from: its first column, even, and its width. */
ON_ENCODE static void find_columns(const struct view *view, uint32_t x, uint32_t end,
	uint32_t frame_width, uint32_t *ret_left, uint32_t *ret_width)
{
	const struct view_span *luma = view->spans[0], *chroma = view->spans[1];
	uint32_t left = luma[x].first, right = luma[end - 1].first + luma[end - 1].n;
	uint32_t chroma_left = 2 * chroma[x / 2].first, last = (end - 1) / 2;
	uint32_t chroma_right = 2 * (chroma[last].first + chroma[last].n);

	if (chroma_right > frame_width)
		chroma_right = frame_width;
	left = (left < chroma_left ? left : chroma_left) & ~1u;
	*ret_left = left;
	*ret_width = (right > chroma_right ? right : chroma_right) - left;
}

/* Sum up the rows of a part of the frame that n rows of the scaled picture come from. */
ON_ENCODE static void sum_rows(
	struct view *view, const struct frame *part, uint32_t row, uint32_t n)
{
	const struct rows_group group = {.y = {view->source[0], view->source[1]},
		.cb = view->source[2],
		.cr = view->source[3],
		.scratch = {view->source[4], view->source[5], view->source[6]}};
	uint32_t height = part->height, chroma_height = (height + 1) / 2;
	uint32_t pairs = (part->width + 1) / 2, chroma_row = row / 2;
	uint32_t shown_chroma = (view->height + 1) / 2;
	uint64_t first = (uint64_t)row * height / view->height / 2;
	uint64_t chroma_first = (uint64_t)chroma_row * chroma_height / shown_chroma;
	uint64_t end = ((uint64_t)(row + n) * height + view->height - 1) / view->height;
	uint64_t chroma_end = ((uint64_t)(chroma_row + 1) * chroma_height + shown_chroma - 1) /
			      shown_chroma;

	for (uint32_t i = 0; i < 4; i++)
		memset(view->sums[i], 0, part->width * sizeof(uint16_t));
	if (chroma_first < first)
		first = chroma_first;
	if (end < 2 * chroma_end)
		end = 2 * chroma_end < height ? 2 * chroma_end : height;
	for (uint32_t pair = (uint32_t)first; 2 * pair < end; pair++) {
		uint32_t n_read = 2 * pair + 1 < height ? 2 : 1;

		read_source(view, part, 2 * pair, n_read, &group);
		for (uint32_t k = 0; k < n_read * n; k++)
			add_row(view->sums[k / n_read], group.y[k % n_read], part->width,
				2 * pair + k % n_read, height, row + k / n_read, view->height);
		if (view->format->layout == PIXELS_GREY)
			continue;
		add_row(view->sums[2], group.cb, pairs, pair, chroma_height, chroma_row,
			shown_chroma);
		add_row(view->sums[3], group.cr, pairs, pair, chroma_height, chroma_row,
			shown_chroma);
	}
}

/* Columns x (even) to end of n rows of the scaled picture, of all its rows if it is not scaled. */
ON_ENCODE static void read_columns(struct view *view, const struct frame *frame, uint32_t x,
	uint32_t end, uint32_t row, uint32_t n, const struct rows_group *group)
{
	struct frame part = *frame;
	uint32_t left, width, pairs = (end - x + 1) / 2;

	if (!view->scaled) {
		pixels_crop(view->format, &part, x, 0, end - x, frame->height);
		read_source(view, &part, row, n, group);
		return;
	}
	find_columns(view, x, end, frame->width, &left, &width);
	pixels_crop(view->format, &part, left, 0, width, frame->height);
	sum_rows(view, &part, row, n);
	for (uint32_t i = 0; i < n; i++)
		write_columns(group->y[i], view->sums[i], left, view->spans[0] + x, end - x);
	if (view->format->layout == PIXELS_GREY)
		return;
	write_columns(group->cb, view->sums[2], left / 2, view->spans[1] + x / 2, pairs);
	write_columns(group->cr, view->sums[3], left / 2, view->spans[1] + x / 2, pairs);
}

/* ---- turned ---- */

/* In squares of twice the distance exchange the corners beside the diagonal. */
static void exchange_bits(uint64_t rows[8], unsigned distance, uint64_t mask)
{
	for (unsigned i = 0; i < 8; i++) {
		uint64_t swap;

		if (i & distance)
			continue;
		swap = (rows[i] >> 8 * distance ^ rows[i + distance]) & mask;
		rows[i + distance] ^= swap;
		rows[i] ^= swap << 8 * distance;
	}
}

/* Eight columns of eight samples become rows. A row is a number whose lowest byte is its first. */
static void transpose(uint8_t *out, size_t out_stride, const uint8_t *in, size_t in_stride)
{
	uint64_t rows[8];

	for (unsigned i = 0; i < 8; i++) {
		memcpy(&rows[i], in + i * in_stride, 8);
		rows[i] = htole64(rows[i]);
	}
	exchange_bits(rows, 4, 0x00000000ffffffff);
	exchange_bits(rows, 2, 0x0000ffff0000ffff);
	exchange_bits(rows, 1, 0x00ff00ff00ff00ff);
	for (unsigned i = 0; i < 8; i++) {
		rows[i] = htole64(rows[i]);
		memcpy(out + i * out_stride, &rows[i], 8);
	}
}

/* Put a tile's plane, of rows and columns that are multiples of 8, into the strip from row on. */
ON_ENCODE static void turn_tile(
	struct view *view, unsigned plane, uint32_t row, uint32_t rows, uint32_t columns)
{
	size_t stride = 2 * STRIP_COLUMNS + SLACK_BYTES;

	for (uint32_t y = 0; y < rows; y += 8)
		for (uint32_t x = 0; x < columns; x += 8)
			transpose(view->strip[plane] + x * view->strip_stride_bytes + row + y,
				view->strip_stride_bytes, view->tile[plane] + y * stride + x,
				stride);
}

ON_ENCODE static void load_strip(
	struct view *view, const struct frame *frame, uint32_t left, uint32_t right)
{
	size_t stride = 2 * STRIP_COLUMNS + SLACK_BYTES;

	view->strip_left = left;
	view->strip_right = right;
	for (uint32_t row = 0; row < view->height; row += TILE_ROWS) {
		for (uint32_t i = 0; i < TILE_ROWS && row + i < view->height; i += 2) {
			struct rows_group group = {
				.y = {view->tile[0] + i * stride, view->tile[0] + (i + 1) * stride},
				.cb = view->tile[1] + i / 2 * stride,
				.cr = view->tile[2] + i / 2 * stride,
				.scratch = {view->tile[3], view->tile[4], view->tile[5]},
			};

			read_columns(view, frame, left, right, row + i,
				row + i + 1 < view->height ? 2 : 1, &group);
		}
		turn_tile(view, 0, row, TILE_ROWS, STRIP_COLUMNS);
		if (view->format->layout == PIXELS_GREY)
			continue;
		turn_tile(view, 1, row / 2, TILE_ROWS / 2, STRIP_COLUMNS / 2);
		turn_tile(view, 2, row / 2, TILE_ROWS / 2, STRIP_COLUMNS / 2);
	}
}

/* Have the strip that holds columns x to end of luma, and chroma's beside them. */
ON_ENCODE static void find_strip(
	struct view *view, const struct frame *frame, uint32_t x, uint32_t end)
{
	uint32_t right = (end + 1) & ~1u, left = x & ~1u;

	if (x >= view->strip_left && end <= view->strip_right)
		return;
	/* Even numbers: chroma is that of pairs. */
	if (view->order.mirrored)
		left = right > STRIP_COLUMNS ? right - STRIP_COLUMNS : 0;
	else
		right = left + STRIP_COLUMNS;
	load_strip(view, frame, left, right < view->width ? right : view->width);
}

ON_ENCODE static void read_turned(struct view *view, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group)
{
	bool mirrored = view->order.mirrored;
	uint32_t x = mirrored ? view->width - row - n : row;
	uint32_t pair = mirrored ? (view->width + 1) / 2 - 1 - row / 2 : row / 2;
	size_t stride = view->strip_stride_bytes, pairs = (view->height + 1) / 2;

	find_strip(view, frame, x, x + n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t column = x + (mirrored ? n - 1 - i : i) - view->strip_left;

		memcpy(group->y[i], view->strip[0] + column * stride, view->height);
	}
	if (view->format->layout == PIXELS_GREY)
		return;
	pair -= view->strip_left / 2;
	memcpy(group->cb, view->strip[1] + pair * stride, pairs);
	memcpy(group->cr, view->strip[2] + pair * stride, pairs);
}

/* ---- all together ---- */

ON_ENCODE static void reverse(uint8_t *row, uint8_t *scratch, size_t n)
{
	memcpy(scratch, row, n);
	kernels_find(0)->reverse(row, scratch, n);
}

void view_read(struct view *view, const struct frame *frame, uint32_t row, uint32_t n,
	const struct rows_group *group)
{
	size_t pairs = ((size_t)view->width + 1) / 2;

	if (view->order.transposed) {
		read_turned(view, frame, row, n, group);
		return;
	}
	if (view->scaled)
		read_columns(view, frame, 0, view->width, row, n, group);
	else
		read_source(view, frame, row, n, group);
	if (!view->order.mirrored)
		return;
	for (uint32_t i = 0; i < n; i++)
		reverse(group->y[i], group->scratch[0], view->width);
	if (view->format->layout == PIXELS_GREY)
		return;
	reverse(group->cb, group->scratch[0], pairs);
	reverse(group->cr, group->scratch[0], pairs);
}
