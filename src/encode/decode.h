/*
 * A camera's own JPEGs to raw frames, for whoever has to see pixels.
 *
 * Samples are those of the file: no colours are converted, and chroma is as coarse as it was. Only
 * where it is as fine as luma across, which no raw format has here, it is halved.
 */
#ifndef FANLIGHT_ENCODE_DECODE_H
#define FANLIGHT_ENCODE_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "fanlight/frame.h"

/* 8192x8192. */
#define DECODE_PIXELS_MOST (UINT32_C(1) << 26)

struct jpeg_decoder;

/* Returns 0 or -ENOMEM. */
ANY_THREAD int jpeg_decoder_create(struct jpeg_decoder **ret_decoder);

/* Free it and the frame it has decoded. NULL is ignored. */
ANY_THREAD void jpeg_decoder_destroy(struct jpeg_decoder *decoder);

/*
 * Decode a picture of any bytes at a whole, a half, a quarter or an eighth (scale_denom 1, 2, 4, 8)
 * of its size, as passthrough_copy() has made it or not. The frame's picture is then ours, planar
 * YUV or grey and to be drawn into, until the next call; its times and numbers stay.
 * Returns 0, -EBADMSG (libjpeg gave up), -EOPNOTSUPP (not grey or YCbCr, a sampling that no raw
 * format has, or larger than DECODE_PIXELS_MOST) or -ENOMEM; the decoder is ready for the next
 * picture all the same.
 */
ON_ENCODE int jpeg_decode(struct jpeg_decoder *decoder, const uint8_t *jpeg, size_t length_bytes,
	unsigned scale_denom, struct frame *frame);

#endif
