/*
 * A V4L2 device as a camera.
 *
 * Buffers are dma-bufs where the driver can (v4l2_buffers.h), mapped once. A frame lent is such a
 * buffer: nothing is copied, and the driver fills others meanwhile.
 *
 * Two cases cannot lend what the driver fills. Formats that Fanlight does not read are converted, and
 * where a driver gives so few buffers that three loans would leave it nothing to fill, pictures are
 * copied. Both then lend memory of ours and the driver has its buffer back at once.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "camera/camera_ops.h"
#include "camera/controls.h"
#include "camera/formats.h"
#include "camera/reason.h"
#include "camera/v4l2_buffers.h"
#include "camera/v4l2_convert.h"
#include "camera/v4l2_device.h"
#include "camera/v4l2_setup.h"
#include "camera/v4l2_signal.h"
#include "exchange/lending.h"

/* What to ask for beyond the loans: one being filled, one next, one ready. */
#define SPARE_BUFFERS 3

/* More at a time than a device has to tell; a driver that never stops does not keep us. */
#define EVENTS_MOST 64

/* A picture that is older than this when it comes, or not yet taken, has another clock's stamp. */
#define STAMP_AGE_MOST_NS   (10 * NS_PER_S)
#define STAMP_AHEAD_MOST_NS NS_PER_S

/* A picture in memory of ours, for frames that are converted or copied. */
struct copy {
	uint8_t *data;
	bool lent;
};

struct v4l2_camera {
	struct camera base;
	struct v4l2_device device;
	struct v4l2_picture picture; /* as the driver delivers */
	const struct format *format; /* of picture; NULL when it has to be converted */
	struct v4l2_buffers buffers;
	bool lent[VIDEO_MAX_FRAME];
	uint32_t loans; /* that can be out at once */
	bool streaming;
	uint32_t queued; /* buffers that are with the driver */
	uint32_t unseen; /* of those it had when we last looked, not found filled yet */
	bool starved;    /* it had filled them all by the last frame */
	int signal_fd;   /* readable when a missing signal may be back; -1 when none is missing */

	bool counting;          /* a frame came since start */
	uint32_t last_sequence; /* of the driver's, and our number of that frame */
	uint32_t last_number;
	uint64_t last_stamp_ns; /* the driver's */

	bool copying;                     /* lend copies, converted or not */
	struct converter *converter;      /* NULL unless converting */
	struct copy copies[CAMERA_LOANS]; /* loans of them */
	size_t copy_bytes;
};

ON_CAPTURE static struct v4l2_camera *v4l2_of(const struct camera *camera)
{
	return (struct v4l2_camera *)camera; /* base is its first member */
}

/* ---- buffers ---- */

ON_CAPTURE static int queue_buffer(struct v4l2_camera *cam, uint32_t index)
{
	int err = buffers_queue(&cam->buffers, index);

	cam->queued += !err;
	return err;
}

/* The fewest buffers that this driver needs to go on filling. */
ON_CAPTURE static uint32_t driver_minimum(const struct v4l2_camera *cam)
{
	struct v4l2_control minimum = {.id = V4L2_CID_MIN_BUFFERS_FOR_CAPTURE};

	if (device_ioctl(cam->device.fd, VIDIOC_G_CTRL, &minimum) < 0 || minimum.value < 1)
		return 1;
	return minimum.value < VIDEO_MAX_FRAME ? (uint32_t)minimum.value : VIDEO_MAX_FRAME;
}

/* As much as any buffer can hold: not every driver makes them equal. */
ON_CAPTURE static size_t largest_buffer_bytes(const struct v4l2_camera *cam)
{
	size_t most = 0;

	for (uint32_t i = 0; i < cam->buffers.n; i++) {
		size_t bytes = 0;

		for (uint32_t k = 0; k < cam->picture.n_buffers; k++)
			bytes += cam->buffers.planes[i][k].length_bytes;
		most = bytes > most ? bytes : most;
	}
	return most;
}

