/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections to a proxy: whose they are, by what it is asked for; what answers mean that it may
 * have given itself; what is refused on them, and for how long they are a server's.
 */
#include "bpf/rows.h"

#define OPENED "HTTP/1.1 200 Connection established\r\n\r\n"
#define TUNNEL(name) "CONNECT " name " HTTP/1.1\r\nHost: " name "\r\n\r\n"
#define ASKED(method, uri) method " " uri " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#define FORWARD ASKED("POST", "http://s.test:81/mcp")
#define OTHER ASKED("POST", "http://o.test:81/mcp")
#define ANSWER(status) "HTTP/1.1 " status " It\r\nContent-Length: 2\r\n\r\n{}"
#define OK ANSWER("200")
#define POST "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#define HELLO "\x16\x03\x01\x00\x05hello"
#define SERVER_HELLO "\x16\x03\x03\x00\x05hello\x14\x03\x03\x00\x01\x01"
#define FINISHED "\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x05kkkkk"
#define RECORD "\x17\x03\x03\x00\x05"
#define X100 \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define SEALED_ANSWER "\x17\x03\x03\x03\x84" X100 X100 X100 X100 X100 X100 X100 X100 X100
#define LONG_NAME X100 X100 ".test:443"

#define MADE OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 200, true, false)
#define OWN(status) OUTCOME(SG_CALLER, SG_CAUSE_PROXY, status, true, false)
#define ENDED OUTCOME(SG_CALLER, SG_CAUSE_PROXY, 0, false, false)
#define PERHAPS(status) OUTCOME(SG_UNKNOWN, SG_CAUSE_PROXY, status, false, false)

