/*
 * A placeholder: words on plain ground, as large as the pictures that it stands for.
 *
 * It is a frame like any other, grey in 4:2:0 as most pictures are, for whatever encodes frames.
 * Without a font it is the ground alone.
 */
#ifndef FANLIGHT_PROCESS_PLACEHOLDER_H
#define FANLIGHT_PROCESS_PLACEHOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "fanlight/frame.h"

struct placeholder;

/* font_path is kept, and read when something is drawn. Returns 0 or -ENOMEM. */
ANY_THREAD int placeholder_create(const char *font_path, struct placeholder **ret_placeholder);

/* Free it and the frame it has drawn. NULL is ignored. */
ANY_THREAD void placeholder_destroy(struct placeholder *placeholder);

/*
 * Draw n lines of UTF-8, one below the other and broken where they are too long; what does not fit
 * is left out. The frame is valid until the next call; sequence and times are zero.
 * Returns 0, -ENOMEM, or -ENOENT or -EINVAL as text_create() does: then the frame is there, but
 * empty of words.
 */
ON_ENCODE int placeholder_draw(struct placeholder *placeholder, uint32_t width, uint32_t height,
	const char *const lines[], size_t n, struct frame *ret_frame);

#endif
