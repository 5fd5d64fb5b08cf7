#include "server/exposition.h"

#include <string.h>

#include "base/clock.h"
#include "base/stats.h"

/* ---- pieces of text: a histogram has some hundred of them, so no printf ---- */

static void put_bytes(struct exposition *e, const char *bytes, size_t n)
{
	if (e->full || n > e->size_bytes - e->used_bytes) {
		e->full = true;
		return;
	}
	memcpy(e->text + e->used_bytes, bytes, n);
	e->used_bytes += n;
}

static void put(struct exposition *e, const char *text)
{
	put_bytes(e, text, strlen(text));
}

/* A number with at least so many digits. */
static void put_digits(struct exposition *e, uint64_t number, size_t least)
{
	char digits[20];
	size_t n = 0;

	while (number || n < least) {
		digits[sizeof digits - ++n] = (char)('0' + number % 10);
		number /= 10;
	}
	put_bytes(e, digits + sizeof digits - n, n);
}

/* The beginning of a sample's line: its name and labels. */
static void put_name(struct exposition *e, const char *suffix)
{
	put(e, e->name);
	put(e, suffix);
	if (e->labels_bytes) {
		put(e, "{");
		put_bytes(e, e->labels, e->labels_bytes - 1);
		put(e, "}");
	}
	put(e, " ");
}

static void put_sample(struct exposition *e, const char *suffix, uint64_t number)
{
	put_name(e, suffix);
	put_digits(e, number, 1);
	put(e, "\n");
}

static void put_sample_seconds(struct exposition *e, const char *suffix, uint64_t ns)
{
	put_name(e, suffix);
	put_digits(e, ns / NS_PER_S, 1);
	put(e, ".");
	put_digits(e, ns % NS_PER_S, 9);
	put(e, "\n");
}

static void put_bucket(struct exposition *e, size_t bucket, uint64_t count)
{
	uint64_t us = histogram_bound_us(bucket);

	put(e, e->name);
	put(e, "_bucket{");
	put_bytes(e, e->labels, e->labels_bytes);
	put(e, "le=\"");
	if (bucket < HISTOGRAM_BOUNDS) {
		put_digits(e, us / 1000000, 1);
		put(e, ".");
		put_digits(e, us % 1000000, 6);
	} else {
		put(e, "+Inf");
	}
	put(e, "\"} ");
	put_digits(e, count, 1);
	put(e, "\n");
}

/* ---- labels ---- */

static void put_label_bytes(struct exposition *e, const char *bytes, size_t n)
{
	if (n > sizeof e->labels - e->labels_bytes) {
		e->full = true;
		return;
	}
	memcpy(e->labels + e->labels_bytes, bytes, n);
	e->labels_bytes += n;
}

static void put_label(struct exposition *e, const struct exposition_label *label)
{
	put_label_bytes(e, label->name, strlen(label->name));
	put_label_bytes(e, "=\"", 2);
	for (const char *c = label->value; *c; c++) {
		if (*c == '\n') {
			put_label_bytes(e, "\\n", 2);
			continue;
		}
		if (*c == '\\' || *c == '"')
			put_label_bytes(e, "\\", 1);
		put_label_bytes(e, c, 1);
	}
	put_label_bytes(e, "\",", 2);
}

/* ---- metrics ---- */

void exposition_init(struct exposition *e, char *text, size_t size_bytes)
{
	*e = (struct exposition){.text = text, .size_bytes = size_bytes};
}

void exposition_begin(struct exposition *e, const char *name, const char *type, const char *help)
{
	e->name = name;
	e->labels_bytes = 0;
	put(e, "# HELP ");
	put(e, name);
	put(e, " ");
	put(e, help);
	put(e, "\n# TYPE ");
	put(e, name);
	put(e, " ");
	put(e, type);
	put(e, "\n");
}

void exposition_label(struct exposition *e, const struct exposition_label *labels, size_t n)
{
	e->labels_bytes = 0;
	for (size_t i = 0; i < n; i++)
		put_label(e, &labels[i]);
}

void exposition_add_number(struct exposition *e, uint64_t number)
{
	put_sample(e, "", number);
}

void exposition_add_seconds(struct exposition *e, uint64_t ns)
{
	put_sample_seconds(e, "", ns);
}

void exposition_add_histogram(struct exposition *e, const struct histogram *histogram)
{
	uint64_t sum_ns = stat_read(&histogram->sum_ns), count = 0;

	/* The count is that of the buckets as they were read, while others may be adding. */
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		count += stat_read(&histogram->buckets[i]);
		put_bucket(e, i, count);
	}
	put_sample_seconds(e, "_sum", sum_ns);
	put_sample(e, "_count", count);
}
