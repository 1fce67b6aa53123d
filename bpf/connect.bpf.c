/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Admission: admits or refuses connects and datagrams to known servers, before
 * anything leaves the host. Destinations that are not listed pay for building
 * a key and one or two failed lookups. Fail-open: a lookup that fails lets the
 * connect through. A flow record that cannot be made only costs measuring: the
 * verdict is applied all the same, and counted as `unrecorded`.
 */
#include "addr.bpf.h"
#include "admit.bpf.h"
#include "caller.bpf.h"
#include "denial.bpf.h"
#include "event.bpf.h"
#include "flows.bpf.h"
#include "maps.bpf.h"
#include "recall.bpf.h"
#include "redirect.bpf.h"
#include "verdict.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SG_ECONNREFUSED 111

/*
 * Refuses with the server's errno. Where the kernel offers no choice that is
 * EPERM, but for ECONNREFUSED of a stream: sent to a port of the loopback at
 * which nobody can listen, a connect gets it from TCP itself. A socket that is
 * bound to an interface would not get there and hang.
 */
static __always_inline int sg_refuse(struct bpf_sock_addr *ctx, const struct sg_scope *s, bool v6,
				     __u64 now)
{
	const struct sg_server *srv = s->server;

	sg_denial_connect(ctx, s->id, v6, now);
	if (sg_rodata.has_retval) {
		/* the verifier wants to see that it is an errno, since 7.2 */
		bpf_set_retval(-(int)(srv->policy.deny_errno & SG_ERRNO_MAX));
		return SG_REJECT;
	}
	if (ctx->type != SG_SOCK_STREAM || srv->policy.deny_errno != SG_ECONNREFUSED || !ctx->sk ||
	    ctx->sk->bound_dev_if)
		return SG_REJECT;
	ctx->user_port = 0;
	if (!v6) {
		ctx->user_ip4 = bpf_htonl(0x7f000001);
		return SG_PROCEED;
	}
	if (ctx->user_ip6[2] == bpf_htonl(0xffff)) { /* v4-mapped stays so */
		ctx->user_ip6[3] = bpf_htonl(0x7f000001);
		return SG_PROCEED;
	}
	ctx->user_ip6[0] = 0;
	ctx->user_ip6[1] = 0;
	ctx->user_ip6[2] = 0;
	ctx->user_ip6[3] = bpf_htonl(1);
	return SG_PROCEED;
}

/*
 * What kind of flow this will be: SG_FLOW_UDP, _UNTRUSTED, _EXEMPT, _MPTCP, _OPTIONS. A function
 * of its own, so that the verifier does not follow each of them through all the rest.
 */
__noinline int sg_flow_kind(struct bpf_sock_addr *ctx, __u64 cookie)
{
	struct bpf_sock *from = ctx->sk;
	struct tcp_sock *tp;
	__u32 flags = 0;

	if (!from)
		return SG_FLOW_UNTRUSTED;
	tp = ctx->protocol == SG_IPPROTO_TCP ? bpf_skc_to_tcp_sock(from) : NULL;

	if (bpf_map_lookup_elem(&own, &cookie))
		flags = SG_FLOW_EXEMPT;
	if (ctx->protocol != SG_IPPROTO_TCP)
		return flags | SG_FLOW_UDP | SG_FLOW_UNTRUSTED;
	if (!tp)
		return flags | SG_FLOW_UNTRUSTED;
	return flags | sg_socket_kind(tp);
}

/* The socket goes elsewhere, or ends: a probe that it took and never used goes back. */
static __always_inline void sg_flow_over(const __u64 *stored, __u64 now)
{
	struct sg_scope s;
	struct sg_flow *f = sg_flow_scope(stored, &s);

	if (f)
		sg_give_back(&s, f, false);
	if (stored)
		sg_flow_end(*stored, now);
}

__noinline int sg_flow_leave(struct bpf_sock_addr *ctx, __u64 now)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return 0;
	sg_flow_over(bpf_sk_storage_get(&sk_ctx, sk, NULL, 0), now);
	bpf_sk_storage_delete(&sk_ctx, sk);
	return 0;
}

