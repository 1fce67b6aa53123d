/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Limits across servers in the kernel: who opens for its performance takes a
 * place first, who closes gives it back, and nobody loses or doubles one, with
 * several processors at it and through every change of configuration.
 */
#include "bpf/rig.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#define A 7U
#define B 8U
#define C 9U
#define GROUP 7U
#define ELSEWHERE 40U
#define OPEN_NS (30 * NS_PER_SEC)

static struct dataplane *dp;
static uint64_t clock_ns;
static uint64_t now; /* of the commands */

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

static struct sg_command run(uint32_t id, struct sg_command cmd)
{
	cmd.server = id;
	cmd.now_ns = now;
	assert_int_equal(dataplane_command(dp, &cmd), 0);
	return cmd;
}

static void limit(uint32_t group, uint32_t places, uint64_t rest_ns)
{
	const struct dataplane_group to = { .limit = places, .rest_ns = rest_ns };

	assert_int_equal(dataplane_group_set(dp, group, &to, NULL), 0);
}

static uint32_t places(uint32_t group)
{
	uint32_t open = ~0U;

	assert_int_equal(dataplane_group_open(dp, group, &open), 0);
	return open;
}

static void put(uint32_t id, uint32_t group, uint32_t consecutive)
{
	struct sg_policy policy = rig_policy();
	char name[16];

	snprintf(name, sizeof(name), "server %u", id);
	policy.consecutive = consecutive;
	policy.probes = 1;
	assert_int_equal(dataplane_server_set(dp, id, name, 0, group, &policy, OPEN_NS, true), 0);
}

/* Three servers in one group, closed, every count at zero. */
static void fresh(uint32_t places_max)
{
	const struct dataplane_group empty = { .limit = SG_UNLIMITED, .take_back = ~0U };

	clock_ns += 100 * NS_PER_SEC; /* nobody rests any more */
	now = clock_ns;
	for (uint32_t id = A; id <= C; id++) {
		assert_int_equal(dataplane_server_forget(dp, id), 0);
		put(id, GROUP, 1);
	}
	assert_int_equal(dataplane_group_set(dp, SG_GROUP_ALL, &empty, NULL), 0);
	assert_int_equal(dataplane_group_set(dp, ELSEWHERE, &empty, NULL), 0);
	assert_int_equal(places(GROUP), 0);
	limit(GROUP, places_max, 0);
	dataplane_lease(dp, SG_FOREVER);
	rig_drain(dp);
}

static struct sg_breaker breaker(uint32_t id)
{
	return run(id, (struct sg_command){ .op = SG_CMD_READ }).breaker;
}

static uint8_t state_of(uint32_t id)
{
	return breaker(id).state;
}

static uint8_t outcome(uint32_t id, enum sg_class class)
{
	struct sg_command cmd = {
		.op = SG_CMD_OUTCOME,
		.ended = { .server = id,
			   .generation = breaker(id).generation,
			   .outcome = (__u8) class,
			   .cause = class == SG_HARD ? SG_CAUSE_REFUSED : SG_CAUSE_ANSWER,
			   .flags = SG_OUT_COMPLETE | SG_OUT_PROBE },
	};

	return run(id, cmd).breaker.state;
}

static uint8_t fail_once(uint32_t id)
{
	return outcome(id, SG_HARD);
}

static struct sg_command trip(uint32_t id)
{
	return run(id, (struct sg_command){ .op = SG_CMD_TRIP,
					    .generation = breaker(id).generation,
					    .reason = SG_REASON_FAILURE_RATE });
}

static void order(uint32_t id, enum sg_state to)
{
	run(id,
	    (struct sg_command){ .op = SG_CMD_ORDER, .state = (__u8)to, .until_ns = SG_FOREVER });
}

static void reset(uint32_t id)
{
	run(id, (struct sg_command){ .op = SG_CMD_RESET });
}

static uint64_t overflows(uint32_t id)
{
	struct sg_stats st;

	assert_int_equal(dataplane_stats(dp, id, &st), 0);
	return st.overflow;
}

/* --- the floor ---------------------------------------------------------------------- */

