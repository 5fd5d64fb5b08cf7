/*
 * udmabuf as a module, which the kernel has built in or not at all: without what is not exported, and
 * with what later kernels have, an address for drivers whose device is the CPU.
 */
#include <linux/dma-buf.h>
#include <linux/hugetlb.h>
#include <linux/iosys-map.h>
#include <linux/memfd.h>
#include <linux/module.h>
#include <linux/shmem_fs.h>
#include <linux/vmalloc.h>

static struct dma_buf *export_with_address(const struct dma_buf_export_info *info);

#define memfd_fcntl(file, command, argument) SHMEM_I(file_inode(file))->seals
#define shmem_mapping(mapping)               true
#define is_file_hugepages(file)              false
#define dma_buf_export                       export_with_address
#include "udmabuf.c"
#undef dma_buf_export

static int map_pages(struct dma_buf *buf, struct iosys_map *map)
{
	struct udmabuf *ubuf = buf->priv;
	void *address = vm_map_ram(ubuf->pages, ubuf->pagecount, -1);

	if (!address)
		return -ENOMEM;
	iosys_map_set_vaddr(map, address);
	return 0;
}

static void unmap_pages(struct dma_buf *buf, struct iosys_map *map)
{
	struct udmabuf *ubuf = buf->priv;

	vm_unmap_ram(map->vaddr, ubuf->pagecount);
}

static struct dma_buf *export_with_address(const struct dma_buf_export_info *info)
{
	static struct dma_buf_ops ops; /* the same each time */
	struct dma_buf_export_info with_address = *info;

	ops = udmabuf_ops;
	ops.vmap = map_pages;
	ops.vunmap = unmap_pages;
	with_address.ops = &ops;
	return dma_buf_export(&with_address);
}

MODULE_IMPORT_NS(DMA_BUF);
