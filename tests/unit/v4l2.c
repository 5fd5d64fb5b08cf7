/* A V4L2 camera whose driver does what none here does. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/videodev2.h>

#include "base/clock.h"
#include "camera/camera_ops.h"
#include "fake_device.h"

static struct camera_stats stats;
static char reason[CAMERA_REASON_BYTES];

static const struct camera_config config = {.name = "test"};

/* Open a device with its vices. */
ON_CAPTURE static int open_fake(
	struct fake_device with, const struct camera_config *wish, struct camera **ret_camera)
{
	fake_plug_in(with);
	stats = (struct camera_stats){.captured = 0};
	return v4l2_open(wish, FAKE_PATH, &stats, ret_camera, reason);
}

ON_CAPTURE static int open_with(size_t memory_bytes, struct camera **ret_camera)
{
	return open_fake((struct fake_device){.memory_bytes = memory_bytes}, &config, ret_camera);
}

ON_CAPTURE static struct camera *start(void)
{
	struct camera *camera;

	assert_int_equal(open_with(SIZE_MAX, &camera), 0);
	assert_int_equal(camera_start(camera), 0);
	return camera;
}

/* Fill a buffer as a good driver does; what follows may spoil fake.next. */
static void fill(uint32_t sequence, uint64_t stamp_ns)
{
	fake.filled = 1;
	fake.next = (struct v4l2_buffer){
		.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
		.bytesused = fake_picture_bytes(),
		.sequence = sequence,
		.timestamp = {(time_t)(stamp_ns / NS_PER_S),
			(suseconds_t)(stamp_ns % NS_PER_S / NS_PER_US)},
	};
}

/* Borrow what was filled, and give it back. */
ON_CAPTURE static struct frame see(struct camera *camera)
{
	struct frame frame;

	assert_int_equal(camera_borrow(camera, &frame), 0);
	assert_int_equal(camera_return(camera, &frame), 0);
	return frame;
}

static unsigned open_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	assert_int_equal(closedir(folder), 0);
	return n;
}

/* ---- promises ---- */

ON_CAPTURE static void numbers_rise_whatever_the_driver_counts(void **state)
{
	static const uint32_t sequences[] = {5, 6, 6, 3, 4, 10, UINT32_MAX, 0};
	static const uint32_t numbers[] = {5, 6, 7, 8, 9, 15, 16, 17};
	struct camera *camera = start();

	(void)state;
	for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
		fill(sequences[i], clock_now_ns());
		assert_int_equal(see(camera).sequence, numbers[i]);
	}
	assert_int_equal(stat_read(&stats.dropped_lost), 5);
	assert_int_equal(stat_read(&stats.odd_sequence), 3);
	camera_close(camera);
}

ON_CAPTURE static void gaps_are_told_apart_by_whose_fault_they_are(void **state)
{
	struct camera *camera = start();

	(void)state;
	fill(0, clock_now_ns());
	(void)see(camera);
	fill(2, clock_now_ns()); /* it had five others to fill */
	(void)see(camera);
	assert_int_equal(stat_read(&stats.dropped_lost), 1);
	fill(3, clock_now_ns());
	fake.filled = 6; /* all */
	assert_int_equal(see(camera).sequence, 8);
	assert_int_equal(stat_read(&stats.dropped_stale), 5);
	fill(20, clock_now_ns());
	(void)see(camera);
	assert_int_equal(stat_read(&stats.dropped_starved), 11);
	fill(25, clock_now_ns());
	(void)see(camera);
	assert_int_equal(stat_read(&stats.dropped_lost), 1 + 4);
	assert_int_equal(stat_read(&stats.dropped_starved), 11);
	camera_close(camera);
}

/* See a frame that was stamped so, and how many stamps were odd until then. */
ON_CAPTURE static void expect_stamp(
	struct camera *camera, uint64_t stamp_ns, bool kept, uint64_t odd)
{
	uint64_t before_ns = clock_now_ns();
	struct frame frame;

