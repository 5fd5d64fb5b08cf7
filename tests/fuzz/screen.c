/* Whatever a camera sends as a JPEG, a screen's canvas is drawn on and nothing beside it. */
#include "preview/decode.h"

#include "must.h"

#define WIDTH  64
#define HEIGHT 48

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t pixels[HEIGHT * WIDTH * 4];
	static stat_counter copied_bytes;
	struct canvas canvas = {.data = pixels,
		.size_bytes = sizeof pixels,
		.width = WIDTH,
		.height = HEIGHT,
		.stride_bytes = WIDTH * 4};

	role_take(&role_preview, NULL);
	(void)decode_draw(&canvas, data, size, &copied_bytes);
	return 0;
}
