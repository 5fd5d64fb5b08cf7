#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <linux/videodev2.h>

#include "base/fd.h"
#include "camera/camera.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define LOANS 6

/* ---- files ---- */

static char folder[] = "/tmp/fanlight-replay-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int empty_folder(void **state)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	(void)state;
	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0); /* . and .. stay */
	return dir ? closedir(dir) : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static const char *path_of(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

struct bytes {
	uint8_t data[65536];
	size_t length;
};

static void append(struct bytes *to, const void *data, size_t length)
{
	assert_true(length <= sizeof to->data - to->length);
	memcpy(to->data + to->length, data, length);
	to->length += length;
}

static void append_text(struct bytes *to, const char *text)
{
	append(to, text, strlen(text));
}

/* A JPEG of one shade of grey. */
static void append_jpeg(struct bytes *to, uint32_t width, uint32_t height, uint8_t shade)
{
	struct jpeg_error_mgr errors;
	struct jpeg_compress_struct jpeg = {.err = jpeg_std_error(&errors)};
	unsigned char *data = NULL, samples[64];
	unsigned long length = 0;
	JSAMPROW row = samples;

	assert_true(width <= sizeof samples);
	memset(samples, shade, sizeof samples);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &data, &length);
	jpeg.image_width = width;
	jpeg.image_height = height;
	jpeg.input_components = 1;
	jpeg.in_color_space = JCS_GRAYSCALE;
	jpeg_set_defaults(&jpeg);
	jpeg_start_compress(&jpeg, TRUE);
	while (jpeg.next_scanline < height)
		jpeg_write_scanlines(&jpeg, &row, 1);
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	append(to, data, length);
	free(data);
}

static void write_file(const char *name, const struct bytes *bytes)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes->data, 1, bytes->length, file), bytes->length);
	assert_int_equal(fclose(file), 0);
}

/* Frames of counting bytes: frame n starts at n. */
static void write_y4m(const char *name, const char *header, size_t frame_bytes, unsigned n_frames)
{
	static struct bytes file;

	file.length = 0;
	append_text(&file, header);
	for (unsigned n = 0; n < n_frames; n++) {
		append_text(&file, n % 2 ? "FRAME Ip\n" : "FRAME\n");
		for (size_t i = 0; i < frame_bytes; i++)
			append(&file, &(uint8_t){(uint8_t)(n + i)}, 1);
	}
	write_file(name, &file);
}

/* ---- replaying ---- */

static struct camera_stats stats;
static char reason[CAMERA_REASON_BYTES];

ON_CAPTURE static int try_open(
	struct camera_config *config, const char *name, struct camera **ret_camera)
{
	(void)snprintf(config->source, sizeof config->source, "replay:%s", path_of(name));
	memset(&stats, 0, sizeof stats);
	*reason = '\0';
	return camera_open(config, &stats, ret_camera, reason);
}

ON_CAPTURE static struct camera *open_at_240(struct camera_config *config, const char *name)
{
	struct camera *camera;

	*config = (struct camera_config){.fps = 240};
	assert_int_equal(try_open(config, name, &camera), 0);
	assert_int_equal(camera_start(camera), 0);
	return camera;
}

ON_CAPTURE static struct frame borrow(struct camera *camera)
{
	struct frame frame;
	int err;

	do {
		assert_int_equal(fd_wait(camera_poll_fd(camera), -1, UINT64_MAX), 1);
		err = camera_borrow(camera, &frame);
	} while (err == -EAGAIN);
	assert_int_equal(err, 0);
	return frame;
}

ON_CAPTURE static void finish(struct camera *camera)
{
	camera_stop(camera);
	camera_close(camera);
}

/* Check that frames come as pictures of this size, in turn, their bytes from pictures[]. */
ON_CAPTURE static void expect_loop(
	struct camera *camera, const struct bytes *pictures, uint32_t n_pictures)
{
	for (unsigned n = 0; n < 2 * n_pictures + 1; n++) {
		struct frame frame = borrow(camera);
		const struct bytes *expected = &pictures[frame.sequence % n_pictures];

		assert_int_equal(frame.fourcc, V4L2_PIX_FMT_MJPEG);
		assert_int_equal(frame.n_planes, 1);
		assert_int_equal(frame.payload_bytes, expected->length);
		assert_memory_equal(frame.planes[0].data, expected->data, expected->length);
		assert_true(frame.captured_ns <= frame.dequeued_ns);
		assert_int_equal(frame.sequence + 1, n + 1 + stat_read(&stats.dropped_lost));
		assert_int_equal(camera_return(camera, &frame), 0);
	}
}

