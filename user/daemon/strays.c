/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections older than the load where the kernel cannot adopt them: nothing
 * measures them, but a quarantine ends them all the same, found by the address
 * of their peer and killed by netlink.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "daemon/app.h"
#include "io/sockdiag.h"

#define STRAYS_MAX 65536U

struct strays {
	struct app *app;
	uint32_t server;
	bool home; /* in the daemon's own namespace */
	struct sg_victim *v;
	size_t n;
	uint32_t killed;
	uint32_t left;
};

/* Is this socket's peer the server? A victim is noted: killing has to wait for the list's end. */
static int note(void *data, const struct sg_victim *socket)
{
	struct strays *st = data;
	struct sg_victim *more;

	if (dataplane_server_at(st->app->dp, socket->remote, ntohs(socket->remote_port),
				st->home) != st->server)
		return 0;
	if (st->n == STRAYS_MAX)
		return -E2BIG;
	more = realloc(st->v, (st->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	st->v = more;
	st->v[st->n++] = *socket;
	return 0;
}

static int kill_here(void *data)
{
	struct strays *st = data;
	int r;

	st->n = 0;
	r = sockdiag_tcp(note, st);
	for (size_t i = 0; i < st->n && !r; i++) {
		int one = sockdiag_destroy(&st->v[i]);

		if (!one)
			st->killed++;
		else if (one != -ENOENT)
			st->left++;
	}
	return r;
}

int app_kill_strays(struct app *app, uint32_t server, struct app_kill *kill)
{
	struct strays st = { .app = app, .server = server };
	int r;

	if (!app->netns || dataplane_adopts(app->dp))
		return 0;
	r = netns_scan(app->netns);
	for (size_t i = 0; i < netns_count(app->netns) && !r; i++) {
		ino_t inode = netns_inode(app->netns, i);
		CLEANUP(closep) int fd = -1;
		int one = netns_open(app->netns, inode, &fd);

		st.home = inode == netns_home(app->netns);
		if (!one)
			one = netns_call(app->netns, fd, kill_here, &st);
		if (one && one != -ENOENT)
			r = log_failure(one, "kill",
					"cannot look for older connections in the network "
					"namespace with inode %lu",
					(unsigned long)inode);
	}
	free(st.v);
	if (st.killed)
		(void)!dataplane_killed_add(app->dp, server, st.killed);
	kill->killed += st.killed;
	kill->survivors += st.left;
	return r;
}
