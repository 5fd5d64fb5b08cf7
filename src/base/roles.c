#include "base/roles.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

struct thread_role role_main = {"main"};
struct thread_role role_capture = {"capture"};
struct thread_role role_encode = {"encode"};
struct thread_role role_server = {"server"};
struct thread_role role_login = {"login"};
struct thread_role role_control = {"control"};
struct thread_role role_preview = {"preview"};

void role_take(struct thread_role *role, const char *detail)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	if (role != &role_main) {
		char name[16];

		(void)snprintf(name, sizeof name, detail ? "%s:%s" : "%s", role->name, detail);
		(void)pthread_setname_np(pthread_self(), name); /* only a name in top */
	}
}
