/* What cameras do to their JPEGs, and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>

#include "encode/passthrough.h"

#define WIDTH  160
#define HEIGHT 120

/* Bytes that a test takes apart; room for what it adds. */
struct bytes {
	uint8_t data[65536];
	size_t length;
};

enum { PROGRESSIVE = 1, RESTARTS = 2, GREY = 4 };

/* ---- making and breaking ---- */

/* A picture with detail everywhere. */
static void make_jpeg(struct bytes *jpeg, unsigned kind)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	unsigned char *memory = jpeg->data;
	unsigned long length = sizeof jpeg->data;
	uint8_t line[WIDTH * 3];
	JSAMPROW row = line;

	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &memory, &length);
	c.image_width = WIDTH;
	c.image_height = HEIGHT;
	c.input_components = kind & GREY ? 1 : 3;
	c.in_color_space = kind & GREY ? JCS_GRAYSCALE : JCS_RGB;
	jpeg_set_defaults(&c);
	if (kind & PROGRESSIVE)
		jpeg_simple_progression(&c);
	if (kind & RESTARTS)
		c.restart_interval = 3;
	jpeg_start_compress(&c, TRUE);
	while (c.next_scanline < HEIGHT) {
		for (unsigned x = 0; x < WIDTH * 3; x++)
			line[x] = (uint8_t)(x * x / 7 + c.next_scanline * (x % 5) * 3);
		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	assert_ptr_equal(memory, jpeg->data);
	jpeg->length = length;
}

/* Where the nth (from 0) marker of a kind stands. */
static size_t find(const struct bytes *jpeg, uint8_t marker, unsigned nth)
{
	for (size_t i = 0; i + 1 < jpeg->length; i++)
		if (jpeg->data[i] == 0xff && jpeg->data[i + 1] == marker && !nth--)
			return i;
	fail_msg("no marker %02x", marker);
	return 0;
}

static size_t segment_bytes(const struct bytes *jpeg, size_t at)
{
	return 2 + (size_t)(jpeg->data[at + 2] << 8 | jpeg->data[at + 3]);
}

static void insert(struct bytes *jpeg, size_t at, const void *data, size_t n)
{
	assert_true(jpeg->length + n <= sizeof jpeg->data);
	memmove(jpeg->data + at + n, jpeg->data + at, jpeg->length - at);
	memcpy(jpeg->data + at, data, n);
	jpeg->length += n;
}

static void cut(struct bytes *jpeg, size_t at, size_t n)
{
	memmove(jpeg->data + at, jpeg->data + at + n, jpeg->length - at - n);
	jpeg->length -= n;
}

static void cut_segments(struct bytes *jpeg, uint8_t marker)
{
	while (memmem(jpeg->data, find(jpeg, 0xda, 0), (uint8_t[]){0xff, marker}, 2)) {
		size_t at = find(jpeg, marker, 0);

		cut(jpeg, at, segment_bytes(jpeg, at));
	}
}

/* Where the first scan's data begins. */
static size_t scan_data(const struct bytes *jpeg)
{
	size_t at = find(jpeg, 0xda, 0);

	return at + segment_bytes(jpeg, at);
}

/* ---- looking at the outcome ---- */

struct decoder {
	struct jpeg_decompress_struct d;
	struct jpeg_error_mgr errors;
	jmp_buf failed;
};

static void decoding_failed(j_common_ptr d)
{
	longjmp(((struct decoder *)d)->failed, 1);
}

static void be_silent(j_common_ptr d)
{
	(void)d;
}

