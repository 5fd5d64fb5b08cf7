/*
 * Ready is told when each camera has delivered a frame, or is known not to: then whoever starts
 * after us finds what there is to find.
 *
 * The watchdog is fed only when every thread has come round since the last time. Helpers of the
 * encoder have no pulse: a camera's encode thread waits for those that work for it. Four looks in
 * the time that systemd grants leave a slow camera three quarters of it.
 */
#include "service.h"

#include <stdio.h>
#include <string.h>

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/clock.h"

#define LOOKS_PER_WATCHDOG 4

#define TOLD_BYTES 2048

ON_MAIN static void notify(const char *state)
{
#if HAVE_SYSTEMD
	(void)sd_notify(0, state); /* nobody listening is no error */
#else
	(void)state;
#endif
}

/* How long systemd grants without a sign of life; 0 for as long as it takes. */
ON_MAIN static uint64_t watchdog_ns(void)
{
#if HAVE_SYSTEMD
	uint64_t granted_us;

	if (sd_watchdog_enabled(0, &granted_us) > 0)
		return granted_us * NS_PER_US;
#endif
	return 0;
}

/* ---- the cameras ---- */

/* Append "NAME is ..." to a status line, which ends where it is full. */
ON_MAIN static void append_camera(
	char told[TOLD_BYTES], const char *name, const struct camera_status *status)
{
	size_t used = strlen(told);
	char *end = told + used;
	size_t room = TOLD_BYTES - used;
	const char *separator = strchr(told, '=')[1] ? "; " : "";

	if (!status)
		(void)snprintf(end, room, "%s%s is being opened", separator, name);
	else if (status->online)
		(void)snprintf(end, room, "%s%s streams %ux%u", separator, name, status->info.width,
			status->info.height);
	else
		(void)snprintf(end, room, "%s%s is offline: %s", separator, name,
			camera_status_words(status));
}

/* Whether it is known if a camera is there. */
ON_MAIN static bool is_settled(const struct camera_status *status)
{
	return status && status->state != CAMERA_OPENING;
}

ON_MAIN static void tell_cameras(struct service *service)
{
	char told[TOLD_BYTES] = "STATUS=";
	bool news = false, settled = true;

	for (size_t i = 0; i < service->n_pipelines; i++) {
		const struct camera_status *status;

		news |= pipeline_take_news(service->pipelines[i], &status);
		settled &= is_settled(status);
		append_camera(told, pipeline_name(service->pipelines[i]), status);
	}
	if (news)
		notify(told);
	if (settled && !service->ready) {
		service->ready = true;
		notify("READY=1");
	}
}

/* ---- the threads ---- */

ON_MAIN static void feed_watchdog(struct service *service)
{
	/* Each is asked, also after one that is stuck: else that one would stop the others' pulses. */
	const char *stuck = server_thread_stuck(service->server), *of = "the server";
	unsigned suppressed;

	for (size_t i = 0; i < service->n_pipelines; i++) {
		const char *thread = pipeline_stuck_thread(service->pipelines[i]);

		if (thread) {
			stuck = thread;
			of = pipeline_name(service->pipelines[i]);
		}
	}
	if (!stuck)
		notify("WATCHDOG=1");
	else if (log_allowed(&service->stuck, 60 * NS_PER_S, &suppressed))
		log_warning("main", "thread %s of %s is stuck; if it stays so, systemd starts anew",
			stuck, of);
}

void service_begin(struct service *service, struct pipeline *const *pipelines, size_t n_pipelines,
	struct server_thread *server)
{
	*service = (struct service){
		.pipelines = pipelines,
		.n_pipelines = n_pipelines,
		.server = server,
		.interval_ns = watchdog_ns() / LOOKS_PER_WATCHDOG,
	};
	service->due_ns = service->interval_ns ? clock_now_ns() : UINT64_MAX;
	service_tell(service);
}

void service_tell(struct service *service)
{
	uint64_t now_ns = clock_now_ns();

	tell_cameras(service);
	if (now_ns < service->due_ns)
		return;
	service->due_ns = now_ns + service->interval_ns;
	feed_watchdog(service);
}

void service_end(void)
{
	notify("STOPPING=1");
}
