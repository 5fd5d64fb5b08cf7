/*
 * What encoding one frame costs: Fanlight's encoder beside libjpeg-turbo's scanline interface, the
 * way most camera servers feed it, on the same frames, taking turns.
 *
 * Prints medians of the thread's CPU time, which other programs on the machine disturb least.
 *
 * Then how long one takes from its begin to its end when it is whole, in a slice for each core, and
 * as Fanlight chooses; with cores that are idle, and with cores that have other work.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>
#include <linux/videodev2.h>

#include "base/clock.h"
#include "base/roles.h"
#include "encode/jpeg.h"
#include "encode/slicer.h"
#include "exchange/packet.h"

#define QUALITY     80
#define ROUNDS_MOST 10000

/* Between two frames, as cameras leave one: long enough for cores to fall asleep. */
#define PAUSE_NS (10 * NS_PER_MS)

/* Enough for the choice whether to slice. */
#define FRAMES_TO_LEARN 100

#define BUSY_MOST 64

/* The ways to encode that are compared. */
enum way {
	OURS_420,
	OURS_420_BT709, /* as OURS_420, and the colours brought from limited BT.709 to JFIF's */
	OURS_422,
	SCANLINES,
	WAYS,
};

struct bench {
	struct frame frame;
	struct packet packet;
	struct jpeg_encoder *encoders[SCANLINES];
	uint8_t *line;           /* packed 4:4:4 */
	uint64_t *cost_ns[WAYS]; /* of each round */
	size_t bytes[WAYS];
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

static void paint_yuyv(struct frame *frame, uint8_t *data)
{
	for (uint32_t y = 0; y < frame->height; y++)
		for (uint32_t x = 0; x < frame->width; x++) {
			*data++ = paint_luma(x, y);
			*data++ = paint_chroma(x & ~1u, y, x & 1 ? 2 : 0);
		}
}

static void paint_nv12(struct frame *frame, uint8_t *data)
{
	for (uint32_t y = 0; y < frame->height; y++)
		for (uint32_t x = 0; x < frame->width; x++)
			*data++ = paint_luma(x, y);
	for (uint32_t y = 0; y < frame->height; y += 2)
		for (uint32_t x = 0; x < frame->width; x++)
			*data++ = paint_chroma(x & ~1u, y, x & 1 ? 2 : 0);
}

static int make_frame(struct frame *frame, uint32_t fourcc, uint32_t width, uint32_t height)
{
	size_t luma_bytes = (size_t)width * height;
	bool packed = fourcc == V4L2_PIX_FMT_YUYV;
	uint32_t stride = packed ? width * 2 : width;
	uint8_t *data = malloc(luma_bytes * 2);

	if (!data)
		return -ENOMEM;
	*frame = (struct frame){
		.fourcc = fourcc, .width = width, .height = height, .n_planes = packed ? 1 : 2};
	frame->planes[0] = (struct frame_plane){
		.data = data, .stride_bytes = stride, .size_bytes = stride * height};
	frame->planes[1] = (struct frame_plane){.data = data + luma_bytes,
		.stride_bytes = stride,
		.size_bytes = stride * height / 2};
	if (packed)
		paint_yuyv(frame, data);
	else
		paint_nv12(frame, data);
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

static int encode_scanlines(struct bench *bench)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	unsigned char *memory = bench->packet.pieces[0].memory;
	unsigned long length = bench->packet.pieces[0].capacity_bytes;
	JSAMPROW row = bench->line;

	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &memory, &length);
	c.image_width = bench->frame.width;
	c.image_height = bench->frame.height;
	c.input_components = 3;
	c.in_color_space = JCS_YCbCr;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, QUALITY, TRUE);
	jpeg_start_compress(&c, TRUE);
	while (c.next_scanline < c.image_height) {
		unpack_row(&bench->frame, c.next_scanline, bench->line);
		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	if (memory != bench->packet.pieces[0].memory) {
		free(memory);
		return -ENOMEM;
	}
	bench->packet.length_bytes = length;
	return 0;
}

/* ---- turns ---- */

ON_ENCODE static int encode(struct bench *bench, enum way way)
{
	bool hd = way == OURS_420_BT709;

	if (way == SCANLINES)
		return encode_scanlines(bench);
	bench->frame.encoding = hd ? FRAME_BT709 : FRAME_BT601;
	bench->frame.range = hd ? FRAME_LIMITED_RANGE : FRAME_FULL_RANGE;
	return jpeg_encode(bench->encoders[way], &bench->frame, &bench->packet);
}

