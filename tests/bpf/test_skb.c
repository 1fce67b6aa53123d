/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sg_egress and sg_ingress by BPF_PROG_TEST_RUN. The kernel gives them a socket
 * without storage, as every socket is that leads to no server: all must pass,
 * whatever it looks like, and leave no trace; but what goes to a server in
 * quarantine or comes from it is dropped, by its address.
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
	/* whoever could stop them is there */
	rig_command(dp, (struct sg_command){ .op = SG_CMD_ORDER,
					     .state = SG_FORCED_OPEN,
					     .until_ns = SG_FOREVER });
	dataplane_lease(dp, SG_FOREVER);
	dataplane_can_kill(dp, true);
	rig_drain(dp);
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
	assert_true(dp->pulse->turn_ns == 0);
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

/* --- the cut-off by address ------------------------------------------------------------ */

#define ACK 0x10
#define SYN 0x02
#define RST 0x04
#define FIN 0x01
#define UDP_LITE 136

struct shape {
	const char *what;
	uint8_t proto;
	uint8_t flags;  /* TCP */
	size_t payload; /* bytes */
	bool v6;
	uint8_t extension; /* of IPv6, 0: none */
	size_t extensions;
	size_t units; /* of 8 bytes beyond the first 8, of each */
	uint8_t host; /* the last byte of the other end's address; 1: the server's */
	uint16_t port;
	bool drop;
};

static uint8_t *put(uint8_t *at, const void *data, size_t n)
{
	memcpy(at, data, n);
	return at + n;
}

/* Both addresses are the same host: what is looked at depends on the direction. */
static size_t build(const struct shape *s, bool from_server, uint8_t *out)
{
	static const uint8_t our4[4] = { 10, 0, 0, 1 };
	static const uint8_t our6[16] = { 0xfd, [15] = 9 };
	uint8_t their4[4] = { 192, 0, 2, s->host };
	uint8_t their6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = s->host };
	size_t header = s->proto == IPPROTO_TCP ? 20 : 8;
	size_t ext = s->extensions * 8 * (1 + s->units);
	uint8_t eth[ETH_LEN] = { [12] = s->v6 ? 0x86 : 0x08, [13] = s->v6 ? 0xdd : 0x00 };
	uint16_t theirs = htons(s->port);
	uint16_t ours = htons(40000);
	uint8_t *at = put(out, eth, sizeof(eth));
	uint8_t next = s->extensions ? s->extension : s->proto;

	if (s->v6) {
		uint16_t len = htons((uint16_t)(ext + header + s->payload));
		uint8_t ip[8] = { 0x60, [6] = next, [7] = 64 };

		memcpy(ip + 4, &len, 2);
		at = put(at, ip, sizeof(ip));
		at = put(at, from_server ? their6 : our6, 16);
		at = put(at, from_server ? our6 : their6, 16);
		for (size_t i = 0; i < s->extensions; i++) {
			memset(at, 0, 8 * (1 + s->units));
			at[0] = i + 1 < s->extensions ? s->extension : s->proto;
			at[1] = (uint8_t)s->units;
			at += 8 * (1 + s->units);
		}
	} else {
		uint16_t len = htons((uint16_t)(20 + header + s->payload));
		uint8_t ip[12] = { 0x45, [8] = 64, [9] = s->proto };

		memcpy(ip + 2, &len, 2);
		at = put(at, ip, sizeof(ip));
		at = put(at, from_server ? their4 : our4, 4);
		at = put(at, from_server ? our4 : their4, 4);
	}
	memset(at, 0, header + s->payload);
	memcpy(at, from_server ? &theirs : &ours, 2);
	memcpy(at + 2, from_server ? &ours : &theirs, 2);
	if (s->proto == IPPROTO_TCP) {
		at[12] = 0x50;
		at[13] = s->flags;
	}
	return (size_t)(at - out) + header + s->payload;
}

