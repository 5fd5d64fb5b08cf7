#include "probe/viewer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A picture that is older than this, or from the future, has the time of another clock. */
#define AGE_NS_MOST    (3600 * NS_PER_S)
#define FUTURE_NS_MOST (5 * NS_PER_MS)

/* X-Timestamp is the driver's monotonic time in some servers; no machine is up for so long. */
#define WALL_NS_LEAST (1000000000 * NS_PER_S)

static void __attribute__((format(printf, 2, 3)))
fail(struct viewer *viewer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(viewer->failure, sizeof viewer->failure, format, arguments);
	va_end(arguments);
}

/* The time from one moment to another in us, UINT32_MAX if they cannot be of one clock. */
static uint32_t span_us(uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns > to_ns + FUTURE_NS_MOST || from_ns + AGE_NS_MOST < to_ns)
		return UINT32_MAX;
	return from_ns < to_ns ? (uint32_t)((to_ns - from_ns) / NS_PER_US) : 0;
}

/* Nothing steers CLOCK_MONOTONIC_RAW; the two differ by seconds after days. */
static void leave_raw_clock(struct picture *picture)
{
	uint64_t ahead_ns = clock_now_ns() - clock_read_ns(CLOCK_MONOTONIC_RAW);

	picture->captured_ns += ahead_ns;
	if (picture->encoded_ns)
		picture->encoded_ns += ahead_ns;
}

/* Make the picture's time the best that there is for it. */
static void find_time(struct viewer *viewer, struct picture *picture, uint64_t now_ns)
{
	bool first = !viewer->n_samples;
	uint64_t stamp_ns;

	if (picture->source == TIME_USTREAMER && viewer->raw_clock)
		leave_raw_clock(picture);
	/* A stream that begins without stamps will not have them later, and looking costs. */
	if ((first || viewer->source == TIME_STAMP) &&
		stamps_read(viewer->stamps, picture, &stamp_ns) &&
		span_us(stamp_ns, now_ns) != UINT32_MAX) {
		picture->source = TIME_STAMP;
		picture->captured_ns = stamp_ns;
	} else if (picture->source == TIME_X_TIMESTAMP && picture->captured_ns > WALL_NS_LEAST) {
		picture->captured_ns -= clock_wall_ns(0);
	}
}

static int add_sample(struct viewer *viewer, struct sample sample)
{
	if (viewer->n_samples == viewer->capacity) {
		size_t capacity = viewer->capacity ? 2 * viewer->capacity : 1024;
		struct sample *samples = reallocarray(viewer->samples, capacity, sizeof *samples);

		if (!samples)
			return -ENOMEM;
		viewer->samples = samples;
		viewer->capacity = capacity;
	}
	viewer->samples[viewer->n_samples++] = sample;
	return 0;
}

/* A picture is complete. */
static int note_picture(struct viewer *viewer, struct picture *picture, uint64_t now_ns)
{
	struct sample sample = {.came_ns = now_ns, .age_us = UINT32_MAX, .delivery_us = UINT32_MAX};

	find_time(viewer, picture, now_ns);
	if (picture->source != TIME_UNKNOWN)
		sample.age_us = span_us(picture->captured_ns, now_ns);
	if (sample.age_us != UINT32_MAX)
		sample.captured_ns = picture->captured_ns;
	if (picture->encoded_ns)
		sample.delivery_us = span_us(picture->encoded_ns, now_ns);

	viewer->source = sample.captured_ns ? picture->source : TIME_UNKNOWN;
	if (viewer->kind == VIEWER_STALLED)
		viewer->link->stalled = true;
	return add_sample(viewer, sample);
}

