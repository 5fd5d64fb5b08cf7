#include "encode/slicer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/trace.h"
#include "encode/choice.h"

/* Two slices of half as many take as long as one: waking a helper costs what they save. */
#define SLICE_PIXELS_LEAST (320 * 360)

/*
 * While later slices are encoded the first are on their way. More than these would hardly be there
 * earlier, and cost every viewer a write each.
 */
#define SLICES_PIECEMEAL 8

/* A slice for each thread, a piece for each slice. */
#define SLICES_MOST WORKERS_THREADS_MOST
static_assert(SLICES_MOST <= PACKET_PIECES_MOST, "every slice is a piece");
static_assert(SLICES_PIECEMEAL <= SLICES_MOST, "every slice has an encoder");

struct slicer {
	/* constant */
	struct jpeg_config config;
	struct job *job;
	unsigned n_threads;

	/* encode */
	struct jpeg_encoder *encoders[SLICES_MOST]; /* one a slice */
	unsigned n_encoders;
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

	TRACE(slice_begin, slicer->frame->captured_ns, slice);
	slicer->errors[slice] = jpeg_encode_slice(slicer->encoders[slice], slicer->frame,
		&slicer->cut, slice, &slicer->packet->pieces[slice]);
	TRACE(slice_end, slicer->frame->captured_ns, slice);
	if (!slicer->errors[slice])
		packet_piece_ready(slicer->packet, slice);
}

/* Have n encoders, if there is memory. */
ANY_THREAD static int provide_encoders(struct slicer *slicer, unsigned n)
{
	while (slicer->n_encoders < n) {
		int err = jpeg_encoder_create(
			&slicer->config, &slicer->encoders[slicer->n_encoders]);

		if (err < 0)
			return err;
		slicer->n_encoders++;
	}
	return 0;
}

int slicer_create(
	const struct jpeg_config *config, struct workers *workers, struct slicer **ret_slicer)
{
	struct slicer *slicer = calloc(1, sizeof *slicer);
	int err;

	if (!slicer)
		return -ENOMEM;
	slicer->config = *config;
	slicer->n_threads = workers_n_threads(workers);
	err = provide_encoders(slicer, 1);
	if (err < 0) {
		slicer_destroy(slicer);
		return err;
	}
	slicer->job = workers_add_job(workers, encode_slice, slicer);
	*ret_slicer = slicer;
	return 0;
}

ANY_THREAD static void drop_encoders(struct slicer *slicer)
{
	while (slicer->n_encoders)
		jpeg_encoder_destroy(slicer->encoders[--slicer->n_encoders]);
}

void slicer_destroy(struct slicer *slicer)
{
	if (!slicer)
		return;
	drop_encoders(slicer);
	free(slicer);
}

void slicer_set_quality(struct slicer *slicer, int quality)
{
	if (quality == slicer->config.quality)
		return;
	drop_encoders(slicer);
	slicer->config.quality = quality;
	slicer->choice = (struct choice){0};
}

int slicer_encode_in(
	struct slicer *slicer, const struct frame *frame, unsigned n_slices, struct packet *packet)
{
	int err = provide_encoders(
		slicer, n_slices < slicer->n_threads ? n_slices : slicer->n_threads);

	if (!slicer->n_encoders)
		return err;
	/* With fewer encoders it is fewer slices. */
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
	packet->width = frame_shown_width(frame);
	packet->height = frame_shown_height(frame);
	return 0;
}

/* Into how many slices a frame may be cut, so many at most. */
ON_ENCODE static unsigned limit_slices(const struct frame *frame, unsigned most)
{
	uint64_t n_slices = (uint64_t)frame_shown_width(frame) * frame_shown_height(frame) /
			    SLICE_PIXELS_LEAST;

	if (n_slices > most)
		return most;
	return n_slices ? (unsigned)n_slices : 1;
}

int slicer_encode_piecemeal(struct slicer *slicer, const struct frame *frame, struct packet *packet)
{
	unsigned n_slices = slicer->n_threads > SLICES_PIECEMEAL ? slicer->n_threads
								 : SLICES_PIECEMEAL;

	/* With fewer encoders it is fewer pieces. */
	(void)provide_encoders(slicer, n_slices);
	return slicer_encode_in(slicer, frame, limit_slices(frame, n_slices), packet);
}

int slicer_encode(struct slicer *slicer, const struct frame *frame, struct packet *packet)
{
	uint64_t pixels = (uint64_t)frame_shown_width(frame) * frame_shown_height(frame);
	uint64_t begin_ns = clock_now_ns();
	unsigned n_slices = limit_slices(frame, slicer->n_threads);
	bool sliced;
	int err;

	if (n_slices < 2)
		return slicer_encode_in(slicer, frame, 1, packet);

	if (pixels != slicer->choice_pixels)
		slicer->choice = (struct choice){0};
	slicer->choice_pixels = pixels;
	sliced = choice_next(&slicer->choice, n_slices);
	err = slicer_encode_in(slicer, frame, sliced ? n_slices : 1, packet);
	if (!err)
		choice_learn(&slicer->choice, sliced, clock_now_ns() - begin_ns);
	return err;
}
