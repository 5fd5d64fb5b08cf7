#include "encode/slicer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "encode/choice.h"

/* Two slices of half as many take as long as one: waking a helper costs what they save. */
#define SLICE_PIXELS_LEAST (320 * 360)

/* A slice for each thread, a piece for each slice. */
#define SLICES_MOST WORKERS_THREADS_MOST
static_assert(SLICES_MOST <= PACKET_PIECES_MOST, "every slice is a piece");

struct slicer {
	/* constant */
	struct jpeg_config config;
	struct job *job;
	struct jpeg_encoder *encoders[SLICES_MOST]; /* one a slice */
	unsigned n_encoders;

	/* encode */
	struct choice choice;
	uint64_t choice_pixels; /* of the frames that it is about */

	/* the frame in work: constant while the job runs, but for each slice's own */
	const struct frame *frame;
	struct packet *packet;
	struct jpeg_cut cut;
	int errors[SLICES_MOST];
};

ON_ENCODE static void encode_slice(void *context, unsigned slice)
{
	struct slicer *slicer = context;

	slicer->errors[slice] = jpeg_encode_slice(slicer->encoders[slice], slicer->frame,
		&slicer->cut, slice, &slicer->packet->pieces[slice]);
}

int slicer_create(
	const struct jpeg_config *config, struct workers *workers, struct slicer **ret_slicer)
{
	struct slicer *slicer = calloc(1, sizeof *slicer);
	unsigned n_threads = workers_n_threads(workers);
	int err = 0;

	if (!slicer)
		return -ENOMEM;
	slicer->config = *config;
	while (!err && slicer->n_encoders < n_threads) {
		err = jpeg_encoder_create(config, &slicer->encoders[slicer->n_encoders]);
		slicer->n_encoders += !err;
	}
	if (err < 0) {
		slicer_destroy(slicer);
		return err;
	}
	slicer->job = workers_add_job(workers, encode_slice, slicer);
	*ret_slicer = slicer;
	return 0;
}

void slicer_destroy(struct slicer *slicer)
{
	if (!slicer)
		return;
	for (unsigned i = 0; i < slicer->n_encoders; i++)
		jpeg_encoder_destroy(slicer->encoders[i]);
	free(slicer);
}

int slicer_encode_in(
	struct slicer *slicer, const struct frame *frame, unsigned n_slices, struct packet *packet)
{
	if (n_slices > slicer->n_encoders)
		n_slices = slicer->n_encoders;
	jpeg_cut(&slicer->config, frame, n_slices, &slicer->cut);
	if (slicer->cut.n_slices == 1)
		return jpeg_encode(slicer->encoders[0], frame, packet);

	slicer->frame = frame;
	slicer->packet = packet;
	job_run(slicer->job, slicer->cut.n_slices);
	for (unsigned i = 0; i < slicer->cut.n_slices; i++)
		if (slicer->errors[i] < 0)
			return slicer->errors[i];
	packet_compose(packet, slicer->cut.n_slices);
	packet->width = frame->width;
	packet->height = frame->height;
	return 0;
}

int slicer_encode(struct slicer *slicer, const struct frame *frame, struct packet *packet)
{
	uint64_t pixels = (uint64_t)frame->width * frame->height, begin_ns = clock_now_ns();
	uint64_t n_slices = pixels / SLICE_PIXELS_LEAST;
	bool sliced;
	int err;

	if (n_slices > slicer->n_encoders)
		n_slices = slicer->n_encoders;
	if (n_slices < 2)
		return slicer_encode_in(slicer, frame, 1, packet);

	if (pixels != slicer->choice_pixels)
		slicer->choice = (struct choice){0};
	slicer->choice_pixels = pixels;
	sliced = choice_next(&slicer->choice);
	err = slicer_encode_in(slicer, frame, sliced ? (unsigned)n_slices : 1, packet);
	if (!err)
		choice_learn(&slicer->choice, sliced, clock_now_ns() - begin_ns);
	return err;
}
