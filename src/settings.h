/*
 * Settings: defaults, then the INI file, then the command line, validated into one struct that
 * nobody changes any more. Every setting has one name in both places.
 */
#ifndef FANLIGHT_SETTINGS_H
#define FANLIGHT_SETTINGS_H

#include <stdio.h>

#include "base/log.h"
#include "base/roles.h"
#include "base/variant.h"
#include "camera/camera.h"
#include "encode/jpeg.h"
#include "encode/workers.h"
#include "process/config.h"
#include "server/server.h"

#define SETTINGS_CAMERAS_MAX 16

/* What rests while nobody watches: the encoder, or after a while the camera, too. */
enum idle { IDLE_ENCODE, IDLE_STOP };

struct camera_settings {
	struct camera_config camera;
	struct jpeg_config jpeg;
	struct process_config process;
	int placeholder; /* whether there is one for viewers while there is no picture */
	char font[256];  /* a file, for its words */
	enum idle idle;
	unsigned variants; /* in how many it is encoded at once, up to VARIANTS_MOST */
};

struct settings {
	enum log_level log_level;
	struct server_config server;
	char user[64];           /* to become, where root starts it; "" for none */
	int sandbox;             /* whether to enter one, 0 or 1 */
	int lock_memory;         /* 0 or 1 */
	unsigned encode_threads; /* up to WORKERS_THREADS_MOST; 0 for one a core */
	struct camera_settings cameras[SETTINGS_CAMERAS_MAX];
	size_t n_cameras; /* at least 1 */
};

/* What the command line asks for besides running. */
enum settings_action {
	SETTINGS_RUN,
	SETTINGS_CHECK,   /* --check: print the effective settings and end */
	SETTINGS_LIST,    /* --list: print the cameras and end */
	SETTINGS_HELP,    /* --help */
	SETTINGS_VERSION, /* --version */
};

/*
 * Read the command line and the settings file it names (or the default one, if that exists).
 * --list, --help and --version are found first and leave the defaults, with no camera.
 * On an error one line has been written to messages: where (file:line or option), what is wrong,
 * what is allowed. Returns 0, -EINVAL, or the errno of a file that cannot be opened.
 */
ON_MAIN int settings_load(int argc, char **argv, struct settings *ret_settings,
	enum settings_action *ret_action, FILE *messages);

/* Write settings as an INI file that settings_load() reads back to the same. */
ON_MAIN void settings_print(const struct settings *settings, FILE *out);

/* The --help text; at most 24 lines of 80 columns. */
ON_MAIN void settings_usage(FILE *out);

#endif
