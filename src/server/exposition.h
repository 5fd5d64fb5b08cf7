/*
 * An exposition: metrics written down in Prometheus' text format, version 0.0.4.
 *
 * Metrics follow one another; the samples of each stand together after its beginning. Text is
 * bounded by the buffer that was given: what does not fit is left out, and full says so.
 */
#ifndef FANLIGHT_SERVER_EXPOSITION_H
#define FANLIGHT_SERVER_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/roles.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* No sample's line is longer, whatever its metric's name (of 48 characters) and its labels. */
#define EXPOSITION_LINE_BYTES      320
#define EXPOSITION_LABELS_BYTES    192
#define EXPOSITION_HISTOGRAM_LINES (HISTOGRAM_BUCKETS + 2)

struct exposition {
	char *text; /* the caller's, not terminated */
	size_t size_bytes, used_bytes;
	bool full;

	const char *name;                     /* of the metric */
	char labels[EXPOSITION_LABELS_BYTES]; /* of its next samples, with a comma after each */
	size_t labels_bytes;
};

struct exposition_label {
	const char *name, *value;
};

ANY_THREAD void exposition_init(struct exposition *exposition, char *text, size_t size_bytes);

/* Begin a metric; type is "counter", "gauge" or "histogram". Its first samples have no labels. */
ANY_THREAD void exposition_begin(
	struct exposition *exposition, const char *name, const char *type, const char *help);

/* The labels of the samples to come; values may be any UTF-8. */
ANY_THREAD void exposition_label(
	struct exposition *exposition, const struct exposition_label *labels, size_t n);

/* One sample: a number, a time in seconds, or all of a histogram's, in seconds. */
ANY_THREAD void exposition_add_number(struct exposition *exposition, uint64_t number);
ANY_THREAD void exposition_add_seconds(struct exposition *exposition, uint64_t ns);
ANY_THREAD void exposition_add_histogram(
	struct exposition *exposition, const struct histogram *histogram);

#endif
