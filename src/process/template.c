#include "process/template.h"

#include <stdio.h>
#include <string.h>

/* Those of strftime() in glibc, and its literal %. */
#define TIME_LETTERS "aAbBcCdDeFgGhHIjklmMnpPrRsSTuUVwWxXyYzZ%"

#define RESULT_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

enum field_kind {
	FIELD_NAME,
	FIELD_FPS,
	FIELD_SEQUENCE,
	FIELD_SIZE,
	FIELD_BRACE,
	FIELD_SEMICOLON,
	FIELD_RESULT, /* name[:length] */
	FIELD_TIME,   /* name[0] */
	FIELD_PLAIN,  /* name[0], as it stands */
	FIELD_UNKNOWN,
};

struct field {
	enum field_kind kind;
	const char *name;
	size_t length;
};

/* The fields without a name of their own. */
static const char *const fixed[] = {
	[FIELD_NAME] = "{name}",
	[FIELD_FPS] = "{fps}",
	[FIELD_SEQUENCE] = "{sequence}",
	[FIELD_SIZE] = "{size}",
	[FIELD_BRACE] = "{{}",
	[FIELD_SEMICOLON] = "{;}",
};
#define N_FIXED (sizeof fixed / sizeof *fixed)

/* What stands at *at, which moves behind it. */
ANY_THREAD static struct field take_field(const char **at)
{
	static const char prefix[] = "{result:";
	const char *text = *at, *name = text + strlen(prefix);
	size_t length;

	*at = text + 1;
	if (*text == '%') {
		*at += text[1] != '\0';
		return (struct field){
			text[1] && strchr(TIME_LETTERS, text[1]) ? FIELD_TIME : FIELD_UNKNOWN,
			text + 1, 1};
	}
	if (*text != '{')
		return (struct field){FIELD_PLAIN, text, 1};
	for (size_t i = 0; i < N_FIXED; i++)
		if (!strncmp(text, fixed[i], strlen(fixed[i]))) {
			*at = text + strlen(fixed[i]);
			return (struct field){(enum field_kind)i, NULL, 0};
		}
	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return (struct field){FIELD_UNKNOWN, NULL, 0};
	length = strspn(name, RESULT_CHARACTERS);
	if (!length || length >= RESULT_NAME_BYTES || name[length] != '}')
		return (struct field){FIELD_UNKNOWN, NULL, 0};
	*at = name + length + 1;
	return (struct field){FIELD_RESULT, name, length};
}

bool template_is_right(const char *template)
{
	while (*template)
		if (take_field(&template).kind == FIELD_UNKNOWN)
			return false;
	return true;
}

ON_ENCODE static const char *find_result(const struct results *results, const struct field *field)
{
	for (unsigned i = 0; i < results->n; i++)
		if (strlen(results->all[i].name) == field->length &&
			!strncmp(results->all[i].name, field->name, field->length))
			return results->all[i].text;
	return "";
}

/* Some letters, such as %p, may write nothing. */
ON_ENCODE static void print_time(char letter, const struct tm *time, char *ret_text, size_t bytes)
{
	const char format[] = {'%', letter, '\0'};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (!strftime(ret_text, bytes, format, time))
		*ret_text = '\0';
#pragma GCC diagnostic pop
}

void template_expand(const char *template, const struct template_values *values, char *ret_text,
	size_t text_bytes)
{
	size_t used = 0;

	*ret_text = '\0';
	while (*template && used < text_bytes - 1) {
		struct field field = take_field(&template);
		char *end = ret_text + used;
		size_t room = text_bytes - used;

		switch (field.kind) {
		case FIELD_NAME:
			(void)snprintf(end, room, "%s", values->name);
			break;
		case FIELD_FPS:
			(void)snprintf(end, room, "%.1f", values->fps);
			break;
		case FIELD_SEQUENCE:
			(void)snprintf(end, room, "%u", values->sequence);
			break;
		case FIELD_SIZE:
			(void)snprintf(end, room, "%ux%u", values->width, values->height);
			break;
		case FIELD_BRACE:
		case FIELD_SEMICOLON:
			(void)snprintf(end, room, "%c", fixed[field.kind][1]);
			break;
		case FIELD_RESULT:
			(void)snprintf(end, room, "%s", find_result(values->results, &field));
			break;
		case FIELD_TIME:
			print_time(*field.name, &values->time, end, room);
			break;
		case FIELD_PLAIN:
		case FIELD_UNKNOWN:
			(void)snprintf(end, room, "%.1s", field.name ? field.name : "");
			break;
		}
		used += strlen(end);
	}
}
