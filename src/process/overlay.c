/*
 * Overlay: words and a logo over the picture, upright as it is shown.
 *
 * An overlay is painted when its words change, or the kind of frames, and glazed upon each frame
 * from then on. To paint is to find for every sample beneath it how much of that is kept, and what
 * is added: whatever the format, and however the picture will be turned, a frame costs a product
 * and a sum for each sample. Where pictures are scaled down as they are read, overlays are painted
 * as much larger.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "process/canvas.h"
#include "process/filter.h"
#include "process/logo.h"
#include "process/template.h"
#include "process/text.h"

/* In words of one overlay; the rest is left out. */
#define WORDS_BYTES 512

/* Of a line, where no size is given: percent of the picture's height. */
#define LINE_PERCENT 5

/* Of a line's height: on either side of words, and from a corner of the picture. */
#define PADDING(line_px) ((line_px) / 4)
#define MARGIN(line_px)  ((line_px) / 2)

/* A pixel as it is painted: of each component of a frame 255ths are kept, and as many added. */
struct paint {
	uint16_t keep, add[CANVAS_COMPONENTS];
};

/* Upright, in pixels of the picture as it is read, but not scaled. */
struct painting {
	int64_t left, top;
	uint32_t width, height;
	struct paint *pixels;
};

/* Samples of a component of the frame as it lies. */
struct area {
	uint32_t left, top, width, height;
	struct canvas_glaze *glazes;
};

struct layer {
	const struct overlay_item *item;
	struct text *text;       /* NULL for the logo */
	char words[WORDS_BYTES]; /* that it was painted with */
	bool painted;
	struct area areas[CANVAS_COMPONENTS];
};

struct overlay {
	struct filter filter;
	struct overlay_config config;
	const char *camera;
	struct logo logo;
	struct layer layers[PROCESS_OVERLAYS_MOST];
	struct frame like; /* that they were painted for */

	/* frames since a moment, to count them */
	uint64_t since_ns;
	unsigned frames;
	double fps;
};

/* ---- painting ---- */

/* Width and height as the picture is read, but not scaled. */
ON_ENCODE static uint32_t whole_width(const struct frame *frame)
{
	return frame->order.transposed ? frame->height : frame->width;
}

ON_ENCODE static uint32_t whole_height(const struct frame *frame)
{
	return frame->order.transposed ? frame->width : frame->height;
}

/* Pixels of the whole picture, of pixels as they are shown. */
ON_ENCODE static uint32_t unscale(uint32_t shown, uint32_t of_whole, uint32_t of_shown)
{
	return (uint32_t)((uint64_t)shown * of_whole / of_shown);
}

/* From one line to the next. */
ON_ENCODE static uint32_t line_height(const struct overlay_item *item, const struct frame *frame)
{
	uint32_t shown = frame_shown_height(frame), whole = whole_height(frame), line_px;

	line_px = !item->size             ? whole * LINE_PERCENT / 100
		  : item->size_in_percent ? whole * item->size / 100
					  : unscale(item->size, whole, shown);
	return line_px < PROCESS_LINE_LEAST  ? PROCESS_LINE_LEAST
	       : line_px > PROCESS_LINE_MOST ? PROCESS_LINE_MOST
					     : line_px;
}

/* Where it begins, in one direction, with so much room in all. */
ON_ENCODE static int64_t place(bool from_far, uint32_t distance, uint32_t length, uint32_t room)
{
	return from_far ? (int64_t)room - distance - length : distance;
}

ON_ENCODE static void put_in_place(const struct overlay_item *item, const struct frame *frame,
	uint32_t line_px, struct painting *painting)
{
	uint32_t width = whole_width(frame), height = whole_height(frame), x, y;

	x = item->in_corner ? MARGIN(line_px) : unscale(item->x, width, frame_shown_width(frame));
	y = item->in_corner ? MARGIN(line_px) : unscale(item->y, height, frame_shown_height(frame));
	painting->left = place(item->from_right, x, painting->width, width);
	painting->top = place(item->from_bottom, y, painting->height, height);
}

/* Make a painting of this size, but no larger than the picture. Returns 0 or -ENOMEM. */
ON_ENCODE static int begin_painting(
	const struct frame *frame, uint32_t width, uint32_t height, struct painting *ret_painting)
{
	uint32_t most_width = whole_width(frame), most_height = whole_height(frame);

	*ret_painting = (struct painting){.width = width < most_width ? width : most_width,
		.height = height < most_height ? height : most_height};
	ret_painting->pixels = calloc(
		(size_t)ret_painting->width * ret_painting->height, sizeof(struct paint));
	return ret_painting->pixels ? 0 : -ENOMEM;
}

