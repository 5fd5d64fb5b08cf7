#include "process/chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "process/filter.h"
#include "process/plugin.h"

struct link {
	struct filter *filter;
	struct filter_stats *stats;
	uint64_t budget_ns; /* UINT64_MAX for none */
	unsigned overruns;  /* in succession; CHAIN_OVERRUNS: it is left out */
};

struct chain {
	struct link links[PROCESS_STEPS_MOST];
	unsigned n_links;
	bool draws;
	const char *news;
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

ANY_THREAD static int create_filter(const struct process_config *config,
	const struct process_step *step, struct filter **ret_filter,
	char reason[PROCESS_REASON_BYTES])
{
	switch (step->kind) {
	case FILTER_ORIENT:
		*ret_filter = orient_create(&config->orient);
		break;
	case FILTER_MASK:
		*ret_filter = mask_create(&config->mask);
		break;
	case FILTER_OVERLAY:
		return overlay_create(config, ret_filter, reason);
	case FILTER_PLUGIN:
		return plugin_create(config->texts[PROCESS_PLUGIN_DIR], step->path, step->settings,
			!config->live, ret_filter, reason);
	}
	(void)snprintf(reason, PROCESS_REASON_BYTES, "there is no memory for filters");
	return *ret_filter ? 0 : -ENOMEM;
}

ANY_THREAD static uint64_t budget_of(
	const struct process_config *config, const struct process_step *step)
{
	if (step->kind != FILTER_PLUGIN || !config->plugin_budget_ms)
		return UINT64_MAX;
	return config->plugin_budget_ms * NS_PER_MS;
}

int chain_create(const struct process_config *config, struct filter_stats *stats,
	struct chain **ret_chain, char reason[PROCESS_REASON_BYTES])
{
	struct chain *chain = calloc(1, sizeof *chain);
	int err;

	(void)snprintf(reason, PROCESS_REASON_BYTES, "there is no memory for filters");
	if (!chain)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_steps; i++) {
		struct link *link = &chain->links[i];

		err = create_filter(config, &config->steps[i], &link->filter, reason);
		if (err < 0) {
			chain_destroy(chain);
			return err;
		}
		link->budget_ns = budget_of(config, &config->steps[i]);
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
ON_ENCODE static int copy_pixels(struct chain *chain, const struct pixel_format *format,
	struct frame *frame, stat_counter *copied_bytes)
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
	stat_add(copied_bytes, bytes);
	frame->kept = false;
	return 0;
}

/* Run a filter; one that has overrun its budget too often is left out from then on. */
ON_ENCODE static int run_link(struct chain *chain, struct link *link,
	const struct pixel_format *format, struct frame *frame, struct results *results)
{
	uint64_t begin_ns = clock_now_ns(), took_ns;
	int err = link->filter->run(link->filter, format, frame, results);

	took_ns = clock_now_ns() - begin_ns;
	histogram_record(&link->stats->time, took_ns);
	if (err < 0)
		stat_add(&link->stats->failed, 1);
	link->overruns = took_ns > link->budget_ns ? link->overruns + 1 : 0;
	if (link->overruns == CHAIN_OVERRUNS) {
		stat_add(&link->stats->bypassed, 1);
		chain->news = link->stats->name;
	}
	return err;
}

int chain_run(struct chain *chain, struct frame *frame, struct results *results,
	stat_counter *copied_bytes)
{
	const struct pixel_format *format = pixel_format_find(frame->fourcc);
	int err = 0;

	if (!format || !pixels_fit(format, frame))
		return -EINVAL;
	if (chain->draws && frame->kept)
		err = copy_pixels(chain, format, frame, copied_bytes);
	for (unsigned i = 0; !err && i < chain->n_links; i++)
		if (chain->links[i].overruns < CHAIN_OVERRUNS)
			err = run_link(chain, &chain->links[i], format, frame, results);
	return err;
}

const char *chain_take_news(struct chain *chain)
{
	const char *news = chain->news;

	chain->news = NULL;
	return news;
}
