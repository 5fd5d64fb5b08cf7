/* A camera's own JPEG as pixels, for screens. */
#ifndef FANLIGHT_PREVIEW_DECODE_H
#define FANLIGHT_PREVIEW_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "base/stats.h"
#include "preview/canvas.h"

/*
 * Decode bytes at jpeg, of any content, onto the middle of a canvas, scaled down by eighths until it
 * fits; what is written is added to copied_bytes. Returns 0, or -EBADMSG for what is none, is broken
 * beyond use, or comes in several scans; what the canvas shows then is anybody's guess.
 */
ON_PREVIEW int decode_draw(
	struct canvas *canvas, const uint8_t *jpeg, size_t bytes, stat_counter *copied_bytes);

#endif
