/* Commands: what fanlight does besides running, named by its first argument. */
#ifndef FANLIGHT_COMMANDS_H
#define FANLIGHT_COMMANDS_H

#include <stdbool.h>

#include "base/roles.h"

/*
 * Run the command that argv[1] names: passwd, token or sign. Returns false if it names none; else
 * *ret_code is the exit code, and one line on stderr says what is wrong, if anything is.
 */
ON_MAIN bool command_run(int argc, char **argv, int *ret_code);

#endif
