/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attaching: every link is pinned. A pinned link of a load before is updated in
 * place; tracing links cannot be, so the new one is attached beside the old,
 * the epoch makes the new one count, then the old one goes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/if_link.h>

#include "base/log.h"
#include "dataplane/isolate.h"
#include "dataplane/private.h"

#define SUB "bpf"

static int link_keep(struct dataplane *dp, const char *pin, struct bpf_link *link)
{
	struct dataplane_link *l;

	if (dp->n_links == DATAPLANE_LINKS_MAX)
		return -ENOSPC;
	l = &dp->links[dp->n_links++];
	snprintf(l->pin, sizeof(l->pin), "%s", pin);
	l->link = link;
	return 0;
}

/* Pins a new link, in place of an older one of that name if there is one. */
static int link_pin(struct dataplane *dp, const char *pin, struct bpf_link *link)
{
	char path[640];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, pin);
	if (unlink(path) && errno != ENOENT) {
		r = -errno;
		bpf_link__destroy(link);
		return log_failure(r, SUB, "cannot replace the pinned link %s", path);
	}
	r = bpf_link__pin(link, path);
	if (r) {
		bpf_link__destroy(link);
		return log_failure(r, SUB, "cannot pin the link %s", path);
	}
	return link_keep(dp, pin, link);
}

/* What a link is attached to: a cgroup's id or an interface's index, 0: nothing any more; 1 for
 * those of tracing programs. */
static int link_target(const struct bpf_link *link, uint64_t *ret)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &len))
		return -errno;
	*ret = 1;
	if (info.type == BPF_LINK_TYPE_XDP)
		*ret = info.xdp.ifindex;
	else if (info.type == BPF_LINK_TYPE_CGROUP)
		*ret = info.cgroup.cgroup_id;
	return 0;
}

/*
 * Updates the pinned link if it is still attached to `target`; -ENOENT if there
 * is none to update and a new one is needed.
 */
static int link_update(struct dataplane *dp, const char *pin, const struct bpf_program *prog,
		       uint64_t target)
{
	struct bpf_link *link;
	uint64_t now_at = 0;
	char path[640];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, pin);
	if (access(path, F_OK))
		return -ENOENT;
	link = bpf_link__open(path);
	if (!link)
		return -ENOENT;
	r = link_target(link, &now_at);
	if (!r && now_at == target)
		r = bpf_link__update_program(link, (struct bpf_program *)prog);
	else
		r = -ENOLINK;
	if (!r)
		return link_keep(dp, pin, link);
	bpf_link__destroy(link);
	log_notice(SUB,
		   "the pinned link %s is no longer attached to where it should be; attaching anew",
		   path);
	return -ENOENT;
}

/* --- cgroup -------------------------------------------------------------------------- */

static int attach_cgroup(struct dataplane *dp, struct bpf_program *prog, int fd, uint64_t id,
			 const char *cgroup)
{
	struct bpf_link *link;
	int r;

	if (!dataplane_loaded(prog))
		return 0;
	r = link_update(dp, bpf_program__name(prog), prog, id);
	if (r != -ENOENT)
		return r;
	link = bpf_program__attach_cgroup(prog, fd);
	if (!link) {
		r = -errno;
		return log_failure(
			r, SUB, "cannot attach %s to the cgroup %s%s", bpf_program__name(prog),
			cgroup,
			r == -EPERM ? " (another program may be attached exclusively there or "
				      "above: bpftool cgroup tree)"
				    : "");
	}
	return link_pin(dp, bpf_program__name(prog), link);
}

static int attach_cgroups(struct dataplane *dp, const char *cgroup)
{
	struct bpf_program *const progs[] = {
		/* what keeps books before what admits: no connect goes unseen */
		dp->skel->progs.sg_ingress,  dp->skel->progs.sg_egress,
		dp->skel->progs.sg_sockops,  dp->skel->progs.sg_release,
		dp->skel->progs.sg_peer4,    dp->skel->progs.sg_peer6,
		dp->skel->progs.sg_connect4, dp->skel->progs.sg_connect6,
		dp->skel->progs.sg_sendmsg4, dp->skel->progs.sg_sendmsg6,
	};
	CLEANUP(closep) int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return log_failure(-errno, SUB, "cannot open the cgroup %s", cgroup);
	for (size_t i = 0; i < ARRAY_SIZE(progs); i++) {
		r = attach_cgroup(dp, progs[i], fd, st.st_ino, cgroup);
		if (r)
			return r;
	}
	return 0;
}

