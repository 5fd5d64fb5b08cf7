#include "server/inside.h"

#include <stdio.h>

#include "base/fd.h"

/* For /healthz: frames advance when the newest is younger than this, or than some intervals. */
#define HEALTHY_NS        (2 * NS_PER_S)
#define HEALTHY_INTERVALS 5

static void stage_update(struct stage *stage, uint64_t from_ns, uint64_t to_ns)
{
	/* Signed: drivers have been seen to stamp frames in the future. */
	stage->last_ms = (double)(int64_t)(to_ns - from_ns) / 1e6;
	if (!stage->average_ms)
		stage->average_ms = stage->last_ms;
	stage->average_ms += (stage->last_ms - stage->average_ms) / 10;
}

void meter_update(struct meter *meter, uint64_t count, uint64_t now_ns)
{
	/* Over less than half a second the rate of something that has just begun says little. */
	if (meter->at_ns && now_ns < meter->at_ns + NS_PER_S / 2)
		return;
	if (meter->at_ns)
		meter->per_second = (double)(count - meter->count) * 1e9 /
				    (double)(now_ns - meter->at_ns);
	meter->count = count;
	meter->at_ns = now_ns;
}

/* The first picture since somebody wanted one has come. */
ON_SERVER static void note_first(struct feed *feed, uint64_t now_ns)
{
	if (!feed->wanted_ns)
		return;
	feed->first_picture_ns = now_ns - feed->wanted_ns;
	histogram_record(&feed->demand_to_picture, feed->first_picture_ns);
	feed->wanted_ns = 0;
}

void feed_note_picture(struct feed *feed, struct part *part)
{
	const struct packet *packet = part->packet;
	uint64_t now_ns = part->published_ns;

	/* Of each frame the first counts. */
	if (feed->picture && feed->picture->packet->captured_ns >= packet->captured_ns)
		return;
	part_unref(feed->picture);
	feed->picture = part_ref(part);
	note_first(feed, now_ns);
	histogram_record_span(&feed->encode_to_publish, packet->encode_end_ns, now_ns);
	stage_update(&feed->capture_to_dequeue, packet->captured_ns, packet->dequeued_ns);
	stage_update(&feed->wait, packet->dequeued_ns, packet->encode_begin_ns);
	stage_update(&feed->encode, packet->encode_begin_ns, packet->encode_end_ns);
	stage_update(&feed->publish, packet->encode_end_ns, now_ns);
	stage_update(&feed->total, packet->captured_ns, now_ns);
}

ON_SERVER static void on_status(h2o_socket_t *socket, const char *err)
{
	struct feed *feed = socket->data;

	(void)err; /* an eventfd has no errors to tell */
	fd_drain(h2o_socket_get_fd(socket));
	streams_publish(feed);
}

ON_SERVER static void on_answer(h2o_socket_t *socket, const char *err)
{
	struct feed *feed = socket->data;
	uint64_t changed = stat_read(&feed->camera.stats->controls_changed);

	(void)err; /* an eventfd has no errors to tell */
	fd_drain(h2o_socket_get_fd(socket));
	controls_take(feed);
	if (changed == feed->controls_changed)
		return;
	feed->controls_changed = changed;
	feed->status_serial++;
	streams_publish(feed);
}

h2o_socket_t *feed_watch(h2o_loop_t *loop, int *fd, void *data, h2o_socket_cb callback)
{
	h2o_socket_t *socket = h2o_evloop_socket_create(loop, *fd, H2O_SOCKET_FLAG_DONT_READ);

	*fd = -1;
	socket->data = data;
	h2o_socket_read_start(socket, callback);
	return socket;
}

void feed_begin(struct feed *feed, h2o_loop_t *loop)
{
	h2o_linklist_init_anchor(&feed->streams);
	h2o_linklist_init_anchor(&feed->snapshots);
	feed->status_serial = 1;
	for (unsigned i = 0; i < feed->camera.n_outlets; i++)
		channel_begin(&feed->channels[i], loop);
	feed->status_fresh = feed_watch(loop, &feed->status_fd, feed, on_status);
	h2o_linklist_init_anchor(&feed->errands);
	feed->answered = feed_watch(loop, &feed->answers_fd, feed, on_answer);
}

void feed_end(struct feed *feed)
{
	for (unsigned i = 0; i < feed->camera.n_outlets; i++)
		channel_end(&feed->channels[i]);
	h2o_socket_close(feed->status_fresh);
	h2o_socket_close(feed->answered);
	part_unref(feed->picture);
	feed->picture = NULL;
}

void feed_tick(struct feed *feed, uint64_t now_ns)
{
	meter_update(&feed->captured, stat_read(&feed->camera.stats->captured), now_ns);
	meter_update(&feed->encoded, stat_read(&feed->camera.stats->encoded), now_ns);
	streams_tick(feed, now_ns);
}

const struct camera_status *feed_status(struct feed *feed)
{
	static const struct camera_status unknown = {.state = CAMERA_OPENING};
	void *slot;

	if (exchange_take(feed->camera.status, &slot)) {
		feed->status = slot;
		feed->status_serial++;
	}
	return feed->status ? feed->status : &unknown;
}

uint64_t feed_interval_ns(struct feed *feed)
{
	const struct camera_info *info = &feed_status(feed)->info;

	if (info->fps_numerator)
		return NS_PER_S * info->fps_denominator / info->fps_numerator;
	return (uint64_t)((double)NS_PER_S / (feed->camera.fps > 0 ? feed->camera.fps : 30));
}

const char *feed_fault_name(enum camera_fault fault)
{
	static const char *const names[] = {
		[FAULT_GONE] = "gone",
		[FAULT_BUSY] = "busy",
		[FAULT_DENIED] = "denied",
		[FAULT_SIGNAL] = "signal",
		[FAULT_CHANGED] = "changed",
		[FAULT_SILENT] = "silent",
		[FAULT_MEMORY] = "memory",
		[FAULT_DRIVER] = "driver",
	};

	return names[fault];
}

bool feed_is_healthy(struct feed *feed, uint64_t now_ns, char reason[256])
{
	uint64_t last_ns = stat_read(&feed->camera.stats->last_captured_ns);
	uint64_t limit_ns = HEALTHY_INTERVALS * feed_interval_ns(feed);
	const struct camera_status *status = feed_status(feed);

	if (limit_ns < HEALTHY_NS)
		limit_ns = HEALTHY_NS;
	if (status->state == CAMERA_IDLE)
		return true;
	if (status->online && last_ns && now_ns < last_ns + limit_ns)
		return true;
	if (!status->online)
		(void)snprintf(reason, 256, "Camera %s: %s.", feed->camera.name,
			camera_status_words(status));
	else
		(void)snprintf(reason, 256, "Camera %s: no frame for %.1f s.", feed->camera.name,
			(double)(now_ns - (last_ns ? last_ns : status->since_ns)) / 1e9);
	return false;
}
