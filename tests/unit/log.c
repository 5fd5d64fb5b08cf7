#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* ---- standard error, caught ---- */

static int kept_stderr;
static char caught[8192];

/* From here on standard error is fd, which is ours to close. */
static void catch_with(int fd)
{
	assert_true(fd >= 0);
	kept_stderr = dup(STDERR_FILENO);
	assert_true(kept_stderr >= 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	fd_close(&fd);
}

static void catch_in_file(void)
{
	catch_with(memfd_create("stderr", MFD_CLOEXEC));
}

static void release(void)
{
	assert_true(dup2(kept_stderr, STDERR_FILENO) >= 0);
	fd_close(&kept_stderr);
}

/* End the catch and return what was written into the file. */
static const char *release_file(void)
{
	ssize_t length = pread(STDERR_FILENO, caught, sizeof caught - 1, 0);

	release();
	assert_true(length >= 0);
	caught[length] = '\0';
	return caught;
}

ON_MAIN static void init_plain(enum log_level most_shown)
{
	(void)unsetenv("JOURNAL_STREAM");
	(void)unsetenv("NO_COLOR");
	log_init(most_shown);
}

/* ---- tests ---- */

ON_MAIN static void line_is_seconds_level_room_text(void **state)
{
	uint64_t before = clock_now_ns() / NS_PER_US, after, at;
	unsigned long long seconds, us;
	int rest = 0;

	(void)state;
	catch_in_file();
	init_plain(LOG_LEVEL_INFO);
	log_warning("camera front", "%d frames %s", 3, "lost");
	(void)release_file();
	after = clock_now_ns() / NS_PER_US;
	assert_int_equal(sscanf(caught, "%llu.%6llu%n", &seconds, &us, &rest), 2);
	assert_string_equal(caught + rest, " warning camera front: 3 frames lost\n");
	at = seconds * 1000000 + us;
	assert_true(before <= at && at <= after);
}

ON_MAIN static void only_what_was_asked_for_is_shown(void **state)
{
	(void)state;
	catch_in_file();
	init_plain(LOG_LEVEL_WARNING);
	log_info("room", "two");
	log_warning("room", "three");
	log_error("room", "four");
	(void)release_file();
	assert_null(strstr(caught, "two"));
	assert_non_null(strstr(caught, "three"));
	assert_non_null(strstr(caught, "four"));
}

ON_MAIN static void one_event_is_one_line(void **state)
{
	(void)state;
	catch_in_file();
	init_plain(LOG_LEVEL_INFO);
	log_info("room", "%s", "Evil\ncamera\r\033[31m\177");
	(void)release_file();
	assert_non_null(strstr(caught, "Evil?camera??[31m?\n"));
	assert_ptr_equal(strchr(caught, '\n'), caught + strlen(caught) - 1);
}

ON_MAIN static void long_line_is_cut_and_ended(void **state)
{
	char text[4000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	catch_in_file();
	init_plain(LOG_LEVEL_INFO);
	log_info("room", "%s", text);
	log_info(text, "text");
	log_info("room", "next");
	(void)release_file();
	assert_true(strlen(caught) < sizeof text);
	assert_non_null(strstr(caught, "xxx\n"));
	assert_string_equal(caught + strlen(caught) - 11, "room: next\n");
}

ON_MAIN static void journal_gets_priorities_and_no_time(void **state)
{
	char stream[64];
	struct stat st;

	(void)state;
	catch_in_file();
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_init(LOG_LEVEL_INFO);
	log_error("room", "a");
	log_warning("room", "b");
	log_info("room", "c");
	(void)release_file();
	assert_string_equal(caught, "<3>room: a\n<4>room: b\n<6>room: c\n");
}

ON_MAIN static void journal_of_somebody_else_is_none(void **state)
{
	(void)state;
	catch_in_file();
	assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0);
	log_init(LOG_LEVEL_INFO);
	log_error("room", "text");
	(void)release_file();
	assert_int_not_equal(caught[0], '<');
}

/* Log an error to a terminal and say whether it came out coloured. */
ON_MAIN static bool is_coloured_on_a_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ssize_t length;

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	catch_with(open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC));
	log_init(LOG_LEVEL_INFO);
	log_error("room", "text");
	length = read(master, caught, sizeof caught - 1);
	release();
	fd_close(&master);
	assert_true(length > 0);
	caught[length] = '\0';
	assert_non_null(strstr(caught, "room: text"));
	return strchr(caught, '\033');
}

ON_MAIN static void colours_are_for_terminals_that_want_them(void **state)
{
	(void)state;
	catch_in_file();
	init_plain(LOG_LEVEL_INFO);
	log_error("room", "text");
	assert_null(strchr(release_file(), '\033'));

	assert_true(is_coloured_on_a_terminal());
	assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
	assert_false(is_coloured_on_a_terminal());
}

ON_MAIN static void logging_keeps_errno(void **state)
{
	(void)state;
	catch_with(open("/dev/full", O_WRONLY | O_CLOEXEC));
	init_plain(LOG_LEVEL_INFO);
	errno = EXDEV;
	log_error("room", "nobody hears this");
	release();
	assert_int_equal(errno, EXDEV);
}

static void repeated_faults_are_counted_not_shown(void **state)
{
	struct log_limit limit = {0};
	unsigned suppressed = 99;

	(void)state;
	assert_true(log_allowed(&limit, 3600 * NS_PER_S, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_false(log_allowed(&limit, 3600 * NS_PER_S, &suppressed));
	assert_false(log_allowed(&limit, 3600 * NS_PER_S, &suppressed));
	limit.next_ns = clock_now_ns();
	assert_true(log_allowed(&limit, 3600 * NS_PER_S, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_false(log_allowed(&limit, 3600 * NS_PER_S, &suppressed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_is_seconds_level_room_text),
		cmocka_unit_test(only_what_was_asked_for_is_shown),
		cmocka_unit_test(one_event_is_one_line),
		cmocka_unit_test(long_line_is_cut_and_ended),
		cmocka_unit_test(journal_gets_priorities_and_no_time),
		cmocka_unit_test(journal_of_somebody_else_is_none),
		cmocka_unit_test(colours_are_for_terminals_that_want_them),
		cmocka_unit_test(logging_keeps_errno),
		cmocka_unit_test(repeated_faults_are_counted_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