/* The record of this socket, made if there is none; NULL if that cannot be. */
static __always_inline struct sg_flow *sg_flow_make(struct bpf_sock_addr *ctx, __u64 cookie)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);

	if (!f)
		return sg_flow_new(ctx->sk, cookie);
	if (!bpf_sk_storage_get(&sk_ctx, ctx->sk, &cookie, BPF_SK_STORAGE_GET_F_CREATE))
		return NULL;
	return f;
}

/* Who connects, and where. */
struct sg_caller {
	__u32 kind;   /* SG_FLOW_* */
	__u32 source; /* witness.h */
	__u32 at;     /* SG_AT */
	__u8 proxied; /* enum sg_proxied */
};

/* Where it is to go, as it was asked for. */
static __always_inline void sg_flow_asked(struct bpf_sock_addr *ctx, struct sg_flow *f, bool v6)
{
	if (v6)
		sg_addr_v6(f->remote, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2],
			   ctx->user_ip6[3]);
	else
		sg_addr_v4(f->remote, ctx->user_ip4);
	f->remote_port = (__be16)ctx->user_port;
}

/* Makes the record ready for a new connect; false if it is being removed just now. */
static __always_inline bool sg_flow_start(struct bpf_sock_addr *ctx, const struct sg_scope *s,
					  struct sg_flow *f, const struct sg_caller *by, bool v6,
					  __u64 now)
{
	__u64 netns = bpf_get_netns_cookie(ctx);
	__u8 proto = (__u8)ctx->protocol;
	__u64 asleep = sg_asleep(now);
	__u32 incarnation = s->server ? s->server->incarnation : 0;
	bool gone;

	bpf_spin_lock(&f->lock);
	/* or it is gone already, and the element another socket's */
	gone = f->flags & SG_FLOW_GONE || (f->cookie && f->cookie != s->cookie);
	if (!gone) {
		f->server = s->id;
		f->flags = (f->flags & SG_FLOW_PROBE) | by->kind;
		f->cookie = s->cookie;
		f->incarnation = incarnation;
		f->proxied = by->proxied;
		f->source = by->source;
		f->slot = SG_AT_SLOT(by->at);
		f->netns = netns;
		f->proto = proto;
		f->connect_ns = now;
		f->asleep_ns = asleep;
		f->asked_ns = 0;
		f->phase = SG_PHASE_IDLE;
		f->exchange = 0;
		f->serial++;
		f->redirect = SG_REDIRECT_NONE;
		sg_flow_asked(ctx, f, v6);
	}
	bpf_spin_unlock(&f->lock);
	if (!gone)
		sg_flow_process(f);
	return !gone;
}

/* A datagram, or a connect of which no record could be made: the verdict alone. */
static __always_inline int sg_admit_plain(struct bpf_sock_addr *ctx, const struct sg_scope *s,
					  bool observe, bool v6, __u64 now)
{
	bool quarantined = sg_quarantined(sg_quarantine_until(s->id), now);
	struct sg_admission a;

	sg_admit(s, now, SG_SOURCE_UNKNOWN, 0, false, &a);
	if (sg_refused(s, sg_verdict(quarantined, false, observe, a.admit)))
		return sg_refuse(ctx, s, v6, now);
	return SG_PROCEED;
}

/* A connect of which no record can be made, so that it cannot be a probe either: one that it
 * took goes back. False if nothing but a probe is admitted. */
static __always_inline bool sg_unrecorded(const struct sg_scope *s, const struct sg_admission *a,
					  __u32 source, bool observe)
{
	SG_COUNT(s, unrecorded);
	sg_unrecorded_note(s->cookie);
	if (a->admit != SG_ALLOW_PROBE)
		return true;
	sg_probe_back(s->id, source, a->generation, false);
	return !sg_refused(s, sg_verdict(false, false, observe, SG_DENY));
}

