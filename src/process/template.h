/*
 * A template: text with what is known of a picture in it.
 *
 *   {name}         the camera's name
 *   {fps}          pictures in a second, such as 29.9
 *   {sequence}     the picture's number, as the camera counts
 *   {size}         as it is shown, such as 1280x720
 *   {result:NAME}  what another filter found in it; nothing when it did not
 *   {{}  {;}       these characters: { and ;
 *   %F  %T  ...    when it was taken, as strftime(3) says
 */
#ifndef FANLIGHT_PROCESS_TEMPLATE_H
#define FANLIGHT_PROCESS_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/roles.h"
#include "exchange/results.h"

struct template_values {
	const char *name;
	double fps;
	uint32_t sequence, width, height;
	struct tm time;
	const struct results *results;
};

/* Whether all fields of a template are known. */
ANY_THREAD bool template_is_right(const char *template);

/* Write what a right template says; what does not fit is left out. */
ON_ENCODE void template_expand(const char *template, const struct template_values *values,
	char *ret_text, size_t text_bytes);

#endif
