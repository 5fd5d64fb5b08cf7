/* Whatever a camera sends to be filtered: no crash, and what passes is a frame. */
#include "base/pixels.h"
#include "encode/decode.h"
#include "must.h"

ON_ENCODE int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jpeg_decoder *decoder;
	struct frame frame = {0};

	must(!jpeg_decoder_create(&decoder));
	for (unsigned denom = 1; denom <= 8; denom *= 2)
		if (!jpeg_decode(decoder, data, size, denom, &frame))
			must(pixels_fit(pixel_format_find(frame.fourcc), &frame));
	jpeg_decoder_destroy(decoder);
	return 0;
}
