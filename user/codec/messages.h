/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goes over the API's socket: the status document, events, requests and
 * replies. The daemon writes and reads requests strictly; the client reads
 * tolerantly, since a newer daemon may say more. docs/protocol.md is the
 * contract: members may be added, never changed or removed.
 *
 * Writers append one document without line break to `out` and return its
 * buf_error(). Readers return -EBADMSG for what is not such a document.
 */
#ifndef SWITCHGEAR_CODEC_MESSAGES_H
#define SWITCHGEAR_CODEC_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/url.h"
#include "core/event.h"
#include "core/pins.h"
#include "core/status.h"

#define REQUEST_SIZE_MAX 4096U     /* bytes of a request body */
#define REPLY_SIZE_MAX (16U << 20) /* bytes of any document that a client reads */
#define REQUEST_FOR_MAX_NS (10ULL * 366 * 86400 * 1000000000)

/* --- status -------------------------------------------------------------------- */

int status_encode(const struct status *s, enum url_view view, struct buf *out) MUST_CHECK;
int status_server_encode(const struct status_server *s, enum url_view view,
			 struct buf *out) MUST_CHECK; /* show */

/* Missing members read as null, 0 or empty; unknown states as closed, unknown
 * verdicts as allow. status_done() / status_server_done() what was returned. */
int status_decode(const char *text, size_t len, struct status *ret) MUST_CHECK;
int status_server_decode(const char *text, size_t len, struct status_server *ret) MUST_CHECK;

/* --- events -------------------------------------------------------------------- */

/* One line of `events --json`, without its line break. */
int event_encode(const struct event *e, enum url_view view, struct buf *out) MUST_CHECK;
/* -EBADMSG for what is no event, -ENOTSUP for an event of a type unknown here. */
int event_decode(const char *text, size_t len, struct event *ret) MUST_CHECK;

/* --- requests ------------------------------------------------------------------ */

enum request_verb {
	REQUEST_QUARANTINE, /* reason (required), for, freeze, force */
	REQUEST_RELEASE,    /* reason */
	REQUEST_TRIP,       /* reason, for */
	REQUEST_RESET,      /* reason */
	REQUEST_FORCE,      /* to (required): closed, shadow or disabled; reason, for */
	REQUEST_APPROVE,    /* reason */
	REQUEST_BYPASS,     /* on (required); reason; for, required to turn it on */
	REQUEST_COUNT
};

/* What `force` makes of a breaker, by the words of the command line. */
struct request_force {
	const char *word;
	enum sg_state state;
};
#define REQUEST_FORCES 3
extern const struct request_force request_forces[REQUEST_FORCES];

struct request {
	enum request_verb verb;
	enum sg_state to;               /* FORCE: what sg_breaker_order() takes */
	uint64_t for_ns;                /* SG_FOREVER: no end. BYPASS: at most SG_BYPASS_MAX_NS */
	bool freeze;                    /* QUARANTINE: stop the processes of the server, too */
	bool force;                     /* QUARANTINE: isolate them whoever else is with them */
	bool on;                        /* BYPASS */
	char reason[STATUS_REASON_LEN]; /* URLs in it redacted; "": none was given */
};

const char *request_verb_name(enum request_verb verb); /* "quarantine", ... */
int request_verb_from_name(const char *name) MUST_CHECK;

/*
 * Reads the body of a request for `verb`; an empty one is {}. Strict: -EINVAL
 * with one sentence in why (what is wrong, what is expected) for anything that is
 * not understood, an unknown key included.
 */
int request_decode(enum request_verb verb, const char *text, size_t len, struct request *ret,
		   char *why, size_t why_size) MUST_CHECK;
int request_encode(const struct request *q, struct buf *out) MUST_CHECK;

/* --- replies ------------------------------------------------------------------- */

/* {"error":{"code","message","hint"}} */
struct reply_error {
	char code[32]; /* for programs: "not_found", "not_permitted", ... */
	char message[512];
	char hint[256]; /* what to do; may be empty */
};

