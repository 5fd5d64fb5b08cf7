/* Replay: pictures from files, looped at their rate. */
#include "camera/camera_ops.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/videodev2.h>

#include "base/clock.h"
#include "camera/formats.h"
#include "camera/pictures.h"
#include "camera/reason.h"
#include "camera/ticker.h"

#define BUFFERS     6 /* loans at once; files in memory would allow any number */
#define FPS_DEFAULT 30
#define FPS_LEAST   0.1
#define FPS_MOST    1000

struct replay {
	struct camera camera;
	struct pictures pictures;
	struct ticker ticker;
	bool lent[BUFFERS];
};

/* ---- camera calls ---- */

ON_CAPTURE static int replay_start(struct camera *camera)
{
	struct replay *r = (struct replay *)camera;

	return ticker_start(&r->ticker, camera->info.fps_numerator, camera->info.fps_denominator);
}

ON_CAPTURE static int replay_poll_fd(const struct camera *camera)
{
	return ((const struct replay *)camera)->ticker.fd;
}

ON_CAPTURE static void lay_out(
	const struct replay *r, const struct picture *picture, struct frame *ret_frame)
{
	const struct pictures *p = &r->pictures;

	*ret_frame = (struct frame){
		.fourcc = p->fourcc,
		.width = picture->width,
		.height = picture->height,
		.n_planes = format_find(p->fourcc)->n_planes,
		.encoding = p->encoding,
		.range = p->range,
		.kept = true,
	};
	for (size_t i = 0; i < ret_frame->n_planes; i++)
		ret_frame->planes[i] = (struct frame_plane){
			.data = picture->data + p->offset_bytes[i],
			.stride_bytes = p->stride_bytes[i],
			.size_bytes = (uint32_t)picture->bytes - p->offset_bytes[i],
			.dmabuf_fd = -1,
		};
	if (p->fourcc == V4L2_PIX_FMT_MJPEG)
		ret_frame->payload_bytes = (uint32_t)picture->bytes;
}

ON_CAPTURE static int replay_borrow(struct camera *camera, struct frame *ret_frame)
{
	struct replay *r = (struct replay *)camera;
	uint32_t loan = 0;
	uint64_t passed;
	int err = ticker_look(&r->ticker, &passed);

	if (err < 0)
		return err;
	while (loan < BUFFERS && r->lent[loan])
		loan++;
	stat_add(&camera->stats->dropped_lost, loan < BUFFERS ? passed - 1 : passed);
	if (loan == BUFFERS)
		return -EAGAIN;

	r->lent[loan] = true;
	lay_out(r, &r->pictures.pictures[(r->ticker.ticks - 1) % r->pictures.n_pictures],
		ret_frame);
	ret_frame->loan = loan;
	ret_frame->sequence = (uint32_t)(r->ticker.ticks - 1);
	ret_frame->captured_ns = ticker_time_ns(&r->ticker);
	ret_frame->dequeued_ns = clock_now_ns();
	return 0;
}

ON_CAPTURE static int replay_give_back(struct camera *camera, const struct frame *frame)
{
	struct replay *r = (struct replay *)camera;

	assert(frame->loan < BUFFERS && r->lent[frame->loan]);
	r->lent[frame->loan] = false;
	return 0;
}

ON_CAPTURE static void replay_stop(struct camera *camera)
{
	ticker_stop(&((struct replay *)camera)->ticker);
}

ON_CAPTURE static void replay_close(struct camera *camera)
{
	struct replay *r = (struct replay *)camera;

	ticker_stop(&r->ticker);
	pictures_close(&r->pictures);
	free(r);
}

static const struct camera_ops replay_ops = {
	.start = replay_start,
	.poll_fd = replay_poll_fd,
	.borrow = replay_borrow,
	.give_back = replay_give_back,
	.stop = replay_stop,
	.close = replay_close,
};

/* ---- opening ---- */

/* Whether a rate that a file names can be played. */
static bool is_usable(uint32_t fps_numerator, uint32_t fps_denominator)
{
	double fps = fps_denominator ? (double)fps_numerator / fps_denominator : 0;

	return fps >= FPS_LEAST && fps <= FPS_MOST;
}

/* A file is what it is: refuse what it is not; only its rate can be chosen. */
ON_CAPTURE static int settle(
	struct replay *r, const struct camera_config *config, char reason[CAMERA_REASON_BYTES])
{
	const struct pictures *p = &r->pictures;
	struct camera_info *info = &r->camera.info;
	char name[5];

	info->fourcc = info->device_fourcc = p->fourcc;
	info->width = p->pictures[0].width;
	info->height = p->pictures[0].height;
	info->encoding = p->encoding;
	info->range = p->range;
	if ((config->width && config->width != info->width) ||
		(config->height && config->height != info->height))
		return reason_set(reason, -EINVAL, "%.80s is %ux%u and cannot be replayed as %ux%u",
			info->path, info->width, info->height, config->width, config->height);
	if (config->fourcc && config->fourcc != info->fourcc)
		return reason_set(reason, -EINVAL,
			"%.80s can be replayed as %s only: leave the format out", info->path,
			format_name(info->fourcc, name));
	if (config->fps > FPS_MOST || (config->fps > 0 && config->fps < FPS_LEAST))
		return reason_set(reason, -EINVAL, "cannot replay at %g fps: %g to %d are possible",
			config->fps, FPS_LEAST, FPS_MOST);

	info->fps_numerator = p->fps_numerator;
	info->fps_denominator = p->fps_denominator;
	if (config->fps > 0)
		ticker_fraction(config->fps, &info->fps_numerator, &info->fps_denominator);
	else if (!is_usable(p->fps_numerator, p->fps_denominator))
		ticker_fraction(FPS_DEFAULT, &info->fps_numerator, &info->fps_denominator);
	return 0;
}

int replay_open(const struct camera_config *config, const char *path, struct camera_stats *stats,
	struct camera **ret_camera, char reason[CAMERA_REASON_BYTES])
{
	struct replay *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return reason_set(reason, -ENOMEM, "cannot replay %.80s: no memory", path);
	r->camera = (struct camera){.ops = &replay_ops, .config = config, .stats = stats};
	r->camera.info.kind = CAMERA_REPLAY;
	r->camera.info.buffers = BUFFERS;
	(void)snprintf(r->camera.info.driver, sizeof r->camera.info.driver, "replay");
	(void)snprintf(r->camera.info.card, sizeof r->camera.info.card, "replay");
	(void)snprintf(r->camera.info.path, sizeof r->camera.info.path, "%s", path);
	r->ticker.fd = -1;

	err = pictures_open(&r->pictures, path, reason);
	if (!err)
		err = settle(r, config, reason);
	if (err < 0) {
		replay_close(&r->camera);
		return err;
	}
	*ret_camera = &r->camera;
	return 0;
}
