/* Finding V4L2 cameras and telling what they offer; opens nodes, changes nothing. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "camera/camera_ops.h"
#include "camera/formats.h"
#include "camera/reason.h"
#include "camera/v4l2_convert.h"
#include "camera/v4l2_device.h"

#define NODES_MAX 256 /* the kernel's own limit of video devices */
#define RATES_MAX 64

ANY_THREAD static int compare_numbers(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The numbers N of every /dev/videoN, rising: how many, or a negative errno. */
ANY_THREAD static int find_nodes(int numbers[NODES_MAX])
{
	const struct dirent *entry;
	DIR *dev = opendir("/dev");
	int n = 0;

	if (!dev)
		return -errno;
	while (n < NODES_MAX && (entry = readdir(dev))) {
		char *end;
		long number;

		if (strncmp(entry->d_name, "video", 5) || !isdigit((unsigned char)entry->d_name[5]))
			continue;
		number = strtol(entry->d_name + 5, &end, 10);
		if (!*end && number < INT32_MAX)
			numbers[n++] = (int)number;
	}
	(void)closedir(dev);
	qsort(numbers, (size_t)n, sizeof *numbers, compare_numbers);
	return n;
}

/* Whether an open device is what is wished for, and has pictures to offer. */
ANY_THREAD static bool is_wished(const struct v4l2_device *device, const struct v4l2_wish *wish)
{
	const struct v4l2_capability *capability = &device->capability;
	struct v4l2_fmtdesc format;

	return (!*wish->bus || !strcmp((const char *)capability->bus_info, wish->bus)) &&
	       strcasestr((const char *)capability->card, wish->name) &&
	       device_format(device, 0, &format);
}

int v4l2_find(const struct v4l2_wish *wish, char *ret_path, size_t path_bytes,
	char reason[CAMERA_REASON_BYTES])
{
	int numbers[NODES_MAX], n = find_nodes(numbers), err = -ENOENT;

	for (int i = 0; i < n; i++) {
		char path[32], why[CAMERA_REASON_BYTES];
		struct v4l2_device device;
		int failed;
		bool found;

		(void)snprintf(path, sizeof path, "/dev/video%d", numbers[i]);
		failed = device_open(&device, path, why);
		if (failed && failed != -ENODEV && err == -ENOENT)
			err = reason_set(reason, failed, "%s", why);
		if (failed)
			continue;
		found = is_wished(&device, wish);
		device_close(&device);
		if (found) {
			(void)snprintf(ret_path, path_bytes, "%s", path);
			return 0;
		}
	}
	return err;
}

ON_MAIN static void print_rates(const struct v4l2_device *device, uint32_t fourcc, uint32_t width,
	uint32_t height, FILE *out)
{
	double rates[RATES_MAX];
	bool range;
	size_t n = device_rates(device, fourcc, width, height, rates, RATES_MAX, &range);

	if (range)
		fprintf(out, " at %.4g to %.4g", rates[0], rates[1]);
	else
		for (size_t i = 0; i < n; i++)
			fprintf(out, "%s%.4g", i ? ", " : " at ", rates[i]);
	fprintf(out, n ? " fps\n" : "\n");
}

/* The sizes and rates of one format, a line each. */
ON_MAIN static void print_sizes(const struct v4l2_device *device, uint32_t fourcc, FILE *out)
{
	struct v4l2_frmsizeenum size;

	if (!device_size(device, fourcc, 0, &size)) {
		fprintf(out, "        one size, which the device decides\n");
		return;
	}
	if (size.type != V4L2_FRMSIZE_TYPE_DISCRETE) {
		const struct v4l2_frmsize_stepwise *range = &size.stepwise;

		fprintf(out, "        %ux%u to %ux%u", range->min_width, range->min_height,
			range->max_width, range->max_height);
		if (range->step_width > 1 || range->step_height > 1)
			fprintf(out, " in steps of %ux%u", range->step_width, range->step_height);
		print_rates(device, fourcc, range->max_width, range->max_height, out);
		return;
	}
	do {
		fprintf(out, "        %ux%u", size.discrete.width, size.discrete.height);
		print_rates(device, fourcc, size.discrete.width, size.discrete.height, out);
	} while (device_size(device, fourcc, size.index + 1, &size));
}

/* The same as print_sizes() into memory: NULL without memory. */
ON_MAIN static char *describe_sizes(const struct v4l2_device *device, uint32_t fourcc)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	print_sizes(device, fourcc, out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* How Fanlight would read a format. */
ON_MAIN static const char *reading(uint32_t fourcc)
{
	if (format_find(fourcc))
		return "";
	return converter_knows(fourcc) ? " (converted, costs a copy)" : " (cannot be read)";
}

/* Formats one a line; the sizes that neighbours have in common stand once, below the last. */
ON_MAIN static int print_formats(const struct v4l2_device *device, FILE *out)
{
	struct v4l2_fmtdesc format;
	char *sizes = NULL;
	int err = 0;

	for (uint32_t i = 0; !err && device_format(device, i, &format); i++) {
		char *next = describe_sizes(device, format.pixelformat), name[5];

		if (!next) {
			err = -ENOMEM;
			break;
		}
		if (sizes && strcmp(sizes, next))
			fputs(sizes, out);
		free(sizes);
		sizes = next;
		fprintf(out, "    %-4s  %s%s\n", format_name(format.pixelformat, name),
			format.description, reading(format.pixelformat));
	}
	if (sizes)
		fputs(sizes, out);
	free(sizes);
	return err;
}

/* Only where there is a choice. */
ON_MAIN static void print_inputs(const struct v4l2_device *device, FILE *out)
{
	struct v4l2_input input;

	if (!device_input(device, 1, &input))
		return;
	fprintf(out, "    inputs:");
	for (uint32_t i = 0; device_input(device, i, &input); i++)
		fprintf(out, "%s %u (%s)", i ? "," : "", i, input.name);
	fprintf(out, "\n");
}

/* The links in a folder of udev's that lead to a node. */
ON_MAIN static void print_links(const char *folder, const char *node, FILE *out)
{
	DIR *links = opendir(folder);
	const struct dirent *entry;

	if (!links)
		return;
	while ((entry = readdir(links))) {
		char target[64];
		ssize_t length = readlinkat(dirfd(links), entry->d_name, target, sizeof target - 1);

		if (length < 0)
			continue;
		target[length] = '\0';
		if (!strcmp(basename(target), basename(node)))
			fprintf(out, ", %s/%s", folder, entry->d_name);
	}
	(void)closedir(links);
}

/* What it can be called in the settings, besides its node. */
ON_MAIN static void print_names(const struct v4l2_device *device, FILE *out)
{
	fprintf(out, "    source: name:%s, bus:%s", device->capability.card,
		device->capability.bus_info);
	print_links("/dev/v4l/by-id", device->path, out);
	print_links("/dev/v4l/by-path", device->path, out);
	fputc('\n', out);
}

int camera_list(FILE *out)
{
	int numbers[NODES_MAX], n = find_nodes(numbers), cameras = 0;

	for (int i = 0; i < n; i++) {
		char path[32], reason[CAMERA_REASON_BYTES];
		struct v4l2_device device;
		int err;

		(void)snprintf(path, sizeof path, "/dev/video%d", numbers[i]);
		err = device_open(&device, path, reason);
		if (err == -ENODEV)
			continue; /* a node that is no camera */
		if (err < 0) {
			fprintf(out, "%s\n", reason);
			continue;
		}
		fprintf(out, "%s  %s (driver %s, %s)\n", path, device.capability.card,
			device.capability.driver, device.capability.bus_info);
		print_names(&device, out);
		print_inputs(&device, out);
		err = print_formats(&device, out);
		device_close(&device);
		if (err < 0)
			return err;
		cameras++;
	}
	return n < 0 ? n : cameras;
}
