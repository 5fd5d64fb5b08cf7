/*
 * Whole pictures are found once, at open. Nothing in a file is believed: each offset is checked
 * before it is used, and a picture that is not whole is left out.
 */
#include "camera/pictures.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/videodev2.h>

#include "base/fd.h"
#include "camera/formats.h"
#include "camera/reason.h"

#define Y4M_MAGIC    "YUV4MPEG2 "
#define Y4M_LINE     256
#define Y4M_SIDE_MAX 16384

/* ---- JPEG ---- */

static unsigned read_be16(const uint8_t *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

static bool is_sof(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
	       marker != 0xcc;
}

/*
 * Walk one JPEG's markers, from its SOI on. True, and *ret_picture is set, when it is whole. In any
 * case *ret_next is where to look for the next one, always beyond the start.
 */
static bool walk_jpeg(
	const uint8_t *data, size_t bytes, struct picture *ret_picture, size_t *ret_next)
{
	struct picture picture = {.data = data};
	bool in_scan = false;
	size_t at = 2;

	for (;;) {
		const uint8_t *ff = at < bytes ? memchr(data + at, 0xff, bytes - at) : NULL;
		uint8_t marker;
		size_t length;

		*ret_next = at;
		if (!ff || (!in_scan && ff != data + at))
			break;
		for (at = (size_t)(ff - data); at < bytes && data[at] == 0xff;)
			at++;
		*ret_next = at;
		if (at == bytes)
			break;
		marker = data[at++];
		if (marker == 0xd9) {
			*ret_next = picture.bytes = at;
			*ret_picture = picture;
			return picture.width && picture.height && at <= UINT32_MAX;
		}
		if (marker == 0xd8) { /* the next one already: this one was cut off */
			*ret_next = at - 2;
			break;
		}
		if ((!marker && in_scan) || marker == 0x01 || (marker & 0xf8) == 0xd0)
			continue; /* no length follows: a stuffed 0xff, TEM, RSTn */
		length = bytes - at >= 2 ? read_be16(data + at) : 0;
		if (length < 2 || length > bytes - at)
			break;
		if (is_sof(marker) && length >= 8) {
			picture.height = read_be16(data + at + 3);
			picture.width = read_be16(data + at + 5);
		}
		at += length;
		in_scan = marker == 0xda;
	}
	return false;
}

/* Room for one more picture comes in powers of two. Returns 0 or -ENOMEM. */
static int add_picture(struct pictures *p, const struct picture *picture)
{
	if (!(p->n_pictures & (p->n_pictures - 1))) {
		size_t room = p->n_pictures ? 2 * p->n_pictures : 1;
		struct picture *more = reallocarray(p->pictures, room, sizeof *more);

		if (!more)
			return -ENOMEM;
		p->pictures = more;
	}
	p->pictures[p->n_pictures++] = *picture;
	return 0;
}

/* Find every whole JPEG, whatever lies between them. Returns 0 or -ENOMEM. */
static int find_jpegs(struct pictures *p, const uint8_t *at, size_t bytes)
{
	const uint8_t *end = at + bytes;

	p->fourcc = V4L2_PIX_FMT_MJPEG;
	p->encoding = FRAME_BT601;
	p->range = FRAME_FULL_RANGE;
	while ((at = memmem(at, (size_t)(end - at), "\xff\xd8\xff", 3))) {
		struct picture picture;
		size_t next;
		bool whole = walk_jpeg(at, (size_t)(end - at), &picture, &next);
		int err = whole ? add_picture(p, &picture) : 0;

		if (err < 0)
			return err;
		at += next;
	}
	return 0;
}

/* ---- Y4M ---- */

/* A Y4M file's first line. */
struct y4m {
	uint32_t width, height;
	uint32_t fps_numerator, fps_denominator;
	char chroma[16];
	bool full_range;
};

/* Read it. Returns how long it is, or 0 when it makes no sense. */
static size_t parse_y4m_header(const uint8_t *data, size_t bytes, struct y4m *ret_header)
{
	size_t most = bytes < Y4M_LINE ? bytes : Y4M_LINE;
	const uint8_t *end = memchr(data, '\n', most);
	char line[Y4M_LINE], *rest = NULL;

	*ret_header = (struct y4m){.chroma = "420"};
	if (!end)
		return 0;
	most = (size_t)(end - data);
	memcpy(line, data, most);
	line[most] = '\0';
	for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		(void)sscanf(word, "W%6u", &ret_header->width); /* what stays 0 is refused */
		(void)sscanf(word, "H%6u", &ret_header->height);
		(void)sscanf(
			word, "F%9u:%9u", &ret_header->fps_numerator, &ret_header->fps_denominator);
		if (*word == 'C')
			(void)snprintf(
				ret_header->chroma, sizeof ret_header->chroma, "%s", word + 1);
		if (!strcmp(word, "XCOLORRANGE=FULL"))
			ret_header->full_range = true;
	}
	if (!ret_header->width || ret_header->width > Y4M_SIDE_MAX || !ret_header->height ||
		ret_header->height > Y4M_SIDE_MAX)
		return 0;
	return most + 1;
}

