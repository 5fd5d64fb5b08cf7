/*
 * The word in the middle: bits 0 and 1 are the index of the slot that lies there, FRESH says that
 * the writer put it there, RECALL that it did so to get everything back.
 *
 * Memory orders. Every exchange is acq_rel. Its release publishes what its thread did to the slot
 * it puts down (the writer: filled it; the reader: finished reading it) and its acquire sees what
 * the other thread did to the slot it picks up. The partner of each is the other side's exchange.
 *
 * Why a signal may be skipped while FRESH was still set: the reader drains before it takes, so when
 * the writer finds FRESH, either the signal of that earlier publication is still in the eventfd,
 * or the reader has drained it and has not taken yet, and the take to come gets the newer slot.
 * tests/model/exchange.pml checks this, and the rest of the protocol, exhaustively.
 */
#include "exchange/exchange.h"

#include "base/fd.h"

#define INDEX  3u
#define FRESH  4u
#define RECALL 8u

static void *slot_at(const struct exchange *ex, unsigned index)
{
	return ex->slots + index * ex->slot_bytes;
}

int exchange_init(struct exchange *ex, void *slots, size_t slot_bytes)
{
	ex->slots = slots;
	ex->slot_bytes = slot_bytes;
	ex->writer_index = 0;
	ex->replaced = false;
	atomic_init(&ex->middle, 1);
	ex->reader_index = 2;
	ex->kept_index = 3;
	ex->returned_fd = -1;

	ex->fresh_fd = fd_event();
	if (ex->fresh_fd < 0)
		return ex->fresh_fd;
	ex->returned_fd = fd_event();
	if (ex->returned_fd < 0) {
		int err = ex->returned_fd;

		fd_close(&ex->fresh_fd);
		ex->returned_fd = -1;
		return err;
	}
	return 0;
}

void exchange_finish(struct exchange *ex)
{
	fd_close(&ex->fresh_fd);
	fd_close(&ex->returned_fd);
}

void *exchange_slot(struct exchange *ex)
{
	return slot_at(ex, ex->writer_index);
}

/* Put the writer's slot in the middle with these flags; returns the word that lay there. */
static unsigned swap_writer(struct exchange *ex, unsigned flags)
{
	unsigned old = atomic_exchange_explicit(
		&ex->middle, ex->writer_index | flags, memory_order_acq_rel);

	ex->writer_index = old & INDEX;
	return old;
}

void *exchange_publish(struct exchange *ex)
{
	ex->replaced = swap_writer(ex, FRESH) & FRESH;
	if (!ex->replaced)
		fd_signal(ex->fresh_fd);
	return exchange_slot(ex);
}

bool exchange_has_replaced(const struct exchange *ex)
{
	return ex->replaced;
}

void exchange_wake(struct exchange *ex)
{
	fd_signal(ex->fresh_fd);
}

bool exchange_take(struct exchange *ex, void **ret_slot)
{
	unsigned old;

	if (!exchange_is_fresh(ex))
		return false;
	/* Only this thread clears FRESH, so the slot below is fresh, perhaps an even newer one. */
	old = atomic_exchange_explicit(&ex->middle, ex->reader_index, memory_order_acq_rel);
	ex->reader_index = old & INDEX;
	if (ret_slot)
		*ret_slot = slot_at(ex, ex->reader_index);
	if (old & RECALL)
		fd_signal(ex->returned_fd);
	return true;
}

bool exchange_take_keeping(struct exchange *ex, void **ret_slot)
{
	unsigned newer = ex->reader_index;

	/* The older of the two is put down. */
	ex->reader_index = ex->kept_index;
	if (!exchange_take(ex, ret_slot)) {
		ex->reader_index = newer;
		return false;
	}
	ex->kept_index = newer;
	return true;
}

bool exchange_is_fresh(const struct exchange *ex)
{
	/* Relaxed: a hint; the exchange that follows it in exchange_take() does the ordering. */
	return atomic_load_explicit(&ex->middle, memory_order_relaxed) & FRESH;
}

void *exchange_recall(struct exchange *ex)
{
	(void)swap_writer(ex, FRESH | RECALL);
	fd_signal(ex->fresh_fd);
	return exchange_slot(ex);
}

bool exchange_is_recalled(const struct exchange *ex)
{
	/* Relaxed: as in exchange_is_fresh(). */
	return atomic_load_explicit(&ex->middle, memory_order_relaxed) & RECALL;
}

void *exchange_collect(struct exchange *ex)
{
	(void)swap_writer(ex, 0);
	return exchange_slot(ex);
}
