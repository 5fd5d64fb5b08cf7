#include "pipeline/serve.h"

#include <errno.h>

#include "base/roles.h"

static void *server_loop(void *context)
{
	struct server_thread *thread = context;

	role_take(&role_server, NULL);
	while (server_turn(thread->server))
		pulse_beat(&thread->pulse);
	return NULL;
}

static void *login_loop(void *context)
{
	struct server_thread *thread = context;

	role_take(&role_login, NULL);
	while (server_login_turn(thread->server))
		pulse_beat(&thread->login_pulse);
	return NULL;
}

int server_thread_start(struct server_thread *thread, struct server *server)
{
	int err;

	thread->server = server;
	err = -pthread_create(&thread->login_thread, NULL, login_loop, thread);
	thread->login_running = !err;
	if (!err)
		err = -pthread_create(&thread->thread, NULL, server_loop, thread);
	thread->running = !err;
	return err;
}

void server_thread_stop(struct server_thread *thread)
{
	if (!thread->login_running)
		return;
	server_stop(thread->server);
	/* Joins cannot fail: the threads are ours and joined once. */
	if (thread->running)
		(void)pthread_join(thread->thread, NULL);
	(void)pthread_join(thread->login_thread, NULL);
	thread->running = thread->login_running = false;
}

const char *server_thread_stuck(struct server_thread *thread)
{
	/* Both, that each is asked. */
	bool serves = pulse_take(&thread->pulse, -1);
	bool logs_in = pulse_take(&thread->login_pulse, server_login_fd(thread->server));

	return !serves ? role_server.name : !logs_in ? role_login.name : NULL;
}
