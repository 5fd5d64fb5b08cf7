#include "server/part.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/trace.h"

#define DELIMITER   "--" PART_BOUNDARY "\r\n"
#define EARLY_BLOCK "Content-Type: image/jpeg\r\n\r\n"

struct part *part_create(struct packet *packet, uint64_t serial)
{
	uint64_t wall_us = clock_wall_ns(packet->captured_ns) / NS_PER_US;
	struct part *part = h2o_mem_alloc(sizeof *part);

	part->refs = 1;
	part->n_snapshots = 0;
	part->packet = packet_ref(packet);
	part->serial = serial;
	part->captured_boot_ns = clock_boot_ns(packet->captured_ns);
	part->published_ns = clock_now_ns();
	part->begun = false;
	(void)snprintf(part->timestamp, sizeof part->timestamp, "%llu.%06llu",
		(unsigned long long)(wall_us / 1000000), (unsigned long long)(wall_us % 1000000));
	return part;
}

void part_complete(struct part *part)
{
	part->published_ns = clock_now_ns();
	TRACE(published, part->packet->captured_ns);
	part->header_bytes = (size_t)snprintf(part->header, sizeof part->header,
		"Content-Type: image/jpeg\r\nContent-Length: %zu\r\nX-Timestamp: %s\r\n%s\r\n",
		part->packet->length_bytes, part->timestamp,
		part->packet->placeholder ? "X-Fanlight-Placeholder: yes\r\n" : "");
}

bool part_has_begun(const struct part *part)
{
	unsigned n_ready;

	(void)packet_look(part->packet, &n_ready);
	return n_ready > 0;
}

struct part *part_ref(struct part *part)
{
	part->refs++;
	return part;
}

void part_unref(struct part *part)
{
	if (!part || --part->refs)
		return;
	packet_unref(part->packet);
	free(part);
}

h2o_iovec_t part_opening(enum part_layout layout)
{
	return layout == PART_EARLY ? h2o_iovec_init(H2O_STRLIT(DELIMITER EARLY_BLOCK))
				    : h2o_iovec_init(H2O_STRLIT(DELIMITER));
}

h2o_iovec_t part_closing(void)
{
	return h2o_iovec_init(H2O_STRLIT("\r\n--" PART_BOUNDARY "--\r\n"));
}

/* Pieces from first up to end. */
ON_SERVER static size_t lay_out_pieces(
	const struct packet *packet, unsigned first, unsigned end, h2o_iovec_t *bufs)
{
	for (unsigned i = first; i < end; i++)
		*bufs++ = h2o_iovec_init(packet->pieces[i].data, packet->pieces[i].length_bytes);
	return end - first;
}

size_t part_lay_out_picture(const struct part *part, h2o_iovec_t bufs[PACKET_PIECES_MOST])
{
	return lay_out_pieces(part->packet, 0, part->packet->n_pieces, bufs);
}

size_t part_lay_out(const struct part *part, enum part_layout layout, unsigned *done,
	h2o_iovec_t bufs[PART_IOVECS])
{
	unsigned n_ready;
	enum packet_state state = packet_look(part->packet, &n_ready);
	size_t n = 0;

	if (state == PACKET_GROWING && n_ready == *done)
		return 0;
	if (layout == PART_CLASSIC)
		bufs[n++] = (h2o_iovec_t){(char *)part->header, part->header_bytes};
	else if (layout == PART_LIVE)
		bufs[n++] = (h2o_iovec_t){NULL, 0};
	n += lay_out_pieces(part->packet, *done, n_ready, bufs + n);
	*done = n_ready;
	if (state == PACKET_GROWING)
		return n;
	*done = state == PACKET_WHOLE ? PART_DONE : PART_GIVEN_UP;
	if (layout == PART_LIVE)
		return n;
	/* A picture that was given up ends there; browsers show what they have of it. */
	bufs[n++] = layout == PART_CLASSIC
			    ? h2o_iovec_init(H2O_STRLIT("\r\n" DELIMITER))
			    : h2o_iovec_init(H2O_STRLIT("\r\n" DELIMITER EARLY_BLOCK));
	return n;
}
