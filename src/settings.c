/*
 * One table describes every setting; the file, the options, --check, --help and the hints all come
 * from it.
 *
 * File and command line are read the same way: settings before the first camera ([camera NAME],
 * --camera NAME) that belong to a camera are every camera's, those after it are that camera's own.
 */
#include "settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <regex.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ini.h>

#include "camera/formats.h"
#include "camera/memory.h"
#include "exchange/controls.h"

#define DEFAULT_PATH    "/etc/fanlight/fanlight.conf"
#define LINE_MAX_BYTES  4096
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define WHITE_SPACE     " \t\r\n\v\f"
#define SIZE_MOST       16384
#define FPS_MOST        1000
#define FPS_LEAST       0.001 /* drivers are asked in thousandths */

struct setting {
	const char *name;
	bool per_camera;
	size_t offset, size_bytes; /* of the field in struct settings or struct camera_settings */
	int (*parse)(const struct setting *setting, void *field, const char *value);
	void (*print)(const struct setting *setting, const void *field, FILE *out);
	const char *argument, *help; /* for --help, which leaves out what has NULL here */
	const char *allowed;         /* completes "use ..." */
	const char *const *words;    /* of a choice, in the order of its enum */
	unsigned least, most;        /* of a count, which is at least 1 */
	bool zero;                   /* is a count, too */
};

/* Where a value comes from: the command line and a default have no path. */
struct place {
	const char *path;
	int line;
};

struct loader {
	struct settings *settings;
	struct camera_settings every;    /* what a new camera begins with */
	struct camera_settings *current; /* whom settings are for; NULL for every camera */
	struct place here;
	struct place *origins; /* of each setting's latest value */
	FILE *file;
	bool preview_only;
	uint64_t seen; /* in this section of the file, a bit a setting */
	FILE *messages;
	int error; /* the first, already written to messages */
};

/* ---- values; parsers return 0, -EINVAL or -ENAMETOOLONG ---- */

static int parse_text(const struct setting *setting, void *field, const char *value)
{
	if (strlen(value) >= setting->size_bytes)
		return -ENAMETOOLONG;
	strcpy(field, value);
	return 0;
}

static void print_text(const struct setting *setting, const void *field, FILE *out)
{
	(void)setting;
	fputs(field, out);
}

/* Text, or the word for none. */
static int parse_text_or(
	const struct setting *setting, void *field, const char *value, const char *none)
{
	if (!*value)
		return -EINVAL;
	return parse_text(setting, field, strcmp(value, none) ? value : "");
}

static int parse_text_or_auto(const struct setting *setting, void *field, const char *value)
{
	return parse_text_or(setting, field, value, "auto");
}

static int parse_text_or_off(const struct setting *setting, void *field, const char *value)
{
	return parse_text_or(setting, field, value, "off");
}

static void print_text_or_auto(const struct setting *setting, const void *field, FILE *out)
{
	print_text(setting, *(const char *)field ? field : "auto", out);
}

static void print_text_or_off(const struct setting *setting, const void *field, FILE *out)
{
	print_text(setting, *(const char *)field ? field : "off", out);
}

static int parse_directory(const struct setting *setting, void *field, const char *value)
{
	return *value ? parse_text(setting, field, value) : -EINVAL;
}

/* As requests and pages name one: an IPv6 address has brackets. */
#define HOST "([[:alnum:]._-]+|\\[[[:xdigit:]:.]+\\])"

/* What all of the value has to be like. */
static int parse_pattern(
	const struct setting *setting, void *field, const char *value, const char *pattern)
{
	regex_t regex;
	int err;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
		return -ENOMEM;
	err = regexec(&regex, value, 0, NULL, 0) ? -EINVAL : 0;
	regfree(&regex);
	return err ? err : parse_text(setting, field, value);
}

static int parse_hosts(const struct setting *setting, void *field, const char *value)
{
	return parse_pattern(setting, field, value, "^(" HOST "([, ]+|$))*$");
}

static int parse_origins(const struct setting *setting, void *field, const char *value)
{
	return parse_pattern(
		setting, field, value, "^(https?://" HOST "(:[[:digit:]]+)?([, ]+|$))*$");
}

/* What lies behind a path is the camera's to judge; a word that is none is a mistyped one. */
static int parse_source(const struct setting *setting, void *field, const char *value)
{
	static const char *const kinds[] = {"name:", "bus:", "v4l2:", "replay:"};
	bool good = !strcmp(value, "auto") || !strcmp(value, "pattern");

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strncmp(value, kinds[i], strlen(kinds[i])))
			good = value[strlen(kinds[i])] != '\0';
	if (strchr(value, '/'))
		good = true;
	return good ? parse_text(setting, field, value) : -EINVAL;
}

static int parse_word(const struct setting *setting, void *field, const char *value)
{
	for (int i = 0; setting->words[i]; i++) {
		if (!strcmp(setting->words[i], value)) {
			*(int *)field = i;
			return 0;
		}
	}
	return -EINVAL;
}

static void print_word(const struct setting *setting, const void *field, FILE *out)
{
	fputs(setting->words[*(const int *)field], out);
}

/* Decimal digits up to most; *ret_end is what follows them. */
ANY_THREAD static int parse_digits(
	const char *text, unsigned most, unsigned *ret_number, const char **ret_end)
{
	char *end;
	unsigned long number;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	number = strtoul(text, &end, 10); /* ULONG_MAX when there are too many */
	if (number > most)
		return -EINVAL;
	*ret_number = (unsigned)number;
	*ret_end = end;
	return 0;
}

