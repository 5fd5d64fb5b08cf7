#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
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
	unsigned n_ready;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		packet = get(&pool);
		assert_int_equal(packet->n_pieces, 0);
		assert_int_equal(packet->length_bytes, 0);
		assert_null(packet->pieces[1].data);
		assert_int_equal(packet->pieces[1].length_bytes, 0);
		assert_int_equal(packet->sequence, 0);
		assert_int_equal(packet->captured_ns, 0);
		assert_int_equal(packet_look(packet, &n_ready), PACKET_GROWING);
		assert_int_equal(n_ready, 0);
		packet_piece_ready(packet, 0);
		packet_end(packet, false);
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

static unsigned pieces_to_read(const struct packet *packet, enum packet_state expected)
{
	unsigned n_ready;

	assert_int_equal(packet_look(packet, &n_ready), expected);
	return n_ready;
}

ON_ENCODE static void pieces_are_read_in_order(void **state)
{
	struct packet_pool pool = {{NULL}};
	struct packet *packet = get(&pool);

	(void)state;
	packet_piece_ready(packet, 1);
	assert_int_equal(pieces_to_read(packet, PACKET_GROWING), 0);
	packet_piece_ready(packet, 0);
	assert_int_equal(pieces_to_read(packet, PACKET_GROWING), 2);
	packet_piece_ready(packet, 3);
	assert_int_equal(pieces_to_read(packet, PACKET_GROWING), 2);
	packet_end(packet, false);
	assert_int_equal(pieces_to_read(packet, PACKET_GIVEN_UP), 2);
	packet_unref(packet);

	packet = get(&pool);
	packet_compose(packet, PACKET_PIECES_MOST);
	for (unsigned i = 0; i < PACKET_PIECES_MOST; i++)
		packet_piece_ready(packet, i);
	assert_int_equal(pieces_to_read(packet, PACKET_GROWING), PACKET_PIECES_MOST);
	packet_end(packet, true);
	assert_int_equal(pieces_to_read(packet, PACKET_WHOLE), PACKET_PIECES_MOST);
	packet_unref(packet);

	packet = get(&pool);
	packet_compose(packet, 3);
	packet_end(packet, true);
	assert_int_equal(pieces_to_read(packet, PACKET_WHOLE), 3);
	packet_unref(packet);
	packet_pool_finish(&pool);
}

/* Whether the reader was woken since it was last asked. */
static bool was_woken(struct exchange *ex)
{
	struct pollfd fd = {ex->fresh_fd, POLLIN, 0};
	bool woken = poll(&fd, 1, 0) == 1;

	fd_drain(ex->fresh_fd);
	return woken;
}

ON_ENCODE static void a_reader_is_woken_when_it_can_read_more(void **state)
{
	struct packet *slots[EXCHANGE_SLOTS] = {NULL}, *packet;
	struct packet_pool pool = {{NULL}};
	struct exchange ex;

	(void)state;
	assert_int_equal(exchange_init(&ex, slots, sizeof slots[0]), 0);
	packet = get(&pool);
	packet->exchange = &ex;
	packet_piece_ready(packet, 1);
	assert_false(was_woken(&ex));
	packet_piece_ready(packet, 0);
	assert_true(was_woken(&ex));
	packet_piece_ready(packet, 2);
	assert_true(was_woken(&ex));
	packet_end(packet, true);
	assert_true(was_woken(&ex));
	packet_unref(packet);
	packet_pool_finish(&pool);
	exchange_finish(&ex);
}

/* ---- a reader beside those who encode ---- */

#define ROUNDS  2000
#define WRITERS 4
#define PIECES  8

struct growth {
	struct packet *packet;
	atomic_uint next; /* piece that nobody has taken on */
	pthread_barrier_t turn;
};

static void *write_pieces(void *context)
{
	struct growth *growth = context;

	role_take(&role_encode, "w");
	for (int round = 0; round < ROUNDS; round++) {
		unsigned piece;

		(void)pthread_barrier_wait(&growth->turn);
		while ((piece = atomic_fetch_add(&growth->next, 1)) < PIECES) {
			struct packet_piece *place = &growth->packet->pieces[piece];

			(void)packet_reserve(place, 1);
			place->memory[0] = (uint8_t)(round + (int)piece);
			place->data = place->memory;
			place->length_bytes = 1;
			packet_piece_ready(growth->packet, piece);
		}
		(void)pthread_barrier_wait(&growth->turn);
	}
	return NULL;
}

/* Read each piece once, as soon as it is ready, sleeping in between. */
static void read_pieces(const struct packet *packet, struct exchange *ex, int round)
{
	unsigned n_read = 0, n_ready;

	while (n_read < PIECES) {
		assert_int_equal(fd_wait(ex->fresh_fd, -1, UINT64_MAX), 1);
		fd_drain(ex->fresh_fd);
		(void)packet_look(packet, &n_ready);
		for (; n_read < n_ready; n_read++) {
			assert_int_equal(packet->pieces[n_read].length_bytes, 1);
			assert_int_equal(
				packet->pieces[n_read].data[0], (uint8_t)(round + (int)n_read));
		}
	}
}

ON_ENCODE static void whoever_encodes_what_is_ready_is_seen_and_waited_for(void **state)
{
	struct packet *slots[EXCHANGE_SLOTS] = {NULL};
	struct packet_pool pool = {{NULL}};
	struct growth growth;
	struct exchange ex;
	pthread_t writers[WRITERS];

	(void)state;
	assert_int_equal(exchange_init(&ex, slots, sizeof slots[0]), 0);
	assert_int_equal(pthread_barrier_init(&growth.turn, NULL, WRITERS + 1), 0);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_pieces, &growth), 0);
	for (int round = 0; round < ROUNDS; round++) {
		growth.packet = get(&pool);
		growth.packet->exchange = &ex;
		atomic_store(&growth.next, 0);
		(void)pthread_barrier_wait(&growth.turn);
		read_pieces(growth.packet, &ex, round);
		(void)pthread_barrier_wait(&growth.turn);
		packet_unref(growth.packet);
	}
	for (int i = 0; i < WRITERS; i++)
		(void)pthread_join(writers[i], NULL);
	(void)pthread_barrier_destroy(&growth.turn);
	packet_pool_finish(&pool);
	exchange_finish(&ex);
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
		cmocka_unit_test(pieces_are_read_in_order),
		cmocka_unit_test(a_reader_is_woken_when_it_can_read_more),
		cmocka_unit_test(whoever_encodes_what_is_ready_is_seen_and_waited_for),
		cmocka_unit_test(packet_outlives_its_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
