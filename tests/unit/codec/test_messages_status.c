/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The status document: the exact text is the contract, so the test has it whole. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/messages.h"
#include "core/counters.h"
#include "unit/unit.h"

#define WALL 1700000000000000000ULL /* 2023-11-14T22:13:20Z */

static const char idle_server[] =
	"{\"name\":\"files\",\"url\":null,\"group\":null,\"panic\":false,\"state\":\"closed\","
	"\"verdict\":\"allow\",\"quarantine\":null,\"trust\":null,"
	"\"breaker\":{\"failure_rate\":null,\"slow_rate\":null,\"consecutive_failures\":0,"
	"\"open_remaining_s\":0.0,\"generation\":0},\"endpoints\":[],\"visibility\":\"none\","
	"\"counters\":{\"connects\":0,\"connect_failures\":{\"refused\":0,\"timeout\":0,\"reset\":0,"
	"\"unreachable\":0},\"requests\":0,\"responses\":{\"2xx\":0,\"3xx\":0,\"4xx\":0,\"5xx\":0},"
	"\"bad_responses\":0,\"rpc_errors\":0,\"timeouts\":0,\"denied\":0,\"would_deny\":0,"
	"\"passed_open\":0,\"overflow\":0,\"redirected\":0,\"stand_in\":0,\"killed\":0,"
	"\"dropped_packets\":0,\"untrusted\":0,\"unrecorded\":0,\"unframed\":0,"
	"\"tls\":{\"handshakes\":0,\"failed\":0,\"h2_offered\":0}},\"latency_ms\":{\"p50\":null,\"p95\":null,\"p99\":null},"
	"\"handshake_ms\":{\"p50\":null,\"p95\":null,\"p99\":null},"
	"\"held\":false,\"places\":null,\"shared\":null,\"command\":\"npx x\",\"order\":null,"
	"\"isolation\":null,\"causes\":[],\"causes_lost\":0,\"proxied\":[],\"tools\":null,\"since\":null,\"fallback\":null}";

