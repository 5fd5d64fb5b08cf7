/* Plugins: what is loaded, what is refused and why, and what those do to a chain that are odd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/videodev2.h>

#include "process/chain.h"

#define WIDTH  32
#define HEIGHT 16

static char folder[] = "/tmp/fanlight-plugins-XXXXXX";
static struct filter_stats stats[FILTERS_NAMED];
static stat_counter copied_bytes;
static char reason[PROCESS_REASON_BYTES];

/* ---- files ---- */

static void path_of(const char *name, char path[256])
{
	(void)snprintf(path, 256, "%s/%s.so", folder, name);
}

/* Copy what the build made to the folder, as it would be installed. */
static void install(const char *from, const char *name, mode_t mode)
{
	char path[256], bytes[4096];
	FILE *in = fopen(from, "rb"), *out;
	size_t n;

	path_of(name, path);
	out = fopen(path, "wb");
	assert_non_null(in);
	assert_non_null(out);
	while ((n = fread(bytes, 1, sizeof bytes, in)))
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
	(void)fclose(in);
	assert_int_equal(chmod(path, mode), 0);
}

static int make_folder(void **state)
{
	static const char *const names[] = {
		"crashes", "refuses", "old", "fails", "slow", "talks", "nameless"};

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char from[512];

		(void)snprintf(from, sizeof from, "%s/%s.so", ODD_PLUGINS, names[i]);
		install(from, names[i], 0644);
	}
	install(EXAMPLES "/brightness.so", "brightness", 0644);
	install(EXAMPLES "/border.so", "border", 0644);
	install(EXAMPLES "/border.so", "open", 0666);
	install("/proc/self/cmdline", "rubbish", 0644);
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"crashes", "refuses", "old", "fails", "slow", "talks",
		"nameless", "brightness", "border", "open", "rubbish", "elsewhere"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[256];

		path_of(names[i], path);
		(void)unlink(path); /* one is a link that was not made */
	}
	return rmdir(folder);
}

/* ---- chains ---- */

static int try_chain(
	const char *plugin_dir, const char *steps, const char *budget, struct chain **ret_chain)
{
	struct process_config config;

	process_config_init(&config);
	assert_int_equal(process_set(&config, PROCESS_PLUGIN_DIR, plugin_dir), 0);
	assert_int_equal(process_set(&config, PROCESS_PLUGIN_BUDGET, budget), 0);
	assert_int_equal(process_set(&config, PROCESS_STEPS, steps), 0);
	return chain_create(&config, stats, ret_chain, reason);
}

static struct chain *make_chain(const char *name, const char *settings, const char *budget)
{
	char steps[512];
	struct chain *chain;

	(void)snprintf(steps, sizeof steps, "plugin:%s/%s.so%s", folder, name, settings);
	if (try_chain(folder, steps, budget, &chain) < 0)
		fail_msg("%s", reason);
	return chain;
}

static uint8_t pixels[WIDTH * HEIGHT * 3 / 2];

static struct frame make_frame(void)
{
	memset(pixels, 51, sizeof pixels);
	return (struct frame){.fourcc = V4L2_PIX_FMT_NV12,
		.width = WIDTH,
		.height = HEIGHT,
		.n_planes = 2,
		.planes = {{pixels, WIDTH, WIDTH * HEIGHT, 0, -1},
			{pixels + WIDTH * HEIGHT, WIDTH, WIDTH * HEIGHT / 2, 0, -1}}};
}

/* ---- tests ---- */

static void what_is_not_safe_or_right_is_refused(void **state)
{
	static const struct {
		const char *name;
		int err;
		const char *sentence;
	} plugins[] = {
		{"crashes", -EFAULT, "crashes when it starts"},
		{"refuses", -ENODEV, "does not start: No such device"},
		{"old", -EINVAL, "was made for version 2 of the plugin interface; this is 1"},
		{"nameless", -EINVAL, "has no fanlight_filter"},
		{"rubbish", -EINVAL, "rubbish.so"},
		{"open", -EACCES, "let root own it, and nobody else write"},
		{"none", -ENOENT, "No such file or directory"},
		{"elsewhere", -EACCES, "is not in plugin-dir"},
	};
	char path[256];

	(void)state;
	path_of("elsewhere", path);
	assert_int_equal(symlink(EXAMPLES "/border.so", path), 0);
	for (size_t i = 0; i < sizeof plugins / sizeof plugins[0]; i++) {
		char steps[512];
		struct chain *chain = NULL;

		(void)snprintf(steps, sizeof steps, "plugin:%s/%s.so", folder, plugins[i].name);
		assert_int_equal(try_chain(folder, steps, "off", &chain), plugins[i].err);
		assert_null(chain);
		if (!strstr(reason, plugins[i].sentence))
			fail_msg("%s: %s", plugins[i].name, reason);
	}
}

