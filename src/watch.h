/* Files that may be changed or replaced while the program runs: one fd that says so. */
#ifndef FANLIGHT_WATCH_H
#define FANLIGHT_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/roles.h"

/*
 * Watch the folders that these files are in, for a file that is replaced is another file; "" is
 * left out, and so is what cannot be watched. Returns a non-blocking fd, or a negative errno.
 */
ON_MAIN int watch_files(const char *const *paths, size_t n);

/* Read what the readable fd has to tell; whether it was about one of the files, by their names. */
ON_MAIN bool watch_tells(int fd, const char *const *paths, size_t n);

#endif
