/*
 * libh2o calls the functions of its other files by name through its procedure linkage table, so
 * that a function of that name in the executable takes the place of the library's own. The linker
 * exports those here because the library on its command line refers to them.
 *
 * What each one closes is open in every release of the 2.2 series, 2.2.6 included.
 */
#include "server/guard.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/libh2o.h"

#if LIBH2O_IS_GUARDED

#define MAX_HEADERS 100

/* The wall clock was set if it has moved by so much more or less than time has passed. */
#define CLOCK_STEP_MS 1000

/* A stream that sends no more has this window, which no client can bring down to zero. */
#define FINISHED_WINDOW (1 << 30)

/* SETTINGS move a window by the difference of two initial ones, at most by this. */
#define MAX_INITIAL_WINDOW (FINISHED_WINDOW - 1)

ON_SERVER void h2o_http2_stream_send_pending_data(void *conn, struct libh2o_stream *stream);
ON_SERVER void h2o_http2_stream_reset(void *conn, struct libh2o_stream *stream);
ON_SERVER int h2o_http2_update_peer_settings(
	h2o_http2_settings_t *settings, const uint8_t *bytes, size_t n, const char **ret_reason);
ON_SERVER int h2o_hpack_parse_headers(h2o_req_t *req, void *table, const uint8_t *bytes, size_t n,
	int *pseudo_headers, size_t *content_length, void **digests, const char **ret_reason);
ON_SERVER int h2o_http2_decode_headers_payload(
	struct libh2o_headers *headers, const struct libh2o_frame *frame, const char **ret_reason);
ON_SERVER int h2o_http2_decode_priority_payload(
	h2o_http2_priority_t *priority, const struct libh2o_frame *frame, const char **ret_reason);
ON_SERVER ssize_t h2o_http2_decode_frame(struct libh2o_frame *frame, const uint8_t *bytes, size_t n,
	const h2o_http2_settings_t *settings, const char **ret_reason);
ON_SERVER int phr_parse_request(const char *bytes, size_t n, const char **method,
	size_t *method_bytes, const char **path, size_t *path_bytes, int *minor_version,
	struct libh2o_field *headers, size_t *n_headers, size_t n_before);
ON_SERVER void h2o_send_error_generic(
	h2o_req_t *req, int status, const char *reason, const char *body, int flags);
ON_SERVER void h2o_http2__encode_rst_stream_frame(
	h2o_buffer_t **buffer, uint32_t stream_id, int error);
ON_SERVER void h2o_timeout_link(
	h2o_loop_t *loop, h2o_timeout_t *timeout, h2o_timeout_entry_t *entry);
ON_SERVER void h2o_timeout_run(h2o_loop_t *loop, h2o_timeout_t *timeout, uint64_t now_ms);

/* The library's own; found before there are threads, constant from then on. */
static struct {
	__typeof__(h2o_http2_stream_send_pending_data) *send_pending_data;
	__typeof__(h2o_http2_stream_reset) *stream_reset;
	__typeof__(h2o_http2_update_peer_settings) *update_peer_settings;
	__typeof__(h2o_hpack_parse_headers) *parse_headers;
	__typeof__(h2o_http2_decode_headers_payload) *decode_headers;
	__typeof__(h2o_http2_decode_priority_payload) *decode_priority;
	__typeof__(h2o_http2_decode_frame) *decode_frame;
	__typeof__(phr_parse_request) *parse_request;
	__typeof__(h2o_send_error_generic) *send_error;
	__typeof__(h2o_http2__encode_rst_stream_frame) *encode_reset;
	__typeof__(h2o_timeout_link) *timeout_link;
	__typeof__(h2o_timeout_run) *timeout_run;
} original;

/* The server's, for libh2o does not say on whose behalf it calls. */
static struct connections *guarded;

/* The type of the frame of HTTP/2 that is at work; of the server thread. */
static uint8_t frame_type;

/* ---- windows of finished streams: upstream 00977f672 ---- */

