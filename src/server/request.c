#include "server/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FPS_MAX    1000.0
#define MAX_AGE_MS 3600000.0

static bool is(h2o_iovec_t text, const char *word)
{
	return text.len == strlen(word) && !memcmp(text.base, word, text.len);
}

/* Cut text off at the first of these characters; returns what follows it, or an empty rest. */
static h2o_iovec_t cut(h2o_iovec_t *text, const char *separators)
{
	for (size_t i = 0; i < text->len; i++)
		if (memchr(separators, text->base[i], strlen(separators))) {
			h2o_iovec_t rest = {text->base + i + 1, text->len - i - 1};

			text->len = i;
			return rest;
		}
	return (h2o_iovec_t){text->base + text->len, 0};
}

/* A plain number of [0, most], all of text. */
static bool parse_number(h2o_iovec_t text, double most, double *ret_number)
{
	char copy[32], *end;
	double number;

	if (!text.len || text.len >= sizeof copy)
		return false;
	memcpy(copy, text.base, text.len);
	copy[text.len] = '\0';
	number = strtod(copy, &end);
	/* The characters too: strtod() takes " +0x1p3" and "inf" for numbers. */
	if (*end || strspn(copy, "0123456789.") < text.len || !(number >= 0 && number <= most))
		return false;
	*ret_number = number;
	return true;
}

static bool parse_flag(h2o_iovec_t text, bool *ret_flag)
{
	*ret_flag = is(text, "1") || is(text, "true") || is(text, "yes");
	return *ret_flag || is(text, "0") || is(text, "false") || is(text, "no");
}

/* mjpg-streamer's action: stream or snapshot, perhaps with _N for camera N. */
static int parse_action(
	h2o_iovec_t action, size_t n_cameras, struct request *request, const char **ret_reason)
{
	h2o_iovec_t number = cut(&action, "_");
	double camera = 0;

	*ret_reason = "action is stream or snapshot, with _0, _1, ... for one of several cameras.";
	if (is(action, "stream"))
		request->route = ROUTE_STREAM;
	else if (is(action, "snapshot"))
		request->route = ROUTE_SNAPSHOT;
	else
		return -EINVAL;
	if (number.len && !parse_number(number, 1e6, &camera))
		return -EINVAL;
	*ret_reason = "There is no camera of this number.";
	if (camera >= (double)n_cameras)
		return -ENOENT;
	request->camera = (size_t)camera;
	return 0;
}

static int parse_layout(h2o_iovec_t value, struct request *request)
{
	request->layout_chosen = true;
	request->layout = is(value, "early") ? PART_EARLY : PART_CLASSIC;
	return is(value, "early") || is(value, "classic") ? 0 : -EINVAL;
}

/* A whole number of [least, most], all of text. */
static bool parse_whole(h2o_iovec_t text, unsigned least, unsigned most, uint16_t *ret_number)
{
	double number;

	if (memchr(text.base, '.', text.len) || !parse_number(text, most, &number) ||
		number < least)
		return false;
	*ret_number = (uint16_t)number;
	return true;
}

/* "1/2", "1/4", "1/8", a width, or a box. */
static int parse_size(h2o_iovec_t value, struct variant *variant)
{
	h2o_iovec_t height;

	variant->width = variant->height = variant->divisor = 0;
	for (uint16_t divisor = 2; divisor <= 8; divisor *= 2)
		if (value.len == 3 && !memcmp(value.base, "1/", 2) &&
			value.base[2] == '0' + divisor) {
			variant->divisor = divisor;
			return 0;
		}
	if (memchr(value.base, 'x', value.len)) {
		height = cut(&value, "x");
		if (!parse_whole(
			    height, VARIANT_PIXELS_LEAST, VARIANT_PIXELS_MOST, &variant->height))
			return -EINVAL;
	}
	return parse_whole(value, VARIANT_PIXELS_LEAST, VARIANT_PIXELS_MOST, &variant->width)
		       ? 0
		       : -EINVAL;
}

