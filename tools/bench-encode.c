/*
 * What encoding one frame costs, beside a floor and a ceiling measured on the same pictures, all
 * taking turns so that what else happens on the machine happens to all.
 *
 * cpu:  CPU time of one thread. The floor is libjpeg-turbo's raw-data interface, fed with rows that
 *       were split before and are only copied to where they stay in L1 (read from where they lie they
 *       cost more); the ceiling its scanline interface, the way most camera servers feed it.
 * idle: time from begin to end when a frame is whole, in a slice for each core, and as Fanlight
 *       chooses; whole frames are measured twice, to tell what a difference means.
 * busy: the same while every core has another process to run as well.
 * order: CPU time of one thread when the frame is turned or scaled as it is read.
 * filter: the same when a quarter of it is hidden first, again and again the same, text is drawn
 *       upon it that stays as it is or is another each time, or a plugin looks at each pixel.
 * decode: the same for sizes of a camera's own JPEG, decoded whole or as small as it can be.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <jpeglib.h>
#include <linux/videodev2.h>

#include "base/clock.h"
#include "base/roles.h"
#include "encode/decode.h"
#include "encode/jpeg.h"
#include "encode/slicer.h"
#include "exchange/packet.h"
#include "process/chain.h"

#define QUALITY     80
#define ROUNDS_MOST 10000
#define WAYS_MOST   7
#define BUSY_MOST   64

/* Between two frames, as cameras leave one: long enough for cores to fall asleep. */
#define PAUSE_NS (5 * NS_PER_MS)

/* Enough for the choice whether to slice. */
#define FRAMES_TO_LEARN 100

/* What came out of one way to encode. */
struct result {
	uint64_t *took_ns; /* of each round; sorted at the end */
	size_t bytes;
	unsigned n_sliced;
};

enum bench_filter { MASK_BLACK, MASK_MOSAIC, OVERLAY, OVERLAY_NUMBER, PLUGIN, FILTERS };

/* A frame, and all that it goes through. */
struct bench {
	struct frame frame;
	struct packet packet;
	uint8_t *planes[3];          /* the same picture in 4:2:0, in rows of plane_stride() */
	uint8_t *rows;               /* of the planes, of one row of MCUs */
	uint8_t *line;               /* packed 4:4:4 */
	unsigned long written_bytes; /* by libjpeg into the packet's memory */
	struct jpeg_compress_struct floor;
	struct jpeg_error_mgr errors;
	struct jpeg_encoder *encoders[JPEG_CHROMA_SOURCE + 1];
	struct workers *workers;
	struct slicer *slicer; /* of workers */
	struct chain *chains[FILTERS];
	uint32_t sequence;
	struct jpeg_decoder *decoder;
	uint8_t *jpeg; /* of the frame, as a camera sends it; NULL until it is asked for */
	size_t jpeg_bytes;
	struct result results[WAYS_MOST];
};

/* One of the ways to encode that are compared. */
struct way {
	const char *name;
	int (*encode)(struct bench *bench, const struct way *way);
	enum jpeg_chroma chroma;
	enum frame_encoding encoding;
	enum frame_range range;
	struct frame_order order;
	unsigned divisor;     /* of the size; 0 leaves it */
	unsigned scale_denom; /* of the size that it is decoded to */
	enum bench_filter filter;
};

/* ---- pictures ---- */

static uint8_t noise(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return (uint8_t)(state >> 24);
}

/* Luma as a camera sees a room: soft light, things with edges, and some noise of the sensor. */
static uint8_t paint_luma(double x, double y)
{
	double value = 118 + 60 * sin(x / 210) * cos(y / 170) + 20 * sin(x / 31 + y / 47);
	unsigned thing = ((unsigned)x / 90 * 7 + (unsigned)y / 70 * 13) % 5;

	value += thing * 9.0 + (((unsigned)x / 6 + (unsigned)y / 40) % 9 == 0 ? 30 : 0);
	return (uint8_t)fmin(fmax(value + noise() % 9 - 4, 0), 255);
}

