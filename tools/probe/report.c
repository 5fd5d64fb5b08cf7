#include "probe/report.h"

#include <errno.h>
#include <stdlib.h>

/* A viewer that sees nothing new for longer has stalled. */
#define STALL_NS NS_PER_S

const char *report_kind_name(enum viewer_kind kind)
{
	static const char *const names[VIEWER_KINDS] = {"fast", "slow", "stalled"};

	return names[kind];
}

static const char *source_name(enum time_source source)
{
	static const char *const names[TIME_SOURCES] = {"nothing", "X-Timestamp",
		"X-UStreamer-Grab-Time", "the live records", "the stamp in the picture"};

	return names[source];
}

/* ---- sums ---- */

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What one picture has to say, given the one before (NULL for the first); UINT64_MAX: nothing. */
typedef uint64_t value_fn(const struct sample *sample, const struct sample *before);

static uint64_t age_of(const struct sample *sample, const struct sample *before)
{
	(void)before;
	return sample->age_us == UINT32_MAX ? UINT64_MAX : sample->age_us;
}

static uint64_t delivery_of(const struct sample *sample, const struct sample *before)
{
	(void)before;
	return sample->delivery_us == UINT32_MAX ? UINT64_MAX : sample->delivery_us;
}

static uint64_t gap_of(const struct sample *sample, const struct sample *before)
{
	return before && before->captured_ns && sample->captured_ns > before->captured_ns
		       ? sample->captured_ns - before->captured_ns
		       : UINT64_MAX;
}

/* All viewers' values of what came since, sorted; free() them. Returns 0 or -ENOMEM. */
static int collect(const struct viewer *viewers, size_t n_viewers, uint64_t since_ns,
	value_fn *value_of, uint64_t **ret_values, size_t *ret_n)
{
	size_t n = 0, most = 1;
	uint64_t *values;

	for (size_t i = 0; i < n_viewers; i++)
		most += viewers[i].n_samples;
	values = calloc(most, sizeof *values);
	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < n_viewers; i++)
		for (size_t k = 0; k < viewers[i].n_samples; k++) {
			const struct sample *sample = &viewers[i].samples[k];

			values[n] = value_of(sample, k ? sample - 1 : NULL);
			n += values[n] != UINT64_MAX && sample->came_ns >= since_ns;
		}
	qsort(values, n, sizeof *values, by_size);
	*ret_values = values;
	*ret_n = n;
	return 0;
}

static int find_percentiles(const struct viewer *viewers, size_t n_viewers, uint64_t since_ns,
	value_fn *value_of, struct percentiles *ret_percentiles)
{
	uint64_t *us;
	size_t n;
	int err = collect(viewers, n_viewers, since_ns, value_of, &us, &n);

	if (err < 0)
		return err;
	*ret_percentiles = (struct percentiles){.n = n};
	if (n) {
		ret_percentiles->p50 = (double)us[(n - 1) * 50 / 100] / 1000;
		ret_percentiles->p95 = (double)us[(n - 1) * 95 / 100] / 1000;
		ret_percentiles->p99 = (double)us[(n - 1) * 99 / 100] / 1000;
		ret_percentiles->most = (double)us[n - 1] / 1000;
	}
	free(us);
	return 0;
}

int report_find_run(
	const struct viewer *viewers, size_t n_viewers, uint64_t end_ns, struct run *ret_run)
{
	struct run run = {.end_ns = end_ns};
	uint64_t *gaps_ns;
	size_t n;
	int err = collect(viewers, n_viewers, 0, gap_of, &gaps_ns, &n);

	if (err < 0)
		return err;
	if (n)
		run.rhythm_ns = gaps_ns[n / 2];
	free(gaps_ns);
	for (size_t i = 0; i < n_viewers; i++)
		if (viewers[i].n_samples && viewers[i].samples[0].came_ns > run.begin_ns)
			run.begin_ns = viewers[i].samples[0].came_ns;
	*ret_run = run;
	return 0;
}

/* How many pictures a viewer was not shown between its first and its last. */
static uint64_t count_skipped(const struct viewer *viewer, uint64_t rhythm_ns)
{
	uint64_t skipped = 0;

	for (size_t k = 1; rhythm_ns && k < viewer->n_samples; k++) {
		uint64_t gap_ns = gap_of(&viewer->samples[k], &viewer->samples[k - 1]);

		if (gap_ns != UINT64_MAX && gap_ns > rhythm_ns)
			skipped += (gap_ns + rhythm_ns / 2) / rhythm_ns - 1;
	}
	return skipped;
}

