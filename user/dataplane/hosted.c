/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/hosted.h"

#include <errno.h>
#include <fts.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "dataplane/cgroup.h"
#include "dataplane/descriptors.h"
#include "dataplane/sockdiag.h"

#define NAMES_TOLD 3 /* of those who are in the way */
#define MANAGER 1    /* systemd's process */

void hosted_done(struct hosted *h)
{
	freep(&h->cgroup);
	freep(&h->v);
	*h = (struct hosted){ 0 };
}

/* --- by its name ---------------------------------------------------------------------------- */

/* What engines put around the id or name of a container. */
static const char *const container_prefixes[] = { "docker-",         "libpod-",
						  "cri-containerd-", "crio-",
						  "lxc.payload.",    "machine-",
						  "systemd-nspawn@" };

static const char *past_prefix(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(container_prefixes); i++) {
		size_t len = strlen(container_prefixes[i]);

		if (!strncmp(name, container_prefixes[i], len))
			return name + len;
	}
	return NULL;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text);
	size_t len = strlen(end);

	return n >= len && !strcmp(text + n - len, end);
}

bool hosted_is_unit(const char *name)
{
	if (past_prefix(name))
		return !strstr(name, "-conmon-");
	return ends_with(name, ".service") && strncmp(name, "user@", 5) != 0;
}

bool hosted_is_container(const char *name, const char *wanted)
{
	const char *id = past_prefix(name);

	if (id && !strncmp(id, "conmon-", 7)) /* Podman's monitor, beside the container */
		return false;
	return !strncmp(id ? id : name, wanted, strlen(wanted));
}

static void fts_closep(FTS **tree)
{
	if (*tree)
		fts_close(*tree);
}

/* The only directory of the hierarchy that is meant; -ENOTUNIQ: there are several. */
static int find_directory(const struct hosted_ask *ask, char **ret)
{
	CLEANUP(freep) char *root = NULL;
	CLEANUP(freep) char *found = NULL;
	CLEANUP(fts_closep) FTS *tree = NULL;
	const FTSENT *e;
	int r = cgroup_find(&root);

	if (r)
		return r;
	tree = fts_open((char *const[]){ root, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!tree)
		return -errno;
	while ((e = fts_read(tree))) {
		if (e->fts_info != FTS_D || !e->fts_level ||
		    (*ask->unit ? strcmp(e->fts_name, ask->unit) != 0
				: !hosted_is_container(e->fts_name, ask->container)))
			continue;
		if (found)
			return -ENOTUNIQ;
		found = strdup(e->fts_path);
		if (!found)
			return -ENOMEM;
		(void)!fts_set(tree, (FTSENT *)e, FTS_SKIP); /* what is below it is of it */
	}
	if (!found)
		return -ENOENT;
	*ret = TAKE_PTR(found);
	return 0;
}

/* A directory as it stands there, or below the mount. */
static int cgroup_named(const char *text, char **ret)
{
	CLEANUP(freep) char *root = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = cgroup_find(&root);

	if (r)
		return r;
	if (!strncmp(text, root, strlen(root)))
		path = strdup(text);
	else if (asprintf(&path, "%s/%s", root, text) < 0)
		path = NULL;
	if (!path)
		return -ENOMEM;
	*ret = realpath(path, NULL);
	return *ret ? 0 : -errno;
}

/* --- by its socket ---------------------------------------------------------------------------- */

/* The sockets that wait at its addresses, in the namespace where we are. */
struct search {
	const struct hosted_ask *ask;
	bool home;
	const struct addr *at; /* that is looked for now */
	ino_t *inodes;
	size_t n;
};

static int take_socket(void *data, const struct sg_kill_target *socket)
{
	struct search *s = data;
	struct addr local;
	int r;

	memcpy(local.bytes, socket->local, sizeof(local.bytes));
	if (!socket->inode ||
	    (memcmp(&local, s->at, sizeof(local)) && !addr_is_unspecified(&local)))
		return 0;
	r = list_grow(&s->inodes, s->n, sizeof(*s->inodes));
	if (!r)
		s->inodes[s->n++] = socket->inode;
	return r;
}

/* Whoever may bind to it owns it. */
static bool owns(const struct addr *a)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	bool v4 = addr_is_v4(a);
	CLEANUP(closep) int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&four.sin_addr, a->bytes + 12, sizeof(four.sin_addr));
	memcpy(&six.sin6_addr, a->bytes, sizeof(six.sin6_addr));
	if (fd < 0)
		return false;
	return v4 ? !bind(fd, (struct sockaddr *)&four, sizeof(four))
		  : !bind(fd, (struct sockaddr *)&six, sizeof(six));
}

