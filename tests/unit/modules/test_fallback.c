/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who stands in for a server: asked beforehand, and the kernel and the relay are told. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "codec/messages.h"
#include "codec/messages_why.h"
#include "unit/modules/modules_relay.h"
#include "unit/modules/modules_rig.h"
#include "unit/unit.h"

#define TLS_A "\"a\":{\"url\":\"https://127.0.0.1:1/mcp\",\"fallback\":[\"b\",\"d\"]}"
#define TLS_D "\"d\":{\"url\":\"https://127.0.0.1:4/mcp\"}"
#define PLAIN_A(more) \
	"\"a\":{\"url\":\"http://127.0.0.1:1/mcp\",\"fallback\":{\"servers\":[\"c\"]" more "}}"
#define STOOD_IN \
	"\"a\":{\"url\":\"http://127.0.0.1:1/mcp\",\"on_open\":\"stand_in\",\"group\":\"g\"}"
#define GROUP_C "\"c\":{\"url\":\"http://127.0.0.1:3/x\",\"group\":\"g\"}"

static const struct sg_redirect nowhere;

static struct status_server shown(const char *name)
{
	struct status_server s;
	struct rig_answer a;
	char path[128];

	snprintf(path, sizeof(path), "/v1/servers/%s", name);
	assert_int_equal(rig_ask(&rig, "GET", path, NULL, &a), 200);
	assert_int_equal(status_server_decode(a.body, strlen(a.body), &s), 0);
	rig_answer_done(&a);
	return s;
}

static void expect(const char *name, enum sg_redirect_kind kind, const char *to, const char *why)
{
	struct status_server s = shown(name);

	assert_true(s.has_fallback);
	assert_int_equal(s.fallback.kind, kind);
	assert_string_equal(s.fallback.to, to);
	assert_non_null(strstr(s.fallback.why, why));
	assert_int_equal(kernel(name)->redirect.kind, kind);
	status_server_done(&s);
}

static void expect_candidate(const char *name, size_t i, const char *why)
{
	struct status_server s = shown(name);

	assert_in_range(i, 0, s.n_candidates - 1);
	assert_int_equal(s.candidates[i].usable, !*why);
	if (*why)
		assert_non_null(strstr(s.candidates[i].why, why));
	status_server_done(&s);
}

static void some_time(void)
{
	rig_advance(&rig, SECONDS(20));
	rig_pass(&rig);
}

static void begin(const char *config)
{
	fake_relay = (struct fake_relay){ .up = true };
	fake_probe =
		(struct fake_probe){ .result = { .class = SG_SUCCESS, .status = 200 }, .why = "" };
	rig_start(&rig, config);
}

static void close_again(const char *name)
{
	assert_int_equal(rig_order(&rig, name, "reset", "{}"), 200);
	rig_pass(&rig);
}

/* TLS: to a replica's own address, once it has answered. */
static void replicas(void **state)
{
	const struct sg_redirect *r;

	(void)state;
	begin(SERVERS(TLS_A "," B "," TLS_D));
	assert_int_equal(kernel("a")->redirect.kind, SG_REDIRECT_NONE); /* nobody was asked yet */
	assert_int_equal(fake_relay.begun, 0);                          /* nor is it needed */
	some_time();
	expect("a", SG_REDIRECT_DIRECT, "b", "");
	r = &kernel("a")->redirect;
	assert_int_equal(ntohs(r->port4), 2);
	assert_int_equal(SG_AT_ID(r->at4), id_of("b"));
	assert_int_equal(r->port6, 0);
	assert_true(r->netns); /* a loopback address: not from elsewhere */
	assert_int_equal(rig_events(&rig, "\"fallback\"", NULL), 0);
	open_up("a");
	assert_int_equal(rig_events(&rig, "\"fallback\"", "connects go to \\\"b\\\""), 1);
	open_up("b");
	expect("a", SG_REDIRECT_DIRECT, "d", "");
	expect_candidate("a", 0, "breaker is open");
	assert_int_equal(rig_events(&rig, "\"fallback\"", "connects go to \\\"d\\\""), 1);
	close_again("b");
	expect("a", SG_REDIRECT_DIRECT, "b", "");
	close_again("a");
	assert_int_equal(rig_events(&rig, "\"fallback\"", "connects go to it again"), 1);
}