static const char busy_server[] =
	"{\"name\":\"search\",\"url\":\"http://h/mcp\",\"group\":\"g\",\"panic\":true,\"state\":\"open\","
	"\"verdict\":\"refuse\",\"quarantine\":{\"reason\":\"bad \\\"tool\\\"\","
	"\"since\":\"2023-11-14T22:13:20.000Z\",\"until\":\"2023-11-14T22:13:21.500Z\",\"by\":\"uid 0\"},"
	"\"trust\":{\"score\":78.7,\"band\":\"trusted\",\"performance\":0.91,\"security\":1,"
	"\"community\":0.5,\"strikes\":2,\"restricted\":true},"
	"\"breaker\":{\"failure_rate\":0.6,\"slow_rate\":0,\"consecutive_failures\":5,"
	"\"open_remaining_s\":12.25,\"generation\":4},"
	"\"endpoints\":[{\"address\":\"127.0.0.1\",\"port\":3001,\"source\":\"config\",\"failed\":3},"
	"{\"address\":\"10.0.0.0/8\",\"port\":null,\"source\":\"network\",\"owner\":\"other\"}],\"visibility\":\"plaintext\","
	"\"counters\":{\"connects\":1,\"connect_failures\":{\"refused\":2,\"timeout\":3,\"reset\":4,"
	"\"unreachable\":5},\"requests\":6,\"responses\":{\"2xx\":7,\"3xx\":8,\"4xx\":9,\"5xx\":10},"
	"\"bad_responses\":11,\"rpc_errors\":12,\"timeouts\":13,\"denied\":14,\"would_deny\":15,"
	"\"passed_open\":16,\"overflow\":17,\"redirected\":18,\"stand_in\":19,\"killed\":20,"
	"\"dropped_packets\":21,\"untrusted\":22,\"unrecorded\":23,\"unframed\":24,"
	"\"tls\":{\"handshakes\":25,\"failed\":26,\"h2_offered\":27}},\"latency_ms\":{\"p50\":1.2,\"p95\":3.4,\"p99\":9.9},"
	"\"handshake_ms\":{\"p50\":8.1,\"p95\":9.5,\"p99\":11},"
	"\"held\":true,\"places\":{\"members\":3,\"open\":1,\"limit\":2},\"shared\":\"learned\","
	"\"order\":{\"state\":\"shadow\",\"reason\":\"\",\"since\":\"2023-11-14T22:13:20.000Z\","
	"\"until\":null,\"by\":\"me\"},"
	"\"isolation\":{\"state\":\"isolated\",\"cgroup\":\"/x\",\"processes\":3,\"cut\":2,"
	"\"survivors\":0,\"frozen\":true,\"forced\":false,\"dropped_packets\":5,\"refused\":6,"
	"\"not_cut\":\"packets\"},"
	"\"causes\":[{\"class\":\"hard\",\"cause\":\"no_answer\",\"calls\":3,"
	"\"latest\":\"2023-11-14T22:13:20.000Z\",\"latency\":60.5}],\"causes_lost\":24,"
	"\"proxied\":[{\"pid\":7,\"comm\":\"curl\",\"proxy\":\"p:3128\",\"watched\":true}],"
	"\"tools\":{\"count\":2,\"digest\":\"ab\",\"version\":\"1.0\","
	"\"seen\":\"2023-11-14T22:13:20.000Z\",\"approved\":false,\"approved_digest\":\"cd\","
	"\"approved_at\":\"2023-11-14T22:13:20.000Z\",\"approved_by\":\"me\","
	"\"unknown\":null,\"changed\":[{\"name\":\"add\",\"change\":\"changed\","
	"\"fields\":\"description\"},{\"name\":\"b\",\"change\":\"added\"}]},"
	"\"since\":\"2023-11-14T22:13:20.000Z\",\"fallback\":{\"kind\":\"forward\",\"to\":\"c\",\"why\":null,"
	"\"candidates\":[{\"server\":\"b\",\"usable\":false,\"why\":\"it is in quarantine\",\"asked\":null},"
	"{\"server\":\"c\",\"usable\":true,\"why\":null,\"differs\":\"new: d\","
	"\"asked\":\"2023-11-14T22:13:20.000Z\"}]}}";

static void fill_busy(struct status_server *s)
{
	uint64_t n = 0;

	status_server_init(s);
	snprintf(s->name, sizeof(s->name), "%s", "search");
	s->url = strdup("http://h/mcp");
	s->group = strdup("g");
	s->panic = true;
	s->held = true;
	s->places = (struct status_slots){ 3, 1, 2 };
	snprintf(s->shared, sizeof(s->shared), "learned");
	s->state = SG_OPEN;
	s->verdict = VERDICT_REFUSE;
	s->quarantined = true;
	s->quarantine =
		(struct status_quarantine){ "bad \"tool\"", "uid 0", WALL, WALL + SECONDS(1.5) };
	s->ordered = true;
	s->order_state = SG_SHADOW;
	s->order = (struct status_quarantine){ "", "me", WALL, STATUS_NEVER };
	s->has_trust = true;
	s->trust = (struct status_trust){ 78.7, "trusted", 0.91, 1, 0.5, 2, true };
	s->breaker = (struct status_breaker){ 0.6, 0, 5, SECONDS(12.25), 4 };
	s->endpoints = calloc(2, sizeof(*s->endpoints));
	assert_non_null(s->endpoints);
	s->endpoints[0] = (struct status_endpoint){ "127.0.0.1", 3001, "config", "", 3 };
	s->endpoints[1] = (struct status_endpoint){ "10.0.0.0/8", 0, "network", "other", 0 };
	s->n_endpoints = 2;
	s->visibility = VISIBILITY_PLAINTEXT;
	for (const struct counter *c = counters; c->value; c++)
		if (c->key)
			counter_set(c, &s->counters, ++n);
	s->latency = (struct status_latency){ 1.2, 3.4, 9.9 };
	s->handshake = (struct status_latency){ 8.1, 9.5, 11 };
	s->causes = calloc(1, sizeof(*s->causes));
	assert_non_null(s->causes);
	s->causes[0] = (struct status_cause){ SG_HARD, SG_CAUSE_NO_ANSWER, 3, WALL, SECONDS(60.5) };
	s->n_causes = 1;
	s->causes_lost = 24;
	s->proxied = calloc(1, sizeof(*s->proxied));
	assert_non_null(s->proxied);
	s->proxied[0] = (struct status_proxied){ 7, "curl", "p:3128", true };
	s->n_proxied = 1;
	s->has_isolation = true;
	s->isolation = (struct status_isolation){ "isolated", "/x",  3, 2, 0,  0,
						  true,       false, 5, 6, "", "packets" };
	s->has_tools = true;
	s->tools = (struct status_tools){ 2, "ab", "1.0", WALL, false, "cd", WALL, "me", "" };
	s->changed = calloc(2, sizeof(*s->changed));
	assert_non_null(s->changed);
	s->changed[0] = (struct status_tool){ "add", "changed", "description" };
	s->changed[1] = (struct status_tool){ "b", "added", "" };
	s->n_changed = 2;
	s->since_wall_ns = WALL;
	s->has_fallback = true;
	s->fallback = (struct status_fallback){ SG_REDIRECT_FORWARD, "c", false, "" };
	s->candidates = calloc(2, sizeof(*s->candidates));
	assert_non_null(s->candidates);
	s->candidates[0] = (struct status_candidate){ "b", false, "it is in quarantine", "", 0 };
	s->candidates[1] = (struct status_candidate){ "c", true, "", "new: d", WALL };
	s->n_candidates = 2;
}

