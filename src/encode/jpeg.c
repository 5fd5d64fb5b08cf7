#include "encode/jpeg.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <linux/videodev2.h>

#include "base/jpeg_errors.h"
#include "encode/colour.h"
#include "encode/rows.h"
#include "encode/view.h"

/* The most rows that an MCU row takes. */
#define LUMA_ROWS    (2 * DCTSIZE)
#define CHROMA_ROWS  DCTSIZE
#define SCRATCH_ROWS 3
#define ROWS         (LUMA_ROWS + 2 * CHROMA_ROWS + SCRATCH_ROWS)

#define RESTART_INTERVAL_MOST 65535

enum marker { SOF0 = 0xc0, RST0 = 0xd0, SOS = 0xda };
#define RST_MARKERS  8
#define MARKER_BYTES 2

struct jpeg_encoder {
	struct jpeg_config config;
	struct jpeg_compress_struct compressor;
	struct jpeg_errors errors;
	struct jpeg_destination_mgr destination;
	struct packet_piece *piece; /* being written */
	int error;                  /* what a jump to errors.failure means */
	size_t last_bytes;          /* of the last slice: a good guess for the next */

	/* What the rest is set up for; format is NULL when it is not. */
	const struct pixel_format *format;
	struct frame like;
	bool raw;               /* rows are split here, else by libjpeg */
	uint32_t width, height; /* shown */

	struct view view;
	struct colour colour;
	uint8_t *memory;
	size_t stride_bytes; /* of every row in memory */
	uint8_t *luma, *chroma[2];
	uint8_t *scratch[SCRATCH_ROWS];
};

/* ---- libjpeg's callbacks ---- */

static void begin_output(j_compress_ptr compressor)
{
	struct jpeg_encoder *encoder = compressor->client_data;

	encoder->destination.next_output_byte = encoder->piece->memory;
	encoder->destination.free_in_buffer = encoder->piece->capacity_bytes;
}

/* Called when the piece is full to its last byte. */
ON_ENCODE static boolean grow_output(j_compress_ptr compressor)
{
	struct jpeg_encoder *encoder = compressor->client_data;
	struct packet_piece *piece = encoder->piece;
	size_t written = piece->capacity_bytes;

	if (packet_reserve(piece, written * 2) < 0) {
		encoder->error = -ENOMEM;
		longjmp(encoder->errors.failure, 1);
	}
	encoder->destination.next_output_byte = piece->memory + written;
	encoder->destination.free_in_buffer = piece->capacity_bytes - written;
	return TRUE;
}

static void end_output(j_compress_ptr compressor)
{
	struct jpeg_encoder *encoder = compressor->client_data;

	encoder->piece->length_bytes = encoder->piece->capacity_bytes -
				       encoder->destination.free_in_buffer;
}

/* ---- setting up ---- */

int jpeg_encoder_create(const struct jpeg_config *config, struct jpeg_encoder **ret_encoder)
{
	struct jpeg_encoder *encoder;

	if (config->quality < 1 || config->quality > 100)
		return -EINVAL;
	encoder = calloc(1, sizeof *encoder);
	if (!encoder)
		return -ENOMEM;
	encoder->config = *config;

	encoder->compressor.err = jpeg_errors_init(&encoder->errors);
	encoder->compressor.client_data = encoder;
	if (setjmp(encoder->errors.failure)) {
		jpeg_encoder_destroy(encoder);
		return -ENOMEM;
	}
	jpeg_create_compress(&encoder->compressor);

	encoder->destination.init_destination = begin_output;
	encoder->destination.empty_output_buffer = grow_output;
	encoder->destination.term_destination = end_output;
	encoder->compressor.dest = &encoder->destination;
	*ret_encoder = encoder;
	return 0;
}

void jpeg_encoder_destroy(struct jpeg_encoder *encoder)
{
	if (!encoder)
		return;
	jpeg_destroy_compress(&encoder->compressor);
	view_finish(&encoder->view);
	free(encoder->memory);
	free(encoder);
}

