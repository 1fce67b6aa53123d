/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of TLS 1.2 and 1.3 as they are seen from outside (RFC 5246, 8446): alerts, and
 * whose fault they say that a handshake's end is. Pure rules.
 */
#ifndef SWITCHGEAR_TLS_H
#define SWITCHGEAR_TLS_H

#include "abi.h"

#define SG_TLS_CHANGE_CIPHER 20
#define SG_TLS_ALERT 21
#define SG_TLS_HANDSHAKE 22
#define SG_TLS_DATA 23
#define SG_TLS_MAJOR 3 /* of the version in every record's header */
#define SG_TLS_CHANGE_CIPHER_LEN 6U
#define SG_TLS_ALERT_LEN 7U        /* in the clear: header, level, description */
#define SG_TLS_ALERT_SEALED 19U    /* length of a TLS 1.3 record with an alert in it */
#define SG_TLS_ALERT_MAX 64U       /* a longer segment is something else */
#define SG_TLS_HELLO_SESSION 43U   /* where a ClientHello has its session id */
#define SG_TLS_EXTENSIONS_MAX 24U  /* that are walked */
#define SG_TLS_ALPN 16             /* type of the extension */
#define SG_TLS_H2_CONTROL_MAX 100U /* what an HTTP/2 client sends in less is no call */

#define SG_ALERT_NONE (-1)
#define SG_ALERT_ENCRYPTED 256 /* there is one, which one cannot be read */

enum sg_alert {
	SG_ALERT_CLOSE_NOTIFY = 0,
	SG_ALERT_BAD_CERTIFICATE = 42,
	SG_ALERT_CERTIFICATE_REVOKED = 44,
	SG_ALERT_CERTIFICATE_EXPIRED = 45,
	SG_ALERT_UNKNOWN_CA = 48,
	SG_ALERT_ACCESS_DENIED = 49,
	SG_ALERT_USER_CANCELED = 90,
	SG_ALERT_CERTIFICATE_REQUIRED = 116,
};

/* The alert that the last record of a segment is, of which `len` bytes are there. */
static __always_inline int sg_tls_alert_of(const __u8 record[SG_TLS_ALERT_LEN], __u32 len)
{
	__u32 size = (__u32)record[3] << 8 | record[4];

	if (len != size + 5)
		return SG_ALERT_NONE;
	if (record[0] == SG_TLS_ALERT)
		return size == 2 ? record[6] : SG_ALERT_ENCRYPTED;
	return record[0] == SG_TLS_DATA && size == SG_TLS_ALERT_SEALED ? SG_ALERT_ENCRYPTED
								       : SG_ALERT_NONE;
}

/*
 * Whose fault is it that a handshake ended with this alert of the client's, or else of the
 * server's? A client that does not trust the server says so; a certificate that is over or
 * revoked is the server's. One that is encrypted, as of TLS 1.3, tells neither.
 */
static __always_inline void sg_tls_blame(__u32 alert, bool client, __u8 *class, __u8 *cause)
{
	*cause = SG_CAUSE_TLS;
	*class = SG_CALLER;
	if (client) {
		*cause = SG_CAUSE_DISTRUST;
		if (alert == SG_ALERT_CERTIFICATE_EXPIRED ||
		    alert == SG_ALERT_CERTIFICATE_REVOKED) {
			*cause = SG_CAUSE_CERTIFICATE;
			*class = SG_HARD;
		} else if (alert == SG_ALERT_ENCRYPTED) {
			*class = SG_UNKNOWN;
		}
		return;
	}
	/* what a server says of certificates is of the client's */
	if ((alert >= SG_ALERT_BAD_CERTIFICATE && alert <= SG_ALERT_CERTIFICATE_EXPIRED + 1) ||
	    alert == SG_ALERT_UNKNOWN_CA || alert == SG_ALERT_ACCESS_DENIED ||
	    alert == SG_ALERT_CERTIFICATE_REQUIRED || alert == SG_ALERT_USER_CANCELED)
		return;
	*class = SG_HARD;
}

#endif