/* Decode to memory; false when libjpeg gives up. Warnings are not errors, but counted. */
static bool decode(const uint8_t *data, size_t length, uint8_t *pixels, long *ret_warnings)
{
	struct decoder *decoder = calloc(1, sizeof *decoder);
	uint8_t *line = NULL;
	volatile bool good = false;

	decoder->d.err = jpeg_std_error(&decoder->errors);
	decoder->errors.error_exit = decoding_failed;
	decoder->errors.output_message = be_silent;
	if (!setjmp(decoder->failed)) {
		jpeg_create_decompress(&decoder->d);
		jpeg_mem_src(&decoder->d, data, length);
		jpeg_read_header(&decoder->d, TRUE);
		jpeg_start_decompress(&decoder->d);
		line = decoder->d.mem->alloc_large((j_common_ptr)&decoder->d, JPOOL_IMAGE,
			(size_t)decoder->d.output_width * 4);
		while (decoder->d.output_scanline < decoder->d.output_height) {
			size_t row = decoder->d.output_scanline;
			size_t n = (size_t)decoder->d.output_width *
				   (size_t)decoder->d.output_components;

			jpeg_read_scanlines(&decoder->d, &line, 1);
			if (pixels)
				memcpy(pixels + row * n, line, n);
		}
		jpeg_finish_decompress(&decoder->d);
		good = true;
	}
	*ret_warnings = decoder->errors.num_warnings;
	jpeg_destroy_decompress(&decoder->d);
	free(decoder);
	return good;
}

/* The input in memory of exactly its size, so that sanitizers see every read beyond. */
ON_ENCODE static int copy(const struct bytes *jpeg, struct packet *packet)
{
	uint8_t *exact = calloc(1, jpeg->length);
	int err;

	memcpy(exact, jpeg->data, jpeg->length);
	err = passthrough_copy(exact, jpeg->length, packet);
	free(exact);
	return err;
}

ON_ENCODE static void expect_dropped(const struct bytes *jpeg)
{
	struct packet packet = {0};

	assert_int_equal(copy(jpeg, &packet), -EBADMSG);
	free(packet.pieces[0].memory);
}

/* The picture passes and decodes, without a warning, to the same pixels as the original. */
ON_ENCODE static void expect_picture(const struct bytes *jpeg, const struct bytes *original)
{
	static uint8_t want[WIDTH * HEIGHT * 3], have[WIDTH * HEIGHT * 3];
	struct packet packet = {0};
	long warnings;

	assert_int_equal(copy(jpeg, &packet), 0);
	assert_int_equal(packet.width, WIDTH);
	assert_int_equal(packet.height, HEIGHT);
	assert_memory_equal(packet.pieces[0].data, "\xff\xd8\xff", 3);
	assert_memory_equal(packet.pieces[0].data + packet.length_bytes - 2, "\xff\xd9", 2);
	assert_true(decode(original->data, original->length, want, &warnings));
	assert_true(decode(packet.pieces[0].data, packet.length_bytes, have, &warnings));
	assert_int_equal(warnings, 0);
	assert_memory_equal(have, want, sizeof want);
	free(packet.pieces[0].memory);
}

/* ---- promises ---- */

ON_ENCODE static void whole_picture_passes_unchanged(void **state)
{
	static const unsigned kinds[] = {0, RESTARTS, GREY, GREY | RESTARTS, PROGRESSIVE};
	struct bytes jpeg;

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct packet packet = {0};

		make_jpeg(&jpeg, kinds[i]);
		assert_int_equal(copy(&jpeg, &packet), 0);
		assert_int_equal(packet.length_bytes, jpeg.length);
		assert_memory_equal(packet.pieces[0].data, jpeg.data, jpeg.length);
		expect_picture(&jpeg, &jpeg);
		free(packet.pieces[0].memory);
	}
}

ON_ENCODE static void packet_memory_is_reused(void **state)
{
	struct bytes jpeg;
	struct packet packet = {0};
	const uint8_t *memory;

	(void)state;
	make_jpeg(&jpeg, 0);
	assert_int_equal(copy(&jpeg, &packet), 0);
	memory = packet.pieces[0].data;
	assert_int_equal(copy(&jpeg, &packet), 0);
	assert_ptr_equal(packet.pieces[0].data, memory);
	free(packet.pieces[0].memory);
}

