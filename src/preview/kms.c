/*
 * Every commit is atomic. At open a black canvas of the mode's size is set on the primary plane. For
 * the first frame of a shape each way to show it is tried (TEST_ONLY) until one is possible: on any
 * plane that knows the format, scaled to the screen or as it is, in the middle; or in a mode of its
 * own size. The kernel, asked so, compares modifiers, too. From then on a frame costs a commit of one
 * property, that does not block.
 *
 * Where a driver knows nothing of that, a frame is shown in a mode of its own size or not at all, and
 * costs a page flip.
 */
#include "preview/kms.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <drm_fourcc.h>
#include <linux/videodev2.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "base/clock.h"
#include "base/fd.h"
#include "preview/canvas.h"

#define CARDS        4
#define LOANS_MOST   32
#define FLIP_MOST_MS 1000

/* The same layout by its two names. */
static const struct {
	uint32_t v4l2, drm;
} formats[] = {
	{V4L2_PIX_FMT_YUYV, DRM_FORMAT_YUYV},
	{V4L2_PIX_FMT_UYVY, DRM_FORMAT_UYVY},
	{V4L2_PIX_FMT_YVYU, DRM_FORMAT_YVYU},
	{V4L2_PIX_FMT_VYUY, DRM_FORMAT_VYUY},
	{V4L2_PIX_FMT_NV12, DRM_FORMAT_NV12},
	{V4L2_PIX_FMT_NV21, DRM_FORMAT_NV21},
	{V4L2_PIX_FMT_NV16, DRM_FORMAT_NV16},
	{V4L2_PIX_FMT_NV61, DRM_FORMAT_NV61},
	{V4L2_PIX_FMT_NV12M, DRM_FORMAT_NV12},
	{V4L2_PIX_FMT_NV21M, DRM_FORMAT_NV21},
	{V4L2_PIX_FMT_YUV420, DRM_FORMAT_YUV420},
	{V4L2_PIX_FMT_YUV420M, DRM_FORMAT_YUV420},
	{V4L2_PIX_FMT_YVU420, DRM_FORMAT_YVU420},
	{V4L2_PIX_FMT_YUV422P, DRM_FORMAT_YUV422},
	/* V4L2 names bytes in memory, DRM bits from the highest. */
	{V4L2_PIX_FMT_RGB24, DRM_FORMAT_BGR888},
	{V4L2_PIX_FMT_BGR24, DRM_FORMAT_RGB888},
	{V4L2_PIX_FMT_XBGR32, DRM_FORMAT_XRGB8888},
	{V4L2_PIX_FMT_ABGR32, DRM_FORMAT_XRGB8888},
	{V4L2_PIX_FMT_XRGB32, DRM_FORMAT_BGRX8888},
};

/* A plane, and the identities of those of its properties that are set. */
struct plane {
	uint32_t id;
	uint32_t fb_id, crtc_id, src_x, src_y, src_w, src_h, crtc_x, crtc_y, crtc_w, crtc_h;
};

struct rectangle {
	uint32_t x, y, width, height;
};

struct kms {
	int fd;
	bool is_atomic;
	char name[32]; /* of the connector */
	uint32_t connector, crtc;
	uint32_t crtc_index;
	uint32_t connector_crtc_id, crtc_active, crtc_mode_id; /* properties */
	drmModeModeInfo modes[32];                             /* modes[0] is preferred */
	uint32_t n_modes, mode_blob;
	struct plane primary;
	struct canvas canvases[2]; /* of modes[0]; the other than this one is free */
	uint32_t shown_canvas;

	uint32_t fourcc, width, height; /* of the frames that were tried; 0 for none yet */
	bool showable;                  /* without a copy */
	struct plane plane;             /* that they are shown on */
	uint32_t framebuffers[LOANS_MOST];

	bool busy;
	uint64_t flip_ns; /* of the last flip, 0 when it was told */
};

/* ---- properties ---- */