/* What paint is of each coverage by ink, over the box. */
ON_ENCODE static void mix(const struct overlay_item *item, const struct pixel_format *format,
	const struct frame *frame, struct paint ret_paints[256])
{
	uint8_t ink[CANVAS_COMPONENTS], box[CANVAS_COMPONENTS];

	canvas_colour(format, frame, item->ink.rgb, ink);
	canvas_colour(format, frame, item->box.rgb, box);
	for (unsigned covered = 0; covered < 256; covered++) {
		unsigned of_ink = (covered * item->ink.alpha + 127) / 255;
		unsigned of_box = ((255 - of_ink) * item->box.alpha + 127) / 255;
		struct paint *paint = &ret_paints[covered];

		paint->keep = (uint16_t)(255 - of_ink - of_box);
		for (unsigned k = 0; k < CANVAS_COMPONENTS; k++)
			paint->add[k] = (uint16_t)(ink[k] * of_ink + box[k] * of_box);
	}
}

/* Pixels across that are left for a line of words. */
ON_ENCODE static uint32_t find_room(
	const struct overlay_item *item, const struct frame *frame, uint32_t line_px)
{
	uint32_t width = whole_width(frame), used = 2 * PADDING(line_px);

	used += item->in_corner ? 2 * MARGIN(line_px)
				: unscale(item->x, width, frame_shown_width(frame));
	return used < width ? width - used : 0;
}

/*
 * Draw words into a plane of their coverage, if there is one, in lines that fit into the room, and
 * find how wide and high they are.
 */
ON_ENCODE static uint32_t set_words(struct text *text, const char *words, uint32_t line_px,
	uint32_t room, const struct text_plane *plane, uint32_t *ret_height)
{
	uint32_t widest = 0, y = 0;

	do {
		size_t length = text_fit(text, words, room);
		uint32_t width = text_width(text, words, length);

		widest = width > widest ? width : widest;
		if (plane)
			text_draw(text, plane, PADDING(line_px), y, words, length, 255);
		y += line_px;
		words += length;
		words += *words == '\n' ? 1 : strspn(words, " ");
	} while (*words);
	*ret_height = y;
	return widest;
}

/* Returns 0 or a negative errno. */
ON_ENCODE static int paint_words(struct layer *layer, const struct pixel_format *format,
	const struct frame *frame, struct painting *ret_painting)
{
	uint32_t line_px = line_height(layer->item, frame), width, height;
	uint32_t room = find_room(layer->item, frame, line_px);
	struct paint paints[256];
	struct text_plane plane;
	int err = text_resize(layer->text, line_px);

	if (err < 0 || !*layer->words)
		return err;
	width = set_words(layer->text, layer->words, line_px, room, NULL, &height);
	err = begin_painting(frame, width + 2 * PADDING(line_px), height, ret_painting);
	if (err < 0)
		return err;
	plane = (struct text_plane){.width = ret_painting->width,
		.height = ret_painting->height,
		.stride_bytes = ret_painting->width};
	plane.pixels = calloc(plane.width, plane.height);
	if (!plane.pixels)
		return -ENOMEM;
	put_in_place(layer->item, frame, line_px, ret_painting);
	(void)set_words(layer->text, layer->words, line_px, room, &plane, &height);
	mix(layer->item, format, frame, paints);
	for (size_t i = 0; i < (size_t)plane.width * plane.height; i++)
		ret_painting->pixels[i] = paints[plane.pixels[i]];
	free(plane.pixels);
	return 0;
}

ON_ENCODE static const uint8_t *logo_pixel(const struct logo *logo, uint32_t x, uint32_t y)
{
	return logo->pixels + ((size_t)y * logo->width + x) * LOGO_PIXEL_BYTES;
}

/* Paint the logo, in its own size unless told. Returns 0 or -ENOMEM. */
ON_ENCODE static int paint_logo(const struct logo *logo, const struct overlay_item *item,
	const struct pixel_format *format, const struct frame *frame, struct painting *ret_painting)
{
	uint32_t whole = whole_height(frame), shown = frame_shown_height(frame);
	uint32_t height = item->size ? line_height(item, frame)
				     : unscale(logo->height, whole, shown);
	uint32_t width = unscale((uint32_t)((uint64_t)logo->width * height / logo->height),
		whole_width(frame) * shown, frame_shown_width(frame) * whole);
	struct paint *paint;
	int err;

	height = height ? height : 1;
	width = width ? width : 1;
	err = begin_painting(frame, width, height, ret_painting);
	if (err < 0)
		return err;
	put_in_place(item, frame, whole * LINE_PERCENT / 100, ret_painting);
	paint = ret_painting->pixels;
	for (uint32_t y = 0; y < ret_painting->height; y++)
		for (uint32_t x = 0; x < ret_painting->width; x++, paint++) {
			const uint8_t *pixel = logo_pixel(logo, unscale(x, logo->width, width),
				unscale(y, logo->height, height));
			uint8_t values[CANVAS_COMPONENTS];

			canvas_colour(format, frame, pixel, values);
			paint->keep = (uint16_t)(255 - pixel[3]);
			for (unsigned k = 0; k < CANVAS_COMPONENTS; k++)
				paint->add[k] = (uint16_t)(values[k] * pixel[3]);
		}
	return 0;
}

