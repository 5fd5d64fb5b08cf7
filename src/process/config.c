#include "process/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/template.h"

#define SIZE_MOST      16384
#define DIVISOR_MOST   64
#define BUDGET_MS_MOST 1000

#define PLUGIN_PREFIX "plugin:"

static const char *const filter_names[] = {
	[FILTER_ORIENT] = "orient",
	[FILTER_MASK] = "mask",
	[FILTER_OVERLAY] = "overlay",
};
#define N_FILTERS (sizeof filter_names / sizeof *filter_names)

/* ---- pieces of text; each moves *at behind what it takes ---- */

static void skip_spaces(const char **at)
{
	*at += strspn(*at, " \t");
}

static bool take(const char **at, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*at, word, length) != 0)
		return false;
	*at += length;
	return true;
}

static bool take_count(const char **at, uint32_t least, uint32_t most, uint32_t *ret_count)
{
	unsigned long count;
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	count = strtoul(*at, &end, 10); /* ULONG_MAX when there are too many digits */
	if (count < least || count > most)
		return false;
	*at = end;
	*ret_count = (uint32_t)count;
	return true;
}

/* A number from 0 to 100, of which *ret_share is the hundredth part. */
static bool take_percent(const char **at, float *ret_share)
{
	size_t length = strspn(*at, "0123456789.");
	char *end;
	float percent = strtof(*at, &end);

	/* strtof() also knows signs, exponents and names. */
	if (!length || end != *at + length || !(percent >= 0 && percent <= 100))
		return false;
	*at = end;
	*ret_share = percent / 100;
	return true;
}

/* ---- settings; each parser returns whether the text is right ---- */

/* "plugin:/path/name.so", and perhaps a space and its settings. */
static bool parse_plugin(const char *text, size_t length, struct process_step *step)
{
	const char *path = text + strlen(PLUGIN_PREFIX), *base = path;
	size_t path_length = strcspn(path, " ,"), rest, base_length;

	if (*path != '/' || path_length >= sizeof step->path)
		return false;
	rest = length - strlen(PLUGIN_PREFIX) - path_length;
	rest -= rest > 0; /* the space */
	if (rest >= sizeof step->settings)
		return false;
	for (const char *c = path; c < path + path_length; c++)
		if (*c == '/')
			base = c + 1;
	base_length = path_length - (size_t)(base - path);
	if (base_length < 4 || strncmp(base + base_length - 3, ".so", 3) != 0)
		return false;
	*step = (struct process_step){.kind = FILTER_PLUGIN};
	(void)snprintf(
		step->name, sizeof step->name, PLUGIN_PREFIX "%.*s", (int)base_length - 3, base);
	(void)snprintf(step->path, sizeof step->path, "%.*s", (int)path_length, path);
	if (rest)
		(void)snprintf(step->settings, sizeof step->settings, "%.*s", (int)rest,
			path + path_length + 1);
	return true;
}

static bool parse_step(const char *text, size_t length, struct process_step *step)
{
	if (length > strlen(PLUGIN_PREFIX) && !strncmp(text, PLUGIN_PREFIX, strlen(PLUGIN_PREFIX)))
		return parse_plugin(text, length, step);
	for (size_t i = 0; i < N_FILTERS; i++)
		if (length == strlen(filter_names[i]) && !strncmp(text, filter_names[i], length)) {
			*step = (struct process_step){.kind = (enum filter_kind)i};
			(void)snprintf(step->name, sizeof step->name, "%s", filter_names[i]);
			return true;
		}
	return false;
}

static bool has_step(const struct process_config *config, const char *name)
{
	for (unsigned i = 0; i < config->n_steps; i++)
		if (!strcmp(config->steps[i].name, name))
			return true;
	return false;
}