static uint8_t paint_chroma(double x, double y, double phase)
{
	return (uint8_t)(128 + 40 * sin(x / 160 + phase) * cos(y / 120 - phase) + noise() % 5 - 2);
}

/* The bytes of a pixel in plane 0. */
static uint32_t pixel_bytes(uint32_t fourcc)
{
	return fourcc == V4L2_PIX_FMT_RGB24 ? 3 : fourcc == V4L2_PIX_FMT_YUYV ? 2 : 1;
}

static void paint_pixel(const struct frame *frame, uint32_t x, uint32_t y, uint8_t *out)
{
	double luma = paint_luma(x, y), cb, cr;

	if (frame->fourcc != V4L2_PIX_FMT_RGB24) {
		out[0] = (uint8_t)luma;
		if (frame->fourcc == V4L2_PIX_FMT_YUYV)
			out[1] = paint_chroma(x & ~1u, y, x & 1 ? 2 : 0);
		return;
	}
	cb = paint_chroma(x, y, 0) - 128.0;
	cr = paint_chroma(x, y, 2) - 128.0;
	out[0] = (uint8_t)fmin(fmax(luma + 1.402 * cr, 0), 255);
	out[1] = (uint8_t)fmin(fmax(luma - 0.344 * cb - 0.714 * cr, 0), 255);
	out[2] = (uint8_t)fmin(fmax(luma + 1.772 * cb, 0), 255);
}

static int make_frame(struct frame *frame, uint32_t fourcc, uint32_t width, uint32_t height)
{
	uint32_t pixel = pixel_bytes(fourcc), stride = width * pixel;
	bool nv12 = fourcc == V4L2_PIX_FMT_NV12;
	size_t bytes = (size_t)stride * height;
	uint8_t *data = malloc(bytes * 2);

	if (!data)
		return -ENOMEM;
	*frame = (struct frame){
		.fourcc = fourcc, .width = width, .height = height, .n_planes = nv12 ? 2 : 1};
	frame->planes[0] = (struct frame_plane){
		.data = data, .stride_bytes = stride, .size_bytes = (uint32_t)bytes};
	frame->planes[1] = (struct frame_plane){
		.data = data + bytes, .stride_bytes = stride, .size_bytes = (uint32_t)bytes / 2};
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			paint_pixel(frame, x, y, data + (size_t)y * stride + (size_t)x * pixel);
	for (uint32_t y = 0; nv12 && y < height; y += 2)
		for (uint32_t x = 0; x < width; x++)
			data[bytes + (size_t)y / 2 * stride + x] = paint_chroma(
				x & ~1u, y, x & 1 ? 2 : 0);
	return 0;
}

/* Whole MCUs, and no power of two. */
static size_t plane_stride(const struct frame *frame)
{
	return (((size_t)frame->width + 63) / 64 | 1) * 64;
}

static int make_planes(struct bench *bench)
{
	size_t stride = plane_stride(&bench->frame), rows = bench->frame.height + 2 * DCTSIZE;

	for (int i = 0; i < 3; i++) {
		bench->planes[i] = malloc(stride * rows);
		if (!bench->planes[i])
			return -ENOMEM;
		for (size_t y = 0; y < rows; y++)
			for (size_t x = 0; x < stride; x++)
				bench->planes[i][y * stride + x] = i ? paint_chroma(2.0 * x,
									       2.0 * y,
									       i == 2 ? 2 : 0)
								     : paint_luma(x, y);
	}
	return 0;
}

/* ---- the way of the peers ---- */

