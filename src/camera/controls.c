#include "camera/controls.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "camera/reason.h"

#define NAME_BYTES sizeof((struct camera_control_setting){0}.name)
#define NEAR_NAMES 3

/* Far more than any driver has: a list or a menu without an end is cut off here. */
#define CONTROLS_MOST 1024
#define MENU_MOST     256

/*
 * A control's title as v4l2-ctl spells it on its command line: "Exposure, Dynamic Framerate" is
 * exposure_dynamic_framerate. Cut to what name holds.
 */
ANY_THREAD static void make_name(const char *title, char name[NAME_BYTES])
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

void control_clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* Whether Fanlight has a use for what the query found. */
ANY_THREAD static bool is_known(const struct v4l2_query_ext_ctrl *query)
{
	if (query->flags & V4L2_CTRL_FLAG_DISABLED)
		return false;
	switch (query->type) {
	case V4L2_CTRL_TYPE_INTEGER:
	case V4L2_CTRL_TYPE_BOOLEAN:
	case V4L2_CTRL_TYPE_MENU:
	case V4L2_CTRL_TYPE_BUTTON:
	case V4L2_CTRL_TYPE_INTEGER64:
	case V4L2_CTRL_TYPE_CTRL_CLASS:
	case V4L2_CTRL_TYPE_BITMASK:
	case V4L2_CTRL_TYPE_INTEGER_MENU:
		return !(query->flags & V4L2_CTRL_FLAG_HAS_PAYLOAD);
	case V4L2_CTRL_TYPE_STRING:
		return query->elems <= 1 && query->elem_size <= CONTROL_TEXT_BYTES;
	default:
		return false;
	}
}

bool control_next(const struct v4l2_device *device, struct control *control)
{
	struct v4l2_query_ext_ctrl *query = &control->query;

	do {
		uint32_t after = query->id;

		*query = (struct v4l2_query_ext_ctrl){
			.id = after | V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND};
		if (control->number++ == CONTROLS_MOST ||
			device_ioctl(device->fd, VIDIOC_QUERY_EXT_CTRL, query) < 0)
			return false;
	} while (!is_known(query));

	query->name[sizeof query->name - 1] = '\0';
	control_clean(query->name);
	make_name(query->name, control->name);
	if (!*control->name)
		(void)snprintf(control->name, sizeof control->name, "control_%08" PRIx32,
			(uint32_t)query->id);
	return true;
}

/*
 * How many letters of wished must be changed, put in or left out to make it the start of name:
 * whoever writes "exposure" is near exposure_time_absolute.
 */
