#include "encode/kernels.h"

/* Of loops.c, as the build names them. */
extern const struct kernels kernels_baseline, kernels_avx2;

const struct kernels *kernels_find(unsigned i)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2") && !i--)
		return &kernels_avx2;
#endif
	return i ? NULL : &kernels_baseline;
}