static int parse_count(const struct setting *setting, void *field, const char *value)
{
	const char *end;
	unsigned count;

	if (parse_digits(value, setting->most, &count, &end) < 0 || *end ||
		(!count && !setting->zero) || count < setting->least)
		return -EINVAL;
	*(unsigned *)field = count;
	return 0;
}

static void print_count(const struct setting *setting, const void *field, FILE *out)
{
	(void)setting;
	fprintf(out, "%u", *(const unsigned *)field);
}

static int parse_quality(const struct setting *setting, void *field, const char *value)
{
	const char *end;
	unsigned quality;

	(void)setting;
	if (parse_digits(value, 100, &quality, &end) < 0 || *end || !quality)
		return -EINVAL;
	*(int *)field = (int)quality;
	return 0;
}

static void print_number(const struct setting *setting, const void *field, FILE *out)
{
	(void)setting;
	fprintf(out, "%d", *(const int *)field);
}

static int parse_threads(const struct setting *setting, void *field, const char *value)
{
	unsigned threads = 0;
	const char *end;

	(void)setting;
	if (strcmp(value, "auto") &&
		(parse_digits(value, WORKERS_THREADS_MOST, &threads, &end) < 0 || *end || !threads))
		return -EINVAL;
	*(unsigned *)field = threads;
	return 0;
}

static void print_threads(const struct setting *setting, const void *field, FILE *out)
{
	unsigned threads = *(const unsigned *)field;

	(void)setting;
	if (threads)
		fprintf(out, "%u", threads);
	else
		fputs("auto", out);
}

static int parse_size(const struct setting *setting, void *field, const char *value)
{
	struct camera_config *camera = field;
	unsigned width = 0, height = 0;
	const char *end;

	(void)setting;
	if (strcmp(value, "auto")) {
		if (parse_digits(value, SIZE_MOST, &width, &end) < 0 || *end != 'x' ||
			parse_digits(end + 1, SIZE_MOST, &height, &end) < 0 || *end)
			return -EINVAL;
		/* Chroma is shared by pairs of pixels. */
		if (!width || !height || width % 2 || height % 2)
			return -EINVAL;
	}
	camera->width = width;
	camera->height = height;
	return 0;
}

static void print_size(const struct setting *setting, const void *field, FILE *out)
{
	const struct camera_config *camera = field;

	(void)setting;
	if (camera->width)
		fprintf(out, "%ux%u", camera->width, camera->height);
	else
		fputs("auto", out);
}

static int parse_mode(const struct setting *setting, void *field, const char *value)
{
	unsigned number;
	const char *end;

	if (!strcmp(value, "auto"))
		return parse_text_or_auto(setting, field, value);
	if (parse_digits(value, SIZE_MOST, &number, &end) < 0 || *end != 'x' ||
		parse_digits(end + 1, SIZE_MOST, &number, &end) < 0)
		return -EINVAL;
	if (*end && (*end != '@' || parse_digits(end + 1, FPS_MOST, &number, &end) < 0 || *end))
		return -EINVAL;
	return parse_text(setting, field, value);
}

static int parse_fps(const struct setting *setting, void *field, const char *value)
{
	double fps = 0, divisor = 1;
	char *end;

	(void)setting;
	if (strcmp(value, "auto")) {
		/* strtod() also knows signs, exponents, hexadecimal and infinity. */
		if (strspn(value, "0123456789./") != strlen(value))
			return -EINVAL;
		fps = strtod(value, &end);
		if (*end == '/')
			divisor = strtod(end + 1, &end);
		if (*end)
			return -EINVAL;
		fps /= divisor;
		if (!(divisor > 0 && fps >= FPS_LEAST && fps <= FPS_MOST))
			return -EINVAL;
	}
	*(double *)field = fps;
	return 0;
}

static void print_fps(const struct setting *setting, const void *field, FILE *out)
{
	double fps = *(const double *)field;
	char text[32] = "auto";

	(void)setting;
	/* The shortest that reads back to the same. */
	for (int digits = 6; fps > 0 && digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, fps);
		if (strtod(text, NULL) == fps)
			break;
	}
	fputs(text, out);
}

static int parse_format(const struct setting *setting, void *field, const char *value)
{
	uint32_t fourcc = 0;

	(void)setting;
	if (strcmp(value, "auto")) {
		fourcc = format_parse(value);
		if (!fourcc)
			return -EINVAL;
	}
	*(uint32_t *)field = fourcc;
	return 0;
}

static void print_format(const struct setting *setting, const void *field, FILE *out)
{
	uint32_t fourcc = *(const uint32_t *)field;
	char text[5];

	(void)setting;
	fputs(fourcc ? format_name(fourcc, text) : "auto", out);
}

/* "NAME=NUMBER" of the given length. */
ANY_THREAD static int parse_control(
	struct camera_control_setting *control, const char *text, size_t length)
{
	size_t name_length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	const char *number;
	char *end;

	if (!name_length || name_length >= sizeof control->name)
		return -EINVAL;
	(void)snprintf(control->name, sizeof control->name, "%.*s", (int)name_length, text);
	text += name_length;
	length -= name_length;

	number = text + strspn(text, " \t");
	if (*number++ != '=')
		return -EINVAL;
	number += strspn(number, " \t");
	if (!isdigit((unsigned char)*number) && *number != '-')
		return -EINVAL;
	errno = 0;
	control->value = strtoll(number, &end, 0);
	if (errno || end == number)
		return -EINVAL;
	end += strspn(end, " \t");
	return end == text + length ? 0 : -EINVAL;
}