ON_PREVIEW static uint32_t find_property(
	int fd, uint32_t object, uint32_t type, const char *name, uint64_t *ret_value)
{
	drmModeObjectProperties *all = drmModeObjectGetProperties(fd, object, type);
	uint32_t id = 0;

	for (uint32_t i = 0; all && !id && i < all->count_props; i++) {
		drmModePropertyRes *property = drmModeGetProperty(fd, all->props[i]);

		if (property && !strcmp(property->name, name)) {
			id = property->prop_id;
			if (ret_value)
				*ret_value = all->prop_values[i];
		}
		drmModeFreeProperty(property); /* takes NULL */
	}
	drmModeFreeObjectProperties(all);
	return id;
}

ON_PREVIEW static void find_plane_properties(int fd, struct plane *plane)
{
	const struct {
		const char *name;
		uint32_t *id;
	} wanted[] = {
		{"FB_ID", &plane->fb_id},
		{"CRTC_ID", &plane->crtc_id},
		{"SRC_X", &plane->src_x},
		{"SRC_Y", &plane->src_y},
		{"SRC_W", &plane->src_w},
		{"SRC_H", &plane->src_h},
		{"CRTC_X", &plane->crtc_x},
		{"CRTC_Y", &plane->crtc_y},
		{"CRTC_W", &plane->crtc_w},
		{"CRTC_H", &plane->crtc_h},
	};

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		*wanted[i].id = find_property(
			fd, plane->id, DRM_MODE_OBJECT_PLANE, wanted[i].name, NULL);
}

/* ---- commits ---- */

ON_PREVIEW static int commit(struct kms *kms, drmModeAtomicReq *request, uint32_t flags)
{
	int err = drmModeAtomicCommit(kms->fd, request, flags, kms) ? -errno : 0;

	drmModeAtomicFree(request);
	return err;
}

/* Add a property; a device that has not got it does without. */
ON_PREVIEW static void add(
	drmModeAtomicReq *request, uint32_t object, uint32_t property, uint64_t value)
{
	if (property)
		(void)drmModeAtomicAddProperty(request, object, property, value); /* or no memory:
									     the commit says */
}

ON_PREVIEW static void add_plane(const struct kms *kms, drmModeAtomicReq *request,
	const struct plane *plane, uint32_t framebuffer, const uint32_t size[2],
	const struct rectangle *at)
{
	add(request, plane->id, plane->fb_id, framebuffer);
	add(request, plane->id, plane->crtc_id, framebuffer ? kms->crtc : 0);
	add(request, plane->id, plane->src_x, 0);
	add(request, plane->id, plane->src_y, 0);
	add(request, plane->id, plane->src_w, (uint64_t)size[0] << 16);
	add(request, plane->id, plane->src_h, (uint64_t)size[1] << 16);
	add(request, plane->id, plane->crtc_x, at->x);
	add(request, plane->id, plane->crtc_y, at->y);
	add(request, plane->id, plane->crtc_w, at->width);
	add(request, plane->id, plane->crtc_h, at->height);
}

/* Switch on in a mode. Returns a request that the planes are missing from, or NULL. */
ON_PREVIEW static drmModeAtomicReq *begin_mode(struct kms *kms, uint32_t mode)
{
	drmModeAtomicReq *request = drmModeAtomicAlloc();

	/* What is in use is kept by whom uses it. */
	if (kms->mode_blob)
		(void)drmModeDestroyPropertyBlob(kms->fd, kms->mode_blob);
	kms->mode_blob = 0;
	if (!request || drmModeCreatePropertyBlob(kms->fd, &kms->modes[mode],
				sizeof kms->modes[mode], &kms->mode_blob)) {
		drmModeAtomicFree(request);
		return NULL;
	}
	add(request, kms->connector, kms->connector_crtc_id, kms->crtc);
	add(request, kms->crtc, kms->crtc_mode_id, kms->mode_blob);
	add(request, kms->crtc, kms->crtc_active, 1);
	return request;
}

/* Without atomic commits: a framebuffer of the mode's size. */
ON_PREVIEW static int set_mode(struct kms *kms, uint32_t mode, uint32_t framebuffer)
{
	return drmModeSetCrtc(
		       kms->fd, kms->crtc, framebuffer, 0, 0, &kms->connector, 1, &kms->modes[mode])
		       ? -errno
		       : 0;
}

