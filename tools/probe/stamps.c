#include "probe/stamps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "base/jpeg_errors.h"
#include "base/stamp.h"

/* Decode the stamp's corner and nothing else; jumps to the errors' failure at the first of them. */
static bool decode_corner(struct jpeg_decompress_struct *d, const uint8_t *jpeg, size_t bytes,
	uint8_t *corner, size_t stride_bytes)
{
	JDIMENSION left = 0, width = STAMP_WIDTH;

	jpeg_create_decompress(d);
	jpeg_mem_src(d, jpeg, bytes);
	(void)jpeg_read_header(d, TRUE);
	/* A progressive picture would be decoded whole. */
	if (d->image_width < STAMP_WIDTH || d->image_height < STAMP_HEIGHT ||
		jpeg_has_multiple_scans(d))
		return false;
	d->out_color_space = JCS_GRAYSCALE;
	(void)jpeg_start_decompress(d);
	jpeg_crop_scanline(d, &left, &width);
	if (width > stride_bytes)
		return false;
	while (d->output_scanline < STAMP_HEIGHT) {
		JSAMPROW row = corner + d->output_scanline * stride_bytes;

		(void)jpeg_read_scanlines(d, &row, 1);
	}
	return true;
}

bool stamps_decode(const uint8_t *jpeg, size_t bytes, uint64_t *ret_captured_ns)
{
	/* Cropping rounds up to a whole MCU, which is no wider than 32 pixels. */
	uint8_t corner[STAMP_HEIGHT][STAMP_WIDTH + 32];
	struct jpeg_decompress_struct d = {0};
	struct jpeg_errors errors;
	volatile bool decoded = false;

	d.err = jpeg_errors_init(&errors);
	if (!setjmp(errors.failure))
		decoded = decode_corner(&d, jpeg, bytes, corner[0], sizeof corner[0]);
	jpeg_destroy_decompress(&d);
	return decoded &&
	       stamp_read(corner[0], sizeof corner[0], STAMP_WIDTH, STAMP_HEIGHT, ret_captured_ns);
}

static struct known_stamp *find(struct stamps *stamps, const struct picture *picture)
{
	for (size_t i = 0; i < STAMPS_KNOWN; i++) {
		struct known_stamp *known = &stamps->known[i];

		if (known->data && known->bytes == picture->bytes &&
			!memcmp(known->data, picture->data, picture->bytes))
			return known;
	}
	return NULL;
}

bool stamps_read(struct stamps *stamps, const struct picture *picture, uint64_t *ret_captured_ns)
{
	struct known_stamp *known = find(stamps, picture);

	if (!known) {
		uint8_t *data;

		known = &stamps->known[stamps->next];
		data = realloc(known->data, picture->bytes);
		if (!data)
			return stamps_decode(picture->data, picture->bytes, ret_captured_ns);
		stamps->next = (stamps->next + 1) % STAMPS_KNOWN;
		memcpy(data, picture->data, picture->bytes);
		known->data = data;
		known->bytes = picture->bytes;
		known->stamped = stamps_decode(data, known->bytes, &known->captured_ns);
	}
	if (known->stamped)
		*ret_captured_ns = known->captured_ns;
	return known->stamped;
}

void stamps_finish(struct stamps *stamps)
{
	for (size_t i = 0; i < STAMPS_KNOWN; i++)
		free(stamps->known[i].data);
	*stamps = (struct stamps){0};
}
