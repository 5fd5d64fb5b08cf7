#include "pipeline/pipeline.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "pipeline/inside.h"

#define EXCHANGES 10

struct exchange_slots {
	struct exchange *exchange;
	void *slots;
	size_t slot_bytes;
};

ON_MAIN static void list_exchanges(struct pipeline *p, struct exchange_slots ret_list[EXCHANGES])
{
	const struct exchange_slots list[EXCHANGES] = {
		{&p->frames, p->frame_slots, sizeof p->frame_slots[0]},
		{&p->shown, p->shown_slots, sizeof p->shown_slots[0]},
		{&p->status, p->status_slots, sizeof p->status_slots[0]},
		{&p->news, p->news_slots, sizeof p->news_slots[0]},
		{&p->troubles, p->trouble_slots, sizeof p->trouble_slots[0]},
		{&p->presence, p->presence_slots, sizeof p->presence_slots[0]},
		{&p->wishes, p->wish_slots, sizeof p->wish_slots[0]},
		{&p->requests, p->request_slots, sizeof p->request_slots[0]},
		{&p->answers, p->answer_slots, sizeof p->answer_slots[0]},
		{&p->chains, p->chain_slots, sizeof p->chain_slots[0]},
	};

	memcpy(ret_list, list, sizeof list);
}

/* Encode begins with the filters that are configured. */
ON_MAIN static int make_chain(struct pipeline *p, char reason[PROCESS_REASON_BYTES])
{
	int err = chain_create(&p->process, p->stats.filters, exchange_slot(&p->chains), reason);

	if (!err)
		(void)exchange_publish(&p->chains);
	return err;
}

/* An outlet for pictures as they are and one for each variant, and what their pictures are made by. */
ON_MAIN static int make_outlets(struct pipeline *p, struct workers *workers)
{
	unsigned n = pipeline_n_jobs(p->settings);
	int err = 0;

	while (!err && p->n_outlets < n) {
		unsigned i = p->n_outlets;

		err = outlet_init(&p->outlets[i]);
		if (err < 0)
			return err;
		p->n_outlets++;
		err = slicer_create(&p->settings->jpeg, workers, &p->slicers[i]);
	}
	return err;
}

unsigned pipeline_n_jobs(const struct camera_settings *settings)
{
	return 1 + settings->variants;
}

/* Nothing that pipeline_destroy() would have to undo, but what to watch the machine by. */
ON_MAIN static void begin(struct pipeline *p, const struct camera_settings *settings)
{
	struct exchange_slots exchanges[EXCHANGES];

	memset(p, 0, sizeof *p);
	p->settings = settings;
	p->config = &settings->camera;
	p->asked = *p->config;
	p->lending = (struct lending){
		.readers = {&p->frames, &p->shown}, .n_readers = *p->config->preview ? 2 : 1};
	p->process = settings->process;
	p->process.camera = p->config->name;
	p->process.font = settings->font;
	(void)snprintf(p->room, sizeof p->room, "camera %s", p->config->name);
	p->capture_stop_fd = p->control_stop_fd = p->encode_stop_fd = p->preview_stop_fd = -1;
	p->capture_wake_fd = p->demand.event_fd = p->demand.risen_fd = -1;
	p->arrivals_fd = camera_watch_arrivals();
	p->hotplug_fd = *p->config->preview ? kms_watch_hotplug() : -1;
	p->life.told = p->arrivals_fd >= 0;
	p->desk.device.fd = -1;
	list_exchanges(p, exchanges);
	for (size_t i = 0; i < EXCHANGES; i++)
		exchanges[i].exchange->fresh_fd = exchanges[i].exchange->returned_fd = -1;
}

/* What threads hear of each other by. Returns 0 or a negative errno. */
ON_MAIN static int join_threads(struct pipeline *p)
{
	int *const fds[] = {&p->capture_stop_fd, &p->capture_wake_fd, &p->control_stop_fd,
		&p->preview_stop_fd, &p->encode_stop_fd};
	struct exchange_slots exchanges[EXCHANGES];
	int err = 0;

	list_exchanges(p, exchanges);
	for (size_t i = 0; !err && i < EXCHANGES; i++)
		err = exchange_init(
			exchanges[i].exchange, exchanges[i].slots, exchanges[i].slot_bytes);
	if (!err)
		err = demand_init(&p->demand);
	for (size_t i = 0; !err && i < sizeof fds / sizeof *fds; i++) {
		*fds[i] = fd_event();
		err = *fds[i] < 0 ? *fds[i] : 0;
	}
	return err;
}

int pipeline_create(const struct camera_settings *settings, struct workers *workers,
	struct pipeline **ret_pipeline, char reason[PROCESS_REASON_BYTES])
{
	/* Not calloc(): the exchanges are aligned to cache lines. */
	struct pipeline *p = aligned_alloc(alignof(struct pipeline), sizeof *p);
	int err;

