/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rules of a route against what they are for, and against a model of them that keeps
 * every server that failed where the rules keep two.
 */
#include <stdlib.h>
#include <string.h>

#include "route.h"

#include "base/cleanup.h"

#include "unit/unit.h"

#define SECOND 1000000000ULL
#define START (1000 * SECOND)
#define STREAK 5U
#define SERVERS 6U

/* --- one server behind a route, as the programs keep it ------------------------------- */

struct server {
	uint32_t id;
	uint64_t row_ns;
	unsigned int streak;
	bool open;
};

static struct sg_route route_at(uint64_t now)
{
	return (struct sg_route){ .ok_ns = now, .flags = SG_ROUTE_USED };
}

/* Nothing came back to a call that began at `began`. */
static uint32_t fails(struct sg_route *r, struct server *s, uint64_t began, uint64_t now)
{
	uint32_t says;

	if (s->streak && s->row_ns < r->back_ns)
		s->streak = 0;
	if (!s->streak)
		s->row_ns = now;
	says = sg_route_failed(r, s->id, began, s->row_ns, s->streak + 1 >= STREAK, true, now);
	if (says != SG_ROUTE_COUNTS)
		return says;
	s->streak++;
	s->open |= s->streak >= STREAK;
	return says;
}

/* A refusal: it comes from the server, and counts as a failure. */
static void refuses(struct sg_route *r, struct server *s, uint64_t now)
{
	if (sg_route_quiet(r, now))
		sg_route_came(r, now);
	if (s->streak && s->row_ns < r->back_ns)
		s->streak = 0;
	if (!s->streak)
		s->row_ns = now;
	s->open |= ++s->streak >= STREAK;
}

static void answers(struct sg_route *r, struct server *s, uint64_t now)
{
	if (sg_route_quiet(r, now))
		sg_route_came(r, now);
	s->streak = 0;
}

static void servers_init(struct server *s, unsigned int n)
{
	memset(s, 0, n * sizeof(*s));
	for (unsigned int i = 0; i < n; i++)
		s[i].id = i + 2;
}

static unsigned int how_many_open(const struct server *s, unsigned int n)
{
	unsigned int open = 0;

	for (unsigned int i = 0; i < n; i++)
		open += s[i].open;
	return open;
}

/* --- what the rules are for -------------------------------------------------------------- */

/* Four servers, a call of each every `every`, given up after 3 s; lost for 30 s. */
static void lose(struct sg_route *r, struct server *s, uint64_t every, uint64_t from)
{
	uint64_t until = from + 30 * SECOND;

	for (uint64_t at = from; at < until + 3 * SECOND; at += every)
		for (unsigned int i = 0; i < 4; i++) {
			uint64_t now = at + i * 1000;

			if (now >= until)
				answers(r, &s[i], now);
			if (now - 3 * SECOND >= from && now - 3 * SECOND < until)
				fails(r, &s[i], now - 3 * SECOND, now);
		}
}

static void test_a_lost_path_opens_nothing(void **state)
{
	(void)state;
	for (uint64_t every = SECOND / 5; every <= 2 * SECOND; every += SECOND / 5) {
		struct sg_route r = route_at(START);
		struct server s[4];

		servers_init(s, 4);
		lose(&r, s, every, START + SECOND);
		assert_int_equal(how_many_open(s, 4), 0);
		/* and after its return each is judged as ever */
		for (unsigned int n = 0; n < STREAK; n++)
			assert_int_equal(fails(&r, &s[0], START + 60 * SECOND,
					       START + (63 + n) * SECOND),
					 SG_ROUTE_COUNTS);
		assert_true(s[0].open);
		assert_int_equal(how_many_open(s, 4), 1);
	}
}

static void test_four_that_refuse_open(void **state)
{
	struct sg_route r = route_at(START);
	struct server s[4];

	(void)state;
	servers_init(s, 4);
	for (unsigned int n = 0; n < STREAK; n++)
		for (unsigned int i = 0; i < 4; i++)
			refuses(&r, &s[i], START + (n * 200 + i) * 1000000ULL);
	assert_int_equal(how_many_open(s, 4), 4);
}

