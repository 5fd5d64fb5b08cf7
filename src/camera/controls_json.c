#include "camera/controls_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "camera/reason.h"

ANY_THREAD static const char *type_name(uint32_t type)
{
	switch (type) {
	case V4L2_CTRL_TYPE_BOOLEAN:
		return "boolean";
	case V4L2_CTRL_TYPE_MENU:
		return "menu";
	case V4L2_CTRL_TYPE_INTEGER_MENU:
		return "integer-menu";
	case V4L2_CTRL_TYPE_BUTTON:
		return "button";
	case V4L2_CTRL_TYPE_BITMASK:
		return "bitmask";
	case V4L2_CTRL_TYPE_STRING:
		return "string";
	default:
		return "integer"; /* of 32 or 64 bits */
	}
}

ANY_THREAD static json_t *menu_to_json(
	const struct v4l2_device *device, const struct control *control)
{
	json_t *menu = json_array();
	struct v4l2_querymenu item;
	char label[32];

	for (uint32_t i = 0; control_menu_item(device, control, &i, &item); i++) {
		if (control->query.type == V4L2_CTRL_TYPE_INTEGER_MENU)
			(void)snprintf(label, sizeof label, "%lld", (long long)item.value);
		else
			(void)snprintf(label, sizeof label, "%s", item.name);
		(void)json_array_append_new(
			menu, json_pack("{s:I, s:s}", "value", (json_int_t)i, "label", label));
	}
	return menu;
}

/* A number as it is written for this type of control. */
ANY_THREAD static json_t *number_to_json(const struct control *control, int64_t number)
{
	switch (control->query.type) {
	case V4L2_CTRL_TYPE_BOOLEAN:
		return json_boolean(number);
	case V4L2_CTRL_TYPE_BITMASK:
		return json_integer((uint32_t)number);
	case V4L2_CTRL_TYPE_BUTTON:
		return json_null();
	case V4L2_CTRL_TYPE_STRING:
		return json_string("");
	default:
		return json_integer(number);
	}
}

ANY_THREAD static json_t *value_to_json(
	const struct v4l2_device *device, const struct control *control)
{
	char text[CONTROL_TEXT_BYTES] = "";
	struct control_value value;

	if (control_read(device, control, text, &value) < 0)
		return json_null();
	return value.text ? json_string(value.text) : number_to_json(control, value.number);
}

ANY_THREAD static json_t *control_to_json(
	const struct v4l2_device *device, const struct control *control, const char *class)
{
	const struct v4l2_query_ext_ctrl *query = &control->query;
	bool bitmask = query->type == V4L2_CTRL_TYPE_BITMASK;
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "name",
		control->name, "label", query->name, "class", class, "type", type_name(query->type),
		"minimum", (json_int_t)query->minimum, "maximum",
		bitmask ? (json_int_t)control_bits(control) : (json_int_t)query->maximum, "step",
		(json_int_t)query->step, "default", number_to_json(control, query->default_value),
		"value", value_to_json(device, control));
	static const struct {
		const char *name;
		uint32_t flag;
	} flags[] = {
		{"inactive", V4L2_CTRL_FLAG_INACTIVE},
		{"grabbed", V4L2_CTRL_FLAG_GRABBED},
		{"read_only", V4L2_CTRL_FLAG_READ_ONLY},
		{"volatile", V4L2_CTRL_FLAG_VOLATILE},
	};

	if (query->type == V4L2_CTRL_TYPE_MENU || query->type == V4L2_CTRL_TYPE_INTEGER_MENU)
		(void)json_object_set_new(json, "menu", menu_to_json(device, control));
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		(void)json_object_set_new(
			json, flags[i].name, json_boolean(query->flags & flags[i].flag));
	return json;
}

/* "User Controls" is the class User. */
ANY_THREAD static void shorten_class(char *title)
{
	char *end = strstr(title, " Controls");

	if (end && end > title)
		*end = '\0';
}

json_t *controls_to_json(const struct v4l2_device *device)
{
	json_t *list = json_array();
	struct control control = {0};
	char class[32] = "Other";

	while (control_next(device, &control)) {
		if (control.query.type != V4L2_CTRL_TYPE_CTRL_CLASS) {
			(void)json_array_append_new(list, control_to_json(device, &control, class));
			continue;
		}
		(void)snprintf(class, sizeof class, "%s", control.query.name);
		shorten_class(class);
	}
	return list;
}

int control_value_from_json(const struct control *control, const json_t *json,
	struct control_value *ret_value, char reason[CAMERA_REASON_BYTES])
{
	const char *wanted = "a whole number";

	*ret_value = (struct control_value){.number = json_integer_value(json)};
	switch (control->query.type) {
	case V4L2_CTRL_TYPE_BUTTON:
		if (json_is_null(json) || json_is_true(json))
			return 0;
		wanted = "true or null, which presses it";
		break;
	case V4L2_CTRL_TYPE_BOOLEAN:
		if (json_is_boolean(json))
			ret_value->number = json_is_true(json);
		if (json_is_boolean(json) || json_is_integer(json))
			return 0;
		wanted = "true or false";
		break;
	case V4L2_CTRL_TYPE_STRING:
		ret_value->text = json_string_value(json);
		if (ret_value->text)
			return 0;
		wanted = "a text";
		break;
	default:
		if (json_is_integer(json))
			return 0;
	}
	return reason_set(reason, -EINVAL, "control %s takes %s", control->name, wanted);
}
