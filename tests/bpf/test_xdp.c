/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sg_xdp over tables of packets, by BPF_PROG_TEST_RUN. */
#include "bpf/packet.h"
#include "bpf/rig.h"

#define PORT 3001

static const uint8_t listed4[4] = { 192, 0, 2, 1 };
static const uint8_t listed6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

static const uint8_t other4[4] = { 192, 0, 2, 2 };
static const uint8_t other6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 };
static const struct packet_source from_listed = { listed4, listed6 };
static const struct packet_source from_other = { other4, other6 };

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

static struct packet make(const char *layers, const uint8_t *src4, const uint8_t *src6,
			  uint16_t port)
{
	const struct packet_source src = { src4, src6 };

	return packet_make(layers, &src, &src, port);
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

static void cutoff(uint64_t until_ns)
{
	uint32_t zero = 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(dp->skel->maps.cutoff), &zero, &until_ns, 0), 0);
}

/* RIG_SERVER at the listed addresses, in quarantine by an order that wrote nothing else. */
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
	cutoff(0);
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
	{ "z4t", XDP_PASS }, /* no tag that is known */
	{ "4l", XDP_DROP },         { "6l", XDP_DROP },
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
	{ "6Ht", XDP_PASS },                                  /* and longer */
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

		for (size_t len = PACKET_ETHERNET; len <= p.len; len++) {
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
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const char *layers = rows[i / 2].layers;
		struct packet p = listed(layers);

		cutoff(i % 2 ? SG_FOREVER : 0);
		for (size_t at = 0; at < p.len; at++) {
			uint8_t was = p.data[at];

			for (size_t v = 0; v < sizeof(values); v++) {
				int action;

				p.data[at] = values[v];
				action = verdict(&p, p.len);
				if (action != XDP_PASS && action != XDP_DROP)
					fail_msg("%s: byte %zu = %#x: action %d", layers, at,
						 values[v], action);
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
	p.data[PACKET_ETHERNET] = 0x65; /* says 6 in an IPv4 frame */
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p.data[PACKET_ETHERNET] = 0x44; /* a header shorter than the shortest */
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p = listed("6t");
	p.data[PACKET_ETHERNET] = 0x45;
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p = listed("4t");
	packet_u16(p.data + 12, 0x0806);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	assert_int_equal(dropped(), 0);
}

/* --- who is dropped ----------------------------------------------------------------- */

static void test_only_the_listed_source(void **state)
{
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
	memcpy(p.data + PACKET_ETHERNET + 16, listed4, 4); /* listed as destination only */
	packet_u16(p.data + PACKET_ETHERNET + 22, PORT);
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

/* Who is at a shared address is not known here: TCP passes, what has no name does not. */
static void test_shared(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	quarantine_listed(SG_FOREVER);
	for (int i = 0; i < 3; i++) {
		uint32_t flags = i == 0   ? SG_SRV_NAMED | SG_SRV_SHARED
				 : i == 1 ? SG_SRV_NAMED
					  : SG_SRV_SHARED;

		assert_int_equal(
			dataplane_server_set(dp, RIG_SERVER, "rig", flags, 0, &policy, 1, true), 0);
		assert_int_equal(verdict_of("4t"), i ? XDP_DROP : XDP_PASS);
		assert_int_equal(verdict_of("4u"), XDP_DROP);
	}
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
	/* ports do not matter, nor that they are hidden, or a fragment or ICMP has none */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		p = make(rows[i].layers, in4, in6, 9);
		for (size_t len = PACKET_ETHERNET; len <= p.len; len++) {
			int want = p.address && len >= p.address ? XDP_DROP : XDP_PASS;
			int action = verdict(&p, len);

			if (action != want)
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
	assert_int_equal(verdict(&far, far.len), XDP_DROP); /* another way to it */
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

/* --- hidden ports ------------------------------------------------------------------- */

/* What is known of a packet from a listed address whose first `len` bytes are there. */
static int want_cut(const struct row *row, const struct packet *p, size_t len)
{
	bool portless = strpbrk(row->layers, "in");

	if (!p->address || len < p->address || portless)
		return XDP_PASS;
	return p->fragment && len >= p->fragment ? XDP_PASS : XDP_DROP;
}

/* While any quarantine is in force, a listed source cannot hide its ports: whatever is not
 * followed to them is dropped, at every length. */
static void test_hidden_ports_of_a_listed_source(void **state)
{
	uint64_t drops = 0;

	(void)state;
	quarantine_listed(SG_FOREVER);
	cutoff(SG_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packet p = listed(rows[i].layers);

		for (size_t len = PACKET_ETHERNET; len <= p.len; len++) {
			int want = want_cut(&rows[i], &p, len);
			int action = verdict(&p, len);

			if (action != want)
				fail_msg("%s: %zu of %zu bytes: action %d, not %d", rows[i].layers,
					 len, p.len, action, want);
			drops += action == XDP_DROP;
		}
	}
	assert_int_equal(dropped(), drops);
}

static void test_hidden_ports_of_others_pass(void **state)
{
	(void)state;
	quarantine_listed(SG_FOREVER);
	cutoff(SG_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packet p = make(rows[i].layers, other4, other6, PORT);

		for (size_t len = PACKET_ETHERNET; len <= p.len; len++)
			if (verdict(&p, len) != XDP_PASS)
				fail_msg("%s: %zu bytes: dropped", rows[i].layers, len);
	}
	assert_int_equal(dropped(), 0);
}

static const char *const hidden[] = { "6hdrfAddt", "6Ht", "q6ddddddddu" };

static void expect_hidden(int action)
{
	struct packet cut = listed("4t");
	struct packet cut6 = listed("6ht");

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (verdict_of(hidden[i]) != action)
			fail_msg("%s: not %d", hidden[i], action);
	assert_int_equal(verdict(&cut, cut.transport - 1), action);
	assert_int_equal(verdict(&cut6, cut6.transport - 1), action);
	cut = listed("4t");
	cut.data[PACKET_ETHERNET] = 0x44; /* a header shorter than the shortest */
	assert_int_equal(verdict(&cut, cut.len), action);
}

/* The address alone decides, and which server is in quarantine does not matter. */
static void test_hidden_ports_while_cutoff_is_in_force(void **state)
{
	struct addr addrs[2];
	const uint16_t ports[] = { PORT + 1, PORT + 1 };

	(void)state;
	quarantine_listed(0); /* nobody */
	expect_hidden(XDP_PASS);
	cutoff(clock_boot_ns());
	expect_hidden(XDP_PASS);
	cutoff(clock_boot_ns() + 3600 * NS_PER_SEC); /* another server, to be sure */
	expect_hidden(XDP_DROP);
	assert_int_equal(verdict_of("4t"), XDP_PASS);
	quarantine_listed(SG_FOREVER); /* by an order that wrote nothing else */
	expect_hidden(XDP_PASS);
	assert_int_equal(verdict_of("4t"), XDP_DROP);
	cutoff(clock_boot_ns() + 50 * NS_PER_MS); /* ends by itself */
	assert_int_equal(verdict_of("6Ht"), XDP_DROP);
	usleep(60000);
	expect_hidden(XDP_PASS);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(parse_addr(i ? "2001:db8::1" : "192.0.2.1", &addrs[i]), 0);
	assert_int_equal(dataplane_endpoints_set(dp, RIG_SERVER, addrs, ports, 2), 0);
	cutoff(SG_FOREVER);
	expect_hidden(XDP_DROP); /* listed with another port */
	assert_int_equal(dataplane_endpoints_set(dp, RIG_SERVER, addrs, ports, 0), 0);
	expect_hidden(XDP_PASS);
}

static void test_hidden_ports_in_observe_mode(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	quarantine_listed(SG_FOREVER);
	cutoff(SG_FOREVER);
	dataplane_observe(dp, true);
	expect_hidden(XDP_PASS);
	dataplane_observe(dp, false);
	expect_hidden(XDP_DROP);
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", SG_SRV_OBSERVE, 0, &policy, 1,
					      true),
			 0);
	expect_hidden(XDP_PASS);
	rig_command(dp, (struct sg_command){ .op = SG_CMD_FORGET });
	expect_hidden(XDP_PASS);
	assert_int_equal(dropped(), 6);
}

/* Of a network its own quarantine decides, with or without `cutoff`. */
static void test_hidden_ports_of_a_network(void **state)
{
	struct dataplane_net nets[2];

	(void)state;
	quarantine_listed(SG_FOREVER);
	assert_int_equal(parse_network("192.0.2.0/24", &nets[0].addr, &nets[0].len), 0);
	assert_int_equal(parse_network("2001:db8::/40", &nets[1].addr, &nets[1].len), 0);
	assert_int_equal(dataplane_endpoints_set(dp, RIG_SERVER, NULL, NULL, 0), 0);
	assert_int_equal(dataplane_networks_set(dp, RIG_SERVER, nets, 2), 0);
	expect_hidden(XDP_DROP);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
	cutoff(SG_FOREVER);
	expect_hidden(XDP_PASS);
	assert_int_equal(dataplane_networks_set(dp, RIG_SERVER, NULL, 0), 0);
}

/* A local server is listed under all names of its host. */
static void test_hidden_ports_of_local_sources(void **state)
{
	static const uint8_t far4[4] = { 127, 200, 1, 9 };
	static const uint8_t loop4[4] = { 127, 0, 0, 1 };
	static const uint8_t own4[4] = { 203, 0, 113, 5 };
	static const uint8_t loop6[16] = { [15] = 1 };
	struct packet far = make("4t", far4, loop6, PORT);
	struct packet p4 = make("4t", loop4, loop6, PORT);
	struct packet own = make("4t", own4, loop6, PORT);
	struct packet p6 = make("6Ht", far4, loop6, PORT);
	struct addr addr;

	(void)state;
	quarantine_listed(SG_FOREVER);
	rig_endpoint(dp, "127.0.0.1", PORT);
	cutoff(SG_FOREVER);
	assert_int_equal(verdict(&p4, p4.transport - 1), XDP_DROP);
	assert_int_equal(verdict(&far, far.transport - 1), XDP_DROP);
	assert_int_equal(verdict(&p6, p6.len), XDP_DROP);
	assert_int_equal(verdict(&own, own.transport - 1), XDP_PASS);
	assert_int_equal(parse_addr("203.0.113.5", &addr), 0);
	assert_int_equal(dataplane_locals_set(dp, &addr, 1), 0);
	assert_int_equal(verdict(&own, own.transport - 1), XDP_DROP);
	dp->cfg->home_netns++;
	assert_int_equal(verdict(&p4, p4.transport - 1), XDP_PASS);
	dp->cfg->home_netns--;
	assert_int_equal(dataplane_locals_set(dp, NULL, 0), 0);
}

/* --- tunnels ------------------------------------------------------------------------ */

static const struct tunnel {
	const char *layers;
	/* where the inner source is listed, where the outer one is; then both with cutoff */
	int inner, outer, inner_cut, outer_cut;
} tunnels[] = {
#define D XDP_DROP
#define P XDP_PASS
	{ "44t", D, P, D, P },
	{ "46u", D, P, D, P },
	{ "64t", D, P, D, P },
	{ "66l", D, P, D, P },
	{ "aqo4t", D, P, D, P },
	{ "4Ou", D, P, D, P },
	{ "46hdrfAdt", D, P, D, P },
	{ "6hdA6hdt", D, P, D, P }, /* three headers in each of the two */
	{ "q6hdrfAd6hdrfAdt", D, P, D, P },
	{ "46i", P, P, P, P }, /* no ports */
	{ "46n", P, P, P, P },
	{ "y4t", D, P, D, P }, /* fragments outside and inside */
	{ "x4t", P, P, P, P },
	{ "4yt", D, P, D, P },
	{ "4xt", P, P, P, P },
	{ "4x4t", P, P, P, P }, /* in a later fragment there is no header to look at */
	{ "66hFt", P, P, P, P },
	{ "6F4t", P, P, P, P },
	{ "46hdrfAddt", P, P, D, D }, /* hidden in it, and hiding it */
	{ "66Ht", P, P, D, D },
	{ "6hdrfAdd4t", P, P, P, D }, /* the inner one is not found */
	{ "6H4t", P, P, P, D },
	{ "444t", P, P, D, D }, /* one level more than is looked at */
	{ "6646t", P, P, D, D },
	{ "qqq44t", P, P, P, P },
#undef D
#undef P
};

static void expect_tunnel(const char *layers, const struct packet_source *outer,
			  const struct packet_source *inner, int want)
{
	struct packet p = packet_make(layers, outer, inner, PORT);
	uint64_t before = dropped();
	int action = verdict(&p, p.len);

	if (action != want)
		fail_msg("%s, %s listed: action %d, not %d", layers,
			 outer == &from_listed ? "outer" : "inner", action, want);
	assert_int_equal(dropped() - before, action == XDP_DROP);
}

static void test_tunnels(void **state)
{
	(void)state;
	quarantine_listed(SG_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
		const struct tunnel *t = &tunnels[i];

		cutoff(0);
		expect_tunnel(t->layers, &from_other, &from_listed, t->inner);
		expect_tunnel(t->layers, &from_listed, &from_other, t->outer);
		expect_tunnel(t->layers, &from_other, &from_other, XDP_PASS);
		cutoff(SG_FOREVER);
		expect_tunnel(t->layers, &from_other, &from_listed, t->inner_cut);
		expect_tunnel(t->layers, &from_listed, &from_other, t->outer_cut);
		expect_tunnel(t->layers, &from_other, &from_other, XDP_PASS);
	}
}

/* What is cut off inside a tunnel is hidden by its outer source, and by the inner one as
 * soon as that is there. */
static void test_tunnels_truncated_at_every_length(void **state)
{
	static const char *const layers[] = { "44t", "46u", "6h4t", "aqo6hdt" };

	(void)state;
	quarantine_listed(SG_FOREVER);
	cutoff(SG_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
		struct packet in = packet_make(layers[i], &from_other, &from_listed, PORT);
		struct packet out = packet_make(layers[i], &from_listed, &from_other, PORT);

		for (size_t len = PACKET_ETHERNET; len <= in.len; len++) {
			int want_in = len < in.inner ? XDP_PASS : XDP_DROP;
			int want_out = len < out.address || len >= out.transport ? XDP_PASS
										 : XDP_DROP;

			if (verdict(&in, len) != want_in || verdict(&out, len) != want_out)
				fail_msg("%s: %zu bytes: not %d, %d", layers[i], len, want_in,
					 want_out);
		}
	}
}

static void test_tunnels_of_networks_and_nonsense(void **state)
{
	struct dataplane_net net;
	struct packet p;

	(void)state;
	quarantine_listed(SG_FOREVER);
	cutoff(SG_FOREVER);
	p = packet_make("44t", &from_other, &from_listed, PORT);
	p.data[PACKET_ETHERNET + 20] =
		0x65; /* says 6 where the protocol says 4: no address there */
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	p = packet_make("44t", &from_listed, &from_other, PORT);
	p.data[PACKET_ETHERNET + 20] = 0x65;
	assert_int_equal(verdict(&p, p.len), XDP_DROP);
	cutoff(0);
	assert_int_equal(verdict(&p, p.len), XDP_PASS);
	assert_int_equal(parse_network("192.0.2.1/32", &net.addr, &net.len), 0);
	assert_int_equal(dataplane_endpoints_set(dp, RIG_SERVER, NULL, NULL, 0), 0);
	assert_int_equal(dataplane_networks_set(dp, RIG_SERVER, &net, 1), 0);
	expect_tunnel("46i", &from_listed, &from_other, XDP_DROP);
	expect_tunnel("6x", &from_other, &from_listed, XDP_DROP);
	assert_int_equal(dataplane_networks_set(dp, RIG_SERVER, NULL, 0), 0);
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
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_unused_id_drops_nothing),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_local_sources),
		cmocka_unit_test(test_hidden_ports_of_a_listed_source),
		cmocka_unit_test(test_hidden_ports_of_others_pass),
		cmocka_unit_test(test_hidden_ports_while_cutoff_is_in_force),
		cmocka_unit_test(test_hidden_ports_in_observe_mode),
		cmocka_unit_test(test_hidden_ports_of_a_network),
		cmocka_unit_test(test_hidden_ports_of_local_sources),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_tunnels_truncated_at_every_length),
		cmocka_unit_test(test_tunnels_of_networks_and_nonsense),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
