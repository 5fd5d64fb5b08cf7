#include "camera/v4l2_setup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "camera/formats.h"
#include "camera/reason.h"
#include "camera/v4l2_choose.h"
#include "camera/v4l2_convert.h"
#include "camera/v4l2_signal.h"

/* More rates than this at one size are not told apart. */
#define RATES_MAX 64

/* ---- crop ---- */

/* Undo what an earlier program left, where the driver can: target is what, from its default. */
ON_CAPTURE static void reset_selection(
	const struct v4l2_device *device, uint32_t target, uint32_t default_target)
{
	/* The type is the single-planar one in both APIs. */
	struct v4l2_selection selection = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .target = default_target};

	if (device_ioctl(device->fd, VIDIOC_G_SELECTION, &selection) < 0)
		return;
	selection.target = target;
	/* Many drivers tell their rectangle and let nobody set it. */
	(void)device_ioctl(device->fd, VIDIOC_S_SELECTION, &selection);
}

/* ---- what the device offers ---- */

/* All formats in all sizes: several times what the richest devices list, and soon shown as JSON. */
#define MODES_MOST 1024

struct mode_list {
	struct v4l2_mode *modes; /* MODES_MOST */
	size_t n;
};

/* Returns whether there is room for more. */
ANY_THREAD static bool add_mode(const struct v4l2_device *device, struct mode_list *list,
	uint32_t fourcc, uint32_t width, uint32_t height)
{
	struct v4l2_mode mode = {.fourcc = fourcc, .width = width, .height = height};
	double rates[RATES_MAX];
	size_t n = 0;
	bool range;

	if (width)
		n = device_rates(device, fourcc, width, height, rates, RATES_MAX, &range);
	for (size_t i = 0; i < n; i++)
		mode.fps = rates[i] > mode.fps ? rates[i] : mode.fps;
	list->modes[list->n++] = mode;
	return list->n < MODES_MOST;
}

/* A scaler could blow the picture up; left the choice, ask for no more than the source has. */
ANY_THREAD static void limit_to_source(
	const struct v4l2_device *device, struct v4l2_frmsize_stepwise *range)
{
	struct v4l2_selection crop = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .target = V4L2_SEL_TGT_CROP_DEFAULT};
	struct v4l2_dv_timings timings = {0};
	uint32_t width, height;
	v4l2_std_id standard;

	if (!device_ioctl(device->fd, VIDIOC_G_DV_TIMINGS, &timings)) {
		width = timings.bt.width;
		height = timings.bt.height;
	} else if (!device_ioctl(device->fd, VIDIOC_G_SELECTION, &crop)) {
		width = crop.r.width;
		height = crop.r.height;
	} else if (!device_ioctl(device->fd, VIDIOC_G_STD, &standard)) {
		width = 720;
		height = standard & V4L2_STD_525_60 ? 480 : 576;
	} else {
		return;
	}
	if (width >= range->min_width && width < range->max_width)
		range->max_width = width;
	if (height >= range->min_height && height < range->max_height)
		range->max_height = height;
}

/* Add one format in every size that may be chosen. Returns whether there is room for more. */
ANY_THREAD static bool add_format(const struct v4l2_device *device, uint32_t fourcc,
	const struct camera_config *wish, struct mode_list *list)
{
	uint32_t sizes[V4L2_CHOOSE_SIZES][2];
	struct v4l2_frmsizeenum size;
	bool room = true;

	if (!device_size(device, fourcc, 0, &size))
		return add_mode(device, list, fourcc, 0, 0);
	if (size.type != V4L2_FRMSIZE_TYPE_DISCRETE) {
		size_t n;

		if (!wish->width)
			limit_to_source(device, &size.stepwise);
		n = v4l2_choose_sizes(&size.stepwise, wish, sizes);
		for (size_t i = 0; room && i < n; i++)
			room = add_mode(device, list, fourcc, sizes[i][0], sizes[i][1]);
		return room;
	}
	do {
		room = add_mode(device, list, fourcc, size.discrete.width, size.discrete.height);
	} while (room && device_size(device, fourcc, size.index + 1, &size));
	return room;
}

/* A native format whose planes come in the buffers that this API can hand over, or convertible. */
ANY_THREAD static bool is_readable(const struct v4l2_device *device, uint32_t fourcc)
{
	const struct format *format = format_find(fourcc);

	if (!format)
		return converter_knows(fourcc);
	return format->n_buffers == 1 || device->multiplanar;
}

int setup_list_modes(const struct v4l2_device *device, const struct camera_config *wish,
	struct v4l2_mode **ret_modes, size_t *ret_n)
{
	struct mode_list list = {.modes = calloc(MODES_MOST, sizeof *list.modes)};
	struct v4l2_fmtdesc format;
	bool room = true;

