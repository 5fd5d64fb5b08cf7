/* Whatever is asked for: no crash, and what is understood is a camera that there is. */
#include "must.h"

#include "server/request.h"

static void must_be_between(unsigned value, unsigned least, unsigned most)
{
	must(!value || (value >= least && value <= most));
}

static void must_be_bounded(const struct variant *variant)
{
	must_be_between(variant->width, VARIANT_PIXELS_LEAST, VARIANT_PIXELS_MOST);
	must_be_between(variant->height, VARIANT_PIXELS_LEAST, VARIANT_PIXELS_MOST);
	must_be_between(variant->quality, VARIANT_QUALITY_LEAST, VARIANT_QUALITY_MOST);
	must_be_between(variant->divisor, 2, 8);
	must(!variant->height || variant->width);
	must(!variant->divisor || !variant->width);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct server_camera cameras[] = {{.name = "front"}, {.name = "back"}};
	/* Exactly as long as it is, so that a byte read behind it is seen. */
	char *copy = malloc(size ? size : 1);
	const char *mark, *reason = NULL;
	h2o_iovec_t path = {copy, size}, query = {NULL, 0};
	struct request request;

	must(copy);
	memcpy(copy, data, size);
	mark = memchr(copy, '?', size);
	if (mark) {
		path.len = (size_t)(mark - copy);
		query = (h2o_iovec_t){copy + path.len + 1, size - path.len - 1};
	}
	if (!request_parse(path, query, cameras, 2, &request, &reason)) {
		must(request.camera < 2);
		must(request.fps >= 0 && request.fps <= 1000);
		must_be_bounded(&request.variant);
	} else {
		must(reason && *reason);
	}
	free(copy);
	return 0;
}
