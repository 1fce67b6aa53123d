/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The durable state: what must survive a restart when the pinned maps do not
 * (reboot, detach). A versioned JSON document; deadlines are kept as remaining
 * time beside the clocks at saving, so that neither a reboot nor a step of the
 * wall clock moves them. The caller writes it temp + fsync + rename.
 *
 * Its first line is the checksum of all bytes behind it. Whatever is not as it was
 * written is damage, and then nothing of the document counts but what state_salvage()
 * finds of quarantines: a damaged breaker heals by itself, a quarantine does not.
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

#define STATE_VERSION 2U /* 1: without a checksum, is still read */
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
	bool shared;      /* others were seen at its addresses */
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
	char order_given_for[CONFIG_ORIGIN_MAX]; /* as given_for */
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

/* What has passed since saving: by boot time in the same boot, else by wall time; a clock that
 * went back counts as no time. */
uint64_t state_passed_ns(const struct state_clock *saved, const struct state_clock *now);

/* What is left of `remaining_ns` now: less what has passed since saving, and at most cap_ns.
 * SG_FOREVER stays. */
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
 * Reads a document. -EBADMSG: it is damaged: empty, truncated, garbage, the checksum is
 * of other bytes, or a key or value is not of the format; -EPROTONOSUPPORT: another version;
 * each with what is wrong, and where, in why. -ENOMEM.
 */
int state_decode(const char *text, size_t len, struct state *ret, struct buf *why) MUST_CHECK;

/*
 * The quarantines that can still be read in a damaged document, entry by entry: *ret gets a
 * server for each, closed, in quarantine until released, with what else can be read of it;
 * one whose name cannot be is called by a name made of its origin. *ret_nameless counts those
 * that have neither. -ENOMEM.
 */
int state_salvage(const char *text, size_t len, struct state *ret, size_t *ret_nameless) MUST_CHECK;

/*
 * Takes over what is in quarantine in a state that may not be the latest: until released, and
 * with a reason that says so: by its name, one entry more if there is none of that, and by its
 * origin, if that is another entry's. -ENOMEM.
 */
int state_hold(struct state *to, const struct state *from) MUST_CHECK;

#endif