/* A loopback address is that of the daemon's own namespace. */
static int search_here(void *data)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct search *s = data;
	int r = 0;

	for (size_t i = 0; i < s->ask->n_addrs && !r; i++) {
		s->at = &s->ask->addrs[i];
		if ((!s->home && addr_is_loopback(s->at)) || !owns(s->at))
			continue;
		for (size_t p = 0; p < ARRAY_SIZE(protocols) && !r; p++)
			r = sockdiag_waiting(protocols[p], htons(s->ask->port), take_socket, s);
	}
	return r;
}

/* In whichever namespace it is; the daemon's own comes first. */
static int search_everywhere(struct netns *netns, struct search *s, ino_t *ret_netns)
{
	int r = netns_scan(netns);

	for (int pass = 0; pass < 2 && !r && !s->n; pass++) {
		for (size_t i = 0; i < netns_count(netns) && !s->n; i++) {
			CLEANUP(closep) int fd = -1;
			ino_t inode = netns_inode(netns, i);

			s->home = inode == netns_home(netns);
			if (s->home != !pass || netns_open(netns, inode, &fd))
				continue;
			if (!netns_call(netns, fd, search_here, s) && s->n)
				*ret_netns = inode;
		}
	}
	return r ? r : s->n ? 0 : -ENOENT;
}

struct holding {
	const struct search *s;
	struct hosted *h;
};

static int take_holder(void *data, const struct descriptor *d)
{
	const struct holding *holding = data;
	struct hosted *h = holding->h;
	unsigned long long inode;

	if (!d->link || sscanf(d->link, "socket:[%llu]", &inode) != 1 || hosted_holds(h, d->pid))
		return 0;
	for (size_t i = 0; i < holding->s->n; i++)
		if (holding->s->inodes[i] == inode && h->n_holders < HOSTED_HOLDERS_MAX)
			h->holders[h->n_holders++] = d->pid;
	return 0;
}

static int find_holders(struct netns *netns, const struct hosted_ask *ask, struct hosted *h)
{
	struct search s = { .ask = ask };
	struct holding holding = { &s, h };
	int r = search_everywhere(netns, &s, &h->netns);

	if (!r)
		r = descriptors_walk(take_holder, &holding);
	free(s.inodes);
	return r ? r : h->n_holders ? 0 : -ENOENT;
}

bool hosted_holds(const struct hosted *h, pid_t pid)
{
	for (size_t i = 0; i < h->n_holders; i++)
		if (h->holders[i] == pid)
			return true;
	return false;
}

/* The cgroup that all holders are in; none, and why, if they are in several. Who started the server
 * may have made the socket for it, and keep it for the next time. */
static int cgroup_of_holders(struct hosted *h)
{
	for (size_t i = 0; i < h->n_holders; i++) {
		CLEANUP(freep) char *path = NULL;
		bool manager = h->holders[i] == MANAGER && h->n_holders > 1;
		int r = manager ? -ESRCH : cgroup_of(h->holders[i], &path);

		if (r == -ESRCH)
			continue;
		if (r)
			return r;
		if (!h->cgroup) {
			h->cgroup = TAKE_PTR(path);
		} else if (strcmp(h->cgroup, path)) {
			snprintf(h->why, sizeof(h->why), "its processes are in several cgroups");
			h->never = true;
			freep(&h->cgroup);
			h->cgroup = NULL;
			return 0;
		}
	}
	return h->cgroup ? 0 : -ENOENT;
}

/* --- who is in the cgroup ------------------------------------------------------------------------ */

static void process_read(struct hosted_process *p)
{
	CLEANUP(fclosep) FILE *f = NULL;
	char path[48];
	char line[512];
	struct stat st;
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", p->pid);
	p->netns = stat(path, &st) ? 0 : st.st_ino;
	snprintf(path, sizeof(path), "/proc/%d/stat", p->pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return;
	end = strrchr(line, ')'); /* "1 (comm) S 0 ...", and whatever is in comm */
	if (!end || sscanf(end, ") %*c %d", &p->parent) != 1 ||
	    sscanf(line, "%*d (%15[^\n]", p->comm) != 1)
		return;
	if ((size_t)(end - strchr(line, '(') - 1) < sizeof(p->comm))
		p->comm[end - strchr(line, '(') - 1] = '\0';
	for (char *c = p->comm; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int read_processes(struct hosted *h, const char *directory)
{
	char path[4096];
	CLEANUP(fclosep) FILE *f = NULL;
	int pid;

	if ((size_t)snprintf(path, sizeof(path), "%s/cgroup.procs", directory) >= sizeof(path))
		return -ENAMETOOLONG;
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1) {
		if (pid <= 0) /* of another PID namespace */
			continue;
		if (h->n == HOSTED_PROCESSES_MAX)
			return -E2BIG;
		if (list_grow(&h->v, h->n, sizeof(*h->v)))
			return -ENOMEM;
		h->v[h->n] = (struct hosted_process){ .pid = pid };
		process_read(&h->v[h->n++]);
	}
	return 0;
}

static int find_processes(struct hosted *h)
{
	CLEANUP(fts_closep)
	FTS *tree = fts_open((char *const[]){ h->cgroup, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	const FTSENT *e;
	int r = tree ? 0 : -errno;

	while (!r && (e = fts_read(tree)))
		if (e->fts_info == FTS_D)
			r = read_processes(h, e->fts_path);
	return r;
}

static struct hosted_process *process_of(const struct hosted *h, pid_t pid)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].pid == pid)
			return &h->v[i];
	return NULL;
}

static bool is_only_parent(const struct hosted *h, pid_t pid)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].parent == pid && !h->v[i].own)
			return false;
	return true;
}

