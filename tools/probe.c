/*
 * fanlight-probe: watch a multipart MJPEG stream as N viewers do, and say how old its pictures are.
 *
 * Works with any server of such streams over cleartext HTTP/1.1 on this machine's clock: a picture's
 * age is the wall clock when its last byte was read, less its part's X-Timestamp. Some of the
 * viewers can be made slow: they read no more than so many bytes a second, like a bad link.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define READ_BYTES  65536
#define LINE_BYTES  512
#define VIEWERS_MAX 1000
/* A slow viewer reads this often; short against the ages that are measured. */
#define SLOW_STEP_NS (10 * NS_PER_MS)

struct ages {
	uint32_t *us;
	size_t n, capacity;
};

/* Where a viewer's parser stands in the response. */
enum expecting { STATUS_LINE, HEADER_LINE, PART_LINE, PICTURE };
enum chunk { NOT_CHUNKED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END };

struct viewer {
	int fd;
	uint64_t bytes_per_s; /* 0: as fast as it comes */
	uint64_t next_read_ns;
	enum expecting expecting;
	enum chunk chunk;
	size_t chunk_left, picture_left;
	char line[LINE_BYTES];
	size_t line_length;
	uint64_t stamp_ns, last_stamp_ns; /* wall clock */
	uint64_t frames, bytes, backwards;
	struct ages ages;
	const char *failure;
};

static struct options {
	const char *url;
	size_t viewers, slow;
	uint64_t slow_bytes_per_s;
	double seconds;
} options = {.viewers = 1, .seconds = 10};

static int add_age(struct ages *ages, uint64_t age_ns)
{
	if (ages->n == ages->capacity) {
		size_t capacity = ages->capacity ? 2 * ages->capacity : 1024;
		uint32_t *us = realloc(ages->us, capacity * sizeof *us);

		if (!us)
			return -ENOMEM;
		ages->us = us;
		ages->capacity = capacity;
	}
	ages->us[ages->n++] = (uint32_t)(age_ns / NS_PER_US);
	return 0;
}

