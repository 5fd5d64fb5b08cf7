/* Encoded pictures against what the camera meant: decoded by libjpeg, compared in R'G'B'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <linux/videodev2.h>

#include "encode/jpeg.h"

enum layout { PACKED, SEMI_PLANAR, PLANAR, GREY, RGB };

/*
 * One format, described anew from the kernel's documentation. at: for packed formats the bytes of
 * Y, Cb, Y, Cr; for semi-planar ones those of Cb, Cr; for planar ones their planes; for RGB the
 * bytes of R, G, B.
 */
static const struct kind {
	uint32_t fourcc;
	enum layout layout;
	unsigned bytes, bits, chroma_rows_per;
	unsigned at[4];
} kinds[] = {
	{V4L2_PIX_FMT_YUYV, PACKED, 2, 8, 1, {0, 1, 2, 3}},
	{V4L2_PIX_FMT_YVYU, PACKED, 2, 8, 1, {0, 3, 2, 1}},
	{V4L2_PIX_FMT_UYVY, PACKED, 2, 8, 1, {1, 0, 3, 2}},
	{V4L2_PIX_FMT_VYUY, PACKED, 2, 8, 1, {1, 2, 3, 0}},
	{V4L2_PIX_FMT_NV12, SEMI_PLANAR, 1, 8, 2, {0, 1}},
	{V4L2_PIX_FMT_NV12M, SEMI_PLANAR, 1, 8, 2, {0, 1}},
	{V4L2_PIX_FMT_NV21, SEMI_PLANAR, 1, 8, 2, {1, 0}},
	{V4L2_PIX_FMT_NV21M, SEMI_PLANAR, 1, 8, 2, {1, 0}},
	{V4L2_PIX_FMT_NV16, SEMI_PLANAR, 1, 8, 1, {0, 1}},
	{V4L2_PIX_FMT_NV61, SEMI_PLANAR, 1, 8, 1, {1, 0}},
	{V4L2_PIX_FMT_YUV420, PLANAR, 1, 8, 2, {1, 2}},
	{V4L2_PIX_FMT_YUV420M, PLANAR, 1, 8, 2, {1, 2}},
	{V4L2_PIX_FMT_YVU420, PLANAR, 1, 8, 2, {2, 1}},
	{V4L2_PIX_FMT_YUV422P, PLANAR, 1, 8, 1, {1, 2}},
	{V4L2_PIX_FMT_GREY, GREY, 1, 8, 0, {0}},
	{V4L2_PIX_FMT_Y10, GREY, 2, 10, 0, {0}},
	{V4L2_PIX_FMT_Y12, GREY, 2, 12, 0, {0}},
	{V4L2_PIX_FMT_Y16, GREY, 2, 16, 0, {0}},
	{V4L2_PIX_FMT_RGB24, RGB, 3, 8, 0, {0, 1, 2}},
	{V4L2_PIX_FMT_BGR24, RGB, 3, 8, 0, {2, 1, 0}},
	{V4L2_PIX_FMT_XBGR32, RGB, 4, 8, 0, {2, 1, 0}},
	{V4L2_PIX_FMT_XRGB32, RGB, 4, 8, 0, {1, 2, 3}},
	{V4L2_PIX_FMT_ABGR32, RGB, 4, 8, 0, {2, 1, 0}},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static const struct size {
	uint32_t width, height;
} sizes[] = {{1, 1}, {2, 1}, {17, 9}, {33, 31}, {64, 48}, {640, 360}};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

/* ---- the picture, as R, G and B of 0..1 at any place ---- */

typedef void (*painter)(double x, double y, double rgb[3]);

static void paint_waves(double x, double y, double rgb[3])
{
	rgb[0] = 0.5 + 0.45 * sin(x / 60 + y / 90);
	rgb[1] = 0.5 + 0.45 * sin(x / 80 - y / 70 + 1);
	rgb[2] = 0.5 + 0.45 * cos(x / 110 + y / 60 + 2);
}

/* Eight bars of 16 pixels, as test pattern generators draw them. */
static void paint_bars(double x, double y, double rgb[3])
{
	static const uint8_t bars[] = {7, 6, 3, 2, 5, 4, 1, 0};
	unsigned bar = bars[(unsigned)x / 16 % 8];

	(void)y;
	for (int i = 0; i < 3; i++)
		rgb[i] = bar >> (2 - i) & 1 ? 1 : 0;
}

/* What stands at the right and lower edge of 27x11 goes on for ever. */
static void paint_edge(double x, double y, double rgb[3])
{
	paint_waves(7 * fmin(x, 26), 7 * fmin(y, 10), rgb);
}

/* ---- frames ---- */

static void to_ycc(enum frame_encoding encoding, const double rgb[3], double ycc[3])
{
	static const double red[] = {0.299, 0.2126, 0.2627, 0.212};
	static const double blue[] = {0.114, 0.0722, 0.0593, 0.087};
	double kr = red[encoding], kb = blue[encoding];

	ycc[0] = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
	ycc[1] = (rgb[2] - ycc[0]) / (2 * (1 - kb));
	ycc[2] = (rgb[0] - ycc[0]) / (2 * (1 - kr));
}

static uint8_t quantise_luma(const struct frame *frame, double value)
{
	return (uint8_t)lrint(frame->range == FRAME_LIMITED_RANGE ? 16 + 219 * value : 255 * value);
}

static uint8_t quantise_chroma(const struct frame *frame, double value)
{
	double level = 128 + (frame->range == FRAME_LIMITED_RANGE ? 224 : 255) * value;

	return (uint8_t)lrint(fmin(level, 255));
}

static uint8_t *pixel(const struct frame *frame, unsigned plane, size_t row, size_t byte)
{
	assert_true(
		row * frame->planes[plane].stride_bytes + byte < frame->planes[plane].size_bytes);
	return (uint8_t *)frame->planes[plane].data + row * frame->planes[plane].stride_bytes +
	       byte;
}

/* A plane in memory of its own, exactly as large as needed, so that sanitizers see every slip. */
static void add_plane(struct frame *frame, size_t row_bytes, size_t rows)
{
	struct frame_plane *plane = &frame->planes[frame->n_planes++];
	size_t stride = row_bytes + 6;
	size_t size = stride * (rows - 1) + row_bytes;
	uint8_t *data = malloc(size);

	memset(data, 0xa5, size);
	*plane = (struct frame_plane){
		.data = data,
		.stride_bytes = (uint32_t)stride,
		.size_bytes = (uint32_t)size,
		.dmabuf_fd = -1,
	};
}

static void add_planes(struct frame *frame, const struct kind *kind)
{
	size_t width = frame->width, height = frame->height, pairs = (width + 1) / 2;
	size_t chroma_rows = kind->chroma_rows_per
				     ? (height + kind->chroma_rows_per - 1) / kind->chroma_rows_per
				     : 0;

	add_plane(frame, kind->layout == PACKED ? pairs * 4 : width * kind->bytes, height);
	if (kind->layout == SEMI_PLANAR)
		add_plane(frame, pairs * 2, chroma_rows);
	for (int i = 0; kind->layout == PLANAR && i < 2; i++)
		add_plane(frame, pairs, chroma_rows);
}

static void set_chroma(
	const struct frame *frame, const struct kind *kind, size_t x, size_t y, const double ycc[3])
{
	for (int i = 0; i < 2; i++) {
		uint8_t value = quantise_chroma(frame, ycc[1 + i]);

		if (kind->layout == PACKED)
			*pixel(frame, 0, y, x * 4 + kind->at[1 + 2 * i]) = value;
		else if (kind->layout == SEMI_PLANAR)
			*pixel(frame, 1, y, x * 2 + kind->at[i]) = value;
		else
			*pixel(frame, kind->at[i], y, x) = value;
	}
}

static void set_pixel(const struct frame *frame, const struct kind *kind, size_t x, size_t y,
	const double rgb[3], double luma)
{
	unsigned grey;

	switch (kind->layout) {
	case PACKED:
		*pixel(frame, 0, y, x / 2 * 4 + kind->at[x % 2 * 2]) = quantise_luma(frame, luma);
		break;
	case SEMI_PLANAR:
	case PLANAR:
		*pixel(frame, 0, y, x) = quantise_luma(frame, luma);
		break;
	case GREY:
		grey = quantise_luma(frame, luma);
		grey = grey << (kind->bits - 8) | grey >> (16 - kind->bits);
		for (unsigned i = 0; i < kind->bytes; i++)
			*pixel(frame, 0, y, x * kind->bytes + i) = (uint8_t)(grey >> 8 * i);
		break;
	case RGB:
		for (int i = 0; i < 3; i++)
			*pixel(frame, 0, y, x * kind->bytes + kind->at[i]) = quantise_luma(
				frame, rgb[i]);
		break;
	}
}

static struct frame make_frame(const struct kind *kind, struct size size,
	enum frame_encoding encoding, enum frame_range range, painter paint)
{
	struct frame frame = {.fourcc = kind->fourcc,
		.width = size.width,
		.height = size.height,
		.encoding = encoding,
		.range = range};
	double rgb[3], ycc[3];

	add_planes(&frame, kind);
	for (size_t y = 0; y < size.height; y++)
		for (size_t x = 0; x < size.width; x++) {
			paint((double)x, (double)y, rgb);
			to_ycc(encoding, rgb, ycc);
			set_pixel(&frame, kind, x, y, rgb, ycc[0]);
		}
	if (!kind->chroma_rows_per)
		return frame;
	for (size_t y = 0; y * kind->chroma_rows_per < size.height; y++)
		for (size_t x = 0; x * 2 < size.width; x++) {
			paint((double)x * 2 + 0.5, ((double)y + 0.5) * kind->chroma_rows_per - 0.5,
				rgb);
			to_ycc(encoding, rgb, ycc);
			set_chroma(&frame, kind, x, y, ycc);
		}
	return frame;
}

static void free_frame(struct frame *frame)
{
	for (uint32_t i = 0; i < frame->n_planes; i++)
		free((uint8_t *)frame->planes[i].data);
}

/* ---- decoding ---- */

struct decoded {
	uint8_t *pixels; /* R, G, B, or grey */
	unsigned width, height, components;
	unsigned h[3], v[3];
	unsigned luma_dqt[DCTSIZE2];
	bool jfif, baseline;
};

static void decoding_failed(j_common_ptr decompressor)
{
	char text[JMSG_LENGTH_MAX];

	decompressor->err->format_message(decompressor, text);
	fail_msg("%s", text);
}

static struct decoded decode(const struct packet *packet)
{
	struct jpeg_decompress_struct d = {0};
	struct jpeg_error_mgr errors;
	struct decoded decoded = {0};

	d.err = jpeg_std_error(&errors);
	errors.error_exit = decoding_failed;
	jpeg_create_decompress(&d);
	jpeg_mem_src(&d, packet->pieces[0].data, packet->length_bytes);
	jpeg_read_header(&d, TRUE);
	decoded.width = d.image_width;
	decoded.height = d.image_height;
	decoded.components = (unsigned)d.num_components;
	decoded.jfif = d.saw_JFIF_marker;
	decoded.baseline = !d.progressive_mode && !d.arith_code;
	for (int i = 0; i < d.num_components; i++) {
		decoded.h[i] = (unsigned)d.comp_info[i].h_samp_factor;
		decoded.v[i] = (unsigned)d.comp_info[i].v_samp_factor;
	}
	for (int i = 0; i < DCTSIZE2; i++)
		decoded.luma_dqt[i] = d.quant_tbl_ptrs[0]->quantval[i];
	jpeg_start_decompress(&d);
	decoded.pixels = malloc((size_t)decoded.width * decoded.height * decoded.components);
	while (d.output_scanline < d.output_height) {
		JSAMPROW row = decoded.pixels +
			       (size_t)d.output_scanline * decoded.width * decoded.components;

		jpeg_read_scanlines(&d, &row, 1);
	}
	jpeg_finish_decompress(&d);
	assert_int_equal(errors.num_warnings, 0);
	jpeg_destroy_decompress(&d);
	return decoded;
}

ON_ENCODE static struct jpeg_encoder *make_encoder(int quality, enum jpeg_chroma chroma)
{
	struct jpeg_config config = {quality, chroma};
	struct jpeg_encoder *encoder;

	assert_int_equal(jpeg_encoder_create(&config, &encoder), 0);
	return encoder;
}

/* The largest and mean difference between a decoded picture and its painter, in levels of 255. */
static void measure(const struct decoded *decoded, painter paint, enum frame_encoding encoding,
	double *ret_mean, double *ret_most)
{
	double sum = 0, most = 0;
	unsigned n = decoded->components;

	for (size_t y = 0; y < decoded->height; y++)
		for (size_t x = 0; x < decoded->width; x++) {
			double rgb[3], ycc[3];

			paint((double)x, (double)y, rgb);
			to_ycc(encoding, rgb, ycc);
			for (unsigned i = 0; i < n; i++) {
				double want = 255 * (n == 1 ? ycc[0] : rgb[i]);
				double error = fabs(
					want - decoded->pixels[(y * decoded->width + x) * n + i]);

				sum += error;
				most = fmax(most, error);
			}
		}
	*ret_mean = sum / decoded->width / decoded->height / n;
	*ret_most = most;
}

ON_ENCODE static void check(struct jpeg_encoder *encoder, const struct kind *kind, struct size size,
	enum frame_encoding encoding, enum frame_range range)
{
	struct frame frame = make_frame(kind, size, encoding, range, paint_waves);
	struct packet packet = {0};
	struct decoded decoded;
	double mean, most;

	assert_int_equal(jpeg_encode(encoder, &frame, &packet), 0);
	assert_int_equal(packet.width, size.width);
	assert_int_equal(packet.height, size.height);
	decoded = decode(&packet);
	assert_int_equal(decoded.width, size.width);
	assert_int_equal(decoded.height, size.height);
	assert_int_equal(decoded.components, kind->layout == GREY ? 1 : 3);
	measure(&decoded, paint_waves, encoding, &mean, &most);
	if (mean > 1.5 || most > 7)
		fail_msg("%.4s %ux%u encoding %d range %d: mean error %.2f, most %.1f",
			(const char *)&kind->fourcc, size.width, size.height, encoding, range, mean,
			most);
	free(decoded.pixels);
	free(packet.pieces[0].memory);
	free_frame(&frame);
}

/* ---- promises ---- */

ON_ENCODE static void every_format_and_size_keeps_its_colours(void **state)
{
	(void)state;
	for (enum jpeg_chroma chroma = JPEG_CHROMA_420; chroma <= JPEG_CHROMA_SOURCE; chroma++) {
		struct jpeg_encoder *encoder = make_encoder(95, chroma);

		for (size_t k = 0; k < N_KINDS; k++)
			for (size_t s = 0; s < N_SIZES; s++)
				check(encoder, &kinds[k], sizes[s], FRAME_BT601,
					FRAME_LIMITED_RANGE);
		jpeg_encoder_destroy(encoder);
	}
}

ON_ENCODE static void every_encoding_and_range_is_honoured(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(95, JPEG_CHROMA_420);
	struct size size = {129, 95};

	(void)state;
	for (size_t k = 0; k < N_KINDS; k++)
		for (enum frame_encoding e = FRAME_BT601; e <= FRAME_SMPTE240M; e++)
			for (enum frame_range r = FRAME_FULL_RANGE; r <= FRAME_LIMITED_RANGE; r++)
				check(encoder, &kinds[k], size, e, r);
	jpeg_encoder_destroy(encoder);
}

/* In the middle of each bar, where neither sampling nor ringing reaches. */
ON_ENCODE static void colour_bars_come_out_pure(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(95, JPEG_CHROMA_420);

	(void)state;
	for (size_t k = 0; k < N_KINDS; k++) {
		struct frame frame = make_frame(&kinds[k], (struct size){128, 16}, FRAME_BT709,
			FRAME_LIMITED_RANGE, paint_bars);
		struct packet packet = {0};
		struct decoded decoded;
		double rgb[3];

		if (kinds[k].layout == GREY) {
			free_frame(&frame);
			continue;
		}
		assert_int_equal(jpeg_encode(encoder, &frame, &packet), 0);
		decoded = decode(&packet);
		for (unsigned x = 8; x < 128; x += 16) {
			paint_bars(x, 8, rgb);
			for (int i = 0; i < 3; i++)
				assert_in_range(decoded.pixels[(8 * 128 + x) * 3 + (unsigned)i] + 4,
					255 * rgb[i], 255 * rgb[i] + 8);
		}
		free(decoded.pixels);
		free(packet.pieces[0].memory);
		free_frame(&frame);
	}
	jpeg_encoder_destroy(encoder);
}

/* Colours of single pixels, which no smaller chroma can hold. */
static void paint_stripes(double x, double y, double rgb[3])
{
	bool red = fmod(x + y, 2) < 1;

	rgb[0] = red ? 0.8 : 0.2;
	rgb[1] = 0.5;
	rgb[2] = red ? 0.2 : 0.8;
}

ON_ENCODE static void chroma_of_single_pixels_is_kept_where_asked(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(95, JPEG_CHROMA_SOURCE);

	(void)state;
	for (size_t k = 0; k < N_KINDS; k++) {
		struct packet packet = {0};
		struct decoded decoded;
		struct frame frame;
		double mean, most;

		if (kinds[k].layout != RGB)
			continue;
		frame = make_frame(&kinds[k], (struct size){33, 31}, FRAME_BT601,
			FRAME_LIMITED_RANGE, paint_stripes);
		assert_int_equal(jpeg_encode(encoder, &frame, &packet), 0);
		decoded = decode(&packet);
		measure(&decoded, paint_stripes, FRAME_BT601, &mean, &most);
		assert_true(most < 12);
		free(decoded.pixels);
		free(packet.pieces[0].memory);
		free_frame(&frame);
	}
	jpeg_encoder_destroy(encoder);
}

/* An odd picture has the same data as one whose edges were continued to whole blocks. */
ON_ENCODE static void edges_are_continued_into_the_last_blocks(void **state)
{
	(void)state;
	for (size_t k = 0; k < N_KINDS * 3; k++) {
		const struct kind *kind = &kinds[k / 3];
		struct jpeg_encoder *encoder = make_encoder(95, k % 3);
		struct frame odd = make_frame(
			kind, (struct size){27, 11}, FRAME_BT709, FRAME_LIMITED_RANGE, paint_edge);
		struct frame whole = make_frame(
			kind, (struct size){32, 16}, FRAME_BT709, FRAME_LIMITED_RANGE, paint_edge);
		struct packet small = {0}, large = {0};
		const uint8_t *sof;

		assert_int_equal(jpeg_encode(encoder, &odd, &small), 0);
		assert_int_equal(jpeg_encode(encoder, &whole, &large), 0);
		assert_int_equal(small.length_bytes, large.length_bytes);
		sof = memmem(small.pieces[0].data, small.length_bytes, "\xff\xc0", 2);
		assert_non_null(sof);
		/* The sizes themselves differ. */
		memcpy(large.pieces[0].memory + (sof - small.pieces[0].data) + 5, sof + 5, 4);
		assert_memory_equal(small.pieces[0].data, large.pieces[0].data, small.length_bytes);
		free(small.pieces[0].memory);
		free(large.pieces[0].memory);
		free_frame(&odd);
		free_frame(&whole);
		jpeg_encoder_destroy(encoder);
	}
}

/* Never more chroma than the source has, nor more than was asked for. */
static void check_sampling(
	const struct decoded *decoded, const struct kind *kind, enum jpeg_chroma chroma)
{
	bool full_across = kind->layout == RGB && chroma == JPEG_CHROMA_SOURCE;
	bool full_down = kind->chroma_rows_per != 2 && chroma != JPEG_CHROMA_420;

	assert_int_equal(decoded->h[0], full_across ? 1 : 2);
	assert_int_equal(decoded->v[0], full_down ? 1 : 2);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(decoded->h[i], 1);
		assert_int_equal(decoded->v[i], 1);
	}
}

