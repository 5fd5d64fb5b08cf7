/*
 * A flight: the pictures of a live stream that were sent and are not known to be drawn yet.
 *
 * A viewer acknowledges the newest picture that it has drawn, and with it all that came before;
 * those it may have skipped.
 */
#ifndef FANLIGHT_SERVER_FLIGHT_H
#define FANLIGHT_SERVER_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"

/* More than are on their way on the longest of links; older ones are forgotten. */
#define FLIGHT_PICTURES 64

struct flight_picture {
	uint32_t serial;
	uint64_t captured_ns, sent_ns; /* CLOCK_MONOTONIC */
};

/* All zero: nothing was sent yet. */
struct flight {
	struct flight_picture pictures[FLIGHT_PICTURES]; /* a ring */
	unsigned first, n;                               /* the oldest in it, and how many */
};

/* A picture is handed to the connection at sent_ns. */
ANY_THREAD void flight_send(struct flight *flight, struct flight_picture picture);

/*
 * The viewer has drawn a picture; it and all that were sent before are on their way no more.
 * True, and *ret_picture is that picture; false when none of this serial is on its way.
 */
ANY_THREAD bool flight_land(
	struct flight *flight, uint32_t serial, struct flight_picture *ret_picture);

#endif
