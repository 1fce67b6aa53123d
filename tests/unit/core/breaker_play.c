/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "breaker_play.h"

#include "breaker_ref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/engine.h"
#include "core/names.h"

#define CALLS_MAX 12

struct play_call {
	uint32_t generation;
	bool probe;
};

struct play {
	const uint8_t *data;
	size_t left;
	const char *name;
	struct play_count *count;
	struct breaker_policy policy;
	struct sg_policy kernel;
	struct engine e;
	struct sg_breaker b;
	struct ref ref;
	struct play_call calls[CALLS_MAX]; /* in flight */
	uint32_t n_calls;
	uint64_t now;
	uint64_t first_probe_ns; /* of this generation */
	uint32_t event;
};

#define CHECK(p, what)                      \
	do {                                \
		if (!(what))                \
			broken((p), #what); \
	} while (0)

static _Noreturn void broken(const struct play *p, const char *what)
{
	fprintf(stderr,
		"%s, event %u at %llu ns: not so: %s\n"
		"  breaker: %s generation %u since %llu deadline %llu probes %u+%u+%u streak %u\n"
		"  reference: %s generation %u since %llu deadline %llu\n",
		p->name, p->event, (unsigned long long)p->now, what,
		state_name((enum sg_state)p->b.state), p->b.generation,
		(unsigned long long)p->b.since_ns, (unsigned long long)p->b.deadline_ns,
		p->b.probes_out, p->b.probes_ok, p->b.probes_failed, p->b.streak,
		state_name(p->ref.state), p->ref.generation, (unsigned long long)p->ref.since_ns,
		(unsigned long long)p->ref.deadline_ns);
	abort();
}

static uint8_t byte(struct play *p)
{
	if (!p->left)
		return 0;
	p->left--;
	return *p->data++;
}

/* --- a policy -------------------------------------------------------------------------- */

static void choose_policy(struct play *p)
{
	static const double rates[] = { 0.01, 0.25, 0.5, 0.75, 1.0, 0.6, 0.3, 0.8 };
	static const double factors[] = { 1, 1.5, 2, 3 };
	struct breaker_policy *y = &p->policy;
	uint8_t a = byte(p), b = byte(p), c = byte(p), d = byte(p), e = byte(p);
	char why[256];

	*y = breaker_policy_defaults();
	y->consecutive_failures = a & 3;
	y->window_calls = (a >> 2 & 3) * 4;
	y->window_max_age_seconds = a & 16 ? 0 : 3;
	y->window_buckets = (a >> 5) % 5;
	y->window_seconds = y->window_buckets;
	y->min_calls = 1 + (b & 3);
	y->failure_rate = rates[b >> 2 & 7];
	y->slow_rate = rates[b >> 5];
	y->half_open_probes = 1 + (c & 3);
	y->half_open_failure_rate = rates[c >> 2 & 7];
	y->open_factor = factors[c >> 5 & 3];
	y->retry_after = c >> 7;
	y->open_seconds = 1 + (d & 3);
	y->open_max_seconds = y->open_seconds + (d >> 2 & 7);
	y->jitter = d & 32 ? 0.25 : 0;
	y->open_decay_seconds = d & 64 ? 2 : 7;
	y->half_open_max_seconds = 1 + (e & 3);
	y->ramp_seconds = e & 4 ? 0 : 1 + (e >> 4 & 3);
	if (breaker_policy_check(y, why, sizeof(why))) {
		y->min_calls = 1;
		CHECK(p, !breaker_policy_check(y, why, sizeof(why)));
	}
	policy_to_kernel(y, ECONNREFUSED, &p->kernel);
}

/* --- what must hold after every event ----------------------------------------------------- */

static void check_probes(const struct play *p)
{
	const struct sg_breaker *b = &p->b;
	uint32_t held = 0;

	for (uint32_t i = 0; i < p->n_calls; i++)
		held += p->calls[i].probe && p->calls[i].generation == b->generation;
	CHECK(p, (uint64_t)b->probes_out + b->probes_ok + b->probes_failed <= p->kernel.probes);
	CHECK(p, b->probes_slow <= b->probes_ok + b->probes_failed);
	CHECK(p, b->state == SG_HALF_OPEN ||
			 !(b->probes_out | b->probes_ok | b->probes_failed | b->probes_neutral));
	CHECK(p, b->state != SG_HALF_OPEN || held == b->probes_out);
	CHECK(p, b->state != SG_HALF_OPEN || !held || b->deadline_ns);
	CHECK(p, b->state != SG_HALF_OPEN || !b->deadline_ns ||
			 b->deadline_ns == p->first_probe_ns + p->kernel.half_open_max_ns);
	CHECK(p, b->state != SG_HALF_OPEN ||
			 p->ref.handed == b->probes_out + b->probes_ok + b->probes_failed);
	CHECK(p, b->state != SG_HALF_OPEN || p->ref.ignored == b->probes_neutral);
}

static void check_reference(struct play *p)
{
	const struct sg_breaker *b = &p->b;
	struct window_rates rates = engine_rates(&p->e, p->now);
	uint32_t calls, failed, slow;

	CHECK(p, (enum sg_state)b->state == p->ref.state && !!b->shadow == p->ref.shadow);
	CHECK(p, b->generation == p->ref.generation);
	CHECK(p, b->last.seq == p->ref.reported);
	CHECK(p, b->deadline_ns == p->ref.deadline_ns);
	CHECK(p, b->since_ns == p->ref.since_ns);
	CHECK(p, b->state == SG_HALF_OPEN || b->streak == p->ref.streak);
	CHECK(p, p->e.state == p->ref.state && p->e.generation == b->generation);
	ref_counts(&p->ref, p->now, &calls, &failed, &slow);
	CHECK(p, rates.counts.calls == calls);
	CHECK(p, rates.counts.failed == failed && rates.counts.slow == slow);
}

static void check(struct play *p)
{
	const struct window_counts *w = &p->e.time.sum;

	check_probes(p);
	check_reference(p);
	CHECK(p, sg_breaker_due(&p->b) > p->now);
	CHECK(p, w->failed <= w->calls && w->slow <= w->calls && w->calls <= REF_OUTCOMES);
	CHECK(p, p->e.count.sum.calls <= p->policy.window_calls);
	CHECK(p, p->e.trips <= p->b.last.seq);
	CHECK(p, p->b.next_open_ns <= policy_ns(p->policy.open_max_seconds));
}

/* --- transitions ----------------------------------------------------------------------------- */

static void new_length(struct play *p, uint64_t t)
{
	p->b.next_open_ns = engine_next_open_ns(&p->e, t);
}

/* Breaker and reference both moved: the same way, for as long as was promised. */
static void moved(struct play *p, const struct sg_breaker *before, const struct sg_transition *mv,
		  const struct ref_move *m, uint64_t t, uint64_t until)
{
	uint64_t open = p->b.this_open_ns;
	bool again = m->reason == SG_REASON_HALF_OPEN_TIMEOUT && !p->ref.failed;
	uint64_t min, max;

	CHECK(p, mv->moved && mv->t_ns == t);
	CHECK(p, mv->from == m->from && mv->to == m->to && mv->reason == m->reason);
	CHECK(p, mv->seq == before->last.seq + 1);
	CHECK(p, mv->generation - before->generation == (m->reason != SG_REASON_RAMP_DONE));
	if (m->from == SG_HALF_OPEN && m->reason != SG_REASON_MANUAL) {
		CHECK(p, mv->calls == p->ref.decided && mv->failed == p->ref.failed);
		CHECK(p, mv->slow == p->ref.slow && mv->total == p->kernel.probes);
	}
	if (m->to == SG_OPEN) {
		ref_open_range(&p->ref, t, &min, &max);
		/* the same n: the same opening once more */
		CHECK(p, (open + 1 >= min && open <= max + 1) ||
				 (again && p->ref.last_open_ns && open == p->ref.last_open_ns));
		CHECK(p, open <= policy_ns(p->policy.open_max_seconds));
		CHECK(p,
		      mv->deadline_ns - t <= open || mv->deadline_ns - t <= SG_RETRY_AFTER_MAX_NS);
	}
	ref_enter(&p->ref, m, t, open, until);
	engine_transition(&p->e, mv);
	new_length(p, t);
	p->first_probe_ns = 0;
	p->count->moves[m->reason]++;
}

/* A tick of a copy does nothing before its time, and what the breaker needs up to `now` is few. */
static void check_ticks(struct play *p, uint64_t now)
{
	struct sg_breaker copy = p->b;
	uint64_t due = sg_breaker_due(&copy);
	struct sg_transition mv;
	int ticks = 0;

	if (due != SG_FOREVER && due > p->now) {
		CHECK(p, !sg_breaker_tick(&copy, &p->kernel, due - 1, &mv) && !mv.moved);
		CHECK(p, !memcmp(&copy, &p->b, sizeof(copy)));
	}
	while (sg_breaker_tick(&copy, &p->kernel, now, &mv))
		CHECK(p, ++ticks <= 3 || !p->b.this_open_ns);
	CHECK(p, sg_breaker_due(&copy) > now);
}

/* Brings everything up to `now`, each thing at its time. */
static void advance(struct play *p, uint64_t now)
{
	check_ticks(p, now);
	for (;;) {
		struct sg_breaker before = p->b;
		uint64_t due = sg_breaker_due(&p->b);
		uint64_t change = engine_next_change_ns(&p->e, p->now);
		uint64_t next = due < change ? due : change;
		struct ref_move m;
		struct sg_transition mv;
		uint64_t t = 0;

		if (next > now)
			break;
		p->now = next > p->now ? next : p->now;
		if (next != due) {
			new_length(p, p->now);
			continue;
		}
		m = ref_time(&p->ref, p->now, &t);
		CHECK(p, m.reason != SG_REASON_NONE && t == due);
		CHECK(p, sg_breaker_tick(&p->b, &p->kernel, p->now, &mv));
		moved(p, &before, &mv, &m, due, 0);
	}
	p->now = now;
	new_length(p, now);
}

/* --- events ---------------------------------------------------------------------------------- */

static void on_admit(struct play *p, uint8_t arg)
{
	struct sg_breaker before = p->b;
	uint32_t hash = arg * 39U;
	bool may_probe = arg % 16 != 3;
	enum sg_admit admit = sg_breaker_admit(&p->b, &p->kernel, p->now, hash, may_probe);

	CHECK(p, admit == ref_admit(&p->ref, p->now, hash, may_probe));
	if (admit != SG_ALLOW_PROBE)
		CHECK(p, !memcmp(&before, &p->b, sizeof(before)));
	else if (!p->first_probe_ns)
		p->first_probe_ns = p->now;
	p->count->denied += admit == SG_DENY;
	if (admit == SG_DENY)
		return;
	if (p->n_calls == CALLS_MAX) { /* somebody loses patience */
		struct play_call *oldest = &p->calls[0];

		if (oldest->probe) {
			sg_breaker_give_back(&p->b, oldest->generation, false);
			ref_give_back(&p->ref, oldest->generation, false);
		}
		p->n_calls--;
		memmove(p->calls, p->calls + 1, p->n_calls * sizeof(*p->calls));
	}
	p->calls[p->n_calls++] = (struct play_call){ before.generation, admit == SG_ALLOW_PROBE };
}

static struct play_call take_call(struct play *p, uint8_t arg)
{
	uint32_t i = arg % p->n_calls;
	struct play_call call = p->calls[i];

	p->calls[i] = p->calls[--p->n_calls];
	return call;
}

static bool same_counts(struct window_counts a, struct window_counts b)
{
	return a.calls == b.calls && a.failed == b.failed && a.slow == b.slow;
}

static bool same_engine(const struct engine *a, const struct engine *b)
{
	return a->generation == b->generation && a->state == b->state && a->trips == b->trips &&
	       a->since_ns == b->since_ns && a->good_ns == b->good_ns &&
	       a->count.newest_ns == b->count.newest_ns && a->time.newest == b->time.newest &&
	       same_counts(a->count.sum, b->count.sum) && same_counts(a->time.sum, b->time.sum);
}

/* As the daemon and simulate do it: the transition first, then the windows' reason. */
static void on_end(struct play *p, uint8_t arg, uint8_t how)
{
	static const enum sg_class classes[] = { SG_SUCCESS, SG_SUCCESS, SG_HARD, SG_HARD,
						 SG_HARD,    SG_SOFT,    SG_APP,  SG_LOCAL };
	struct play_call call = take_call(p, arg);
	enum sg_class class = classes[how & 7];
	bool slow = how & 8;
	bool complete = how & 16;
	uint64_t retry = how & 32 ? (uint64_t)(how >> 6) * 150 * NS_PER_SEC : 0;
	uint32_t flags = (slow ? SG_OUT_SLOW : 0) | (complete ? SG_OUT_COMPLETE : 0) |
			 (call.probe ? SG_OUT_PROBE : 0);
	struct sg_breaker before = p->b;
	struct engine engine_before = p->e;
	struct window_rates rates;
	enum sg_reason reason;
	enum sg_effect effect;
	struct ref_move m;
	struct sg_transition mv;

	m = ref_outcome(&p->ref, p->now, call.generation, class, slow, call.probe, complete, retry);
	reason = engine_outcome(&p->e, p->now, call.generation, class, slow, &rates);
	effect = sg_breaker_outcome(&p->b, &p->kernel, p->now, call.generation, class, flags, retry,
				    &mv);
	if (effect != SG_EFFECT_MOVED && reason != SG_REASON_NONE)
		effect = sg_breaker_trip(&p->b, &p->kernel, p->now, call.generation, (__u8)reason,
					 &mv);
	CHECK(p, (effect == SG_EFFECT_MOVED) == (m.reason != SG_REASON_NONE));
	CHECK(p, mv.moved == (effect == SG_EFFECT_MOVED));
	if (call.generation != before.generation) {
		CHECK(p, effect == SG_EFFECT_STALE);
		CHECK(p, !memcmp(&before, &p->b, sizeof(before)));
		CHECK(p, same_engine(&engine_before, &p->e));
		p->count->stale++;
	}
	if (effect != SG_EFFECT_MOVED)
		return;
	moved(p, &before, &mv, &m, p->now, 0);
	before = p->b;
	/* a second report of the same trip */
	CHECK(p, sg_breaker_trip(&p->b, &p->kernel, p->now, call.generation, SG_REASON_FAILURE_RATE,
				 &mv) == SG_EFFECT_STALE);
	CHECK(p, !memcmp(&before, &p->b, sizeof(before)));
}

static void on_give_back(struct play *p, uint8_t arg)
{
	struct play_call call = take_call(p, arg);

	if (!call.probe)
		return;
	sg_breaker_give_back(&p->b, call.generation, arg & 128);
	ref_give_back(&p->ref, call.generation, arg & 128);
}

static enum sg_state shown(const struct play *p)
{
	return p->ref.shadow ? SG_SHADOW : p->ref.state;
}

static void on_order(struct play *p, uint8_t arg)
{
	static const enum sg_state states[] = { SG_FORCED_OPEN, SG_FORCED_CLOSED, SG_DISABLED,
						SG_SHADOW };
	struct ref_move m = { shown(p), states[arg & 3], SG_REASON_MANUAL };
	uint64_t until = arg & 4 ? SG_FOREVER : p->now + (1 + (arg >> 3)) * (NS_PER_SEC / 4);
	struct sg_breaker before = p->b;
	struct sg_transition mv;

	sg_breaker_order(&p->b, &p->kernel, (__u8)m.to, p->now, until, &mv);
	CHECK(p, mv.deadline_ns == until);
	moved(p, &before, &mv, &m, p->now, until);
}

static void on_reset(struct play *p)
{
	struct ref_move m = { shown(p), SG_CLOSED, SG_REASON_RESET };
	struct sg_breaker before = p->b;
	struct sg_transition mv;

	sg_breaker_reset(&p->b, &p->kernel, p->now, &mv);
	CHECK(p, mv.moved == (m.from != SG_CLOSED));
	if (mv.moved) {
		moved(p, &before, &mv, &m, p->now, 0);
	} else {
		CHECK(p, p->b.last.seq == before.last.seq);
		ref_enter(&p->ref, &m, p->now, 0, 0);
		engine_reset(&p->e, p->now, p->b.generation);
		new_length(p, p->now);
	}
	CHECK(p, !engine_trips(&p->e, p->now));
}

/* The daemon dies and another takes over what the map and the disk hold. */
static void on_restart(struct play *p)
{
	uint64_t good = engine_good_ns(&p->e, p->now);
	uint32_t trips = p->e.trips;

	engine_restore(&p->e, &p->b, trips, good, p->now);
	new_length(p, p->now);
	p->ref.listed = 0;
}

static void on_may_trip(struct play *p, uint8_t arg)
{
	p->b.may_trip = arg & 1;
	p->ref.may_trip = arg & 1;
}

static uint64_t step(const struct play *p, uint8_t how)
{
	uint64_t due = sg_breaker_due(&p->b);

	switch (how & 7) {
	case 0:
	case 1:
	case 2:
		return p->now;
	case 3:
		return p->now + 1;
	case 4:
		return p->now + (how >> 3) * (NS_PER_SEC / 8);
	case 5: /* just before, at, just after what is due */
		return due == SG_FOREVER ? p->now : due - 1 + (how >> 3) % 3;
	case 6:
		return p->now + (how >> 3) * NS_PER_SEC;
	default:
		return p->now + (how >> 3) * (NS_PER_SEC / 64);
	}
}

static void play_event(struct play *p)
{
	uint8_t what = byte(p);
	uint8_t arg = byte(p);
	uint64_t to = step(p, byte(p));

	advance(p, to > p->now ? to : p->now);
	switch (what & 15) {
	case 8:
		on_order(p, arg);
		break;
	case 9:
		if (arg < 128)
			on_reset(p);
		else
			on_restart(p);
		break;
	case 10:
		on_may_trip(p, arg | (what >> 4 & 1));
		break;
	case 11:
		if (p->n_calls)
			on_give_back(p, arg);
		break;
	case 5:
	case 6:
	case 7:
		on_admit(p, arg);
		break;
	case 12:
	case 13:
		on_admit(p, arg);
		if (p->n_calls)
			on_end(p, (uint8_t)(p->n_calls - 1), byte(p));
		break;
	default:
		if (p->n_calls)
			on_end(p, arg, byte(p));
		else
			on_admit(p, arg);
		break;
	}
}

void play(const uint8_t *data, size_t size, const char *name, struct play_trace *trace,
	  struct play_count *count)
{
	static struct play whole; /* large, and only what is used needs to be zero */
	struct play *p = &whole;

	p->data = data;
	p->left = size;
	p->name = name;
	p->n_calls = 0;
	p->first_probe_ns = 0;
	p->event = 0;
	p->now = 1000 * NS_PER_SEC;
	choose_policy(p);
	if (engine_init(&p->e, &p->policy, byte(p), 7) < 0)
		return;
	p->count = count;
	p->e.since_ns = p->now; /* as if it had begun now */
	p->b = (struct sg_breaker){ .since_ns = p->now, .may_trip = 1 };
	ref_init(&p->ref, &p->policy, p->now);
	new_length(p, p->now);
	while (p->left && p->ref.reported < REF_OUTCOMES && p->event < REF_OUTCOMES / 2) {
		p->event++;
		play_event(p);
		check(p);
		if (trace && trace->n < trace->size)
			trace->after[trace->n++] = p->b;
	}
	count->events += p->event;
	p->count = NULL;
	engine_done(&p->e);
}
