/*
 * A variant: pictures of a camera smaller, or in another quality, than its settings ask for.
 *
 * All zero is no variant, but the pictures as they are.
 */
#ifndef FANLIGHT_VARIANT_H
#define FANLIGHT_VARIANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"

/* Bounds of what may be asked for. */
#define VARIANT_PIXELS_LEAST  16
#define VARIANT_PIXELS_MOST   16384
#define VARIANT_QUALITY_LEAST 10
#define VARIANT_QUALITY_MOST  95

/* As many as a camera can be encoded in at once. */
#define VARIANTS_MOST 8

#define VARIANT_NAME_BYTES 24

/* Eight bytes, none of them left over. */
struct variant {
	uint16_t width, height; /* pixels of the box that it fits into; 0 for no bound */
	uint16_t divisor;       /* of both, instead of a box; 0 for none */
	uint16_t quality;       /* as libjpeg counts; 0 for the camera's own */
};

ANY_THREAD bool variant_equals(const struct variant *a, const struct variant *b);

/* From the size of a picture to that of its variant: of the same shape, and never larger. */
ANY_THREAD void variant_fit(const struct variant *variant, uint32_t *width, uint32_t *height);

/* As it is asked for: "640", "640x360", "1/2", each perhaps with "q60" behind it. */
ANY_THREAD void variant_name(const struct variant *variant, char ret_name[VARIANT_NAME_BYTES]);

#endif