ON_ENCODE static void header_is_jfif_baseline_of_the_quality_and_chroma_asked(void **state)
{
	/* The first row of T.81 table K.1 at quality 80: (q * 40 + 50) / 100. */
	static const unsigned want[] = {6, 4, 4, 6, 10, 16, 20, 24};

	(void)state;
	for (size_t k = 0; k < N_KINDS; k++) {
		for (enum jpeg_chroma c = JPEG_CHROMA_420; c <= JPEG_CHROMA_SOURCE; c++) {
			struct jpeg_encoder *encoder = make_encoder(80, c);
			struct frame frame = make_frame(&kinds[k], (struct size){40, 24},
				FRAME_BT601, FRAME_FULL_RANGE, paint_waves);
			struct packet packet = {0};
			struct decoded decoded;

			assert_int_equal(jpeg_encode(encoder, &frame, &packet), 0);
			decoded = decode(&packet);
			assert_true(decoded.jfif);
			assert_true(decoded.baseline);
			for (int i = 0; i < 8; i++)
				assert_int_equal(decoded.luma_dqt[i], want[i]);
			if (kinds[k].layout != GREY)
				check_sampling(&decoded, &kinds[k], c);
			free(decoded.pixels);
			free(packet.pieces[0].memory);
			free_frame(&frame);
			jpeg_encoder_destroy(encoder);
		}
	}
}

