/*
 * A camera's own JPEGs, checked and made whole, copied once.
 *
 * UVC cameras leave out the standard Huffman tables, pad the end, cut frames short and prepend
 * rubbish. What a decoder can use is delivered as a valid JFIF-style stream, the rest dropped.
 */
#ifndef FANLIGHT_PASSTHROUGH_H
#define FANLIGHT_PASSTHROUGH_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "exchange/packet.h"

/*
 * Check length_bytes at jpeg, of any content, and copy the picture into packet (one piece,
 * length_bytes, width, height): from SOI to EOI, the standard Huffman tables inserted where it
 * brings none, anything after EOI cut, a missing EOI added when the entropy-coded data reaches the
 * last MCU row plausibly (cameras that end frames oddly but decodably).
 * Returns 0, -EBADMSG (not a JPEG, truncated, or broken beyond use) or -ENOMEM.
 */
ON_ENCODE int passthrough_copy(const uint8_t *jpeg, size_t length_bytes, struct packet *packet);

#endif
