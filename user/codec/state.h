/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The durable state: what must survive a restart when the pinned maps do not
 * (reboot, detach). A versioned JSON document; deadlines are kept as remaining
 * time beside the clocks at saving, so that neither a reboot nor a step of the
 * wall clock moves them. The caller writes it temp + fsync + rename.
 */
#ifndef SWITCHGEAR_CODEC_STATE_H
#define SWITCHGEAR_CODEC_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/config.h"
#include "core/status.h"

#define STATE_VERSION 1U
#define STATE_SIZE_MAX (8U << 20)
#define STATE_SERVERS_MAX 4096U
#define STATE_BOOT_ID_LEN 40

struct state_clock {
	uint64_t boot_ns; /* CLOCK_BOOTTIME */
	uint64_t wall_ns;
	char boot_id[STATE_BOOT_ID_LEN]; /* /proc/sys/kernel/random/boot_id */
};

/* One server; times are relative to state.saved. */
struct state_server {
	char name[SG_NAME_LEN];
	enum sg_state state; /* of the machine, not SG_SHADOW */
	bool shadow;
	uint64_t age_ns;       /* since the state was entered */
	uint64_t remaining_ns; /* of an opening or a ramp; 0 in other states */
	uint64_t order_ns;     /* of an order or shadow; SG_FOREVER: no end; 0: none */
	uint64_t next_open_ns;
	uint64_t this_open_ns;
	uint32_t generation;
	uint32_t streak;
	uint32_t trips;   /* n of the backoff */
	uint64_t good_ns; /* closed or in ramp since the last trip */
	bool covered; /* by another server at its endpoint, whose breaker and orders these are */
	bool quarantined;
	uint64_t quarantine_ns; /* left; SG_FOREVER: until released */
	uint64_t since_wall_ns; /* of the quarantine */
	char reason[STATUS_REASON_LEN];
	char by[STATUS_BY_LEN];
	char given_for[CONFIG_ORIGIN_MAX]; /* what it was quarantined for, wherever it is now */
	char origin[CONFIG_ORIGIN_MAX];    /* of its URL; "": none */
	char entry[CONFIG_ENTRY_MAX];      /* config_entry_write() */
	bool ordered;                      /* it is known who gave the order of order_ns */
	uint64_t order_since_wall_ns;
	char order_reason[STATUS_REASON_LEN];
	char order_by[STATUS_BY_LEN];
};

struct state {
	struct state_clock saved;
	struct state_server *servers;
	size_t n_servers;
};

void state_done(struct state *s);

/* Fills name and everything of the breaker as it is at now_ns; the rest is 0. */
void state_server_take(struct state_server *ret, const char *name, const struct sg_breaker *b,
		       uint64_t now_ns);

/*
 * What is left of `remaining_ns` now: less what has passed since saving, by boot
 * time in the same boot, else by wall time (a clock that went back counts as no
 * time), and at most cap_ns. SG_FOREVER stays.
 */
uint64_t state_left_ns(const struct state_clock *saved, const struct state_clock *now,
		       uint64_t remaining_ns, uint64_t cap_ns);

/*
 * The breaker to restore (breaker.md "Persistence"): an opening goes on for what
 * remains, half-open becomes open with nothing left, a ramp goes on, orders stay.
 * open_cap_ns bounds openings, ramp_ns ramps. may_trip is 1. Fail-closed: what
 * was refused stays refused until its time is over.
 */
void state_server_restore(const struct state_server *s, const struct state_clock *saved,
			  const struct state_clock *now, uint64_t open_cap_ns, uint64_t ramp_ns,
			  struct sg_breaker *ret);

/* Appends the document with a line break at its end; buf_error(). */
int state_encode(const struct state *s, struct buf *out) MUST_CHECK;

/*
 * Reads a document. -EBADMSG: empty, truncated or garbage; -EPROTONOSUPPORT:
 * another version; each with a line in errors that says what to do. A bad entry
 * does not sink the others: it is left out, with a line in errors. -ENOMEM.
 */
int state_decode(const char *text, size_t len, const char *file, struct state *ret,
		 struct buf *errors) MUST_CHECK;

#endif