/* --- tracing, and iterators ------------------------------------------------------------- */

/* NULL: it is not loaded, or cannot be attached. */
static struct bpf_link *attach(struct dataplane *dp, const struct bpf_program *prog)
{
	struct bpf_link *link;

	if (!dataplane_loaded(prog))
		return NULL;
	link = bpf_program__attach(prog);
	if (!link)
		dataplane_degrade(dp, "%s (%s cannot be attached: %s)",
				  dataplane_part(bpf_program__name(prog))->loss,
				  bpf_program__name(prog), strerror(errno));
	return link;
}

static int attach_tracing(struct dataplane *dp)
{
	struct bpf_link *state = attach(dp, dp->skel->progs.sg_state);
	struct bpf_link *retransmit = attach(dp, dp->skel->progs.sg_retransmit);
	struct bpf_link *brought = attach(dp, dp->skel->progs.sg_brought);
	int r = 0;

	dp->cfg->epoch = dp->skel->rodata_sg->sg_rodata.epoch; /* from here on the new ones count */
	if (state)
		r = link_pin(dp, "sg_state", state);
	if (!r && retransmit)
		r = link_pin(dp, "sg_retransmit", retransmit);
	if (!r && brought)
		r = link_pin(dp, "sg_brought", brought);
	return r;
}

/* --- the timer that looks while there is no daemon ---------------------------------------- */

static void watch_start(struct dataplane *dp)
{
	uint8_t packet[64] = { 0 };
	struct bpf_program *prog = dp->skel->progs.sg_watch;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	int r;

	if (!dataplane_loaded(prog))
		return;
	r = bpf_prog_test_run_opts(bpf_program__fd(prog), &run);
	if (r || run.retval)
		dataplane_degrade(dp, "%s (sg_watch cannot be started: %s)",
				  dataplane_part("sg_watch")->loss,
				  r ? strerror(-r) : "its timer is refused");
}

/* --- XDP ---------------------------------------------------------------------------------- */

static const char *xdp_mode(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	if (bpf_xdp_query((int)ifindex, 0, &opts))
		return "unknown";
	return opts.attach_mode == XDP_ATTACHED_SKB ? "generic" : "native";
}

/* Native where the driver can, else generic; pinned. -EBUSY: something else is there. */
static int xdp_attach(struct dataplane *dp, const struct bpf_program *prog, unsigned int ifindex,
		      const char *pin)
{
	LIBBPF_OPTS(bpf_link_create_opts, generic, .flags = XDP_FLAGS_SKB_MODE);
	struct bpf_link *link = bpf_program__attach_xdp(prog, (int)ifindex);
	char path[640];
	int fd;
	int r;

	if (link)
		return link_pin(dp, pin, link);
	if (errno == EBUSY)
		return -EBUSY;
	fd = bpf_link_create(bpf_program__fd(prog), (int)ifindex, BPF_XDP, &generic);
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, pin);
	unlink(path);
	r = bpf_obj_pin(fd, path);
	close(fd);
	if (r)
		return r;
	link = bpf_link__open(path);
	return link ? link_keep(dp, pin, link) : -errno;
}

/*
 * A link lets go of what it is attached to when its last reference is gone, which the
 * kernel puts off for a while after its pin and descriptor are. So it is told to let go
 * at once; tracing links cannot be told, and end then.
 */
static void link_end(struct bpf_link *link)
{
	(void)!bpf_link__detach(link);
	bpf_link__destroy(link);
}

static void link_end_at(const char *path)
{
	struct bpf_link *link = bpf_link__open(path);

	if (link)
		link_end(link);
}

static struct dataplane_link *link_find(struct dataplane *dp, const char *pin)
{
	for (size_t i = 0; i < dp->n_links; i++)
		if (!strcmp(dp->links[i].pin, pin))
			return &dp->links[i];
	return NULL;
}

/* As of an interface that is gone, or has another index by now. */
static void link_drop(struct dataplane *dp, const char *pin)
{
	struct dataplane_link *l = link_find(dp, pin);
	char path[640];

	if (!l)
		return;
	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, pin);
	unlink(path);
	link_end(l->link);
	*l = dp->links[--dp->n_links];
}

