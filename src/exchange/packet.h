/*
 * A packet: one encoded picture in ordinary memory, shared by reference.
 *
 * The encode thread fills it and ends it; from then on it is immutable. It may be published before,
 * and then grows: pieces become ready, in any order, and whoever holds a reference may read those
 * that follow on one another from the first. What else it has is there at the end, but for
 * variant, sequence and times up to encode_begin_ns, which come first.
 */
#ifndef FANLIGHT_PACKET_H
#define FANLIGHT_PACKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "base/variant.h"
#include "exchange/exchange.h"
#include "exchange/results.h"

/* As many pieces as a packet can have. */
#define PACKET_PIECES_MOST 16

/* A stretch of the picture, in memory of its own. */
struct packet_piece {
	const uint8_t *data; /* within memory */
	size_t length_bytes;
	uint8_t *memory; /* of the encoder, kept for the next picture; NULL before the first */
	size_t capacity_bytes;
};

enum packet_state {
	PACKET_GROWING,
	PACKET_WHOLE,
	PACKET_GIVEN_UP, /* encoding failed; what is ready stays */
};

struct packet {
	atomic_uint refs;
	atomic_uint ready;         /* a bit for each piece, and one for each way to end */
	struct exchange *exchange; /* that it grows in, whose reader wants to know; or NULL */
	/* One after the other a complete baseline JPEG (JFIF); they are never copied together. */
	struct packet_piece pieces[PACKET_PIECES_MOST];
	unsigned n_pieces;
	size_t length_bytes; /* of all pieces */

	uint32_t width, height; /* pixels */
	struct variant variant; /* that it is of */
	uint32_t filtering;     /* counts the changes of filters that it was made after */
	bool placeholder;       /* for a picture that is missing: says why, in words */
	uint32_t sequence;      /* the camera's own; 0 for a placeholder */
	struct results results; /* of its filters */
	/* CLOCK_MONOTONIC */
	uint64_t captured_ns;
	uint64_t dequeued_ns;
	uint64_t encode_begin_ns;
	uint64_t encode_end_ns;
};

/*
 * Memory for packets, reused. The pool keeps up to PACKET_POOL_SIZE packets; one whose only
 * reference is the pool's is free. Belongs to the encode thread.
 */
#define PACKET_POOL_SIZE 8
struct packet_pool {
	struct packet *packets[PACKET_POOL_SIZE];
};

/*
 * A packet with one reference for the caller, its fields zero but for its pieces' memory and
 * capacity_bytes. Takes a free one of the pool, else makes one; when viewers hold more than the
 * pool keeps, the extra ones are freed by their last unref.
 * Returns 0 or -ENOMEM.
 */
ON_ENCODE int packet_pool_get(struct packet_pool *pool, struct packet **ret_packet);

/* Drop the pool's references; packets still held elsewhere live until their last unref. */
ANY_THREAD void packet_pool_finish(struct packet_pool *pool);

/*
 * Make room for at least capacity_bytes in a piece's memory, keeping what is there. Only while
 * unpublished; data, if it pointed there, does so no more.
 * Returns 0 or -ENOMEM (the piece is unchanged).
 */
ON_ENCODE int packet_reserve(struct packet_piece *piece, size_t capacity_bytes);

/* Make the picture of the first n_pieces, whose data and length_bytes are set. */
ON_ENCODE void packet_compose(struct packet *packet, unsigned n_pieces);

/*
 * A piece's data and length_bytes are set and stay. On any thread that encodes; wakes the reader of
 * the packet's exchange when it can read more for that.
 */
ON_ENCODE void packet_piece_ready(struct packet *packet, unsigned piece);

/*
 * Nothing of the packet changes any more; if it is whole it has been composed. Wakes the reader of
 * the packet's exchange.
 */
ON_ENCODE void packet_end(struct packet *packet, bool whole);

/* How a packet is, and how many pieces, from the first, can be read (all of them, if whole). */
ANY_THREAD enum packet_state packet_look(const struct packet *packet, unsigned *ret_n_ready);

ANY_THREAD struct packet *packet_ref(struct packet *packet);

/* Drop a reference; NULL is ignored. The last one frees. */
ANY_THREAD void packet_unref(struct packet *packet);

#endif
