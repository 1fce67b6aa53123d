/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sg_xdp over a table of packets by BPF_PROG_TEST_RUN. A packet is written as a
 * string of layers, one letter each, behind its Ethernet header:
 *   q 802.1Q  a 802.1ad  4 IPv4  o O with 8 or 40 bytes of options
 *   y first, x later fragment of IPv4  6 IPv6  h hop-by-hop  r routing
 *   d destination options  f first, F later fragment  A authentication
 *   t TCP  u UDP  i ICMP
 */
#include "bpf/rig.h"

#define PORT 3001
#define ETH_LEN 14

struct packet {
	uint8_t data[512];
	size_t len;
	size_t network;   /* bytes that must be there to know the address and protocol */
	size_t transport; /* and the ports */
};

static const uint8_t listed4[4] = { 192, 0, 2, 1 };
static const uint8_t listed6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

static struct dataplane *dp;

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

/* --- packets -------------------------------------------------------------------- */

static uint16_t ether_type(char layer)
{
	switch (layer) {
	case 'q':
		return 0x8100;
	case 'a':
		return 0x88a8;
	case '6':
		return 0x86dd;
	default:
		return 0x0800;
	}
}

static uint8_t ip_proto(char layer)
{
	static const char letters[] = "turhdfFAi";
	static const uint8_t protos[] = { 6, 17, 43, 0, 60, 44, 44, 51, 1 };
	const char *p = layer ? strchr(letters, layer) : NULL;

	return p ? protos[p - letters] : 59;
}

static uint8_t *take(struct packet *p, size_t n)
{
	uint8_t *at = p->data + p->len;

	assert_true(p->len + n <= sizeof(p->data));
	p->len += n;
	return at;
}

static void put_type(uint8_t *at, uint16_t type)
{
	at[0] = (uint8_t)(type >> 8);
	at[1] = (uint8_t)type;
}

static void put_v4(struct packet *p, char kind, char next, const uint8_t *src)
{
	size_t options = kind == 'o' ? 8 : kind == 'O' ? 40 : 0;
	uint8_t *ip = take(p, 20 + options);

	ip[0] = (uint8_t)(0x40 | (5 + options / 4));
	if (kind == 'y')
		ip[6] = 0x20;
	if (kind == 'x')
		ip[7] = 0xb9;
	ip[8] = 64;
	ip[9] = ip_proto(next);
	memcpy(ip + 12, src, 4);
	/* options are stepped over unread, but what is behind them must be there */
	p->network = p->len - options;
}

static void put_extension(struct packet *p, char kind, char next)
{
	size_t len = kind == 'h' || kind == 'r' ? 16 : kind == 'A' ? 24 : 8;
	uint8_t *h = take(p, len);

	h[0] = ip_proto(next);
	h[1] = (uint8_t)(kind == 'A' ? len / 4 - 2 : len / 8 - 1);
	if (kind == 'f' || kind == 'F')
		h[1] = 0;
	if (kind == 'f')
		h[3] = 1;
	if (kind == 'F')
		put_type(h + 2, 0x05b8);
	p->network = p->len - len + 8;
}

static struct packet make(const char *layers, const uint8_t *src4, const uint8_t *src6,
			  uint16_t port)
{
	struct packet p = { .network = ETH_LEN };
	uint8_t *at = take(&p, ETH_LEN);

	put_type(at + 12, ether_type(layers[0]));
	for (; *layers; layers++) {
		switch (*layers) {
		case 'q':
		case 'a':
			put_type(take(&p, 4) + 2, ether_type(layers[1]));
			break;
		case '4':
		case 'o':
		case 'O':
		case 'x':
		case 'y':
			put_v4(&p, *layers, layers[1], src4);
			break;
		case '6':
			at = take(&p, 40);
			at[0] = 0x60;
			at[6] = ip_proto(layers[1]);
			memcpy(at + 8, src6, 16);
			p.network = p.len;
			break;
		case 't':
		case 'u':
		case 'i':
			p.transport = p.len + 4;
			put_type(take(&p, *layers == 't' ? 20 : 8), port);
			break;
		default:
			put_extension(&p, *layers, layers[1]);
			break;
		}
	}
	take(&p, 24); /* payload */
	return p;
}

