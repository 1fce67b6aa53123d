/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Admission to servers at Unix sockets: the verdict, and nothing more. What is sent there no hook
 * sees, so that no record is made, no probe taken and nothing learned. Fail-open: a name that
 * cannot be read lets the connect through. Attached only while a server is at such a socket.
 */
#include "admit.bpf.h"
#include "denial.bpf.h"
#include "event.bpf.h"
#include "maps.bpf.h"
#include "verdict.h"

#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SG_UNIX_NAME 2U /* where the name is in struct sockaddr_un */

/* Weak: kernels that do not have it do not have the hook either. */
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

/* The name that is asked for, and zeros; false: it cannot be read, or is none. Only so many bytes
 * of the kernel's copy are set as its length says. */
static __always_inline bool sg_unix_name(struct bpf_sock_addr *ctx, char name[SG_UNIX_PATH + 4])
{
	const struct bpf_sock_addr_kern *kern = bpf_cast_to_kern_ctx(ctx);
	const char *from = (const char *)kern->uaddr + SG_UNIX_NAME;
	__u64 len = kern->uaddrlen;

	if (len <= SG_UNIX_NAME || len > SG_UNIX_NAME + SG_UNIX_PATH)
		return false;
	len -= SG_UNIX_NAME;
	if (bpf_probe_read_kernel_str(name, len + 1, from) < 0)
		return false;
	return name[0] || !bpf_probe_read_kernel(name, len, from); /* abstract: zeros are in it */
}

/* Is the server meant that has this name? A path leads elsewhere from the root of a container,
 * an abstract name from another network namespace. */
static __always_inline bool sg_unix_meant(struct bpf_sock_addr *ctx, const char *name,
					  const struct sg_cfg *c)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();

	if (!name[0])
		return bpf_get_netns_cookie(ctx) == c->home_netns;
	return !sg_rodata.root_dev ||
	       BPF_CORE_READ(task, fs, root.mnt, mnt_sb, s_dev) == sg_rodata.root_dev;
}

/* Nobody sees how it ends, so that none is a probe: while half-open all of them pass. */
static __always_inline bool sg_unix_refused(const struct sg_scope *s, bool observe, __u64 now)
{
	bool quarantined = sg_quarantined(sg_quarantine_until(s->id), now);
	struct sg_admission a;

	sg_admit(s, now, SG_SOURCE_UNKNOWN, 0, false, &a);
	if (s->server->breaker.state == SG_HALF_OPEN)
		a.admit = SG_ALLOW;
	return sg_refused(s, sg_verdict(quarantined, false, observe, a.admit));
}

/* libbpf before 1.3 does not know cgroup/connect_unix: load.c says that this is its hook. */
SEC("cgroup/connect4")
int sg_connect_unix(struct bpf_sock_addr *ctx)
{
	char name[SG_UNIX_PATH + 4] = {};
	struct sg_cfg *c = sg_config();
	__u64 now = bpf_ktime_get_boot_ns();
	struct sg_scope s = {};
	__u32 *at;

	if (!c || !sg_unix_name(ctx, name))
		return SG_PROCEED;
	at = bpf_map_lookup_elem(&unix2srv, name);
	if (!at || !sg_scope_at(&s, *at) || !sg_unix_meant(ctx, name, c))
		return SG_PROCEED;
	if (!sg_unix_refused(&s, sg_lets_pass(c, s.server, now), now)) {
		SG_COUNT(&s, connects);
		return SG_PROCEED;
	}
	if (sg_denial_due(s.id, now))
		sg_denial_tell(s.id, now, 0, 0, 0);
	if (sg_rodata.has_retval)
		bpf_set_retval(-(int)(s.server->policy.deny_errno & SG_ERRNO_MAX));
	return SG_REJECT;
}
