/*
 * A USB camera in user space: fakecam WIDTHxHEIGHT@FPS FILE.jpg...
 *
 * It speaks USB/IP to the kernel's own vhci_hcd, so that a real uvcvideo node appears, which
 * delivers the files in turn as MJPEG, FPS of them per second. Run it as root after
 * `modprobe -a vhci-hcd uvcvideo`. Standard input takes orders, a line each:
 *
 *   truncate N   cut the next N pictures in half
 *   corrupt N    overwrite the next N with what is no JPEG
 *   flag N       mark the next N as wrong, as a camera does that has noticed
 *   stall N      for N pictures' time send nothing
 *
 * and its end pulls the plug.
 *
 * One thread, one loop. The kernel sends a USB request block ("submit") for each transfer and wants
 * one answer each. Those for the control endpoint are answered at once. Those for the bulk endpoint
 * wait in a queue until there is a piece of picture to carry; the kernel may take them back
 * ("unlink"). Multi-byte fields are big-endian in USB/IP's own header, little-endian in USB's
 * descriptors, where this program relies on a little-endian machine.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/usb/ch9.h>
#include <linux/usb/video.h>

#define PICTURES_MAX  32
#define REQUESTS_MAX  32
#define STREAM_NUMBER 1 /* of the interface, and of its endpoint */
/* uvcvideo cuts its requests to 32 packets; a payload that fills one needs no continuation. */
#define PACKET_BYTES  512
#define PAYLOAD_BYTES (32 * PACKET_BYTES)

enum usbip_command { SUBMIT = 1, UNLINK, SUBMIT_ANSWER, UNLINK_ANSWER };

/* The header that starts every message, and the meaning of its last 28 bytes by command. */
struct usbip_header {
	uint32_t command, number, device, to_host, endpoint;
	union {
		struct {
			uint32_t flags, bytes, start_frame, packets, interval;
			struct usb_ctrlrequest setup;
		} submit;
		struct {
			uint32_t status, bytes, start_frame, packets, errors;
		} answer;
		struct {
			uint32_t number;
		} unlink;
		uint32_t words[7];
	};
};
_Static_assert(sizeof(struct usbip_header) == 48, "as the kernel's usbip_header");

DECLARE_UVC_HEADER_DESCRIPTOR(1);
DECLARE_UVC_INPUT_HEADER_DESCRIPTOR(1, 1);
DECLARE_UVC_FRAME_MJPEG(1);

struct configuration {
	struct usb_config_descriptor configuration;
	struct usb_interface_assoc_descriptor association;
	struct usb_interface_descriptor control;
	struct UVC_HEADER_DESCRIPTOR(1) control_header;
	struct uvc_camera_terminal_descriptor lens;
	struct uvc_output_terminal_descriptor output;
	struct usb_interface_descriptor stream;
	struct UVC_INPUT_HEADER_DESCRIPTOR(1, 1) stream_header;
	struct uvc_format_mjpeg format;
	struct UVC_FRAME_MJPEG(1) frame;
	struct uvc_color_matching_descriptor colour;
	uint8_t endpoint[USB_DT_ENDPOINT_SIZE]; /* <linux/usb/ch9.h> has audio's longer one */
} __attribute__((packed));

struct picture {
	uint8_t *data;
	size_t bytes;
};

struct camera {
	int link; /* the socket whose other end vhci_hcd holds */
	struct configuration configuration;
	struct uvc_streaming_control stream;
	uint64_t interval_ns; /* between pictures */

	struct picture pictures[PICTURES_MAX];
	size_t n_pictures, next_picture;
	unsigned to_truncate, to_corrupt, to_flag;
	bool corrupt, flagged; /* the picture that is on its way */

