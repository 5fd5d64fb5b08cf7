#include "process/logo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <png.h>

int logo_load(const char *path, struct logo *ret_logo, char reason[PROCESS_REASON_BYTES])
{
	png_image png = {.version = PNG_IMAGE_VERSION};
	struct logo logo = {0};

	if (!*path) {
		(void)snprintf(reason, PROCESS_REASON_BYTES,
			"overlay has a {logo}, and the setting logo names no file");
		return -EINVAL;
	}
	if (!png_image_begin_read_from_file(&png, path))
		goto refuse;
	if (png.width > LOGO_PIXELS_MOST || png.height > LOGO_PIXELS_MOST) {
		(void)snprintf(reason, PROCESS_REASON_BYTES,
			"the logo %.100s has %ux%u pixels; use one of at most %ux%u", path,
			png.width, png.height, LOGO_PIXELS_MOST, LOGO_PIXELS_MOST);
		png_image_free(&png);
		return -EINVAL;
	}
	png.format = PNG_FORMAT_RGBA;
	logo = (struct logo){png.width, png.height, malloc(PNG_IMAGE_SIZE(png))};
	if (!logo.pixels) {
		png_image_free(&png);
		(void)snprintf(reason, PROCESS_REASON_BYTES, "there is no memory for a logo");
		return -ENOMEM;
	}
	/* Frees what is libpng's, whether or not it succeeds. */
	if (!png_image_finish_read(&png, NULL, logo.pixels, 0, NULL))
		goto refuse;
	*ret_logo = logo;
	return 0;

refuse:
	(void)snprintf(
		reason, PROCESS_REASON_BYTES, "the logo %.100s: %s; use a PNG", path, png.message);
	logo_free(&logo);
	return -EINVAL;
}

void logo_free(struct logo *logo)
{
	free(logo->pixels);
	*logo = (struct logo){0};
}
