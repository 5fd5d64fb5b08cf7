/*
 * A white border, as wide as the settings say, in pixels: a filter that draws, into pictures with a
 * plane of luma.
 *
 *     cc -shared -fPIC $(pkg-config --cflags fanlight) -o border.so border.c
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fanlight/filter.h>
#include <linux/videodev2.h>

#define WHITE 235

struct border {
	uint32_t width;
};

static int create(const char *settings, void **ret_filter)
{
	struct border *border = malloc(sizeof *border);
	unsigned long width = strtoul(settings, NULL, 10);

	if (!border)
		return -ENOMEM;
	border->width = width && width < 1000 ? (uint32_t)width : 8;
	*ret_filter = border;
	return 0;
}

static int process(void *filter, struct frame *frame, struct filter_results *results)
{
	const struct border *border = filter;
	uint32_t width = border->width < frame->width ? border->width : frame->width;

	(void)results;
	if (frame->fourcc != V4L2_PIX_FMT_NV12 && frame->fourcc != V4L2_PIX_FMT_YUV420)
		return -EINVAL;
	for (uint32_t y = 0; y < frame->height; y++) {
		uint8_t *row = (uint8_t *)frame->planes[0].data +
			       (size_t)y * frame->planes[0].stride_bytes;

		if (y < border->width || frame->height - y <= border->width)
			memset(row, WHITE, frame->width);
		memset(row, WHITE, width);
		memset(row + frame->width - width, WHITE, width);
	}
	return 0;
}

static void destroy(void *filter)
{
	free(filter);
}

const struct fanlight_filter fanlight_filter = {
	.abi = FANLIGHT_FILTER_ABI,
	.draws = true,
	.create = create,
	.process = process,
	.destroy = destroy,
};
