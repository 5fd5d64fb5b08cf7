#include "fake_device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <linux/dma-heap.h>

#include "base/fd.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

const uint32_t fake_sizes[3][2] = {{1280, 720}, {640, 480}, {320, 240}};

static const struct fake_control everything[FAKE_CONTROLS] = {
	{V4L2_CID_USER_CLASS, V4L2_CTRL_TYPE_CTRL_CLASS, "User Controls"},
	{AUTO_GAIN, V4L2_CTRL_TYPE_BOOLEAN, "Gain, Automatic", 0, 1, 1, 1},
	{GAIN, V4L2_CTRL_TYPE_INTEGER, "Gain", 0, 100, 5, 50, V4L2_CTRL_FLAG_INACTIVE},
	{MODE, V4L2_CTRL_TYPE_MENU, "Mode", 0, 2, 1, 0},
	{RATE, V4L2_CTRL_TYPE_INTEGER_MENU, "Rate", 1, 2, 1, 1},
	{RESET, V4L2_CTRL_TYPE_BUTTON, "Reset", 0, 0, 0, 0, V4L2_CTRL_FLAG_WRITE_ONLY},
	{WIDE, V4L2_CTRL_TYPE_INTEGER64, "Wide", INT64_MIN, INT64_MAX, 1, 0},
	{BITS, V4L2_CTRL_TYPE_BITMASK, "Bits", 0, (int32_t)0xffff0001, 0, 1},
	{TEXT, V4L2_CTRL_TYPE_STRING, "Text", 2, 4, 1, 0, V4L2_CTRL_FLAG_HAS_PAYLOAD},
	{HOT, V4L2_CTRL_TYPE_INTEGER, "Hot", 0, 9, 1, 3,
		V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE},
	{CROP, V4L2_CTRL_TYPE_BOOLEAN, "Has Crop", 0, 1, 1, 0, V4L2_CTRL_FLAG_GRABBED},
	{ODD, V4L2_CTRL_TYPE_U8, "Matrix", 0, 9, 1, 0, V4L2_CTRL_FLAG_HAS_PAYLOAD},
};

struct fake_device fake;

void fake_plug_in(struct fake_device with)
{
	fake = with;
	fake.fd = fake.heap_fd = -1;
	memcpy(fake.controls, everything, sizeof everything);
	for (size_t i = 0; i < COUNT(everything); i++)
		if (everything[i].type != V4L2_CTRL_TYPE_BUTTON)
			fake.controls[i].value = everything[i].initial;
	strcpy(fake.text, "abc");
}

uint32_t fake_picture_bytes(void)
{
	return fake.width * fake.height * 2;
}

/* ---- controls ---- */

struct fake_control *fake_control(uint32_t id)
{
	for (size_t i = 0; i < COUNT(fake.controls); i++)
		if (fake.controls[i].id == id)
			return &fake.controls[i];
	return NULL;
}

static int query_control(struct v4l2_query_ext_ctrl *query)
{
	uint32_t after = query->id & V4L2_CTRL_ID_MASK;
	const struct fake_control *next = NULL;

	for (size_t i = 0; i < COUNT(fake.controls); i++) {
		const struct fake_control *control = &fake.controls[i];

		if (control->id > after && (!next || control->id < next->id))
			next = control;
	}
	if (!next && !fake.endless_lists)
		return -EINVAL;
	*query = (struct v4l2_query_ext_ctrl){.id = after + 1, .type = V4L2_CTRL_TYPE_INTEGER};
	memset(query->name, 0xff, sizeof query->name);
	if (!next)
		return 0;
	*query = (struct v4l2_query_ext_ctrl){
		.id = next->id,
		.type = next->type,
		.minimum = next->minimum,
		.maximum = next->maximum,
		.step = next->step,
		.default_value = next->initial,
		.flags = next->flags,
		.elems = 1,
		.elem_size = next->type == V4L2_CTRL_TYPE_STRING ? sizeof fake.text : 4,
	};
	strcpy(query->name, next->title);
	return 0;
}