static struct packet listed(const char *layers)
{
	return make(layers, listed4, listed6, PORT);
}

/* Runs the program over the first len bytes; no kernel runs less than an Ethernet header. */
static int verdict(const struct packet *p, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = p->data, .data_size_in = (__u32)len,
		    .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(dp->skel->progs.sg_xdp), &run), 0);
	return (int)run.retval;
}

static int verdict_of(const char *layers)
{
	struct packet p = listed(layers);

	return verdict(&p, p.len);
}

static uint64_t dropped(void)
{
	return rig_stats(dp).dropped_packets;
}

/* RIG_SERVER at the listed addresses, in quarantine. */
static void quarantine_listed(uint64_t until_ns)
{
	struct sg_policy policy = rig_policy();
	static const char *const text[] = { "192.0.2.1", "2001:db8::1" };
	const uint16_t ports[] = { PORT, PORT };
	struct addr addrs[2];

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(parse_addr(text[i], &addrs[i]), 0);
	rig_server(dp, &policy, NS_PER_SEC);
	assert_int_equal(dataplane_endpoints_set(dp, RIG_SERVER, addrs, ports, 2), 0);
	assert_int_equal(dataplane_networks_set(dp, RIG_SERVER, NULL, 0), 0);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, until_ns), 0);
	dp->cfg->observe = 0;
}

/* --- the table -------------------------------------------------------------------- */

static const struct row {
	const char *layers;
	int action;
} rows[] = {
	{ "4t", XDP_DROP },         { "4u", XDP_DROP },
	{ "6t", XDP_DROP },         { "6u", XDP_DROP },
	{ "q4t", XDP_DROP },        { "q6t", XDP_DROP },
	{ "a4t", XDP_DROP },        { "aq4t", XDP_DROP },
	{ "aq6u", XDP_DROP },       { "qq4u", XDP_DROP },
	{ "qqq4t", XDP_PASS }, /* deeper than is looked */
	{ "aqq6t", XDP_PASS },      { "ot", XDP_DROP },
	{ "ou", XDP_DROP },         { "Ot", XDP_DROP },
	{ "qOu", XDP_DROP },        { "4i", XDP_PASS }, /* no ports */
	{ "6i", XDP_PASS },         { "6n", XDP_PASS }, /* no next header */
	{ "yt", XDP_DROP }, /* the first fragment has ports, the others go nowhere without it */
	{ "xt", XDP_PASS },         { "xu", XDP_PASS },
	{ "6ht", XDP_DROP },        { "6rt", XDP_DROP },
	{ "6du", XDP_DROP },        { "6At", XDP_DROP },
	{ "6ft", XDP_DROP },        { "6fu", XDP_DROP },
	{ "6Ft", XDP_PASS },        { "6hFt", XDP_PASS },
	{ "6Fdt", XDP_PASS },       { "6hdrfAdt", XDP_DROP }, /* six, every kind */
	{ "6hdrfAddt", XDP_PASS },                            /* one more than is looked at */
	{ "aq6hdrfAdu", XDP_DROP },
};

static void test_table(void **state)
{
	uint64_t drops = 0;

	(void)state;
	quarantine_listed(SG_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int action = verdict_of(rows[i].layers);

		if (action != rows[i].action)
			fail_msg("%s: action %d, not %d", rows[i].layers, action, rows[i].action);
		drops += action == XDP_DROP;
		assert_int_equal(dropped(), drops);
	}
}

/* What is cut off before the ports passes; at and behind them nothing changes. */
static void test_truncated_at_every_length(void **state)
{
	uint64_t drops = 0;

	(void)state;
	quarantine_listed(SG_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packet p = listed(rows[i].layers);

		for (size_t len = ETH_LEN; len <= p.len; len++) {
			int want = len < p.transport ? XDP_PASS : rows[i].action;
			int action = verdict(&p, len);

			if (action != want)
				fail_msg("%s: %zu of %zu bytes: action %d, not %d", rows[i].layers,
					 len, p.len, action, want);
			drops += action == XDP_DROP;
		}
	}
	assert_int_equal(dropped(), drops);
	assert_true(drops > 500);
}