static int parse_controls(const struct setting *setting, void *field, const char *value)
{
	struct camera_config *camera = field;

	(void)setting;
	camera->n_controls = 0;
	while (*value) {
		size_t length = strcspn(value, ",");

		if (camera->n_controls == CAMERA_CONTROLS_MAX ||
			parse_control(&camera->controls[camera->n_controls], value, length) < 0)
			return -EINVAL;
		camera->n_controls++;
		if (!value[length])
			break;
		value += length + 1;
		value += strspn(value, " \t");
		if (!*value)
			return -EINVAL;
	}
	return 0;
}

static void print_controls(const struct setting *setting, const void *field, FILE *out)
{
	const struct camera_config *camera = field;

	(void)setting;
	for (uint32_t i = 0; i < camera->n_controls; i++)
		fprintf(out, "%s%s=%lld", i ? ", " : "", camera->controls[i].name,
			(long long)camera->controls[i].value);
}

static int parse_address(const struct setting *setting, void *field, const char *value)
{
	struct server_address address = {.enabled = false};
	const char *host = value, *colon, *end;
	size_t length;
	unsigned port;

	(void)setting;
	if (strcmp(value, "off")) {
		colon = strrchr(value, ':');
		if (!colon || parse_digits(colon + 1, UINT16_MAX, &port, &end) < 0 || *end)
			return -EINVAL;
		length = (size_t)(colon - host);
		if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
			host++;
			length -= 2;
		} else if (memchr(host, ':', length)) {
			return -EINVAL; /* where would an IPv6 address end? */
		}
		if (length >= sizeof address.host)
			return -EINVAL;
		memcpy(address.host, host, length);
		for (const char *c = address.host; *c; c++)
			if (!isalnum((unsigned char)*c) && !strchr(".-_:%", *c))
				return -EINVAL;
		address.port = (uint16_t)port;
		address.enabled = true;
	}
	*(struct server_address *)field = address;
	return 0;
}

static void print_address(const struct setting *setting, const void *field, FILE *out)
{
	const struct server_address *address = field;

	(void)setting;
	if (!address->enabled)
		fputs("off", out);
	else
		fprintf(out, strchr(address->host, ':') ? "[%s]:%u" : "%s:%u", address->host,
			address->port);
}

static int parse_process(const struct setting *setting, void *field, const char *value)
{
	return process_set(field, process_find_setting(setting->name), value);
}

static void print_process(const struct setting *setting, const void *field, FILE *out)
{
	const struct process_config *process = field;

	fputs(process->texts[process_find_setting(setting->name)], out);
}

/* ---- the table ---- */

static const char *const log_levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	NULL,
};

static const char *const cleartext_logins[] = {
	[CLEARTEXT_LOGINS_NEVER] = "never",
	[CLEARTEXT_LOGINS_LOOPBACK] = "loopback",
	[CLEARTEXT_LOGINS_ALWAYS] = "always",
	NULL,
};

static const char *const chromas[] = {
	[JPEG_CHROMA_420] = "420",
	[JPEG_CHROMA_422] = "422",
	[JPEG_CHROMA_SOURCE] = "source",
	NULL,
};

static const char *const idles[] = {[IDLE_ENCODE] = "encode", [IDLE_STOP] = "stop", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};

#define FIELD(type, field) offsetof(type, field), sizeof(((type *)NULL)->field)
#define SERVER(field)      false, FIELD(struct settings, field)
#define CAMERA(field)      true, FIELD(struct camera_settings, field)
/* What is allowed, process/ says itself. */
#define PROCESS(name, argument)                                                            \
	{                                                                                  \
		name, true, offsetof(struct camera_settings, process), PROCESS_TEXT_BYTES, \
			parse_process, print_process, argument, NULL, NULL                 \
	}
#define ADDRESS_ALLOWED "ADDR:PORT, [IPV6]:PORT, :PORT for every address, or off"