ON_ENCODE static int run_rounds(struct bench *bench, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++)
		for (enum way way = 0; way < WAYS; way++) {
			uint64_t begin_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
			int err = encode(bench, way);

			if (err < 0)
				return err;
			bench->cost_ns[way][round] = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) -
						     begin_ns;
			bench->bytes[way] = bench->packet.length_bytes;
		}
	return 0;
}

static int compare_costs(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Sorts. */
static double median_ms(uint64_t *cost_ns, unsigned rounds)
{
	qsort(cost_ns, rounds, sizeof *cost_ns, compare_costs);
	return (double)cost_ns[rounds / 2] / NS_PER_MS;
}

static void print_row(struct bench *bench, unsigned rounds)
{
	double peers_ms = median_ms(bench->cost_ns[SCANLINES], rounds);

	printf("%.4s %4ux%-4u", (const char *)&bench->frame.fourcc, bench->frame.width,
		bench->frame.height);
	for (enum way way = 0; way < SCANLINES; way++) {
		double ms = median_ms(bench->cost_ns[way], rounds);

		printf("  %6.2f %4.2fx %4zu KB", ms, peers_ms / ms, bench->bytes[way] / 1000);
	}
	printf("  %6.2f       %4zu KB\n", peers_ms, bench->bytes[SCANLINES] / 1000);
}

ON_ENCODE static int bench_frame(uint32_t fourcc, uint32_t width, uint32_t height, unsigned rounds)
{
	static const enum jpeg_chroma chromas[] = {
		JPEG_CHROMA_420, JPEG_CHROMA_420, JPEG_CHROMA_422};
	struct bench bench = {0};
	int err = make_frame(&bench.frame, fourcc, width, height);

	bench.line = malloc((size_t)width * 3);
	for (enum way way = 0; way < WAYS; way++)
		bench.cost_ns[way] = calloc(rounds, sizeof *bench.cost_ns[way]);
	for (enum way way = 0; !err && way < SCANLINES; way++)
		err = jpeg_encoder_create(
			&(struct jpeg_config){QUALITY, chromas[way]}, &bench.encoders[way]);
	/* Room for every way, so that none pays for growing it. */
	if (!err)
		err = packet_reserve(&bench.packet.pieces[0], (size_t)width * height * 2);

	if (!err)
		err = run_rounds(&bench, rounds);
	if (!err)
		print_row(&bench, rounds);
	for (enum way way = 0; way < SCANLINES; way++)
		jpeg_encoder_destroy(bench.encoders[way]);
	for (enum way way = 0; way < WAYS; way++)
		free(bench.cost_ns[way]);
	free((uint8_t *)bench.frame.planes[0].data);
	free(bench.packet.pieces[0].memory);
	free(bench.line);
	return err;
}

/* ---- slices ---- */

enum cut { WHOLE, SLICED, CHOSEN, CUTS };

struct slices_bench {
	struct frame frame;
	struct packet packet;
	struct workers *workers;
	struct slicer *slicer; /* of workers */
	uint64_t *took_ns[CUTS];
	unsigned n_sliced; /* of the chosen */
};

/* Encode a frame after a pause; *ret_took_ns is the time on the wall. */
ON_ENCODE static int encode_cut(struct slices_bench *bench, enum cut cut, uint64_t *ret_took_ns)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t begin_ns;
	int err;

	(void)nanosleep(&pause, NULL); /* a shorter one does no harm */
	begin_ns = clock_now_ns();
	if (cut == CHOSEN)
		err = slicer_encode(bench->slicer, &bench->frame, &bench->packet);
	else
		err = slicer_encode_in(bench->slicer, &bench->frame,
			cut == WHOLE ? 1 : workers_n_threads(bench->workers), &bench->packet);
	*ret_took_ns = clock_now_ns() - begin_ns;
	return err;
}

ON_ENCODE static int run_slices(struct slices_bench *bench, unsigned rounds)
{
	int err = 0;

	for (unsigned i = 0; !err && i < FRAMES_TO_LEARN; i++)
		err = encode_cut(bench, CHOSEN, &bench->took_ns[CHOSEN][0]);
	for (unsigned round = 0; !err && round < rounds; round++) {
		for (enum cut cut = 0; !err && cut < CUTS; cut++)
			err = encode_cut(bench, cut, &bench->took_ns[cut][round]);
		bench->n_sliced += bench->packet.n_pieces > 1;
	}
	return err;
}

