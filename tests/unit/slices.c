/* Frames in slices are the pictures that libjpeg itself makes with restart intervals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <linux/videodev2.h>

#include "encode/rows.h"
#include "encode/slicer.h"
#include "frames.h"

#define QUALITY 85
#define THREADS 4

static const struct size sizes[] = {{1, 1}, {17, 9}, {33, 31}, {50, 129}, {64, 48}, {131, 257}};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

/* ---- pictures ---- */

static void free_pieces(struct packet *packet)
{
	for (unsigned i = 0; i < PACKET_PIECES_MOST; i++)
		free(packet->pieces[i].memory);
}

/* The pieces of a packet as a client gets them, to be freed. */
static uint8_t *join(const struct packet *packet)
{
	uint8_t *jpeg = malloc(packet->length_bytes), *end = jpeg;

	assert_non_null(jpeg);
	for (unsigned i = 0; i < packet->n_pieces; i++) {
		memcpy(end, packet->pieces[i].data, packet->pieces[i].length_bytes);
		end += packet->pieces[i].length_bytes;
	}
	assert_int_equal(end - jpeg, packet->length_bytes);
	return jpeg;
}

static void libjpeg_failed(j_common_ptr libjpeg)
{
	char text[JMSG_LENGTH_MAX];

	libjpeg->err->format_message(libjpeg, text);
	fail_msg("%s", text);
}

/* Decode to pixels as they are in the file, to be freed. */
static uint8_t *decode(const struct packet *packet, size_t *ret_bytes)
{
	uint8_t *jpeg = join(packet), *pixels;
	struct jpeg_decompress_struct d = {0};
	struct jpeg_error_mgr errors;
	size_t row_bytes;

	d.err = jpeg_std_error(&errors);
	errors.error_exit = libjpeg_failed;
	jpeg_create_decompress(&d);
	jpeg_mem_src(&d, jpeg, packet->length_bytes);
	jpeg_read_header(&d, TRUE);
	d.out_color_space = d.jpeg_color_space;
	jpeg_start_decompress(&d);
	row_bytes = d.output_width * (size_t)d.output_components;
	*ret_bytes = row_bytes * d.output_height;
	pixels = malloc(*ret_bytes);
	while (d.output_scanline < d.output_height) {
		JSAMPROW row = pixels + d.output_scanline * row_bytes;

		jpeg_read_scanlines(&d, &row, 1);
	}
	jpeg_finish_decompress(&d);
	assert_int_equal(errors.num_warnings, 0);
	jpeg_destroy_decompress(&d);
	free(jpeg);
	return pixels;
}

static void assert_same_bytes(
	const struct packet *packet, const uint8_t *expected, size_t expected_bytes)
{
	uint8_t *jpeg = join(packet);

	assert_int_equal(packet->length_bytes, expected_bytes);
	assert_memory_equal(jpeg, expected, expected_bytes);
	free(jpeg);
}

static void assert_same_pixels(const struct packet *a, const struct packet *b)
{
	size_t a_bytes, b_bytes;
	uint8_t *a_pixels = decode(a, &a_bytes), *b_pixels = decode(b, &b_bytes);

	assert_int_equal(a_bytes, b_bytes);
	assert_memory_equal(a_pixels, b_pixels, a_bytes);
	free(a_pixels);
	free(b_pixels);
}

/* ---- slices, one after the other ---- */

ON_ENCODE static struct jpeg_encoder *make_encoder(enum jpeg_chroma chroma)
{
	struct jpeg_encoder *encoder;

	assert_int_equal(jpeg_encoder_create(&(struct jpeg_config){QUALITY, chroma}, &encoder), 0);
	return encoder;
}

/* Slice by slice, the last one first: none knows of another. */
ON_ENCODE static void encode_slices(struct jpeg_encoder *encoder, const struct frame *frame,
	const struct jpeg_cut *cut, struct packet *packet)
{
	for (unsigned i = cut->n_slices; i-- > 0;)
		assert_int_equal(jpeg_encode_slice(encoder, frame, cut, i, &packet->pieces[i]), 0);
	packet_compose(packet, cut->n_slices);
}

