/* A stream: one client that is sent a camera's newest part, and the next newest when it has it. */
#ifndef FANLIGHT_SERVER_STREAM_H
#define FANLIGHT_SERVER_STREAM_H

#include "server/gate.h"
#include "server/inside.h"
#include "server/live.h"
#include "server/pace.h"

/* All of the server thread; lives in its request's pool. */
struct stream {
	h2o_generator_t generator;
	h2o_linklist_t link; /* in feed->streams */
	struct feed *feed;
	struct channel *channel;
	h2o_req_t *req;
	uint64_t id;
	enum protocol protocol;
	struct traffic *traffic; /* all of this protocol's */
	enum part_layout layout;
	struct live *live; /* of that layout, else NULL */
	bool extra_headers;
	struct pace pace;
	struct gate gate;
	h2o_timeout_entry_t recheck; /* of the gate */

	bool begun;   /* a multipart stream's opening boundary has been sent */
	bool sending; /* from h2o_send() until the kernel has taken it; for ever after the last */
	struct part *part; /* being sent, or waited for the rest of */
	unsigned part_done;
	bool piecemeal; /* its parts are sent as they grow */
	struct stall stall;
	uint64_t seen;    /* serial of the newest part that was sent or passed over */
	char header[704]; /* of the part being sent, when the shared one does not do */

	char address[64];
	uint64_t frames;   /* that the kernel has taken */
	uint64_t bytes;    /* that were handed to libh2o */
	uint64_t age_ns;   /* of the last of those by then, since its capture */
	struct meter rate; /* of frames */
};

ON_SERVER static inline struct stream *stream_of_link(h2o_linklist_t *link)
{
	return H2O_STRUCT_FROM_MEMBER(struct stream, link, link);
}

#endif
