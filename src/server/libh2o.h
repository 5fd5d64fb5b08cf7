/*
 * What libh2o 2.2.5 keeps to itself and guard.c has to know.
 *
 * Its own http2_internal.h cannot be included, for it needs a khash.h that no package ships; a unit
 * test with a stand-in for that compares these with the originals. They are the same in 2.2.6.
 */
#ifndef FANLIGHT_LIBH2O_H
#define FANLIGHT_LIBH2O_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <h2o.h>
#include <h2o/http2.h>

#define LIBH2O_IS_GUARDED                                                     \
	(H2O_LIBRARY_VERSION_MAJOR == 0 && H2O_LIBRARY_VERSION_MINOR == 13 && \
		(H2O_LIBRARY_VERSION_PATCH == 5 || H2O_LIBRARY_VERSION_PATCH == 6))

#define LIBH2O_FRAME_DATA             0
#define LIBH2O_FRAME_PING             6
#define LIBH2O_FRAME_WINDOW_UPDATE    8
#define LIBH2O_FRAME_LAST             9 /* CONTINUATION */
#define LIBH2O_FRAME_FLAG_ACK         0x1
#define LIBH2O_FRAME_FLAG_END_HEADERS 0x4
#define LIBH2O_STREAM_END             7 /* the state of a stream that is finished */

struct libh2o_frame {
	uint32_t length;
	uint8_t type, flags;
	uint32_t stream_id;
	const uint8_t *payload;
};

struct libh2o_headers {
	h2o_http2_priority_t priority;
	const uint8_t *headers;
	size_t headers_bytes;
};

/* Of HTTP/1, as its parser leaves it. */
struct libh2o_field {
	const char *name;
	size_t name_bytes;
	const char *value;
	size_t value_bytes;
};

/* The beginning of it. */
struct libh2o_stream {
	uint32_t id;
	h2o_ostream_t ostream;
	int state;
	ssize_t output_window;
};

#endif
