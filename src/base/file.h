/* Files that are there whole or not at all, and the folders that they lie in. */
#ifndef FANLIGHT_FILE_H
#define FANLIGHT_FILE_H

#include <stddef.h>

#include "base/roles.h"

#define FILE_PATH_BYTES 512

/* Make a folder and those above it; the last is for its owner only. 0 or a negative errno. */
ANY_THREAD int file_make_folders(const char *path);

/*
 * Write a file that only its owner may read, in place of one that is there, whose owner and mode it
 * keeps where it may; else it belongs to whom its folder does. Returns 0 or a negative errno; then
 * what was there is there still.
 */
ANY_THREAD int file_replace(const char *path, const void *data, size_t bytes);

/*
 * Read a file of at most size_bytes - 1 into text, and a 0 after it. Returns how many bytes, -EFBIG
 * or another negative errno.
 */
ANY_THREAD int file_read(const char *path, char *text, size_t size_bytes);

#endif