ON_ENCODE static void missing_huffman_tables_are_inserted(void **state)
{
	struct bytes jpeg, bare;
	struct packet packet = {0};

	(void)state;
	make_jpeg(&jpeg, 0);
	bare = jpeg;
	cut_segments(&bare, 0xc4);
	assert_true(bare.length < jpeg.length);
	expect_picture(&bare, &jpeg);

	/* Not left to the decoder, which may happen to know them. */
	assert_int_equal(copy(&bare, &packet), 0);
	assert_non_null(memmem(packet.pieces[0].data, 1024, "\xff\xc4\x01\xa2", 4));
	free(packet.pieces[0].memory);

	/* Some tables, but not those that the scan uses: nobody can guess them. */
	bare = jpeg;
	cut(&bare, find(&bare, 0xc4, 0), segment_bytes(&bare, find(&bare, 0xc4, 0)));
	expect_dropped(&bare);

	make_jpeg(&bare, PROGRESSIVE);
	cut_segments(&bare, 0xc4);
	expect_dropped(&bare);
}

ON_ENCODE static void avi1_header_is_no_obstacle(void **state)
{
	struct bytes jpeg, avi;

	(void)state;
	make_jpeg(&jpeg, 0);
	avi = jpeg;
	cut_segments(&avi, 0xe0);
	cut_segments(&avi, 0xc4);
	insert(&avi, 2,
		"\xff\xe0\x00\x10"
		"AVI1\0\0\0\0\0\0\0\0\0\0",
		18);
	expect_picture(&avi, &jpeg);
}

ON_ENCODE static void padding_after_the_end_is_cut(void **state)
{
	static const uint8_t zeros[512], rubbish[] = {0xff, 0xd8, 0xff, 0xe0, 1, 2, 0xff, 0xda};
	struct bytes jpeg, padded;
	struct packet packet = {0};

	(void)state;
	make_jpeg(&jpeg, 0);
	padded = jpeg;
	insert(&padded, padded.length, zeros, sizeof zeros);
	insert(&padded, padded.length, rubbish, sizeof rubbish);
	assert_int_equal(copy(&padded, &packet), 0);
	assert_int_equal(packet.length_bytes, jpeg.length);
	assert_memory_equal(packet.pieces[0].data, jpeg.data, jpeg.length);
	free(packet.pieces[0].memory);
}

ON_ENCODE static void rubbish_before_the_start_is_skipped_within_reason(void **state)
{
	static const uint8_t rubbish[5000] = {0xff, 0xd8, 0, 0xff, 0xff};
	struct bytes jpeg, prefixed;

	(void)state;
	make_jpeg(&jpeg, 0);
	prefixed = jpeg;
	insert(&prefixed, 0, rubbish, 1000);
	expect_picture(&prefixed, &jpeg);
	insert(&prefixed, 0, rubbish, sizeof rubbish);
	expect_dropped(&prefixed);
}

ON_ENCODE static void fill_bytes_before_markers_are_allowed(void **state)
{
	struct bytes jpeg, filled;

	(void)state;
	make_jpeg(&jpeg, RESTARTS);
	filled = jpeg;
	insert(&filled, find(&filled, 0xd9, 0), "\xff\xff\xff", 3);
	insert(&filled, find(&filled, 0xd3, 0), "\xff\xff", 2);
	insert(&filled, find(&filled, 0xc0, 0), "\xff", 1);
	expect_picture(&filled, &jpeg);
}

ON_ENCODE static void missing_eoi_is_added(void **state)
{
	static const unsigned kinds[] = {0, RESTARTS, GREY};
	static const uint8_t zeros[512];
	struct bytes jpeg, open;

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		make_jpeg(&jpeg, kinds[i]);
		open = jpeg;
		cut(&open, open.length - 2, 2);
		expect_picture(&open, &jpeg);
		insert(&open, open.length, "\xff", 1);
		expect_picture(&open, &jpeg);
		open.length--;
		insert(&open, open.length, zeros, sizeof zeros);
		expect_picture(&open, &jpeg);
	}
	open = jpeg;
	cut(&open, open.length - 2, 2);
	cut_segments(&open, 0xc4);
	expect_picture(&open, &jpeg);
}

