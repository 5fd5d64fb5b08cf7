#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "camera/camera.h"
#include "camera/camera_ops.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char reason[CAMERA_REASON_BYTES];

ON_MAIN static int check(const char *source)
{
	struct camera_config config = {.name = "test"};

	*reason = '\0';
	(void)snprintf(config.source, sizeof config.source, "%s", source);
	return camera_check(&config, reason);
}

ON_MAIN static void usable_sources_pass(void **state)
{
	static const char *const sources[] = {"", "auto", "pattern", "/dev/null", "v4l2:/dev/null",
		"/tmp", "replay:/tmp", "/proc/self/exe"};

	(void)state;
	for (size_t i = 0; i < COUNT(sources); i++) {
		assert_int_equal(check(sources[i]), 0);
		assert_string_equal(reason, "");
	}
}

ON_MAIN static void camera_that_is_not_plugged_in_may_come(void **state)
{
	(void)state;
	assert_int_equal(check("/dev/no-such-camera"), 0);
	assert_int_equal(check("v4l2:/dev/no-such-camera"), 0);
	assert_int_equal(check("v4l2:/dev/v4l/by-id/no-such-camera"), 0);
}

ON_MAIN static void missing_file_is_named(void **state)
{
	(void)state;
	assert_int_equal(check("/no/such/file"), -ENOENT);
	assert_string_equal(reason, "cannot read /no/such/file: No such file or directory");
	assert_int_equal(check("replay:missing.y4m"), -ENOENT);
	assert_string_equal(reason, "cannot read missing.y4m: No such file or directory");
}

ON_MAIN static void unknown_word_is_answered_with_what_is_allowed(void **state)
{
	static const char *const words[] = {"patern", "v4l2:", "replay:", "usb:3"};

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		assert_int_equal(check(words[i]), -EINVAL);
		assert_non_null(strstr(reason, words[i]));
		assert_non_null(strstr(reason, "auto, pattern, v4l2:DEVICE, replay:PATH"));
	}
}

ON_MAIN static void folder_is_no_device(void **state)
{
	(void)state;
	assert_int_equal(check("v4l2:/tmp"), -ENODEV);
	assert_non_null(strstr(reason, "replay:PATH"));
}

/* Only where this machine has no camera can it be seen. */
ON_CAPTURE static void auto_shows_the_pattern_until_it_has_seen_a_camera(void **state)
{
	struct camera_config config = {.name = "test", .source = "auto"};
	struct camera_stats stats = {0};
	struct camera *camera;
	char path[64];

	(void)state;
	if (!v4l2_find_first(path, sizeof path, reason))
		skip();
	assert_int_equal(camera_open(&config, &stats, &camera, reason), 0);
	assert_string_equal(camera->info.driver, "pattern");
	camera_close(camera);

	stat_add(&stats.opened, 1);
	assert_true(camera_open(&config, &stats, &camera, reason) < 0);
	assert_string_not_equal(reason, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usable_sources_pass),
		cmocka_unit_test(camera_that_is_not_plugged_in_may_come),
		cmocka_unit_test(missing_file_is_named),
		cmocka_unit_test(unknown_word_is_answered_with_what_is_allowed),
		cmocka_unit_test(folder_is_no_device),
		cmocka_unit_test(auto_shows_the_pattern_until_it_has_seen_a_camera),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