static __always_inline void sg_count_connect(const struct sg_scope *s, __u32 kind)
{
	if ((kind & (SG_FLOW_UNTRUSTED | SG_FLOW_UDP)) == SG_FLOW_UNTRUSTED)
		SG_COUNT(s, untrusted);
	else if (!(kind & SG_FLOW_EXEMPT))
		SG_COUNT(s, connects);
}

/* Asks the breaker; once more if it denied while others let probes lie that are due by now. */
static __always_inline void sg_admit_new(const struct sg_scope *s, __u64 now,
					 const struct sg_caller *by, bool may_probe,
					 struct sg_admission *a)
{
	may_probe = may_probe && !(by->kind & (SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT));
	sg_admit(s, now, by->source, sg_hash(s->cookie), may_probe, a);
	if (may_probe && a->admit != SG_ALLOW && a->admit != SG_ALLOW_PROBE &&
	    s->server->breaker.state == SG_HALF_OPEN && sg_recall(s->id, now))
		sg_admit(s, now, by->source, sg_hash(s->cookie), may_probe, a);
}

/* --- redirects ----------------------------------------------------------------- */

/* What a socket asks for becomes `to`, of IPv4 if its socket is. */
static __always_inline void sg_rewrite(struct bpf_sock_addr *ctx, const __u8 *to, __be16 port,
				       bool v6)
{
	const __u32 *w = (const __u32 *)to;

	ctx->user_port = port;
	if (!v6) {
		ctx->user_ip4 = w[3];
		return;
	}
	ctx->user_ip6[0] = w[0];
	ctx->user_ip6[1] = w[1];
	ctx->user_ip6[2] = w[2];
	ctx->user_ip6[3] = w[3];
}

/* The record says what it was: that of this cookie alone. */
static __always_inline void sg_redirect_note(struct sg_flow *f, const struct sg_scope *t,
					     const struct sg_scope *from, __u32 kind,
					     const __u8 *asked, __be16 port)
{
	__u32 origin_incarnation = from->server->incarnation;
	__u32 generation = t->server ? t->server->breaker.generation : 0;

	bpf_spin_lock(&f->lock);
	if (f->cookie == t->cookie) {
		f->origin = from->id;
		f->origin_incarnation = origin_incarnation;
		f->redirect = (__u8)kind;
		f->asked_port = port;
		__builtin_memcpy(f->asked, asked, sizeof(f->asked));
		f->generation = generation;
	}
	bpf_spin_unlock(&f->lock);
}

/* Is it to go to the address of IPv4? -1: to none of them. */
static __always_inline int sg_redirect_four(struct bpf_sock_addr *ctx, const struct sg_redirect *r,
					    bool v6)
{
	bool four = !v6 || sg_addr_none(r->addr6);

	if (v6 && !four) /* v4-mapped stays so */
		four = ctx->user_ip6[2] == bpf_htonl(0xffff);
	if (four && (sg_addr_none(r->addr4) || (v6 && sg_only_v6(ctx->sk))))
		return -1;
	return four;
}

/* A connect that this server does not get: SG_PROCEED if it goes elsewhere. */
static __always_inline int sg_redirect_connect(struct bpf_sock_addr *ctx, __u32 id, bool v6,
					       __u64 now)
{
	struct sg_scope t = { .id = SG_NOBODY };
	struct sg_cfg *c = sg_config();
	struct sg_caller by = {};
	struct sg_redirect r;
	struct sg_scope from;
	struct sg_flow *f;
	__u8 asked[16];
	__be16 port;
	int four;

	sg_redirect_read(id, &r);
	if (r.kind == SG_REDIRECT_NONE || !c || !sg_redirect_right(ctx, &r, c, now) ||
	    sg_is_relay(c) || !sg_scope_find(&from, id))
		return SG_REJECT;
	t.cookie = bpf_get_socket_cookie(ctx);
	four = sg_redirect_four(ctx, &r, v6);
	by.kind = (__u32)sg_flow_kind(ctx, t.cookie);
	if (four < 0 || by.kind & SG_FLOW_EXEMPT)
		return SG_REJECT;
	if (r.kind == SG_REDIRECT_DIRECT) {
		by.at = four ? r.at4 : r.at6;
		if (!sg_scope_at(&t, by.at))
			return SG_REJECT;
		by.kind |= sg_alias_kind(by.at, r.netns);
	}
	if (v6)
		sg_addr_v6(asked, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2],
			   ctx->user_ip6[3]);
	else
		sg_addr_v4(asked, ctx->user_ip4);
	by.source = sg_source();
	port = (__be16)ctx->user_port;
	f = sg_flow_make(ctx, t.cookie);
	if (!f)
		return SG_REJECT;
	sg_rewrite(ctx, four ? r.addr4 : r.addr6, four ? r.port4 : r.port6, v6);
	if (!sg_flow_start(ctx, &t, f, &by, v6, now))
		return SG_REJECT;
	sg_redirect_note(f, &t, &from, r.kind, asked, port);
	if (r.kind == SG_REDIRECT_STAND_IN)
		SG_COUNT(&from, stand_in);
	else
		SG_COUNT(&from, redirected);
	if (r.kind == SG_REDIRECT_DIRECT) {
		sg_pulse_exchange(now);
		sg_count_connect(&t, by.kind);
	}
	return SG_PROCEED;
}

