/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of flows: that they are of the socket they say they are of, that they go
 * when it goes, and what holds when there is none. Each trap here was met.
 */
#include "bpf/flows.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "dataplane/sockdiag.h"

/* --- whose record it is ------------------------------------------------------------- */

static void test_a_record_says_whose_it_is(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_flow f;
	uint64_t home;

	(void)state;
	assert_int_equal(dataplane_cookie_here(dp, &home), 0);
	for (enum talk_name name = TALK_V4; name < TALK_NAME_COUNT; name++) {
		fresh(&policy);
		talk.name = name;
		assert_int_equal(talk_dial(&talk), 0);
		assert_true(record(rig_cookie(talk.client), &f));
		assert_int_equal(f.cookie, rig_cookie(talk.client));
		assert_int_equal(f.netns, home);
		assert_int_equal(f.server, RIG_SERVER);
		assert_int_equal(f.proto, IPPROTO_TCP);
		assert_int_equal(f.family, name == TALK_V4 ? AF_INET : AF_INET6);
		assert_int_equal(ntohs(f.remote_port), talk.port);
		assert_int_equal(f.ifindex, 0);
		assert_true(f.flags & SG_FLOW_TUPLE && f.flags & SG_FLOW_OPENED);
		assert_false(record(rig_cookie(talk.server), &f));
	}
}

/*
 * A deleted element may be another socket's while a program still points to it: what
 * is then in the record is not reported, whatever the packets of this socket say.
 */
static void test_a_reused_element_is_nobody_elses(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_flow f;
	uint64_t cookie;

	(void)state;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	cookie = rig_cookie(talk.client);
	assert_true(record(cookie, &f));
	f.cookie = STRANGER;
	record_write(cookie, &f);
	talk_ask(&talk, POST);
	talk_say(&talk, BUSY);
	assert_int_equal(count(SG_EV_OUTCOME), 0);
	assert_int_equal(rig_stats(dp).hard, 0);
	assert_true(record(cookie, &f));
	assert_int_equal(f.flags & (SG_FLOW_SEEN_TX | SG_FLOW_COUNTED), SG_FLOW_COUNTED & f.flags);
	assert_int_equal(f.flags & SG_FLOW_SEEN_TX, 0);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(rig_kill(dp), 0); /* no record says that it is this socket's */
	talk_end(&talk);
	assert_true(record(cookie, &f));
	assert_int_equal(f.flags & SG_FLOW_DEAD, 0);
	assert_int_equal(bpf_map_delete_elem(flows(), &cookie), 0);
}

static void test_a_sweep_rules_on_what_it_saw(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_flow f;

	(void)state;
	policy.timeout_ns = NS_PER_MS;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, POST);
	usleep(2000);
	assert_true(record(rig_cookie(talk.client), &f));
	assert_int_equal(walk(SG_WALK_SWEEP, f.cookie, f.serial - 1), 0); /* that turn is over */
	assert_int_equal(count(SG_EV_OUTCOME), 0);
	assert_int_equal(walk(SG_WALK_SWEEP, STRANGER, f.serial), 0);
	assert_int_equal(sweep().ended, 1);
	assert_int_equal(count(SG_EV_OUTCOME), 1);
	sweep();
	assert_int_equal(count(SG_EV_OUTCOME), 1);
}

static void test_bad_commands_are_refused(void **state)
{
	struct sg_walk_command cmd = { .magic = SG_WALK_MAGIC, .op = SG_WALK_SWEEP, .n = 1 };
	struct sg_walk_command out;

	(void)state;
	assert_int_equal(walk_run(&cmd, &out, sizeof(cmd)), 0);
	assert_int_equal(walk_run(&cmd, &out, sizeof(cmd) - 1), EINVAL);
	cmd.n = SG_WALK_MAX + 1;
	assert_int_equal(walk_run(&cmd, &out, sizeof(cmd)), EINVAL);
	cmd.n = 1;
	cmd.op = SG_WALK_COUNT;
	assert_int_equal(walk_run(&cmd, &out, sizeof(cmd)), EINVAL);
	cmd.op = 0;
	assert_int_equal(walk_run(&cmd, &out, sizeof(cmd)), EINVAL);
	cmd.op = SG_WALK_BURY;
	cmd.magic++;
	assert_int_equal(walk_run(&cmd, &out, sizeof(cmd)), EINVAL);
}