ANY_THREAD static bool has_chroma(const struct pixel_format *format)
{
	return format->layout != PIXELS_GREY;
}

/* RGB in its own order is left to libjpeg, mirrored or not. */
ANY_THREAD static bool is_raw(const struct pixel_format *format, const struct frame *frame)
{
	return format->layout != PIXELS_RGB || view_is_resampled(frame);
}

/* libjpeg's name for what it is given: rows that are split, or RGB as it lies. */
ANY_THREAD static J_COLOR_SPACE colour_space_of(const struct pixel_format *format, bool raw)
{
	if (raw)
		return has_chroma(format) ? JCS_YCbCr : JCS_GRAYSCALE;
	switch (format->fourcc) {
	case V4L2_PIX_FMT_RGB24:
		return JCS_EXT_RGB;
	case V4L2_PIX_FMT_BGR24:
		return JCS_EXT_BGR;
	case V4L2_PIX_FMT_XBGR32:
	case V4L2_PIX_FMT_ABGR32:
		return JCS_EXT_BGRX;
	default:
		return JCS_EXT_XRGB;
	}
}

/* Luma columns and rows of an MCU; what is resampled has 4:2:0. */
ANY_THREAD static uint32_t mcu_width(const struct jpeg_config *config,
	const struct pixel_format *format, const struct frame *frame)
{
	bool full = !has_chroma(format) ||
		    (config->chroma == JPEG_CHROMA_SOURCE && !is_raw(format, frame));

	return full ? DCTSIZE : 2 * DCTSIZE;
}

ANY_THREAD static uint32_t mcu_height(const struct jpeg_config *config,
	const struct pixel_format *format, const struct frame *frame)
{
	bool full = !has_chroma(format) ||
		    (config->chroma != JPEG_CHROMA_420 && !format->chroma_420 &&
			    !view_is_resampled(frame));

	return full ? DCTSIZE : 2 * DCTSIZE;
}

/* Rows for one MCU row and the scratch, in one piece of memory that stays in L1. */
ON_ENCODE static int set_up_rows(struct jpeg_encoder *encoder)
{
	/* An odd number of cache lines: a power of two would have all rows in the same few sets. */
	size_t stride = (((size_t)encoder->width + 63) / 64 | 1) * 64;
	uint8_t *memory = aligned_alloc(64, stride * ROWS);

	if (!memory)
		return -ENOMEM;
	memset(memory, 0, stride * ROWS);
	free(encoder->memory);
	encoder->memory = memory;
	encoder->stride_bytes = stride;
	encoder->luma = memory;
	encoder->chroma[0] = encoder->luma + LUMA_ROWS * stride;
	encoder->chroma[1] = encoder->chroma[0] + CHROMA_ROWS * stride;
	for (size_t i = 0; i < SCRATCH_ROWS; i++)
		encoder->scratch[i] = encoder->chroma[1] + (CHROMA_ROWS + i) * stride;
	return 0;
}

/* Whether frames differ in nothing but their pixels and when they came. */
ANY_THREAD static bool are_alike(const struct frame *a, const struct frame *b)
{
	return a->fourcc == b->fourcc && a->width == b->width && a->height == b->height &&
	       a->encoding == b->encoding && a->range == b->range &&
	       a->order.mirrored == b->order.mirrored && a->order.flipped == b->order.flipped &&
	       a->order.transposed == b->order.transposed && a->order.width == b->order.width &&
	       a->order.height == b->order.height;
}

/* RGB and grey have a range but no matrix; chroma that is made of RGB has the range of that. */
ON_ENCODE static void set_up_colour(
	struct colour *colour, const struct pixel_format *format, const struct frame *frame)
{
	bool matrix = has_chroma(format) && format->layout != PIXELS_RGB;

	colour_init(colour, matrix ? frame->encoding : FRAME_BT601, frame->range);
	if (format->layout == PIXELS_RGB)
		colour->cb_from_cb = colour->cr_from_cr = (int16_t)(colour->y_from_y / 2);
}