	fill(0, stamp_ns);
	frame = see(camera);
	assert_true(frame.captured_ns <= frame.dequeued_ns);
	if (kept)
		assert_int_equal(frame.captured_ns / NS_PER_US, stamp_ns / NS_PER_US);
	else
		assert_true(frame.captured_ns >= before_ns);
	assert_int_equal(stat_read(&stats.odd_time), odd);
}

ON_CAPTURE static void stamps_that_cannot_be_are_replaced_and_counted(void **state)
{
	struct camera *camera = start();
	uint64_t now_ns = clock_now_ns();

	(void)state;
	expect_stamp(camera, now_ns - 50 * NS_PER_MS, true, 0);
	expect_stamp(camera, now_ns - 60 * NS_PER_MS, false, 1); /* backwards */
	expect_stamp(camera, now_ns - 55 * NS_PER_MS, true, 1);
	expect_stamp(camera, clock_now_ns() + 100 * NS_PER_MS, false, 1); /* an interval's end */
	expect_stamp(camera, clock_read_ns(CLOCK_REALTIME), false, 2);    /* another clock */
	expect_stamp(camera, 0, false, 3);
	fill(0, clock_now_ns());
	fake.next.flags = V4L2_BUF_FLAG_TIMESTAMP_UNKNOWN;
	(void)see(camera);
	assert_int_equal(stat_read(&stats.odd_time), 4);
	camera_close(camera);
}

ON_CAPTURE static void frames_of_an_impossible_size_go_back_and_are_counted(void **state)
{
	struct camera *camera = start();
	const uint32_t bad[] = {
		0, 1, fake_picture_bytes() - 1, fake_picture_bytes() + 1, UINT32_MAX};
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		fill(0, clock_now_ns());
		fake.next.bytesused = bad[i];
		assert_int_equal(camera_borrow(camera, &frame), -EAGAIN);
		assert_int_equal(stat_read(&stats.dropped_error), i + 1);
	}
	for (int i = 0; i < 6; i++)
		assert_true(fake.queued[i]);
	camera_close(camera);
}

ON_CAPTURE static void buffers_that_the_driver_does_not_have_are_an_error(void **state)
{
	static const uint32_t lies[] = {FAKE_BUFFERS, UINT32_MAX};
	struct camera *camera = start();
	struct frame lent, frame;

	(void)state;
	fill(0, clock_now_ns());
	assert_int_equal(camera_borrow(camera, &lent), 0);
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		fill(1, clock_now_ns());
		fake.lies = lies[i];
		assert_int_equal(camera_borrow(camera, &frame), -EIO);
		fake.queued[1] = true;
	}
	assert_int_equal(camera_return(camera, &lent), 0);
	camera_close(camera);
}

ON_CAPTURE static void errors_that_poll_tells_are_told(void **state)
{
	static const struct {
		short polled;
		int err;
	} cases[] = {{POLLERR, -EIO}, {POLLNVAL, -EIO}, {POLLERR | POLLHUP, -ENODEV},
		{POLLERR | POLLIN, -EAGAIN}, {POLLPRI, -EAGAIN}, {0, -EAGAIN}};
	struct camera *camera = start();
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		fake.polled = cases[i].polled;
		assert_int_equal(camera_borrow(camera, &frame), cases[i].err);
	}
	camera_close(camera);
}

/* Use a device that refuses one call. Returns whether there was such a call. */
ON_CAPTURE static bool use_refusing(unsigned call, int refusal, bool has_heap)
{
	const struct fake_device with = {.memory_bytes = SIZE_MAX,
		.refused_call = call,
		.refusal = refusal,
		.has_heap = has_heap,
		.imports = FAKE_BUFFERS};
	struct camera *camera = NULL;
	unsigned fds = open_fds();
	struct frame frame;
	bool asked;

	*reason = '\0';
	if (open_fake(with, &config, &camera)) {
		assert_true(*reason);
	} else if (!camera_start(camera)) {
		fill(0, clock_now_ns());
		if (!camera_borrow(camera, &frame))
			(void)camera_return(camera, &frame);
		camera_stop(camera);
	}
	camera_close(camera);
	asked = fake.calls >= call;
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(open_fds(), fds);
	return asked;
}

