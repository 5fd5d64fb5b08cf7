/* Memory: what the machine and control groups say, in files that stand in for theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"

#define RESERVE 1000
#define PLENTY  "MemTotal: 9000000 kB\nMemAvailable: 5000000 kB\n"

/* Those that are there. */
static const struct file {
	const char *path, *text;
} * files;
static size_t n_files;

int __wrap_file_read(const char *path, char *text, size_t size_bytes);

int __wrap_file_read(const char *path, char *text, size_t size_bytes)
{
	for (size_t i = 0; i < n_files; i++)
		if (!strcmp(files[i].path, path))
			return snprintf(text, size_bytes, "%s", files[i].text);
	return -ENOENT;
}

static bool is_short(const struct file *there, size_t n)
{
	files = there;
	n_files = n;
	return memory_is_short(RESERVE);
}

#define IS_SHORT(...)                                \
	is_short((const struct file[]){__VA_ARGS__}, \
		sizeof((const struct file[]){__VA_ARGS__}) / sizeof(struct file))

static void machine_says_what_is_available(void **state)
{
	(void)state;
	assert_false(IS_SHORT({"/proc/meminfo", PLENTY}));
	assert_true(IS_SHORT({"/proc/meminfo", "MemTotal: 9000 kB\nMemAvailable: 0 kB\n"}));
}

static void what_is_not_told_is_no_limit(void **state)
{
	(void)state;
	assert_false(IS_SHORT({"", ""}));
	assert_false(IS_SHORT({"/proc/meminfo", "MemTotal: 9000 kB\nMemFree: 0 kB\n"}));
	assert_false(IS_SHORT({"/proc/self/cgroup", "1:memory:/a\n"}));
	assert_false(IS_SHORT({"/proc/self/cgroup", "0::/a\n"}));
	assert_false(
		IS_SHORT({"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", "max\n"},
			{"/sys/fs/cgroup/a/memory.current", "5000\n"},
			{"/sys/fs/cgroup/a/memory.stat", "anon 5000\n"}));
}

static void cached_files_make_way(void **state)
{
	(void)state;
	assert_true(IS_SHORT({"/proc/self/cgroup", "1:cpu:/\n0::/a\n"},
		{"/sys/fs/cgroup/a/memory.max", "5000\n"},
		{"/sys/fs/cgroup/a/memory.current", "4001\n"},
		{"/sys/fs/cgroup/a/memory.stat", "anon 4001\nactive_file 0\n"}));
	assert_false(IS_SHORT({"/proc/self/cgroup", "0::/a\n"},
		{"/sys/fs/cgroup/a/memory.max", "5000\n"},
		{"/sys/fs/cgroup/a/memory.current", "4600\n"},
		{"/sys/fs/cgroup/a/memory.stat",
			"anon 4000\ninactive_file 400\nactive_file 200\n"}));
}

static void groups_above_count_up_to_the_first_that_is_seen(void **state)
{
	static const char *const roots[] = {"", "/a", "/a/b"};

	(void)state;
	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		char paths[3][64];
		static const char *const names[] = {"max", "current", "stat"};

		for (size_t k = 0; k < 3; k++)
			(void)snprintf(paths[k], sizeof paths[k], "/sys/fs/cgroup%s/memory.%s",
				roots[i], names[k]);
		assert_true(IS_SHORT({"/proc/self/cgroup", "0::/a/b\n"}, {paths[0], "5000\n"},
			{paths[1], "4500\n"}, {paths[2], "anon 4500\n"}));
		assert_false(IS_SHORT({"/proc/self/cgroup", "0::/a/b\n"}, {paths[0], "9000\n"},
			{paths[1], "4500\n"}, {paths[2], "anon 4500\n"}));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machine_says_what_is_available),
		cmocka_unit_test(what_is_not_told_is_no_limit),
		cmocka_unit_test(cached_files_make_way),
		cmocka_unit_test(groups_above_count_up_to_the_first_that_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