/* clang-format off */
static const struct setting settings_table[] = {
	{"http", SERVER(server.http), parse_address, print_address,
		"ADDR:PORT|off", "HTTP without TLS; :8080 listens everywhere", ADDRESS_ALLOWED},
	{"https", SERVER(server.https), parse_address, print_address,
		"ADDR:PORT|off", "HTTP/2 and HTTP/1.1 with TLS", ADDRESS_ALLOWED},
	{"cert", SERVER(server.cert), parse_text, print_text,
		"PATH", "PEM certificate (without one: a self-signed)", NULL},
	{"key", SERVER(server.key), parse_text, print_text,
		"PATH", "its PEM private key", NULL},
	{"state-dir", SERVER(server.state_dir), parse_directory, print_text,
		"PATH", NULL, "the path of a directory"},
	{"stall-timeout", SERVER(server.limits.stall_timeout_s), parse_count, print_count,
		"SECONDS", NULL, "a whole number from 1 to 3600", .most = 3600},
	{"target-age", SERVER(server.target_age_ms), parse_count, print_count,
		"MS", NULL, "a whole number of milliseconds from 1 to 10000", .most = 10000},
	{"request-timeout", SERVER(server.limits.request_timeout_s), parse_count, print_count,
		"SECONDS", NULL, "a whole number from 1 to 3600", .most = 3600},
	{"max-connections", SERVER(server.limits.connections), parse_count, print_count,
		"N", NULL, "a whole number from 1 to 10000", .most = 10000},
	{"max-connections-per-address", SERVER(server.limits.connections_per_address),
		parse_count, print_count,
		"N", NULL, "a whole number from 1 to 10000", .most = 10000},
	{"max-streams", SERVER(server.limits.streams), parse_count, print_count,
		"N", NULL, "a whole number from 1 to 10000", .most = 10000},
	{"max-streams-per-connection", SERVER(server.limits.streams_per_connection),
		parse_count, print_count,
		"N", NULL, "a whole number from 1 to 100", .most = 100},
	{"max-requests-per-second", SERVER(server.limits.requests_per_second),
		parse_count, print_count,
		"N", NULL, "a whole number from 1 to 10000", .most = 10000},
	{"max-handshakes-per-second", SERVER(server.limits.handshakes_per_second),
		parse_count, print_count,
		"N", NULL, "a whole number from 1 to 10000", .most = 10000},
	{"max-url-bytes", SERVER(server.limits.url_bytes), parse_count, print_count,
		"N", NULL, "a whole number from 256 to 8192", .least = 256, .most = 8192},
	{"max-header-bytes", SERVER(server.limits.header_bytes), parse_count, print_count,
		"N", NULL, "a whole number from 1024 to 32768", .least = 1024, .most = 32768},
	{"max-body-bytes", SERVER(server.limits.body_bytes), parse_count, print_count,
		"N", NULL, "a whole number from 256 to 8192", .least = 256,
		.most = CONTROL_REQUEST_BYTES},
	{"accounts", SERVER(server.accounts), parse_text, print_text,
		"PATH", "who may watch; see fanlight passwd", NULL},
	{"cleartext-logins", SERVER(server.cleartext_logins), parse_word, print_word,
		"never|loopback|always", NULL, "never, loopback or always", cleartext_logins},
	{"user", SERVER(user), parse_text, print_text, "NAME", NULL, NULL},
	{"hosts", SERVER(server.hosts), parse_hosts, print_text, "NAME,...", NULL,
		"names or addresses without port, such as camera.local, 192.0.2.1, [2001:db8::1]"},
	{"origins", SERVER(server.origins), parse_origins, print_text, "URL,...", NULL,
		"http:// or https:// with a host and perhaps a port, such as https://panel.example"},
	{"sandbox", SERVER(sandbox), parse_word, print_word, "yes|no", NULL, "yes or no", no_yes},
	{"lock-memory", SERVER(lock_memory), parse_word, print_word, "yes|no", NULL, "yes or no",
		no_yes},
	{"log-level", SERVER(log_level), parse_word, print_word,
		"LEVEL", "error, warning or info", "error, warning or info", log_levels},
	{"encode-threads", SERVER(encode_threads), parse_threads, print_threads,
		"N", "threads for one picture, 1 to 16; auto: one a core",
		"a number from 1 to 16, or auto"},
	{"source", CAMERA(camera.source), parse_source, print_text,
		"SOURCE", "auto, pattern, PATH, name:NAME or bus:BUS",
		"auto, pattern, name:NAME, bus:BUS, v4l2:PATH, replay:PATH, or a path with a / such as /dev/video0 or ./a.mjpg"},
	{"size", CAMERA(camera), parse_size, print_size,
		"WxH", "pixels, such as 1280x720",
		"WIDTHxHEIGHT, even numbers from 2 to 16384, or auto"},
	{"fps", CAMERA(camera.fps), parse_fps, print_fps,
		"N", "frames per second, such as 30 or 30000/1001",
		"a number from 0.001 to 1000, a fraction such as 30000/1001, or auto"},
	{"format", CAMERA(camera.fourcc), parse_format, print_format,
		"FOURCC", "pixel format, such as YUYV or MJPG",
		"a V4L2 format of up to four characters, such as YUYV or MJPG, or auto"},
	{"quality", CAMERA(jpeg.quality), parse_quality, print_number,
		"N", "of the JPEGs, 1 to 100", "a number from 1 to 100"},
	{"chroma", CAMERA(jpeg.chroma), parse_word, print_word,
		"CHROMA", "colour resolution of the JPEGs: 420, 422 or source",
		"420, 422 or source", chromas},
	{"placeholder", CAMERA(placeholder), parse_word, print_word,
		"yes|no", NULL, "yes or no", no_yes},
	{"font", CAMERA(font), parse_text, print_text,
		"PATH", NULL, NULL},
	{"idle", CAMERA(idle), parse_word, print_word,
		"encode|stop", NULL, "encode or stop", idles},
	{"variants", CAMERA(variants), parse_count, print_count,
		"N", NULL, "a whole number from 0 to 8", .most = VARIANTS_MOST, .zero = true},
	{"input", CAMERA(camera.input), parse_text_or_auto, print_text_or_auto,
		"NAME", "of a device with several; name or number",
		"the name or number of an input, or auto"},
	{"standard", CAMERA(camera.standard), parse_text_or_auto, print_text_or_auto,
		"NAME", "of analogue video: PAL, NTSC, SECAM or a variant",
		"PAL, NTSC, SECAM or one of their variants, or auto"},
	{"edid", CAMERA(camera.edid), parse_text, print_text,
		"PATH", NULL, NULL},
	{"memory", CAMERA(camera.memory), parse_word, print_word,
		"KIND", NULL, "auto, mmap, drm, heap or udmabuf", memory_names},
	{"preview", CAMERA(camera.preview), parse_text_or_off, print_text_or_off,
		"on|NAME|off", NULL, "on, the name of a screen's connector such as HDMI-A-1, or off"},
	{"preview-mode", CAMERA(camera.preview_mode), parse_mode, print_text_or_auto,
		"WxH@HZ", NULL, "WIDTHxHEIGHT or WIDTHxHEIGHT@HERTZ, such as 1920x1080@60, or auto"},
	{"controls", CAMERA(camera), parse_controls, print_controls,
		"NAME=N,...", "set at start, as v4l2-ctl spells them",
		"NAME=NUMBER, NAME=NUMBER, at most 32, names in lower case"},
	PROCESS("process", "NAME,..."),
	PROCESS("rotate", "0|90|180|270"),
	PROCESS("flip", "none|horizontal|vertical|both"),
	PROCESS("crop", "WxH+X+Y"),
	PROCESS("scale", "1/N|WxH"),
	PROCESS("mask", "X,Y X,Y X,Y;..."),
	PROCESS("mask-style", "black|mosaic"),
	PROCESS("overlay", "PLACE TEXT;..."),
	PROCESS("logo", "PATH"),
	PROCESS("plugin-dir", "PATH"),
	PROCESS("plugin-budget", "MS|off"),
};
/* clang-format on */

