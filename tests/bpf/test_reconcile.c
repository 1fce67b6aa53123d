/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The breaker in the kernel with the windows of a daemon beside it, against the
 * same breaker in user space alone: the same events, the same states. And with a
 * daemon that reads its events late: no trip is lost, none is counted twice.
 */
#include "bpf/rig.h"

#include "core/engine.h"
#include "core/names.h"

#define SEQUENCES 120
#define STEPS 120
#define START_NS (1000 * NS_PER_SEC)

static struct dataplane *dp;
static uint64_t seed;

static int setup(void **state)
{
	(void)state;
	dp = rig_bare();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dataplane_close(dp);
	return 0;
}

/* Steele, Lea, Flood (2014): the same numbers everywhere. */
static uint32_t random_below(uint32_t n)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

static struct breaker_policy policy_random(void)
{
	struct breaker_policy p = breaker_policy_defaults();
	char why[256];

	p.consecutive_failures = random_below(3) ? 2 + random_below(6) : 0;
	p.min_calls = 2 + random_below(6);
	p.window_calls = random_below(2) ? p.min_calls + random_below(10) : 0;
	p.window_seconds = random_below(2) ? 5 + random_below(30) : 0;
	p.window_buckets = p.window_seconds > 0 ? 1 + random_below(5) : 0;
	p.failure_rate = (1 + random_below(10)) / 10.0;
	p.slow_rate = (1 + random_below(10)) / 10.0;
	p.slow_seconds = 1;
	p.open_seconds = 1 + random_below(10);
	p.open_decay_seconds = 5 + random_below(20);
	p.half_open_probes = 1 + random_below(4);
	p.half_open_max_seconds = 1 + random_below(20);
	p.ramp_seconds = random_below(2) ? random_below(20) : 0;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), 0);
	return p;
}

/* One breaker and its engine, wherever the breaker is. */
struct side {
	struct engine engine;
	uint32_t openings; /* that the engine was told of */
};

struct pair {
	struct breaker_policy policy;
	struct sg_policy kernel_policy;
	uint64_t now;
	struct side daemon; /* of the breaker in the kernel */
	struct side alone;
	struct sg_breaker b; /* of `alone` */
};

static void side_move(struct side *s, const struct sg_transition *mv)
{
	s->openings += mv->to == SG_OPEN;
	engine_transition(&s->engine, mv);
}

/* --- in user space alone ------------------------------------------------------------- */

static void alone_move(struct pair *p, const struct sg_transition *mv)
{
	side_move(&p->alone, mv);
	p->b.next_open_ns = engine_next_open_ns(&p->alone.engine, mv->t_ns);
}

static void alone_tick(struct pair *p)
{
	struct sg_transition mv;

	while (sg_breaker_tick(&p->b, &p->kernel_policy, p->now, &mv))
		alone_move(p, &mv);
	p->b.next_open_ns = engine_next_open_ns(&p->alone.engine, p->now);
}

static void alone_outcome(struct pair *p, const struct sg_ended *e)
{
	bool slow = e->latency_ns > p->kernel_policy.slow_ns;
	uint32_t flags = e->flags | (slow && e->outcome <= SG_SOFT ? SG_OUT_SLOW : 0);
	enum sg_reason reason;
	struct sg_transition mv;

	sg_breaker_outcome(&p->b, &p->kernel_policy, p->now, e->generation,
			   (enum sg_class)e->outcome, flags, e->retry_after_ns, &mv);
	reason = engine_outcome(&p->alone.engine, p->now, e->generation, (enum sg_class)e->outcome,
				flags & SG_OUT_SLOW, NULL);
	if (!mv.moved && reason != SG_REASON_NONE)
		sg_breaker_trip(&p->b, &p->kernel_policy, p->now, e->generation, (__u8)reason, &mv);
	if (mv.moved)
		alone_move(p, &mv);
}

/* --- in the kernel, with a daemon ------------------------------------------------------ */

static void kernel_next_open(struct pair *p, uint64_t t)
{
	struct sg_command cmd = {
		.op = SG_CMD_CONFIGURE,
		.flags = SG_SRV_USED,
		.now_ns = p->now,
		.policy = p->kernel_policy,
		.breaker = { .may_trip = 1,
			     .next_open_ns = engine_next_open_ns(&p->daemon.engine, t) },
	};

	rig_command(dp, cmd);
}

static void daemon_event(struct pair *p, const struct sg_event *k)
{
	enum sg_reason reason;

	if (k->type == SG_EV_TRANSITION) {
		side_move(&p->daemon, &k->move);
		kernel_next_open(p, k->move.t_ns);
		return;
	}
	reason = engine_outcome(&p->daemon.engine, k->t_ns, k->generation,
				(enum sg_class)k->outcome, k->flags & SG_OUT_SLOW, NULL);
	if (reason != SG_REASON_NONE)
		rig_command(dp, (struct sg_command){ .op = SG_CMD_TRIP,
						     .now_ns = p->now,
						     .generation = k->generation,
						     .reason = (__u8)reason });
}

/* What the daemon does causes events in turn. */
static void daemon_read(struct pair *p)
{
	struct rig_events events;

	do {
		events.n = 0;
		rig_read(dp, &events);
		for (size_t i = 0; i < events.n; i++)
			daemon_event(p, &events.e[i]);
	} while (events.n);
}

static struct sg_breaker kernel_breaker(const struct pair *p)
{
	return rig_command(dp, (struct sg_command){ .op = SG_CMD_READ, .now_ns = p->now }).breaker;
}

/* --- both ---------------------------------------------------------------------------------- */