static void test_as_many_as_there_are_places(void **state)
{
	struct rig_events events = { .n = 0 };

	(void)state;
	fresh(2);
	assert_int_equal(fail_once(A), SG_OPEN);
	assert_int_equal(fail_once(B), SG_OPEN);
	rig_drain(dp);
	assert_int_equal(fail_once(C), SG_CLOSED);
	assert_int_equal(fail_once(C), SG_CLOSED);
	assert_int_equal(places(GROUP), 2);
	assert_int_equal(overflows(A), 0);
	assert_int_equal(overflows(C), 2);
	rig_read(dp, &events);
	assert_int_equal(events.n, 2);
	assert_int_equal(events.e[1].type, SG_EV_OUTCOME);
	assert_int_equal(events.e[1].effect, SG_EFFECT_OVERFLOW);
	assert_int_equal(events.e[1].streak, 2);
	reset(A); /* its place is free: the next failure opens */
	assert_int_equal(places(GROUP), 1);
	assert_int_equal(fail_once(C), SG_OPEN);
	assert_int_equal(places(GROUP), 2);
}

static void test_held_until_closed(void **state)
{
	struct sg_command cmd;

	(void)state;
	fresh(1);
	fail_once(A);
	now = clock_ns += OPEN_NS;
	assert_int_equal(state_of(A), SG_HALF_OPEN);
	assert_int_equal(places(GROUP), 1);
	cmd = run(A, (struct sg_command){ .op = SG_CMD_PROBE });
	assert_int_equal(cmd.state, SG_ALLOW_PROBE);
	assert_int_equal(fail_once(A), SG_OPEN); /* again, without another place */
	assert_int_equal(places(GROUP), 1);
	now = clock_ns += OPEN_NS;
	run(A, (struct sg_command){ .op = SG_CMD_PROBE });
	assert_int_equal(outcome(A, SG_SUCCESS), SG_CLOSED);
	assert_int_equal(places(GROUP), 0);
	assert_int_equal(fail_once(B), SG_OPEN);
}

static void test_windows_are_limited_too(void **state)
{
	struct sg_command cmd;

	(void)state;
	fresh(1);
	cmd = trip(A);
	assert_int_equal(cmd.effect, SG_EFFECT_MOVED);
	assert_int_equal(cmd.moved, 1);
	assert_int_equal(places(GROUP), 1);
	cmd = trip(A); /* open already */
	assert_int_equal(cmd.effect, SG_EFFECT_STALE);
	assert_int_equal(places(GROUP), 1);
	cmd = trip(B);
	assert_int_equal(cmd.effect, SG_EFFECT_OVERFLOW);
	assert_int_equal(cmd.moved, 0);
	assert_int_equal(cmd.breaker.state, SG_CLOSED);
	assert_int_equal(overflows(B), 1);
	assert_int_equal(places(GROUP), 1);
}

static void test_orders_are_exempt(void **state)
{
	(void)state;
	fresh(1);
	fail_once(A);
	order(B, SG_FORCED_OPEN);
	assert_int_equal(state_of(B), SG_FORCED_OPEN);
	assert_int_equal(places(GROUP), 2); /* it counts all the same */
	order(C, SG_SHADOW);
	assert_int_equal(fail_once(C), SG_OPEN); /* what it decides denies nobody */
	assert_int_equal(places(GROUP), 2);
	assert_int_equal(overflows(C), 0);
	order(B, SG_FORCED_CLOSED);
	reset(A);
	reset(C);
	assert_int_equal(places(GROUP), 0);
	order(A, SG_DISABLED);
	assert_int_equal(places(GROUP), 0);
}

static void test_no_group_no_limit(void **state)
{
	(void)state;
	fresh(0);
	assert_int_equal(fail_once(A), SG_CLOSED);
	put(A, 0, 1);
	assert_int_equal(fail_once(A), SG_OPEN);
	assert_int_equal(places(SG_GROUP_ALL), 0);
}

/* --- changes of configuration ----------------------------------------------------------- */

