/* Reads the stamps that are drawn into pictures, each once however many viewers have it. */
#ifndef FANLIGHT_PROBE_STAMPS_H
#define FANLIGHT_PROBE_STAMPS_H

#include <stdbool.h>

#include "probe/picture.h"

#include "base/roles.h"

/* Viewers of one stream are this many pictures apart, or it costs another look. */
#define STAMPS_KNOWN 8

struct stamps {
	struct known_stamp {
		uint8_t *data; /* a copy of the picture */
		size_t bytes;
		bool stamped;
		uint64_t captured_ns;
	} known[STAMPS_KNOWN];
	size_t next; /* to be replaced */
};

/* The stamp of a baseline JPEG. False when it has none, or is no such picture. */
ANY_THREAD bool stamps_decode(const uint8_t *jpeg, size_t bytes, uint64_t *ret_captured_ns);

/* As stamps_decode(), remembering the last pictures. All zero remembers nothing. */
ANY_THREAD bool stamps_read(
	struct stamps *stamps, const struct picture *picture, uint64_t *ret_captured_ns);

ANY_THREAD void stamps_finish(struct stamps *stamps);

#endif
