/*
 * What a service manager (systemd) hears of the program: that it is ready, how its cameras are, and
 * that its threads come round. Nobody hears anything where nobody listens.
 */
#ifndef FANLIGHT_SERVICE_H
#define FANLIGHT_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/roles.h"
#include "pipeline/pipeline.h"
#include "pipeline/serve.h"

struct service {
	struct pipeline *const *pipelines;
	size_t n_pipelines;
	struct server_thread *server;
	bool ready;
	uint64_t interval_ns; /* from one look at the threads to the next */
	uint64_t due_ns;      /* CLOCK_MONOTONIC, of the next; UINT64_MAX for never */
	struct log_limit stuck;
};

/* All of it runs. What is passed lives as long as the service does. */
ON_MAIN void service_begin(struct service *service, struct pipeline *const *pipelines,
	size_t n_pipelines, struct server_thread *server);

/* Tell what is to be told; to be called at due_ns and when a pipeline has news. */
ON_MAIN void service_tell(struct service *service);

/* The program is about to stop. */
ON_MAIN void service_end(void);

#endif
