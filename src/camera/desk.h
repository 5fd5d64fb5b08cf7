/*
 * The desk where a camera's controls and formats are asked for and changed, while it delivers.
 *
 * A control transfer may be slow, so the desk has a V4L2 camera open a second time, apart from
 * capture. What is set here is remembered and set again when the camera comes back. Changing the
 * format is capture's: the desk checks what is wished and describes what came of it.
 *
 * Answers are JSON: the document of deploy/controls.md, or {"error": sentence, "control": name}.
 * All calls of one desk are made by its control thread.
 */
#ifndef FANLIGHT_DESK_H
#define FANLIGHT_DESK_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/roles.h"
#include "camera/camera.h"
#include "camera/patch.h"
#include "camera/v4l2_device.h"

struct desk {
	bool present;            /* the camera is open */
	struct camera_info info; /* as capture opened it */
	struct v4l2_device device;
	bool watching; /* its events */
	json_t *kept;  /* controls that were set here, the latest last */
};

/* Returns 0 or -ENOMEM. */
ANY_THREAD int desk_init(struct desk *desk);
ANY_THREAD void desk_finish(struct desk *desk);

/*
 * The camera is open: open it here, too, and set again what was set before.
 * Returns 0, or the errno of what did not work, with a sentence; the camera is present all the
 * same.
 */
ON_CONTROL int desk_open(
	struct desk *desk, const struct camera_info *info, char reason[CAMERA_REASON_BYTES]);

/* The camera is to be closed, or never was open. */
ON_CONTROL void desk_close(struct desk *desk);

/* An fd with an exceptional condition (POLLPRI) when desk_look() has something to see; or -1. */
ON_CONTROL int desk_event_fd(const struct desk *desk);

/* Whether another program, or the camera by itself, changed a control since the last look. */
ON_CONTROL bool desk_look(struct desk *desk);

/*
 * Answer a request: no text asks how things are, a patch (patch.h) changes them.
 * Returns 0 or a negative errno (-EINVAL bad request; -ENODEV camera away; else the camera refuses)
 * with the answer in *ret_json, which the caller frees; it is NULL without memory. Or returns 1:
 * capture is to switch to *ret_wish, and desk_settle() answers.
 */
ON_CONTROL int desk_ask(struct desk *desk, const char *text, size_t bytes,
	struct format_wish *ret_wish, char **ret_json);

/* Answer after a switch, which was refused unless the reason is "". Returns as desk_ask() does. */
ON_CONTROL int desk_settle(struct desk *desk, const char *refused, char **ret_json);

#endif