/* A frame in slices, beside the same frame uncut, with libjpeg's restart markers and without. */
ON_ENCODE static void check(struct jpeg_encoder *encoder, enum jpeg_chroma chroma,
	const struct frame *frame, unsigned n)
{
	struct packet sliced = {0}, marked = {0}, uncut = {0};
	struct jpeg_cut cut, marks;

	jpeg_cut(&(struct jpeg_config){QUALITY, chroma}, frame, n, &cut);
	assert_in_range(cut.n_slices, 1, n);
	marks = (struct jpeg_cut){1, frame_shown_height(frame), cut.restart_interval};
	encode_slices(encoder, frame, &cut, &sliced);
	encode_slices(encoder, frame, &marks, &marked);
	assert_same_bytes(&sliced, marked.pieces[0].data, marked.length_bytes);
	assert_int_equal(jpeg_encode(encoder, frame, &uncut), 0);
	assert_same_pixels(&sliced, &uncut);
	free_pieces(&sliced);
	free_pieces(&marked);
	free_pieces(&uncut);
}

ON_ENCODE static void slices_are_libjpegs_own_restart_intervals(void **state)
{
	(void)state;
	for (enum jpeg_chroma chroma = JPEG_CHROMA_420; chroma <= JPEG_CHROMA_SOURCE; chroma++) {
		struct jpeg_encoder *encoder = make_encoder(chroma);

		for (size_t f = 0; f < N_FORMATS; f++)
			for (size_t s = 0; s < N_SIZES; s++) {
				struct frame frame = make_frame(
					formats[f], sizes[s], FRAME_LIMITED_RANGE);

				for (unsigned n = 1; n <= PACKET_PIECES_MOST; n++)
					check(encoder, chroma, &frame, n);
				free_frame(&frame);
			}
		jpeg_encoder_destroy(encoder);
	}
}

/* Each slice reads what it needs of a frame that is turned, mirrored or scaled. */
ON_ENCODE static void slices_of_any_order_fit_together(void **state)
{
	static const uint32_t some[] = {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_YUV422P,
		V4L2_PIX_FMT_GREY, V4L2_PIX_FMT_RGB24};

	(void)state;
	for (enum jpeg_chroma chroma = JPEG_CHROMA_420; chroma <= JPEG_CHROMA_SOURCE; chroma++) {
		struct jpeg_encoder *encoder = make_encoder(chroma);

		for (unsigned i = 0; i < 16 * sizeof some / sizeof some[0]; i++) {
			struct frame frame = make_frame(
				some[i / 16], (struct size){131, 257}, FRAME_LIMITED_RANGE);

			frame.order = (struct frame_order){
				.mirrored = i & 1, .flipped = i & 2, .transposed = i & 4};
			if (i & 8) {
				frame.order.width = 120;
				frame.order.height = 99;
			}
			for (unsigned n = 2; n <= PACKET_PIECES_MOST; n += 3)
				check(encoder, chroma, &frame, n);
			free_frame(&frame);
		}
		jpeg_encoder_destroy(encoder);
	}
}

/* libjpeg without anything of ours, for frames whose rows it takes as they are. */
static uint8_t *compress_plainly(
	const struct frame *frame, unsigned restart_interval, unsigned long *ret_bytes)
{
	bool grey = frame->fourcc == V4L2_PIX_FMT_GREY;
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	unsigned char *jpeg = NULL;

	c.err = jpeg_std_error(&errors);
	errors.error_exit = libjpeg_failed;
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &jpeg, ret_bytes);
	c.image_width = frame->width;
	c.image_height = frame->height;
	c.input_components = grey ? 1 : 3;
	c.in_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, QUALITY, TRUE);
	c.restart_interval = restart_interval;
	jpeg_start_compress(&c, TRUE);
	while (c.next_scanline < c.image_height) {
		JSAMPROW row = (JSAMPROW)frame->planes[0].data +
			       c.next_scanline * frame->planes[0].stride_bytes;

		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	return jpeg;
}

ON_ENCODE static void slices_are_what_a_plain_program_gets_from_libjpeg(void **state)
{
	static const uint32_t plain[] = {V4L2_PIX_FMT_GREY, V4L2_PIX_FMT_RGB24};
	struct jpeg_encoder *encoder = make_encoder(JPEG_CHROMA_420);

	(void)state;
	for (size_t f = 0; f < 2; f++)
		for (unsigned n = 1; n <= PACKET_PIECES_MOST; n++) {
			struct frame frame = make_frame(
				plain[f], (struct size){131, 257}, FRAME_FULL_RANGE);
			struct packet packet = {0};
			unsigned long expected_bytes = 0;
			struct jpeg_cut cut;
			uint8_t *expected;

			jpeg_cut(&(struct jpeg_config){QUALITY, JPEG_CHROMA_420}, &frame, n, &cut);
			encode_slices(encoder, &frame, &cut, &packet);
			expected = compress_plainly(&frame, cut.restart_interval, &expected_bytes);
			assert_same_bytes(&packet, expected, expected_bytes);
			free(expected);
			free_pieces(&packet);
			free_frame(&frame);
		}
	jpeg_encoder_destroy(encoder);
}