int reply_error_encode(const char *code, const char *message, const char *hint,
		       struct buf *out) MUST_CHECK;
int reply_error_decode(const char *text, size_t len, struct reply_error *ret) MUST_CHECK;

/* Reply to quarantine. */
struct reply_kill {
	char server[SG_NAME_LEN];
	uint32_t killed;
	uint32_t survivors;           /* STATUS_UNKNOWN (null): nobody could count them */
	uint32_t busy;                /* the same */
	uint64_t elapsed_ns;          /* elapsed_ms */
	char error[STATUS_ERROR_LEN]; /* why not; "" and no member if they were counted */
	bool has_isolation;           /* else none of its processes is on this host */
	struct status_isolation isolation;
};

/* The members of "isolation", of a struct that has one. */
#define ISOLATION_FIELDS(type)                                                                \
	FIELD("state", KIND_TEXT, type, isolation.state),                                     \
		FIELD("cgroup", KIND_TEXT, type, isolation.cgroup, .zero = ZERO_NULL),        \
		FIELD("processes", KIND_UINT32, type, isolation.processes),                   \
		FIELD("cut", KIND_UINT32, type, isolation.cut),                               \
		FIELD("survivors", KIND_COUNT, type, isolation.survivors),                    \
		FIELD("outside", KIND_UINT32, type, isolation.outside, .zero = ZERO_OMITTED), \
		FIELD("frozen", KIND_BOOL, type, isolation.frozen),                           \
		FIELD("forced", KIND_BOOL, type, isolation.forced),                           \
		FIELD("dropped_packets", KIND_UINT64, type, isolation.dropped),               \
		FIELD("refused", KIND_UINT64, type, isolation.refused),                       \
		FIELD("why", KIND_TEXT, type, isolation.why, .zero = ZERO_OMITTED),           \
		FIELD("not_cut", KIND_TEXT, type, isolation.not_cut, .zero = ZERO_OMITTED)

int reply_kill_encode(const struct reply_kill *k, struct buf *out) MUST_CHECK;
int reply_kill_decode(const char *text, size_t len, struct reply_kill *ret) MUST_CHECK;

struct reply_selftest {
	bool ok;
	char detail[256];
	uint64_t elapsed_ns; /* elapsed_ms */
};

int reply_selftest_encode(const struct reply_selftest *t, struct buf *out) MUST_CHECK;
int reply_selftest_decode(const char *text, size_t len, struct reply_selftest *ret) MUST_CHECK;

int reply_detach_encode(const struct detach_result *d, struct buf *out) MUST_CHECK;
/* *ret is all 0 before; detach_result_done() in any case. */
int reply_detach_decode(const char *text, size_t len, struct detach_result *ret) MUST_CHECK;

/* Reply to every other order. */
struct reply_state {
	char server[SG_NAME_LEN];
	enum sg_state state;
	bool unchanged; /* there was nothing to release, or to reset */
};

/* Reply to approve. */
struct reply_approve {
	char server[SG_NAME_LEN];
	char digest[65]; /* of the list that is approved now */
	uint32_t tools;
	uint32_t changes; /* against what was approved before */
};

/* Reply to bypass. */
struct reply_bypass {
	bool on;
	uint64_t until_wall_ns; /* STATUS_NEVER: it is off */
	bool unchanged;         /* it was off already */
};

int reply_bypass_encode(const struct reply_bypass *b, struct buf *out) MUST_CHECK;
int reply_bypass_decode(const char *text, size_t len, struct reply_bypass *ret) MUST_CHECK;

int reply_approve_encode(const struct reply_approve *a, struct buf *out) MUST_CHECK;
int reply_approve_decode(const char *text, size_t len, struct reply_approve *ret) MUST_CHECK;

int reply_state_encode(const struct reply_state *s, struct buf *out) MUST_CHECK;
int reply_state_decode(const char *text, size_t len, struct reply_state *ret) MUST_CHECK;

#endif
