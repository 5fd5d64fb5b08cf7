#include "server/flight.h"

#include <stddef.h>

/* Before anything is known of the link. */
#define MOST_AT_FIRST 2

/* How long the quickest is believed. */
#define QUICKEST_NS (10 * NS_PER_S)

/* Who owes an acknowledgement for so long has stopped to give any, and may watch on. */
#define PATIENCE_NS (5 * NS_PER_S)

/* Over a shorter span the rate of arrivals is a matter of chance. */
#define MEASURE_NS (500 * NS_PER_MS)

/* The n-th picture on its way, the oldest is 0. */
static const struct flight_picture *nth(const struct flight *flight, unsigned n)
{
	return &flight->pictures[(flight->first + n) % FLIGHT_PICTURES];
}

bool flight_has_room(struct flight *flight, uint64_t captured_ns, uint64_t now_ns)
{
	if (flight->n > flight->beside &&
		now_ns >= nth(flight, flight->beside)->sent_ns + PATIENCE_NS)
		flight->most = 0;
	if (!flight->most)
		return true;
	if (flight->landing_ns && flight->n > flight->beside)
		return false;
	if (flight->n >= flight->most + flight->beside) {
		flight->full = flight->was_full = true;
		return false;
	}
	return pace_is_due(&flight->pace, captured_ns);
}

void flight_send(struct flight *flight, struct flight_picture picture)
{
	(void)pace_allows(&flight->pace, picture.captured_ns); /* it was asked whether it is due */
	if (flight->n == FLIGHT_PICTURES) {
		flight->first++;
		flight->n--;
	}
	flight->pictures[(flight->first + flight->n++) % FLIGHT_PICTURES] = picture;
}

const struct flight_picture *flight_find(const struct flight *flight, uint32_t serial)
{
	for (unsigned i = 0; i < flight->n; i++) {
		const struct flight_picture *picture = nth(flight, i);

		if (picture->serial == serial)
			return picture;
	}
	return NULL;
}

/* How many landed with this one; they are gone from the ring then. */
static unsigned take_out(struct flight *flight, uint32_t serial)
{
	unsigned n = 0;
	bool last = false;

	for (; flight->n && !last; n++) {
		last = nth(flight, 0)->serial == serial;
		flight->first++;
		flight->n--;
	}
	return n;
}

/*
 * Know the quickest. When none was about as quick for long the flight lands, for all that are on
 * their way wait behind others; the first that is sent after that tells. Only what the next
 * acknowledgement needs is sent meanwhile.
 */
static void compare(struct flight *flight, const struct flight_picture *picture, int64_t took_ns,
	int64_t target_ns, uint64_t now_ns)
{
	bool alone = flight->landing_ns && picture->sent_ns >= flight->landing_ns;

	if (!flight->most || alone || took_ns < flight->quickest_ns)
		flight->quickest_ns = took_ns;
	if (took_ns <= flight->quickest_ns + target_ns / 4) {
		flight->quickest_at_ns = now_ns;
		flight->landing_ns = 0;
	}
	if (!flight->landing_ns && now_ns >= flight->quickest_at_ns + QUICKEST_NS)
		flight->landing_ns = now_ns;
}

/* Let more or fewer be on their way, by how much longer than the quickest a picture took. */
static void judge(struct flight *flight, const struct flight_picture *picture, int64_t late_ns,
	int64_t target_ns, uint64_t now_ns)
{
	unsigned step = 1 + flight->most / 4;

	/* Fewer only once a round: what is on its way was sent before that could help. */
	if (late_ns > target_ns && picture->sent_ns >= flight->lowered_ns) {
		flight->most -= flight->most > 1 ? step : 0;
		flight->lowered_ns = now_ns;
	} else if (late_ns <= target_ns / 2 && flight->full &&
		   flight->most + step <= FLIGHT_PICTURES - FLIGHT_NEXT_MOST) {
		flight->most += step;
	}
}

/* The pace follows the rate of arrivals while the flight is full, and is a little ahead of it. */
static void measure(struct flight *flight, unsigned landed, uint64_t now_ns)
{
	uint64_t span_ns = now_ns - flight->measured_since_ns;

	flight->measured += landed;
	if (span_ns < MEASURE_NS)
		return;
	if (flight->was_full && flight->measured_since_ns)
		flight->pace.interval_ns = span_ns / flight->measured * 15 / 16;
	else
		flight->pace.interval_ns = flight->pace.interval_ns * 3 / 4;
	flight->was_full = false;
	flight->measured = 0;
	flight->measured_since_ns = now_ns;
}

unsigned flight_land(struct flight *flight, const struct flight_picture *picture, uint64_t age_ns,
	unsigned next, uint64_t target_ns, uint64_t now_ns)
{
	const struct flight_picture drawn = *picture;
	/* Below zero where the viewer's clock is off, which the difference to the quickest is not. */
	int64_t took_ns = (int64_t)(drawn.captured_ns + age_ns - drawn.sent_ns);
	unsigned landed = take_out(flight, drawn.serial);

	compare(flight, &drawn, took_ns, (int64_t)target_ns, now_ns);
	if (!flight->most)
		flight->most = MOST_AT_FIRST;
	judge(flight, &drawn, took_ns - flight->quickest_ns, (int64_t)target_ns, now_ns);
	measure(flight, landed, now_ns);
	flight->full = false;
	flight->beside = next - 1;
	return landed;
}
