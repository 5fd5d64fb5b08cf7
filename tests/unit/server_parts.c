#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/exposition.h"
#include "server/pace.h"
#include "server/part.h"
#include "server/report.h"
#include "server/request.h"

/* ---- requests ---- */

static const struct server_camera cameras[] = {{.name = "front"}, {.name = "back"}};

static int parse(const char *path, const char *query, struct request *ret_request)
{
	const char *reason = NULL;
	int err = request_parse((h2o_iovec_t){(char *)path, strlen(path)},
		(h2o_iovec_t){(char *)query, strlen(query)}, cameras, 2, ret_request, &reason);

	if (err < 0)
		assert_true(reason && reason[strlen(reason) - 1] == '.');
	return err;
}

static void assert_route(const char *path, const char *query, enum route route, size_t camera)
{
	struct request request;

	assert_int_equal(parse(path, query, &request), 0);
	assert_int_equal(request.route, route);
	assert_int_equal(request.camera, camera);
}

static void every_address_leads_where_it_should(void **state)
{
	(void)state;
	assert_route("/", "", ROUTE_ASSET, 0);
	assert_route("/style.css", "v=2", ROUTE_ASSET, 0);
	assert_route("/stream", "", ROUTE_STREAM, 0);
	assert_route("/snapshot", "", ROUTE_SNAPSHOT, 0);
	assert_route("/front/stream", "", ROUTE_STREAM, 0);
	assert_route("/back/stream", "", ROUTE_STREAM, 1);
	assert_route("/back/snapshot", "", ROUTE_SNAPSHOT, 1);
	assert_route("/state", "", ROUTE_STATE, 0);
	assert_route("/healthz", "", ROUTE_HEALTH, 0);
	assert_route("/metrics", "", ROUTE_METRICS, 0);
	assert_route("/clock", "", ROUTE_CLOCK, 0);
	assert_route("/live", "", ROUTE_LIVE, 0);
	assert_route("/back/live", "fps=5", ROUTE_LIVE, 1);
}

static void a_report_names_its_stream(void **state)
{
	struct request request;

	(void)state;
	assert_int_equal(parse("/back/live/0123abcd", "", &request), 0);
	assert_int_equal(request.route, ROUTE_REPORT);
	assert_int_equal(request.camera, 1);
	assert_memory_equal(request.live_id.base, "0123abcd", request.live_id.len);
	assert_route("/live/0123abcd", "", ROUTE_REPORT, 0);
}

static void mjpg_streamers_addresses_are_understood(void **state)
{
	(void)state;
	assert_route("/", "action=stream", ROUTE_STREAM, 0);
	assert_route("/", "action=snapshot", ROUTE_SNAPSHOT, 0);
	assert_route("/", "action=stream_0", ROUTE_STREAM, 0);
	assert_route("/", "action=snapshot_1", ROUTE_SNAPSHOT, 1);
	assert_route("/", "action=stream&1389402394", ROUTE_STREAM, 0);
	assert_route("/", "action=stream?dummy=param.mjpg", ROUTE_STREAM, 0);
}

static void what_is_not_there_is_not_found(void **state)
{
	struct request request;

	(void)state;
	assert_int_equal(parse("/side/stream", "", &request), -ENOENT);
	assert_int_equal(parse("/front/state", "", &request), -ENOENT);
	assert_int_equal(parse("/front/stream/more", "", &request), -ENOENT);
	assert_int_equal(parse("/side/live/0123abcd", "", &request), -ENOENT);
	assert_int_equal(parse("/front/clock", "", &request), -ENOENT);
	assert_int_equal(parse("/", "action=stream_2", &request), -ENOENT);
}

static void a_zero_byte_separates_nothing(void **state)
{
	static const char path[] = "/front\0stream";
	struct request request;
	const char *reason;

	(void)state;
	assert_int_equal(request_parse((h2o_iovec_t){(char *)path, sizeof path - 1},
				 (h2o_iovec_t){NULL, 0}, cameras, 2, &request, &reason),
		0);
	assert_int_equal(request.route, ROUTE_ASSET);
}