/* Every byte of every header set to every value that tears lengths apart. */
static void test_malformed_headers(void **state)
{
	static const uint8_t values[] = { 0, 1, 4, 0x0f, 0x3c, 0x40, 0x44, 0x60, 0x7f, 0x80, 0xff };

	(void)state;
	quarantine_listed(SG_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packet p = listed(rows[i].layers);

		for (size_t at = 0; at < p.len; at++) {
			uint8_t was = p.data[at];

			for (size_t v = 0; v < sizeof(values); v++) {
				int action;

				p.data[at] = values[v];
				action = verdict(&p, p.len);
				if (action != XDP_PASS && action != XDP_DROP)
					fail_msg("%s: byte %zu = %#x: action %d", rows[i].layers,
						 at, values[v], action);
			}
			p.data[at] = was;
		}
	}
}

static void test_bad_versions_pass(void **state)
{
	struct packet p = listed("4t");

	(void)state;
	quarantine_listed(SG_FOREVER);
	p.data[ETH_LEN] = 0x65; /* says 6 in an IPv4 frame */
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p.data[ETH_LEN] = 0x44; /* a header shorter than the shortest */
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p = listed("6t");
	p.data[ETH_LEN] = 0x45;
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p = listed("4t");
	put_type(p.data + 12, 0x0806);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	assert_int_equal(dropped(), 0);
}

/* --- who is dropped ----------------------------------------------------------------- */

static void test_only_the_listed_source(void **state)
{
	static const uint8_t other4[4] = { 192, 0, 2, 2 };
	static const uint8_t other6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 };
	struct packet p;

	(void)state;
	quarantine_listed(SG_FOREVER);
	p = make("4t", other4, listed6, PORT);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p = make("6t", listed4, other6, PORT);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p = make("4t", listed4, listed6, PORT + 1);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p = make("4t", other4, listed6, 9);
	memcpy(p.data + ETH_LEN + 16, listed4, 4); /* listed as destination only */
	put_type(p.data + ETH_LEN + 22, PORT);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	assert_int_equal(dropped(), 0);
	assert_int_equal(verdict_of("4t"), XDP_DROP);
}

static void test_only_while_in_quarantine(void **state)
{
	uint64_t now = clock_boot_ns();

	(void)state;
	quarantine_listed(0);
	assert_int_equal(verdict_of("4t"), XDP_PASS);
	quarantine_listed(now);
	assert_int_equal(verdict_of("4t"), XDP_PASS);
	quarantine_listed(now + 3600 * NS_PER_SEC);
	assert_int_equal(verdict_of("4t"), XDP_DROP);
	assert_int_equal(dropped(), 1);
	quarantine_listed(clock_boot_ns() + 50 * NS_PER_MS); /* ends by itself */
	assert_int_equal(verdict_of("6t"), XDP_DROP);
	usleep(60000);
	assert_int_equal(verdict_of("6t"), XDP_PASS);
	assert_int_equal(dropped(), 1);
}

/* An open breaker drops nothing: that is for connects and kills. */
static void test_an_open_breaker_drops_nothing(void **state)
{
	struct sg_command cmd = { .op = SG_CMD_ORDER,
				  .state = SG_FORCED_OPEN,
				  .until_ns = SG_FOREVER };

	(void)state;
	quarantine_listed(0);
	assert_int_equal(rig_command(dp, cmd).breaker.state, SG_FORCED_OPEN);
	assert_int_equal(verdict_of("4t"), XDP_PASS);
}

static void test_observe_drops_nothing(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	quarantine_listed(SG_FOREVER);
	dataplane_observe(dp, true);
	assert_int_equal(verdict_of("4t"), XDP_PASS);
	dataplane_observe(dp, false);
	assert_int_equal(verdict_of("4t"), XDP_DROP);
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", SG_SRV_OBSERVE, 0, &policy, 1,
					      true),
			 0);
	assert_int_equal(verdict_of("4t"), XDP_PASS);
	assert_int_equal(dropped(), 1);
}

/* A server that was forgotten but whose endpoint is still there harms nobody. */
static void test_unused_id_drops_nothing(void **state)
{
	(void)state;
	quarantine_listed(SG_FOREVER);
	rig_command(dp, (struct sg_command){ .op = SG_CMD_FORGET });
	assert_int_equal(verdict_of("4t"), XDP_PASS);
}

