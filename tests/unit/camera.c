#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
		"/tmp", "replay:/tmp", "/proc/self/exe", "name:HD Webcam", "bus:usb-1-1.2"};

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
	static const char *const words[] = {"patern", "v4l2:", "replay:", "name:", "usb:3"};

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		assert_int_equal(check(words[i]), -EINVAL);
		assert_non_null(strstr(reason, words[i]));
		assert_non_null(strstr(reason, "auto, pattern, name:NAME, bus:BUS, "));
	}
}

ON_MAIN static void folder_is_no_device(void **state)
{
	(void)state;
	assert_int_equal(check("v4l2:/tmp"), -ENODEV);
	assert_non_null(strstr(reason, "replay:PATH"));
}

/* What camera_check() says of a file as EDID, "" for nothing. */
ON_MAIN static const char *check_edid(const uint8_t *data, size_t bytes)
{
	struct camera_config config = {.source = "pattern", .edid = "/tmp/fanlight-edid-XXXXXX"};
	int fd = mkstemp(config.edid), err;

	*reason = '\0';
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	assert_int_equal(close(fd), 0);
	err = camera_check(&config, reason);
	assert_int_equal(err, *reason ? -EINVAL : 0);
	assert_int_equal(unlink(config.edid), 0);
	return reason;
}

ON_MAIN static void edid_is_checked_before_a_source_sees_it(void **state)
{
	uint8_t edid[256] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
	struct camera_config config = {.source = "pattern", .edid = "/no/such/edid"};

	(void)state;
	edid[127] = 6; /* the sum over a block is 0 */
	assert_string_equal(check_edid(edid, 128), "");
	assert_string_equal(check_edid(edid, 256), "");
	assert_non_null(strstr(check_edid(edid, 100), "is no EDID"));
	assert_non_null(strstr(check_edid(edid, 200), "is no EDID"));
	edid[200] = 1;
	assert_non_null(strstr(check_edid(edid, 256), "is damaged: the sum over its block 1"));
	edid[1] = 0;
	assert_non_null(strstr(check_edid(edid, 128), "is no EDID"));
	assert_int_equal(camera_check(&config, reason), -ENOENT);
	assert_string_equal(
		reason, "cannot read the EDID /no/such/edid: No such file or directory");
}

/* Only where this machine has no camera can it be seen. */
ON_CAPTURE static void auto_shows_the_pattern_until_it_has_seen_a_camera(void **state)
{
	struct camera_config config = {.name = "test", .source = "auto"};
	struct camera_stats stats = {0};
	const struct v4l2_wish any = {"", ""};
	struct camera *camera;
	char path[64];

	(void)state;
	if (!v4l2_find(&any, path, sizeof path, reason))
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
		cmocka_unit_test(edid_is_checked_before_a_source_sees_it),
		cmocka_unit_test(auto_shows_the_pattern_until_it_has_seen_a_camera),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
