#include "server/inside.h"

#include "base/fd.h"

/* The growing part is whole. */
ON_SERVER static void publish(struct channel *channel)
{
	const struct packet *packet = channel->growing->packet;

	part_unref(channel->newest);
	channel->newest = channel->growing;
	channel->growing = NULL;
	part_complete(channel->newest);
	if (packet->placeholder) {
		/* Who waits for a camera does not wait for its start. */
		channel->feed->wanted_ns = 0;
		return;
	}
	part_unref(channel->picture);
	channel->picture = part_ref(channel->newest);
	histogram_record_span(&channel->encode, packet->encode_begin_ns, packet->encode_end_ns);
	feed_note_picture(channel->feed, channel->newest);
}

/* See whether what was growing has ended. */
ON_SERVER static void settle(struct channel *channel)
{
	unsigned n_ready;

	switch (packet_look(channel->growing->packet, &n_ready)) {
	case PACKET_GROWING:
		break;
	case PACKET_WHOLE:
		publish(channel);
		break;
	case PACKET_GIVEN_UP:
		part_unref(channel->growing);
		channel->growing = NULL;
		break;
	}
}

ON_SERVER static void drop_parts(struct channel *channel)
{
	part_unref(channel->newest);
	part_unref(channel->picture);
	part_unref(channel->growing);
	channel->newest = channel->picture = channel->growing = NULL;
}

/* Take what was published: NULL says that nothing of before may be seen. */
ON_SERVER static void take(struct channel *channel, struct packet *packet)
{
	/* The one before has ended, for the encoder has begun another. */
	if (channel->growing)
		settle(channel);
	if (!packet || packet->filtering != channel->filtering)
		drop_parts(channel);
	if (!packet)
		return;
	channel->filtering = packet->filtering;
	if (variant_equals(&packet->variant, &channel->variant))
		channel->growing = part_create(packet, ++channel->serial);
}

ON_SERVER static void on_fresh(h2o_socket_t *socket, const char *err)
{
	struct channel *channel = socket->data;
	void *slot;

	(void)err; /* an eventfd has no errors to tell */
	fd_drain(h2o_socket_get_fd(socket));
	if (exchange_take(&channel->outlet->packets, &slot))
		take(channel, *(struct packet **)slot);
	if (channel->growing)
		settle(channel);
	streams_publish(channel->feed);
	snapshots_publish(channel->feed);
}

void channel_begin(struct channel *channel, h2o_loop_t *loop)
{
	channel->fresh = feed_watch(loop, &channel->fresh_fd, channel, on_fresh);
}

void channel_end(struct channel *channel)
{
	h2o_socket_close(channel->fresh);
	drop_parts(channel);
}

/* Give it to a variant; nobody wants what it has. */
ON_SERVER static void give(struct channel *channel, const struct variant *variant)
{
	drop_parts(channel);
	channel->serial = 0;
	channel->encode = (struct histogram){0};
	channel->variant = *variant;
	outlet_give(channel->outlet, variant);
}

/* The channel of a variant, or one that can be given to it, or NULL. */
ON_SERVER static struct channel *find(struct feed *feed, const struct variant *variant)
{
	struct channel *idle = NULL;

	for (unsigned i = 0; i < feed->camera.n_outlets; i++) {
		struct channel *channel = &feed->channels[i];

		if (variant_equals(&channel->variant, variant))
			return channel;
		/* The viewers of others are the likelier to come back. */
		if (i && !outlet_wanted(channel->outlet) && (!idle || channel->asked < idle->asked))
			idle = channel;
	}
	if (idle)
		give(idle, variant);
	return idle;
}

struct channel *channel_find(struct feed *feed, h2o_req_t *req, const struct variant *variant)
{
	struct channel *channel;

	if (variant_equals(variant, &(struct variant){0}))
		return feed->channels;
	channel = find(feed, variant);
	if (!channel) {
		reply_header(req, "Retry-After", "10");
		reply_sentence(req, 503,
			"Camera %s is shown in at most %u other sizes and qualities at once; ask "
			"without size and quality, or again when fewer are watched.",
			feed->camera.name, feed->camera.n_outlets - 1);
		return NULL;
	}
	channel->asked = ++feed->asked_channels;
	return channel;
}

void channel_want(struct channel *channel)
{
	struct feed *feed = channel->feed;

	if (!demand_exists(feed->camera.demand))
		feed->wanted_ns = clock_now_ns();
	/* Before the demand, which wakes encode. */
	outlet_add(channel->outlet);
	demand_add(feed->camera.demand);
}

void channel_drop(struct channel *channel)
{
	demand_drop(channel->feed->camera.demand);
	outlet_drop(channel->outlet);
}

struct part *channel_placeholder(struct channel *channel)
{
	const struct camera_status *status = feed_status(channel->feed);
	struct part *newest = channel->newest;

	/* It may be of an earlier outage. */
	return newest && newest->packet->placeholder && camera_status_is_bad(status) &&
			       newest->packet->captured_ns >= status->since_ns
		       ? newest
		       : NULL;
}
