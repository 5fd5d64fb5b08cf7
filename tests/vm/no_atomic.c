/* To preload: a kernel that has never heard of atomic commits, as far as libdrm can tell. */
#include <errno.h>

#include <xf86drm.h>

int drmSetClientCap(int fd, uint64_t capability, uint64_t value)
{
	(void)fd;
	(void)capability;
	(void)value;
	return -EINVAL;
}
