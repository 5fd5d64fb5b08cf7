/*
 * Live: the records of a stream that is made for pages, and what its viewer tells of them.
 * deploy/live.md is the contract.
 */
#ifndef FANLIGHT_SERVER_LIVE_H
#define FANLIGHT_SERVER_LIVE_H

#include "server/flight.h"
#include "server/inside.h"

#define LIVE_CONTENT_TYPE "application/vnd.fanlight.live"
#define LIVE_HEADER_BYTES 48

/* What a live stream has beyond other streams; in its request's pool. */
struct live {
	char id[33];          /* hexadecimal, not to be guessed */
	uint64_t status_seen; /* the feed's status_serial that was told last */
	char *notice;         /* being sent; of malloc() */
	struct flight flight;
	uint64_t drawn;        /* pictures that the viewer acknowledged, or skipped before one */
	uint64_t drawn_age_ns; /* of the last of those when it was drawn, as the viewer saw it */
};

ON_SERVER struct live *live_create(h2o_req_t *req);

/* Free what the pool does not; NULL is ignored. */
ON_SERVER void live_finish(struct live *live);

/*
 * Write the header of a picture's next record, with a payload of so many bytes, that is sent now;
 * done is as part_lay_out() left it. With the last one the picture is known to be on its way, unless
 * it is a placeholder.
 */
ON_SERVER void live_send_picture(struct live *live, const struct part *part, unsigned done,
	size_t payload_bytes, char ret_header[LIVE_HEADER_BYTES]);

/*
 * The records to send before any picture: hello for the first time, the camera's status when it is
 * news. Of no bytes if there are none; valid until live_forget_notice().
 */
ON_SERVER h2o_iovec_t live_notice(struct live *live, struct feed *feed);

/* The notice has been sent. */
ON_SERVER void live_forget_notice(struct live *live);

/*
 * Take a viewer's report in a request's body, and answer it; target_age_ns is what flight_land()
 * wants. True when a picture was drawn: there may be room for another then.
 */
ON_SERVER bool live_take_report(struct live *live, h2o_req_t *req, uint64_t target_age_ns);

#endif