/*
 * A WINDOW_UPDATE or SETTINGS that opens a closed window fails an assertion when the stream is
 * finished and the kernel has not taken the last of it. So such a stream's window, which means
 * nothing any more, is kept open.
 */
void h2o_http2_stream_send_pending_data(void *conn, struct libh2o_stream *stream)
{
	original.send_pending_data(conn, stream);
	if (stream->state == LIBH2O_STREAM_END)
		stream->output_window = FINISHED_WINDOW;
}

/* The client's RST_STREAM finishes a stream just as well; it may be freed in there. */
void h2o_http2_stream_reset(void *conn, struct libh2o_stream *stream)
{
	stream->output_window = FINISHED_WINDOW;
	original.stream_reset(conn, stream);
}

int h2o_http2_update_peer_settings(
	h2o_http2_settings_t *settings, const uint8_t *bytes, size_t n, const char **ret_reason)
{
	int err = original.update_peer_settings(settings, bytes, n, ret_reason);

	if (settings->initial_window_size > MAX_INITIAL_WINDOW)
		settings->initial_window_size = MAX_INITIAL_WINDOW;
	return err;
}

/* ---- headers without limit: upstream acb2532cc and 00f6cab89 ---- */

/*
 * A field may be one byte that refers to the table, and takes some fifty here. HTTP/1 has this
 * limit already. The block itself is no longer than a frame, as below.
 */
int h2o_hpack_parse_headers(h2o_req_t *req, void *table, const uint8_t *bytes, size_t n,
	int *pseudo_headers, size_t *content_length, void **digests, const char **ret_reason)
{
	int err = original.parse_headers(
		req, table, bytes, n, pseudo_headers, content_length, digests, ret_reason);

	if (req->headers.size > MAX_HEADERS)
		connections_note(req, LIMIT_HEADERS);
	else if (connections_take_headers(req, n))
		return err;
	*ret_reason = "too many headers";
	return H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM;
}

/*
 * More than one thing that says how long the body is, or one twice: a proxy may have believed the
 * other and sent somebody else's request behind it. Upstream believes the last.
 */
ON_SERVER static bool is_ambiguous(const struct libh2o_field *fields, size_t n)
{
	int lengths = 0;

	for (size_t i = 0; i < n; i++) {
		h2o_iovec_t name = {(char *)fields[i].name, fields[i].name_bytes};

		lengths += h2o_lcstris(name.base, name.len, H2O_STRLIT("content-length")) ||
			   h2o_lcstris(name.base, name.len, H2O_STRLIT("transfer-encoding"));
	}
	return lengths > 1;
}

/*
 * What is too large becomes another request, of which only this path tells, so that it can be
 * answered as all are; libh2o would take 417 KB, and say no more than that it is bad.
 */
static const char path_of_long_url[] = "/", path_of_large_headers[] = "/";

enum limit guard_find_limit(const h2o_req_t *req)
{
	if (req->input.path.base == path_of_long_url)
		return LIMIT_URL;
	return req->input.path.base == path_of_large_headers ? LIMIT_HEADERS : LIMITS;
}

/* How a request of HTTP/2 by prior knowledge begins, which is no bad one of HTTP/1. */
ON_SERVER static bool is_preface(const char *bytes, size_t n)
{
	static const char preface[] = "PRI * HTTP/2";

	return n >= sizeof preface - 1 && !memcmp(bytes, preface, sizeof preface - 1);
}

