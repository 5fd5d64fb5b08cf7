/*
 * A V4L2 device's controls, found by name. What a driver says of them is not believed: lists end,
 * titles are printable, and only what a range or a menu allows is written.
 */
#ifndef FANLIGHT_CONTROLS_H
#define FANLIGHT_CONTROLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"
#include "camera/camera.h"
#include "camera/v4l2_device.h"

/* Longer texts are neither shown nor set; the kernel's are of a few bytes. */
#define CONTROL_TEXT_BYTES 256

/* One control, or the class that those after it belong to (V4L2_CTRL_TYPE_CTRL_CLASS). */
struct control {
	struct v4l2_query_ext_ctrl query; /* its name is printable ASCII */
	char name[32];                    /* as v4l2-ctl spells it, or control_ID; never "" */
	unsigned number;                  /* in the driver's list, from 1 on */
};

/* A value: text of a string control, a number of all others. */
struct control_value {
	int64_t number;
	const char *text; /* NULL for a number */
};

/*
 * Set n controls in the given order (an automatic goes before what it would hold).
 * Returns 0, or a negative errno with a sentence in reason that names the control and what is
 * allowed: near names for one that is not there, the range or the menu for a value out of it.
 */
ANY_THREAD int controls_apply(const struct v4l2_device *device,
	const struct camera_control_setting *settings, uint32_t n,
	char reason[CAMERA_REASON_BYTES]);

/*
 * The control or class after this one, which is zeroed at first; those that are no single number
 * or text are passed over. False when there are no more.
 */
ANY_THREAD bool control_next(const struct v4l2_device *device, struct control *control);

/* Find a control. Returns 0, or -EINVAL with a sentence that tells the nearest names. */
ANY_THREAD int control_find(const struct v4l2_device *device, const char *name,
	struct control *ret_control, char reason[CAMERA_REASON_BYTES]);

/*
 * The item at *index of a control's menu, or the first after it: true, and *index is its value.
 * False when there are no more.
 */
ANY_THREAD bool control_menu_item(const struct v4l2_device *device, const struct control *control,
	uint32_t *index, struct v4l2_querymenu *ret_item);

/* The bits of a bitmask control. */
ANY_THREAD uint32_t control_bits(const struct control *control);

/* Whether the control takes this value: 0, or -EINVAL with a sentence that tells what it takes. */
ANY_THREAD int control_check(const struct v4l2_device *device, const struct control *control,
	const struct control_value *value, char reason[CAMERA_REASON_BYTES]);

/* Write a value that was checked. Returns 0, or a negative errno with a sentence. */
ANY_THREAD int control_write(const struct v4l2_device *device, const struct control *control,
	const struct control_value *value, char reason[CAMERA_REASON_BYTES]);

/*
 * Read the current value; a text into text, printable, where value->text then points.
 * Returns 0 or a negative errno; -EACCES for what cannot be read.
 */
ANY_THREAD int control_read(const struct v4l2_device *device, const struct control *control,
	char text[CONTROL_TEXT_BYTES], struct control_value *ret_value);

/* Make text printable ASCII: '?' for every other byte. */
ANY_THREAD void control_clean(char *text);

#endif
