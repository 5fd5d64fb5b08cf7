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

struct packet {
	atomic_uint refs;
	uint8_t *data; /* a complete baseline JPEG (JFIF) */
	size_t length_bytes;
	size_t capacity_bytes;

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
 * A packet with one reference for the caller, its fields zero but for data and capacity_bytes
 * (which may be NULL and 0). Takes a free one of the pool, else makes one; when viewers hold more
 * than the pool keeps, the extra ones are freed by their last unref.
 * Returns 0 or -ENOMEM.
 */
ON_ENCODE int packet_pool_get(struct packet_pool *pool, struct packet **ret_packet);

/* Drop the pool's references; packets still held elsewhere live until their last unref. */
ANY_THREAD void packet_pool_finish(struct packet_pool *pool);

/*
 * Make room for at least capacity_bytes, keeping the first length_bytes. Only while unpublished.
 * Returns 0 or -ENOMEM (the packet is unchanged).
 */
ON_ENCODE int packet_reserve(struct packet *packet, size_t capacity_bytes);

ANY_THREAD struct packet *packet_ref(struct packet *packet);

/* Drop a reference; NULL is ignored. The last one frees. */
ANY_THREAD void packet_unref(struct packet *packet);

#endif
