/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Isolation of a cgroup: its links, its entries in the maps, and its freezer. */
#include "dataplane/isolate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/cgroup.h"
#include "dataplane/isolate_cut.h"
#include "dataplane/private.h"

#define SUB "isolate"
#define FROZEN_WITHIN_NS (2 * NS_PER_SEC)
#define FREEZER_LOOK_US 2000

/* What is attached, in this order: packets out before all else, for what is there already. */
struct hook {
	const char *pin; /* behind PINS_ISOLATE and the server's id */
	const char *program;
	bool optional;
};

static const struct hook hooks[] = {
	{ "out", "sg_isolate_out", false }, { "in", "sg_isolate_in", false },
	{ "c4", "sg_isolate_c4", true },    { "c6", "sg_isolate_c6", true },
	{ "s4", "sg_isolate_s4", true },    { "s6", "sg_isolate_s6", true },
	{ "cu", "sg_isolate_cu", true },    { "su", "sg_isolate_su", true },
};

static struct bpf_program *program_of(const struct dataplane *dp, const struct hook *h)
{
	return bpf_object__find_program_by_name(dp->skel->obj, h->program);
}

static void pin_of(const struct dataplane *dp, uint32_t server, const struct hook *h, char *out,
		   size_t size)
{
	snprintf(out, size, "%s/" PINS_ISOLATE "%" PRIu32 "_%s", dp->pin_dir, server, h->pin);
}

/* --- what the kernel has ---------------------------------------------------------------------- */

static int entry_get(struct dataplane *dp, uint32_t server, struct sg_isolation *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.isolations), &server, ret) ? -errno
											 : 0;
}

static int entry_set(struct dataplane *dp, uint32_t server, const struct sg_isolation *to)
{
	return bpf_map_update_elem(bpf_map__fd(dp->skel->maps.isolations), &server, to, BPF_ANY)
		       ? -errno
		       : 0;
}

bool dataplane_isolation(struct dataplane *dp, uint32_t server, struct sg_isolation *ret)
{
	return !entry_get(dp, server, ret) && ret->cgroup;
}

/* Its directory, of its id; -ENOENT: it is gone. */
static int directory_of(struct dataplane *dp, uint64_t cgroup, char *out, size_t size)
{
	CLEANUP(freep) char *root = NULL;
	char name[ISOLATE_PATH_LEN];
	struct stat st;
	int r = cgroup_find(&root);

	if (r)
		return r;
	cgroup_names_get(dp->cgroups, cgroup, name, sizeof(name));
	if ((size_t)snprintf(out, size, "%s%s", root, name) >= size)
		return -ENAMETOOLONG;
	return stat(out, &st) || st.st_ino != cgroup ? -ENOENT : 0;
}

/* --- the freezer -------------------------------------------------------------------------------- */

static int freezer_set(const char *directory, bool frozen)
{
	char path[PATH_MAX];
	CLEANUP(closep) int fd = -1;

	snprintf(path, sizeof(path), "%s/cgroup.freeze", directory);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, frozen ? "1" : "0", 1) != 1 ? -errno : 0;
}

static bool freezer_is(const char *directory)
{
	char path[PATH_MAX];
	CLEANUP(fclosep) FILE *f = NULL;
	char line[64];
	int frozen = 0;

	snprintf(path, sizeof(path), "%s/cgroup.events", directory);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "frozen %d", &frozen) == 1)
			break;
	return frozen;
}

bool dataplane_isolation_frozen(struct dataplane *dp, const struct sg_isolation *iso)
{
	char directory[PATH_MAX];

	return !directory_of(dp, iso->cgroup, directory, sizeof(directory)) &&
	       freezer_is(directory);
}

/* Tasks stop when they next come out of the kernel. */
static int freeze(const char *directory)
{
	uint64_t until = clock_boot_ns() + FROZEN_WITHIN_NS;
	int r = freezer_set(directory, true);

	while (!r && !freezer_is(directory) && clock_boot_ns() < until)
		usleep(FREEZER_LOOK_US);
	return r;
}

/* --- links ------------------------------------------------------------------------------------- */

