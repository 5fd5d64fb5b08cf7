/*
 * Pictures that viewers on slow links are sent while they are encoded: a real server and real
 * connections. The test is the encoder, one step after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <endian.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "exchange/controls.h"
#include "server/gate.h"
#include "server/inside.h"
#include "server/live.h"

#define EARLY_NEXT   "\r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n"
#define CLASSIC_NEXT "\r\n--boundarydonotcross\r\n"

#define ENCODED_US 11

/* Records and their flags, as deploy/live.md says. */
enum { RECORD_HELLO = 1, RECORD_PICTURE = 2, RECORD_STATUS = 3 };
enum { MORE = 2, GIVEN_UP = 4 };

struct record {
	uint32_t serial, flags;
	uint64_t encoded_us;
	char payload[256];
};

/* Pictures as they are, and one variant of them. */
#define OUTLETS 2

struct rig {
	struct outlet outlets[OUTLETS];
	struct exchange status, requests, answers;
	struct camera_status status_slots[EXCHANGE_SLOTS];
	struct control_request request_slots[EXCHANGE_SLOTS];
	struct control_answer answer_slots[EXCHANGE_SLOTS];
	struct demand demand;
	struct camera_stats stats;
	struct packet_pool pool;
	struct server *server;
	bool stopped;
	pthread_t thread;
	socklen_t address_bytes;
	struct sockaddr_storage address;
};

/* Stands for the server's own: a link on which a byte takes a second. */
struct gate_view __wrap_gate_look(int fd);
struct gate_view __wrap_gate_look(int fd)
{
	(void)fd;
	return (struct gate_view){.bytes_per_s = 1};
}

/* ---- the server ---- */

static void *serve(void *context)
{
	struct rig *rig = context;

	role_take(&role_server, NULL);
	while (server_turn(rig->server))
		;
	return NULL;
}

ON_MAIN static int start(void **state)
{
	static const struct server_config config = {
		.http = {true, "127.0.0.1", 0},
		.limits = {.connections = 8,
			.connections_per_address = 8,
			.streams = 8,
			.streams_per_connection = 8,
			.requests_per_second = 1000,
			.url_bytes = 1000,
			.header_bytes = 1000,
			.request_timeout_s = 3600,
			.stall_timeout_s = 3600},
	};
	struct rig *rig = aligned_alloc(alignof(struct rig), sizeof *rig);
	/* So slow a camera that no picture of it is ever old. */
	struct server_camera camera = {.name = "test",
		.source = "test",
		.fps = 0.001,
		.outlets = rig->outlets,
		.n_outlets = OUTLETS,
		.requests = &rig->requests,
		.answers = &rig->answers,
		.status = &rig->status,
		.demand = &rig->demand,
		.stats = &rig->stats};
	char reason[SERVER_REASON_BYTES];

	memset(rig, 0, sizeof *rig);
	for (size_t i = 0; i < OUTLETS; i++)
		assert_int_equal(outlet_init(&rig->outlets[i]), 0);
	assert_int_equal(
		exchange_init(&rig->status, rig->status_slots, sizeof rig->status_slots[0]), 0);
	assert_int_equal(
		exchange_init(&rig->requests, rig->request_slots, sizeof rig->request_slots[0]), 0);
	assert_int_equal(
		exchange_init(&rig->answers, rig->answer_slots, sizeof rig->answer_slots[0]), 0);
	assert_int_equal(demand_init(&rig->demand), 0);
	assert_int_equal(server_create(&config, &rig->server, reason), 0);
	assert_int_equal(server_prepare(rig->server, &config, &camera, 1, reason), 0);
	rig->address_bytes = sizeof rig->address;
	assert_int_equal(getsockname(rig->server->listeners[0].fd, (struct sockaddr *)&rig->address,
				 &rig->address_bytes),
		0);
	assert_int_equal(pthread_create(&rig->thread, NULL, serve, rig), 0);
	*state = rig;
	return 0;
}

static void stop(struct rig *rig)
{
	if (!rig->stopped)
		server_stop(rig->server);
	rig->stopped = true;
}

