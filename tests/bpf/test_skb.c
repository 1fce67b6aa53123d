/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sg_egress and sg_ingress by BPF_PROG_TEST_RUN. The kernel gives them a socket
 * without storage, as every socket is that leads to no server: all must pass,
 * whatever it looks like, and leave no trace.
 */
#include "bpf/rig.h"

#define PASS 1
#define ETH_LEN 14

static struct dataplane *dp;

static int setup(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	dp = rig_bare();
	rig_server(dp, &policy, NS_PER_SEC);
	rig_endpoint(dp, "192.0.2.1", 80);
	/* if anything could stop them, it would */
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	dataplane_lease(dp, SG_FOREVER);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dataplane_close(dp);
	return 0;
}

static const uint8_t packet4[ETH_LEN + 20 + 20 + 18] = {
	[12] = 0x08, 0x00, 0x45, 0,   0,    58,   0,   0,   0x40, 0,   64,  6,   0,    0,    192,
	0,           2,    1,    192, 0,    2,    1,   0,   80,   0,   80,  0,   0,    0,    1,
	0,           0,    0,    1,   0x50, 0x18, 1,   0,   0,    0,   0,   0,   'P',  'O',  'S',
	'T',         ' ',  '/',  ' ', 'H',  'T',  'T', 'P', '/',  '1', '.', '1', '\r', '\n', '\r',
};

static const uint8_t packet6[ETH_LEN + 40 + 20 + 12] = {
	[12] = 0x86, 0xdd, 0x60, 0,   0,   0,   0,   32,  6,   64,  0x20, 1,    [53] = 1, 0,   80,
	0,           80,   0,    0,   0,   1,   0,   0,   0,   1,   0x50, 0x18, 1,        0,   0,
	0,           0,    0,    'H', 'T', 'T', 'P', '/', '1', '.', '1',  ' ',  '5',      '0',
};

/* Runs both programs; returns false if the kernel does not run what is so short. */
static bool passes(const uint8_t *data, size_t len)
{
	const struct bpf_program *const progs[] = { dp->skel->progs.sg_egress,
						    dp->skel->progs.sg_ingress };

	for (size_t i = 0; i < ARRAY_SIZE(progs); i++) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .data_size_in = (__u32)len,
			    .repeat = 1);

		if (bpf_prog_test_run_opts(bpf_program__fd(progs[i]), &run))
			return false;
		if (run.retval != PASS)
			fail_msg("%s: %zu bytes: %u", bpf_program__name(progs[i]), len, run.retval);
	}
	return true;
}

static void expect_no_trace(void)
{
	struct sg_stats none = { 0 };
	struct sg_stats st = rig_stats(dp);
	struct rig_events events = { .n = 0 };

	assert_memory_equal(&st, &none, sizeof(none));
	rig_read(dp, &events);
	assert_int_equal(events.n, 0);
	assert_true(dataplane_turn_ns(dp) == 0);
}

static void test_every_length_passes(void **state)
{
	(void)state;
	for (size_t len = 0; len <= sizeof(packet4); len++)
		if (!passes(packet4, len)) /* some kernels want the whole IP header */
			assert_true(len < ETH_LEN + 20);
	for (size_t len = 0; len <= sizeof(packet6); len++)
		if (!passes(packet6, len))
			assert_true(len < ETH_LEN + 40);
	expect_no_trace();
}

/* Every byte of the headers set to values that tear lengths and protocols apart. */
static void test_malformed_packets_pass(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x0f, 0x3c, 0x40, 0x4f, 0x60, 0x6f, 0x80, 0xff };
	static const struct {
		const uint8_t *data;
		size_t len;
	} packets[] = { { packet4, sizeof(packet4) }, { packet6, sizeof(packet6) } };
	uint8_t copy[sizeof(packet6)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		for (size_t at = ETH_LEN; at < packets[i].len; at++) {
			for (size_t v = 0; v < sizeof(values); v++) {
				memcpy(copy, packets[i].data, packets[i].len);
				copy[at] = values[v];
				assert_true(passes(copy, packets[i].len));
			}
		}
	}
	expect_no_trace();
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length_passes),
		cmocka_unit_test(test_malformed_packets_pass),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