static void slices_are_whole_mcu_rows_of_equal_height(void **state)
{
	static const struct {
		uint32_t fourcc;
		enum jpeg_chroma chroma;
		struct size size;
		unsigned n_wanted;
		struct jpeg_cut want;
	} cuts[] = {
		{V4L2_PIX_FMT_YUYV, JPEG_CHROMA_420, {1280, 720}, 1, {1, 720, 0}},
		{V4L2_PIX_FMT_YUYV, JPEG_CHROMA_420, {1280, 720}, 2, {2, 368, 80 * 23}},
		{V4L2_PIX_FMT_YUYV, JPEG_CHROMA_422, {1280, 720}, 4, {4, 184, 80 * 23}},
		{V4L2_PIX_FMT_NV12, JPEG_CHROMA_422, {1920, 1080}, 4, {4, 272, 120 * 17}},
		{V4L2_PIX_FMT_RGB24, JPEG_CHROMA_SOURCE, {1920, 1080}, 2, {2, 544, 240 * 68}},
		{V4L2_PIX_FMT_GREY, JPEG_CHROMA_420, {33, 9}, 8, {2, 8, 5}},
		/* Nine MCU rows: four slices of two leave one for the fifth. */
		{V4L2_PIX_FMT_RGB24, JPEG_CHROMA_420, {16, 144}, 6, {5, 32, 2}},
		{V4L2_PIX_FMT_YUYV, JPEG_CHROMA_420, {64, 16}, 4, {1, 16, 0}},
		/* 65536 MCUs a slice are one too many. */
		{V4L2_PIX_FMT_GREY, JPEG_CHROMA_420, {4096, 2048}, 2, {1, 2048, 0}},
		{V4L2_PIX_FMT_GREY, JPEG_CHROMA_420, {4096, 2048}, 3, {3, 688, 512 * 86}},
		{V4L2_PIX_FMT_MJPEG, JPEG_CHROMA_420, {640, 480}, 2, {1, 480, 0}},
		{V4L2_PIX_FMT_GREY, JPEG_CHROMA_420, {640, 0}, 2, {1, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct frame frame = {.fourcc = cuts[i].fourcc,
			.width = cuts[i].size.width,
			.height = cuts[i].size.height};
		struct jpeg_cut cut;

		jpeg_cut(&(struct jpeg_config){QUALITY, cuts[i].chroma}, &frame, cuts[i].n_wanted,
			&cut);
		assert_int_equal(cut.n_slices, cuts[i].want.n_slices);
		assert_int_equal(cut.slice_rows, cuts[i].want.slice_rows);
		assert_int_equal(cut.restart_interval, cuts[i].want.restart_interval);
	}
}

/* ---- slices, at the same time ---- */

struct rig {
	struct workers *workers;
	struct slicer *slicer;
};

static struct rig make_rig(unsigned n_threads)
{
	struct jpeg_config config = {QUALITY, JPEG_CHROMA_420};
	struct rig rig;

	role_take(&role_main, NULL);
	assert_int_equal(workers_create(n_threads, 1, &rig.workers), 0);
	assert_int_equal(slicer_create(&config, rig.workers, &rig.slicer), 0);
	return rig;
}

static void free_rig(struct rig *rig)
{
	role_take(&role_main, NULL);
	slicer_destroy(rig->slicer);
	workers_destroy(rig->workers);
}

ON_ENCODE static void threads_make_the_same_picture(void **state)
{
	struct jpeg_encoder *encoder = make_encoder(JPEG_CHROMA_420);
	struct rig rig = make_rig(THREADS);

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct frame frame = make_frame(
			formats[i % N_FORMATS], sizes[N_SIZES - 1 - i % 3], FRAME_LIMITED_RANGE);
		struct packet packet = {0}, expected = {0};
		struct jpeg_cut cut;

		assert_int_equal(
			slicer_encode_in(rig.slicer, &frame, 2 + i % (THREADS - 1), &packet), 0);
		assert_int_equal(packet.width, frame.width);
		assert_int_equal(packet.height, frame.height);
		jpeg_cut(&(struct jpeg_config){QUALITY, JPEG_CHROMA_420}, &frame,
			2 + i % (THREADS - 1), &cut);
		encode_slices(encoder, &frame, &cut, &expected);
		assert_int_equal(packet.n_pieces, expected.n_pieces);
		for (unsigned k = 0; k < packet.n_pieces; k++) {
			assert_int_equal(
				packet.pieces[k].length_bytes, expected.pieces[k].length_bytes);
			assert_memory_equal(packet.pieces[k].data, expected.pieces[k].data,
				packet.pieces[k].length_bytes);
		}
		free_pieces(&packet);
		free_pieces(&expected);
		free_frame(&frame);
	}
	free_rig(&rig);
	jpeg_encoder_destroy(encoder);
}

ON_ENCODE static void quality_may_change_between_frames(void **state)
{
	struct frame frame = make_frame(
		V4L2_PIX_FMT_YUYV, (struct size){640, 480}, FRAME_FULL_RANGE);
	static const int qualities[] = {QUALITY, 10, 10, 95, QUALITY};
	struct rig rig = make_rig(THREADS);

	(void)state;
	for (size_t i = 0; i < sizeof qualities / sizeof *qualities; i++) {
		struct jpeg_config config = {qualities[i], JPEG_CHROMA_420};
		struct packet packet = {0}, expected = {0};
		struct jpeg_encoder *encoder;

		assert_int_equal(jpeg_encoder_create(&config, &encoder), 0);
		slicer_set_quality(rig.slicer, qualities[i]);
		assert_int_equal(slicer_encode_in(rig.slicer, &frame, 1, &packet), 0);
		assert_int_equal(jpeg_encode(encoder, &frame, &expected), 0);
		assert_int_equal(packet.length_bytes, expected.length_bytes);
		assert_memory_equal(
			packet.pieces[0].data, expected.pieces[0].data, packet.length_bytes);
		free_pieces(&packet);
		free_pieces(&expected);
		jpeg_encoder_destroy(encoder);
	}
	free_rig(&rig);
	free_frame(&frame);
}

ON_ENCODE static void slices_reuse_their_memory(void **state)
{
	struct frame frame = make_frame(
		V4L2_PIX_FMT_YUYV, (struct size){640, 480}, FRAME_FULL_RANGE);
	struct rig rig = make_rig(THREADS);
	struct packet packet = {0};
	uint8_t *memory[THREADS];

	(void)state;
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(slicer_encode_in(rig.slicer, &frame, THREADS, &packet), 0);
		assert_int_equal(packet.n_pieces, THREADS);
		for (unsigned i = 0; i < THREADS; i++) {
			if (turn == 2)
				assert_ptr_equal(packet.pieces[i].memory, memory[i]);
			memory[i] = packet.pieces[i].memory;
		}
	}
	free_pieces(&packet);
	free_frame(&frame);
	free_rig(&rig);
}

