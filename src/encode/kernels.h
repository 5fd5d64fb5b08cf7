/*
 * The loops over samples, built for each instruction set where that pays, chosen at run time.
 *
 * There is one source, loops.c, and every set of kernels computes the same to the last bit. The
 * baseline has what the compiler may use anyway, such as SSE2 or NEON.
 */
#ifndef FANLIGHT_KERNELS_H
#define FANLIGHT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "encode/colour.h"

/* Nothing overlaps; n counts what is written to each output, but for luma: that is twice n. */
struct kernels {
	void (*deinterleave)(uint8_t *restrict even, uint8_t *restrict odd,
		const uint8_t *restrict pairs, size_t n);
	/* Rounded up. */
	void (*average)(uint8_t *restrict out, const uint8_t *restrict a, const uint8_t *restrict b,
		size_t n);
	/* Words of depth significant bits, at least 8, to bytes; what exceeds these is white. */
	void (*narrow)(
		uint8_t *restrict out, const uint8_t *restrict words, size_t n, unsigned depth);

	void (*reverse)(uint8_t *restrict out, const uint8_t *restrict in, size_t n);
	/* Add samples, each so many times, to sums that have the room. */
	void (*accumulate)(
		uint16_t *restrict sums, const uint8_t *restrict samples, size_t n, uint16_t times);

	/* As in colour.h: a change of range only, and of the matrix, too. */
	void (*expand_luma)(const struct colour *colour, uint8_t *samples, size_t n);
	void (*expand_chroma)(
		const struct colour *colour, uint8_t *restrict cb, uint8_t *restrict cr, size_t n);
	void (*convert_luma)(const struct colour *colour, uint8_t *restrict y,
		const uint8_t *restrict cb, const uint8_t *restrict cr, size_t n);
	void (*convert_chroma)(
		const struct colour *colour, uint8_t *restrict cb, uint8_t *restrict cr, size_t n);
};

/* The sets that this machine can run, the best first; NULL after the last, the baseline. */
ANY_THREAD const struct kernels *kernels_find(unsigned i);

#endif
