/*
 * A camera's life: what its capture thread does next, and when.
 *
 *   absent ──▶ opening ──▶ streaming ──▶ lost ──▶ opening ...
 *
 * absent: nothing is there to be opened; lost: it is there, or was, and fails. Both end when the
 * pause is over or when life_hurry() says that a device has come. Pauses grow up to a bound; where
 * the kernel tells of devices, what is absent is then waited for without looking. A camera that
 * streams may rest while nobody watches, idle, until life_open().
 *
 * An open camera that falls silent is first reported, then stopped and started, then closed.
 *
 * Only bookkeeping, so that every turn can be tested without a camera: times come in, decisions go
 * out. All times are CLOCK_MONOTONIC.
 */
#ifndef FANLIGHT_LIFE_H
#define FANLIGHT_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"
#include "base/stats.h"
#include "exchange/status.h"

struct life {
	bool told; /* life_hurry() will be called when a device comes; set by the caller, once */
	enum camera_state state;
	uint64_t due_ns; /* when to go on, UINT64_MAX for never: life_look() when open, else open */

	uint64_t pause_ns;               /* the last one, 0 for none */
	uint64_t report_ns, patience_ns; /* silence until it is reported, until it is acted upon */
	uint64_t since_ns;               /* of the silence */
	bool reported, restarted;        /* in this silence */
};

/* What to do about an open camera. */
enum life_step {
	LIFE_LISTEN,  /* nothing: it may yet speak, look again at due_ns */
	LIFE_REPORT,  /* say that it is silent; state is lost */
	LIFE_RESTART, /* stop and start it */
	LIFE_GIVE_UP, /* close it, then life_fail() */
};

/* It is about to be opened: state is opening. */
ON_CAPTURE void life_open(struct life *life);

/*
 * It was opened and started; frames should come every interval_ns (0 when it does not say; more
 * than a minute is not believed).
 */
ON_CAPTURE void life_listen(struct life *life, uint64_t interval_ns, uint64_t now_ns);

/* A frame came: state is streaming, and all that went wrong before is forgotten. */
ON_CAPTURE void life_hear(struct life *life, uint64_t now_ns);

/* No frame came: what to do. Sets due_ns for the next look. */
ON_CAPTURE enum life_step life_look(struct life *life, uint64_t now_ns);

/* It was closed because nobody watches: state is idle. */
ON_CAPTURE void life_rest(struct life *life);

/* What kind of fault a negative errno of the camera's is. */
ANY_THREAD enum camera_fault life_fault(int err);

/*
 * It could not be opened or has failed with err (a negative errno) and is closed: state is absent
 * after -ENOENT, else lost, and due_ns is when to open it again, at once after -ESTALE (its
 * pictures have changed) unless it has delivered none since the last time.
 */
ON_CAPTURE void life_fail(struct life *life, int err, uint64_t now_ns);

/* A device has come: open at once, and again soon if it needs a moment. */
ON_CAPTURE void life_hurry(struct life *life, uint64_t now_ns);

/* What was wrong may be right now: open soon, but not as fast as a flapping signal. */
ON_CAPTURE void life_recheck(struct life *life, uint64_t now_ns);

#endif
