/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be known of a TLS connection without its keys: the handshake's end and alerts, from
 * the headers of records; whether the client offers HTTP/2; and that an exchange may be
 * over, which is seen only where somebody acts on it at once.
 */
#ifndef SWITCHGEAR_TLS_BPF_H
#define SWITCHGEAR_TLS_BPF_H

#include "exchange.bpf.h"
#include "flow.h"
#include "flows.bpf.h"
#include "tls.h"

#include <bpf/bpf_endian.h>

/* The alert that a segment consists of, or SG_ALERT_*. */
__weak __noinline int sg_tls_alert(struct __sk_buff *skb, __u32 at, __u32 len)
{
	__u8 record[SG_TLS_ALERT_LEN];

	if (len > SG_TLS_ALERT_MAX || bpf_skb_load_bytes(skb, at, record, sizeof(record)))
		return SG_ALERT_NONE;
	if (record[0] == SG_TLS_CHANGE_CIPHER) { /* what TLS 1.3 puts in front for middleboxes */
		at += SG_TLS_CHANGE_CIPHER_LEN;
		len -= SG_TLS_CHANGE_CIPHER_LEN;
		if (bpf_skb_load_bytes(skb, at, record, sizeof(record)))
			return SG_ALERT_NONE;
	}
	return sg_tls_alert_of(record, len);
}

/* Does a ClientHello offer HTTP/2? Its extensions are walked; one that is torn offers none. */
__weak __noinline int sg_tls_offers_h2(struct __sk_buff *skb, __u32 at, __u32 len)
{
	__u32 end = at + len;
	__u8 b[6];
	__u32 i;

	at += SG_TLS_HELLO_SESSION;
	if (bpf_skb_load_bytes(skb, at, b, 1))
		return 0;
	at += 1 + b[0];
	if (bpf_skb_load_bytes(skb, at, b, 2)) /* cipher suites */
		return 0;
	at += 2 + ((__u32)b[0] << 8 | b[1]);
	if (bpf_skb_load_bytes(skb, at, b, 1)) /* compression methods */
		return 0;
	at += 1 + b[0] + 2;
	for (i = 0; i < SG_TLS_EXTENSIONS_MAX; i++) {
		if (at >= end || bpf_skb_load_bytes(skb, at, b, 4))
			return 0;
		if (b[0] == 0 && b[1] == SG_TLS_ALPN)
			break;
		at += 4 + ((__u32)b[2] << 8 | b[3]);
	}
	/* length of the list, then its first entry, which is preferred */
	return i < SG_TLS_EXTENSIONS_MAX && !bpf_skb_load_bytes(skb, at + 6, b, 3) && b[0] == 2 &&
	       b[1] == 'h' && b[2] == '2';
}

/* Nobody tells of the end of an encrypted answer: when its last byte came long ago, it is unseen. */
static __always_inline void sg_tls_end(const struct sg_flow *f, struct sg_result *r, __u64 now)
{
	if (now - f->last_ns <= SG_SILENCE_NS && !sg_exchange_ambiguous(f)) {
		sg_result_is(r, SG_SUCCESS, SG_CAUSE_ANSWER);
		r->flags = SG_OUT_COMPLETE;
	} else {
		sg_result_is(r, SG_UNKNOWN, SG_CAUSE_UNSEEN);
	}
}

/*
 * An alert: in the handshake it is the end, and whose fault that is. Later the client sends
 * one when it closes (the server's are part of its answer).
 */
__weak __noinline int sg_flow_alert(__u64 cookie, __u32 alert, __u32 client, __u64 now)
{
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);
	struct sg_result r = {};
	bool handshake;

	if (!f)
		return 0;
	handshake = sg_exchange_handshake(f);
	r.serial = f->serial;
	if (handshake)
		sg_tls_blame(alert, client, &r.outcome, &r.cause);
	else if (f->phase == SG_PHASE_BODY || f->flags & SG_FLOW_QUIET)
		sg_tls_end(f, &r, now);
	else
		return 0; /* closed while it waits: its state tells */
	f->phase = SG_PHASE_IDLE;
	sg_flags(&s, f, SG_FLOW_QUIET, 0);
	sg_exchange_result(f, &r, now, f->last_ns ? f->last_ns : now);
	sg_report(&s, f, &r);
	sg_exchange_idle(&s, f, now);
	return 0;
}

#endif