ON_CAPTURE static void single_jpeg_repeats(void **state)
{
	struct camera_config config;
	struct camera_info info;
	struct bytes picture = {.length = 0};
	struct camera *camera;

	(void)state;
	append_jpeg(&picture, 40, 24, 128);
	write_file("one.jpg", &picture);
	camera = open_at_240(&config, "one.jpg");
	camera_describe(camera, &info);
	assert_int_equal(info.width, 40);
	assert_int_equal(info.height, 24);
	assert_int_equal(info.fourcc, V4L2_PIX_FMT_MJPEG);
	assert_int_equal(info.fps_numerator, 240);
	assert_string_equal(info.path, path_of("one.jpg"));
	expect_loop(camera, &picture, 1);
	finish(camera);
}

ON_CAPTURE static void mjpeg_splits_into_its_whole_pictures(void **state)
{
	static struct bytes file, pictures[3];
	struct camera_config config;
	struct camera *camera;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		append_jpeg(&pictures[i], 40, 24, (uint8_t)(60 * i));
		append_text(&file, "between pictures \xff there may be anything \xff\xd8");
		append(&file, pictures[i].data, pictures[i].length);
		/* One that was cut off by the next, or by the end. */
		append(&file, pictures[0].data, pictures[0].length - 2 - i);
	}
	write_file("film.mjpeg", &file);
	camera = open_at_240(&config, "film.mjpeg");
	expect_loop(camera, pictures, 3);
	finish(camera);
}

ON_CAPTURE static void thumbnail_inside_a_picture_is_no_picture(void **state)
{
	static struct bytes picture, thumbnail, outer;
	struct camera_config config;
	struct camera *camera;
	uint8_t segment[4] = {0xff, 0xe1};

	(void)state;
	append_jpeg(&thumbnail, 8, 8, 10);
	append_jpeg(&outer, 64, 32, 200);
	segment[2] = (uint8_t)((thumbnail.length + 2) >> 8);
	segment[3] = (uint8_t)(thumbnail.length + 2);
	append(&picture, outer.data, 2);
	append(&picture, segment, sizeof segment);
	append(&picture, thumbnail.data, thumbnail.length);
	append(&picture, outer.data + 2, outer.length - 2);
	write_file("exif.jpeg", &picture);
	camera = open_at_240(&config, "exif.jpeg");
	expect_loop(camera, &picture, 1);
	finish(camera);
}

ON_CAPTURE static void folder_plays_its_jpegs_in_order_of_name(void **state)
{
	static const char *const names[] = {"a.jpg", "b.JPEG", "c.jpeg"};
	static struct bytes pictures[3], other;
	struct camera_config config;
	struct camera *camera;

	(void)state;
	for (size_t i = 3; i--;) {
		append_jpeg(&pictures[i], 40, 24, (uint8_t)(60 * i));
		write_file(names[i], &pictures[i]);
	}
	append_text(&other, "not a picture");
	write_file("b.txt", &other);
	/* By its name it is a JPEG, and as such there is nothing in it. */
	write_y4m("a0.jpg", "YUV4MPEG2 W16 H16 F25:1\n", 384, 2);
	camera = open_at_240(&config, "");
	expect_loop(camera, pictures, 3);
	finish(camera);
}

ON_CAPTURE static void file_cut_short_while_it_plays_plays_on(void **state)
{
	struct bytes picture = {.length = 0};
	struct camera_config config;
	struct camera *camera;

	(void)state;
	append_jpeg(&picture, 40, 24, 77);
	write_file("cut.jpg", &picture);
	camera = open_at_240(&config, "cut.jpg");
	assert_int_equal(truncate(path_of("cut.jpg"), 0), 0);
	expect_loop(camera, &picture, 1);
	finish(camera);
}

/* ---- Y4M ---- */

struct y4m_case {
	const char *header;
	uint32_t fourcc, width, height, n_planes;
	uint32_t strides[3], offsets[3];
	size_t frame_bytes;
	enum frame_range range;
};