static void known_arguments_are_read(void **state)
{
	struct request request;

	(void)state;
	assert_int_equal(parse("/stream", "fps=7.5&extra_headers=1", &request), 0);
	assert_true(request.fps == 7.5);
	assert_true(request.extra_headers);
	assert_false(request.layout_chosen);

	assert_int_equal(parse("/stream", "layout=early", &request), 0);
	assert_true(request.layout_chosen && request.layout == PART_EARLY);
	assert_int_equal(parse("/stream", "advance_headers=1", &request), 0);
	assert_true(request.layout_chosen && request.layout == PART_EARLY);
	assert_int_equal(parse("/stream", "layout=classic", &request), 0);
	assert_true(request.layout_chosen && request.layout == PART_CLASSIC);

	assert_int_equal(parse("/snapshot", "max_age_ms=0", &request), 0);
	assert_true(request.max_age_chosen && request.max_age_ns == 0);
	assert_int_equal(parse("/snapshot", "max_age_ms=1500", &request), 0);
	assert_true(request.max_age_ns == 1500 * NS_PER_MS);
}

static void assert_variant(const char *query, struct variant variant)
{
	struct request request;

	assert_int_equal(parse("/live", query, &request), 0);
	assert_true(variant_equals(&request.variant, &variant));
}

static void variants_are_read(void **state)
{
	(void)state;
	assert_variant("fps=5", (struct variant){0});
	assert_variant("size=640", (struct variant){.width = 640});
	assert_variant("size=16x16384", (struct variant){.width = 16, .height = 16384});
	assert_variant("size=1/2&quality=10", (struct variant){.divisor = 2, .quality = 10});
	assert_variant("quality=95&size=1/8", (struct variant){.divisor = 8, .quality = 95});
	/* The last one counts. */
	assert_variant("size=64x48&size=1/4", (struct variant){.divisor = 4});
	assert_variant("size=1/4&size=64", (struct variant){.width = 64});
}

static void unknown_arguments_are_ignored(void **state)
{
	(void)state;
	assert_route("/stream", "cacheBust=17&t&&=&=5&fpss=x", ROUTE_STREAM, 0);
	assert_route("/stream", "action=nonsense", ROUTE_STREAM, 0);
	assert_route("/", "x", ROUTE_ASSET, 0);
}

static void bad_values_are_refused(void **state)
{
	static const char *const bad[] = {"fps=", "fps", "fps=x", "fps=-1", "fps=1e3", "fps=inf",
		"fps=nan", "fps=1001", "fps=5 ", "fps=0x10", "fps=1.2.3",
		"fps=00000000000000000000000000000000000000001", "layout=", "layout=fancy",
		"extra_headers=2", "extra_headers=", "max_age_ms=-5", "max_age_ms=soon",
		"max_age_ms=99999999999", "advance_headers=x", "size", "size=", "size=0", "size=15",
		"size=16385", "size=1/3", "size=1/16", "size=1/", "size=2/4", "size=640x",
		"size=x480", "size=640x480x", "size=640X480", "size=640.0", "size=+640", "size=6e2",
		"size=640x15", "quality=", "quality=9", "quality=96", "quality=50.0",
		"quality=-50"};
	struct request request;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(parse("/stream", bad[i], &request), -EINVAL);
	assert_int_equal(parse("/", "action=dance", &request), -EINVAL);
	assert_int_equal(parse("/", "action=stream_x", &request), -EINVAL);
}

/* ---- reports ---- */

static int read_report(const char *text, struct report *ret_report)
{
	const char *reason = NULL;
	int err = report_parse(text, strlen(text), ret_report, &reason);

	if (err < 0)
		assert_true(reason && reason[strlen(reason) - 1] == '.');
	return err;
}

static void a_report_is_read(void **state)
{
	struct report report;

	(void)state;
	assert_int_equal(read_report("{\"serial\":4294967295}", &report), 0);
	assert_int_equal(report.serial, UINT32_MAX);
	assert_false(report.has_age);
	assert_int_equal(report.next, 1);
	assert_int_equal(
		read_report("{\"serial\":0,\"age_ms\":1.5,\"next\":4,\"new\":[1]}", &report), 0);
	assert_int_equal(report.serial, 0);
	assert_true(report.has_age);
	assert_int_equal(report.age_ns, 1500000);
	assert_int_equal(report.next, 4);
}