/* The reason, which is logged once, or "" for an interface that it is attached to. */
static void xdp_set(struct dataplane *dp, size_t i, const char *error)
{
	char *now = dp->xdp_error[i];

	if (!strcmp(now, error))
		return;
	if (error[0])
		log_warning(SUB, "degraded: %s", error);
	else
		log_notice(SUB, "XDP is attached to %s from now on", dp->xdp[i].interface);
	snprintf(now, sizeof(dp->xdp_error[i]), "%s", error);
}

static void xdp_try(struct dataplane *dp, size_t i)
{
	struct bpf_program *prog = dp->skel->progs.sg_xdp;
	struct dataplane_xdp *x = &dp->xdp[i];
	unsigned int ifindex = if_nametoindex(x->interface);
	const struct dataplane_link *l;
	uint64_t target = 0;
	char error[256];
	char pin[32];
	int r = 0;

	snprintf(pin, sizeof(pin), PINS_XDP "%s", x->interface);
	l = link_find(dp, pin);
	if (l && !link_target(l->link, &target) && target && target == ifindex)
		return;
	if (l && ifindex)
		log_warning(SUB, "XDP is no longer attached to %s; attaching again", x->interface);
	link_drop(dp, pin);
	if (!ifindex) {
		snprintf(error, sizeof(error),
			 "no interface \"%s\" for XDP: packets there are not dropped; create it or "
			 "change \"interfaces\"",
			 x->interface);
		xdp_set(dp, i, error);
		return;
	}
	r = link_update(dp, pin, prog, ifindex);
	if (r == -ENOENT)
		r = xdp_attach(dp, prog, ifindex, pin);
	error[0] = '\0';
	if (r)
		snprintf(error, sizeof(error),
			 "XDP cannot be attached to \"%s\" (%s): packets there are not dropped; is "
			 "another XDP program on it? (bpftool net)",
			 x->interface, strerror(-r));
	else
		x->mode = xdp_mode(ifindex);
	xdp_set(dp, i, error);
}

void dataplane_xdp_retry(struct dataplane *dp)
{
	for (size_t i = 0; i < dp->n_xdp && !dp->detached; i++)
		xdp_try(dp, i);
}

static void attach_xdp(struct dataplane *dp, const char *interface)
{
	if (!dataplane_loaded(dp->skel->progs.sg_xdp))
		return;
	for (size_t i = 0; i < dp->n_xdp; i++)
		if (!strcmp(dp->xdp[i].interface, interface))
			return; /* named twice */
	if (strlen(interface) >= sizeof(dp->xdp->interface)) {
		dataplane_degrade(
			dp,
			"no interface can be called \"%.64s\", which is too long: XDP drops "
			"nothing there; correct \"interfaces\"",
			interface);
		return;
	}
	if (dp->n_xdp == DATAPLANE_XDP_MAX) {
		dataplane_degrade(dp, "more than %d interfaces for XDP: \"%s\" is skipped",
				  DATAPLANE_XDP_MAX, interface);
		return;
	}
	snprintf(dp->xdp[dp->n_xdp].interface, sizeof(dp->xdp->interface), "%s", interface);
	xdp_try(dp, dp->n_xdp++);
}

/* Unpins the XDP links of interfaces that are no longer named. */
static void xdp_prune(struct dataplane *dp)
{
	CLEANUP(closedirp) DIR *dir = opendir(dp->pin_dir);
	struct dirent *d;
	char path[640];
	bool wanted;

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		if (strncmp(d->d_name, PINS_XDP, strlen(PINS_XDP)) ||
		    !dataplane_pin_ours(dp, d->d_name))
			continue;
		wanted = false;
		for (size_t i = 0; i < dp->n_xdp; i++)
			wanted |= !strcmp(dp->xdp[i].interface, d->d_name + 4);
		if (link_find(dp, d->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, d->d_name);
		link_end_at(path);
		if (!unlinkat(dirfd(dir), d->d_name, 0) && !wanted)
			log_notice(SUB, "detached XDP from %s, which is no longer configured",
				   d->d_name + 4);
	}
}

/* --- Unix sockets: attached while a server is at one ---------------------------------------- */

#define UNIX_PIN "sg_connect_unix"

