/* A picture as a viewer has it, and what its sender says about when it was made. */
#ifndef FANLIGHT_PROBE_PICTURE_H
#define FANLIGHT_PROBE_PICTURE_H

#include <stddef.h>
#include <stdint.h>

/* More than any camera's JPEG; a sender that claims more is not believed. */
#define PICTURE_BYTES_MOST (64u << 20)

/* What says when a picture was captured; the better ones are later. */
enum time_source {
	TIME_UNKNOWN,
	TIME_X_TIMESTAMP, /* mjpg-streamer's header: the wall clock, or the driver's monotonic one */
	TIME_USTREAMER,   /* X-UStreamer-Grab-Time: CLOCK_MONOTONIC, or ..._RAW */
	TIME_RECORD,      /* of a live record: CLOCK_MONOTONIC */
	TIME_STAMP,       /* drawn into the picture: CLOCK_MONOTONIC */
	TIME_SOURCES,
};

struct picture {
	const uint8_t *data;
	size_t bytes;
	enum time_source source;
	uint64_t captured_ns; /* by the source's clock; none if that is TIME_UNKNOWN */
	uint64_t encoded_ns;  /* CLOCK_MONOTONIC; 0 where the sender does not say */
};

#endif
