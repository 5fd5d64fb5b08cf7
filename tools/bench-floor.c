/*
 * The floor: the least that a server of a camera's pictures can do, for tools/bench to compare to.
 *
 * One thread takes a frame of the test pattern, encodes it with libjpeg's raw-data API, and sends
 * it to each viewer with one sendmsg(). It knows no slow viewers, no TLS, no HTTP/2, no address but
 * one, and no mistakes; whatever Fanlight costs beyond this is what those cost. With "always" it
 * encodes for nobody, too: what that costs beyond an idle floor is the bare encoding.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "camera/camera.h"
#include "encode/jpeg.h"
#include "exchange/packet.h"

#define QUALITY      80
#define VIEWERS_MOST 1000

static const char response[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
			       "Content-Type: multipart/x-mixed-replace;boundary=edge\r\n\r\n"
			       "--edge\r\n";

struct floor {
	struct camera *camera;
	struct jpeg_encoder *encoder;
	struct packet packet;
	int listen_fd;
	int viewers[VIEWERS_MOST];
	size_t n_viewers;
	bool always;
};

/* Returns 0 or a negative errno. */
static int listen_anywhere(struct floor *floor)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof address;

	floor->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (floor->listen_fd < 0 ||
		bind(floor->listen_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
		listen(floor->listen_fd, VIEWERS_MOST) < 0 ||
		getsockname(floor->listen_fd, (struct sockaddr *)&address, &bytes) < 0)
		return -errno;
	printf("open http://127.0.0.1:%u/\n", ntohs(address.sin_port));
	return fflush(stdout) ? -errno : 0;
}

/* Take a viewer on; the request is read unseen, and whole, as those of loopback's viewers come. */
static void greet(struct floor *floor)
{
	char request[4096];
	int fd = accept4(floor->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (floor->n_viewers < VIEWERS_MOST && recv(fd, request, sizeof request, 0) > 0 &&
		send(fd, response, sizeof response - 1, MSG_NOSIGNAL) > 0)
		floor->viewers[floor->n_viewers++] = fd;
	else
		fd_close(&fd);
}

static void send_to_all(struct floor *floor)
{
	static const char end[] = "\r\n--edge\r\n";
	const struct packet_piece *piece = &floor->packet.pieces[0];
	char header[96];
	int length = snprintf(header, sizeof header,
		"Content-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n", piece->length_bytes);
	struct iovec parts[] = {{header, (size_t)length},
		{(void *)piece->data, piece->length_bytes}, {(void *)end, sizeof end - 1}};
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};

	for (size_t i = 0; i < floor->n_viewers;) {
		if (sendmsg(floor->viewers[i], &message, MSG_NOSIGNAL) > 0) {
			i++;
			continue;
		}
		fd_close(&floor->viewers[i]);
		floor->viewers[i] = floor->viewers[--floor->n_viewers];
	}
}

/* Returns 0 or a negative errno. */
ON_CAPTURE ON_ENCODE static int show_frame(struct floor *floor)
{
	struct frame frame;
	int err = camera_borrow(floor->camera, &frame);

	if (err < 0)
		return err == -EAGAIN ? 0 : err;
	if (floor->n_viewers || floor->always)
		err = jpeg_encode(floor->encoder, &frame, &floor->packet);
	if (!err)
		send_to_all(floor);
	(void)camera_return(floor->camera, &frame); /* the pattern always takes it */
	return err;
}

/* Until it is killed. Returns a negative errno. */
ON_CAPTURE ON_ENCODE static int serve(struct floor *floor)
{
	for (;;) {
		struct pollfd fds[] = {
			{camera_poll_fd(floor->camera), POLLIN, 0}, {floor->listen_fd, POLLIN, 0}};
		int err;

		if (poll(fds, 2, -1) < 0)
			return -errno;
		if (fds[1].revents)
			greet(floor);
		err = fds[0].revents ? show_frame(floor) : 0;
		if (err < 0)
			return err;
	}
}

int main(int argc, char **argv)
{
	static struct floor floor = {.listen_fd = -1};
	static struct camera_stats stats;
	struct camera_config config = {.name = "camera", .source = "pattern"};
	char reason[CAMERA_REASON_BYTES] = "";
	sigset_t none;
	int err;

	role_take(&role_capture, NULL);
	role_take(&role_encode, NULL);
	/* Taking a role blocks the signals that Fanlight's main waits for; nobody does here. */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail */
	floor.always = argc == 3 && !strcmp(argv[2], "always");
	if (argc != 2 + floor.always ||
		sscanf(argv[1], "%ux%u", &config.width, &config.height) != 2) {
		fprintf(stderr, "usage: bench-floor WIDTHxHEIGHT [always]\n");
		return EXIT_FAILURE;
	}
	err = camera_open(&config, &stats, &floor.camera, reason);
	if (!err)
		err = jpeg_encoder_create(
			&(struct jpeg_config){QUALITY, JPEG_CHROMA_420}, &floor.encoder);
	if (!err)
		err = camera_start(floor.camera);
	if (!err)
		err = listen_anywhere(&floor);
	if (!err)
		err = serve(&floor);
	fprintf(stderr, "bench-floor: %s\n", *reason ? reason : strerror(-err));
	return EXIT_FAILURE;
}
