#include "camera/v4l2_choose.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "camera/formats.h"
#include "camera/reason.h"

#define MOST_WIDTH   1280
#define MOST_HEIGHT  720
#define ENOUGH_FPS   25.0
#define DEFAULT_FPS  30.0
#define FPS_CLOSE_TO 0.99 /* 29.97 is as good as 30 */

ANY_THREAD static bool size_is_wished(
	const struct v4l2_mode *mode, const struct camera_config *wish)
{
	return !wish->width || !mode->width ||
	       (mode->width == wish->width && mode->height == wish->height);
}

ANY_THREAD static bool format_is_wished(
	const struct v4l2_mode *mode, const struct camera_config *wish)
{
	return !wish->fourcc || mode->fourcc == wish->fourcc;
}

/* A rate that the driver does not tell is taken to be enough. */
ANY_THREAD static bool reaches(const struct v4l2_mode *mode, double fps)
{
	return mode->fps <= 0.0 || mode->fps >= fps * FPS_CLOSE_TO;
}

ANY_THREAD static bool fits(const struct v4l2_mode *mode)
{
	return mode->width <= MOST_WIDTH && mode->height <= MOST_HEIGHT;
}

/* How cheap and how good a format is to read, more is better. */
ANY_THREAD static int format_rank(uint32_t fourcc)
{
	const struct format *format = format_find(fourcc);

	if (!format)
		return 0;
	switch (format->kind) {
	case FORMAT_YUV:
		return 4;
	case FORMAT_RGB:
		return 3;
	case FORMAT_COMPRESSED:
		return 2;
	case FORMAT_GREY:
		break;
	}
	return 1;
}

ANY_THREAD static double area(const struct v4l2_mode *mode)
{
	return (double)mode->width * mode->height;
}

/* Whether a is to be preferred over b; both are of the wished format and size. */
ANY_THREAD static bool is_better(
	const struct v4l2_mode *a, const struct v4l2_mode *b, const struct camera_config *wish)
{
	double enough = wish->fps > 0.0 ? wish->fps : ENOUGH_FPS;
	bool a_native = format_find(a->fourcc), b_native = format_find(b->fourcc);

	if (wish->fps > 0.0 && reaches(a, enough) != reaches(b, enough))
		return reaches(a, enough);
	if (a_native != b_native)
		return a_native;
	if (fits(a) != fits(b))
		return fits(a);
	if (reaches(a, enough) != reaches(b, enough))
		return reaches(a, enough);
	/* Where nothing is fast enough, the fastest. */
	if (!reaches(a, enough) && (a->fps > b->fps || a->fps < b->fps))
		return a->fps > b->fps;
	if (a->width != b->width || a->height != b->height)
		return fits(a) ? area(a) > area(b) : area(a) < area(b);
	return format_rank(a->fourcc) > format_rank(b->fourcc);
}

/* List the formats that there are, each once. */
ANY_THREAD static int no_such_format(const struct v4l2_mode *modes, size_t n,
	const struct camera_config *wish, char reason[CAMERA_REASON_BYTES])
{
	char name[5];

	(void)reason_set(reason, 0, "no format %s that can be read; there is",
		format_name(wish->fourcc, name));
	for (size_t i = 0; i < n; i++) {
		size_t first = 0;

		while (modes[first].fourcc != modes[i].fourcc)
			first++;
		if (first == i)
			reason_add(reason, i ? ", " : " ", format_name(modes[i].fourcc, name));
	}
	return -EINVAL;
}

/* List the sizes that there are in the wished format, each once. */
ANY_THREAD static int no_such_size(const struct v4l2_mode *modes, size_t n,
	const struct camera_config *wish, char reason[CAMERA_REASON_BYTES])
{
	const char *separator = " ";
	char text[32];

	(void)reason_set(reason, 0, "no size %ux%u%s%s; there is", wish->width, wish->height,
		wish->fourcc ? " in " : "", wish->fourcc ? format_name(wish->fourcc, text) : "");
	for (size_t i = 0; i < n; i++) {
		size_t first = 0;

		if (!format_is_wished(&modes[i], wish))
			continue;
		while (!format_is_wished(&modes[first], wish) ||
			modes[first].width != modes[i].width ||
			modes[first].height != modes[i].height)
			first++;
		if (first != i)
			continue;
		(void)snprintf(text, sizeof text, "%ux%u", modes[i].width, modes[i].height);
		reason_add(reason, separator, text);
		separator = ", ";
	}
	return -EINVAL;
}

int v4l2_choose(const struct v4l2_mode *modes, size_t n, const struct camera_config *wish,
	struct v4l2_mode *ret_mode, char reason[CAMERA_REASON_BYTES])
{
	const struct v4l2_mode *best = NULL;
	bool has_format = false;

	if (!n)
		return reason_set(reason, -EINVAL, "no format that can be read");
	for (size_t i = 0; i < n; i++) {
		if (!format_is_wished(&modes[i], wish))
			continue;
		has_format = true;
		if (size_is_wished(&modes[i], wish) && (!best || is_better(&modes[i], best, wish)))
			best = &modes[i];
	}
	if (!has_format)
		return no_such_format(modes, n, wish, reason);
	if (!best)
		return no_such_size(modes, n, wish, reason);
	*ret_mode = *best;
	return 0;
}

double v4l2_choose_fps(const struct v4l2_mode *mode, const struct camera_config *wish)
{
	if (wish->fps > 0.0)
		return wish->fps;
	return mode->fps > 0.0 && mode->fps < DEFAULT_FPS ? mode->fps : DEFAULT_FPS;
}

ANY_THREAD static uint32_t round_to_step(uint32_t wished, uint32_t min, uint32_t max, uint32_t step)
{
	if (wished <= min)
		return min;
	if (wished > max)
		wished = max;
	return step > 1 ? wished - (wished - min) % step : wished;
}

ANY_THREAD static bool round_size(const struct v4l2_frmsize_stepwise *range, uint32_t width,
	uint32_t height, uint32_t ret_size[2])
{
	ret_size[0] = round_to_step(width, range->min_width, range->max_width, range->step_width);
	ret_size[1] = round_to_step(
		height, range->min_height, range->max_height, range->step_height);
	return ret_size[0] == width && ret_size[1] == height;
}

size_t v4l2_choose_sizes(const struct v4l2_frmsize_stepwise *range,
	const struct camera_config *wish, uint32_t ret_sizes[V4L2_CHOOSE_SIZES][2])
{
	static const uint16_t usual[][2] = {
		{1024, 576},
		{960, 540},
		{800, 600},
		{640, 480},
		{640, 360},
		{320, 240},
	};
	size_t n = 1;

	if (wish->width) {
		(void)round_size(range, wish->width, wish->height, ret_sizes[0]);
		return 1;
	}
	(void)round_size(range, MOST_WIDTH, MOST_HEIGHT, ret_sizes[0]);
	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
		if (round_size(range, usual[i][0], usual[i][1], ret_sizes[n]))
			n++;
	return n;
}
