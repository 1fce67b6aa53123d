/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is stopped, who is told of it, and what the kernel does alone: kills are asked
 * for now and then, nothing is dropped that nobody could kill, no header hides a
 * segment, success wakes nobody, and a hang is noticed without a daemon.
 */
#include "bpf/flows.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/utsname.h>

/* --- what is asked for -------------------------------------------------------------------- */

/* The event may be lost, so it comes again; but not with every packet. */
static void test_a_kill_is_asked_for_now_and_then(void **state)
{
	struct sg_policy policy = rig_policy();
	uint64_t start;
	size_t asked;

	(void)state;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	rig_drain(dp);
	start = clock_boot_ns();
	for (int i = 0; i < 60; i++) {
		assert_true(send(talk.client, "x", 1, MSG_NOSIGNAL) == 1);
		assert_true(send(talk.server, "x", 1, MSG_NOSIGNAL) == 1);
		usleep(1000);
	}
	asked = count(SG_EV_KILL);
	assert_true(asked >= 1);
	assert_true(asked <= 1 + (clock_boot_ns() - start) / SG_ASK_NS);
	assert_int_equal(rig_kill(dp), 1);
}

/* What cannot be killed is not made to hang: two facts, each for itself. */
static void test_dropping_takes_killing(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_flow f;

	(void)state;
	for (int why = 0; why < 3; why++) {
		fresh(&policy);
		assert_int_equal(talk_dial(&talk), 0);
		order_open(SG_FOREVER);
		if (why == 0)
			dataplane_lease(dp, 0); /* nobody is there to kill */
		else if (why == 1)
			dataplane_can_kill(dp, false); /* killing was seen to fail */
		else
			assert_int_equal(
				dataplane_flows_note(
					dp, SG_WALK_STUCK,
					&(struct sg_kill_target){ .cookie = rig_cookie(talk.client),
								  .note = SG_WALK_STUCK },
					1),
				0);    /* this one cannot be reached */
		talk_ask(&talk, POST); /* arrives */
		assert_int_equal(rig_stats(dp).passed_open, 1);
		assert_int_equal(rig_stats(dp).denied, 0);
		assert_int_equal(count(SG_EV_KILL), 0);
		/* a quarantine never fails open */
		assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
		assert_true(send(talk.client, "x", 1, MSG_NOSIGNAL) == 1);
		assert_true(send(talk.server, "x", 1, MSG_NOSIGNAL) == 1);
		assert_false(talk_heard(&talk));
		assert_int_equal(recv(talk.client, &(char){ 0 }, 1, MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
		assert_true(record(rig_cookie(talk.client), &f));
		assert_true(f.flags & SG_FLOW_STOPPED);
	}
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	order_open(SG_FOREVER);
	assert_true(send(talk.client, POST, sizeof(POST) - 1, MSG_NOSIGNAL) > 0);
	assert_false(talk_heard(&talk));
	assert_int_equal(count(SG_EV_KILL), 1);
}

/* --- who is woken ---------------------------------------------------------------------------- */

static bool woken(int within_ms)
{
	struct pollfd p = { .fd = dataplane_ring_fd(dp), .events = POLLIN };

	return poll(&p, 1, within_ms) == 1;
}

static void turns(size_t n, const char *answer)
{
	for (size_t i = 0; i < n; i++) {
		talk_ask(&talk, POST);
		talk_say(&talk, answer);
	}
}

/* To wake the daemon costs the agent more than the call: what went well waits for its tick. */
static void test_success_wakes_nobody(void **state)
{
	const size_t quarter = SG_RING_BYTES / 4 / (sizeof(struct sg_event) + 8);
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	assert_false(woken(5)); /* of what woke earlier nothing is left */
	turns(100, OK);
	assert_false(woken(5));
	turns(1, BUSY); /* what failed does not wait */
	assert_true(woken(1000));
	assert_int_equal(count(SG_EV_OUTCOME), 101);
	assert_false(woken(5));
	policy.slow_ns = 1; /* nor what was slow: it may trip */
	assert_int_equal(
		dataplane_server_set(dp, RIG_SERVER, "rig", 0, 0, &policy, NS_PER_SEC, true), 0);
	turns(1, OK);
	assert_true(woken(1000));
	rig_drain(dp);
	assert_false(woken(5));
	policy = rig_policy();
	assert_int_equal(
		dataplane_server_set(dp, RIG_SERVER, "rig", 0, 0, &policy, NS_PER_SEC, true), 0);
	turns(quarter - 10, OK);
	assert_false(woken(5));
	dataplane_lease(dp, 0); /* and nobody is woken who is not there */
	turns(20, OK);
	assert_false(woken(5));
	dataplane_lease(dp, SG_FOREVER);
	turns(1, OK);
	assert_true(woken(1000));
}

/* --- what hides ------------------------------------------------------------------------------ */

/* A routing header in front of TCP takes no privilege; it leads to where the packet goes anyway. */
static void hide(int fd)
{
	struct {
		uint8_t next, len, type, left, first, flags;
		uint16_t tag;
		struct in6_addr segment;
	} srh = { .len = 2, .type = 4, .segment = IN6ADDR_LOOPBACK_INIT };

	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &srh, sizeof(srh)), 0);
}