static bool parse_steps(struct process_config *config, const char *text)
{
	config->n_steps = 0;
	while (*text) {
		size_t length = strcspn(text, ","), used = length;
		struct process_step step;

		while (used && isspace((unsigned char)text[used - 1]))
			used--;
		if (config->n_steps == PROCESS_STEPS_MOST || !parse_step(text, used, &step) ||
			has_step(config, step.name))
			return false;
		/* Words would be turned with the picture. */
		if (step.kind == FILTER_ORIENT && has_step(config, filter_names[FILTER_OVERLAY]))
			return false;
		config->steps[config->n_steps++] = step;
		text += length;
		if (*text++ != ',')
			break;
		skip_spaces(&text);
		if (!*text)
			return false;
	}
	return true;
}

static bool parse_rotate(struct process_config *config, const char *text)
{
	static const char *const words[] = {"0", "90", "180", "270"};

	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(text, words[i])) {
			config->orient.quarter_turns = i;
			return true;
		}
	return false;
}

static bool parse_flip(struct process_config *config, const char *text)
{
	bool horizontal = !strcmp(text, "horizontal"), vertical = !strcmp(text, "vertical");
	bool both = !strcmp(text, "both");

	config->orient.mirrored = horizontal || both;
	config->orient.flipped = vertical || both;
	return horizontal || vertical || both || !strcmp(text, "none");
}

static bool parse_crop(struct process_config *config, const char *text)
{
	struct orient_config *o = &config->orient;

	o->crop_width = 0;
	if (!strcmp(text, "none"))
		return true;
	return take_count(&text, 1, SIZE_MOST, &o->crop_width) && take(&text, "x") &&
	       take_count(&text, 1, SIZE_MOST, &o->crop_height) && take(&text, "+") &&
	       take_count(&text, 0, SIZE_MOST, &o->crop_left) && take(&text, "+") &&
	       take_count(&text, 0, SIZE_MOST, &o->crop_top) && !*text;
}

static bool parse_scale(struct process_config *config, const char *text)
{
	struct orient_config *o = &config->orient;

	o->divisor = 1;
	if (!strcmp(text, "none"))
		return true;
	if (take(&text, "1/"))
		return take_count(&text, 1, DIVISOR_MOST, &o->divisor) && !*text;
	o->divisor = 0;
	return take_count(&text, 1, SIZE_MOST, &o->width) && take(&text, "x") &&
	       take_count(&text, 1, SIZE_MOST, &o->height) && !*text;
}

static bool parse_mask(struct process_config *config, const char *text)
{
	struct mask_config *mask = &config->mask;
	unsigned corners = 0;

	mask->n_points = 0;
	while (*text) {
		struct mask_point *point = &mask->points[mask->n_points];

		if (mask->n_points == PROCESS_POINTS_MOST || !take_percent(&text, &point->x) ||
			!take(&text, ",") || !take_percent(&text, &point->y))
			return false;
		mask->n_points++;
		corners++;
		skip_spaces(&text);
		point->ends = !*text || take(&text, ";");
		skip_spaces(&text);
		if (point->ends && corners < PROCESS_CORNERS_LEAST)
			return false;
		corners = point->ends ? 0 : corners;
	}
	return true;
}

static bool parse_mask_style(struct process_config *config, const char *text)
{
	config->mask.mosaic = !strcmp(text, "mosaic");
	return config->mask.mosaic || !strcmp(text, "black");
}