/* One row as packed Y, Cb, Cr for every pixel. */
static void unpack_row(const struct frame *frame, uint32_t row, uint8_t *out)
{
	const uint8_t *luma = frame->planes[0].data + (size_t)row * frame->planes[0].stride_bytes;
	const uint8_t *chroma = luma + 1;
	uint32_t step = 2;

	if (frame->fourcc == V4L2_PIX_FMT_NV12) {
		chroma = frame->planes[1].data + (size_t)(row / 2) * frame->planes[1].stride_bytes;
		step = 1;
	}
	for (uint32_t x = 0; x < frame->width; x += 2) {
		const uint8_t *pair = chroma + (size_t)x * step;

		*out++ = luma[(size_t)x * step];
		*out++ = pair[0];
		*out++ = pair[step];
		*out++ = luma[(size_t)(x + 1) * step];
		*out++ = pair[0];
		*out++ = pair[step];
	}
}

/* ---- ways ---- */

/* libjpeg writes to the packet's memory, which is large enough. */
static void begin_plainly(struct bench *bench, struct jpeg_compress_struct *c, bool raw)
{
	struct packet_piece *piece = &bench->packet.pieces[0];

	bench->written_bytes = piece->capacity_bytes;
	jpeg_mem_dest(c, &piece->memory, &bench->written_bytes);
	c->image_width = bench->frame.width;
	c->image_height = bench->frame.height;
	c->input_components = 3;
	c->in_color_space = bench->frame.fourcc == V4L2_PIX_FMT_RGB24 && !raw ? JCS_RGB : JCS_YCbCr;
	jpeg_set_defaults(c);
	jpeg_set_quality(c, QUALITY, TRUE);
	c->raw_data_in = raw;
	jpeg_start_compress(c, TRUE);
}

/* Copy n rows of a plane, and say where they are. */
static void copy_rows(
	const struct bench *bench, int plane, size_t first, size_t n, uint8_t *to, JSAMPROW *rows)
{
	size_t stride = plane_stride(&bench->frame);
	size_t width = plane ? bench->frame.width / 2 : bench->frame.width;

	for (size_t i = 0; i < n; i++) {
		rows[i] = to + i * stride;
		memcpy(rows[i], bench->planes[plane] + (first + i) * stride, width);
	}
}

/* The compressor is kept. */
static int encode_floor(struct bench *bench, const struct way *way)
{
	uint8_t *blue = bench->rows + 2 * DCTSIZE * plane_stride(&bench->frame);
	uint8_t *red = blue + DCTSIZE * plane_stride(&bench->frame);
	struct jpeg_compress_struct *c = &bench->floor;
	JSAMPROW y[2 * DCTSIZE], cb[DCTSIZE], cr[DCTSIZE];
	JSAMPARRAY image[] = {y, cb, cr};

	(void)way;
	begin_plainly(bench, c, true);
	while (c->next_scanline < c->image_height) {
		copy_rows(bench, 0, c->next_scanline, 2 * DCTSIZE, bench->rows, y);
		copy_rows(bench, 1, c->next_scanline / 2, DCTSIZE, blue, cb);
		copy_rows(bench, 2, c->next_scanline / 2, DCTSIZE, red, cr);
		jpeg_write_raw_data(c, image, 2 * DCTSIZE);
	}
	jpeg_finish_compress(c);
	bench->packet.length_bytes = bench->written_bytes;
	return 0;
}

