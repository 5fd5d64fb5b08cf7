/* What a camera is and how it is: written by its capture thread, read by the server. */
#ifndef FANLIGHT_STATUS_H
#define FANLIGHT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"
#include "fanlight/frame.h"

enum camera_kind { CAMERA_V4L2, CAMERA_PATTERN, CAMERA_REPLAY };

/* A camera as it was opened. Strings are always terminated. */
struct camera_info {
	enum camera_kind kind;
	char driver[32];
	char card[64];
	char bus[64];
	char path[256];         /* device node or file; "" for the pattern */
	uint32_t fourcc;        /* of the frames it delivers to Fanlight */
	uint32_t device_fourcc; /* what the device itself sends; differs when converted */
	uint32_t width, height; /* pixels */
	uint32_t fps_numerator, fps_denominator; /* what the driver really gave; 0/1 unknown */
	uint32_t buffers;
	enum frame_encoding encoding;
	enum frame_range range;
	bool dmabuf;          /* its buffers are dma-bufs */
	char memory[16];      /* where they come from, as the settings spell it; "" not from V4L2 */
	char memory_path[48]; /* the device, where that is not the camera */
	char memory_note[96]; /* why it is not what was asked for; "" when it is */
	bool stands_in;       /* the pattern, until a camera comes */
	bool converted;       /* libv4l2 converts every frame, which costs a copy */
};

enum camera_state {
	CAMERA_ABSENT,    /* nothing is there to be opened */
	CAMERA_OPENING,   /* being opened, or open and without a frame yet */
	CAMERA_STREAMING, /* delivering: online */
	CAMERA_LOST,      /* it fails; it will be opened again */
	CAMERA_IDLE,      /* closed while nobody watches; whoever comes has it opened */
};

struct camera_status {
	enum camera_state state;
	bool online;
	uint64_t since_ns;       /* CLOCK_MONOTONIC, when it came online or went off */
	uint64_t since_boot_ns;  /* the same of CLOCK_BOOTTIME, to be shown by the wall clock */
	char reason[192];        /* what is wrong, a sentence; "" when nothing is */
	struct camera_info info; /* as last opened; zero when it never was */
};

/* What there is to say of a camera that is offline, a sentence. */
ANY_THREAD static inline const char *camera_status_words(const struct camera_status *status)
{
	if (*status->reason || status->online)
		return status->reason;
	return status->state == CAMERA_IDLE ? "nobody watches" : "it is being opened";
}

/* Whether pictures are missing because something is wrong, not because they are about to come. */
ANY_THREAD static inline bool camera_status_is_bad(const struct camera_status *status)
{
	return !status->online && *status->reason;
}

#endif
