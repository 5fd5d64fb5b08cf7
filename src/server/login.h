/* A login: the name and secret that came in an Authorization header. */
#ifndef FANLIGHT_SERVER_LOGIN_H
#define FANLIGHT_SERVER_LOGIN_H

#include <stdbool.h>

#include <h2o.h>

#include "base/roles.h"
#include "server/accounts.h"

struct login {
	char name[ACCOUNT_NAME_BYTES];     /* "" of a token */
	char secret[ACCOUNT_SECRET_BYTES]; /* password or token */
};

/*
 * Understand the value of an Authorization header: "Basic" and base64 of NAME:PASSWORD, or "Bearer"
 * and a token. Whether it is one of these.
 */
ANY_THREAD bool login_parse(h2o_iovec_t value, struct login *ret_login);

#endif
