/*
 * A plugin is as trusted as Fanlight itself, so what is loaded must be as hard to change: file and
 * folder belong to root or to our own user, and nobody else may write to them.
 *
 * A plugin that crashes takes everything with it. Most that do, do when they start; so they start in
 * a child first, which ends without more ado.
 */
#include "process/plugin.h"

#include <assert.h>
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "fanlight/filter.h"

/* To start, when tried. */
#define PATIENCE_MS 5000

struct plugin {
	struct filter filter;
	void *library;
	const struct fanlight_filter *calls;
	void *own;
};

/* What a call is given: the first member is what it sees. */
struct collector {
	struct filter_results results;
	struct results *into;
};

__attribute__((format(printf, 3, 4))) static int refuse(
	char reason[PROCESS_REASON_BYTES], int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, PROCESS_REASON_BYTES, format, args);
	va_end(args);
	return err;
}

/* ---- whether it may be loaded ---- */

static int check_owner(const char *path, mode_t type, char reason[PROCESS_REASON_BYTES])
{
	struct stat status;

	if (stat(path, &status) < 0)
		return refuse(reason, -errno, "%.100s: %s", path, strerror(errno));
	if ((status.st_mode & S_IFMT) != type)
		return refuse(reason, -EINVAL, "%.100s is no %s", path,
			type == S_IFDIR ? "folder" : "file");
	if ((status.st_uid && status.st_uid != geteuid()) || status.st_mode & (S_IWGRP | S_IWOTH))
		return refuse(reason, -EACCES,
			"others can write to %.100s; let root own it, and nobody else write", path);
	return 0;
}

static int check_file(const char *folder, const char *path, char reason[PROCESS_REASON_BYTES])
{
	char real_folder[PATH_MAX], real_path[PATH_MAX];
	size_t length;
	int err;

	if (!*folder)
		return refuse(reason, -EACCES,
			"plugins are not loaded unless plugin-dir says from where");
	if (!realpath(folder, real_folder))
		return refuse(reason, -errno, "plugin-dir %.100s: %s", folder, strerror(errno));
	if (!realpath(path, real_path))
		return refuse(reason, -errno, "%.100s: %s", path, strerror(errno));
	length = strlen(real_folder);
	if (strncmp(real_path, real_folder, length) != 0 || real_path[length] != '/' ||
		strchr(real_path + length + 1, '/'))
		return refuse(reason, -EACCES, "%.80s is not in plugin-dir, which is %.80s", path,
			folder);
	err = check_owner(real_folder, S_IFDIR, reason);
	return err < 0 ? err : check_owner(real_path, S_IFREG, reason);
}

/* ---- loading ---- */

static int load(const char *path, const char *settings, struct plugin *plugin,
	char reason[PROCESS_REASON_BYTES])
{
	int err;

	plugin->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin->library)
		return refuse(reason, -EINVAL, "%.180s", dlerror());
	plugin->calls = dlsym(plugin->library, "fanlight_filter");
	if (!plugin->calls)
		return refuse(reason, -EINVAL, "%.100s has no fanlight_filter", path);
	if (plugin->calls->abi != FANLIGHT_FILTER_ABI)
		return refuse(reason, -EINVAL,
			"%.100s was made for version %u of the plugin interface; this is %u", path,
			plugin->calls->abi, FANLIGHT_FILTER_ABI);
	err = plugin->calls->create(settings, &plugin->own);
	if (err < 0)
		return refuse(reason, err, "%.100s does not start: %s", path, strerror(-err));
	return 0;
}

/* Wait for a child; its status, or -ETIMEDOUT when it had to be killed. */
static int wait_for(pid_t pid)
{
	struct pollfd child = {pidfd_open(pid, 0), POLLIN, 0};
	bool late = child.fd >= 0 && !poll(&child, 1, PATIENCE_MS);
	int status = 0;

	if (late)
		(void)kill(pid, SIGKILL); /* ours, and not yet waited for */
	fd_close(&child.fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return late ? -ETIMEDOUT : status;
}

/* Start and end it in a child, which tells by its status how that went. */
static int try(const char *path, const char *settings, char reason[PROCESS_REASON_BYTES])
{
	struct plugin plugin = {0};
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return refuse(reason, -errno, "%.100s cannot be tried: %s", path, strerror(errno));
	if (!pid) {
		/* Whether it refuses, and why, is for the parent to find. */
		if (!load(path, settings, &plugin, reason))
			plugin.calls->destroy(plugin.own);
		_exit(EXIT_SUCCESS);
	}
	status = wait_for(pid);
	if (status == -ETIMEDOUT)
		return refuse(reason, status, "%.100s does not come to an end of its start", path);
	if (status)
		return refuse(reason, -EFAULT, "%.100s crashes when it starts", path);
	return 0;
}

/* ---- running ---- */

static bool is_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return length && !name[length] && length < RESULT_NAME_BYTES;
}

/* What filters call. */
static int set_result(struct filter_results *results, const char *name, const char *text)
{
	struct results *into = ((struct collector *)results)->into;
	unsigned i = 0;

	if (!is_name(name) || strlen(text) >= RESULT_TEXT_BYTES)
		return -EINVAL;
	while (i < into->n && strcmp(into->all[i].name, name) != 0)
		i++;
	if (i == RESULTS_MOST)
		return -ENOSPC;
	strcpy(into->all[i].name, name);
	strcpy(into->all[i].text, text);
	into->n += i == into->n;
	return 0;
}

ON_ENCODE static int plugin_run(struct filter *filter, const struct pixel_format *format,
	struct frame *frame, struct results *results)
{
	struct plugin *plugin = (struct plugin *)filter;
	struct collector collector = {{set_result}, results};
	struct frame view = *frame;
	int err = plugin->calls->process(plugin->own, &view, &collector.results);

	(void)format;
	frame->order = view.order;
	return err;
}

static void plugin_destroy(struct filter *filter)
{
	struct plugin *plugin = (struct plugin *)filter;

	if (plugin->own)
		plugin->calls->destroy(plugin->own);
	if (plugin->library)
		(void)dlclose(plugin->library); /* what a library cannot undo stays */
	free(plugin);
}

int plugin_create(const char *folder, const char *path, const char *settings, bool tried,
	struct filter **ret_filter, char reason[PROCESS_REASON_BYTES])
{
	struct plugin *plugin;
	int err = check_file(folder, path, reason);

	if (!err && tried)
		err = try(path, settings, reason);
	if (err < 0)
		return err;
	plugin = calloc(1, sizeof *plugin);
	if (!plugin)
		return refuse(reason, -ENOMEM, "there is no memory for %.100s", path);
	err = load(path, settings, plugin, reason);
	if (err < 0) {
		plugin_destroy(&plugin->filter);
		return err;
	}
	plugin->filter = (struct filter){
		.run = plugin_run, .destroy = plugin_destroy, .draws = plugin->calls->draws};
	*ret_filter = &plugin->filter;
	return 0;
}