static void test_places_move_with_their_servers(void **state)
{
	struct sg_breaker open;

	(void)state;
	fresh(3);
	fail_once(A);
	fail_once(B);
	put(A, ELSEWHERE, 1);
	assert_int_equal(places(GROUP), 1);
	assert_int_equal(places(ELSEWHERE), 1);
	put(C, ELSEWHERE, 1); /* closed: brings no place */
	assert_int_equal(places(ELSEWHERE), 1);
	put(A, ELSEWHERE, 1);
	assert_int_equal(places(ELSEWHERE), 1);
	reset(A);
	assert_int_equal(places(ELSEWHERE), 0);
	put(B, 0, 1);
	assert_int_equal(places(GROUP), 0);
	put(B, GROUP, 1);
	assert_int_equal(places(GROUP), 1);
	assert_int_equal(dataplane_server_forget(dp, B), 0);
	assert_int_equal(places(GROUP), 0);

	put(B, GROUP, 1); /* restored from disk */
	open = breaker(B);
	open.state = SG_OPEN;
	open.deadline_ns = now + OPEN_NS;
	run(B, (struct sg_command){ .op = SG_CMD_RESTORE, .breaker = open });
	assert_int_equal(places(GROUP), 1);
	reset(B);
	assert_int_equal(places(GROUP), 0);
}

static void test_refuses_bad_groups(void **state)
{
	const struct dataplane_group to = { .limit = 1 };
	struct sg_command cmd = {
		.op = SG_CMD_CONFIGURE, .server = A, .flags = SG_SRV_USED, .group = SG_GROUPS_MAX
	};
	uint32_t group = 0;

	(void)state;
	fresh(1);
	assert_int_equal(dataplane_group_set(dp, SG_GROUPS_MAX, &to, NULL), -ENOENT);
	assert_int_equal(dataplane_command(dp, &cmd), -EINVAL);
	assert_int_equal(dataplane_server_group(dp, A, &group), 0);
	assert_int_equal(group, GROUP);
}

static void test_taking_back(void **state)
{
	struct dataplane_group to = { .limit = 2, .take_back = 1 };
	uint32_t open;

	(void)state;
	fresh(2);
	fail_once(A);
	fail_once(B);
	assert_int_equal(dataplane_group_set(dp, GROUP, &to, &open), 0);
	assert_int_equal(open, 1);
	to.take_back = 5; /* never fewer than none */
	assert_int_equal(dataplane_group_set(dp, GROUP, &to, &open), 0);
	assert_int_equal(open, 0);
	reset(A);
	reset(B);
	assert_int_equal(places(GROUP), 0);
}

/* --- the blast limit ------------------------------------------------------------------------ */

/* In three groups: only the limit across all of them acts. */
static void apart(uint32_t places_max, uint64_t rest_ns)
{
	fresh(SG_UNLIMITED);
	put(A, 0, 1);
	put(B, ELSEWHERE, 1);
	put(C, 0, 1);
	limit(SG_GROUP_ALL, places_max, rest_ns);
}

static void test_blast(void **state)
{
	const struct dataplane_group aged = { .limit = 2, .take_back = 1 };

	(void)state;
	apart(2, 0);
	assert_int_equal(fail_once(A), SG_OPEN);
	assert_int_equal(fail_once(B), SG_OPEN);
	assert_int_equal(trip(C).effect, SG_EFFECT_OVERFLOW);
	assert_int_equal(fail_once(C), SG_CLOSED);
	assert_int_equal(overflows(C), 2);
	reset(A); /* having closed again gives no place back: time does */
	assert_int_equal(places(SG_GROUP_ALL), 2);
	assert_int_equal(fail_once(C), SG_CLOSED);
	assert_int_equal(places(ELSEWHERE), 1); /* what was tried in vain is given back */
	assert_int_equal(dataplane_group_set(dp, SG_GROUP_ALL, &aged, NULL), 0);
	assert_int_equal(fail_once(C), SG_OPEN);
	assert_int_equal(places(SG_GROUP_ALL), 2);
}

static void test_blast_and_floor(void **state)
{
	(void)state;
	apart(2, 0);
	put(A, ELSEWHERE, 1);
	limit(ELSEWHERE, 1, 0);
	assert_int_equal(fail_once(A), SG_OPEN);
	assert_int_equal(fail_once(B), SG_CLOSED); /* the floor; its blast place goes back */
	assert_int_equal(places(SG_GROUP_ALL), 1);
	assert_int_equal(places(ELSEWHERE), 1);
	assert_int_equal(fail_once(C), SG_OPEN);
}