static void a_report_that_makes_no_sense_is_refused(void **state)
{
	static const char *const reports[] = {"", "null", "[]", "{}", "{\"serial\":1",
		"{\"serial\":-1}", "{\"serial\":4294967296}", "{\"serial\":1.5}",
		"{\"serial\":\"1\"}", "{\"serial\":1,\"serial\":2}", "{\"serial\":1,\"age_ms\":-1}",
		"{\"serial\":1,\"age_ms\":3600001}", "{\"serial\":1,\"age_ms\":1e999}",
		"{\"serial\":1,\"age_ms\":null}", "{\"serial\":1,\"next\":0}",
		"{\"serial\":1,\"next\":17}", "{\"serial\":1,\"next\":2.5}",
		"{\"serial\":1,\"next\":4294967297}"};
	struct report report;
	char longest[REPORT_BYTES_MOST + 2] = "{\"serial\":1}";

	(void)state;
	for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
		assert_int_equal(read_report(reports[i], &report), -EINVAL);
	memset(longest + strlen(longest), ' ', sizeof longest - 1 - strlen(longest));
	assert_int_equal(read_report(longest, &report), -EINVAL);
	longest[REPORT_BYTES_MOST] = '\0';
	assert_int_equal(read_report(longest, &report), 0);
}

/* ---- pace ---- */

#define N_FRAMES 300

/* How many of ten seconds' frames at 30 a second go through, each off by up to tremble_ns. */
static unsigned count_passed(double fps, uint64_t tremble_ns, uint64_t *ret_longest_gap_ns)
{
	uint64_t last_ns = 0;
	unsigned passed = 0;
	struct pace pace;

	pace_init(&pace, fps);
	*ret_longest_gap_ns = 0;
	srand(1);
	for (uint64_t i = 1; i <= N_FRAMES; i++) {
		uint64_t offset_ns = tremble_ns ? (uint64_t)rand() % (2 * tremble_ns) : 0;
		uint64_t captured_ns = 5 * NS_PER_S + i * NS_PER_S / 30 + offset_ns - tremble_ns;

		if (!pace_allows(&pace, captured_ns))
			continue;
		if (last_ns && captured_ns - last_ns > *ret_longest_gap_ns)
			*ret_longest_gap_ns = captured_ns - last_ns;
		last_ns = captured_ns;
		passed++;
	}
	return passed;
}

static void no_limit_lets_all_through(void **state)
{
	uint64_t gap_ns;

	(void)state;
	assert_int_equal(count_passed(0, 10 * NS_PER_MS, &gap_ns), N_FRAMES);
}

static void a_limit_at_the_cameras_rate_loses_nothing_to_trembling(void **state)
{
	uint64_t gap_ns;

	(void)state;
	assert_int_equal(count_passed(30, 0, &gap_ns), N_FRAMES);
	assert_int_equal(count_passed(30, 4 * NS_PER_MS, &gap_ns), N_FRAMES);
	assert_int_equal(count_passed(31, 3 * NS_PER_MS, &gap_ns), N_FRAMES);
	assert_int_equal(count_passed(60, 8 * NS_PER_MS, &gap_ns), N_FRAMES);
}

static void a_lower_limit_is_kept_evenly(void **state)
{
	uint64_t gap_ns;

	(void)state;
	assert_in_range(count_passed(10, NS_PER_MS, &gap_ns), 99, 101);
	assert_in_range(gap_ns, 95 * NS_PER_MS, 105 * NS_PER_MS);
	assert_in_range(count_passed(20, 0, &gap_ns), 199, 201);
	assert_in_range(gap_ns, 60 * NS_PER_MS, 70 * NS_PER_MS);
	assert_in_range(count_passed(1, NS_PER_MS, &gap_ns), 10, 11);
	assert_in_range(gap_ns, 960 * NS_PER_MS, 1040 * NS_PER_MS);
}

static void a_gap_is_not_made_up_for(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 10);
	assert_true(pace_allows(&pace, 5 * NS_PER_S));
	assert_true(pace_is_due(&pace, 8 * NS_PER_S));
	assert_true(pace_allows(&pace, 8 * NS_PER_S));
	assert_false(pace_is_due(&pace, 8 * NS_PER_S + 30 * NS_PER_MS));
	assert_false(pace_allows(&pace, 8 * NS_PER_S + 30 * NS_PER_MS));
	assert_false(pace_allows(&pace, 8 * NS_PER_S + 60 * NS_PER_MS));
	assert_true(pace_allows(&pace, 8 * NS_PER_S + 100 * NS_PER_MS));
}

static void the_smallest_limit_lets_one_frame_through(void **state)
{
	uint64_t gap_ns;

	(void)state;
	assert_int_equal(count_passed(1e-29, 0, &gap_ns), 1);
}

