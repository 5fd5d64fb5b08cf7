#include "pipeline/life.h"

#include <errno.h>

#include "base/clock.h"

/* Between attempts to open. */
#define PAUSE_FIRST_NS (250 * NS_PER_MS)
#define PAUSE_MOST_NS  (4 * NS_PER_S)
#define PAUSE_LEAST_NS (100 * NS_PER_MS)

/* Viewers are told when the next frame is so late: within a second. */
#define REPORT_NS (800 * NS_PER_MS)

/* A camera that is silent for so many frames, and so long, needs help. */
#define PATIENCE_FRAMES 30
#define PATIENCE_NS     (3 * NS_PER_S)

/* No driver is believed that promises a frame less often. */
#define INTERVAL_MOST_NS (60 * NS_PER_S)

ON_CAPTURE static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void life_open(struct life *life)
{
	life->state = CAMERA_OPENING;
}

void life_listen(struct life *life, uint64_t interval_ns, uint64_t now_ns)
{
	if (interval_ns > INTERVAL_MOST_NS)
		interval_ns = INTERVAL_MOST_NS;
	life->report_ns = interval_ns + REPORT_NS;
	life->patience_ns = larger(PATIENCE_FRAMES * interval_ns, PATIENCE_NS);
	life->since_ns = now_ns;
	life->reported = true; /* nobody was told that it works */
	life->restarted = false;
	life->due_ns = now_ns + life->patience_ns;
}

void life_hear(struct life *life, uint64_t now_ns)
{
	life->state = CAMERA_STREAMING;
	life->pause_ns = 0;
	life->since_ns = now_ns;
	life->reported = life->restarted = false;
	life->due_ns = now_ns + life->report_ns;
}

enum life_step life_look(struct life *life, uint64_t now_ns)
{
	if (now_ns < life->due_ns)
		return LIFE_LISTEN;
	if (!life->reported) {
		life->state = CAMERA_LOST;
		life->reported = true;
		life->due_ns = life->since_ns + life->patience_ns;
		return LIFE_REPORT;
	}
	life->due_ns = now_ns + life->patience_ns;
	if (life->restarted)
		return LIFE_GIVE_UP;
	life->restarted = true;
	return LIFE_RESTART;
}

void life_rest(struct life *life)
{
	life->state = CAMERA_IDLE;
}

enum camera_fault life_fault(int err)
{
	switch (err) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return FAULT_GONE;
	case -EBUSY:
		return FAULT_BUSY;
	case -EACCES:
	case -EPERM:
		return FAULT_DENIED;
	case -ENOLINK:
	case -ENOLCK:
	case -ERANGE:
		return FAULT_SIGNAL;
	case -ESTALE:
		return FAULT_CHANGED;
	case -ETIMEDOUT:
		return FAULT_SILENT;
	case -ENOMEM:
		return FAULT_MEMORY;
	default:
		return FAULT_DRIVER;
	}
}

void life_fail(struct life *life, int err, uint64_t now_ns)
{
	bool absent = err == -ENOENT;

	life->state = absent ? CAMERA_ABSENT : CAMERA_LOST;
	if (absent && life->told && life->pause_ns == PAUSE_MOST_NS) {
		life->due_ns = UINT64_MAX;
		return;
	}
	if (err == -ESTALE && !life->pause_ns) {
		life->pause_ns = 1; /* none, this once */
		life->due_ns = now_ns;
		return;
	}
	life->pause_ns = larger(2 * life->pause_ns, PAUSE_FIRST_NS);
	if (life->pause_ns > PAUSE_MOST_NS)
		life->pause_ns = PAUSE_MOST_NS;
	life->due_ns = now_ns + life->pause_ns;
}

void life_hurry(struct life *life, uint64_t now_ns)
{
	life->pause_ns = 0;
	life->due_ns = now_ns;
}

void life_recheck(struct life *life, uint64_t now_ns)
{
	if (life->due_ns > now_ns + PAUSE_LEAST_NS)
		life->due_ns = now_ns + PAUSE_LEAST_NS;
}
