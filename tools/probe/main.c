/*
 * fanlight-probe: watch streams of pictures as many viewers do, and say how old the pictures are.
 *
 *   watch    every viewer's connection, in one loop; libcurl speaks the protocols
 *   viewer   one connection: which pictures came, and how old they were
 *   multipart, records, stamps   what is in the bytes
 *   link     what makes a viewer slow
 *   report   the figures
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "probe/report.h"
#include "probe/watch.h"

#define VIEWERS_MOST    1000 /* of a kind, of a stream */
#define ALL_MOST        4000
#define RATE_LEAST      100
#define RATE_MOST       1000000000
#define SECONDS_MOST    86400
#define FILES_A_VIEWER  4 /* a link has three */
#define FILES_OF_OTHERS 32

struct options {
	char **urls;
	size_t n_urls;
	size_t n[VIEWER_KINDS]; /* viewers of each stream */
	double seconds;
	bool json;
	struct viewer_config viewer;
};

static void usage(FILE *out)
{
	fputs("usage: fanlight-probe [options] URL...\n"
	      "  --viewers N        watch each stream N times at once (1)\n"
	      "  --slow N:BYTES     and N times over a link that carries BYTES a second (none)\n"
	      "  --stalled N        and N times without reading on after the first picture (none)\n"
	      "  --seconds S        for so long (10)\n"
	      "  --http 1.1|2       speak this (over TLS 2 where the server does, else 1.1)\n"
	      "  --insecure         take any certificate\n"
	      "  --raw-clock        ustreamer before 5.42: its times are of CLOCK_MONOTONIC_RAW\n"
	      "  --json             print JSON\n",
		out);
}

/* ---- options ---- */

static bool parse_number(const char *text, unsigned long most, size_t *ret_number)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*ret_number = number;
	return *text >= '0' && *text <= '9' && !*end && number <= most;
}

static bool parse_slow(const char *text, struct options *options)
{
	const char *colon = strchr(text, ':');
	char number[16];
	size_t rate;

	if (!colon || (size_t)(colon - text) >= sizeof number)
		return false;
	(void)snprintf(number, sizeof number, "%.*s", (int)(colon - text), text);
	if (!parse_number(number, VIEWERS_MOST, &options->n[VIEWER_SLOW]) ||
		!parse_number(colon + 1, RATE_MOST, &rate) || rate < RATE_LEAST)
		return false;
	options->viewer.bytes_per_s = rate;
	return true;
}

static bool parse_seconds(const char *text, double *ret_seconds)
{
	char *end;

	*ret_seconds = strtod(text, &end);
	return end > text && !*end && *ret_seconds > 0 && *ret_seconds <= SECONDS_MOST;
}

static bool parse_http(const char *text, struct options *options)
{
	bool two = !strcmp(text, "2");

	/* Without TLS there is nothing to agree by: 2 is what the server must speak. */
	options->viewer.http_version = two ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
					   : CURL_HTTP_VERSION_1_1;
	return two || !strcmp(text, "1.1");
}

enum {
	OPTION_VIEWERS = 256,
	OPTION_SLOW,
	OPTION_STALLED,
	OPTION_SECONDS,
	OPTION_HTTP,
	OPTION_INSECURE,
	OPTION_RAW_CLOCK,
	OPTION_JSON,
	OPTION_HELP
};

static const struct option option_names[] = {
	{"viewers", required_argument, NULL, OPTION_VIEWERS},
	{"slow", required_argument, NULL, OPTION_SLOW},
	{"stalled", required_argument, NULL, OPTION_STALLED},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"http", required_argument, NULL, OPTION_HTTP},
	{"insecure", no_argument, NULL, OPTION_INSECURE},
	{"raw-clock", no_argument, NULL, OPTION_RAW_CLOCK},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

/* One option. Returns NULL, or what its value should be. */
static const char *read_option(int option, const char *value, struct options *options)
{
	switch (option) {
	case OPTION_VIEWERS:
		return parse_number(value, VIEWERS_MOST, &options->n[VIEWER_FAST])
			       ? NULL
			       : "--viewers wants a number from 0 to 1000";
	case OPTION_SLOW:
		return parse_slow(value, options)
			       ? NULL
			       : "--slow wants N:BYTES, as in 2:1000000: N up to "
				 "1000, BYTES from 100 to 1000000000 a second";
	case OPTION_STALLED:
		return parse_number(value, VIEWERS_MOST, &options->n[VIEWER_STALLED])
			       ? NULL
			       : "--stalled wants a number from 0 to 1000";
	case OPTION_SECONDS:
		return parse_seconds(value, &options->seconds)
			       ? NULL
			       : "--seconds wants a number above 0, at most 86400";
	case OPTION_HTTP:
		return parse_http(value, options) ? NULL : "--http wants 1.1 or 2";
	case OPTION_INSECURE:
		options->viewer.insecure = true;
		return NULL;
	case OPTION_RAW_CLOCK:
		options->viewer.raw_clock = true;
		return NULL;
	case OPTION_JSON:
		options->json = true;
		return NULL;
	case OPTION_HELP:
		usage(stdout);
		exit(EXIT_SUCCESS);
	default:
		exit(EXIT_FAILURE); /* getopt has said why */
	}
}

static size_t viewers_of_a_stream(const struct options *options)
{
	size_t n = 0;

	for (enum viewer_kind kind = 0; kind < VIEWER_KINDS; kind++)
		n += options->n[kind];
	return n;
}

