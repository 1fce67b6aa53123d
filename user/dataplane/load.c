/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loading: gives up what this kernel cannot do, one optional program after the
 * other, by trying and never by version, and says what is lost by it.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "dataplane/cgroup.h"
#include "dataplane/private.h"

#define SUB "bpf"

#define ISOLATE_TELLS "isolated processes are told at once that they reach nothing"
#define ISOLATE_SILENT "connects of isolated processes end by their own time limits"
#define ISOLATE_UNIX "isolated processes reach no Unix sockets"

/* Without a program that has a text of loss here, Switchgear goes on and says so. */
static const struct dataplane_part dataplane_parts[] = {
	{ "sg_connect4", "4.17", PART_ENFORCES, "new connects to denied servers are refused",
	  .loss = NULL },
	{ "sg_connect6", "4.17", PART_ENFORCES, "new connects to denied servers are refused",
	  .loss = NULL },
	{ "sg_command", "5.8", PART_ENFORCES, "orders reach the kernel", .loss = NULL },
	{ "sg_walk", "5.8", PART_ENFORCES, "live connections are found, judged and proved dead",
	  .loss = NULL },
	{ "sg_netns", "5.7", PART_ENFORCES, "network namespaces are told apart", .loss = NULL },
	{ "sg_sendmsg4", "4.18", PART_ENFORCES, "datagrams (QUIC) to denied servers are refused",
	  .loss = "datagrams (QUIC) to denied IPv4 servers are not refused" },
	{ "sg_sendmsg6", "4.18", PART_ENFORCES, "datagrams (QUIC) to denied servers are refused",
	  .loss = "datagrams (QUIC) to denied IPv6 servers are not refused" },
	{ "sg_peer4", "5.8", PART_MEASURES, "redirected connections show the address asked for",
	  .loss = "redirected IPv4 connections show the address that they went to as their peer" },
	{ "sg_peer6", "5.8", PART_MEASURES, "redirected connections show the address asked for",
	  .loss = "redirected IPv6 connections show the address that they went to as their peer" },
	{ "sg_release", "5.9", PART_MEASURES, "the end of unused and of datagram sockets is seen",
	  .loss = "a probe taken by a connect that fails locally is lost until the half-open "
		  "limit, and records of datagram sockets stay for minutes" },
	{ "sg_egress", "5.8", PART_ENFORCES,
	  "requests on open connections are measured and stopped",
	  .loss = "requests on open connections are not measured, nor stopped when the breaker "
		  "opens or in quarantine" },
	{ "sg_ingress", "5.8", PART_ENFORCES, "answers are measured, and stopped in quarantine",
	  .loss = "answers are not measured, so only connects can trip a breaker, nor stopped in "
		  "quarantine" },
	{ "sg_sockops", "5.8", PART_ENFORCES,
	  "a connection whose answer trips the breaker ends without a daemon, too",
	  .loss = "without a daemon, a connection whose answer trips the breaker does not end by "
		  "itself, and connects that time out are not noticed" },
	{ "sg_state", "6.1", PART_RECENT, "the end of connections older than the load is seen",
	  .loss = "failed connects are not seen: only answers can trip a breaker",
	  .instead = "sg_sockops",
	  .change = "the end of connections older than the load is not seen" },
	{ "sg_retransmit", "5.11", PART_RECENT, "retransmissions are counted",
	  .loss = "retransmissions are not counted", .instead = "sg_sockops",
	  .change = "retransmissions come from sockops instead of a tracepoint" },
	{ "sg_watch", "5.15", PART_RECENT, "hangs are noticed without a daemon, too",
	  .loss = "without a daemon, answers that stay out are not noticed (connects that time out "
		  "are)" },
	{ "sg_adopt_tcp", "6.1", PART_RECENT, "connections older than the load are taken over",
	  .loss = "connections older than the load are not measured; a quarantine kills them" },
	{ "sg_adopt_udp", "6.1", PART_RECENT,
	  "connected UDP sockets older than the load are taken over",
	  .loss = "connected UDP sockets older than the load are not measured; a quarantine kills "
		  "them" },
	{ "sg_connect_unix", "6.7", PART_RECENT,
	  "connects to denied servers at Unix sockets are refused",
	  .loss = "connects to servers at Unix sockets are not refused", .concerns_few = true },
	{ "sg_find_held", "5.8", PART_ENFORCES,
	  "a quarantine ends connections of sockets that were brought into the cgroup",
	  .loss = "connections of sockets that were made outside of the protected cgroup and "
		  "brought into it are not found: a quarantine does not know who survives it" },
	{ "sg_brought", "5.8", PART_ENFORCES,
	  "connects of such sockets to a server in quarantine are noticed",
	  .loss = "connects of sockets that were made outside of the protected cgroup and brought "
		  "into it are not noticed in quarantine" },
	{ "sg_xdp", "5.9", PART_ENFORCES,
	  "packets of quarantined servers are dropped at XDP, on interfaces that are named",
	  .loss = "packets of quarantined servers are not dropped at XDP" },
	{ "sg_isolate_in", "5.9", PART_ENFORCES, "processes of a server on this host are isolated",
	  .loss = "processes of a server on this host are reached in quarantine" },
	{ "sg_isolate_out", "5.9", PART_ENFORCES, "processes of a server on this host are isolated",
	  .loss = "processes of a server on this host reach others in quarantine" },
	{ "sg_isolate_c4", "5.9", PART_MEASURES, ISOLATE_TELLS, .loss = ISOLATE_SILENT },
	{ "sg_isolate_c6", "5.9", PART_MEASURES, ISOLATE_TELLS, .loss = ISOLATE_SILENT },
	{ "sg_isolate_s4", "5.9", PART_MEASURES, ISOLATE_TELLS, .loss = ISOLATE_SILENT },
	{ "sg_isolate_s6", "5.9", PART_MEASURES, ISOLATE_TELLS, .loss = ISOLATE_SILENT },
	{ "sg_isolate_cu", "6.7", PART_RECENT, ISOLATE_UNIX,
	  .loss = "isolated processes still reach Unix sockets", .concerns_few = true },
	{ "sg_isolate_su", "6.7", PART_RECENT, ISOLATE_UNIX,
	  .loss = "isolated processes still reach Unix sockets", .concerns_few = true },
	{ .name = NULL },
};

