/* The desk with a driver that does not always say the truth. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "camera/desk.h"
#include "fake_device.h"

/* As the server sends it. */
#define AS_SENT      (JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15))
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct camera_info info = {
	.kind = CAMERA_V4L2,
	.path = FAKE_PATH,
	.device_fourcc = V4L2_PIX_FMT_YUYV,
	.width = 640,
	.height = 480,
	.fps_numerator = 30000,
	.fps_denominator = 1001,
};
static struct desk desk;
static struct format_wish wish;
static json_t *last; /* the answer to ask() */

/* Plug the camera in, as new. */
ON_CONTROL static int plug_in(void)
{
	char reason[CAMERA_REASON_BYTES];

	fake_plug_in((struct fake_device){0});
	return desk_open(&desk, &info, reason);
}

ON_CONTROL static int set_up(void **state)
{
	(void)state;
	last = NULL;
	return desk_init(&desk) || plug_in();
}

ON_CONTROL static int tear_down(void **state)
{
	(void)state;
	json_decref(last);
	desk_close(&desk);
	desk_finish(&desk);
	return 0;
}

/* Take an answer; it is always JSON. Returns what the desk returned. */
ON_CONTROL static int take(int err, char *text)
{
	json_decref(last);
	last = json_loads(text, 0, NULL);
	assert_non_null(last);
	free(text);
	return err;
}

ON_CONTROL static int ask(const char *patch)
{
	char *text = NULL;
	int err = desk_ask(&desk, patch, strlen(patch), &wish, &text);

	return err == 1 ? 1 : take(err, text);
}

/* What the last answer has to say about a control, as JSON. */
ON_CONTROL static char *told(const char *name)
{
	static char text[1024];
	size_t i;
	json_t *control;

	json_array_foreach(json_object_get(last, "controls"), i, control)
	{
		char *dump;

		if (strcmp(json_string_value(json_object_get(control, "name")), name))
			continue;
		dump = json_dumps(control, AS_SENT);
		assert_true(strlen(dump) < sizeof text);
		strcpy(text, dump);
		free(dump);
		return text;
	}
	return NULL;
}

/* Ask for a change that is refused, for this reason and because of this control (or NULL). */
ON_CONTROL static void assert_refused(
	int err, const char *patch, const char *control, const char *sentence)
{
	const char *error, *culprit;

	assert_int_equal(ask(patch), err);
	error = json_string_value(json_object_get(last, "error"));
	assert_non_null(error);
	if (!strstr(error, sentence))
		assert_string_equal(error, sentence);
	culprit = json_string_value(json_object_get(last, "control"));
	assert_string_equal(culprit ? culprit : "", control ? control : "");
}

/* ---- promises ---- */

ON_CONTROL static void every_type_is_told(void **state)
{
	static const char *const controls[][2] = {
		{"gain_automatic",
			"{\"name\":\"gain_automatic\",\"label\":\"Gain, Automatic\","
			"\"class\":\"User\",\"type\":\"boolean\",\"minimum\":0,\"maximum\":1,"
			"\"step\":1,\"default\":true,\"value\":true,\"inactive\":false,"
			"\"grabbed\":false,\"read_only\":false,\"volatile\":false}"},
		{"gain",
			"\"maximum\":100,\"step\":5,\"default\":50,\"value\":50,\"inactive\":true"},
		{"mode", "\"menu\":[{\"value\":0,\"label\":\"Dark\"},"
			 "{\"value\":2,\"label\":\"Bright ?\?\"}]"},
		{"rate", "\"type\":\"integer-menu\""},
		{"rate", "[{\"value\":1,\"label\":\"25\"},{\"value\":2,\"label\":\"50\"}]"},
		{"reset", "\"type\":\"button\""},
		{"reset", "\"default\":null,\"value\":null"},
		{"wide", "\"minimum\":-9223372036854775808,\"maximum\":9223372036854775807"},
		{"bits", "\"type\":\"bitmask\",\"minimum\":0,\"maximum\":4294901761"},
		{"text", "\"type\":\"string\",\"minimum\":2,\"maximum\":4"},
		{"text", "\"value\":\"abc\""},
		{"hot", "\"read_only\":true,\"volatile\":true"},
		{"has_crop", "\"grabbed\":true"},
	};

	(void)state;
	assert_int_equal(ask(""), 0);
	for (size_t i = 0; i < COUNT(controls); i++) {
		const char *text = told(controls[i][0]);

		assert_non_null(text);
		if (!strstr(text, controls[i][1]))
			assert_string_equal(text, controls[i][1]);
	}
	assert_null(told("matrix"));
}