static void pair_init(struct pair *p)
{
	*p = (struct pair){ .policy = policy_random(), .now = START_NS };
	policy_to_kernel(&p->policy, ECONNREFUSED, &p->kernel_policy);
	assert_int_equal(engine_init(&p->daemon.engine, &p->policy, 1, RIG_SERVER), 0);
	assert_int_equal(engine_init(&p->alone.engine, &p->policy, 1, RIG_SERVER), 0);
	rig_server(dp, &p->kernel_policy, engine_next_open_ns(&p->daemon.engine, p->now));
	p->b = kernel_breaker(p);
	engine_reset(&p->daemon.engine, p->now, p->b.generation);
	engine_reset(&p->alone.engine, p->now, p->b.generation);
}

static void pair_done(struct pair *p)
{
	engine_done(&p->daemon.engine);
	engine_done(&p->alone.engine);
}

static void pair_wait(struct pair *p)
{
	static const uint64_t waits[] = { 0, NS_PER_MS, 300 * NS_PER_MS, 3 * NS_PER_SEC,
					  20 * NS_PER_SEC };

	p->now += waits[random_below(ARRAY_SIZE(waits))];
}

/* An outcome of this generation, holding a probe if there is one to be had. */
static struct sg_ended outcome_random(uint32_t generation, bool probe)
{
	static const uint8_t classes[] = { SG_SUCCESS, SG_SUCCESS, SG_HARD, SG_HARD,
					   SG_HARD,    SG_SOFT,    SG_APP,  SG_CALLER };
	uint32_t n = random_below(ARRAY_SIZE(classes));
	struct sg_ended e = { .generation = generation,
			      .outcome = classes[n],
			      .cause = classes[n] == SG_SUCCESS ? SG_CAUSE_ANSWER : SG_CAUSE_STATUS,
			      .latency_ns = random_below(4) ? NS_PER_MS : 2 * NS_PER_SEC,
			      .flags = SG_OUT_COMPLETE };

	if (probe)
		e.flags |= SG_OUT_PROBE;
	if (e.outcome == SG_SOFT && !random_below(3))
		e.retry_after_ns = random_below(400) * NS_PER_SEC;
	return e;
}

static void kernel_outcome(const struct pair *p, const struct sg_ended *e)
{
	rig_command(dp, (struct sg_command){ .op = SG_CMD_OUTCOME, .now_ns = p->now, .ended = *e });
}

static void expect_equal(const struct pair *p, const struct sg_breaker *k, unsigned int sequence,
			 unsigned int step)
{
	if (memcmp(k, &p->b, sizeof(*k)) ||
	    engine_trips(&p->daemon.engine, p->now) != engine_trips(&p->alone.engine, p->now))
		fail_msg("sequence %u, step %u: kernel %s generation %u streak %u, alone %s "
			 "generation %u streak %u",
			 sequence, step, state_name(sg_breaker_shown(k)), k->generation, k->streak,
			 state_name(sg_breaker_shown(&p->b)), p->b.generation, p->b.streak);
}

static void step_both(struct pair *p)
{
	struct sg_command taken;
	struct sg_ended e;
	enum sg_admit admit;

	pair_wait(p);
	alone_tick(p);
	kernel_breaker(p); /* what is due by time */
	daemon_read(p);
	kernel_next_open(p, p->now);
	daemon_read(p);
	taken = rig_command(dp, (struct sg_command){ .op = SG_CMD_PROBE, .now_ns = p->now });
	admit = sg_breaker_admit(&p->b, &p->kernel_policy, p->now, 0, true);
	assert_int_equal(taken.state, admit);
	if (admit == SG_DENY)
		return;
	e = outcome_random(p->b.generation, admit == SG_ALLOW_PROBE);
	alone_outcome(p, &e);
	kernel_outcome(p, &e);
	daemon_read(p);
}

static void test_both_make_the_same_of_the_same_events(void **state)
{
	unsigned int openings = 0;

	(void)state;
	for (unsigned int i = 0; i < SEQUENCES; i++) {
		struct pair p;

		seed = i;
		pair_init(&p);
		for (unsigned int k = 0; k < STEPS; k++) {
			struct sg_breaker b;

			step_both(&p);
			b = kernel_breaker(&p);
			expect_equal(&p, &b, i, k);
		}
		assert_int_equal(p.daemon.openings, p.alone.openings);
		openings += p.alone.openings;
		pair_done(&p);
	}
	assert_true(openings > SEQUENCES); /* or nothing was compared */
}

/* A daemon that is late: what the kernel did is what the engine is told, once each. */
static void test_a_late_daemon_loses_and_doubles_nothing(void **state)
{
	unsigned int openings = 0;

	(void)state;
	for (unsigned int i = 0; i < SEQUENCES; i++) {
		struct sg_breaker b;
		struct pair p;
		uint32_t born;

		seed = 1000 + i;
		pair_init(&p);
		born = p.b.last.seq;
		for (unsigned int k = 0; k < STEPS; k++) {
			struct sg_ended e;

			pair_wait(&p);
			b = rig_command(dp,
					(struct sg_command){ .op = SG_CMD_PROBE, .now_ns = p.now })
				    .breaker;
			e = outcome_random(b.generation, b.probes_out > 0);
			kernel_outcome(&p, &e);
			if (!random_below(9))
				daemon_read(&p);
		}
		daemon_read(&p);
		b = kernel_breaker(&p);
		daemon_read(&p);
		assert_int_equal(p.daemon.engine.generation, b.generation);
		assert_int_equal(p.daemon.engine.state, b.state);
		assert_true(p.daemon.openings <= b.last.seq - born);
		openings += p.daemon.openings;
		pair_done(&p);
	}
	assert_true(openings > SEQUENCES);
	assert_int_equal(dataplane_lost(dp), 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_make_the_same_of_the_same_events),
		cmocka_unit_test(test_a_late_daemon_loses_and_doubles_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