	if (!list.modes)
		return -ENOMEM;
	for (uint32_t i = 0; room && device_format(device, i, &format); i++)
		if (is_readable(device, format.pixelformat))
			room = add_format(device, format.pixelformat, wish, &list);
	*ret_modes = list.modes;
	*ret_n = list.n;
	return 0;
}

ON_CAPTURE static int choose_mode(const struct v4l2_device *device,
	const struct camera_config *config, struct v4l2_mode *ret_mode,
	char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_mode *modes;
	size_t n;
	int err = setup_list_modes(device, config, &modes, &n);

	if (err < 0)
		return device_failed(device, err, "list its formats", reason);
	err = v4l2_choose(modes, n, config, ret_mode, reason);
	free(modes);
	return err;
}

/* ---- format ---- */

ON_CAPTURE static enum frame_encoding encoding_of(uint32_t colorspace, uint32_t encoding)
{
	if (encoding == V4L2_YCBCR_ENC_DEFAULT)
		encoding = V4L2_MAP_YCBCR_ENC_DEFAULT(colorspace);
	switch (encoding) {
	case V4L2_YCBCR_ENC_709:
	case V4L2_YCBCR_ENC_XV709:
		return FRAME_BT709;
	case V4L2_YCBCR_ENC_BT2020:
	case V4L2_YCBCR_ENC_BT2020_CONST_LUM:
		return FRAME_BT2020;
	case V4L2_YCBCR_ENC_SMPTE240M:
		return FRAME_SMPTE240M;
	default:
		return FRAME_BT601;
	}
}

ON_CAPTURE static enum frame_range range_of(
	uint32_t fourcc, uint32_t colorspace, uint32_t quantization)
{
	const struct format *format = format_find(fourcc);
	/* Grey is what a sensor without colours counts, 0 to full; vivid's is too. */
	bool full = format && (format->kind == FORMAT_RGB || format->kind == FORMAT_GREY);

	/* JFIF says full, whatever colour space a driver claims for its JPEGs. */
	if (format && format->kind == FORMAT_COMPRESSED)
		return FRAME_FULL_RANGE;
	if (quantization == V4L2_QUANTIZATION_DEFAULT)
		quantization = V4L2_MAP_QUANTIZATION_DEFAULT(full, colorspace, 0);
	return quantization == V4L2_QUANTIZATION_FULL_RANGE ? FRAME_FULL_RANGE
							    : FRAME_LIMITED_RANGE;
}

/* What the driver answered, in one shape. Returns 0 or -EINVAL (more planes than a picture has). */
ON_CAPTURE static int read_format(const struct v4l2_format *format, struct v4l2_picture *picture)
{
	const struct v4l2_pix_format_mplane *many = &format->fmt.pix_mp;
	const struct v4l2_pix_format *one = &format->fmt.pix;

	if (!V4L2_TYPE_IS_MULTIPLANAR(format->type)) {
		*picture = (struct v4l2_picture){
			.fourcc = one->pixelformat,
			.width = one->width,
			.height = one->height,
			.n_buffers = 1,
			.stride_bytes = {one->bytesperline},
			.size_bytes = {one->sizeimage},
			.encoding = encoding_of(one->colorspace, one->ycbcr_enc),
			.range = range_of(one->pixelformat, one->colorspace, one->quantization),
		};
		return 0;
	}
	*picture = (struct v4l2_picture){
		.fourcc = many->pixelformat,
		.width = many->width,
		.height = many->height,
		.n_buffers = many->num_planes,
		.encoding = encoding_of(many->colorspace, many->ycbcr_enc),
		.range = range_of(many->pixelformat, many->colorspace, many->quantization),
	};
	if (!many->num_planes || many->num_planes > FRAME_MAX_PLANES)
		return -EINVAL;
	for (uint32_t i = 0; i < many->num_planes; i++) {
		picture->stride_bytes[i] = many->plane_fmt[i].bytesperline;
		picture->size_bytes[i] = many->plane_fmt[i].sizeimage;
	}
	return 0;
}