#define N_SETTINGS (sizeof settings_table / sizeof *settings_table)
_Static_assert(N_SETTINGS <= 64, "each has a bit of loader.seen");

/* Options that are no settings. */
enum {
	OPTION_FIRST = 256,
	OPTION_CAMERA = OPTION_FIRST + N_SETTINGS,
	OPTION_CHECK,
	OPTION_LIST,
	OPTION_PREVIEW_ONLY
};

static const struct option other_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"camera", required_argument, NULL, OPTION_CAMERA},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"list", no_argument, NULL, OPTION_LIST},
	{"preview-only", no_argument, NULL, OPTION_PREVIEW_ONLY},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
};

#define N_OTHER_OPTIONS (sizeof other_options / sizeof *other_options)

ANY_THREAD static const struct setting *find_setting(const char *name)
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		if (!strcmp(settings_table[i].name, name))
			return &settings_table[i];
	return NULL;
}

/* ---- errors ---- */

/* Write one line: the place, the setting where one is concerned, the sentence. Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) ON_MAIN static int complain(
	struct loader *loader, const char *name, const char *format, ...)
{
	char sentence[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	for (char *c = sentence; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?'; /* whatever was typed, an error is one line */

	if (loader->here.line)
		fprintf(loader->messages, "%s:%d: ", loader->here.path, loader->here.line);
	else if (loader->here.path)
		fprintf(loader->messages, "%s: ", loader->here.path);
	if (name)
		fprintf(loader->messages, "%s%s: ", loader->here.path ? "" : "--", name);
	fprintf(loader->messages, "%s\n", sentence);
	loader->error = -EINVAL;
	return -EINVAL;
}

/* Edits from one word to another: insertions, deletions and replacements. */
ANY_THREAD static size_t edit_distance(const char *a, const char *b)
{
	size_t length = strlen(b), row[32];

	assert(length < sizeof row / sizeof *row); /* b is one of our names */
	for (size_t i = 0; i <= length; i++)
		row[i] = i;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			size_t best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (best > diagonal + 1)
				best = diagonal + 1;
			if (best > row[j] + 1)
				best = row[j] + 1;
			row[j + 1] = best;
		}
	}
	return row[length];
}

/* The name that was probably meant, or NULL. */
ANY_THREAD static const char *find_nearest(const char *name, bool with_options)
{
	size_t best = 3; /* two slips still look like the word */
	const char *nearest = NULL;

	for (size_t i = 0; i < N_SETTINGS + (with_options ? N_OTHER_OPTIONS : 0); i++) {
		const char *known = i < N_SETTINGS ? settings_table[i].name
						   : other_options[i - N_SETTINGS].name;
		size_t distance = edit_distance(name, known);

		if (distance < best && distance < strlen(known)) {
			best = distance;
			nearest = known;
		}
	}
	return nearest;
}

/* ---- one setting, one camera ---- */

/* A value has to survive a line of the file: no control characters, no space around it. */
ANY_THREAD static bool fits_a_line(const char *value)
{
	size_t length = strlen(value);

	for (const char *c = value; *c; c++)
		if (iscntrl((unsigned char)*c))
			return false;
	return !length ||
	       (!isspace((unsigned char)value[0]) && !isspace((unsigned char)value[length - 1]));
}

ON_MAIN static int apply(struct loader *loader, const struct setting *setting, const char *value)
{
	void *owner = loader->settings;
	const char *allowed = setting->allowed;
	int err;

	if (!fits_a_line(value))
		return complain(loader, setting->name,
			"\"%s\" is not allowed; use no control characters and no space around it",
			value);
	if (setting->per_camera)
		owner = loader->current ? loader->current : &loader->every;
	err = setting->parse(setting, (char *)owner + setting->offset, value);
	if (err == -ENAMETOOLONG)
		return complain(loader, setting->name, "\"%s\" is too long; use at most %zu bytes",
			value, setting->size_bytes - 1);
	if (setting->parse == parse_process)
		allowed = process_setting_allowed(process_find_setting(setting->name));
	if (err < 0)
		return complain(
			loader, setting->name, "\"%s\" is not allowed; use %s", value, allowed);

	loader->origins[setting - settings_table] = loader->here;
	if (owner != &loader->every)
		return 0;
	for (size_t i = 0; i < loader->settings->n_cameras; i++)
		(void)setting->parse(setting, /* what it took once it takes again */
			(char *)&loader->settings->cameras[i] + setting->offset, value);
	return 0;
}

ON_MAIN static struct camera_settings *find_camera(struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->n_cameras; i++)
		if (!strcmp(settings->cameras[i].camera.name, name))
			return &settings->cameras[i];
	return NULL;
}

