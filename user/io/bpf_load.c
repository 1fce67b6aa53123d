/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loading: gives up what this kernel cannot do, one optional program after the
 * other, by trying and never by version, and says what is lost by it.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "io/bpf_private.h"

#define SUB "bpf"

/* Without a program that has a text of loss here, Switchgear goes on and says so. */
#define REQUIRED(n, v)                \
	{                             \
		.name = n, .since = v \
	}
#define OPTIONAL(n, v, l)                        \
	{                                        \
		.name = n, .since = v, .loss = l \
	}
#define TRACING(n, v, l)                                         \
	{                                                        \
		.name = n, .since = v, .loss = l, .recent = true \
	}
#define REPLACED(n, v, l, i, c)                                                             \
	{                                                                                   \
		.name = n, .since = v, .loss = l, .instead = i, .change = c, .recent = true \
	}
#define SPARE(n, v)                                                  \
	{                                                            \
		.name = n, .since = v, .spare = true, .recent = true \
	}

const struct dataplane_part dataplane_parts[] = {
	REQUIRED("sg_connect4", "4.17"),
	REQUIRED("sg_connect6", "4.17"),
	REQUIRED("sg_command", "5.8"),
	REQUIRED("sg_netns", "5.7"),
	OPTIONAL("sg_sendmsg4", "4.18", "datagrams (QUIC) to denied IPv4 servers are not refused"),
	OPTIONAL("sg_sendmsg6", "4.18", "datagrams (QUIC) to denied IPv6 servers are not refused"),
	OPTIONAL("sg_release", "5.9",
		 "a probe taken by a connect that fails locally is lost until the half-open limit"),
	OPTIONAL(
		"sg_egress", "5.8",
		"requests on open connections are not measured, nor stopped when the breaker opens"),
	OPTIONAL("sg_ingress", "5.8", "answers are not measured: only connects can trip a breaker"),
	OPTIONAL(
		"sg_sockops", "5.8",
		"without a daemon, a connection whose answer trips the breaker does not end by itself"),
	REPLACED("sg_state", "6.1", "failed connects are not seen: only answers can trip a breaker",
		 "sg_sockops", "the end of connections older than the load is not seen"),
	REPLACED("sg_retransmit", "5.11", "retransmissions are not counted", "sg_sockops",
		 "retransmissions come from sockops instead of a tracepoint"),
	REPLACED("sg_find", "6.1",
		 "live connections to denied servers are not found, so not killed", "sg_find_plain",
		 "walks over connections work without locks instead of with them"),
	REPLACED("sg_sweep", "6.1", "answers of unknown end and timeouts are not noticed",
		 "sg_sweep_plain", "what only time ends is reported in two passes instead of one"),
	TRACING("sg_kill_tcp", "6.1", "live connections are killed by netlink instead of BPF"),
	TRACING("sg_kill_udp", "6.1",
		"connected UDP sockets, and all others, are killed by netlink instead of BPF"),
	TRACING("sg_adopt_tcp", "5.12",
		"connections older than the load are not measured; a quarantine kills them"),
	TRACING("sg_adopt_udp", "5.12", "connected UDP sockets older than the load are not seen"),
	OPTIONAL("sg_xdp", "5.9", "packets of quarantined servers are not dropped at XDP"),
	SPARE("sg_find_plain", "5.9"),
	SPARE("sg_sweep_plain", "5.9"),
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
	for (size_t i = 0; i < dp->degraded_n; i++)
		if (!strcmp(dp->degraded[i], text))
			return;
	if (!dp->quiet)
		log_warning(SUB, "degraded: %s", text);
	if (dp->degraded_n < DATAPLANE_DEGRADED_MAX)
		memcpy(dp->degraded[dp->degraded_n++], text, sizeof(text));
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

/* May bpf_set_retval() be called from connect hooks? By trying (true since 6.1). */
static bool has_retval(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = -111 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_set_retval },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
	int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "sg_try", "GPL", insns,
			       ARRAY_SIZE(insns), &opts);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Is there bpf_sock_destroy()? The weak reference in sg_kill_* resolves to it or to nothing. */
