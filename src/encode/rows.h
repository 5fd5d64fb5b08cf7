/*
 * Rows of raw frames, split into planar Y, Cb and Cr.
 *
 * The unit is a group: the one or two luma rows that share a row of chroma in the output. Sources
 * with 4:2:2 chroma have the rows of a pair averaged as they are split; sources with 4:2:0 chroma
 * have just one. Right of the picture's width nothing meaningful is written.
 */
#ifndef FANLIGHT_ROWS_H
#define FANLIGHT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "fanlight/frame.h"

enum rows_layout {
	ROWS_PACKED,      /* one plane, luma and chroma bytes alternate, 4:2:2 */
	ROWS_SEMI_PLANAR, /* a plane of luma, one of both chromas interleaved */
	ROWS_PLANAR,      /* three planes */
	ROWS_GREY,        /* one plane of luma, one or two bytes a sample */
	ROWS_RGB,         /* one plane, not for rows_read() */
};

struct rows_format {
	uint32_t fourcc; /* V4L2_PIX_FMT_* */
	enum rows_layout layout;
	uint8_t bytes_per_pixel; /* of plane 0 */
	uint8_t depth;           /* significant bits of a grey sample */
	bool chroma_420;         /* chroma on every other row; else on each */
	bool chroma_first;       /* packed: chroma bytes before luma bytes */
	bool cr_first;           /* Cr before Cb */
};

/* Where a group goes. Rows are of the width rounded up to a multiple of 16, and never overlap. */
struct rows_group {
	uint8_t *y[2];
	uint8_t *cb, *cr;
	uint8_t *scratch[3]; /* for interleaved chroma */
};

/* The entry of a raw format, or NULL. */
ANY_THREAD const struct rows_format *rows_find_format(uint32_t fourcc);

/*
 * Whether every row of every plane lies within the memory that the frame describes. Packed 4:2:2 of
 * an odd width must have its last pair complete.
 */
ANY_THREAD bool rows_fit(const struct rows_format *format, const struct frame *frame);

/*
 * Split n (1 or 2) rows of a frame that fits, from an even row on if its chroma is 4:2:0. The
 * group's chroma is the row that both share, or the average of theirs; grey writes luma only.
 */
ANY_THREAD void rows_read(const struct rows_format *format, const struct frame *frame, uint32_t row,
	uint32_t n, const struct rows_group *group);

#endif
