/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who is denied is told: by whom, where to, one in a while; and all are counted. */
#include "bpf/flows.h"

#include <arpa/inet.h>
#include <unistd.h>

static void rest(void)
{
	const __u64 never = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(dp->skel->maps.denied_at),
					     &(__u32){ RIG_SERVER }, &never, BPF_ANY),
			 0);
}

/* What was told since the last look: one denial, or none (NULL). */
static const struct sg_event *told(void)
{
	const struct sg_event *found = NULL;

	events.n = 0;
	rig_read(dp, &events);
	for (size_t i = 0; i < events.n; i++) {
		if (events.e[i].type != SG_EV_DENIAL)
			continue;
		assert_null(found);
		found = &events.e[i];
	}
	return found;
}

static void is_ours(const struct sg_event *e)
{
	char comm[SG_COMM_LEN] = "";
	FILE *f = fopen("/proc/self/comm", "re");

	assert_non_null(f);
	assert_non_null(fgets(comm, sizeof(comm), f));
	fclose(f);
	comm[strcspn(comm, "\n")] = '\0';
	assert_non_null(e);
	assert_int_equal(e->server, RIG_SERVER);
	assert_int_equal(e->pid, getpid());
	assert_string_equal(e->comm, comm);
	assert_true(e->cgroup);
}

static void test_connects(void **state)
{
	static const char *const to[TALK_NAME_COUNT] = { "::ffff:127.0.0.1", "::1",
							 "::ffff:127.0.0.1" };
	struct sg_policy policy = rig_policy();
	struct in6_addr want;

	(void)state;
	fresh(&policy);
	order_open(SG_FOREVER);
	for (int name = 0; name < TALK_NAME_COUNT; name++) {
		const struct sg_event *e;

		rest();
		talk.name = (enum talk_name)name;
		assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
		e = told();
		is_ours(e);
		assert_int_equal(ntohs(e->port), talk.port);
		assert_int_equal(inet_pton(AF_INET6, to[name], &want), 1);
		assert_memory_equal(e->addr, &want, sizeof(want));
	}
	talk.name = TALK_V4;
}

static void test_one_in_a_while(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(&policy);
	rest();
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
	is_ours(told());
	for (int i = 0; i < 5; i++)
		assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
	assert_null(told());
	assert_int_equal(rig_stats(dp).denied, 6);
	rest(); /* the time is over */
	assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
	is_ours(told());
}

static void test_what_is_let_through_is_not_told(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(&policy);
	rest();
	assert_int_equal(talk_dial(&talk), 0);
	assert_null(told());
	rig_server(dp, &policy, NS_PER_SEC); /* observed alone */
	dp->cfg->observe = 1;
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	talk_end(&talk);
	assert_int_equal(talk_dial(&talk), 0);
	dp->cfg->observe = 0;
	assert_int_equal(rig_stats(dp).would_deny, 1);
	assert_null(told());
}

/* On a connection that is open it is its record that says whose it is. */
static void test_open_connections(void **state)
{
	struct sg_policy policy = rig_policy();
	const struct sg_event *e;

	(void)state;
	fresh(&policy);
	rest();
	assert_int_equal(talk_dial(&talk), 0);
	order_open(SG_FOREVER);
	rig_drain(dp);
	assert_true(send(talk.client, POST, sizeof(POST) - 1, MSG_NOSIGNAL) > 0);
	assert_false(talk_heard(&talk));
	e = told();
	is_ours(e);
	assert_int_equal(ntohs(e->port), talk.port);
	assert_int_equal(e->cookie, rig_cookie(talk.client));
	assert_int_equal(rig_stats(dp).denied, 1);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects),
		cmocka_unit_test(test_one_in_a_while),
		cmocka_unit_test(test_what_is_let_through_is_not_told),
		cmocka_unit_test(test_open_connections),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
