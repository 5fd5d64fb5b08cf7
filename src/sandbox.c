/*
 * The list is by purpose rather than by alphabet: who adds a call sees what it is for. Calls that
 * an architecture does not have are left out by libseccomp.
 *
 * Files are not confined here, as a path is nothing that a filter can look at; systemd does that.
 */
#include "sandbox.h"

#include <errno.h>

#if !HAVE_SECCOMP

int sandbox_enter(void)
{
	return -ENOSYS;
}

#else

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/sockios.h>
#include <seccomp.h>

#define IOCTL_TYPE_MASK (UINT64_C(0xff) << _IOC_TYPESHIFT)

/* The rest are flags. */
#define SOCK_TYPE_MASK  UINT64_C(0xf)

static const int allowed_calls[] = {
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(map_shadow_stack),
	SCMP_SYS(memfd_create),
	SCMP_SYS(mlock),
	SCMP_SYS(mlock2),
	SCMP_SYS(mmap),
	SCMP_SYS(mmap2),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(munlock),
	SCMP_SYS(munmap),
	/* files: settings, certificates, accounts, devices and what sysfs says of them */
	SCMP_SYS(_llseek),
	SCMP_SYS(access),
	SCMP_SYS(chmod),
	SCMP_SYS(chown),
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fadvise64),
	SCMP_SYS(fallocate),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(fcntl),
	SCMP_SYS(fcntl64),
	SCMP_SYS(fdatasync),
	SCMP_SYS(flock),
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(fstatat64),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(ftruncate64),
	SCMP_SYS(getcwd),
	SCMP_SYS(getdents64),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_rm_watch),
	SCMP_SYS(lseek),
	SCMP_SYS(lstat),
	SCMP_SYS(lstat64),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(read),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(readv),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(stat),
	SCMP_SYS(stat64),
	SCMP_SYS(statfs),
	SCMP_SYS(statx),
	SCMP_SYS(umask),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	/* events */
	SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),
	SCMP_SYS(pselect6),
	SCMP_SYS(pselect6_time64),
	SCMP_SYS(select),
	SCMP_SYS(signalfd4),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_settime64),
	/* connections; connect() reaches only what socket() below makes */
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(connect),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(recv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(send),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	/* time */
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_getres_time64),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_nanosleep_time64),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep),
	SCMP_SYS(time),
	SCMP_SYS(times),
	/* threads, signals to itself, the end */
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(futex),
	SCMP_SYS(futex_time64),
	SCMP_SYS(get_robust_list),
	SCMP_SYS(getcpu),
	SCMP_SYS(membarrier),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(rt_sigtimedwait_time64),
	SCMP_SYS(sched_get_priority_max),
	SCMP_SYS(sched_get_priority_min),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_getattr),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(sched_setattr),
	SCMP_SYS(sched_setscheduler),
	SCMP_SYS(sched_yield),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(sigreturn),
	/* who and where it is */
	SCMP_SYS(getegid),
	SCMP_SYS(getegid32),
	SCMP_SYS(geteuid),
	SCMP_SYS(geteuid32),
	SCMP_SYS(getgid),
	SCMP_SYS(getgid32),
	SCMP_SYS(getpgid),
	SCMP_SYS(getpgrp),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(getuid32),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
};

/* By their type: V4L2, media pipelines, DRM, DMA buffers, their heaps, and udmabuf. */
static const char allowed_ioctl_types[] = {'V', '|', 'd', DMA_BUF_BASE, DMA_HEAP_IOC_MAGIC, 'u'};

/* What libc since 2.42 asks instead of TCGETS and TCSETS; its headers do not say. */
#define TERMIOS2_BYTES  44

static const unsigned long allowed_ioctls[] = {
	FIONBIO,
	FIONREAD,
	SIOCGIFNAME, /* of an IPv6 neighbour, when its address is written */
	SIOCOUTQ,
	TCGETS,
	TCSETS,
	_IOC(_IOC_READ, 'T', 0x2a, TERMIOS2_BYTES),
	_IOC(_IOC_WRITE, 'T', 0x2b, TERMIOS2_BYTES),
	TIOCGPGRP,
	TIOCGWINSZ,
};