ON_ENCODE static void same_picture_makes_same_bytes_in_the_same_memory(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(80, JPEG_CHROMA_420);
	struct frame frame = make_frame(
		&kinds[0], (struct size){320, 240}, FRAME_BT709, FRAME_LIMITED_RANGE, paint_waves);
	struct packet first = {0}, second = {0};
	const uint8_t *memory;
	size_t capacity;

	(void)state;
	assert_int_equal(jpeg_encode(encoder, &frame, &first), 0);
	assert_int_equal(jpeg_encode(encoder, &frame, &second), 0);
	memory = second.pieces[0].data;
	capacity = second.pieces[0].capacity_bytes;
	assert_int_equal(jpeg_encode(encoder, &frame, &second), 0);
	assert_ptr_equal(second.pieces[0].data, memory);
	assert_int_equal(second.pieces[0].capacity_bytes, capacity);
	assert_int_equal(second.length_bytes, first.length_bytes);
	assert_memory_equal(second.pieces[0].data, first.pieces[0].data, first.length_bytes);
	free(first.pieces[0].memory);
	free(second.pieces[0].memory);
	free_frame(&frame);
	jpeg_encoder_destroy(encoder);
}

ON_ENCODE static void packet_grows_with_a_picture_of_noise(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(100, JPEG_CHROMA_422);
	struct frame frame = make_frame(
		&kinds[0], (struct size){256, 256}, FRAME_BT601, FRAME_FULL_RANGE, paint_waves);
	uint8_t *noise = (uint8_t *)frame.planes[0].data;
	struct packet packet = {0};
	struct decoded decoded;
	uint32_t random = 1;

	(void)state;
	for (size_t i = 0; i < frame.planes[0].size_bytes; i++) {
		random = random * 1664525 + 1013904223;
		noise[i] = (uint8_t)(random >> 24);
	}
	assert_int_equal(jpeg_encode(encoder, &frame, &packet), 0);
	assert_true(packet.length_bytes > 256 * 256);
	decoded = decode(&packet);
	assert_int_equal(decoded.width, 256);
	free(decoded.pixels);
	free(packet.pieces[0].memory);
	free_frame(&frame);
	jpeg_encoder_destroy(encoder);
}

