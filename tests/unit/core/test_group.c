/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Groups: who belongs together, and how many may be open. Random groups and
 * random lives are compared with the rules taken literally.
 */
#include "core/group.h"

#include <string.h>

#include "unit/unit.h"

#define SERVERS_MAX 12

/* --- who belongs together --------------------------------------------------------- */

static void expect_partition(const struct group_server *servers, size_t n, const uint32_t *want)
{
	uint32_t got[SERVERS_MAX];

	assert_int_equal(group_partition(servers, n, got), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(got[i], want[i]);
}

static void test_partition(void **state)
{
	static const char *const to_b[] = { "b" };
	static const char *const to_d_and_nobody[] = { "nobody", "d" };
	static const char *const to_stdio[] = { "stdio" };
	static const struct group_server servers[] = {
		{ .name = "a", .id = 9, .fallback = to_b, .n_fallback = 1 },
		{ .name = "b", .id = 4 },
		{ .name = "c", .id = 5, .group = "g" },
		{ .name = "d", .id = 6 },
		{ .name = "e", .id = 7, .group = "g", .fallback = to_d_and_nobody, .n_fallback = 2 },
		{ .name = "stdio", .id = 0, .group = "g" },
		{ .name = "alone", .id = 2, .group = "of one" },
		{ .name = "free", .id = 1, .fallback = to_stdio, .n_fallback = 1 },
	};
	static const uint32_t want[] = { 4, 4, 5, 5, 5, 0, 0, 0 };

	(void)state;
	expect_partition(servers, ARRAY_SIZE(servers), want);
	expect_partition(servers, 0, want);
}

/* Two names of one breaker are one member, and bring their groups together. */
static void test_partition_of_shared_breakers(void **state)
{
	static const struct group_server one[] = { { .name = "a", .id = 3, .group = "g" },
						   { .name = "b", .id = 3, .group = "g" } };
	static const struct group_server two[] = { { .name = "a", .id = 3, .group = "g" },
						   { .name = "b", .id = 3, .group = "h" },
						   { .name = "c", .id = 8, .group = "g" },
						   { .name = "d", .id = 1, .group = "h" } };
	static const uint32_t none[] = { 0, 0 };
	static const uint32_t all[] = { 1, 1, 1, 1 };

	(void)state;
	expect_partition(one, ARRAY_SIZE(one), none);
	expect_partition(two, ARRAY_SIZE(two), all);
}

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint32_t below(uint64_t *seed, uint32_t n)
{
	return (uint32_t)(random_next(seed) >> 20) % n;
}

struct draw {
	struct group_server servers[SERVERS_MAX];
	const char *fallbacks[SERVERS_MAX][2];
	size_t n;
};

static const char *const names[SERVERS_MAX] = { "k", "b", "j", "d", "e", "a",
						"g", "h", "i", "c", "f", "l" };

static void draw(struct draw *d, uint64_t *seed)
{
	static const char *const groups[] = { NULL, NULL, NULL, "a", "b", "c" };

	d->n = 1 + below(seed, SERVERS_MAX);
	for (size_t i = 0; i < d->n; i++) {
		d->servers[i] = (struct group_server){ .name = names[i],
						       .id = below(seed, 20),
						       .group = groups[below(seed, 6)],
						       .fallback = d->fallbacks[i],
						       .n_fallback = below(seed, 12) / 10 };
		d->fallbacks[i][0] = names[below(seed, SERVERS_MAX)];
	}
}

static bool related(const struct group_server *a, const struct group_server *b)
{
	if (!a->id || !b->id)
		return false;
	if (a->id == b->id || (a->group && b->group && !strcmp(a->group, b->group)))
		return true;
	return a->n_fallback && !strcmp(a->fallback[0], b->name);
}

/* Labels spread until nothing changes. */
static void partition_by_force(const struct draw *d, uint32_t *ret)
{
	bool changed = true;
	bool alone[SERVERS_MAX];

	for (size_t i = 0; i < d->n; i++)
		ret[i] = d->servers[i].id;
	while (changed) {
		changed = false;
		for (size_t i = 0; i < d->n; i++) {
			for (size_t k = 0; k < d->n; k++) {
				const struct group_server *a = &d->servers[i];
				const struct group_server *b = &d->servers[k];

				if (ret[k] >= ret[i] || !(related(a, b) || related(b, a)))
					continue;
				ret[i] = ret[k];
				changed = true;
			}
		}
	}
	for (size_t i = 0; i < d->n; i++) {
		alone[i] = true;
		for (size_t k = 0; k < d->n; k++)
			if (ret[k] == ret[i] && d->servers[k].id != d->servers[i].id)
				alone[i] = false;
	}
	for (size_t i = 0; i < d->n; i++)
		if (alone[i])
			ret[i] = 0;
}

static void test_partition_against_brute_force(void **state)
{
	uint64_t seed = 1;
	uint32_t want[SERVERS_MAX];
	struct draw d;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		draw(&d, &seed);
		partition_by_force(&d, want);
		expect_partition(d.servers, d.n, want);
	}
}