const struct dataplane_part *dataplane_part(const char *name)
{
	for (const struct dataplane_part *p = dataplane_parts; p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

void dataplane_degrade(struct dataplane *dp, const char *fmt, ...)
{
	char text[sizeof(dp->degraded[0])];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < dp->n_degraded; i++)
		if (!strcmp(dp->degraded[i], text))
			return;
	if (!dp->quiet)
		log_warning(SUB, "degraded: %s", text);
	if (dp->n_degraded < DATAPLANE_DEGRADED_MAX)
		memcpy(dp->degraded[dp->n_degraded++], text, sizeof(text));
}

/* --- load ------------------------------------------------------------------------------- */

/* The program that libbpf said it could not load; it tells nobody but its log. */
static char failed_program[64];

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	static const char mark[] = "': failed to load: ";
	char text[1024];
	char *end;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), fmt, args);
	end = strstr(text, mark);
	if (end) {
		char *start = strchr(text, '\'');

		if (start && start < end)
			snprintf(failed_program, sizeof(failed_program), "%.*s",
				 (int)(end - start - 1), start + 1);
	}
	text[strcspn(text, "\n")] = '\0';
	log_line(LOG_LEVEL_DEBUG, "libbpf", "%s", text);
	return 0;
}

static bool loads(enum bpf_prog_type type, enum bpf_attach_type attach,
		  const struct bpf_insn *insns, size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	CLEANUP(closep) int fd = bpf_prog_load(type, "sg_try", "GPL", insns, n, &opts);

	return fd >= 0;
}

/* May bpf_set_retval() be called from connect hooks? By trying (true since 6.1). */
static bool has_retval(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = -111 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_set_retval },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return loads(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, insns,
		     ARRAY_SIZE(insns));
}

/* May bpf_get_netns_cookie() be called for packets? By trying (true since 6.16). */
static bool has_skb_netns(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_netns_cookie },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return loads(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, insns, ARRAY_SIZE(insns));
}

/* May bpf_xdp_load_bytes() be called? By trying (true since 5.18). */
static bool has_xdp_load(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0 },
		{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_3, .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_3, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_4, .imm = 8 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_xdp_load_bytes },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 2 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return loads(BPF_PROG_TYPE_XDP, 0, insns, ARRAY_SIZE(insns));
}

static const char retval_loss[] =
	"refused connects fail with EPERM, but TCP ones with a deny_errno of ECONNREFUSED, "
	"which end at a closed port of the loopback";

bool dataplane_loaded(const struct bpf_program *prog)
{
	return bpf_program__fd(prog) >= 0;
}

/* The epoch of the load before, 0 if there is none. */
static uint32_t old_epoch(const struct dataplane *dp)
{
	struct sg_cfg cfg;

	return dataplane_pinned_cfg(dp, &cfg) ? 0 : cfg.epoch;
}

/* What is left out of a load: programs that this kernel refused, or by order. */
struct omission {
	const char *names[DATAPLANE_PROGRAMS_MAX];
	int errors[DATAPLANE_PROGRAMS_MAX]; /* 0: by order */
	size_t n;
	bool trying; /* only what older kernels refuse */
};