static void who_does_not_answer_is_not_used(void **state)
{
	(void)state;
	begin(SERVERS(TLS_A "," B "," TLS_D));
	fake_probe.result = (struct probe_result){ .class = SG_HARD, .cause = SG_CAUSE_REFUSED };
	some_time();
	expect("a", SG_REDIRECT_NONE, "", "no fallback can be used");
	expect_candidate("a", 0, "does not answer: refused");
	assert_true(rig_degraded(&rig, "server \"a\": no fallback can be used: b: it does not "
				       "answer: refused"));
	fake_probe.result = (struct probe_result){ .class = SG_HARD, .status = 503 };
	some_time();
	expect_candidate("a", 0, "does not answer: HTTP status 503");
	fake_probe.result = (struct probe_result){ .class = SG_CALLER, .status = 401 };
	some_time(); /* who asks for credentials is alive */
	expect("a", SG_REDIRECT_DIRECT, "b", "");
	assert_false(rig_degraded(&rig, "no fallback"));
	fake_probe.r = -EOWNERDEAD;
	some_time();
	expect_candidate("a", 0, "does not answer: ");
	expect("a", SG_REDIRECT_NONE, "", "");
}

/* Plaintext: by the relay, which keeps credentials back unless the operator shares them. */
static void forwarded(void **state)
{
	const struct relay_rule *rule;

	(void)state;
	begin(SERVERS(PLAIN_A("") "," C));
	assert_int_equal(kernel("a")->redirect.kind, SG_REDIRECT_STAND_IN);
	some_time();
	expect("a", SG_REDIRECT_FORWARD, "c", "");
	assert_int_equal(rig.d.dp->relay_user, FAKE_RELAY_USER);
	assert_int_equal(ntohs(kernel("a")->redirect.port4), FAKE_RELAY_V4);
	assert_int_equal(ntohs(kernel("a")->redirect.port6), FAKE_RELAY_V6);
	rule = &fake_relay.rules[id_of("a")];
	assert_int_equal(rule->kind, RELAY_FORWARD);
	assert_int_equal(rule->flags, 0);
	assert_int_equal(rule->port, 3);
	assert_string_equal(rule->target, "c");
	assert_string_equal(rule->target_path, "/mcp");
	assert_string_equal(rule->target_host, "127.0.0.1:3");
	assert_string_equal(rule->reason, "");
	open_up("a");
	assert_non_null(strstr(rule->reason, "circuit breaker is open"));
	assert_true(rule->since_s && rule->until_s > rule->since_s);
	assert_int_equal(fake_relay.drops, 0);
	close_again("a");
	assert_int_equal(fake_relay.drops, 1); /* what is under way there ends, */
	assert_string_equal(rule->name, "a");  /* and what comes is welcome */
	rig_reload(&rig, SERVERS(PLAIN_A(",\"share_authorization\":true") "," C));
	assert_int_equal(rule->flags, RELAY_SHARE_AUTHORIZATION);
	rig_reload(&rig, SERVERS(PLAIN_A(",\"share_authorization\":true,\"direct\":true") "," C));
	expect("a", SG_REDIRECT_DIRECT, "c", "");
	assert_int_equal(rule->port, 0);
}

/* Its process comes and goes: nobody is sent there while it takes no connections. */
static void relay_dies(void **state)
{
	(void)state;
	begin(SERVERS(PLAIN_A("") "," C));
	some_time();
	fake_relay_is(false);
	rig_turn(&rig);
	expect("a", SG_REDIRECT_NONE, "", "the relay does not run: it was killed");
	assert_true(rig_degraded(&rig, "the relay does not run (it was killed)"));
	assert_true(rig_metric(&rig, "switchgear_relay_up 0"));
	assert_int_equal(rig.d.dp->relay_user, 0);
	fake_relay_is(true);
	rig_turn(&rig);
	expect("a", SG_REDIRECT_FORWARD, "c", "");
	assert_true(rig_metric(&rig, "switchgear_relay_up 1"));
	assert_false(rig_degraded(&rig, "the relay"));
	rig_reload(&rig, SERVERS(A "," C)); /* nobody needs it any more */
	assert_null(fake_relay.now);
	assert_memory_equal(&kernel("a")->redirect, &nowhere, sizeof(nowhere));
}