static void only_frames_that_were_wanted_count_as_skipped(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, 0);
	assert_int_equal(pace_skipped(&pace, 5 * NS_PER_S, 7), 7);

	pace_init(&pace, 10);
	assert_int_equal(pace_skipped(&pace, 5 * NS_PER_S, 0), 0);
	assert_true(pace_allows(&pace, 5 * NS_PER_S));
	/* At 30 a second two frames pass between those wanted, and eight when two more are missed. */
	assert_int_equal(pace_skipped(&pace, 5 * NS_PER_S + 100 * NS_PER_MS, 2), 0);
	assert_int_equal(pace_skipped(&pace, 5 * NS_PER_S + 300 * NS_PER_MS, 8), 2);
	/* A camera that paused had nothing to skip. */
	assert_int_equal(pace_skipped(&pace, 9 * NS_PER_S, 0), 0);
}

/* ---- parts ---- */

/* A packet of one piece a character. */
ON_ENCODE static struct packet *make_packet(const char *data)
{
	struct packet *packet = calloc(1, sizeof *packet);

	assert_non_null(packet);
	atomic_init(&packet->refs, 1);
	packet->length_bytes = strlen(data);
	packet->n_pieces = (unsigned)packet->length_bytes;
	for (unsigned i = 0; i < packet->n_pieces; i++) {
		packet->pieces[i].memory = (uint8_t *)strndup(data + i, 1);
		packet->pieces[i].data = packet->pieces[i].memory;
		packet->pieces[i].length_bytes = 1;
	}
	packet->captured_ns = clock_now_ns();
	packet_end(packet, true);
	return packet;
}

/* A stream of one part, up to where its next begins, as text to free(). */
ON_ENCODE static char *lay_out(enum part_layout layout)
{
	struct packet *packet = make_packet("JPEG");
	struct part *part;
	h2o_iovec_t bufs[1 + PART_IOVECS];
	char *text = calloc(1, 512);
	unsigned done = 0;
	size_t n;

	role_take(&role_server, NULL);
	part = part_create(packet, 1);
	packet_unref(packet);
	part_complete(part);
	bufs[0] = part_opening(layout);
	n = 1 + part_lay_out(part, layout, &done, bufs + 1);
	assert_int_equal(done, PART_DONE);
	for (size_t i = 0; i < n; i++)
		strncat(text, bufs[i].base, bufs[i].len);
	part_unref(part);
	return text;
}

ON_ENCODE static void the_classic_layout_gives_a_length(void **state)
{
	char *text = lay_out(PART_CLASSIC);
	unsigned long long seconds, microseconds;
	int end = 0;

	(void)state;
	assert_int_equal(sscanf(text,
				 "--boundarydonotcross\r\nContent-Type: image/jpeg\r\n"
				 "Content-Length: 4\r\nX-Timestamp: %llu.%6llu\r\n\r\nJPEG\r\n%n",
				 &seconds, &microseconds, &end),
		2);
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\nJPEG\r\n--boundarydonotcross\r\n");
	free(text);
}

ON_ENCODE static void the_early_layout_sends_the_next_header_block_with_the_picture(void **state)
{
	char *text = lay_out(PART_EARLY);

	(void)state;
	assert_string_equal(text,
		"--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n"
		"JPEG\r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n");
	free(text);
}

ON_ENCODE static void a_part_keeps_its_packet_until_the_last_reference(void **state)
{
	struct packet *packet = make_packet("JPEG");
	struct part *part;

	(void)state;
	role_take(&role_server, NULL);
	part = part_create(packet, 1);
	assert_int_equal(atomic_load(&packet->refs), 2);
	part_unref(part_ref(part));
	assert_int_equal(atomic_load(&packet->refs), 2);
	part_unref(part);
	assert_int_equal(atomic_load(&packet->refs), 1);
	packet_unref(packet);
}

/* ---- metrics ---- */

static void assert_text(const struct exposition *e, const char *expected)
{
	assert_false(e->full);
	assert_int_equal(e->used_bytes, strlen(expected));
	assert_memory_equal(e->text, expected, e->used_bytes);
}

