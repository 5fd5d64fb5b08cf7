#include "probe/multipart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

/* Lines are read between parts and for headers, where nobody needs long ones. */
#define LINE_BYTES_MOST 8192

/* Times beyond this are nonsense; it is the year 2286. */
#define SECONDS_MOST 1e10

int multipart_init(struct multipart *multipart, const char *content_type)
{
	const char *boundary = strcasestr(content_type, "boundary=");
	size_t length;

	*multipart = (struct multipart){0};
	if (strncasecmp(content_type, "multipart/", 10) || !boundary)
		return -EINVAL;
	boundary += strlen("boundary=");
	length = *boundary == '"' ? strcspn(++boundary, "\"") : strcspn(boundary, "; \t\r\n");
	/* Some servers count the delimiter's dashes into the boundary, some don't. */
	while (length && *boundary == '-') {
		boundary++;
		length--;
	}
	if (!length || length > MULTIPART_BOUNDARY_MOST)
		return -EINVAL;
	memcpy(multipart->boundary, boundary, length);
	return 0;
}

int multipart_add(struct multipart *multipart, const void *data, size_t bytes)
{
	inbox_drop(&multipart->inbox, multipart->taken);
	multipart->taken = 0;
	return inbox_add(&multipart->inbox, data, bytes);
}

/* Take a line out of the inbox, without its end. Returns 1, 0 (none is complete) or -EBADMSG. */
static int next_line(struct multipart *multipart, char **ret_line)
{
	size_t held = inbox_bytes(&multipart->inbox);
	size_t window = held < LINE_BYTES_MOST ? held : LINE_BYTES_MOST;
	char *line, *end;

	if (!held)
		return 0;
	line = (char *)inbox_data(&multipart->inbox);
	end = memchr(line, '\n', window);
	if (!end)
		return held < LINE_BYTES_MOST ? 0 : -EBADMSG;
	inbox_drop(&multipart->inbox, (size_t)(end + 1 - line));
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	*ret_line = line;
	return 1;
}

/* Nanoseconds of a header's seconds; 0 when they are none. */
static uint64_t parse_time(const char *value)
{
	char *end;
	double seconds = strtod(value, &end);

	return end > value && seconds > 0 && seconds < SECONDS_MOST
		       ? (uint64_t)(seconds * (double)NS_PER_S)
		       : 0;
}

static void set_time(struct picture *part, enum time_source source, const char *value)
{
	uint64_t time_ns = parse_time(value);

	if (!time_ns || source < part->source)
		return;
	part->source = source;
	part->captured_ns = time_ns;
}

/* Returns 0 or -EBADMSG. */
static int parse_header(struct picture *part, char *line)
{
	char *value = strchr(line, ':');

	if (!value)
		return -EBADMSG;
	*value++ = '\0';
	if (!strcasecmp(line, "Content-Length")) {
		unsigned long long bytes = strtoull(value, NULL, 10);

		if (!bytes || bytes > PICTURE_BYTES_MOST)
			return -EBADMSG;
		part->bytes = bytes;
	} else if (!strcasecmp(line, "X-Timestamp")) {
		set_time(part, TIME_X_TIMESTAMP, value);
	} else if (!strcasecmp(line, "X-UStreamer-Grab-Time")) {
		set_time(part, TIME_USTREAMER, value);
	} else if (!strcasecmp(line, "X-UStreamer-Encode-End-Time")) {
		part->encoded_ns = parse_time(value);
	}
	return 0;
}

/* A line of a part's headers. Returns 0 or -EBADMSG. */
static int read_header(struct multipart *multipart, char *line)
{
	multipart->placeholder |= !strncasecmp(line, "X-Fanlight-Placeholder:", 23);
	return parse_header(&multipart->part, line);
}

/* A line between parts, or of headers. Returns 0 or -EBADMSG. */
static int read_line(struct multipart *multipart, char *line)
{
	size_t dashes = strspn(line, "-"), length = strlen(multipart->boundary);

	if (multipart->expecting == MULTIPART_HEADERS) {
		if (*line)
			return read_header(multipart, line);
		multipart->expecting = MULTIPART_BODY;
		multipart->searched = 0;
	} else if (dashes >= 2 && !strncmp(line + dashes, multipart->boundary, length)) {
		bool last = !strncmp(line + dashes + length, "--", 2);

		multipart->expecting = last ? MULTIPART_END : MULTIPART_HEADERS;
		multipart->part = (struct picture){0};
		multipart->placeholder = false;
	}
	return 0;
}

/* Whether the boundary at data + at begins a delimiter; *ret_end is where the part before ends. */
static bool ends_part(const uint8_t *data, size_t at, size_t *ret_end)
{
	size_t line = at;

	while (line && data[line - 1] == '-')
		line--;
	if (at - line < 2 || !line || data[line - 1] != '\n')
		return false;
	*ret_end = line - 1;
	if (*ret_end && data[*ret_end - 1] == '\r')
		--*ret_end;
	return true;
}

/*
 * Find the end of a body whose length was not told. Returns 1 and its bytes, 0 (more bytes are
 * needed) or -EBADMSG.
 */
static int find_end(struct multipart *multipart, size_t *ret_bytes)
{
	const uint8_t *data = inbox_data(&multipart->inbox), *found;
	size_t held = inbox_bytes(&multipart->inbox), length = strlen(multipart->boundary);

	while (held - multipart->searched >= length) {
		found = memmem(data + multipart->searched, held - multipart->searched,
			multipart->boundary, length);
		if (!found) {
			multipart->searched = held - length + 1;
			break;
		}
		if (ends_part(data, (size_t)(found - data), ret_bytes))
			return 1;
		multipart->searched = (size_t)(found - data) + 1;
	}
	return held > PICTURE_BYTES_MOST ? -EBADMSG : 0;
}

/* Returns 1 and the picture, 0 (more bytes are needed) or -EBADMSG. */
static int take_body(struct multipart *multipart, struct picture *ret_picture)
{
	struct picture *part = &multipart->part;

	if (!part->bytes) {
		int found = find_end(multipart, &part->bytes);

		if (found <= 0)
			return found;
	}
	if (inbox_bytes(&multipart->inbox) < part->bytes)
		return 0;
	*ret_picture = *part;
	ret_picture->data = inbox_data(&multipart->inbox);
	multipart->taken = part->bytes;
	multipart->expecting = MULTIPART_DELIMITER;
	return 1;
}

int multipart_next(struct multipart *multipart, struct picture *ret_picture)
{
	char *line;
	int err = 1;

	while (err > 0) {
		inbox_drop(&multipart->inbox, multipart->taken);
		multipart->taken = 0;
		if (multipart->expecting == MULTIPART_END)
			return 0;
		if (multipart->expecting == MULTIPART_BODY) {
			err = take_body(multipart, ret_picture);
			if (err <= 0 || !multipart->placeholder)
				return err;
			continue;
		}
		err = next_line(multipart, &line);
		if (err > 0 && read_line(multipart, line) < 0)
			err = -EBADMSG;
	}
	return err;
}

void multipart_finish(struct multipart *multipart)
{
	inbox_finish(&multipart->inbox);
}