static void test_networks(void **state)
{
	struct dataplane_net nets[2];
	static const uint8_t in4[4] = { 198, 51, 100, 200 };
	static const uint8_t out4[4] = { 198, 51, 101, 1 };
	static const uint8_t in6[16] = { 0x20, 0x01, 0x0d, 0xb8, 9, [15] = 77 };
	struct packet p;

	(void)state;
	quarantine_listed(SG_FOREVER);
	assert_int_equal(parse_network("198.51.100.0/24", &nets[0].addr, &nets[0].len), 0);
	assert_int_equal(parse_network("2001:db8:900::/40", &nets[1].addr, &nets[1].len), 0);
	assert_int_equal(dataplane_networks_set(dp, RIG_SERVER, nets, 2), 0);
	/* ports do not matter, nor that a fragment or an ICMP message has none */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool deep = strstr(rows[i].layers, "qqq") || strstr(rows[i].layers, "aqq");
		int want = deep ? XDP_PASS : XDP_DROP;

		p = make(rows[i].layers, in4, in6, 9);
		for (size_t len = ETH_LEN; len <= p.len; len++) {
			int action = verdict(&p, len);

			if (action == XDP_DROP && len < (strchr(rows[i].layers, '6') ? 54U : 34U))
				fail_msg("%s: dropped with %zu bytes", rows[i].layers, len);
			if (len >= p.network && action != want)
				fail_msg("%s: %zu bytes: action %d, not %d", rows[i].layers, len,
					 action, want);
		}
	}
	p = make("4t", out4, in6, PORT);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	assert_int_equal(dataplane_networks_set(dp, RIG_SERVER, NULL, 0), 0);
	p = make("4t", in4, in6, PORT);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
}

/* A local server is one endpoint under all its names, in the daemon's namespace only. */
static void test_local_sources(void **state)
{
	static const uint8_t loop4[4] = { 127, 0, 0, 1 };
	static const uint8_t far4[4] = { 127, 200, 1, 9 };
	static const uint8_t own4[4] = { 203, 0, 113, 5 };
	static const uint8_t loop6[16] = { [15] = 1 };
	struct packet p4 = make("4t", loop4, loop6, PORT);
	struct packet p6 = make("6t", loop4, loop6, PORT);
	struct packet far = make("4t", far4, loop6, PORT);
	struct packet own = make("4t", own4, loop6, PORT);
	struct addr addr;

	(void)state;
	quarantine_listed(SG_FOREVER);
	rig_endpoint(dp, "127.0.0.1", PORT);
	assert_int_equal(verdict(&p4, p4.len), XDP_DROP);
	assert_int_equal(verdict(&p6, p6.len), XDP_DROP);
	assert_int_equal(verdict(&far, far.len), XDP_DROP);
	assert_int_equal(verdict(&own, own.len), XDP_PASS);
	assert_int_equal(parse_addr("203.0.113.5", &addr), 0);
	assert_int_equal(dataplane_locals_set(dp, &addr, 1), 0);
	assert_int_equal(verdict(&own, own.len), XDP_DROP);
	dp->cfg->home_netns++; /* the entry is for another namespace now */
	assert_int_equal(verdict(&p4, p4.len), XDP_PASS);
	assert_int_equal(verdict(&own, own.len), XDP_PASS);
	dp->cfg->home_netns--;
	assert_int_equal(dataplane_locals_set(dp, NULL, 0), 0);
	assert_int_equal(verdict(&own, own.len), XDP_PASS);
	assert_int_equal(dropped(), 4);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_truncated_at_every_length),
		cmocka_unit_test(test_malformed_headers),
		cmocka_unit_test(test_bad_versions_pass),
		cmocka_unit_test(test_only_the_listed_source),
		cmocka_unit_test(test_only_while_in_quarantine),
		cmocka_unit_test(test_an_open_breaker_drops_nothing),
		cmocka_unit_test(test_observe_drops_nothing),
		cmocka_unit_test(test_unused_id_drops_nothing),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_local_sources),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
