#include "camera/ticker.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

void ticker_fraction(double fps, uint32_t *ret_fps_numerator, uint32_t *ret_fps_denominator)
{
	uint32_t thousandths = (uint32_t)(fps * 1000 + 0.5);

	*ret_fps_denominator = thousandths % 1000 ? 1000 : 1;
	*ret_fps_numerator = thousandths % 1000 ? thousandths : thousandths / 1000;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
}

int ticker_start(struct ticker *ticker, uint32_t fps_numerator, uint32_t fps_denominator)
{
	struct itimerspec timer;

	ticker->ticks = 0;
	ticker->start_ns = clock_now_ns();
	ticker->interval_ns = NS_PER_S * fps_denominator / fps_numerator;
	timer.it_value = to_timespec(ticker->start_ns);
	timer.it_interval = to_timespec(ticker->interval_ns);

	ticker->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (ticker->fd < 0)
		return -errno;
	if (timerfd_settime(ticker->fd, TFD_TIMER_ABSTIME, &timer, NULL)) {
		int err = -errno;

		fd_close(&ticker->fd);
		return err;
	}
	return 0;
}

void ticker_stop(struct ticker *ticker)
{
	fd_close(&ticker->fd);
}

int ticker_look(struct ticker *ticker, uint64_t *ret_passed)
{
	if (read(ticker->fd, ret_passed, sizeof *ret_passed) < 0)
		return -errno;
	ticker->ticks += *ret_passed;
	return 0;
}

uint64_t ticker_time_ns(const struct ticker *ticker)
{
	return ticker->start_ns + (ticker->ticks - 1) * ticker->interval_ns;
}