__noinline int sg_redirect4(struct bpf_sock_addr *ctx, __u32 id, __u64 now)
{
	return sg_redirect_connect(ctx, id, false, now);
}

__noinline int sg_redirect6(struct bpf_sock_addr *ctx, __u32 id, __u64 now)
{
	return sg_redirect_connect(ctx, id, true, now);
}

/* Goes elsewhere, if it can; whatever the socket was before is over then. */
static __always_inline bool sg_elsewhere(struct bpf_sock_addr *ctx, const struct sg_scope *s,
					 bool v6, __u64 now)
{
	if (!sg_redirect_open(s->id, now))
		return false;
	sg_flow_leave(ctx, now);
	return (v6 ? sg_redirect6(ctx, s->id, now) : sg_redirect4(ctx, s->id, now)) == SG_PROCEED;
}

/* A connect that its server does not get: elsewhere, or refused. */
static __always_inline int sg_deny_connect(struct bpf_sock_addr *ctx, const struct sg_scope *s,
					   bool v6, __u64 now)
{
	if (sg_elsewhere(ctx, s, v6, now))
		return SG_PROCEED;
	SG_COUNT(s, denied);
	return sg_refuse(ctx, s, v6, now);
}

/* --- connects ------------------------------------------------------------------ */

/*
 * A connect to an address of several names is always admitted: what its client sends tells
 * whom to ask. But of one without a record nothing could be refused then.
 */
static __always_inline int sg_admit_unnamed(struct bpf_sock_addr *ctx, struct sg_scope *s,
					    const struct sg_caller *by, struct sg_admission *a,
					    enum sg_verdict verdict, bool v6, __u64 now)
{
	struct sg_flow *f = sg_flow_make(ctx, s->cookie);

	if (!f || !sg_flow_start(ctx, s, f, by, v6, now)) {
		SG_COUNT(s, unrecorded);
		sg_unrecorded_note(s->cookie);
		return sg_refused(s, verdict) ? sg_refuse(ctx, s, v6, now) : SG_PROCEED;
	}
	if (a->admit != SG_ALLOW)
		a->generation--; /* which asks again */
	sg_give_back(s, f, false);
	sg_flow_stamp(s, f, a);
	sg_pulse_exchange(now);
	sg_count_connect(s, by->kind);
	return SG_PROCEED;
}

/*
 * A connect: the verdict, the probe, and the record that its outcome needs. What
 * is refused gets no record: an agent that hammers at a closed door fills no
 * table. The quarantine is read again once the record is there: whoever orders
 * one writes it and then walks the records, so that no connect slips between.
 */
