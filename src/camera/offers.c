#include "camera/offers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "camera/camera_ops.h"
#include "camera/controls.h"
#include "camera/formats.h"
#include "camera/reason.h"
#include "camera/v4l2_choose.h"
#include "camera/v4l2_setup.h"

#define RATES_MOST 64

/* 30.00003 fps were asked for as 30; a thousandth more than the most is the most. */
#define FPS_TOLERANCE 1.001

/* Everything that may be switched to, given a wish. *ret_modes is the caller's to free. */
ANY_THREAD static int list_modes(const struct camera_info *info, const struct v4l2_device *device,
	const struct camera_config *wish, struct v4l2_mode **ret_modes, size_t *ret_n)
{
	switch (info->kind) {
	case CAMERA_V4L2:
		return setup_list_modes(device, wish, ret_modes, ret_n);
	case CAMERA_PATTERN:
		return pattern_list_modes(wish, ret_modes, ret_n);
	case CAMERA_REPLAY:
		break; /* pictures are as they were taken */
	}
	*ret_modes = NULL;
	*ret_n = 0;
	return 0;
}

int offers_check(const struct camera_info *info, const struct v4l2_device *device,
	const struct camera_config *wish, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_mode *modes, mode;
	char name[5];
	size_t n;
	int err = list_modes(info, device, wish, &modes, &n);

	if (err < 0)
		return reason_set(reason, err, "cannot list the formats: %s", strerror(-err));
	if (!n)
		err = reason_set(reason, -EINVAL, "what is replayed is as it was taken");
	else
		err = v4l2_choose(modes, n, wish, &mode, reason);
	free(modes);
	if (!err && mode.fps > 0 && wish->fps > mode.fps * FPS_TOLERANCE)
		return reason_set(reason, -EINVAL, "%s in %ux%u comes at up to %.4g fps, not %.4g",
			format_name(mode.fourcc, name), wish->width, wish->height, mode.fps,
			wish->fps);
	return err;
}

/* A rate to a thousandth, 30 rather than 30.0. */
ANY_THREAD static json_t *rate_to_json(double fps)
{
	double thousandths = round(fps * 1000);

	if (fmod(thousandths, 1000) > 0)
		return json_real(thousandths / 1000);
	return json_integer((json_int_t)(thousandths / 1000));
}

/* Rates at one size, as the driver orders them; of a range, the usual ones. */
ANY_THREAD static json_t *rates_to_json(const struct camera_info *info,
	const struct v4l2_device *device, const struct v4l2_mode *mode)
{
	static const double usual[] = {120, 90, 60, 50, 30, 25, 20, 15, 10, 5, 1};
	double rates[RATES_MOST] = {1, mode->fps}; /* the pattern's */
	json_t *json = json_array();
	bool range = true;
	size_t n = 2;

	if (info->kind == CAMERA_V4L2)
		n = device_rates(
			device, mode->fourcc, mode->width, mode->height, rates, RATES_MOST, &range);
	for (size_t i = 0; !range && i < n; i++)
		(void)json_array_append_new(json, rate_to_json(rates[i]));
	for (size_t i = 0; range && n && i < sizeof usual / sizeof *usual; i++)
		if (usual[i] >= rates[0] && usual[i] <= rates[1] * FPS_TOLERANCE)
			(void)json_array_append_new(json, rate_to_json(usual[i]));
	return json;
}

ANY_THREAD static json_t *size_to_json(const struct camera_info *info,
	const struct v4l2_device *device, const struct v4l2_mode *mode)
{
	return json_pack("{s:I, s:I, s:o}", "width", (json_int_t)mode->width, "height",
		(json_int_t)mode->height, "fps", rates_to_json(info, device, mode));
}

ANY_THREAD static json_t *begin_format(
	const struct camera_info *info, const struct v4l2_device *device, uint32_t fourcc)
{
	bool found = info->kind != CAMERA_V4L2;
	struct v4l2_fmtdesc format = {0};
	char name[5];

	for (uint32_t i = 0; !found && device_format(device, i, &format); i++)
		found = format.pixelformat == fourcc;
	format.description[sizeof format.description - 1] = '\0';
	control_clean((char *)format.description);
	return json_pack("{s:s, s:s, s:[]}", "fourcc", format_name(fourcc, name), "description",
		(const char *)format.description, "sizes");
}

/* Whether a mode is what the camera delivers now. */
ANY_THREAD static bool is_current(const struct camera_info *info, const struct v4l2_mode *mode)
{
	return mode->fourcc == info->device_fourcc && mode->width == info->width &&
	       mode->height == info->height;
}

/* The formats of n modes, those of each format side by side. */
ANY_THREAD static json_t *modes_to_json(const struct camera_info *info,
	const struct v4l2_device *device, const struct v4l2_mode *modes, size_t n)
{
	struct v4l2_mode current = {
		.fourcc = info->device_fourcc, .width = info->width, .height = info->height};
	json_t *formats = json_array(), *sizes = NULL;
	bool missing = true;

	for (size_t i = 0; i < n; i++)
		missing = missing && !is_current(info, &modes[i]);
	for (size_t i = 0; i < n; i++) {
		if (!i || modes[i].fourcc != modes[i - 1].fourcc) {
			json_t *format = begin_format(info, device, modes[i].fourcc);

			sizes = json_object_get(format, "sizes");
			(void)json_array_append_new(formats, format);
			/* One of a range that is not among the usual. */
			current.fps = modes[i].fps;
			if (missing && modes[i].fourcc == current.fourcc)
				(void)json_array_append_new(
					sizes, size_to_json(info, device, &current));
		}
		if (modes[i].width)
			(void)json_array_append_new(sizes, size_to_json(info, device, &modes[i]));
	}
	return formats;
}

json_t *offers_to_json(const struct camera_info *info, const struct v4l2_device *device)
{
	const struct camera_config anything = {0};
	struct v4l2_mode *modes;
	json_t *formats;
	size_t n;

	if (list_modes(info, device, &anything, &modes, &n) < 0)
		return NULL;
	formats = modes_to_json(info, device, modes, n);
	free(modes);
	return formats;
}

json_t *offers_current_to_json(const struct camera_info *info)
{
	double fps = info->fps_denominator ? (double)info->fps_numerator / info->fps_denominator
					   : 0;
	char name[5];

	return json_pack("{s:s, s:I, s:I, s:o}", "fourcc", format_name(info->device_fourcc, name),
		"width", (json_int_t)info->width, "height", (json_int_t)info->height, "fps",
		rate_to_json(fps));
}
