/* Whatever is sent to change a camera: no crash, and what passes is within what was allowed. */
#include <stdlib.h>
#include <string.h>

#include "camera/controls_json.h"
#include "camera/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise)
		abort();
}

/* Check a value for controls of every type; of those with a menu nothing passes, without a device. */
static void check_value(const json_t *json)
{
	static const struct v4l2_device closed = {.fd = -1};
	struct control control = {.name = "it", .query = {.elem_size = 8}};
	struct v4l2_query_ext_ctrl *query = &control.query;
	char reason[CAMERA_REASON_BYTES];

	query->minimum = 2;
	query->maximum = 7;
	query->step = 5;
	for (query->type = 0; query->type < 12; query->type++) {
		struct control_value value;

		if (control_value_from_json(&control, json, &value, reason) < 0 ||
			control_check(&closed, &control, &value, reason) < 0)
			continue;
		must(query->type != V4L2_CTRL_TYPE_MENU &&
			query->type != V4L2_CTRL_TYPE_INTEGER_MENU);
		if (query->type == V4L2_CTRL_TYPE_STRING)
			must(strlen(value.text) == 2 || strlen(value.text) == 7);
		else if (query->type == V4L2_CTRL_TYPE_BITMASK)
			must(value.number >= 0 && value.number <= 7);
		else if (query->type != V4L2_CTRL_TYPE_BUTTON)
			must(value.number == 2 || value.number == 7);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char reason[CAMERA_REASON_BYTES] = "";
	struct patch patch;
	const char *name;
	json_t *value;

	if (patch_parse((const char *)data, size, &patch, reason) < 0) {
		must(*reason && strlen(reason) < sizeof reason);
		return 0;
	}
	must(patch.controls || patch.has_format);
	must(!patch.format.width == !patch.format.height);
	must(patch.format.width <= 16384 && patch.format.height <= 16384);
	must(patch.format.fps >= 0 && patch.format.fps <= 1000);
	json_object_foreach(patch.controls, name, value) check_value(value);
	patch_finish(&patch);
	return 0;
}
