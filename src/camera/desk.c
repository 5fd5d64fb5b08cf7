#include "camera/desk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "camera/controls.h"
#include "camera/controls_json.h"
#include "camera/offers.h"
#include "camera/reason.h"

/* More at a time than a device has controls; a driver that never stops is listened to no more. */
#define EVENTS_MOST 1024

int desk_init(struct desk *desk)
{
	*desk = (struct desk){.device = {.fd = -1}, .kept = json_object()};
	return desk->kept ? 0 : -ENOMEM;
}

void desk_finish(struct desk *desk)
{
	device_close(&desk->device);
	json_decref(desk->kept);
}

/* ---- setting ---- */

/* Find a control and what is wished of it. */
ON_CONTROL static int prepare(const struct desk *desk, const char *name, const json_t *json,
	struct control *ret_control, struct control_value *ret_value,
	char reason[CAMERA_REASON_BYTES])
{
	int err = control_find(&desk->device, name, ret_control, reason);

	if (!err)
		err = control_value_from_json(ret_control, json, ret_value, reason);
	if (!err)
		err = control_check(&desk->device, ret_control, ret_value, reason);
	return err;
}

ON_CONTROL static int set(const struct desk *desk, const char *name, const json_t *json,
	struct control *ret_control, char reason[CAMERA_REASON_BYTES])
{
	struct control_value value;
	int err = prepare(desk, name, json, ret_control, &value, reason);

	if (err < 0)
		return err;
	if (ret_control->query.flags & V4L2_CTRL_FLAG_INACTIVE)
		return reason_set(reason, -EBUSY,
			"control %s is inactive: another one, such as an automatic, holds it; "
			"change that first",
			name);
	if (ret_control->query.flags & V4L2_CTRL_FLAG_GRABBED)
		return reason_set(reason, -EBUSY,
			"control %s cannot be changed while the camera streams", name);
	return control_write(&desk->device, ret_control, &value, reason);
}

/* Remember what was set, in the order in which it was; pressing a button leaves no state. */
ON_CONTROL static void keep(struct desk *desk, const struct control *control, json_t *json)
{
	if (control->query.type == V4L2_CTRL_TYPE_BUTTON)
		return;
	(void)json_object_del(desk->kept, control->name); /* if it was there */
	(void)json_object_set(desk->kept, control->name, json);
}

/*
 * Set controls in the order given. None is touched if one of them cannot be right; what the camera
 * refuses, *ret_name, ends it.
 */
ON_CONTROL static int set_all(struct desk *desk, json_t *controls, const char **ret_name,
	char reason[CAMERA_REASON_BYTES])
{
	struct control_value value;
	struct control control;
	json_t *json;
	int err;

	if (desk->info.kind != CAMERA_V4L2)
		return reason_set(reason, -EINVAL, "the %s has no controls", desk->info.card);
	json_object_foreach(controls, *ret_name, json)
	{
		err = prepare(desk, *ret_name, json, &control, &value, reason);
		if (err < 0)
			return err;
	}
	json_object_foreach(controls, *ret_name, json)
	{
		err = set(desk, *ret_name, json, &control, reason);
		if (err < 0)
			return err == -EINVAL ? -EIO : err; /* those before it were set */
		keep(desk, &control, json);
	}
	return 0;
}

/* ---- opening ---- */

/* Drivers without events are no error: what others change is seen when somebody asks. */
ON_CONTROL static void subscribe(struct desk *desk)
{
	struct control control = {0};

	while (control_next(&desk->device, &control)) {
		struct v4l2_event_subscription subscription = {
			.type = V4L2_EVENT_CTRL, .id = control.query.id};

		if (!device_ioctl(desk->device.fd, VIDIOC_SUBSCRIBE_EVENT, &subscription))
			desk->watching = true;
	}
}

int desk_open(struct desk *desk, const struct camera_info *info, char reason[CAMERA_REASON_BYTES])
{
	char why[CAMERA_REASON_BYTES];
	struct control control;
	const char *name;
	json_t *json;
	int err;

	desk->present = true;
	desk->info = *info;
	if (info->kind != CAMERA_V4L2)
		return 0;
	err = device_open(&desk->device, info->path, reason);
	if (err < 0)
		return err;
	subscribe(desk);
	json_object_foreach(desk->kept, name, json)
	{
		int failed = set(desk, name, json, &control, why);

		if (failed)
			err = reason_set(reason, failed, "%s", why);
	}
	return err;
}

void desk_close(struct desk *desk)
{
	desk->present = desk->watching = false;
	device_close(&desk->device);
}