static int finish(void **state)
{
	struct rig *rig = *state;

	stop(rig);
	(void)pthread_join(rig->thread, NULL);
	server_destroy(rig->server);
	for (size_t i = 0; i < OUTLETS; i++)
		outlet_finish(&rig->outlets[i]);
	packet_pool_finish(&rig->pool);
	exchange_finish(&rig->status);
	exchange_finish(&rig->requests);
	exchange_finish(&rig->answers);
	demand_finish(&rig->demand);
	free(rig);
	return 0;
}

/* ---- the encoder ---- */

ON_ENCODE static struct packet *get_packet(struct rig *rig)
{
	struct packet *packet;

	assert_int_equal(packet_pool_get(&rig->pool, &packet), 0);
	packet->captured_ns = clock_now_ns();
	return packet;
}

/* A picture that grows; nothing of it is ready. */
ON_ENCODE static struct packet *begin_picture(struct rig *rig)
{
	struct packet *packet = get_packet(rig);

	packet->exchange = &rig->outlets[0].packets;
	outlet_publish(&rig->outlets[0], packet);
	return packet;
}

ON_ENCODE static void add_piece(struct packet *packet, unsigned i, const char *text)
{
	packet->pieces[i].data = (const uint8_t *)text;
	packet->pieces[i].length_bytes = strlen(text);
	packet_piece_ready(packet, i);
}

ON_ENCODE static void complete(struct packet *packet, unsigned n_pieces)
{
	packet->encode_end_ns = ENCODED_US * NS_PER_US;
	packet_compose(packet, n_pieces);
	packet_end(packet, true);
}

ON_ENCODE static void end_picture(struct packet *packet, unsigned n_pieces)
{
	complete(packet, n_pieces);
	packet_unref(packet);
}

ON_ENCODE static void give_up(struct packet *packet)
{
	packet_end(packet, false);
	packet_unref(packet);
}

ON_ENCODE static void publish_whole(struct rig *rig, const char *text)
{
	struct packet *packet = get_packet(rig);

	add_piece(packet, 0, text);
	complete(packet, 1);
	outlet_publish(&rig->outlets[0], packet);
	packet_unref(packet);
}

/* ---- viewers ---- */

/* Take what comes next, which must be this. */
static void expect(int fd, const char *text)
{
	char got[512] = "";

	for (size_t n = 0; n < strlen(text); n++) {
		assert_int_equal(read(fd, got + n, 1), 1);
		if (got[n] != text[n])
			fail_msg("expected %s, got %s", text, got);
	}
}

static void expect_end(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 0);
	(void)close(fd);
}

/* Take all up to the end of a header. */
static void skip_header(int fd)
{
	char last[4] = "";

	while (memcmp(last, "\r\n\r\n", 4)) {
		memmove(last, last + 1, 3);
		assert_int_equal(read(fd, last + 3, 1), 1);
	}
}

static int ask(const struct rig *rig, const char *path)
{
	int fd = socket(rig->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[64];
	int length = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", path);

	assert_true(fd >= 0);
	assert_int_equal(
		connect(fd, (const struct sockaddr *)&rig->address, rig->address_bytes), 0);
	assert_int_equal(write(fd, request, (size_t)length), length);
	skip_header(fd);
	return fd;
}

static int watch(const struct rig *rig, const char *layout)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof path, "/stream?layout=%s", layout);
	fd = ask(rig, path);
	expect(fd, "--boundarydonotcross\r\n");
	if (!strcmp(layout, "early"))
		skip_header(fd);
	return fd;
}

/* A viewer whose link has proved slow by a first picture. */
ON_ENCODE static int watch_slowly(struct rig *rig)
{
	int fd = watch(rig, "early");

	publish_whole(rig, "first");
	expect(fd, "first" EARLY_NEXT);
	return fd;
}

static void expect_classic(int fd, const char *picture)
{
	skip_header(fd);
	expect(fd, picture);
	expect(fd, CLASSIC_NEXT);
}

/* Take the next record of a live stream, which must be of this type. */
static struct record take_record(int fd, unsigned type)
{
	struct record record = {0};
	uint8_t header[LIVE_HEADER_BYTES];
	uint32_t bytes;

