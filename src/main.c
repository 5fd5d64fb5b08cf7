/* Options, signals, the stop key, the exit code; owner of every pipeline and of the server. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "commands.h"
#include "pipeline/pipeline.h"
#include "pipeline/serve.h"
#include "sandbox.h"
#include "service.h"
#include "settings.h"
#include "user.h"
#include "watch.h"

/* The server reads its files anew, and with that changes the keys of session tickets. */
#define RENEW_NS (3600 * NS_PER_S)

/* After a change of a file, for the others that go with it. */
#define SETTLE_NS (1 * NS_PER_S)

struct program {
	struct settings settings;
	struct workers *workers;
	struct pipeline *pipelines[SETTINGS_CAMERAS_MAX];
	struct server *server;
	struct server_thread server_thread;
	struct service service;
	int signal_fd;
	bool key_wanted; /* stdin is a terminal in the foreground */
	bool has_hangup; /* SIGHUP means that the terminal is gone, not that something is new */
	struct termios terminal;
	int argc;
	char **argv;
	int watch_fd; /* of the files that the server reads */
	uint64_t renew_ns;
};

/* The signals that stop the program, but for those that whoever started it had ignored (nohup). */
ON_MAIN static void fill_stop_signals(sigset_t *signals)
{
	static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action;

	sigemptyset(signals);
	for (size_t i = 0; i < sizeof stopping / sizeof *stopping; i++)
		if (!sigaction(stopping[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(signals, stopping[i]);
}

/* Signals become readable; role_take() blocks them in every other thread. */
ON_MAIN static int watch_signals(void)
{
	sigset_t signals;
	int fd;

	fill_stop_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* From now on a signal ends the program as if nobody had ever caught it. */
ON_MAIN static void release_signals(void)
{
	sigset_t signals;

	fill_stop_signals(&signals);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

/* Whether stdin is a terminal and this program is whom it listens to. */
ON_MAIN static bool has_terminal(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* Whether there is a terminal that can hang up, in the foreground or not. */
ON_MAIN static bool controls_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	bool there = fd >= 0;

	fd_close(&fd);
	return there;
}

/* Read single keys from the terminal without echo; a background job leaves it alone. */
ON_MAIN static void watch_key(struct program *program)
{
	struct termios raw;

	if (!has_terminal() || tcgetattr(STDIN_FILENO, &program->terminal))
		return;
	/* Sent to the background later, reading fails instead of stopping every camera. */
	(void)signal(SIGTTIN, SIG_IGN);
	raw = program->terminal;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	program->key_wanted = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

ON_MAIN static void restore_terminal(struct program *program)
{
	/* In the background the terminal's modes are the shell's. */
	if (program->key_wanted && has_terminal())
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &program->terminal);
	program->key_wanted = false;
}

/* ---- what may change while it runs ---- */

/* The files to watch. */
#define FILES 3

ON_MAIN static void list_files(const struct program *program, const char *paths[FILES])
{
	const struct server_config *server = &program->settings.server;

	paths[0] = server->cert;
	paths[1] = server->key;
	paths[2] = server->accounts;
}

ON_MAIN static void watch_again(struct program *program)
{
	const char *paths[FILES];

	list_files(program, paths);
	fd_close(&program->watch_fd);
	program->watch_fd = watch_files(paths, FILES);
}

/* Have the server read its files anew, now and in an hour, when session tickets get new keys. */
ON_MAIN static void renew(struct program *program, const struct server_config *config)
{
	char reason[SERVER_REASON_BYTES];

	program->renew_ns = clock_now_ns() + RENEW_NS;
	if (server_renew(program->server, config, reason) < 0)
		log_warning("main", "%s; all stays as it was", reason);
}

/* SIGHUP: settings and all. Of those that need a start nothing changes. */
ON_MAIN static void reload(struct program *program)
{
	static struct settings fresh;
	enum settings_action action;
	char reason[SERVER_REASON_BYTES];

	if (settings_load(program->argc, program->argv, &fresh, &action, stderr) < 0) {
		log_warning("main", "the settings are wrong; all stays as it was");
	} else if (server_renew(program->server, &fresh.server, reason) < 0) {
		log_warning("main", "%s; all stays as it was", reason);
	} else {
		program->settings.server = fresh.server;
		program->renew_ns = clock_now_ns() + RENEW_NS;
		watch_again(program);
		log_info("main", "read the settings anew: limits, accounts, certificate");
	}
}

ON_MAIN static void look_at_files(struct program *program)
{
	const char *paths[FILES];

	list_files(program, paths);
	if (!watch_tells(program->watch_fd, paths, FILES))
		return;
	/* A certificate and its key change one after the other. */
	program->renew_ns = clock_now_ns() + SETTLE_NS;
	log_info("main", "the certificate or the accounts have changed");
}

/* What a signal asks for; whether that is to stop. */
ON_MAIN static bool take_signal(struct program *program)
{
	struct signalfd_siginfo info;

	if (read(program->signal_fd, &info, sizeof info) <= 0)
		return false;
	if (info.ssi_signo == SIGHUP && !program->has_hangup) {
		reload(program);
		return false;
	}
	log_info("main", "stopping: %s", strsignal((int)info.ssi_signo));
	return true;
}

/* Whether the terminal says to stop; one that is gone says nothing any more. */
ON_MAIN static bool is_stop_key(struct pollfd *terminal)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1) {
		terminal->fd = -1; /* signals remain */
		return false;
	}
	return key == 'q' || key == 'Q';
}

/* Wait until due_ns or for one of the fds. */
ON_MAIN static void wait_for_any(uint64_t due_ns, struct pollfd *fds, size_t n)
{
	uint64_t now_ns = clock_now_ns(), left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
	struct timespec wait = {(time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S)};

	if (ppoll(fds, n, &wait, NULL) < 0)
		for (size_t i = 0; i < n; i++)
			fds[i].revents = 0; /* EINTR */
}

ON_MAIN static void wait_for_stop(struct program *program)
{
	size_t n = 2 + program->settings.n_cameras;
	struct pollfd fds[3 + SETTINGS_CAMERAS_MAX] = {
		{program->signal_fd, POLLIN, 0},
		{program->key_wanted ? STDIN_FILENO : -1, POLLIN, 0},
	};
	struct pollfd *files = &fds[n];

	for (size_t i = 2; i < n; i++)
		fds[i] = (struct pollfd){pipeline_news_fd(program->pipelines[i - 2]), POLLIN, 0};
	files->events = POLLIN;
	for (;;) {
		uint64_t due_ns = program->service.due_ns;

		files->fd = program->watch_fd;
		wait_for_any(due_ns < program->renew_ns ? due_ns : program->renew_ns, fds, n + 1);
		if (files->revents)
			look_at_files(program);
		if (fds[0].revents && take_signal(program))
			return;
		if (fds[1].revents && is_stop_key(&fds[1])) {
			log_info("main", "stopping: q");
			return;
		}
		if (clock_now_ns() >= program->renew_ns)
			renew(program, &program->settings.server);
		service_tell(&program->service);
	}
}

ON_MAIN static void stop(struct program *program)
{
	for (size_t i = 0; i < program->settings.n_cameras; i++)
		if (program->pipelines[i])
			pipeline_ask_to_stop(program->pipelines[i]);
	/* Upstream first, so that the encoder answers its camera's recall. */
	for (size_t i = 0; i < program->settings.n_cameras; i++)
		if (program->pipelines[i])
			pipeline_stop(program->pipelines[i]);
	server_thread_stop(&program->server_thread);
	server_destroy(program->server);
	for (size_t i = 0; i < program->settings.n_cameras; i++)
		pipeline_destroy(program->pipelines[i]);
	workers_destroy(program->workers);
}

/* Give up what is not needed once the ports are open. */
ON_MAIN static void confine(void)
{
	int err = sandbox_enter();

	if (err == -ENOSYS)
		log_info("main", "sandbox: this fanlight was built without");
	else if (err < 0)
		log_warning("main", "sandbox: this system has none (%s); Fanlight runs unconfined",
			strerror(-err));
}

ON_MAIN static int lock_memory(void)
{
	int err = memory_lock();

	if (err < 0)
		log_error("main",
			"lock-memory: locked memory is limited by RLIMIT_MEMLOCK (%s), which takes "
			"CAP_SYS_RESOURCE to lift; start without that limit (by systemd "
			"LimitMEMLOCK=infinity, in a container --ulimit memlock=-1), or leave "
			"lock-memory out",
			strerror(-err));
	return err;
}

/* Open the ports, and give up the rights that this may take. */
ON_MAIN static int open_ports(struct program *program)
{
	const struct settings *settings = &program->settings;
	char reason[SERVER_REASON_BYTES];
	int err = server_create(&settings->server, &program->server, reason);

	if (!err && *settings->user)
		err = user_become(settings->user, settings->server.state_dir, reason);
	if (err < 0)
		log_error("main", "%s", reason);
	return err;
}

ON_MAIN static int create_cameras(
	struct program *program, struct server_camera ret_cameras[SETTINGS_CAMERAS_MAX])
{
	struct settings *settings = &program->settings;
	char camera_reason[CAMERA_REASON_BYTES], filter_reason[PROCESS_REASON_BYTES];

	for (size_t i = 0; i < settings->n_cameras; i++) {
		struct camera_settings *camera = &settings->cameras[i];
		int err = camera_check(&camera->camera, camera_reason);

		if (err < 0) {
			log_error("main", "camera %s: %s", camera->camera.name, camera_reason);
			return err;
		}
		err = pipeline_create(
			camera, program->workers, &program->pipelines[i], filter_reason);
		if (err < 0) {
			log_error("main", "camera %s: %s", camera->camera.name, filter_reason);
			return err;
		}
		pipeline_describe(program->pipelines[i], &ret_cameras[i]);
	}
	return 0;
}

ON_MAIN static int start_threads(struct program *program)
{
	int err = server_thread_start(&program->server_thread, program->server);

	for (size_t i = 0; !err && i < program->settings.n_cameras; i++)
		err = pipeline_start(program->pipelines[i]);
	if (err < 0)
		log_error("main", "cannot start threads: %s", strerror(-err));
	return err;
}

ON_MAIN static int start(struct program *program)
{
	struct server_camera cameras[SETTINGS_CAMERAS_MAX];
	struct settings *settings = &program->settings;
	char reason[SERVER_REASON_BYTES];
	unsigned n_jobs = 0;
	int err = settings->lock_memory ? lock_memory() : 0;

	if (!err)
		err = open_ports(program);
	if (err < 0)
		return err;
	for (size_t i = 0; i < settings->n_cameras; i++)
		n_jobs += pipeline_n_jobs(&settings->cameras[i]);
	err = workers_create(settings->encode_threads, n_jobs, &program->workers);
	if (err < 0) {
		log_error("main", "cannot start threads: %s", strerror(-err));
		return err;
	}
	err = create_cameras(program, cameras);
	if (err < 0)
		return err;
	err = server_prepare(
		program->server, &settings->server, cameras, settings->n_cameras, reason);
	if (err < 0) {
		log_error("main", "%s", reason);
		return err;
	}
	if (!*settings->user && !geteuid())
		log_warning("main",
			"runs as root: name a user with --user, as whom it goes on when its ports "
			"are open");
	if (settings->sandbox)
		confine();
	return start_threads(program);
}

ON_MAIN static int run(struct program *program)
{
	int err = program->signal_fd = watch_signals();

	if (err < 0) {
		log_error("main", "signalfd: %s", strerror(-err));
		return EXIT_FAILURE;
	}
	program->has_hangup = controls_terminal();
	watch_again(program);
	err = start(program);
	if (!err) {
		watch_key(program);
		program->renew_ns = clock_now_ns() + RENEW_NS;
		service_begin(&program->service, program->pipelines, program->settings.n_cameras,
			&program->server_thread);
		if (program->key_wanted)
			log_info("main", "running; q or Ctrl-C stops");
		wait_for_stop(program);
		restore_terminal(program);
		service_end();
	}
	release_signals();
	stop(program);
	fd_close(&program->signal_fd);
	fd_close(&program->watch_fd);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --check: what each setting says is settled; what it names must be usable, too. */
ON_MAIN static int check(const struct settings *settings)
{
	char reason[CAMERA_REASON_BYTES];

	for (size_t i = 0; i < settings->n_cameras; i++) {
		const struct camera_config *camera = &settings->cameras[i].camera;

		if (camera_check(camera, reason) < 0) {
			log_error("main", "camera %s: %s", camera->name, reason);
			return EXIT_FAILURE;
		}
	}
	settings_print(settings, stdout);
	return EXIT_SUCCESS;
}

ON_MAIN static int list(void)
{
	int n = camera_list(stdout);

	if (n < 0) {
		log_error("main", "cannot list cameras: %s", strerror(-n));
		return EXIT_FAILURE;
	}
	if (!n)
		fputs("No cameras found; plug one in, or use --source pattern.\n", stderr);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct program program = {.signal_fd = -1, .watch_fd = -1};
	enum settings_action action;
	int code = EXIT_SUCCESS;

	role_take(&role_main, NULL);
	release_signals(); /* until something runs that wants an orderly end */
	if (command_run(argc, argv, &code))
		return code;
	if (settings_load(argc, argv, &program.settings, &action, stderr) < 0)
		return EXIT_FAILURE;
	log_init(program.settings.log_level);
	program.argc = argc;
	program.argv = argv;

	switch (action) {
	case SETTINGS_RUN:
		return run(&program);
	case SETTINGS_HELP:
		settings_usage(stdout);
		break;
	case SETTINGS_VERSION:
		puts("fanlight " FANLIGHT_VERSION);
		break;
	case SETTINGS_CHECK:
		code = check(&program.settings);
		break;
	case SETTINGS_LIST:
		code = list();
		break;
	}
	if (fflush(stdout)) {
		log_error("main", "cannot write: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return code;
}
