/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Passes of the bus, with modules that do nothing but write down when they were called. */
#include "daemon/bus.h"
#include "modules/modules.h"

#include <errno.h>
#include <string.h>

#include "fake/rig.h"

#define ONE "{\"mcpServers\":{\"one\":{\"url\":\"http://127.0.0.1:1/mcp\"}}}"
#define TWO                                                              \
	"{\"mcpServers\":{\"one\":{\"url\":\"http://127.0.0.1:1/mcp\"}," \
	"\"two\":{\"url\":\"http://127.0.0.1:2/mcp\"}}}"

static struct {
	char trail[2048];
	struct bus *bus;
	int commit_error;
	unsigned int commits;
	unsigned int emit_in_turn; /* so many turns emit RESET */
	unsigned int want_in_turn;
	bool emit_on_tick; /* the first one emits RESET while TICK is delivered */
	bool pass_inside;  /* a hook calls bus_pass() */
	bool forget;       /* on TICK, what is said of the server after it */
	struct server *server;
	bool late;    /* a transition is told when there was another one */
	uint32_t seq; /* of the latest transition */
	struct event published;
	size_t n_published;
} seen;

static void say(const char *word)
{
	size_t len = strlen(seen.trail);

	snprintf(seen.trail + len, sizeof(seen.trail) - len, "%s ", word);
}

static void emit(enum signal_type type, struct server *s)
{
	bus_emit(seen.bus, &(struct signal){ .type = type, .server = s });
}

static void hear(const char *who, const struct signal *signal)
{
	static const char *const words[SIGNAL_COUNT] = {
		[SIGNAL_TICK] = "tick",
		[SIGNAL_OUTCOME] = "outcome",
		[SIGNAL_TRANSITION] = "transition",
		[SIGNAL_DENIAL] = "denial",
		[SIGNAL_KILL] = "kill",
		[SIGNAL_SUPPRESSED] = "suppressed",
		[SIGNAL_QUARANTINED] = "quarantined",
		[SIGNAL_RELEASED] = "released",
		[SIGNAL_HELD] = "held",
		[SIGNAL_RESET] = "reset",
		[SIGNAL_ADDRS] = "addrs",
		[SIGNAL_APPLIED] = "applied",
		[SIGNAL_FINDINGS] = "findings",
		[SIGNAL_RULED] = "ruled",
	};
	char text[64];

	snprintf(text, sizeof(text), "%s:%s", who, words[signal->type]);
	say(text);
}

static int first_added(void *m, struct server *s, const struct server_start *start)
{
	(void)m;
	(void)start;
	s->wanted.next_open_ns = 30 * NS_PER_SEC;
	return 0;
}

static void first_signal(void *m, const struct signal *signal)
{
	(void)m;
	hear("first", signal);
	if (signal->type == SIGNAL_TRANSITION) {
		seen.seq = signal->kernel.move.seq;
		if (!seen.late)
			assert_int_equal(signal->server->breaker.state, signal->kernel.move.to);
	}
	if (signal->type != SIGNAL_TICK)
		return;
	if (seen.emit_on_tick)
		emit(SIGNAL_RESET, NULL);
	if (seen.pass_inside)
		bus_pass(seen.bus);
	if (seen.forget)
		bus_forget(seen.bus, seen.server);
}

static void second_signal(void *m, const struct signal *signal)
{
	(void)m;
	hear("second", signal);
}

static void first_turn(void *m, uint64_t now)
{
	(void)m;
	assert_int_equal(now, clock_boot_ns());
	say("first:turn");
	if (seen.emit_in_turn) {
		seen.emit_in_turn--;
		emit(SIGNAL_RESET, NULL);
	}
	if (seen.want_in_turn) {
		seen.want_in_turn--;
		seen.server->wanted.next_open_ns += NS_PER_SEC;
	}
}

static void second_turn(void *m, uint64_t now)
{
	(void)m;
	(void)now;
	say("second:turn");
}

