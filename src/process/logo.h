/* A logo: a PNG, whatever its kind, as 8 bits each of red, green, blue and alpha for a pixel. */
#ifndef FANLIGHT_PROCESS_LOGO_H
#define FANLIGHT_PROCESS_LOGO_H

#include <stdint.h>

#include "base/roles.h"
#include "process/config.h"

#define LOGO_PIXELS_MOST 1024 /* in either direction */
#define LOGO_PIXEL_BYTES 4

struct logo {
	uint32_t width, height;
	uint8_t *pixels; /* NULL for none */
};

/* Load a file. Returns 0, -EINVAL (no such file, no PNG, too large) or -ENOMEM, with a sentence. */
ANY_THREAD int logo_load(
	const char *path, struct logo *ret_logo, char reason[PROCESS_REASON_BYTES]);

/* Harmless on none. */
ANY_THREAD void logo_free(struct logo *logo);

#endif
