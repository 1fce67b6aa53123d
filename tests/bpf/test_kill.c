/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finding, killing and proving, over sockets of every kind in ten namespaces, at five
 * times the deadlines that the benchmark holds exactly (tests/bench/kill.c).
 */
#include "bpf/crowd.h"
#include "bpf/rig.h"

#define SPACES 10
#define MANY 1000
#define FIRST 20U
#define SERVERS 11U
#define OTHER (FIRST + SERVERS - 1)
#define SLACK 5

static struct dataplane *dp;
static struct crowd crowd;

static uint64_t slow(void)
{
	const char *times = getenv("E2E_SLOW"); /* emulated processors */

	return times ? strtoul(times, NULL, 10) * SLACK : 1;
}

static int setup(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	dp = rig_open();
	dataplane_lease(dp, SG_FOREVER);
	crowd_init(&crowd, dp, SPACES, FIRST, SERVERS, &policy);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	crowd_done(&crowd);
	dataplane_close(dp);
	return 0;
}

static uint32_t server(size_t i)
{
	return FIRST + (uint32_t)i;
}

static struct dataplane_sweep settled(void)
{
	struct dataplane_sweep sweep;
	uint64_t end = clock_boot_ns() + 5 * NS_PER_SEC;

	do {
		assert_int_equal(dataplane_sweep(dp, &sweep), 0);
		usleep(50000);
	} while (sweep.dead && clock_boot_ns() < end);
	return sweep;
}

static void test_a_thousand_sockets_of_every_kind_die(void **state)
{
	uint64_t took;

	(void)state;
	crowd_add(&crowd, server(0), MANY);
	crowd_add(&crowd, OTHER, MANY);
	assert_int_equal(crowd_alive(&crowd, SG_SERVERS_MAX), 2 * MANY);
	took = crowd_quarantine(&crowd, server(0));
	assert_int_equal(crowd_alive(&crowd, server(0)), 0);
	assert_int_equal(crowd_alive(&crowd, OTHER), MANY); /* nobody else's was touched */
	assert_true(took <= SLACK * 100 * NS_PER_MS * slow());
	crowd_disperse(&crowd);
	assert_int_equal(dataplane_quarantine_set(dp, server(0), 0), 0);
	assert_int_equal(settled().flows, 0);
}

static void test_ten_servers_at_once(void **state)
{
	uint64_t one;
	uint64_t ten = 0;

	(void)state;
	crowd_add(&crowd, server(0), MANY);
	one = crowd_quarantine(&crowd, server(0));
	crowd_disperse(&crowd);
	for (size_t i = 0; i < 10; i++)
		crowd_add(&crowd, server(i ? i : OTHER - FIRST), MANY / 10);
	for (size_t i = 0; i < 10; i++)
		ten += crowd_quarantine(&crowd, server(i ? i : OTHER - FIRST));
	assert_int_equal(crowd_alive(&crowd, SG_SERVERS_MAX), 0);
	print_message("one %.1f ms, ten %.1f ms\n", (double)one / 1e6, (double)ten / 1e6);
	assert_true(ten <= SLACK * 2 * one);
	crowd_disperse(&crowd);
	for (uint32_t i = 0; i < SERVERS; i++)
		assert_int_equal(dataplane_quarantine_set(dp, server(i), 0), 0);
	assert_int_equal(settled().flows, 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_thousand_sockets_of_every_kind_die),
		cmocka_unit_test(test_ten_servers_at_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