/* Everything that stays the same while the camera sends the same kind of frame. */
ON_ENCODE static int set_up(
	struct jpeg_encoder *encoder, const struct pixel_format *format, const struct frame *frame)
{
	struct jpeg_compress_struct *compressor = &encoder->compressor;
	const struct jpeg_config *config = &encoder->config;
	int err;

	if (encoder->format && are_alike(&encoder->like, frame))
		return 0;
	encoder->format = NULL;
	encoder->like = *frame;
	encoder->raw = is_raw(format, frame);
	encoder->width = frame_shown_width(frame);
	encoder->height = frame_shown_height(frame);
	encoder->last_bytes = 0;
	err = set_up_rows(encoder);
	if (!err)
		err = view_set_up(&encoder->view, format, frame);
	if (err < 0)
		return err;
	set_up_colour(&encoder->colour, format, frame);

	compressor->image_width = encoder->width;
	compressor->in_color_space = colour_space_of(format, encoder->raw);
	compressor->input_components = !encoder->raw        ? format->bytes_per_pixel
				       : has_chroma(format) ? 3
							    : 1;
	jpeg_set_defaults(compressor);
	jpeg_set_quality(compressor, config->quality, TRUE);
	compressor->raw_data_in = encoder->raw;
	/* The chroma's are 1. */
	compressor->comp_info[0].h_samp_factor = (int)mcu_width(config, format, frame) / DCTSIZE;
	compressor->comp_info[0].v_samp_factor = (int)mcu_height(config, format, frame) / DCTSIZE;
	encoder->format = format;
	return 0;
}

/* ---- rows ---- */

/* Repeat the last sample of a row up to where libjpeg reads. */
ON_ENCODE static void pad_row(uint8_t *row, size_t n, size_t block_columns)
{
	size_t padded = (n + block_columns - 1) / block_columns * block_columns;

	memset(row + n, row[n - 1], padded - n);
}

/* Read, convert and pad n rows that share their chroma. */
ON_ENCODE static void read_group(struct jpeg_encoder *encoder, const struct frame *frame,
	uint32_t row, uint32_t n, const struct rows_group *group)
{
	const struct colour *colour = &encoder->colour;
	size_t pairs = ((size_t)encoder->width + 1) / 2;
	bool chroma = has_chroma(encoder->format);

	view_read(&encoder->view, frame, row, n, group);
	for (uint32_t i = 0; i < n; i++) {
		if (!colour->identity)
			colour_convert_luma(colour, group->y[i], group->cb, group->cr, pairs);
		pad_row(group->y[i], encoder->width, chroma ? 16 : 8);
	}
	if (!chroma)
		return;
	if (!colour->identity)
		colour_convert_chroma(colour, group->cb, group->cr, pairs);
	pad_row(group->cb, pairs, 8);
	pad_row(group->cr, pairs, 8);
}

/* Row i of rows that lie stride_bytes apart; below the picture its last row repeats. */
ON_ENCODE static uint8_t *clamped_row(
	const struct jpeg_encoder *encoder, uint8_t *rows, uint32_t i, uint32_t n)
{
	return rows + (i < n ? i : n - 1) * encoder->stride_bytes;
}

/* From the frame's rows, from first up to end, through ours into libjpeg's raw-data interface. */
ON_ENCODE static void compress_rows(
	struct jpeg_encoder *encoder, const struct frame *frame, uint32_t first, uint32_t end)
{
	struct jpeg_compress_struct *compressor = &encoder->compressor;
	uint32_t group_rows = (uint32_t)compressor->comp_info[0].v_samp_factor;
	uint32_t mcu_rows = group_rows * DCTSIZE;
	JSAMPROW luma[LUMA_ROWS], cb[CHROMA_ROWS], cr[CHROMA_ROWS];
	JSAMPARRAY image[] = {luma, cb, cr};

