#include "preview/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include <jpeglib.h>

#include "base/jpeg_errors.h"

/* Scale the picture down to what fits. */
ON_PREVIEW static bool fit(struct jpeg_decompress_struct *d, const struct canvas *canvas)
{
	d->scale_denom = 8;
	for (d->scale_num = 8; d->scale_num; d->scale_num--) {
		jpeg_calc_output_dimensions(d);
		if (d->output_width <= canvas->width && d->output_height <= canvas->height)
			return true;
	}
	return false;
}

/* Jumps to the errors' failure at the first of them. */
ON_PREVIEW static bool decode(
	struct jpeg_decompress_struct *d, struct canvas *canvas, const uint8_t *jpeg, size_t bytes)
{
	jpeg_create_decompress(d);
	jpeg_mem_src(d, jpeg, bytes);
	(void)jpeg_read_header(d, TRUE);
	/* A picture of several scans would be kept whole, as large as it says it is. */
	if (jpeg_has_multiple_scans(d) || !fit(d, canvas))
		return false;
	d->out_color_space = JCS_EXT_BGRX;
	d->do_fancy_upsampling = FALSE;
	(void)jpeg_start_decompress(d);
	while (d->output_scanline < d->output_height) {
		JSAMPROW row = canvas_at(
			canvas, d->output_width, d->output_height, d->output_scanline);

		(void)jpeg_read_scanlines(d, &row, 1);
	}
	return true;
}

int decode_draw(
	struct canvas *canvas, const uint8_t *jpeg, size_t bytes, stat_counter *copied_bytes)
{
	struct jpeg_decompress_struct d = {0};
	struct jpeg_errors errors;
	volatile bool decoded = false;

	d.err = jpeg_errors_init(&errors);
	if (!setjmp(errors.failure))
		decoded = decode(&d, canvas, jpeg, bytes);
	if (decoded)
		stat_add(copied_bytes, (uint64_t)d.output_width * d.output_height * 4);
	jpeg_destroy_decompress(&d);
	return decoded ? 0 : -EBADMSG;
}