/* Some of four are dead, the others answer every second. */
static void test_dead_among_living(void **state)
{
	(void)state;
	for (unsigned int dead = 1; dead <= 2; dead++) {
		struct sg_route r = route_at(START);
		struct server s[4];

		servers_init(s, 4);
		for (uint64_t n = 0; n < 20; n++)
			for (unsigned int i = 0; i < 4; i++) {
				uint64_t now = START + n * SECOND + i * 1000;

				if (i >= dead)
					answers(&r, &s[i], now);
				else if (n >= 3)
					fails(&r, &s[i], now - 3 * SECOND, now);
			}
		assert_int_equal(how_many_open(s, 4), dead);
		assert_true(s[0].open);
	}
}

static void test_alone_there_is_nothing_to_compare_with(void **state)
{
	struct sg_route r = route_at(START);
	struct server s[1];

	(void)state;
	servers_init(s, 1);
	for (unsigned int n = 0; n < STREAK; n++)
		fails(&r, s, START + n * SECOND, START + (n + 3) * SECOND);
	assert_true(s[0].open);
}

/* What is known to be broken counts nothing, also for one alone; the daemon's word ends with it. */
static void test_offline(void **state)
{
	struct sg_route r = route_at(START);

	(void)state;
	r.flags |= SG_ROUTE_OFFLINE;
	assert_int_equal(sg_route_failed(&r, 2, START, START, true, true, START + SECOND),
			 SG_ROUTE_BROKEN);
	assert_int_equal(sg_route_failed(&r, 2, START, START, false, true, START + SECOND),
			 SG_ROUTE_BROKEN);
	assert_int_equal(sg_route_failed(&r, 2, START, START, true, false, START + SECOND),
			 SG_ROUTE_COUNTS);
	assert_true(sg_route_came(&r, START + 2 * SECOND));
	assert_int_equal(r.flags, SG_ROUTE_USED);
	assert_int_equal(sg_route_failed(&r, 2, START + SECOND, START, true, true,
					 START + 3 * SECOND),
			 SG_ROUTE_BEFORE);
	assert_int_equal(sg_route_failed(&r, 2, START + 2 * SECOND, START, true, true,
					 START + 3 * SECOND),
			 SG_ROUTE_COUNTS);
}

/* One failure each between answers is no break; two with a second of silence are. */
static void test_what_is_a_break(void **state)
{
	struct sg_route r = route_at(START);

	(void)state;
	sg_route_failed(&r, 2, START, START, false, true, START + SECOND);
	sg_route_failed(&r, 2, START, START, false, true, START + SECOND);
	assert_false(sg_route_came(&r, START + 5 * SECOND));
	assert_int_equal(r.back_ns, 0);
	sg_route_failed(&r, 2, START + 5 * SECOND, START, false, true, START + 6 * SECOND);
	sg_route_failed(&r, 3, START + 5 * SECOND, START, false, true, START + 6 * SECOND);
	assert_false(sg_route_came(&r, START + 6 * SECOND));
	sg_route_failed(&r, 2, START + 6 * SECOND, START, false, true, START + 7 * SECOND);
	sg_route_failed(&r, 3, START + 6 * SECOND, START, false, true, START + 7 * SECOND);
	assert_true(sg_route_came(&r, START + 8 * SECOND));
	assert_int_equal(r.back_ns, START + 8 * SECOND);
}

/* On the link of an interface nobody is compared with anybody. */
static void test_on_the_link(void **state)
{
	struct sg_route r = route_at(START);
	struct server s[4];

	(void)state;
	r.flags |= SG_ROUTE_LINK;
	servers_init(s, 4);
	for (unsigned int n = 0; n < STREAK; n++)
		for (unsigned int i = 0; i < 3; i++)
			fails(&r, &s[i], START + n * SECOND, START + (n + 3) * SECOND);
	assert_int_equal(how_many_open(s, 4), 3);
	assert_false(sg_route_came(&r, START + 60 * SECOND));
	r.flags |= SG_ROUTE_OFFLINE;
	assert_int_equal(sg_route_failed(&r, 5, START + 61 * SECOND, START, true, true,
					 START + 62 * SECOND),
			 SG_ROUTE_BROKEN);
	assert_true(sg_route_came(&r, START + 63 * SECOND));
	assert_int_equal(r.flags, SG_ROUTE_USED | SG_ROUTE_LINK);
}

