/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The self-test on the real loopback, and without a kernel that enforces: what the data plane
 * does is played here. How it is with a real one, and in a child, is in tests/bpf/test_canary.c.
 */
#include "dataplane/canary.c"

#include "unit/unit.h"

/* --- what the data plane does ------------------------------------------------------- */

static struct {
	struct canary *canary;
	bool inside;          /* the daemon is in the cgroup */
	int quarantine_error; /* of SG_TARGET */
	bool stops_requests;  /* the quarantine does, and answers, too */
	bool reports_kill;    /* kill_server() says that it killed */
	bool kills;           /* and did */
	size_t links_gone;
	int real;          /* the server's end, where the quarantine stops packets */
	int nobody;        /* whom the daemon talks to then */
	uint64_t until_ns; /* of the quarantine */
	int can_kill;      /* -1: not told */
	bool observe;
	bool bypass;
} plane;

int dataplane_server_set(struct dataplane *dp, uint32_t id, const char *name, uint32_t flags,
			 uint32_t group, const struct sg_policy *policy, uint64_t next_open_ns,
			 bool may_trip)
{
	(void)dp;
	(void)flags;
	(void)group;
	(void)policy;
	(void)next_open_ns;
	(void)may_trip;
	assert_string_equal(name, id == SG_CANARY ? "(canary)" : "(target)");
	return 0;
}

int dataplane_endpoints_set(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n)
{
	(void)dp;
	(void)id;
	assert_int_equal(n, 1);
	assert_int_equal(addrs->bytes[12], 127);
	assert_int_not_equal(ports[0], 0);
	return 0;
}

int dataplane_command(struct dataplane *dp, struct sg_command *cmd)
{
	(void)dp;
	assert_int_equal(cmd->server, SG_CANARY);
	assert_int_equal(cmd->state, SG_FORCED_OPEN);
	return 0;
}

/* Packets that are dropped: the daemon talks to nobody instead. */
static void stop_packets(struct canary *c)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	plane.real = c->served;
	plane.nobody = pair[1];
	c->served = pair[0];
}

int dataplane_quarantine_set(struct dataplane *dp, uint32_t id, uint64_t until_ns)
{
	(void)dp;
	if (id != SG_TARGET)
		return 0;
	if (until_ns && plane.quarantine_error)
		return plane.quarantine_error;
	plane.until_ns = until_ns;
	if (until_ns && plane.stops_requests)
		stop_packets(plane.canary);
	return 0;
}

