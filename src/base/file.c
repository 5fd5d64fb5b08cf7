#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

int file_make_folders(const char *path)
{
	char part[FILE_PATH_BYTES];

	(void)snprintf(part, sizeof part, "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0)
			return -errno;
		data += n;
		bytes -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Best efforts, for only root may give a file away: as the one before, or to whose folder it is. */
static void give(int fd, const char *path)
{
	char folder[FILE_PATH_BYTES];
	struct stat before;

	(void)snprintf(folder, sizeof folder, "%s", path);
	if (!stat(path, &before)) {
		if (!fchown(fd, before.st_uid, before.st_gid))
			(void)fchmod(fd, before.st_mode & 0640);
	} else if (!stat(dirname(folder), &before)) {
		(void)!fchown(fd, before.st_uid, before.st_gid);
	}
}

int file_replace(const char *path, const void *data, size_t bytes)
{
	char temporary[FILE_PATH_BYTES + 8];
	int fd, err;

	(void)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return -errno;
	err = write_all(fd, data, bytes);
	give(fd, path);
	fd_close(&fd);
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err < 0)
		(void)unlink(temporary); /* it was only a draft */
	return err;
}

int file_read(const char *path, char *text, size_t size_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + used, size_bytes - used)) > 0 && used < size_bytes)
		used += (size_t)n;
	if (n < 0)
		err = -errno;
	else if (used == size_bytes)
		err = -EFBIG;
	else
		text[used] = '\0';
	fd_close(&fd);
	return err < 0 ? err : (int)used;
}
