/*
 * What is asked of a camera's filters: settings by name, each a text that is checked when it is
 * given, from the settings file or over HTTP.
 */
#ifndef FANLIGHT_PROCESS_CONFIG_H
#define FANLIGHT_PROCESS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

#define PROCESS_TEXT_BYTES    512
#define PROCESS_STEPS_MOST    8
#define PROCESS_POINTS_MOST   64
#define PROCESS_CORNERS_LEAST 3
#define PROCESS_OVERLAYS_MOST 8
#define PROCESS_LINE_LEAST    4 /* pixels */
#define PROCESS_LINE_MOST     512

/* Room for the sentence that says why filters could not be made. */
#define PROCESS_REASON_BYTES 256

enum process_setting {
	PROCESS_STEPS,
	PROCESS_ROTATE,
	PROCESS_FLIP,
	PROCESS_CROP,
	PROCESS_SCALE,
	PROCESS_MASK,
	PROCESS_MASK_STYLE,
	PROCESS_OVERLAY,
	PROCESS_LOGO,
	PROCESS_PLUGIN_DIR,
	PROCESS_PLUGIN_BUDGET,
	PROCESS_SETTINGS,
};

enum filter_kind { FILTER_ORIENT, FILTER_MASK, FILTER_OVERLAY, FILTER_PLUGIN };

struct process_step {
	enum filter_kind kind;
	char name[32];                 /* for whoever looks at its times */
	char path[256], settings[128]; /* of a plugin */
};

/* In this order. */
struct orient_config {
	unsigned quarter_turns; /* clockwise */
	bool mirrored, flipped;
	uint32_t crop_left, crop_top, crop_width, crop_height; /* width 0 for none */
	uint32_t divisor; /* of the size, 1 for none; or 0 and a size */
	uint32_t width, height;
};

/* In width and height of the picture, from 0 to 1. */
struct mask_point {
	float x, y;
	bool ends; /* its polygon */
};

struct mask_config {
	struct mask_point points[PROCESS_POINTS_MOST];
	unsigned n_points;
	bool mosaic;
};

/* Red, green, blue, and how opaque. */
struct overlay_colour {
	uint8_t rgb[3], alpha;
};

struct overlay_item {
	bool in_corner, from_right, from_bottom;
	uint32_t x, y; /* pixels from there, unless in a corner */
	uint32_t
		size; /* of a line or logo, in pixels or in percent of the picture's height, or 0 */
	bool size_in_percent;
	bool is_logo;
	struct overlay_colour ink, box;
	char template[PROCESS_TEXT_BYTES];
};

struct overlay_config {
	struct overlay_item items[PROCESS_OVERLAYS_MOST];
	unsigned n_items;
};

struct process_config {
	char texts[PROCESS_SETTINGS][PROCESS_TEXT_BYTES];
	struct process_step steps[PROCESS_STEPS_MOST];
	unsigned n_steps;
	struct orient_config orient;
	struct mask_config mask;
	struct overlay_config overlay;
	unsigned plugin_budget_ms; /* 0 for none */
	bool live; /* it runs, and may be confined: what is loaded was tried before */
	/* The camera's name, and a font's file: of whoever makes chains, who keeps them. */
	const char *camera, *font;
};

/* What a setting is called, and what completes "use ...". */
ANY_THREAD const char *process_setting_name(enum process_setting setting);
ANY_THREAD const char *process_setting_allowed(enum process_setting setting);

/* Whether only the settings file may say it: which files are read is not for the network. */
ANY_THREAD bool process_setting_is_fixed(enum process_setting setting);

/* The setting of a name, or PROCESS_SETTINGS for none. */
ANY_THREAD enum process_setting process_find_setting(const char *name);

/* No filters, and each setting as it is unless given. */
ANY_THREAD void process_config_init(struct process_config *config);

/* Returns 0, -ENAMETOOLONG or -EINVAL (not what is allowed); then the configuration is unchanged. */
ANY_THREAD int process_set(
	struct process_config *config, enum process_setting setting, const char *text);

/* Whether something in the picture is hidden. */
ANY_THREAD bool process_hides(const struct process_config *config);

/* Whether a configuration has all plugins of another. */
ANY_THREAD bool process_has_plugins_of(
	const struct process_config *config, const struct process_config *other);

/* The name of a setting of a filter that is not among the steps, or NULL when none is in vain. */
ANY_THREAD const char *process_find_idle(const struct process_config *config);

#endif
