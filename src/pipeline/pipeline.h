/*
 * A pipeline: one camera from its device to the packets that the server reads, and the threads
 * that move them. Rooms know pictures; only the pipeline knows rooms.
 */
#ifndef FANLIGHT_PIPELINE_H
#define FANLIGHT_PIPELINE_H

#include <stdbool.h>

#include "base/roles.h"
#include "encode/workers.h"
#include "exchange/status.h"
#include "process/config.h"
#include "server/server.h"
#include "settings.h"

struct pipeline;

/* How many of the workers' jobs a camera takes. */
ON_MAIN unsigned pipeline_n_jobs(const struct camera_settings *settings);

/*
 * Make a pipeline that takes that many jobs; nothing runs and no device is opened yet.
 * settings and workers live as long as the pipeline. Returns 0 or a negative errno with a sentence
 * in reason.
 */
ON_MAIN int pipeline_create(const struct camera_settings *settings, struct workers *workers,
	struct pipeline **ret_pipeline, char reason[PROCESS_REASON_BYTES]);

/* The pipeline as the server sees it; valid until pipeline_destroy(). */
ON_MAIN void pipeline_describe(struct pipeline *pipeline, struct server_camera *ret_camera);

/*
 * Start the encode, preview and control threads and then capture, which they answer. Returns 0, or a
 * negative errno, and none runs.
 */
ON_MAIN int pipeline_start(struct pipeline *pipeline);

/* As configured; valid until pipeline_destroy(). */
ON_MAIN const char *pipeline_name(const struct pipeline *pipeline);

/* Readable when pipeline_take_news() has some. */
ON_MAIN int pipeline_news_fd(const struct pipeline *pipeline);

/*
 * How the camera is, NULL when it did not say yet; valid until the next call. True when that is
 * news.
 */
ON_MAIN bool pipeline_take_news(struct pipeline *pipeline, const struct camera_status **ret_status);

/*
 * The name of a thread that did not come round since the last call, or NULL. Those that did are
 * asked to do so again.
 */
ON_MAIN const char *pipeline_stuck_thread(struct pipeline *pipeline);

/* Let capture begin to stop, so that several cameras do so at once; pipeline_stop() must follow. */
ON_MAIN void pipeline_ask_to_stop(struct pipeline *pipeline);

/* Stop and join capture, then the others. Harmless when not started. */
ON_MAIN void pipeline_stop(struct pipeline *pipeline);

/* Free it, stopped. NULL is ignored. */
ON_MAIN void pipeline_destroy(struct pipeline *pipeline);

#endif
