/* DMA heaps as a module, which the kernel has built in or not at all. */
#include <linux/module.h>

#undef subsys_initcall
#define subsys_initcall(init)
#include "dma-heap.c"
#undef module_init
#define module_init(init)
#include "system_heap.c"

static int heaps_init(void)
{
	int err = dma_heap_init();

	return err ? err : system_heap_create();
}

int init_module(void) __attribute__((alias("heaps_init")));
MODULE_IMPORT_NS(DMA_BUF);