static bool has_destroy(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool found = btf && btf__find_by_name_kind(btf, "bpf_sock_destroy", BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return found;
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
	struct sg_cfg cfg = { 0 };
	char path[640];
	__u32 zero = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/cfg", dp->pin_dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_map_lookup_elem(fd, &zero, &cfg))
		cfg.epoch = 0;
	close(fd);
	return cfg.epoch;
}

/* What is left out of a load: programs that this kernel refused, or by order. */
struct omission {
	const char *names[DATAPLANE_PROGRAMS_MAX];
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

/* One that only stands in for another is loaded when that one is left out. */
static bool is_wanted(const struct omission *out, const char *name)
{
	const struct dataplane_part *part = dataplane_part(name);

	if (is_left_out(out, name) || (out->trying && !(part && part->recent)))
		return false;
	for (const struct dataplane_part *p = dataplane_parts; part && part->spare && p->name; p++)
		if (p->instead && !strcmp(p->instead, name))
			return is_left_out(out, p->name);
	return true;
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
	rodata->two_pass = is_left_out(out, "sg_sweep");
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

static bool is_optional(const struct dataplane_part *part)
{
	return part->loss || part->spare;
}

static void leave_out(struct omission *out, const struct dataplane_part *part)
{
	if (out->n < ARRAY_SIZE(out->names))
		out->names[out->n++] = part->name;
}

/* Says what is lost, or what does its work instead, of all that was left out. */
static void omission_tell(struct dataplane *dp, const struct omission *out, const char *order)
{
	for (size_t i = 0; i < out->n; i++) {
		const struct dataplane_part *p = dataplane_part(out->names[i]);

		if (p->spare) /* told with the one it stands in for */
			continue;
		dataplane_degrade(dp, "%s (%s was %s)",
				  p->instead && !is_left_out(out, p->instead) ? p->change : p->loss,
				  p->name,
				  is_listed(order, p->name) ? "left out by order" : "refused");
	}
}

/* Loads; leaves out one optional program after another that this kernel refuses. */
int dataplane_load(struct dataplane *dp, const struct dataplane_options *o)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const struct dataplane_part *part;
	struct omission out = { .n = 0 };
	bool retval;
	int r;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(libbpf_print);
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* counts BPF memory before 5.11 */
	retval = has_retval() && !is_listed(o->without, "bpf_set_retval");
	for (const struct dataplane_part *p = dataplane_parts; p->name; p++)
		if (is_optional(p) && is_listed(o->without, p->name))
			leave_out(&out, p);
	for (;;) {
		r = skel_try(dp, o, retval, &out);
		if (!r && !out.trying)
			break;
		switchgear_bpf__destroy(dp->skel);
		dp->skel = NULL;
		if (!r) {
			out.trying = false;
			continue;
		}
		if (r == -ESTALE)
			return r;
		part = failed_program[0] ? dataplane_part(failed_program) : NULL;
		if (!part || !is_optional(part) || is_left_out(&out, part->name))
			return log_failure(
				r, SUB,
				"the kernel refuses the BPF program %s; without it nothing "
				"can be enforced (SWITCHGEAR_LOG=debug shows why)",
				failed_program[0] ? failed_program : "object");
		leave_out(&out, part);
		out.trying = part->recent; /* the others first: they are quick to verify */
	}
	omission_tell(dp, &out, o->without);
	if (!has_destroy() && !is_left_out(&out, "sg_kill_tcp"))
		dataplane_degrade(dp, "%s (bpf_sock_destroy needs kernel 6.5)",
				  dataplane_part("sg_kill_tcp")->loss);
	if (!retval)
		dataplane_degrade(dp, "%s (bpf_set_retval needs kernel 6.1)", retval_loss);
	return 0;
}

static void feature(struct dataplane_feature *f, const char *name, const char *since, bool there,
		    const char *loss)
{
	f->name = name;
	f->since = since;
	f->there = there;
	f->loss = loss ? loss : "nothing can be enforced";
}

static bool is_loaded(const struct dataplane *dp, const char *name)
{
	const struct bpf_program *prog =
		dp->skel ? bpf_object__find_program_by_name(dp->skel->obj, name) : NULL;

	return prog && dataplane_loaded(prog);
}

int dataplane_probe(struct dataplane_feature *ret, size_t max, size_t *ret_n)
{
	const struct dataplane_options none = { 0 };
	CLEANUP(dataplane_closep) struct dataplane *dp = calloc(1, sizeof(*dp));
	size_t n = 0;
	int r;

	if (!dp)
		return -ENOMEM;
	dp->dir_fd = -1;
	dp->quiet = true;
	r = dataplane_load(dp, &none);
	for (const struct dataplane_part *p = dataplane_parts; p->name && n < max; p++) {
		bool instead = p->instead && is_loaded(dp, p->instead);

		if (!p->spare)
			feature(&ret[n++], p->name, p->since, is_loaded(dp, p->name),
				instead ? p->change : p->loss);
	}
	if (n < max)
		feature(&ret[n++], "bpf_set_retval", "6.1", has_retval(), retval_loss);
	if (n < max)
		feature(&ret[n++], "bpf_sock_destroy", "6.5", has_destroy(),
			dataplane_part("sg_kill_tcp")->loss);
	*ret_n = n;
	return r;
}