ON_CAPTURE static int allocate_copies(struct v4l2_camera *cam)
{
	cam->copy_bytes = cam->converter ? converter_bytes(cam->converter)
					 : largest_buffer_bytes(cam);
	for (uint32_t i = 0; i < cam->loans; i++) {
		cam->copies[i].data = malloc(cam->copy_bytes);
		if (!cam->copies[i].data)
			return -ENOMEM;
	}
	return 0;
}

ON_CAPTURE static int request_buffers(struct v4l2_camera *cam)
{
	uint32_t minimum = driver_minimum(cam);
	uint32_t wanted = cam->loans + (minimum > SPARE_BUFFERS ? minimum : SPARE_BUFFERS);
	/* All loans out, the driver must still have what it needs, or no frame would return. */
	uint32_t least = cam->converter ? UINT32_MAX : cam->loans + minimum;
	enum camera_memory memory = cam->base.config->memory;
	struct camera_info *info = &cam->base.info;
	int err;

	if (cam->converter)
		memory = CAMERA_MEMORY_MMAP;
	else if (memory == CAMERA_MEMORY_AUTO && *cam->base.config->preview)
		memory = CAMERA_MEMORY_DRM; /* a screen can surely show its own */
	err = buffers_get(&cam->buffers, &cam->picture, memory,
		wanted < VIDEO_MAX_FRAME ? wanted : VIDEO_MAX_FRAME, least, info);

	if (err < 0)
		return err;
	cam->copying = cam->buffers.n < least;
	info->dmabuf = true;
	for (uint32_t i = 0; i < cam->buffers.n; i++)
		for (uint32_t k = 0; k < cam->picture.n_buffers; k++)
			if (cam->buffers.planes[i][k].dmabuf_fd < 0)
				info->dmabuf = false;
	return cam->copying ? allocate_copies(cam) : 0;
}

/* ---- frames ---- */

/*
 * When the driver took the picture, or now when it cannot say in our time. Some stamp a little
 * ahead, with the end of the frame or of its interval; that is as good as now.
 */
ON_CAPTURE static uint64_t capture_time_ns(
	struct v4l2_camera *cam, const struct v4l2_buffer *buffer, uint64_t now_ns)
{
	uint64_t ns = (uint64_t)buffer->timestamp.tv_sec * NS_PER_S +
		      (uint64_t)buffer->timestamp.tv_usec * NS_PER_US;
	uint32_t kind = buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK;
	/* Than the driver's own last one: ours may be later, and this would be less for ever. */
	bool backwards = ns < cam->last_stamp_ns;

	cam->last_stamp_ns = ns;
	if (kind != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC || backwards ||
		ns > now_ns + STAMP_AHEAD_MOST_NS || ns + STAMP_AGE_MOST_NS < now_ns) {
		stat_add(&cam->base.stats->odd_time, 1);
		return now_ns;
	}
	return ns < now_ns ? ns : now_ns;
}

/* A buffer has come, after which the driver may have had another to fill, or none. */
ON_CAPTURE static void look_for_starvation(struct v4l2_camera *cam)
{
	cam->queued -= cam->queued > 0;
	cam->unseen -= cam->unseen > 0;
	cam->starved = !cam->unseen;
}

/* A frame's number, rising by one at least whatever the driver counts; gaps are lost frames. */
ON_CAPTURE static uint32_t number_frame(struct v4l2_camera *cam, uint32_t sequence)
{
	uint32_t step = sequence - cam->last_sequence;

	if (!cam->counting) {
		cam->last_number = sequence;
	} else if (step && step < INT32_MAX) {
		stat_add(cam->starved ? &cam->base.stats->dropped_starved
				      : &cam->base.stats->dropped_lost,
			step - 1);
		cam->last_number += step;
	} else {
		/* A driver that does not count, or that started over. */
		stat_add(&cam->base.stats->odd_sequence, 1);
		cam->last_number++;
	}
	cam->last_sequence = sequence;
	cam->counting = true;
	return cam->last_number;
}

/*
 * Describe the picture in a filled buffer. Returns 0 or -EINVAL when it is flagged as bad or is
 * not all there.
 */