static void no_relay(void **state)
{
	(void)state;
	fake_relay = (struct fake_relay){ 0 };
	begin(SERVERS(STOOD_IN));
	rig_end(&rig);
	fake_relay.refuses = -EMFILE;
	assert_int_equal(rig_begin(&rig), 0);
	assert_int_equal(rig_apply(&rig, SERVERS(STOOD_IN)), 0);
	rig_pass(&rig);
	expect("a", SG_REDIRECT_NONE, "", "the relay does not run");
	assert_true(rig_degraded(&rig, "the relay does not run (Too many open files)"));
	fake_relay.refuses = 0; /* it is tried again */
	fake_relay.up = true;
	some_time();
	expect("a", SG_REDIRECT_STAND_IN, "", "");
	assert_false(rig_degraded(&rig, "the relay"));
}

static void stand_in(void **state)
{
	const struct relay_rule *rule;

	(void)state;
	begin(SERVERS(STOOD_IN "," GROUP_C));
	expect("a", SG_REDIRECT_STAND_IN, "", "");
	rule = &fake_relay.rules[id_of("a")];
	assert_int_equal(rule->kind, RELAY_STAND_IN);
	assert_string_equal(rule->instead, "\"c\" (http://127.0.0.1:3/x)");
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"poisoned\"}"), 200);
	rig_pass(&rig);
	assert_string_equal(rule->reason, "it is in quarantine: poisoned");
	assert_int_equal(rule->until_s, 0);
	assert_int_equal(rig_order(&rig, "c", "quarantine", "{\"reason\":\"too\"}"), 200);
	rig_pass(&rig);
	assert_string_equal(rule->instead, "");
	assert_int_equal(rig_order(&rig, "a", "release", "{}"), 200);
	rig_pass(&rig);
	assert_string_equal(rule->reason, "");
	rig_end(&rig); /* what is of the relay ends with the daemon */
	assert_int_equal(rig.d.dp->servers[2].redirect.kind, SG_REDIRECT_NONE);
}

/* Sessions that began elsewhere are unknown to the server: they go on by the relay. */
static void sessions_return(void **state)
{
	struct relay_stats stats = { .forwarded = 3, .sessions = 1 };
	struct status_server s;
	size_t drops;

	(void)state;
	begin(SERVERS(PLAIN_A("") "," C));
	some_time();
	open_up("a");
	stats.server = id_of("a");
	stats.incarnation = fake_relay.rules[id_of("a")].incarnation;
	fake_relay_says(&stats);
	rig_turn(&rig);
	close_again("a");
	s = shown("a");
	assert_true(s.fallback.returning);
	status_server_done(&s);
	assert_int_equal(kernel("a")->redirect.flags, SG_REDIRECT_ALL);
	assert_int_equal(fake_relay.rules[id_of("a")].flags, RELAY_TO_PRIMARY);
	assert_int_equal(fake_relay.rules[id_of("a")].port, 1);
	assert_true(rig_metric(
		&rig, "switchgear_relay_requests_total{server=\"a\",kind=\"forwarded\"} 3"));
	stats.sessions = 0;
	drops = fake_relay.drops;
	fake_relay_says(&stats);
	rig_turn(&rig);
	assert_int_equal(fake_relay.drops, drops + 1); /* who is still there must not go to c */
	assert_int_equal(kernel("a")->redirect.flags, 0);
	assert_int_equal(fake_relay.rules[id_of("a")].port, 3);
	stats.server = SG_SERVERS_MAX - 1; /* nobody's, or of another incarnation: not counted */
	fake_relay_says(&stats);
	stats.server = id_of("a");
	stats.incarnation++;
	stats.forwarded = 99;
	fake_relay_says(&stats);
	rig_turn(&rig);
	assert_true(rig_metric(
		&rig, "switchgear_relay_requests_total{server=\"a\",kind=\"forwarded\"} 3"));
}

static void fail_once(const char *name, enum sg_cause cause)
{
	fake_end(rig.d.dp, id_of(name), &(struct fake_ended){ .outcome = SG_HARD, .cause = cause });
	rig_pass(&rig);
	rig_advance(&rig, SECONDS(0.1));
	rig_pass(&rig);
}

