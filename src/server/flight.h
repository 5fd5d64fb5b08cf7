/*
 * A flight: the pictures of a live stream that were sent and are not known to be drawn yet, and
 * how many of them there may be.
 *
 * A viewer acknowledges the newest picture that it has drawn, and with it all that came before. So
 * queues show that no kernel of ours can see, inside the network and inside the viewer: a picture
 * that waits in one takes longer than the quickest of late. While pictures take longer by more than
 * the target age fewer are let on their way, as few as one; when they take less than half of that
 * longer, one more. Where that leaves out some, the rest are spread evenly, at the rate at which
 * they arrive. A viewer whose pictures are not late may acknowledge only some, and says which comes
 * next; those between are let on their way beside the others.
 *
 * The quickest of late is of the last ten seconds. On a link that is always full none may have been
 * quick for as long; then the flight is let land once, so that the next picture tells.
 */
#ifndef FANLIGHT_SERVER_FLIGHT_H
#define FANLIGHT_SERVER_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"
#include "server/pace.h"

/* More than are on their way on the longest of links, with those beside; older are forgotten. */
#define FLIGHT_PICTURES 80

/* Which picture after an acknowledged one has to be, at the latest. */
#define FLIGHT_NEXT_MOST 16

struct flight_picture {
	uint32_t serial;
	uint64_t captured_ns, sent_ns; /* CLOCK_MONOTONIC */
};

/* All zero, as at first: whoever acknowledges nothing is not held up. */
struct flight {
	struct flight_picture pictures[FLIGHT_PICTURES]; /* a ring */
	unsigned first, n;                               /* the oldest in it, and how many */

	unsigned most;           /* pictures on their way; 0 while nothing was acknowledged */
	unsigned beside;         /* as many more that are not acknowledged by themselves */
	bool full;               /* a picture was held back since the last acknowledgement */
	uint64_t lowered_ns;     /* when most was */
	int64_t quickest_ns;     /* from sending to drawing */
	uint64_t quickest_at_ns; /* when one was last about as quick */
	uint64_t landing_ns;     /* since when the flight is let land; 0 for not */

	struct pace pace;           /* while pictures are left out */
	bool was_full;              /* in the span that is being measured */
	uint64_t measured_since_ns; /* 0 for none */
	unsigned measured;          /* pictures that landed since */
};

/* Whether a picture captured at captured_ns may be sent at now_ns. */
ANY_THREAD bool flight_has_room(struct flight *flight, uint64_t captured_ns, uint64_t now_ns);

/* A picture is handed to the connection at sent_ns. */
ANY_THREAD void flight_send(struct flight *flight, struct flight_picture picture);

/*
 * The viewer has drawn a picture, as we hear at now_ns; it and all that were sent before are on
 * their way no more. age_ns is its age when it was drawn, next the picture after it that will be
 * acknowledged, 1 for the first, target_ns how much longer than the quickest a picture may be on its
 * way. Returns how many these pictures are.
 */
ANY_THREAD unsigned flight_land(struct flight *flight, const struct flight_picture *picture,
	uint64_t age_ns, unsigned next, uint64_t target_ns, uint64_t now_ns);

/* The picture of this serial that is on its way; NULL if none is. Valid until the next call. */
ANY_THREAD const struct flight_picture *flight_find(const struct flight *flight, uint32_t serial);

#endif
