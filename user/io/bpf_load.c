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

/* Without a program that has a text here, Switchgear goes on and says so. */
const struct dataplane_part dataplane_parts[] = {
	{ "sg_connect4", "4.17", NULL },
	{ "sg_connect6", "4.17", NULL },
	{ "sg_command", "5.8", NULL },
	{ "sg_sendmsg4", "4.18", "datagrams (QUIC) to denied IPv4 servers are not refused" },
	{ "sg_sendmsg6", "4.18", "datagrams (QUIC) to denied IPv6 servers are not refused" },
	{ "sg_release", "5.9",
	  "a probe taken by a connect that fails locally is lost until the "
	  "half-open limit" },
	{ "sg_egress", "5.8",
	  "requests on open connections are not measured, nor stopped when the "
	  "breaker opens" },
	{ "sg_ingress", "5.8", "answers are not measured: only connects can trip a breaker" },
	{ "sg_sockops", "5.8",
	  "without a daemon, a connection whose answer trips the breaker does not "
	  "end by itself" },
	{ "sg_state", "6.1", "failed connects are not seen: only answers can trip a breaker" },
	{ "sg_retransmit", "5.11", "retransmissions are not counted" },
	{ "sg_find", "6.1", "live connections to denied servers are not found, so not killed" },
	{ "sg_sweep", "6.1", "answers of unknown end and timeouts are not noticed" },
	{ "sg_kill_tcp", "6.1", "live TCP connections are killed by netlink instead of BPF" },
	{ "sg_kill_udp", "6.1",
	  "connected UDP sockets are not killed, their datagrams are refused" },
	{ "sg_adopt_tcp", "5.12", "connections older than the load are not seen" },
	{ "sg_adopt_udp", "5.12", "connected UDP sockets older than the load are not seen" },
	{ "sg_xdp", "5.9", "packets of quarantined servers are not dropped at XDP" },
	{ NULL, NULL, NULL },
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

static int skel_try(struct dataplane *dp, const struct dataplane_options *o, bool retval,
		    const char *const *without, size_t without_n)
{
	int r;

	dp->taken_over = false;
	dp->skel = switchgear_bpf__open();
	if (!dp->skel)
		return log_failure(-errno, SUB, "the BPF object in this program is broken");
	dp->skel->rodata_sg->sg_rodata.epoch = o->pin_dir ? old_epoch(dp) + 1 : 0;
	dp->skel->rodata_sg->sg_rodata.has_retval = retval;
	for (size_t i = 0; i < without_n; i++)
		bpf_program__set_autoload(
			bpf_object__find_program_by_name(dp->skel->obj, without[i]), false);
	r = o->pin_dir ? dataplane_maps_prepare(dp, o->endpoints_max) : 0;
	if (r)
		return r;
	failed_program[0] = '\0';
	return switchgear_bpf__load(dp->skel);
}

/* Loads; leaves out one optional program after another that this kernel refuses. */
int dataplane_load(struct dataplane *dp, const struct dataplane_options *o)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const char *without[DATAPLANE_PROGRAMS_MAX];
	const struct dataplane_part *part;
	size_t without_n = 0;
	bool retval;
	int r;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(libbpf_print);
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* counts BPF memory before 5.11 */
	retval = has_retval();
	for (const struct dataplane_part *p = dataplane_parts; o->without && p->name; p++) {
		if (!p->loss || !strstr(o->without, p->name))
			continue;
		dataplane_degrade(dp, "%s (%s was left out by order)", p->loss, p->name);
		without[without_n++] = p->name;
	}
	for (;;) {
		r = skel_try(dp, o, retval, without, without_n);
		if (!r)
			break;
		switchgear_bpf__destroy(dp->skel);
		dp->skel = NULL;
		if (r == -ESTALE)
			return r;
		part = failed_program[0] ? dataplane_part(failed_program) : NULL;
		if (!part || !part->loss || without_n == ARRAY_SIZE(without))
			return log_failure(
				r, SUB,
				"the kernel refuses the BPF program %s; without it nothing "
				"can be enforced (SWITCHGEAR_LOG=debug shows why)",
				failed_program[0] ? failed_program : "object");
		dataplane_degrade(dp, "%s (%s was refused: %s)", part->loss, part->name,
				  strerror(-r));
		without[without_n++] = part->name;
	}
	if (!has_destroy())
		dataplane_degrade(dp, "%s (bpf_sock_destroy needs kernel 6.5)",
				  dataplane_part("sg_kill_tcp")->loss);
	if (!retval)
		dataplane_degrade(dp, "refused connects fail with EPERM whatever deny_errno says "
				      "(bpf_set_retval needs kernel 6.1)");
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
		const struct bpf_program *prog =
			dp->skel ? bpf_object__find_program_by_name(dp->skel->obj, p->name) : NULL;

		feature(&ret[n++], p->name, p->since, prog && dataplane_loaded(prog), p->loss);
	}
	if (n < max)
		feature(&ret[n++], "bpf_set_retval", "6.1", has_retval(),
			"refused connects fail with EPERM whatever deny_errno says");
	if (n < max)
		feature(&ret[n++], "bpf_sock_destroy", "6.5", has_destroy(),
			dataplane_part("sg_kill_tcp")->loss);
	*ret_n = n;
	return r;
}
