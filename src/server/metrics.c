/*
 * /metrics, for Prometheus. A table says what there is, in the order of a frame's way; every metric
 * is written for all cameras before the next begins. deploy/metrics.md explains them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "server/exposition.h"
#include "server/stream.h"

/* Room for the beginnings of all metrics and the process's samples, and for a camera's lines. */
#define COMMON_BYTES      16384
#define CAMERA_NUMBERS    (48 + 2 * FILTERS_NAMED + VARIANTS_MOST)
#define CAMERA_HISTOGRAMS (7 + 3 * PROTOCOLS + FILTERS_NAMED + VARIANTS_MOST)
#define CAMERA_BYTES \
	((CAMERA_NUMBERS + CAMERA_HISTOGRAMS * EXPOSITION_HISTOGRAM_LINES) * EXPOSITION_LINE_BYTES)

/* ---- a camera's samples; its label is set ---- */

ON_SERVER static void add_counter(struct exposition *e, const stat_counter *counter)
{
	exposition_add_number(e, stat_read(counter));
}

/* What has never happened has no histogram: it would be a hundred zeros. */
ON_SERVER static void add_histogram(struct exposition *e, const struct histogram *histogram)
{
	if (histogram_count(histogram))
		exposition_add_histogram(e, histogram);
}

/* Set the labels of a camera and one more. */
ON_SERVER static void label_more(
	struct exposition *e, const struct feed *feed, const char *name, const char *value)
{
	struct exposition_label labels[] = {{"camera", feed->camera.name}, {name, value}};

	exposition_label(e, labels, 2);
}

ON_SERVER static void label_protocol(
	struct exposition *e, const struct feed *feed, enum protocol protocol)
{
	label_more(e, feed, "protocol", stream_protocol_name(protocol));
}

ON_SERVER static void camera_up(struct exposition *e, struct feed *feed)
{
	exposition_add_number(e, feed_status(feed)->online);
}

ON_SERVER static void camera_idle(struct exposition *e, struct feed *feed)
{
	exposition_add_number(e, feed_status(feed)->state == CAMERA_IDLE);
}

ON_SERVER static void camera_opened(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->opened);
}

ON_SERVER static void camera_restarted(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->restarted);
}

ON_SERVER static void camera_lost(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->lost);
}

ON_SERVER static void camera_faults(struct exposition *e, struct feed *feed)
{
	for (enum camera_fault i = 0; i < CAMERA_FAULTS; i++) {
		label_more(e, feed, "cause", feed_fault_name(i));
		add_counter(e, &feed->camera.stats->faults[i]);
	}
}

ON_SERVER static void camera_demand(struct exposition *e, struct feed *feed)
{
	exposition_add_number(
		e, atomic_load_explicit(&feed->camera.demand->wanted, memory_order_relaxed));
}

ON_SERVER static void buffers_on_loan(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->on_loan);
}

ON_SERVER static void frame_age(struct exposition *e, struct feed *feed)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t last_ns = stat_read(&feed->camera.stats->last_captured_ns);

	if (last_ns)
		exposition_add_seconds(e, now_ns > last_ns ? now_ns - last_ns : 0);
}

ON_SERVER static void frames_captured(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->captured);
}

ON_SERVER static void frames_encoded(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->encoded);
}

ON_SERVER static void placeholders_encoded(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->placeholders);
}

ON_SERVER static void frames_dropped(struct exposition *e, struct feed *feed)
{
	const struct camera_stats *stats = feed->camera.stats;
	const struct {
		const char *cause;
		const stat_counter *counter;
	} drops[] = {
		{"lost", &stats->dropped_lost},
		{"starved", &stats->dropped_starved},
		{"error", &stats->dropped_error},
		{"stale", &stats->dropped_stale},
		{"encoder_busy", &stats->dropped_encoder_busy},
		{"corrupt", &stats->dropped_corrupt},
		{"encode", &stats->dropped_encode},
		{"server_busy", &stats->dropped_server_busy},
	};

	for (size_t i = 0; i < sizeof drops / sizeof *drops; i++) {
		label_more(e, feed, "cause", drops[i].cause);
		add_counter(e, drops[i].counter);
	}
}

ON_SERVER static void frames_copied_bytes(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->copied_bytes);
}

ON_SERVER static void dmabuf_syncs(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->dmabuf_syncs);
}

ON_SERVER static void frames_odd(struct exposition *e, struct feed *feed)
{
	const struct camera_stats *stats = feed->camera.stats;

	label_more(e, feed, "oddity", "time");
	add_counter(e, &stats->odd_time);
	label_more(e, feed, "oddity", "sequence");
	add_counter(e, &stats->odd_sequence);
	label_more(e, feed, "oddity", "size");
	add_counter(e, &stats->odd_size);
}