static int query_menu(struct v4l2_querymenu *item)
{
	if (item->id == RATE) {
		item->value = item->index * 25;
		return 0;
	}
	if (item->index == 1 && !fake.endless_lists)
		return -EINVAL; /* menus have holes */
	strcpy((char *)item->name, item->index ? "Bright \x80\n" : "Dark");
	return 0;
}

static int write_value(struct v4l2_ext_control *payload)
{
	struct fake_control *control = fake_control(payload->id);

	if (fake.refuses)
		return fake.refuses;
	fake.written++;
	if (control->type == V4L2_CTRL_TYPE_STRING)
		memcpy(fake.text, payload->string, payload->size);
	else if (control->type == V4L2_CTRL_TYPE_BUTTON)
		control->value++;
	else
		control->value = control->type == V4L2_CTRL_TYPE_INTEGER64 ? payload->value64
									   : payload->value;
	/* An automatic holds what it sets. */
	if (control->id == AUTO_GAIN)
		fake_control(GAIN)->flags = control->value ? V4L2_CTRL_FLAG_INACTIVE : 0;
	return 0;
}

static int read_value(struct v4l2_ext_control *payload)
{
	const struct fake_control *control = fake_control(payload->id);

	if (!control)
		return -EIO;
	if (control->type == V4L2_CTRL_TYPE_STRING)
		memcpy(payload->string, fake.text, sizeof fake.text);
	else
		payload->value64 = control->value;
	return 0;
}

/* ---- formats ---- */

static int list_format(struct v4l2_fmtdesc *format)
{
	static const uint32_t formats[] = {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_MJPEG};

	if (format->index >= COUNT(formats) && !fake.endless_lists)
		return -EINVAL;
	format->pixelformat = formats[format->index % COUNT(formats)];
	strcpy((char *)format->description, "Some \xc3");
	return 0;
}

static int list_size(struct v4l2_frmsizeenum *size)
{
	const uint32_t *listed = fake_sizes[size->index % COUNT(fake_sizes)];

	if (size->index >= COUNT(fake_sizes) && !fake.endless_lists)
		return -EINVAL;
	size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
	size->discrete.width = listed[0];
	size->discrete.height = listed[1];
	return 0;
}

static int list_interval(struct v4l2_frmivalenum *interval)
{
	if (interval->index > 1 && !fake.endless_lists)
		return -EINVAL;
	interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
	interval->discrete = (struct v4l2_fract){
		interval->index ? 100 : 1001, interval->index ? 1500 : 30000};
	return 0;
}

static int tell_format(struct v4l2_format *format)
{
	struct v4l2_pix_format *pix = &format->fmt.pix;

	pix->width = fake.width;
	pix->height = fake.height;
	pix->pixelformat = V4L2_PIX_FMT_YUYV;
	pix->bytesperline = fake.width * 2;
	pix->sizeimage = fake_picture_bytes();
	return 0;
}

static int set_format(struct v4l2_format *format)
{
	fake.width = format->fmt.pix.width;
	fake.height = format->fmt.pix.height;
	return tell_format(format);
}

/* ---- buffers ---- */

static int request_buffers(const struct v4l2_requestbuffers *request)
{
	return (size_t)request->count * fake_picture_bytes() > fake.memory_bytes ? -ENOMEM : 0;
}

static int query_buffer(struct v4l2_buffer *buffer)
{
	buffer->length = fake_picture_bytes() + (buffer->index ? fake.grown_bytes : 0);
	return 0;
}

static int dequeue(struct v4l2_buffer *buffer)
{
	uint32_t index = 0;

	if (!fake.filled)
		return fake.fails ? fake.fails : -EAGAIN;
	while (!fake.queued[index])
		assert_true(++index < FAKE_BUFFERS);
	fake.filled--;
	fake.queued[index] = false;
	*buffer = fake.next;
	fake.next.sequence++;
	buffer->index = index + fake.lies;
	return 0;
}

static int queue(const struct v4l2_buffer *buffer)
{
	if (buffer->memory == V4L2_MEMORY_DMABUF) {
		assert_true(fcntl(buffer->m.fd, F_GETFD) >= 0);
		if (buffer->index >= fake.imports)
			return -EFAULT;
	}
	fake.queued[buffer->index] = true;
	return 0;
}

