#include "exchange/packet.h"

#include <errno.h>
#include <stdlib.h>

/* Above the bits of the pieces. */
#define BIT_WHOLE    (1u << PACKET_PIECES_MOST)
#define BIT_GIVEN_UP (2u << PACKET_PIECES_MOST)

/* How many of the pieces there are without a gap. */
static unsigned n_ready(unsigned ready)
{
	return (unsigned)__builtin_ctz(~(ready & (BIT_WHOLE - 1)));
}

/* Ready for reuse when only the pool holds it. */
static bool is_free(const struct packet *packet)
{
	/* Acquire, partner of the release in packet_unref(): the last reader has finished. */
	return atomic_load_explicit((atomic_uint *)&packet->refs, memory_order_acquire) == 1;
}

/* As new, but with the memory that it has. */
ON_ENCODE static void make_blank(struct packet *packet)
{
	struct packet blank = {0};

	for (size_t i = 0; i < PACKET_PIECES_MOST; i++) {
		blank.pieces[i].memory = packet->pieces[i].memory;
		blank.pieces[i].capacity_bytes = packet->pieces[i].capacity_bytes;
	}
	*packet = blank;
}

int packet_pool_get(struct packet_pool *pool, struct packet **ret_packet)
{
	struct packet **place = NULL, *packet;

	for (size_t i = 0; i < PACKET_POOL_SIZE; i++) {
		packet = pool->packets[i];
		if (!packet) {
			if (!place)
				place = &pool->packets[i];
		} else if (is_free(packet)) {
			make_blank(packet);
			atomic_init(&packet->refs, 2);
			*ret_packet = packet;
			return 0;
		}
	}

	packet = calloc(1, sizeof *packet);
	if (!packet)
		return -ENOMEM;
	atomic_init(&packet->refs, place ? 2 : 1);
	if (place)
		*place = packet;
	*ret_packet = packet;
	return 0;
}

void packet_pool_finish(struct packet_pool *pool)
{
	for (size_t i = 0; i < PACKET_POOL_SIZE; i++) {
		packet_unref(pool->packets[i]);
		pool->packets[i] = NULL;
	}
}

int packet_reserve(struct packet_piece *piece, size_t capacity_bytes)
{
	uint8_t *memory;

	if (capacity_bytes <= piece->capacity_bytes)
		return 0;
	memory = realloc(piece->memory, capacity_bytes);
	if (!memory)
		return -ENOMEM;
	piece->memory = memory;
	piece->capacity_bytes = capacity_bytes;
	return 0;
}

void packet_compose(struct packet *packet, unsigned n_pieces)
{
	packet->n_pieces = n_pieces;
	packet->length_bytes = 0;
	for (unsigned i = 0; i < n_pieces; i++)
		packet->length_bytes += packet->pieces[i].length_bytes;
}

/* Say so, and that there is more to read, if there is. */
ON_ENCODE static void add_ready(struct packet *packet, unsigned bit)
{
	/* Release what the bit stands for; partner: packet_look(), whatever bit came since. */
	unsigned before = atomic_fetch_or_explicit(&packet->ready, bit, memory_order_release);

	if (packet->exchange && (bit >= BIT_WHOLE || n_ready(before | bit) > n_ready(before)))
		exchange_wake(packet->exchange);
}

void packet_piece_ready(struct packet *packet, unsigned piece)
{
	add_ready(packet, 1u << piece);
}

void packet_end(struct packet *packet, bool whole)
{
	add_ready(packet, whole ? BIT_WHOLE : BIT_GIVEN_UP);
}

enum packet_state packet_look(const struct packet *packet, unsigned *ret_n_ready)
{
	/* Acquire, partner of the releases in add_ready(). */
	unsigned ready = atomic_load_explicit((atomic_uint *)&packet->ready, memory_order_acquire);

	*ret_n_ready = ready & BIT_WHOLE ? packet->n_pieces : n_ready(ready);
	if (ready & BIT_WHOLE)
		return PACKET_WHOLE;
	return ready & BIT_GIVEN_UP ? PACKET_GIVEN_UP : PACKET_GROWING;
}

struct packet *packet_ref(struct packet *packet)
{
	/* Relaxed: whoever refs holds a reference already, so nothing needs ordering. */
	atomic_fetch_add_explicit(&packet->refs, 1, memory_order_relaxed);
	return packet;
}

void packet_unref(struct packet *packet)
{
	if (!packet)
		return;
	/*
	 * Release, so that our reads end before another thread reuses (partner: is_free()) or
	 * frees it; acquire, so that the one that frees sees all others' reads ended.
	 */
	if (atomic_fetch_sub_explicit(&packet->refs, 1, memory_order_acq_rel) == 1) {
		for (size_t i = 0; i < PACKET_PIECES_MOST; i++)
			free(packet->pieces[i].memory);
		free(packet);
	}
}
