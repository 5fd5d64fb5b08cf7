/*
 * A flight knows what is on its way, and lets no more be there than a link needs. Links are made up
 * here: a queue without an end, which takes so long for a picture, and a way of so long behind it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/flight.h"

#define TARGET_NS (100 * NS_PER_MS)

static void send_pictures(struct flight *flight, uint32_t first, uint32_t last)
{
	for (uint32_t serial = first; serial <= last; serial++)
		flight_send(
			flight, (struct flight_picture){serial, serial * 10ull, serial * 20ull});
}

static void land(struct flight *flight, uint32_t serial)
{
	flight_land(flight, flight_find(flight, serial), 0, 1, TARGET_NS, NS_PER_S);
}

static void what_was_drawn_lands_with_all_before_it(void **state)
{
	struct flight flight = {0};

	(void)state;
	send_pictures(&flight, 1, 5);
	assert_int_equal(flight_find(&flight, 3)->captured_ns, 30);
	land(&flight, 3);
	assert_int_equal(flight.n, 2);
	assert_null(flight_find(&flight, 2));
	assert_null(flight_find(&flight, 3));
	land(&flight, 5);
	assert_int_equal(flight.n, 0);
}

static void what_is_not_acknowledged_by_itself_goes_beside_the_others(void **state)
{
	struct flight flight = {0};

	(void)state;
	send_pictures(&flight, 1, 1);
	flight_land(&flight, flight_find(&flight, 1), 0, 4, TARGET_NS, NS_PER_S);
	for (uint32_t serial = 2; flight_has_room(&flight, serial * 10, NS_PER_S); serial++)
		send_pictures(&flight, serial, serial);
	assert_int_equal(flight.n, flight.most + 3);
	land(&flight, 2);
	assert_false(flight_has_room(&flight, 100, NS_PER_S));
}

static void what_was_never_sent_is_not_found(void **state)
{
	struct flight flight = {0};

	(void)state;
	assert_null(flight_find(&flight, 0));
	send_pictures(&flight, 7, 8);
	assert_null(flight_find(&flight, 0));
	assert_null(flight_find(&flight, 9));
}

static void the_oldest_are_forgotten_when_there_are_too_many(void **state)
{
	struct flight flight = {0};

	(void)state;
	send_pictures(&flight, 1, 3 * FLIGHT_PICTURES);
	assert_int_equal(flight.n, FLIGHT_PICTURES);
	assert_null(flight_find(&flight, 2 * FLIGHT_PICTURES));
	land(&flight, 2 * FLIGHT_PICTURES + 1);
	assert_int_equal(flight.n, FLIGHT_PICTURES - 1);
	land(&flight, 3 * FLIGHT_PICTURES);
	assert_int_equal(flight.n, 0);
}

/* ---- links ---- */

#define STEP_NS     NS_PER_MS
#define INTERVAL_MS 33
#define WARM_UP_MS  5000
#define END_MS      65000
#define MOST_SENT   4096

struct link {
	uint64_t transfer_ms, delay_ms; /* of a picture, and of the way in each direction */
	bool silent;                    /* its viewer acknowledges nothing */
	bool clockless;                 /* or says no age */
	bool sparing;                   /* or, while none is late, only each third */

	struct flight flight;
	struct flight_picture sent[MOST_SENT];
	uint64_t arrives_ns[MOST_SENT];
	size_t n_sent, n_drawn;
	uint64_t busy_until_ns;   /* the link, with what waits in it */
	uint64_t report_ns;       /* when the report on its way arrives; 0 for none */
	uint64_t report_again_ns; /* when its answer is back */
	size_t reported;          /* how many were drawn by then */
	uint64_t report_age_ns;
	uint64_t quickest_us; /* from sending to drawing, forgotten by 1 ms a second */
	size_t next;          /* drawn by then, another is reported */

	/* after the warm-up */
	unsigned drawn, late; /* late: more than the target and a camera's interval */
	uint64_t last_ms;     /* when the last was captured */
	unsigned apart[64];   /* how many were so many of the camera's intervals apart */
	uint64_t oldest_ms;   /* when it was drawn */
};

/* Send the newest of a camera that takes one each interval. */
static void serve(struct link *link, uint64_t now_ms)
{
	uint32_t serial = (uint32_t)(now_ms / INTERVAL_MS);
	uint64_t captured_ns = serial * INTERVAL_MS * NS_PER_MS, now_ns = now_ms * NS_PER_MS;
	bool is_new = !link->n_sent || link->sent[link->n_sent - 1].serial != serial;

	/* TCP begins slowly. */
	if (!link->silent && !link->reported && link->n_sent >= 4)
		return;
	if (!is_new || !flight_has_room(&link->flight, captured_ns, now_ns))
		return;
	link->sent[link->n_sent] = (struct flight_picture){serial, captured_ns, now_ns};
	flight_send(&link->flight, link->sent[link->n_sent]);
	if (link->busy_until_ns < now_ns)
		link->busy_until_ns = now_ns;
	link->busy_until_ns += link->transfer_ms * NS_PER_MS;
	link->arrives_ns[link->n_sent++] = link->busy_until_ns + link->delay_ms * NS_PER_MS;
	assert_true(link->n_sent < MOST_SENT);
}

