/* Whatever stands in an Authorization header: no crash, and a login has a secret that ends. */
#include "must.h"

#include "server/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct login login;

	must(copy);
	memcpy(copy, data, size);
	if (login_parse((h2o_iovec_t){copy, size}, &login)) {
		must(memchr(login.name, '\0', sizeof login.name));
		must(memchr(login.secret, '\0', sizeof login.secret));
		must(*login.name || *login.secret);
		must(!strchr(login.name, ':'));
	}
	free(copy);
	return 0;
}
