/*
 * The pictures of a multipart/x-mixed-replace stream, as any server of them writes it: with or
 * without a length for each part, with or without the dashes counted into the boundary.
 */
#ifndef FANLIGHT_PROBE_MULTIPART_H
#define FANLIGHT_PROBE_MULTIPART_H

#include <stdbool.h>

#include "probe/inbox.h"
#include "probe/picture.h"

#define MULTIPART_BOUNDARY_MOST 70 /* RFC 2046 */

struct multipart {
	struct inbox inbox;
	char boundary[MULTIPART_BOUNDARY_MOST + 1]; /* without dashes before it */
	enum { MULTIPART_DELIMITER, MULTIPART_HEADERS, MULTIPART_BODY, MULTIPART_END } expecting;
	struct picture part; /* what its headers say; bytes: 0 when they give no length */
	bool placeholder;    /* likewise */
	size_t searched;     /* so many bytes of a body without length hold no delimiter */
	size_t taken;        /* of the inbox, by the picture that was handed out last */
};

/*
 * Prepare for a body of this Content-Type, copied. End with multipart_finish() in any case.
 * Returns 0, or -EINVAL: this is no multipart type with a boundary.
 */
ANY_THREAD int multipart_init(struct multipart *multipart, const char *content_type);

/* Append bytes of the body. Returns 0 or -ENOMEM. */
ANY_THREAD int multipart_add(struct multipart *multipart, const void *data, size_t bytes);

/*
 * The next live picture that is complete; placeholders are skipped. Returns 1 and the picture, whose
 * bytes are valid until the next call; 0 when more bytes are needed; -EBADMSG when they can be no
 * such stream.
 */
ANY_THREAD int multipart_next(struct multipart *multipart, struct picture *ret_picture);

ANY_THREAD void multipart_finish(struct multipart *multipart);

#endif