static int parse_argument(
	h2o_iovec_t name, h2o_iovec_t value, struct request *request, const char **ret_reason)
{
	double number;
	bool flag;

	if (is(name, "fps")) {
		*ret_reason = "fps is a number from 0 (no limit) to 1000.";
		return parse_number(value, FPS_MAX, &request->fps) ? 0 : -EINVAL;
	}
	if (is(name, "size")) {
		*ret_reason = "size is a width or a box such as 640x360 that pictures are to fit "
			      "into, of 16 to 16384 pixels, or 1/2, 1/4 or 1/8 of theirs.";
		return parse_size(value, &request->variant);
	}
	if (is(name, "quality")) {
		*ret_reason = "quality is a whole number from 10 to 95.";
		return parse_whole(value, VARIANT_QUALITY_LEAST, VARIANT_QUALITY_MOST,
			       &request->variant.quality)
			       ? 0
			       : -EINVAL;
	}
	if (is(name, "layout")) {
		*ret_reason = "layout is classic or early.";
		return parse_layout(value, request);
	}
	if (is(name, "extra_headers")) {
		*ret_reason = "extra_headers is 0 or 1.";
		return parse_flag(value, &request->extra_headers) ? 0 : -EINVAL;
	}
	if (is(name, "advance_headers")) { /* what ustreamer calls the early layout */
		*ret_reason = "advance_headers is 0 or 1.";
		return parse_flag(value, &flag)
			       ? parse_layout(flag ? h2o_iovec_init(H2O_STRLIT("early"))
						   : h2o_iovec_init(H2O_STRLIT("classic")),
					 request)
			       : -EINVAL;
	}
	if (is(name, "max_age_ms")) {
		*ret_reason = "max_age_ms is a number of milliseconds, up to an hour.";
		if (!parse_number(value, MAX_AGE_MS, &number))
			return -EINVAL;
		request->max_age_chosen = true;
		request->max_age_ns = (uint64_t)(number * 1e6);
	}
	return 0;
}

/* Addresses; those of a camera stand alone for the first camera, or after a camera's name. */
static const struct address {
	const char *name;
	enum route route;
	bool of_camera;
} addresses[] = {
	{"stream", ROUTE_STREAM, true},
	{"snapshot", ROUTE_SNAPSHOT, true},
	{"live", ROUTE_LIVE, true},
	{"controls", ROUTE_CONTROLS, true},
	{"process", ROUTE_PROCESS, true},
	{"state", ROUTE_STATE, false},
	{"healthz", ROUTE_HEALTH, false},
	{"metrics", ROUTE_METRICS, false},
	{"clock", ROUTE_CLOCK, false},
};

static const struct address *find_address(h2o_iovec_t name)
{
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
		if (is(name, addresses[i].name))
			return &addresses[i];
	return NULL;
}

/* If these are a camera's name and an address of it, the address; else NULL. */
static const struct address *find_camera(h2o_iovec_t name, h2o_iovec_t of_it,
	const struct server_camera *cameras, size_t n, struct request *request)
{
	const struct address *address = find_address(of_it);

	for (size_t i = 0; i < n && address && address->of_camera; i++)
		if (is(name, cameras[i].name)) {
			request->camera = i;
			return address;
		}
	return NULL;
}

static int parse_path(h2o_iovec_t path, const struct server_camera *cameras, size_t n,
	struct request *request, const char **ret_reason)
{
	h2o_iovec_t first, second, rest, after;
	const struct address *address;

	request->route = ROUTE_ASSET;
	if (!path.len)
		return 0;
	first = (h2o_iovec_t){path.base + 1, path.len - 1};
	second = rest = cut(&first, "/");
	after = cut(&second, "/");
	address = find_camera(first, second, cameras, n, request);
	if (address)
		rest = after;
	else
		address = find_address(first);
	if (address)
		request->route = address->route;
	if (rest.len && request->route == ROUTE_LIVE) {
		request->route = ROUTE_REPORT;
		request->live_id = rest;
	} else if (rest.len) {
		*ret_reason = "There is nothing at this address.";
		return -ENOENT;
	}
	return 0;
}

const char *request_methods(enum route route)
{
	switch (route) {
	case ROUTE_REPORT:
		return "POST";
	case ROUTE_CONTROLS:
	case ROUTE_PROCESS:
		return "GET, HEAD, PATCH";
	default:
		return "GET, HEAD";
	}
}

int request_parse(h2o_iovec_t path, h2o_iovec_t query, const struct server_camera *cameras,
	size_t n, struct request *ret_request, const char **ret_reason)
{
	bool at_root = is(path, "/");
	int err;

	*ret_request = (struct request){0};
	err = parse_path(path, cameras, n, ret_request, ret_reason);

	/* Old viewers append "?dummy=param.mjpg" to whatever they are given. */
	while (!err && query.len) {
		h2o_iovec_t name = query, value;

		query = cut(&name, "&;?");
		value = cut(&name, "=");
		if (at_root && is(name, "action"))
			err = parse_action(value, n, ret_request, ret_reason);
		else
			err = parse_argument(name, value, ret_request, ret_reason);
	}
	return err;
}
