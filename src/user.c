#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define GROUPS_MOST 128

static const char *const device_groups[] = {"video", "render"};

#define N_DEVICE_GROUPS (sizeof device_groups / sizeof *device_groups)

ON_MAIN static int take_groups(const struct passwd *user)
{
	gid_t groups[GROUPS_MOST];
	int n = GROUPS_MOST - N_DEVICE_GROUPS;

	if (getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0)
		return -E2BIG;
	for (size_t i = 0; i < N_DEVICE_GROUPS; i++) {
		const struct group *group = getgrnam(device_groups[i]);

		if (group)
			groups[n++] = group->gr_gid;
	}
	return setgroups((size_t)n, groups) < 0 ? -errno : 0;
}

/* Where only root can make one. */
ON_MAIN static int give_state_dir(const char *path, const struct passwd *user)
{
	int err;

	if (!access(path, F_OK))
		return 0;
	err = file_make_folders(path);
	if (!err && chown(path, user->pw_uid, user->pw_gid) < 0)
		err = -errno;
	return err;
}

int user_become(const char *name, const char *state_dir, char reason[USER_REASON_BYTES])
{
	const struct passwd *user = getpwnam(name);
	int err;

	if (!user) {
		(void)snprintf(reason, USER_REASON_BYTES,
			"user: there is no user %s; make one, or name another with --user", name);
		return -ENOENT;
	}
	if (geteuid() == user->pw_uid)
		return 0;
	if (geteuid()) {
		(void)snprintf(reason, USER_REASON_BYTES,
			"user: only root can become %s; start as root, or leave --user out", name);
		return -EPERM;
	}
	err = give_state_dir(state_dir, user);
	if (!err)
		err = take_groups(user);
	if (!err && (setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
			    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0))
		err = -errno;
	if (err < 0)
		(void)snprintf(reason, USER_REASON_BYTES, "user: cannot become %s: %s", name,
			strerror(-err));
	/* They are root's, and where settings read anew would have the state be. */
	(void)unsetenv("HOME");
	(void)unsetenv("XDG_STATE_HOME");
	return err;
}
