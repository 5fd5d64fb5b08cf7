#include "process/canvas.h"

#include <math.h>
#include <string.h>

static struct canvas_component component_of(const struct frame *frame, unsigned plane, size_t first,
	size_t step, unsigned x_shift, unsigned y_shift)
{
	const struct frame_plane *p = &frame->planes[plane];

	return (struct canvas_component){
		/* The frame is on loan; who draws was given memory to write to. */
		.first = (uint8_t *)p->data + first,
		.stride_bytes = p->stride_bytes,
		.step_bytes = step,
		.x_shift = x_shift,
		.y_shift = y_shift,
		.width = (frame->width + (1u << x_shift) - 1) >> x_shift,
		.height = (frame->height + (1u << y_shift) - 1) >> y_shift,
	};
}

void canvas_init(
	struct canvas *canvas, const struct pixel_format *format, const struct frame *frame)
{
	struct canvas_component *c = canvas->components;
	size_t luma = format->chroma_first, chroma = !format->chroma_first;
	unsigned cb = format->cr_first ? 2 : 1, cr = format->cr_first ? 1 : 2;
	unsigned y_shift = format->chroma_420;

	*canvas = (struct canvas){.n_components = CANVAS_COMPONENTS};
	switch (format->layout) {
	case PIXELS_PACKED:
		c[0] = component_of(frame, 0, luma, 2, 0, 0);
		c[cb] = component_of(frame, 0, chroma, 4, 1, 0);
		c[cr] = component_of(frame, 0, chroma + 2, 4, 1, 0);
		break;
	case PIXELS_SEMI_PLANAR:
		c[0] = component_of(frame, 0, 0, 1, 0, 0);
		c[cb] = component_of(frame, 1, 0, 2, 1, y_shift);
		c[cr] = component_of(frame, 1, 1, 2, 1, y_shift);
		break;
	case PIXELS_PLANAR:
		c[0] = component_of(frame, 0, 0, 1, 0, 0);
		c[cb] = component_of(frame, 1, 0, 1, 1, y_shift);
		c[cr] = component_of(frame, 2, 0, 1, 1, y_shift);
		break;
	case PIXELS_GREY:
		c[0] = component_of(frame, 0, 0, format->bytes_per_pixel, 0, 0);
		canvas->n_components = 1;
		canvas->shift = format->bytes_per_pixel > 1 ? format->depth - 8u : 0;
		break;
	case PIXELS_RGB:
		c[0] = component_of(frame, 0, format->red, format->bytes_per_pixel, 0, 0);
		c[1] = component_of(frame, 0, format->green, format->bytes_per_pixel, 0, 0);
		c[2] = component_of(frame, 0, format->blue, format->bytes_per_pixel, 0, 0);
		break;
	}
}

void canvas_colour(const struct pixel_format *format, const struct frame *frame,
	const uint8_t rgb[3], uint8_t ret_values[CANVAS_COMPONENTS])
{
	/* The weights of red and blue in luma. */
	static const double weights[][2] = {
		[FRAME_BT601] = {0.299, 0.114},
		[FRAME_BT709] = {0.2126, 0.0722},
		[FRAME_BT2020] = {0.2627, 0.0593},
		[FRAME_SMPTE240M] = {0.212, 0.087},
	};
	bool limited = frame->range == FRAME_LIMITED_RANGE;
	double offset = limited ? 16 : 0, scale = limited ? 219.0 / 255 : 1;
	double red = weights[frame->encoding][0], blue = weights[frame->encoding][1];
	double chroma = limited ? 224.0 / 255 : 1, luma;

	if (format->layout == PIXELS_GREY)
		red = weights[FRAME_BT601][0], blue = weights[FRAME_BT601][1];
	luma = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2];
	ret_values[0] = (uint8_t)lrint(offset + scale * luma);
	ret_values[1] = (uint8_t)lrint(
		fmin(128 + chroma * (rgb[2] - luma) / (2 * (1 - blue)), 255));
	ret_values[2] = (uint8_t)lrint(fmin(128 + chroma * (rgb[0] - luma) / (2 * (1 - red)), 255));
	for (unsigned i = 0; format->layout == PIXELS_RGB && i < CANVAS_COMPONENTS; i++)
		ret_values[i] = (uint8_t)lrint(offset + scale * rgb[i]);
}

void canvas_fill(const struct canvas *canvas, const struct canvas_component *component, uint32_t x,
	uint32_t y, uint32_t n, uint8_t value)
{
	uint8_t *sample = component->first + y * component->stride_bytes +
			  x * component->step_bytes;
	unsigned word = (unsigned)value << canvas->shift;

	if (component->step_bytes == 1) {
		memset(sample, value, n);
		return;
	}
	for (; n--; sample += component->step_bytes) {
		*sample = (uint8_t)word;
		if (canvas->shift)
			sample[1] = (uint8_t)(word >> 8);
	}
}

void canvas_glaze(const struct canvas *canvas, const struct canvas_component *component, uint32_t x,
	uint32_t y, uint32_t n, const struct canvas_glaze *glazes)
{
	uint8_t *sample = component->first + y * component->stride_bytes +
			  x * component->step_bytes;
	unsigned most = (256u << canvas->shift) - 1;

	for (; n--; sample += component->step_bytes, glazes++) {
		unsigned word = canvas->shift ? (unsigned)(sample[0] | sample[1] << 8) : *sample;

		word = word < most ? word : most;
		word = (word * glazes->keep + ((unsigned)glazes->add << canvas->shift) + 127) / 255;
		*sample = (uint8_t)word;
		if (canvas->shift)
			sample[1] = (uint8_t)(word >> 8);
	}
}
