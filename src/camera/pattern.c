/*
 * The test picture: eight 75 % colour bars (white, yellow, cyan, green, magenta, red, blue, black)
 * from left to right, a white mark that sweeps along their foot, and below them a clock and a frame
 * counter; at the top left the machine-readable stamp of base/stamp.h.
 *
 * It must not disturb what it helps to measure: the still part is drawn once a buffer, at open. A
 * frame then costs the sweep's old and new place, the digits that changed, and the stamp, all of
 * few rows: each is a page of memory that no cache holds any more. All is filled rectangles, so a
 * pixel format is no more than the order of components in memory.
 */
#include "camera/camera_ops.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <linux/videodev2.h>

#include "base/clock.h"
#include "base/stamp.h"
#include "camera/formats.h"
#include "camera/reason.h"
#include "camera/ticker.h"
#include "camera/v4l2_choose.h"

#define BUFFERS     6
#define SIZE_LEAST  16
#define SIZE_MOST   8192
#define FPS_MOST    960
#define BARS        8
#define LINE_CHARS  12 /* "HH:MM:SS.mmm", and as many digits of the counter */
#define GLYPH_WIDTH 5
#define GLYPH_ROWS  7

struct colour {
	uint8_t y, u, v, r, g, b;
};

struct rectangle {
	uint32_t x, y, width, height;
};

struct pattern_buffer {
	struct frame frame; /* laid out at open */
	uint8_t *memory;
	bool lent;
	/* what is drawn now */
	uint32_t sweep_x;
	char clock[LINE_CHARS], counter[LINE_CHARS];
};

struct pattern {
	struct camera camera;
	const struct format *format;
	const char *const *units;
	struct colour bars[BARS], black, white;
	bool stamped;
	uint32_t sweep_y, sweep_width;
	uint32_t text_y, text_scale; /* text_y ends the bars; scale 0: too small for text */
	int64_t utc_offset_ns;       /* of the local time, as it was at open */

	uint8_t *memory; /* of all buffers */
	size_t memory_bytes;
	struct pattern_buffer buffers[BUFFERS];
	uint32_t filled; /* the last one */

	struct ticker ticker;
};

/* The order of components in each plane: the bytes of one group of pixels. */
static const struct layout {
	uint32_t fourcc;
	const char *units[FRAME_MAX_PLANES];
} layouts[] = {
	{V4L2_PIX_FMT_YUYV, {"yuyv"}},
	{V4L2_PIX_FMT_UYVY, {"uyvy"}},
	{V4L2_PIX_FMT_YVYU, {"yvyu"}},
	{V4L2_PIX_FMT_VYUY, {"vyuy"}},
	{V4L2_PIX_FMT_NV12, {"y", "uv"}},
	{V4L2_PIX_FMT_NV21, {"y", "vu"}},
	{V4L2_PIX_FMT_NV16, {"y", "uv"}},
	{V4L2_PIX_FMT_NV61, {"y", "vu"}},
	{V4L2_PIX_FMT_YUV420, {"y", "u", "v"}},
	{V4L2_PIX_FMT_YVU420, {"y", "v", "u"}},
	{V4L2_PIX_FMT_YUV422P, {"y", "u", "v"}},
	{V4L2_PIX_FMT_GREY, {"y"}},
	{V4L2_PIX_FMT_RGB24, {"rgb"}},
	{V4L2_PIX_FMT_BGR24, {"bgr"}},
	{V4L2_PIX_FMT_XBGR32, {"bgrx"}},
	{V4L2_PIX_FMT_XRGB32, {"xrgb"}},
	{V4L2_PIX_FMT_ABGR32, {"bgrx"}},
};

