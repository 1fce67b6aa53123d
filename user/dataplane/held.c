/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that processes of the protected cgroup hold, in whichever cgroup their
 * sockets were made: by a walk of the kernel's over the descriptors of all tasks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "dataplane/private.h"

#define SUB "kill"
#define HELD_MAX 1000000U
#define HELD_AT_ONCE 512 /* are read */

bool dataplane_has_outside(const struct dataplane *dp)
{
	return dp->skel->rodata_sg->sg_rodata.cgroup;
}

static int held_add(struct dataplane_targets *out, const struct sg_held *h)
{
	struct sg_kill_target *v;

	if (out->n == HELD_MAX)
		return -E2BIG;
	if (list_grow(&out->v, out->n, sizeof(*v)))
		return -ENOMEM;
	v = &out->v[out->n++];
	*v = (struct sg_kill_target){ .cookie = h->cookie,
				      .netns = h->netns,
				      .server = h->server,
				      .ifindex = h->ifindex,
				      .local_port = h->local_port,
				      .remote_port = h->remote_port,
				      .family = h->family,
				      .proto = h->proto,
				      .mptcp = h->mptcp,
				      .inode = h->inode };
	memcpy(v->local, h->local, sizeof(v->local));
	memcpy(v->remote, h->remote, sizeof(v->remote));
	return 0;
}

/* What has a record is found by that. */
static int take(struct dataplane *dp, uint32_t server, const struct sg_held *h, size_t n,
		struct dataplane_targets *out)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		if (h[i].server == server && !dataplane_flow_lives(dp, h[i].cookie))
			r = held_add(out, &h[i]);
	return r;
}

static int read_all(struct dataplane *dp, int fd, uint32_t server, struct dataplane_targets *out)
{
	CLEANUP(freep) struct sg_held *h = malloc(HELD_AT_ONCE * sizeof(*h));
	char *bytes = (char *)h;
	size_t have = 0; /* of which the last may be a part of one */
	ssize_t got;
	int r;

	if (!h)
		return -ENOMEM;
	for (;;) {
		got = read(fd, bytes + have, HELD_AT_ONCE * sizeof(*h) - have);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		have += (size_t)got;
		r = take(dp, server, h, have / sizeof(*h), out);
		if (r)
			return r;
		memmove(bytes, bytes + have / sizeof(*h) * sizeof(*h), have % sizeof(*h));
		have %= sizeof(*h);
	}
}

static int by_socket(const void *a, const void *b)
{
	const struct sg_kill_target *x = a;
	const struct sg_kill_target *y = b;

	if (x->netns != y->netns)
		return x->netns > y->netns ? 1 : -1;
	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* Each socket once, however many descriptors it has. */
static void unite(struct dataplane_targets *all)
{
	size_t n = 0;

	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), by_socket);
	for (size_t i = 0; i < all->n; i++)
		if (!n || by_socket(&all->v[n - 1], &all->v[i]))
			all->v[n++] = all->v[i];
	all->n = n;
}

int dataplane_find_held(struct dataplane *dp, uint32_t server, struct dataplane_targets *ret)
{
	CLEANUP(dataplane_targets_done) struct dataplane_targets all = { 0 };
	CLEANUP(closep) int fd = -1;
	int r;

	if (!dp->iter_held)
		return log_failure(-EOPNOTSUPP, SUB,
				   "cannot look for connections that were brought into the "
				   "protected cgroup");
	fd = bpf_iter_create(bpf_link__fd(dp->iter_held));
	r = fd < 0 ? -errno : read_all(dp, fd, server, &all);
	if (r)
		return log_failure(r, SUB, "a walk over descriptors failed");
	unite(&all);
	*ret = all;
	all = (struct dataplane_targets){ 0 };
	return 0;
}