ON_ENCODE static void last_row_may_be_short(void **state)
{
	struct bytes jpeg;
	struct packet packet = {0};
	long warnings;

	(void)state;
	make_jpeg(&jpeg, 0);
	jpeg.length -= (jpeg.length - scan_data(&jpeg)) / 40;
	assert_int_equal(copy(&jpeg, &packet), 0);
	assert_true(decode(packet.pieces[0].data, packet.length_bytes, NULL, &warnings));
	free(packet.pieces[0].memory);
}

ON_ENCODE static void truncated_picture_is_dropped(void **state)
{
	static const unsigned kinds[] = {0, RESTARTS, GREY, PROGRESSIVE};
	static const uint8_t zeros[4096];
	struct bytes jpeg, half;

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		make_jpeg(&jpeg, kinds[i]);
		for (size_t part = 0; part < 8; part++) {
			half = jpeg;
			half.length = scan_data(&jpeg) +
				      (jpeg.length - scan_data(&jpeg)) * part / 9;
			expect_dropped(&half);
			/* A driver that pads to the buffer's size does not make it whole. */
			insert(&half, half.length, zeros, sizeof zeros);
			expect_dropped(&half);
		}
	}
}

ON_ENCODE static void every_cut_within_the_headers_is_dropped(void **state)
{
	struct bytes jpeg;
	size_t headers;

	(void)state;
	make_jpeg(&jpeg, 0);
	headers = scan_data(&jpeg);
	for (jpeg.length = 0; jpeg.length <= headers; jpeg.length++)
		expect_dropped(&jpeg);
}

ON_ENCODE static void lost_restart_intervals_are_noticed(void **state)
{
	struct bytes jpeg;
	size_t from;

	(void)state;
	make_jpeg(&jpeg, RESTARTS);
	from = find(&jpeg, 0xd1, 0);
	cut(&jpeg, from, find(&jpeg, 0xd1, 2) - from);
	expect_dropped(&jpeg);
}

ON_ENCODE static void picture_begun_anew_is_dropped(void **state)
{
	struct bytes jpeg, both;

	(void)state;
	make_jpeg(&jpeg, 0);
	both = jpeg;
	both.length = scan_data(&jpeg) + 1000;
	insert(&both, both.length, jpeg.data, jpeg.length);
	expect_dropped(&both);
	both = jpeg;
	both.length = find(&jpeg, 0xc0, 0);
	insert(&both, both.length, jpeg.data, jpeg.length);
	expect_dropped(&both);
}

ON_ENCODE static void marker_amid_the_data_is_dropped(void **state)
{
	struct bytes jpeg;

	(void)state;
	make_jpeg(&jpeg, 0);
	insert(&jpeg, scan_data(&jpeg) + 1000, "\xff\x02", 2);
	expect_dropped(&jpeg);
}

ON_ENCODE static void nothing_but_rubbish_is_dropped(void **state)
{
	struct bytes jpeg = {.length = 0};

	(void)state;
	expect_dropped(&jpeg);
	jpeg.length = 60000;
	memset(jpeg.data, 0, jpeg.length);
	expect_dropped(&jpeg);
	memset(jpeg.data, 0xff, jpeg.length);
	expect_dropped(&jpeg);
	memcpy(jpeg.data, "\xff\xd8\xff\xd9", 4);
	expect_dropped(&jpeg);
}

