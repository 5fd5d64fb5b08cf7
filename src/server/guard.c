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

#include "base/log.h"
#include "server/libh2o.h"

#if LIBH2O_IS_GUARDED

#define MAX_HEADERS 100

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

/* The library's own; found before there are threads, constant from then on. */
static struct {
	__typeof__(h2o_http2_stream_send_pending_data) *send_pending_data;
	__typeof__(h2o_http2_stream_reset) *stream_reset;
	__typeof__(h2o_http2_update_peer_settings) *update_peer_settings;
	__typeof__(h2o_hpack_parse_headers) *parse_headers;
	__typeof__(h2o_http2_decode_headers_payload) *decode_headers;
	__typeof__(h2o_http2_decode_priority_payload) *decode_priority;
	__typeof__(h2o_http2_decode_frame) *decode_frame;
} original;

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

	if (req->headers.size <= MAX_HEADERS)
		return err;
	*ret_reason = "too many headers";
	return H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM;
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

/* ---- a line on stderr for each frame of an unknown type: upstream 78f6d92ff ---- */

/* What is to be ignored becomes an answer to a ping, which is ignored without a word. */
ssize_t h2o_http2_decode_frame(struct libh2o_frame *frame, const uint8_t *bytes, size_t n,
	const h2o_http2_settings_t *settings, const char **ret_reason)
{
	static const uint8_t pong[8];
	ssize_t taken = original.decode_frame(frame, bytes, n, settings, ret_reason);

	if (taken >= 0 && frame->type > LIBH2O_FRAME_LAST)
		*frame = (struct libh2o_frame){
			.length = sizeof pong,
			.type = LIBH2O_FRAME_PING,
			.flags = LIBH2O_FRAME_FLAG_ACK,
			.payload = pong,
		};
	return taken;
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

void guard_begin(void)
{
	bool good = true;

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
#undef STAND_IN
	if (!good || !is_known_version((void *)original.decode_frame))
		log_warning("server",
			"the libh2o that was loaded is not the one Fanlight was built for: clients "
			"may be able to crash it; build Fanlight anew");
}

#else

void guard_begin(void)
{
}

#endif
