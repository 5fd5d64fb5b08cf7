/* The pictures of a Fanlight's live stream (/CAMERA/live): records of a header and a payload. */
#ifndef FANLIGHT_PROBE_RECORDS_H
#define FANLIGHT_PROBE_RECORDS_H

#include <stdbool.h>

#include "probe/inbox.h"
#include "probe/picture.h"

#define RECORDS_CONTENT_TYPE "application/vnd.fanlight.live"

/* All zero is the beginning of a stream. */
struct records {
	struct inbox inbox;
	size_t taken;         /* of the inbox, by the record that was looked at last */
	struct inbox picture; /* what has come of one that comes in several records */
	bool is_whole;        /* that was the last of it */
};

/* Append bytes of the body. Returns 0 or -ENOMEM. */
ANY_THREAD int records_add(struct records *records, const void *data, size_t bytes);

/*
 * The next live picture that is complete; placeholders, pictures that were given up and records of
 * other types are skipped. Returns 1 and the picture, whose bytes are valid until the next call; 0
 * when more bytes are needed; -EBADMSG when they can be no such stream; -ENOMEM.
 */
ANY_THREAD int records_next(struct records *records, struct picture *ret_picture);

ANY_THREAD void records_finish(struct records *records);

#endif