static const struct shape shapes[] = {
	{ "TCP payload", IPPROTO_TCP, ACK, 5, .host = 1, .port = 80, .drop = true },
	{ "SYN", IPPROTO_TCP, SYN, 0, .host = 1, .port = 80, .drop = true },
	{ "SYN, ACK", IPPROTO_TCP, SYN | ACK, 0, .host = 1, .port = 80, .drop = true },
	{ "ACK alone", IPPROTO_TCP, ACK, 0, .host = 1, .port = 80 },
	{ "RST alone", IPPROTO_TCP, RST, 0, .host = 1, .port = 80 },
	{ "FIN alone", IPPROTO_TCP, FIN | ACK, 0, .host = 1, .port = 80 },
	{ "FIN with payload", IPPROTO_TCP, FIN | ACK, 5, .host = 1, .port = 80, .drop = true },
	{ "a datagram", IPPROTO_UDP, 0, 5, .host = 1, .port = 80, .drop = true },
	{ "an empty datagram", IPPROTO_UDP, 0, 0, .host = 1, .port = 80, .drop = true },
	{ "UDP-Lite", UDP_LITE, 0, 5, .host = 1, .port = 80, .drop = true },
	{ "another port", IPPROTO_TCP, ACK, 5, .host = 1, .port = 81 },
	{ "another port, UDP", IPPROTO_UDP, 0, 5, .host = 1, .port = 81 },
	{ "another host", IPPROTO_TCP, ACK, 5, .host = 2, .port = 80 },
	{ "v6 payload", IPPROTO_TCP, ACK, 5, true, .host = 1, .port = 80, .drop = true },
	{ "v6 SYN", IPPROTO_TCP, SYN, 0, true, .host = 1, .port = 80, .drop = true },
	{ "v6 ACK alone", IPPROTO_TCP, ACK, 0, true, .host = 1, .port = 80 },
	{ "behind a routing header", IPPROTO_TCP, ACK, 5, true, 43, 1, 2, 1, 80, true },
	{ "behind seven options", IPPROTO_UDP, 0, 5, true, 60, 7, 0, 1, 80, true },
	{ "behind seven options, another port", IPPROTO_UDP, 0, 5, true, 60, 7, 0, 1, 81, false },
	{ "behind seven options, another host", IPPROTO_UDP, 0, 5, true, 60, 7, 0, 2, 80, false },
	{ "behind nine options", IPPROTO_UDP, 0, 5, true, 60, 9, 0, 1, 80, true },
	{ "behind nine options, who knows which port", IPPROTO_UDP, 0, 5, true, 60, 9, 0, 1, 81,
	  true },
	{ "behind nine options, another host", IPPROTO_UDP, 0, 5, true, 60, 9, 0, 2, 80, false },
	{ "behind 1,032 bytes", IPPROTO_TCP, ACK, 5, true, 60, 1, 128, 1, 80, true },
};

static __u32 verdict(const struct bpf_program *prog, const uint8_t *data, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .data_size_in = (__u32)len,
		    .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &run), 0);
	return run.retval;
}

/* Each shape both ways; how many were dropped. */
static size_t cut(bool quarantined)
{
	uint8_t packet[2048];
	size_t dropped = 0;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		for (int in = 0; in < 2; in++) {
			const struct bpf_program *prog = in ? dp->skel->progs.sg_ingress
							    : dp->skel->progs.sg_egress;
			__u32 want = shapes[i].drop && quarantined ? 0 : PASS;
			size_t len = build(&shapes[i], in, packet);

			if (verdict(prog, packet, len) != want)
				fail_msg("%s, %s: not %s", shapes[i].what, in ? "in" : "out",
					 want ? "passed" : "dropped");
			dropped += want != PASS;
			/* the other end is nobody's business: no server has that address */
			assert_int_equal(verdict(prog, packet, build(&shapes[i], !in, packet)),
					 PASS);
		}
	}
	return dropped;
}

static void test_quarantine_by_address(void **state)
{
	struct addr hosts[2];
	uint16_t ports[2] = { 80, 80 };
	size_t dropped;

	(void)state;
	assert_int_equal(parse_addr("192.0.2.1", &hosts[0]), 0);
	assert_int_equal(parse_addr("2001:db8::1", &hosts[1]), 0);
	assert_int_equal(dataplane_endpoints_set(dp, RIG_SERVER, hosts, ports, 2), 0);
	cut(false);
	expect_no_trace();
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	dropped = cut(true);
	assert_int_equal(rig_stats(dp).dropped_packets, dropped);
	assert_true(dropped > 20);
	dataplane_lease(dp, 0); /* it depends on no daemon */
	cut(true);
	dataplane_observe(dp, true);
	cut(false);
	dataplane_observe(dp, false);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, clock_boot_ns()), 0);
	cut(false);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
	cut(false);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length_passes),
		cmocka_unit_test(test_malformed_packets_pass),
		cmocka_unit_test(test_quarantine_by_address),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
