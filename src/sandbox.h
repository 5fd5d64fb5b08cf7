/*
 * Least privilege: what the program may ask of the kernel once it has opened its ports.
 *
 * A seccomp filter allows the system calls that cameras, the encoder and the server make, and
 * nothing may be gained any more by executing other programs (no_new_privs). What is taken away
 * above all: to execute, to fork, to trace, to connect to or listen on a network, to talk with other
 * services of the machine but in datagrams, to mount, to load modules, and the ioctls of everything
 * but cameras, displays, DMA buffers and the terminal. What a later one needs has to be opened
 * before.
 */
#ifndef FANLIGHT_SANDBOX_H
#define FANLIGHT_SANDBOX_H

#include "base/roles.h"

/*
 * Confine every thread, those that there are and those to come, for good. A call that is not
 * allowed then ends the program with SIGSYS and one line on stderr that names the call.
 * Returns 0, -ENOSYS where this program was built without (no libseccomp, or a sanitizer, which
 * needs more), or the negative errno of a kernel that has none; then nothing has changed.
 */
ON_MAIN int sandbox_enter(void);

#endif
