/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The cookie of a network namespace, by which endpoints on this host are told
 * apart. A socket option tells it since 5.14; before, only a program does that
 * runs on a socket made in the namespace. So a child makes one, in a cgroup that
 * exists for that moment and has only this program attached.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"

/* By socket option. */
static int cookie_asked(uint64_t *ret)
{
	CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		return -errno;
	*ret = cookie;
	return 0;
}

bool dataplane_cookie_quick(void)
{
	uint64_t cookie;

	return !cookie_asked(&cookie);
}

/* Several processes ask: what the program writes for one is not to be taken by another. */
static int alone(const char *cgroup, int *ret_fd)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd; /* the lock ends with it */
	while (flock(fd, LOCK_EX))
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* In the child: joins the cgroup and makes a socket; 0, else an errno. */
static int socket_in(const char *cgroup)
{
	char path[600];
	int procs;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	procs = open(path, O_WRONLY | O_CLOEXEC);
	if (procs < 0 || write(procs, "0", 1) != 1)
		return errno;
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? errno : 0;
}

static int child_run(const char *cgroup)
{
	pid_t child = fork();
	int status = 0;

	if (child < 0)
		return -errno;
	if (!child)
		_exit(socket_in(cgroup));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/* With the program attached to the cgroup at `fd`. */
static int cookie_of_child(struct dataplane *dp, const char *cgroup, int fd, uint64_t *ret)
{
	struct sg_job job = { .netns = 0 };
	struct bpf_link *link;
	__u32 zero = 0;
	int map = bpf_map__fd(dp->skel->maps.job);
	int r;

	if (bpf_map_update_elem(map, &zero, &job, BPF_ANY))
		return -errno;
	link = bpf_program__attach_cgroup(dp->skel->progs.sg_netns, fd);
	if (!link)
		return -errno;
	r = child_run(cgroup);
	bpf_link__destroy(link);
	if (!r && bpf_map_lookup_elem(map, &zero, &job))
		r = -errno;
	if (!r && !job.netns)
		r = -ENODATA;
	if (!r)
		*ret = job.netns;
	return r;
}

int dataplane_cookie_here(void *data, uint64_t *ret)
{
	struct dataplane *dp = data;
	CLEANUP(closep) int lock = -1;
	CLEANUP(closep) int fd = -1;
	char path[512];
	int r;

	r = cookie_asked(ret);
	if (r != -ENOPROTOOPT && r)
		return log_failure(r, SUB, "cannot tell this network namespace's cookie");
	if (!r)
		return 0;
	r = alone(dp->cgroup, &lock);
	if (r)
		return log_failure(r, SUB, "cannot lock the cgroup %s", dp->cgroup);
	snprintf(path, sizeof(path), "%s/switchgear-%d", dp->cgroup, (int)getpid());
	if (mkdir(path, 0700) && errno != EEXIST)
		return log_failure(-errno, SUB,
				   "cannot make the cgroup %s, in which this kernel is to tell the "
				   "network namespace's cookie",
				   path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : cookie_of_child(dp, path, fd, ret);
	if (rmdir(path))
		log_warning(SUB, "cannot remove the empty cgroup %s: %s; ignoring", path,
			    strerror(errno));
	if (r)
		return log_failure(r, SUB,
				   "cannot tell this network namespace's cookie in the cgroup %s",
				   path);
	return 0;
}
