/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ramp: what share of connects a closing breaker lets through, quarter by quarter. */
#include "bpf/rig.h"

#include <unistd.h>

#define CONNECTS 10000
#define PORT 9 /* nobody listens */

static struct dataplane *dp;

static int setup(void **state)
{
	(void)state;
	dp = rig_open();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dataplane_close(dp);
	return 0;
}

/*
 * Puts the breaker into the ramp, at so many eighths of it: since half of the time that
 * this machine runs, in a ramp that is as long as that wants. Its end is for later.
 */
static void ramp_at(uint64_t eighths)
{
	uint64_t now = clock_boot_ns();
	struct sg_policy policy = rig_policy();

	policy.deny_errno = EHOSTUNREACH;
	policy.ramp_ns = now / 2 * 8 / eighths;
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", 0, 0, &policy, 30 * NS_PER_SEC,
					      true),
			 0);
	rig_ramp(dp, now);
}

/* How many of CONNECTS get through, at so many eighths of the ramp, to where nobody listens. */
static unsigned int admitted(uint64_t eighths)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int denied = rig_refusal(dp, EHOSTUNREACH);
	unsigned int through = 0;

	for (unsigned int i = 0; i < CONNECTS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (i % 500 == 0) {
			ramp_at(eighths);
			rig_drain(dp);
		}
		assert_true(fd >= 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
		if (errno == ECONNREFUSED)
			through++;
		else
			assert_int_equal(errno, denied);
		close(fd);
	}
	rig_drain(dp);
	return through;
}

static void test_shares(void **state)
{
	static const struct {
		uint64_t eighths;
		unsigned int percent;
	} quarters[] = { { 1, 10 }, { 3, 25 }, { 5, 50 }, { 7, 100 } };
	struct sg_policy policy = rig_policy();

	(void)state;
	rig_server(dp, &policy, 30 * NS_PER_SEC);
	rig_endpoint(dp, "127.0.0.1", PORT);
	for (size_t i = 0; i < ARRAY_SIZE(quarters); i++) {
		unsigned int want = CONNECTS / 100 * quarters[i].percent;
		unsigned int got;

		got = admitted(quarters[i].eighths);
		if (got > want + CONNECTS / 50 || got + CONNECTS / 50 < want)
			fail_msg("%u of %u, not %u %%", got, CONNECTS, quarters[i].percent);
		assert_int_equal(
			rig_command(dp, (struct sg_command){ .op = SG_CMD_READ }).breaker.state,
			SG_RAMP);
	}
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