/* One step: who began with one of its own, or began only those. True: there was one more. */
static bool claim(struct hosted *h)
{
	for (size_t i = 0; i < h->n; i++) {
		struct hosted_process *p = &h->v[i];
		struct hosted_process *parent = process_of(h, p->parent);

		if (!p->own && parent && parent->own)
			return p->own = true;
		if (p->own && parent && !parent->own && is_only_parent(h, parent->pid))
			return parent->own = true;
	}
	return false;
}

/* Those that hold its socket, their children, and who began nobody else ("npm", a shell). */
static void find_own(struct hosted *h)
{
	bool all = h->named || hosted_is_unit(strrchr(h->cgroup, '/') + 1);

	for (size_t i = 0; i < h->n; i++)
		h->v[i].own = all || hosted_holds(h, h->v[i].pid);
	while (claim(h))
		;
}

/* --- may it be isolated? --------------------------------------------------------------------------- */

static void refuse(struct hosted *h, bool never, const char *why)
{
	snprintf(h->why, sizeof(h->why), "%s", why);
	h->never = never;
}

static bool is_session(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return ends_with(name, ".slice") || !strcmp(name, "init.scope") ||
	       !strncmp(name, "session-", 8) || !strncmp(name, "user@", 5);
}

static void tell_others(struct hosted *h)
{
	size_t others = 0;
	size_t len;

	for (size_t i = 0; i < h->n; i++) {
		const struct hosted_process *p = &h->v[i];

		if (p->own || others++ >= NAMES_TOLD)
			continue;
		len = strlen(h->why);
		snprintf(h->why + len, sizeof(h->why) - len, "%s%s (pid %d)",
			 len ? ", " : "others are in it: ", p->comm, p->pid);
	}
	len = strlen(h->why);
	if (others > NAMES_TOLD)
		snprintf(h->why + len, sizeof(h->why) - len, " and %zu more", others - NAMES_TOLD);
}

/* Does a container engine wait there for the server, which is elsewhere? */
static const struct hosted_process *forwarder(const struct hosted *h)
{
	static const char *const names[] = { "docker-proxy", "rootlessport", "slirp4netns",
					     "pasta",        "kube-proxy",   "conmon" };

	for (size_t i = 0; i < h->n && !h->named; i++)
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (hosted_holds(h, h->v[i].pid) && !strcmp(h->v[i].comm, names[k]))
				return &h->v[i];
	return NULL;
}

static int judge(struct hosted *h, const char *guarded)
{
	const struct hosted_process *engine = forwarder(h);
	CLEANUP(freep) char *own = NULL;
	CLEANUP(freep) char *root = NULL;
	CLEANUP(freep) char *agents = realpath(guarded, NULL);
	int r = cgroup_of(0, &own);

	if (!r)
		r = cgroup_find(&root);
	if (r)
		return r;
	if (!strcmp(h->cgroup, root))
		refuse(h, true, "it is the root of all cgroups");
	else if (cgroup_above(h->cgroup, own))
		refuse(h, true, "switchgeard itself is in it");
	else if (agents && cgroup_above(h->cgroup, agents))
		refuse(h, false, "all protected agents are in it");
	else if (is_session(h->cgroup))
		refuse(h, false, "it is a slice, or the session of a user");
	else if (engine)
		refuse(h, true,
		       "who waits at its address only forwards to a container: say which by "
		       "\"local\" in the configuration");
	else
		tell_others(h);
	return 0;
}

int hosted_find(struct netns *netns, const struct hosted_ask *ask, const char *guarded,
		struct hosted *ret)
{
	CLEANUP(hosted_done) struct hosted h = { .port = ask->port };
	int found = ask->n_addrs ? find_holders(netns, ask, &h) : -ENOENT;
	int r;

	h.named = *ask->unit || *ask->cgroup || *ask->container;
	if (*ask->cgroup)
		r = cgroup_named(ask->cgroup, &h.cgroup);
	else if (h.named)
		r = find_directory(ask, &h.cgroup);
	else
		r = found ? found : cgroup_of_holders(&h);
	if (!r && h.cgroup)
		r = find_processes(&h);
	if (!r && h.cgroup) {
		find_own(&h);
		r = judge(&h, guarded);
	}
	if (r)
		return r;
	*ret = h;
	h = (struct hosted){ 0 };
	return 0;
}