/* ---- from what is painted to samples ---- */

/* The paint on a pixel of the frame as it lies. */
ON_ENCODE static const struct paint *find_paint(
	const struct painting *painting, const struct frame *frame, uint32_t x, uint32_t y)
{
	static const struct paint none = {.keep = 255};
	const struct frame_order *order = &frame->order;
	uint32_t column = order->mirrored ? frame->width - 1 - x : x;
	uint32_t row = order->flipped ? frame->height - 1 - y : y;
	int64_t across = (order->transposed ? row : column) - painting->left;
	int64_t down = (order->transposed ? column : row) - painting->top;

	if (across < 0 || across >= painting->width || down < 0 || down >= painting->height)
		return &none;
	return &painting->pixels[down * painting->width + across];
}

/* The mean of the paint on all pixels that share a sample. */
ON_ENCODE static struct canvas_glaze make_glaze(const struct painting *painting,
	const struct frame *frame, const struct canvas_component *c, unsigned component,
	uint32_t sample_x, uint32_t sample_y)
{
	uint32_t left = sample_x << c->x_shift, right = left + (1u << c->x_shift);
	uint32_t top = sample_y << c->y_shift, bottom = top + (1u << c->y_shift);
	uint32_t keep = 0, add = 0, n = 0;

	for (uint32_t y = top; y < bottom && y < frame->height; y++)
		for (uint32_t x = left; x < right && x < frame->width; x++, n++) {
			const struct paint *paint = find_paint(painting, frame, x, y);

			keep += paint->keep;
			add += paint->add[component];
		}
	return (struct canvas_glaze){(uint16_t)((keep + n / 2) / n), (uint16_t)((add + n / 2) / n)};
}

/* Where a painting lies in the frame, as far as it does: from first up to end in one direction. */
ON_ENCODE static void find_samples(int64_t begin, uint32_t length, uint32_t room, bool reversed,
	unsigned shift, uint32_t *ret_first, uint32_t *ret_n)
{
	int64_t end = begin + length;
	int64_t first;

	begin = begin < 0 ? 0 : begin;
	end = end > room ? room : end;
	*ret_n = 0;
	if (begin >= end)
		return;
	first = reversed ? room - end : begin;
	end = reversed ? room - begin : end;
	*ret_first = (uint32_t)first >> shift;
	*ret_n = (((uint32_t)end + (1u << shift) - 1) >> shift) - *ret_first;
}

/* Know what to do to the samples of a component. Returns 0 or -ENOMEM. */
ON_ENCODE static int make_area(const struct painting *painting, const struct frame *frame,
	const struct canvas *canvas, unsigned component, struct area *area)
{
	const struct canvas_component *c = &canvas->components[component];
	const struct frame_order *order = &frame->order;
	bool transposed = order->transposed;
	struct canvas_glaze *glaze;

	find_samples(transposed ? painting->top : painting->left,
		transposed ? painting->height : painting->width, frame->width, order->mirrored,
		c->x_shift, &area->left, &area->width);
	find_samples(transposed ? painting->left : painting->top,
		transposed ? painting->width : painting->height, frame->height, order->flipped,
		c->y_shift, &area->top, &area->height);
	free(area->glazes);
	glaze = area->glazes = calloc((size_t)area->width * area->height, sizeof *glaze);
	if (!glaze && area->width && area->height)
		return -ENOMEM;
	for (uint32_t y = area->top; y < area->top + area->height; y++)
		for (uint32_t x = area->left; x < area->left + area->width; x++)
			*glaze++ = make_glaze(painting, frame, c, component, x, y);
	return 0;
}

ON_ENCODE static int paint(const struct overlay *overlay, struct layer *layer,
	const struct pixel_format *format, const struct frame *frame, const struct canvas *canvas)
{
	const struct overlay_item *item = layer->item;
	struct painting painting = {0};
	int err = item->is_logo ? paint_logo(&overlay->logo, item, format, frame, &painting)
				: paint_words(layer, format, frame, &painting);

	for (unsigned k = 0; !err && k < canvas->n_components; k++)
		err = make_area(&painting, frame, canvas, k, &layer->areas[k]);
	free(painting.pixels);
	layer->painted = !err;
	return err;
}

/* ---- the filter ---- */

/* Whether overlays on both are the same samples. */
ON_ENCODE static bool is_like(const struct frame *a, const struct frame *b)
{
	const struct frame_order *x = &a->order, *y = &b->order;

	return a->fourcc == b->fourcc && a->width == b->width && a->height == b->height &&
	       a->encoding == b->encoding && a->range == b->range && x->mirrored == y->mirrored &&
	       x->flipped == y->flipped && x->transposed == y->transposed && x->width == y->width &&
	       x->height == y->height;
}

