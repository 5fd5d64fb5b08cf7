/* The user that the program runs as, where root started it. */
#ifndef FANLIGHT_USER_H
#define FANLIGHT_USER_H

#include "base/roles.h"

#define USER_REASON_BYTES 256

/*
 * Become the user of that name for good, with the groups that he is in, and video and render, which
 * may open cameras and screens. A state_dir that is not there is made first, and his. To be called
 * before there are threads. Who is that user already stays so, whatever his groups.
 * Returns 0, or a negative errno with one sentence in reason; then the program has to end.
 */
ON_MAIN int user_become(const char *name, const char *state_dir, char reason[USER_REASON_BYTES]);

#endif
