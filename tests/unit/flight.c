/* A flight knows what is on its way, however much of it is lost or told of late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/flight.h"

static void send_pictures(struct flight *flight, uint32_t first, uint32_t last)
{
	for (uint32_t serial = first; serial <= last; serial++)
		flight_send(
			flight, (struct flight_picture){serial, serial * 10ull, serial * 20ull});
}

static void what_was_drawn_lands_with_all_before_it(void **state)
{
	struct flight flight = {0};
	struct flight_picture picture;

	(void)state;
	send_pictures(&flight, 1, 5);
	assert_true(flight_land(&flight, 3, &picture));
	assert_int_equal(picture.serial, 3);
	assert_int_equal(picture.captured_ns, 30);
	assert_int_equal(picture.sent_ns, 60);
	assert_int_equal(flight.n, 2);
	assert_false(flight_land(&flight, 2, &picture));
	assert_false(flight_land(&flight, 3, &picture));
	assert_true(flight_land(&flight, 5, &picture));
	assert_int_equal(flight.n, 0);
}

static void what_was_never_sent_does_not_land(void **state)
{
	struct flight flight = {0};
	struct flight_picture picture;

	(void)state;
	assert_false(flight_land(&flight, 0, &picture));
	send_pictures(&flight, 7, 8);
	assert_false(flight_land(&flight, 0, &picture));
	assert_false(flight_land(&flight, 9, &picture));
	assert_int_equal(flight.n, 2);
}

static void the_oldest_are_forgotten_when_there_are_too_many(void **state)
{
	struct flight flight = {0};
	struct flight_picture picture;

	(void)state;
	send_pictures(&flight, 1, 3 * FLIGHT_PICTURES);
	assert_int_equal(flight.n, FLIGHT_PICTURES);
	assert_false(flight_land(&flight, 2 * FLIGHT_PICTURES, &picture));
	assert_true(flight_land(&flight, 2 * FLIGHT_PICTURES + 1, &picture));
	assert_int_equal(flight.n, FLIGHT_PICTURES - 1);
	assert_true(flight_land(&flight, 3 * FLIGHT_PICTURES, &picture));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_drawn_lands_with_all_before_it),
		cmocka_unit_test(what_was_never_sent_does_not_land),
		cmocka_unit_test(the_oldest_are_forgotten_when_there_are_too_many),
	};

	return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