static int encode_scanlines(struct bench *bench, const struct way *way)
{
	const struct frame *frame = &bench->frame;
	struct jpeg_compress_struct c;
	JSAMPROW row = bench->line;

	(void)way;
	c.err = &bench->errors;
	jpeg_create_compress(&c);
	begin_plainly(bench, &c, false);
	while (c.next_scanline < c.image_height) {
		if (frame->fourcc == V4L2_PIX_FMT_RGB24)
			row = (JSAMPROW)frame->planes[0].data +
			      (size_t)c.next_scanline * frame->planes[0].stride_bytes;
		else
			unpack_row(frame, c.next_scanline, bench->line);
		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	bench->packet.length_bytes = bench->written_bytes;
	jpeg_destroy_compress(&c);
	return 0;
}

ON_ENCODE static int encode_ours(struct bench *bench, const struct way *way)
{
	bench->frame.encoding = way->encoding;
	bench->frame.range = way->range;
	bench->frame.order = way->order;
	if (way->divisor) {
		bench->frame.order.width = bench->frame.width / way->divisor;
		bench->frame.order.height = bench->frame.height / way->divisor;
	}
	return jpeg_encode(bench->encoders[way->chroma], &bench->frame, &bench->packet);
}

/* Cameras send 4:2:2. */
ON_ENCODE static int make_jpeg(struct bench *bench)
{
	int err = jpeg_encode(bench->encoders[JPEG_CHROMA_422], &bench->frame, &bench->packet);

	if (err < 0)
		return err;
	bench->jpeg_bytes = bench->packet.length_bytes;
	bench->jpeg = malloc(bench->jpeg_bytes);
	if (!bench->jpeg)
		return -ENOMEM;
	memcpy(bench->jpeg, bench->packet.pieces[0].data, bench->jpeg_bytes);
	return 0;
}

ON_ENCODE static int encode_decoded(struct bench *bench, const struct way *way)
{
	struct frame view = {0};
	int err = bench->jpeg ? 0 : make_jpeg(bench);

	if (!err)
		err = jpeg_decode(
			bench->decoder, bench->jpeg, bench->jpeg_bytes, way->scale_denom, &view);
	view.order.width = bench->frame.width / way->divisor;
	view.order.height = bench->frame.height / way->divisor;
	return err ? err : jpeg_encode(bench->encoders[way->chroma], &view, &bench->packet);
}

ANY_THREAD static int make_chain(enum bench_filter filter, struct chain **ret_chain)
{
	static const struct {
		const char *steps;
		enum process_setting setting;
		const char *value;
	} settings[FILTERS] = {
		[MASK_BLACK] = {"mask", PROCESS_MASK_STYLE, "black"},
		[MASK_MOSAIC] = {"mask", PROCESS_MASK_STYLE, "mosaic"},
		[OVERLAY] = {"overlay", PROCESS_OVERLAY, "bottom-left {name} %F %T"},
		[OVERLAY_NUMBER] = {"overlay", PROCESS_OVERLAY, "bottom-left {name} {sequence} %F"},
		[PLUGIN] = {"plugin:" PLUGIN_DIR "/brightness.so", PROCESS_PLUGIN_DIR, PLUGIN_DIR},
	};
	static struct filter_stats stats[FILTERS_NAMED];
	char reason[PROCESS_REASON_BYTES];
	struct process_config config;

	process_config_init(&config);
	config.camera = "bench";
	config.font = FONT;
	(void)process_set(&config, PROCESS_STEPS, settings[filter].steps); /* these are right */
	(void)process_set(&config, PROCESS_MASK, "25,25 75,25 75,75 25,75");
	(void)process_set(&config, settings[filter].setting, settings[filter].value);
	return chain_create(&config, stats, ret_chain, reason);
}

ON_ENCODE static int encode_filtered(struct bench *bench, const struct way *way)
{
	struct chain **chain = &bench->chains[way->filter];
	struct frame view = bench->frame;
	struct results results = {0};
	stat_counter copied_bytes = 0;
	int err = *chain ? 0 : make_chain(way->filter, chain);

	view.sequence = bench->sequence++;
	if (!err)
		err = chain_run(*chain, &view, &results, &copied_bytes);
	return err ? err : jpeg_encode(bench->encoders[way->chroma], &view, &bench->packet);
}

ON_ENCODE static int encode_whole(struct bench *bench, const struct way *way)
{
	(void)way;
	return slicer_encode_in(bench->slicer, &bench->frame, 1, &bench->packet);
}

ON_ENCODE static int encode_sliced(struct bench *bench, const struct way *way)
{
	(void)way;
	return slicer_encode_in(
		bench->slicer, &bench->frame, workers_n_threads(bench->workers), &bench->packet);
}

ON_ENCODE static int encode_chosen(struct bench *bench, const struct way *way)
{
	(void)way;
	return slicer_encode(bench->slicer, &bench->frame, &bench->packet);
}

/* The first is what the others are compared with. */
static const struct way cpu_ways[] = {
	{"floor", encode_floor},
	{"4:2:0", encode_ours, .chroma = JPEG_CHROMA_420},
	{"from BT.709", encode_ours, .chroma = JPEG_CHROMA_420, .encoding = FRAME_BT709,
		.range = FRAME_LIMITED_RANGE},
	{"4:2:2", encode_ours, .chroma = JPEG_CHROMA_422},
	{"source's", encode_ours, .chroma = JPEG_CHROMA_SOURCE},
	{"scanlines", encode_scanlines},
};

static const struct way order_ways[] = {
	{"as it lies", encode_ours},
	{"180", encode_ours, .order = {.mirrored = true, .flipped = true}},
	{"90", encode_ours, .order = {.flipped = true, .transposed = true}},
	{"270", encode_ours, .order = {.mirrored = true, .transposed = true}},
	{"1/2", encode_ours, .divisor = 2},
	{"1/4", encode_ours, .divisor = 4},
	{"1/8", encode_ours, .divisor = 8},
};

static const struct way filter_ways[] = {
	{"as it lies", encode_ours},
	{"mask, black", encode_filtered, .filter = MASK_BLACK},
	{"mask, mosaic", encode_filtered, .filter = MASK_MOSAIC},
	{"overlay", encode_filtered, .filter = OVERLAY},
	{"overlay, a number", encode_filtered, .filter = OVERLAY_NUMBER},
	{"plugin", encode_filtered, .filter = PLUGIN},
};

static const struct way decode_ways[] = {
	{"whole", encode_decoded, .scale_denom = 1, .divisor = 1},
	{"1/2 of the whole", encode_decoded, .scale_denom = 1, .divisor = 2},
	{"1/2", encode_decoded, .scale_denom = 2, .divisor = 2},
	{"1/4 of the whole", encode_decoded, .scale_denom = 1, .divisor = 4},
	{"1/4", encode_decoded, .scale_denom = 4, .divisor = 4},
	{"1/8 of the whole", encode_decoded, .scale_denom = 1, .divisor = 8},
	{"1/8", encode_decoded, .scale_denom = 8, .divisor = 8},
};

static const struct way cut_ways[] = {
	{"whole", encode_whole},
	{"whole again", encode_whole},
	{"a slice a core", encode_sliced},
	{"as chosen", encode_chosen},
};

/* ---- turns ---- */

/* What is measured: which ways, by which clock, after which pause. */
static const struct part {
	const char *name, *title;
	const struct way *ways;
	unsigned n_ways;
	clockid_t clock;
	bool cut, busy;
} parts[] = {
	{"cpu", "CPU time", cpu_ways, sizeof cpu_ways / sizeof *cpu_ways, CLOCK_THREAD_CPUTIME_ID},
	{"idle", "Begin to end, cores idle", cut_ways, sizeof cut_ways / sizeof *cut_ways,
		CLOCK_MONOTONIC, .cut = true},
	{"busy", "Begin to end, cores busy", cut_ways, sizeof cut_ways / sizeof *cut_ways,
		CLOCK_MONOTONIC, .cut = true, .busy = true},
	{"order", "CPU time by order", order_ways, sizeof order_ways / sizeof *order_ways,
		CLOCK_THREAD_CPUTIME_ID},
	{"filter", "CPU time by filter", filter_ways, sizeof filter_ways / sizeof *filter_ways,
		CLOCK_THREAD_CPUTIME_ID},
	{"decode", "CPU time by size of a JPEG", decode_ways,
		sizeof decode_ways / sizeof *decode_ways, CLOCK_THREAD_CPUTIME_ID},
};
#define N_PARTS (sizeof parts / sizeof parts[0])

/* Encode a frame; *ret_took_ns is the time that it took. */
ON_ENCODE static int take_turn(
	struct bench *bench, const struct part *part, const struct way *way, uint64_t *ret_took_ns)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t begin_ns;
	int err;

	if (part->cut)
		(void)nanosleep(&pause, NULL); /* a shorter one does no harm */
	begin_ns = clock_read_ns(part->clock);
	err = way->encode(bench, way);
	*ret_took_ns = clock_read_ns(part->clock) - begin_ns;
	return err;
}

