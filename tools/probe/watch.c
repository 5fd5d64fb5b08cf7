/*
 * libcurl says which sockets to wait for and when it wants to be called again; epoll waits. Slow
 * links are stepped by the clock, which is what makes them slow.
 */
#include "probe/watch.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "base/fd.h"

#define EVENTS 64

struct watch {
	CURLM *multi;
	int epoll_fd, signal_fd;
	uint64_t curl_due_ns;
	struct viewer *viewers;
	size_t n_viewers;
	bool has_links;
};

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *context, void *known)
{
	struct watch *watch = context;
	struct epoll_event event = {.data.fd = fd};

	(void)curl;
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (what == CURL_POLL_REMOVE) {
		/* Fails if it is closed already. */
		(void)epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	(void)curl_multi_assign(watch->multi, fd, watch);
	return epoll_ctl(watch->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct watch *watch = context;

	(void)multi;
	watch->curl_due_ns = timeout_ms < 0 ? UINT64_MAX
					    : clock_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	return 0;
}

static int begin(struct watch *watch)
{
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	event.data.fd = watch->signal_fd;
	if (watch->epoll_fd < 0 || watch->signal_fd < 0 ||
		epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->signal_fd, &event) < 0)
		return -errno;
	watch->multi = curl_multi_init();
	if (!watch->multi)
		return -ENOMEM;
	(void)curl_multi_setopt(watch->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(watch->multi, CURLMOPT_SOCKETDATA, watch);
	(void)curl_multi_setopt(watch->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(watch->multi, CURLMOPT_TIMERDATA, watch);
	/* A connection for each viewer. */
	(void)curl_multi_setopt(watch->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	for (size_t i = 0; i < watch->n_viewers; i++) {
		watch->has_links |= watch->viewers[i].link != NULL;
		if (curl_multi_add_handle(watch->multi, watch->viewers[i].curl))
			return -ENOMEM;
	}
	return 0;
}

static void end(struct watch *watch)
{
	for (size_t i = 0; watch->multi && i < watch->n_viewers; i++)
		(void)curl_multi_remove_handle(watch->multi, watch->viewers[i].curl);
	(void)curl_multi_cleanup(watch->multi);
	fd_close(&watch->epoll_fd);
	fd_close(&watch->signal_fd);
}

static void note_ends(struct watch *watch)
{
	CURLMsg *message;
	int n;

	while ((message = curl_multi_info_read(watch->multi, &n))) {
		char *viewer;

		if (message->msg == CURLMSG_DONE &&
			!curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &viewer))
			viewer_end((struct viewer *)viewer, message->data.result);
	}
}

static void step_links(struct watch *watch, uint64_t now_ns)
{
	for (size_t i = 0; i < watch->n_viewers; i++)
		if (watch->viewers[i].link)
			link_step(watch->viewers[i].link, now_ns);
}

/* Tell libcurl what happened. False when a signal asks to stop. */
static bool dispatch(struct watch *watch, const struct epoll_event *events, int n, int *ret_running)
{
	for (int i = 0; i < n; i++) {
		int what = 0;

		if (events[i].data.fd == watch->signal_fd)
			return false;
		if (events[i].events & (EPOLLIN | EPOLLHUP))
			what |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		if (events[i].events & EPOLLERR)
			what |= CURL_CSELECT_ERR;
		(void)curl_multi_socket_action(watch->multi, events[i].data.fd, what, ret_running);
	}
	return true;
}

static int min_wait_ms(
	const struct watch *watch, uint64_t now_ns, uint64_t end_ns, uint64_t step_ns)
{
	uint64_t wake_ns = end_ns;

	if (watch->curl_due_ns < wake_ns)
		wake_ns = watch->curl_due_ns;
	if (watch->has_links && step_ns < wake_ns)
		wake_ns = step_ns;
	return wake_ns > now_ns ? (int)((wake_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

static int loop(struct watch *watch, uint64_t end_ns)
{
	struct epoll_event events[EVENTS];
	uint64_t now_ns = clock_now_ns(), step_ns = now_ns;
	int running = 1;

	while (running && now_ns < end_ns) {
		int n = epoll_wait(watch->epoll_fd, events, EVENTS,
			min_wait_ms(watch, now_ns, end_ns, step_ns));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!dispatch(watch, events, n, &running))
			return 0;
		now_ns = clock_now_ns();
		if (watch->curl_due_ns <= now_ns) {
			watch->curl_due_ns = UINT64_MAX;
			(void)curl_multi_socket_action(
				watch->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		}
		if (watch->has_links && step_ns <= now_ns) {
			step_links(watch, now_ns);
			step_ns = now_ns + LINK_STEP_NS;
		}
		note_ends(watch);
	}
	return 0;
}

int watch(struct viewer *viewers, size_t n_viewers, uint64_t duration_ns)
{
	struct watch watch = {.epoll_fd = -1,
		.signal_fd = -1,
		.curl_due_ns = UINT64_MAX,
		.viewers = viewers,
		.n_viewers = n_viewers};
	int err = begin(&watch);

	if (!err)
		err = loop(&watch, clock_now_ns() + duration_ns);
	end(&watch);
	return err;
}
