/*
 * CPU access to dma-bufs, and the fences of devices that are not done with them. An eventfd is one
 * here: readable when it was written, writable when it is not full.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/dma-buf.h>

#include "base/fd.h"
#include "camera/dmabuf.h"

#define BUFFERS 2

static struct {
	int fds[BUFFERS];
	int hanging; /* the fd of a buffer whose device never is done; -1 for none */
	bool open[BUFFERS];
	unsigned calls;
} fake;

static stat_counter syncs;

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

static bool is_done(int fd, short event)
{
	struct pollfd now = {fd, event, 0};

	return __real_poll(&now, 1, 0) > 0;
}

/* To wait is to have a device get done, or not. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	assert_int_equal(n, 1);
	assert_true(timeout_ms > 0);
	if (fds->fd == fake.hanging)
		return 0;
	if (fds->events == POLLIN)
		fd_signal(fds->fd);
	else
		fd_drain(fds->fd);
	return __real_poll(fds, n, 0);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct dma_buf_sync *sync;
	va_list rest;

	assert_int_equal(request, DMA_BUF_IOCTL_SYNC);
	va_start(rest, request);
	sync = va_arg(rest, struct dma_buf_sync *);
	va_end(rest);
	for (size_t i = 0; i < BUFFERS; i++)
		if (fake.fds[i] == fd) {
			bool begins = !(sync->flags & DMA_BUF_SYNC_END);

			assert_int_equal(fake.open[i], !begins);
			if (begins)
				assert_true(is_done(
					fd, sync->flags & DMA_BUF_SYNC_WRITE ? POLLOUT : POLLIN));
			fake.open[i] = begins;
			fake.calls++;
			return 0;
		}
	errno = EBADF;
	return -1;
}

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUFFERS; i++) {
		fake.fds[i] = fd_event();
		fake.open[i] = false;
	}
	fake.hanging = -1;
	fake.calls = 0;
	return fake.fds[0] < 0 || fake.fds[1] < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUFFERS; i++)
		fd_close(&fake.fds[i]);
	return 0;
}

/* Of three planes, the last two in one buffer. */
static struct frame three_planes(void)
{
	return (struct frame){.n_planes = 3,
		.planes = {{.dmabuf_fd = fake.fds[0]}, {.dmabuf_fd = fake.fds[1]},
			{.dmabuf_fd = fake.fds[1]}}};
}

static void each_buffer_is_begun_and_ended_once(void **state)
{
	struct frame frame = three_planes();

	(void)state;
	assert_int_equal(dmabuf_begin(&frame, false, &syncs), 0);
	assert_true(fake.open[0] && fake.open[1]);
	dmabuf_end(&frame, false, &syncs);
	assert_false(fake.open[0] || fake.open[1]);
	assert_int_equal(fake.calls, 4);
}

static void reader_waits_for_who_writes(void **state)
{
	struct frame frame = three_planes();

	(void)state;
	assert_false(is_done(fake.fds[0], POLLIN));
	assert_int_equal(dmabuf_begin(&frame, false, &syncs), 0);
	dmabuf_end(&frame, false, &syncs);
}

static void writer_waits_for_who_reads(void **state)
{
	static const uint64_t full = UINT64_MAX - 1;
	struct frame frame = three_planes();

	(void)state;
	assert_int_equal(write(fake.fds[0], &full, sizeof full), sizeof full);
	assert_false(is_done(fake.fds[0], POLLOUT));
	assert_int_equal(dmabuf_begin(&frame, true, &syncs), 0);
	dmabuf_end(&frame, true, &syncs);
}

static void device_that_hangs_hangs_nobody(void **state)
{
	struct frame frame = three_planes();

	(void)state;
	fake.hanging = fake.fds[1];
	assert_int_equal(dmabuf_begin(&frame, false, &syncs), -ETIMEDOUT);
	assert_false(fake.open[0] || fake.open[1]);
	assert_int_equal(fake.calls, 2);
}

static void memory_without_a_dmabuf_needs_nothing(void **state)
{
	struct frame frame = {.n_planes = 2, .planes = {{.dmabuf_fd = -1}, {.dmabuf_fd = -1}}};

	(void)state;
	assert_int_equal(dmabuf_begin(&frame, true, &syncs), 0);
	dmabuf_end(&frame, true, &syncs);
	assert_int_equal(fake.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_buffer_is_begun_and_ended_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reader_waits_for_who_writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writer_waits_for_who_reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(device_that_hangs_hangs_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			memory_without_a_dmabuf_needs_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