	struct usbip_header requests[REQUESTS_MAX]; /* for the stream, oldest first */
	size_t n_requests;
	const uint8_t *rest; /* of the picture that is on its way */
	size_t rest_bytes;
	bool odd; /* flips with every picture, which is how a host tells them apart */
	uint64_t due_ns;
};

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void describe_control(struct configuration *all)
{
	all->configuration = (struct usb_config_descriptor){
		USB_DT_CONFIG_SIZE, USB_DT_CONFIG, sizeof *all, 2, 1, 0, USB_CONFIG_ATT_ONE, 250};
	all->association = (struct usb_interface_assoc_descriptor){sizeof all->association,
		USB_DT_INTERFACE_ASSOCIATION, 0, 2, USB_CLASS_VIDEO,
		UVC_SC_VIDEO_INTERFACE_COLLECTION, 0, 0};
	all->control = (struct usb_interface_descriptor){.bLength = USB_DT_INTERFACE_SIZE,
		.bDescriptorType = USB_DT_INTERFACE,
		.bInterfaceClass = USB_CLASS_VIDEO,
		.bInterfaceSubClass = UVC_SC_VIDEOCONTROL};
	all->control_header = (struct UVC_HEADER_DESCRIPTOR(1)){UVC_DT_HEADER_SIZE(1),
		USB_DT_CS_INTERFACE, UVC_VC_HEADER, 0x0100,
		sizeof all->control_header + sizeof all->lens + sizeof all->output, 48000000, 1,
		{STREAM_NUMBER}};
	all->lens = (struct uvc_camera_terminal_descriptor){.bLength = sizeof all->lens,
		.bDescriptorType = USB_DT_CS_INTERFACE,
		.bDescriptorSubType = UVC_VC_INPUT_TERMINAL,
		.bTerminalID = 1,
		.wTerminalType = UVC_ITT_CAMERA,
		.bControlSize = 3};
	all->output = (struct uvc_output_terminal_descriptor){.bLength = sizeof all->output,
		.bDescriptorType = USB_DT_CS_INTERFACE,
		.bDescriptorSubType = UVC_VC_OUTPUT_TERMINAL,
		.bTerminalID = 2,
		.wTerminalType = UVC_TT_STREAMING,
		.bSourceID = 1};
}

static void describe_stream(struct configuration *all, uint16_t width, uint16_t height,
	uint16_t frames_per_s, uint32_t largest)
{
	const uint32_t interval = 10000000u / frames_per_s;
	const uint8_t endpoint[] = {USB_DT_ENDPOINT_SIZE, USB_DT_ENDPOINT,
		USB_DIR_IN | STREAM_NUMBER, USB_ENDPOINT_XFER_BULK, PACKET_BYTES & 0xff,
		PACKET_BYTES >> 8, 0};

	all->stream = (struct usb_interface_descriptor){.bLength = USB_DT_INTERFACE_SIZE,
		.bDescriptorType = USB_DT_INTERFACE,
		.bInterfaceNumber = STREAM_NUMBER,
		.bNumEndpoints = 1,
		.bInterfaceClass = USB_CLASS_VIDEO,
		.bInterfaceSubClass = UVC_SC_VIDEOSTREAMING};
	all->stream_header = (struct UVC_INPUT_HEADER_DESCRIPTOR(1, 1)){
		.bLength = UVC_DT_INPUT_HEADER_SIZE(1, 1),
		.bDescriptorType = USB_DT_CS_INTERFACE,
		.bDescriptorSubType = UVC_VS_INPUT_HEADER,
		.bNumFormats = 1,
		.wTotalLength = sizeof all->stream_header + sizeof all->format + sizeof all->frame +
				sizeof all->colour,
		.bEndpointAddress = USB_DIR_IN | STREAM_NUMBER,
		.bTerminalLink = 2,
		.bControlSize = 1};
	all->format = (struct uvc_format_mjpeg){UVC_DT_FORMAT_MJPEG_SIZE, USB_DT_CS_INTERFACE,
		UVC_VS_FORMAT_MJPEG, 1, 1, 0, 1, 0, 0, 0, 0};
	all->frame = (struct UVC_FRAME_MJPEG(1)){UVC_DT_FRAME_MJPEG_SIZE(1), USB_DT_CS_INTERFACE,
		UVC_VS_FRAME_MJPEG, 1, 0, width, height, largest * 8, largest * 8 * frames_per_s,
		largest, interval, 1, {interval}};
	all->colour = (struct uvc_color_matching_descriptor){UVC_DT_COLOR_MATCHING_SIZE,
		USB_DT_CS_INTERFACE, UVC_VS_COLORFORMAT, UVC_COLOR_PRIMARIES_BT_709_SRGB,
		UVC_TRANSFER_CHARACTERISTICS_BT_709, UVC_MATRIX_COEFFICIENTS_SMPTE_170M};
	memcpy(all->endpoint, endpoint, sizeof endpoint);
}

