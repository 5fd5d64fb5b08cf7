/*
 * How bright a picture is, in percent: a filter that only looks. It shows as brightness in /state.
 *
 *     cc -shared -fPIC $(pkg-config --cflags fanlight) -o brightness.so brightness.c
 */
#include <stdio.h>

#include <fanlight/filter.h>
#include <linux/videodev2.h>

static int create(const char *settings, void **ret_filter)
{
	(void)settings;
	*ret_filter = NULL; /* it remembers nothing */
	return 0;
}

static void destroy(void *filter)
{
	(void)filter;
}

static int process(void *filter, struct frame *frame, struct filter_results *results)
{
	const struct frame_plane *luma = &frame->planes[0];
	uint32_t step = frame->fourcc == V4L2_PIX_FMT_YUYV ? 2 : 1;
	uint64_t sum = 0;
	char text[8];

	(void)filter;
	for (uint32_t y = 0; y < frame->height; y++)
		for (uint32_t x = 0; x < frame->width; x++)
			sum += luma->data[(size_t)y * luma->stride_bytes + x * step];
	sum = sum * 100 / 255 / frame->width / frame->height;
	(void)snprintf(text, sizeof text, "%u", (unsigned)sum);
	return results->set(results, "brightness", text);
}

const struct fanlight_filter fanlight_filter = {
	.abi = FANLIGHT_FILTER_ABI, .create = create, .process = process, .destroy = destroy};