static const struct row rows[] = {
	{ "a tunnel to another",
	  { CONNECT, ASK(TUNNEL("o.test:443")), SAY(OPENED), ASK(HELLO), RST },
	  NOTHING },
	{ "names that begin or end like the server's",
	  { CONNECT, ASK(TUNNEL("s.test:4430")), SAY(ANSWER("502")), ASK(TUNNEL("s.test:44")),
	    SAY(ANSWER("502")), ASK(TUNNEL("xs.test:443")), SAY(ANSWER("502")),
	    ASK(TUNNEL("s.test.x:443")), SAY(ANSWER("502")), ASK(TUNNEL(LONG_NAME)), RST },
	  NOTHING },
	{ "no proxy's request", { CONNECT, ASK(POST), SAY(ANSWER("500")), ASK("x"), RST }, NOTHING },
	{ "a tunnel that nobody made",
	  { CONNECT, ASK(TUNNEL("s.test:443")), FIN },
	  { ENDED },
	  .n = 1,
	  .requests = 1 },
	{ "the proxy's no, several times, and then another's",
	  { CONNECT, ASK(TUNNEL("s.test:443")), SAY(ANSWER("407")), ASK(TUNNEL("S.TEST:443")),
	    SAY(ANSWER("502")), ASK(TUNNEL("s.test:443")), SAY(ANSWER("504")),
	    ASK(TUNNEL("o.test:443")), SAY(ANSWER("502")), ASK(TUNNEL("o.test:443")), RST },
	  { OWN(407), OWN(502), OWN(504) },
	  .n = 3,
	  .requests = 3 },
	{ "TLS in a tunnel",
	  { CONNECT, ASK(TUNNEL("s.test:443")), SAY(OPENED), ASK(HELLO), SAY(SERVER_HELLO),
	    ASK(FINISHED), ASK(RECORD "query"), SAY(SEALED_ANSWER), CLOSE },
	  { MADE, UNREAD },
	  .n = 2,
	  .requests = 2,
	  .handshakes = 1 },
	{ "TLS that is broken off in a tunnel",
	  { CONNECT, ASK(TUNNEL("s.test:443")), SAY(OPENED), ASK(HELLO), RST },
	  { MADE, TLS },
	  .n = 2,
	  .requests = 1 },
	{ "HTTP in a tunnel, whatever it asks for",
	  { CONNECT, ASK(TUNNEL("s.test:443")), SAY(OPENED), ASK(POST), SAY(OK), ASK(OTHER),
	    SAY(ANSWER("503")), ASK(POST), RST },
	  { MADE, GOOD, REFUSAL, STALE },
	  .n = 4,
	  .requests = 4,
	  .uncounted = 0 },
	{ "a tunnel that is not used",
	  { CONNECT, ASK(TUNNEL("s.test:443")), SAY(OPENED), RST },
	  { MADE },
	  .n = 1,
	  .requests = 1 },
	{ "forwarded",
	  { CONNECT, ASK(FORWARD), SAY(OK), ASK(ASKED("POST", "HTTP://S.Test:81")), SAY(OK),
	    ASK(ASKED("POST", "http://s.test:81?a")), SAY(ANSWER("500")), CLOSE },
	  { GOOD, GOOD, OUTCOME(SG_HARD, SG_CAUSE_STATUS, 500, true, false) },
	  .n = 3,
	  .requests = 3 },
	{ "other methods",
	  { CONNECT, ASK(ASKED("GET", "http://s.test:81/")), SAY(ANSWER("404")),
	    ASK(ASKED("DELETE", "http://s.test:81/")), SAY(ANSWER("404")),
	    ASK(ASKED("OPTIONS", "http://s.test:81/")), SAY(ANSWER("404")),
	    ASK(ASKED("PATCH", "http://s.test:81/")), SAY(ANSWER("404")),
	    ASK(ASKED("PUT", "http://s.test:81/")), SAY(ANSWER("404")),
	    ASK(ASKED("HEAD", "http://s.test:81/")), SAY("HTTP/1.1 404 No\r\n\r\n"), CLOSE },
	  { OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 404, true, false),
	    OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 404, true, false),
	    OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 404, true, false),
	    OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 404, true, false),
	    OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 404, true, false),
	    OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 404, true, false) },
	  .n = 6,
	  .requests = 6 },
	{ "requests of one connection are told apart",
	  { CONNECT, ASK(OTHER), SAY(ANSWER("500")), ASK(FORWARD), SAY(OK), ASK(OTHER),
	    SAY(ANSWER("500")), ASK(FORWARD), SAY(OK), ASK(OTHER), RST },
	  { GOOD, GOOD },
	  .n = 2,
	  .requests = 2 },
	{ "what a proxy that forwards may say itself",
	  { CONNECT, ASK(FORWARD), SAY(ANSWER("407")), ASK(FORWARD), SAY(ANSWER("502")),
	    ASK(FORWARD), SAY(ANSWER("503")), ASK(FORWARD), SAY(ANSWER("504")), CLOSE },
	  { OWN(407), PERHAPS(502), PERHAPS(503), PERHAPS(504) },
	  .n = 4,
	  .requests = 4 },
	{ "and how it may end",
	  { CONNECT, ASK(FORWARD), RST },
	  { PERHAPS(0) },
	  .n = 1,
	  .requests = 1 },
	{ "and so, too", { CONNECT, ASK(FORWARD), FIN }, { PERHAPS(0) }, .n = 1, .requests = 1 },
	{ "and in the middle",
	  { CONNECT, ASK(FORWARD), SAY("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), FIN },
	  { PERHAPS(200) },
	  .n = 1,
	  .requests = 1 },
	{ "an answer whose end is not known, and another's request",
	  { CONNECT, ASK(FORWARD),
	    SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x"), ASK(OTHER),
	    SAY(ANSWER("500")), ASK(OTHER), RST },
	  { GOOD },
	  .n = 1,
	  .requests = 1,
	  .unframed = 1 },
	{ "another protocol",
	  { CONNECT, ASK(FORWARD), SAY("HTTP/1.1 101 Go\r\n\r\n"), ASK(OTHER), SAY("x"), CLOSE },
	  { OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 101, true, false) },
	  .n = 1,
	  .requests = 1 },
	{ "a hang of what is forwarded",
	  { CONNECT, ASK(FORWARD), PAUSE(40), SWEEP },
	  { NO_ANSWER },
	  .n = 1,
	  .requests = 1,
	  .timeout_ms = 20 },
	{ "a hang in a tunnel, but not before there is one",
	  { CONNECT, ASK(TUNNEL("s.test:443")), PAUSE(40), SWEEP, SAY(OPENED), ASK(POST), PAUSE(40),
	    SWEEP },
	  { MADE, NO_ANSWER },
	  .n = 2,
	  .requests = 2,
	  .timeout_ms = 20 },
};

static int begin(void **state)
{
	struct addr addrs[2];
	uint16_t ports[2];

	setup(state);
	rig_endpoint(dp, "127.0.0.1", 1); /* and not where the conversation goes */
	assert_int_equal(parse_addr("127.0.0.1", &addrs[0]), 0);
	assert_int_equal(parse_addr("::1", &addrs[1]), 0);
	ports[0] = ports[1] = talk.port;
	assert_int_equal(dataplane_proxies_set(dp, addrs, ports, 2, false), 0);
	return 0;
}