/* Ask for a mode; a size of 0 leaves the driver at the one it has. */
ON_CAPTURE static int ask_format(
	const struct v4l2_device *device, const struct v4l2_mode *mode, struct v4l2_format *format)
{
	*format = (struct v4l2_format){.type = device->type};
	if (device_ioctl(device->fd, VIDIOC_G_FMT, format) < 0)
		*format = (struct v4l2_format){.type = device->type};

	if (device->multiplanar) {
		struct v4l2_pix_format_mplane *pix = &format->fmt.pix_mp;

		*pix = (struct v4l2_pix_format_mplane){
			.width = mode->width ? mode->width : pix->width,
			.height = mode->width ? mode->height : pix->height,
			.pixelformat = mode->fourcc,
			.field = V4L2_FIELD_NONE,
		};
	} else {
		struct v4l2_pix_format *pix = &format->fmt.pix;

		*pix = (struct v4l2_pix_format){
			.width = mode->width ? mode->width : pix->width,
			.height = mode->width ? mode->height : pix->height,
			.pixelformat = mode->fourcc,
			.field = V4L2_FIELD_NONE,
			/* else the kernel hides encoding and quantization */
			.priv = V4L2_PIX_FMT_PRIV_MAGIC,
		};
	}
	return device_ioctl(device->fd, VIDIOC_S_FMT, format);
}

ON_CAPTURE static int set_format(const struct v4l2_device *device,
	const struct camera_config *config, struct v4l2_mode *mode,
	struct v4l2_picture *ret_picture, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_format format;
	char name[5];
	int err;

	if (!mode->width && config->width) {
		mode->width = config->width;
		mode->height = config->height;
	}
	err = ask_format(device, mode, &format);
	if (err < 0)
		return device_failed(device, err, "set the format", reason);
	err = read_format(&format, ret_picture);
	if (err < 0 || ret_picture->fourcc != mode->fourcc)
		return reason_set(reason, -EINVAL,
			"%.64s: the driver offers %s and then refuses it", device->path,
			format_name(mode->fourcc, name));
	if (config->width &&
		(ret_picture->width != config->width || ret_picture->height != config->height))
		return reason_set(reason, -EINVAL,
			"%.64s: the driver gives %ux%u for a size of %ux%u; "
			"ask for that, or for none",
			device->path, ret_picture->width, ret_picture->height, config->width,
			config->height);
	return 0;
}

/* ---- rate ---- */

/* A rate as the frame interval that V4L2 wants; NTSC's by their exact names. */
ON_CAPTURE static struct v4l2_fract interval_of(double fps)
{
	double ntsc = fps * 1001.0 / 1000.0;

	if (fabs(ntsc - round(ntsc)) < 0.005 && fabs(fps - round(fps)) > 0.005)
		return (struct v4l2_fract){1001, (uint32_t)(round(ntsc) * 1000.0)};
	return (struct v4l2_fract){1000, (uint32_t)round(fps * 1000.0)};
}

ON_CAPTURE static uint32_t greatest_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Ask for a rate and find out what came of it. Drivers without rates are no error. */
ON_CAPTURE static void set_rate(
	const struct v4l2_device *device, double fps, struct v4l2_picture *picture)
{
	struct v4l2_streamparm parm = {.type = device->type};
	const struct v4l2_fract *interval = &parm.parm.capture.timeperframe;
	uint32_t divisor;

	parm.parm.capture.timeperframe = interval_of(fps);
	(void)device_ioctl(device->fd, VIDIOC_S_PARM, &parm); /* G_PARM tells */

	picture->fps_numerator = 0;
	picture->fps_denominator = 1;
	parm = (struct v4l2_streamparm){.type = device->type};
	if (device_ioctl(device->fd, VIDIOC_G_PARM, &parm) < 0 || !interval->numerator ||
		!interval->denominator)
		return;
	/* HDMI's 742500/12375 is easier to read as 60/1. */
	divisor = greatest_divisor(interval->denominator, interval->numerator);
	picture->fps_numerator = interval->denominator / divisor;
	picture->fps_denominator = interval->numerator / divisor;
}

int setup_device(const struct v4l2_device *device, const struct camera_config *config,
	struct v4l2_picture *ret_picture, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_mode mode;
	int err = signal_select(device, config, reason);

	if (err < 0)
		return err;
	reset_selection(device, V4L2_SEL_TGT_CROP, V4L2_SEL_TGT_CROP_DEFAULT);

	err = choose_mode(device, config, &mode, reason);
	if (err < 0)
		return err;
	err = set_format(device, config, &mode, ret_picture, reason);
	if (err < 0)
		return err;
	reset_selection(device, V4L2_SEL_TGT_COMPOSE, V4L2_SEL_TGT_COMPOSE_DEFAULT);
	set_rate(device, v4l2_choose_fps(&mode, config), ret_picture);
	return 0;
}

bool setup_is_current(const struct v4l2_device *device, const struct v4l2_picture *picture)
{
	struct v4l2_format format = {.type = device->type};
	struct v4l2_picture current;

	if (device_ioctl(device->fd, VIDIOC_G_FMT, &format) < 0)
		return true; /* whatever is wrong, another call will say it better */
	return !read_format(&format, &current) && current.fourcc == picture->fourcc &&
	       current.width == picture->width && current.height == picture->height;
}