static int first_commit(void *m)
{
	(void)m;
	say("first:commit");
	seen.commits++;
	return seen.commit_error;
}

static int second_commit(void *m)
{
	(void)m;
	say("second:commit");
	return 0;
}

static void second_publish(void *m, const struct event *events, size_t n)
{
	(void)m;
	say("second:publish");
	seen.published = events[0];
	seen.n_published += n;
}

static const struct module first_module = { .name = "first",
					    .server_added = first_added,
					    .on_signal = first_signal,
					    .turn = first_turn,
					    .commit = first_commit };
static const struct module second_module = { .name = "second",
					     .on_signal = second_signal,
					     .turn = second_turn,
					     .commit = second_commit,
					     .publish = second_publish };
static const struct module absent_module = { .name = "absent", .on_signal = second_signal };

static const struct module *const modules[] = { &kernel_module, &first_module, &second_module };
/* The order of the table is not that of the modules. */
static const struct subscription table[] = {
	{ SIGNAL_TICK, { &second_module, &absent_module, &first_module } },
	{ SIGNAL_OUTCOME, { &first_module } },
	{ SIGNAL_TRANSITION, { &first_module } },
	{ SIGNAL_KILL, { &second_module } },
	{ SIGNAL_RESET, { &first_module, &second_module } },
	{ SIGNAL_ADDRS, { &second_module } },
};

static struct rig rig;

static int setup(void **state)
{
	static const struct rig_parts parts = { modules, ARRAY_SIZE(modules), table,
						ARRAY_SIZE(table) };

	(void)state;
	memset(&seen, 0, sizeof(seen));
	rig_make(&rig, &parts);
	rig_start(&rig, TWO);
	seen.bus = rig.d.bus;
	seen.server = rig_server(&rig, "one");
	seen.trail[0] = '\0';
	seen.commits = 0;
	fake_forget_calls(rig.d.dp);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(&rig);
	return 0;
}

static const char *pass(void)
{
	seen.trail[0] = '\0';
	rig_pass(&rig);
	return seen.trail;
}

static void test_order(void **state)
{
	(void)state;
	assert_string_equal(pass(), "first:turn second:turn ");
	emit(SIGNAL_TICK, NULL);
	emit(SIGNAL_RESET, NULL);
	emit(SIGNAL_SUPPRESSED, NULL); /* nobody hears it */
	assert_string_equal(pass(), "second:tick first:tick first:reset second:reset "
				    "first:turn second:turn ");
}

static void test_emitted_meanwhile(void **state)
{
	(void)state;
	seen.emit_on_tick = true;
	emit(SIGNAL_TICK, NULL);
	assert_string_equal(pass(), "second:tick first:tick first:reset second:reset "
				    "first:turn second:turn ");
	/* what a turn emits is delivered, and there is another turn */
	seen.emit_in_turn = 2;
	assert_string_equal(pass(), "first:turn second:turn first:reset second:reset "
				    "first:turn second:turn first:reset second:reset "
				    "first:turn second:turn ");
	/* more than fits the list that is being delivered from */
	seen.emit_on_tick = true;
	for (int i = 0; i < 100; i++)
		emit(SIGNAL_TICK, NULL);
	for (int i = 0; i < 100; i++)
		emit(SIGNAL_SUPPRESSED, NULL);
	pass();
	assert_string_equal(pass(), "first:turn second:turn ");
}

/* Turns that emit without an end do not keep the pass from its end. */
static void test_turns_without_end(void **state)
{
	size_t turns = 0;

	(void)state;
	seen.emit_in_turn = 1000;
	pass();
	for (const char *at = seen.trail; (at = strstr(at, "second:turn")); at++)
		turns++;
	assert_int_equal(turns, 16);
	assert_int_equal(seen.emit_in_turn, 1000 - 16);
	seen.emit_in_turn = 0;
	assert_string_equal(pass(), "first:reset second:reset first:turn second:turn ");
}

