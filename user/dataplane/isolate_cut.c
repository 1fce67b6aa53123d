/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/isolate_cut.h"

#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "core/status.h"
#include "dataplane/cgroup.h"
#include "dataplane/descriptors.h"
#include "dataplane/endsock.h"
#include "dataplane/private.h"
#include "dataplane/sockdiag.h"

#define PASSES 3  /* the last one counts who is left */
#define MPTCP 262 /* IPPROTO_MPTCP, which older headers do not have */

/* Whose sockets are meant, and what is found of them in one namespace. */
struct cutting {
	const struct hosted *h;
	bool own;
	struct cgroup_ids ids; /* of the cgroup and those below it; of none with `own` */
	ino_t *inodes;         /* of sockets that its processes have, sorted */
	size_t n_inodes;
	struct sg_kill_target *found;
	size_t n;
	uint32_t killed;
	uint32_t left;
	uint32_t waiting_outside; /* wait for others, and were not made in the cgroup */
	bool last;
};

static int by_inode(const void *a, const void *b)
{
	ino_t x = *(const ino_t *)a;
	ino_t y = *(const ino_t *)b;

	return (x > y) - (x < y);
}

static bool holds(const struct cutting *c, ino_t inode)
{
	return c->n_inodes &&
	       bsearch(&inode, c->inodes, c->n_inodes, sizeof(inode), by_inode) != NULL;
}

static bool is_its(const struct cutting *c, pid_t pid)
{
	if (c->own)
		return hosted_holds(c->h, pid);
	for (size_t i = 0; i < c->h->n; i++)
		if (c->h->v[i].pid == pid)
			return true;
	return false;
}

static int take_descriptor(void *data, const struct descriptor *d)
{
	struct cutting *c = data;
	unsigned long long inode;

	if (!d->link || sscanf(d->link, "socket:[%llu]", &inode) != 1 || !is_its(c, d->pid))
		return 0;
	if (list_grow(&c->inodes, c->n_inodes, sizeof(*c->inodes)))
		return -ENOMEM;
	c->inodes[c->n_inodes++] = inode;
	return 0;
}

/* --- in one namespace ------------------------------------------------------------------------- */

/* It is the server's, which has not taken it yet. */
static bool is_waiting(const struct cutting *c, const struct sg_kill_target *s)
{
	return c->own && !s->inode && s->proto == IPPROTO_TCP && s->local_port == htons(c->h->port);
}

static int take_socket(void *data, const struct sg_kill_target *s)
{
	struct cutting *c = data;
	bool inside = c->ids.n && s->cgroup && cgroup_ids_has(&c->ids, s->cgroup);

	/* one that its process has closed still says so to its peer, which is not to wait for ever */
	if (!inside && (s->closed || (!holds(c, s->inode) && !is_waiting(c, s))))
		return 0;
	if (list_grow(&c->found, c->n, sizeof(*c->found)))
		return -ENOMEM;
	c->found[c->n++] = *s;
	return 0;
}

/* Of a process inside, and made elsewhere: no hook of the cgroup sees what comes to it. */
static int take_waiting(void *data, const struct sg_kill_target *s)
{
	struct cutting *c = data;

	c->waiting_outside += s->cgroup && !cgroup_ids_has(&c->ids, s->cgroup) &&
			      holds(c, s->inode);
	return 0;
}

static int list_here(struct cutting *c)
{
	static const uint32_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, MPTCP };
	int r = 0;

	c->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(protocols) && !r; i++) {
		r = sockdiag_list(protocols[i], NULL, take_socket, c);
		if (r == -ENOENT) /* the kernel does not know it */
			r = 0;
	}
	return r;
}

static bool destroy(int fd, const struct sg_kill_target *s)
{
	int r = sockdiag_destroy(fd, s);

	if (r && r != -ENOENT && s->inode)
		r = endsock_inode(s->inode);
	return !r;
}

static int cut_here(void *data)
{
	struct cutting *c = data;
	CLEANUP(closep) int fd = -1;
	int r = sockdiag_open(&fd);

	for (int pass = 0; pass < PASSES && !r; pass++) {
		r = list_here(c);
		if (r || !c->n || pass == PASSES - 1)
			break;
		for (size_t i = 0; i < c->n; i++)
			c->killed += destroy(fd, &c->found[i]);
	}
	c->left += (uint32_t)c->n;
	if (!r && c->ids.n)
		r = sockdiag_waiting(IPPROTO_TCP, 0, take_waiting, c);
	return r;
}

/* --- in all of them ----------------------------------------------------------------------------- */

static bool seen_before(const struct hosted *h, size_t i)
{
	if (h->v[i].netns == h->netns)
		return true;
	for (size_t k = 0; k < i; k++)
		if (h->v[k].netns == h->v[i].netns)
			return true;
	return false;
}

static int cut_in(struct dataplane *dp, struct cutting *c, ino_t netns)
{
	CLEANUP(closep) int fd = -1;
	int r = netns_open(dp->netns, netns, &fd);

	return r ? r : netns_call(dp->netns, fd, cut_here, c);
}

static int cut_everywhere(struct dataplane *dp, struct cutting *c)
{
	const struct hosted *h = c->h;
	int r = h->netns ? cut_in(dp, c, h->netns) : 0;

	for (size_t i = 0; i < h->n && !c->own; i++) {
		int one = h->v[i].netns && !seen_before(h, i) ? cut_in(dp, c, h->v[i].netns) : 0;

		if (one && one != -ENOENT)
			r = one;
	}
	return r;
}

void isolate_cut(struct dataplane *dp, const struct hosted *h, bool own, struct isolate_result *to)
{
	struct cutting c = { .h = h, .own = own };
	int r = own ? 0 : cgroup_ids(h->cgroup, &c.ids);

	if (!r)
		r = descriptors_walk(take_descriptor, &c);
	if (c.n_inodes)
		qsort(c.inodes, c.n_inodes, sizeof(*c.inodes), by_inode);
	if (!r)
		r = cut_everywhere(dp, &c);
	to->cut = c.killed;
	to->survivors = r ? STATUS_UNKNOWN : c.left;
	to->outside = c.waiting_outside;
	free(c.inodes);
	free(c.found);
	cgroup_ids_done(&c.ids);
}