static void test_blast_lets_a_group_rest(void **state)
{
	(void)state;
	apart(3, 10 * NS_PER_SEC);
	put(A, ELSEWHERE, 1);
	assert_int_equal(fail_once(A), SG_OPEN);
	assert_int_equal(fail_once(C), SG_OPEN); /* in no group */
	now = clock_ns += 10 * NS_PER_SEC - 1;
	assert_int_equal(fail_once(B), SG_CLOSED);
	assert_int_equal(places(SG_GROUP_ALL), 2);
	now = ++clock_ns;
	assert_int_equal(fail_once(B), SG_OPEN);
}

static void test_blast_needs_a_living_daemon(void **state)
{
	(void)state;
	apart(1, 10 * NS_PER_SEC);
	put(A, ELSEWHERE, 1);
	assert_int_equal(fail_once(A), SG_OPEN);
	assert_int_equal(fail_once(C), SG_CLOSED);
	dataplane_lease(dp, now - 1);
	assert_int_equal(fail_once(C), SG_OPEN);
	assert_int_equal(fail_once(B), SG_OPEN); /* though its group rests */
	assert_int_equal(places(SG_GROUP_ALL), 1);
	assert_int_equal(places(ELSEWHERE), 2);
}

static void test_blast_off(void **state)
{
	(void)state;
	apart(SG_UNLIMITED, 10 * NS_PER_SEC);
	put(A, ELSEWHERE, 1);
	assert_int_equal(fail_once(A), SG_OPEN);
	assert_int_equal(fail_once(B), SG_OPEN);
	assert_int_equal(fail_once(C), SG_OPEN);
	assert_int_equal(places(SG_GROUP_ALL), 0);
}

/* --- several processors ------------------------------------------------------------------------ */

struct racer {
	pthread_barrier_t *barrier;
	int (*act)(const struct racer *r);
	uint32_t server;
	uint32_t generation;
	int cpu;
	int count;
};

static void *race(void *arg)
{
	const struct racer *r = arg;
	cpu_set_t set;
	int failed = 0;

	CPU_ZERO(&set);
	CPU_SET(r->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* not where there is only one */
	pthread_barrier_wait(r->barrier);
	for (int i = 0; i < r->count; i++)
		failed |= r->act(r);
	return failed ? arg : NULL;
}

/* Two threads at once, the first for server a, the second for b. */
static void race_two(int (*act)(const struct racer *r), uint32_t a, uint32_t b, int count)
{
	pthread_barrier_t barrier;
	struct racer racers[2] = {
		{ &barrier, act, a, breaker(a).generation, 0, count },
		{ &barrier, act, b, breaker(b).generation, 1, count },
	};
	pthread_t threads[2];
	void *failed;

	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	pthread_barrier_destroy(&barrier);
}

static int act_trip(const struct racer *r)
{
	struct sg_command cmd = { .op = SG_CMD_TRIP,
				  .server = r->server,
				  .now_ns = now,
				  .generation = r->generation,
				  .reason = SG_REASON_SLOW_RATE };

	return dataplane_command(dp, &cmd);
}

static void test_one_last_place_for_two(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		fresh(2);
		order(C, SG_FORCED_OPEN);
		limit(SG_GROUP_ALL, 5, 0);
		race_two(act_trip, A, B, 1);
		assert_int_equal((state_of(A) == SG_OPEN) + (state_of(B) == SG_OPEN), 1);
		assert_int_equal(overflows(A) + overflows(B), 1);
		assert_int_equal(places(GROUP), 2);
		assert_int_equal(places(SG_GROUP_ALL), 1);
	}
}

/* Both reserve a place for one server: who comes second gives it back. */
static void test_one_server_takes_one_place(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		fresh(3);
		limit(SG_GROUP_ALL, 5, 0);
		race_two(act_trip, A, A, 1);
		assert_int_equal(state_of(A), SG_OPEN);
		assert_int_equal(overflows(A), 0);
		assert_int_equal(places(GROUP), 1);
		assert_int_equal(places(SG_GROUP_ALL), 1);
		reset(A);
		assert_int_equal(places(GROUP), 0);
	}
}