static uint64_t attached_to(int fd)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_LINK_TYPE_CGROUP
		       ? 0
		       : info.cgroup.cgroup_id;
}

static void unpin(const char *path)
{
	CLEANUP(closep) int fd = bpf_obj_get(path);

	if (fd >= 0)
		(void)!bpf_link_detach(fd);
	(void)!unlink(path);
}

/* 1: it is attached anew; 0: it was already. */
static int attach(struct dataplane *dp, uint32_t server, const struct hook *h, int cgroup_fd,
		  uint64_t cgroup)
{
	struct bpf_program *prog = program_of(dp, h);
	CLEANUP(closep) int fd = -1;
	char path[PATH_MAX];

	if (!prog || !dataplane_loaded(prog))
		return h->optional ? 0 : -EOPNOTSUPP;
	pin_of(dp, server, h, path, sizeof(path));
	fd = bpf_obj_get(path);
	if (fd >= 0 && attached_to(fd) == cgroup)
		return 0;
	if (fd >= 0)
		unpin(path); /* of a cgroup that is gone, or was the server's before */
	closep(&fd);
	fd = bpf_link_create(bpf_program__fd(prog), cgroup_fd,
			     bpf_program__expected_attach_type(prog), NULL);
	if (fd < 0)
		return h->optional ? 0 : -errno;
	if (bpf_obj_pin(fd, path))
		return -errno;
	return 1;
}

static int attach_all(struct dataplane *dp, uint32_t server, const char *directory, uint64_t cgroup,
		      bool *ret_fresh)
{
	CLEANUP(closep) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sg_isolated_here here = { .server = server };
	int r = fd < 0 ? -errno : 0;

	for (size_t i = 0; i < ARRAY_SIZE(hooks) && r >= 0; i++) {
		r = attach(dp, server, &hooks[i], fd, cgroup);
		*ret_fresh |= r == 1;
	}
	if (r < 0)
		return r;
	/* until here it lets everything pass: which server it is for is not known yet */
	return bpf_map_update_elem(bpf_map__fd(dp->skel->maps.isolate_here), &cgroup, &here,
				   BPF_EXIST)
		       ? -errno
		       : 0;
}

static void detach_all(struct dataplane *dp, uint32_t server)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		pin_of(dp, server, &hooks[i], path, sizeof(path));
		if (!access(path, F_OK))
			unpin(path);
	}
}

/* --- what is allowed --------------------------------------------------------------------------- */

static struct sg_allow_key key_of(uint32_t server, const struct isolate_allowed *a)
{
	struct sg_allow_key key = { .prefixlen = SG_ALLOW_SERVER_BITS + a->len, .server = server };

	memcpy(key.addr, a->addr.bytes, sizeof(key.addr));
	return key;
}

static bool covers(const struct isolate_allowed *net, const struct isolate_allowed *a)
{
	unsigned int bytes = net->len / 8;
	unsigned int bits = net->len % 8;

	if (net->len > a->len || memcmp(net->addr.bytes, a->addr.bytes, bytes) != 0)
		return false;
	return !bits || net->addr.bytes[bytes] >> (8 - bits) == a->addr.bytes[bytes] >> (8 - bits);
}

/* The longest prefix decides alone: it has what all those around it allow, too. */
static int value_of(const struct isolate_order *o, const struct isolate_allowed *a,
		    struct sg_allow *ret)
{
	bool any = false;

	*ret = (struct sg_allow){ 0 };
	for (size_t i = 0; i < o->n_allow; i++) {
		const struct isolate_allowed *other = &o->allow[i];

		if (!covers(other, a))
			continue;
		any |= !other->port;
		if (!other->port)
			continue;
		if (ret->n == SG_ALLOW_PORTS)
			return -E2BIG;
		ret->port[ret->n++] = __builtin_bswap16(other->port);
	}
	if (any)
		ret->n = 0;
	return 0;
}

static int next_allowed(int fd, uint32_t server, struct sg_allow_key *at, bool *begun)
{
	struct sg_allow_key next;

	while (!bpf_map_get_next_key(fd, *begun ? at : NULL, &next)) {
		*begun = true;
		*at = next;
		if (next.server == server)
			return 0;
	}
	return -ENOENT;
}

