/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sg_command: the only way for user space to change a breaker. Every
 * operation, what it refuses, what it reports, and two callers at once.
 */
#include "bpf/rig.h"

#include <pthread.h>

#define OPEN_NS (30 * NS_PER_SEC)

static struct dataplane *dp;
static struct rig_events events;
static uint32_t born; /* generation of the breaker when a test begins */

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

static struct sg_command command(enum sg_command_op op, uint64_t now)
{
	return rig_command(dp, (struct sg_command){ .op = op, .now_ns = now });
}

static void fresh(void)
{
	struct sg_policy policy = rig_policy();

	rig_server(dp, &policy, OPEN_NS);
	events.n = 0;
	born = command(SG_CMD_READ, 1).breaker.generation;
}

static struct sg_command trip(uint64_t now, uint32_t generation)
{
	return rig_command(dp, (struct sg_command){ .op = SG_CMD_TRIP,
						    .now_ns = now,
						    .generation = generation,
						    .reason = SG_REASON_FAILURE_RATE });
}

static struct sg_command order(uint64_t now, enum sg_state to, uint64_t until)
{
	return rig_command(dp, (struct sg_command){ .op = SG_CMD_ORDER,
						    .now_ns = now,
						    .state = (__u8)to,
						    .until_ns = until });
}

/* The only new event is this move. */
static void expect_move(enum sg_state from, enum sg_state to, enum sg_reason reason, uint64_t t_ns)
{
	const struct sg_event *e = &events.e[0];

	events.n = 0;
	rig_read(dp, &events);
	assert_int_equal(events.n, 1);
	assert_int_equal(e->type, SG_EV_TRANSITION);
	assert_int_equal(e->server, RIG_SERVER);
	assert_int_equal(e->move.from, from);
	assert_int_equal(e->move.to, to);
	assert_int_equal(e->move.reason, reason);
	assert_int_equal(e->move.moved, 1);
	assert_true(e->move.t_ns == t_ns);
	assert_int_equal(e->generation, e->move.generation);
}

static void expect_no_event(void)
{
	events.n = 0;
	rig_read(dp, &events);
	assert_int_equal(events.n, 0);
}

/* Runs the program over any bytes; its return value. */
static int run_raw(const void *data, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .data_size_in = (__u32)len,
		    .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(dp->skel->progs.sg_command), &run),
			 0);
	return (int)run.retval;
}

/* --- counting for others ---------------------------------------------------------- */

static void test_counts_kills(void **state)
{
	struct sg_command cmd = { .op = SG_CMD_KILLED, .flags = 3 };

	(void)state;
	fresh();
	rig_command(dp, cmd);
	rig_command(dp, cmd);
	assert_int_equal(rig_stats(dp).killed, 6);
	assert_int_equal(command(SG_CMD_READ, 0).flags, SG_SRV_USED);
	expect_no_event();
}

/* --- what is refused -------------------------------------------------------------- */

static void test_refuses_what_is_no_command(void **state)
{
	struct sg_command cmd = { .magic = SG_COMMAND_MAGIC,
				  .op = SG_CMD_ORDER,
				  .server = RIG_SERVER,
				  .state = SG_FORCED_OPEN,
				  .until_ns = SG_FOREVER };

	(void)state;
	fresh();
	for (size_t len = 14; len < sizeof(cmd); len++)
		assert_int_equal(run_raw(&cmd, len), EINVAL);
	for (int bit = 0; bit < 64; bit++) {
		cmd.magic = SG_COMMAND_MAGIC ^ 1ULL << bit;
		assert_int_equal(run_raw(&cmd, sizeof(cmd)), EINVAL);
	}
	assert_int_equal(command(SG_CMD_READ, 1).breaker.state, SG_CLOSED);
	expect_no_event();
	cmd.magic = SG_COMMAND_MAGIC; /* and one that is accepted, to know that it could be */
	assert_int_equal(run_raw(&cmd, sizeof(cmd)), 0);
	assert_int_equal(command(SG_CMD_READ, 1).breaker.last.to, SG_FORCED_OPEN);
}

static void test_refuses_unknown_operations(void **state)
{
	static const uint32_t ops[] = { 0, SG_CMD_COUNT, SG_CMD_COUNT + 1, 0xffffffff };
	struct sg_command cmd = { .magic = SG_COMMAND_MAGIC, .server = RIG_SERVER };

	(void)state;
	fresh();
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		cmd.op = ops[i];
		assert_int_equal(run_raw(&cmd, sizeof(cmd)), EINVAL);
	}
}

