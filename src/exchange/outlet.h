/*
 * An outlet: a camera's pictures in one size and quality, on their way from encode to the server.
 *
 * A camera's first outlet has them as its settings say, the others have variants: the server says
 * of which, and who wants any. A packet says which variant it is, for when an outlet is given to
 * another, one of the variant before may still come.
 */
#ifndef FANLIGHT_OUTLET_H
#define FANLIGHT_OUTLET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/roles.h"
#include "base/variant.h"
#include "exchange/exchange.h"
#include "exchange/packet.h"

#define OUTLETS_MOST (1 + VARIANTS_MOST)

struct outlet {
	struct exchange packets; /* encode to server, of struct packet * */
	struct packet *packet_slots[EXCHANGE_SLOTS];

	/* server to encode */
	_Atomic uint64_t variant; /* the bytes of a struct variant */
	atomic_uint wanted;       /* how many want its pictures */
	atomic_uint piecemeal;    /* of those, who take a picture's pieces while it is encoded */
};

/* Set up a zeroed outlet. 0, or a negative errno when no eventfds can be had. */
ANY_THREAD static inline int outlet_init(struct outlet *outlet)
{
	return exchange_init(
		&outlet->packets, outlet->packet_slots, sizeof outlet->packet_slots[0]);
}

/* After both threads. */
ANY_THREAD static inline void outlet_finish(struct outlet *outlet)
{
	for (size_t i = 0; i < EXCHANGE_SLOTS; i++)
		packet_unref(outlet->packet_slots[i]);
	exchange_finish(&outlet->packets);
}

/* Publish a packet, of which the server takes a reference of its own. */
ON_ENCODE static inline void outlet_publish(struct outlet *outlet, struct packet *packet)
{
	struct packet **slot = exchange_slot(&outlet->packets);

	*slot = packet_ref(packet);
	slot = exchange_publish(&outlet->packets);
	packet_unref(*slot);
	*slot = NULL;
}

/* Publish that there is no picture: what was before is not to be seen any more. */
ON_ENCODE static inline void outlet_clear(struct outlet *outlet)
{
	struct packet **slot = exchange_publish(&outlet->packets);

	packet_unref(*slot);
	*slot = NULL;
}

/* Give it to another variant, while nobody wants the one that it has. */
ON_SERVER static inline void outlet_give(struct outlet *outlet, const struct variant *variant)
{
	uint64_t bytes;

	memcpy(&bytes, variant, sizeof bytes);
	/* Relaxed here and below: as in demand.h, seen late it concerns a later picture. */
	atomic_store_explicit(&outlet->variant, bytes, memory_order_relaxed);
}

ON_ENCODE static inline struct variant outlet_variant(const struct outlet *outlet)
{
	uint64_t bytes = atomic_load_explicit(
		(_Atomic uint64_t *)&outlet->variant, memory_order_relaxed);
	struct variant variant;

	memcpy(&variant, &bytes, sizeof variant);
	return variant;
}

/* One more wants its pictures, or one less; whoever does also counts in the camera's demand. */
ON_SERVER static inline void outlet_add(struct outlet *outlet)
{
	atomic_fetch_add_explicit(&outlet->wanted, 1, memory_order_relaxed);
}

ON_SERVER static inline void outlet_drop(struct outlet *outlet)
{
	atomic_fetch_sub_explicit(&outlet->wanted, 1, memory_order_relaxed);
}

ANY_THREAD static inline unsigned outlet_wanted(const struct outlet *outlet)
{
	return atomic_load_explicit((atomic_uint *)&outlet->wanted, memory_order_relaxed);
}

/* One more, or one less, takes pieces as they come. */
ON_SERVER static inline void outlet_set_piecemeal(struct outlet *outlet, bool more)
{
	if (more)
		atomic_fetch_add_explicit(&outlet->piecemeal, 1, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&outlet->piecemeal, 1, memory_order_relaxed);
}

ANY_THREAD static inline bool outlet_is_piecemeal(const struct outlet *outlet)
{
	return atomic_load_explicit((atomic_uint *)&outlet->piecemeal, memory_order_relaxed) > 0;
}

#endif
