/*
 * The exchange: newest wins, nobody waits.
 *
 * A lock-free, wait-free triple buffer between one writer thread and one reader thread. Of three
 * equal slots the writer fills one, the reader looks at one, and one lies in the middle. Publishing
 * swaps the writer's with the middle, taking swaps the reader's with it; each is one atomic
 * exchange of one word. Nothing is torn, nothing older comes after newer, and whatever a slot
 * carries (a loan, a reference) is owned by exactly one side at a time: the slot that publish gives
 * back holds something that the reader has finished with or never saw, for the writer to dispose
 * of.
 *
 * Wake-ups travel through an eventfd, fresh_fd: it is readable whenever something was published
 * since the reader last drained it, except that nothing is signalled while an earlier publication
 * still lies untaken. A reader therefore drains first and takes second, always.
 *
 * A writer that must have everything back (its camera went away) recalls: see exchange_recall().
 */
#ifndef FANLIGHT_EXCHANGE_H
#define FANLIGHT_EXCHANGE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/roles.h"

#define EXCHANGE_SLOTS 3

/* For a reader that keeps two: see exchange_take_keeping(). */
#define EXCHANGE_SLOTS_KEEPING 4

struct exchange {
	/* both threads; constant after init */
	unsigned char *slots;
	size_t slot_bytes;
	int fresh_fd;    /* writer signals, reader polls and drains */
	int returned_fd; /* reader signals that it answered a recall, writer waits */

	alignas(64) unsigned writer_index; /* writer thread */
	bool replaced;                     /* writer thread */
	alignas(64) atomic_uint middle;    /* both: slot index and flags */
	alignas(64) unsigned reader_index; /* reader thread */
	unsigned kept_index;               /* reader thread, if it keeps two */
};

/*
 * Set up an exchange over EXCHANGE_SLOTS slots of slot_bytes each, EXCHANGE_SLOTS_KEEPING for a
 * reader that keeps two, which the caller provides, zeroed, and keeps until exchange_finish().
 * Returns 0, or a negative errno when no eventfd can be had.
 */
ANY_THREAD int exchange_init(struct exchange *ex, void *slots, size_t slot_bytes);

/* Close the eventfds; what the slots still carry is the caller's to dispose of. */
ANY_THREAD void exchange_finish(struct exchange *ex);

/* Writer: the slot to fill next. */
ANY_THREAD void *exchange_slot(struct exchange *ex);

/*
 * Writer: publish the filled slot and wake the reader. Returns the slot to fill next, still
 * carrying what it held before.
 */
ANY_THREAD void *exchange_publish(struct exchange *ex);

/* Writer: whether the last publication replaced one that the reader had not taken. */
ANY_THREAD bool exchange_has_replaced(const struct exchange *ex);

/* Any thread of the writer's side: wake the reader because of something it has taken, or will. */
ANY_THREAD void exchange_wake(struct exchange *ex);

/*
 * Reader: take the newest publication. True, and *ret_slot is the reader's until the next take;
 * false when nothing was published since the last one, and *ret_slot is untouched. ret_slot may
 * be NULL.
 */
ANY_THREAD bool exchange_take(struct exchange *ex, void **ret_slot);

/*
 * Reader that always takes so: the same, but what was taken before stays the reader's as well, until
 * the take after this one. A recall has to be taken twice before all is back.
 */
ANY_THREAD bool exchange_take_keeping(struct exchange *ex, void **ret_slot);

/* Reader: whether something newer than the last take lies ready; does not take it. */
ANY_THREAD bool exchange_is_fresh(const struct exchange *ex);

/*
 * Writer: ask for everything back. The writer's slot must be empty in the writer's sense; it is
 * published and the reader woken even if it left earlier publications untaken. Returns the slot to
 * fill next, as exchange_publish() does. When the reader has taken the empty slot returned_fd
 * becomes readable (once; the writer drains it), and exchange_collect() hands over the last slot.
 */
ANY_THREAD void *exchange_recall(struct exchange *ex);

/* Reader: whether a recall waits to be taken, for a reader that would not take otherwise. */
ANY_THREAD bool exchange_is_recalled(const struct exchange *ex);

/* Writer: after an answered recall, swap for the slot that came back; publishes nothing. */
ANY_THREAD void *exchange_collect(struct exchange *ex);

#endif