static void load_picture(struct camera *camera, const char *path)
{
	struct picture *picture = &camera->pictures[camera->n_pictures++];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat))
		fail(path);
	picture->bytes = (size_t)stat.st_size;
	picture->data = malloc(picture->bytes);
	if (!picture->data || read(fd, picture->data, picture->bytes) != stat.st_size)
		fail(path);
	close(fd);
}

static void load(struct camera *camera, const char *size, char **paths, int n)
{
	unsigned width, height, frames_per_s;
	size_t largest = 0;

	if (sscanf(size, "%ux%u@%u", &width, &height, &frames_per_s) != 3 || n > PICTURES_MAX) {
		fprintf(stderr, "usage: fakecam WIDTHxHEIGHT@FPS FILE.jpg...\n");
		exit(2);
	}
	for (int i = 0; i < n; i++) {
		load_picture(camera, paths[i]);
		if (camera->pictures[i].bytes > largest)
			largest = camera->pictures[i].bytes;
	}
	describe_control(&camera->configuration);
	camera->interval_ns = 1000000000ull / frames_per_s;
	describe_stream(&camera->configuration, (uint16_t)width, (uint16_t)height,
		(uint16_t)frames_per_s, (uint32_t)largest);
	camera->stream = (struct uvc_streaming_control){.bmHint = 1,
		.bFormatIndex = 1,
		.bFrameIndex = 1,
		.dwFrameInterval = (uint32_t)(camera->interval_ns / 100),
		.dwMaxVideoFrameSize = (uint32_t)largest,
		.dwMaxPayloadTransferSize = PAYLOAD_BYTES};
}

/* Hand the other end of a socket to the first port of the virtual host controller. */
static void plug_in(struct camera *camera)
{
	int ends[2], attach = open("/sys/devices/platform/vhci_hcd.0/attach", O_WRONLY | O_CLOEXEC);

	if (attach < 0)
		fail("fakecam: vhci_hcd (modprobe vhci-hcd)");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		fail("fakecam: socketpair");
	/* port, socket, device id, speed */
	if (dprintf(attach, "0 %d 65537 %d", ends[1], USB_SPEED_HIGH) < 0)
		fail("fakecam: attach");
	close(attach);
	close(ends[1]);
	camera->link = ends[0];
}

static void receive(const struct camera *camera, void *data, size_t bytes)
{
	if (bytes && recv(camera->link, data, bytes, MSG_WAITALL) != (ssize_t)bytes)
		exit(EXIT_SUCCESS); /* the kernel let go */
}

static void deliver(const struct camera *camera, const void *data, size_t bytes)
{
	for (const uint8_t *next = data; bytes;) {
		ssize_t n = send(camera->link, next, bytes, MSG_NOSIGNAL);

		if (n < 0)
			exit(EXIT_SUCCESS);
		next += n;
		bytes -= (size_t)n;
	}
}

static void answer(const struct camera *camera, const struct usbip_header *request, int status,
	const void *data, size_t bytes)
{
	struct usbip_header header = {
		.command = htonl(SUBMIT_ANSWER),
		.number = request->number,
		.answer = {.status = htonl((uint32_t)status), .bytes = htonl((uint32_t)bytes)},
	};

	deliver(camera, &header, sizeof header);
	if (data)
		deliver(camera, data, bytes);
}

static size_t describe_device(uint8_t *out)
{
	static const struct usb_device_descriptor device = {USB_DT_DEVICE_SIZE, USB_DT_DEVICE,
		0x0200, USB_CLASS_MISC, 2, 1, 64, 0x1d6b, 0x0102, 0x0100, 1, 2, 3, 1};

	memcpy(out, &device, sizeof device);
	return sizeof device;
}