static void print_slices(struct slices_bench *bench, unsigned rounds)
{
	double whole_ms = median_ms(bench->took_ns[WHOLE], rounds);
	double whole_best_ms = (double)bench->took_ns[WHOLE][0] / NS_PER_MS;

	printf("%.4s %4ux%-4u  %6.2f %6.2f", (const char *)&bench->frame.fourcc, bench->frame.width,
		bench->frame.height, whole_ms, whole_best_ms);
	for (enum cut cut = SLICED; cut < CUTS; cut++) {
		double ms = median_ms(bench->took_ns[cut], rounds);
		double best_ms = (double)bench->took_ns[cut][0] / NS_PER_MS;

		printf("  %6.2f %6.2f %5.2fx %5.2fx", ms, best_ms, ms / whole_ms,
			best_ms / whole_best_ms);
	}
	printf("  %3u%%\n", bench->n_sliced * 100 / rounds);
}

ON_MAIN ON_ENCODE static int bench_slices(
	uint32_t fourcc, uint32_t width, uint32_t height, unsigned rounds)
{
	struct slices_bench bench = {0};
	int err = make_frame(&bench.frame, fourcc, width, height);

	for (enum cut cut = 0; cut < CUTS; cut++)
		bench.took_ns[cut] = calloc(rounds, sizeof *bench.took_ns[cut]);
	if (!err)
		err = workers_create(0, 1, &bench.workers);
	if (!err)
		err = slicer_create(&(struct jpeg_config){QUALITY, JPEG_CHROMA_420}, bench.workers,
			&bench.slicer);
	if (!err)
		err = run_slices(&bench, rounds);
	if (!err)
		print_slices(&bench, rounds);
	slicer_destroy(bench.slicer);
	workers_destroy(bench.workers);
	for (enum cut cut = 0; cut < CUTS; cut++)
		free(bench.took_ns[cut]);
	for (unsigned i = 0; i < PACKET_PIECES_MOST; i++)
		free(bench.packet.pieces[i].memory);
	free((uint8_t *)bench.frame.planes[0].data);
	return err;
}

/* ---- all ---- */

static const struct {
	uint32_t fourcc, width, height;
} frames[] = {
	{V4L2_PIX_FMT_YUYV, 640, 360},
	{V4L2_PIX_FMT_YUYV, 1280, 720},
	{V4L2_PIX_FMT_NV12, 1280, 720},
	{V4L2_PIX_FMT_YUYV, 1920, 1080},
	{V4L2_PIX_FMT_NV12, 1920, 1080},
};
#define N_FRAMES (sizeof frames / sizeof frames[0])

ON_ENCODE static int bench_ways(unsigned rounds)
{
	int err = 0;

	printf("CPU ms per frame, median of %u; quality %d; x: times as fast as scanlines\n"
	       "frame           ours, 4:2:0            and from BT.709        ours, 4:2:2"
	       "            scanlines, 4:2:0\n",
		rounds, QUALITY);
	for (size_t i = 0; !err && i < N_FRAMES; i++)
		err = bench_frame(frames[i].fourcc, frames[i].width, frames[i].height, rounds);
	return err;
}

ON_MAIN ON_ENCODE static int bench_cuts(unsigned rounds, const char *cores)
{
	int err = 0;

	printf("\nms from begin to end, median and best of %u; quality %d; x: of whole; cores %s\n"
	       "frame           whole          a slice for each core       as chosen\n",
		rounds, QUALITY, cores);
	for (size_t i = 0; !err && i < N_FRAMES; i++)
		err = bench_slices(frames[i].fourcc, frames[i].width, frames[i].height, rounds);
	return err;
}

static void *be_busy(void *context)
{
	const atomic_bool *over = context;

	while (!atomic_load_explicit(over, memory_order_relaxed))
		;
	return NULL;
}

/* bench_cuts() while every core has one more thing to do. */
ON_MAIN ON_ENCODE static int bench_cuts_busy(unsigned rounds)
{
	long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[BUSY_MOST];
	atomic_bool over = false;
	int err = 0, n = 0;

	while (!err && n < n_cores && n < BUSY_MOST) {
		err = -pthread_create(&threads[n], NULL, be_busy, &over);
		n += !err;
	}
	if (!err)
		err = bench_cuts(rounds, "busy");
	atomic_store(&over, true);
	while (n)
		(void)pthread_join(threads[--n], NULL); /* ours, joined once */
	return err;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	unsigned long rounds = 100;
	char *end = NULL;
	int option, err;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			rounds = strtoul(optarg, &end, 10);
		if (option != 'r' || *end || !rounds || rounds > ROUNDS_MOST) {
			fprintf(stderr, "usage: bench-encode [--rounds 1..%d]\n", ROUNDS_MOST);
			return option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
		}
	}
	role_take(&role_main, NULL);
	role_take(&role_encode, NULL);
	err = bench_ways((unsigned)rounds);
	if (!err)
		err = bench_cuts((unsigned)rounds, "idle");
	if (!err)
		err = bench_cuts_busy((unsigned)rounds);
	if (err < 0)
		fprintf(stderr, "bench-encode: %s\n", strerror(-err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