/* A server that looks as if it were gone is asked at once, where another one is ready. */
static void doubted(void **state)
{
	size_t asked;

	(void)state;
	begin(SERVERS(PLAIN_A("") "," C));
	some_time();
	asked = fake_probe.asked;
	fail_once("a", SG_CAUSE_STATUS); /* who says so is there */
	assert_int_equal(fake_probe.asked, asked);
	fail_once("c",
		  SG_CAUSE_REFUSED); /* who may stand in is asked, and nothing else comes of it */
	assert_int_equal(fake_probe.asked, asked + 1);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_REACHED, id_of("c")), 0);
	fail_once("a", SG_CAUSE_RESET);
	assert_int_equal(fake_probe.asked, asked + 2);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_REACHED, id_of("a")), 1);
	assert_int_equal(fake_relay.drops, 1); /* what went elsewhere meanwhile comes back */
	assert_int_equal(fake_relay.rules[id_of("a")].kind, RELAY_FORWARD);
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_CLOSED);
	fake_probe.r = -EOWNERDEAD; /* that nobody could ask proves nothing */
	fail_once("a", SG_CAUSE_TRUNCATED);
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_CLOSED);
	fake_probe.r = 0;
	fake_probe.result = (struct probe_result){ .class = SG_HARD, .cause = SG_CAUSE_REFUSED };
	fail_once("a", SG_CAUSE_REFUSED);
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_OPEN);
	assert_int_equal(rig_events(&rig, "\"transition\"", "\"own_probe\""), 1);
}

static void removed(void **state)
{
	uint32_t id;

	(void)state;
	begin(SERVERS(TLS_A "," B "," TLS_D));
	some_time();
	id = id_of("a");
	assert_int_equal(rig.d.dp->servers[id].redirect.kind, SG_REDIRECT_DIRECT);
	rig_restart(&rig, SERVERS(TLS_A "," B "," TLS_D)); /* it outlives the daemon, */
	rig_reload(&rig, SERVERS(B "," TLS_D));            /* but not the server */
	assert_memory_equal(&rig.d.dp->servers[id].redirect, &nowhere, sizeof(nowhere));
}

static struct reply_why why(const char *to)
{
	struct reply_why r = { 0 };
	struct rig_answer a;
	char path[200];

	snprintf(path, sizeof(path), "/v1/why?to=%s", to);
	assert_int_equal(rig_ask(&rig, "GET", path, NULL, &a), 200);
	assert_int_equal(reply_why_decode(a.body, strlen(a.body), &r), 0);
	rig_answer_done(&a);
	return r;
}

static void expect_why(const char *to, size_t n, enum why_rule rule, const char *agent)
{
	struct reply_why r = why(to);

	assert_int_equal(r.n_servers, n);
	if (n) {
		assert_int_equal(r.servers[0].rule, rule);
		assert_non_null(strstr(r.servers[0].agent, agent));
	}
	reply_why_done(&r);
}

static void why_connects_are_denied(void **state)
{
	struct rig_answer a;
	struct reply_why r;

	(void)state;
	begin(SERVERS(
		PLAIN_A("") "," C "," NAMED
			    ",\"net\":{\"networks\":[\"10.0.0.0/9\"],\"deny_errno\":\"EIO\"}"));
	some_time();
	for (size_t i = 0; i < 4; i++)
		expect_why(((const char *[]){ "127.0.0.1:1", "a", "[::ffff:127.0.0.1]:1",
					      "NAMED.example:443" })[i],
			   1, WHY_NOTHING, "reaches the server");
	expect_why("127.0.0.1", 2, WHY_NOTHING, "");
	expect_why("127.0.0.1:7", 0, WHY_NOTHING, "");
	expect_why("named.example:80", 0, WHY_NOTHING, "");
	expect_why("10.127.0.1:99", 1, WHY_NOTHING, "");
	expect_why("10.128.0.1:99", 0, WHY_NOTHING, "");
	expect_why("%5B::1", 0, WHY_NOTHING, "");
	open_up("a");
	open_up("net");
	expect_why("net", 1, WHY_OPEN, "a connect fails with EIO at once");
	expect_why("a", 1, WHY_OPEN, "reaches the relay, which hands its calls on to \"c\"");
	fake_relay_is(false);
	rig_turn(&rig);
	expect_why("a", 1, WHY_OPEN, "ECONNREFUSED at once; nothing stands in: the relay does not");
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"bad\"}"), 200);
	r = why("a");
	assert_int_equal(r.n_servers, 1);
	assert_int_equal(r.servers[0].rule, WHY_QUARANTINE);
	assert_string_equal(r.servers[0].because, "it is in quarantine: bad");
	assert_non_null(strstr(r.servers[0].by, "uid 0"));
	assert_non_null(strstr(r.servers[0].advice, "`switchgear release a`"));
	reply_why_done(&r);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/why", NULL, &a), 400);
	rig_answer_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(replicas),        TEST(who_does_not_answer_is_not_used),
		TEST(forwarded),       TEST(relay_dies),
		TEST(no_relay),        TEST(stand_in),
		TEST(sessions_return), TEST(doubted),
		TEST(removed),         TEST(why_connects_are_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