/* Of every call, by its number: in the handler there is no looking up. Written once, before. */
#define NAMES_MOST      512
static char *names[NAMES_MOST];

/* Only what a signal handler may do; the handler is gone by now, so the signal ends the program. */
ANY_THREAD static void tell_violation(int number, siginfo_t *info, void *context)
{
	int call = info->si_syscall;
	const char *words[] = {
		"fanlight: sandbox: ended, as the system call ",
		call >= 0 && call < NAMES_MOST && names[call] ? names[call] : "of unknown name",
		" is not allowed; please report this, and set sandbox = no until it is mended\n",
	};
	char line[256] = "", *end = line;

	(void)context;
	/* The longest name has some 30 letters. */
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		end = stpcpy(end, words[i]);
	if (write(STDERR_FILENO, line, (size_t)(end - line)) < 0)
		(void)0; /* there is nowhere to say so */
	(void)raise(number);
}

ON_MAIN static int catch_violations(void)
{
	struct sigaction action = {
		.sa_sigaction = tell_violation,
		.sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER,
	};

	return sigaction(SIGSYS, &action, NULL) ? -errno : 0;
}

ON_MAIN static int allow_ioctls(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof allowed_ioctl_types; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, IOCTL_TYPE_MASK,
				(uint64_t)allowed_ioctl_types[i] << _IOC_TYPESHIFT));
	for (size_t i = 0; !err && i < sizeof allowed_ioctls / sizeof *allowed_ioctls; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_EQ, allowed_ioctls[i]));
	return err;
}

/*
 * Datagrams tell systemd how it goes. Other services of the machine talk in streams: D-Bus, or those
 * that start programs for who asks. Libraries that look for names of users and networks ask for such,
 * and bear a no.
 */
ON_MAIN static int allow_sockets(scmp_filter_ctx filter)
{
	static const int refused[] = {SOCK_STREAM, SOCK_SEQPACKET};
	int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
		SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
		SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_MASK, SOCK_DGRAM));

	for (size_t i = 0; !err && i < sizeof refused / sizeof *refused; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 2,
			SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
			SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_MASK, (scmp_datum_t)refused[i]));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	return err;
}

/* Calls that are right with some arguments only. */
ON_MAIN static int allow_some(scmp_filter_ctx filter)
{
	int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	/* Its flags are behind a pointer; told that there is none, libc takes clone(). */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (!err)
		err = allow_sockets(filter);
	/* Its own limits; those of others are a way to stop them. */
	if (!err)
		err = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
			SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* To itself alone: abort() and raise(). */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return err ? err : allow_ioctls(filter);
}

/* Calls that are newer than libseccomp are as unknown as to an older kernel: libc does without. */
ON_MAIN static int answer_unknown(scmp_filter_ctx filter)
{
	int err = 0;

	for (int i = 0; !err && i < NAMES_MOST; i++) {
		if (!names[i])
			names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
		if (!names[i])
			err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), i, 0);
	}
	return err;
}

ON_MAIN static int fill(scmp_filter_ctx filter)
{
	int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	/* Else older kernels slow every thread down against Spectre, which no thread here plays. */
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	/* A tree instead of a list, for kernels that run the filter at each call. */
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; !err && i < sizeof allowed_calls / sizeof *allowed_calls; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
	if (!err)
		err = allow_some(filter);
	return err ? err : answer_unknown(filter);
}

int sandbox_enter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int err;

	if (!filter)
		return -ENOMEM;
	err = fill(filter);
	if (!err)
		err = catch_violations();
	if (!err)
		err = seccomp_load(filter); /* with no_new_privs, by default */
	seccomp_release(filter);
	return err;
}

#endif
