/* Settings: what is read, what is refused and in which words, what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/videodev2.h>

#include "settings.h"

#define ARGS_MAX 48

/* What the latest load() left. */
static struct settings settings;
static enum settings_action action;
static char *message;
static char file_path[64];

/* Load a file of this text (length bytes of it) and these options; the result of settings_load(). */
ON_MAIN static int load_bytes(const char *text, size_t length, const char *const options[])
{
	const char *args[ARGS_MAX] = {"fanlight", "--config", file_path};
	int n = 3, fd = memfd_create("settings", MFD_CLOEXEC), err;
	size_t message_bytes;
	FILE *messages;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	(void)snprintf(file_path, sizeof file_path, "/proc/self/fd/%d", fd);
	for (size_t i = 0; options[i]; i++) {
		assert_true(n < ARGS_MAX - 1);
		args[n++] = options[i];
	}

	free(message);
	messages = open_memstream(&message, &message_bytes);
	assert_non_null(messages);
	err = settings_load(n, (char **)args, &settings, &action, messages);
	assert_int_equal(fclose(messages), 0);
	assert_int_equal(close(fd), 0);
	return err;
}

#define LOAD(text, ...) \
	load_bytes(text, strlen(text), (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* settings_print() of what was loaded; to be freed. */
ON_MAIN static char *print(void)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	settings_print(&settings, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* The message is one line: the file's path, then expected. */
static void assert_file_message(const char *expected)
{
	char whole[1024];

	(void)snprintf(whole, sizeof whole, "%s:%s\n", file_path, expected);
	assert_string_equal(message, whole);
}

ON_MAIN static void defaults_stay_on_this_machine(void **state)
{
	(void)state;
	assert_int_equal(LOAD(""), 0);
	assert_int_equal(action, SETTINGS_RUN);
	assert_string_equal(settings.server.http.host, "127.0.0.1");
	assert_int_equal(settings.server.http.port, 8080);
	assert_string_equal(settings.server.https.host, "127.0.0.1");
	assert_int_equal(settings.server.https.port, 8443);
	assert_string_equal(settings.server.cert, "");
	assert_int_equal(settings.server.limits.stall_timeout_s, 10);
	assert_int_equal(settings.server.target_age_ms, 100);
	assert_int_equal(settings.server.limits.connections, 256);
	assert_int_equal(settings.sandbox, 1);
	assert_int_equal(settings.log_level, LOG_LEVEL_INFO);
	assert_int_equal(settings.encode_threads, 0);
	assert_int_equal(settings.n_cameras, 1);
	assert_string_equal(settings.cameras[0].camera.name, "camera");
	assert_string_equal(settings.cameras[0].camera.source, "auto");
	assert_int_equal(settings.cameras[0].camera.width, 0);
	assert_int_equal(settings.cameras[0].jpeg.quality, 80);
	assert_int_equal(settings.cameras[0].jpeg.chroma, JPEG_CHROMA_420);
}

ON_MAIN static void file_sets_everything(void **state)
{
	const struct camera_config *camera = &settings.cameras[0].camera;

	(void)state;
	assert_int_equal(
		LOAD("# a comment\n; another\nhttp = :80\nhttps=[::1]:0\n"
		     "cert = a.pem\nkey = b.pem\nstate-dir = /s\n"
		     "stall-timeout = 3600\ntarget-age = 1\nrequest-timeout = 5\n"
		     "max-connections = 10000\nmax-connections-per-address = 1\n"
		     "max-streams = 7\nmax-streams-per-connection = 100\n"
		     "max-requests-per-second = 9\n"
		     "max-handshakes-per-second = 8\nmax-url-bytes = 256\nuser = b\n"
		     "max-header-bytes = 32768\nmax-body-bytes = 8192\nsandbox = no\nlog-level = error\n"
		     "encode-threads = 3\n\n"
		     "[camera front]\n  source = v4l2:/dev/video2\n\tsize = 640x480\n"
		     "fps = 29.97\nformat = MJPG\nquality = 1\nchroma = 422\n"
		     "input = HDMI 1\nstandard = PAL\nvariants = 2\n"
		     "controls = brightness=10, exposure_auto = -1,gain=0x10\n"),
		0);
	assert_string_equal(settings.server.http.host, "");
	assert_int_equal(settings.server.http.port, 80);
	assert_string_equal(settings.server.https.host, "::1");
	assert_int_equal(settings.server.https.port, 0);
	assert_string_equal(settings.server.cert, "a.pem");
	assert_string_equal(settings.server.key, "b.pem");
	assert_string_equal(settings.server.state_dir, "/s");
	assert_int_equal(settings.server.limits.stall_timeout_s, 3600);
	assert_int_equal(settings.server.target_age_ms, 1);
	assert_int_equal(settings.server.limits.request_timeout_s, 5);
	assert_int_equal(settings.server.limits.connections, 10000);
	assert_int_equal(settings.server.limits.connections_per_address, 1);
	assert_int_equal(settings.server.limits.streams, 7);
	assert_int_equal(settings.server.limits.handshakes_per_second, 8);
	assert_int_equal(settings.server.limits.url_bytes, 256);
	assert_int_equal(settings.server.limits.header_bytes, 32768);
	assert_int_equal(settings.server.limits.body_bytes, 8192);
	assert_string_equal(settings.user, "b");
	assert_int_equal(settings.server.limits.streams_per_connection, 100);
	assert_int_equal(settings.server.limits.requests_per_second, 9);
	assert_int_equal(settings.sandbox, 0);
	assert_int_equal(settings.log_level, LOG_LEVEL_ERROR);
	assert_int_equal(settings.encode_threads, 3);
	assert_int_equal(settings.n_cameras, 1);
	assert_string_equal(camera->name, "front");
	assert_string_equal(camera->source, "v4l2:/dev/video2");
	assert_int_equal(camera->width, 640);
	assert_int_equal(camera->height, 480);
	assert_true(camera->fps == 29.97);
	assert_int_equal(camera->fourcc, V4L2_PIX_FMT_MJPEG);
	assert_int_equal(settings.cameras[0].jpeg.quality, 1);
	assert_int_equal(settings.cameras[0].jpeg.chroma, JPEG_CHROMA_422);
	assert_int_equal(settings.cameras[0].variants, 2);
	assert_string_equal(camera->input, "HDMI 1");
	assert_string_equal(camera->standard, "PAL");
	assert_int_equal(camera->n_controls, 3);
	assert_string_equal(camera->controls[1].name, "exposure_auto");
	assert_int_equal(camera->controls[1].value, -1);
	assert_int_equal(camera->controls[2].value, 16);
}

ON_MAIN static void command_line_beats_file(void **state)
{
	(void)state;
	assert_int_equal(
		LOAD("http = :1\n[camera a]\nquality = 10\nsize = 320x240\n", "--http",
			"localhost:2", "--camera", "a", "--quality", "20", "--size", "auto"),
		0);
	assert_string_equal(settings.server.http.host, "localhost");
	assert_int_equal(settings.server.http.port, 2);
	assert_int_equal(settings.n_cameras, 1);
	assert_int_equal(settings.cameras[0].jpeg.quality, 20);
	assert_int_equal(settings.cameras[0].camera.width, 0);
}

ON_MAIN static void what_stands_before_the_first_camera_is_for_all(void **state)
{
	(void)state;
	assert_int_equal(
		LOAD("source = pattern\nquality = 10\n[camera a]\n[camera b]\n"
		     "quality = 20\n",
			"--fps", "5", "--camera", "c", "--fps", "7", "--camera", "b", "--fps", "9"),
		0);
	assert_int_equal(settings.n_cameras, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(settings.cameras[i].camera.source, "pattern");
	assert_string_equal(settings.cameras[0].camera.name, "a");
	assert_int_equal(settings.cameras[0].jpeg.quality, 10);
	assert_true(settings.cameras[0].camera.fps == 5);
	assert_string_equal(settings.cameras[1].camera.name, "b");
	assert_int_equal(settings.cameras[1].jpeg.quality, 20);
	assert_true(settings.cameras[1].camera.fps == 9);
	assert_string_equal(settings.cameras[2].camera.name, "c");
	assert_int_equal(settings.cameras[2].jpeg.quality, 10);
	assert_true(settings.cameras[2].camera.fps == 7);
}

ON_MAIN static void options_without_a_camera_make_one(void **state)
{
	(void)state;
	assert_int_equal(LOAD("", "--source", "pattern", "--quality=5"), 0);
	assert_int_equal(settings.n_cameras, 1);
	assert_string_equal(settings.cameras[0].camera.name, "camera");
	assert_string_equal(settings.cameras[0].camera.source, "pattern");
	assert_int_equal(settings.cameras[0].jpeg.quality, 5);
}

ON_MAIN static void file_may_come_from_windows(void **state)
{
	(void)state;
	assert_int_equal(LOAD("\xef\xbb\xbf[camera a]\r\nquality = 5\r\n[camera b]\r\n"), 0);
	assert_int_equal(settings.n_cameras, 2);
	assert_string_equal(settings.cameras[0].camera.name, "a");
	assert_int_equal(settings.cameras[0].jpeg.quality, 5);
}

ON_MAIN static void last_line_needs_no_end(void **state)
{
	(void)state;
	assert_int_equal(LOAD("quality = 5\n[camera a]"), 0);
	assert_string_equal(settings.cameras[0].camera.name, "a");
	assert_int_equal(settings.cameras[0].jpeg.quality, 5);
}

ON_MAIN static void value_is_the_rest_of_its_line(void **state)
{
	(void)state;
	assert_int_equal(LOAD("source = ./a b ; c # d = e\n"), 0);
	assert_string_equal(settings.cameras[0].camera.source, "./a b ; c # d = e");
}

ON_MAIN static void printed_settings_read_back_to_the_same(void **state)
{
	struct settings first;
	char *text, *again;

	(void)state;
	assert_int_equal(LOAD("http = off\nhttps = [fe80::1%eth0]:443\ncert = /a b.pem\nkey = k\n"
			      "log-level = error\nencode-threads = 2\nsource = replay:./c;d\n"
			      "[camera a]\n[camera b-_9]\n"
			      "size = 1920x1080\nfps = 30000/1001\nformat = Y10\nquality = 100\n"
			      "chroma = source\ninput = 1\nstandard = SECAM\n"
			      "controls = a=-9223372036854775808, b=0\n"),
		0);
	first = settings;
	text = print();
	assert_int_equal(LOAD(text), 0);
	again = print();
	assert_string_equal(text, again);
	assert_int_equal(settings.n_cameras, 2);
	assert_true(settings.cameras[1].camera.fps == first.cameras[1].camera.fps);
	assert_int_equal(settings.cameras[1].camera.controls[0].value, INT64_MIN);
	assert_string_equal(settings.server.https.host, "fe80::1%eth0");
	assert_false(settings.server.http.enabled);
	free(text);
	free(again);
}

ON_MAIN static void good_values_print_as_they_were_meant(void **state)
{
	static const char *const good[][3] = {
		{"--http", "off", "http = off\n"},
		{"--http", "localhost:1", "http = localhost:1\n"},
		{"--http", "0.0.0.0:65535", "http = 0.0.0.0:65535\n"},
		{"--http", "[localhost]:0", "http = localhost:0\n"},
		{"--hosts", "", "hosts = \n"},
		{"--hosts", "camera.local, 10.0.0.1 [::1]",
			"hosts = camera.local, 10.0.0.1 [::1]\n"},
		{"--origins", "https://a.example,http://[::1]:80",
			"origins = https://a.example,http://[::1]:80\n"},
		{"--encode-threads", "auto", "encode-threads = auto\n"},
		{"--encode-threads", "1", "encode-threads = 1\n"},
		{"--encode-threads", "16", "encode-threads = 16\n"},
		{"--variants", "0", "variants = 0\n"},
		{"--variants", "8", "variants = 8\n"},
		{"--size", "2x2", "size = 2x2\n"},
		{"--size", "16384x16384", "size = 16384x16384\n"},
		{"--preview-mode", "auto", "preview-mode = auto\n"},
		{"--preview-mode", "1920x1080", "preview-mode = 1920x1080\n"},
		{"--preview-mode", "1366x768@60", "preview-mode = 1366x768@60\n"},
		{"--fps", "1000", "fps = 1000\n"},
		{"--fps", "0.1", "fps = 0.1\n"},
		{"--fps", "0.001", "fps = 0.001\n"},
		{"--fps", "60/2", "fps = 30\n"},
		{"--format", "YUYV", "format = YUYV\n"},
		{"--format", "auto", "format = auto\n"},
		{"--controls", "", "controls = \n"},
		{"--controls", "a=1,b=2", "controls = a=1, b=2\n"},
		{"--source", "/dev/video0", "source = /dev/video0\n"},
		{"--source", "clips/a.mjpg", "source = clips/a.mjpg\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char *text;

		assert_int_equal(LOAD("", good[i][0], good[i][1]), 0);
		text = print();
		if (!strstr(text, good[i][2]))
			fail_msg("%s %s printed as\n%s", good[i][0], good[i][1], text);
		free(text);
	}
}

ON_MAIN static void bad_values_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{"--http", ""},
		{"--http", "8080"},
		{"--http", "127.0.0.1"},
		{"--http", "a:"},
		{"--http", "a:65536"},
		{"--http", "a:-1"},
		{"--http", "a: 1"},
		{"--http", "a:99999999999999999999999"},
		{"--http", "::1:80"},
		{"--http", "[::1]80"},
		{"--http", "[]:80"},
		{"--http", "*:80"},
		{"--http", "http://a:80"},
		{"--http", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80"},
		{"--state-dir", ""},
		{"--log-level", "loud"},
		{"--log-level", "infos"},
		{"--encode-threads", ""},
		{"--encode-threads", "0"},
		{"--encode-threads", "17"},
		{"--encode-threads", "2 "},
		{"--encode-threads", "two"},
		{"--variants", ""},
		{"--variants", "-1"},
		{"--variants", "9"},
		{"--source", ""},
		{"--source", "patern"},
		{"--source", "v4l2:"},
		{"--source", "replay:"},
		{"--source", "clip.mjpg"},
		{"--size", ""},
		{"--size", "640"},
		{"--size", "640x"},
		{"--size", "x480"},
		{"--size", "640x480x2"},
		{"--size", "640 x 480"},
		{"--preview-mode", ""},
		{"--preview-mode", "60"},
		{"--preview-mode", "640x"},
		{"--preview-mode", "640x480@"},
		{"--preview-mode", "640x480@60i"},
		{"--preview-mode", "640x480x60"},
		{"--preview-mode", "640x480@9999"},
		{"--preview-mode", "99999x480"},
		{"--preview-mode", "0000000000000000640x480"},
		{"--size", "0x480"},
		{"--size", "640x0"},
		{"--size", "641x480"},
		{"--size", "640x481"},
		{"--size", "-640x480"},
		{"--size", "16386x480"},
		{"--size", "99999999999999999999999x2"},
		{"--fps", ""},
		{"--fps", "0"},
		{"--fps", "0.0009"},
		{"--fps", "0.00000000000000000000000000001"},
		{"--fps", "-1"},
		{"--fps", "1001"},
		{"--fps", "nan"},
		{"--fps", "inf"},
		{"--fps", "1e2"},
		{"--fps", "30/0"},
		{"--fps", "30/"},
		{"--fps", "/2"},
		{"--fps", "1/2/3"},
		{"--format", ""},
		{"--format", "YUYVX"},
		{"--quality", "0"},
		{"--quality", "101"},
		{"--stall-timeout", "0"},
		{"--stall-timeout", "3601"},
		{"--stall-timeout", "1.5"},
		{"--target-age", "0"},
		{"--target-age", "100ms"},
		{"--max-connections", "0"},
		{"--max-connections", "10001"},
		{"--max-streams-per-connection", "101"},
		{"--max-handshakes-per-second", "0"},
		{"--max-url-bytes", "255"},
		{"--max-header-bytes", "32769"},
		{"--max-body-bytes", "8193"},
		{"--quality", "80%"},
		{"--quality", "8.5"},
		{"--chroma", "444"},
		{"--input", ""},
		{"--input", "a name that is longer than a V4L2 input's"},
		{"--standard", "a standard with a long name"},
		{"--controls", "brightness"},
		{"--controls", "brightness="},
		{"--controls", "brightness=x"},
		{"--controls", "=1"},
		{"--controls", "a=1,"},
		{"--controls", ",a=1"},
		{"--controls", "a=1 b=2"},
		{"--controls", "Brightness=1"},
		{"--controls", "a=9223372036854775808"},
		{"--controls", "a_control_whose_name_is_far_too_long=1"},
		{"--hosts", "camera.local:8443"},
		{"--hosts", "https://camera.local"},
		{"--hosts", "camera.local, *.example"},
		{"--hosts", "[::1"},
		{"--hosts", "::1"},
		{"--hosts", ", a"},
		{"--origins", "panel.example"},
		{"--origins", "https://panel.example/"},
		{"--origins", "https://"},
		{"--origins", "ftp://panel.example"},
		{"--origins", "https://a; script-src *"},
		{"--origins", "https://a:80:80"},
		{"--cert", " a"},
		{"--cert", "a\nb"},
		{"--camera", ""},
		{"--camera", "a b"},
		{"--camera", "a/b"},
		{"--camera", "stream"},
		{"--camera", "healthz"},
		{"--camera", "abcdefghijklmnopqrstuvwxyz-12345"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t length = strlen(bad[i][0]);

		if (LOAD("", bad[i][0], bad[i][1]) != -EINVAL)
			fail_msg("%s \"%s\" was taken", bad[i][0], bad[i][1]);
		/* One line, that begins with the option. */
		if (strncmp(message, bad[i][0], length) || message[length] != ':' ||
			strchr(message, '\n') != message + strlen(message) - 1)
			fail_msg("%s \"%s\" said\n%s", bad[i][0], bad[i][1], message);
	}
}

ON_MAIN static void bad_lines_are_named(void **state)
{
	static const char *const bad[][2] = {
		{"\nquality = 900\n",
			"2: quality: \"900\" is not allowed; use a number from 1 to 100"},
		{"qualty = 80\n", "1: \"qualty\" is no setting; did you mean \"quality\"?"},
		{"colour = red\n", "1: \"colour\" is no setting; see fanlight.conf(5)"},
		{"quality = 8\nquality = 9\n",
			"2: quality: is there twice in this section; leave one"},
		{"[camera a]\n\n[camera a]\n",
			"3: camera: \"a\" is there twice; use another name or one section"},
		{"[camera stream]\n",
			"1: camera: \"stream\" is a path of the server itself; use another name"},
		{"[camra a]\n", "1: [camra a] is no section; use [camera NAME]"},
		{"[camera]\n", "1: [camera] is no section; use [camera NAME]"},
		{"[camera a b]\n", "1: [camera a b] is no section; use [camera NAME]"},
		{"[camera a\n", "1: lacks a ]; write [camera NAME]"},
		{"[camera a] fps = 3\n", "1: nothing may follow [camera NAME] on its line"},
		{"[camera a]\nhttp = off\n",
			"2: http: is not a camera's; put it at the top, before "
			"the first [camera NAME]"},
		{"fps 30\n", "1: is not understood; write NAME = VALUE or [camera NAME]"},
		{"# c\nkey = k\nfps = 3\n", "2: key: goes with a cert; give that too, or neither"},
		{"cert = c\n", "1: cert: goes with a key; give that too, or neither"},
		{"https = off\nhttp = off\n",
			"1: https: is off and so is http; nobody could watch, "
			"leave one of them on"},
		{"https = :80\nhttp = :80\n", "1: https: is the same as http; use another port"},
		{"process = mask\nmask = 0,0 9,0 9,9\npreview = on\n",
			"1: process: has a mask, and the preview shows pictures without filters; "
			"leave the mask out, or preview"},
		{"[camera a]\npreview = VGA-1\n[camera b]\npreview = on\n[camera c]\npreview = VGA-1\n",
			"6: preview: \"VGA-1\" cannot show both camera a and camera c; name another "
			"connector for one of them"},
		/* Of two errors the first. */
		{"fps = 0\nqualty = 3\n[\n",
			"1: fps: \"0\" is not allowed; use a number from "
			"0.001 to 1000, a fraction such as 30000/1001, or auto"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(LOAD(bad[i][0]), -EINVAL);
		assert_file_message(bad[i][1]);
	}
}

ON_MAIN static void preview_only_serves_nobody_and_shows_one_camera(void **state)
{
	(void)state;
	assert_int_equal(LOAD("[camera a]\n[camera b]\n", "--preview-only"), 0);
	assert_false(settings.server.http.enabled || settings.server.https.enabled);
	assert_string_equal(settings.cameras[0].camera.preview, "on");
	assert_string_equal(settings.cameras[1].camera.preview, "");
	assert_int_equal(LOAD("[camera a]\n[camera b]\npreview = HDMI-A-1\n", "--preview-only"), 0);
	assert_string_equal(settings.cameras[0].camera.preview, "");
	assert_string_equal(settings.cameras[1].camera.preview, "HDMI-A-1");
	assert_int_equal(LOAD("preview = on\nhttp = off\nhttps = off\n"), 0);
}

ON_MAIN static void long_lines_are_refused_not_cut(void **state)
{
	const char *no_options[] = {NULL};
	char text[6000];

	(void)state;
	memset(text, ' ', sizeof text);
	memcpy(text, "fps = 30", 8);
	memcpy(text + sizeof text - 4, "000\n", 4);
	assert_int_equal(load_bytes(text, sizeof text, no_options), -EINVAL);
	assert_file_message(
		"1: the line is longer than 4094 bytes or is no text; write it shorter");

	assert_int_equal(load_bytes("fps = 3\0\n0\n", 11, no_options), -EINVAL);
	assert_file_message(
		"1: the line is longer than 4094 bytes or is no text; write it shorter");
}

ON_MAIN static void cert_may_be_as_long_as_its_field(void **state)
{
	char path[257];

	(void)state;
	memset(path, 'p', 256);
	path[256] = '\0';
	assert_int_equal(LOAD("", "--key", "k", "--cert", path), -EINVAL);
	assert_non_null(strstr(message, "is too long; use at most 255 bytes"));
	path[255] = '\0';
	assert_int_equal(LOAD("", "--key", "k", "--cert", path), 0);
	assert_string_equal(settings.server.cert, path);
}

ON_MAIN static void sixteen_cameras_are_enough(void **state)
{
	char text[1024] = "";

	(void)state;
	for (int i = 1; i <= 16; i++)
		(void)snprintf(text + strlen(text), 16, "[camera c%d]\n", i);
	assert_int_equal(LOAD(text), 0);
	assert_int_equal(settings.n_cameras, 16);
	strcat(text, "[camera c17]\n");
	assert_int_equal(LOAD(text), -EINVAL);
	assert_file_message("17: camera: \"c17\" is one too many; use at most 16 cameras");
}

ON_MAIN static void wrong_options_are_explained(void **state)
{
	static const char *const wrong[][2] = {
		{"--qualty", "--qualty is no option; did you mean --quality?\n"},
		{"--lst", "--lst is no option; did you mean --list?\n"},
		{"--zebra", "--zebra is no option; see fanlight --help\n"},
		{"--zebra=1", "--zebra is no option; see fanlight --help\n"},
		{"-x", "-x is no option; see fanlight --help\n"},
		{"--fps", "--fps: needs a value; see fanlight --help\n"},
		{"--list=1", "--list: takes no value\n"},
		{"/dev/video0", "\"/dev/video0\" is no option; a camera is given as --source "
				"/dev/video0\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(LOAD("", wrong[i][0]), -EINVAL);
		assert_string_equal(message, wrong[i][1]);
	}
	assert_int_equal(LOAD("", "--check", "-xh"), -EINVAL);
	assert_string_equal(message, "-x is no option; see fanlight --help\n");
	assert_int_equal(LOAD("", "--", "word"), -EINVAL);
	assert_string_equal(message, "\"word\" is no option; see fanlight --help\n");
}

ON_MAIN static void help_wins_over_bad_values_and_files(void **state)
{
	(void)state;
	assert_int_equal(LOAD("nonsense\n", "--quality", "900", "--help"), 0);
	assert_int_equal(action, SETTINGS_HELP);
	assert_int_equal(LOAD("nonsense\n", "-V"), 0);
	assert_int_equal(action, SETTINGS_VERSION);
	assert_int_equal(LOAD("nonsense\n", "--list"), 0);
	assert_int_equal(action, SETTINGS_LIST);
	assert_int_equal(LOAD("", "--check"), 0);
	assert_int_equal(action, SETTINGS_CHECK);
	assert_int_equal(LOAD("nonsense\n", "--check"), -EINVAL);
}

ON_MAIN static void unreadable_files_are_named(void **state)
{
	(void)state;
	assert_int_equal(LOAD("", "--config", "/nonexistent/f.conf"), -ENOENT);
	assert_string_equal(
		message, "/nonexistent/f.conf: cannot be read: No such file or directory\n");
	assert_int_equal(LOAD("", "-c", "/"), -EINVAL);
	assert_string_equal(message, "/: cannot be read: Is a directory\n");
}

ON_MAIN static void state_is_kept_where_systemd_says(void **state)
{
	(void)state;
	assert_int_equal(setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1), 0);
	assert_int_equal(LOAD(""), 0);
	assert_string_equal(settings.server.state_dir, "/var/lib/one");
	assert_int_equal(unsetenv("STATE_DIRECTORY"), 0);
	assert_int_equal(LOAD(""), 0);
	assert_int_equal(settings.server.state_dir[0], '/');
	assert_string_not_equal(settings.server.state_dir, "/var/lib/one");
}

ON_MAIN static void help_fits_a_screen(void **state)
{
	char *text, *line, *rest;
	size_t bytes, lines = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(out);
	settings_usage(out);
	assert_int_equal(fclose(out), 0);
	for (rest = text; (line = strsep(&rest, "\n"));) {
		assert_true(strlen(line) <= 80);
		lines++;
	}
	assert_true(lines - 1 <= 24);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_stay_on_this_machine),
		cmocka_unit_test(file_sets_everything),
		cmocka_unit_test(command_line_beats_file),
		cmocka_unit_test(what_stands_before_the_first_camera_is_for_all),
		cmocka_unit_test(options_without_a_camera_make_one),
		cmocka_unit_test(file_may_come_from_windows),
		cmocka_unit_test(last_line_needs_no_end),
		cmocka_unit_test(value_is_the_rest_of_its_line),
		cmocka_unit_test(printed_settings_read_back_to_the_same),
		cmocka_unit_test(good_values_print_as_they_were_meant),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(bad_lines_are_named),
		cmocka_unit_test(preview_only_serves_nobody_and_shows_one_camera),
		cmocka_unit_test(long_lines_are_refused_not_cut),
		cmocka_unit_test(cert_may_be_as_long_as_its_field),
		cmocka_unit_test(sixteen_cameras_are_enough),
		cmocka_unit_test(wrong_options_are_explained),
		cmocka_unit_test(help_wins_over_bad_values_and_files),
		cmocka_unit_test(unreadable_files_are_named),
		cmocka_unit_test(state_is_kept_where_systemd_says),
		cmocka_unit_test(help_fits_a_screen),
	};
	int failed;

	role_take(&role_main, NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(message);
	return failed;
}