ON_CAPTURE static void whatever_call_is_refused_nothing_is_left_behind(void **state)
{
	static const int refusals[] = {-EIO, -ENODEV, -EBUSY, -ENOMEM, -EINVAL};
	unsigned calls = 0;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof refusals / sizeof *refusals; i++) {
		calls = 1;
		while (use_refusing(calls, refusals[i / 2], i % 2))
			calls++;
	}
	assert_true(calls > 20); /* it came as far as to a frame */
}

ON_CAPTURE static void format_that_changes_in_silence_is_noticed(void **state)
{
	struct camera *camera = start();
	struct frame frame;

	(void)state;
	fill(0, clock_now_ns());
	fake.width = 320;
	fake.height = 240;
	fake.next.bytesused = fake_picture_bytes();
	assert_int_equal(camera_borrow(camera, &frame), -ESTALE);
	camera_close(camera);
}

/* Open with memory for so many pictures of a size; the buffers that came of it. */
ON_CAPTURE static uint32_t buffers_with(size_t pictures, const uint32_t size[2])
{
	struct camera *camera;
	struct camera_info info;

	assert_int_equal(open_with(pictures * size[0] * size[1] * 2, &camera), 0);
	camera_describe(camera, &info);
	assert_int_equal(info.width, size[0]);
	assert_int_equal(info.height, size[1]);
	camera_close(camera);
	return info.buffers;
}

ON_CAPTURE static void without_memory_buffers_are_fewer_then_smaller(void **state)
{
	struct camera *camera;

	(void)state;
	assert_int_equal(buffers_with(6, fake_sizes[0]), 6);
	assert_int_equal(buffers_with(5, fake_sizes[0]), 3);
	assert_int_equal(buffers_with(2, fake_sizes[0]), 2);
	assert_int_equal(buffers_with(2, fake_sizes[1]), 2);
	assert_int_equal(buffers_with(6, fake_sizes[2]), 6);
	assert_int_equal(open_with(1, &camera), -ENOMEM);
	assert_int_equal(fake.mapped, 0);
}

ON_CAPTURE static void thousand_openings_leave_nothing_behind(void **state)
{
	unsigned fds = open_fds();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct camera *camera = start();

		fill(0, clock_now_ns());
		(void)see(camera);
		assert_int_equal(fake.mapped, 6);
		camera_close(camera);
		assert_int_equal(fake.mapped, 0);
	}
	assert_int_equal(open_fds(), fds);
}

ON_CAPTURE static void buffers_of_different_lengths_are_copied_whole(void **state)
{
	const struct fake_device with = {
		.memory_bytes = 3 * 1280 * 720 * 2, .grown_bytes = 1 << 20};
	struct camera *camera;

	(void)state;
	assert_int_equal(open_fake(with, &config, &camera), 0);
	assert_int_equal(camera_start(camera), 0);
	fill(0, clock_now_ns());
	fake.queued[0] = false;
	fake.next.bytesused += fake.grown_bytes;
	assert_int_equal(see(camera).planes[0].size_bytes, fake.next.bytesused);
	assert_int_equal(stat_read(&stats.copied_bytes), fake.next.bytesused);
	camera_close(camera);
}

/* Open with a heap in this machine; what is told of the buffers' memory. */
ON_CAPTURE static struct camera_info memory_of(struct fake_device with, enum camera_memory memory)
{
	const struct camera_config wish = {.name = "test", .memory = memory};
	unsigned fds = open_fds();
	struct camera *camera;
	struct camera_info info;

	with.memory_bytes = SIZE_MAX;
	with.has_heap = true;
	assert_int_equal(open_fake(with, &wish, &camera), 0);
	camera_describe(camera, &info);
	assert_int_equal(camera_start(camera), 0);
	assert_int_equal(fake.mapped, 6);
	fill(0, clock_now_ns());
	assert_int_equal(see(camera).planes[0].dmabuf_fd >= 0, info.dmabuf);
	assert_int_equal(stat_read(&stats.copied_bytes), 0);
	camera_close(camera);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(open_fds(), fds);
	return info;
}

