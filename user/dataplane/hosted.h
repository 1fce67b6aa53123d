/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The processes of a server on this host: by what the configuration says of them, or by the socket
 * that waits at the server's address; in which cgroup they are, and who else is in it. Everything
 * here looks into /proc and may take long: for a child.
 */
#ifndef SWITCHGEAR_DATAPLANE_HOSTED_H
#define SWITCHGEAR_DATAPLANE_HOSTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "dataplane/netns.h"

#define HOSTED_ADDRS_MAX 8
#define HOSTED_HOLDERS_MAX 64
#define HOSTED_PROCESSES_MAX 4096U
#define HOSTED_WHY_LEN 384

/* What is known of a server; texts that are "" are not. */
struct hosted_ask {
	char unit[128];                      /* "x.service" */
	char cgroup[512];                    /* a directory, or a path below the mount */
	char container[128];                 /* how its id, or the name of its cgroup, begins */
	struct addr addrs[HOSTED_ADDRS_MAX]; /* where it waits for agents */
	size_t n_addrs;
	uint16_t port;
};

struct hosted_process {
	pid_t pid;
	pid_t parent;
	char comm[16]; /* printable */
	ino_t netns;   /* inode; 0: it could not be told */
	bool own;      /* it is the server's */
};

struct hosted {
	bool named;   /* by the configuration, else by its socket */
	char *cgroup; /* its directory; NULL: its processes are in several, or in none */
	pid_t holders[HOSTED_HOLDERS_MAX]; /* have the socket that waits */
	size_t n_holders;
	ino_t netns;              /* where that is; 0: not known */
	uint16_t port;            /* at which it waits */
	struct hosted_process *v; /* who is in the cgroup, and below it */
	size_t n;
	char why[HOSTED_WHY_LEN]; /* why the cgroup may not be isolated; "": it may */
	bool never;               /* nor by force */
};

/*
 * 0: *ret is the caller's, hosted_done(). -ENOENT: it is not on this host, as far as can be seen;
 * else -errno. Processes of the cgroup `guarded`, those that are protected, and this one must not be
 * isolated with it.
 */
int hosted_find(struct netns *netns, const struct hosted_ask *ask, const char *guarded,
		struct hosted *ret) MUST_CHECK;
void hosted_done(struct hosted *h);

/* Does this process hold the socket that waits? */
bool hosted_holds(const struct hosted *h, pid_t pid);

/* Is a cgroup of this name ("docker-0123.scope", "web.service") made for one service or container,
 * so that all who are in it are the server's? For tests, too. */
bool hosted_is_unit(const char *name);
/* Does the name of a container's cgroup begin with this id or name? */
bool hosted_is_container(const char *name, const char *wanted);

#endif
