/* /state, with the members that ustreamer's readers look for and Fanlight's own beside them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include "server/stream.h"

/* Two digits after the point say all. */
static json_t *json_rounded(double value)
{
	return json_real(round(value * 100) / 100);
}

/* Text of a driver, which is not always UTF-8. */
static json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	char clean[320];
	size_t i;

	if (string)
		return string;
	for (i = 0; text[i] && i < sizeof clean - 1; i++)
		clean[i] = (signed char)text[i] < 0 ? '?' : text[i];
	return json_stringn(clean, i);
}

static json_t *json_size(const struct camera_info *info)
{
	return json_pack(
		"{s:I, s:I}", "width", (json_int_t)info->width, "height", (json_int_t)info->height);
}

static json_t *json_fourcc(uint32_t fourcc)
{
	char name[5] = "";
	int length = 4;

	for (int i = 0; i < 4; i++) {
		char c = (char)(fourcc >> 8 * i & 0x7f);

		name[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	while (length && name[length - 1] == ' ')
		length--;
	return json_stringn(name, fourcc ? (size_t)length : 0);
}

static json_t *json_counter(const stat_counter *counter)
{
	return json_integer((json_int_t)stat_read(counter));
}

static const char *state_name(enum camera_state state)
{
	switch (state) {
	case CAMERA_ABSENT:
		return "absent";
	case CAMERA_OPENING:
		return "opening";
	case CAMERA_STREAMING:
		return "streaming";
	case CAMERA_LOST:
		return "lost";
	case CAMERA_IDLE:
		return "idle";
	}
	return "";
}

static json_t *json_drops(const struct camera_stats *stats)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "stale",
		json_counter(&stats->dropped_stale), "lost", json_counter(&stats->dropped_lost),
		"starved", json_counter(&stats->dropped_starved), "error",
		json_counter(&stats->dropped_error), "encoder_busy",
		json_counter(&stats->dropped_encoder_busy), "corrupt",
		json_counter(&stats->dropped_corrupt), "encode",
		json_counter(&stats->dropped_encode), "server_busy",
		json_counter(&stats->dropped_server_busy));
}

/* Out of memory, the key is missing. */
static void put(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static json_t *json_faults(const struct camera_stats *stats)
{
	json_t *faults = json_object();

	for (enum camera_fault i = 0; i < CAMERA_FAULTS; i++)
		put(faults, feed_fault_name(i), json_counter(&stats->faults[i]));
	return faults;
}

static json_t *json_oddities(const struct camera_stats *stats)
{
	return json_pack("{s:o, s:o, s:o}", "time", json_counter(&stats->odd_time), "sequence",
		json_counter(&stats->odd_sequence), "size", json_counter(&stats->odd_size));
}

static json_t *json_stage(const struct stage *stage)
{
	return json_pack("{s:o, s:o}", "last", json_rounded(stage->last_ms), "average",
		json_rounded(stage->average_ms));
}

static json_t *json_stages(const struct feed *feed)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "capture_to_dequeue",
		json_stage(&feed->capture_to_dequeue), "wait", json_stage(&feed->wait), "encode",
		json_stage(&feed->encode), "publish", json_stage(&feed->publish), "total",
		json_stage(&feed->total));
}

static json_t *json_filters(const struct camera_stats *stats)
{
	json_t *filters = json_array();

	for (size_t i = 0; i < FILTERS_NAMED; i++) {
		const struct filter_stats *filter = &stats->filters[i];
		const char *name = filter_stats_name(filter);
		uint64_t frames = histogram_count(&filter->time);
		double sum_ms = (double)stat_read(&filter->time.sum_ns) / 1e6;

		if (name)
			(void)json_array_append_new(filters,
				json_pack("{s:o, s:I, s:o, s:o, s:o}", "name", json_text(name),
					"frames", (json_int_t)frames, "failed",
					json_counter(&filter->failed), "bypassed",
					json_counter(&filter->bypassed), "mean_ms",
					json_rounded(frames ? sum_ms / (double)frames : 0)));
	}
	return filters;
}

/* What filters found in the newest picture. */
ON_SERVER static json_t *json_results(const struct feed *feed)
{
	json_t *object = json_object();

	for (unsigned i = 0; feed->picture && i < feed->picture->packet->results.n; i++) {
		const struct frame_result *result = &feed->picture->packet->results.all[i];

		put(object, result->name, json_text(result->text));
	}
	return object;
}

ON_SERVER static const char *layout_name(enum part_layout layout)
{
	static const char *const names[] = {"classic", "early", "live"};

	return names[layout];
}

