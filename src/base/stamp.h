/*
 * The stamp: a 64-bit time drawn into a picture, for machines to read after any JPEG.
 *
 * At the picture's top left lies a grid of 16 x 5 blocks of 8x8 pixels (128x40 in all), each black
 * (a 0) or white (a 1), row by row, most significant bit first. Rows 0 to 3 are captured_ns, of
 * CLOCK_MONOTONIC; row 4 is the byte 0xF5, then the XOR of the eight bytes above. In a picture of
 * limited range black is luma 16 and white 235. The test pattern draws one; pictures smaller than
 * the grid carry none.
 */
#ifndef FANLIGHT_STAMP_H
#define FANLIGHT_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

#define STAMP_COLUMNS      16
#define STAMP_ROWS         5
#define STAMP_BLOCK_PIXELS 8
#define STAMP_WIDTH        (STAMP_COLUMNS * STAMP_BLOCK_PIXELS)
#define STAMP_HEIGHT       (STAMP_ROWS * STAMP_BLOCK_PIXELS)
#define STAMP_BYTES        (STAMP_COLUMNS * STAMP_ROWS / 8)

/* The stamp of a time as bits, two bytes a row of blocks. */
ANY_THREAD void stamp_write(uint64_t captured_ns, uint8_t ret_bits[STAMP_BYTES]);

/*
 * Read the stamp from a picture's luma. True, and *ret_captured_ns is set; false when there is no
 * stamp, or none that can be trusted.
 */
ANY_THREAD bool stamp_read(const uint8_t *luma, size_t stride_bytes, uint32_t width,
	uint32_t height, uint64_t *ret_captured_ns);

#endif
