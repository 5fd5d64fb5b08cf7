#include "server/live.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "server/report.h"

enum record { RECORD_HELLO = 1, RECORD_PICTURE = 2, RECORD_STATUS = 3 };

#define FLAG_PLACEHOLDER 1
#define FLAG_MORE        2
#define FLAG_GIVEN_UP    4

static void put_32(char *bytes, uint32_t number)
{
	number = htobe32(number);
	memcpy(bytes, &number, sizeof number);
}

static void put_us(char *bytes, uint64_t time_ns)
{
	uint64_t number = htobe64(time_ns / NS_PER_US);

	memcpy(bytes, &number, sizeof number);
}

/* A record's header but for what only pictures have, which is zero. */
static void put_header(char header[LIVE_HEADER_BYTES], enum record type, size_t payload_bytes)
{
	memset(header, 0, LIVE_HEADER_BYTES);
	memcpy(header, "FANL", 4);
	header[4] = 1;
	header[5] = (char)type;
	header[7] = LIVE_HEADER_BYTES;
	put_32(header + 8, (uint32_t)payload_bytes);
}

struct live *live_create(h2o_req_t *req)
{
	struct live *live = h2o_mem_alloc_pool(&req->pool, sizeof *live);
	uint8_t id[16];

	*live = (struct live){0};
	if (RAND_bytes(id, sizeof id) != 1)
		abort(); /* it would be no secret */
	for (size_t i = 0; i < sizeof id; i++)
		(void)snprintf(live->id + 2 * i, 3, "%02x", id[i]);
	return live;
}

void live_finish(struct live *live)
{
	if (live)
		live_forget_notice(live);
}

void live_send_picture(struct live *live, const struct part *part, unsigned done,
	size_t payload_bytes, char ret_header[LIVE_HEADER_BYTES])
{
	const struct packet *packet = part->packet;
	uint64_t now_ns = clock_now_ns();

	put_header(ret_header, RECORD_PICTURE, payload_bytes);
	put_32(ret_header + 16, packet->sequence);
	put_32(ret_header + 20, (uint32_t)part->serial);
	put_us(ret_header + 24, packet->captured_ns);
	put_us(ret_header + 40, now_ns);
	if (done != PART_DONE) {
		put_32(ret_header + 12, done == PART_GIVEN_UP ? FLAG_GIVEN_UP : FLAG_MORE);
		return;
	}
	put_us(ret_header + 32, packet->encode_end_ns);
	if (packet->placeholder) {
		put_32(ret_header + 12, FLAG_PLACEHOLDER);
		return; /* nobody reports it */
	}
	flight_send(&live->flight, (struct flight_picture){
					   .serial = (uint32_t)part->serial,
					   .captured_ns = packet->captured_ns,
					   .sent_ns = now_ns,
				   });
}

/* Append a record to a notice of so many bytes; returns how many it has then. */
ON_SERVER static size_t append(
	struct live *live, size_t used_bytes, enum record type, const char *json)
{
	size_t length = strlen(json);

	live->notice = h2o_mem_realloc(live->notice, used_bytes + LIVE_HEADER_BYTES + length);
	put_header(live->notice + used_bytes, type, length);
	memcpy(live->notice + used_bytes + LIVE_HEADER_BYTES, json, length);
	return used_bytes + LIVE_HEADER_BYTES + length;
}

h2o_iovec_t live_notice(struct live *live, struct feed *feed)
{
	char hello[192], *status;
	size_t bytes = 0;

	(void)feed_status(feed); /* it counts them */
	if (live->status_seen == feed->status_serial)
		return (h2o_iovec_t){NULL, 0};
	if (!live->status_seen) {
		(void)snprintf(hello, sizeof hello,
			"{\"id\":\"%s\",\"camera\":\"%s\",\"now_us\":%" PRIu64 "}", live->id,
			feed->camera.name, (uint64_t)(clock_now_ns() / NS_PER_US));
		bytes = append(live, bytes, RECORD_HELLO, hello);
	}
	live->status_seen = feed->status_serial;
	status = state_status(feed);
	if (status)
		bytes = append(live, bytes, RECORD_STATUS, status);
	free(status);
	return (h2o_iovec_t){live->notice, bytes};
}

void live_forget_notice(struct live *live)
{
	free(live->notice);
	live->notice = NULL;
}

/*
 * The picture was drawn. A viewer that does not know our clock yet may tell of an age at which the
 * picture was not even sent, or cannot have been drawn yet; then what we see ourselves has to do.
 */
ON_SERVER static void note_drawn(struct live *live, const struct flight_picture *picture,
	const struct report *report, uint64_t target_age_ns)
{
	uint64_t now_ns = clock_now_ns(), drawn_ns = picture->captured_ns + report->age_ns;

	if (!report->has_age || drawn_ns < picture->sent_ns || drawn_ns > now_ns)
		drawn_ns = now_ns;
	live->drawn_age_ns = drawn_ns > picture->captured_ns ? drawn_ns - picture->captured_ns : 0;
	live->drawn += flight_land(
		&live->flight, picture, live->drawn_age_ns, report->next, target_age_ns, now_ns);
}

bool live_take_report(struct live *live, h2o_req_t *req, uint64_t target_age_ns)
{
	const struct flight_picture *picture;
	struct report report;
	const char *reason;

	if (report_parse(req->entity.base, req->entity.len, &report, &reason) < 0) {
		reply_sentence(req, 400, "%s", reason);
		return false;
	}
	picture = flight_find(&live->flight, report.serial);
	if (!picture) {
		reply_sentence(req, 400,
			"No picture of serial %" PRIu32 " is on its way to this stream.",
			report.serial);
		return false;
	}
	note_drawn(live, picture, &report, target_age_ns);
	/* There is one for each picture at most, and those are ours to send. */
	connections_return_rate(req);
	reply_nothing(req);
	return true;
}
