/*
 * A canvas: the samples of a raw frame, to draw upon, one component at a time whatever the format:
 * Y, Cb, Cr; or R, G, B; or Y alone.
 */
#ifndef FANLIGHT_PROCESS_CANVAS_H
#define FANLIGHT_PROCESS_CANVAS_H

#include <stddef.h>
#include <stdint.h>

#include "base/pixels.h"
#include "base/roles.h"
#include "fanlight/frame.h"

#define CANVAS_COMPONENTS 3

struct canvas_component {
	uint8_t *first;
	size_t stride_bytes, step_bytes; /* to the sample below, and to the next */
	unsigned x_shift, y_shift;       /* log2 of the pixels that share a sample */
	uint32_t width, height;          /* samples */
};

struct canvas {
	struct canvas_component components[CANVAS_COMPONENTS];
	unsigned n_components;
	unsigned shift; /* of 8 bits in a sample of 16; those have two bytes, the lower first */
};

/* What becomes of a sample: 255ths of it are kept, and 255ths of a value of 8 bits added. */
struct canvas_glaze {
	uint16_t keep, add;
};

/* A frame that fits, and whose pixels may be written to. */
ANY_THREAD void canvas_init(
	struct canvas *canvas, const struct pixel_format *format, const struct frame *frame);

/* What each component of a colour, R'G'B' of 8 bits, is in this frame. */
ANY_THREAD void canvas_colour(const struct pixel_format *format, const struct frame *frame,
	const uint8_t rgb[3], uint8_t ret_values[CANVAS_COMPONENTS]);

/* A sample as 8 bits. */
ANY_THREAD static inline uint8_t canvas_get(const struct canvas *canvas,
	const struct canvas_component *component, uint32_t x, uint32_t y)
{
	const uint8_t *sample = component->first + y * component->stride_bytes +
				x * component->step_bytes;
	unsigned word;

	if (!canvas->shift)
		return *sample;
	word = (unsigned)(sample[0] | sample[1] << 8) >> canvas->shift;
	return (uint8_t)(word > 255 ? 255 : word);
}

/* Set n samples from this one to the right. */
ANY_THREAD void canvas_fill(const struct canvas *canvas, const struct canvas_component *component,
	uint32_t x, uint32_t y, uint32_t n, uint8_t value);

/* Glaze n samples from this one to the right, each with its own. */
ANY_THREAD void canvas_glaze(const struct canvas *canvas, const struct canvas_component *component,
	uint32_t x, uint32_t y, uint32_t n, const struct canvas_glaze *glazes);

#endif
