/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * By libseccomp, as lists of what is allowed: what glibc calls, and for those who ask, the
 * modules of nsswitch.conf, OpenSSL and libcurl. A module that wants more finds it refused and
 * lets the next one answer; the list is no secret to it.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define SECONDS_MAX 60 /* of the processor; one who asks and is busy for so long is not well */

static const char *const everybody[] = {
	/* what was received and is to be sent */
	"read",
	"readv",
	"pread64",
	"recvfrom",
	"recvmsg",
	"recv",
	"write",
	"writev",
	"sendto",
	"sendmsg",
	"send",
	"connect",
	"shutdown",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"close",
	"close_range",
	"fcntl",
	"fcntl64",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"timerfd_settime",
	/* memory, threads of its own, time */
	"brk",
	"mmap",
	"mmap2",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"membarrier",
	"futex",
	"futex_time64",
	"set_robust_list",
	"rseq",
	"sched_yield",
	"sched_getaffinity",
	"getcpu",
	"clock_gettime",
	"clock_gettime64",
	"clock_getres",
	"clock_getres_time64",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"nanosleep",
	"gettimeofday",
	"time",
	"getrandom",
	/* who and where it is */
	"getpid",
	"getppid",
	"gettid",
	"getuid",
	"getuid32",
	"geteuid",
	"geteuid32",
	"getgid",
	"getgid32",
	"getegid",
	"getegid32",
	"getgroups",
	"getgroups32",
	"uname",
	"sysinfo",
	"getrlimit",
	"ugetrlimit",
	"getrusage",
	"arch_prctl",
	/* signals and the end */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigreturn",
	"sigaltstack",
	"rt_sigpending",
	"tgkill",
	"restart_syscall",
	"exit",
	"exit_group",
};

static const char *const who_asks[] = {
	/* what libraries wait and talk with */
	"recvmmsg",
	"sendmmsg",
	"bind",
	"socketpair",
	"dup",
	"dup2",
	"dup3",
	"poll",
	"ppoll",
	"ppoll_time64",
	"select",
	"_newselect",
	"pselect6",
	"pselect6_time64",
	"eventfd2",
	"pipe",
	"pipe2",
	"timerfd_create",
	"epoll_create",
	"epoll_create1",
	/* files to read: libraries, configuration, certificates */
	"fstat",
	"fstat64",
	"fstatat64",
	"newfstatat",
	"stat",
	"stat64",
	"lstat",
	"lstat64",
	"statx",
	"statfs",
	"statfs64",
	"fstatfs",
	"fstatfs64",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getcwd",
	"lseek",
	"_llseek",
	"getdents",
	"getdents64",
	"fadvise64",
	"fadvise64_64",
};

static const char *const who_takes[] = {
	"accept",
	"accept4",
};

/* --- system calls ------------------------------------------------------------------------------ */

static int allow_list(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);
		int r;

		if (call == __NR_SCMP_ERROR)
			continue; /* of another architecture, or newer than the library */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
		if (r)
			return r;
	}
	return 0;
}

/* No raw ones, though these take a right it has not. */
static int allow_socket(scmp_filter_ctx ctx, int family, int type)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family),
				SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)type));
}

static int allow_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && !r; i++) {
		r = allow_socket(ctx, families[i], SOCK_STREAM);
		r = r ? r : allow_socket(ctx, families[i], SOCK_DGRAM);
	}
	/* getaddrinfo() asks which families this host has */
	return r ? r : allow_socket(ctx, AF_NETLINK, SOCK_RAW);
}

/* Files are opened for reading only. */
static int allow_open(scmp_filter_ctx ctx)
{
	const scmp_datum_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));

	return r ? r
		 : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
				    SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0));
}

static int allow_some(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				 SCMP_A1(SCMP_CMP_EQ, FIONREAD));

	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_EQ, FIONBIO));
	if (!r) /* to read limits, its own */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
				     SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
	return r ? r
		 : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				    SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
}

static int allow_asking(scmp_filter_ctx ctx)
{
	int r = allow_list(ctx, who_asks, ARRAY_SIZE(who_asks));

	r = r ? r : allow_sockets(ctx);
	return r ? r : allow_open(ctx);
}

static int allow_taking(scmp_filter_ctx ctx)
{
	int r = allow_list(ctx, who_takes, ARRAY_SIZE(who_takes));

	r = r ? r : allow_socket(ctx, AF_INET, SOCK_STREAM);
	return r ? r : allow_socket(ctx, AF_INET6, SOCK_STREAM);
}

static int filter_load(enum sandbox_role role)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return -ENOMEM;
	r = allow_list(ctx, everybody, ARRAY_SIZE(everybody));
	r = r ? r : allow_some(ctx);
	if (!r)
		r = role == SANDBOX_ASKS ? allow_asking(ctx) : allow_taking(ctx);
	r = r ? r : seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

/* --- rights --------------------------------------------------------------------------------------- */

static int limit(int what, rlim_t most)
{
	struct rlimit l;

	if (getrlimit((__rlimit_resource_t)what, &l))
		return -errno;
	if (most > l.rlim_max)
		most = l.rlim_max;
	l = (struct rlimit){ most, most };
	return setrlimit((__rlimit_resource_t)what, &l) ? -errno : 0;
}

static int limit_all(const struct sandbox *s)
{
	const struct {
		int what;
		rlim_t most;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_FSIZE, 0 },
		{ RLIMIT_NOFILE, s->files },
		{ RLIMIT_NPROC, 0 }, /* none that it would make */
		{ RLIMIT_CPU, s->role == SANDBOX_ASKS ? SECONDS_MAX : RLIM_INFINITY },
#ifndef __SANITIZE_ADDRESS__ /* which maps more than there is */
		{ RLIMIT_AS, s->memory },
#endif
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(limits) && !r; i++)
		r = limit(limits[i].what, limits[i].most);
	return r;
}

/* Of a daemon that is not root (--check) the user is nobody else's business. */
static int change_user(uid_t user)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 ||
	    setresuid(user, user, user) < 0)
		return -errno;
	return 0;
}

/* A change of user takes them already, but of a process that is in no position to change. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &header, none) < 0)
		return -errno;
	return 0;
}

static int no_more_rights(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno
											   : 0;
}

/* It dies with the daemon. A change of user ends that, so it comes after; a daemon that died
 * before is noticed. */
static int bind_to(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

int sandbox_enter(const struct sandbox *s, const char **ret_what)
{
	int r;

	*ret_what = "limits cannot be set";
	r = limit_all(s);
	if (!r) {
		*ret_what = "it cannot become another user";
		r = change_user(s->user);
	}
	if (!r) {
		*ret_what = "the daemon is gone";
		r = bind_to(s->parent);
	}
	if (!r) {
		*ret_what = "capabilities cannot be given up";
		r = drop_capabilities();
	}
	if (!r) {
		*ret_what = "new privileges cannot be given up";
		r = no_more_rights();
	}
	if (!r) {
		*ret_what = "system calls cannot be filtered";
		r = filter_load(s->role);
	}
	return r;
}
