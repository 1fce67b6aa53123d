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
#include "dataplane/held.h"
#include "dataplane/private.h"

#define SUB "kill"
#define HELD_MAX 1000000U
#define HELD_AT_ONCE 512 /* are read */

bool dataplane_has_outside(const struct dataplane *dp)
{
	return dp->skel->rodata_sg->sg_rodata.cgroup;
}

bool dataplane_finds_held(const struct dataplane *dp)
{
	return dataplane_has_outside(dp) && dp->iter_held;
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

int held_read(int fd, held_fn *fn, void *data)
{
	CLEANUP(freep) struct sg_held *h = malloc(HELD_AT_ONCE * sizeof(*h));
	char *bytes = (char *)h;
	size_t have = 0; /* the last may be a part of one */
	ssize_t got;
	int r = 0;

	if (!h)
		return -ENOMEM;
	for (;;) {
		got = read(fd, bytes + have, HELD_AT_ONCE * sizeof(*h) - have);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return have ? -EBADMSG : 0;
		have += (size_t)got;
		for (size_t i = 0; i < have / sizeof(*h) && !r; i++)
			r = fn(data, &h[i]);
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

void held_unite(struct dataplane_targets *all)
{
	size_t n = 0;

	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), by_socket);
	for (size_t i = 0; i < all->n; i++)
		if (!n || by_socket(&all->v[n - 1], &all->v[i]))
			all->v[n++] = all->v[i];
	all->n = n;
}

struct finding {
	struct dataplane *dp;
	uint32_t server;
	struct dataplane_targets all;
};

/* What has a record is found by that. */
static int find_one(void *data, const struct sg_held *h)
{
	struct finding *find = data;

	if ((find->server < SG_SERVERS_MAX && h->server != find->server) ||
	    dataplane_flow_lives(find->dp, h->cookie))
		return 0;
	return held_add(&find->all, h);
}

int dataplane_find_held(struct dataplane *dp, uint32_t server, struct dataplane_targets *ret)
{
	struct finding find = { .dp = dp, .server = server };
	CLEANUP(closep) int fd = -1;
	int r;

	if (!dp->iter_held)
		return log_failure(-EOPNOTSUPP, SUB,
				   "cannot look for connections that were brought into the "
				   "protected cgroup");
	fd = bpf_iter_create(bpf_link__fd(dp->iter_held));
	r = fd < 0 ? -errno : held_read(fd, find_one, &find);
	if (r) {
		dataplane_targets_done(&find.all);
		return log_failure(r, SUB, "a walk over descriptors failed");
	}
	held_unite(&find.all);
	*ret = find.all;
	return 0;
}