ON_CAPTURE static int read_buffer(struct v4l2_camera *cam, const struct v4l2_buffer *buffer,
	const struct v4l2_plane *planes, struct frame *frame)
{
	/* What has to be converted is bytes, like what is compressed. */
	static const struct format foreign = {
		.kind = FORMAT_COMPRESSED, .n_planes = 1, .n_buffers = 1};
	const struct format *format = cam->format ? cam->format : &foreign;
	const struct plane_memory *memory = cam->buffers.planes[buffer->index];
	uint32_t skipped[FRAME_MAX_PLANES] = {0};
	uint8_t *base[FRAME_MAX_PLANES];
	size_t filled[FRAME_MAX_PLANES];

	for (uint32_t i = 0; i < cam->picture.n_buffers; i++) {
		uint32_t used = buffer->bytesused;

		if (cam->device.multiplanar) {
			used = planes[i].bytesused;
			skipped[i] = planes[i].data_offset;
		}
		if (used > memory[i].length_bytes || used <= skipped[i])
			return -EINVAL;
		base[i] = memory[i].data + skipped[i];
		filled[i] = used - skipped[i];
	}
	*frame = (struct frame){
		.fourcc = cam->picture.fourcc,
		.width = cam->picture.width,
		.height = cam->picture.height,
		.payload_bytes = format->kind == FORMAT_COMPRESSED ? (uint32_t)filled[0] : 0,
		.encoding = cam->picture.encoding,
		.range = cam->picture.range,
		.sequence = cam->last_number,
		.dequeued_ns = clock_now_ns(),
		.loan = buffer->index,
	};
	frame->captured_ns = capture_time_ns(cam, buffer, frame->dequeued_ns);
	if (buffer->flags & V4L2_BUF_FLAG_ERROR ||
		format_lay_out(format, frame, base, filled, cam->picture.stride_bytes) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < frame->n_planes; i++) {
		uint32_t in = format->n_buffers > 1 ? i : 0;

		frame->planes[i].offset_bytes += skipped[in];
		frame->planes[i].dmabuf_fd = memory[in].dmabuf_fd;
	}
	return 0;
}

/*
 * Take the next whole picture from the driver; broken ones go back, counted.
 * Returns 0, -EAGAIN, or a negative errno.
 */
ON_CAPTURE static int dequeue_frame(struct v4l2_camera *cam, struct frame *frame)
{
	/* Not for ever, even if the driver fails faster than we queue. */
	for (uint32_t i = 0; i < cam->buffers.n; i++) {
		struct v4l2_plane planes[VIDEO_MAX_PLANES];
		struct v4l2_buffer buffer = buffers_request(&cam->buffers, 0, planes);
		int err = device_ioctl(cam->device.fd, VIDIOC_DQBUF, &buffer);

		if (err < 0)
			return err;
		if (buffer.index >= cam->buffers.n || cam->lent[buffer.index])
			return -EIO;
		(void)number_frame(cam, buffer.sequence);
		look_for_starvation(cam);
		if (!read_buffer(cam, &buffer, planes, frame))
			return 0;
		stat_add(&cam->base.stats->dropped_error, 1);
		if (!setup_is_current(&cam->device, &cam->picture))
			return -ESTALE;
		err = queue_buffer(cam, buffer.index);
		if (err < 0)
			return err;
	}
	return -EAGAIN;
}

/* What the device has told since the last time: 0, or why its frames end. */
ON_CAPTURE static int take_events(struct v4l2_camera *cam)
{
	bool changed = false, ended = false;
	struct v4l2_event event;
	int err = 0;

	for (int i = 0; i < EVENTS_MOST; i++) {
		if (device_ioctl(cam->device.fd, VIDIOC_DQEVENT, &event) < 0)
			break;
		changed = changed || event.type == V4L2_EVENT_SOURCE_CHANGE;
		ended = ended || event.type == V4L2_EVENT_EOS;
	}
	/* Drivers also tell of changes that change nothing. */
	if (changed)
		err = signal_check(&cam->device, cam->base.config);
	if (!err && changed && !setup_is_current(&cam->device, &cam->picture))
		err = -ESTALE;
	return !err && ended ? -EPIPE : err;
}

