/*
 * Where a limit of the process is reached malloc() fails; where that of a control group is, or the
 * machine's own, the kernel kills. So the first is tried, and of the others the kernel is asked.
 */
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/file.h"

/* memory.stat, the longest of them, has 2 KB in Linux 6.1. */
#define TEXT_BYTES 8192

/* The number that follows a name at the beginning of a line; 0 when there is none. */
static uint64_t find_number(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text && strncmp(text, name, length)) {
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return text ? strtoull(text + length, NULL, 10) : 0;
}

static bool is_process_short(size_t reserve_bytes)
{
	void *reserve = mmap(
		NULL, reserve_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (reserve == MAP_FAILED) /* what was freed may be there still, with malloc() */
		return mallinfo2().fordblks < reserve_bytes;
	(void)munmap(reserve, reserve_bytes); /* it was never touched */
	return false;
}

static bool is_machine_short(size_t reserve_bytes)
{
	char text[TEXT_BYTES];

	return file_read("/proc/meminfo", text, sizeof text) >= 0 &&
	       strstr(text, "MemAvailable:") &&
	       find_number(text, "MemAvailable:") * 1024 < reserve_bytes;
}

/* The text of a group's file; false when there is none. */
static bool read_of_group(const char *group, const char *file, char text[TEXT_BYTES])
{
	char path[FILE_PATH_BYTES];

	(void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", group, file);
	return file_read(path, text, TEXT_BYTES) >= 0;
}

/* Without the files that it caches, which make way. */
static bool is_group_short(const char *group, size_t reserve_bytes)
{
	uint64_t most_bytes, used_bytes, cached_bytes;
	char text[TEXT_BYTES];

	if (!read_of_group(group, "memory.max", text) || sscanf(text, "%" SCNu64, &most_bytes) != 1)
		return false; /* "max" */
	if (!read_of_group(group, "memory.current", text))
		return false;
	used_bytes = strtoull(text, NULL, 10);
	if (!read_of_group(group, "memory.stat", text))
		return false;
	cached_bytes = find_number(text, "active_file ") + find_number(text, "inactive_file ");
	return used_bytes + reserve_bytes > most_bytes + cached_bytes;
}

/* Of the process's own group and those above it; a container's own lies at its root. */
static bool is_any_group_short(size_t reserve_bytes)
{
	char text[TEXT_BYTES], *group, *end;

	if (file_read("/proc/self/cgroup", text, sizeof text) < 0)
		return false;
	group = strstr(text, "0::/");
	if (!group)
		return false;
	group += strlen("0::");
	group[strcspn(group, "\n")] = '\0';
	while (!is_group_short(group, reserve_bytes)) {
		end = strrchr(group, '/');
		if (!end)
			return false;
		*end = '\0';
	}
	return true;
}

bool memory_is_short(size_t reserve_bytes)
{
	return is_process_short(reserve_bytes) || is_machine_short(reserve_bytes) ||
	       is_any_group_short(reserve_bytes);
}

int memory_lock(void)
{
	const struct rlimit infinite = {RLIM_INFINITY, RLIM_INFINITY};

	/* Within a limit all would begin well, and end when memory is asked for later. */
	if (setrlimit(RLIMIT_MEMLOCK, &infinite) < 0)
		return -errno;
	return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0 ? -errno : 0;
}
