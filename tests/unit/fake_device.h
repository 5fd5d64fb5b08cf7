/*
 * A V4L2 device made of answers, for what drivers do that none here does: behind open(), ioctl(),
 * mmap(), munmap() and poll(), in whose places the linker puts it (fake_device in meson.build). It
 * shares its program with a DMA heap.
 */
#ifndef FANLIGHT_FAKE_DEVICE_H
#define FANLIGHT_FAKE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/videodev2.h>

#define FAKE_PATH     "/dev/fake-camera"
#define FAKE_HEAP     "/dev/dma_heap/system"
#define FAKE_BUFFERS  8
#define FAKE_CONTROLS 12

enum { AUTO_GAIN = V4L2_CID_BASE, GAIN, MODE, RATE, RESET, WIDE, BITS, TEXT, HOT, CROP, ODD };

struct fake_control {
	uint32_t id, type;
	const char *title;
	int64_t minimum, maximum;
	uint64_t step;
	int64_t initial;
	uint32_t flags;
	int64_t value; /* of a button: how often it was pressed */
};

struct fake_device {
	/* its means and vices: zeros are those of a good driver without memory for pictures */
	size_t memory_bytes;   /* for buffers */
	unsigned refused_call; /* since it was opened; 0 for none */
	int refusal;           /* its errno */
	int fails;             /* instead of giving a picture, with this errno */
	int refuses;           /* every write to a control, with this errno */
	short polled;          /* what poll() tells of it */
	uint32_t lies;         /* by so much is the number of a filled buffer too high */
	uint32_t grown_bytes;  /* by which buffers but the first are longer */
	const char *bus;       /* where it is; NULL says nothing */
	uint32_t imports;      /* so many dma-bufs of others; further ones with EFAULT */
	bool has_heap;         /* this machine */
	bool gone;             /* unplugged */
	bool endless_lists;    /* of controls, formats, sizes, inputs and standards */
	bool endless_events;   /* another one whenever one was taken */

	/* how it is */
	int fd, heap_fd;        /* of the last open() */
	unsigned calls;         /* since it was opened */
	uint32_t width, height; /* as set */
	bool queued[FAKE_BUFFERS];
	unsigned filled;         /* buffers */
	struct v4l2_buffer next; /* the first of them; those after it have higher numbers */
	int mapped;              /* buffers of ours that are mapped */
	unsigned events;         /* that are pending */
	struct fake_control controls[FAKE_CONTROLS];
	char text[8];
	unsigned written; /* controls */
};

extern struct fake_device fake;

/* The sizes of its pictures, in both of its formats, YUYV and MJPEG. */
extern const uint32_t fake_sizes[3][2];

/* Plug in a device with these means and vices. */
void fake_plug_in(struct fake_device with);

uint32_t fake_picture_bytes(void);

struct fake_control *fake_control(uint32_t id);

#endif