/* A server of a new incarnation, by its names. */
static void named(const struct sg_policy *policy)
{
	static const char *const names[] = { "s.test:443", "s.test:81" };
	struct dataplane_target v[2] = { { .server = RIG_SERVER }, { .server = RIG_SERVER } };

	fresh(policy);
	for (size_t i = 0; i < 2; i++)
		memcpy(v[i].name.text, names[i], strlen(names[i]));
	assert_int_equal(dataplane_targets_set(dp, v, 2), 0);
}

static void row_play_proxied(const struct row *row)
{
	const struct talk_want want = { .name = row->name,
					.outcomes = row->outcomes,
					.n = row->n,
					.requests = row->requests,
					.handshakes = row->handshakes,
					.unframed = row->unframed };
	struct sg_policy policy = rig_policy();

	if (row->timeout_ms)
		policy.timeout_ns = row->timeout_ms * NS_PER_MS;
	named(&policy);
	talk_play(&talk, row->steps);
	talk_end(&talk);
	talk_expect(&talk, &want, &events);
	for (size_t i = 0; i < events.n; i++)
		assert_int_not_equal(events.e[i].proxied, SG_PROXIED_NOT);
}

static void test_conversations(void **state)
{
	(void)state;
	for (talk.name = TALK_V4; talk.name < TALK_NAME_COUNT; talk.name++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			row_play_proxied(&rows[i]);
	talk.name = TALK_V4;
}

static void ask(const char *text)
{
	assert_int_equal(send(talk.client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static struct sg_flow flow(void)
{
	uint64_t cookie = rig_cookie(talk.client);
	struct sg_flow f = { 0 };

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.flows), &cookie, &f), 0);
	return f;
}

static void order_open(void)
{
	struct sg_command cmd = { .op = SG_CMD_ORDER,
				  .server = RIG_SERVER,
				  .state = SG_FORCED_OPEN,
				  .until_ns = SG_FOREVER };

	assert_int_equal(dataplane_command(dp, &cmd), 0);
}

/* What its breaker denies does not leave, whether somebody can kill it or not: the socket ends by
 * itself. Others' requests do. */
static void test_refused(void **state)
{
	static const char *const requests[] = { FORWARD, TUNNEL("s.test:443") };
	struct sg_policy policy = rig_policy();

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		named(&policy);
		order_open();
		dataplane_lease(dp, i & 1 ? 0 : SG_FOREVER);
		assert_int_equal(talk_dial(&talk), 0);
		assert_int_equal(flow().server, SG_NOBODY);
		talk_ask(&talk, OTHER);
		talk_say(&talk, OK);
		assert_int_equal(flow().server, SG_NOBODY);
		ask(requests[i / 2]);
		assert_false(talk_heard(&talk));
		assert_int_equal(flow().server, RIG_SERVER);
		assert_true(flow().flags & SG_FLOW_STOPPED);
		assert_int_equal(rig_stats(dp).denied, 1);
		assert_int_equal(rig_stats(dp).passed_open, 0);
		if (i & 1)
			assert_int_equal(talk_error(talk.client), ETIMEDOUT);
		else
			assert_int_equal(rig_kill(dp), 1);
	}
	dataplane_lease(dp, SG_FOREVER);
}

/* A quarantine stops tunnels and new requests, and not the connection that was its server's. */
static void test_quarantine(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	named(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, FORWARD);
	assert_int_equal(flow().server, RIG_SERVER);
	talk_say(&talk, OK);
	assert_int_equal(flow().server, SG_NOBODY);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(rig_kill(dp), 0);
	talk_ask(&talk, OTHER);
	talk_say(&talk, OK);
	ask(FORWARD);
	assert_false(talk_heard(&talk));
	assert_int_equal(rig_stats(dp).denied, 1);
	assert_true(rig_stats(dp).dropped_packets >= 1);
	assert_int_equal(rig_kill(dp), 1);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);

	named(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, TUNNEL("s.test:443"));
	talk_say(&talk, OPENED);
	assert_int_equal(flow().proxied, SG_PROXIED_TUNNEL);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	ask("x");
	assert_false(talk_heard(&talk));
	assert_int_equal(rig_kill(dp), 1);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
}

