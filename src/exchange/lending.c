#include "exchange/lending.h"

#include <assert.h>
#include <string.h>

#include "base/fd.h"

/* A slot came back to be filled: what it carried is home if no other slot does. */
ON_CAPTURE static void empty_slot(
	struct lending *lending, struct frame *slot, struct homecoming *home)
{
	if (slot->fourcc && !--lending->slots[slot->loan])
		home->frames[home->n++] = *slot;
	slot->fourcc = 0;
}

void lending_lend(struct lending *lending, const struct frame *frame, struct homecoming *ret_home)
{
	assert(frame->loan < LENDING_NUMBERS && !lending->slots[frame->loan]);
	ret_home->n = 0;
	/* Before any has it: it could be done with it at once. */
	lending->slots[frame->loan] = (uint8_t)lending->n_readers;
	for (unsigned i = 0; i < lending->n_readers; i++) {
		struct frame *slot = exchange_slot(lending->readers[i]);

		*slot = *frame;
		empty_slot(lending, exchange_publish(lending->readers[i]), ret_home);
	}
}

ON_CAPTURE static void recall_once(struct lending *lending, struct homecoming *ret_home)
{
	/* All are asked before any is waited for. */
	for (unsigned i = 0; i < lending->n_readers; i++)
		empty_slot(lending, exchange_recall(lending->readers[i]), ret_home);
	for (unsigned i = 0; i < lending->n_readers; i++) {
		struct exchange *reader = lending->readers[i];

		(void)fd_wait(reader->returned_fd, -1, UINT64_MAX);
		fd_drain(reader->returned_fd);
		empty_slot(lending, exchange_collect(reader), ret_home);
	}
}

void lending_recall(struct lending *lending, struct homecoming *ret_home)
{
	static const uint8_t none[LENDING_NUMBERS];

	ret_home->n = 0;
	recall_once(lending, ret_home);
	if (memcmp(lending->slots, none, sizeof none) != 0)
		recall_once(lending, ret_home); /* of whom keeps two */
}
