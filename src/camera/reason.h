/* The sentence that says why a call failed. */
#ifndef FANLIGHT_REASON_H
#define FANLIGHT_REASON_H

#include "camera/camera.h"

/* Write the sentence; returns err, so that a failing function can return this. */
ANY_THREAD int reason_set(char reason[CAMERA_REASON_BYTES], int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Add an item to the list that the sentence ends in: separator, then item. What has no room any
 * more is shown as "..." once; further items are ignored.
 */
ANY_THREAD void reason_add(
	char reason[CAMERA_REASON_BYTES], const char *separator, const char *item);

#endif