static void test_refuses_bad_servers_and_states(void **state)
{
	static const uint32_t servers[] = { SG_SERVERS_MAX, SG_SERVERS_MAX + 1, 0x80000000,
					    0xffffffff };
	struct sg_command cmd = { .magic = SG_COMMAND_MAGIC, .op = SG_CMD_ORDER };

	(void)state;
	fresh();
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		cmd.server = servers[i];
		cmd.state = SG_FORCED_OPEN;
		assert_int_equal(run_raw(&cmd, sizeof(cmd)), ENOENT);
	}
	cmd.server = RIG_SERVER;
	for (int to = 0; to < 256; to++) {
		if (to == SG_FORCED_OPEN || to == SG_FORCED_CLOSED || to == SG_DISABLED ||
		    to == SG_SHADOW)
			continue;
		cmd.state = (__u8)to;
		assert_int_equal(run_raw(&cmd, sizeof(cmd)), EINVAL);
	}
	assert_int_equal(command(SG_CMD_READ, 1).breaker.state, SG_CLOSED);
	expect_no_event();
}

/* --- every operation --------------------------------------------------------------- */

static void test_configure_and_read(void **state)
{
	struct sg_command in = { .op = SG_CMD_CONFIGURE,
				 .flags = SG_SRV_USED | SG_SRV_OBSERVE,
				 .policy = rig_policy() };
	struct sg_command out;

	(void)state;
	fresh();
	in.policy.consecutive = 17;
	in.policy.deny_errno = EHOSTUNREACH;
	in.breaker.next_open_ns = 77;
	in.breaker.may_trip = 1;
	in.breaker.streak = 99; /* not the caller's to say */
	in.breaker.state = SG_OPEN;
	rig_command(dp, in);
	out = command(SG_CMD_READ, 5);
	assert_memory_equal(&out.policy, &in.policy, sizeof(in.policy));
	assert_int_equal(out.flags, in.flags);
	assert_int_equal(out.breaker.next_open_ns, 77);
	assert_int_equal(out.breaker.may_trip, 1);
	assert_int_equal(out.breaker.streak, 0);
	assert_int_equal(out.breaker.state, SG_CLOSED);
	assert_int_equal(out.moved, 0);
	expect_no_event();
}

static void test_trip_of_a_generation_once(void **state)
{
	struct sg_command out;
	uint32_t generation;

	(void)state;
	fresh();
	generation = command(SG_CMD_READ, 1000).breaker.generation;
	assert_int_equal(trip(1000, generation + 1).moved, 0);
	assert_int_equal(trip(1000, generation - 1).moved, 0);
	expect_no_event();
	out = trip(1000, generation);
	assert_int_equal(out.moved, 1);
	assert_int_equal(out.breaker.state, SG_OPEN);
	assert_int_equal(out.breaker.generation, generation + 1);
	assert_true(out.breaker.deadline_ns == 1000 + OPEN_NS);
	expect_move(SG_CLOSED, SG_OPEN, SG_REASON_FAILURE_RATE, 1000);
	assert_int_equal(trip(1001, generation).moved, 0);
	assert_int_equal(trip(1001, generation + 1).moved, 0); /* open already */
	expect_no_event();
}

static void test_trip_needs_permission(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh();
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", 0, 0, &policy, OPEN_NS, false),
			 0);
	assert_int_equal(trip(1000, born).moved, 0);
	assert_int_equal(command(SG_CMD_READ, 1000).breaker.state, SG_CLOSED);
	expect_no_event();
}

/* Whatever is asked, what was due by time is carried out and reported first. */
static void test_reading_carries_out_what_is_due(void **state)
{
	struct sg_command out;

	(void)state;
	fresh();
	trip(1000, born);
	expect_move(SG_CLOSED, SG_OPEN, SG_REASON_FAILURE_RATE, 1000);
	assert_int_equal(command(SG_CMD_READ, 1000 + OPEN_NS - 1).breaker.state, SG_OPEN);
	expect_no_event();
	out = command(SG_CMD_READ, 5000 + OPEN_NS);
	assert_int_equal(out.breaker.state, SG_HALF_OPEN);
	assert_int_equal(out.moved, 0); /* by the clock, not by this command */
	expect_move(SG_OPEN, SG_HALF_OPEN, SG_REASON_DEADLINE, 1000 + OPEN_NS);
}