/* What was painted for other frames is no more. */
ON_ENCODE static void follow(struct overlay *overlay, const struct frame *frame)
{
	if (is_like(&overlay->like, frame))
		return;
	for (unsigned i = 0; i < overlay->config.n_items; i++)
		overlay->layers[i].painted = false;
	overlay->like = *frame;
}

ON_ENCODE static void count_frame(struct overlay *overlay, uint64_t captured_ns)
{
	uint64_t elapsed_ns = captured_ns - overlay->since_ns;

	overlay->frames++;
	if (elapsed_ns < NS_PER_S)
		return;
	overlay->fps = overlay->frames * (double)NS_PER_S / (double)elapsed_ns;
	overlay->frames = 0;
	overlay->since_ns = captured_ns;
}

ON_ENCODE static void glaze(const struct canvas *canvas, const struct area areas[CANVAS_COMPONENTS])
{
	for (unsigned k = 0; k < canvas->n_components; k++) {
		const struct area *area = &areas[k];

		for (uint32_t row = 0; row < area->height && area->width; row++)
			canvas_glaze(canvas, &canvas->components[k], area->left, area->top + row,
				area->width, area->glazes + (size_t)row * area->width);
	}
}

ON_ENCODE static int overlay_run(struct filter *filter, const struct pixel_format *format,
	struct frame *frame, struct results *results)
{
	struct overlay *overlay = (struct overlay *)filter;
	time_t seconds = (time_t)(clock_wall_ns(frame->captured_ns) / NS_PER_S);
	struct template_values values = {.name = overlay->camera,
		.sequence = frame->sequence,
		.width = frame_shown_width(frame),
		.height = frame_shown_height(frame),
		.results = results};
	struct canvas canvas;
	int err = 0;

	count_frame(overlay, frame->captured_ns);
	values.fps = overlay->fps;
	(void)localtime_r(&seconds, &values.time); /* no year is out of its reach */
	canvas_init(&canvas, format, frame);
	follow(overlay, frame);
	for (unsigned i = 0; !err && i < overlay->config.n_items; i++) {
		struct layer *layer = &overlay->layers[i];
		char words[WORDS_BYTES];

		if (layer->item->is_logo)
			strcpy(words, layer->item->template);
		else
			template_expand(layer->item->template, &values, words, sizeof words);
		if (!layer->painted || strcmp(words, layer->words) != 0) {
			layer->painted = false;
			strcpy(layer->words, words);
			err = paint(overlay, layer, format, frame, &canvas);
		}
		if (!err)
			glaze(&canvas, layer->areas);
	}
	return err;
}

static void overlay_destroy(struct filter *filter)
{
	struct overlay *overlay = (struct overlay *)filter;

	for (unsigned i = 0; i < overlay->config.n_items; i++) {
		struct layer *layer = &overlay->layers[i];

		text_destroy(layer->text);
		for (unsigned k = 0; k < CANVAS_COMPONENTS; k++)
			free(layer->areas[k].glazes);
	}
	logo_free(&overlay->logo);
	free(overlay);
}

/* Have what an overlay is painted with. Returns 0 or a negative errno with a sentence in reason. */
static int provide(const struct process_config *config, struct overlay *overlay,
	struct layer *layer, char reason[PROCESS_REASON_BYTES])
{
	int err;

	if (layer->item->is_logo)
		return overlay->logo.pixels
			       ? 0
			       : logo_load(config->texts[PROCESS_LOGO], &overlay->logo, reason);
	err = text_create(config->font, PROCESS_LINE_MOST, &layer->text);
	if (err < 0)
		(void)snprintf(reason, PROCESS_REASON_BYTES,
			"overlay has no font: %.160s: %s; name another with the setting font",
			config->font, err == -EINVAL ? "it cannot be scaled" : strerror(-err));
	return err;
}

int overlay_create(const struct process_config *config, struct filter **ret_filter,
	char reason[PROCESS_REASON_BYTES])
{
	struct overlay *overlay = calloc(1, sizeof *overlay);
	int err = 0;

	if (!overlay)
		return -ENOMEM;
	overlay->filter = (struct filter){
		.run = overlay_run, .destroy = overlay_destroy, .draws = true};
	overlay->config = config->overlay;
	overlay->camera = config->camera;
	for (unsigned i = 0; !err && i < overlay->config.n_items; i++) {
		overlay->layers[i].item = &overlay->config.items[i];
		err = provide(config, overlay, &overlay->layers[i], reason);
	}
	if (err < 0) {
		overlay_destroy(&overlay->filter);
		return err;
	}
	*ret_filter = &overlay->filter;
	return 0;
}
