#include "process/placeholder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/videodev2.h>

#include "process/canvas.h"
#include "process/text.h"

#define GROUND 48
#define INK    224

/* Of a picture's light only this part is left, so that words stand out from white, too. */
#define DIMMED 3

/* Of chroma. */
#define NO_COLOUR 128

/* Lines to the height of a picture, and the width of its margin in lines. */
#define LINES_HIGH 12
#define LINE_LEAST 8

struct placeholder {
	const char *font_path;
	struct frame frame; /* that is drawn */
	size_t size_bytes;  /* of its pixels */
	uint8_t *ground;    /* they without words, and behind them they themselves */
};

ANY_THREAD static struct frame lay_out(
	uint8_t *pixels, size_t size_bytes, uint32_t width, uint32_t height)
{
	uint32_t luma_bytes = width * height, chroma_bytes = (uint32_t)size_bytes - luma_bytes;

	return (struct frame){
		.fourcc = V4L2_PIX_FMT_NV12,
		.width = width,
		.height = height,
		.n_planes = 2,
		.planes = {{pixels, width, luma_bytes, 0, -1},
			{pixels + luma_bytes, (width + 1) / 2 * 2, chroma_bytes, 0, -1}},
		.range = FRAME_FULL_RANGE,
	};
}

/* Each sample becomes what the picture has at its place, nearer to what is dark. */
ANY_THREAD static void dim(const struct canvas *picture, const struct canvas *ground, unsigned i)
{
	const struct canvas_component *from = &picture->components[i];
	const struct canvas_component *to = &ground->components[i];
	int dark = i ? NO_COLOUR : 0;

	for (uint32_t y = 0; y < to->height; y++)
		for (uint32_t x = 0; x < to->width; x++) {
			int value = canvas_get(picture, from, x * from->width / to->width,
				y * from->height / to->height);

			to->first[y * to->stride_bytes + x * to->step_bytes] =
				(uint8_t)(dark + (value - dark) / DIMMED);
		}
}

ANY_THREAD static void make_ground(const struct frame *picture, const struct frame *ground)
{
	struct canvas from, to;

	canvas_init(&to, pixel_format_find(ground->fourcc), ground);
	memset(to.components[0].first, GROUND, ground->planes[0].size_bytes);
	memset(to.components[1].first, NO_COLOUR, ground->planes[1].size_bytes);
	if (!picture)
		return;
	canvas_init(&from, pixel_format_find(picture->fourcc), picture);
	for (unsigned i = 0; i < from.n_components; i++)
		dim(&from, &to, i);
}

int placeholder_create(const char *font_path, uint32_t width, uint32_t height,
	const struct frame *picture, struct placeholder **ret_placeholder)
{
	size_t pairs = (size_t)((width + 1) / 2) * ((height + 1) / 2);
	size_t size_bytes = (size_t)width * height + 2 * pairs;
	struct placeholder *placeholder = calloc(1, sizeof *placeholder);
	uint8_t *pixels = malloc(2 * size_bytes);
	struct frame ground;

	if (!placeholder || !pixels) {
		free(placeholder);
		free(pixels);
		return -ENOMEM;
	}
	ground = lay_out(pixels, size_bytes, width, height);
	make_ground(picture, &ground);
	*placeholder = (struct placeholder){
		.font_path = font_path,
		.frame = lay_out(pixels + size_bytes, size_bytes, width, height),
		.size_bytes = size_bytes,
		.ground = pixels,
	};
	*ret_placeholder = placeholder;
	return 0;
}

void placeholder_destroy(struct placeholder *placeholder)
{
	if (!placeholder)
		return;
	free(placeholder->ground);
	free(placeholder);
}

/* Words in the middle of the height, and a margin at either side. */
ON_ENCODE static void draw_lines(struct text *text, const struct text_plane *plane,
	uint32_t line_px, const char *const lines[], size_t n)
{
	uint32_t margin = plane->width > 2 * line_px ? line_px : 0;
	uint32_t y = plane->height / 3;

	for (size_t i = 0; i < n; i++) {
		const char *at = lines[i];

		while (*at && y + line_px <= plane->height) {
			size_t fits = text_fit(text, at, plane->width - 2 * margin);

			text_draw(text, plane, margin, y, at, fits, INK);
			at += fits;
			at += strspn(at, " ");
			y += line_px;
		}
	}
}

int placeholder_draw(struct placeholder *placeholder, const char *const lines[], size_t n,
	struct frame *ret_frame)
{
	uint32_t width = placeholder->frame.width, height = placeholder->frame.height;
	uint32_t line_px = height / LINES_HIGH > LINE_LEAST ? height / LINES_HIGH : LINE_LEAST;
	uint8_t *pixels = placeholder->ground + placeholder->size_bytes;
	struct text *text;
	int err;

	memcpy(pixels, placeholder->ground, placeholder->size_bytes);
	*ret_frame = placeholder->frame;
	err = text_create(placeholder->font_path, line_px, &text);
	if (err < 0)
		return err;
	draw_lines(text, &(struct text_plane){pixels, width, height, width}, line_px, lines, n);
	text_destroy(text);
	return 0;
}