ON_SERVER static void capture_to_dequeue(struct exposition *e, struct feed *feed)
{
	add_histogram(e, &feed->camera.stats->capture_to_dequeue);
}

ON_SERVER static void frames_previewed(struct exposition *e, struct feed *feed)
{
	add_counter(e, &feed->camera.stats->previewed);
}

ON_SERVER static void capture_to_flip(struct exposition *e, struct feed *feed)
{
	add_histogram(e, &feed->camera.stats->capture_to_flip);
}

ON_SERVER static void dequeue_to_encode(struct exposition *e, struct feed *feed)
{
	add_histogram(e, &feed->camera.stats->dequeue_to_encode);
}

ON_SERVER static void encode(struct exposition *e, struct feed *feed)
{
	add_histogram(e, &feed->camera.stats->encode);
}

/* Set the labels of a filter; whether there is one. */
ON_SERVER static bool label_filter(struct exposition *e, const struct feed *feed, size_t i)
{
	const char *name = filter_stats_name(&feed->camera.stats->filters[i]);

	if (name)
		label_more(e, feed, "filter", name);
	return name;
}

ON_SERVER static void filter_times(struct exposition *e, struct feed *feed)
{
	for (size_t i = 0; i < FILTERS_NAMED; i++)
		if (label_filter(e, feed, i))
			add_histogram(e, &feed->camera.stats->filters[i].time);
}

ON_SERVER static void filter_failures(struct exposition *e, struct feed *feed)
{
	for (size_t i = 0; i < FILTERS_NAMED; i++)
		if (label_filter(e, feed, i))
			add_counter(e, &feed->camera.stats->filters[i].failed);
}

ON_SERVER static void filter_bypasses(struct exposition *e, struct feed *feed)
{
	for (size_t i = 0; i < FILTERS_NAMED; i++)
		if (label_filter(e, feed, i))
			add_counter(e, &feed->camera.stats->filters[i].bypassed);
}

ON_SERVER static void demand_to_picture(struct exposition *e, struct feed *feed)
{
	add_histogram(e, &feed->demand_to_picture);
}

ON_SERVER static void encode_to_publish(struct exposition *e, struct feed *feed)
{
	add_histogram(e, &feed->encode_to_publish);
}

ON_SERVER static void publish_to_send(struct exposition *e, struct feed *feed)
{
	add_histogram(e, &feed->publish_to_send);
}

/* Set the labels of a variant; whether channel i has one. */
ON_SERVER static bool label_variant(struct exposition *e, const struct feed *feed, unsigned i)
{
	char name[VARIANT_NAME_BYTES];

	variant_name(&feed->channels[i].variant, name);
	if (*name)
		label_more(e, feed, "variant", name);
	return *name;
}

ON_SERVER static void variant_times(struct exposition *e, struct feed *feed)
{
	for (unsigned i = 1; i < feed->camera.n_outlets; i++)
		if (label_variant(e, feed, i))
			add_histogram(e, &feed->channels[i].encode);
}

ON_SERVER static void variant_demand(struct exposition *e, struct feed *feed)
{
	for (unsigned i = 1; i < feed->camera.n_outlets; i++)
		if (label_variant(e, feed, i))
			exposition_add_number(e, outlet_wanted(feed->channels[i].outlet));
}

ON_SERVER static void publish_to_sent(struct exposition *e, struct feed *feed)
{
	for (enum protocol i = 0; i < PROTOCOLS; i++) {
		label_protocol(e, feed, i);
		add_histogram(e, &feed->traffic[i].publish_to_sent);
	}
}

ON_SERVER static void capture_to_sent(struct exposition *e, struct feed *feed)
{
	for (enum protocol i = 0; i < PROTOCOLS; i++) {
		label_protocol(e, feed, i);
		add_histogram(e, &feed->traffic[i].capture_to_sent);
	}
}

ON_SERVER static void capture_to_drawn(struct exposition *e, struct feed *feed)
{
	for (enum protocol i = 0; i < PROTOCOLS; i++) {
		label_protocol(e, feed, i);
		add_histogram(e, &feed->traffic[i].capture_to_drawn);
	}
}

ON_SERVER static void viewers(struct exposition *e, struct feed *feed)
{
	uint64_t n[PROTOCOLS] = {0};

	for (h2o_linklist_t *link = feed->streams.next; link != &feed->streams; link = link->next)
		n[stream_of_link(link)->protocol]++;
	for (enum protocol i = 0; i < PROTOCOLS; i++) {
		label_protocol(e, feed, i);
		exposition_add_number(e, n[i]);
	}
}