/* --- a group that lives: what the kernel does with the limit ------------------------------ */

struct life {
	struct sg_breaker b[SERVERS_MAX];
	bool quarantined[SERVERS_MAX];
	uint32_t n;
	double max_open;
	uint32_t overflow;
	uint64_t now;
};

static const struct sg_policy policy = { .half_open_max_ns = 90,
					 .consecutive = 1,
					 .probes = 1,
					 .half_open_rate = SG_RATE_ONE,
					 .slow_rate = SG_RATE_ONE };

static struct group_count count_of(const struct life *l)
{
	struct group_count c = { 0 };

	for (uint32_t i = 0; i < l->n; i++)
		group_count_add(&c, &l->b[i], l->quarantined[i]);
	return c;
}

/* A hard failure of member i; is it open after that? */
static bool fail_one(struct life *l, uint32_t i)
{
	struct group_count c = count_of(l);
	struct sg_breaker *b = &l->b[i];
	struct sg_transition mv;

	b->may_trip = b->shadow || c.open < group_limit(&c, l->max_open);
	b->next_open_ns = 1000;
	if (sg_breaker_outcome(b, &policy, ++l->now, b->generation, SG_HARD, 0, 0, &mv) ==
	    SG_EFFECT_OVERFLOW)
		l->overflow++;
	return b->state == SG_OPEN;
}

static void order(struct life *l, uint32_t i, enum sg_state to)
{
	struct sg_transition mv;

	sg_breaker_order(&l->b[i], &policy, (__u8)to, ++l->now, SG_FOREVER, &mv);
}

static void test_scenario_24(void **state)
{
	struct life three = { .n = 3, .max_open = 0.67 };
	struct life two = { .n = 2, .max_open = 1 };
	struct life guarded = { .n = 3, .max_open = 1 };
	struct group_count c;

	(void)state;
	/* a group of three with group_max_open 0.67: two open, the third is refused and counted */
	assert_true(fail_one(&three, 0));
	assert_true(fail_one(&three, 1));
	c = count_of(&three);
	assert_true(group_exhausted(&c));
	assert_false(fail_one(&three, 2));
	assert_false(fail_one(&three, 2));
	assert_int_equal(three.overflow, 2);
	assert_int_equal(three.b[2].state, SG_CLOSED);

	/* the last usable member is never opened for performance, whatever the share */
	assert_true(fail_one(&two, 1));
	assert_false(fail_one(&two, 0));

	/* an order opened one, a quarantine cut off another: the third is the last usable */
	order(&guarded, 0, SG_FORCED_OPEN);
	guarded.quarantined[1] = true;
	c = count_of(&guarded);
	assert_true(group_exhausted(&c));
	assert_false(fail_one(&guarded, 2));
	guarded.quarantined[1] = false;
	c = count_of(&guarded);
	assert_false(group_exhausted(&c));
	assert_true(fail_one(&guarded, 2));
}

/* A server in no group has no limit: it is alone, and opens as usual. */
static void test_scenario_24_no_group(void **state)
{
	static const struct group_server server = { .name = "a", .id = 1, .group = "g" };
	uint32_t group = 7;

	(void)state;
	assert_int_equal(group_partition(&server, 1, &group), 0);
	assert_int_equal(group, 0);
}