static void samples_are_written_as_prometheus_reads_them(void **state)
{
	struct exposition_label labels[] = {{"camera", "a\\b\"c\nd"}, {"protocol", "h2"}};
	struct exposition e;
	char text[1024];

	(void)state;
	exposition_init(&e, text, sizeof text);
	exposition_begin(&e, "things_total", "counter", "How many.");
	exposition_add_number(&e, 0);
	exposition_label(&e, labels, 2);
	exposition_add_number(&e, UINT64_MAX);
	exposition_begin(&e, "time_seconds", "gauge", "How long.");
	exposition_add_seconds(&e, 12 * NS_PER_S + 34);
	assert_text(&e,
		"# HELP things_total How many.\n"
		"# TYPE things_total counter\n"
		"things_total 0\n"
		"things_total{camera=\"a\\\\b\\\"c\\nd\",protocol=\"h2\"} 18446744073709551615\n"
		"# HELP time_seconds How long.\n"
		"# TYPE time_seconds gauge\n"
		"time_seconds 12.000000034\n");
}

static void a_histogram_is_cumulative_and_ends_with_its_sum_and_count(void **state)
{
	static const char end[] = "s_bucket{le=\"16.777216\"} 2\n"
				  "s_bucket{le=\"+Inf\"} 3\n"
				  "s_sum 20.000090000\n"
				  "s_count 3\n";
	static const char start[] = "s_bucket{le=\"0.000064\"} 0\n"
				    "s_bucket{le=\"0.000080\"} 1\n"
				    "s_bucket{le=\"0.000096\"} 1\n";
	struct histogram histogram = {0};
	struct exposition e;
	char text[4096];

	(void)state;
	histogram_record(&histogram, 80 * NS_PER_US);
	histogram_record(&histogram, 10 * NS_PER_US + NS_PER_S);
	histogram_record(&histogram, 19 * NS_PER_S);
	exposition_init(&e, text, sizeof text);
	e.name = "s";
	exposition_add_histogram(&e, &histogram);
	assert_false(e.full);
	assert_memory_equal(text, start, strlen(start));
	assert_memory_equal(text + e.used_bytes - strlen(end), end, strlen(end));
}

static void what_does_not_fit_is_told_and_not_written(void **state)
{
	char text[64], longer[512], after = 'x';
	struct exposition_label label = {"camera", longer};
	struct exposition e;

	(void)state;
	memset(longer, '"', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	text[63] = after;
	exposition_init(&e, text, 63);
	exposition_begin(&e, "things_total", "counter", "How many.");
	exposition_add_number(&e, UINT64_MAX);
	assert_true(e.full);
	assert_in_range(e.used_bytes, 1, 63);
	assert_int_equal(text[63], after);

	exposition_init(&e, text, 63);
	exposition_label(&e, &label, 1);
	assert_true(e.full);
	assert_in_range(e.labels_bytes, 1, sizeof e.labels);

	exposition_init(&e, NULL, 0);
	exposition_begin(&e, "things_total", "counter", "How many.");
	assert_true(e.full);
	assert_int_equal(e.used_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_leads_where_it_should),
		cmocka_unit_test(a_report_names_its_stream),
		cmocka_unit_test(mjpg_streamers_addresses_are_understood),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(a_zero_byte_separates_nothing),
		cmocka_unit_test(known_arguments_are_read),
		cmocka_unit_test(variants_are_read),
		cmocka_unit_test(unknown_arguments_are_ignored),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(a_report_is_read),
		cmocka_unit_test(a_report_that_makes_no_sense_is_refused),
		cmocka_unit_test(no_limit_lets_all_through),
		cmocka_unit_test(a_limit_at_the_cameras_rate_loses_nothing_to_trembling),
		cmocka_unit_test(a_lower_limit_is_kept_evenly),
		cmocka_unit_test(a_gap_is_not_made_up_for),
		cmocka_unit_test(the_smallest_limit_lets_one_frame_through),
		cmocka_unit_test(only_frames_that_were_wanted_count_as_skipped),
		cmocka_unit_test(the_classic_layout_gives_a_length),
		cmocka_unit_test(the_early_layout_sends_the_next_header_block_with_the_picture),
		cmocka_unit_test(a_part_keeps_its_packet_until_the_last_reference),
		cmocka_unit_test(samples_are_written_as_prometheus_reads_them),
		cmocka_unit_test(a_histogram_is_cumulative_and_ends_with_its_sum_and_count),
		cmocka_unit_test(what_does_not_fit_is_told_and_not_written),
	};

	return cmocka_run_group_tests_name("server_parts", tests, NULL, NULL);
}