/* As many calls of libjpeg as go well before one fails. */
static atomic_int good_calls = INT32_MAX;

/* Stands before libjpeg's own. */
JDIMENSION jpeg_write_raw_data(j_compress_ptr compressor, JSAMPIMAGE data, JDIMENSION lines)
{
	JDIMENSION (*original)(j_compress_ptr, JSAMPIMAGE, JDIMENSION);

	if (atomic_fetch_sub(&good_calls, 1) == 0)
		compressor->err->error_exit((j_common_ptr)compressor);
	*(void **)&original = dlsym(RTLD_NEXT, "jpeg_write_raw_data");
	return original(compressor, data, lines);
}

ON_ENCODE static void an_error_in_any_slice_costs_one_frame(void **state)
{
	struct frame frame = make_frame(
		V4L2_PIX_FMT_YUYV, (struct size){64, 16 * 2 * THREADS}, FRAME_FULL_RANGE);
	struct rig rig = make_rig(THREADS);
	struct packet before = {0}, after = {0};
	uint8_t *expected;

	(void)state;
	assert_int_equal(slicer_encode_in(rig.slicer, &frame, THREADS, &before), 0);
	expected = join(&before);
	for (int calls = 0; calls < 2 * THREADS; calls++) {
		atomic_store(&good_calls, calls);
		assert_int_equal(slicer_encode_in(rig.slicer, &frame, THREADS, &after), -EIO);
		atomic_store(&good_calls, INT32_MAX);
		assert_int_equal(slicer_encode_in(rig.slicer, &frame, THREADS, &after), 0);
		assert_same_bytes(&after, expected, before.length_bytes);
	}
	free(expected);
	free_pieces(&before);
	free_pieces(&after);
	free_frame(&frame);
	free_rig(&rig);
}