ON_PREVIEW static int commit_black(struct kms *kms)
{
	const uint32_t size[2] = {kms->modes[0].hdisplay, kms->modes[0].vdisplay};
	const struct rectangle all = {0, 0, size[0], size[1]};
	drmModeAtomicReq *request = begin_mode(kms, 0);

	if (!request)
		return -ENOMEM;
	if (kms->plane.id && kms->plane.id != kms->primary.id)
		add_plane(kms, request, &kms->plane, 0, (uint32_t[2]){0}, &(struct rectangle){0});
	add_plane(kms, request, &kms->primary, kms->canvases[0].framebuffer, size, &all);
	return commit(kms, request, DRM_MODE_ATOMIC_ALLOW_MODESET);
}

/* Black, in the first mode; whatever was shown is not any more. */
ON_PREVIEW static int show_black(struct kms *kms)
{
	int err;

	canvas_clear(&kms->canvases[0]);
	err = kms->is_atomic ? commit_black(kms) : set_mode(kms, 0, kms->canvases[0].framebuffer);
	if (!err)
		kms->shown_canvas = 0;
	return err;
}

/* ---- flips ---- */

ON_PREVIEW static int commit_flip(struct kms *kms, const struct plane *plane, uint32_t framebuffer)
{
	drmModeAtomicReq *request = drmModeAtomicAlloc();

	if (!request)
		return -ENOMEM;
	add(request, plane->id, plane->fb_id, framebuffer);
	return commit(kms, request, DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT);
}

ON_PREVIEW static int flip(struct kms *kms, const struct plane *plane, uint32_t framebuffer)
{
	int err;

	if (kms->is_atomic)
		err = commit_flip(kms, plane, framebuffer);
	else
		err = drmModePageFlip(
			      kms->fd, kms->crtc, framebuffer, DRM_MODE_PAGE_FLIP_EVENT, kms)
			      ? -errno
			      : 0;
	kms->busy = !err;
	return err;
}

static void note_flip(
	int fd, unsigned sequence, unsigned seconds, unsigned us, unsigned crtc, void *context)
{
	struct kms *kms = context;

	(void)fd;
	(void)sequence;
	(void)crtc;
	kms->busy = false;
	kms->flip_ns = seconds * NS_PER_S + us * NS_PER_US;
}

bool kms_take_flip(struct kms *kms, uint64_t *ret_ns)
{
	drmEventContext events = {.version = 3, .page_flip_handler2 = note_flip};
	struct pollfd readable = {kms->fd, POLLIN, 0};

	if (poll(&readable, 1, 0) > 0)
		(void)drmHandleEvent(kms->fd, &events); /* one that fails brings none */
	*ret_ns = kms->flip_ns;
	kms->flip_ns = 0;
	return *ret_ns;
}

bool kms_is_busy(const struct kms *kms)
{
	return kms->busy;
}

/* ---- frames ---- */

ON_PREVIEW static uint32_t drm_format(uint32_t fourcc)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (formats[i].v4l2 == fourcc)
			return formats[i].drm;
	return 0;
}

/* Make a framebuffer of a frame's buffer, once. */
ON_PREVIEW static int make_framebuffer(struct kms *kms, const struct frame *frame)
{
	uint32_t handles[4] = {0}, pitches[4] = {0}, offsets[4] = {0};
	uint32_t *framebuffer = &kms->framebuffers[frame->loan];
	int err = 0;

	if (*framebuffer)
		return 0;
	for (uint32_t i = 0; !err && i < frame->n_planes; i++) {
		const struct frame_plane *plane = &frame->planes[i];

		if (plane->dmabuf_fd < 0)
			err = -ENOTSUP;
		else if (drmPrimeFDToHandle(kms->fd, plane->dmabuf_fd, &handles[i]))
			err = -errno;
		pitches[i] = plane->stride_bytes;
		offsets[i] = plane->offset_bytes;
	}
	if (!err && drmModeAddFB2(kms->fd, frame->width, frame->height, drm_format(frame->fourcc),
			    handles, pitches, offsets, framebuffer, 0))
		err = -errno;
	/* The framebuffer holds what they were. Planes in one buffer have one handle. */
	for (uint32_t i = 0; i < frame->n_planes; i++)
		if (handles[i] && (!i || handles[i] != handles[i - 1]))
			(void)drmCloseBufferHandle(kms->fd, handles[i]);
	return err;
}

