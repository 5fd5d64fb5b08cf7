#include "camera/controls.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "camera/reason.h"

#define NAME_BYTES sizeof((struct camera_control_setting){0}.name)
#define NEAR_NAMES 3

void control_name(const char *title, char name[NAME_BYTES])
{
	bool gap = false;
	size_t n = 0;

	for (; *title; title++) {
		if (!isalnum((unsigned char)*title)) {
			gap = n > 0;
			continue;
		}
		if (n + gap + 1 >= NAME_BYTES)
			break;
		if (gap)
			name[n++] = '_';
		name[n++] = (char)tolower((unsigned char)*title);
		gap = false;
	}
	name[n] = '\0';
}

/* The next control after the one in query that a number can set; false when there is none. */
ON_CAPTURE static bool next_control(
	const struct v4l2_device *device, struct v4l2_query_ext_ctrl *query)
{
	for (;;) {
		uint32_t after = query->id;

		*query = (struct v4l2_query_ext_ctrl){
			.id = after | V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND};
		if (device_ioctl(device->fd, VIDIOC_QUERY_EXT_CTRL, query) < 0)
			return false;
		if (query->flags & (V4L2_CTRL_FLAG_DISABLED | V4L2_CTRL_FLAG_HAS_PAYLOAD) ||
			query->type == V4L2_CTRL_TYPE_CTRL_CLASS)
			continue;
		return true;
	}
}

/*
 * How many letters of wished must be changed, put in or left out to make it the start of name:
 * whoever writes "exposure" is near exposure_time_absolute.
 */
ANY_THREAD static unsigned distance(const char *name, const char *wished)
{
	unsigned row[NAME_BYTES + 1], best;
	size_t length = strlen(wished);

	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	best = row[length];
	for (; *name; name++) {
		unsigned diagonal = row[0]++;

		for (size_t i = 1; i <= length; i++) {
			unsigned change = diagonal + (*name != wished[i - 1]);
			unsigned other = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;

			diagonal = row[i];
			row[i] = change < other ? change : other;
		}
		best = row[length] < best ? row[length] : best;
	}
	return best;
}

/* Name the few controls whose names are nearest. */
ON_CAPTURE static int no_such_control(
	const struct v4l2_device *device, const char *wished, char reason[CAMERA_REASON_BYTES])
{
	struct {
		char name[NAME_BYTES];
		unsigned distance;
	} near[NEAR_NAMES + 1], next; /* the last is pushed out */
	struct v4l2_query_ext_ctrl query = {0};
	size_t n = 0;

	while (next_control(device, &query)) {
		size_t at = n < NEAR_NAMES ? n++ : NEAR_NAMES;

		control_name(query.name, next.name);
		next.distance = distance(next.name, wished);
		for (; at && near[at - 1].distance > next.distance; at--)
			near[at] = near[at - 1];
		near[at] = next;
	}
	(void)reason_set(reason, 0, "%.48s has no control %s%s", device->path, wished,
		n ? "; the nearest are" : " and no other");
	for (size_t i = 0; i < n; i++)
		reason_add(reason, i ? ", " : " ", near[i].name);
	return -EINVAL;
}

