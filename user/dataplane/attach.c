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
#include "dataplane/private.h"

#define SUB "bpf"

static void link_path(const struct dataplane *dp, const char *pin, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", dp->pin_dir, pin);
}

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

	link_path(dp, pin, path, sizeof(path));
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

/* What a pinned link is attached to: a cgroup's id or an interface's index. */
static int link_target(const struct bpf_link *link, uint64_t *ret)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &len))
		return -errno;
	*ret = info.type == BPF_LINK_TYPE_XDP ? info.xdp.ifindex : info.cgroup.cgroup_id;
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

	link_path(dp, pin, path, sizeof(path));
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

/* --- tracing -------------------------------------------------------------------------- */

static int attach_tracing(struct dataplane *dp)
{
	struct bpf_program *const progs[] = { dp->skel->progs.sg_state,
					      dp->skel->progs.sg_retransmit };
	struct bpf_link *links[ARRAY_SIZE(progs)] = { NULL };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(progs); i++) {
		if (!dataplane_loaded(progs[i]))
			continue;
		links[i] = bpf_program__attach(progs[i]);
		if (!links[i])
			dataplane_degrade(dp, "%s (%s cannot be attached: %s)",
					  dataplane_part(bpf_program__name(progs[i]))->loss,
					  bpf_program__name(progs[i]), strerror(errno));
	}
	dp->cfg->epoch = dp->skel->rodata_sg->sg_rodata.epoch; /* from here on the new ones count */
	for (size_t i = 0; i < ARRAY_SIZE(progs) && !r; i++)
		if (links[i])
			r = link_pin(dp, bpf_program__name(progs[i]), links[i]);
	return r;
}

/* --- iterators: the daemon's own, not pinned -------------------------------------------- */

static struct bpf_link *attach_iter(struct dataplane *dp, struct bpf_program *prog)
{
	struct bpf_link *link;

	if (!dataplane_loaded(prog))
		return NULL;
	link = bpf_program__attach_iter(prog, NULL);
	if (!link)
		dataplane_degrade(dp, "%s (%s cannot be attached: %s)",
				  dataplane_part(bpf_program__name(prog))->loss,
				  bpf_program__name(prog), strerror(errno));
	return link;
}

static void attach_iters(struct dataplane *dp)
{
	dp->iter_adopt_tcp = attach_iter(dp, dp->skel->progs.sg_adopt_tcp);
	dp->iter_adopt_udp = attach_iter(dp, dp->skel->progs.sg_adopt_udp);
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
	link_path(dp, pin, path, sizeof(path));
	unlink(path);
	r = bpf_obj_pin(fd, path);
	close(fd);
	if (r)
		return r;
	link = bpf_link__open(path);
	return link ? link_keep(dp, pin, link) : -errno;
}

static int attach_xdp(struct dataplane *dp, const char *interface)
{
	struct bpf_program *prog = dp->skel->progs.sg_xdp;
	unsigned int ifindex = if_nametoindex(interface);
	struct dataplane_xdp *x = &dp->xdp[dp->n_xdp];
	char pin[32];
	int r;

	if (!dataplane_loaded(prog))
		return 0;
	if (!ifindex) {
		dataplane_degrade(
			dp,
			"no interface \"%s\" for XDP: packets there are not dropped; create "
			"it or change \"interfaces\"",
			interface);
		return 0;
	}
	if (dp->n_xdp == DATAPLANE_XDP_MAX) {
		dataplane_degrade(dp, "more than %d interfaces for XDP: \"%s\" is skipped",
				  DATAPLANE_XDP_MAX, interface);
		return 0;
	}
	snprintf(pin, sizeof(pin), "xdp_%s", interface);
	r = link_update(dp, pin, prog, ifindex);
	if (r == -ENOENT)
		r = xdp_attach(dp, prog, ifindex, pin);
	if (r) {
		dataplane_degrade(dp,
				  "XDP cannot be attached to \"%s\" (%s): packets there are not "
				  "dropped; is another XDP program on it? (bpftool net)",
				  interface, strerror(-r));
		return 0;
	}
	snprintf(x->interface, sizeof(x->interface), "%s", interface);
	x->mode = xdp_mode(ifindex);
	dp->n_xdp++;
	return 0;
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

/* Unpins the XDP links of interfaces that are no longer named. */
static void xdp_prune(struct dataplane *dp)
{
	DIR *dir = opendir(dp->pin_dir);
	struct dirent *d;
	char path[640];
	bool wanted;

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		if (strncmp(d->d_name, "xdp_", 4))
			continue;
		wanted = false;
		for (size_t i = 0; i < dp->n_links; i++)
			wanted |= !strcmp(dp->links[i].pin, d->d_name);
		if (wanted)
			continue;
		link_path(dp, d->d_name, path, sizeof(path));
		link_end_at(path);
		if (!unlinkat(dirfd(dir), d->d_name, 0))
			log_notice(SUB, "detached XDP from %s, which is no longer configured",
				   d->d_name + 4);
	}
	closedir(dir);
}

int dataplane_attach(struct dataplane *dp, const struct dataplane_options *o)
{
	int r;

	r = attach_tracing(dp);
	if (!r)
		r = attach_cgroups(dp, o->cgroup);
	if (r)
		return r;
	attach_iters(dp);
	watch_start(dp);
	for (const char *const *i = o->interfaces; i && *i; i++) {
		r = attach_xdp(dp, *i);
		if (r)
			return r;
	}
	xdp_prune(dp);
	return 0;
}

size_t dataplane_check(struct dataplane *dp)
{
	struct bpf_link_info info;
	size_t gone = 0;
	char path[640];
	__u32 len;

	for (size_t i = 0; i < dp->n_links; i++) {
		struct dataplane_link *l = &dp->links[i];
		bool detached;

		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		link_path(dp, l->pin, path, sizeof(path));
		detached = access(path, F_OK) ||
			   bpf_obj_get_info_by_fd(bpf_link__fd(l->link), &info, &len) ||
			   (info.type == BPF_LINK_TYPE_CGROUP && !info.cgroup.cgroup_id) ||
			   (info.type == BPF_LINK_TYPE_XDP && !info.xdp.ifindex);
		if (!detached)
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

int dataplane_detach(struct dataplane *dp)
{
	DIR *dir = opendir(dp->pin_dir);
	struct dirent *d;
	int r = 0;

	if (!dir)
		return log_failure(-errno, SUB, "cannot open the pin directory %s", dp->pin_dir);
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(dir), d->d_name, 0) && !r)
			r = log_failure(-errno, SUB, "cannot unpin %s/%s", dp->pin_dir, d->d_name);
	}
	closedir(dir);
	for (size_t i = 0; i < dp->n_links; i++)
		link_end(dp->links[i].link);
	dp->n_links = 0;
	dp->detached = !r;
	if (!r && rmdir(dp->pin_dir))
		r = log_failure(-errno, SUB, "cannot remove the pin directory %s", dp->pin_dir);
	return r;
}

bool dataplane_detached(const struct dataplane *dp)
{
	return dp->detached;
}