/* The colours of a plane that is to show YCbCr; devices without this choice have their own. */
ON_PREVIEW static void add_colours(const struct kms *kms, drmModeAtomicReq *request,
	const struct plane *plane, const struct frame *frame)
{
	static const char *const encodings[] = {
		[FRAME_BT601] = "ITU-R BT.601 YCbCr",
		[FRAME_BT709] = "ITU-R BT.709 YCbCr",
		[FRAME_BT2020] = "ITU-R BT.2020 YCbCr",
		[FRAME_SMPTE240M] = "ITU-R BT.709 YCbCr", /* the nearest */
	};
	const struct {
		const char *property, *value;
	} wanted[] = {
		{"COLOR_ENCODING", encodings[frame->encoding]},
		{"COLOR_RANGE", frame->range == FRAME_FULL_RANGE ? "YCbCr full range"
								 : "YCbCr limited range"},
	};

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		uint32_t id = find_property(
			kms->fd, plane->id, DRM_MODE_OBJECT_PLANE, wanted[i].property, NULL);
		drmModePropertyRes *property = id ? drmModeGetProperty(kms->fd, id) : NULL;

		for (int k = 0; property && k < property->count_enums; k++)
			if (!strcmp(property->enums[k].name, wanted[i].value))
				add(request, plane->id, id, property->enums[k].value);
		drmModeFreeProperty(property);
	}
}

/* As large as fits, or as it is, in the middle of the mode. */
ON_PREVIEW static struct rectangle place(
	const struct frame *frame, const drmModeModeInfo *mode, bool scale)
{
	uint32_t width = frame->width, height = frame->height;

	if (scale && (uint64_t)mode->hdisplay * height < (uint64_t)mode->vdisplay * width) {
		height = height * mode->hdisplay / width & ~1u;
		width = mode->hdisplay;
	} else if (scale) {
		width = width * mode->vdisplay / height & ~1u;
		height = mode->vdisplay;
	}
	return (struct rectangle){
		(mode->hdisplay - width) / 2, (mode->vdisplay - height) / 2, width, height};
}

/* Show a frame's framebuffer on a plane in a mode, if that is possible. Returns 0 or an errno. */
ON_PREVIEW static int try_to_show(struct kms *kms, const struct frame *frame,
	const struct plane *plane, uint32_t mode, bool scale)
{
	const uint32_t size[2] = {frame->width, frame->height};
	struct rectangle at = place(frame, &kms->modes[mode], scale);
	int err = 0;

	if (!scale && (frame->width > kms->modes[mode].hdisplay ||
			      frame->height > kms->modes[mode].vdisplay))
		return -EINVAL;
	for (int testing = 1; !err && testing >= 0; testing--) {
		drmModeAtomicReq *request = begin_mode(kms, mode);

		if (!request)
			return -ENOMEM;
		add_plane(kms, request, plane, kms->framebuffers[frame->loan], size, &at);
		add_colours(kms, request, plane, frame);
		err = commit(kms, request,
			DRM_MODE_ATOMIC_ALLOW_MODESET | (testing ? DRM_MODE_ATOMIC_TEST_ONLY : 0));
	}
	if (!err) {
		kms->plane = *plane;
		kms->flip_ns = clock_now_ns(); /* a commit that blocks is done when it returns */
	}
	return err;
}

/* Whether a plane can be ours and knows the format. */
ON_PREVIEW static bool plane_suits(struct kms *kms, uint32_t id, uint32_t format)
{
	drmModePlane *plane = drmModeGetPlane(kms->fd, id);
	bool suits = false;

	if (plane && plane->possible_crtcs & 1u << kms->crtc_index)
		for (uint32_t i = 0; i < plane->count_formats; i++)
			suits = suits || plane->formats[i] == format;
	drmModeFreePlane(plane);
	return suits;
}

