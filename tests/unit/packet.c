#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exchange/packet.h"

ON_ENCODE static struct packet *get(struct packet_pool *pool)
{
	struct packet *packet = NULL;

	assert_int_equal(packet_pool_get(pool, &packet), 0);
	assert_non_null(packet);
	return packet;
}

ON_ENCODE static void packet_starts_blank(void **state)
{
	struct packet_pool pool = {{NULL}};
	struct packet *packet;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		packet = get(&pool);
		assert_int_equal(packet->n_pieces, 0);
		assert_int_equal(packet->length_bytes, 0);
		assert_null(packet->pieces[1].data);
		assert_int_equal(packet->pieces[1].length_bytes, 0);
		assert_int_equal(packet->sequence, 0);
		assert_int_equal(packet->captured_ns, 0);
		packet->n_pieces = 2;
		packet->length_bytes = 9;
		packet->pieces[1].data = (const uint8_t *)"JPEG";
		packet->pieces[1].length_bytes = 4;
		packet->sequence = 9;
		packet->captured_ns = 9;
		packet_unref(packet);
	}
	packet_pool_finish(&pool);
}

ON_ENCODE static void memory_is_used_again(void **state)
{
	struct packet_pool pool = {{NULL}};
	struct packet *first = get(&pool), *second;
	const uint8_t *data;

	(void)state;
	assert_int_equal(packet_reserve(&first->pieces[1], 1000), 0);
	data = first->pieces[1].memory;
	packet_unref(first);
	second = get(&pool);
	assert_ptr_equal(second, first);
	assert_ptr_equal(second->pieces[1].memory, data);
	assert_int_equal(second->pieces[1].capacity_bytes, 1000);
	packet_unref(second);
	packet_pool_finish(&pool);
}

ON_ENCODE static void held_packet_is_not_touched(void **state)
{
	struct packet_pool pool = {{NULL}};
	struct packet *held = get(&pool), *other;

	(void)state;
	assert_int_equal(packet_reserve(&held->pieces[0], 4), 0);
	memcpy(held->pieces[0].memory, "mine", 4);
	(void)packet_ref(held);
	packet_unref(held);
	for (int i = 0; i < 3 * PACKET_POOL_SIZE; i++) {
		other = get(&pool);
		assert_ptr_not_equal(other, held);
		packet_unref(other);
	}
	assert_memory_equal(held->pieces[0].memory, "mine", 4);
	packet_unref(held);
	packet_pool_finish(&pool);
}

ON_ENCODE static void more_than_the_pool_keeps_can_be_held(void **state)
{
	struct packet *held[PACKET_POOL_SIZE + 5];
	struct packet_pool pool = {{NULL}};

	(void)state;
	for (int i = 0; i < PACKET_POOL_SIZE + 5; i++) {
		held[i] = get(&pool);
		assert_int_equal(packet_reserve(&held[i]->pieces[0], 1), 0);
		held[i]->pieces[0].memory[0] = (uint8_t)i;
		for (int k = 0; k < i; k++)
			assert_ptr_not_equal(held[k], held[i]);
	}
	for (int i = 0; i < PACKET_POOL_SIZE + 5; i++) {
		assert_int_equal(held[i]->pieces[0].memory[0], i);
		packet_unref(held[i]);
	}
	packet_pool_finish(&pool);
}

ON_ENCODE static void reserve_keeps_what_is_there(void **state)
{
	struct packet_pool pool = {{NULL}};
	struct packet *packet = get(&pool);

	(void)state;
	assert_int_equal(packet_reserve(&packet->pieces[0], 4), 0);
	memcpy(packet->pieces[0].memory, "kept", 4);
	assert_int_equal(packet_reserve(&packet->pieces[0], 1 << 20), 0);
	assert_int_equal(packet->pieces[0].capacity_bytes, 1 << 20);
	assert_memory_equal(packet->pieces[0].memory, "kept", 4);
	assert_int_equal(packet_reserve(&packet->pieces[0], 1), 0);
	assert_int_equal(packet->pieces[0].capacity_bytes, 1 << 20);
	packet_unref(packet);
	packet_pool_finish(&pool);
}

ON_ENCODE static void pieces_add_up_to_the_picture(void **state)
{
	struct packet_pool pool = {{NULL}};
	struct packet *packet = get(&pool);

	(void)state;
	for (size_t i = 0; i < PACKET_PIECES_MOST; i++)
		packet->pieces[i].length_bytes = i + 1;
	packet_compose(packet, 3);
	assert_int_equal(packet->n_pieces, 3);
	assert_int_equal(packet->length_bytes, 1 + 2 + 3);
	packet_unref(packet);
	packet_pool_finish(&pool);
}

ON_ENCODE static void packet_outlives_its_pool(void **state)
{
	struct packet_pool pool = {{NULL}};
	struct packet *packet = get(&pool);

	(void)state;
	assert_int_equal(packet_reserve(&packet->pieces[0], 4), 0);
	memcpy(packet->pieces[0].memory, "late", 4);
	packet_pool_finish(&pool);
	packet_pool_finish(&pool);
	assert_memory_equal(packet->pieces[0].memory, "late", 4);
	packet_unref(packet);
	packet_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packet_starts_blank),
		cmocka_unit_test(memory_is_used_again),
		cmocka_unit_test(held_packet_is_not_touched),
		cmocka_unit_test(more_than_the_pool_keeps_can_be_held),
		cmocka_unit_test(reserve_keeps_what_is_there),
		cmocka_unit_test(pieces_add_up_to_the_picture),
		cmocka_unit_test(packet_outlives_its_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