static void test_orders_and_their_end(void **state)
{
	static const struct {
		enum sg_state to;
		enum sg_state then;
	} orders[] = {
		{ SG_FORCED_OPEN, SG_HALF_OPEN },
		{ SG_FORCED_CLOSED, SG_CLOSED },
		{ SG_DISABLED, SG_CLOSED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct sg_command out;

		fresh();
		out = order(1000, orders[i].to, 9000);
		assert_int_equal(out.moved, 1);
		assert_int_equal(out.breaker.state, orders[i].to);
		assert_true(out.breaker.order_until_ns == 9000);
		expect_move(SG_CLOSED, orders[i].to, SG_REASON_MANUAL, 1000);
		assert_int_equal(command(SG_CMD_READ, 8999).breaker.state, orders[i].to);
		expect_no_event();
		assert_int_equal(command(SG_CMD_READ, 9500).breaker.state, orders[i].then);
		expect_move(orders[i].to, orders[i].then, SG_REASON_FORCE_EXPIRED, 9000);
	}
}

static void test_shadow_is_laid_over(void **state)
{
	struct sg_command out;

	(void)state;
	fresh();
	out = order(1000, SG_SHADOW, SG_FOREVER);
	assert_int_equal(out.breaker.state, SG_CLOSED);
	assert_int_equal(out.breaker.shadow, 1);
	expect_move(SG_CLOSED, SG_SHADOW, SG_REASON_MANUAL, 1000);
	assert_int_equal(trip(2000, out.breaker.generation).moved, 1); /* decides as usual */
	expect_move(SG_CLOSED, SG_OPEN, SG_REASON_FAILURE_RATE, 2000);
	out = command(SG_CMD_RESET, 3000);
	assert_int_equal(out.breaker.shadow, 0);
	assert_int_equal(out.breaker.state, SG_CLOSED);
	expect_move(SG_SHADOW, SG_CLOSED, SG_REASON_RESET, 3000);
}

static void test_reset(void **state)
{
	struct sg_command out;

	(void)state;
	fresh();
	out = command(SG_CMD_RESET, 500); /* closed already: a new generation, no report */
	assert_int_equal(out.moved, 0);
	assert_int_equal(out.breaker.generation, born + 1);
	expect_no_event();
	trip(1000, born + 1);
	expect_move(SG_CLOSED, SG_OPEN, SG_REASON_FAILURE_RATE, 1000);
	out = command(SG_CMD_RESET, 2000);
	assert_int_equal(out.moved, 1);
	assert_int_equal(out.breaker.state, SG_CLOSED);
	assert_int_equal(out.breaker.generation, born + 3);
	expect_move(SG_OPEN, SG_CLOSED, SG_REASON_RESET, 2000);
}

static void test_restore_and_forget_report_nothing(void **state)
{
	struct sg_command in = { .op = SG_CMD_RESTORE, .now_ns = 1000 };
	struct sg_breaker nothing = { .generation = 43 }; /* old connections are strangers */
	struct sg_policy none = { 0 };
	struct sg_command out;

	(void)state;
	fresh();
	in.breaker = (struct sg_breaker){ .state = SG_OPEN,
					  .generation = 41,
					  .since_ns = 10,
					  .deadline_ns = 2000,
					  .next_open_ns = 60,
					  .may_trip = 1,
					  .last.seq = 9 };
	out = rig_command(dp, in);
	assert_int_equal(out.moved, 0);
	assert_memory_equal(&out.breaker, &in.breaker, sizeof(in.breaker));
	expect_no_event();
	assert_int_equal(command(SG_CMD_READ, 2000).breaker.state, SG_HALF_OPEN);
	expect_move(SG_OPEN, SG_HALF_OPEN, SG_REASON_DEADLINE, 2000);
	out = command(SG_CMD_FORGET, 3000);
	assert_int_equal(out.moved, 0);
	assert_memory_equal(&out.breaker, &nothing, sizeof(nothing));
	assert_memory_equal(&out.policy, &none, sizeof(none));
	assert_int_equal(out.flags, 0);
	expect_no_event();
}

/* An id that is not in use is not brought up to date. */
static void test_unused_ids_sleep(void **state)
{
	struct sg_command in = { .op = SG_CMD_RESTORE, .now_ns = 1000 };

	(void)state;
	fresh();
	command(SG_CMD_FORGET, 1000);
	in.breaker = (struct sg_breaker){ .state = SG_OPEN, .deadline_ns = 2000 };
	rig_command(dp, in);
	assert_int_equal(command(SG_CMD_READ, 9000).breaker.state, SG_OPEN);
	expect_no_event();
}

static void test_the_kernels_own_clock(void **state)
{
	uint64_t before = clock_boot_ns();
	struct sg_command out;

	(void)state;
	fresh();
	out = trip(0, born);
	assert_int_equal(out.moved, 1);
	assert_true(out.breaker.since_ns >= before && out.breaker.since_ns <= clock_boot_ns());
}

static void test_neighbours_are_untouched(void **state)
{
	struct sg_command other = { .op = SG_CMD_READ, .server = RIG_SERVER + 1 };

	(void)state;
	fresh();
	trip(1000, born);
	order(2000, SG_FORCED_CLOSED, SG_FOREVER);
	for (other.server = 0; other.server < SG_SERVERS_MAX; other.server++) {
		if (other.server == RIG_SERVER)
			continue;
		assert_int_equal(dataplane_command(dp, &other), 0);
		assert_int_equal(other.breaker.last.seq, 0);
		assert_int_equal(other.flags, 0);
	}
}

/* --- two at once --------------------------------------------------------------------- */

#define ROUNDS 2000

struct racer {
	pthread_barrier_t *gate;
	unsigned int moves;
};

static void *race(void *data)
{
	struct racer *racer = data;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct sg_command cmd = { .op = SG_CMD_TRIP,
					  .server = RIG_SERVER,
					  .generation = born + 2 * i,
					  .reason = SG_REASON_SLOW_RATE };

		pthread_barrier_wait(racer->gate);
		if (!dataplane_command(dp, &cmd))
			racer->moves += cmd.moved;
		pthread_barrier_wait(racer->gate);
	}
	return NULL;
}