/* A name of a server that is gone is nobody's, whoever has its id now. */
static void test_gone(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	named(&policy);
	fresh(&policy);
	order_open();
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, FORWARD);
	assert_int_equal(flow().server, SG_NOBODY);
	assert_int_equal(rig_stats(dp).denied, 0);
}

/* A probe that a request takes decides; of a CONNECT it is given back. */
static void test_probe(void **state)
{
	struct sg_command cmd = { .op = SG_CMD_READ, .server = RIG_SERVER };
	struct sg_policy policy = rig_policy();

	(void)state;
	named(&policy);
	assert_int_equal(dataplane_command(dp, &cmd), 0);
	cmd.op = SG_CMD_TRIP;
	cmd.generation = cmd.breaker.generation;
	cmd.reason = SG_REASON_CONSECUTIVE;
	assert_int_equal(dataplane_command(dp, &cmd), 0);
	cmd = (struct sg_command){ .op = SG_CMD_READ,
				   .server = RIG_SERVER,
				   .now_ns = clock_boot_ns() + 3600 * NS_PER_SEC };
	assert_int_equal(dataplane_command(dp, &cmd), 0);
	assert_int_equal(cmd.breaker.state, SG_HALF_OPEN);
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, TUNNEL("s.test:443"));
	assert_false(flow().flags & SG_FLOW_PROBE);
	talk_say(&talk, OPENED);
	talk_ask(&talk, POST);
	assert_true(flow().flags & SG_FLOW_PROBE);
	talk_say(&talk, OK);
	assert_false(flow().flags & SG_FLOW_PROBE);
	rig_wait(dp, &events, 2);
	assert_true(events.e[events.n - 1].flags & SG_OUT_PROBE ||
		    events.e[events.n - 2].flags & SG_OUT_PROBE);
}

/* The ramp lets a share of the requests through, as of connects. */
static void test_ramp(void **state)
{
	uint64_t now = clock_boot_ns();
	struct sg_policy policy = rig_policy();

	(void)state;
	policy.ramp_ns = now / 2 * 8; /* an eighth of it is over */
	named(&policy);
	rig_ramp(dp, now);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(talk_dial(&talk), 0);
		ask(FORWARD);
		talk_end(&talk);
	}
	assert_true(rig_stats(dp).denied >= 1);
	assert_int_equal(rig_stats(dp).denied + rig_stats(dp).requests, 40);
}

/* Does a connect of the conversation leave a record? */
static bool recorded(void)
{
	struct sg_flow f;
	uint64_t cookie;
	bool found;

	assert_int_equal(talk_dial(&talk), 0);
	cookie = rig_cookie(talk.client);
	found = !bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.flows), &cookie, &f);
	talk_end(&talk);
	return found;
}

/* Proxies are exactly those that were set last, or those that were added, too; a server that is
 * configured at the same endpoint has it. */
static void test_known(void **state)
{
	struct sg_policy policy = rig_policy();
	struct addr proxy, other;

	(void)state;
	assert_int_equal(parse_addr("127.0.0.1", &proxy), 0);
	assert_int_equal(parse_addr("192.0.2.1", &other), 0);
	named(&policy);
	assert_true(recorded());
	assert_int_equal(dataplane_proxies_set(dp, &other, &talk.port, 1, true), 0);
	assert_true(recorded());
	assert_int_equal(dataplane_proxies_set(dp, &other, &talk.port, 1, false), 0);
	assert_false(recorded());
	assert_int_equal(dataplane_proxies_set(dp, NULL, NULL, 0, false), 0);
	assert_int_equal(dp->cfg->proxies, 0);
	assert_int_equal(dataplane_proxies_set(dp, &proxy, &(uint16_t){ talk.port + 1 }, 1, false),
			 0);
	assert_false(recorded());
	assert_int_equal(dataplane_proxies_set(dp, &proxy, &talk.port, 1, false), 0);
	assert_true(recorded());
	rig_endpoint(dp, "127.0.0.1", talk.port);
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(flow().server, RIG_SERVER);
	assert_int_equal(flow().proxied, SG_PROXIED_NOT);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_quarantine),    cmocka_unit_test(test_gone),
		cmocka_unit_test(test_probe),         cmocka_unit_test(test_ramp),
		cmocka_unit_test(test_known),
	};

	return cmocka_run_group_tests(tests, begin, teardown);
}

int main(void)
{
	return rig_main(run);
}