/* Without atomic commits: find a mode of a frame's own size, and show the frame in it. */
ON_PREVIEW static int find_mode(struct kms *kms, const struct frame *frame)
{
	int err = -ENOTSUP;

	for (uint32_t mode = 0; err < 0 && mode < kms->n_modes; mode++)
		if (kms->modes[mode].hdisplay == frame->width &&
			kms->modes[mode].vdisplay == frame->height)
			err = set_mode(kms, mode, kms->framebuffers[frame->loan]);
	if (!err)
		kms->flip_ns = clock_now_ns(); /* it blocks */
	return err;
}

/* Find a way to show frames like this one, and show it. */
ON_PREVIEW static int find_way(struct kms *kms, const struct frame *frame)
{
	drmModePlaneRes *planes = drmModeGetPlaneResources(kms->fd);
	int err = -ENOTSUP;

	for (uint32_t i = 0; planes && err < 0 && i < planes->count_planes; i++) {
		struct plane plane = {.id = planes->planes[i]};

		if (!plane_suits(kms, plane.id, drm_format(frame->fourcc)))
			continue;
		find_plane_properties(kms->fd, &plane);
		err = try_to_show(kms, frame, &plane, 0, true);
		if (err < 0)
			err = try_to_show(kms, frame, &plane, 0, false);
		for (uint32_t mode = 1; err < 0 && mode < kms->n_modes; mode++)
			if (kms->modes[mode].hdisplay == frame->width &&
				kms->modes[mode].vdisplay == frame->height)
				err = try_to_show(kms, frame, &plane, mode, false);
	}
	drmModeFreePlaneResources(planes);
	return err;
}

/* Another program has the screen, or it is gone: no other way to show something would help. */
ON_PREVIEW static bool is_lost(int err)
{
	return err == -EACCES || err == -EPERM || err == -ENODEV;
}

int kms_show(struct kms *kms, const struct frame *frame)
{
	bool known = kms->fourcc == frame->fourcc && kms->width == frame->width &&
		     kms->height == frame->height;
	int err;

	if ((known && !kms->showable) || frame->loan >= LOANS_MOST || !drm_format(frame->fourcc))
		return -ENOTSUP;
	/* Whatever an import answers (virtio-gpu ENODEV), it is of these buffers only. */
	err = make_framebuffer(kms, frame) < 0 ? -ENOTSUP : 0;
	if (!err && known)
		return flip(kms, &kms->plane, kms->framebuffers[frame->loan]);
	if (!err)
		err = kms->is_atomic ? find_way(kms, frame) : find_mode(kms, frame);
	if (is_lost(err))
		return err;
	kms->fourcc = frame->fourcc;
	kms->width = frame->width;
	kms->height = frame->height;
	kms->showable = !err;
	return err < 0 ? -ENOTSUP : 0;
}

int kms_draw(struct kms *kms, const struct frame *frame, stat_counter *copied_bytes)
{
	struct canvas *canvas = &kms->canvases[!kms->shown_canvas];
	int err = canvas_draw(canvas, frame, copied_bytes);

	if (!err)
		err = flip(kms, &kms->primary, canvas->framebuffer);
	if (!err)
		kms->shown_canvas = !kms->shown_canvas;
	return err;
}

void kms_forget(struct kms *kms)
{
	struct pollfd flipped = {kms->fd, POLLIN, 0};
	uint64_t ns;

	/* A driver that does not tell does not keep the camera. */
	if (kms->busy)
		(void)poll(&flipped, 1, FLIP_MOST_MS);
	(void)show_black(kms); /* or the screen is not ours, and shows nothing of ours */
	/* After that: what is told late is not taken for a flip to come. */
	(void)kms_take_flip(kms, &ns);
	kms->busy = false;
	for (uint32_t i = 0; i < LOANS_MOST; i++) {
		if (kms->framebuffers[i])
			(void)drmModeRmFB(kms->fd, kms->framebuffers[i]);
		kms->framebuffers[i] = 0;
	}
	kms->fourcc = 0;
	canvas_clear(&kms->canvases[1]);
}