static double fps_of(const struct viewer *viewer, uint64_t end_ns)
{
	if (!viewer->n_samples || end_ns <= viewer->samples[0].came_ns)
		return 0;
	return (double)(viewer->n_samples - 1) * (double)NS_PER_S /
	       (double)(end_ns - viewer->samples[0].came_ns);
}

/* Waits for a picture that were too long. */
static uint64_t count_stalls(const struct viewer *viewer, uint64_t end_ns)
{
	uint64_t last_ns = viewer->begin_ns, stalls = 0;

	for (size_t k = 0; k < viewer->n_samples; k++) {
		stalls += viewer->samples[k].came_ns - last_ns > STALL_NS;
		last_ns = viewer->samples[k].came_ns;
	}
	return stalls + (end_ns - last_ns > STALL_NS);
}

/* Pictures that came after newer ones. */
static uint64_t count_backwards(const struct viewer *viewer)
{
	uint64_t backwards = 0;

	for (size_t k = 1; k < viewer->n_samples; k++) {
		const struct sample *sample = &viewer->samples[k];

		backwards += sample->captured_ns && sample->captured_ns <= sample[-1].captured_ns;
	}
	return backwards;
}

int report_sum_up(const struct viewer *viewers, size_t n_viewers, const struct run *run,
	struct summary *ret_summary)
{
	struct summary sum = {.viewers = n_viewers, .protocol = viewer_protocol(viewers)};
	int err = find_percentiles(viewers, n_viewers, run->begin_ns, age_of, &sum.age);

	if (!err)
		err = find_percentiles(
			viewers, n_viewers, run->begin_ns, delivery_of, &sum.delivery);
	for (size_t i = 0; i < n_viewers; i++) {
		const struct viewer *viewer = &viewers[i];

		sum.failed += *viewer->failure != '\0';
		sum.pictures += viewer->n_samples;
		sum.bytes += viewer->bytes;
		sum.fps += fps_of(viewer, run->end_ns) / (double)n_viewers;
		sum.skipped += count_skipped(viewer, run->rhythm_ns);
		sum.backwards += count_backwards(viewer);
		sum.stalls += count_stalls(viewer, run->end_ns);
		if (viewer->source > sum.source)
			sum.source = viewer->source;
	}
	*ret_summary = sum;
	return err;
}

/* ---- output ---- */

static void print_percentiles(const char *name, const struct percentiles *ms, const char *since)
{
	if (ms->n)
		printf("         %s p50 %.1f  p95 %.1f  p99 %.1f  max %.1f ms, %s\n", name, ms->p50,
			ms->p95, ms->p99, ms->most, since);
}

void report_print(enum viewer_kind kind, const struct summary *sum)
{
	printf("%-7s  %zu %s, %s: %.1f fps each, %.1f KB a picture, skipped %llu, stalls %llu, "
	       "older after newer %llu\n",
		report_kind_name(kind), sum->viewers, sum->viewers == 1 ? "viewer" : "viewers",
		sum->protocol, sum->fps,
		sum->pictures ? (double)sum->bytes / (double)sum->pictures / 1000 : 0,
		(unsigned long long)sum->skipped, (unsigned long long)sum->stalls,
		(unsigned long long)sum->backwards);
	if (sum->pictures && !sum->age.n)
		printf("         age not known: no stamp, and no time of this machine's clocks\n");
	print_percentiles("age     ", &sum->age, source_name(sum->source));
	print_percentiles("delivery", &sum->delivery, "since it was encoded");
}

static json_t *percentiles_json(const struct percentiles *ms)
{
	return ms->n ? json_pack("{s:f, s:f, s:f, s:f}", "p50", ms->p50, "p95", ms->p95, "p99",
			       ms->p99, "max", ms->most)
		     : json_null();
}

json_t *report_json(enum viewer_kind kind, const struct summary *sum)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:s, s:o, s:o}",
		"kind", report_kind_name(kind), "protocol", sum->protocol, "viewers",
		(json_int_t)sum->viewers, "failed", (json_int_t)sum->failed, "pictures",
		(json_int_t)sum->pictures, "bytes", (json_int_t)sum->bytes, "fps", sum->fps,
		"skipped", (json_int_t)sum->skipped, "backwards", (json_int_t)sum->backwards,
		"stalls", (json_int_t)sum->stalls, "age_source", source_name(sum->source), "age_ms",
		percentiles_json(&sum->age), "delivery_ms", percentiles_json(&sum->delivery));
}