static int allocate(unsigned long request, struct dma_heap_allocation_data *allocation)
{
	assert_int_equal(request, DMA_HEAP_IOCTL_ALLOC);
	assert_true(allocation->len >= fake_picture_bytes());
	allocation->fd = (uint32_t)fd_event();
	return 0;
}

static int stop(void)
{
	memset(fake.queued, 0, sizeof fake.queued);
	return 0;
}

/* ---- calls ---- */

static int describe(struct v4l2_capability *capability)
{
	capability->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
	if (fake.bus)
		strcpy((char *)capability->bus_info, fake.bus);
	return 0;
}

static int next_event(struct v4l2_event *event)
{
	if (!fake.events && !fake.endless_events)
		return -ENOENT;
	fake.events -= fake.events > 0;
	event->type = V4L2_EVENT_SOURCE_CHANGE;
	return 0;
}

static int answer(unsigned long request, void *arg)
{
	if (fake.gone)
		return -ENODEV;
	switch (request) {
	case VIDIOC_QUERYCAP:
		return describe(arg);
	case VIDIOC_ENUM_FMT:
		return list_format(arg);
	case VIDIOC_ENUM_FRAMESIZES:
		return list_size(arg);
	case VIDIOC_ENUM_FRAMEINTERVALS:
		return list_interval(arg);
	case VIDIOC_S_FMT:
		return set_format(arg);
	case VIDIOC_G_FMT:
		return tell_format(arg);
	case VIDIOC_REQBUFS:
		return request_buffers(arg);
	case VIDIOC_QUERYBUF:
		return query_buffer(arg);
	case VIDIOC_QBUF:
		return queue(arg);
	case VIDIOC_DQBUF:
		return dequeue(arg);
	case VIDIOC_STREAMOFF:
		return stop();
	case VIDIOC_STREAMON:
	case VIDIOC_SUBSCRIBE_EVENT:
		return 0;
	case VIDIOC_DQEVENT:
		return next_event(arg);
	case VIDIOC_QUERY_EXT_CTRL:
		return query_control(arg);
	case VIDIOC_QUERYMENU:
		return query_menu(arg);
	case VIDIOC_S_EXT_CTRLS:
		return write_value(((struct v4l2_ext_controls *)arg)->controls);
	case VIDIOC_G_EXT_CTRLS:
		return read_value(((struct v4l2_ext_controls *)arg)->controls);
	case VIDIOC_ENUMINPUT:
	case VIDIOC_ENUMSTD:
		return fake.endless_lists ? 0 : -EINVAL;
	}
	return -ENOTTY;
}

/* ---- what the linker puts in the place of libc's ---- */

int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
void *__real_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);

int __wrap_open64(const char *path, int flags, ...)
{
	(void)flags;
	if (!strcmp(path, FAKE_PATH))
		return fake.fd = fd_event();
	if (fake.has_heap && !strcmp(path, FAKE_HEAP))
		return fake.heap_fd = fd_event();
	errno = ENOENT;
	return -1;
}

void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	(void)flags;
	(void)offset;
	assert_true(fd == fake.fd || fake.has_heap);
	at = __real_mmap64(at, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fake.mapped += at != MAP_FAILED;
	return at;
}

int __wrap_munmap(void *at, size_t bytes)
{
	fake.mapped--;
	return __real_munmap(at, bytes);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	(void)timeout_ms;
	assert_int_equal(n, 1);
	assert_int_equal(fds->fd, fake.fd);
	fds->revents = fake.polled;
	return fake.polled != 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	int err;

	assert_true(++fake.calls < 1000 * 1000); /* or it would go on for ever */
	va_start(args, request);
	if (fake.calls == fake.refused_call) {
		err = fake.refusal;
	} else if (fake.has_heap && fd == fake.heap_fd) {
		err = allocate(request, va_arg(args, void *));
	} else {
		assert_int_equal(fd, fake.fd);
		err = answer(request, va_arg(args, void *));
	}
	va_end(args);
	errno = -err;
	return err ? -1 : 0;
}