/* --- their names ---------------------------------------------------------------------- */

static void test_destroying_takes_cookie_and_interface(void **state)
{
	struct sg_policy policy = rig_policy();
	struct dataplane_targets found;
	struct sg_kill_target v;
	int fd;

	(void)state;
	fresh(&policy);
	assert_int_equal(sockdiag_open(&fd), 0);
	talk.device = "lo";
	assert_int_equal(talk_dial(&talk), 0);
	talk.device = NULL;
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(dataplane_find(dp, RIG_SERVER, &found), 0);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.v[0].ifindex, if_nametoindex("lo"));
	v = found.v[0];
	v.ifindex = 0;
	assert_int_equal(sockdiag_destroy(fd, &v), -ENOENT);
	v = found.v[0];
	v.cookie++; /* somebody else has the addresses by now */
	assert_int_equal(sockdiag_destroy(fd, &v), -ENOENT);
	assert_int_equal(sockdiag_destroy(fd, &found.v[0]), 0);
	assert_int_equal(talk_error(talk.client), ECONNABORTED);
	dataplane_targets_done(&found);
	close(fd);
}

/* Bound to a device after it was connected: the name in the record is not right any more. */
static void test_a_socket_that_changed_its_name_is_found_by_its_cookie(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(setsockopt(talk.client, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(rig_kill(dp), 1);
	assert_int_equal(talk_error(talk.client), ECONNABORTED);
}

/* The only socket that must die, by its record. */
static struct sg_kill_target target(void)
{
	struct dataplane_targets found;
	struct sg_kill_target v;

	assert_int_equal(dataplane_find(dp, RIG_SERVER, &found), 0);
	assert_int_equal(found.n, 1);
	v = found.v[0];
	dataplane_targets_done(&found);
	return v;
}

static int udp(uint16_t port);

static void test_a_socket_is_asked_for_by_its_name(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_kill_target v;
	int fd;

	(void)state;
	assert_int_equal(sockdiag_open(&fd), 0);
	for (int datagram = 0; datagram < 2; datagram++) {
		fresh(&policy);
		if (datagram) {
			talk.client = udp(talk.port);
			assert_int_equal(send(talk.client, "x", 1, 0), 1);
		} else {
			assert_int_equal(talk_dial(&talk), 0);
		}
		assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
		v = target();
		assert_int_equal(sockdiag_exists(fd, &v), 0);
		v.cookie++;
		assert_int_equal(sockdiag_exists(fd, &v), -ENOENT);
		v.cookie--;
		talk_reset(TAKE_FD(talk.client));
		assert_int_equal(sockdiag_exists(fd, &v), -ENOENT);
	}
	close(fd);
}

/* Records of sockets that are no more go, those of sockets that are at rest stay. */
static void test_lost_records_are_asked_for(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_flow f;
	uint64_t cookie;
	size_t lost = 0;
	struct kill_search look = { dp, 3600 * NS_PER_SEC };
	int fd;

	(void)state;
	fresh(&policy);
	fd = udp(talk.port);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_true(record(rig_cookie(fd), &f));
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0); /* renamed */
	cookie = STRANGER;
	f.cookie = cookie;
	record_write(cookie, &f);
	assert_int_equal(kill_forget_lost(&look, &lost, sizeof(lost)), 0);
	assert_int_equal(lost, 0); /* not at rest for so long */
	look.idle_ns = 0;
	assert_int_equal(kill_forget_lost(&look, &lost, sizeof(lost)), 0);
	assert_int_equal(lost, 1);
	assert_true(record(cookie, &f));
	assert_true(f.flags & SG_FLOW_DEAD);
	assert_true(record(rig_cookie(fd), &f));
	assert_int_equal(f.flags & SG_FLOW_DEAD, 0);
	close(fd);
}

/* --- datagram sockets ------------------------------------------------------------------- */

static int udp(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* They have no states that tell of their end: it is the kill itself, or their release. */
static void test_datagram_sockets_end(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sockaddr_in none = { .sin_family = AF_UNSPEC };
	struct sg_flow f;
	uint64_t cookie;
	char byte;

	(void)state;
	for (int used = 0; used < 2; used++) {
		int fd;

		fresh(&policy);
		fd = udp(talk.port);
		cookie = rig_cookie(fd);
		if (used) /* nobody listens there: what comes back is an error of the socket */
			assert_int_equal(send(fd, "x", 1, 0), 1);
		recv(fd, &byte, 1, 0);
		assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
		assert_int_equal(rig_kill(dp), 1);
		assert_int_equal(recv(fd, &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNABORTED);
		assert_true(record(cookie, &f));
		assert_true(f.flags & SG_FLOW_DEAD);
		close(fd);
	}
	fresh(&policy);
	talk.client = udp(talk.port);
	cookie = rig_cookie(talk.client);
	assert_int_equal(connect(talk.client, (struct sockaddr *)&none, sizeof(none)), 0);
	assert_true(record(cookie, &f));
	talk_end(&talk);
	assert_true(record(cookie, &f));
	assert_true(f.flags & SG_FLOW_DEAD);
}

/* The verdict is on the packet: where it goes to, not where its socket was connected to. */
static void test_datagrams_are_judged_one_by_one(void **state)
{
	struct sockaddr_in elsewhere = { .sin_family = AF_INET,
					 .sin_port = htons(9),
					 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sg_policy policy = rig_policy();
	uint64_t end;
	int fd;

	(void)state;
	fresh(&policy);
	fd = udp(talk.port);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	send(fd, "x", 1, 0); /* takes the error that came back */
	order_open(clock_boot_ns() + 100 * NS_PER_MS);
	end = clock_boot_ns() + 100 * NS_PER_MS;
	assert_int_equal(send(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(rig_stats(dp).denied, 1);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&elsewhere, sizeof(elsewhere)),
			 1);
	send(fd, "x", 1, 0); /* as above */
	/* and the deadline passes, though nobody but datagrams could bring it up */
	dataplane_lease(dp, 0);
	while (clock_boot_ns() < end)
		usleep(5000);
	assert_int_equal(state_now(), SG_FORCED_OPEN);
	send(fd, "x", 1, 0);
	assert_int_equal(state_now(), SG_HALF_OPEN);
	close(fd);
}

/* --- life and death ---------------------------------------------------------------------- */

static void age(uint64_t cookie, uint64_t dead_ns)
{
	struct sg_flow f;

	assert_true(record(cookie, &f));
	assert_true(f.flags & SG_FLOW_DEAD);
	f.dead_ns = dead_ns;
	record_write(cookie, &f);
}

static void test_the_dead_stay_for_a_while(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_flow f;
	uint64_t cookie;

	(void)state;
	sweep();
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	cookie = rig_cookie(talk.client);
	talk_reset(TAKE_FD(talk.client));
	talk_end(&talk);
	assert_true(record(cookie, &f));
	assert_true(f.flags & SG_FLOW_DEAD);
	assert_true(dataplane_sweep_due(dp) <= clock_boot_ns() + SG_GRACE_NS);
	sweep();
	assert_int_equal(walk(SG_WALK_BURY, cookie, 0), 0); /* not yet */
	assert_true(record(cookie, &f));
	age(cookie, clock_boot_ns() - SG_GRACE_NS);
	assert_true(sweep().buried >= 1);
	assert_false(record(cookie, &f));
}

/* One socket, connected again after its record died: it must not lose the new one. */
static void test_who_comes_back_is_not_buried(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sockaddr_storage to;
	struct sg_flow f;
	uint64_t cookie;
	socklen_t len;
	uint16_t port = talk.port;

	(void)state;
	fresh(&policy);
	talk.port = 1; /* nobody is there */
	rig_endpoint(dp, "127.0.0.1", 1);
	talk.client = talk_socket(&talk, &to, &len);
	cookie = rig_cookie(talk.client);
	assert_int_equal(connect(talk.client, (struct sockaddr *)&to, len), -1);
	age(cookie, clock_boot_ns() - SG_GRACE_NS);
	((struct sockaddr_in *)&to)->sin_port = htons(port);
	talk.port = port;
	rig_endpoint(dp, "127.0.0.1", port);
	assert_int_equal(connect(talk.client, (struct sockaddr *)&to, len), 0);
	assert_int_equal(walk(SG_WALK_BURY, cookie, 0), 0);
	assert_int_equal(sweep().flows, 1);
	assert_true(record(cookie, &f));
	assert_int_equal(f.flags & SG_FLOW_DEAD, 0);
	assert_int_equal(rig_stats(dp).connects, 2);
	close(accept(talk.listener, NULL, NULL));
}

/* A record that is on its way out is no record. */
static void test_a_connect_makes_do_without_one_that_goes(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sockaddr_storage to;
	struct sg_flow f;
	uint64_t cookie;
	socklen_t len;

	(void)state;
	fresh(&policy);
	talk.client = talk_socket(&talk, &to, &len);
	cookie = rig_cookie(talk.client);
	assert_int_equal(connect(talk.client, (struct sockaddr *)&to, len), 0);
	assert_int_equal(shutdown(talk.client, SHUT_RDWR), 0);
	close(accept(talk.listener, NULL, NULL));
	assert_int_equal(connect(talk.client, &(struct sockaddr){ .sa_family = AF_UNSPEC },
				 sizeof(struct sockaddr)),
			 0);
	assert_true(record(cookie, &f));
	f.flags |= SG_FLOW_DEAD | SG_FLOW_GONE;
	record_write(cookie, &f);
	assert_int_equal(connect(talk.client, (struct sockaddr *)&to, len), 0);
	assert_int_equal(rig_stats(dp).connects, 1);
	assert_int_equal(rig_stats(dp).unrecorded, 1);
	close(accept(talk.listener, NULL, NULL));
	bpf_map_delete_elem(flows(), &cookie);
}

static void test_without_a_daemon_the_dead_go_at_once(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_flow f;
	uint64_t cookie;

	(void)state;
	fresh(&policy);
	dataplane_lease(dp, 0);
	assert_int_equal(talk_dial(&talk), 0);
	cookie = rig_cookie(talk.client);
	assert_true(record(cookie, &f));
	talk_reset(TAKE_FD(talk.client));
	assert_false(record(cookie, &f));
}

/* What a server leaves that is configured no more: nobody judges it, and it goes like others. */
static void test_flows_of_forgotten_servers_end(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_flow f;
	uint64_t cookies[2];
	int fd;

	(void)state;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	fd = udp(talk.port);
	cookies[0] = rig_cookie(talk.client);
	cookies[1] = rig_cookie(fd);
	rig_command(dp, (struct sg_command){ .op = SG_CMD_FORGET });
	talk_ask(&talk, POST);
	talk_say(&talk, BUSY);
	sweep();
	talk_reset(TAKE_FD(talk.client));
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(cookies); i++) {
		assert_true(record(cookies[i], &f));
		assert_true(f.flags & SG_FLOW_DEAD);
	}
	assert_int_equal(count(SG_EV_OUTCOME), 0);
}

/* An agent that hammers at a closed door. */
static void test_who_is_refused_gets_no_record(void **state)
{
	struct sg_policy policy = rig_policy();
	uint32_t before;

	(void)state;
	fresh(&policy);
	order_open(SG_FOREVER);
	before = records();
	for (int i = 0; i < 100; i++)
		assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
	assert_int_equal(rig_stats(dp).denied, 100);
	assert_true(records() <= before);
}

/* --- a full table ----------------------------------------------------------------------- */

static void flows_fill(bool full)
{
	static const struct sg_flow nothing;

	for (uint64_t i = 0; i < SG_FLOWS_MAX; i++) {
		uint64_t cookie = STRANGER + i;

		if (full ? bpf_map_update_elem(flows(), &cookie, &nothing, BPF_ANY)
			 : bpf_map_delete_elem(flows(), &cookie))
			break;
	}
}

static void test_a_full_table_is_no_way_around(void **state)
{
	struct kill_result result = { 0 };
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(&policy);
	flows_fill(true);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(rig_stats(dp).unrecorded, 1);
	assert_int_equal(rig_stats(dp).connects, 0);
	talk_ask(&talk, POST);
	talk_say(&talk, OK);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(send(talk.server, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(send(talk.client, "x", 1, MSG_NOSIGNAL), 1);
	assert_false(talk_heard(&talk));
	assert_int_equal(recv(talk.client, &(char){ 0 }, 1, MSG_DONTWAIT), -1);
	assert_true(rig_stats(dp).dropped_packets >= 2);
	assert_int_equal(kill_server(dp, RIG_SERVER, KILL_DENIED, &result), 0);
	assert_int_equal(result.killed, 1);
	assert_int_equal(result.survivors, 0);
	assert_int_equal(talk_error(talk.client), ECONNABORTED);
	talk_end(&talk);
	assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
	order_open(SG_FOREVER);
	assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
	flows_fill(false);
}

/* What a loop may wait for is done, and what is left is said and left to a child. */
static void test_a_quick_kill_says_what_it_leaves(void **state)
{
	struct kill_order order = { dp, RIG_SERVER, KILL_DENIED };
	struct sg_policy policy = rig_policy();
	struct kill_outcome outcome = { 0 };
	struct kill_result result = { 0 };
	uint64_t now = clock_boot_ns();
	bool left = true;

	(void)state;
	fresh(&policy);
	kill_forget_server(dp, RIG_SERVER);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(kill_soon(dp, RIG_SERVER, KILL_DENIED, now, &result, &left), 0);
	assert_int_equal(result.killed, 1);
	assert_int_equal(result.survivors, 0);
	assert_false(left);
	assert_int_equal(talk_error(talk.client), ECONNABORTED);
	talk_end(&talk);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);

	flows_fill(true);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(kill_unrecorded(dp, RIG_SERVER), 1);
	memset(&result, 0, sizeof(result));
	assert_int_equal(kill_soon(dp, RIG_SERVER, KILL_RECORDED, now, &result, &left), 0);
	assert_false(left);
	assert_int_equal(kill_soon(dp, RIG_SERVER, KILL_DENIED, now, &result, &left), 0);
	assert_int_equal(result.killed, 0);
	assert_true(left);
	/* nobody denies it any more */
	assert_int_equal(kill_order_run(&order, &outcome, sizeof(outcome)), -ECANCELED);
	assert_int_equal(outcome.kill.killed, 0);
	assert_int_equal(kill_unrecorded(dp, RIG_SERVER), 1);
	talk_ask(&talk, POST);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(kill_order_run(&order, &outcome, 1), -EINVAL);
	assert_int_equal(kill_order_run(&order, &outcome, sizeof(outcome)), 0);
	assert_int_equal(outcome.kill.killed, 1);
	assert_int_equal(talk_error(talk.client), ECONNABORTED);
	kill_forget_server(dp, RIG_SERVER); /* as in the parent of the child that did this */
	assert_int_equal(kill_unrecorded(dp, RIG_SERVER), 1);
	kill_outcome_note(dp, RIG_SERVER, &outcome);
	kill_outcome_note(dp, RIG_SERVER, &outcome);
	assert_int_equal(kill_unrecorded(dp, RIG_SERVER), 0);
	talk_end(&talk);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
	flows_fill(false);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_says_whose_it_is),
		cmocka_unit_test(test_a_reused_element_is_nobody_elses),
		cmocka_unit_test(test_a_sweep_rules_on_what_it_saw),
		cmocka_unit_test(test_bad_commands_are_refused),
		cmocka_unit_test(test_destroying_takes_cookie_and_interface),
		cmocka_unit_test(test_a_socket_that_changed_its_name_is_found_by_its_cookie),
		cmocka_unit_test(test_a_socket_is_asked_for_by_its_name),
		cmocka_unit_test(test_lost_records_are_asked_for),
		cmocka_unit_test(test_datagram_sockets_end),
		cmocka_unit_test(test_datagrams_are_judged_one_by_one),
		cmocka_unit_test(test_the_dead_stay_for_a_while),
		cmocka_unit_test(test_who_comes_back_is_not_buried),
		cmocka_unit_test(test_a_connect_makes_do_without_one_that_goes),
		cmocka_unit_test(test_without_a_daemon_the_dead_go_at_once),
		cmocka_unit_test(test_flows_of_forgotten_servers_end),
		cmocka_unit_test(test_who_is_refused_gets_no_record),
		cmocka_unit_test(test_a_full_table_is_no_way_around),
		cmocka_unit_test(test_a_quick_kill_says_what_it_leaves),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
