/*
 * Text: lines of UTF-8 drawn into a plane of luma, with one font.
 *
 * Pixels are blended by how much of them a glyph covers; what lies outside of the plane is left out.
 * Bytes that are no UTF-8 and characters that the font lacks show as its mark for those.
 */
#ifndef FANLIGHT_PROCESS_TEXT_H
#define FANLIGHT_PROCESS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

struct text;

/* Where it is drawn; the pixels are the caller's. */
struct text_plane {
	uint8_t *pixels;
	uint32_t width, height, stride_bytes;
};

/*
 * Open a font file, to draw glyphs of so many pixels from one line to the next. Glyphs are kept for
 * the next time.
 * Returns 0, -ENOENT (no such file), -EINVAL (no font that can be scaled) or -ENOMEM.
 */
ANY_THREAD int text_create(const char *font_path, uint32_t line_px, struct text **ret_text);

/* NULL is ignored. */
ANY_THREAD void text_destroy(struct text *text);

/* Draw so many pixels from one line to the next from now on. Returns 0, -EINVAL or -ENOMEM. */
ANY_THREAD int text_resize(struct text *text, uint32_t line_px);

/* How many pixels wide the first n_bytes of a string are. */
ON_ENCODE uint32_t text_width(struct text *text, const char *string, size_t n_bytes);

/*
 * How many bytes of a string's first line fit into width_px: up to the last space that does, if there
 * is one, else as many characters as do, and at least one; all of it when all fits.
 */
ON_ENCODE size_t text_fit(struct text *text, const char *string, uint32_t width_px);

/* Draw the first n_bytes of a string in this luma, its line's upper left corner at x, y. */
ON_ENCODE void text_draw(struct text *text, const struct text_plane *plane, uint32_t x, uint32_t y,
	const char *string, size_t n_bytes, uint8_t luma);

#endif