/* Nothing was ready. If the driver calls that an error, polling again would spin. */
ON_CAPTURE static int nothing_ready(struct v4l2_camera *cam)
{
	struct pollfd poll_fd = {cam->device.fd, POLLIN | POLLPRI, 0};
	int err = 0;

	if (poll(&poll_fd, 1, 0) <= 0)
		return -EAGAIN;
	if (poll_fd.revents & POLLPRI)
		err = take_events(cam);
	if (!err && poll_fd.revents & (POLLERR | POLLHUP | POLLNVAL) && !(poll_fd.revents & POLLIN))
		err = poll_fd.revents & POLLHUP ? -ENODEV : -EIO;
	return err < 0 ? err : -EAGAIN;
}

/* Make of a driver's picture one in memory of ours. Returns 0, -EINVAL or -EBADMSG (broken). */
ON_CAPTURE static int fill_copy(struct v4l2_camera *cam, struct frame *frame, uint8_t *copy)
{
	stat_counter *copied = &cam->base.stats->copied_bytes;
	uint32_t stride[FRAME_MAX_PLANES] = {frame->width};
	uint8_t *base[FRAME_MAX_PLANES] = {copy};
	size_t size[FRAME_MAX_PLANES] = {cam->copy_bytes};
	const struct format *format = cam->format;
	int err;

	if (cam->converter) {
		/* The buffer is dequeued and mapped writable: its use as scratch harms nobody. */
		err = converter_convert(cam->converter, (uint8_t *)frame->planes[0].data,
			frame->payload_bytes, copy);
		if (err < 0)
			return err;
		stat_add(copied, cam->copy_bytes);
		frame->fourcc = CONVERTER_FOURCC;
		frame->payload_bytes = 0;
		format = format_find(CONVERTER_FOURCC);
	} else {
		for (uint32_t i = 0; i < format->n_buffers; i++) {
			base[i] = copy;
			size[i] = frame->planes[i].size_bytes;
			stride[i] = cam->picture.stride_bytes[i];
			memcpy(copy, frame->planes[i].data, size[i]);
			if (format->kind != FORMAT_COMPRESSED)
				stat_add(copied, size[i]);
			copy += size[i];
		}
	}
	err = format_lay_out(format, frame, base, size, stride);
	for (uint32_t i = 0; i < frame->n_planes; i++)
		frame->planes[i].dmabuf_fd = -1;
	return err;
}

/* Lend a copy of frame and give its buffer back to the driver. */
ON_CAPTURE static int lend_copy(struct v4l2_camera *cam, struct frame *frame)
{
	uint32_t buffer = frame->loan, free_copy = 0;
	int err, queued;

	while (free_copy < cam->loans && cam->copies[free_copy].lent)
		free_copy++;
	assert(free_copy < cam->loans); /* more loans than camera.h allows */

	err = fill_copy(cam, frame, cam->copies[free_copy].data);
	queued = queue_buffer(cam, buffer);
	if (queued < 0)
		return queued;
	if (err < 0) {
		stat_add(&cam->base.stats->dropped_error, 1);
		return -EAGAIN;
	}
	frame->loan = free_copy;
	cam->copies[free_copy].lent = true;
	return 0;
}

ON_CAPTURE static int v4l2_borrow(struct camera *camera, struct frame *ret_frame)
{
	struct v4l2_camera *cam = v4l2_of(camera);
	struct frame newest, next;
	int err;

	cam->unseen = cam->queued;
	err = dequeue_frame(cam, &newest);
	if (err == -EAGAIN)
		return nothing_ready(cam);
	/* No more rounds than there are buffers, or a fast camera could keep us here. */
	for (uint32_t i = 1; !err && i < cam->buffers.n; i++) {
		err = dequeue_frame(cam, &next);
		if (err < 0)
			break;
		stat_add(&camera->stats->dropped_stale, 1);
		err = queue_buffer(cam, newest.loan);
		newest = next;
	}
	if (err < 0 && err != -EAGAIN) {
		int told = take_events(cam); /* a reason is better than an error */

		return told < 0 ? told : err;
	}

	if (cam->copying) {
		err = lend_copy(cam, &newest);
		if (err < 0)
			return err;
	} else {
		cam->lent[newest.loan] = true;
	}
	*ret_frame = newest;
	return 0;
}