/* The same in HTTP/1: 0 bytes would be no request, -2 an incomplete one, -1 is a bad one. */
int phr_parse_request(const char *bytes, size_t n, const char **method, size_t *method_bytes,
	const char **path, size_t *path_bytes, int *minor_version, struct libh2o_field *headers,
	size_t *n_headers, size_t n_before)
{
	const struct server_limits *limits = &guarded->limits;
	size_t most_bytes = limits->url_bytes + limits->header_bytes, most_headers = *n_headers;
	int taken = original.parse_request(bytes, n, method, method_bytes, path, path_bytes,
		minor_version, headers, n_headers, n_before);
	size_t read_bytes = taken > 0 ? (size_t)taken : n;

	if ((taken != -1 && read_bytes > most_bytes) ||
		(taken == -1 && *n_headers == most_headers)) {
		const char *line_end = memchr(bytes, '\n', n);
		bool is_long = !line_end || (size_t)(line_end - bytes) > limits->url_bytes;

		*method = "GET";
		*method_bytes = strlen(*method);
		*path = is_long ? path_of_long_url : path_of_large_headers;
		*path_bytes = strlen(*path);
		*minor_version = 0; /* its connection is not used again */
		*n_headers = 0;
		return (int)n;
	}
	if (taken > 0 && is_ambiguous(headers, *n_headers))
		taken = -1;
	if (taken == -1 && !is_preface(bytes, n))
		connections_note_sender(guarded, (const uint8_t *)bytes, LIMIT_MALFORMED);
	return taken;
}

/* What libh2o itself refuses: bodies that are too long, or not as they should be. */
void h2o_send_error_generic(
	h2o_req_t *req, int status, const char *reason, const char *body, int flags)
{
	bool is_long = status == 413;

	connections_note(req, is_long ? LIMIT_BODY : LIMIT_MALFORMED);
	original.send_error(req, status, reason, is_long ? "The body is too long.\n" : body, flags);
}

/*
 * A body that grows too long in HTTP/2 has its stream refused, which to clients means that nothing
 * was done with it, and that they may send it again.
 */
void h2o_http2__encode_rst_stream_frame(h2o_buffer_t **buffer, uint32_t stream_id, int error)
{
	if (guarded && error == -H2O_HTTP2_ERROR_REFUSED_STREAM &&
		frame_type == LIBH2O_FRAME_DATA) {
		connections_note_reading(guarded, LIMIT_BODY);
		error = -H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM;
	}
	original.encode_reset(buffer, stream_id, error);
}

/*
 * Headers have to fit into one frame, which has 16 KB. Clients continue them in further frames only
 * when they do not fit; upstream takes 400 KB of them, and any number of empty ones.
 *
 * And all streams are equal. Browsers ask for live streams as they ask for files, each after the
 * one before; where the link is short all but the first would starve. Upstream obeys to this day.
 */
int h2o_http2_decode_headers_payload(
	struct libh2o_headers *headers, const struct libh2o_frame *frame, const char **ret_reason)
{
	int err = original.decode_headers(headers, frame, ret_reason);

	headers->priority = h2o_http2_default_priority;
	if (err || frame->flags & LIBH2O_FRAME_FLAG_END_HEADERS)
		return err;
	connections_note_reading(guarded, LIMIT_HEADERS);
	*ret_reason = "headers are too long";
	return H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM;
}

int h2o_http2_decode_priority_payload(
	h2o_http2_priority_t *priority, const struct libh2o_frame *frame, const char **ret_reason)
{
	int err = original.decode_priority(priority, frame, ret_reason);

	*priority = h2o_http2_default_priority;
	return err;
}

/* ---- frames without limit: upstream 94fbc54b6, a2fe82c2f; of unknown types: 78f6d92ff ---- */

/*
 * Any frame makes work, and most an answer that is kept for who does not read: streams that are
 * opened and reset at once, pings, settings, data for what is closed. So all count as requests do.
 *
 * Upstream writes a line on stderr for each of an unknown type. What is to be ignored becomes an
 * answer to a ping, which is ignored without a word.
 */
ssize_t h2o_http2_decode_frame(struct libh2o_frame *frame, const uint8_t *bytes, size_t n,
	const h2o_http2_settings_t *settings, const char **ret_reason)
{
	static const uint8_t pong[8];
	ssize_t taken = original.decode_frame(frame, bytes, n, settings, ret_reason);

	if (taken >= 0 && guarded &&
		!connections_take_frame(
			guarded, bytes, frame->type == LIBH2O_FRAME_WINDOW_UPDATE)) {
		*ret_reason = "too many frames";
		return H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM;
	}
	if (taken >= 0)
		frame_type = frame->type;
	if (taken >= 0 && frame->type > LIBH2O_FRAME_LAST)
		*frame = (struct libh2o_frame){
			.length = sizeof pong,
			.type = LIBH2O_FRAME_PING,
			.flags = LIBH2O_FRAME_FLAG_ACK,
			.payload = pong,
		};
	return taken;
}