ON_CAPTURE static void heap_serves_a_driver_that_takes_it(void **state)
{
	struct camera_info info = memory_of(
		(struct fake_device){.imports = FAKE_BUFFERS}, CAMERA_MEMORY_AUTO);

	(void)state;
	assert_true(info.dmabuf);
	assert_string_equal(info.memory, "heap");
	assert_string_equal(info.memory_path, FAKE_HEAP);
	assert_string_equal(info.memory_note, "");
}

ON_CAPTURE static void driver_that_takes_not_every_buffer_has_its_own(void **state)
{
	static const enum camera_memory asked[] = {CAMERA_MEMORY_AUTO, CAMERA_MEMORY_HEAP};

	(void)state;
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
		for (uint32_t n = 0; n < 6; n += 5) {
			struct camera_info info = memory_of(
				(struct fake_device){.imports = n}, asked[i]);

			assert_string_equal(info.memory, "mmap");
			assert_string_equal(info.memory_path, "");
			assert_string_equal(info.memory_note, FAKE_HEAP ": Bad address");
		}
}

ON_CAPTURE static void left_the_choice_a_usb_camera_has_its_own_memory(void **state)
{
	struct camera_info info = memory_of(
		(struct fake_device){.imports = FAKE_BUFFERS, .bus = "usb-0000:00:14.0-1"},
		CAMERA_MEMORY_AUTO);

	(void)state;
	assert_string_equal(info.memory, "mmap");
	assert_string_equal(info.memory_note, "");
}

ON_CAPTURE static void events_without_end_are_left_alone(void **state)
{
	struct camera *camera = start();
	struct frame frame;

	(void)state;
	fake.endless_events = true;
	fake.fails = -EIO;
	assert_int_equal(camera_borrow(camera, &frame), -EIO);
	camera_close(camera);
}

ON_CAPTURE static void inputs_and_standards_without_end_are_cut_off(void **state)
{
	static const struct camera_config wishes[] = {
		{.name = "test", .input = "none such"}, {.name = "test", .standard = "PAL"}};
	const struct fake_device with = {.memory_bytes = SIZE_MAX, .endless_lists = true};
	struct camera *camera;

	(void)state;
	for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
		assert_int_equal(open_fake(with, &wishes[i], &camera), -EINVAL);
		assert_non_null(strstr(reason, wishes[i].input));
		assert_non_null(strstr(reason, wishes[i].standard));
	}
}

ON_CAPTURE static void control_out_of_range_is_no_missing_signal(void **state)
{
	static const struct camera_config wish = {
		.name = "test", .n_controls = 1, .controls = {{"gain", 5}}};
	const struct fake_device with = {.memory_bytes = SIZE_MAX, .refuses = -ERANGE};
	struct camera *camera;

	(void)state;
	assert_int_equal(open_fake(with, &wish, &camera), -EINVAL);
	assert_non_null(strstr(reason, "refuses control gain=5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_rise_whatever_the_driver_counts),
		cmocka_unit_test(gaps_are_told_apart_by_whose_fault_they_are),
		cmocka_unit_test(stamps_that_cannot_be_are_replaced_and_counted),
		cmocka_unit_test(frames_of_an_impossible_size_go_back_and_are_counted),
		cmocka_unit_test(buffers_that_the_driver_does_not_have_are_an_error),
		cmocka_unit_test(errors_that_poll_tells_are_told),
		cmocka_unit_test(whatever_call_is_refused_nothing_is_left_behind),
		cmocka_unit_test(format_that_changes_in_silence_is_noticed),
		cmocka_unit_test(buffers_of_different_lengths_are_copied_whole),
		cmocka_unit_test(heap_serves_a_driver_that_takes_it),
		cmocka_unit_test(driver_that_takes_not_every_buffer_has_its_own),
		cmocka_unit_test(left_the_choice_a_usb_camera_has_its_own_memory),
		cmocka_unit_test(events_without_end_are_left_alone),
		cmocka_unit_test(inputs_and_standards_without_end_are_cut_off),
		cmocka_unit_test(control_out_of_range_is_no_missing_signal),
		cmocka_unit_test(without_memory_buffers_are_fewer_then_smaller),
		cmocka_unit_test(thousand_openings_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