/* Each round begins with another way: what one leaves behind comes to each of the others. */
ON_ENCODE static int run_rounds(struct bench *bench, const struct part *part, unsigned rounds)
{
	const struct way *last = &part->ways[part->n_ways - 1];
	uint64_t took_ns;
	int err = 0;

	for (unsigned i = 0; part->cut && !err && i < FRAMES_TO_LEARN; i++)
		err = take_turn(bench, part, last, &took_ns);
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; !err && i < part->n_ways; i++) {
			unsigned way = (round + i) % part->n_ways;
			struct result *result = &bench->results[way];

			err = take_turn(bench, part, &part->ways[way], &result->took_ns[round]);
			result->bytes = bench->packet.length_bytes;
			result->n_sliced += bench->packet.n_pieces > 1;
		}
	return err;
}

/* ---- the report ---- */

struct times {
	double median_ms, mean_ms, p95_ms, best_ms;
};

static int compare_times(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static struct times times_of(const struct result *result, unsigned rounds)
{
	uint64_t sum_ns = 0;

	qsort(result->took_ns, rounds, sizeof *result->took_ns, compare_times);
	for (unsigned i = 0; i < rounds; i++)
		sum_ns += result->took_ns[i];
	return (struct times){
		.median_ms = (double)result->took_ns[rounds / 2] / NS_PER_MS,
		.mean_ms = (double)sum_ns / rounds / NS_PER_MS,
		.p95_ms = (double)result->took_ns[rounds * 19 / 20] / NS_PER_MS,
		.best_ms = (double)result->took_ns[0] / NS_PER_MS,
	};
}

static void report_title(const struct part *part, unsigned rounds)
{
	printf("\n%s: median ms of %u frames, as a multiple of the first%s\n%-19s", part->title,
		rounds, part->cut ? ", and that of the means" : ", and size", "");
	for (unsigned i = 0; i < part->n_ways; i++)
		printf("  %-*s", part->cut ? 18 : 19, part->ways[i].name);
	putchar('\n');
}

static void report_frame(const struct part *part, const struct bench *bench, const char *chroma,
	unsigned rounds, json_t *report)
{
	struct times first = times_of(&bench->results[0], rounds);
	char format[5] = "";

	memcpy(format, &bench->frame.fourcc, 4);
	printf("%s %4ux%-4u %3s", format, bench->frame.width, bench->frame.height, chroma);
	for (unsigned i = 0; i < part->n_ways; i++) {
		const struct result *result = &bench->results[i];
		struct times times = times_of(result, rounds);
		double median_ratio = times.median_ms / first.median_ms;
		double mean_ratio = times.mean_ms / first.mean_ms;

		printf("  %6.2f %4.2fx", times.median_ms, median_ratio);
		if (part->cut)
			printf(" %4.2fx", mean_ratio);
		else
			printf(" %3zu KB", result->bytes / 1000);
		/* One that cannot be added is missed by nobody but us. */
		(void)json_array_append_new(report,
			json_pack("{ss ss ss ss si si sf sf sf sf sf sf sI sf}", "part", part->name,
				"format", format, "chroma", chroma, "way", part->ways[i].name,
				"width", (int)bench->frame.width, "height",
				(int)bench->frame.height, "median_ms", times.median_ms, "mean_ms",
				times.mean_ms, "p95_ms", times.p95_ms, "best_ms", times.best_ms,
				"median_ratio", median_ratio, "mean_ratio", mean_ratio, "bytes",
				(json_int_t)result->bytes, "sliced",
				(double)result->n_sliced / rounds));
	}
	putchar('\n');
}

/* ---- all ---- */

static const struct {
	uint32_t fourcc;
	enum jpeg_chroma chroma;
	const char *name;
} sources[] = {
	{V4L2_PIX_FMT_YUYV, JPEG_CHROMA_420, "420"},
	{V4L2_PIX_FMT_NV12, JPEG_CHROMA_420, "420"},
	{V4L2_PIX_FMT_RGB24, JPEG_CHROMA_420, "420"},
	/* For those that are cut; by CPU time each source is measured with every chroma. */
	{V4L2_PIX_FMT_YUYV, JPEG_CHROMA_422, "422"},
	{V4L2_PIX_FMT_RGB24, JPEG_CHROMA_SOURCE, "444"},
};
#define N_SOURCES      (sizeof sources / sizeof sources[0])
#define N_SOURCES_ONCE 3

static const struct {
	uint32_t width, height;
} sizes[] = {{640, 360}, {1280, 720}, {1920, 1080}};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

ON_MAIN static int open_bench(struct bench *bench, enum jpeg_chroma chroma, unsigned rounds)
{
	int err = make_planes(bench);

	bench->rows = calloc(4 * DCTSIZE, plane_stride(&bench->frame));
	bench->line = malloc((size_t)bench->frame.width * 3);
	bench->floor.err = jpeg_std_error(&bench->errors);
	jpeg_create_compress(&bench->floor);
	for (enum jpeg_chroma c = JPEG_CHROMA_420; !err && c <= JPEG_CHROMA_SOURCE; c++)
		err = jpeg_encoder_create(&(struct jpeg_config){QUALITY, c}, &bench->encoders[c]);
	if (!err)
		err = jpeg_decoder_create(&bench->decoder);
	if (!err)
		err = workers_create(0, 1, &bench->workers);
	if (!err)
		err = slicer_create(
			&(struct jpeg_config){QUALITY, chroma}, bench->workers, &bench->slicer);
	for (unsigned i = 0; i < WAYS_MOST; i++) {
		bench->results[i].took_ns = calloc(rounds, sizeof(uint64_t));
		if (!bench->results[i].took_ns)
			err = -ENOMEM;
	}
	return bench->rows && bench->line ? err : -ENOMEM;
}

ON_MAIN static void close_bench(struct bench *bench)
{
	for (unsigned i = 0; i < WAYS_MOST; i++)
		free(bench->results[i].took_ns);
	for (unsigned i = 0; i < FILTERS; i++)
		chain_destroy(bench->chains[i]);
	slicer_destroy(bench->slicer);
	workers_destroy(bench->workers);
	for (enum jpeg_chroma c = JPEG_CHROMA_420; c <= JPEG_CHROMA_SOURCE; c++)
		jpeg_encoder_destroy(bench->encoders[c]);
	jpeg_decoder_destroy(bench->decoder);
	jpeg_destroy_compress(&bench->floor);
	for (unsigned i = 0; i < PACKET_PIECES_MOST; i++)
		free(bench->packet.pieces[i].memory);
	for (int i = 0; i < 3; i++)
		free(bench->planes[i]);
	free(bench->rows);
	free(bench->line);
	free(bench->jpeg);
	free((uint8_t *)bench->frame.planes[0].data);
}

ON_MAIN ON_ENCODE static int bench_frame(
	const struct part *part, size_t source, size_t size, unsigned rounds, json_t *report)
{
	uint32_t width = sizes[size].width, height = sizes[size].height;
	struct bench bench = {0};
	int err = make_frame(&bench.frame, sources[source].fourcc, width, height);

	if (!err)
		err = open_bench(&bench, sources[source].chroma, rounds);
	/* Room for every way, so that none pays for growing it. */
	if (!err)
		err = packet_reserve(&bench.packet.pieces[0], (size_t)width * height * 3);
	if (!err)
		err = run_rounds(&bench, part, rounds);
	if (!err)
		report_frame(part, &bench, part->cut ? sources[source].name : "", rounds, report);
	close_bench(&bench);
	return err;
}

/* Give every core a process that never sleeps, until they are killed or we end. */
static int make_busy(pid_t pids[BUSY_MOST], unsigned *ret_n)
{
	long n_cores = sysconf(_SC_NPROCESSORS_ONLN);

	for (*ret_n = 0; *ret_n < n_cores && *ret_n < BUSY_MOST; ++*ret_n) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (!pid) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail */
			for (volatile bool for_ever = true; for_ever;)
				;
		}
		pids[*ret_n] = pid;
	}
	return 0;
}

