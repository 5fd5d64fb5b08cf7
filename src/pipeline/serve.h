/* The server's threads: they turn its loop, and compare passwords with their hashes. */
#ifndef FANLIGHT_SERVE_H
#define FANLIGHT_SERVE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/pulse.h"
#include "base/roles.h"
#include "server/server.h"

/* Start them on a created server; stop and join them. */
struct server_thread {
	struct server *server;
	pthread_t thread, login_thread;
	bool running, login_running;
	struct pulse pulse, login_pulse;
};
ON_MAIN int server_thread_start(struct server_thread *thread, struct server *server);
ON_MAIN void server_thread_stop(struct server_thread *thread);

/* As pipeline_stuck_thread(), for those of the server. */
ON_MAIN const char *server_thread_stuck(struct server_thread *thread);

#endif
