/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The n-th allocation fails, for every n until a run has none that does, while the whole
 * daemon does something: it neither crashes nor leaks (asan), and goes on afterwards.
 */
#include <errno.h>
#include <string.h>

#include "fake/resolver.h"
#include "unit/modules/modules_rig.h"

#define ALL                                                                   \
	SERVERS(A "," B "," COVERED "," FILES "," NAMED ","                   \
		  "\"x\":{\"url\":\"https://127.0.0.1:5/\",\"group\":\"g\"}," \
		  "\"y\":{\"url\":\"https://127.0.0.1:6/\",\"group\":\"g\"}")
#define OTHER                                                                   \
	SERVERS(B ","                                                           \
		  "\"x\":{\"url\":\"https://127.0.0.1:5/\",\"open_seconds\":7," \
		  "\"window_calls\":50,\"group\":\"g\"},"                       \
		  "\"new\":{\"url\":\"https://127.0.0.1:9/\",\"fallback\":[\"x\"]}")

/* Works as if nothing had been. */
static void goes_on(void)
{
	size_t before;

	rig_reload(&rig, ALL);
	assert_int_equal(servers_n(rig.d.servers), 7);
	for (size_t i = 0; i < servers_n(rig.d.servers); i++) {
		struct server *s = servers_at(rig.d.servers, i);

		if (s->id)
			assert_int_equal(rig_order(&rig, s->config->name, "reset", NULL), 200);
	}
	rig_pass(&rig);
	assert_int_equal(kernel("y")->kernel.group, id_of("x"));
	before = rig_events(&rig, "\"server\":\"b\",\"event\":\"transition\"", "\"to\":\"open\"");
	open_up("b");
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_OPEN);
	assert_int_equal(rig_events(&rig, "\"server\":\"b\",\"event\":\"transition\"",
				    "\"to\":\"open\""),
			 before + 1);
	assert_int_equal(rig_order(&rig, "b", "reset", NULL), 200);
}

static void test_start(void **state)
{
	bool failed = true;
	size_t n = 0;

	(void)state;
	while (failed) {
		struct config *config;
		int r;

		fake_alloc_fail(++n, false);
		r = rig_begin(&rig);
		failed = fake_alloc_failed();
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_true(failed);
			rig_end(&rig);
			continue;
		}
		config = rig_config(ALL);
		if (!failed) /* the first configuration follows where the modules end */
			fake_alloc_fail(1, false);
		r = servers_apply(rig.d.servers, config);
		(void)fake_alloc_failed();
		bus_pass(rig.d.bus);
		assert_true(r == 0 || r == -ENOMEM);
		rig_end(&rig);
		fake_dataplane_wipe(rig.d.dp);
	}
	assert_in_range(n, 20, 2000);
	rig_start(&rig, ALL);
	goes_on();
}

static void test_reload(void **state)
{
	bool failed = true;
	size_t n = 0;

	(void)state;
	rig_start(&rig, ALL);
	while (failed) {
		struct config *config = rig_config(OTHER);
		int r;

		assert_int_equal(dataplane_quarantine_set(rig.d.dp, id_of("x"), SG_FOREVER), 0);
		fake_alloc_fail(++n, false);
		r = servers_apply(rig.d.servers, config);
		bus_pass(rig.d.bus);
		failed = fake_alloc_failed();
		assert_true(r == 0 || (failed && r == -ENOMEM));
		/* whatever failed: what is denied stays denied */
		assert_int_not_equal(fake_id(rig.d.dp, "x"), 0);
		assert_int_equal(rig.d.dp->servers[fake_id(rig.d.dp, "x")].quarantine_ns,
				 SG_FOREVER);
		assert_int_equal(dataplane_quarantine_set(rig.d.dp, fake_id(rig.d.dp, "x"), 0), 0);
		goes_on();
	}
	assert_in_range(n, 10, 2000);
}

