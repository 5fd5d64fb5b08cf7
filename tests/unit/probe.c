#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>

#include "base/clock.h"
#include "base/stamp.h"
#include "probe/multipart.h"
#include "probe/records.h"
#include "probe/stamps.h"

#define PICTURES_MOST 8
#define WHOLE         SIZE_MAX

struct found {
	size_t n;
	char text[PICTURES_MOST][64];
	struct picture pictures[PICTURES_MOST]; /* without their data */
	int end;                                /* what the last call returned */
};

static void note(struct found *found, const struct picture *picture)
{
	assert_true(found->n < PICTURES_MOST);
	assert_true(picture->bytes < sizeof found->text[0]);
	memcpy(found->text[found->n], picture->data, picture->bytes);
	found->pictures[found->n++] = *picture;
}

/* The pictures of a body that comes in pieces of so many bytes. */
static struct found read_multipart(const char *type, const char *body, size_t bytes, size_t step)
{
	struct multipart multipart;
	struct found found = {0};

	assert_int_equal(multipart_init(&multipart, type), 0);
	for (size_t i = 0; i < bytes && found.end >= 0; i += step) {
		struct picture picture;

		if (step > bytes - i)
			step = bytes - i;
		assert_int_equal(multipart_add(&multipart, body + i, step), 0);
		while ((found.end = multipart_next(&multipart, &picture)) > 0)
			note(&found, &picture);
	}
	multipart_finish(&multipart);
	return found;
}

/* The pictures are these, however the body is cut; ends with NULL. */
static void expect(const char *type, const char *body, ...)
{
	for (size_t step = 1; step; step = step == 1 ? 7 : step == 7 ? WHOLE : 0) {
		struct found found = read_multipart(type, body, strlen(body), step);
		const char *text;
		size_t n = 0;
		va_list texts;

		va_start(texts, body);
		while ((text = va_arg(texts, const char *)))
			assert_string_equal(found.text[n++], text);
		va_end(texts);
		assert_int_equal(found.n, n);
		assert_int_equal(found.end, 0);
	}
}

static void parts_with_a_length_are_taken_by_it(void **state)
{
	(void)state;
	expect("multipart/x-mixed-replace;boundary=edge",
		"--edge\r\nContent-Type: image/jpeg\r\nContent-Length: 12\r\n\r\none\r\n--edge\r"
		"\r\n--edge\r\ncontent-length:3\r\n\r\ntwo\r\n--edge\r\n",
		"one\r\n--edge\r", "two", NULL);
}

static void parts_without_a_length_end_at_the_delimiter(void **state)
{
	(void)state;
	expect("multipart/x-mixed-replace; boundary=\"edge of it\"; charset=x",
		"--edge of it\r\nContent-Type: image/jpeg\r\n\r\none --edge of it -\r\n-edge of it"
		"\r\n--edge of it\r\n\r\ntwo\r\n--edge of it\r\n\r\nnot yet",
		"one --edge of it -\r\n-edge of it", "two", NULL);
}

static void placeholders_are_no_pictures(void **state)
{
	(void)state;
	expect("multipart/x-mixed-replace;boundary=edge",
		"--edge\r\nContent-Length: 3\r\nX-Fanlight-Placeholder: yes\r\n\r\nnot\r\n--edge"
		"\r\nContent-Length: 3\r\n\r\none\r\n--edge\r\nX-Fanlight-Placeholder: yes\r\n"
		"\r\nnor this\r\n--edge\r\n\r\ntwo\r\n--edge\r\n",
		"one", "two", NULL);
}

static void boundaries_may_have_been_given_with_their_dashes(void **state)
{
	(void)state;
	expect("multipart/x-mixed-replace;boundary=--edge", "--edge\r\n\r\none\r\n--edge\r\n",
		"one", NULL);
	expect("multipart/x-mixed-replace;boundary=--edge",
		"----edge\r\nContent-Length: 3\r\n\r\none\r\n----edge\r\n", "one", NULL);
}

static void bare_line_feeds_and_words_before_the_first_part_do_no_harm(void **state)
{
	(void)state;
	expect("Multipart/Mixed; Boundary=edge",
		"hello\n\n--edge\nContent-Length: 3\n\none\n--edge\n\ntwo\n--edge--\nbye\n--edge\n\nno"
		"\n--edge\n",
		"one", "two", NULL);
}

