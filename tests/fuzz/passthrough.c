/* Whatever a camera sends: no crash, and what passes is a picture that libjpeg decodes. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "encode/passthrough.h"

/* Larger ones only cost time. */
#define DECODED_PIXELS_MOST (256 * 256)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void be_silent(j_common_ptr decompressor)
{
	(void)decompressor;
}

/* libjpeg's own error handler exits, which the fuzzer takes for the crash that it is. */
static void decode(const struct packet *packet)
{
	struct jpeg_decompress_struct decompressor;
	struct jpeg_error_mgr errors;
	JSAMPARRAY row;

	decompressor.err = jpeg_std_error(&errors);
	errors.output_message = be_silent;
	jpeg_create_decompress(&decompressor);
	jpeg_mem_src(&decompressor, packet->pieces[0].data, packet->length_bytes);
	(void)jpeg_read_header(&decompressor, TRUE);
	(void)jpeg_start_decompress(&decompressor);
	row = decompressor.mem->alloc_sarray((j_common_ptr)&decompressor, JPOOL_IMAGE,
		decompressor.output_width * (JDIMENSION)decompressor.output_components, 1);
	while (decompressor.output_scanline < decompressor.output_height)
		(void)jpeg_read_scanlines(&decompressor, row, 1);
	(void)jpeg_finish_decompress(&decompressor);
	jpeg_destroy_decompress(&decompressor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet packet = {0};

	role_take(&role_encode, NULL);
	if (!passthrough_copy(data, size, &packet) &&
		packet.width * packet.height <= DECODED_PIXELS_MOST)
		decode(&packet);
	free(packet.pieces[0].memory);
	return 0;
}
