/* The sandbox, entered by a child of the test for each promise: there is no way out of it. */
#include "sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What the child wrote to stderr. */
static char said[1024];

/* Run body in a child, in the sandbox or about to enter it. Returns how the child ended. */
ON_MAIN static int run_in_child(void (*body)(void), bool entered)
{
	const struct rlimit no_core = {0, 0};
	size_t length = 0;
	ssize_t bytes;
	int ends[2], status;
	pid_t child;

	assert_return_code(pipe(ends), 0);
	child = fork();
	assert_return_code(child, 0);
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &no_core);
		if (entered && sandbox_enter())
			_exit(2);
		body();
		_exit(0);
	}
	close(ends[1]);
	while ((bytes = read(ends[0], said + length, sizeof said - 1 - length)) > 0)
		length += (size_t)bytes;
	said[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void execute(void)
{
	char *arguments[] = {"true", NULL};

	execve("/bin/true", arguments, NULL);
}

static void trace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void multiply(void)
{
	if (!fork())
		_exit(0);
}

static void listen_on_a_port(void)
{
	listen(STDIN_FILENO, 1);
}

static void type_for_the_user(void)
{
	ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static void end_another(void)
{
	kill(1, 0);
}

static void limit_another(void)
{
	prlimit(getppid(), RLIMIT_NOFILE, NULL, NULL);
}

ON_MAIN static void forbidden_calls_end_it_with_their_names(void **state)
{
	static const struct {
		void (*body)(void);
		const char *name;
	} calls[] = {
		{execute, "execve"},
		{trace, "ptrace"},
		{multiply, "clone"},
		{listen_on_a_port, "listen"},
		{type_for_the_user, "ioctl"},
		{end_another, "kill"},
		{limit_another, "prlimit64"},
	};
	char sentence[128];

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		int status = run_in_child(calls[i].body, true);

		(void)snprintf(sentence, sizeof sentence,
			"fanlight: sandbox: ended, as the system call %s is not allowed; ",
			calls[i].name);
		assert_memory_equal(said, sentence, strlen(sentence));
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static void *wait_and_execute(void *fd)
{
	char byte;

	if (read(*(int *)fd, &byte, 1) == 1)
		execute();
	return NULL;
}

ON_MAIN static void confine_a_running_thread(void)
{
	pthread_t thread;
	int ends[2];

	if (pipe(ends) || pthread_create(&thread, NULL, wait_and_execute, &ends[0]))
		_exit(2);
	if (sandbox_enter() || write(ends[1], "x", 1) != 1)
		_exit(3);
	pthread_join(thread, NULL);
}

ON_MAIN static void threads_that_ran_before_are_confined_too(void **state)
{
	int status = run_in_child(confine_a_running_thread, false);

	(void)state;
	assert_non_null(strstr(said, "the system call execve is not allowed"));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void *name_itself(void *done)
{
	*(bool *)done = !pthread_setname_np(pthread_self(), "named");
	return NULL;
}

static void make_a_thread(void)
{
	bool done = false;
	pthread_t thread;

	if (pthread_create(&thread, NULL, name_itself, &done) || pthread_join(thread, NULL) ||
		!done)
		_exit(2);
}

static void tell_systemd(void)
{
	if (socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0)
		_exit(2);
}

static void reach_the_network(void)
{
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EACCES)
		_exit(2);
}

static void reach_a_service(void)
{
	if (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || errno != EACCES ||
		socket(AF_UNIX, SOCK_SEQPACKET, 0) >= 0 || errno != EACCES)
		_exit(2);
}

static void limit_itself(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_NOFILE, &files))
		_exit(2);
}

/* Its network's name is looked up, for an address is the same in any network. */
static void name_a_neighbour(void)
{
	struct sockaddr_in6 neighbour = {.sin6_family = AF_INET6, .sin6_scope_id = 1};
	char name[INET6_ADDRSTRLEN + IF_NAMESIZE];

	inet_pton(AF_INET6, "fe80::1", &neighbour.sin6_addr);
	if (getnameinfo((struct sockaddr *)&neighbour, sizeof neighbour, name, sizeof name, NULL, 0,
		    NI_NUMERICHOST) ||
		strcmp(name, "fe80::1%lo") != 0)
		_exit(2);
}

static void look_up_a_user(void)
{
	if (!getpwnam("root"))
		_exit(2);
}

static void call_what_is_yet_to_be_invented(void)
{
	if (syscall(511) != -1 || errno != ENOSYS)
		_exit(2);
}

static void look_for_privileges(void)
{
	char line[128] = "";
	FILE *status = fopen("/proc/self/status", "r");

	while (status && strncmp(line, "NoNewPrivs:", 11) != 0 && fgets(line, sizeof line, status))
		;
	_exit(atoi(line + 11) == 1 ? 0 : 2);
}

ON_MAIN static void what_a_server_does_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(make_a_thread, true), 0);
	assert_int_equal(run_in_child(tell_systemd, true), 0);
	assert_int_equal(run_in_child(limit_itself, true), 0);
	assert_int_equal(run_in_child(name_a_neighbour, true), 0);
	assert_int_equal(run_in_child(look_up_a_user, true), 0);
}

ON_MAIN static void what_libraries_try_is_refused(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(reach_the_network, true), 0);
	assert_int_equal(run_in_child(reach_a_service, true), 0);
	assert_int_equal(run_in_child(call_what_is_yet_to_be_invented, true), 0);
}

ON_MAIN static void nothing_can_be_gained_by_executing(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(look_for_privileges, true), 0);
}

ON_MAIN static void a_failed_assertion_ends_it_as_ever(void **state)
{
	int status = run_in_child(abort, true);

	(void)state;
	assert_string_equal(said, "");
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forbidden_calls_end_it_with_their_names),
		cmocka_unit_test(threads_that_ran_before_are_confined_too),
		cmocka_unit_test(what_a_server_does_is_allowed),
		cmocka_unit_test(what_libraries_try_is_refused),
		cmocka_unit_test(nothing_can_be_gained_by_executing),
		cmocka_unit_test(a_failed_assertion_ends_it_as_ever),
	};

	role_take(&role_main, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