static __always_inline int sg_admit_connect(struct bpf_sock_addr *ctx, struct sg_scope *s, __u32 at,
					    bool home, bool observe, bool v6, __u64 now)
{
	bool quarantined = sg_quarantined(sg_quarantine_until(s->id), now);
	struct sg_admission a = { .admit = SG_ALLOW };
	bool unnamed; /* what it sends decides, and not that it connects */
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct sg_caller by = { .at = at };
	enum sg_verdict verdict;
	struct sg_scope before;
	struct sg_flow *f;
	bool again = false; /* a second try of a connect that took a probe before */

	by.kind = (__u32)sg_flow_kind(ctx, cookie);
	by.source = sg_source();
	by.kind |= sg_alias_kind(at, home);
	by.proxied = sg_named_how(s->server, by.kind);
	unnamed = by.proxied == SG_PROXIED_UNNAMED;
	/* the record that the socket had before this connect */
	f = sg_flow_scope(bpf_sk_storage_get(&sk_ctx, ctx->sk, NULL, 0), &before);
	if (!f || f->server != s->id) {
		sg_flow_leave(ctx, now); /* also what a server left that is not in use any more */
		f = NULL;
	}
	s->cookie = cookie;
	if (f && !unnamed)
		again = f->flags & SG_FLOW_PROBE && f->generation == s->server->breaker.generation;
	if (!again)
		sg_admit_new(s, now, &by, !quarantined && !unnamed, &a);
	verdict = sg_verdict(quarantined, by.kind & SG_FLOW_EXEMPT, observe, a.admit);
	if (unnamed)
		return sg_admit_unnamed(ctx, s, &by, &a, verdict, v6, now);
	if (verdict == SG_VERDICT_REFUSE) {
		sg_flow_leave(ctx, now);
		return sg_deny_connect(ctx, s, v6, now);
	}
	if (!observe && verdict == SG_VERDICT_ALLOW && a.admit == SG_ALLOW && !again &&
	    sg_redirect_all(s, now) && sg_elsewhere(ctx, s, v6, now))
		return SG_PROCEED;
	sg_refused(s, verdict);
	f = sg_flow_make(ctx, cookie);
	if (!f || !sg_flow_start(ctx, s, f, &by, v6, now)) {
		if (!sg_unrecorded(s, &a, by.source, observe))
			return sg_refuse(ctx, s, v6, now);
		return SG_PROCEED;
	}
	if (!again)
		sg_flow_stamp(s, f, &a);
	if (a.admit == SG_ALLOW_PROBE)
		sg_hold(s->id, cookie);
	if (verdict == SG_VERDICT_WOULD_REFUSE)
		sg_flags(s, f, 0, SG_FLOW_DENY_SEEN);
	if (!observe && sg_quarantined(sg_quarantine_until(s->id), now)) {
		sg_flow_leave(ctx, now);
		return sg_deny_connect(ctx, s, v6, now);
	}
	sg_pulse_exchange(now);
	sg_count_connect(s, by.kind);
	return SG_PROCEED;
}

/*
 * A connect to a proxy is nobody's and always admitted: whom it is asked for decides. Of one
 * without a record nothing will be known.
 */
static __always_inline int sg_connect_proxy(struct bpf_sock_addr *ctx, bool v6, __u64 now)
{
	struct sg_caller by = { .proxied = SG_PROXIED_EACH };
	struct sg_scope s = { .id = SG_NOBODY };
	struct sg_flow *f;

	if (!ctx->sk)
		return SG_PROCEED;
	s.cookie = bpf_get_socket_cookie(ctx);
	by.kind = (__u32)sg_flow_kind(ctx, s.cookie);
	by.source = sg_source();
	sg_flow_leave(ctx, now);
	f = sg_flow_make(ctx, s.cookie);
	if (f)
		sg_flow_start(ctx, &s, f, &by, v6, now);
	return SG_PROCEED;
}

/* Functions of their own, for want of stack. */
__noinline int sg_connect_proxy4(struct bpf_sock_addr *ctx, __u64 now)
{
	return sg_connect_proxy(ctx, false, now);
}

__noinline int sg_connect_proxy6(struct bpf_sock_addr *ctx, __u64 now)
{
	return sg_connect_proxy(ctx, true, now);
}

/* Is there an HTTP proxy? */
static __always_inline bool sg_is_proxy(const struct sg_ep *ep, const struct sg_cfg *c)
{
	return c->proxies && ep->proto == SG_IPPROTO_TCP && bpf_map_lookup_elem(&proxies, ep);
}