ON_CONTROL static void formats_are_told(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(ask(""), 0);
	text = json_dumps(json_object_get(last, "format"), AS_SENT);
	assert_string_equal(
		text, "{\"fourcc\":\"YUYV\",\"width\":640,\"height\":480,\"fps\":29.97}");
	free(text);
	text = json_dumps(json_object_get(last, "formats"), AS_SENT);
	assert_string_equal(text, "[{\"fourcc\":\"YUYV\",\"description\":\"Some ?\",\"sizes\":["
				  "{\"width\":1280,\"height\":720,\"fps\":[29.97,15]},"
				  "{\"width\":640,\"height\":480,\"fps\":[29.97,15]},"
				  "{\"width\":320,\"height\":240,\"fps\":[29.97,15]}]},"
				  "{\"fourcc\":\"MJPG\",\"description\":\"Some ?\",\"sizes\":["
				  "{\"width\":1280,\"height\":720,\"fps\":[29.97,15]},"
				  "{\"width\":640,\"height\":480,\"fps\":[29.97,15]},"
				  "{\"width\":320,\"height\":240,\"fps\":[29.97,15]}]}]");
	free(text);
}

/* Of all formats that the last answer told of. */
ON_CONTROL static size_t count_sizes(void)
{
	json_t *format;
	size_t i, n = 0;

	json_array_foreach(json_object_get(last, "formats"), i, format)
		n += json_array_size(json_object_get(format, "sizes"));
	return n;
}

ON_CONTROL static void lists_without_end_are_cut_off(void **state)
{
	(void)state;
	fake.endless_lists = true;
	fake_control(MODE)->maximum = INT64_MAX;
	assert_int_equal(ask(""), 0);
	assert_in_range(json_array_size(json_object_get(last, "controls")), 100, 2000);
	assert_in_range(count_sizes(), 100, 2000);
	assert_non_null(told("control_00980920")); /* of a title that is no text */
	assert_int_equal(ask("{\"controls\":{\"mode\":77}}"), 0);
	assert_refused(-EINVAL, "{\"controls\":{\"mode\":4294967296}}", "mode", "takes not");
	assert_refused(-EINVAL, "{\"controls\":{\"nowhere\":1}}", "nowhere", "has no control");
}

ON_CONTROL static void every_type_is_set(void **state)
{
	(void)state;
	assert_int_equal(ask("{\"controls\":{\"gain_automatic\":false,\"gain\":65,\"mode\":2,"
			     "\"rate\":2,\"wide\":-9223372036854775808,\"bits\":4294901760,"
			     "\"text\":\"four\",\"reset\":null}}"),
		0);
	assert_non_null(strstr(told("gain_automatic"), "\"value\":false"));
	assert_non_null(strstr(told("gain"), "\"value\":65"));
	assert_non_null(strstr(told("mode"), "\"value\":2"));
	assert_non_null(strstr(told("rate"), "\"value\":2"));
	assert_non_null(strstr(told("wide"), "\"value\":-9223372036854775808"));
	assert_non_null(strstr(told("bits"), "\"value\":4294901760"));
	assert_non_null(strstr(told("text"), "\"value\":\"four\""));
	assert_int_equal(fake_control(RESET)->value, 1);
}