/* Returns NULL, or what is wrong. */
static const char *read_options(int argc, char **argv, struct options *options)
{
	const char *wrong = NULL;
	int option;

	while (!wrong && (option = getopt_long(argc, argv, "", option_names, NULL)) != -1)
		wrong = read_option(option, optarg, options);
	if (wrong)
		return wrong;
	options->urls = argv + optind;
	options->n_urls = (size_t)(argc - optind);
	if (!options->n_urls)
		return "give the address of a stream, like http://127.0.0.1:8080/stream";
	for (size_t i = 0; i < options->n_urls; i++)
		if (strncasecmp(options->urls[i], "http://", 7) &&
			strncasecmp(options->urls[i], "https://", 8))
			return "an address begins with http:// or https://";
	if (!viewers_of_a_stream(options))
		return "there is nobody to watch: --viewers, --slow and --stalled are all 0";
	if (options->n_urls * viewers_of_a_stream(options) > ALL_MOST)
		return "these are more than 4000 viewers in all";
	return NULL;
}

/* ---- the run ---- */

static void allow_files(size_t viewers)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < viewers * FILES_A_VIEWER + FILES_OF_OTHERS)
		limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* else those beyond fail, and say so */
}

/* Viewers lie by stream, then by kind. */
static int open_viewers(const struct options *options, struct viewer *viewer, struct stamps *stamps)
{
	int err = 0;

	for (size_t i = 0; i < options->n_urls; i++)
		for (enum viewer_kind kind = 0; kind < VIEWER_KINDS; kind++)
			for (size_t k = 0; !err && k < options->n[kind]; k++)
				err = viewer_open(
					viewer++, options->urls[i], kind, &options->viewer, stamps);
	return err;
}

/* Those who are to see pictures and don't; the first of a kind says why. True if there are none. */
static bool all_saw(const struct viewer *viewers, size_t n)
{
	size_t blind = 0;
	const char *why = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct viewer *viewer = &viewers[i];
		const char *failure = *viewer->failure    ? viewer->failure
				      : viewer->n_samples ? NULL
							  : "no picture came";

		if (!failure || (viewer->kind == VIEWER_STALLED && viewer->n_samples))
			continue;
		blind++;
		if (!why)
			why = failure;
	}
	if (blind)
		fprintf(stderr, "fanlight-probe: %s: %zu of %zu %s viewers: %s\n", viewers->url,
			blind, n, report_kind_name(viewers->kind), why);
	return !blind;
}

/*
 * Print one stream's figures, or add them to kinds. Returns 1, 0 (some did not see pictures) or
 * -ENOMEM.
 */
static int report_stream(
	const struct options *options, const struct viewer *viewers, uint64_t end_ns, json_t *kinds)
{
	const size_t *n = options->n;
	struct run run;
	bool saw = true;
	int err = report_find_run(
		viewers, n[VIEWER_FAST] ? n[VIEWER_FAST] : n[VIEWER_SLOW], end_ns, &run);

	for (enum viewer_kind kind = 0; !err && kind < VIEWER_KINDS; viewers += n[kind++]) {
		struct summary summary;

		if (!n[kind])
			continue;
		err = report_sum_up(viewers, n[kind], &run, &summary);
		saw = all_saw(viewers, n[kind]) && saw;
		if (err)
			return err;
		if (kinds)
			(void)json_array_append_new(kinds, report_json(kind, &summary));
		else
			report_print(kind, &summary);
	}
	return err ? err : saw;
}

/* Returns as report_stream(). */
static int report_all(const struct options *options, const struct viewer *viewers, uint64_t end_ns)
{
	json_t *streams = options->json ? json_array() : NULL;
	int result = 1;

	for (size_t i = 0; result >= 0 && i < options->n_urls; i++) {
		json_t *kinds = options->json ? json_array() : NULL;
		int saw;

		if (!options->json)
			printf("%s\n", options->urls[i]);
		saw = report_stream(options, viewers, end_ns, kinds);
		result = saw <= 0 ? saw : result;
		if (options->json)
			(void)json_array_append_new(streams,
				json_pack("{s:s, s:o}", "url", options->urls[i], "viewers", kinds));
		viewers += viewers_of_a_stream(options);
	}
	if (options->json) {
		(void)json_dumpf(streams, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		(void)puts("");
	}
	json_decref(streams);
	return fflush(stdout) == EOF ? -errno : result;
}

int main(int argc, char **argv)
{
	struct options options = {.n = {[VIEWER_FAST] = 1},
		.seconds = 10,
		.viewer = {.http_version = CURL_HTTP_VERSION_2TLS}};
	const char *wrong = read_options(argc, argv, &options);
	struct stamps stamps = {0};
	struct viewer *viewers;
	size_t n;
	int err;

	if (wrong) {
		fprintf(stderr, "fanlight-probe: %s; --help says more\n", wrong);
		return EXIT_FAILURE;
	}
	n = options.n_urls * viewers_of_a_stream(&options);
	allow_files(n);
	viewers = calloc(n, sizeof *viewers);
	err = viewers ? open_viewers(&options, viewers, &stamps) : -ENOMEM;
	if (!err)
		err = watch(viewers, n, (uint64_t)(options.seconds * (double)NS_PER_S));
	if (!err)
		err = report_all(&options, viewers, clock_now_ns());
	if (err < 0)
		fprintf(stderr, "fanlight-probe: %s\n", strerror(-err));
	for (size_t i = 0; viewers && i < n; i++)
		viewer_close(&viewers[i]);
	free(viewers);
	stamps_finish(&stamps);
	return err > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