/* '.' to ':' in 5x7 pixels, a row a byte, the leftmost pixel in bit 4; '/' stays empty. */
static const uint8_t glyphs[][GLYPH_ROWS] = {
	{0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c},
	{0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
	{0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e},
	{0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e},
	{0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f},
	{0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e},
	{0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02},
	{0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e},
	{0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e},
	{0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08},
	{0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e},
	{0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c},
	{0x00, 0x0c, 0x0c, 0x00, 0x0c, 0x0c, 0x00},
};

/* ---- drawing ---- */

/* r, g, b are 0 to 1; Y'CbCr comes out in limited range, as most cameras have it. */
static struct colour make_colour(enum frame_encoding encoding, double r, double g, double b)
{
	double kr = encoding == FRAME_BT709 ? 0.2126 : 0.299;
	double kb = encoding == FRAME_BT709 ? 0.0722 : 0.114;
	double y = kr * r + (1 - kr - kb) * g + kb * b;

	return (struct colour){
		.y = (uint8_t)(16 + 219 * y + 0.5),
		.u = (uint8_t)(128 + 112 * (b - y) / (1 - kb) + 0.5),
		.v = (uint8_t)(128 + 112 * (r - y) / (1 - kr) + 0.5),
		.r = (uint8_t)(255 * r + 0.5),
		.g = (uint8_t)(255 * g + 0.5),
		.b = (uint8_t)(255 * b + 0.5),
	};
}

static uint8_t component(const struct colour *colour, char name)
{
	switch (name) {
	case 'y':
		return colour->y;
	case 'u':
		return colour->u;
	case 'v':
		return colour->v;
	case 'r':
		return colour->r;
	case 'g':
		return colour->g;
	case 'b':
		return colour->b;
	}
	return 255; /* x, or opaque alpha */
}

static uint32_t shift_up(uint32_t n, unsigned shift)
{
	return (n + (1u << shift) - 1) >> shift;
}

/* Repeat the first n_drawn bytes until n_bytes are full. */
static void repeat(uint8_t *bytes, size_t n_drawn, size_t n_bytes)
{
	while (n_drawn < n_bytes) {
		size_t n = n_drawn < n_bytes - n_drawn ? n_drawn : n_bytes - n_drawn;

		memcpy(bytes + n_drawn, bytes, n);
		n_drawn += n;
	}
}

/*
 * Fill n cells as large as r side by side, the first of them r, each in its colour. x, y and, away
 * from the picture's edges, their size are even.
 */
ON_CAPTURE static void fill_cells(const struct pattern *p, struct pattern_buffer *buffer,
	struct rectangle r, const struct colour *const colours[], uint32_t n)
{
	for (size_t i = 0; i < p->format->n_planes; i++) {
		const struct frame_plane *plane = &buffer->frame.planes[i];
		unsigned x_shift = i || p->format->n_planes == 1 ? p->format->h_shift : 0;
		unsigned y_shift = i ? p->format->v_shift : 0;
		size_t unit_bytes = strlen(p->units[i]);
		size_t cell_bytes = shift_up(r.width, x_shift) * unit_bytes;
		uint32_t rows = shift_up(r.height, y_shift);
		uint8_t *first = buffer->memory + plane->offset_bytes +
				 (size_t)(r.y >> y_shift) * plane->stride_bytes +
				 (r.x >> x_shift) * unit_bytes;

		if (!cell_bytes || !rows)
			continue;
		for (uint32_t cell = 0; cell < n; cell++) {
			uint8_t *unit = first + cell * cell_bytes;

			for (size_t k = 0; k < unit_bytes; k++)
				unit[k] = component(colours[cell], p->units[i][k]);
			repeat(unit, unit_bytes, cell_bytes);
		}
		for (size_t row = 1; row < rows; row++)
			memcpy(first + row * plane->stride_bytes, first, n * cell_bytes);
	}
}

ON_CAPTURE static void fill(const struct pattern *p, struct pattern_buffer *buffer,
	struct rectangle r, const struct colour *colour)
{
	fill_cells(p, buffer, r, &colour, 1);
}

/* Draw what of the bars lies in r. */
ON_CAPTURE static void draw_bars(
	const struct pattern *p, struct pattern_buffer *buffer, struct rectangle r)
{
	uint32_t width = p->camera.info.width;

	for (uint32_t i = 0; i < BARS; i++) {
		uint32_t from = width * i / BARS & ~1u;
		uint32_t to = i + 1 < BARS ? width * (i + 1) / BARS & ~1u : width;

		if (from < r.x)
			from = r.x;
		if (to > r.x + r.width)
			to = r.x + r.width;
		if (from < to)
			fill(p, buffer, (struct rectangle){from, r.y, to - from, r.height},
				&p->bars[i]);
	}
}

ON_CAPTURE static void draw_sweep(
	const struct pattern *p, struct pattern_buffer *buffer, uint32_t sequence)
{
	uint32_t width = p->camera.info.width;
	struct rectangle r = {buffer->sweep_x, p->sweep_y, p->sweep_width, p->text_y - p->sweep_y};

	draw_bars(p, buffer, r);
	/* Multiples of an even step, modulo an even width, stay even. */
	r.x = (uint32_t)((uint64_t)sequence * p->sweep_width % (width & ~1u));
	if (r.width > width - r.x)
		r.width = width - r.x;
	fill(p, buffer, r, &p->white);
	buffer->sweep_x = r.x;
}

ON_CAPTURE static void draw_glyph(const struct pattern *p, struct pattern_buffer *buffer,
	uint32_t x, uint32_t y, char character)
{
	uint32_t scale = p->text_scale;

	for (uint32_t row = 0; row < GLYPH_ROWS; row++) {
		uint8_t bits = glyphs[character - '.'][row];
		const struct colour *colours[GLYPH_WIDTH];

		for (uint32_t column = 0; column < GLYPH_WIDTH; column++)
			colours[column] = bits & 0x10 >> column ? &p->white : &p->black;
		fill_cells(p, buffer, (struct rectangle){x, y + row * scale, scale, scale}, colours,
			GLYPH_WIDTH);
	}
}

/* Bring one line of text up to date; drawn holds what is there. */
ON_CAPTURE static void draw_line(const struct pattern *p, struct pattern_buffer *buffer,
	uint32_t line, char drawn[LINE_CHARS], const char text[LINE_CHARS])
{
	uint32_t cell_width = (GLYPH_WIDTH + 1) * p->text_scale;
	uint32_t left = (p->camera.info.width - LINE_CHARS * cell_width) / 2 & ~1u;
	uint32_t y = p->text_y + (1 + line * (GLYPH_ROWS + 2)) * p->text_scale;

	if (!p->text_scale)
		return;
	for (uint32_t i = 0; i < LINE_CHARS; i++) {
		if (drawn[i] == text[i])
			continue;
		draw_glyph(p, buffer, left + i * cell_width, y, text[i]);
		drawn[i] = text[i];
	}
}

static void write_digits(char *text, uint64_t number, size_t digits)
{
	while (digits--) {
		text[digits] = (char)('0' + number % 10);
		number /= 10;
	}
}

ON_CAPTURE static void draw_text(
	const struct pattern *p, struct pattern_buffer *buffer, const struct frame *frame)
{
	uint64_t wall_ns = clock_wall_ns(frame->captured_ns) + (uint64_t)p->utc_offset_ns;
	uint64_t ms = wall_ns / NS_PER_MS;
	char text[LINE_CHARS] = "00:00:00.000";

	write_digits(text, ms / 3600000 % 24, 2);
	write_digits(text + 3, ms / 60000 % 60, 2);
	write_digits(text + 6, ms / 1000 % 60, 2);
	write_digits(text + 9, ms % 1000, 3);
	draw_line(p, buffer, 0, buffer->clock, text);
	write_digits(text, frame->sequence, LINE_CHARS);
	draw_line(p, buffer, 1, buffer->counter, text);
}

ON_CAPTURE static void draw_stamp(
	const struct pattern *p, struct pattern_buffer *buffer, uint64_t captured_ns)
{
	uint8_t bits[STAMP_BYTES];

	if (!p->stamped)
		return;
	stamp_write(captured_ns, bits);
	for (uint32_t row = 0; row < STAMP_ROWS; row++) {
		const struct colour *colours[STAMP_COLUMNS];

		for (uint32_t column = 0; column < STAMP_COLUMNS; column++) {
			uint32_t i = row * STAMP_COLUMNS + column;

			colours[column] = bits[i / 8] & 0x80 >> i % 8 ? &p->white : &p->black;
		}
		fill_cells(p, buffer,
			(struct rectangle){0, row * STAMP_BLOCK_PIXELS, STAMP_BLOCK_PIXELS,
				STAMP_BLOCK_PIXELS},
			colours, STAMP_COLUMNS);
	}
}

/* ---- camera calls ---- */

ON_CAPTURE static int pattern_start(struct camera *camera)
{
	struct pattern *p = (struct pattern *)camera;

	return ticker_start(&p->ticker, camera->info.fps_numerator, camera->info.fps_denominator);
}

ON_CAPTURE static int pattern_poll_fd(const struct camera *camera)
{
	return ((const struct pattern *)camera)->ticker.fd;
}

/*
 * In turn, as a driver's queue has it: a frame in the memory of the one before would be nearer to
 * the processor than any camera puts it, and what is measured with it too good.
 */
ON_CAPTURE static struct pattern_buffer *find_free(struct pattern *p)
{
	for (size_t i = 1; i <= BUFFERS; i++) {
		struct pattern_buffer *buffer = &p->buffers[(p->filled + i) % BUFFERS];

		if (!buffer->lent) {
			p->filled = buffer->frame.loan;
			return buffer;
		}
	}
	return NULL;
}

ON_CAPTURE static int pattern_borrow(struct camera *camera, struct frame *ret_frame)
{
	struct pattern *p = (struct pattern *)camera;
	struct pattern_buffer *buffer;
	uint64_t passed;
	int err = ticker_look(&p->ticker, &passed);

	if (err < 0)
		return err;
	buffer = find_free(p);
	stat_add(&camera->stats->dropped_lost, buffer ? passed - 1 : passed);
	if (!buffer)
		return -EAGAIN;

	buffer->lent = true;
	buffer->frame.sequence = (uint32_t)(p->ticker.ticks - 1);
	buffer->frame.captured_ns = ticker_time_ns(&p->ticker);
	draw_sweep(p, buffer, buffer->frame.sequence);
	draw_text(p, buffer, &buffer->frame);
	draw_stamp(p, buffer, buffer->frame.captured_ns);
	buffer->frame.dequeued_ns = clock_now_ns();
	*ret_frame = buffer->frame;
	return 0;
}

ON_CAPTURE static int pattern_give_back(struct camera *camera, const struct frame *frame)
{
	struct pattern *p = (struct pattern *)camera;

	assert(frame->loan < BUFFERS && p->buffers[frame->loan].lent);
	p->buffers[frame->loan].lent = false;
	return 0;
}

ON_CAPTURE static void pattern_stop(struct camera *camera)
{
	ticker_stop(&((struct pattern *)camera)->ticker);
}

ON_CAPTURE static void pattern_close(struct camera *camera)
{
	struct pattern *p = (struct pattern *)camera;

	ticker_stop(&p->ticker);
	if (p->memory)
		(void)munmap(p->memory, p->memory_bytes); /* our own mapping, whole */
	free(p);
}

static const struct camera_ops pattern_ops = {
	.start = pattern_start,
	.poll_fd = pattern_poll_fd,
	.borrow = pattern_borrow,
	.give_back = pattern_give_back,
	.stop = pattern_stop,
	.close = pattern_close,
};

/* ---- opening ---- */

int pattern_list_modes(
	const struct camera_config *wish, struct v4l2_mode **ret_modes, size_t *ret_n)
{
	static const struct v4l2_frmsize_stepwise range = {
		SIZE_LEAST, SIZE_MOST, 1, SIZE_LEAST, SIZE_MOST, 1};
	uint32_t sizes[V4L2_CHOOSE_SIZES][2];
	size_t n_sizes = v4l2_choose_sizes(&range, wish, sizes);
	size_t n_layouts = sizeof layouts / sizeof layouts[0];
	struct v4l2_mode *modes = reallocarray(NULL, n_layouts * n_sizes, sizeof *modes);

	if (!modes)
		return -ENOMEM;
	*ret_n = 0;
	for (size_t i = 0; i < n_layouts; i++)
		for (size_t k = 0; k < n_sizes; k++)
			modes[(*ret_n)++] = (struct v4l2_mode){
				layouts[i].fourcc, sizes[k][0], sizes[k][1], FPS_MOST};
	*ret_modes = modes;
	return 0;
}

/* Settle format, size and rate. Returns 0 or -EINVAL with a sentence. */
ON_CAPTURE static int settle(
	struct pattern *p, const struct camera_config *config, char reason[CAMERA_REASON_BYTES])
{
	struct camera_info *info = &p->camera.info;
	double fps = config->fps > 0 ? config->fps : 30;
	char name[5];

	info->fourcc = info->device_fourcc = config->fourcc ? config->fourcc : V4L2_PIX_FMT_YUYV;
	info->width = config->width ? config->width : 1280;
	info->height = config->height ? config->height : 720;
	for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
		if (layouts[i].fourcc == info->fourcc)
			p->units = layouts[i].units;
	if (!p->units)
		return reason_set(reason, -EINVAL,
			"the test pattern has no format %s: use YUYV, UYVY, NV12, YU12, 422P, "
			"GREY, RGB3 or another of 8 bits in one buffer",
			format_name(info->fourcc, name));
	if (info->width < SIZE_LEAST || info->width > SIZE_MOST || info->height < SIZE_LEAST ||
		info->height > SIZE_MOST)
		return reason_set(reason, -EINVAL,
			"the test pattern cannot be %ux%u: %dx%d to %dx%d are possible",
			info->width, info->height, SIZE_LEAST, SIZE_LEAST, SIZE_MOST, SIZE_MOST);
	if (!(fps >= 1 && fps <= FPS_MOST))
		return reason_set(reason, -EINVAL,
			"the test pattern cannot run at %g fps: 1 to %d are possible", fps,
			FPS_MOST);

	p->format = format_find(info->fourcc);
	ticker_fraction(fps, &info->fps_numerator, &info->fps_denominator);
	return 0;
}

/* Where things are, and in which colours. */
ON_CAPTURE static void plan_picture(struct pattern *p)
{
	struct camera_info *info = &p->camera.info;
	uint32_t scale, text_height;
	time_t now = time(NULL);
	struct tm local;

	info->encoding = info->height >= 720 ? FRAME_BT709 : FRAME_BT601;
	info->range = p->format->kind == FORMAT_RGB ? FRAME_FULL_RANGE : FRAME_LIMITED_RANGE;
	for (unsigned i = 0; i < BARS; i++) {
		/* White, yellow, cyan, green, ...: blue falls every bar, red every second. */
		double r = i & 2 ? 0 : 0.75, g = i & 4 ? 0 : 0.75, b = i & 1 ? 0 : 0.75;

		p->bars[i] = make_colour(info->encoding, r, g, b);
	}
	p->black = make_colour(info->encoding, 0, 0, 0);
	p->white = make_colour(info->encoding, 1, 1, 1);

	p->stamped = info->width >= STAMP_WIDTH && info->height >= STAMP_HEIGHT;
	p->sweep_width = info->width / 160 & ~1u;
	if (p->sweep_width < 2)
		p->sweep_width = 2;

	/* Two lines and their margins in the lower quarter; even, so that pixel pairs are whole. */
	scale = info->width / (LINE_CHARS * (GLYPH_WIDTH + 1));
	text_height = 2 * (GLYPH_ROWS + 2);
	if (scale > info->height / 4 / text_height)
		scale = info->height / 4 / text_height;
	p->text_scale = scale & ~1u;
	p->text_y = (info->height - p->text_scale * text_height) & ~1u;
	if (!p->text_scale)
		p->text_y = info->height;
	p->sweep_y = p->text_y - (info->height / 32 + 1) * 2;

	if (localtime_r(&now, &local))
		p->utc_offset_ns = (int64_t)local.tm_gmtoff * (int64_t)NS_PER_S;
}

/* Map the buffers and draw what stays. Rows start 64 bytes apart or a multiple, as cameras' do. */
ON_CAPTURE static int make_buffers(struct pattern *p)
{
	struct camera_info *info = &p->camera.info;
	uint32_t stride = (info->width + 63) / 64 * 64 * p->format->bytes_per_pixel;
	size_t bytes = (size_t)stride * info->height;

	for (size_t i = 1; i < p->format->n_planes; i++)
		bytes += ((size_t)stride * p->format->chroma_bytes >> p->format->h_shift) *
			 shift_up(info->height, p->format->v_shift);
	p->memory_bytes = bytes * BUFFERS;
	p->memory = mmap(
		NULL, p->memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->memory == MAP_FAILED) {
		p->memory = NULL;
		return -errno;
	}

	for (uint32_t i = 0; i < BUFFERS; i++) {
		struct pattern_buffer *buffer = &p->buffers[i];
		struct frame *frame = &buffer->frame;
		int err;

		buffer->memory = p->memory + i * bytes;
		*frame = (struct frame){.fourcc = info->fourcc,
			.width = info->width,
			.height = info->height,
			.encoding = info->encoding,
			.range = info->range,
			.kept = true,
			.loan = i};
		for (size_t k = 0; k < FRAME_MAX_PLANES; k++)
			frame->planes[k].dmabuf_fd = -1;
		err = format_lay_out(p->format, frame, &buffer->memory, &bytes, &stride);
		if (err < 0)
			return err;
		draw_bars(p, buffer, (struct rectangle){0, 0, info->width, p->text_y});
		fill(p, buffer,
			(struct rectangle){0, p->text_y, info->width, info->height - p->text_y},
			&p->black);
	}
	return 0;
}

int pattern_open(const struct camera_config *config, struct camera_stats *stats,
	struct camera **ret_camera, char reason[CAMERA_REASON_BYTES])
{
	struct pattern *p = calloc(1, sizeof *p);
	int err = -ENOMEM;

	if (!p)
		goto fail_memory;
	p->camera = (struct camera){.ops = &pattern_ops, .config = config, .stats = stats};
	p->camera.info.kind = CAMERA_PATTERN;
	p->camera.info.buffers = BUFFERS;
	(void)snprintf(p->camera.info.driver, sizeof p->camera.info.driver, "pattern");
	(void)snprintf(p->camera.info.card, sizeof p->camera.info.card, "test pattern");
	p->ticker.fd = -1;

	err = settle(p, config, reason);
	if (err < 0)
		goto fail;
	plan_picture(p);
	err = make_buffers(p);
	if (err < 0)
		goto fail_memory;
	*ret_camera = &p->camera;
	return 0;

fail_memory:
	(void)reason_set(reason, err, "the test pattern finds no memory: %s", strerror(-err));
fail:
	if (p)
		pattern_close(&p->camera);
	return err;
}
