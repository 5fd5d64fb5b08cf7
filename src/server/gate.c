#include "server/gate.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"

/*
 * Shut below 3/8 of the largest window. A receiver need not tell of more room before its window has
 * doubled (Linux does not), so at a half or above we might wait for news that never come.
 */
#define ROOM_EIGHTHS 3

/* A receiver short of memory may never grant as much again, so believe it after this long. */
#define LONGEST_NS (500 * NS_PER_MS)

struct gate_view gate_look(int fd)
{
	struct tcp_info info;
	socklen_t bytes = sizeof info;
	int outstanding;

	/* Linux tells the window since 5.4. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) < 0 ||
		bytes < offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof info.tcpi_snd_wnd ||
		ioctl(fd, SIOCOUTQ, &outstanding) < 0)
		return (struct gate_view){0};
	return (struct gate_view){
		.window_bytes = info.tcpi_snd_wnd,
		.outstanding_bytes = (uint32_t)outstanding,
		.round_trip_ns = info.tcpi_min_rtt * NS_PER_US,
		.bytes_per_s = info.tcpi_delivery_rate,
	};
}

ANY_THREAD static bool has_room(
	const struct gate *gate, const struct gate_view *view, uint64_t now_ns)
{
	uint64_t taken_bytes = (uint64_t)gate->largest_bytes * ROOM_EIGHTHS / 8;

	/* Before a round trip the last frame cannot have been acknowledged, however good the link. */
	if (now_ns >= gate->opened_ns + view->round_trip_ns * 5 / 4)
		taken_bytes += view->outstanding_bytes;
	return view->window_bytes >= taken_bytes;
}

bool gate_is_open(struct gate *gate, struct gate_view view, uint64_t now_ns)
{
	if (view.window_bytes > gate->largest_bytes)
		gate->largest_bytes = view.window_bytes;
	if (!has_room(gate, &view, now_ns)) {
		if (!gate->closed_ns)
			gate->closed_ns = now_ns;
		if (now_ns < gate->closed_ns + LONGEST_NS)
			return false;
		gate->largest_bytes = view.window_bytes;
	}
	gate->closed_ns = 0;
	gate->opened_ns = now_ns;
	return true;
}