/* Stands before libjpeg's own, to have it fail on demand. */
static bool failure_wanted;

JDIMENSION jpeg_write_raw_data(j_compress_ptr compressor, JSAMPIMAGE data, JDIMENSION lines)
{
	static JDIMENSION (*original)(j_compress_ptr, JSAMPIMAGE, JDIMENSION);

	if (failure_wanted && compressor->next_scanline > 0)
		compressor->err->error_exit((j_common_ptr)compressor);
	if (!original)
		*(void **)&original = dlsym(RTLD_NEXT, "jpeg_write_raw_data");
	return original(compressor, data, lines);
}

ON_ENCODE static void libjpeg_error_costs_one_frame(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(80, JPEG_CHROMA_420);
	struct frame frame = make_frame(
		&kinds[4], (struct size){64, 64}, FRAME_BT601, FRAME_FULL_RANGE, paint_waves);
	struct packet before = {0}, after = {0};

	(void)state;
	assert_int_equal(jpeg_encode(encoder, &frame, &before), 0);
	failure_wanted = true;
	assert_int_equal(jpeg_encode(encoder, &frame, &after), -EIO);
	assert_int_equal(jpeg_encode(encoder, &frame, &after), -EIO);
	failure_wanted = false;
	assert_int_equal(jpeg_encode(encoder, &frame, &after), 0);
	assert_int_equal(after.length_bytes, before.length_bytes);
	assert_memory_equal(after.pieces[0].data, before.pieces[0].data, before.length_bytes);
	free(before.pieces[0].memory);
	free(after.pieces[0].memory);
	free_frame(&frame);
	jpeg_encoder_destroy(encoder);
}