/* A value that the control does not take: say what it does. */
ON_CAPTURE static int bad_value(const struct v4l2_device *device,
	const struct v4l2_query_ext_ctrl *query, const struct camera_control_setting *setting,
	char reason[CAMERA_REASON_BYTES])
{
	bool numbers = query->type == V4L2_CTRL_TYPE_INTEGER_MENU;
	const char *separator = " ";
	char text[48];

	if (query->type == V4L2_CTRL_TYPE_BITMASK)
		return reason_set(reason, -EINVAL,
			"control %s takes bits of %#" PRIx64 " only, not %" PRId64, setting->name,
			(uint64_t)query->maximum, setting->value);
	if (query->type != V4L2_CTRL_TYPE_MENU && !numbers)
		return reason_set(reason, -EINVAL,
			"control %s takes %" PRId64 " to %" PRId64 " in steps of %" PRIu64
			", not %" PRId64,
			setting->name, (int64_t)query->minimum, (int64_t)query->maximum,
			(uint64_t)query->step, setting->value);

	(void)reason_set(
		reason, 0, "control %s takes not %" PRId64 " but", setting->name, setting->value);
	for (int64_t i = query->minimum; i <= query->maximum; i++) {
		struct v4l2_querymenu item = {.id = query->id, .index = (uint32_t)i};

		if (device_ioctl(device->fd, VIDIOC_QUERYMENU, &item) < 0)
			continue;
		if (numbers)
			(void)snprintf(text, sizeof text, "%" PRId64 " (%" PRId64 ")", i,
				(int64_t)item.value);
		else
			(void)snprintf(text, sizeof text, "%" PRId64 " (%s)", i, item.name);
		reason_add(reason, separator, text);
		separator = ", ";
	}
	return -EINVAL;
}

/* Drivers round and clamp in silence; a setting that is not taken as it stands is an error here. */
ON_CAPTURE static bool is_allowed(
	const struct v4l2_device *device, const struct v4l2_query_ext_ctrl *query, int64_t value)
{
	struct v4l2_querymenu item = {.id = query->id, .index = (uint32_t)value};

	switch (query->type) {
	case V4L2_CTRL_TYPE_BUTTON:
		return true;
	case V4L2_CTRL_TYPE_BITMASK:
		return !(value & ~query->maximum);
	case V4L2_CTRL_TYPE_MENU:
	case V4L2_CTRL_TYPE_INTEGER_MENU:
		return value >= query->minimum && value <= query->maximum &&
		       !device_ioctl(device->fd, VIDIOC_QUERYMENU, &item);
	default:
		return value >= query->minimum && value <= query->maximum &&
		       (query->step < 2 || (uint64_t)(value - query->minimum) % query->step == 0);
	}
}

ON_CAPTURE static int write_control(
	const struct v4l2_device *device, const struct v4l2_query_ext_ctrl *query, int64_t value)
{
	struct v4l2_ext_control control = {.id = query->id};
	struct v4l2_ext_controls controls = {
		.which = V4L2_CTRL_WHICH_CUR_VAL, .count = 1, .controls = &control};
	struct v4l2_control plain = {.id = query->id, .value = (int32_t)value};
	int err;

	if (query->type == V4L2_CTRL_TYPE_INTEGER64)
		control.value64 = value;
	else
		control.value = (int32_t)value;
	err = device_ioctl(device->fd, VIDIOC_S_EXT_CTRLS, &controls);
	/* Old drivers know only the old call. */
	return err == -ENOTTY ? device_ioctl(device->fd, VIDIOC_S_CTRL, &plain) : err;
}

ON_CAPTURE static int apply(const struct v4l2_device *device,
	const struct camera_control_setting *setting, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_query_ext_ctrl query = {0};
	char name[NAME_BYTES];
	int err;

	do {
		if (!next_control(device, &query))
			return no_such_control(device, setting->name, reason);
		control_name(query.name, name);
	} while (strcmp(name, setting->name));

	if (query.flags & V4L2_CTRL_FLAG_READ_ONLY)
		return reason_set(reason, -EINVAL, "control %s of %.64s can only be read", name,
			device->path);
	if (!is_allowed(device, &query, setting->value))
		return bad_value(device, &query, setting, reason);
	err = write_control(device, &query, setting->value);
	if (err < 0)
		return reason_set(reason, err, "%.64s refuses control %s=%" PRId64 "%s: %s",
			device->path, name, setting->value,
			query.flags & V4L2_CTRL_FLAG_INACTIVE ? " (an automatic holds it)" : "",
			strerror(-err));
	return 0;
}

int controls_apply(const struct v4l2_device *device, const struct camera_control_setting *settings,
	uint32_t n, char reason[CAMERA_REASON_BYTES])
{
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++)
		err = apply(device, &settings[i], reason);
	return err;
}