/* The variants that were asked for and have their channel still. */
ON_SERVER static json_t *json_variants(struct feed *feed)
{
	json_t *variants = json_array();

	for (unsigned i = 1; i < feed->camera.n_outlets; i++) {
		const struct channel *channel = &feed->channels[i];
		uint64_t frames = histogram_count(&channel->encode);
		double sum_ms = (double)stat_read(&channel->encode.sum_ns) / 1e6;
		char name[VARIANT_NAME_BYTES];

		variant_name(&channel->variant, name);
		if (*name)
			(void)json_array_append_new(variants,
				json_pack("{s:s, s:I, s:I, s:o}", "name", name, "demand",
					(json_int_t)outlet_wanted(channel->outlet), "frames",
					(json_int_t)frames, "mean_ms",
					json_rounded(frames ? sum_ms / (double)frames : 0)));
	}
	return variants;
}

ON_SERVER static bool shows_placeholder(struct feed *feed)
{
	for (unsigned i = 0; i < feed->camera.n_outlets; i++)
		if (channel_placeholder(&feed->channels[i]))
			return true;
	return false;
}

ON_SERVER static json_t *json_client(const struct stream *stream)
{
	const struct live *live = stream->live;
	char variant[VARIANT_NAME_BYTES];
	json_t *client = json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:o}", "address",
		stream->address, "protocol", stream_protocol_name(stream->protocol), "layout",
		layout_name(stream->layout), "fps", json_rounded(stream->rate.per_second), "frames",
		(json_int_t)stream->frames, "bytes", (json_int_t)stream->bytes, "frame_age_ms",
		json_rounded((double)(int64_t)stream->age_ns / 1e6));

	variant_name(&stream->channel->variant, variant);
	put(client, "variant", json_string(variant));
	if (live && live->drawn) {
		put(client, "drawn", json_integer((json_int_t)live->drawn));
		put(client, "drawn_age_ms", json_rounded((double)live->drawn_age_ns / 1e6));
	}
	return client;
}

ON_SERVER static json_t *json_clients(struct feed *feed)
{
	json_t *clients = json_array();

	for (h2o_linklist_t *link = feed->streams.next; link != &feed->streams; link = link->next)
		(void)json_array_append_new(clients, json_client(stream_of_link(link)));
	return clients;
}

ON_SERVER static json_t *json_camera(struct feed *feed)
{
	const struct camera_status *status = feed_status(feed);
	const struct camera_info *info = &status->info;
	const struct camera_stats *stats = feed->camera.stats;
	double fps = info->fps_denominator ? (double)info->fps_numerator / info->fps_denominator
					   : 0;
	double since = status->since_ns ? (double)clock_wall_of_boot_ns(status->since_boot_ns) / 1e9
					: 0;
	json_t *camera = json_object();

	put(camera, "name", json_string(feed->camera.name));
	put(camera, "source", json_text(feed->camera.source));
	put(camera, "online", json_boolean(status->online));
	put(camera, "state", json_string(state_name(status->state)));
	put(camera, "since", json_rounded(since));
	put(camera, "reason", json_text(camera_status_words(status)));
	put(camera, "opened", json_counter(&stats->opened));
	put(camera, "restarted", json_counter(&stats->restarted));
	put(camera, "lost", json_counter(&stats->lost));
	put(camera, "faults", json_faults(stats));

	put(camera, "driver", json_text(info->driver));
	put(camera, "card", json_text(info->card));
	put(camera, "bus", json_text(info->bus));
	put(camera, "path", json_text(info->path));
	put(camera, "format", json_fourcc(info->fourcc));
	put(camera, "device_format", json_fourcc(info->device_fourcc));
	put(camera, "converted", json_boolean(info->converted));
	put(camera, "size", json_size(info));
	put(camera, "fps", json_rounded(fps));
	put(camera, "buffers", json_integer(info->buffers));
	put(camera, "dmabuf", json_boolean(info->dmabuf));
	put(camera, "dmabuf_syncs", json_counter(&stats->dmabuf_syncs));
	put(camera, "copied_bytes", json_counter(&stats->copied_bytes));
	put(camera, "previewed", json_counter(&stats->previewed));
	put(camera, "memory", json_string(info->memory));
	put(camera, "memory_path", json_string(info->memory_path));
	put(camera, "memory_note", json_string(info->memory_note));

	put(camera, "sequence", json_integer(feed->picture ? feed->picture->packet->sequence : 0));
	put(camera, "captured", json_counter(&stats->captured));
	put(camera, "captured_fps", json_rounded(feed->captured.per_second));
	put(camera, "encoded", json_counter(&stats->encoded));
	put(camera, "encoded_fps", json_rounded(feed->encoded.per_second));
	put(camera, "first_picture_ms", json_rounded((double)feed->first_picture_ns / 1e6));
	put(camera, "slices", json_integer(feed->picture ? feed->picture->packet->n_pieces : 0));
	put(camera, "placeholder", json_boolean(shows_placeholder(feed)));
	put(camera, "placeholders", json_counter(&stats->placeholders));
	put(camera, "controls_changed", json_counter(&stats->controls_changed));
	put(camera, "drops", json_drops(stats));
	put(camera, "oddities", json_oddities(stats));
	put(camera, "stages_ms", json_stages(feed));
	put(camera, "filters", json_filters(stats));
	put(camera, "results", json_results(feed));
	put(camera, "variants", json_variants(feed));
	put(camera, "clients", json_clients(feed));
	return camera;
}