static int unix_attach(struct dataplane *dp)
{
	struct bpf_program *prog = dp->skel->progs.sg_connect_unix;
	CLEANUP(closep) int fd = open(dp->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (!dataplane_loaded(prog))
		return -EOPNOTSUPP;
	if (fd < 0 || fstat(fd, &st))
		return log_failure(-errno, SUB, "cannot open the cgroup %s", dp->cgroup);
	return attach_cgroup(dp, prog, fd, st.st_ino, dp->cgroup);
}

bool dataplane_unix_begin(struct dataplane *dp)
{
	int r;

	if (dp->unix_error[0] || dp->detached)
		return false;
	if (link_find(dp, UNIX_PIN))
		return true;
	r = unix_attach(dp);
	if (r == -EOPNOTSUPP)
		snprintf(dp->unix_error, sizeof(dp->unix_error),
			 "the kernel does not take what sees them; Linux 6.7 and newer can");
	else if (r)
		snprintf(
			dp->unix_error, sizeof(dp->unix_error),
			"the hook for them cannot be attached (%s; restart switchgeard to try again)",
			strerror(-r));
	return !r;
}

void dataplane_unix_end(struct dataplane *dp)
{
	char path[640];

	if (dp->detached)
		return;
	link_drop(dp, UNIX_PIN);
	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, UNIX_PIN); /* of a daemon before */
	if (access(path, F_OK))
		return;
	link_end_at(path);
	unlink(path);
}

const char *dataplane_unix_error(const struct dataplane *dp)
{
	return dp->unix_error;
}

int dataplane_attach(struct dataplane *dp, const struct dataplane_options *o)
{
	int r;

	r = attach_tracing(dp);
	if (!r)
		r = attach_cgroups(dp, o->cgroup);
	if (r)
		return r;
	/* the daemon's own, not pinned */
	dp->iter_adopt_tcp = attach(dp, dp->skel->progs.sg_adopt_tcp);
	dp->iter_adopt_udp = attach(dp, dp->skel->progs.sg_adopt_udp);
	dp->iter_held = attach(dp, dp->skel->progs.sg_find_held);
	watch_start(dp);
	for (const char *const *i = o->interfaces; i && *i; i++)
		attach_xdp(dp, *i);
	xdp_prune(dp);
	return 0;
}

size_t dataplane_check(struct dataplane *dp)
{
	size_t gone = 0;
	char path[640];

	dataplane_xdp_retry(dp); /* interfaces come and go: that is no fault of a link */
	for (size_t i = 0; i < dp->n_links; i++) {
		const struct dataplane_link *l = &dp->links[i];
		uint64_t target;

		snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, l->pin);
		if (!access(path, F_OK) && !link_target(l->link, &target) && target)
			continue;
		gone++;
		log_error(
			SUB,
			"the link %s was detached or unpinned by somebody: enforcement has a gap; "
			"restart switchgeard",
			l->pin);
	}
	return gone;
}

/* Of those that are ours, all but `cfg`, or that one, by which the others are known to be. */
static int unpin(struct dataplane *dp, bool cfg, struct detach_result *ret)
{
	CLEANUP(closedirp) DIR *dir = opendir(dp->pin_dir);
	const struct dirent *d;
	int r = 0;

	if (!dir)
		return log_failure(-errno, SUB, "cannot open the pin directory %s", dp->pin_dir);
	while ((d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
		    cfg != !strcmp(d->d_name, PINS_CFG))
			continue;
		if (!dataplane_pin_ours(dp, d->d_name)) {
			if (detach_result_keep(ret, d->d_name) && !r)
				r = -ENOMEM;
			log_notice(SUB, "%s/%s is not ours: ignoring", dp->pin_dir, d->d_name);
		} else if (!unlinkat(dirfd(dir), d->d_name, 0)) {
			ret->removed++;
		} else if (!r) {
			r = log_failure(-errno, SUB, "cannot unpin %s/%s", dp->pin_dir, d->d_name);
		}
	}
	return r;
}

int dataplane_detach(struct dataplane *dp, struct detach_result *ret)
{
	int r;

	dataplane_isolations_end(dp);
	r = unpin(dp, false, ret);

	if (!r)
		r = unpin(dp, true, ret);
	for (size_t i = 0; i < dp->n_links; i++)
		link_end(dp->links[i].link);
	dp->n_links = 0;
	dp->detached = ret->detached = !r;
	ret->gone = !r && !rmdir(dp->pin_dir);
	if (!r && !ret->gone)
		log_notice(SUB, "the pin directory %s stays: %s", dp->pin_dir, strerror(errno));
	return r;
}

bool dataplane_detached(const struct dataplane *dp)
{
	return dp->detached;
}
