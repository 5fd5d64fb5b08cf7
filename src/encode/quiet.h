/* libjpeg without its own words: what goes wrong reaches the caller as a value. */
#ifndef FANLIGHT_QUIET_H
#define FANLIGHT_QUIET_H

#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>

#include "base/roles.h"

/* Make an error manager that says nothing and calls fail, which does not return. Returns errors. */
ANY_THREAD struct jpeg_error_mgr *quiet_errors(
	struct jpeg_error_mgr *errors, void (*fail)(j_common_ptr libjpeg));

#endif