/* The first segments of the server's own paths: a camera of that name would hide behind them. */
ANY_THREAD static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {"stream", "snapshot", "state", "healthz", "live",
		"metrics", "controls", "process", "cameras", "api", "static", "auth", "login",
		"logout"};

	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (!strcmp(reserved[i], name))
			return true;
	return false;
}

/* Make a camera and turn to it: what follows is for it. */
ON_MAIN static int add_camera(struct loader *loader, const char *name)
{
	struct settings *settings = loader->settings;
	size_t length = strlen(name);

	if (!length || length >= sizeof loader->every.camera.name ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
			length)
		return complain(loader, "camera",
			"\"%s\" is no name for a camera; use 1 to 31 letters, digits, - and _",
			name);
	if (is_reserved(name))
		return complain(loader, "camera",
			"\"%s\" is a path of the server itself; use another name", name);
	if (settings->n_cameras == SETTINGS_CAMERAS_MAX)
		return complain(loader, "camera", "\"%s\" is one too many; use at most %d cameras",
			name, SETTINGS_CAMERAS_MAX);

	loader->current = &settings->cameras[settings->n_cameras++];
	*loader->current = loader->every;
	strcpy(loader->current->camera.name, name);
	return 0;
}

/* ---- the file ---- */

/* header begins with a '['. */
ON_MAIN static int begin_section(struct loader *loader, const char *header)
{
	char text[LINE_MAX_BYTES], *kind, *name, *rest;
	size_t length = strcspn(header, "]");

	if (!header[length])
		return complain(loader, NULL, "lacks a ]; write [camera NAME]");
	if (header[length + 1 + strspn(header + length + 1, WHITE_SPACE)])
		return complain(loader, NULL, "nothing may follow [camera NAME] on its line");
	(void)snprintf(text, sizeof text, "%.*s", (int)length - 1, header + 1);
	kind = strtok_r(text, WHITE_SPACE, &rest);
	name = strtok_r(NULL, WHITE_SPACE, &rest);
	if (!kind || strcmp(kind, "camera") || !name || strtok_r(NULL, WHITE_SPACE, &rest))
		return complain(loader, NULL, "%.*s] is no section; use [camera NAME]", (int)length,
			header);
	if (find_camera(loader->settings, name))
		return complain(loader, "camera",
			"\"%s\" is there twice; use another name or one section", name);
	loader->seen = 0;
	return add_camera(loader, name);
}

/*
 * inih's reader: one line, looked at before inih does, which tells nobody of a section without
 * settings, of a line that it cuts, or which line a setting was on.
 */
ON_MAIN static char *read_line(char *line, int line_bytes, void *context)
{
	struct loader *loader = context;
	const char *start;

	if (loader->error || !fgets(line, line_bytes, loader->file))
		return NULL;
	loader->here.line++;
	if (!strchr(line, '\n') && !feof(loader->file)) {
		(void)complain(loader, NULL,
			"the line is longer than %d bytes or is no text; write it shorter",
			line_bytes - 2);
		return NULL;
	}
	if (loader->here.line == 1 && !strncmp(line, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)))
		memset(line, ' ', strlen(BYTE_ORDER_MARK));
	start = line + strspn(line, WHITE_SPACE);
	if (*start == '[' && begin_section(loader, start) < 0)
		return NULL;
	return line;
}

ON_MAIN static int apply_named(struct loader *loader, const char *name, const char *value)
{
	const struct setting *setting = find_setting(name);
	const char *nearest = find_nearest(name, false);
	uint64_t bit;

	if (!setting && nearest)
		return complain(
			loader, NULL, "\"%s\" is no setting; did you mean \"%s\"?", name, nearest);
	if (!setting)
		return complain(loader, NULL, "\"%s\" is no setting; see fanlight.conf(5)", name);
	if (!setting->per_camera && loader->current)
		return complain(loader, name,
			"is not a camera's; put it at the top, before the first [camera NAME]");
	bit = UINT64_C(1) << (setting - settings_table);
	if (loader->seen & bit)
		return complain(loader, name, "is there twice in this section; leave one");
	loader->seen |= bit;
	return apply(loader, setting, value);
}

/* inih's handler: one setting. Returns 1, or 0 to stop. read_line() keeps track of the section. */
ON_MAIN static int read_setting(
	void *context, const char *section, const char *name, const char *value)
{
	(void)section;
	return !apply_named(context, name, value);
}

/* Read the file at path; it may be missing if it is only the default one. */
ON_MAIN static int load_file(struct loader *loader, const char *path, bool required)
{
	int bad_line;

	loader->here = (struct place){.path = path};
	loader->file = fopen(path, "re");
	if (!loader->file) {
		int err = -errno;

		if (err == -ENOENT && !required)
			return 0;
		(void)complain(loader, NULL, "cannot be read: %s", strerror(-err));
		return err;
	}

	/* Debian's inih takes these at run time. A value is the rest of its line, as it stands. */
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_stop_on_first_error = true;
	ini_use_stack = false;
	ini_initial_alloc = LINE_MAX_BYTES;
	bad_line = ini_parse_stream(read_line, loader, read_setting, loader);

	if (!loader->error && ferror(loader->file)) {
		loader->here.line = 0;
		(void)complain(loader, NULL, "cannot be read: %s", strerror(errno));
	} else if (!loader->error && bad_line) {
		(void)complain(
			loader, NULL, "is not understood; write NAME = VALUE or [camera NAME]");
	}
	(void)fclose(loader->file); /* only read from */
	return loader->error;
}

/* ---- the command line ---- */

