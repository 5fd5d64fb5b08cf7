/*
 * vkms with planes that show YCbCr, as screens of boards have them: NV12 and YUYV on its overlays,
 * with the properties COLOR_ENCODING and COLOR_RANGE. The first of them takes both in tiles only,
 * as cameras do not deliver them.
 */
#include <drm/drm_color_mgmt.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_plane.h>

#include "vkms_drv.h"

#define vkms_compose_row              compose_rgb_row
#define get_pixel_conversion_function find_rgb_reader
#include "vkms_formats.c"
#undef vkms_compose_row
#undef get_pixel_conversion_function

static const u32 ycbcr_formats[] = {DRM_FORMAT_NV12, DRM_FORMAT_YUYV};

/* The weights of red and of blue in luma, in 1/10000. */
static const s64 weights[DRM_COLOR_ENCODING_MAX][2] = {
	[DRM_COLOR_YCBCR_BT601] = {2990, 1140},
	[DRM_COLOR_YCBCR_BT709] = {2126, 722},
	[DRM_COLOR_YCBCR_BT2020] = {2627, 593},
};

static void convert_pixel(
	const struct drm_plane_state *state, u8 y, u8 cb, u8 cr, struct pixel_argb_u16 *out)
{
	s64 red = weights[state->color_encoding][0], blue = weights[state->color_encoding][1];
	bool full = state->color_range == DRM_COLOR_YCBCR_FULL_RANGE;
	s64 luma = full ? y * 257 : (y - 16) * 65535 / 219;
	s64 to_red = 2 * (10000 - red) * (cr - 128) * 65535 / (full ? 255 : 224) / 10000;
	s64 to_blue = 2 * (10000 - blue) * (cb - 128) * 65535 / (full ? 255 : 224) / 10000;

	out->a = 0xffff;
	out->r = clamp_t(s64, luma + to_red, 0, 0xffff);
	out->g = clamp_t(
		s64, luma - (red * to_red + blue * to_blue) / (10000 - red - blue), 0, 0xffff);
	out->b = clamp_t(s64, luma + to_blue, 0, 0xffff);
}

void vkms_compose_row(struct line_buffer *stage_buffer, struct vkms_plane_state *plane, int y)
{
	const struct drm_framebuffer *fb = plane->frame_info->fb;
	int width = min_t(size_t, fb->width, stage_buffer->n_pixels);
	int row = y - plane->frame_info->dst.y1;
	bool packed = fb->format->format == DRM_FORMAT_YUYV;
	const u8 *luma, *chroma;

	if (!fb->format->is_yuv) {
		compose_rgb_row(stage_buffer, plane, y);
		return;
	}
	luma = (u8 *)plane->frame_info->map[0].vaddr + row * fb->pitches[0];
	chroma = packed ? luma + 1
			: (u8 *)plane->frame_info->map[1].vaddr + row / 2 * fb->pitches[1];
	for (int x = 0; x < width; x++) {
		const u8 *pair = chroma + x / 2 * (packed ? 4 : 2);

		convert_pixel(&plane->base.base, luma[packed ? 2 * x : x], pair[0],
			pair[packed ? 2 : 1], &stage_buffer->pixels[x]);
	}
}

static void *get_pixel_conversion_function(u32 format)
{
	/* Any will do for what it is never called for. */
	return find_rgb_reader(format) ?: find_rgb_reader(DRM_FORMAT_XRGB8888);
}

static void *alloc_plane(struct drm_device *dev, size_t size, size_t offset, u32 crtcs,
	const struct drm_plane_funcs *funcs, const u32 *formats, unsigned int n_formats,
	const u64 *modifiers, enum drm_plane_type type, const char *name)
{
	static const u64 tiled[] = {DRM_FORMAT_MOD_SAMSUNG_64_32_TILE, DRM_FORMAT_MOD_INVALID};
	bool is_first = dev->mode_config.num_total_plane == 1; /* after the primary plane */
	void *whole;

	if (type != DRM_PLANE_TYPE_OVERLAY)
		return __drmm_universal_plane_alloc(
			dev, size, offset, crtcs, funcs, formats, n_formats, modifiers, type, name);
	whole = __drmm_universal_plane_alloc(dev, size, offset, crtcs, funcs, ycbcr_formats,
		ARRAY_SIZE(ycbcr_formats), is_first ? tiled : modifiers, type, name);
	if (!IS_ERR(whole))
		drm_plane_create_color_properties(whole + offset,
			BIT(DRM_COLOR_YCBCR_BT601) | BIT(DRM_COLOR_YCBCR_BT709) |
				BIT(DRM_COLOR_YCBCR_BT2020),
			BIT(DRM_COLOR_YCBCR_LIMITED_RANGE) | BIT(DRM_COLOR_YCBCR_FULL_RANGE),
			DRM_COLOR_YCBCR_BT601, DRM_COLOR_YCBCR_LIMITED_RANGE);
	return whole;
}

#define __drmm_universal_plane_alloc alloc_plane
#include "vkms_plane.c"