static void test_written_once(void **state)
{
	(void)state;
	pass();
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, 0), 0);
	seen.want_in_turn = 2;
	seen.emit_in_turn = 1;
	pass();
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, 0), 1);
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, seen.server->id), 1);
	assert_int_equal(rig.d.dp->servers[seen.server->id].kernel.breaker.next_open_ns,
			 32 * NS_PER_SEC);
	assert_int_equal(seen.server->breaker.next_open_ns, 32 * NS_PER_SEC); /* read back */
	pass();
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, 0), 1);
}

static void test_write_that_fails(void **state)
{
	(void)state;
	fake_fail(rig.d.dp, FAKE_SERVER_SET, 1, 1, EIO);
	seen.server->wanted.slow_ns = 7;
	pass();
	assert_int_equal(fake_log_said("\"one\": the kernel goes on with what it knew"), 1);
	assert_int_not_equal(rig.d.dp->servers[seen.server->id].kernel.policy.slow_ns, 7);
	pass();
	assert_int_equal(rig.d.dp->servers[seen.server->id].kernel.policy.slow_ns, 7);
	assert_int_equal(fake_log_said("the kernel goes on"), 1);
}

static void test_commit_before_publish(void **state)
{
	(void)state;
	bus_alarm(rig.d.bus, "one", "look: %d", 5);
	assert_string_equal(pass(), "first:turn second:turn second:publish ");
	assert_int_equal(seen.published.type, EVENT_ALARM);
	assert_string_equal(seen.published.server, "one");
	assert_string_equal(seen.published.text, "look: 5");
	assert_int_equal(seen.published.t_ns, clock_boot_ns());
	assert_int_equal(seen.published.until_wall_ns, STATUS_NEVER);
	bus_dirty(rig.d.bus);
	bus_alarm(rig.d.bus, "", "a");
	bus_alarm(rig.d.bus, "", "b");
	assert_string_equal(pass(), "first:turn second:turn first:commit second:commit "
				    "second:publish ");
	assert_int_equal(seen.n_published, 3);
	assert_string_equal(pass(), "first:turn second:turn "); /* it is on disk */
}

static void test_commit_that_fails(void **state)
{
	(void)state;
	seen.commit_error = -ENOSPC;
	bus_dirty(rig.d.bus);
	bus_alarm(rig.d.bus, "", "a");
	assert_string_equal(pass(), "first:turn second:turn first:commit second:publish ");
	assert_string_equal(pass(), "first:turn second:turn first:commit "); /* tried again */
	assert_int_equal(fake_log_said("is not on disk: No space left on device"), 1);
	seen.commit_error = 0;
	assert_string_equal(pass(), "first:turn second:turn first:commit second:commit ");
	assert_string_equal(pass(), "first:turn second:turn ");
	seen.commit_error = -EIO; /* another time is told again */
	bus_dirty(rig.d.bus);
	pass();
	assert_int_equal(fake_log_said("is not on disk"), 2);
}

static void test_not_inside_itself(void **state)
{
	(void)state;
	seen.pass_inside = true;
	emit(SIGNAL_TICK, NULL);
	emit(SIGNAL_RESET, NULL);
	assert_string_equal(pass(), "second:tick first:tick first:reset second:reset "
				    "first:turn second:turn ");
}

static void test_forget(void **state)
{
	(void)state;
	seen.forget = true;
	emit(SIGNAL_RESET, seen.server);
	emit(SIGNAL_TICK, NULL);
	emit(SIGNAL_RESET, seen.server);
	emit(SIGNAL_RESET, rig_server(&rig, "two"));
	assert_string_equal(pass(), "first:reset second:reset second:tick first:tick "
				    "first:reset second:reset first:turn second:turn ");
	/* a server that goes away takes what was said of it along */
	emit(SIGNAL_RESET, rig_server(&rig, "two"));
	assert_int_equal(rig_apply(&rig, ONE), 0);
	assert_null(strstr(pass(), "reset"));
}

/* --- from the kernel -------------------------------------------------------------------- */