static void allow_forget(struct dataplane *dp, uint32_t server)
{
	int fd = bpf_map__fd(dp->skel->maps.isolate_allow);
	struct sg_allow_key key;
	bool begun = false;

	while (!next_allowed(fd, server, &key, &begun)) {
		(void)!bpf_map_delete_elem(fd, &key);
		begun = false;
	}
}

static int allow_write(const struct isolate_order *o)
{
	int fd = bpf_map__fd(o->dp->skel->maps.isolate_allow);
	int r = 0;

	allow_forget(o->dp, o->server);
	for (size_t i = 0; i < o->n_allow && !r; i++) {
		struct sg_allow_key key = key_of(o->server, &o->allow[i]);
		struct sg_allow value;

		r = value_of(o, &o->allow[i], &value);
		if (!r && bpf_map_update_elem(fd, &key, &value, BPF_ANY))
			r = -errno;
	}
	return r;
}

/* --- all of it ----------------------------------------------------------------------------------- */

static void failed(struct isolate_result *to, const char *what, int r)
{
	to->state = ISOLATE_FAILED;
	snprintf(to->why, sizeof(to->why), "%s: %s", what, strerror(-r));
}

/* The entry in the map, as it was or is to be. */
static int entry_write(const struct isolate_order *o, uint64_t cgroup, bool fresh,
		       struct sg_isolation *iso)
{
	bool moved = entry_get(o->dp, o->server, iso) || iso->cgroup != cgroup;
	uint32_t kept = iso->flags & (SG_ISOLATED_FROZEN | SG_ISOLATED_FORCED);

	if (moved)
		*iso = (struct sg_isolation){ .cgroup = cgroup, .flags = kept };
	if (fresh || !o->again)
		iso->reset_until_ns = clock_boot_ns() + SG_RESETS_NS;
	if (o->force)
		iso->flags |= SG_ISOLATED_FORCED;
	if (o->freeze)
		iso->flags |= SG_ISOLATED_FROZEN;
	return entry_set(o->dp, o->server, iso);
}

static int confine(const struct isolate_order *o, const struct hosted *h, uint64_t cgroup,
		   struct isolate_result *to)
{
	struct sg_isolation iso = { 0 };
	int r = o->again ? 0 : allow_write(o);

	if (r) {
		failed(to, "the allow list cannot be written", r);
		return r;
	}
	r = attach_all(o->dp, o->server, h->cgroup, cgroup, &to->fresh);
	if (!r)
		r = entry_write(o, cgroup, to->fresh, &iso);
	if (r) {
		failed(to, "its cgroup cannot be cut off", r);
		return r;
	}
	to->state = ISOLATE_DONE;
	isolate_cut(o->dp, h, false, to);
	if (iso.flags & SG_ISOLATED_FROZEN && (!o->again || to->fresh))
		r = freeze(h->cgroup);
	to->frozen = freezer_is(h->cgroup);
	if (r)
		snprintf(to->why, sizeof(to->why), "it cannot be frozen: %s", strerror(-r));
	return 0;
}

static void tell_cgroup(struct isolate_result *to, const struct hosted *h)
{
	CLEANUP(freep) char *root = NULL;
	size_t len = cgroup_find(&root) ? 0 : strlen(root);
	const char *rest = h->cgroup ? h->cgroup + (len < strlen(h->cgroup) ? len : 0) : "";

	snprintf(to->cgroup, sizeof(to->cgroup), "%s", rest);
	to->processes = (uint32_t)h->n;
}