ANY_THREAD static unsigned distance(const char *name, const char *wished)
{
	unsigned row[NAME_BYTES + 1], best;
	size_t length = strnlen(wished, NAME_BYTES); /* what goes beyond is in no name */

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
ANY_THREAD static int no_such_control(
	const struct v4l2_device *device, const char *wished, char reason[CAMERA_REASON_BYTES])
{
	struct {
		char name[NAME_BYTES];
		unsigned distance;
	} near[NEAR_NAMES + 1], next; /* the last is pushed out */
	struct control control = {0};
	size_t n = 0;

	while (control_next(device, &control)) {
		size_t at;

		if (control.query.type == V4L2_CTRL_TYPE_CTRL_CLASS)
			continue;
		at = n < NEAR_NAMES ? n++ : NEAR_NAMES;
		memcpy(next.name, control.name, sizeof next.name);
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

int control_find(const struct v4l2_device *device, const char *name, struct control *ret_control,
	char reason[CAMERA_REASON_BYTES])
{
	*ret_control = (struct control){0};
	while (control_next(device, ret_control))
		if (ret_control->query.type != V4L2_CTRL_TYPE_CTRL_CLASS &&
			!strcmp(ret_control->name, name))
			return 0;
	return no_such_control(device, name, reason);
}

bool control_menu_item(const struct v4l2_device *device, const struct control *control,
	uint32_t *index, struct v4l2_querymenu *ret_item)
{
	if (control->query.minimum > *index)
		*index = control->query.minimum < MENU_MOST ? (uint32_t)control->query.minimum
							    : MENU_MOST;
	for (; *index < MENU_MOST && *index <= control->query.maximum; ++*index) {
		*ret_item = (struct v4l2_querymenu){.id = control->query.id, .index = *index};
		if (device_ioctl(device->fd, VIDIOC_QUERYMENU, ret_item) < 0)
			continue;
		/* Of an integer menu the same bytes are its number. */
		if (control->query.type == V4L2_CTRL_TYPE_MENU) {
			ret_item->name[sizeof ret_item->name - 1] = '\0';
			control_clean((char *)ret_item->name);
		}
		return true;
	}
	return false;
}

uint32_t control_bits(const struct control *control)
{
	return (uint32_t)control->query.maximum;
}

/* Say what a menu offers. */
ANY_THREAD static int bad_item(const struct v4l2_device *device, const struct control *control,
	int64_t wished, char reason[CAMERA_REASON_BYTES])
{
	const char *separator = " ";
	struct v4l2_querymenu item;
	char text[48];

	(void)reason_set(reason, 0, "control %s takes not %" PRId64 " but", control->name, wished);
	for (uint32_t i = 0; control_menu_item(device, control, &i, &item); i++) {
		if (control->query.type == V4L2_CTRL_TYPE_INTEGER_MENU)
			(void)snprintf(text, sizeof text, "%" PRIu32 " (%" PRId64 ")", i,
				(int64_t)item.value);
		else
			(void)snprintf(text, sizeof text, "%" PRIu32 " (%s)", i, item.name);
		reason_add(reason, separator, text);
		separator = ", ";
	}
	return -EINVAL;
}

/* Drivers round and clamp in silence; a value that is not taken as it stands is an error here. */
ANY_THREAD static bool is_in_range(const struct v4l2_query_ext_ctrl *query, int64_t value)
{
	uint64_t above = (uint64_t)value - (uint64_t)query->minimum;

	if (query->type != V4L2_CTRL_TYPE_INTEGER64 && (value < INT32_MIN || value > INT32_MAX))
		return false;
	return value >= query->minimum && value <= query->maximum &&
	       (query->step < 2 || above % query->step == 0);
}

ANY_THREAD static int check_text(
	const struct control *control, const char *text, char reason[CAMERA_REASON_BYTES])
{
	const struct v4l2_query_ext_ctrl *query = &control->query;

	/* The end of it takes one of the driver's bytes. */
	if (text && strlen(text) < query->elem_size && is_in_range(query, (int64_t)strlen(text)))
		return 0;
	return reason_set(reason, -EINVAL,
		"control %s takes a text of %" PRId64 " to %" PRId64 " bytes", control->name,
		(int64_t)query->minimum, (int64_t)query->maximum);
}

int control_check(const struct v4l2_device *device, const struct control *control,
	const struct control_value *value, char reason[CAMERA_REASON_BYTES])
{
	const struct v4l2_query_ext_ctrl *query = &control->query;
	struct v4l2_querymenu item;
	uint32_t index = (uint32_t)value->number;

	if (query->flags & V4L2_CTRL_FLAG_READ_ONLY)
		return reason_set(reason, -EINVAL, "control %s of %.64s can only be read",
			control->name, device->path);
	switch (query->type) {
	case V4L2_CTRL_TYPE_BUTTON:
		return 0;
	case V4L2_CTRL_TYPE_STRING:
		return check_text(control, value->text, reason);
	case V4L2_CTRL_TYPE_BITMASK:
		if (!(value->number & ~(int64_t)control_bits(control)))
			return 0;
		return reason_set(reason, -EINVAL,
			"control %s takes bits of %#" PRIx32 " only, not %" PRId64, control->name,
			control_bits(control), value->number);
	case V4L2_CTRL_TYPE_MENU:
	case V4L2_CTRL_TYPE_INTEGER_MENU:
		if (index == value->number && control_menu_item(device, control, &index, &item) &&
			index == value->number)
			return 0;
		return bad_item(device, control, value->number, reason);
	default:
		if (is_in_range(query, value->number))
			return 0;
		return reason_set(reason, -EINVAL,
			"control %s takes %" PRId64 " to %" PRId64 " in steps of %" PRIu64
			", not %" PRId64,
			control->name, (int64_t)query->minimum, (int64_t)query->maximum,
			(uint64_t)query->step, value->number);
	}
}

/* One control as the extended calls take it. */
ANY_THREAD static int transfer(const struct v4l2_device *device, const struct control *control,
	unsigned long request, struct v4l2_ext_control *payload)
{
	struct v4l2_ext_controls controls = {
		.which = V4L2_CTRL_WHICH_CUR_VAL, .count = 1, .controls = payload};

	payload->id = control->query.id;
	return device_ioctl(device->fd, request, &controls);
}

int control_write(const struct v4l2_device *device, const struct control *control,
	const struct control_value *value, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_control plain = {.id = control->query.id, .value = (int32_t)value->number};
	struct v4l2_ext_control payload = {0};
	char text[32];
	int err;

	if (value->text) {
		payload.size = (uint32_t)strlen(value->text) + 1;
		payload.string = (char *)value->text; /* to be read only */
	} else if (control->query.type == V4L2_CTRL_TYPE_INTEGER64) {
		payload.value64 = value->number;
	} else {
		payload.value = (int32_t)value->number;
	}
	err = transfer(device, control, VIDIOC_S_EXT_CTRLS, &payload);
	/* Old drivers know only the old call. */
	if (err == -ENOTTY)
		err = device_ioctl(device->fd, VIDIOC_S_CTRL, &plain);
	if (!err)
		return 0;
	(void)snprintf(text, sizeof text, "%" PRId64, value->number);
	return reason_set(reason, err, "%.64s refuses control %s=%.32s%s: %s", device->path,
		control->name, value->text ? value->text : text,
		control->query.flags & V4L2_CTRL_FLAG_INACTIVE ? " (an automatic holds it)" : "",
		strerror(-err));
}

int control_read(const struct v4l2_device *device, const struct control *control,
	char text[CONTROL_TEXT_BYTES], struct control_value *ret_value)
{
	bool is_text = control->query.type == V4L2_CTRL_TYPE_STRING;
	struct v4l2_control plain = {.id = control->query.id};
	struct v4l2_ext_control payload = {0};
	int err;

	if (control->query.type == V4L2_CTRL_TYPE_BUTTON ||
		control->query.flags & V4L2_CTRL_FLAG_WRITE_ONLY)
		return -EACCES;
	if (is_text) {
		payload.size = CONTROL_TEXT_BYTES;
		payload.string = text;
	}
	err = transfer(device, control, VIDIOC_G_EXT_CTRLS, &payload);
	if (err == -ENOTTY && !is_text) {
		err = device_ioctl(device->fd, VIDIOC_G_CTRL, &plain);
		payload.value = plain.value;
	}
	if (err < 0)
		return err;

	*ret_value = (struct control_value){.number = payload.value};
	if (is_text) {
		text[CONTROL_TEXT_BYTES - 1] = '\0';
		control_clean(text);
		*ret_value = (struct control_value){.text = text};
	} else if (control->query.type == V4L2_CTRL_TYPE_INTEGER64) {
		ret_value->number = payload.value64;
	} else if (control->query.type == V4L2_CTRL_TYPE_BITMASK) {
		ret_value->number = (uint32_t)payload.value;
	}
	return 0;
}

int controls_apply(const struct v4l2_device *device, const struct camera_control_setting *settings,
	uint32_t n, char reason[CAMERA_REASON_BYTES])
{
	struct control control;
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++) {
		struct control_value value = {.number = settings[i].value};

		err = control_find(device, settings[i].name, &control, reason);
		if (!err)
			err = control_check(device, &control, &value, reason);
		if (!err)
			err = control_write(device, &control, &value, reason);
	}
	return err;
}