	assert_int_equal(recv(fd, header, sizeof header, MSG_WAITALL), sizeof header);
	assert_int_equal(header[5], type);
	memcpy(&bytes, header + 8, sizeof bytes);
	bytes = be32toh(bytes);
	memcpy(&record.flags, header + 12, sizeof record.flags);
	record.flags = be32toh(record.flags);
	memcpy(&record.serial, header + 20, sizeof record.serial);
	record.serial = be32toh(record.serial);
	memcpy(&record.encoded_us, header + 32, sizeof record.encoded_us);
	record.encoded_us = be64toh(record.encoded_us);
	assert_true(bytes < sizeof record.payload);
	/* It would wait for more than nothing. */
	assert_int_equal(bytes ? recv(fd, record.payload, bytes, MSG_WAITALL) : 0, bytes);
	return record;
}

static void expect_record(int fd, uint32_t serial, uint32_t flags, const char *payload)
{
	struct record record = take_record(fd, RECORD_PICTURE);

	assert_int_equal(record.serial, serial);
	assert_int_equal(record.flags, flags);
	assert_string_equal(record.payload, payload);
	assert_int_equal(record.encoded_us, flags ? 0 : ENCODED_US);
}

/* A page whose link has proved slow by a first picture. */
ON_ENCODE static int watch_live_slowly(struct rig *rig)
{
	int fd = ask(rig, "/live");

	(void)take_record(fd, RECORD_HELLO);
	(void)take_record(fd, RECORD_STATUS);
	publish_whole(rig, "first");
	expect_record(fd, 1, 0, "first");
	return fd;
}

/* ---- promises ---- */

ON_ENCODE static void pieces_are_sent_when_they_are_ready_and_in_order(void **state)
{
	struct rig *rig = *state;
	int fd = watch_slowly(rig);
	struct packet *packet;

	assert_true(outlet_is_piecemeal(&rig->outlets[0]));
	packet = begin_picture(rig);
	add_piece(packet, 0, "one");
	expect(fd, "one");
	add_piece(packet, 2, "three");
	add_piece(packet, 1, "two");
	expect(fd, "twothree");
	end_picture(packet, 3);
	expect(fd, EARLY_NEXT);
	publish_whole(rig, "next");
	expect(fd, "next" EARLY_NEXT);
	(void)close(fd);
}

ON_ENCODE static void pages_are_sent_records_that_make_a_picture(void **state)
{
	struct rig *rig = *state;
	int fd = watch_live_slowly(rig);
	struct packet *packet = begin_picture(rig);

	add_piece(packet, 0, "one");
	expect_record(fd, 2, MORE, "one");
	add_piece(packet, 2, "three");
	add_piece(packet, 1, "two");
	expect_record(fd, 2, MORE, "twothree");
	end_picture(packet, 3);
	expect_record(fd, 2, 0, "");
	publish_whole(rig, "next");
	expect_record(fd, 3, 0, "next");
	(void)close(fd);
}

ON_ENCODE static void pages_are_told_of_a_picture_that_is_given_up(void **state)
{
	struct rig *rig = *state;
	int fd = watch_live_slowly(rig);
	struct packet *packet = begin_picture(rig);

	add_piece(packet, 0, "one");
	expect_record(fd, 2, MORE, "one");
	give_up(packet);
	expect_record(fd, 2, GIVEN_UP, "");
	publish_whole(rig, "next");
	expect_record(fd, 3, 0, "next");
	(void)close(fd);
}

ON_ENCODE static void who_wants_a_length_is_sent_whole_pictures(void **state)
{
	struct rig *rig = *state;
	int early = watch_slowly(rig), classic = watch(rig, "classic");
	struct packet *packet;

	expect_classic(classic, "first");
	packet = begin_picture(rig);
	add_piece(packet, 0, "one");
	expect(early, "one");
	give_up(packet);
	expect(early, EARLY_NEXT);
	packet = begin_picture(rig);
	add_piece(packet, 0, "two");
	expect(early, "two");
	add_piece(packet, 1, "three");
	expect(early, "three");
	end_picture(packet, 2);
	expect(early, EARLY_NEXT);
	expect_classic(classic, "twothree");
	(void)close(early);
	(void)close(classic);
}

