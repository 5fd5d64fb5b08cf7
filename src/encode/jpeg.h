/*
 * Raw frames to baseline JPEG (JFIF), by libjpeg-turbo's raw-data API.
 *
 * Pixels are read once, in the order that the frame asks for (view.h), an MCU row at a time,
 * straight from the frame's memory into planes that stay in L1: split, averaged to 4:2:0 where
 * asked, brought to full-range BT.601 as JFIF means it, then handed to the compressor. The
 * compressor, its tables and the planes are kept between frames.
 *
 * A frame may be cut into slices, restart intervals of whole MCU rows that encoders of the same
 * configuration make independently, on any threads. Their pieces in order are the picture, byte for
 * byte as one compressor with that restart interval writes it.
 */
#ifndef FANLIGHT_JPEG_H
#define FANLIGHT_JPEG_H

#include <stdint.h>

#include "base/roles.h"
#include "exchange/packet.h"
#include "fanlight/frame.h"

enum jpeg_chroma {
	JPEG_CHROMA_420,    /* row pairs of 4:2:2 sources averaged */
	JPEG_CHROMA_422,    /* where the source has it; 4:2:0 sources stay 4:2:0 */
	JPEG_CHROMA_SOURCE, /* all that the source has: 4:4:4 of RGB, 4:2:2 and 4:2:0 as they are */
};

struct jpeg_config {
	int quality; /* 1..100 as libjpeg counts */
	enum jpeg_chroma chroma;
};

struct jpeg_encoder;

/* Returns 0, -EINVAL (quality out of range) or -ENOMEM. */
ANY_THREAD int jpeg_encoder_create(
	const struct jpeg_config *config, struct jpeg_encoder **ret_encoder);
ANY_THREAD void jpeg_encoder_destroy(struct jpeg_encoder *encoder);

/* How a frame is cut. */
struct jpeg_cut {
	unsigned n_slices;
	uint32_t slice_rows;       /* luma rows of a slice; the last has what is left */
	uint32_t restart_interval; /* MCUs of a slice; 0 for an uncut frame */
};

/*
 * Cut a frame into n_wanted (at least 1) slices of equal height; into fewer where its rows do not
 * suffice, and not at all where slices would exceed the restart intervals that JPEG can express.
 */
ANY_THREAD void jpeg_cut(const struct jpeg_config *config, const struct frame *frame,
	unsigned n_wanted, struct jpeg_cut *ret_cut);

/*
 * Encode one slice of a frame into a piece: data and length_bytes. Slices of one frame may be
 * encoded at the same time by an encoder each. The caller stands for CPU access to the frame.
 * Returns 0, -EINVAL (a format, size or order it cannot take), -ENOMEM, or -EIO (libjpeg refused; the
 * encoder is ready for the next frame all the same).
 */
ON_ENCODE int jpeg_encode_slice(struct jpeg_encoder *encoder, const struct frame *frame,
	const struct jpeg_cut *cut, unsigned slice, struct packet_piece *piece);

/*
 * Encode a frame, uncut, into a packet: one piece, length_bytes, width and height. The caller
 * stands for CPU access to the frame and fills in the rest of the packet.
 * Returns as jpeg_encode_slice() does.
 */
ON_ENCODE int jpeg_encode(
	struct jpeg_encoder *encoder, const struct frame *frame, struct packet *packet);

#endif
