/*
 * A part: one packet as the parts of multipart streams, shared by all clients.
 *
 * The text around the JPEG is formatted once, when the packet arrives. A part holds the packet;
 * clients hold the part while the kernel has not accepted all of it.
 *
 * Two layouts. Classic, for readers that want a length:
 *   --boundary CRLF                                   (once, at the start)
 *   Content-Type, Content-Length, X-Timestamp CRLF CRLF JPEG CRLF --boundary CRLF
 *   (a placeholder's has X-Fanlight-Placeholder, too)
 * Early, for browsers, who show a part when they have the header block of the next:
 *   --boundary CRLF Content-Type CRLF CRLF            (once, at the start)
 *   JPEG CRLF --boundary CRLF Content-Type CRLF CRLF
 * Either way the boundary that ends a picture leaves with it. Live streams have the same parts, each
 * as a record, or as several; their headers are the stream's own.
 *
 * A part whose packet grows can be laid out as far as it is ready in the early and the live layout.
 * The classic one, and the picture alone, are for parts that are whole.
 */
#ifndef FANLIGHT_SERVER_PART_H
#define FANLIGHT_SERVER_PART_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "base/roles.h"
#include "exchange/packet.h"

#define PART_BOUNDARY     "boundarydonotcross"
#define PART_HEADER_BYTES 160
#define PART_IOVECS       (PACKET_PIECES_MOST + 2)

/* How far a part has come that has ended. */
#define PART_DONE     (PACKET_PIECES_MOST + 1)
#define PART_GIVEN_UP (PACKET_PIECES_MOST + 2)

enum part_layout { PART_CLASSIC, PART_EARLY, PART_LIVE };

struct part {
	unsigned refs;        /* the server thread's own */
	unsigned n_snapshots; /* those of them that are snapshots' */
	struct packet *packet;
	uint64_t serial;           /* counts a camera's parts from 1 */
	uint64_t captured_boot_ns; /* CLOCK_BOOTTIME of the capture */
	uint64_t published_ns;     /* CLOCK_MONOTONIC, when the server had it */
	bool begun;                /* the first send of it has */
	char timestamp[32];        /* wall clock of the capture, seconds.microseconds */
	/* once it is whole */
	char header[PART_HEADER_BYTES];
	size_t header_bytes;
};

/*
 * Make the part of a packet, which may be growing, with one reference for the caller; takes its own
 * to the packet.
 */
ON_SERVER struct part *part_create(struct packet *packet, uint64_t serial);

/* The packet is whole: now it counts as published. To be called before it is laid out whole. */
ON_SERVER void part_complete(struct part *part);

/* Whether laying it out would give something. */
ANY_THREAD bool part_has_begun(const struct part *part);

ON_SERVER struct part *part_ref(struct part *part);

/* Drop a reference; NULL is ignored. The last one lets the packet go. */
ON_SERVER void part_unref(struct part *part);

/* What a multipart stream begins and ends with. */
ANY_THREAD h2o_iovec_t part_opening(enum part_layout layout);
ANY_THREAD h2o_iovec_t part_closing(void);

/* Lay the picture alone out into bufs; returns how many of them. */
ON_SERVER size_t part_lay_out_picture(
	const struct part *part, h2o_iovec_t bufs[PACKET_PIECES_MOST]);

/*
 * Lay out into bufs what is ready of a part and was not yet; returns how many of them, at most
 * PART_IOVECS. *done says how far it has come: 0 at first, PART_DONE when that was the last of it,
 * PART_GIVEN_UP when there will be no more. The first of a classic or live one is its header, for
 * the caller to replace, or to fill in for a live one.
 */
ON_SERVER size_t part_lay_out(const struct part *part, enum part_layout layout, unsigned *done,
	h2o_iovec_t bufs[PART_IOVECS]);

#endif