ON_ENCODE static void impossible_frames_are_refused(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(80, JPEG_CHROMA_420);
	struct packet packet = {0};

	(void)state;
	for (size_t k = 0; k < N_KINDS; k++) {
		struct frame whole = make_frame(&kinds[k], (struct size){33, 31}, FRAME_BT601,
			FRAME_FULL_RANGE, paint_waves);
		struct frame frame = whole;

		for (uint32_t p = 0; p < whole.n_planes; p++) {
			frame.planes[p].size_bytes--;
			assert_int_equal(jpeg_encode(encoder, &frame, &packet), -EINVAL);
			frame = whole;
			frame.planes[p].stride_bytes = 3;
			assert_int_equal(jpeg_encode(encoder, &frame, &packet), -EINVAL);
			frame = whole;
			frame.n_planes = p;
			assert_int_equal(jpeg_encode(encoder, &frame, &packet), -EINVAL);
			frame = whole;
		}
		frame.width = 0;
		assert_int_equal(jpeg_encode(encoder, &frame, &packet), -EINVAL);
		frame = whole;
		frame.height = 0;
		assert_int_equal(jpeg_encode(encoder, &frame, &packet), -EINVAL);
		frame = whole;
		frame.fourcc = V4L2_PIX_FMT_MJPEG;
		assert_int_equal(jpeg_encode(encoder, &frame, &packet), -EINVAL);
		free_frame(&whole);
	}
	assert_null(packet.pieces[0].memory);
	jpeg_encoder_destroy(encoder);
}

