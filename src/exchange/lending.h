/*
 * Lending: one camera's frames to several readers, each through an exchange of its own.
 *
 * A frame goes home when no reader's exchange carries it any more. Only the lender counts: what a
 * reader has finished with, or never saw, it learns when it next swaps a slot of that exchange. So a
 * reader that stalls keeps what it looks at and one frame more, and costs the others nothing. The
 * second reader may keep two (exchange_take_keeping()).
 */
#ifndef FANLIGHT_LENDING_H
#define FANLIGHT_LENDING_H

#include <stdint.h>

#include "base/roles.h"
#include "exchange/exchange.h"
#include "fanlight/frame.h"

#define LENDING_READERS 2

/*
 * Loans out at once: the newest, which all have, an older one with the first reader, two with the
 * second, and one to lend.
 */
#define LENDING_LOANS(readers) ((readers) == 1 ? 3 : 5)

/* Loans are numbered below this. */
#define LENDING_NUMBERS 32

/* An exchange of struct frame for each reader; fourcc 0 is an empty slot. */
struct lending {
	struct exchange *readers[LENDING_READERS];
	unsigned n_readers;
	uint8_t slots[LENDING_NUMBERS]; /* that carry a loan */
};

/* Frames that have come home, for the camera to have back. */
struct homecoming {
	struct frame frames[4 * LENDING_READERS];
	unsigned n;
};

/* Lend a frame to all readers. */
ON_CAPTURE void lending_lend(
	struct lending *lending, const struct frame *frame, struct homecoming *ret_home);

/* Have every loan back, wherever it is: waits until each reader has answered. */
ON_CAPTURE void lending_recall(struct lending *lending, struct homecoming *ret_home);

#endif
