#include "probe/records.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

/* Where things stand in a record's header; numbers are big-endian. */
#define VERSION_AT       4
#define TYPE_AT          5
#define HEADER_BYTES_AT  6
#define PAYLOAD_BYTES_AT 8
#define FLAGS_AT         12
#define CAPTURED_US_AT   24
#define ENCODED_US_AT    32
#define HEADER_BYTES     48

#define VERSION          1
#define TYPE_PICTURE     2
#define FLAG_PLACEHOLDER 1u
#define FLAG_MORE        2u
#define FLAG_GIVEN_UP    4u

/* Let go what was handed out. */
static void drop_taken(struct records *records)
{
	inbox_drop(&records->inbox, records->taken);
	records->taken = 0;
	if (records->is_whole)
		inbox_drop(&records->picture, inbox_bytes(&records->picture));
	records->is_whole = false;
}

int records_add(struct records *records, const void *data, size_t bytes)
{
	drop_taken(records);
	return inbox_add(&records->inbox, data, bytes);
}

static uint64_t read_number(const uint8_t *at, size_t bytes)
{
	uint64_t number = 0;

	while (bytes--)
		number = number << 8 | *at++;
	return number;
}

/*
 * Take a picture's record, with its payload. Returns 1 and where the picture lies, if that was all
 * of it; 0 if not; -EBADMSG or -ENOMEM.
 */
static int take_picture(struct records *records, const uint8_t *payload, size_t bytes,
	unsigned flags, struct picture *ret_picture)
{
	size_t held = inbox_bytes(&records->picture);
	int err;

	*ret_picture = (struct picture){.data = payload, .bytes = bytes, .source = TIME_RECORD};
	if (held || flags & FLAG_MORE) {
		if (held + bytes > PICTURE_BYTES_MOST)
			return -EBADMSG;
		err = inbox_add(&records->picture, payload, bytes);
		if (err < 0)
			return err;
		ret_picture->data = inbox_data(&records->picture);
		ret_picture->bytes = held + bytes;
	}
	records->is_whole = !(flags & FLAG_MORE);
	return records->is_whole && !(flags & (FLAG_PLACEHOLDER | FLAG_GIVEN_UP));
}

int records_next(struct records *records, struct picture *ret_picture)
{
	for (;;) {
		const uint8_t *header;
		size_t header_bytes, payload_bytes, held;
		int whole;

		drop_taken(records);
		held = inbox_bytes(&records->inbox);
		if (held < HEADER_BYTES)
			return 0;
		header = inbox_data(&records->inbox);
		header_bytes = read_number(header + HEADER_BYTES_AT, 2);
		payload_bytes = read_number(header + PAYLOAD_BYTES_AT, 4);
		if (memcmp(header, "FANL", 4) || header[VERSION_AT] != VERSION ||
			header_bytes < HEADER_BYTES || payload_bytes > PICTURE_BYTES_MOST)
			return -EBADMSG;
		if (held < header_bytes + payload_bytes)
			return 0;
		records->taken = header_bytes + payload_bytes;
		if (header[TYPE_AT] != TYPE_PICTURE)
			continue;
		whole = take_picture(records, header + header_bytes, payload_bytes,
			(unsigned)read_number(header + FLAGS_AT, 4), ret_picture);
		ret_picture->captured_ns = read_number(header + CAPTURED_US_AT, 8) * NS_PER_US;
		ret_picture->encoded_ns = read_number(header + ENCODED_US_AT, 8) * NS_PER_US;
		if (whole)
			return whole;
	}
}

void records_finish(struct records *records)
{
	inbox_finish(&records->inbox);
	inbox_finish(&records->picture);
}