static void draw(struct link *link, uint64_t now_ms)
{
	while (link->n_drawn < link->n_sent &&
		link->arrives_ns[link->n_drawn] <= now_ms * NS_PER_MS) {
		const struct flight_picture *picture = &link->sent[link->n_drawn++];
		uint64_t captured_ms = picture->captured_ns / NS_PER_MS;
		uint64_t took_us = now_ms * 1000 - picture->sent_ns / NS_PER_US;
		uint64_t age_ms = now_ms - captured_ms;
		uint64_t apart = (captured_ms - link->last_ms) / INTERVAL_MS;

		link->quickest_us += INTERVAL_MS;
		if (link->n_drawn == 1 || took_us < link->quickest_us)
			link->quickest_us = took_us;
		link->last_ms = captured_ms;
		if (now_ms < WARM_UP_MS)
			continue;
		link->drawn++;
		link->late += age_ms > link->delay_ms + link->transfer_ms + INTERVAL_MS +
					       TARGET_NS / NS_PER_MS;
		link->apart[apart < 63 ? apart : 63]++;
		if (age_ms > link->oldest_ms)
			link->oldest_ms = age_ms;
	}
}

/* The viewer reports one at a time; the answer waits in the queue behind what is there. */
static void report(struct link *link, uint64_t now_ms)
{
	uint64_t now_ns = now_ms * NS_PER_MS, delay_ns = link->delay_ms * NS_PER_MS;
	const struct flight_picture *newest;
	uint64_t arrived_ns;
	bool is_late;

	if (link->report_ns && link->report_ns <= now_ns) {
		const struct flight_picture *drawn = &link->sent[link->reported - 1];
		const struct flight_picture *picture = flight_find(&link->flight, drawn->serial);

		assert_non_null(picture);
		flight_land(&link->flight, picture,
			link->clockless ? now_ns - drawn->captured_ns : link->report_age_ns,
			(unsigned)(link->next - link->reported), TARGET_NS, now_ns);
		link->report_ns = 0;
		link->report_again_ns = delay_ns + (link->busy_until_ns > now_ns
								   ? link->busy_until_ns
								   : now_ns);
		serve(link, now_ms);
	}
	if (link->silent || link->report_ns || link->report_again_ns > now_ns ||
		link->reported == link->n_drawn)
		return;
	newest = &link->sent[link->n_drawn - 1];
	arrived_ns = link->arrives_ns[link->n_drawn - 1];
	is_late = arrived_ns - newest->sent_ns > link->quickest_us * NS_PER_US + TARGET_NS / 4;
	if (link->n_drawn < link->next && !is_late)
		return;
	link->reported = link->n_drawn;
	link->next = link->reported + (link->sparing && !is_late ? 3 : 1);
	link->report_age_ns = arrived_ns - newest->captured_ns;
	link->report_ns = now_ns + delay_ns;
}

static void run(struct link *link)
{
	for (uint64_t ms = 1; ms < END_MS; ms++) {
		serve(link, ms);
		draw(link, ms);
		report(link, ms);
	}
}

#define END UINT64_MAX

/* Links of each of these transfers and delays, up to END, with viewers of both kinds. */
static void run_each(void (*check)(const struct link *link), const uint64_t *transfers_ms,
	const uint64_t *delays_ms)
{
	for (const uint64_t *transfer_ms = transfers_ms; *transfer_ms != END; transfer_ms++)
		for (const uint64_t *delay_ms = delays_ms; *delay_ms != END; delay_ms++)
			for (int sparing = 0; sparing < 2; sparing++) {
				struct link link = {
					.transfer_ms = *transfer_ms,
					.delay_ms = *delay_ms,
					.sparing = sparing,
				};

				run(&link);
				check(&link);
			}
}

static void got_all(const struct link *link)
{
	assert_int_equal(link->drawn, link->apart[1]);
	assert_int_equal(link->late, 0);
}

static void links_that_carry_all_get_all(void **state)
{
	(void)state;
	run_each(
		got_all, (const uint64_t[]){1, 10, 25, END}, (const uint64_t[]){0, 5, 20, 50, END});
}

