/*
 * A placeholder: words on the last picture, dimmed, or on plain ground.
 *
 * It is a frame like any other, in 4:2:0 as most pictures are, for whatever encodes frames. Without
 * a font it is the ground alone.
 */
#ifndef FANLIGHT_PROCESS_PLACEHOLDER_H
#define FANLIGHT_PROCESS_PLACEHOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "fanlight/frame.h"

struct placeholder;

/*
 * Make the ground, of the size given: of a picture of any size, which is grey or YUV of full range
 * and fits, or plain without one (NULL). font_path is kept, and read when something is drawn.
 * Returns 0 or -ENOMEM.
 */
ANY_THREAD int placeholder_create(const char *font_path, uint32_t width, uint32_t height,
	const struct frame *picture, struct placeholder **ret_placeholder);

/* Free it and the frame it has drawn. NULL is ignored. */
ANY_THREAD void placeholder_destroy(struct placeholder *placeholder);

/*
 * Draw n lines of UTF-8, one below the other and broken where they are too long; what does not fit
 * is left out. The frame is valid until the next call; sequence and times are zero.
 * Returns 0, or a negative errno of text_create(): then the frame is empty of words.
 */
ON_ENCODE int placeholder_draw(struct placeholder *placeholder, const char *const lines[], size_t n,
	struct frame *ret_frame);

#endif