static bool is_left_out(const struct omission *out, const char *name)
{
	for (size_t i = 0; i < out->n; i++)
		if (!strcmp(out->names[i], name))
			return true;
	return false;
}

static bool is_wanted(const struct omission *out, const char *name)
{
	const struct dataplane_part *part = dataplane_part(name);

	return !is_left_out(out, name) && !(out->trying && !(part && part->kind == PART_RECENT));
}

#define ROOT_ID 1 /* of a whole hierarchy */

/* The id of a cgroup is its inode; 0 if every socket is in it. */
static uint64_t cgroup_id(const char *path)
{
	struct stat st;

	return path && !stat(path, &st) && st.st_ino != ROOT_ID ? st.st_ino : 0;
}

/* Under systemd, or without it. */
static uint64_t pods_id(void)
{
	CLEANUP(freep) char *root = NULL;
	char path[512];
	uint64_t id;

	if (cgroup_find(&root))
		return 0;
	snprintf(path, sizeof(path), "%s/kubepods.slice", root);
	id = cgroup_id(path);
	if (id)
		return id;
	snprintf(path, sizeof(path), "%s/kubepods", root);
	return cgroup_id(path);
}

/* Of the network namespace that we are in. */
static uint32_t home_inode(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
}

#define KERNEL_MINOR_BITS 20

uint32_t dataplane_root_dev(const char *mountinfo)
{
	CLEANUP(fclosep) FILE *f = fopen(mountinfo, "re");
	unsigned int major;
	unsigned int minor;
	char line[4096];
	uint32_t dev = 0;
	char at[3];

	while (f && fgets(line, sizeof(line), f)) /* what was mounted last is on top */
		if (sscanf(line, "%*u %*u %u:%u %*s %2s", &major, &minor, at) == 3 &&
		    !strcmp(at, "/"))
			dev = major << KERNEL_MINOR_BITS | minor;
	return dev;
}

/* BPF_CGROUP_UNIX_CONNECT and _SENDMSG, which older headers do not have */
#define CGROUP_UNIX_CONNECT 49
#define CGROUP_UNIX_SENDMSG 50

void dataplane_hooks_set(struct bpf_object *obj)
{
	static const struct {
		const char *name;
		int hook;
	} hooks[] = { { "sg_connect_unix", CGROUP_UNIX_CONNECT },
		      { "sg_isolate_cu", CGROUP_UNIX_CONNECT },
		      { "sg_isolate_su", CGROUP_UNIX_SENDMSG } };

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, hooks[i].name);

		if (prog)
			bpf_program__set_expected_attach_type(prog,
							      (enum bpf_attach_type)hooks[i].hook);
	}
}

static int skel_try(struct dataplane *dp, const struct dataplane_options *o, bool retval,
		    const struct omission *out)
{
	struct bpf_program *prog;
	struct sg_rodata *rodata;
	int r;

	dp->taken_over = false;
	dp->skel = switchgear_bpf__open();
	if (!dp->skel)
		return log_failure(-errno, SUB, "the BPF object in this program is broken");
	rodata = &dp->skel->rodata_sg->sg_rodata;
	rodata->epoch = o->pin_dir ? old_epoch(dp) + 1 : 0;
	rodata->has_retval = retval;
	rodata->by_sockops = !is_left_out(out, "sg_sockops");
	rodata->retransmits = is_left_out(out, "sg_retransmit");
	rodata->skb_netns = has_skb_netns();
	rodata->xdp_load = has_xdp_load();
	rodata->blind = is_left_out(out, "sg_ingress");
	/* tried without one: as for one that is not all, whose code is the longer */
	rodata->cgroup = o->cgroup ? cgroup_id(o->cgroup) : ROOT_ID + 1;
	rodata->pods = pods_id();
	rodata->home_inode = home_inode();
	rodata->root_dev = dataplane_root_dev("/proc/self/mountinfo");
	dataplane_hooks_set(dp->skel->obj);
	bpf_object__for_each_program(prog, dp->skel->obj)
	{
		bpf_program__set_autoload(prog, is_wanted(out, bpf_program__name(prog)));
	}
	r = o->pin_dir ? dataplane_maps_prepare(dp, o->endpoints_max) : 0;
	if (r)
		return r;
	failed_program[0] = '\0';
	return switchgear_bpf__load(dp->skel);
}

/* Is `name` one of the names in `list`, which commas separate? */
static bool is_listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, name, len) && (at[len] == ',' || !at[len]))
			return true;
	}
	return false;
}