	(void)snprintf(reason, PROCESS_REASON_BYTES, "there is no memory for it");
	if (!p)
		return -ENOMEM;
	begin(p, settings);
	err = make_outlets(p, workers);
	if (!err)
		err = jpeg_decoder_create(&p->decoder);
	if (!err)
		err = join_threads(p);
	if (!err)
		err = desk_init(&p->desk);
	if (err < 0)
		(void)snprintf(reason, PROCESS_REASON_BYTES, "%s", strerror(-err));
	else
		err = make_chain(p, reason); /* which says itself what is wrong */
	if (err < 0) {
		pipeline_destroy(p);
		return err;
	}
	*ret_pipeline = p;
	return 0;
}

void pipeline_describe(struct pipeline *p, struct server_camera *ret_camera)
{
	*ret_camera = (struct server_camera){
		.name = p->config->name,
		.source = p->config->source,
		.fps = p->config->fps,
		.has_placeholder = p->settings->placeholder,
		.outlets = p->outlets,
		.n_outlets = p->n_outlets,
		.status = &p->status,
		.requests = &p->requests,
		.answers = &p->answers,
		.demand = &p->demand,
		.stats = &p->stats,
	};
}

int pipeline_start(struct pipeline *p)
{
	int err = -pthread_create(&p->encode_thread, NULL, encode_loop, p);

	if (err < 0)
		return err;
	p->encoding = true;
	if (*p->config->preview) {
		err = -pthread_create(&p->preview_thread, NULL, preview_loop, p);
		p->previewing = !err;
	}
	if (!err)
		err = -pthread_create(&p->control_thread, NULL, control_loop, p);
	p->controlling = !err;
	if (!err)
		err = -pthread_create(&p->capture_thread, NULL, capture_loop, p);
	p->capturing = !err;
	if (err < 0)
		pipeline_stop(p);
	return err;
}

const char *pipeline_name(const struct pipeline *p)
{
	return p->config->name;
}

int pipeline_news_fd(const struct pipeline *p)
{
	return p->news.fresh_fd;
}

bool pipeline_take_news(struct pipeline *p, const struct camera_status **ret_status)
{
	void *slot;
	bool news;

	fd_drain(p->news.fresh_fd);
	news = exchange_take(&p->news, &slot);
	if (news)
		p->told = slot;
	*ret_status = p->told;
	return news;
}

const char *pipeline_stuck_thread(struct pipeline *p)
{
	/* All, that each is asked. */
	bool captures = pulse_take(&p->capture_pulse, p->capture_wake_fd);
	bool controls = pulse_take(&p->control_pulse, p->requests.fresh_fd);
	bool encodes = pulse_take(&p->encode_pulse, p->demand.event_fd);
	bool previews = !p->previewing || pulse_take(&p->preview_pulse, p->shown.fresh_fd);

	return !captures   ? role_capture.name
	       : !controls ? role_control.name
	       : !encodes  ? role_encode.name
	       : !previews ? role_preview.name
			   : NULL;
}

void pipeline_ask_to_stop(struct pipeline *p)
{
	fd_signal(p->capture_stop_fd);
}

void pipeline_stop(struct pipeline *p)
{
	/* Joins cannot fail: the threads are ours and joined once. */
	if (p->capturing) {
		pipeline_ask_to_stop(p);
		(void)pthread_join(p->capture_thread, NULL);
		p->capturing = false;
	}
	if (p->controlling) {
		fd_signal(p->control_stop_fd);
		(void)pthread_join(p->control_thread, NULL);
		p->controlling = false;
	}
	if (p->encoding) {
		fd_signal(p->encode_stop_fd);
		(void)pthread_join(p->encode_thread, NULL);
		p->encoding = false;
	}
	if (p->previewing) {
		fd_signal(p->preview_stop_fd);
		(void)pthread_join(p->preview_thread, NULL);
		p->previewing = false;
	}
}

void pipeline_destroy(struct pipeline *p)
{
	struct exchange_slots exchanges[EXCHANGES];

	if (!p)
		return;
	for (size_t i = 0; i < EXCHANGE_SLOTS; i++) {
		free(p->answer_slots[i].json);
		chain_destroy(p->chain_slots[i]);
	}
	for (unsigned i = 0; i < p->n_outlets; i++) {
		outlet_finish(&p->outlets[i]);
		packet_pool_finish(&p->pools[i]);
		slicer_destroy(p->slicers[i]);
	}
	jpeg_decoder_destroy(p->decoder);
	placeholder_destroy(p->placeholder);
	packet_unref(p->last);
	list_exchanges(p, exchanges);
	for (size_t i = 0; i < EXCHANGES; i++)
		exchange_finish(exchanges[i].exchange);
	desk_finish(&p->desk);
	demand_finish(&p->demand);
	fd_close(&p->capture_stop_fd);
	fd_close(&p->capture_wake_fd);
	fd_close(&p->arrivals_fd);
	fd_close(&p->hotplug_fd);
	fd_close(&p->control_stop_fd);
	fd_close(&p->encode_stop_fd);
	fd_close(&p->preview_stop_fd);
	free(p);
}