ON_CAPTURE static void y4m_planes_lie_where_the_file_has_them(void **state)
{
	static const struct y4m_case cases[] = {
		{"YUV4MPEG2 W32 H16 F25:1 Ip A1:1 C420jpeg\n", V4L2_PIX_FMT_YUV420, 32, 16, 3,
			{32, 16, 16}, {0, 512, 640}, 768, FRAME_LIMITED_RANGE},
		{"YUV4MPEG2 W17 H15 F25:1\n", V4L2_PIX_FMT_YUV420, 17, 15, 3, {17, 9, 9},
			{0, 255, 327}, 399, FRAME_LIMITED_RANGE},
		{"YUV4MPEG2 C422 H16 W33 F25:1\n", V4L2_PIX_FMT_YUV422P, 33, 16, 3, {33, 17, 17},
			{0, 528, 800}, 1072, FRAME_LIMITED_RANGE},
		{"YUV4MPEG2 W20 H10 F25:1 Cmono XCOLORRANGE=FULL\n", V4L2_PIX_FMT_GREY, 20, 10, 1,
			{20}, {0}, 200, FRAME_FULL_RANGE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct y4m_case *c = &cases[i];
		struct camera_config config;
		struct camera *camera;

		write_y4m("film.y4m", c->header, c->frame_bytes, 3);
		camera = open_at_240(&config, "film.y4m");
		for (unsigned n = 0; n < 7; n++) {
			struct frame frame = borrow(camera);

			assert_int_equal(frame.fourcc, c->fourcc);
			assert_int_equal(frame.width, c->width);
			assert_int_equal(frame.height, c->height);
			assert_int_equal(frame.n_planes, c->n_planes);
			assert_int_equal(frame.range, c->range);
			for (size_t k = 0; k < c->n_planes; k++) {
				assert_int_equal(frame.planes[k].stride_bytes, c->strides[k]);
				assert_int_equal(
					frame.planes[k].size_bytes, c->frame_bytes - c->offsets[k]);
				assert_int_equal(frame.planes[k].data[0],
					(uint8_t)(frame.sequence % 3 + c->offsets[k]));
			}
			assert_int_equal(camera_return(camera, &frame), 0);
		}
		finish(camera);
	}
}

/* The rate that a header and --fps lead to, in thousandths. */
ON_CAPTURE static unsigned rate_of(const char *header, double fps)
{
	struct camera_config config = {.fps = fps};
	struct camera *camera;
	struct camera_info info;

	write_y4m("film.y4m", header, 16 * 16 * 3 / 2, 1);
	assert_int_equal(try_open(&config, "film.y4m", &camera), 0);
	camera_describe(camera, &info);
	camera_close(camera);
	return (unsigned)(1000ull * info.fps_numerator / info.fps_denominator);
}

ON_CAPTURE static void file_plays_at_its_own_rate_or_the_given_one(void **state)
{
	(void)state;
	assert_int_equal(rate_of("YUV4MPEG2 W16 H16 F25:1\n", 0), 25000);
	assert_int_equal(rate_of("YUV4MPEG2 W16 H16 F30000:1001\n", 0), 29970);
	assert_int_equal(rate_of("YUV4MPEG2 W16 H16 F25:1\n", 12.5), 12500);
	assert_int_equal(rate_of("YUV4MPEG2 W16 H16\n", 0), 30000);
	assert_int_equal(rate_of("YUV4MPEG2 W16 H16 F0:0\n", 0), 30000);
	assert_int_equal(rate_of("YUV4MPEG2 W16 H16 F999999999:1\n", 0), 30000);
	assert_int_equal(rate_of("YUV4MPEG2 W16 H16 F1:999999999\n", 0), 30000);
}

/* ---- refusals ---- */

ON_CAPTURE static void expect_refusal(
	const char *name, struct camera_config config, const char *says)
{
	struct camera *camera = NULL;

	assert_true(try_open(&config, name, &camera) < 0);
	assert_non_null(strstr(reason, says));
	assert_null(camera);
}

ON_CAPTURE static void what_cannot_be_replayed_is_said(void **state)
{
	static const char *const y4m[][2] = {
		{"YUV4MPEG2 W16 H16 F25:1 C444\n", "420, 422 and mono"},
		{"YUV4MPEG2 W16 H16 F25:1 C420p10\n", "420, 422 and mono"},
		{"YUV4MPEG2 W0 H16 F25:1\n", "header is broken"},
		{"YUV4MPEG2 W16 F25:1\n", "header is broken"},
		{"YUV4MPEG2 W16 H999999\n", "header is broken"},
		{"YUV4MPEG2 W-16 H16\n", "header is broken"},
		{"YUV4MPEG2 W1600 H1600\n", "no whole picture"},
	};
	static struct bytes file;
	const struct camera_config any = {.name = ""};

	(void)state;
	expect_refusal("missing", any, "No such file");
	expect_refusal("", any, "no whole picture");
	write_file("empty.jpg", &file);
	expect_refusal("empty.jpg", any, "empty");
	append_text(&file, "not a picture");
	write_file("text", &file);
	expect_refusal("text", any, "no whole picture");
	file.length = 0;
	append_text(&file, "YUV4MPEG2 W16 H16");
	write_file("film.y4m", &file);
	expect_refusal("film.y4m", any, "header is broken");
	for (size_t i = 0; i < COUNT(y4m); i++) {
		write_y4m("film.y4m", y4m[i][0], 100, 1);
		expect_refusal("film.y4m", any, y4m[i][1]);
	}

	file.length = 0;
	append_jpeg(&file, 40, 24, 99);
	write_file("one.jpg", &file);
	expect_refusal("one.jpg", (struct camera_config){.width = 80, .height = 24}, "40x24");
	expect_refusal("one.jpg", (struct camera_config){.fourcc = V4L2_PIX_FMT_YUYV}, "MJPG");
	expect_refusal("one.jpg", (struct camera_config){.fps = 2000}, "2000 fps");
}

ON_CAPTURE static void cut_off_y4m_plays_its_whole_frames(void **state)
{
	struct camera_config config;
	struct camera *camera;

	(void)state;
	write_y4m("film.y4m", "YUV4MPEG2 W16 H16 F25:1\n", 384, 2);
	assert_int_equal(truncate(path_of("film.y4m"), 24 + 6 + 384 + 9 + 383), 0);
	camera = open_at_240(&config, "film.y4m");
	for (unsigned n = 0; n < 3; n++) {
		struct frame frame = borrow(camera);

		assert_int_equal(frame.planes[0].data[0], 0);
		assert_int_equal(camera_return(camera, &frame), 0);
	}
	finish(camera);
}

/* xorshift: the same damage on every run. */
static uint32_t next_random(uint32_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 17;
	*random ^= *random << 5;
	return *random;
}

/* Whatever was done to a file, a frame of it lies within it and is a JPEG from end to end. */
ON_CAPTURE static void damaged_file_yields_only_whole_pictures(void **state)
{
	static struct bytes original, damaged;
	uint32_t random = 1;

	(void)state;
	for (uint8_t i = 0; i < 3; i++)
		append_jpeg(&original, 40, 24, i);
	for (unsigned n = 0; n < 500; n++) {
		struct camera_config config = {.fps = 240};
		struct camera *camera;
		struct frame frame;

		damaged = original;
		damaged.length = 1 + next_random(&random) % original.length;
		for (unsigned k = 0; k < 1 + n % 8; k++)
			damaged.data[next_random(&random) % damaged.length] =
				n % 2 ? 0xff : (uint8_t)next_random(&random);
		write_file("damaged", &damaged);
		if (try_open(&config, "damaged", &camera) < 0)
			continue;
		assert_int_equal(camera_start(camera), 0);
		frame = borrow(camera);
		assert_true(frame.payload_bytes >= 4);
		assert_true(frame.payload_bytes <= damaged.length);
		assert_memory_equal(frame.planes[0].data, "\xff\xd8\xff", 3);
		assert_memory_equal(frame.planes[0].data + frame.payload_bytes - 2, "\xff\xd9", 2);
		assert_int_equal(camera_return(camera, &frame), 0);
		finish(camera);
	}
}

ON_CAPTURE static void loans_are_bounded(void **state)
{
	struct camera_config config;
	struct bytes picture = {.length = 0};
	struct frame frames[LOANS], frame;
	struct camera *camera;

	(void)state;
	append_jpeg(&picture, 8, 8, 1);
	write_file("one.jpg", &picture);
	camera = open_at_240(&config, "one.jpg");
	for (size_t i = 0; i < LOANS; i++)
		frames[i] = borrow(camera);
	assert_int_equal(fd_wait(camera_poll_fd(camera), -1, UINT64_MAX), 1);
	assert_int_equal(camera_borrow(camera, &frame), -EAGAIN);
	assert_true(stat_read(&stats.dropped_lost) > 0);
	assert_int_equal(camera_return(camera, &frames[3]), 0);
	frames[3] = borrow(camera);
	for (size_t i = 0; i < LOANS; i++)
		assert_int_equal(camera_return(camera, &frames[i]), 0);
	finish(camera);
}

#define TEST(name) cmocka_unit_test_teardown(name, empty_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(single_jpeg_repeats),
		TEST(mjpeg_splits_into_its_whole_pictures),
		TEST(thumbnail_inside_a_picture_is_no_picture),
		TEST(folder_plays_its_jpegs_in_order_of_name),
		TEST(file_cut_short_while_it_plays_plays_on),
		TEST(y4m_planes_lie_where_the_file_has_them),
		TEST(file_plays_at_its_own_rate_or_the_given_one),
		TEST(what_cannot_be_replayed_is_said),
		TEST(cut_off_y4m_plays_its_whole_frames),
		TEST(damaged_file_yields_only_whole_pictures),
		TEST(loans_are_bounded),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