	for (uint32_t top = first; top < end; top += mcu_rows) {
		uint32_t left = end - top;
		uint32_t groups_left = (left + group_rows - 1) / group_rows;

		for (uint32_t i = 0; i < mcu_rows; i++)
			luma[i] = clamped_row(encoder, encoder->luma, i, left);
		for (uint32_t i = 0; i < DCTSIZE; i++) {
			cb[i] = clamped_row(encoder, encoder->chroma[0], i, groups_left);
			cr[i] = clamped_row(encoder, encoder->chroma[1], i, groups_left);
		}
		for (uint32_t i = 0; i < DCTSIZE && i < groups_left; i++) {
			uint32_t row = i * group_rows;
			struct rows_group group = {
				.y = {luma[row], luma[row + group_rows - 1]},
				.cb = cb[i],
				.cr = cr[i],
				.scratch = {encoder->scratch[0], encoder->scratch[1],
					encoder->scratch[2]},
			};

			read_group(encoder, frame, top + row,
				left - row < group_rows ? left - row : group_rows, &group);
		}
		(void)jpeg_write_raw_data(compressor, image, mcu_rows); /* all, or it fails */
	}
}

/* Row i of what is shown of an RGB frame that is not resampled; reversed into memory if need be. */
ON_ENCODE static JSAMPROW find_rgb_row(
	struct jpeg_encoder *encoder, const struct frame *frame, uint32_t i)
{
	uint32_t row = frame->order.flipped ? frame->height - 1 - i : i, width = frame->width;
	size_t bytes = encoder->format->bytes_per_pixel;
	const uint8_t *source = frame->planes[0].data + (size_t)row * frame->planes[0].stride_bytes;

	if (!frame->order.mirrored)
		return (JSAMPROW)source;
	for (size_t x = 0; x < width; x++)
		memcpy(encoder->memory + x * bytes, source + (width - 1 - x) * bytes, bytes);
	return encoder->memory;
}

/* libjpeg converts RGB itself, and fast; it needs help only with a limited range. */
ON_ENCODE static void compress_rgb(
	struct jpeg_encoder *encoder, const struct frame *frame, uint32_t first, uint32_t end)
{
	size_t row_bytes = (size_t)frame->width * encoder->format->bytes_per_pixel;

	for (uint32_t i = first; i < end; i++) {
		JSAMPROW row = find_rgb_row(encoder, frame, i);

		if (!encoder->colour.identity) {
			row = memmove(encoder->memory, row, row_bytes);
			colour_expand(&encoder->colour, row, row_bytes);
		}
		(void)jpeg_write_scanlines(&encoder->compressor, &row, 1); /* it, or it fails */
	}
}

/* ---- slices ---- */

void jpeg_cut(const struct jpeg_config *config, const struct frame *frame, unsigned n_wanted,
	struct jpeg_cut *ret_cut)
{
	const struct pixel_format *format = pixel_format_find(frame->fourcc);
	uint64_t width = frame_shown_width(frame), height = frame_shown_height(frame);
	uint64_t columns, rows, slice_rows;

	*ret_cut = (struct jpeg_cut){.n_slices = 1, .slice_rows = (uint32_t)height};
	if (!format || !height)
		return;
	/* In MCUs. */
	columns = (width + mcu_width(config, format, frame) - 1) / mcu_width(config, format, frame);
	rows = (height + mcu_height(config, format, frame) - 1) / mcu_height(config, format, frame);
	slice_rows = (rows + n_wanted - 1) / n_wanted;
	if (slice_rows == rows || columns * slice_rows > RESTART_INTERVAL_MOST)
		return;
	ret_cut->n_slices = (unsigned)((rows + slice_rows - 1) / slice_rows);
	ret_cut->slice_rows = (uint32_t)slice_rows * mcu_height(config, format, frame);
	ret_cut->restart_interval = (uint32_t)(columns * slice_rows);
}

/* The length that a segment says it has. */
ON_ENCODE static size_t segment_bytes(const uint8_t *segment)
{
	return MARKER_BYTES + (size_t)(segment[2] << 8 | segment[3]);
}

