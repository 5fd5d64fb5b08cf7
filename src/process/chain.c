#include "process/chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "process/filter.h"

struct link {
	struct filter *filter;
	struct filter_stats *stats;
};

struct chain {
	struct link links[PROCESS_STEPS_MOST];
	unsigned n_links;
	bool draws;
	uint8_t *copy; /* of pixels that the camera keeps */
	size_t copy_bytes;
};

/* The stats of a name: those that have it, or the next that have none; the last for all others. */
ANY_THREAD static struct filter_stats *find_stats(struct filter_stats *stats, const char *name)
{
	unsigned i = 0;

	/* Relaxed: only makers of chains write it, and they come one after the other. */
	while (i < FILTERS_NAMED - 1 &&
		atomic_load_explicit(&stats[i].named, memory_order_relaxed) &&
		strcmp(stats[i].name, name) != 0)
		i++;
	if (!atomic_load_explicit(&stats[i].named, memory_order_relaxed)) {
		(void)snprintf(stats[i].name, sizeof stats[i].name, "%s",
			i < FILTERS_NAMED - 1 ? name : "others");
		/* Release, partner of the acquire in filter_stats_name(). */
		atomic_store_explicit(&stats[i].named, true, memory_order_release);
	}
	return &stats[i];
}

ANY_THREAD static struct filter *create_filter(
	const struct process_config *config, const struct process_step *step)
{
	switch (step->kind) {
	case FILTER_ORIENT:
		return orient_create(&config->orient);
	case FILTER_MASK:
		return mask_create(&config->mask);
	}
	return NULL;
}

int chain_create(
	const struct process_config *config, struct filter_stats *stats, struct chain **ret_chain)
{
	struct chain *chain = calloc(1, sizeof *chain);

	if (!chain)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_steps; i++) {
		struct link *link = &chain->links[i];

		link->filter = create_filter(config, &config->steps[i]);
		if (!link->filter) {
			chain_destroy(chain);
			return -ENOMEM;
		}
		link->stats = find_stats(stats, config->steps[i].name);
		chain->draws |= link->filter->draws;
		chain->n_links++;
	}
	*ret_chain = chain;
	return 0;
}

void chain_destroy(struct chain *chain)
{
	if (!chain)
		return;
	for (unsigned i = 0; i < chain->n_links; i++)
		chain->links[i].filter->destroy(chain->links[i].filter);
	free(chain->copy);
	free(chain);
}

bool chain_is_empty(const struct chain *chain)
{
	return !chain->n_links;
}

bool chain_draws(const struct chain *chain, const struct frame *frame)
{
	return chain->draws && !frame->kept;
}

/* As many bytes of a plane as its picture has. */
ON_ENCODE static size_t plane_bytes(
	const struct pixel_format *format, const struct frame *frame, uint32_t plane)
{
	const struct frame_plane *p = &frame->planes[plane];
	uint32_t rows = plane && format->chroma_420 ? (frame->height + 1) / 2 : frame->height;
	size_t bytes = (size_t)p->stride_bytes * rows;

	return bytes < p->size_bytes ? bytes : p->size_bytes;
}

/* Put the pixels of a frame where they can be written to. */
ON_ENCODE static int copy_pixels(
	struct chain *chain, const struct pixel_format *format, struct frame *frame)
{
	size_t bytes = 0, used = 0;

	for (uint32_t i = 0; i < frame->n_planes; i++)
		bytes += plane_bytes(format, frame, i);
	if (bytes > chain->copy_bytes) {
		uint8_t *memory = realloc(chain->copy, bytes);

		if (!memory)
			return -ENOMEM;
		chain->copy = memory;
		chain->copy_bytes = bytes;
	}
	for (uint32_t i = 0; i < frame->n_planes; i++) {
		struct frame_plane *plane = &frame->planes[i];
		size_t of_plane = plane_bytes(format, frame, i);

		plane->data = memcpy(chain->copy + used, plane->data, of_plane);
		plane->size_bytes = (uint32_t)of_plane;
		plane->dmabuf_fd = -1;
		used += of_plane;
	}
	frame->kept = false;
	return 0;
}

int chain_run(struct chain *chain, struct frame *frame)
{
	const struct pixel_format *format = pixel_format_find(frame->fourcc);
	int err = 0;

	if (!format || !pixels_fit(format, frame))
		return -EINVAL;
	if (chain->draws && frame->kept)
		err = copy_pixels(chain, format, frame);
	for (unsigned i = 0; !err && i < chain->n_links; i++) {
		struct link *link = &chain->links[i];
		uint64_t begin_ns = clock_now_ns();

		err = link->filter->run(link->filter, format, frame);
		histogram_record_span(&link->stats->time, begin_ns, clock_now_ns());
		if (err < 0)
			stat_add(&link->stats->failed, 1);
	}
	return err;
}