static int by_age(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The age in ms that this share of the frames did not exceed; sorted. */
static double percentile_ms(const struct ages *ages, double share)
{
	return ages->n ? ages->us[(size_t)(share * (double)(ages->n - 1))] / 1000.0 : 0;
}

/* The whole picture is here. */
static void picture_ended(struct viewer *viewer)
{
	uint64_t now = clock_read_ns(CLOCK_REALTIME);

	viewer->expecting = PART_LINE;
	viewer->frames++;
	if (!viewer->stamp_ns)
		return;
	if (viewer->stamp_ns <= viewer->last_stamp_ns)
		viewer->backwards++;
	viewer->last_stamp_ns = viewer->stamp_ns;
	if (add_age(&viewer->ages, now > viewer->stamp_ns ? now - viewer->stamp_ns : 0) < 0)
		viewer->failure = "out of memory";
}

static void header_line(struct viewer *viewer, const char *line)
{
	unsigned long long seconds, microseconds;

	if (!*line) {
		if (viewer->expecting == HEADER_LINE)
			viewer->expecting = PART_LINE;
		else if (viewer->picture_left)
			viewer->expecting = PICTURE;
		return;
	}
	if (viewer->expecting == STATUS_LINE) {
		if (!strstr(line, " 200"))
			viewer->failure = "the server did not answer 200";
		viewer->expecting = HEADER_LINE;
	} else if (viewer->expecting == HEADER_LINE) {
		if (!strcasecmp(line, "Transfer-Encoding: chunked"))
			viewer->chunk = CHUNK_SIZE;
	} else if (!strncasecmp(line, "Content-Length: ", 16)) {
		viewer->picture_left = strtoull(line + 16, NULL, 10);
	} else if (!strncasecmp(line, "X-Timestamp: ", 13)) {
		if (sscanf(line + 13, "%llu.%6llu", &seconds, &microseconds) == 2)
			viewer->stamp_ns = seconds * NS_PER_S + microseconds * NS_PER_US;
	}
}

/* Collect a line; true when it is complete, without its end, in viewer->line. */
static bool line_byte(struct viewer *viewer, char byte)
{
	if (byte == '\n') {
		if (viewer->line_length && viewer->line[viewer->line_length - 1] == '\r')
			viewer->line_length--;
		viewer->line[viewer->line_length] = '\0';
		viewer->line_length = 0;
		return true;
	}
	if (viewer->line_length < LINE_BYTES - 1)
		viewer->line[viewer->line_length++] = byte;
	return false;
}

/* Bytes of the multipart body. */
static void body(struct viewer *viewer, const char *data, size_t length)
{
	while (length) {
		size_t step = 1;

		if (viewer->expecting == PICTURE) {
			step = length < viewer->picture_left ? length : viewer->picture_left;
			viewer->picture_left -= step;
			if (!viewer->picture_left)
				picture_ended(viewer);
		} else if (line_byte(viewer, *data)) {
			header_line(viewer, viewer->line);
		}
		data += step;
		length -= step;
	}
}

/* Bytes of the response: headers, then the body, chunked or not. */
static void response(struct viewer *viewer, const char *data, size_t length)
{
	while (length) {
		size_t step = 1;

		if (viewer->expecting == STATUS_LINE || viewer->expecting == HEADER_LINE) {
			if (line_byte(viewer, *data))
				header_line(viewer, viewer->line);
		} else if (viewer->chunk == NOT_CHUNKED) {
			step = length;
			body(viewer, data, length);
		} else if (viewer->chunk == CHUNK_SIZE) {
			/* A chunk's own size line may stand between two halves of a header line. */
			if (*data == '\n')
				viewer->chunk = CHUNK_DATA;
			else if (*data != '\r')
				viewer->chunk_left = viewer->chunk_left * 16 +
						     (size_t)(*data <= '9'
								      ? *data - '0'
								      : (*data | 32) - 'a' + 10);
		} else if (viewer->chunk == CHUNK_DATA) {
			step = length < viewer->chunk_left ? length : viewer->chunk_left;
			body(viewer, data, step);
			viewer->chunk_left -= step;
			if (!viewer->chunk_left)
				viewer->chunk = CHUNK_END;
		} else if (*data == '\n') {
			viewer->chunk = CHUNK_SIZE;
		}
		data += step;
		length -= step;
	}
}

/* Read what is there, or a slow viewer's share of it. */
static void read_some(struct viewer *viewer)
{
	static char buffer[READ_BYTES];
	size_t most = sizeof buffer;
	ssize_t n;

	if (viewer->bytes_per_s) {
		most = viewer->bytes_per_s * SLOW_STEP_NS / NS_PER_S;
		if (most > sizeof buffer)
			most = sizeof buffer;
		viewer->next_read_ns = clock_now_ns() + SLOW_STEP_NS;
	}
	n = recv(viewer->fd, buffer, most, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		viewer->failure = n ? strerror(errno) : "the server closed the connection";
		return;
	}
	viewer->bytes += (uint64_t)n;
	response(viewer, buffer, (size_t)n);
}

/* Split http://host[:port]/path in place of copies; returns NULL or what is wrong. */
static const char *split_url(const char *url, char host[256], char port[8], const char **ret_path)
{
	const char *start = url + 7, *end, *colon;

	if (strncmp(url, "http://", 7))
		return "only http:// URLs are read";
	end = start + strcspn(start, "/?");
	*ret_path = *end == '/' ? end : "/";
	colon = memrchr(start, ':', (size_t)(end - start));
	if (colon && memchr(colon, ']', (size_t)(end - colon)))
		colon = NULL;
	if (colon && (colon + 1 == end || end - colon > 6))
		return "the port is not a number from 1 to 65535";
	(void)snprintf(
		port, 8, "%.*s", colon ? (int)(end - colon - 1) : 2, colon ? colon + 1 : "80");
	if (!colon)
		colon = end;
	if (*start == '[') {
		start++;
		colon--;
	}
	if (colon <= start || colon - start > 255)
		return "the host is missing or too long";
	(void)snprintf(host, 256, "%.*s", (int)(colon - start), start);
	return NULL;
}

static const char *connect_viewer(struct viewer *viewer)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
	char host[256], port[8], request[1024];
	const char *path, *wrong = split_url(options.url, host, port, &path);
	int n;

	if (wrong)
		return wrong;
	n = getaddrinfo(host, port, &hints, &address);
	if (n)
		return gai_strerror(n);
	viewer->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	n = viewer->fd < 0 ? -1 : connect(viewer->fd, address->ai_addr, address->ai_addrlen);
	freeaddrinfo(address);
	if (n)
		return strerror(errno);
	n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);
	if (n >= (int)sizeof request)
		return "the URL is too long";
	if (send(viewer->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		return "cannot send the request";
	return NULL;
}

/* Watch until the time is over. */
static void watch(struct viewer *viewers, uint64_t end_ns)
{
	static struct pollfd fds[VIEWERS_MAX];

	for (;;) {
		uint64_t now = clock_now_ns(), wake_ns = end_ns;
		struct timespec wait;

		for (size_t i = 0; i < options.viewers; i++) {
			struct viewer *viewer = &viewers[i];
			bool waits = viewer->bytes_per_s && viewer->next_read_ns > now;

			fds[i] = (struct pollfd){
				viewer->failure || waits ? -1 : viewer->fd, POLLIN, 0};
			if (waits && viewer->next_read_ns < wake_ns)
				wake_ns = viewer->next_read_ns;
		}
		if (now >= end_ns)
			return;
		wait.tv_sec = (time_t)((wake_ns - now) / NS_PER_S);
		wait.tv_nsec = (long)((wake_ns - now) % NS_PER_S);
		if (ppoll(fds, options.viewers, &wait, NULL) <= 0)
			continue;
		for (size_t i = 0; i < options.viewers; i++)
			if (fds[i].revents)
				read_some(&viewers[i]);
	}
}

/* One line for a group of viewers. */
static int report(const char *name, const struct viewer *viewers, size_t n, double seconds)
{
	struct ages all = {0};
	uint64_t frames = 0, bytes = 0, backwards = 0;

	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		frames += viewers[i].frames;
		bytes += viewers[i].bytes;
		backwards += viewers[i].backwards;
		for (size_t k = 0; k < viewers[i].ages.n; k++)
			if (add_age(&all, viewers[i].ages.us[k] * NS_PER_US) < 0)
				return -ENOMEM;
		if (viewers[i].failure)
			fprintf(stderr, "%s viewer %zu: %s\n", name, i + 1, viewers[i].failure);
	}
	qsort(all.us, all.n, sizeof *all.us, by_age);
	printf("%-5s %4zu viewers  %5.1f fps each  %6.1f KB a frame  age p50 %.1f  p95 %.1f  "
	       "p99 %.1f  max %.1f ms  older after newer %llu\n",
		name, n, (double)frames / (double)n / seconds,
		frames ? (double)bytes / (double)frames / 1000 : 0, percentile_ms(&all, .5),
		percentile_ms(&all, .95), percentile_ms(&all, .99), percentile_ms(&all, 1),
		(unsigned long long)backwards);
	free(all.us);
	return 0;
}