static void was_full_and_its_queue_short(const struct link *link)
{
	unsigned even = 0;

	assert_true(link->drawn * link->transfer_ms >= (END_MS - WARM_UP_MS) * 9 / 10);
	assert_true(link->late <= link->drawn / (link->sparing ? 4 : 5));
	assert_true(link->oldest_ms <=
		    link->delay_ms + link->transfer_ms + INTERVAL_MS + 3 * TARGET_NS / NS_PER_MS);
	/* None is twice as far from the next as it has to be, but for a few. */
	for (size_t n = 0; n <= 2 * (link->transfer_ms / INTERVAL_MS + 1); n++)
		even += link->apart[n];
	assert_true(even >= link->drawn * 9 / 10);
}

static void links_that_do_not_are_full_and_their_queues_short(void **state)
{
	(void)state;
	run_each(was_full_and_its_queue_short, (const uint64_t[]){40, 50, 80, 150, END},
		(const uint64_t[]){5, 20, 50, END});
}

static void got_most_of_what_it_can_carry(const struct link *link)
{
	uint64_t most_ms = link->transfer_ms > INTERVAL_MS ? link->transfer_ms : INTERVAL_MS;

	assert_true(link->drawn * most_ms >= (END_MS - WARM_UP_MS) * 3 / 4);
	assert_true(link->oldest_ms <= 1000);
}

static void the_longest_ways_get_most_of_what_they_can_carry(void **state)
{
	(void)state;
	run_each(got_most_of_what_it_can_carry, (const uint64_t[]){10, 50, 300, END},
		(const uint64_t[]){150, END});
}

static void without_acknowledgements_queues_are_not_seen(void **state)
{
	struct link link = {.transfer_ms = 80, .delay_ms = 20, .silent = true};

	(void)state;
	run(&link);
	assert_true(link.oldest_ms > 10000);
}

static void without_ages_the_answers_way_counts_too(void **state)
{
	struct link link = {.transfer_ms = 50, .delay_ms = 20, .clockless = true};

	(void)state;
	run(&link);
	assert_true(link.drawn * link.transfer_ms >= (END_MS - WARM_UP_MS) * 2 / 3);
	assert_true(link.late <= link.drawn / 5);
}

static void who_owes_no_acknowledgement_has_not_stopped(void **state)
{
	struct flight flight = {0};

	(void)state;
	send_pictures(&flight, 1, 1);
	flight_land(&flight, flight_find(&flight, 1), 0, 3, TARGET_NS, 0);
	send_pictures(&flight, 2, 3);
	assert_true(flight_has_room(&flight, 60 * NS_PER_S, 60 * NS_PER_S));
	assert_int_equal(flight.most, 2);
	flight_send(&flight, (struct flight_picture){4, 60 * NS_PER_S, 60 * NS_PER_S});
	assert_true(flight_has_room(&flight, 70 * NS_PER_S, 70 * NS_PER_S));
	assert_int_equal(flight.most, 0);
}

static void who_stops_to_acknowledge_is_served_in_the_end(void **state)
{
	struct flight flight = {0};
	uint64_t ms = 0;

	(void)state;
	flight_send(&flight, (struct flight_picture){1, 0, 0});
	flight_land(&flight, flight_find(&flight, 1), 0, 1, TARGET_NS, NS_PER_MS);
	for (uint32_t serial = 2; flight_has_room(&flight, ms * NS_PER_MS, ms * NS_PER_MS);
		ms += 33)
		flight_send(
			&flight, (struct flight_picture){serial++, ms * NS_PER_MS, ms * NS_PER_MS});
	while (!flight_has_room(&flight, ms * NS_PER_MS, ms * NS_PER_MS))
		assert_true(++ms < 10000);
	assert_true(ms > 2000);
	assert_true(flight_has_room(&flight, ms * NS_PER_MS, ms * NS_PER_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_drawn_lands_with_all_before_it),
		cmocka_unit_test(what_is_not_acknowledged_by_itself_goes_beside_the_others),
		cmocka_unit_test(what_was_never_sent_is_not_found),
		cmocka_unit_test(the_oldest_are_forgotten_when_there_are_too_many),
		cmocka_unit_test(links_that_carry_all_get_all),
		cmocka_unit_test(links_that_do_not_are_full_and_their_queues_short),
		cmocka_unit_test(the_longest_ways_get_most_of_what_they_can_carry),
		cmocka_unit_test(without_acknowledgements_queues_are_not_seen),
		cmocka_unit_test(without_ages_the_answers_way_counts_too),
		cmocka_unit_test(who_owes_no_acknowledgement_has_not_stopped),
		cmocka_unit_test(who_stops_to_acknowledge_is_served_in_the_end),
	};

	return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