static void test_ring(void **state)
{
	const struct sg_event other[] = {
		{ .type = SG_EV_OUTCOME, .server = SG_CANARY },
		{ .type = SG_EV_OUTCOME, .server = SG_TARGET },
		{ .type = SG_EV_KILL, .server = 77 },
		{ .type = SG_EV_TRANSITION, .server = SG_SERVERS_MAX },
		{ .type = SG_EV_TYPE_COUNT, .server = seen.server->id },
		{ .type = 0, .server = seen.server->id },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		fake_push(rig.d.dp, &other[i]);
	assert_string_equal(pass(), "first:turn second:turn ");
	fake_failures(rig.d.dp, seen.server->id, 5);
	fake_ask_kill(rig.d.dp, seen.server->id);
	assert_string_equal(pass(), "first:outcome first:outcome first:outcome first:outcome "
				    "first:transition first:outcome second:kill "
				    "first:turn second:turn ");
	assert_int_equal(seen.seq, 1);
	fake_fail(rig.d.dp, FAKE_RING_READ, 1, 1, EIO);
	emit(SIGNAL_RESET, NULL);
	assert_string_equal(pass(), "first:reset second:reset first:turn second:turn ");
	assert_int_equal(fake_log_said("the event ring cannot be read"), 1);
	/* the loop calls as soon as there is something */
	seen.trail[0] = '\0';
	fake_ask_kill(rig.d.dp, seen.server->id);
	rig_turn(&rig);
	assert_string_equal(seen.trail, "second:kill first:turn second:turn ");
}

/* Its record was lost: it is made up for, once, and the loss is told. */
static void test_lost(void **state)
{
	(void)state;
	rig.d.dp->ring_full = true;
	fake_failures(rig.d.dp, seen.server->id, 5);
	assert_string_equal(pass(), "first:transition first:turn second:turn second:publish ");
	assert_int_equal(seen.published.type, EVENT_LOSS);
	assert_int_equal(seen.published.count, 6);
	assert_int_equal(seen.seq, 1);
	assert_string_equal(pass(), "first:turn second:turn ");
	/* others are lost: this one is not told again */
	fake_order(rig.d.dp, rig_server(&rig, "two")->id, SG_FORCED_OPEN, SG_FOREVER);
	assert_string_equal(pass(), "first:transition first:turn second:turn second:publish ");
	assert_int_equal(seen.published.count, 1);
}

/* A loss is seen, and then the record that overtook the transition comes after all. */
static void test_lost_and_found(void **state)
{
	struct dataplane *dp = rig.d.dp;
	struct sg_event late = { .type = SG_EV_TRANSITION, .server = seen.server->id };

	(void)state;
	dp->ring_full = true;
	fake_order(dp, seen.server->id, SG_FORCED_OPEN, SG_FOREVER);
	late.move = dp->servers[seen.server->id].kernel.breaker.last;
	pass();
	assert_int_equal(seen.seq, 1);
	dp->ring_full = false;
	fake_push(dp, &late);
	assert_string_equal(pass(), "first:turn second:turn ");
	/* the next one is a new one */
	fake_order(dp, seen.server->id, SG_FORCED_CLOSED, SG_FOREVER);
	assert_string_equal(pass(), "first:transition first:turn second:turn ");
	assert_int_equal(seen.seq, 2);
	/* told by the ring, then a loss: it is not made up for */
	dp->lost++;
	assert_string_equal(pass(), "first:turn second:turn second:publish ");
}

/* Lost in the same pass in which another one came: only the latest is made up for. */
static void test_lost_between(void **state)
{
	struct dataplane *dp = rig.d.dp;

	(void)state;
	fake_order(dp, seen.server->id, SG_FORCED_OPEN, SG_FOREVER);
	dp->ring_full = true;
	fake_order(dp, seen.server->id, SG_FORCED_CLOSED, SG_FOREVER);
	fake_order(dp, seen.server->id, SG_DISABLED, SG_FOREVER);
	seen.late = true;
	assert_string_equal(pass(), "first:transition first:transition first:turn second:turn "
				    "second:publish ");
	assert_int_equal(seen.seq, 3);
}

/* --- without memory -------------------------------------------------------------------- */

static void test_signal_without_memory(void **state)
{
	(void)state;
	rig_end(&rig);
	rig_start(&rig, ONE);
	seen.bus = rig.d.bus;
	for (int i = 0; i < 64; i++)
		emit(SIGNAL_SUPPRESSED, NULL);
	fake_alloc_fail(1, true);
	emit(SIGNAL_RESET, NULL);
	emit(SIGNAL_RESET, NULL);
	assert_true(fake_alloc_failed());
	assert_int_equal(fake_log_said("no memory for a signal"), 1);
	assert_string_equal(pass(), "first:turn second:turn ");
	emit(SIGNAL_RESET, NULL);
	assert_string_equal(pass(), "first:reset second:reset first:turn second:turn ");
}

/* An event for which there is no room goes out at once, and still not before the disk. */
static void test_event_without_memory(void **state)
{
	(void)state;
	rig_end(&rig);
	rig_start(&rig, ONE);
	seen.trail[0] = '\0';
	bus_dirty(rig.d.bus);
	fake_alloc_fail(1, true);
	bus_alarm(rig.d.bus, "", "now");
	assert_true(fake_alloc_failed());
	assert_string_equal(seen.trail, "first:commit second:commit second:publish ");
	assert_string_equal(seen.published.text, "now");
}

static void test_serials(void **state)
{
	uint64_t first = bus_serial(rig.d.bus);
	struct event call;

	(void)state;
	assert_int_equal((first + 1) % EVENT_RUN, 0);
	assert_true(first >= clock_wall_ns() / 1000);
	bus_alarm(rig.d.bus, "", "one");
	assert_int_equal(bus_serial(rig.d.bus), first);
	bus_pass(rig.d.bus);
	assert_int_equal(seen.published.serial, first + 1);
	assert_int_equal(bus_serial(rig.d.bus), first + 1);
	event_init(&call, EVENT_CALL);
	bus_report(rig.d.bus, &call);
	bus_pass(rig.d.bus);
	assert_int_equal(seen.published.serial, 0);
	bus_serial_above(rig.d.bus, first); /* it is */
	bus_alarm(rig.d.bus, "", "two");
	bus_pass(rig.d.bus);
	assert_int_equal(seen.published.serial, first + 2);
	bus_serial_above(rig.d.bus, first + 2 + EVENT_RUN);
	bus_alarm(rig.d.bus, "", "three");
	bus_pass(rig.d.bus);
	assert_int_equal(seen.published.serial, first + 1 + 2 * EVENT_RUN);
}

static void test_modules_max(void **state)
{
	const struct module *many[MODULES_MAX + 1];
	struct modules *ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = &first_module;
	assert_int_equal(modules_new(many, MODULES_MAX + 1, &rig.d, &ms), -E2BIG);
	assert_int_equal(modules_new(many, MODULES_MAX, &rig.d, &ms), 0);
	modules_free(ms);
	modules_free(NULL);
	bus_free(NULL);
	for (size_t n = 1;; n++) {
		fake_alloc_fail(n, false);
		if (!modules_new(modules, 2, &rig.d, &ms))
			break;
		assert_true(fake_alloc_failed());
	}
	assert_false(fake_alloc_failed());
	modules_free(ms);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_emitted_meanwhile),
		TEST(test_turns_without_end),
		TEST(test_written_once),
		TEST(test_write_that_fails),
		TEST(test_commit_before_publish),
		TEST(test_commit_that_fails),
		TEST(test_not_inside_itself),
		TEST(test_forget),
		TEST(test_ring),
		TEST(test_lost),
		TEST(test_lost_and_found),
		TEST(test_lost_between),
		TEST(test_signal_without_memory),
		TEST(test_event_without_memory),
		TEST(test_serials),
		TEST(test_modules_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