/* Each change of one header byte that makes a picture nobody can decode. */
ON_ENCODE static void broken_headers_are_dropped(void **state)
{
	static const struct {
		uint8_t marker;
		size_t offset;
		uint8_t value;
	} changes[] = {
		{0xdb, 3, 1},                    /* a segment length that is none */
		{0xdb, 3, 66},                   /* one too short */
		{0xdb, 2, 0xff},                 /* one beyond the end */
		{0xdb, 4, 0x04},                 /* a quantisation table that there is not */
		{0xc4, 4, 0x04},                 /* a Huffman table that there is not */
		{0xc4, 5, 3},                    /* more codes than the segment holds */
		{0xc0, 1, 0xc9},                 /* arithmetic coding */
		{0xc0, 1, 0xfe},                 /* no SOF: a comment */
		{0xc0, 4, 12},                   /* precision */
		{0xc0, 9, 4},                    /* components */
		{0xc0, 11, 0},                   /* sampling */
		{0xc0, 11, 0x51}, {0xc0, 12, 3}, /* names a quantisation table that did not come */
		{0xda, 1, 0xfe},                 /* no SOS */
		{0xda, 4, 4},                    /* components of the scan */
		{0xda, 5, 9},                    /* one that there is not */
		{0xda, 7, 1},                    /* one twice */
		{0xda, 6, 0x30},                 /* a Huffman table that did not come */
	};
	struct bytes jpeg;

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		make_jpeg(&jpeg, 0);
		jpeg.data[find(&jpeg, changes[i].marker, 0) + changes[i].offset] = changes[i].value;
		expect_dropped(&jpeg);
	}
}

ON_ENCODE static void impossible_huffman_codes_are_dropped(void **state)
{
	struct bytes jpeg;
	uint8_t *counts;

	(void)state;
	make_jpeg(&jpeg, 0);
	counts = jpeg.data + find(&jpeg, 0xc4, 0) + 5;
	/* As many codes as before, but three of one bit. */
	counts[0] += 3;
	counts[2] -= 3;
	expect_dropped(&jpeg);
	/* Two of one bit are one too many still: the second is all ones. */
	counts[0]--;
	counts[2]++;
	expect_dropped(&jpeg);
}

ON_ENCODE static void empty_picture_is_dropped(void **state)
{
	struct bytes jpeg;

	(void)state;
	make_jpeg(&jpeg, 0);
	memset(jpeg.data + find(&jpeg, 0xc0, 0) + 5, 0, 2);
	expect_dropped(&jpeg);
	make_jpeg(&jpeg, 0);
	memset(jpeg.data + find(&jpeg, 0xc0, 0) + 7, 0, 2);
	expect_dropped(&jpeg);
	make_jpeg(&jpeg, 0);
	cut(&jpeg, scan_data(&jpeg), jpeg.length - scan_data(&jpeg));
	insert(&jpeg, jpeg.length, "\0\0\xff\xff", 4);
	expect_dropped(&jpeg);
}

ON_ENCODE static void picture_without_quantisation_tables_is_dropped(void **state)
{
	struct bytes jpeg;

	(void)state;
	make_jpeg(&jpeg, 0);
	cut_segments(&jpeg, 0xdb);
	expect_dropped(&jpeg);
}

ON_ENCODE static void scan_that_never_came_is_noticed(void **state)
{
	struct bytes jpeg;
	size_t at;

	(void)state;
	make_jpeg(&jpeg, 0);
	at = find(&jpeg, 0xda, 0);
	/* Luma alone: one component instead of three, in a segment of 8 bytes. */
	jpeg.data[at + 3] = 8;
	jpeg.data[at + 4] = 1;
	cut(&jpeg, at + 7, 4);
	expect_dropped(&jpeg);
}

