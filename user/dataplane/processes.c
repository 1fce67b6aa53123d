/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct look {
	process_fn *fn;
	void *data;
	size_t n;
	char environment[PROCESSES_ENVIRON_MAX];
};

/* Bytes of a file of a process; 0: none, or it is gone, or this process may not. */
static size_t read_of(pid_t pid, const char *name, char *out, size_t size)
{
	char path[48];
	CLEANUP(closep) int fd = -1;
	size_t len = 0;
	ssize_t n = 1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n > 0 && len < size) {
		n = read(fd, out + len, size - len);
		len += n > 0 ? (size_t)n : 0;
	}
	return len;
}

static void look_at(struct look *look, pid_t pid)
{
	char comm[17] = "";
	size_t len = read_of(pid, "environ", look->environment, sizeof(look->environment));

	if (!len)
		return;
	comm[read_of(pid, "comm", comm, sizeof(comm) - 1)] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
	look->fn(look->data, pid, comm, look->environment, len);
	explicit_bzero(look->environment, len);
}

/* Those of one cgroup; one that is not in our PID namespace is 0 there. */
static void look_in(struct look *look, const char *cgroup)
{
	char path[4096];
	CLEANUP(fclosep) FILE *f = NULL;
	int pid;

	if ((size_t)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup) >= sizeof(path))
		return;
	f = fopen(path, "re");
	while (f && look->n < PROCESSES_MAX && fscanf(f, "%d", &pid) == 1) {
		look->n++;
		if (pid > 0)
			look_at(look, pid);
	}
}

static void fts_closep(FTS **tree)
{
	if (*tree)
		fts_close(*tree);
}

ssize_t processes_each(const char *cgroup, process_fn *fn, void *data)
{
	CLEANUP(freep) struct look *look = calloc(1, sizeof(*look));
	CLEANUP(freep) char *root = strdup(cgroup);
	char *const roots[] = { root, NULL };
	CLEANUP(fts_closep) FTS *tree = NULL;
	const FTSENT *e;

	if (!look || !root)
		return -ENOMEM;
	look->fn = fn;
	look->data = data;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
	if (!tree)
		return -errno;
	while (look->n < PROCESSES_MAX && (e = fts_read(tree)))
		if (e->fts_info == FTS_D)
			look_in(look, e->fts_path);
	return (ssize_t)look->n;
}