static size_t describe_string(uint8_t index, uint8_t *out)
{
	static const char *const texts[] = {"\x09\x04", "fanlight", "fakecam", "1"};
	const char *text;

	if (index >= sizeof texts / sizeof texts[0])
		return 0;
	text = texts[index];
	out[1] = USB_DT_STRING;
	if (!index) { /* not a text: the one language there is */
		memcpy(out + 2, text, 2);
		return out[0] = 4;
	}
	out[0] = (uint8_t)(2 + 2 * strlen(text));
	for (size_t i = 0; text[i]; i++) { /* UTF-16 */
		out[2 + 2 * i] = (uint8_t)text[i];
		out[3 + 2 * i] = 0;
	}
	return out[0];
}

static size_t get_descriptor(const struct camera *camera, uint16_t value, uint8_t *out)
{
	switch (value >> 8) {
	case USB_DT_DEVICE:
		return describe_device(out);
	case USB_DT_CONFIG:
		memcpy(out, &camera->configuration, sizeof camera->configuration);
		return sizeof camera->configuration;
	case USB_DT_STRING:
		return describe_string(value & 0xff, out);
	default:
		return 0;
	}
}

/* The stream's probe and commit controls: there is one choice, whatever is asked. */
static size_t get_stream(const struct camera *camera, uint8_t request, uint8_t *out)
{
	enum { UVC_1_0_BYTES = 26 };

	if (request == UVC_GET_INFO) {
		out[0] = UVC_CONTROL_CAP_GET | UVC_CONTROL_CAP_SET;
		return 1;
	}
	if (request == UVC_GET_LEN) {
		out[0] = UVC_1_0_BYTES;
		out[1] = 0;
		return 2;
	}
	memcpy(out, &camera->stream, UVC_1_0_BYTES);
	return UVC_1_0_BYTES;
}

/* A transfer on the control endpoint; what is not understood is refused, as USB has it. */
static void control(struct camera *camera, const struct usbip_header *request)
{
	const struct usb_ctrlrequest *setup = &request->submit.setup;
	bool of_stream = (setup->bRequestType & ~USB_DIR_IN) ==
				 (USB_TYPE_CLASS | USB_RECIP_INTERFACE) &&
			 (setup->wIndex & 0xff) == STREAM_NUMBER;
	bool standard = (setup->bRequestType & USB_TYPE_MASK) == USB_TYPE_STANDARD;
	uint8_t data[1024] = {0};
	size_t bytes = 0;

	if (!request->to_host) {
		receive(camera, data, setup->wLength < sizeof data ? setup->wLength : 0);
		camera->rest_bytes = 0; /* a stream that begins anew begins with a picture */
		answer(camera, request, standard || of_stream ? 0 : -EPIPE, NULL, setup->wLength);
		return;
	}
	if (of_stream)
		bytes = get_stream(camera, setup->bRequest, data);
	else if (standard && setup->bRequest == USB_REQ_GET_DESCRIPTOR)
		bytes = get_descriptor(camera, setup->wValue, data);
	else if (standard && setup->bRequest == USB_REQ_GET_STATUS)
		bytes = 2;
	if (bytes > setup->wLength)
		bytes = setup->wLength;
	answer(camera, request, bytes ? 0 : -EPIPE, data, bytes);
}

static void forget(struct camera *camera, size_t i)
{
	camera->n_requests--;
	memmove(&camera->requests[i], &camera->requests[i + 1],
		(camera->n_requests - i) * sizeof camera->requests[0]);
}

static void unlink_request(struct camera *camera, const struct usbip_header *request)
{
	struct usbip_header header = {.command = htonl(UNLINK_ANSWER), .number = request->number};

	for (size_t i = 0; i < camera->n_requests; i++) {
		if (camera->requests[i].number != request->unlink.number)
			continue;
		forget(camera, i);
		header.answer.status = htonl((uint32_t)-ECONNRESET);
		break;
	}
	deliver(camera, &header, sizeof header);
}

static void handle_request(struct camera *camera)
{
	struct usbip_header request;

	receive(camera, &request, sizeof request);
	if (request.command == htonl(UNLINK))
		unlink_request(camera, &request);
	else if (!request.endpoint)
		control(camera, &request);
	else if (camera->n_requests < REQUESTS_MAX)
		camera->requests[camera->n_requests++] = request;
	else
		answer(camera, &request, -EPIPE, NULL, 0);
}