int desk_event_fd(const struct desk *desk)
{
	return desk->watching ? desk->device.fd : -1;
}

bool desk_look(struct desk *desk)
{
	struct v4l2_event event;
	unsigned n = 0;

	while (n < EVENTS_MOST && !device_ioctl(desk->device.fd, VIDIOC_DQEVENT, &event))
		n++;
	/* Woken for nothing, or for ever: the camera is gone, which capture will say. */
	desk->watching = n && n < EVENTS_MOST;
	return n;
}

/* ---- answering ---- */

ON_CONTROL static int answer(json_t *document, int err, char **ret_json)
{
	*ret_json = json_dumps(
		document, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
	json_decref(document);
	return err;
}

ON_CONTROL static int refuse(int err, const char *reason, const char *control, char **ret_json)
{
	char sentence[CAMERA_REASON_BYTES];
	json_t *document;

	/* What it quotes may be cut within a character, or a driver's: no JSON holds that. */
	(void)snprintf(sentence, sizeof sentence, "%s", reason);
	control_clean(sentence);
	document = json_pack("{s:s}", "error", sentence);
	if (control)
		(void)json_object_set_new(document, "control", json_string(control));
	return answer(document, err, ret_json);
}

ON_CONTROL static int refuse_absent(char **ret_json)
{
	return refuse(-ENODEV, "the camera is not there at the moment", NULL, ret_json);
}

/* Capture may not know yet. */
ON_CONTROL static bool is_absent(const struct desk *desk)
{
	struct v4l2_capability capability;

	if (desk->present && desk->info.kind != CAMERA_V4L2)
		return false;
	return desk->device.fd < 0 ||
	       device_ioctl(desk->device.fd, VIDIOC_QUERYCAP, &capability) < 0;
}

ON_CONTROL static int describe(const struct desk *desk, char **ret_json)
{
	bool v4l2 = desk->info.kind == CAMERA_V4L2;
	json_t *document = json_pack("{s:o, s:o, s:o}", "controls",
		v4l2 ? controls_to_json(&desk->device) : json_array(), "format",
		offers_current_to_json(&desk->info), "formats",
		offers_to_json(&desk->info, &desk->device));

	/* If it went away meanwhile, its lists ended early. */
	if (is_absent(desk)) {
		json_decref(document);
		return refuse_absent(ret_json);
	}
	return answer(document, 0, ret_json);
}

/* Complete a wish with what is; whether it is another format than now. */
ON_CONTROL static bool complete_wish(const struct camera_info *info,
	const struct format_wish *asked, struct format_wish *ret_wish)
{
	*ret_wish = *asked;
	if (!asked->fourcc)
		ret_wish->fourcc = info->device_fourcc;
	if (!asked->width) {
		ret_wish->width = info->width;
		ret_wish->height = info->height;
	}
	return asked->fps > 0 || ret_wish->fourcc != info->device_fourcc ||
	       ret_wish->width != info->width || ret_wish->height != info->height;
}

ON_CONTROL static int check_wish(
	const struct desk *desk, const struct format_wish *wish, char reason[CAMERA_REASON_BYTES])
{
	const struct camera_config asked = {
		.fourcc = wish->fourcc,
		.width = wish->width,
		.height = wish->height,
		.fps = wish->fps,
	};

	return offers_check(&desk->info, &desk->device, &asked, reason);
}

int desk_ask(struct desk *desk, const char *text, size_t bytes, struct format_wish *ret_wish,
	char **ret_json)
{
	char reason[CAMERA_REASON_BYTES];
	const char *name = NULL;
	bool switching = false;
	struct patch patch;
	int err;

	if (is_absent(desk))
		return refuse_absent(ret_json);
	if (!bytes)
		return describe(desk, ret_json);
	err = patch_parse(text, bytes, &patch, reason);
	if (err < 0)
		return refuse(err, reason, NULL, ret_json);

	if (patch.has_format)
		switching = complete_wish(&desk->info, &patch.format, ret_wish);
	if (switching)
		err = check_wish(desk, ret_wish, reason);
	if (!err && patch.controls)
		err = set_all(desk, patch.controls, &name, reason);
	if (err < 0 && is_absent(desk))
		err = refuse_absent(ret_json);
	else if (err < 0)
		err = refuse(err, reason, name, ret_json);
	else
		err = switching ? 1 : describe(desk, ret_json);
	patch_finish(&patch);
	return err;
}

int desk_settle(struct desk *desk, const char *refused, char **ret_json)
{
	if (*refused)
		return refuse(-EBUSY, refused, NULL, ret_json);
	return is_absent(desk) ? refuse_absent(ret_json) : describe(desk, ret_json);
}