/* Say what is wrong with the option that getopt_long() has just stumbled over. */
ON_MAIN static int complain_option(struct loader *loader, int found, char **argv)
{
	const char *text = argv[optind - 1], *nearest;
	char name[32];

	if (found == ':')
		return complain(loader, NULL, "%s: needs a value; see fanlight --help", text);
	/* In the midst of -xyz argv has nothing to show, but the letter is known. */
	if (optopt && !strchr(text, '='))
		return complain(loader, NULL, "-%c is no option; see fanlight --help", optopt);
	(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(text + 2, "="), text + 2);
	if (optopt)
		return complain(loader, name, "takes no value");
	nearest = find_nearest(name, true);
	if (nearest)
		return complain(
			loader, NULL, "--%s is no option; did you mean --%s?", name, nearest);
	return complain(loader, NULL, "--%s is no option; see fanlight --help", name);
}

ON_MAIN static void fill_options(struct option options[N_SETTINGS + N_OTHER_OPTIONS + 1])
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		options[i] = (struct option){
			settings_table[i].name, required_argument, NULL, OPTION_FIRST + (int)i};
	memcpy(options + N_SETTINGS, other_options, sizeof other_options);
	options[N_SETTINGS + N_OTHER_OPTIONS] = (struct option){0};
}

/*
 * Walk over the options, either only to find what they ask for and the file (apply_them false) or
 * to apply the settings among them.
 */
ON_MAIN static int walk_options(struct loader *loader, int argc, char **argv, bool apply_them,
	enum settings_action *ret_action, const char **ret_path)
{
	struct option options[N_SETTINGS + N_OTHER_OPTIONS + 1];
	int found, err = 0;

	fill_options(options);
	loader->here = (struct place){0};
	loader->current = NULL;
	opterr = 0;
	optind = 0; /* begin anew, in glibc's way */
	while (err >= 0 && (found = getopt_long(argc, argv, "-:c:hV", options, NULL)) != -1) {
		switch (found) {
		case 'h':
			*ret_action = SETTINGS_HELP;
			return 0;
		case 'V':
			*ret_action = SETTINGS_VERSION;
			return 0;
		case OPTION_LIST:
			*ret_action = SETTINGS_LIST;
			return 0;
		case OPTION_CHECK:
			*ret_action = SETTINGS_CHECK;
			break;
		case OPTION_PREVIEW_ONLY:
			loader->preview_only = true;
			break;
		case 'c':
			*ret_path = optarg;
			break;
		case OPTION_CAMERA:
			if (!apply_them)
				break;
			loader->current = find_camera(loader->settings, optarg);
			if (!loader->current)
				err = add_camera(loader, optarg);
			break;
		case 1:
			return complain(loader, NULL,
				"\"%s\" is no option; a camera is given as --source %s", optarg,
				optarg);
		case '?':
		case ':':
			return complain_option(loader, found, argv);
		default:
			if (apply_them)
				err = apply(loader, &settings_table[found - OPTION_FIRST], optarg);
		}
	}
	if (err >= 0 && optind < argc)
		return complain(
			loader, NULL, "\"%s\" is no option; see fanlight --help", argv[optind]);
	return err;
}

/* ---- all together ---- */

/* Where state lives unless told: systemd's choice, the system's for root, the user's own. */
ON_MAIN static void find_state_dir(char *ret_path, size_t path_bytes)
{
	const char *given = getenv("STATE_DIRECTORY"), *state = getenv("XDG_STATE_HOME"),
		   *home = getenv("HOME");

	if (given && *given)
		(void)snprintf(ret_path, path_bytes, "%.*s", (int)strcspn(given, ":"), given);
	else if (geteuid() && state && *state == '/')
		(void)snprintf(ret_path, path_bytes, "%s/fanlight", state);
	else if (geteuid() && home && *home == '/')
		(void)snprintf(ret_path, path_bytes, "%s/.local/state/fanlight", home);
	else
		(void)snprintf(ret_path, path_bytes, "/var/lib/fanlight");
}

