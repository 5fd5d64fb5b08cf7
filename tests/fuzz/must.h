/* What holds whatever the input: a promise that is broken is a crash, which the fuzzer keeps. */
#ifndef FANLIGHT_FUZZ_MUST_H
#define FANLIGHT_FUZZ_MUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool promise)
{
	if (!promise)
		abort();
}

/* The input as text, up to its first 0; to be freed. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);

	must(text);
	if (size)
		memcpy(text, data, size);
	return text;
}

#endif
