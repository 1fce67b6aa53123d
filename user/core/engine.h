/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * User space's half of one server's breaker: the windows and their rates, the
 * number n of the current series of trips with its decay, and from it the
 * length of the next opening. The transition itself is headers/breaker.h, in
 * the kernel or (simulate, tests) in a struct sg_breaker beside the engine.
 *
 * Who drives it, per event and in this order:
 *   outcome:    reason = engine_outcome(); the transition sees the outcome too
 *               and may trip by itself (consecutive), which has precedence;
 *               else ask for a trip with `reason` if it is not SG_REASON_NONE.
 *   transition: engine_transition(), then write engine_next_open_ns() to the breaker.
 *   time:       at engine_next_change_ns() write engine_next_open_ns() again.
 *
 * Times are ns of CLOCK_BOOTTIME. The engine keeps no clock and calls nobody.
 */
#ifndef SWITCHGEAR_CORE_ENGINE_H
#define SWITCHGEAR_CORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"
#include "core/policy.h"
#include "core/window.h"

struct engine {
	struct breaker_policy policy;
	struct count_window count;
	struct time_window time;
	uint64_t seed; /* of the jitter */
	uint32_t server;
	uint32_t generation;
	enum sg_state state; /* of the machine: under a shadow what it would be */
	uint32_t hard;       /* failures of this generation, whatever the state; they wrap */
	uint32_t soft;       /* and those by which the server asked to be called less */
	uint32_t trips;      /* n: trips of the current series, before decay since the last */
	uint64_t since_ns;   /* time is counted into good_ns from here: entry of `state` */
	uint64_t good_ns;    /* spent closed or in ramp since the last trip, before since_ns */
};

/*
 * A closed breaker of generation 0 that never tripped. The policy has passed
 * breaker_policy_check(). Seed and server make the jitter: equal ones, equal
 * openings. -ENOMEM, or 0 and the caller owns it: engine_done().
 */
int engine_init(struct engine *e, const struct breaker_policy *policy, uint64_t seed,
		uint32_t server) MUST_CHECK;
void engine_done(struct engine *e);

/*
 * Another policy. Windows whose shape changes start empty, the rest stays.
 * -ENOMEM: the engine is as before.
 */
int engine_set_policy(struct engine *e, const struct breaker_policy *policy) MUST_CHECK;

/*
 * Takes over a breaker that was running without this engine (restart): state
 * and generation from the breaker; trips and good_ns are e->trips and
 * engine_good_ns() as they were saved at saved_ns, from where the time goes on
 * counting if the state has not changed since. Windows start empty.
 */
void engine_restore(struct engine *e, const struct sg_breaker *b, uint32_t trips, uint64_t good_ns,
		    uint64_t saved_ns);

/*
 * Records one finished call of `generation`; slow: its latency was strictly
 * above the slow limit. Returns the reason for which the breaker should be
 * tripped, SG_REASON_FAILURE_RATE or SG_REASON_SLOW_RATE, else SG_REASON_NONE;
 * with a reason *ret_rates, if not NULL, is the window that crossed. Ignored:
 * another generation, ignored classes, every state but closed, ramp and
 * forced_closed; the last counts and never trips.
 */
enum sg_reason engine_outcome(struct engine *e, uint64_t now_ns, uint32_t generation,
			      enum sg_class class, bool slow, struct window_rates *ret_rates);

/*
 * A failure of `generation` that was recorded at was_ns, and was slow or not, was a call that
 * ended as `class` after all. One that failed all the same stays what it was; one that a
 * rate ignores is from now on one that did not fail.
 */
void engine_correct(struct engine *e, uint64_t was_ns, uint32_t generation, enum sg_class class,
		    bool was_slow, bool slow);

/*
 * Bookkeeping of one transition; those already known (or mv->moved 0) change
 * nothing. A new generation starts with empty windows. Openings count in n,
 * except after half-open ran out with no failed probe, where every failure was soft,
 * and those that are taken back (open to closed, reachable).
 */
void engine_transition(struct engine *e, const struct sg_transition *mv);

/*
 * An order to reset: closed, windows empty, n zero, `generation` from now on.
 * Needed beside engine_transition() because a reset of a closed breaker is no
 * transition.
 */
void engine_reset(struct engine *e, uint64_t now_ns, uint32_t generation);

/* Is there anything that a reset would make it forget? */
bool engine_remembers(struct engine *e, uint64_t now_ns);

/* n at `now`, decay since the last trip included. */
uint32_t engine_trips(const struct engine *e, uint64_t now_ns);

/* Time spent closed or in ramp since the last trip: saved beside e->trips. */
uint64_t engine_good_ns(const struct engine *e, uint64_t now_ns);

/*
 * Length of the next opening if it came at `now`: min(open_max, open_seconds x
 * open_factor^(n - 1) x (1 +- jitter)), n counting that opening.
 */
uint64_t engine_next_open_ns(const struct engine *e, uint64_t now_ns);

/* When decay will next change engine_next_open_ns(); SG_FOREVER if never. */
uint64_t engine_next_change_ns(const struct engine *e, uint64_t now_ns);

/* Counts and rates as status shows them: the count window if it is on, else the time window. */
struct window_rates engine_rates(struct engine *e, uint64_t now_ns);

#endif