static void test_shares(void **state)
{
	struct group_count c = { .members = 100 };

	(void)state;
	assert_int_equal(group_limit(&c, 0.29), 29); /* 28.999... in binary */
	assert_int_equal(group_limit(&c, 0.289), 28);
	assert_int_equal(group_limit(&c, 1), 99);
	c.members = 3;
	assert_int_equal(group_limit(&c, 0.66), 1);
	assert_int_equal(group_limit(&c, 0.3), 0);
	c.quarantined = 3;
	assert_int_equal(group_limit(&c, 1), 0);
	c = (struct group_count){ 0 };
	assert_int_equal(group_limit(&c, 1), 0);
}

static void test_what_counts_as_open(void **state)
{
	static const bool open[SG_STATE_COUNT] = {
		[SG_OPEN] = true, [SG_HALF_OPEN] = true, [SG_FORCED_OPEN] = true
	};

	(void)state;
	for (__u8 s = 0; s < SG_SHADOW; s++) {
		struct group_count c = { 0 };
		struct sg_breaker b = { .state = s };

		group_count_add(&c, &b, false);
		assert_int_equal(c.open, open[s]);
		group_count_add(&c, &b, true);
		assert_int_equal(c.open, 2 * open[s]);
		assert_int_equal(c.quarantined, !open[s]);
		b.shadow = 1;
		group_count_add(&c, &b, false);
		assert_int_equal(c.open, 2 * open[s]);
		assert_int_equal(c.members, 3);
	}
}

/* The rules, literally: after this opening, is the share kept and somebody usable? */
static bool may_open(const struct life *l, uint32_t who)
{
	uint32_t open = 1;
	uint32_t usable = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		const struct sg_breaker *b = &l->b[i];
		bool closed = b->shadow || (b->state != SG_OPEN && b->state != SG_HALF_OPEN &&
					    b->state != SG_FORCED_OPEN);

		if (i == who)
			continue;
		open += !closed;
		usable += closed && !l->quarantined[i];
	}
	/* a quarantined member is not usable before either: opening it takes nothing away */
	return (double)open / l->n <= l->max_open + 1e-9 && (usable || l->quarantined[who]);
}

static void live(struct life *l, uint64_t *seed)
{
	static const __u8 orders[] = { SG_FORCED_OPEN, SG_FORCED_CLOSED, SG_DISABLED, SG_SHADOW };
	uint32_t i = below(seed, l->n);
	struct sg_breaker *b = &l->b[i];
	bool was_closed = b->state == SG_CLOSED || b->state == SG_RAMP;
	struct group_count c = count_of(l);
	struct sg_transition mv;
	bool allowed;

	switch (below(seed, 8)) {
	case 0:
		order(l, i, orders[below(seed, 4)]);
		break;
	case 1:
		sg_breaker_reset(b, &policy, ++l->now, &mv);
		break;
	case 2:
		l->quarantined[i] = below(seed, 2);
		break;
	case 3:
		l->now += 1000;
		while (sg_breaker_tick(b, &policy, l->now, &mv))
			;
		break;
	default:
		allowed = b->shadow || may_open(l, i);
		if (l->quarantined[i] || !was_closed)
			break; /* nothing reaches it */
		assert_int_equal(fail_one(l, i), allowed);
		if (!b->shadow && c.open + c.quarantined + 1 >= c.members)
			assert_int_equal(b->state, SG_CLOSED);
		break;
	}
}

static void test_limits_against_brute_force(void **state)
{
	static const double shares[] = { 1, 0.67, 0.5, 0.34, 0.25, 0.9 };
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct life l = { .n = 2 + below(&seed, SERVERS_MAX - 1),
				  .max_open = shares[below(&seed, 6)] };

		for (int step = 0; step < 60; step++)
			live(&l, &seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partition),
		cmocka_unit_test(test_partition_of_shared_breakers),
		cmocka_unit_test(test_partition_against_brute_force),
		cmocka_unit_test(test_scenario_24),
		cmocka_unit_test(test_scenario_24_no_group),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_what_counts_as_open),
		cmocka_unit_test(test_limits_against_brute_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
