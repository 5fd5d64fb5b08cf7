/* The guard's idea of libh2o's own structs, beside the header that libh2o hides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "server/guard.h"
#include "server/libh2o.h"

#if LIBH2O_IS_GUARDED
#include <h2o/http2_internal.h>

#define SAME(ours, our_field, theirs, their_field)                                                 \
	do {                                                                                       \
		assert_int_equal(offsetof(ours, our_field), offsetof(theirs, their_field));        \
		assert_int_equal(                                                                  \
			sizeof(((ours *)NULL)->our_field), sizeof(((theirs *)NULL)->their_field)); \
	} while (0)

static void structs_are_laid_out_as_in_the_library(void **state)
{
	(void)state;
	SAME(struct libh2o_stream, state, h2o_http2_stream_t, state);
	SAME(struct libh2o_stream, output_window, h2o_http2_stream_t, output_window);
	SAME(struct libh2o_frame, length, h2o_http2_frame_t, length);
	SAME(struct libh2o_frame, type, h2o_http2_frame_t, type);
	SAME(struct libh2o_frame, flags, h2o_http2_frame_t, flags);
	SAME(struct libh2o_frame, stream_id, h2o_http2_frame_t, stream_id);
	SAME(struct libh2o_frame, payload, h2o_http2_frame_t, payload);
	assert_int_equal(sizeof(struct libh2o_frame), sizeof(h2o_http2_frame_t));
	SAME(struct libh2o_headers, priority, h2o_http2_headers_payload_t, priority);
	SAME(struct libh2o_headers, headers, h2o_http2_headers_payload_t, headers);
	SAME(struct libh2o_headers, headers_bytes, h2o_http2_headers_payload_t, headers_len);
	assert_int_equal(sizeof(struct libh2o_headers), sizeof(h2o_http2_headers_payload_t));
}

static void numbers_are_those_of_the_library(void **state)
{
	(void)state;
	assert_int_equal(LIBH2O_FRAME_DATA, H2O_HTTP2_FRAME_TYPE_DATA);
	assert_int_equal(LIBH2O_FRAME_PING, H2O_HTTP2_FRAME_TYPE_PING);
	assert_int_equal(LIBH2O_FRAME_WINDOW_UPDATE, H2O_HTTP2_FRAME_TYPE_WINDOW_UPDATE);
	assert_int_equal(LIBH2O_FRAME_LAST, H2O_HTTP2_FRAME_TYPE_CONTINUATION);
	assert_int_equal(LIBH2O_FRAME_FLAG_ACK, H2O_HTTP2_FRAME_FLAG_ACK);
	assert_int_equal(LIBH2O_FRAME_FLAG_END_HEADERS, H2O_HTTP2_FRAME_FLAG_END_HEADERS);
	assert_int_equal(LIBH2O_STREAM_END, H2O_HTTP2_STREAM_STATE_END_STREAM);
}

ON_MAIN static void unknown_frames_and_priorities_are_made_harmless(void **state)
{
	static const uint8_t bytes[] = {0, 0, 5, 200, 0, 0, 0, 0, 1, 0x80, 0, 0, 3, 255};
	h2o_http2_priority_t priority;
	h2o_http2_frame_t frame;
	const char *reason = NULL;

	(void)state;
	guard_begin(NULL);
	assert_int_equal(h2o_http2_decode_frame(
				 &frame, bytes, sizeof bytes, &H2O_HTTP2_SETTINGS_HOST, &reason),
		sizeof bytes);
	assert_int_equal(frame.type, H2O_HTTP2_FRAME_TYPE_PING);
	frame = (h2o_http2_frame_t){.length = 5, .stream_id = 1, .payload = bytes + 9};
	assert_int_equal(h2o_http2_decode_priority_payload(&priority, &frame, &reason), 0);
	assert_memory_equal(&priority, &h2o_http2_default_priority, sizeof priority);
}

static int n_run_out;

static void on_timeout(h2o_timeout_entry_t *entry)
{
	(void)entry;
	n_run_out++;
}

ON_MAIN static void timers_follow_a_clock_that_is_set(void **state)
{
	static const int64_t steps_ms[] = {3600000, -7200000, 1000000000000};
	h2o_loop_t *loop = h2o_evloop_create();
	h2o_timeout_entry_t entry = {.cb = on_timeout};
	h2o_timeout_t timeout;

	(void)state;
	guard_begin(NULL);
	n_run_out = 0;
	h2o_timeout_init(loop, &timeout, 5000);
	h2o_timeout_link(loop, &timeout, &entry);
	for (size_t i = 0; i < sizeof steps_ms / sizeof *steps_ms; i++) {
		loop->_now += (uint64_t)steps_ms[i];
		h2o_timeout_run(loop, &timeout, loop->_now);
		assert_int_equal(n_run_out, 0);
		assert_int_equal(
			entry.registered_at + 5000, h2o_timeout_get_wake_at(&loop->_timeouts));
		assert_true(entry.registered_at <= loop->_now);
		assert_true(entry.registered_at + 5000 > loop->_now);
	}
	loop->_now += 999; /* time that passes is no step */
	h2o_timeout_run(loop, &timeout, loop->_now + 5000);
	assert_int_equal(n_run_out, 1);
	h2o_timeout_dispose(loop, &timeout);
	h2o_evloop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structs_are_laid_out_as_in_the_library),
		cmocka_unit_test(numbers_are_those_of_the_library),
		cmocka_unit_test(unknown_frames_and_priorities_are_made_harmless),
		cmocka_unit_test(timers_follow_a_clock_that_is_set),
	};

	role_take(&role_main, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	puts("1..0 # SKIP there is nothing to guard in this libh2o");
	return 0;
}

#endif