/* Two reports of one trip are one trip: one move, one event, one new generation. */
static void test_two_trips_of_one_generation_are_one(void **state)
{
	pthread_barrier_t gate;
	struct racer racers[2] = { { .gate = &gate }, { .gate = &gate } };
	pthread_t threads[2];
	unsigned int before = 0;

	(void)state;
	fresh();
	pthread_barrier_init(&gate, NULL, 3);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&gate); /* both trip */
		pthread_barrier_wait(&gate);
		assert_int_equal(racers[0].moves + racers[1].moves, before + 1);
		before++;
		events.n = 0;
		rig_read(dp, &events);
		assert_int_equal(events.n, 1);
		assert_int_equal(events.e[0].move.to, SG_OPEN);
		assert_int_equal(events.e[0].generation, born + 2 * i + 1);
		assert_int_equal(command(SG_CMD_RESET, 0).breaker.generation, born + 2 * i + 2);
		rig_drain(dp);
	}
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&gate);
	print_message("of %d trips the first thread made %u\n", ROUNDS, racers[0].moves);
}

/*
 * All that there can be, one after the other without a rest, as at the start of a
 * daemon: the kernel's reserve of elements with a counter for each processor is small.
 */
static void test_every_id_at_once(void **state)
{
	struct sg_policy policy = rig_policy();
	char name[32];

	(void)state;
	for (uint32_t id = 0; id < SG_SERVERS_MAX; id++) {
		snprintf(name, sizeof(name), "server-%u", id);
		assert_int_equal(dataplane_server_set(dp, id, name, 0, 0, &policy, OPEN_NS, true),
				 0);
	}
	for (uint32_t id = 0; id < SG_SERVERS_MAX; id++)
		assert_int_equal(dataplane_server_forget(dp, id), 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_kills),
		cmocka_unit_test(test_refuses_what_is_no_command),
		cmocka_unit_test(test_refuses_unknown_operations),
		cmocka_unit_test(test_refuses_bad_servers_and_states),
		cmocka_unit_test(test_configure_and_read),
		cmocka_unit_test(test_trip_of_a_generation_once),
		cmocka_unit_test(test_trip_needs_permission),
		cmocka_unit_test(test_reading_carries_out_what_is_due),
		cmocka_unit_test(test_orders_and_their_end),
		cmocka_unit_test(test_shadow_is_laid_over),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_restore_and_forget_report_nothing),
		cmocka_unit_test(test_unused_ids_sleep),
		cmocka_unit_test(test_the_kernels_own_clock),
		cmocka_unit_test(test_neighbours_are_untouched),
		cmocka_unit_test(test_two_trips_of_one_generation_are_one),
		cmocka_unit_test(test_every_id_at_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
