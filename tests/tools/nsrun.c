/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Runs a command in namespaces, a cgroup, or as an ordinary user, without
 * changing anything else: `ip netns exec` would replace /sys and hide the
 * cgroup and BPF file systems. It becomes the command, so its pid is the pid.
 */
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "util.h"

#define ADDRS_MAX 16

static struct {
	const char *net;
	const char *cgroup;
	bool user;
	long uid;
	bool setuid;
	bool private_mounts;
	bool no_sockdiag;
	const char *umount[ADDRS_MAX];
	int umounts;
	const char *addr[ADDRS_MAX];
	int addrs;
	int drop[ADDRS_MAX];
	int drops;
} opt = { .uid = 65534 };

static const char usage[] =
	"usage: nsrun [--cgroup DIR] [--net NAME] [--umount DIR]... [--drop CAP]...\n"
	"             [--no-sockdiag] [--uid N] [--user [--addr ADDRESS]...]\n"
	"             -- COMMAND [ARGUMENT]...\n"
	"--cgroup DIR    move into that cgroup first\n"
	"--net NAME      enter the named network namespace (/run/netns/NAME)\n"
	"--umount DIR    in a mount namespace of its own, unmount DIR (once per mount on it)\n"
	"--drop CAP      bpf, perfmon, net_admin, sys_admin, or a number\n"
	"--no-sockdiag   sockets of NETLINK_SOCK_DIAG are refused with EPERM, for good\n"
	"--uid N         become that user (default with --user: 65534)\n"
	"--user          become that user, then make a user and a network namespace of his own,\n"
	"                with lo up and each ADDRESS on it; he is root in there\n"
	"Exit status: the command's; 2 usage or setup failed, 77 the kernel refuses namespaces.\n";

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("nsrun: %s: %s", path, strerror(errno));
	close(fd);
}

static void enter_cgroup(const char *dir)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	write_file(path, "0");
}

static void enter_net(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("nsrun: network namespace %s: %s", name, strerror(errno));
	close(fd);
}

static void private_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("nsrun: mount namespace: %s", strerror(errno));
	for (int i = 0; i < opt.umounts; i++) {
		if (umount2(opt.umount[i], MNT_DETACH))
			die("nsrun: unmount %s: %s", opt.umount[i], strerror(errno));
	}
}

static void drop_capabilities(void)
{
	for (int i = 0; i < opt.drops; i++) {
		if (prctl(PR_CAPBSET_DROP, opt.drop[i], 0, 0, 0))
			die("nsrun: capability %d: %s", opt.drop[i], strerror(errno));
	}
}

/* What a kernel without INET_DIAG_DESTROY cannot do either: list and end others' sockets. */
static void no_sockdiag(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_SOCK_DIAG, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		fprintf(stderr, "nsrun: --no-sockdiag: %s\n", strerror(errno));
		exit(EXIT_SKIP);
	}
}

static void become_user(void)
{
	gid_t gid = (gid_t)opt.uid;

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid((uid_t)opt.uid, (uid_t)opt.uid, (uid_t)opt.uid))
		die("nsrun: user %ld: %s", opt.uid, strerror(errno));
	/* Else /proc/self belongs to root, and the id maps cannot be written. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("nsrun: lo: %s", strerror(errno));
	close(fd);
}

struct in6_request { /* struct in6_ifreq of linux/ipv6.h, which clashes with netinet/in.h */
	struct in6_addr addr;
	uint32_t prefix_len;
	int ifindex;
};

static void add_address(const char *text, int number)
{
	struct in6_request v6 = { .prefix_len = 128, .ifindex = (int)if_nametoindex("lo") };
	struct ifreq v4 = {};
	struct sockaddr_in *sin = (struct sockaddr_in *)&v4.ifr_addr;
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	sin->sin_family = AF_INET;
	snprintf(v4.ifr_name, sizeof(v4.ifr_name), "lo:%d", number + 1);
	if (inet_pton(family, text, family == AF_INET ? (void *)&sin->sin_addr : &v6.addr) != 1)
		die("nsrun: --addr %s: not an address", text);
	r = ioctl(fd, SIOCSIFADDR, family == AF_INET ? (void *)&v4 : &v6);
	if (r)
		die("nsrun: --addr %s: %s", text, strerror(errno));
	close(fd);
}

static void own_namespaces(void)
{
	int fd = -1;
	char map[64];

	/* AppArmor (Ubuntu) lets users make them, and gives them no rights there. */
	if (!unshare(CLONE_NEWUSER | CLONE_NEWNET))
		fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "nsrun: user namespaces: %s\n", strerror(errno));
		exit(EXIT_SKIP);
	}
	if (write(fd, "deny", 4) < 0)
		die("nsrun: /proc/self/setgroups: %s", strerror(errno));
	close(fd);
	snprintf(map, sizeof(map), "0 %ld 1", opt.uid);
	write_file("/proc/self/uid_map", map);
	write_file("/proc/self/gid_map", map);
	lo_up();
	for (int i = 0; i < opt.addrs; i++)
		add_address(opt.addr[i], i);
}

static int parse_capability(const char *text)
{
	if (!strcmp(text, "bpf"))
		return CAP_BPF;
	if (!strcmp(text, "perfmon"))
		return CAP_PERFMON;
	if (!strcmp(text, "net_admin"))
		return CAP_NET_ADMIN;
	if (!strcmp(text, "sys_admin"))
		return CAP_SYS_ADMIN;
	return (int)parse_long("--drop", text, 0, 63);
}

static void option(const char *name, const char *value)
{
	if (!value)
		die("%s", usage);
	if (opt.umounts == ADDRS_MAX || opt.addrs == ADDRS_MAX || opt.drops == ADDRS_MAX)
		die("nsrun: too many options");
	if (!strcmp(name, "--cgroup")) {
		opt.cgroup = value;
	} else if (!strcmp(name, "--net")) {
		opt.net = value;
	} else if (!strcmp(name, "--umount")) {
		opt.private_mounts = true;
		opt.umount[opt.umounts++] = value;
	} else if (!strcmp(name, "--drop")) {
		opt.drop[opt.drops++] = parse_capability(value);
	} else if (!strcmp(name, "--addr")) {
		opt.addr[opt.addrs++] = value;
	} else if (!strcmp(name, "--uid")) {
		opt.uid = parse_long(name, value, 1, 4294967294);
		opt.setuid = true;
	} else {
		die("%s", usage);
	}
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--user")) {
			opt.user = opt.setuid = true;
			continue;
		}
		if (!strcmp(argv[i], "--no-sockdiag")) {
			opt.no_sockdiag = true;
			continue;
		}
		option(argv[i], argv[i + 1]);
		i++;
	}
	if (i + 1 >= argc)
		die("%s", usage);
	if (opt.cgroup)
		enter_cgroup(opt.cgroup);
	if (opt.net)
		enter_net(opt.net);
	if (opt.private_mounts)
		private_mounts();
	drop_capabilities();
	if (opt.no_sockdiag)
		no_sockdiag();
	if (opt.setuid)
		become_user();
	if (opt.user)
		own_namespaces();
	execvp(argv[i + 1], argv + i + 1);
	die("nsrun: %s: %s", argv[i + 1], strerror(errno));
}