/* ---- opening ---- */

/* Whether a name is that of a mode, with its rate or without; "" is any. */
ON_PREVIEW static bool mode_has_name(const drmModeModeInfo *mode, const char *name)
{
	size_t length = strlen(name);
	char full[32];

	(void)snprintf(
		full, sizeof full, "%ux%u@%u", mode->hdisplay, mode->vdisplay, mode->vrefresh);
	return !length || !strcmp(full, name) ||
	       (!strncmp(full, name, length) && full[length] == '@');
}

/* Returns 0, -ENOENT where there are none, or -ESRCH where none is as wanted. */
ON_PREVIEW static int keep_modes(
	struct kms *kms, const drmModeConnector *connector, const char *wanted)
{
	uint32_t most = sizeof kms->modes / sizeof *kms->modes;

	for (int i = 0; i < connector->count_modes && kms->n_modes < most; i++) {
		const drmModeModeInfo *mode = &connector->modes[i];

		if (!mode_has_name(mode, wanted))
			continue;
		/* The preferred one goes first. */
		if (mode->type & DRM_MODE_TYPE_PREFERRED && kms->n_modes &&
			!(kms->modes[0].type & DRM_MODE_TYPE_PREFERRED)) {
			kms->modes[kms->n_modes++] = kms->modes[0];
			kms->modes[0] = *mode;
		} else {
			kms->modes[kms->n_modes++] = *mode;
		}
	}
	return kms->n_modes ? 0 : connector->count_modes ? -ESRCH : -ENOENT;
}

/* The first CRTC that can drive a connector. */
ON_PREVIEW static int choose_crtc(
	struct kms *kms, const drmModeRes *resources, const drmModeConnector *connector)
{
	for (int i = 0; i < connector->count_encoders; i++) {
		drmModeEncoder *encoder = drmModeGetEncoder(kms->fd, connector->encoders[i]);
		uint32_t possible = encoder ? encoder->possible_crtcs : 0;

		drmModeFreeEncoder(encoder);
		for (int k = 0; k < resources->count_crtcs && k < 32; k++)
			if (possible & 1u << k) {
				kms->crtc = resources->crtcs[k];
				kms->crtc_index = (uint32_t)k;
				return 0;
			}
	}
	return -ENOENT;
}

ON_PREVIEW static int choose_connector(struct kms *kms, const char *wanted, const char *mode)
{
	drmModeRes *resources = drmModeGetResources(kms->fd);
	int err = -ENOENT;

	for (int i = 0; resources && err == -ENOENT && i < resources->count_connectors; i++) {
		drmModeConnector *connector = drmModeGetConnector(
			kms->fd, resources->connectors[i]);

		if (!connector)
			continue;
		(void)snprintf(kms->name, sizeof kms->name, "%s-%u",
			drmModeGetConnectorTypeName(connector->connector_type),
			connector->connector_type_id);
		kms->connector = connector->connector_id;
		if (connector->connection == DRM_MODE_CONNECTED &&
			(!strcmp(wanted, "on") || !strcmp(wanted, kms->name))) {
			err = keep_modes(kms, connector, mode);
			if (!err)
				err = choose_crtc(kms, resources, connector);
		}
		drmModeFreeConnector(connector);
	}
	drmModeFreeResources(resources);
	return err;
}

ON_PREVIEW static int choose_primary_plane(struct kms *kms)
{
	drmModePlaneRes *planes = drmModeGetPlaneResources(kms->fd);

	for (uint32_t i = 0; planes && !kms->primary.id && i < planes->count_planes; i++) {
		uint64_t type = 0;

		if (plane_suits(kms, planes->planes[i], DRM_FORMAT_XRGB8888) &&
			find_property(
				kms->fd, planes->planes[i], DRM_MODE_OBJECT_PLANE, "type", &type) &&
			type == DRM_PLANE_TYPE_PRIMARY)
			kms->primary.id = planes->planes[i];
	}
	drmModeFreePlaneResources(planes);
	if (!kms->primary.id)
		return -ENOENT;
	find_plane_properties(kms->fd, &kms->primary);
	return 0;
}