/* The defaults, in the words of the file. What is not named here is zero. */
ON_MAIN static int apply_defaults(struct loader *loader)
{
	char state_dir[PATH_MAX];
	const char *const defaults[][2] = {
		{"http", "127.0.0.1:8080"},
		{"https", "127.0.0.1:8443"},
		{"state-dir", state_dir},
		{"stall-timeout", "10"},
		{"target-age", "100"},
		{"request-timeout", "10"},
		{"max-connections", "256"},
		{"max-connections-per-address", "64"},
		{"max-streams", "128"},
		{"max-streams-per-connection", "32"},
		{"max-requests-per-second", "250"},
		{"max-handshakes-per-second", "20"},
		{"max-url-bytes", "2048"},
		{"max-header-bytes", "16384"},
		{"max-body-bytes", "4096"},
		{"cleartext-logins", "loopback"},
		{"sandbox", "yes"},
		{"lock-memory", "no"},
		{"log-level", "info"},
		{"source", "auto"},
		{"quality", "80"},
		{"chroma", "420"},
		{"placeholder", "yes"},
		{"variants", "4"},
		{"font", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"},
	};
	int err = 0;

	process_config_init(&loader->every.process);
	find_state_dir(state_dir, sizeof state_dir);
	for (size_t i = 0; !err && i < sizeof defaults / sizeof *defaults; i++)
		err = apply(loader, find_setting(defaults[i][0]), defaults[i][1]);
	return err;
}

/* Complain about a setting at the place that its value came from. */
ON_MAIN static int complain_of(struct loader *loader, const char *name, const char *sentence)
{
	loader->here = loader->origins[find_setting(name) - settings_table];
	return complain(loader, name, "%s", sentence);
}

ANY_THREAD static bool has_preview(const struct settings *settings)
{
	for (size_t i = 0; i < settings->n_cameras; i++)
		if (*settings->cameras[i].camera.preview)
			return true;
	return false;
}

/* Pictures on screens and nowhere else; of the first camera, unless told. */
ANY_THREAD static void preview_only(struct settings *settings)
{
	settings->server.http.enabled = settings->server.https.enabled = false;
	if (!has_preview(settings))
		strcpy(settings->cameras[0].camera.preview, "on");
}

/* A connector shows one camera. */
ON_MAIN static int check_screens(struct loader *loader)
{
	const struct camera_settings *cameras = loader->settings->cameras;

	for (size_t i = 0; i < loader->settings->n_cameras; i++) {
		const char *screen = cameras[i].camera.preview;

		for (size_t k = 0; k < i && *screen && strcmp(screen, "on"); k++) {
			if (strcmp(cameras[k].camera.preview, screen))
				continue;
			loader->here = loader->origins[find_setting("preview") - settings_table];
			return complain(loader, "preview",
				"\"%s\" cannot show both camera %s and camera %s; name another "
				"connector for one of them",
				screen, cameras[k].camera.name, cameras[i].camera.name);
		}
	}
	return 0;
}

/* What each setting alone cannot know. */
ON_MAIN static int check_together(struct loader *loader)
{
	const struct server_config *server = &loader->settings->server;
	const struct server_address *http = &server->http, *https = &server->https;

	if (*server->cert && !*server->key)
		return complain_of(loader, "cert", "goes with a key; give that too, or neither");
	if (*server->key && !*server->cert)
		return complain_of(loader, "key", "goes with a cert; give that too, or neither");
	for (size_t i = 0; i < loader->settings->n_cameras; i++) {
		const struct camera_settings *camera = &loader->settings->cameras[i];
		const char *idle = process_find_idle(&camera->process);

		if (*camera->camera.preview && process_hides(&camera->process))
			return complain_of(loader, "process",
				"has a mask, and the preview shows pictures without filters; leave "
				"the mask out, or preview");
		if (idle)
			return complain_of(loader, idle,
				"does nothing unless process names its filter; add that, or leave "
				"this out");
	}
	if (!http->enabled && !https->enabled && !has_preview(loader->settings))
		return complain_of(loader, "https",
			"is off and so is http; nobody could watch, leave one of them on");
	if (http->enabled && https->enabled && http->port && http->port == https->port &&
		!strcmp(http->host, https->host))
		return complain_of(loader, "https", "is the same as http; use another port");
	return check_screens(loader);
}

int settings_load(int argc, char **argv, struct settings *ret_settings,
	enum settings_action *ret_action, FILE *messages)
{
	struct place origins[N_SETTINGS] = {{0}};
	struct loader loader = {.settings = ret_settings, .origins = origins, .messages = messages};
	const char *path = NULL;
	int err;

	*ret_settings = (struct settings){0};
	*ret_action = SETTINGS_RUN;
	err = apply_defaults(&loader);
	if (err < 0)
		return err;
	err = walk_options(&loader, argc, argv, false, ret_action, &path);
	if (err < 0 || (*ret_action != SETTINGS_RUN && *ret_action != SETTINGS_CHECK))
		return err;
	err = load_file(&loader, path ? path : DEFAULT_PATH, path);
	if (err < 0)
		return err;
	err = walk_options(&loader, argc, argv, true, ret_action, &path);
	if (err < 0)
		return err;
	if (!ret_settings->n_cameras)
		err = add_camera(&loader, "camera");
	if (!err && loader.preview_only)
		preview_only(ret_settings);
	return err < 0 ? err : check_together(&loader);
}

ON_MAIN static void print_some(bool per_camera, const void *owner, FILE *out)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const struct setting *setting = &settings_table[i];

		if (setting->per_camera != per_camera)
			continue;
		fprintf(out, "%s = ", setting->name);
		setting->print(setting, (const char *)owner + setting->offset, out);
		fputc('\n', out);
	}
}

void settings_print(const struct settings *settings, FILE *out)
{
	print_some(false, settings, out);
	for (size_t i = 0; i < settings->n_cameras; i++) {
		fprintf(out, "\n[camera %s]\n", settings->cameras[i].camera.name);
		print_some(true, &settings->cameras[i], out);
	}
}

ON_MAIN static void print_option(
	FILE *out, const char *letter, const char *name, const char *argument, const char *help)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%s %s", name, argument);
	fprintf(out, "  %3s --%-20s%s\n", letter, text, help);
}

void settings_usage(FILE *out)
{
	fputs("Usage: fanlight [OPTION]...    Camera pictures, fresh. More in fanlight(1).\n", out);
	print_option(out, "-c,", "config", "PATH", "settings file [" DEFAULT_PATH "]");
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const struct setting *setting = &settings_table[i];

		if (setting->per_camera && !settings_table[i - 1].per_camera)
			print_option(out, "", "camera", "NAME",
				"what follows is for this camera; before: for all");
		if (setting->help)
			print_option(out, "", setting->name, setting->argument, setting->help);
	}
	print_option(out, "", "list", "", "print this machine's cameras");
	print_option(out, "", "check", "", "print the settings in effect, as a settings file");
	print_option(out, "-V,", "version", "", "print the version");
	print_option(out, "-h,", "help", "", "print this");
	fputs("Try fanlight --source pattern, and open http://127.0.0.1:8080/ in a browser.\n",
		out);
}