static void test_no_header_hides_a_segment(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sockaddr_storage to;
	struct sg_flow f;
	socklen_t len;

	(void)state;
	fresh(&policy);
	talk.name = TALK_V6;
	talk.client = talk_socket(&talk, &to, &len);
	hide(talk.client);
	fcntl(talk.client, F_SETFL, O_NONBLOCK);
	assert_int_equal(connect(talk.client, (struct sockaddr *)&to, len), -1);
	assert_int_equal(errno, EINPROGRESS); /* nobody takes such packets in here */
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	for (int i = 0; i < 60; i++) { /* until the SYN is sent again */
		assert_true(record(rig_cookie(talk.client), &f));
		if (f.flags & SG_FLOW_STOPPED)
			break;
		usleep(50000);
	}
	assert_true(f.flags & SG_FLOW_STOPPED);
	assert_int_equal(rig_kill(dp), 1);
	assert_int_equal(talk_error(talk.client), ECONNABORTED);
}

/* --- without a daemon ----------------------------------------------------------------------- */

static void test_an_answer_that_stays_out_is_noticed(void **state)
{
	struct sg_policy policy = rig_policy();
	uint64_t end = clock_boot_ns() + 5 * NS_PER_SEC;

	(void)state;
	if (!rig_has(dp, "sg_watch"))
		return; /* what is lost there is said, see rig_open() */
	policy.timeout_ns = 100 * NS_PER_MS;
	fresh(&policy);
	dataplane_lease(dp, 0);
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, POST);
	while (!rig_stats(dp).timeouts && clock_boot_ns() < end)
		usleep(20000);
	assert_int_equal(rig_stats(dp).timeouts, 1);
	rig_read(dp, &events);
	for (size_t i = 0; i < events.n; i++) /* connections of earlier tests may still end */
		if (events.e[i].cookie == rig_cookie(talk.client)) {
			assert_int_equal(events.e[i].outcome, SG_HARD);
			assert_int_equal(events.e[i].cause, SG_CAUSE_NO_ANSWER);
		}
	usleep(SG_WATCH_NS / 1000 * 5 / 4);
	assert_int_equal(rig_stats(dp).timeouts, 1);
}

static int user_timeout(void)
{
	int ms = -1;

	assert_int_equal(getsockopt(talk.client, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
				    &(socklen_t){ sizeof(ms) }),
			 0);
	return ms;
}

/* Before 6.1 programs are not told what the socket's own limit was: then it has none. */
static bool limits_are_told(void)
{
	struct utsname name;
	int major = 0;
	int minor = 0;

	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 1);
}

/* The answer that trips arms its connection; the first that may pass again ends that. */
static void test_what_is_armed_is_disarmed(void **state)
{
	const int own = 30000;
	struct sg_policy policy = rig_policy();

	(void)state;
	policy.consecutive = 2;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(setsockopt(talk.client, IPPROTO_TCP, TCP_USER_TIMEOUT, &own, sizeof(own)),
			 0);
	turns(2, OK);
	turns(1, BUSY);
	assert_int_equal(user_timeout(), own);
	turns(1, BUSY);
	assert_int_equal(state_now(), SG_OPEN);
	assert_int_equal(user_timeout(), 100);
	rig_command(dp, (struct sg_command){ .op = SG_CMD_RESET });
	assert_int_equal(state_now(), SG_CLOSED);
	turns(1, OK);
	assert_int_equal(user_timeout(), limits_are_told() ? own : 0);
	turns(1, BUSY); /* and it can be armed again */
	turns(1, BUSY);
	assert_int_equal(user_timeout(), 100);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_kill_is_asked_for_now_and_then),
		cmocka_unit_test(test_dropping_takes_killing),
		cmocka_unit_test(test_success_wakes_nobody),
		cmocka_unit_test(test_no_header_hides_a_segment),
		cmocka_unit_test(test_an_answer_that_stays_out_is_noticed),
		cmocka_unit_test(test_what_is_armed_is_disarmed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