/* Who leaves a route is no witness of its break. */
static void test_who_leaves(void **state)
{
	struct sg_route r = route_at(START);

	(void)state;
	sg_route_failed(&r, 2, START, START, false, true, START + SECOND);
	sg_route_failed(&r, 3, START, START, false, true, START + SECOND);
	assert_true(sg_route_suspect(&r, 3, START + SECOND));
	sg_route_leave(&r, 2);
	assert_false(sg_route_suspect(&r, 3, START + SECOND));
	sg_route_failed(&r, 4, START, START, false, true, START + SECOND);
	assert_true(sg_route_suspect(&r, 3, START + SECOND));
}

/* --- against the model ------------------------------------------------------------------- */

struct model {
	uint64_t ok;
	uint64_t back;
	bool held;
	bool failed[SERVERS];
};

static unsigned int n_failed(const struct model *m, unsigned int but)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < SERVERS; i++)
		n += m->failed[i] && i != but;
	return n;
}

static uint32_t model_failed(struct model *m, unsigned int i, uint64_t began, uint64_t since,
			     bool opens)
{
	if (began < m->back)
		return SG_ROUTE_BEFORE;
	m->failed[i] = true;
	if (!opens || !n_failed(m, i) || m->ok >= since)
		return SG_ROUTE_COUNTS;
	m->held = true;
	return SG_ROUTE_HOLDS;
}

static bool model_came(struct model *m, uint64_t now)
{
	bool back = m->held || (n_failed(m, SERVERS) >= 2 && now > m->ok + SECOND);

	if (back)
		m->back = now;
	memset(m->failed, 0, sizeof(m->failed));
	m->held = false;
	m->ok = now;
	return back;
}

static void test_random_sequences(void **state)
{
	unsigned int seen[SG_ROUTE_HOLDS + 1] = { 0 };
	unsigned int backs = 0;

	(void)state;
	srandom(1);
	for (int run = 0; run < 2000; run++) {
		struct model m = { .ok = START };
		struct sg_route r = route_at(START);
		uint64_t now = START;

		for (int step = 0; step < 200; step++) {
			unsigned int i = (unsigned int)random() % SERVERS;
			uint64_t began = now - (uint64_t)(random() % 4) * SECOND;
			uint64_t since = now - (uint64_t)(random() % 8) * SECOND / 2;
			bool opens = random() % 3;

			now += (uint64_t)(random() % 10) * SECOND / 7;
			if (random() % 5) {
				uint32_t says =
					sg_route_failed(&r, i + 2, began, since, opens, true, now);

				assert_int_equal(says, model_failed(&m, i, began, since, opens));
				seen[says]++;
			} else {
				bool back = sg_route_came(&r, now);

				assert_int_equal(back, model_came(&m, now));
				backs += back;
			}
			assert_int_equal(r.ok_ns, m.ok);
			assert_int_equal(r.back_ns, m.back);
			assert_int_equal(r.held_ns != 0, m.held);
			for (unsigned int k = 0; k < SERVERS; k++)
				assert_int_equal(sg_route_another(&r, k + 2), n_failed(&m, k) > 0);
		}
	}
	assert_true(seen[SG_ROUTE_COUNTS] > 1000 && seen[SG_ROUTE_BEFORE] > 1000);
	assert_true(seen[SG_ROUTE_HOLDS] > 1000 && backs > 1000);
}

/* Servers that die and paths that break at random: what fails with everything else does not
 * open, whenever it comes back. */
static void test_random_breaks(void **state)
{
	(void)state;
	srandom(2);
	for (int run = 0; run < 300; run++) {
		struct sg_route r = route_at(START);
		struct server s[4];
		uint64_t now = START;

		servers_init(s, 4);
		for (int k = 0; k < 5; k++) {
			now += (uint64_t)(5 + random() % 20) * SECOND;
			for (unsigned int i = 0; i < 4; i++)
				answers(&r, &s[i], now);
			lose(&r, s, SECOND / 5 * (uint64_t)(1 + random() % 5), now + SECOND);
			now += 40 * SECOND;
			assert_int_equal(how_many_open(s, 4), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lost_path_opens_nothing),
		cmocka_unit_test(test_four_that_refuse_open),
		cmocka_unit_test(test_dead_among_living),
		cmocka_unit_test(test_alone_there_is_nothing_to_compare_with),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_what_is_a_break),
		cmocka_unit_test(test_on_the_link),
		cmocka_unit_test(test_who_leaves),
		cmocka_unit_test(test_random_sequences),
		cmocka_unit_test(test_random_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