/* Look at the head of the answer. Returns 0, or -1 after fail(). */
static int begin_body(struct viewer *viewer)
{
	const char *type = NULL;
	long status = 0;

	(void)curl_easy_getinfo(viewer->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(viewer->curl, CURLINFO_CONTENT_TYPE, &type);
	if (status != 200) {
		fail(viewer, "the server answered %ld instead of 200", status);
		return -1;
	}
	if (type && !strcasecmp(type, RECORDS_CONTENT_TYPE)) {
		viewer->body = BODY_RECORDS;
	} else if (type && !multipart_init(&viewer->multipart, type)) {
		viewer->body = BODY_MULTIPART;
	} else {
		fail(viewer,
			"this is %s and no stream of pictures: give the address of a "
			"multipart or a Fanlight live stream",
			type ? type : "of no type");
		return -1;
	}
	return 0;
}

static int read_pictures(struct viewer *viewer, const void *data, size_t bytes, uint64_t now_ns)
{
	bool live = viewer->body == BODY_RECORDS;
	struct picture picture;
	int err = live ? records_add(&viewer->records, data, bytes)
		       : multipart_add(&viewer->multipart, data, bytes);

	while (!err) {
		err = live ? records_next(&viewer->records, &picture)
			   : multipart_next(&viewer->multipart, &picture);
		if (err <= 0)
			return err;
		err = note_picture(viewer, &picture, now_ns);
	}
	return err;
}

static size_t on_body(char *data, size_t one, size_t bytes, void *context)
{
	struct viewer *viewer = context;
	uint64_t now_ns = clock_now_ns();
	int err;

	(void)one; /* is 1 */
	if (viewer->body == BODY_UNKNOWN && begin_body(viewer) < 0)
		return CURL_WRITEFUNC_ERROR;
	viewer->bytes += bytes;
	err = read_pictures(viewer, data, bytes, now_ns);
	if (err < 0) {
		fail(viewer, "%s", err == -EBADMSG ? "the stream makes no sense" : strerror(-err));
		return CURL_WRITEFUNC_ERROR;
	}
	return bytes;
}

static curl_socket_t open_link(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	socklen_t bytes = address->addrlen;

	(void)purpose;
	if (link_connect(context, &address->addr, &bytes) < 0)
		return CURL_SOCKET_BAD;
	address->addrlen = bytes;
	address->family = address->addr.sa_family;
	address->protocol = 0;
	return socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int put_link_between(struct viewer *viewer, uint64_t bytes_per_s)
{
	viewer->link = malloc(sizeof *viewer->link);
	if (!viewer->link)
		return -ENOMEM;
	link_init(viewer->link, bytes_per_s);
	(void)curl_easy_setopt(viewer->curl, CURLOPT_OPENSOCKETFUNCTION, open_link);
	(void)curl_easy_setopt(viewer->curl, CURLOPT_OPENSOCKETDATA, viewer->link);
	return 0;
}

int viewer_open(struct viewer *viewer, const char *url, enum viewer_kind kind,
	const struct viewer_config *config, struct stamps *stamps)
{
	CURL *curl = curl_easy_init();

	viewer->url = url;
	viewer->kind = kind;
	viewer->stamps = stamps;
	viewer->raw_clock = config->raw_clock;
	viewer->curl = curl;
	viewer->begin_ns = clock_now_ns();
	if (!curl || curl_easy_setopt(curl, CURLOPT_URL, url))
		return -ENOMEM;
	(void)curl_easy_setopt(curl, CURLOPT_PRIVATE, viewer);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, viewer->transport_failure);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, viewer);
	(void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, config->http_version);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, config->insecure ? 0L : 1L);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, config->insecure ? 0L : 2L);
	/* A proxy would be measured along. */
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (kind == VIEWER_FAST)
		return 0;
	/* Until it stalls a stalled one is as fast as they come. */
	return put_link_between(viewer, kind == VIEWER_SLOW ? config->bytes_per_s : UINT32_MAX);
}

void viewer_end(struct viewer *viewer, CURLcode result)
{
	if (result == CURLE_PEER_FAILED_VERIFICATION)
		fail(viewer, "the server's certificate is not trusted; --insecure takes any");
	else if (result == CURLE_OK && viewer->body == BODY_UNKNOWN && !begin_body(viewer))
		fail(viewer, "the answer is empty");
	else if (result == CURLE_OK && !*viewer->failure)
		fail(viewer, "the server ended the stream");
	else if (!*viewer->failure)
		fail(viewer, "%s",
			*viewer->transport_failure ? viewer->transport_failure
						   : curl_easy_strerror(result));
}

const char *viewer_protocol(const struct viewer *viewer)
{
	long version = 0;

	(void)curl_easy_getinfo(viewer->curl, CURLINFO_HTTP_VERSION, &version);
	if (version == CURL_HTTP_VERSION_2_0)
		return "HTTP/2";
	return version == CURL_HTTP_VERSION_1_0 ? "HTTP/1.0" : "HTTP/1.1";
}

void viewer_close(struct viewer *viewer)
{
	curl_easy_cleanup(viewer->curl);
	if (viewer->link)
		link_close(viewer->link);
	free(viewer->link);
	multipart_finish(&viewer->multipart);
	records_finish(&viewer->records);
	free(viewer->samples);
	*viewer = (struct viewer){0};
}
