/* Nothing is signed but what was signed: not the input, and not a signed one with a byte changed. */
#include "must.h"

#include "server/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[SIGNATURE_KEY_BYTES] = "a key that nobody ever will use";
	char text[SIGNATURE_ADDRESS_BYTES], *address = text_of(data, size), *path;

	must(!signature_check(key, address, strlen(address), 0));
	if (!signature_sign(key, address, 2, text)) {
		path = strstr(text, "://");
		path = strchr(path ? path + 3 : text, '/');
		must(path && signature_check(key, path, strlen(path), 1));
		must(!signature_check(key, path, strlen(path), 2));
		path[data[0] % strlen(path)] ^= 1;
		must(!signature_check(key, path, strlen(path), 1));
	}
	free(address);
	return 0;
}
