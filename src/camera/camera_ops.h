/* What a kind of camera implements; see camera.h for the contract of each call. */
#ifndef FANLIGHT_CAMERA_OPS_H
#define FANLIGHT_CAMERA_OPS_H

#include "camera/camera.h"
#include "camera/v4l2_choose.h"

struct camera_ops {
	int (*start)(struct camera *camera);
	int (*poll_fd)(const struct camera *camera);
	int (*borrow)(struct camera *camera, struct frame *ret_frame);
	int (*give_back)(struct camera *camera, const struct frame *frame);
	void (*stop)(struct camera *camera);
	void (*close)(struct camera *camera); /* frees it too */
};

/* The first member of every kind of camera. */
struct camera {
	const struct camera_ops *ops;
	const struct camera_config *config;
	struct camera_stats *stats;
	struct camera_info info; /* settled by open */
};

/*
 * What the pattern offers, given a wish: every format in the usual sizes or in the wished one, up
 * to its highest rate. Returns 0 and modes for the caller to free, or -ENOMEM.
 */
ANY_THREAD int pattern_list_modes(
	const struct camera_config *wish, struct v4l2_mode **ret_modes, size_t *ret_n);

/* Openers, one a kind; path is the source without its prefix. */
ON_CAPTURE int v4l2_open(const struct camera_config *config, const char *path,
	struct camera_stats *stats, struct camera **ret_camera, char reason[CAMERA_REASON_BYTES]);
ON_CAPTURE int pattern_open(const struct camera_config *config, struct camera_stats *stats,
	struct camera **ret_camera, char reason[CAMERA_REASON_BYTES]);
ON_CAPTURE int replay_open(const struct camera_config *config, const char *path,
	struct camera_stats *stats, struct camera **ret_camera, char reason[CAMERA_REASON_BYTES]);

/* Which V4L2 camera: "" leaves a field open. */
struct v4l2_wish {
	const char *bus;  /* its bus, as --list shows it */
	const char *name; /* part of its card's name, whatever the case */
};

/*
 * The path of the first V4L2 capture device of this kind that can stream. Returns 0, -ENOENT when
 * there is none, or another negative errno with a sentence in reason when all that may be one
 * cannot be opened.
 */
ANY_THREAD int v4l2_find(const struct v4l2_wish *wish, char *ret_path, size_t path_bytes,
	char reason[CAMERA_REASON_BYTES]);

#endif