/* A colour as "#rrggbb", or "#rrggbbaa" where it is not opaque. */
static bool take_colour(const char **at, struct overlay_colour *ret_colour)
{
	uint8_t bytes[4] = {0, 0, 0, 255};
	size_t digits;

	if (!take(at, "#"))
		return false;
	digits = strspn(*at, "0123456789abcdefABCDEF");
	if (digits != 6 && digits != 8)
		return false;
	for (size_t i = 0; i < digits / 2; i++, *at += 2) {
		const char pair[] = {(*at)[0], (*at)[1], '\0'};

		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*ret_colour = (struct overlay_colour){{bytes[0], bytes[1], bytes[2]}, bytes[3]};
	return true;
}

static bool take_place(const char **at, struct overlay_item *item)
{
	static const char *const corners[] = {
		"top-left ", "top-right ", "bottom-left ", "bottom-right "};

	for (unsigned i = 0; i < 4; i++)
		if (take(at, corners[i])) {
			item->in_corner = true;
			item->from_right = i & 1;
			item->from_bottom = i & 2;
			return true;
		}
	item->from_right = take(at, "-");
	if (!take_count(at, 0, SIZE_MOST, &item->x) || !take(at, ","))
		return false;
	item->from_bottom = take(at, "-");
	return take_count(at, 0, SIZE_MOST, &item->y) && take(at, " ");
}

static bool take_size(const char **at, struct overlay_item *item)
{
	if (!take_count(at, 1, PROCESS_LINE_MOST, &item->size))
		return false;
	item->size_in_percent = take(at, "%");
	return item->size_in_percent ? item->size <= 100 : item->size >= PROCESS_LINE_LEAST;
}

/* As many of size=, colour= and box= as there are, with a space behind each. */
static bool take_looks(const char **at, struct overlay_item *item)
{
	for (;;) {
		bool right;

		skip_spaces(at);
		if (take(at, "size="))
			right = take_size(at, item);
		else if (take(at, "colour="))
			right = take_colour(at, &item->ink);
		else if (take(at, "box=none"))
			right = true, item->box.alpha = 0;
		else if (take(at, "box="))
			right = take_colour(at, &item->box);
		else
			return true;
		if (!right || !take(at, " "))
			return false;
	}
}

/* A template, or the logo, up to a ; that is no field's, or the end. */
static bool take_template(const char **at, struct overlay_item *item)
{
	const char *end = *at;
	size_t length;

	while (*end && *end != ';')
		end += *end == '{' ? strcspn(end, "}") : 1;
	length = (size_t)(end - *at);
	while (length && (*at)[length - 1] == ' ')
		length--;
	memcpy(item->template, *at, length);
	item->template[length] = '\0';
	*at = end;
	item->is_logo = !strcmp(item->template, "{logo}");
	return item->is_logo || (length && template_is_right(item->template));
}

static bool parse_overlay(struct process_config *config, const char *text)
{
	struct overlay_config *overlay = &config->overlay;

	overlay->n_items = 0;
	while (*text) {
		struct overlay_item *item = &overlay->items[overlay->n_items];

		if (overlay->n_items == PROCESS_OVERLAYS_MOST)
			return false;
		*item = (struct overlay_item){
			.ink = {{255, 255, 255}, 255}, .box = {{0, 0, 0}, 128}};
		if (!take_place(&text, item) || !take_looks(&text, item) ||
			!take_template(&text, item))
			return false;
		overlay->n_items++;
		(void)take(&text, ";"); /* or it is the end */
		skip_spaces(&text);
	}
	return true;
}

static bool parse_path(struct process_config *config, const char *text)
{
	(void)config; /* it is there as it stands */
	return !*text || *text == '/';
}

static bool parse_plugin_budget(struct process_config *config, const char *text)
{
	config->plugin_budget_ms = 0;
	return !strcmp(text, "off") ||
	       (take_count(&text, 1, BUDGET_MS_MOST, &config->plugin_budget_ms) && !*text);
}

/* ---- the table ---- */

static const struct {
	const char *name, *initially, *allowed;
	bool (*parse)(struct process_config *config, const char *text);
	enum filter_kind filter; /* whose it is, but for the first */
	bool fixed;              /* while it runs */
} settings[] = {
	[PROCESS_STEPS] = {"process", "",
		"names with commas between them, each once: orient, mask, overlay (behind orient), or "
		"plugin:/PATH.so and what it is to be told",
		parse_steps},
	[PROCESS_ROTATE] = {"rotate", "0", "0, 90, 180 or 270", parse_rotate, FILTER_ORIENT},
	[PROCESS_FLIP] = {"flip", "none", "none, horizontal, vertical or both", parse_flip,
		FILTER_ORIENT},
	[PROCESS_CROP] = {"crop", "none", "WIDTHxHEIGHT+LEFT+TOP in pixels, or none", parse_crop,
		FILTER_ORIENT},
	[PROCESS_SCALE] = {"scale", "none",
		"1/2, 1/4 or another part down to 1/64, WIDTHxHEIGHT, or none", parse_scale,
		FILTER_ORIENT},
	[PROCESS_MASK] = {"mask", "",
		"X,Y X,Y X,Y of at least three corners in percent, and a ; before the next "
		"polygon, at most 64 corners in all",
		parse_mask, FILTER_MASK},
	[PROCESS_MASK_STYLE] = {"mask-style", "black", "black or mosaic", parse_mask_style,
		FILTER_MASK},
	[PROCESS_OVERLAY] = {"overlay", "",
		"PLACE LOOKS TEXT, with a ; before the next: a corner such as top-left, or X,Y; perhaps "
		"size=24 or 5%, colour=#ffffff, box=#00000080 or none; text with %T and others of "
		"strftime, {name}, {fps}, {sequence}, {size}, {result:NAME}; or {logo} alone",
		parse_overlay, FILTER_OVERLAY},
	[PROCESS_LOGO] = {"logo", "", "the path of a PNG, from / on", parse_path, FILTER_OVERLAY,
		true},
	[PROCESS_PLUGIN_DIR] = {"plugin-dir", "", "the path of a folder, from / on", parse_path,
		FILTER_PLUGIN, true},
	[PROCESS_PLUGIN_BUDGET] = {"plugin-budget", "off",
		"a whole number of milliseconds from 1 to 1000, or off", parse_plugin_budget,
		FILTER_PLUGIN, true},
};

const char *process_setting_name(enum process_setting setting)
{
	return settings[setting].name;
}

const char *process_setting_allowed(enum process_setting setting)
{
	return settings[setting].allowed;
}

bool process_setting_is_fixed(enum process_setting setting)
{
	return settings[setting].fixed;
}

enum process_setting process_find_setting(const char *name)
{
	enum process_setting i = 0;

	while (i < PROCESS_SETTINGS && strcmp(settings[i].name, name) != 0)
		i++;
	return i;
}

void process_config_init(struct process_config *config)
{
	*config = (struct process_config){0};
	for (enum process_setting i = 0; i < PROCESS_SETTINGS; i++) {
		int err = process_set(config, i, settings[i].initially);

		assert(!err);
		(void)err; /* where asserts are not compiled */
	}
}

int process_set(struct process_config *config, enum process_setting setting, const char *text)
{
	struct process_config changed = *config;

	if (strlen(text) >= PROCESS_TEXT_BYTES)
		return -ENAMETOOLONG;
	if (!settings[setting].parse(&changed, text))
		return -EINVAL;
	strcpy(changed.texts[setting], text);
	*config = changed;
	return 0;
}

const char *process_find_idle(const struct process_config *config)
{
	for (enum process_setting i = PROCESS_STEPS + 1; i < PROCESS_SETTINGS; i++)
		if (!process_setting_is_fixed(i) &&
			strcmp(config->texts[i], settings[i].initially) != 0 &&
			!has_step(config, filter_names[settings[i].filter]))
			return settings[i].name;
	return NULL;
}

bool process_hides(const struct process_config *config)
{
	return has_step(config, filter_names[FILTER_MASK]);
}

static bool has_plugin(const struct process_config *config, const char *path)
{
	for (unsigned i = 0; i < config->n_steps; i++)
		if (!strcmp(config->steps[i].path, path))
			return true;
	return false;
}

bool process_has_plugins_of(const struct process_config *config, const struct process_config *other)
{
	for (unsigned i = 0; i < other->n_steps; i++)
		if (other->steps[i].kind == FILTER_PLUGIN &&
			!has_plugin(config, other->steps[i].path))
			return false;
	return true;
}