ON_CONTROL static void bad_values_are_refused_before_anything_is_touched(void **state)
{
	static const char *const patches[][3] = {
		{"{\"controls\":{\"rate\":2,\"wide\":1.5}}", "wide", "takes a whole number"},
		{"{\"controls\":{\"rate\":2,\"gain\":101}}", "gain",
			"takes 0 to 100 in steps of 5, not 101"},
		{"{\"controls\":{\"rate\":2,\"gain\":52}}", "gain", "in steps of 5"},
		{"{\"controls\":{\"rate\":2,\"gain\":4294967301}}", "gain", "0 to 100"},
		{"{\"controls\":{\"rate\":2,\"mode\":1}}", "mode",
			"takes not 1 but 0 (Dark), 2 (Bright ?\?)"},
		{"{\"controls\":{\"rate\":3}}", "rate", "takes not 3 but 1 (25), 2 (50)"},
		{"{\"controls\":{\"rate\":2,\"bits\":2}}", "bits", "takes bits of 0xffff0001 only"},
		{"{\"controls\":{\"rate\":2,\"bits\":-1}}", "bits", "takes bits of"},
		{"{\"controls\":{\"rate\":2,\"text\":\"x\"}}", "text", "a text of 2 to 4 bytes"},
		{"{\"controls\":{\"rate\":2,\"text\":\"five5\"}}", "text", "a text of 2 to 4"},
		{"{\"controls\":{\"rate\":2,\"text\":7}}", "text", "takes a text"},
		{"{\"controls\":{\"rate\":2,\"gain_automatic\":\"on\"}}", "gain_automatic",
			"takes true or false"},
		{"{\"controls\":{\"rate\":2,\"reset\":1}}", "reset", "presses it"},
		{"{\"controls\":{\"rate\":2,\"hot\":1}}", "hot", "can only be read"},
		{"{\"controls\":{\"rate\":2,\"gian\":1}}", "gian",
			"the nearest are gain_automatic, gain, rate"},
		{"{\"controls\":{\"rate\":2},\"format\":{\"width\":1,\"height\":1}}", NULL,
			"no size 1x1 in YUYV; there is 1280x720, 640x480, 320x240"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(patches); i++) {
		assert_refused(-EINVAL, patches[i][0], patches[i][1], patches[i][2]);
		assert_int_equal(fake.written, 0);
	}
}

ON_CONTROL static void names_of_any_length_and_script_are_answered(void **state)
{
	static const char *const letters[] = {"g", "\xc3\xbc", "\xe2\x82\xac"};
	static const char *const places[] = {"{\"controls\":{\"", "{\"", "{\"format\":{\""};
	char name[2000], patch[2100];

	(void)state;
	for (size_t i = 0; i < COUNT(letters); i++)
		for (size_t n = 1; n < 600; n++) {
			for (size_t at = 0; at < n; at++)
				strcpy(name + at * strlen(letters[i]), letters[i]);
			for (size_t k = 0; k < COUNT(places); k++) {
				(void)snprintf(patch, sizeof patch, "%s%s\":1}%s", places[k], name,
					k == 1 ? "" : "}");
				assert_refused(-EINVAL, patch, k ? NULL : name, "");
			}
		}
}

ON_CONTROL static void absurd_ranges_allow_nothing_wrong(void **state)
{
	static const struct fake_control absurd[] = {
		{GAIN, V4L2_CTRL_TYPE_INTEGER, "Gain", 10, -10, 0, 0},
		{GAIN, V4L2_CTRL_TYPE_INTEGER, "Gain", INT64_MIN, INT64_MAX, UINT64_MAX, 0},
		{GAIN, V4L2_CTRL_TYPE_MENU, "Gain", INT64_MAX, INT64_MAX, 0, 0},
		{GAIN, V4L2_CTRL_TYPE_MENU, "Gain", INT64_MIN, -1, 0, 0},
		{GAIN, V4L2_CTRL_TYPE_STRING, "Gain", INT64_MIN, -1, 0, 0},
		{GAIN, 999, "Gain", 0, 9, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(absurd); i++) {
		*fake_control(GAIN) = absurd[i];
		assert_int_equal(ask(""), 0);
		assert_int_equal(ask("{\"controls\":{\"gain\":5000000000}}"), -EINVAL);
		assert_int_equal(ask("{\"controls\":{\"gain\":5}}"), -EINVAL);
		assert_int_equal(ask("{\"controls\":{\"gain\":\"\"}}"), -EINVAL);
	}
	assert_int_equal(fake.written, 0);
}

ON_CONTROL static void held_controls_are_refused(void **state)
{
	(void)state;
	assert_refused(-EBUSY, "{\"controls\":{\"gain\":5}}", "gain", "is inactive");
	assert_refused(-EBUSY, "{\"controls\":{\"has_crop\":true}}", "has_crop",
		"cannot be changed while the camera streams");
	assert_int_equal(fake.written, 0);
}

ON_CONTROL static void driver_that_refuses_is_quoted(void **state)
{
	(void)state;
	fake.refuses = -EIO;
	assert_refused(-EIO, "{\"controls\":{\"mode\":2}}", "mode",
		FAKE_PATH " refuses control mode=2: Input/output error");
	/* That is no bad request: those before it were set. */
	fake.refuses = -EINVAL;
	assert_refused(-EIO, "{\"controls\":{\"mode\":2}}", "mode",
		FAKE_PATH " refuses control mode=2: Invalid argument");
}

ON_CONTROL static void bad_requests_are_told_what_is_wrong(void **state)
{
	static const char *const patches[][2] = {
		{"{", "this is no JSON at line 1"},
		{"{\"controls\":{},\"controls\":{}}", "this is no JSON"},
		{"[]", "what is to change?"},
		{"{}", "what is to change?"},
		{"{\"controls\":[1]}", "controls is {NAME: VALUE}"},
		{"{\"contrast\":5}", "there is no \"contrast\" to change"},
		{"{\"format\":\"YUYV\"}", "format is {"},
		{"{\"format\":{\"fourcc\":\"YUYVY\"}}", "one to four characters"},
		{"{\"format\":{\"fourcc\":5}}", "one to four characters"},
		{"{\"format\":{\"width\":640}}", "width and height go together"},
		{"{\"format\":{\"width\":0,\"height\":480}}", "width is a number of pixels"},
		{"{\"format\":{\"width\":640,\"height\":1e9}}", "height is a number of pixels"},
		{"{\"format\":{\"fps\":-1}}", "fps is a number"},
		{"{\"format\":{\"fps\":0.0001}}", "fps is a number"},
		{"{\"format\":{\"fps\":\"30\"}}", "fps is a number"},
		{"{\"format\":{\"rate\":30}}", "a format has no \"rate\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(patches); i++)
		assert_refused(-EINVAL, patches[i][0], NULL, patches[i][1]);
}

ON_CONTROL static void what_was_set_returns_with_the_camera(void **state)
{
	(void)state;
	assert_int_equal(ask("{\"controls\":{\"mode\":2,\"text\":\"xyz\",\"gain_automatic\":false,"
			     "\"gain\":65,\"reset\":true}}"),
		0);
	desk_close(&desk);
	assert_int_equal(plug_in(), 0);
	assert_int_equal(fake_control(MODE)->value, 2);
	assert_int_equal(fake_control(GAIN)->value, 65);
	assert_string_equal(fake.text, "xyz");
	assert_int_equal(fake_control(RESET)->value, 0);
}

ON_CONTROL static void what_cannot_return_stops_nothing(void **state)
{
	char reason[CAMERA_REASON_BYTES];

	(void)state;
	/* The gain is set first, then handed over to the automatic. */
	assert_int_equal(ask("{\"controls\":{\"gain_automatic\":false,\"gain\":65}}"), 0);
	assert_int_equal(ask("{\"controls\":{\"gain_automatic\":true,\"mode\":2}}"), 0);
	desk_close(&desk);
	assert_int_equal(plug_in(), -EBUSY);
	assert_int_equal(fake_control(MODE)->value, 2);
	assert_int_equal(ask(""), 0);

	desk_close(&desk);
	fake.gone = true;
	assert_int_equal(desk_open(&desk, &info, reason), -ENODEV);
	assert_refused(-ENODEV, "", NULL, "not there at the moment");
}

ON_CONTROL static void camera_that_is_away_is_told(void **state)
{
	(void)state;
	fake.gone = true; /* and capture has not noticed */
	assert_refused(-ENODEV, "", NULL, "not there at the moment");
	desk_close(&desk);
	assert_int_equal(desk_event_fd(&desk), -1);
	assert_refused(-ENODEV, "", NULL, "not there at the moment");
	assert_refused(-ENODEV, "{\"controls\":{\"mode\":2}}", NULL, "not there at the moment");
}

ON_CONTROL static void changes_elsewhere_are_seen(void **state)
{
	(void)state;
	fake.events = 3;
	assert_true(desk_event_fd(&desk) >= 0);
	assert_true(desk_look(&desk));
	assert_int_equal(fake.events, 0);
	assert_true(desk_event_fd(&desk) >= 0);
}

ON_CONTROL static void waking_for_nothing_or_for_ever_ends(void **state)
{
	(void)state;
	assert_false(desk_look(&desk));
	assert_int_equal(desk_event_fd(&desk), -1);
	desk_close(&desk);
	assert_int_equal(plug_in(), 0);
	fake.endless_events = true;
	assert_true(desk_look(&desk));
	assert_int_equal(desk_event_fd(&desk), -1);
}

ON_CONTROL static void format_is_completed_and_handed_to_capture(void **state)
{
	(void)state;
	assert_int_equal(ask("{\"format\":{\"width\":320,\"height\":240}}"), 1);
	assert_int_equal(wish.fourcc, V4L2_PIX_FMT_YUYV);
	assert_int_equal(wish.width, 320);
	assert_int_equal(wish.height, 240);
	assert_int_equal(
		ask("{\"format\":{\"fourcc\":\"MJPG\",\"fps\":15},\"controls\":{\"mode\":2}}"), 1);
	assert_int_equal(wish.fourcc, V4L2_PIX_FMT_MJPEG);
	assert_int_equal(wish.width, 640);
	assert_true(wish.fps > 14 && wish.fps < 16);
	assert_int_equal(fake_control(MODE)->value, 2);
}

ON_CONTROL static void format_that_is_there_already_is_no_switch(void **state)
{
	(void)state;
	assert_int_equal(ask("{\"format\":{\"fourcc\":\"YUYV\",\"width\":640,\"height\":480}}"), 0);
}

ON_CONTROL static void format_that_is_not_offered_is_refused(void **state)
{
	(void)state;
	assert_refused(-EINVAL, "{\"format\":{\"fourcc\":\"NV12\"}}", NULL,
		"no format NV12 that can be read; there is YUYV, MJPG");
	assert_refused(-EINVAL, "{\"format\":{\"fps\":60}}", NULL,
		"YUYV in 640x480 comes at up to 29.97 fps, not 60");
	assert_int_equal(ask("{\"format\":{\"fps\":29.97}}"), 1);
}

ON_CONTROL static void switch_that_failed_is_explained(void **state)
{
	char *text = NULL;
	int err;

	(void)state;
	err = desk_settle(&desk, "no room on the bus", &text);
	assert_int_equal(take(err, text), -EBUSY);
	assert_string_equal(
		json_string_value(json_object_get(last, "error")), "no room on the bus");
	err = desk_settle(&desk, "", &text);
	assert_int_equal(take(err, text), 0);
	desk_close(&desk);
	err = desk_settle(&desk, "", &text);
	assert_int_equal(take(err, text), -ENODEV);
}

ON_CONTROL static void pattern_has_formats_and_no_controls(void **state)
{
	static const struct camera_info pattern = {.kind = CAMERA_PATTERN,
		.device_fourcc = V4L2_PIX_FMT_NV12,
		.card = "test pattern",
		.width = 200,
		.height = 100};
	char reason[CAMERA_REASON_BYTES], *text;

	(void)state;
	desk_close(&desk);
	assert_int_equal(desk_open(&desk, &pattern, reason), 0);
	assert_int_equal(ask(""), 0);
	assert_int_equal(json_array_size(json_object_get(last, "controls")), 0);
	text = json_dumps(json_object_get(last, "formats"), AS_SENT);
	assert_non_null(strstr(text, "{\"fourcc\":\"NV12\",\"description\":\"\",\"sizes\":["
				     "{\"width\":200,\"height\":100,\"fps\":[120,90,60,50,30,25,"));
	free(text);
	assert_int_equal(ask("{\"format\":{\"fourcc\":\"YUYV\"}}"), 1);
	assert_refused(-EINVAL, "{\"format\":{\"width\":1,\"height\":1}}", NULL, "no size 1x1");
	assert_refused(
		-EINVAL, "{\"controls\":{\"gain\":1}}", NULL, "the test pattern has no controls");
}

ON_CONTROL static void film_has_no_other_format(void **state)
{
	static const struct camera_info film = {.kind = CAMERA_REPLAY, .width = 64, .height = 48};
	char reason[CAMERA_REASON_BYTES];

	(void)state;
	desk_close(&desk);
	assert_int_equal(desk_open(&desk, &film, reason), 0);
	assert_int_equal(ask(""), 0);
	assert_int_equal(json_array_size(json_object_get(last, "formats")), 0);
	assert_refused(-EINVAL, "{\"format\":{\"fps\":5}}", NULL, "is as it was taken");
}

#define desk_test(promise) cmocka_unit_test_setup_teardown(promise, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		desk_test(every_type_is_told),
		desk_test(formats_are_told),
		desk_test(lists_without_end_are_cut_off),
		desk_test(every_type_is_set),
		desk_test(bad_values_are_refused_before_anything_is_touched),
		desk_test(names_of_any_length_and_script_are_answered),
		desk_test(absurd_ranges_allow_nothing_wrong),
		desk_test(held_controls_are_refused),
		desk_test(driver_that_refuses_is_quoted),
		desk_test(bad_requests_are_told_what_is_wrong),
		desk_test(what_was_set_returns_with_the_camera),
		desk_test(what_cannot_return_stops_nothing),
		desk_test(camera_that_is_away_is_told),
		desk_test(changes_elsewhere_are_seen),
		desk_test(waking_for_nothing_or_for_ever_ends),
		desk_test(format_is_completed_and_handed_to_capture),
		desk_test(format_that_is_there_already_is_no_switch),
		desk_test(format_that_is_not_offered_is_refused),
		desk_test(switch_that_failed_is_explained),
		desk_test(pattern_has_formats_and_no_controls),
		desk_test(film_has_no_other_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
