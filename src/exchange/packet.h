/*
 * A packet: one encoded picture in ordinary memory, shared by reference.
 *
 * The encode thread fills it while it holds the only reference; from publication on it is immutable
 * and any thread may hold and drop references.
 */
#ifndef FANLIGHT_PACKET_H
#define FANLIGHT_PACKET_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"

/* As many pieces as a packet can have. */
#define PACKET_PIECES_MOST 16

/* A stretch of the picture, in memory of its own. */
struct packet_piece {
	const uint8_t *data; /* within memory */
	size_t length_bytes;
	uint8_t *memory; /* of the encoder, kept for the next picture; NULL before the first */
	size_t capacity_bytes;
};

struct packet {
	atomic_uint refs;
	/* One after the other a complete baseline JPEG (JFIF); they are never copied together. */
	struct packet_piece pieces[PACKET_PIECES_MOST];
	unsigned n_pieces;
	size_t length_bytes; /* of all pieces */

	uint32_t width, height; /* pixels */
	uint32_t sequence;      /* the camera's own */
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

ANY_THREAD struct packet *packet_ref(struct packet *packet);

/* Drop a reference; NULL is ignored. The last one frees. */
ANY_THREAD void packet_unref(struct packet *packet);

#endif