static __always_inline int sg_admit_to(struct bpf_sock_addr *ctx, struct sg_ep *ep, bool connect,
				       bool v6)
{
	struct sg_cfg *c = sg_config();
	struct sg_scope s = {};
	bool observe;
	__u64 now;
	__u32 at;

	if (!c)
		return SG_PROCEED;
	ep->port = (__be16)ctx->user_port;
	ep->proto = sg_ep_proto((__u8)ctx->protocol);
	sg_ep_normalise(ep, bpf_get_netns_cookie(ctx));
	at = sg_server_at(ep, c);
	if (at == SG_AT_NONE && connect && sg_is_proxy(ep, c))
		return v6 ? sg_connect_proxy6(ctx, bpf_ktime_get_boot_ns())
			  : sg_connect_proxy4(ctx, bpf_ktime_get_boot_ns());
	if (at == SG_AT_NONE) {
		/* the same socket may have been tried at a server before */
		if (connect && ctx->sk && bpf_sk_storage_get(&sk_ctx, ctx->sk, NULL, 0))
			sg_flow_leave(ctx, bpf_ktime_get_boot_ns());
		return SG_PROCEED;
	}
	if (!sg_scope_at(&s, at))
		return SG_PROCEED;
	now = bpf_ktime_get_boot_ns();
	observe = sg_lets_pass(c, s.server, now);
	if (connect && ctx->sk)
		return sg_admit_connect(ctx, &s, at, ep->netns, observe, v6, now);
	return sg_admit_plain(ctx, &s, observe, v6, now);
}

/* The family of the address given does not tell the socket's (AF_UNSPEC, v4-mapped):
 * which hook fires does. */
static __always_inline int sg_admit4(struct bpf_sock_addr *ctx, bool connect)
{
	struct sg_ep ep = {};

	sg_addr_v4(ep.addr, ctx->user_ip4);
	return sg_admit_to(ctx, &ep, connect, false);
}

static __always_inline int sg_admit6(struct bpf_sock_addr *ctx, bool connect)
{
	struct sg_ep ep = {};

	sg_addr_v6(ep.addr, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]);
	return sg_admit_to(ctx, &ep, connect, true);
}

SEC("cgroup/connect4")
int sg_connect4(struct bpf_sock_addr *ctx)
{
	return sg_admit4(ctx, true);
}

SEC("cgroup/connect6")
int sg_connect6(struct bpf_sock_addr *ctx)
{
	return sg_admit6(ctx, true);
}

SEC("cgroup/sendmsg4")
int sg_sendmsg4(struct bpf_sock_addr *ctx)
{
	return sg_admit4(ctx, false);
}

SEC("cgroup/sendmsg6")
int sg_sendmsg6(struct bpf_sock_addr *ctx)
{
	return sg_admit6(ctx, false);
}

/*
 * The end of a socket that tells of it in no other way: it never got as far as a
 * SYN, or knows no states. A probe that it took goes back. Of others the owner is
 * gone, while TCP may have bytes to deliver.
 */
SEC("cgroup/sock_release")
int sg_release(struct bpf_sock *ctx)
{
	__u64 *stored = bpf_sk_storage_get(&sk_ctx, ctx, NULL, 0);
	struct sg_scope s;
	struct sg_flow *f;

	f = sg_flow_at(stored, &s.cookie);
	if (!f)
		return 1;
	if (f->flags & SG_FLOW_UDP || ctx->state == SG_TCP_CLOSE)
		sg_flow_over(stored, bpf_ktime_get_boot_ns());
	else
		sg_flags(&s, f, 0, SG_FLOW_ORPHAN);
	return 1;
}

/* Run on a socket that the daemon makes: tells it the namespace's cookie before 5.14. */
SEC("cgroup/sock_create")
int sg_netns(struct bpf_sock *ctx)
{
	struct sg_job *j = SG_ONLY(job);

	if (j)
		j->netns = bpf_get_netns_cookie(ctx);
	return 1;
}