/* Opens and closes; each time it is the breaker's present generation. */
static int act_trip_and_reset(const struct racer *r)
{
	struct racer again = *r;
	struct sg_command cmd = { .op = SG_CMD_READ, .server = r->server, .now_ns = now };
	int failed = dataplane_command(dp, &cmd);

	again.generation = cmd.breaker.generation;
	failed |= act_trip(&again);
	cmd.op = SG_CMD_RESET;
	return failed | dataplane_command(dp, &cmd);
}

static void test_counts_under_contention(void **state)
{
	(void)state;
	fresh(3);
	order(C, SG_FORCED_OPEN);
	limit(SG_GROUP_ALL, 1000000, 0);
	race_two(act_trip_and_reset, A, B, 20000);
	assert_int_equal(places(GROUP), 1);
	assert_int_equal(places(SG_GROUP_ALL), 40000);
	race_two(act_trip_and_reset, A, A, 20000); /* and of the same one */
	assert_int_equal(places(GROUP), 1);
	assert_int_equal(overflows(A) + overflows(B), 0);
	rig_drain(dp);
}

/* A connect to where nobody listens: refused, by the host or by the breaker. */
static int act_dial(const struct racer *r)
{
	CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_port = htons(9),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)r;
	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 || errno != ECONNREFUSED;
}

/* Exactly the Nth failure opens, once, whichever processor sees it. */
static void test_the_nth_failure_trips(void **state)
{
	const struct addr addr = { .bytes = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };
	const uint16_t port = 9;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct rig_events events = { .n = 0 };
		bool trips = round % 2;
		size_t moves = 0;
		struct sg_stats st;

		fresh(3);
		put(A, GROUP, 20);
		now = 0; /* the kernel's own clock_ns */
		assert_int_equal(dataplane_endpoints_set(dp, A, &addr, &port, 1), 0);
		limit(SG_GROUP_ALL, 5, 0);
		act_dial(NULL);
		race_two(act_dial, A, A, trips ? 14 : 9);
		rig_wait(dp, &events, trips ? 21 : 19);
		assert_int_equal(dataplane_stats(dp, A, &st), 0);
		for (size_t i = 0; i < events.n; i++)
			moves += events.e[i].type == SG_EV_TRANSITION;
		assert_int_equal(moves, trips);
		assert_int_equal(state_of(A), trips ? SG_OPEN : SG_CLOSED);
		assert_int_equal(places(GROUP), trips);
		assert_int_equal(places(SG_GROUP_ALL), trips);
		assert_int_equal(st.overflow, 0);
		assert_in_range(st.refused, trips ? 20 : 19, trips ? 21 : 19); /* one in flight */
		assert_int_equal(st.refused + st.denied, trips ? 29 : 19);
		act_dial(NULL);
		assert_int_equal(state_of(A), SG_OPEN); /* 19, and this one */
	}
}

static int setup_attached(void **state)
{
	(void)state;
	dp = rig_open();
	return 0;
}

static int teardown_attached(void **state)
{
	(void)state;
	assert_int_equal(dataplane_detach(dp, &(struct detach_result){ 0 }), 0);
	dataplane_close(dp);
	return 0;
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_as_there_are_places),
		cmocka_unit_test(test_held_until_closed),
		cmocka_unit_test(test_windows_are_limited_too),
		cmocka_unit_test(test_orders_are_exempt),
		cmocka_unit_test(test_no_group_no_limit),
		cmocka_unit_test(test_places_move_with_their_servers),
		cmocka_unit_test(test_refuses_bad_groups),
		cmocka_unit_test(test_taking_back),
		cmocka_unit_test(test_blast),
		cmocka_unit_test(test_blast_and_floor),
		cmocka_unit_test(test_blast_lets_a_group_rest),
		cmocka_unit_test(test_blast_needs_a_living_daemon),
		cmocka_unit_test(test_blast_off),
		cmocka_unit_test(test_one_last_place_for_two),
		cmocka_unit_test(test_one_server_takes_one_place),
		cmocka_unit_test(test_counts_under_contention),
	};
	const struct CMUnitTest attached[] = {
		cmocka_unit_test(test_the_nth_failure_trips),
	};
	int failed = cmocka_run_group_tests(tests, setup, teardown);

	return failed + cmocka_run_group_tests(attached, setup_attached, teardown_attached);
}

int main(void)
{
	return rig_main(run_all);
}