static void handle_order(struct camera *camera)
{
	char line[64];
	unsigned n;

	if (!fgets(line, sizeof line, stdin))
		exit(EXIT_SUCCESS);
	if (sscanf(line, "truncate %u", &n) == 1)
		camera->to_truncate = n;
	else if (sscanf(line, "corrupt %u", &n) == 1)
		camera->to_corrupt = n;
	else if (sscanf(line, "flag %u", &n) == 1)
		camera->to_flag = n;
	else if (sscanf(line, "stall %u", &n) == 1)
		camera->due_ns = now_ns() + n * camera->interval_ns;
	else
		fprintf(stderr, "fakecam: unknown order %s", line);
}

static void begin_picture(struct camera *camera, uint64_t now)
{
	const struct picture *picture = &camera->pictures[camera->next_picture];

	camera->next_picture = (camera->next_picture + 1) % camera->n_pictures;
	camera->rest = picture->data;
	camera->rest_bytes = picture->bytes;
	if (camera->to_truncate) {
		camera->to_truncate--;
		camera->rest_bytes /= 2;
	}
	camera->corrupt = camera->to_corrupt;
	camera->to_corrupt -= camera->corrupt;
	camera->flagged = camera->to_flag;
	camera->to_flag -= camera->flagged;
	camera->odd = !camera->odd;
	if (camera->due_ns + camera->interval_ns < now)
		camera->due_ns = now;
	camera->due_ns += camera->interval_ns;
}

/* Answer waiting requests with pieces of the picture that is due. */
static void feed(struct camera *camera)
{
	enum { HEADER_BYTES = 2 };
	uint8_t payload[PAYLOAD_BYTES];

	while (camera->n_requests) {
		uint64_t now = now_ns();
		size_t bytes = ntohl(camera->requests[0].submit.bytes);

		if (!camera->rest_bytes) {
			if (now < camera->due_ns)
				return;
			begin_picture(camera, now);
		}
		bytes = (bytes < sizeof payload ? bytes : sizeof payload) - HEADER_BYTES;
		if (bytes > camera->rest_bytes)
			bytes = camera->rest_bytes;
		if (camera->corrupt)
			memset(payload + HEADER_BYTES, 0x5a, bytes);
		else
			memcpy(payload + HEADER_BYTES, camera->rest, bytes);
		camera->rest += bytes;
		camera->rest_bytes -= bytes;
		payload[0] = HEADER_BYTES;
		payload[1] = UVC_STREAM_EOH | (camera->odd ? UVC_STREAM_FID : 0) |
			     (camera->rest_bytes ? 0 : UVC_STREAM_EOF) |
			     (camera->flagged ? UVC_STREAM_ERR : 0);
		answer(camera, &camera->requests[0], 0, payload, HEADER_BYTES + bytes);
		forget(camera, 0);
	}
}

static void wait_for_work(struct camera *camera, struct pollfd fds[2])
{
	struct timespec left = {0, 0};
	uint64_t now = now_ns();
	bool waiting = camera->n_requests; /* for a picture to become due */

	if (camera->due_ns > now) {
		left.tv_sec = (time_t)((camera->due_ns - now) / 1000000000ull);
		left.tv_nsec = (long)((camera->due_ns - now) % 1000000000ull);
	}
	if (ppoll(fds, 2, waiting ? &left : NULL, NULL) < 0)
		fail("fakecam: ppoll");
}

int main(int argc, char **argv)
{
	static struct camera camera;
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};

	if (argc < 3) {
		fprintf(stderr, "usage: fakecam WIDTHxHEIGHT@FPS FILE.jpg...\n");
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see every line */
	load(&camera, argv[1], argv + 2, argc - 2);
	plug_in(&camera);
	fds[1].fd = camera.link;
	for (;;) {
		wait_for_work(&camera, fds);
		if (fds[0].revents)
			handle_order(&camera);
		if (fds[1].revents)
			handle_request(&camera);
		feed(&camera);
	}
}
