/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every counter of a server, once: struct sg_stats, the status document both ways,
 * `show` and the metrics are made from this list. A new counter is a row here, and the
 * place that counts it.
 *
 * X(member, object, key, label, family, value)
 *   object, key: where it stands in "counters" of the status document; key NULL: nowhere.
 *                Rows of one object follow each other. Keys are a contract.
 *   label:       what `show` calls it
 *   family:      of the metrics, enum counter_family; value: of the family's label
 */
#ifndef SWITCHGEAR_COUNTERS_H
#define SWITCHGEAR_COUNTERS_H

/* clang-format off */
#define SG_COUNTERS(X)                                                                           \
	/* admitted */                                                                           \
	X(connects, NULL, "connects", "connects", CONNECTS, "")                                  \
	X(refused, "connect_failures", "refused", "  refused", CONNECT_FAILURES, "refused")      \
	/* SYN unanswered */                                                                     \
	X(timeout, "connect_failures", "timeout", "  timeout", CONNECT_FAILURES, "timeout")      \
	/* reset or truncated with a request outstanding */                                      \
	X(reset, "connect_failures", "reset", "  reset", REQUEST_FAILURES, "reset")              \
	X(unreachable, "connect_failures", "unreachable", "  unreachable", CONNECT_FAILURES,     \
	  "unreachable")                                                                         \
	X(requests, NULL, "requests", "requests", REQUESTS, "")                                  \
	X(r2xx, "responses", "2xx", "  2xx", RESPONSES, "2xx")                                   \
	X(r3xx, "responses", "3xx", "  3xx", RESPONSES, "3xx")                                   \
	X(r4xx, "responses", "4xx", "  4xx", RESPONSES, "4xx")                                   \
	X(r5xx, "responses", "5xx", "  5xx", RESPONSES, "5xx")                                   \
	X(bad_responses, NULL, "bad_responses", "  bad responses", REQUEST_FAILURES,             \
	  "bad_response")                                                                        \
	/* nobody reads bodies yet */                                                            \
	X(rpc_errors, NULL, "rpc_errors", "  rpc errors", NONE, "")                              \
	/* no answer to a request */                                                             \
	X(timeouts, NULL, "timeouts", "  timeouts", REQUEST_FAILURES, "timeout")                 \
	X(denied, NULL, "denied", "denied", DENIED, "")                                          \
	X(would_deny, NULL, "would_deny", "would deny", WOULD_DENY, "")                          \
	X(passed_open, NULL, "passed_open", "passed open", PASSED_OPEN, "")                      \
	X(overflow, NULL, "overflow", "overflow", OVERFLOW, "")                                  \
	X(redirected, NULL, "redirected", "redirected", NONE, "")                                \
	X(stand_in, NULL, "stand_in", "stand-in", NONE, "")                                      \
	X(killed, NULL, "killed", "killed", KILLED, "")                                          \
	X(dropped_packets, NULL, "dropped_packets", "dropped packets", DROPPED_PACKETS, "")      \
	/* connects from namespaces that nothing is learned from */                               \
	X(untrusted, NULL, "untrusted", "untrusted", UNTRUSTED, "")                              \
	/* connects without a record, for want of memory: judged, not measured */                \
	X(unrecorded, NULL, "unrecorded", "unrecorded", UNRECORDED, "")                          \
	/* answers in chunks that could not be followed: malformed, or too many in a segment */     \
	X(unframed, NULL, "unframed", "unframed", UNFRAMED, "")                                  \
	X(handshakes, "tls", "handshakes", "tls handshakes", TLS, "done")                        \
	X(handshake_failures, "tls", "failed", "  failed", TLS, "failed")                        \
	/* connections whose client offers HTTP/2 */                                             \
	X(h2, "tls", "h2_offered", "  h2 offered", NONE, "")                                     \
	X(established, NULL, NULL, NULL, NONE, "")                                               \
	X(r1xx, NULL, NULL, NULL, RESPONSES, "1xx")                                              \
	X(abandoned, NULL, NULL, NULL, REQUEST_FAILURES, "abandoned")                            \
	X(success, NULL, NULL, NULL, OUTCOMES, "success")                                        \
	X(hard, NULL, NULL, NULL, OUTCOMES, "hard")                                              \
	X(soft, NULL, NULL, NULL, OUTCOMES, "soft")                                              \
	X(ignored, NULL, NULL, NULL, OUTCOMES, "ignored")                                        \
	/* failures of the clock that an answer replaced */                                     \
	X(corrected, NULL, NULL, NULL, OUTCOMES, "corrected")                                    \
	/* outcomes of an older generation */                                                    \
	X(stale, NULL, NULL, NULL, OUTCOMES, "stale")                                            \
	X(retransmits, NULL, NULL, NULL, RETRANSMITS, "")                                        \
	X(rtt_us_sum, NULL, NULL, NULL, NONE, "")                                                \
	X(rtt_count, NULL, NULL, NULL, NONE, "")
/* clang-format on */

#endif