static void leave_out(struct omission *out, const struct dataplane_part *part, int error)
{
	if (out->n == ARRAY_SIZE(out->names))
		return;
	out->errors[out->n] = error;
	out->names[out->n++] = part->name;
}

/* Says what is lost, or what does its work instead, of all that was left out. */
static void omission_tell(struct dataplane *dp, const struct omission *out, const char *order)
{
	for (size_t i = 0; i < out->n; i++) {
		const struct dataplane_part *p = dataplane_part(out->names[i]);

		if (p->concerns_few)
			continue;
		dataplane_degrade(dp, "%s (%s was %s)",
				  p->instead && !is_left_out(out, p->instead) ? p->change : p->loss,
				  p->name,
				  is_listed(order, p->name) ? "left out by order" : "refused");
	}
}

/* Loads; leaves out one optional program after another that this kernel refuses. */
static int load(struct dataplane *dp, const struct dataplane_options *o, struct omission *out)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const struct dataplane_part *part;
	bool retval;
	int r;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(libbpf_print);
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* counts BPF memory before 5.11 */
	retval = has_retval() && !is_listed(o->without, "bpf_set_retval");
	for (const struct dataplane_part *p = dataplane_parts; p->name; p++)
		if (p->loss && is_listed(o->without, p->name))
			leave_out(out, p, 0);
	for (;;) {
		r = skel_try(dp, o, retval, out);
		if (!r && !out->trying)
			break;
		switchgear_bpf__destroy(dp->skel);
		dp->skel = NULL;
		if (!r) {
			out->trying = false;
			continue;
		}
		if (r == -ESTALE)
			return r;
		part = failed_program[0] ? dataplane_part(failed_program) : NULL;
		if (!part || !part->loss || is_left_out(out, part->name))
			return log_failure(
				r, SUB,
				"the kernel refuses the BPF program %s; without it nothing "
				"can be enforced (SWITCHGEAR_LOG=debug shows why)",
				failed_program[0] ? failed_program : "object");
		leave_out(out, part, r);
		out->trying = part->kind ==
			      PART_RECENT; /* the others first: they are quick to verify */
	}
	omission_tell(dp, out, o->without);
	if (!retval)
		dataplane_degrade(dp, "%s (bpf_set_retval needs kernel 6.1)", retval_loss);
	return 0;
}

int dataplane_load(struct dataplane *dp, const struct dataplane_options *o)
{
	return load(dp, o, &(struct omission){ .n = 0 });
}

static bool is_loaded(const struct dataplane *dp, const char *name)
{
	const struct bpf_program *prog =
		dp->skel ? bpf_object__find_program_by_name(dp->skel->obj, name) : NULL;

	return prog && dataplane_loaded(prog);
}

static struct dataplane_feature feature_of(const struct dataplane *dp,
					   const struct dataplane_part *p)
{
	bool instead = p->instead && is_loaded(dp, p->instead);

	return (struct dataplane_feature){
		.name = p->name,
		.since = p->since,
		.works = p->works,
		.loss = instead   ? p->change
			: p->loss ? p->loss
				  : "nothing can be enforced",
		.there = is_loaded(dp, p->name),
		.enforces = p->kind == PART_ENFORCES,
	};
}

int dataplane_probe(struct dataplane_feature *ret, size_t max, size_t *ret_n)
{
	const struct dataplane_options none = { .without = getenv("SWITCHGEAR_WITHOUT") };
	CLEANUP(freep) struct dataplane *dp = calloc(1, sizeof(*dp));
	struct omission out = { .n = 0 };
	size_t n = 0;
	int r;

	if (!dp)
		return -ENOMEM;
	dp->dir_fd = -1;
	dp->quiet = true;
	r = load(dp, &none, &out);
	for (const struct dataplane_part *p = dataplane_parts; p->name && n < max; p++, n++) {
		ret[n] = feature_of(dp, p);
		for (size_t i = 0; i < out.n; i++)
			if (!strcmp(out.names[i], p->name))
				ret[n].error = out.errors[i];
		if (r && !strcmp(p->name, failed_program))
			ret[n].error = r;
	}
	if (n < max)
		ret[n++] = (struct dataplane_feature){
			.name = "bpf_set_retval",
			.since = "6.1",
			.works = "refused connects fail with the errno of the configuration",
			.loss = retval_loss,
			.there = has_retval(),
		};
	if (n < max)
		ret[n++] = (struct dataplane_feature){
			.name = "bpf_get_netns_cookie",
			.since = "6.16",
			.works = "a quarantine knows local servers by their packets alone",
			.loss = "datagrams of a quarantined server on this host pass to sockets that "
				"never connected",
			.there = has_skb_netns(),
		};
	switchgear_bpf__destroy(dp->skel);
	*ret_n = n;
	return r;
}
