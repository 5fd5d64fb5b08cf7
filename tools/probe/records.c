#include "probe/records.h"

#include <errno.h>
#include <stdbool.h>
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

int records_add(struct records *records, const void *data, size_t bytes)
{
	inbox_drop(&records->inbox, records->taken);
	records->taken = 0;
	return inbox_add(&records->inbox, data, bytes);
}

static uint64_t read_number(const uint8_t *at, size_t bytes)
{
	uint64_t number = 0;

	while (bytes--)
		number = number << 8 | *at++;
	return number;
}

static bool is_live_picture(const uint8_t *header)
{
	return header[TYPE_AT] == TYPE_PICTURE &&
	       !(read_number(header + FLAGS_AT, 4) & FLAG_PLACEHOLDER);
}

int records_next(struct records *records, struct picture *ret_picture)
{
	for (;;) {
		const uint8_t *header;
		size_t header_bytes, payload_bytes, held;

		inbox_drop(&records->inbox, records->taken);
		records->taken = 0;
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
		if (!is_live_picture(header))
			continue;
		*ret_picture = (struct picture){
			.data = header + header_bytes,
			.bytes = payload_bytes,
			.source = TIME_RECORD,
			.captured_ns = read_number(header + CAPTURED_US_AT, 8) * NS_PER_US,
			.encoded_ns = read_number(header + ENCODED_US_AT, 8) * NS_PER_US,
		};
		return 1;
	}
}

void records_finish(struct records *records)
{
	inbox_finish(&records->inbox);
}