ON_CAPTURE static int v4l2_give_back(struct camera *camera, const struct frame *frame)
{
	struct v4l2_camera *cam = v4l2_of(camera);

	if (cam->copying) {
		assert(frame->loan < cam->loans && cam->copies[frame->loan].lent);
		cam->copies[frame->loan].lent = false;
		return 0;
	}
	assert(frame->loan < cam->buffers.n && cam->lent[frame->loan]);
	cam->lent[frame->loan] = false;
	return cam->streaming ? queue_buffer(cam, frame->loan) : 0;
}

/* ---- life ---- */

ON_CAPTURE static void v4l2_stop(struct camera *camera)
{
	struct v4l2_camera *cam = v4l2_of(camera);

	cam->streaming = false;
	cam->queued = 0;
	/* A device that is gone has stopped by itself. */
	(void)device_ioctl(cam->device.fd, VIDIOC_STREAMOFF, &cam->device.type);
}

ON_CAPTURE static int v4l2_start(struct camera *camera)
{
	struct v4l2_camera *cam = v4l2_of(camera);
	int err = 0;

	cam->counting = false;
	cam->last_stamp_ns = 0;
	for (uint32_t i = 0; !err && i < cam->buffers.n; i++)
		if (!cam->lent[i])
			err = queue_buffer(cam, i);
	if (!err)
		err = device_ioctl(cam->device.fd, VIDIOC_STREAMON, &cam->device.type);
	if (err < 0)
		v4l2_stop(camera); /* takes back what was queued */
	else
		cam->streaming = true;
	return err;
}

ON_CAPTURE static int v4l2_poll_fd(const struct camera *camera)
{
	const struct v4l2_camera *cam = v4l2_of(camera);

	return cam->streaming ? cam->device.fd : cam->signal_fd;
}

/* Let go of what prepare() has got. */
ON_CAPTURE static void discard(struct v4l2_camera *cam)
{
	buffers_free(&cam->buffers);
	converter_destroy(cam->converter);
	cam->converter = NULL;
	for (uint32_t i = 0; i < cam->loans; i++) {
		free(cam->copies[i].data);
		cam->copies[i].data = NULL;
	}
}

ON_CAPTURE static void v4l2_close(struct camera *camera)
{
	struct v4l2_camera *cam = v4l2_of(camera);

	if (cam->streaming)
		v4l2_stop(camera);
	discard(cam);
	fd_close(&cam->signal_fd);
	device_close(&cam->device);
	free(cam);
}

static const struct camera_ops v4l2_ops = {
	.start = v4l2_start,
	.poll_fd = v4l2_poll_fd,
	.borrow = v4l2_borrow,
	.give_back = v4l2_give_back,
	.stop = v4l2_stop,
	.close = v4l2_close,
};

/* Settle how the pictures to come are read: as they are, or converted. */
ON_CAPTURE static int prepare_reading(struct v4l2_camera *cam)
{
	struct v4l2_picture *picture = &cam->picture;

	cam->format = format_find(picture->fourcc);
	if (cam->format)
		return cam->format->n_buffers <= picture->n_buffers ? 0 : -EINVAL;
	/* libv4lconvert computes limited-range BT.601, but a JPEG's samples stay as they are. */
	picture->encoding = FRAME_BT601;
	picture->range = picture->stride_bytes[0] ? FRAME_LIMITED_RANGE : FRAME_FULL_RANGE;
	return converter_create(cam->device.fd, picture, &cam->converter);
}