ON_SERVER static void viewer_frames_sent(struct exposition *e, struct feed *feed)
{
	for (enum protocol i = 0; i < PROTOCOLS; i++) {
		label_protocol(e, feed, i);
		exposition_add_number(e, feed->traffic[i].frames);
	}
}

ON_SERVER static void viewer_frames_skipped(struct exposition *e, struct feed *feed)
{
	for (enum protocol i = 0; i < PROTOCOLS; i++) {
		label_protocol(e, feed, i);
		exposition_add_number(e, feed->traffic[i].skipped);
	}
}

ON_SERVER static void viewer_sent_bytes(struct exposition *e, struct feed *feed)
{
	for (enum protocol i = 0; i < PROTOCOLS; i++) {
		label_protocol(e, feed, i);
		exposition_add_number(e, feed->traffic[i].bytes);
	}
}

ON_SERVER static void snapshots_sent(struct exposition *e, struct feed *feed)
{
	exposition_add_number(e, feed->snapshots_sent);
}

static const struct camera_metric {
	const char *name, *type, *help;
	void (*add)(struct exposition *e, struct feed *feed);
} camera_metrics[] = {
	{"fanlight_camera_up", "gauge", "Whether the camera is open and delivering.", camera_up},
	{"fanlight_camera_idle", "gauge", "Whether the camera is closed because nobody watches.",
		camera_idle},
	{"fanlight_camera_opened_total", "counter", "Times the camera was opened.", camera_opened},
	{"fanlight_camera_restarted_total", "counter",
		"Times the open camera fell silent and was stopped and started.", camera_restarted},
	{"fanlight_camera_lost_total", "counter",
		"Times the camera went away or failed after it was opened.", camera_lost},
	{"fanlight_camera_faults_total", "counter",
		"Times the camera could not be opened or failed, by cause.", camera_faults},
	{"fanlight_camera_demand", "gauge",
		"Streams and waiting snapshots, for which frames are encoded.", camera_demand},
	{"fanlight_camera_buffers_on_loan", "gauge",
		"The camera's buffers that are with the encoder, or on the way there or back.",
		buffers_on_loan},
	{"fanlight_frame_age_seconds", "gauge", "Age of the newest frame captured.", frame_age},
	{"fanlight_frames_captured_total", "counter", "Frames that the camera delivered whole.",
		frames_captured},
	{"fanlight_frames_encoded_total", "counter",
		"Frames encoded, or checked and passed on where the camera sends JPEG.",
		frames_encoded},
	{"fanlight_placeholders_encoded_total", "counter",
		"Placeholders encoded while there was no picture.", placeholders_encoded},
	{"fanlight_frames_dropped_total", "counter", "Frames lost to all viewers, by cause.",
		frames_dropped},
	{"fanlight_frames_odd_total", "counter",
		"Frames passed on although the camera said something odd of them.", frames_odd},
	{"fanlight_frames_copied_bytes_total", "counter",
		"Raw pixels made by copying or converting others, which most paths never do.",
		frames_copied_bytes},
	{"fanlight_dmabuf_syncs_total", "counter",
		"Begins and ends of reading a dma-buf by the CPU.", dmabuf_syncs},
	{"fanlight_demand_to_picture_seconds", "histogram",
		"From a first viewer's coming until the first picture for him.", demand_to_picture},
	{"fanlight_capture_to_dequeue_seconds", "histogram",
		"From a frame's capture until Fanlight had it from the driver.",
		capture_to_dequeue},
	{"fanlight_frames_previewed_total", "counter", "Frames that a screen has flipped to.",
		frames_previewed},
	{"fanlight_capture_to_flip_seconds", "histogram",
		"From a frame's capture until a screen had flipped to it.", capture_to_flip},
	{"fanlight_dequeue_to_encode_seconds", "histogram", "From then until its encoding began.",
		dequeue_to_encode},
	{"fanlight_encode_seconds", "histogram", "Filtering and encoding of a frame.", encode},
	{"fanlight_filter_seconds", "histogram", "A filter's part of that.", filter_times},
	{"fanlight_filter_failures_total", "counter",
		"Frames dropped because a filter refused them.", filter_failures},
	{"fanlight_filter_bypasses_total", "counter",
		"Times a filter was left out from then on, for it was too slow.", filter_bypasses},
	{"fanlight_variant_seconds", "histogram", "Encoding of a frame as a variant.",
		variant_times},
	{"fanlight_variant_demand", "gauge", "Streams and waiting snapshots of a variant.",
		variant_demand},
	{"fanlight_encode_to_publish_seconds", "histogram",
		"From the end of encoding until the server had the picture.", encode_to_publish},
	{"fanlight_publish_to_send_seconds", "histogram",
		"From then until the first send of it to a viewer began.", publish_to_send},
	{"fanlight_publish_to_sent_seconds", "histogram",
		"From the server having a picture until the kernel had accepted it for a viewer.",
		publish_to_sent},
	{"fanlight_capture_to_sent_seconds", "histogram",
		"From a frame's capture until the kernel had accepted it for a viewer.",
		capture_to_sent},
	{"fanlight_capture_to_drawn_seconds", "histogram",
		"From a frame's capture until a viewer of a live stream had drawn it, as it says.",
		capture_to_drawn},
	{"fanlight_viewers", "gauge", "Streams that are open.", viewers},
	{"fanlight_viewer_frames_sent_total", "counter",
		"Pictures that the kernel accepted for viewers, counted for each.",
		viewer_frames_sent},
	{"fanlight_viewer_frames_skipped_total", "counter",
		"Pictures that a viewer was not sent because a newer one came first, for each.",
		viewer_frames_skipped},
	{"fanlight_viewer_sent_bytes_total", "counter",
		"Bytes of streams handed to connections, before TLS and HTTP framing.",
		viewer_sent_bytes},
	{"fanlight_snapshots_sent_total", "counter", "Snapshots answered with a picture.",
		snapshots_sent},
};

