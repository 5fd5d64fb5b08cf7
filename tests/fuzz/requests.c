/* Whatever is asked for: no crash, and what is understood is a camera that there is. */
#include "must.h"

#include "server/request.h"

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
	} else {
		must(reason && *reason);
	}
	free(copy);
	return 0;
}
