#include "encode/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>
#include <linux/videodev2.h>

#include "base/jpeg_errors.h"

#define COMPONENTS_MOST 3

/* Of a component, in an MCU row: four blocks, as JPEG allows. */
#define ROWS_MOST (4 * DCTSIZE)

/* No block takes less than a bit: whatever claims to be larger is none. */
#define PIXELS_TO_A_BYTE (8 * DCTSIZE2)

/* Where a component is decoded to, with room for whole blocks. */
struct plane {
	uint8_t *first;
	size_t stride_bytes;
	uint32_t rows; /* of an MCU row */
	bool halved;
	uint32_t width; /* decoded, not yet halved */
};

struct jpeg_decoder {
	struct jpeg_decompress_struct decompressor;
	struct jpeg_errors errors;

	uint8_t *memory;
	size_t capacity_bytes;
	struct plane planes[COMPONENTS_MOST];
};

int jpeg_decoder_create(struct jpeg_decoder **ret_decoder)
{
	struct jpeg_decoder *decoder = calloc(1, sizeof *decoder);

	if (!decoder)
		return -ENOMEM;
	decoder->decompressor.err = jpeg_errors_init(&decoder->errors);
	if (setjmp(decoder->errors.failure)) {
		jpeg_decoder_destroy(decoder);
		return -ENOMEM;
	}
	jpeg_create_decompress(&decoder->decompressor);
	*ret_decoder = decoder;
	return 0;
}

void jpeg_decoder_destroy(struct jpeg_decoder *decoder)
{
	if (!decoder)
		return;
	jpeg_destroy_decompress(&decoder->decompressor);
	free(decoder->memory);
	free(decoder);
}

/* How many rows of luma there are to one of a component; 0 for no whole number. */
ON_ENCODE static unsigned rows_to_one(
	const struct jpeg_decompress_struct *d, const struct plane *plane)
{
	unsigned luma_rows = (unsigned)(d->max_v_samp_factor * d->min_DCT_scaled_size);

	return luma_rows % plane->rows ? 0 : luma_rows / plane->rows;
}

/* The format that has the decoded components, or 0. Chroma as wide as luma will be halved. */
ON_ENCODE static uint32_t find_format(struct jpeg_decoder *decoder)
{
	const struct jpeg_decompress_struct *d = &decoder->decompressor;
	const struct plane *planes = decoder->planes;
	uint32_t pairs = (d->output_width + 1) / 2;

	if (planes[0].width != d->output_width || rows_to_one(d, &planes[0]) != 1)
		return 0;
	if (d->jpeg_color_space == JCS_GRAYSCALE)
		return V4L2_PIX_FMT_GREY;
	if (d->jpeg_color_space != JCS_YCbCr || planes[1].rows != planes[2].rows)
		return 0;
	for (unsigned i = 1; i < COMPONENTS_MOST; i++) {
		struct plane *plane = &decoder->planes[i];

		plane->halved = plane->width == d->output_width;
		if (!plane->halved && plane->width != pairs)
			return 0;
	}
	switch (rows_to_one(d, &planes[1])) {
	case 1:
		return V4L2_PIX_FMT_YUV422P;
	case 2:
		return V4L2_PIX_FMT_YUV420;
	default:
		return 0;
	}
}

/* Make room for all components. Returns 0, -EOPNOTSUPP or -ENOMEM. */
ON_ENCODE static int lay_out(struct jpeg_decoder *decoder, uint32_t *ret_fourcc)
{
	struct jpeg_decompress_struct *d = &decoder->decompressor;
	size_t sizes[COMPONENTS_MOST] = {0}, bytes = 0;
	uint8_t *at;

	if (d->num_components > COMPONENTS_MOST)
		return -EOPNOTSUPP;
	for (int i = 0; i < d->num_components; i++) {
		const jpeg_component_info *component = &d->comp_info[i];
		unsigned block = (unsigned)component->DCT_scaled_size;

		decoder->planes[i] = (struct plane){
			.stride_bytes = (size_t)component->width_in_blocks * block,
			.rows = (uint32_t)component->v_samp_factor * block,
			.width = component->downsampled_width};
		sizes[i] = decoder->planes[i].stride_bytes * decoder->planes[i].rows *
			   d->total_iMCU_rows;
		bytes += sizes[i];
	}
	*ret_fourcc = find_format(decoder);
	if (!*ret_fourcc)
		return -EOPNOTSUPP;
	if (bytes > decoder->capacity_bytes) {
		free(decoder->memory);
		decoder->memory = malloc(bytes);
		decoder->capacity_bytes = decoder->memory ? bytes : 0;
	}
	at = decoder->memory;
	for (int i = 0; at && i < d->num_components; i++) {
		decoder->planes[i].first = at;
		at += sizes[i];
	}
	return at ? 0 : -ENOMEM;
}