/* ---- the process; what the system does not tell has no sample ---- */

ON_SERVER static void resident_memory(struct exposition *e)
{
	char text[128];
	unsigned long long pages;

	if (file_read("/proc/self/statm", text, sizeof text) > 0 &&
		sscanf(text, "%*u %llu", &pages) == 1)
		exposition_add_number(e, pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

ON_SERVER static void open_fds(struct exposition *e)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t n = 0;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		n += *entry->d_name != '.';
	(void)closedir(folder);          /* it was only read */
	exposition_add_number(e, n - 1); /* without the folder's own */
}

ON_SERVER static void add_connections(struct exposition *e, const struct connections *connections)
{
	exposition_begin(e, "fanlight_connections", "gauge", "Connections that are open.");
	exposition_add_number(e, connections->n_connections);
	exposition_begin(e, "fanlight_limits_reached_total", "counter",
		"Times that a client was refused or cut off, by the limit that it reached.");
	for (enum limit i = 0; i < LIMITS; i++) {
		struct exposition_label limit = {"limit", connections_limit_name(i)};

		exposition_label(e, &limit, 1);
		exposition_add_number(e, connections->reached[i]);
	}
}

ON_SERVER static void add_process(struct exposition *e, struct server *server)
{
	struct exposition_label version = {"version", FANLIGHT_VERSION};

	exposition_begin(e, "fanlight_build_info", "gauge", "Always 1; the version is a label.");
	exposition_label(e, &version, 1);
	exposition_add_number(e, 1);

	exposition_begin(e, "process_cpu_seconds_total", "counter",
		"CPU time spent, of the user and the system.");
	exposition_add_seconds(e, clock_read_ns(CLOCK_PROCESS_CPUTIME_ID));
	exposition_begin(e, "process_resident_memory_bytes", "gauge", "Memory resident.");
	resident_memory(e);
	exposition_begin(e, "process_open_fds", "gauge", "File descriptors open.");
	open_fds(e);

	/* Once, for a clock that is being set would look like a restart each time. */
	if (!server->created_wall_ns)
		server->created_wall_ns = clock_wall_ns(server->created_ns);
	exposition_begin(
		e, "process_start_time_seconds", "gauge", "When it was started, since 1970.");
	exposition_add_seconds(e, server->created_wall_ns);
}

void metrics_serve(struct server *server, h2o_req_t *req)
{
	size_t size_bytes = COMMON_BYTES + server->n_feeds * CAMERA_BYTES;
	char *text = malloc(size_bytes); /* what is not written to is not there */
	struct exposition e;

	exposition_init(&e, text, text ? size_bytes : 0);
	for (size_t i = 0; i < sizeof camera_metrics / sizeof *camera_metrics; i++) {
		const struct camera_metric *metric = &camera_metrics[i];

		exposition_begin(&e, metric->name, metric->type, metric->help);
		for (size_t j = 0; j < server->n_feeds; j++) {
			struct feed *feed = &server->feeds[j];
			struct exposition_label camera = {"camera", feed->camera.name};

			exposition_label(&e, &camera, 1);
			metric->add(&e, feed);
		}
	}
	add_connections(&e, &server->connections);
	add_process(&e, server);

	reply_live_headers(req);
	if (e.full)
		reply_sentence(req, 503, "There is no memory for this answer.");
	else
		reply(req, 200, EXPOSITION_TYPE, e.text, e.used_bytes);
	free(text);
}