/* Outcomes that trip a breaker, all the way to the disk and to those who follow. */
static void test_transition(void **state)
{
	bool failed = true;
	size_t n = 0;
	int fd;

	(void)state;
	rig_start(&rig, ALL);
	fd = rig_send(&rig, "GET", "/v1/events?follow=1&calls=1", NULL);
	rig_turn(&rig);
	while (failed) {
		fake_alloc_fail(++n, false);
		fake_successes(rig.d.dp, id_of("x"), 2);
		open_up("x");
		failed = fake_alloc_failed();
		/* the kernel's verdict and the copy of it do not depend on memory */
		assert_int_equal(kernel("x")->kernel.breaker.state, SG_OPEN);
		assert_int_equal(rig_server(&rig, "x")->breaker.state, SG_OPEN);
		rig_pass(&rig); /* what could not be saved is saved now */
		assert_false(rig_degraded(&rig, "the state cannot be written"));
		goes_on();
	}
	assert_in_range(n, 5, 2000);
	close(fd);
}

/* The same with no memory at all, from some allocation on. */
static void test_nothing_left(void **state)
{
	bool failed = true;
	size_t n = 0;

	(void)state;
	rig_start(&rig, ALL);
	while (failed) {
		fake_alloc_fail(++n, true);
		fake_failures(rig.d.dp, id_of("a"), 30);
		fake_failures(rig.d.dp, id_of("b"), 60);
		assert_int_equal(dataplane_quarantine_set(rig.d.dp, id_of("y"), SG_FOREVER), 0);
		rig_advance(&rig, 100 * NS_PER_MS); /* finds the quarantine */
		rig_advance(&rig, SECONDS(30));
		rig_pass(&rig);
		failed = fake_alloc_failed();
		assert_true(server_quarantined(rig_server(&rig, "y")));
		assert_int_equal(dataplane_quarantine_set(rig.d.dp, id_of("y"), 0), 0);
		rig_advance(&rig, 100 * NS_PER_MS);
		assert_false(server_quarantined(rig_server(&rig, "y")));
		goes_on();
	}
	assert_in_range(n, 5, 2000);
}

/* Requests: any answer will do, also none, and the next one is right. */
static void test_requests(void **state)
{
	static const char *const asked[][3] = {
		{ "GET", "/v1/status", NULL },
		{ "GET", "/v1/servers/nobody", NULL },
		{ "GET", "/metrics", NULL },
		{ "GET", "/v1/events?calls=1", NULL },
		{ "GET", "/v1/events?follow=1", NULL },
		{ "POST", "/v1/servers/b/trip", "{\"for\":\"1m\"}" },
		{ "POST", "/v1/servers/b/reset", NULL },
		{ "POST", "/v1/servers/x/quarantine", "{\"reason\":\"r\"}" },
		{ "POST", "/v1/servers/x/release", NULL },
		{ "POST", "/v1/selftest", NULL },
	};

	(void)state;
	rig_start(&rig, ALL);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		bool failed = true;

		for (size_t n = 1; failed; n++) {
			struct rig_answer a = { 0 };
			int fd = rig_send(&rig, asked[i][0], asked[i][1], asked[i][2]);

			assert_in_range(n, 1, 5000);
			fake_alloc_fail(n, false);
			for (int k = 0; k < 3; k++)
				rig_turn(&rig);
			failed = fake_alloc_failed();
			rig_look(&rig, fd, &a);
			if (!failed)
				assert_in_range(a.status, 200, 404);
			rig_answer_done(&a);
			close(fd);
			rig_turn(&rig);
		}
	}
	goes_on();
}

/* Names and probes: what cannot be asked now is asked later. */
static void test_names(void **state)
{
	bool failed = true;

	(void)state;
	rig_start(&rig, ALL);
	for (size_t n = 1; failed; n++) {
		assert_in_range(n, 1, 2000);
		open_up("a");
		fake_alloc_fail(n, false);
		fake_resolver_answer(fake_resolver_id("named.example"), (unsigned int)n % 200, 2,
				     NULL);
		rig_advance(&rig, SECONDS(30)); /* its probe, and the next question */
		rig_turn(&rig);
		failed = fake_alloc_failed();
		assert_int_equal(kernel("named")->n_addrs, 2);
		assert_int_equal(rig_order(&rig, "a", "reset", NULL), 200);
		assert_int_equal(kernel("a")->kernel.breaker.probes_out, 0);
		assert_int_equal(rig.d.dp->own, 0);
		rig_advance(&rig, SECONDS(30));
	}
	goes_on();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start),        TEST(test_reload),   TEST(test_transition),
		TEST(test_nothing_left), TEST(test_requests), TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
