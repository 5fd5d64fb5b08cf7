#include "probe/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES (256u << 10)

static int make_room(struct inbox *inbox, size_t bytes)
{
	size_t held = inbox_bytes(inbox),
	       capacity = inbox->capacity ? inbox->capacity : FIRST_BYTES;
	uint8_t *memory;

	if (held)
		memmove(inbox->memory, inbox_data(inbox), held);
	inbox->begin = 0;
	inbox->end = held;
	while (capacity - held < bytes)
		capacity *= 2;
	if (capacity == inbox->capacity)
		return 0;
	memory = realloc(inbox->memory, capacity);
	if (!memory)
		return -ENOMEM;
	inbox->memory = memory;
	inbox->capacity = capacity;
	return 0;
}

int inbox_add(struct inbox *inbox, const void *data, size_t bytes)
{
	if (inbox->capacity - inbox->end < bytes) {
		int err = make_room(inbox, bytes);

		if (err < 0)
			return err;
	}
	if (bytes)
		memcpy(inbox->memory + inbox->end, data, bytes);
	inbox->end += bytes;
	return 0;
}

void inbox_finish(struct inbox *inbox)
{
	free(inbox->memory);
	*inbox = (struct inbox){0};
}