ON_ENCODE static void slices_are_ready_when_they_are_encoded(void **state)
{
	struct frame frame = make_frame(
		V4L2_PIX_FMT_YUYV, (struct size){1280, 720}, FRAME_FULL_RANGE);
	struct rig rig = make_rig(1);
	struct packet whole = {0}, pieces = {0}, broken = {0};
	unsigned n_ready;

	(void)state;
	assert_int_equal(slicer_encode_in(rig.slicer, &frame, 1, &whole), 0);
	assert_int_equal(slicer_encode_piecemeal(rig.slicer, &frame, &pieces), 0);
	assert_int_equal(pieces.n_pieces, 8);
	assert_int_equal(packet_look(&pieces, &n_ready), PACKET_GROWING);
	assert_int_equal(n_ready, 8);
	assert_same_pixels(&pieces, &whole);

	/* The third slice fails; one has 6 rows of the 45. */
	atomic_store(&good_calls, 2 * 6);
	assert_int_equal(slicer_encode_piecemeal(rig.slicer, &frame, &broken), -EIO);
	atomic_store(&good_calls, INT32_MAX);
	assert_int_equal(packet_look(&broken, &n_ready), PACKET_GROWING);
	assert_int_equal(n_ready, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_memory_equal(broken.pieces[i].data, pieces.pieces[i].data,
			pieces.pieces[i].length_bytes);
	free_pieces(&whole);
	free_pieces(&pieces);
	free_pieces(&broken);
	free_frame(&frame);
	free_rig(&rig);
}

/* ---- the slicer's choice ---- */

/* The most pieces that a camera's pictures of this size come in. */
ON_ENCODE static unsigned most_pieces(unsigned n_threads, struct size size)
{
	struct frame frame = make_frame(V4L2_PIX_FMT_GREY, size, FRAME_FULL_RANGE);
	struct rig rig = make_rig(n_threads);
	struct packet packet = {0};
	unsigned most = 0;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(slicer_encode(rig.slicer, &frame, &packet), 0);
		most = packet.n_pieces > most ? packet.n_pieces : most;
	}
	free_pieces(&packet);
	free_frame(&frame);
	free_rig(&rig);
	return most;
}

ON_ENCODE static void large_frames_are_sliced_small_ones_not(void **state)
{
	(void)state;
	assert_int_equal(most_pieces(2, (struct size){640, 480}), 2);
	assert_int_equal(most_pieces(4, (struct size){640, 360}), 2);
	assert_int_equal(most_pieces(2, (struct size){320, 240}), 1);
	assert_int_equal(most_pieces(1, (struct size){640, 480}), 1);
}

ON_ENCODE static void impossible_frames_are_refused(void **state)
{
	struct frame frame = make_frame(
		V4L2_PIX_FMT_YUYV, (struct size){640, 480}, FRAME_FULL_RANGE);
	struct rig rig = make_rig(THREADS);
	struct packet packet = {0};

	(void)state;
	frame.planes[0].size_bytes--;
	assert_int_equal(slicer_encode_in(rig.slicer, &frame, THREADS, &packet), -EINVAL);
	assert_int_equal(slicer_encode(rig.slicer, &frame, &packet), -EINVAL);
	frame.width = frame.height = 0;
	assert_int_equal(slicer_encode(rig.slicer, &frame, &packet), -EINVAL);
	frame.width = frame.height = UINT32_MAX;
	assert_int_equal(slicer_encode(rig.slicer, &frame, &packet), -EINVAL);
	free_pieces(&packet);
	free_frame(&frame);
	free_rig(&rig);
}

static void quality_is_1_to_100(void **state)
{
	struct jpeg_config config = {0, JPEG_CHROMA_420};
	struct slicer *slicer = NULL;
	struct workers *workers;

	(void)state;
	role_take(&role_main, NULL);
	assert_int_equal(workers_create(2, 1, &workers), 0);
	assert_int_equal(slicer_create(&config, workers, &slicer), -EINVAL);
	assert_null(slicer);
	slicer_destroy(NULL);
	workers_destroy(workers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_are_libjpegs_own_restart_intervals),
		cmocka_unit_test(slices_of_any_order_fit_together),
		cmocka_unit_test(slices_are_what_a_plain_program_gets_from_libjpeg),
		cmocka_unit_test(slices_are_whole_mcu_rows_of_equal_height),
		cmocka_unit_test(threads_make_the_same_picture),
		cmocka_unit_test(quality_may_change_between_frames),
		cmocka_unit_test(slices_reuse_their_memory),
		cmocka_unit_test(an_error_in_any_slice_costs_one_frame),
		cmocka_unit_test(slices_are_ready_when_they_are_encoded),
		cmocka_unit_test(large_frames_are_sliced_small_ones_not),
		cmocka_unit_test(impossible_frames_are_refused),
		cmocka_unit_test(quality_is_1_to_100),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