static void isolate(const struct isolate_order *o, struct isolate_result *to)
{
	CLEANUP(hosted_done) struct hosted h = { 0 };
	struct sg_isolation iso = { 0 };
	bool forced = o->force;
	struct stat st;
	int r = hosted_find(o->dp->netns, &o->ask, o->dp->cgroup, &h);

	if (r == -ENOENT)
		return;
	if (r) {
		failed(to,
		       r == -ENOTUNIQ ? "several cgroups match what \"local\" says"
				      : "its processes cannot be found",
		       r);
		return;
	}
	tell_cgroup(to, &h);
	if (dataplane_isolation(o->dp, o->server, &iso))
		forced |= iso.flags & SG_ISOLATED_FORCED;
	if (!h.cgroup || (*h.why && (h.never || !forced))) {
		to->state = ISOLATE_REFUSED;
		snprintf(to->why, sizeof(to->why), "%s", h.why);
		isolate_cut(o->dp, &h, true, to);
		return;
	}
	if (stat(h.cgroup, &st))
		failed(to, "its cgroup is gone", -errno);
	else
		(void)!confine(o, &h, st.st_ino, to);
}

int isolate_order_run(void *order, void *result, size_t size)
{
	const struct isolate_order *o = order;
	struct isolate_result *to = result;

	if (size != sizeof(*to) || o->server >= SG_SERVERS_MAX)
		return -EINVAL;
	isolate(o, to);
	return 0;
}

int dataplane_isolation_end(struct dataplane *dp, uint32_t server)
{
	const struct sg_isolation none = { 0 };
	struct sg_isolation iso;
	char directory[PATH_MAX];
	int r = 0;

	detach_all(dp, server);
	if (!dataplane_isolation(dp, server, &iso))
		return 0;
	allow_forget(dp, server);
	if (iso.flags & SG_ISOLATED_FROZEN &&
	    !directory_of(dp, iso.cgroup, directory, sizeof(directory)))
		r = freezer_set(directory, false);
	if (r)
		return log_failure(r, SUB,
				   "cannot thaw the cgroup %s: write 0 to its cgroup.freeze",
				   directory);
	r = entry_set(dp, server, &none);
	return r ? log_failure(r, SUB, "cannot end the isolation of server %" PRIu32, server) : 0;
}

/* --- over all ------------------------------------------------------------------------------------ */

/* The server and hook of a pin; NULL: it is none. */
static const struct hook *hook_of(const char *name, uint32_t *ret_server)
{
	char pin[8];

	if (sscanf(name, PINS_ISOLATE "%" SCNu32 "_%7s", ret_server, pin) != 2 ||
	    *ret_server >= SG_SERVERS_MAX)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (!strcmp(hooks[i].pin, pin))
			return &hooks[i];
	return NULL;
}

static void take_over(struct dataplane *dp, const char *name)
{
	struct sg_isolation iso;
	CLEANUP(closep) int fd = -1;
	struct bpf_program *prog;
	char path[PATH_MAX];
	uint32_t server = 0;
	const struct hook *h = hook_of(name, &server);

	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, name);
	if (!h || !dataplane_isolation(dp, server, &iso)) {
		unpin(path);
		return;
	}
	prog = program_of(dp, h);
	fd = bpf_obj_get(path);
	if (prog && dataplane_loaded(prog) && fd >= 0 &&
	    bpf_link_update(fd, bpf_program__fd(prog), NULL))
		log_failure(-errno, SUB,
			    "the isolation of server %" PRIu32 " keeps its old programs", server);
}

void dataplane_isolations_take_over(struct dataplane *dp)
{
	CLEANUP(closedirp) DIR *dir = opendir(dp->pin_dir);
	const struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (!strncmp(d->d_name, PINS_ISOLATE, strlen(PINS_ISOLATE)))
			take_over(dp, d->d_name);
}

bool dataplane_isolates_unix(const struct dataplane *dp)
{
	return dataplane_loaded(dp->skel->progs.sg_isolate_cu);
}

size_t dataplane_isolation_fds(const struct dataplane *dp, int *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		const struct bpf_program *prog = program_of(dp, &hooks[i]);

		if (prog && dataplane_loaded(prog) && n < max)
			ret[n++] = bpf_program__fd(prog);
	}
	return n;
}

void dataplane_isolations_end(struct dataplane *dp)
{
	struct sg_isolation iso;

	for (uint32_t id = 0; id < SG_SERVERS_MAX; id++)
		if (dataplane_isolation(dp, id, &iso))
			(void)!dataplane_isolation_end(dp, id);
}