ON_MAIN ON_ENCODE static int bench_part(const struct part *part, unsigned rounds, json_t *report)
{
	size_t n_sources = part->cut ? N_SOURCES : N_SOURCES_ONCE;
	pid_t pids[BUSY_MOST];
	unsigned n_busy = 0;
	int err = 0;

	report_title(part, rounds);
	(void)fflush(stdout); /* else each child has a copy */
	if (part->busy)
		err = make_busy(pids, &n_busy);
	for (size_t i = 0; !err && i < n_sources * N_SIZES; i++)
		err = bench_frame(part, i / N_SIZES, i % N_SIZES, rounds, report);
	while (n_busy) {
		(void)kill(pids[--n_busy], SIGKILL); /* ours, and not yet waited for */
		(void)waitpid(pids[n_busy], NULL, 0);
	}
	return err;
}

static bool is_named(const struct part *part, char *const names[], int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], part->name))
			return true;
	return false;
}

/* Run the parts that are named, or all. -EINVAL when a name is none's, or given twice. */
ON_MAIN ON_ENCODE static int bench_all(
	char *const names[], int n_names, unsigned rounds, json_t *report)
{
	int err = 0, n_found = 0;

	for (size_t i = 0; i < N_PARTS; i++)
		n_found += is_named(&parts[i], names, n_names);
	if (n_found != n_names)
		return -EINVAL;
	printf("quality %d, %ld cores\n", QUALITY, sysconf(_SC_NPROCESSORS_ONLN));
	for (size_t i = 0; !err && i < N_PARTS; i++)
		if (!n_names || is_named(&parts[i], names, n_names))
			err = bench_part(&parts[i], rounds, report);
	return err;
}

