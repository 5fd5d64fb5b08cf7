#include "process/placeholder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/videodev2.h>

#include "process/text.h"

#define GROUND 48
#define INK    224

/* Of chroma. */
#define NO_COLOUR 128

/* Lines to the height of a picture, and the width of its margin in lines. */
#define LINES_HIGH 12
#define LINE_LEAST 8

struct placeholder {
	const char *font_path;
	uint8_t *pixels;
	size_t size_bytes;
};

int placeholder_create(const char *font_path, struct placeholder **ret_placeholder)
{
	struct placeholder *placeholder = calloc(1, sizeof *placeholder);

	if (!placeholder)
		return -ENOMEM;
	placeholder->font_path = font_path;
	*ret_placeholder = placeholder;
	return 0;
}

void placeholder_destroy(struct placeholder *placeholder)
{
	if (!placeholder)
		return;
	free(placeholder->pixels);
	free(placeholder);
}

/* Room for so many bytes; their values are lost. */
ON_ENCODE static int reserve(struct placeholder *placeholder, size_t size_bytes)
{
	uint8_t *pixels;

	if (size_bytes == placeholder->size_bytes)
		return 0;
	pixels = malloc(size_bytes);
	if (!pixels)
		return -ENOMEM;
	free(placeholder->pixels);
	placeholder->pixels = pixels;
	placeholder->size_bytes = size_bytes;
	return 0;
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

int placeholder_draw(struct placeholder *placeholder, uint32_t width, uint32_t height,
	const char *const lines[], size_t n, struct frame *ret_frame)
{
	uint32_t line_px = height / LINES_HIGH > LINE_LEAST ? height / LINES_HIGH : LINE_LEAST;
	uint32_t chroma_stride = (width + 1) / 2 * 2;
	uint32_t luma_bytes = width * height, chroma_bytes = chroma_stride * ((height + 1) / 2);
	struct text_plane plane = {NULL, width, height, width};
	struct text *text;
	int err = reserve(placeholder, (size_t)luma_bytes + chroma_bytes);

	if (err < 0)
		return err;
	plane.pixels = placeholder->pixels;
	memset(plane.pixels, GROUND, luma_bytes);
	memset(plane.pixels + luma_bytes, NO_COLOUR, chroma_bytes);
	*ret_frame = (struct frame){
		.fourcc = V4L2_PIX_FMT_NV12,
		.width = width,
		.height = height,
		.n_planes = 2,
		.planes = {{plane.pixels, width, luma_bytes, 0, -1},
			{plane.pixels + luma_bytes, chroma_stride, chroma_bytes, 0, -1}},
		.range = FRAME_FULL_RANGE,
	};
	err = text_create(placeholder->font_path, line_px, &text);
	if (err < 0)
		return err;
	draw_lines(text, &plane, line_px, lines, n);
	text_destroy(text);
	return 0;
}
