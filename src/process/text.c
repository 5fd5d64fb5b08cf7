#include "process/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_GLYPH_H

#define REPLACEMENT 0xfffd

/* FreeType counts 64 parts of a pixel. */
#define FROM_64(parts) ((parts) / 64)

/* Those that are kept: of ASCII all, and of others one for each place. */
#define GLYPHS_KEPT 128

struct glyph {
	FT_Glyph image; /* a bitmap; NULL for no glyph yet */
	uint32_t character;
	FT_Pos advance;
};

struct text {
	FT_Library library;
	FT_Face face;
	uint32_t line_px;
	struct glyph glyphs[GLYPHS_KEPT];
};

ANY_THREAD static int errno_of(FT_Error err)
{
	return !err                                 ? 0
	       : err == FT_Err_Cannot_Open_Resource ? -ENOENT
	       : err == FT_Err_Out_Of_Memory        ? -ENOMEM
						    : -EINVAL;
}

int text_create(const char *font_path, uint32_t line_px, struct text **ret_text)
{
	struct text *text = calloc(1, sizeof *text);
	int err;

	if (!text)
		return -ENOMEM;
	err = errno_of(FT_Init_FreeType(&text->library));
	if (!err)
		err = errno_of(FT_New_Face(text->library, font_path, 0, &text->face));
	if (!err)
		err = text_resize(text, line_px);
	if (err < 0) {
		text_destroy(text);
		return err;
	}
	*ret_text = text;
	return 0;
}

ANY_THREAD static void forget_glyphs(struct text *text)
{
	for (size_t i = 0; i < GLYPHS_KEPT; i++)
		FT_Done_Glyph(text->glyphs[i].image);
	memset(text->glyphs, 0, sizeof text->glyphs);
}

void text_destroy(struct text *text)
{
	if (!text)
		return;
	forget_glyphs(text);
	/* Either answers NULL with an error that says so, and nothing else can go wrong. */
	(void)FT_Done_Face(text->face);
	(void)FT_Done_FreeType(text->library);
	free(text);
}

int text_resize(struct text *text, uint32_t line_px)
{
	FT_Size_RequestRec size = {
		.type = FT_SIZE_REQUEST_TYPE_CELL, .height = (FT_Long)line_px * 64};
	int err;

	if (line_px == text->line_px)
		return 0;
	forget_glyphs(text);
	err = errno_of(FT_Request_Size(text->face, &size));
	text->line_px = err ? 0 : line_px;
	return err;
}

/* The glyph of a character, valid until the next call; NULL if it is broken, or no memory. */
ON_ENCODE static const struct glyph *find_glyph(struct text *text, uint32_t character)
{
	struct glyph *glyph = &text->glyphs[character % GLYPHS_KEPT];
	FT_Glyph image;

	if (glyph->image && glyph->character == character)
		return glyph;
	if (FT_Load_Char(text->face, character, FT_LOAD_RENDER) ||
		FT_Get_Glyph(text->face->glyph, &image))
		return NULL;
	FT_Done_Glyph(glyph->image);
	*glyph = (struct glyph){image, character, text->face->glyph->advance.x};
	return glyph;
}

/* The character at *string, which moves behind it: one byte where it is no UTF-8. */
ON_ENCODE static uint32_t next_character(const char **string, const char *end)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint8_t first = (uint8_t) * (*string)++;
	unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
	uint32_t character = first & (0x3fu >> more);

	if (first < 0x80)
		return first;
	if (!more || first >= 0xf8 || end - *string < more)
		return REPLACEMENT;
	for (unsigned i = 0; i < more; i++) {
		if (((*string)[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		character = character << 6 | ((*string)[i] & 0x3f);
	}
	if (character < least[more] || character > 0x10ffff || (character & ~0x7ffu) == 0xd800)
		return REPLACEMENT;
	*string += more;
	return character;
}

uint32_t text_width(struct text *text, const char *string, size_t n_bytes)
{
	const char *end = string + n_bytes;
	FT_Pos used = 0;

	while (string < end) {
		const struct glyph *glyph = find_glyph(text, next_character(&string, end));

		used += glyph ? glyph->advance : 0;
	}
	return (uint32_t)FROM_64(used + 63);
}

size_t text_fit(struct text *text, const char *string, uint32_t width_px)
{
	const char *at = string, *end = string + strcspn(string, "\n"), *space = NULL;
	FT_Pos used = 0;

	while (at < end) {
		const char *before = at;
		uint32_t character = next_character(&at, end);
		const struct glyph *glyph = find_glyph(text, character);

		if (character == ' ')
			space = before;
		used += glyph ? glyph->advance : 0;
		if (FROM_64(used) > (FT_Pos)width_px && before > string)
			return (size_t)((space && space > string ? space : before) - string);
	}
	return (size_t)(end - string);
}

/* Blend a glyph whose upper left corner is at left, top. */
ON_ENCODE static void draw_glyph(
	const struct text_plane *plane, const FT_Bitmap *glyph, int64_t left, int64_t top, int luma)
{
	for (unsigned row = 0; row < glyph->rows; row++) {
		const uint8_t *covered = glyph->buffer + (int64_t)row * glyph->pitch;
		int64_t y = top + row;

		if (y < 0 || y >= plane->height)
			continue;
		for (unsigned column = 0; column < glyph->width; column++) {
			int64_t x = left + column;
			uint8_t *pixel = plane->pixels + y * plane->stride_bytes + x;

			if (x >= 0 && x < plane->width)
				*pixel = (uint8_t)(*pixel +
						   (luma - *pixel) * covered[column] / 255);
		}
	}
}

void text_draw(struct text *text, const struct text_plane *plane, uint32_t x, uint32_t y,
	const char *string, size_t n_bytes, uint8_t luma)
{
	const char *end = string + n_bytes;
	int64_t baseline = y + FROM_64(text->face->size->metrics.ascender);
	FT_Pos pen = (FT_Pos)x * 64;

	while (string < end) {
		const struct glyph *glyph = find_glyph(text, next_character(&string, end));
		FT_BitmapGlyph image;

		if (!glyph)
			continue;
		image = (FT_BitmapGlyph)glyph->image;
		if (image->bitmap.pixel_mode == FT_PIXEL_MODE_GRAY)
			draw_glyph(plane, &image->bitmap, FROM_64(pen) + image->left,
				baseline - image->top, luma);
		pen += glyph->advance;
	}
}