static void fill(struct status *s)
{
	*s = (struct status){ .abi = 1,
			      .version = "0.1",
			      .pid = 42,
			      .observe = true,
			      .uptime_ns = SECONDS(1.5),
			      .selftest = "ok",
			      .lost_events = 3,
			      .bypassed = true,
			      .bypass = { "fire", "uid 0", WALL, WALL + SECONDS(1.5) } };
	s->xdp = calloc(1, sizeof(*s->xdp));
	s->degraded = calloc(1, sizeof(*s->degraded));
	s->servers = calloc(2, sizeof(*s->servers));
	assert_true(s->xdp && s->degraded && s->servers);
	s->xdp[0] = (struct status_xdp){ "veth0", "native" };
	s->n_xdp = 1;
	s->degraded[0] = strdup("no kfunc");
	s->n_degraded = 1;
	fill_busy(&s->servers[0]);
	status_server_init(&s->servers[1]);
	snprintf(s->servers[1].name, sizeof(s->servers[1].name), "%s", "files");
	s->servers[1].command = strdup("npx x");
	s->servers[1].visibility = VISIBILITY_NONE;
	s->n_servers = 2;
}

static void expected(struct buf *out)
{
	*out = BUF(1 << 16);
	buf_printf(
		out,
		"{\"abi\":1,\"daemon\":{\"version\":\"0.1\",\"pid\":42,\"mode\":\"observe\","
		"\"uptime_s\":1.5},\"health\":{\"selftest\":\"ok\",\"xdp\":[{\"interface\":\"veth0\","
		"\"mode\":\"native\"}],\"degraded\":[\"no kfunc\"],\"lost_events\":3},"
		"\"bypass\":{\"reason\":\"fire\",\"since\":\"2023-11-14T22:13:20.000Z\","
		"\"until\":\"2023-11-14T22:13:21.500Z\",\"by\":\"uid 0\"},"
		"\"servers\":[%s,%s]}",
		busy_server, idle_server);
}

static void test_encode(void **state)
{
	struct buf out, want;
	struct status s;

	(void)state;
	fill(&s);
	expected(&want);
	out = BUF(1 << 16);
	assert_int_equal(status_encode(&s, URL_MASKED, &out), 0);
	assert_string_equal(buf_str(&out), buf_str(&want));
	buf_clear(&out);
	assert_int_equal(status_server_encode(&s.servers[0], URL_MASKED, &out), 0);
	assert_string_equal(buf_str(&out), busy_server);
	buf_done(&out);
	out = BUF(100);
	assert_int_equal(status_encode(&s, URL_MASKED, &out), -EMSGSIZE);
	buf_done(&out);
	buf_done(&want);
	status_done(&s);
}