static void times_come_from_the_best_header(void **state)
{
	static const char body[] =
		"--edge\r\nX-UStreamer-Grab-Time: 12.5\r\nX-Timestamp: 1700000000.5\r\n"
		"X-UStreamer-Encode-End-Time: 12.75\r\nContent-Length: 3\r\n\r\none\r\n"
		"--edge\r\nX-Timestamp: 1700000000.5\r\nContent-Length: 3\r\n\r\ntwo\r\n"
		"--edge\r\nX-Timestamp: soon\r\nX-UStreamer-Grab-Time: nan\r\n\r\nthree\r\n--edge";
	struct found found = read_multipart(
		"multipart/x-mixed-replace;boundary=edge", body, sizeof body - 1, WHOLE);

	(void)state;
	assert_int_equal(found.n, 3);
	assert_int_equal(found.pictures[0].source, TIME_USTREAMER);
	assert_int_equal(found.pictures[0].captured_ns, 12500000000);
	assert_int_equal(found.pictures[0].encoded_ns, 12750000000);
	assert_int_equal(found.pictures[1].source, TIME_X_TIMESTAMP);
	assert_int_equal(found.pictures[1].captured_ns / NS_PER_US, 1700000000500000);
	assert_int_equal(found.pictures[1].encoded_ns, 0);
	assert_int_equal(found.pictures[2].source, TIME_UNKNOWN);
}

static void other_types_and_nonsense_are_refused(void **state)
{
	static const char *const types[] = {"image/jpeg", "multipart/x-mixed-replace",
		"multipart/x-mixed-replace;boundary=", "multipart/x-mixed-replace;boundary=\"\"",
		"multipart/x-mixed-replace;boundary=---"};
	static const char *const bodies[] = {"--edge\r\nContent-Length: 99999999999\r\n\r\n",
		"--edge\r\nContent-Length: 0\r\n\r\n", "--edge\r\nno header\r\n\r\n"};
	char endless[10000];
	struct multipart multipart;

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		assert_int_equal(multipart_init(&multipart, types[i]), -EINVAL);
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
		assert_int_equal(read_multipart("multipart/x;boundary=edge", bodies[i],
					 strlen(bodies[i]), WHOLE)
					 .end,
			-EBADMSG);
	memset(endless, 'x', sizeof endless);
	assert_int_equal(
		read_multipart("multipart/x;boundary=edge", endless, sizeof endless, 1).end,
		-EBADMSG);
}

/* ---- records ---- */

static void put(uint8_t *at, uint64_t number, size_t bytes)
{
	while (bytes--) {
		at[bytes] = (uint8_t)number;
		number >>= 8;
	}
}

/* Write a record whose header is longer than needed; returns its end. */
static uint8_t *put_record(uint8_t *at, unsigned type, unsigned flags, const char *payload)
{
	memset(at, 0, 52);
	memcpy(at, "FANL\1", 5);
	at[5] = (uint8_t)type;
	put(at + 6, 52, 2);
	put(at + 8, strlen(payload), 4);
	put(at + 12, flags, 4);
	put(at + 24, 5000000, 8);
	put(at + 32, 5001000, 8);
	memcpy(at + 52, payload, strlen(payload));
	return at + 52 + strlen(payload);
}

static struct found read_records(const uint8_t *body, size_t bytes, size_t step)
{
	struct records records = {0};
	struct found found = {0};

	for (size_t i = 0; i < bytes && found.end >= 0; i += step) {
		struct picture picture;

		if (step > bytes - i)
			step = bytes - i;
		assert_int_equal(records_add(&records, body + i, step), 0);
		while ((found.end = records_next(&records, &picture)) > 0)
			note(&found, &picture);
	}
	records_finish(&records);
	return found;
}

static void live_pictures_are_found_among_other_records(void **state)
{
	uint8_t body[1024], *end = body;

	(void)state;
	end = put_record(end, 1, 0, "{\"id\":\"x\"}");
	end = put_record(end, 3, 0, "{\"online\":true}");
	end = put_record(end, 2, 0, "one");
	end = put_record(end, 2, 1, "placeholder");
	end = put_record(end, 99, 0, "of a later version");
	end = put_record(end, 2, 2, "tw");
	end = put_record(end, 2, 2, "o");
	end = put_record(end, 2, 0, "");
	end = put_record(end, 2, 2, "given ");
	end = put_record(end, 2, 4, "up");
	end = put_record(end, 2, 0, "three");
	for (size_t step = 1; step; step = step == 1 ? 7 : step == 7 ? WHOLE : 0) {
		struct found found = read_records(body, (size_t)(end - body), step);

		assert_int_equal(found.end, 0);
		assert_int_equal(found.n, 3);
		assert_string_equal(found.text[0], "one");
		assert_string_equal(found.text[1], "two");
		assert_string_equal(found.text[2], "three");
		assert_int_equal(found.pictures[0].source, TIME_RECORD);
		assert_int_equal(found.pictures[0].captured_ns, 5000000000);
		assert_int_equal(found.pictures[0].encoded_ns, 5001000000);
	}
}