ON_CAPTURE static void fill_info(const struct v4l2_camera *cam, struct camera_info *info)
{
	const struct v4l2_capability *capability = &cam->device.capability;
	const struct v4l2_picture *picture = &cam->picture;

	(void)snprintf(info->driver, sizeof info->driver, "%s", capability->driver);
	(void)snprintf(info->card, sizeof info->card, "%s", capability->card);
	(void)snprintf(info->bus, sizeof info->bus, "%s", capability->bus_info);
	(void)snprintf(info->path, sizeof info->path, "%s", cam->device.path);
	info->fourcc = cam->converter ? CONVERTER_FOURCC : picture->fourcc;
	info->device_fourcc = picture->fourcc;
	info->width = picture->width;
	info->height = picture->height;
	info->fps_numerator = picture->fps_numerator;
	info->fps_denominator = picture->fps_denominator;
	info->buffers = cam->buffers.n;
	info->encoding = picture->encoding;
	info->range = picture->range;
	info->converted = cam->converter;
}

/* Have the device tell of changes; one that cannot falls silent instead. */
ON_CAPTURE static void subscribe_events(const struct v4l2_camera *cam)
{
	static const uint32_t types[] = {V4L2_EVENT_SOURCE_CHANGE, V4L2_EVENT_EOS};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct v4l2_event_subscription subscription = {.type = types[i]};

		(void)device_ioctl(cam->device.fd, VIDIOC_SUBSCRIBE_EVENT, &subscription);
	}
}

/*
 * Wait for events only. Asked for frames as well, a device that does not stream is always ready,
 * with an error; an epoll fd keeps that from the caller.
 */
ON_CAPTURE static void watch_signal(struct v4l2_camera *cam)
{
	struct epoll_event events = {.events = EPOLLPRI};

	cam->signal_fd = epoll_create1(EPOLL_CLOEXEC);
	if (cam->signal_fd >= 0 &&
		epoll_ctl(cam->signal_fd, EPOLL_CTL_ADD, cam->device.fd, &events))
		fd_close(&cam->signal_fd);
}

/* Bring an opened device to where it can start. */
ON_CAPTURE static int prepare(struct v4l2_camera *cam, const struct camera_config *config,
	char reason[CAMERA_REASON_BYTES])
{
	int err = setup_device(&cam->device, config, &cam->picture, reason);

	if (err < 0)
		return err;
	err = prepare_reading(cam);
	if (err < 0)
		return device_failed(&cam->device, err, "read its pictures", reason);
	err = controls_apply(&cam->device, config->controls, config->n_controls, reason);
	if (err < 0)
		return err == -ERANGE ? -EINVAL : err; /* -ERANGE is the signal's */
	err = request_buffers(cam);
	if (err < 0)
		return device_failed(&cam->device, err, "get buffers", reason);
	fill_info(cam, &cam->base.info);
	return 0;
}

/* Prepare; without memory for its pictures and left the choice, in a smaller size. */
ON_CAPTURE static int prepare_some_size(struct v4l2_camera *cam, char reason[CAMERA_REASON_BYTES])
{
	static const uint16_t smaller[][2] = {{640, 480}, {320, 240}};
	struct camera_config config = *cam->base.config;
	int err = prepare(cam, &config, reason);
	char why[CAMERA_REASON_BYTES];

	if (config.width)
		return err;
	for (size_t i = 0; err == -ENOMEM && i < sizeof smaller / sizeof *smaller; i++) {
		discard(cam);
		config.width = smaller[i][0];
		config.height = smaller[i][1];
		if (!prepare(cam, &config, why))
			return 0;
	}
	return err;
}

int v4l2_open(const struct camera_config *config, const char *path, struct camera_stats *stats,
	struct camera **ret_camera, char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_camera *cam = calloc(1, sizeof *cam);
	int err;

	if (!cam)
		return reason_set(reason, -ENOMEM, "%.100s: out of memory", path);
	cam->base = (struct camera){.ops = &v4l2_ops, .config = config, .stats = stats};
	cam->loans = LENDING_LOANS(*config->preview ? 2 : 1);
	buffers_init(&cam->buffers, &cam->device);
	cam->signal_fd = -1;

	err = device_open(&cam->device, path, reason);
	if (err < 0)
		goto fail;
	subscribe_events(cam);
	err = prepare_some_size(cam, reason);
	if (signal_is_missing(err))
		watch_signal(cam);
	else if (err < 0)
		goto fail;
	*ret_camera = &cam->base;
	return err;

fail:
	v4l2_close(&cam->base);
	return err;
}