/* Every member survives: what is read is written as the same text. */
static void test_decode(void **state)
{
	struct buf out, want;
	struct status s;

	(void)state;
	expected(&want);
	out = BUF(1 << 16);
	assert_int_equal(status_decode(buf_str(&want), want.len, &s), 0);
	assert_int_equal(status_encode(&s, URL_MASKED, &out), 0);
	assert_string_equal(buf_str(&out), buf_str(&want));
	status_done(&s);
	buf_done(&want);
	buf_done(&out);
}

static void test_decode_server(void **state)
{
	struct status_server s;

	(void)state;
	assert_int_equal(status_server_decode(busy_server, strlen(busy_server), &s), 0);
	assert_string_equal(s.name, "search");
	assert_int_equal(s.state, SG_OPEN);
	assert_int_equal(s.counters.dropped_packets, 21);
	assert_int_equal(s.counters.untrusted, 22);
	assert_int_equal(s.counters.unrecorded, 23);
	assert_int_equal(s.counters.unframed, 24);
	assert_int_equal(s.counters.h2, 27);
	assert_int_equal(s.endpoints[1].port, 0);
	status_server_done(&s);
}

static void test_forever(void **state)
{
	struct status_server s, back;
	struct buf out;

	(void)state;
	status_server_init(&s);
	snprintf(s.name, sizeof(s.name), "%s", "a");
	s.breaker.open_remaining_ns = STATUS_NEVER;
	s.quarantined = true;
	out = BUF(4096);
	assert_int_equal(status_server_encode(&s, URL_MASKED, &out), 0);
	assert_non_null(strstr(buf_str(&out), "\"open_remaining_s\":null"));
	assert_non_null(strstr(buf_str(&out), "\"until\":null"));
	assert_int_equal(status_server_decode(buf_str(&out), out.len, &back), 0);
	assert_true(back.breaker.open_remaining_ns == STATUS_NEVER);
	assert_true(back.quarantine.until_wall_ns == STATUS_NEVER);
	status_server_done(&back);
	buf_done(&out);
}

static void test_tolerant(void **state)
{
	static const char text[] =
		"{\"servers\":[{\"name\":\"a\",\"state\":\"molten\",\"verdict\":7,\"new\":[1],"
		"\"endpoints\":[3,{\"port\":70000}],\"breaker\":[],\"counters\":null},null,1],"
		"\"health\":{\"degraded\":[1,\"x\"],\"xdp\":3},\"later\":{}}";
	struct status s;

	(void)state;
	assert_int_equal(status_decode(text, sizeof(text) - 1, &s), 0);
	assert_int_equal(s.n_servers, 3);
	assert_int_equal(s.servers[0].state, SG_CLOSED);
	assert_int_equal(s.servers[0].verdict, VERDICT_ALLOW);
	assert_int_equal(s.servers[0].n_endpoints, 2);
	assert_int_equal(s.servers[0].endpoints[1].port, 0);
	assert_int_equal(s.servers[0].breaker.open_remaining_ns, 0);
	assert_true(isnan(s.servers[0].latency.p50));
	assert_int_equal(s.n_degraded, 1);
	assert_string_equal(s.degraded[0], "x");
	status_done(&s);
}

static void test_garbage(void **state)
{
	static const char *const garbage[] = {
		"", "{", "[]", "null", "{}", "{\"servers\":{}}", "x", "{\"servers\":[]} x"
	};
	struct status_server server;
	struct status s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		assert_int_equal(status_decode(garbage[i], strlen(garbage[i]), &s), -EBADMSG);
		assert_int_equal(status_server_decode(garbage[i], strlen(garbage[i]), &server),
				 -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),        cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_server), cmocka_unit_test(test_forever),
		cmocka_unit_test(test_tolerant),      cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