ON_PREVIEW static int prepare_commits(struct kms *kms)
{
	int err = choose_primary_plane(kms);

	if (err < 0)
		return err;
	kms->connector_crtc_id = find_property(
		kms->fd, kms->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID", NULL);
	kms->crtc_active = find_property(kms->fd, kms->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE", NULL);
	kms->crtc_mode_id = find_property(
		kms->fd, kms->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID", NULL);
	return 0;
}

ON_PREVIEW static int prepare(struct kms *kms, const char *connector, const char *mode)
{
	int err;

	kms->is_atomic = !drmSetClientCap(kms->fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1) &&
			 !drmSetClientCap(kms->fd, DRM_CLIENT_CAP_ATOMIC, 1);
	err = choose_connector(kms, connector, mode);
	if (!err && kms->is_atomic)
		err = prepare_commits(kms);
	for (size_t i = 0; !err && i < 2; i++)
		err = canvas_create(
			&kms->canvases[i], kms->fd, kms->modes[0].hdisplay, kms->modes[0].vdisplay);
	return err < 0 ? err : show_black(kms);
}

/* The first to open a device is its master, which capture is while it gets memory there. */
ON_PREVIEW static int open_as_master(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && !drmIsMaster(fd)) {
		fd_close(&fd);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	return fd < 0 ? -errno : fd;
}

/* Returns -ENOENT, without a reason, where a device has not got what is wanted. */
ON_PREVIEW static int open_card(const char *path, const char *connector, const char *mode,
	struct kms **ret_kms, char reason[KMS_REASON_BYTES])
{
	struct kms *kms = calloc(1, sizeof *kms);
	int err;

	if (!kms) {
		(void)snprintf(reason, KMS_REASON_BYTES, "out of memory");
		return -ENOMEM;
	}
	err = open_as_master(path);
	kms->fd = err < 0 ? -1 : err;
	if (err >= 0)
		err = prepare(kms, connector, mode);
	if (!err) {
		*ret_kms = kms;
		return 0;
	}
	if (err == -ESRCH)
		(void)snprintf(reason, KMS_REASON_BYTES,
			"%s has no mode %.24s; see /sys/class/drm/*%s/modes", kms->name, mode,
			kms->name);
	else if (err != -ENOENT)
		(void)snprintf(reason, KMS_REASON_BYTES, "%s: %s%s", path, strerror(-err),
			kms->fd >= 0 && is_lost(err) ? "; does another program have the screen, or "
						       "another camera one of this card?"
						     : "");
	kms_close(kms);
	return err;
}

int kms_open(const char *connector, const char *mode, struct kms **ret_kms,
	char reason[KMS_REASON_BYTES])
{
	int told = -ENOENT;

	for (unsigned i = 0; i < CARDS; i++) {
		char path[32];
		int err;

		(void)snprintf(path, sizeof path, "/dev/dri/card%u", i);
		err = open_card(path, connector, mode, ret_kms, reason);
		if (!err)
			return 0;
		if (err != -ENOENT)
			told = err;
	}
	if (told == -ENOENT)
		(void)snprintf(reason, KMS_REASON_BYTES, "no screen is connected%s%.40s",
			strcmp(connector, "on") ? " to " : "",
			strcmp(connector, "on") ? connector : "");
	return told;
}

void kms_close(struct kms *kms)
{
	if (!kms)
		return;
	for (size_t i = 0; i < 2; i++)
		canvas_destroy(&kms->canvases[i]);
	fd_close(&kms->fd); /* frees the rest; the last one brings the console back */
	free(kms);
}

bool kms_is_connected(const struct kms *kms)
{
	drmModeConnector *connector = drmModeGetConnector(kms->fd, kms->connector);
	bool is_connected = connector && connector->connection == DRM_MODE_CONNECTED;

	drmModeFreeConnector(connector); /* takes NULL */
	return is_connected;
}

const char *kms_name(const struct kms *kms)
{
	return kms->name;
}

int kms_poll_fd(const struct kms *kms)
{
	return kms->fd;
}
