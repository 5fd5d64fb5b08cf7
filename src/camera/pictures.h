/*
 * The pictures in a file (JPEG, concatenated JPEGs, Y4M) or in a folder of JPEGs, for replay.
 *
 * Files are read into memory and a picture is a slice of one; what becomes of the files later is
 * nothing to us. (A mapping of a file that somebody cuts short ends the process: SIGBUS.)
 */
#ifndef FANLIGHT_PICTURES_H
#define FANLIGHT_PICTURES_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "camera/camera.h"
#include "fanlight/frame.h"

struct picture {
	const uint8_t *data;
	size_t bytes;           /* fits 32 bits */
	uint32_t width, height; /* pixels */
};

struct picture_file {
	uint8_t *data;
	size_t bytes;
};

struct pictures {
	uint32_t fourcc; /* of all of them */
	enum frame_encoding encoding;
	enum frame_range range;
	uint32_t fps_numerator, fps_denominator; /* as the file says, believed or not; else 0 */
	/* of each plane; 0 when compressed */
	uint32_t stride_bytes[FRAME_MAX_PLANES], offset_bytes[FRAME_MAX_PLANES];

	struct picture *pictures;
	size_t n_pictures; /* at least 1 once opened */
	struct picture_file *files;
	size_t n_files;
};

/*
 * Read what path names and find its pictures, a folder's in the order of the files' names.
 * Returns 0, or a negative errno with a sentence in reason and nothing left open.
 */
ANY_THREAD int pictures_open(
	struct pictures *pictures, const char *path, char reason[CAMERA_REASON_BYTES]);

/*
 * Find the whole pictures in one file's bytes, which stay where they are while pictures is in use;
 * pictures is zeroed before.
 * Returns 0, -EBADMSG (a broken Y4M header), -ENOTSUP (a Y4M colour space) or -ENOMEM.
 */
ANY_THREAD int pictures_parse(struct pictures *pictures, const uint8_t *data, size_t bytes);

/* Free. Harmless on a zeroed or closed one. */
ANY_THREAD void pictures_close(struct pictures *pictures);

#endif