/* ustreamer names its clients by an id and answers for the options that it has. */
ON_SERVER static json_t *json_clients_stat(struct feed *feed)
{
	json_t *clients = json_object();

	for (h2o_linklist_t *link = feed->streams.next; link != &feed->streams; link = link->next) {
		const struct stream *stream = stream_of_link(link);
		char id[20];

		(void)snprintf(id, sizeof id, "%" PRIx64, stream->id);
		(void)json_object_set_new(clients, id,
			json_pack("{s:I, s:b, s:b, s:b, s:b, s:s}", "fps",
				(json_int_t)(stream->rate.per_second + 0.5), "extra_headers",
				stream->extra_headers, "advance_headers",
				stream->layout == PART_EARLY, "dual_final_frames", false,
				"zero_data", false, "key", "0"));
	}
	return clients;
}

/* The first camera as ustreamer would tell it. */
ON_SERVER static json_t *json_ustreamer(struct feed *feed)
{
	const struct camera_status *status = feed_status(feed);
	json_t *clients = json_clients_stat(feed);
	double desired = feed->camera.fps;

	if (!(desired > 0) && status->info.fps_denominator)
		desired = (double)status->info.fps_numerator / status->info.fps_denominator;
	return json_pack("{s:{s:s}, s:{s:o, s:b, s:I, s:I}, s:{s:I, s:I, s:o}}", "encoder", "type",
		"CPU", "source", "resolution", json_size(&status->info), "online", status->online,
		"desired_fps", (json_int_t)(desired + 0.5), "captured_fps",
		(json_int_t)(feed->captured.per_second + 0.5), "stream", "queued_fps",
		(json_int_t)(feed->encoded.per_second + 0.5), "clients",
		(json_int_t)json_object_size(clients), "clients_stat", clients);
}

/* How often clients were not served as they wished, to protect the others. */
ON_SERVER static json_t *json_limits(const struct connections *connections)
{
	json_t *limits = json_object();

	for (enum limit i = 0; i < LIMITS; i++)
		put(limits, connections_limit_name(i),
			json_integer((json_int_t)connections->reached[i]));
	return limits;
}

char *state_status(struct feed *feed)
{
	const struct camera_status *status = feed_status(feed);
	/* As CLOCK_MONOTONIC would have it if it had not left sleep out; perhaps before its zero. */
	int64_t since_ns = (int64_t)(clock_now_ns() - clock_read_ns(CLOCK_BOOTTIME) +
				     status->since_boot_ns);
	json_t *root = json_pack("{s:b, s:o, s:I, s:o}", "online", status->online, "reason",
		json_text(camera_status_words(status)), "since_us",
		(json_int_t)(since_ns / (int64_t)NS_PER_US), "controls_changed",
		json_counter(&feed->camera.stats->controls_changed));
	char *text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(root);
	return text;
}

void state_serve(struct server *server, h2o_req_t *req)
{
	json_t *cameras = json_array(), *state;
	char *text;

	for (size_t i = 0; i < server->n_feeds; i++)
		(void)json_array_append_new(cameras, json_camera(&server->feeds[i]));
	state = json_pack("{s:b, s:o, s:o, s:o}", "ok", true, "result",
		json_ustreamer(&server->feeds[0]), "cameras", cameras, "limits_reached",
		json_limits(&server->connections));
	text = json_dumps(state, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
	json_decref(state);

	reply_live_headers(req);
	if (text)
		reply(req, 200, "application/json", text, strlen(text));
	else
		reply_sentence(req, 503, "There is no memory for this answer.");
	free(text);
}

void health_serve(struct server *server, h2o_req_t *req)
{
	uint64_t now_ns = clock_now_ns();
	char reason[256];

	reply_live_headers(req);
	for (size_t i = 0; i < server->n_feeds; i++)
		if (!feed_is_healthy(&server->feeds[i], now_ns, reason)) {
			/* Anybody may ask, but not what the cameras are called. */
			reply_sentence(
				req, 503, "%s", server->terms->is_closed ? "not ok" : reason);
			return;
		}
	reply_sentence(req, 200, "ok");
}
