#include "camera/patch.h"

#include <errno.h>
#include <string.h>

#include "camera/formats.h"
#include "camera/reason.h"

#define SIZE_MOST 16384
#define FPS_MOST  1000
#define FPS_LEAST 0.001 /* drivers are asked in thousandths */

ANY_THREAD static int read_size(
	const char *name, const json_t *json, uint32_t *ret_pixels, char *reason)
{
	json_int_t pixels = json_integer_value(json);

	if (!json_is_integer(json) || pixels < 1 || pixels > SIZE_MOST)
		return reason_set(
			reason, -EINVAL, "%s is a number of pixels from 1 to %d", name, SIZE_MOST);
	*ret_pixels = (uint32_t)pixels;
	return 0;
}

ANY_THREAD static int read_format(
	const json_t *json, struct format_wish *ret_wish, char reason[CAMERA_REASON_BYTES])
{
	const char *name;
	json_t *value;
	int err = 0;

	if (!json_is_object(json))
		return reason_set(
			reason, -EINVAL, "format is {\"fourcc\", \"width\", \"height\", \"fps\"}");
	json_object_foreach((json_t *)json, name, value)
	{
		if (!strcmp(name, "fourcc")) {
			ret_wish->fourcc = json_is_string(value)
						   ? format_parse(json_string_value(value))
						   : 0;
			if (!ret_wish->fourcc)
				err = reason_set(reason, -EINVAL,
					"fourcc is a text of one to four characters, as YUYV");
		} else if (!strcmp(name, "width")) {
			err = read_size(name, value, &ret_wish->width, reason);
		} else if (!strcmp(name, "height")) {
			err = read_size(name, value, &ret_wish->height, reason);
		} else if (!strcmp(name, "fps")) {
			ret_wish->fps = json_number_value(value);
			if (!(ret_wish->fps >= FPS_LEAST && ret_wish->fps <= FPS_MOST))
				err = reason_set(reason, -EINVAL,
					"fps is a number of frames per second, from %g to %d",
					FPS_LEAST, FPS_MOST);
		} else {
			err = reason_set(reason, -EINVAL,
				"a format has no \"%.48s\" but fourcc, width, height and fps",
				name);
		}
		if (err < 0)
			return err;
	}
	if (!ret_wish->width != !ret_wish->height)
		return reason_set(reason, -EINVAL, "width and height go together");
	return 0;
}

ANY_THREAD static int read_members(struct patch *patch, char reason[CAMERA_REASON_BYTES])
{
	const char *name;
	json_t *value;

	if (!json_object_size(patch->root))
		return reason_set(reason, -EINVAL,
			"what is to change? {\"controls\": {NAME: VALUE}} or {\"format\": {...}}");
	json_object_foreach(patch->root, name, value)
	{
		int err = 0;

		if (!strcmp(name, "controls")) {
			patch->controls = value;
			if (!json_is_object(value))
				err = reason_set(reason, -EINVAL, "controls is {NAME: VALUE}");
		} else if (!strcmp(name, "format")) {
			patch->has_format = true;
			err = read_format(value, &patch->format, reason);
		} else {
			err = reason_set(reason, -EINVAL,
				"there is no \"%.48s\" to change but controls and format", name);
		}
		if (err < 0)
			return err;
	}
	return 0;
}

int patch_parse(
	const char *text, size_t bytes, struct patch *ret_patch, char reason[CAMERA_REASON_BYTES])
{
	struct patch patch = {0};
	json_error_t error;
	int err;

	patch.root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
	if (!patch.root)
		return reason_set(reason, -EINVAL, "this is no JSON at line %d, column %d",
			error.line, error.column);
	err = read_members(&patch, reason);
	if (err < 0)
		patch_finish(&patch);
	else
		*ret_patch = patch;
	return err;
}

void patch_finish(struct patch *patch)
{
	json_decref(patch->root);
}