static void reset(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

bool dataplane_observes(const struct dataplane *dp)
{
	(void)dp;
	return plane.observe;
}

bool dataplane_lets_pass(const struct dataplane *dp)
{
	return dataplane_observes(dp) || plane.bypass;
}

int kill_server(struct dataplane *dp, uint32_t server, enum kill_scope scope,
		struct kill_result *ret)
{
	(void)dp;
	assert_int_equal(scope, KILL_RECORDED);
	assert_int_equal(server, SG_TARGET);
	ret->killed = plane.reports_kill;
	if (!plane.kills)
		return 0;
	if (plane.real < 0) {
		reset(plane.canary->served); /* which is closed next */
		return 0;
	}
	reset(plane.real);
	close(plane.real);
	plane.real = -1;
	return 0;
}

void dataplane_can_kill(struct dataplane *dp, bool can)
{
	(void)dp;
	plane.can_kill = can;
}

size_t dataplane_check(struct dataplane *dp)
{
	(void)dp;
	return plane.links_gone;
}

int cgroup_contains(const char *path, pid_t pid, bool *ret)
{
	(void)path;
	(void)pid;
	*ret = plane.inside;
	return 0;
}

/* --- helpers ------------------------------------------------------------------------------ */

static int setup(void **state)
{
	(void)state;
	memset(&plane, 0, sizeof(plane));
	plane.inside = plane.stops_requests = plane.reports_kill = plane.kills = true;
	plane.real = plane.nobody = -1;
	plane.can_kill = -1;
	return 0;
}

static void make(const char *cgroup, bool observe)
{
	plane.observe = observe;
	assert_int_equal(canary_new(NULL, cgroup, &plane.canary), 0);
}

/* No listener: as good as denied. */
static void refuse(void)
{
	assert_int_equal(shutdown(plane.canary->listeners[POINT_CANARY], SHUT_RDWR), 0);
}

static void forget(void)
{
	closep(&plane.real);
	closep(&plane.nobody);
	plane.real = plane.nobody = -1;
}

static int teardown(void **state)
{
	(void)state;
	canary_free(plane.canary);
	forget();
	return 0;
}

static const struct canary_result *test_once(void)
{
	struct canary_outcome outcome = { 0 };

	forget();
	canary_begin(plane.canary);
	assert_int_equal(canary_order_run(&plane.canary, &outcome, sizeof(outcome)), 0);
	return canary_end(plane.canary, 0, &outcome);
}

static void assert_found(const struct canary_result *result, enum canary_found found)
{
	assert_non_null(result);
	assert_int_equal(result->found, found);
	assert_int_equal(result->ok, found == CANARY_OK);
	assert_string_equal(result->text, findings[found]);
	assert_true(plane.canary->served < 0);
	assert_int_equal(plane.canary->below[0], 0);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void all_is_well(void **state)
{
	(void)state;
	make("/", false);
	refuse();
	for (int i = 0; i < 3; i++) {
		const struct canary_result *result = test_once();

		assert_found(result, CANARY_OK);
		assert_int_equal(result->links_gone, 0);
		assert_true(result->elapsed_ns > 0 && result->elapsed_ns < CANARY_RUN_NS);
		assert_int_equal(plane.can_kill, true);
		assert_true(plane.until_ns == 0);
	}
}

static void a_canary_that_is_not_refused(void **state)
{
	(void)state;
	make("/", false);
	assert_found(test_once(), CANARY_CONNECTED);
	assert_int_equal(plane.can_kill, -1);
}

static void observing_nothing_is_refused(void **state)
{
	const struct canary_result *result;

	(void)state;
	make("/", true);
	result = test_once();
	assert_int_equal(result->found, CANARY_CONNECTED);
	assert_true(result->ok);
	assert_string_equal(result->text, "observe mode: nothing is refused");
	refuse();
	assert_found(test_once(), CANARY_OK);
	assert_int_equal(plane.can_kill, -1);
}

static void in_a_bypass_nothing_is_refused(void **state)
{
	const struct canary_result *result;

	(void)state;
	make("/", false);
	plane.bypass = true;
	result = test_once();
	assert_int_equal(result->found, CANARY_CONNECTED);
	assert_true(result->ok);
	assert_string_equal(result->text, "bypass: nothing is refused");
	plane.bypass = false;
	assert_found(test_once(), CANARY_CONNECTED);
}

static void control_that_is_not_reached(void **state)
{
	(void)state;
	make("/", false);
	refuse();
	assert_int_equal(shutdown(plane.canary->listeners[POINT_TARGET], SHUT_RDWR), 0);
	assert_found(test_once(), CANARY_CONTROL);
	assert_int_equal(shutdown(plane.canary->listeners[POINT_CONTROL], SHUT_RDWR), 0);
	assert_found(test_once(), CANARY_CONTROL);
}

static void what_passes_in_quarantine_is_seen(void **state)
{
	(void)state;
	plane.stops_requests = false;
	make("/", false);
	refuse();
	assert_found(test_once(), CANARY_REQUEST);
	assert_int_equal(plane.can_kill, true);
}

static void a_connection_that_is_not_killed(void **state)
{
	(void)state;
	plane.reports_kill = plane.kills = false;
	make("/", false);
	refuse();
	assert_found(test_once(), CANARY_ALIVE);
	assert_int_equal(plane.can_kill, false);
	/* it says so, and the child sees that it lives */
	plane.reports_kill = true;
	plane.can_kill = -1;
	assert_found(test_once(), CANARY_ALIVE);
	assert_int_equal(plane.can_kill, false);
}

static void quarantine_that_cannot_be_set(void **state)
{
	(void)state;
	plane.quarantine_error = -ENOSPC;
	make("/", false);
	refuse();
	assert_found(test_once(), CANARY_NO_QUARANTINE);
	assert_int_equal(plane.can_kill, -1);
	plane.quarantine_error = 0;
	assert_found(test_once(), CANARY_OK);
}

static void links_that_are_gone_are_told(void **state)
{
	const struct canary_result *result;

	(void)state;
	make("/", false);
	plane.links_gone = 2;
	result = test_once();
	assert_int_equal(result->found, CANARY_CONNECTED);
	assert_false(result->ok);
	assert_int_equal(result->links_gone, 2);
	assert_non_null(strstr(result->text, "cgroup tree\"; 2 links were detached by somebody"));
	refuse();
	plane.links_gone = 1;
	result = test_once();
	assert_int_equal(result->found, CANARY_OK);
	assert_false(result->ok);
	assert_string_equal(result->text, "1 link was detached by somebody; restart switchgeard");
}

/* The test went as it likes, and nobody heard of it: what it left is gone all the same. */
static void a_child_that_tells_nothing(void **state)
{
	static const struct {
		int r;
		enum canary_found found;
	} rows[] = {
		{ -ETIMEDOUT, CANARY_OTHER_ERRNO },
		{ -EOWNERDEAD, CANARY_OTHER_ERRNO },
		{ -EAGAIN, CANARY_NOTHING },
	};
	struct canary_outcome unheard;

	(void)state;
	make("/", false);
	refuse();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		forget();
		canary_begin(plane.canary);
		assert_int_equal(canary_order_run(&plane.canary, &unheard, sizeof(unheard)), 0);
		assert_true(plane.until_ns == SG_FOREVER);
		assert_found(canary_end(plane.canary, rows[i].r, NULL), rows[i].found);
		assert_true(plane.until_ns == 0);
		assert_int_equal(plane.can_kill, -1);
	}
	assert_int_equal(canary_order_run(&plane.canary, &unheard, 1), -EINVAL);
	assert_found(test_once(), CANARY_OK);
}

static void a_test_that_runs_is_ended_by_free(void **state)
{
	char dir[] = "/tmp/sg-test-canary-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	plane.inside = false;
	make(dir, false);
	canary_begin(plane.canary);
	plane.until_ns = SG_FOREVER;
	canary_free(TAKE_PTR(plane.canary));
	assert_true(plane.until_ns == 0);
	assert_int_equal(rmdir(dir), 0);
	canary_free(NULL);
}

static void below_a_cgroup_that_takes_no_processes(void **state)
{
	char dir[] = "/tmp/sg-test-canary-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	plane.inside = false;
	make(dir, false);
	/* there is no cgroup.procs in what is made there; and it is removed */
	assert_found(test_once(), CANARY_NO_CGROUP);
	assert_int_equal(rmdir(dir), 0);
	/* nor can it be made */
	assert_found(test_once(), CANARY_NO_CGROUP);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_is_well),
		TEST(a_canary_that_is_not_refused),
		TEST(observing_nothing_is_refused),
		TEST(in_a_bypass_nothing_is_refused),
		TEST(control_that_is_not_reached),
		TEST(what_passes_in_quarantine_is_seen),
		TEST(a_connection_that_is_not_killed),
		TEST(quarantine_that_cannot_be_set),
		TEST(links_that_are_gone_are_told),
		TEST(a_child_that_tells_nothing),
		TEST(a_test_that_runs_is_ended_by_free),
		TEST(below_a_cgroup_that_takes_no_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