ON_ENCODE static void sizes_end_where_jpeg_ends(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(80, JPEG_CHROMA_420);
	uint8_t *row = calloc(1, 65501);
	struct frame frame = {.fourcc = V4L2_PIX_FMT_GREY,
		.width = 65501,
		.height = 1,
		.n_planes = 1,
		.planes[0] = {.data = row, .stride_bytes = 65501, .size_bytes = 65501}};
	struct packet packet = {0};

	(void)state;
	assert_int_equal(jpeg_encode(encoder, &frame, &packet), -EINVAL);
	frame.width = 65500;
	assert_int_equal(jpeg_encode(encoder, &frame, &packet), 0);
	free(packet.pieces[0].memory);
	free(row);
	jpeg_encoder_destroy(encoder);
}

static void quality_is_1_to_100(void **state)
{
	struct jpeg_config config = {0, JPEG_CHROMA_420};
	struct jpeg_encoder *encoder = NULL;

	(void)state;
	assert_int_equal(jpeg_encoder_create(&config, &encoder), -EINVAL);
	config.quality = 101;
	assert_int_equal(jpeg_encoder_create(&config, &encoder), -EINVAL);
	assert_null(encoder);
	jpeg_encoder_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_and_size_keeps_its_colours),
		cmocka_unit_test(every_encoding_and_range_is_honoured),
		cmocka_unit_test(colour_bars_come_out_pure),
		cmocka_unit_test(chroma_of_single_pixels_is_kept_where_asked),
		cmocka_unit_test(edges_are_continued_into_the_last_blocks),
		cmocka_unit_test(header_is_jfif_baseline_of_the_quality_and_chroma_asked),
		cmocka_unit_test(same_picture_makes_same_bytes_in_the_same_memory),
		cmocka_unit_test(packet_grows_with_a_picture_of_noise),
		cmocka_unit_test(libjpeg_error_costs_one_frame),
		cmocka_unit_test(impossible_frames_are_refused),
		cmocka_unit_test(sizes_end_where_jpeg_ends),
		cmocka_unit_test(quality_is_1_to_100),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