ON_ENCODE static void scan_sent_twice_is_dropped(void **state)
{
	struct bytes jpeg, twice;
	size_t scan;

	(void)state;
	make_jpeg(&jpeg, 0);
	twice = jpeg;
	scan = find(&jpeg, 0xda, 0);
	insert(&twice, twice.length - 2, jpeg.data + scan, jpeg.length - 2 - scan);
	expect_dropped(&twice);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void mutate(struct bytes *jpeg, uint32_t *random)
{
	unsigned n = 1 + next_random(random) % 4;

	while (n--) {
		uint32_t r = next_random(random);
		/* Half of the changes hit the headers, where most can go wrong. */
		size_t reach = r & 1 ? jpeg->length : scan_data(jpeg);
		size_t at = next_random(random) % reach;
		uint8_t piece[20], markers[] = {0xff, (uint8_t)(0xc0 + next_random(random) % 64)};

		switch (r >> 1 & 7) {
		case 0:
			cut(jpeg, at, next_random(random) % (jpeg->length - at));
			return;
		case 1:
			memcpy(piece, jpeg->data + next_random(random) % reach, sizeof piece);
			insert(jpeg, at, piece, 1 + at % sizeof piece);
			return;
		case 2:
			insert(jpeg, at, markers, 2);
			return;
		case 3:
			jpeg->data[at] = 0xff;
			break;
		default:
			jpeg->data[at] ^= (uint8_t)(1u << next_random(random) % 8);
			break;
		}
		if (!memmem(jpeg->data, jpeg->length, "\xff\xda", 2))
			return;
	}
}

/* Whatever comes out, a decoder takes it. */
ON_ENCODE static void mutations_are_dropped_or_decodable(void **state)
{
	static const unsigned kinds[] = {0, RESTARTS, GREY, PROGRESSIVE};
	struct bytes jpeg, mutant;
	struct packet packet = {0};
	uint32_t random = 20240601;
	unsigned passed = 0, dropped = 0;

	(void)state;
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		make_jpeg(&jpeg, kinds[k]);
		for (int i = 0; i < 1500; i++) {
			long warnings;
			int err;

			mutant = jpeg;
			mutate(&mutant, &random);
			err = copy(&mutant, &packet);
			if (err) {
				assert_int_equal(err, -EBADMSG);
				dropped++;
				continue;
			}
			passed++;
			assert_true(packet.length_bytes <= packet.pieces[0].capacity_bytes);
			/* Sizes that were mutated up would only cost time. */
			if (packet.width <= 2 * WIDTH && packet.height <= 2 * HEIGHT)
				assert_true(decode(packet.pieces[0].data, packet.length_bytes, NULL,
					&warnings));
		}
	}
	assert_true(passed > 500);
	assert_true(dropped > 500);
	free(packet.pieces[0].memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_picture_passes_unchanged),
		cmocka_unit_test(packet_memory_is_reused),
		cmocka_unit_test(missing_huffman_tables_are_inserted),
		cmocka_unit_test(avi1_header_is_no_obstacle),
		cmocka_unit_test(padding_after_the_end_is_cut),
		cmocka_unit_test(rubbish_before_the_start_is_skipped_within_reason),
		cmocka_unit_test(fill_bytes_before_markers_are_allowed),
		cmocka_unit_test(missing_eoi_is_added),
		cmocka_unit_test(last_row_may_be_short),
		cmocka_unit_test(truncated_picture_is_dropped),
		cmocka_unit_test(every_cut_within_the_headers_is_dropped),
		cmocka_unit_test(lost_restart_intervals_are_noticed),
		cmocka_unit_test(picture_begun_anew_is_dropped),
		cmocka_unit_test(marker_amid_the_data_is_dropped),
		cmocka_unit_test(nothing_but_rubbish_is_dropped),
		cmocka_unit_test(broken_headers_are_dropped),
		cmocka_unit_test(impossible_huffman_codes_are_dropped),
		cmocka_unit_test(empty_picture_is_dropped),
		cmocka_unit_test(picture_without_quantisation_tables_is_dropped),
		cmocka_unit_test(scan_that_never_came_is_noticed),
		cmocka_unit_test(scan_sent_twice_is_dropped),
		cmocka_unit_test(mutations_are_dropped_or_decodable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