/* The pixel format of a Y4M colour space of 8 bits, or 0. */
static uint32_t y4m_fourcc(const char *chroma)
{
	static const struct {
		const char *chroma;
		uint32_t fourcc;
	} known[] = {
		{"420", V4L2_PIX_FMT_YUV420},
		{"420jpeg", V4L2_PIX_FMT_YUV420},
		{"420mpeg2", V4L2_PIX_FMT_YUV420},
		{"420paldv", V4L2_PIX_FMT_YUV420},
		{"422", V4L2_PIX_FMT_YUV422P},
		{"mono", V4L2_PIX_FMT_GREY},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (!strcmp(chroma, known[i].chroma))
			return known[i].fourcc;
	return 0;
}

/*
 * Y4M rows are tight: a chroma row is half a luma row rounded up, unlike V4L2's. Returns the bytes
 * of a whole picture.
 */
static size_t lay_out_y4m(const struct format *format, struct pictures *p, const struct y4m *header)
{
	size_t bytes = 0;

	for (size_t i = 0; i < format->n_planes; i++) {
		unsigned h_shift = i ? format->h_shift : 0, v_shift = i ? format->v_shift : 0;
		uint32_t rows = (header->height + (1u << v_shift) - 1) >> v_shift;

		p->stride_bytes[i] = (header->width + (1u << h_shift) - 1) >> h_shift;
		p->offset_bytes[i] = (uint32_t)bytes;
		bytes += (size_t)p->stride_bytes[i] * rows;
	}
	return bytes;
}

/* Find the frames of a Y4M file. Returns 0, -EBADMSG (its header), -ENOTSUP, or -ENOMEM. */
static int find_y4m_frames(struct pictures *p, const uint8_t *at, const uint8_t *end)
{
	struct picture picture;
	struct y4m header;
	size_t length = parse_y4m_header(at, (size_t)(end - at), &header);

	if (!length)
		return -EBADMSG;
	p->fourcc = y4m_fourcc(header.chroma);
	if (!p->fourcc)
		return -ENOTSUP;
	/* The file does not say: HD is BT.709. */
	p->encoding = header.height >= 720 ? FRAME_BT709 : FRAME_BT601;
	p->range = header.full_range ? FRAME_FULL_RANGE : FRAME_LIMITED_RANGE;
	p->fps_numerator = header.fps_numerator;
	p->fps_denominator = header.fps_denominator;
	picture.width = header.width;
	picture.height = header.height;
	picture.bytes = lay_out_y4m(format_find(p->fourcc), p, &header);

	at += length;
	while ((size_t)(end - at) > 5 && !memcmp(at, "FRAME", 5)) {
		int err;

		at = memchr(at, '\n', (size_t)(end - at));
		if (!at || (size_t)(end - ++at) < picture.bytes)
			break;
		picture.data = at;
		err = add_picture(p, &picture);
		if (err < 0)
			return err;
		at += picture.bytes;
	}
	return 0;
}

int pictures_parse(struct pictures *p, const uint8_t *data, size_t bytes)
{
	size_t magic = strlen(Y4M_MAGIC);

	if (bytes >= magic && !memcmp(data, Y4M_MAGIC, magic))
		return find_y4m_frames(p, data, data + bytes);
	return find_jpegs(p, data, bytes);
}

/* ---- files ---- */

/* Read a whole file, as long as it is now. Returns 0, -EIO (it was cut meanwhile) or an errno. */
static int read_whole(int fd, uint8_t *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = read(fd, data, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* Whether so many bytes more leave the machine half of its memory. */
static bool has_room(const struct pictures *p, size_t bytes)
{
	size_t limit = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / 2;

	for (size_t i = 0; i < p->n_files; i++)
		limit -= p->files[i].bytes;
	return bytes <= limit;
}

/* Load a file behind the files there are. Returns 0 or a negative errno. */
static int load_file(
	struct pictures *p, int folder_fd, const char *path, const struct picture_file **ret_file)
{
	int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct picture_file file = {.data = NULL}, *more;
	struct stat st;
	int err = -EINVAL;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		goto out;
	err = -ENODATA;
	if (!st.st_size)
		goto out;

	file.bytes = (size_t)st.st_size;
	err = -EFBIG;
	if (!has_room(p, file.bytes))
		goto out;
	err = -ENOMEM;
	more = reallocarray(p->files, p->n_files + 1, sizeof *more);
	if (!more)
		goto out;
	p->files = more;
	file.data = malloc(file.bytes);
	if (!file.data)
		goto out;
	err = read_whole(fd, file.data, file.bytes);
	if (err < 0)
		goto out;
	p->files[p->n_files] = file;
	*ret_file = &p->files[p->n_files++];
	file.data = NULL;

out:
	free(file.data);
	fd_close(&fd);
	return err;
}

static int is_jpeg_name(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return suffix && (!strcasecmp(suffix, ".jpg") || !strcasecmp(suffix, ".jpeg"));
}

/* Find the pictures of a folder, in the order of their names. Returns 0 or a negative errno. */
static int open_folder(struct pictures *p, const char *path)
{
	int folder_fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	const struct picture_file *file;
	struct dirent **entries = NULL;
	int err = 0, n;

	if (folder_fd < 0)
		return -errno;
	n = scandirat(folder_fd, ".", &entries, is_jpeg_name, alphasort);
	if (n < 0)
		err = -errno;
	for (int i = 0; i < n; i++) {
		if (!err)
			err = load_file(p, folder_fd, entries[i]->d_name, &file);
		if (!err)
			err = find_jpegs(p, file->data, file->bytes);
		free(entries[i]);
	}
	free(entries);
	fd_close(&folder_fd);
	return err;
}

static int open_file(struct pictures *p, const char *path)
{
	const struct picture_file *file;
	int err = load_file(p, AT_FDCWD, path, &file);

	return err < 0 ? err : pictures_parse(p, file->data, file->bytes);
}

static const char *explain(int err)
{
	switch (err) {
	case -EINVAL:
		return "it is neither a file nor a folder of files";
	case -ENODATA:
		return "a file is empty";
	case -EFBIG:
		return "it would take more than half of this machine's memory; use a shorter one";
	case -EBADMSG:
		return "its Y4M header is broken";
	case -ENOTSUP:
		return "only the Y4M colour spaces 420, 422 and mono, of 8 bits, can be replayed";
	case -ENOMSG:
		return "there is no whole picture in it (JPEG, MJPEG and Y4M are read)";
	}
	return strerror(-err);
}

int pictures_open(struct pictures *p, const char *path, char reason[CAMERA_REASON_BYTES])
{
	struct stat st;
	int err;

	*p = (struct pictures){.fourcc = 0};
	if (stat(path, &st))
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = open_folder(p, path);
	else
		err = open_file(p, path);
	if (!err && !p->n_pictures)
		err = -ENOMSG;
	if (err < 0) {
		pictures_close(p);
		return reason_set(reason, err, "cannot replay %.80s: %s", path, explain(err));
	}
	return 0;
}

void pictures_close(struct pictures *p)
{
	for (size_t i = 0; i < p->n_files; i++)
		free(p->files[i].data);
	free(p->files);
	free(p->pictures);
	*p = (struct pictures){.fourcc = 0};
}