/* Each pair of samples in a row becomes one. */
ON_ENCODE static void halve(uint8_t *row, uint32_t width)
{
	for (uint32_t x = 0; x < width / 2; x++)
		row[x] = (uint8_t)((row[2 * x] + row[2 * x + 1] + 1) / 2);
	if (width & 1)
		row[width / 2] = row[width - 1];
}

ON_ENCODE static void read_mcu_row(struct jpeg_decoder *decoder, uint32_t mcu_row)
{
	struct jpeg_decompress_struct *d = &decoder->decompressor;
	JSAMPROW rows[COMPONENTS_MOST][ROWS_MOST];
	JSAMPARRAY all[COMPONENTS_MOST] = {rows[0], rows[1], rows[2]};

	for (int i = 0; i < d->num_components; i++) {
		const struct plane *plane = &decoder->planes[i];

		for (uint32_t row = 0; row < plane->rows; row++)
			rows[i][row] = plane->first +
				       ((size_t)mcu_row * plane->rows + row) * plane->stride_bytes;
	}
	(void)jpeg_read_raw_data(d, all, ROWS_MOST);
	for (int i = 0; i < d->num_components; i++)
		for (uint32_t row = 0; decoder->planes[i].halved && row < decoder->planes[i].rows;
			row++)
			halve(rows[i][row], decoder->planes[i].width);
}

ON_ENCODE static void describe(
	const struct jpeg_decoder *decoder, uint32_t fourcc, struct frame *frame)
{
	const struct jpeg_decompress_struct *d = &decoder->decompressor;

	frame->fourcc = fourcc;
	frame->width = d->output_width;
	frame->height = d->output_height;
	frame->n_planes = (uint32_t)d->num_components;
	for (uint32_t i = 0; i < frame->n_planes; i++) {
		const struct plane *plane = &decoder->planes[i];

		frame->planes[i] = (struct frame_plane){.data = plane->first,
			.stride_bytes = (uint32_t)plane->stride_bytes,
			.size_bytes = (uint32_t)(plane->stride_bytes * plane->rows *
						 d->total_iMCU_rows),
			.dmabuf_fd = -1};
	}
	frame->payload_bytes = 0;
	frame->encoding = FRAME_BT601;
	frame->range = FRAME_FULL_RANGE;
	frame->kept = false;
}

/* Returns 0 or a negative errno, or jumps to errors.failure. */
ON_ENCODE static int decode(struct jpeg_decoder *decoder, size_t length_bytes, unsigned scale_denom,
	struct frame *frame)
{
	struct jpeg_decompress_struct *d = &decoder->decompressor;
	uint64_t pixels;
	uint32_t fourcc;
	int err;

	(void)jpeg_read_header(d, TRUE);
	pixels = (uint64_t)d->image_width * d->image_height;
	if (pixels > DECODE_PIXELS_MOST)
		return -EOPNOTSUPP;
	if (pixels / PIXELS_TO_A_BYTE > length_bytes)
		return -EBADMSG;
	d->scale_num = 1;
	d->scale_denom = scale_denom;
	d->raw_data_out = TRUE;
	d->out_color_space = d->jpeg_color_space;
	jpeg_calc_output_dimensions(d);
	err = lay_out(decoder, &fourcc);
	if (err < 0)
		return err;
	(void)jpeg_start_decompress(d);
	for (uint32_t mcu_row = 0; d->output_scanline < d->output_height; mcu_row++)
		read_mcu_row(decoder, mcu_row);
	describe(decoder, fourcc, frame);
	return 0;
}

int jpeg_decode(struct jpeg_decoder *decoder, const uint8_t *jpeg, size_t length_bytes,
	unsigned scale_denom, struct frame *frame)
{
	struct jpeg_decompress_struct *d = &decoder->decompressor;
	int err;

	if (setjmp(decoder->errors.failure)) {
		jpeg_abort_decompress(d);
		return decoder->errors.manager.msg_code == JERR_OUT_OF_MEMORY ? -ENOMEM : -EBADMSG;
	}
	jpeg_mem_src(d, jpeg, length_bytes);
	err = decode(decoder, length_bytes, scale_denom, frame);
	jpeg_abort_decompress(d);
	return err;
}