static int write_report(const char *path, unsigned rounds, json_t *rows)
{
	json_t *report = json_pack("{si si si sO}", "quality", QUALITY, "rounds", (int)rounds,
		"cores", (int)sysconf(_SC_NPROCESSORS_ONLN), "rows", rows);
	int err = report ? json_dump_file(report, path, JSON_INDENT(1)) : -1;

	json_decref(report);
	if (err)
		fprintf(stderr, "bench-encode: cannot write %s\n", path);
	return err ? -EIO : 0;
}

static int usage(int status)
{
	fprintf(stderr,
		"usage: bench-encode [--rounds 1..%d] [--json FILE] [cpu] [idle] [busy] [order] "
		"[filter] [decode]\n",
		ROUNDS_MOST);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"json", required_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	unsigned long rounds = 100;
	const char *path = NULL;
	json_t *rows = json_array();
	char *end = "";
	int option, err;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			rounds = strtoul(optarg, &end, 10);
		else if (option == 'j')
			path = optarg;
		else
			return usage(option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	if (*end || !rounds || rounds > ROUNDS_MOST)
		return usage(EXIT_FAILURE);
	role_take(&role_main, NULL);
	role_take(&role_encode, NULL);
	err = bench_all(argv + optind, argc - optind, (unsigned)rounds, rows);
	if (!err && path)
		err = write_report(path, (unsigned)rounds, rows);
	json_decref(rows);
	if (err == -EINVAL)
		return usage(EXIT_FAILURE);
	if (err < 0)
		fprintf(stderr, "bench-encode: %s\n", strerror(-err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
