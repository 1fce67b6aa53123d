/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs of ours that the daemon starts as processes without rights: opened once, at its
 * start, so that all processes are of one build, and run under a user of their own.
 * Used by the adapters that have such a process (io/worker.h, io/relay.h).
 */
#ifndef SWITCHGEAR_IO_PROGRAM_H
#define SWITCHGEAR_IO_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define PROGRAM_SOCKET 3U /* number of the socket to the daemon, in the process */
#define PROGRAM_FDS_MAX 8U
#define PROGRAM_REAP_NS 100000000ULL

struct program {
	int fd;           /* -1: there is none */
	const char *name; /* static; of the program, and of its user */
	uid_t user;       /* and group; meaningless unless the daemon is root */
	char error[160];  /* why there is none, for people */
};

/* Never fails as such: p->fd and p->error tell. `path` NULL: beside this program, else where it
 * is installed. `number`: of its user where /etc/passwd does not have one of that name. */
void program_open(struct program *p, const char *name, uid_t number, const char *path);
void program_close(struct program *p);

/*
 * Starts it as "NAME SOCKET PARENT USER [ARGUMENT]", with `fds` as PROGRAM_SOCKET and the numbers
 * behind it (-1: that number is not open), an empty environment but for PATH and `variable`
 * (NULL: none), and every signal as it comes by default. Waits for nothing. -errno.
 */
int program_start(const struct program *p, const int *fds, size_t n_fds, const char *argument,
		  const char *variable, pid_t *ret) MUST_CHECK;

/* True if it has ended and is waited for (*pid is 0 then), or *pid was 0; never waits. */
bool program_reaped(pid_t *pid, int *status);
/* Kills it and waits for PROGRAM_REAP_NS at most. *pid is 0 afterwards; *zombie is it, if it did
 * not end in that time. Returns its status, 0 if that is not known. */
int program_end(pid_t *pid, pid_t *zombie);
/* Of such a status, for people. */
void program_explain(int status, char *out, size_t size);

#endif
