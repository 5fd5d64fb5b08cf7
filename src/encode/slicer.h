/*
 * The slicer: one frame on all cores.
 *
 * It cuts a frame into slices, has them encoded by the pool's threads and its own, and puts their
 * pieces into a packet as they are. Frames that are too small are left whole, and so are others for
 * as long as slices do not pay, because the cores have other work.
 */
#ifndef FANLIGHT_SLICER_H
#define FANLIGHT_SLICER_H

#include "base/roles.h"
#include "encode/jpeg.h"
#include "encode/workers.h"
#include "exchange/packet.h"
#include "fanlight/frame.h"

struct slicer;

/*
 * Make a slicer that takes one of the pool's jobs. The pool lives longer.
 * Returns 0, -EINVAL (quality out of range) or -ENOMEM.
 */
ON_MAIN int slicer_create(
	const struct jpeg_config *config, struct workers *workers, struct slicer **ret_slicer);

/* Another quality from the next frame on, one that libjpeg knows. */
ON_ENCODE void slicer_set_quality(struct slicer *slicer, int quality);

/* NULL is ignored. */
ON_MAIN void slicer_destroy(struct slicer *slicer);

/*
 * Encode a frame into a packet, in as many slices as pay: pieces, length_bytes, width and height.
 * The caller stands for CPU access to the frame and fills in the rest of the packet.
 * Returns 0, or an errno of jpeg_encode_slice(); the slicer is ready for the next frame all the
 * same.
 */
ON_ENCODE int slicer_encode(
	struct slicer *slicer, const struct frame *frame, struct packet *packet);

/*
 * As slicer_encode(), but in as many slices as let the first be ready long before the last; each
 * becomes ready in the packet as soon as it is.
 */
ON_ENCODE int slicer_encode_piecemeal(
	struct slicer *slicer, const struct frame *frame, struct packet *packet);

/*
 * As slicer_encode(), but in n_slices (at least 1), or as many as rows allow and there are threads
 * (eight at least, once a frame was encoded piecemeal).
 */
ON_ENCODE int slicer_encode_in(
	struct slicer *slicer, const struct frame *frame, unsigned n_slices, struct packet *packet);

#endif