static void folder_is_given_and_as_safe_as_its_files(void **state)
{
	struct chain *chain;
	char steps[512];

	(void)state;
	(void)snprintf(steps, sizeof steps, "plugin:%s/border.so", folder);
	assert_int_equal(try_chain("", steps, "off", &chain), -EACCES);
	assert_non_null(strstr(reason, "not loaded unless plugin-dir says"));
	assert_int_equal(try_chain("/nowhere", steps, "off", &chain), -ENOENT);
	assert_int_equal(chmod(folder, 0775), 0);
	assert_int_equal(try_chain(folder, steps, "off", &chain), -EACCES);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(try_chain(folder, steps, "off", &chain), 0);
	chain_destroy(chain);
}

ON_ENCODE static void plugin_draws_as_its_settings_say(void **state)
{
	struct chain *chain = make_chain("border", " 3", "off");
	struct frame frame = make_frame();
	struct results results = {0};

	(void)state;
	assert_true(chain_draws(chain, &frame));
	assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), 0);
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < WIDTH; x++)
			assert_int_equal(pixels[y * WIDTH + x],
				x < 3 || y < 3 || x >= WIDTH - 3 || y >= HEIGHT - 3 ? 235 : 51);
	assert_int_equal(results.n, 0);
	chain_destroy(chain);
}

ON_ENCODE static void plugin_tells_what_it_finds(void **state)
{
	struct chain *chain = make_chain("brightness", "", "off");
	struct frame frame = make_frame();
	struct results results = {0};

	(void)state;
	assert_false(chain_draws(chain, &frame));
	assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), 0);
	assert_int_equal(results.n, 1);
	assert_string_equal(results.all[0].name, "brightness");
	assert_string_equal(results.all[0].text, "20");
	chain_destroy(chain);
}

ON_ENCODE static void results_are_bounded(void **state)
{
	struct chain *chain = make_chain("talks", "", "off");
	struct frame frame = make_frame();
	struct results results = {0};

	(void)state;
	assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), 0);
	assert_int_equal(results.n, RESULTS_MOST);
	assert_string_equal(results.all[0].text, "second");
	assert_string_equal(results.all[7].name, "h");
	assert_string_equal(results.all[7].text, "first");
	chain_destroy(chain);
}

ON_ENCODE static void frame_that_a_plugin_refuses_is_counted(void **state)
{
	struct chain *chain = make_chain("fails", "", "off");
	struct frame frame = make_frame();
	struct results results = {0};
	unsigned i = 0;

	(void)state;
	assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), -EIO);
	while (strcmp(filter_stats_name(&stats[i]), "plugin:fails") != 0)
		i++;
	assert_int_equal(stat_read(&stats[i].failed), 1);
	chain_destroy(chain);
}

ON_ENCODE static void plugin_that_is_too_slow_again_and_again_is_left_out(void **state)
{
	struct chain *chain = make_chain("slow", "", "1");
	struct frame frame = make_frame();
	struct results results = {0};
	const char *name = NULL;
	unsigned frames = 0, i = 0;

	(void)state;
	while (!name) {
		assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), 0);
		name = chain_take_news(chain);
		frames++;
	}
	assert_int_equal(frames, CHAIN_OVERRUNS);
	assert_string_equal(name, "plugin:slow");
	assert_null(chain_take_news(chain));

	/* From then on it is not called, and so not timed. */
	assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), 0);
	while (strcmp(filter_stats_name(&stats[i]), "plugin:slow") != 0)
		i++;
	assert_int_equal(histogram_count(&stats[i].time), frames);
	assert_int_equal(stat_read(&stats[i].bypassed), 1);
	chain_destroy(chain);
}

ON_ENCODE static void without_a_budget_it_may_be_slow(void **state)
{
	struct chain *chain = make_chain("slow", "", "off");
	struct frame frame = make_frame();
	struct results results = {0};

	(void)state;
	for (unsigned i = 0; i < 2 * CHAIN_OVERRUNS; i++) {
		assert_int_equal(chain_run(chain, &frame, &results, &copied_bytes), 0);
		assert_null(chain_take_news(chain));
	}
	chain_destroy(chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_safe_or_right_is_refused),
		cmocka_unit_test(folder_is_given_and_as_safe_as_its_files),
		cmocka_unit_test(plugin_draws_as_its_settings_say),
		cmocka_unit_test(plugin_tells_what_it_finds),
		cmocka_unit_test(results_are_bounded),
		cmocka_unit_test(frame_that_a_plugin_refuses_is_counted),
		cmocka_unit_test(plugin_that_is_too_slow_again_and_again_is_left_out),
		cmocka_unit_test(without_a_budget_it_may_be_slow),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
