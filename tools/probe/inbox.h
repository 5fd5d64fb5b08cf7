/* Bytes that have come and are not yet understood. */
#ifndef FANLIGHT_PROBE_INBOX_H
#define FANLIGHT_PROBE_INBOX_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

/* All zero is empty. */
struct inbox {
	uint8_t *memory;
	size_t begin, end, capacity; /* what lies there: from begin to end */
};

/*
 * Append bytes; pointers into the inbox no longer hold.
 * Returns 0, or -ENOMEM.
 */
ANY_THREAD int inbox_add(struct inbox *inbox, const void *data, size_t bytes);

ANY_THREAD static inline uint8_t *inbox_data(const struct inbox *inbox)
{
	return inbox->memory ? inbox->memory + inbox->begin : NULL; /* none came yet */
}

ANY_THREAD static inline size_t inbox_bytes(const struct inbox *inbox)
{
	return inbox->end - inbox->begin;
}

/* Drop as many of the first bytes, of those that are there; the others stay where they are. */
ANY_THREAD static inline void inbox_drop(struct inbox *inbox, size_t bytes)
{
	inbox->begin += bytes;
}

ANY_THREAD void inbox_finish(struct inbox *inbox);

#endif
