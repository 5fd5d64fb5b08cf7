/*
 * A gate: whether a frame that starts now would leave, or wait behind older ones.
 *
 * What a slow reader has not read yet lies in its kernel's buffer. It is acknowledged, so it counts
 * as delivered, but the window that the reader's kernel grants shrinks by it. A window that is
 * small beside the largest ever granted means that a frame would grow old in that buffer; it is
 * better chosen later, when it is a newer one. What is still on its way will take room there too.
 * A reader that reads what comes leaves its window open, and is not held up, however long the link.
 */
#ifndef FANLIGHT_SERVER_GATE_H
#define FANLIGHT_SERVER_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"

struct gate {
	uint32_t largest_bytes; /* window granted so far */
	uint64_t opened_ns;     /* CLOCK_MONOTONIC, when it last let a frame through */
	uint64_t closed_ns;     /* since when it is shut; 0 if it is open */
};

/* What the kernel knows of a connection; all 0, which opens any gate, if it does not tell. */
struct gate_view {
	uint32_t window_bytes;      /* that the peer granted with its last acknowledgement */
	uint32_t outstanding_bytes; /* that we sent, or are to send, and it has not acknowledged */
	uint64_t round_trip_ns;     /* the shortest seen */
	uint64_t bytes_per_s;       /* that it lately took; 0 before it took any */
};

ANY_THREAD struct gate_view gate_look(int fd);

/* Whether a frame may start at now_ns, seeing that; if not, ask again a little later. */
ANY_THREAD bool gate_is_open(struct gate *gate, struct gate_view view, uint64_t now_ns);

#endif