ON_ENCODE static void who_comes_midway_gets_the_picture_from_its_begin(void **state)
{
	struct rig *rig = *state;
	int first = watch_slowly(rig), second;
	struct packet *packet = begin_picture(rig);

	add_piece(packet, 0, "one");
	add_piece(packet, 1, "two");
	expect(first, "onetwo");
	second = watch(rig, "early");
	expect(second, "first" EARLY_NEXT "onetwo");
	add_piece(packet, 2, "three");
	expect(first, "three");
	expect(second, "three");
	end_picture(packet, 3);
	expect(first, EARLY_NEXT);
	expect(second, EARLY_NEXT);
	(void)close(first);
	(void)close(second);
}

ON_ENCODE static void a_picture_that_is_given_up_ends_there(void **state)
{
	struct rig *rig = *state;
	int fd = watch_slowly(rig);
	struct packet *packet = begin_picture(rig);

	add_piece(packet, 0, "one");
	expect(fd, "one");
	give_up(packet);
	expect(fd, EARLY_NEXT);
	/* Before anything was ready nobody hears of it. */
	give_up(begin_picture(rig));
	publish_whole(rig, "next");
	expect(fd, "next" EARLY_NEXT);
	(void)close(fd);
}

ON_ENCODE static void stopping_does_not_wait_for_the_rest_of_a_picture(void **state)
{
	struct rig *rig = *state;
	int fd = watch_slowly(rig);
	struct packet *packet = begin_picture(rig);

	add_piece(packet, 0, "one");
	expect(fd, "one");
	stop(rig);
	expect(fd, "\r\n--boundarydonotcross--\r\n");
	expect_end(fd);
	give_up(packet);
}

ON_ENCODE static void a_viewer_who_leaves_midway_wants_no_more_pieces(void **state)
{
	struct rig *rig = *state;
	int fd = watch_slowly(rig);
	struct packet *packet = begin_picture(rig);
	struct linger at_once = {.l_onoff = 1};

	add_piece(packet, 0, "one");
	expect(fd, "one");
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	(void)close(fd);
	/* The send that fails, or the second's tick, tells the server. */
	add_piece(packet, 1, "two");
	end_picture(packet, 2);
	while (demand_exists(&rig->demand))
		(void)sched_yield();
	assert_false(outlet_is_piecemeal(&rig->outlets[0]));
}

/* A picture of a variant, of one piece. */
ON_ENCODE static void publish_variant(struct rig *rig, uint16_t width, const char *text)
{
	struct packet *packet = get_packet(rig);

	packet->variant.width = width;
	add_piece(packet, 0, text);
	complete(packet, 1);
	outlet_publish(&rig->outlets[1], packet);
	packet_unref(packet);
}

ON_ENCODE static void nobody_is_shown_the_variant_before_his(void **state)
{
	struct rig *rig = *state;
	int fd = ask(rig, "/stream?layout=classic&size=320");

	expect(fd, "--boundarydonotcross\r\n");
	assert_int_equal(outlet_variant(&rig->outlets[1]).width, 320);
	publish_variant(rig, 320, "one");
	expect_classic(fd, "one");
	(void)close(fd);
	while (outlet_wanted(&rig->outlets[1]))
		(void)sched_yield();
	fd = ask(rig, "/stream?layout=classic&size=160");
	expect(fd, "--boundarydonotcross\r\n");
	assert_int_equal(outlet_variant(&rig->outlets[1]).width, 160);
	/* Encode may have begun with it before it saw the other. */
	publish_variant(rig, 320, "late");
	while (exchange_is_fresh(&rig->outlets[1].packets))
		(void)sched_yield();
	publish_variant(rig, 160, "two");
	expect_classic(fd, "two");
	(void)close(fd);
}

ON_MAIN int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, start, finish)
	const struct CMUnitTest tests[] = {
		PROMISE(pieces_are_sent_when_they_are_ready_and_in_order),
		PROMISE(pages_are_sent_records_that_make_a_picture),
		PROMISE(pages_are_told_of_a_picture_that_is_given_up),
		PROMISE(who_wants_a_length_is_sent_whole_pictures),
		PROMISE(who_comes_midway_gets_the_picture_from_its_begin),
		PROMISE(a_picture_that_is_given_up_ends_there),
		PROMISE(stopping_does_not_wait_for_the_rest_of_a_picture),
		PROMISE(a_viewer_who_leaves_midway_wants_no_more_pieces),
		PROMISE(nobody_is_shown_the_variant_before_his),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
