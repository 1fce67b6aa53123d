/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A quarantine ends an MPTCP connection at once: its subflow is what the hooks see,
 * and destroying that alone leaves the application waiting for a minute.
 */
#include "bpf/talk.h"

#include <pthread.h>
#include <sys/socket.h>

#define MPTCP 262
#define SOON_MS 500 /* five times what a quarantine of a thousand may take */

static struct dataplane *dp;

static int setup(void **state)
{
	(void)state;
	dp = rig_open();
	dataplane_lease(dp, SG_FOREVER);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dataplane_close(dp);
	return 0;
}

struct waiter {
	int fd;
	ssize_t got;
	int error;
	uint64_t ended_ns;
};

/* Blocked in recv(), as an agent that waits for an answer. */
static void *wait_for_answer(void *data)
{
	struct waiter *w = data;
	char byte;

	w->got = recv(w->fd, &byte, 1, 0);
	w->error = errno;
	w->ended_ns = clock_boot_ns();
	return NULL;
}

static void test_a_quarantine_ends_it_at_once(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sg_policy policy = rig_policy();
	socklen_t len = sizeof(at);
	struct sg_flow f = { 0 };
	struct waiter w;
	pthread_t thread;
	uint64_t start;
	uint64_t key;
	int listener;
	int server;
	char byte;

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP);
	if (listener < 0)
		skip(); /* a kernel without MPTCP */
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	rig_server(dp, &policy, NS_PER_SEC);
	rig_endpoint(dp, "127.0.0.1", ntohs(at.sin_port));

	w.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP);
	assert_int_equal(connect(w.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_int_equal(send(w.fd, "x", 1, 0), 1);
	assert_int_equal(recv(server, &byte, 1, 0), 1);
	assert_int_equal(bpf_map_get_next_key(bpf_map__fd(dp->skel->maps.flows), NULL, &key), 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.flows), &key, &f), 0);
	assert_true(f.flags & SG_FLOW_MPTCP);

	assert_int_equal(pthread_create(&thread, NULL, wait_for_answer, &w), 0);
	usleep(20000); /* it waits */
	start = clock_boot_ns();
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(send(server, "y", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(rig_kill(dp), 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(w.got <= 0); /* the end of the stream, or an error: never the answer */
	assert_true(w.ended_ns - start < SOON_MS * NS_PER_MS);
	assert_int_equal(send(w.fd, "z", 1, MSG_NOSIGNAL), -1);
	close(w.fd);
	close(server);
	close(listener);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_quarantine_ends_it_at_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
