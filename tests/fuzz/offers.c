/* Whatever a V4L2 driver says it has: what is chosen is one of its modes, and sizes are in range. */
#include "must.h"

#include "camera/v4l2_choose.h"

#define MODES_MOST 64

/* What drivers say, as it comes. */
struct input {
	struct v4l2_frmsize_stepwise range;
	uint32_t fourcc, width, height, fps;
	struct {
		uint32_t fourcc, width, height, fps;
	} modes[MODES_MOST];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input input;
	struct v4l2_mode modes[MODES_MOST], chosen;
	uint32_t sizes[V4L2_CHOOSE_SIZES][2];
	struct camera_config wish = {0};
	char reason[CAMERA_REASON_BYTES];
	size_t n = 0, n_sizes;
	bool found = false;

	memset(&input, 0, sizeof input);
	memcpy(&input, data, size < sizeof input ? size : sizeof input);
	wish.fourcc = input.fourcc;
	wish.width = input.width;
	wish.height = input.height;
	wish.fps = input.fps;
	while (n < MODES_MOST && offsetof(struct input, modes) + n * sizeof input.modes[0] < size) {
		modes[n] = (struct v4l2_mode){input.modes[n].fourcc, input.modes[n].width,
			input.modes[n].height, input.modes[n].fps};
		n++;
	}
	if (!v4l2_choose(modes, n, &wish, &chosen, reason)) {
		for (size_t i = 0; i < n; i++)
			found = found || (modes[i].fourcc == chosen.fourcc &&
						 modes[i].width == chosen.width &&
						 modes[i].height == chosen.height);
		must(found);
		must(v4l2_choose_fps(&chosen, &wish) >= 0);
	}
	n_sizes = v4l2_choose_sizes(&input.range, &wish, sizes);
	must(n_sizes >= 1 && n_sizes <= V4L2_CHOOSE_SIZES);
	return 0;
}
