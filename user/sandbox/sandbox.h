/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the daemon's unprivileged processes (user/worker/, user/relay/) do to themselves first. */
#ifndef SWITCHGEAR_SANDBOX_SANDBOX_H
#define SWITCHGEAR_SANDBOX_SANDBOX_H

#include <sys/types.h>

#include "base/cleanup.h"

/* What a process is for, beyond talking over what it has open. */
enum sandbox_role {
	SANDBOX_ASKS,  /* a client of name servers and TLS, which reads files; short-lived */
	SANDBOX_TAKES, /* accepts connections, and makes some over TCP; no files; long-lived */
};

struct sandbox {
	enum sandbox_role role;
	uid_t user;    /* and group; only root can become another one */
	pid_t parent;  /* with which it dies */
	size_t files;  /* descriptors; fewer if the parent may have fewer only */
	size_t memory; /* bytes of address space */
};

/*
 * Gives up, for good, what a process does not need: the user (unless it is none that may), all
 * capabilities, new privileges, dumps, files to write, processes, and every system call that
 * its role has no use for (EPERM); dies with its parent. -errno: it has not all been given
 * up, and nothing from the network may be looked at. *ret_what: what could not, for people.
 */
int sandbox_enter(const struct sandbox *s, const char **ret_what) MUST_CHECK;

#endif
