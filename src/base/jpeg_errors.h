/* libjpeg's errors as values: it writes no words, and jumps where it would end the process. */
#ifndef FANLIGHT_JPEG_ERRORS_H
#define FANLIGHT_JPEG_ERRORS_H

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>

#include "base/roles.h"

struct jpeg_errors {
	struct jpeg_error_mgr manager;
	jmp_buf failure;
};

/*
 * Returns the manager, to be err of a compressor or decompressor. Whoever calls libjpeg has called
 * setjmp() on failure, which returns once more when libjpeg gives up; manager.msg_code says why.
 */
ANY_THREAD struct jpeg_error_mgr *jpeg_errors_init(struct jpeg_errors *errors);

#endif