/* ---- timers on the wall clock: upstream to this day ---- */

/*
 * A clock that is set would let all of them run out at once, or none for as long. So when it was,
 * the timers that run are moved along with it, before anything else is done with them.
 */
ON_SERVER static void follow_clock(h2o_loop_t *loop)
{
	static uint64_t ahead_ms; /* the wall clock, of time since the machine was started */
	uint64_t now_ahead_ms = h2o_now(loop) - clock_now_ns() / NS_PER_MS;
	uint64_t step_ms = now_ahead_ms - ahead_ms;

	if (step_ms + CLOCK_STEP_MS < (uint64_t)2 * CLOCK_STEP_MS)
		return;
	ahead_ms = now_ahead_ms;
	for (h2o_linklist_t *node = loop->_timeouts.next; node != &loop->_timeouts;
		node = node->next) {
		h2o_linklist_t *entries =
			&H2O_STRUCT_FROM_MEMBER(h2o_timeout_t, _link, node)->_entries;

		for (h2o_linklist_t *link = entries->next; link != entries; link = link->next)
			H2O_STRUCT_FROM_MEMBER(h2o_timeout_entry_t, _link, link)->registered_at +=
				step_ms;
	}
}

void h2o_timeout_link(h2o_loop_t *loop, h2o_timeout_t *timeout, h2o_timeout_entry_t *entry)
{
	follow_clock(loop);
	original.timeout_link(loop, timeout, entry);
}

void h2o_timeout_run(h2o_loop_t *loop, h2o_timeout_t *timeout, uint64_t now_ms)
{
	follow_clock(loop);
	original.timeout_run(loop, timeout, now_ms);
}

/* ---- start ---- */

/* Whether the library's file is of the version that these functions are for. */
ON_MAIN static bool is_known_version(void *function)
{
	char path[PATH_MAX];
	const char *version;
	Dl_info info;

	if (!function || !dladdr(function, &info) || !realpath(info.dli_fname, path))
		return false;
	version = strstr(path, ".so.");
	return version && (!strcmp(version, ".so.0.13.5") || !strcmp(version, ".so.0.13.6"));
}

void guard_begin(struct connections *connections)
{
	bool good = true;

	guarded = connections;

	/* What the name stands for everywhere is what the library calls, too. */
#define STAND_IN(name, field)                     \
	original.field = dlsym(RTLD_NEXT, #name); \
	good = good && original.field && dlsym(RTLD_DEFAULT, #name) == (void *)name
	STAND_IN(h2o_http2_stream_send_pending_data, send_pending_data);
	STAND_IN(h2o_http2_stream_reset, stream_reset);
	STAND_IN(h2o_http2_update_peer_settings, update_peer_settings);
	STAND_IN(h2o_hpack_parse_headers, parse_headers);
	STAND_IN(h2o_http2_decode_headers_payload, decode_headers);
	STAND_IN(h2o_http2_decode_priority_payload, decode_priority);
	STAND_IN(h2o_http2_decode_frame, decode_frame);
	STAND_IN(phr_parse_request, parse_request);
	STAND_IN(h2o_send_error_generic, send_error);
	STAND_IN(h2o_http2__encode_rst_stream_frame, encode_reset);
	STAND_IN(h2o_timeout_link, timeout_link);
	STAND_IN(h2o_timeout_run, timeout_run);
#undef STAND_IN
	if (!good || !is_known_version((void *)original.decode_frame))
		log_warning("server",
			"the libh2o that was loaded is not the one Fanlight was built for: clients "
			"may be able to crash it; build Fanlight anew");
}

#else

void guard_begin(struct connections *connections)
{
	(void)connections;
}

enum limit guard_find_limit(const h2o_req_t *req)
{
	(void)req;
	return LIMITS;
}

#endif