static void usage(FILE *out)
{
	fputs("fanlight-probe [options] http://HOST:PORT/stream\n"
	      "  --viewers N       watch N times at once (1)\n"
	      "  --slow N:BYTES    N of them read no more than BYTES a second (none)\n"
	      "  --seconds S       for so long (10)\n",
		out);
}

static bool read_options(int argc, char **argv)
{
	static const struct option names[] = {{"viewers", required_argument, NULL, 'n'},
		{"slow", required_argument, NULL, 's'}, {"seconds", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'}, {0}};
	unsigned long long rate;
	int option;

	while ((option = getopt_long(argc, argv, "n:s:t:h", names, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			exit(EXIT_SUCCESS);
		}
		if (option == 'n')
			options.viewers = strtoul(optarg, NULL, 10);
		else if (option == 't')
			options.seconds = strtod(optarg, NULL);
		else if (option != 's' || sscanf(optarg, "%zu:%llu", &options.slow, &rate) != 2 ||
			 rate < 100)
			return false;
		else
			options.slow_bytes_per_s = rate;
	}
	options.url = argv[optind];
	return optind + 1 == argc && options.viewers >= 1 && options.viewers <= VIEWERS_MAX &&
	       options.slow <= options.viewers && options.seconds > 0 && options.seconds <= 86400;
}

int main(int argc, char **argv)
{
	static struct viewer viewers[VIEWERS_MAX];
	uint64_t start_ns, end_ns;
	double seconds;
	int status = EXIT_SUCCESS;

	if (!read_options(argc, argv)) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	start_ns = clock_now_ns();
	for (size_t i = 0; i < options.viewers; i++) {
		const char *wrong = connect_viewer(&viewers[i]);

		if (wrong) {
			fprintf(stderr, "%s: %s\n", options.url, wrong);
			return EXIT_FAILURE;
		}
		if (i < options.slow) {
			viewers[i].bytes_per_s = options.slow_bytes_per_s;
			viewers[i].next_read_ns = start_ns;
		}
	}
	end_ns = clock_now_ns() + (uint64_t)(options.seconds * NS_PER_S);
	watch(viewers, end_ns);
	seconds = (double)(clock_now_ns() - start_ns) / NS_PER_S;

	if (report("slow", viewers, options.slow, seconds) < 0 ||
		report("fast", viewers + options.slow, options.viewers - options.slow, seconds) < 0)
		status = EXIT_FAILURE;
	for (size_t i = 0; i < options.viewers; i++) {
		if (viewers[i].failure || !viewers[i].frames)
			status = EXIT_FAILURE;
		(void)close(viewers[i].fd);
		free(viewers[i].ages.us);
	}
	return status;
}
