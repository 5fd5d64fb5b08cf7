#include "camera/camera.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "camera/camera_ops.h"
#include "camera/reason.h"
#include "camera/v4l2_signal.h"

enum source {
	SOURCE_AUTO,
	SOURCE_PATTERN,
	SOURCE_NAME,
	SOURCE_BUS,
	SOURCE_V4L2,
	SOURCE_REPLAY,
};

/* errno in a sentence. */
ANY_THREAD static int cannot_read(const char *path, char reason[CAMERA_REASON_BYTES])
{
	return reason_set(reason, -errno, "cannot read %.100s: %s", path, strerror(errno));
}

/* What a source string names: the kind, and what follows the kind or is a path. */
ANY_THREAD static int parse_source(const char *source, enum source *ret_kind, const char **ret_path,
	char reason[CAMERA_REASON_BYTES])
{
	static const struct {
		const char *prefix;
		enum source kind;
	} kinds[] = {
		{"name:", SOURCE_NAME},
		{"bus:", SOURCE_BUS},
		{"v4l2:", SOURCE_V4L2},
		{"replay:", SOURCE_REPLAY},
	};
	struct stat st;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t length = strlen(kinds[i].prefix);

		if (!strncmp(source, kinds[i].prefix, length) && source[length]) {
			*ret_kind = kinds[i].kind;
			*ret_path = source + length;
			return 0;
		}
	}
	*ret_path = source;
	if (!*source || !strcmp(source, "auto")) {
		*ret_kind = SOURCE_AUTO;
	} else if (!strcmp(source, "pattern")) {
		*ret_kind = SOURCE_PATTERN;
	} else if (!stat(source, &st)) {
		*ret_kind = S_ISCHR(st.st_mode) ? SOURCE_V4L2 : SOURCE_REPLAY;
	} else if (!strncmp(source, "/dev/", 5)) {
		*ret_kind = SOURCE_V4L2;
	} else if (strchr(source, '/')) {
		return cannot_read(source, reason);
	} else {
		return reason_set(reason, -EINVAL,
			"\"%.48s\" is no source: use auto, pattern, name:NAME, bus:BUS, "
			"v4l2:DEVICE, replay:PATH, or the path of a device, file or folder",
			source);
	}
	return 0;
}

ON_MAIN static int check_device(const char *path, char reason[CAMERA_REASON_BYTES])
{
	struct stat st;

	/* One that is not there may yet be plugged in. */
	if (stat(path, &st))
		return 0;
	if (!S_ISCHR(st.st_mode))
		return reason_set(reason, -ENODEV,
			"%.100s is no camera device; files and folders are read by replay:PATH",
			path);
	if (!access(path, R_OK | W_OK))
		return 0;
	if (errno == EACCES)
		return reason_set(reason, -EACCES,
			"no permission to use %.64s: add the user to the group video "
			"(sudo usermod -aG video USER) and log in again",
			path);
	return cannot_read(path, reason);
}

int camera_check(const struct camera_config *config, char reason[CAMERA_REASON_BYTES])
{
	const char *path;
	enum source kind;
	int err = parse_source(config->source, &kind, &path, reason);

	if (err < 0)
		return err;
	if (*config->edid) {
		err = signal_check_edid(config->edid, reason);
		if (err < 0)
			return err;
	}
	if (kind == SOURCE_V4L2)
		return check_device(path, reason);
	if (kind == SOURCE_REPLAY && access(path, R_OK))
		return cannot_read(path, reason);
	return 0;
}

static const struct v4l2_wish any_camera = {"", ""};

/* The camera of a name or on a bus, under whatever number it has now. */
ON_CAPTURE static int open_wished(const struct camera_config *config, enum source kind,
	const char *text, struct camera_stats *stats, struct camera **ret_camera,
	char reason[CAMERA_REASON_BYTES])
{
	struct v4l2_wish wish = {kind == SOURCE_BUS ? text : "", kind == SOURCE_NAME ? text : ""};
	char path[256];
	int err = v4l2_find(&wish, path, sizeof path, reason);

	if (err == -ENOENT)
		return reason_set(reason, err,
			"no camera %s \"%.64s\" is there; plug it in, or see fanlight --list",
			kind == SOURCE_BUS ? "on bus" : "of the name", text);
	return err < 0 ? err : v4l2_open(config, path, stats, ret_camera, reason);
}

/*
 * The first V4L2 camera, or the pattern where there is none. Who has seen a camera is not shown the
 * pattern when it is unplugged: a pattern never fails, so what was opened before was a camera.
 */
ON_CAPTURE static int open_auto(const struct camera_config *config, struct camera_stats *stats,
	struct camera **ret_camera, char reason[CAMERA_REASON_BYTES])
{
	char path[256], room[48];
	int err = v4l2_find(&any_camera, path, sizeof path, reason);

	if (!err)
		return v4l2_open(config, path, stats, ret_camera, reason);
	if (stat_read(&stats->opened))
		return err == -ENOENT
			       ? reason_set(reason, err, "the camera is gone; plug it in again")
			       : err;
	(void)snprintf(room, sizeof room, "camera %s", config->name);
	if (err == -ENOENT)
		log_info(room, "no V4L2 camera found: showing the test pattern");
	else
		log_warning(room, "%s; showing the test pattern", reason);
	err = pattern_open(config, stats, ret_camera, reason);
	if (!err)
		(*ret_camera)->info.stands_in = true;
	return err;
}

bool camera_is_found(void)
{
	char path[256], reason[CAMERA_REASON_BYTES];

	return !v4l2_find(&any_camera, path, sizeof path, reason);
}

int camera_open(const struct camera_config *config, struct camera_stats *stats,
	struct camera **ret_camera, char reason[CAMERA_REASON_BYTES])
{
	const char *path;
	enum source kind;
	int err = parse_source(config->source, &kind, &path, reason);

	if (err < 0)
		return err == -ENOENT ? -ENODEV : err; /* nobody tells of files that come */
	switch (kind) {
	case SOURCE_AUTO:
		break;
	case SOURCE_PATTERN:
		return pattern_open(config, stats, ret_camera, reason);
	case SOURCE_NAME:
	case SOURCE_BUS:
		return open_wished(config, kind, path, stats, ret_camera, reason);
	case SOURCE_V4L2:
		return v4l2_open(config, path, stats, ret_camera, reason);
	case SOURCE_REPLAY:
		return replay_open(config, path, stats, ret_camera, reason);
	}
	return open_auto(config, stats, ret_camera, reason);
}

int camera_start(struct camera *camera)
{
	return camera->ops->start(camera);
}

int camera_poll_fd(const struct camera *camera)
{
	return camera->ops->poll_fd(camera);
}

int camera_borrow(struct camera *camera, struct frame *ret_frame)
{
	return camera->ops->borrow(camera, ret_frame);
}

int camera_return(struct camera *camera, const struct frame *frame)
{
	return camera->ops->give_back(camera, frame);
}

void camera_stop(struct camera *camera)
{
	camera->ops->stop(camera);
}

void camera_close(struct camera *camera)
{
	if (camera)
		camera->ops->close(camera);
}

void camera_describe(const struct camera *camera, struct camera_info *ret_info)
{
	*ret_info = camera->info;
}