static void records_that_cannot_be_are_refused(void **state)
{
	static const struct {
		size_t at, bytes;
		uint64_t number;
	} wrongs[] = {{0, 4, 0x46414e4d}, {4, 1, 2}, {6, 2, 47}, {8, 4, UINT32_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		uint8_t body[128];
		size_t bytes = (size_t)(put_record(body, 2, 0, "one") - body);

		put(body + wrongs[i].at, wrongs[i].number, wrongs[i].bytes);
		assert_int_equal(read_records(body, bytes, WHOLE).end, -EBADMSG);
	}
}

/* ---- stamps ---- */

/* Compress a grey picture with a stamp of this time in its corner, or with none (0). */
static void make_jpeg(
	uint64_t captured_ns, bool progressive, uint8_t **ret_data, unsigned long *ret_bytes)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	uint8_t row[320], bits[STAMP_BYTES];
	JSAMPROW rows[] = {row};

	stamp_write(captured_ns, bits);
	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, ret_data, ret_bytes);
	c.image_width = sizeof row;
	c.image_height = 200;
	c.input_components = 1;
	c.in_color_space = JCS_GRAYSCALE;
	jpeg_set_defaults(&c);
	if (progressive)
		jpeg_simple_progression(&c);
	jpeg_start_compress(&c, TRUE);
	for (size_t y = 0; y < c.image_height; y++) {
		memset(row, 128, sizeof row);
		for (size_t x = 0; captured_ns && y < STAMP_HEIGHT && x < STAMP_WIDTH; x++) {
			size_t i = y / STAMP_BLOCK_PIXELS * STAMP_COLUMNS + x / STAMP_BLOCK_PIXELS;

			row[x] = bits[i / 8] & 0x80 >> i % 8 ? 235 : 16;
		}
		(void)jpeg_write_scanlines(&c, rows, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
}

static void stamps_are_read_and_remembered_picture_by_picture(void **state)
{
	struct stamps stamps = {0};

	(void)state;
	for (size_t round = 0; round < 2; round++)
		for (uint64_t i = 0; i < STAMPS_KNOWN + 2; i++) {
			uint64_t sent_ns = i % 3 ? 1234567890123 + i : 0, read_ns = 0;
			struct picture picture = {0};
			uint8_t *data = NULL;
			unsigned long bytes = 0;

			make_jpeg(sent_ns, false, &data, &bytes);
			picture.data = data;
			picture.bytes = bytes;
			for (size_t again = 0; again < 2; again++) {
				assert_int_equal(
					stamps_read(&stamps, &picture, &read_ns), sent_ns != 0);
				assert_int_equal(read_ns, sent_ns);
			}
			free(data);
		}
	stamps_finish(&stamps);
}

static void what_has_no_stamp_says_so(void **state)
{
	uint8_t *data = NULL;
	unsigned long bytes = 0;
	uint64_t read_ns;

	(void)state;
	make_jpeg(1234567890123, false, &data, &bytes);
	assert_true(stamps_decode(data, bytes, &read_ns));
	for (size_t i = 0; i < 200; i++)
		assert_false(stamps_decode(data, i, &read_ns));
	free(data);
	data = NULL;
	make_jpeg(1234567890123, true, &data, &bytes);
	assert_false(stamps_decode(data, bytes, &read_ns));
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_with_a_length_are_taken_by_it),
		cmocka_unit_test(parts_without_a_length_end_at_the_delimiter),
		cmocka_unit_test(placeholders_are_no_pictures),
		cmocka_unit_test(boundaries_may_have_been_given_with_their_dashes),
		cmocka_unit_test(bare_line_feeds_and_words_before_the_first_part_do_no_harm),
		cmocka_unit_test(times_come_from_the_best_header),
		cmocka_unit_test(other_types_and_nonsense_are_refused),
		cmocka_unit_test(live_pictures_are_found_among_other_records),
		cmocka_unit_test(records_that_cannot_be_are_refused),
		cmocka_unit_test(stamps_are_read_and_remembered_picture_by_picture),
		cmocka_unit_test(what_has_no_stamp_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