/* The segment of a marker in a header that libjpeg wrote, where it is. */
ON_ENCODE static uint8_t *find_segment(uint8_t *jpeg, enum marker marker)
{
	uint8_t *segment = jpeg + MARKER_BYTES;

	while (segment[1] != marker)
		segment += segment_bytes(segment);
	return segment;
}

/*
 * libjpeg made a picture of the slice; make it a piece of the frame's. The first slice keeps its
 * header, the others have a restart marker in its place, the last one keeps its EOI.
 */
ON_ENCODE static void trim_piece(
	struct packet_piece *piece, uint32_t height, const struct jpeg_cut *cut, unsigned slice)
{
	uint8_t *begin = piece->memory, *end = begin + piece->length_bytes;

	if (!slice) {
		uint8_t *sof = find_segment(begin, SOF0);

		sof[5] = (uint8_t)(height >> 8);
		sof[6] = (uint8_t)height;
	} else {
		uint8_t *sos = find_segment(begin, SOS);

		begin = sos + segment_bytes(sos) - MARKER_BYTES;
		begin[0] = 0xff;
		begin[1] = (uint8_t)(RST0 + (slice - 1) % RST_MARKERS);
	}
	if (slice + 1 < cut->n_slices)
		end -= MARKER_BYTES;
	piece->data = begin;
	piece->length_bytes = (size_t)(end - begin);
}

/* Room that so many rows will most likely not exceed; if they do, the piece grows. */
ON_ENCODE static size_t likely_bytes(const struct jpeg_encoder *encoder, uint32_t rows)
{
	size_t guess = (size_t)encoder->width * rows / 8 + 4096;
	size_t experience = encoder->last_bytes + encoder->last_bytes / 4;

	return guess > experience ? guess : experience;
}

int jpeg_encode_slice(struct jpeg_encoder *encoder, const struct frame *frame,
	const struct jpeg_cut *cut, unsigned slice, struct packet_piece *piece)
{
	const struct pixel_format *format = pixel_format_find(frame->fourcc);
	uint32_t first = slice * cut->slice_rows;
	uint32_t height = frame_shown_height(frame);
	uint32_t end = slice + 1 < cut->n_slices ? first + cut->slice_rows : height;
	int err;

	if (!format || frame->width > JPEG_MAX_DIMENSION || frame->height > JPEG_MAX_DIMENSION ||
		!pixels_fit(format, frame))
		return -EINVAL;

	encoder->piece = piece;
	encoder->error = -EIO;
	if (setjmp(encoder->errors.failure)) {
		jpeg_abort_compress(&encoder->compressor);
		encoder->format = NULL;
		return encoder->error;
	}
	err = set_up(encoder, format, frame);
	if (err < 0)
		return err;
	err = packet_reserve(piece, likely_bytes(encoder, end - first));
	if (err < 0)
		return err;

	encoder->compressor.image_height = end - first;
	/* So the header says; a slice is just as long and has no marker within. */
	encoder->compressor.restart_interval = cut->restart_interval;
	jpeg_start_compress(&encoder->compressor, TRUE);
	view_begin(&encoder->view);
	if (encoder->raw)
		compress_rows(encoder, frame, first, end);
	else
		compress_rgb(encoder, frame, first, end);
	jpeg_finish_compress(&encoder->compressor);

	encoder->last_bytes = piece->length_bytes;
	trim_piece(piece, height, cut, slice);
	return 0;
}

int jpeg_encode(struct jpeg_encoder *encoder, const struct frame *frame, struct packet *packet)
{
	struct jpeg_cut uncut;
	int err;

	jpeg_cut(&encoder->config, frame, 1, &uncut);
	err = jpeg_encode_slice(encoder, frame, &uncut, 0, &packet->pieces[0]);
	if (err < 0)
		return err;
	packet_compose(packet, 1);
	packet->width = encoder->width;
	packet->height = encoder->height;
	return 0;
}
