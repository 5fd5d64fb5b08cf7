/*
 * Whatever is in a settings file: no crash, one line that says what is wrong, or settings that print
 * as a file that means the same.
 */
#include "must.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "settings.h"

static struct settings settings;

/* Load text as a file; *ret_message is to be freed. */
ON_MAIN static int load(const void *text, size_t bytes, char **ret_message)
{
	char path[32], *argv[] = {"fanlight", "--config", path, NULL};
	enum settings_action action;
	size_t message_bytes;
	FILE *messages = open_memstream(ret_message, &message_bytes);
	int fd = memfd_create("settings", MFD_CLOEXEC), err;

	must(messages && fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	err = settings_load(3, argv, &settings, &action, messages);
	must(!fclose(messages));
	must(!close(fd));
	return err;
}

ON_MAIN static char *print(void)
{
	size_t bytes;
	char *text;
	FILE *out = open_memstream(&text, &bytes);

	must(out);
	settings_print(&settings, out);
	must(!fclose(out));
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *message, *text, *again;

	role_take(&role_main, NULL);
	if (load(data, size, &message) < 0) {
		must(strchr(message, '\n') == message + strlen(message) - 1);
		free(message);
		return 0;
	}
	free(message);
	text = print();
	must(!load(text, strlen(text), &message));
	free(message);
	again = print();
	must(!strcmp(text, again));
	free(again);
	free(text);
	return 0;
}
