/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Trust in the daemon: calls and findings in, status, explain and quarantines out. */
#include <math.h>
#include <string.h>

#include "codec/messages_select.h"
#include "codec/messages_trust.h"
#include "unit/modules/modules_rig.h"
#include "unit/unit.h"

#define DAY SECONDS(86400)
#define FINDING(severity, rule, server)                                                            \
	"{\"source\":\"s\",\"severity\":\"" severity "\",\"rule\":\"" rule "\",\"server\":" server \
	"}\n"

static void calls(const char *name, uint8_t class, int n)
{
	for (int i = 0; i < n; i++) {
		struct sg_event e = { .t_ns = clock_boot_ns(),
				      .type = SG_EV_OUTCOME,
				      .server = id_of(name),
				      .source = SG_SOURCE_USER,
				      .latency_ns = SECONDS(1) / 10,
				      .outcome = class,
				      .cause = class == SG_SUCCESS ? SG_CAUSE_ANSWER
								   : SG_CAUSE_STATUS };

		fake_push(rig.d.dp, &e);
		rig_advance(&rig, SECONDS(1));
	}
	rig_pass(&rig);
}

static struct status_server server_of(const char *name, struct status *s)
{
	rig_status(&rig, s);
	for (size_t i = 0; i < s->n_servers; i++)
		if (!strcmp(s->servers[i].name, name))
			return s->servers[i];
	fail_msg("no server %s", name);
	return s->servers[0];
}

static double score(const char *name)
{
	struct status s;
	struct status_server found = server_of(name, &s);

	status_done(&s);
	return found.has_trust ? found.trust.score : NAN;
}

/* "" if it is in none. */
static const char *quarantined_by(const char *name)
{
	static char by[STATUS_BY_LEN];
	struct status s;
	struct status_server found = server_of(name, &s);

	snprintf(by, sizeof(by), "%s", found.quarantined ? found.quarantine.by : "");
	status_done(&s);
	return by;
}

static unsigned int report(const char *body, struct rig_answer *a)
{
	return rig_ask(&rig, "POST", "/v1/findings", body, a);
}

static void reported(const char *body)
{
	struct rig_answer a;

	if (report(body, &a) != 200)
		fail_msg("%s", a.text);
	rig_answer_done(&a);
}

static void explained(const char *name, struct reply_explain *ret)
{
	struct rig_answer a;
	char path[128];

	snprintf(path, sizeof(path), "/v1/servers/%s/explain", name);
	assert_int_equal(rig_ask(&rig, "GET", path, NULL, &a), 200);
	memset(ret, 0, sizeof(*ret));
	assert_int_equal(reply_explain_decode(a.body, strlen(a.body), ret), 0);
	rig_answer_done(&a);
}

static void test_calls_move_the_score(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B "," FILES));
	assert_float_equal(score("a"), 40, 0.01);
	assert_float_equal(score("files"), 40, 0.01);
	calls("a", SG_SUCCESS, 30);
	calls("b", SG_HARD, 4);
	assert_true(score("a") > 60);
	assert_true(score("b") < 25);
	assert_float_equal(score("files"), 40, 0.01);
	assert_true(rig_metric(&rig, "switchgear_trust_score{server=\"files\"} 40"));
	assert_string_equal(quarantined_by("b"), "");
}

static void test_explanation_adds_up(void **state)
{
	struct reply_explain e;
	const struct trust_explanation *t = &e.trust;
	double again;

	(void)state;
	rig_start(&rig, SERVERS(A));
	calls("a", SG_SUCCESS, 20);
	calls("a", SG_HARD, 2);
	reported(FINDING("low", "r1", "\"a\"") FINDING("medium", "r2", "\"a\""));
	explained("a", &e);
	again = 100 * t->view.security *
		((1 - t->community_weight) * t->view.performance +
		 t->community_weight * t->view.community);
	assert_true(fmin(t->score_max, again) == t->view.score);
	assert_int_equal(e.n_findings, 2);
	assert_true(e.findings[0].ceiling < 1 && e.findings[0].factor < 1);
	assert_true(e.n_changes >= 3);
	assert_string_equal(e.changes[e.n_changes - 1].causes, "finding");
	assert_true(e.changes[e.n_changes - 1].after < e.changes[e.n_changes - 1].before);
	assert_true(e.n_advice >= 2);
	reply_explain_done(&e);
}

static void test_reports_are_of_whom_they_name(void **state)
{
	struct reply_report r = { 0 };
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A "," B "," FILES));
	assert_int_equal(report(FINDING("low", "1", "{\"url\":\"http://127.0.0.1:1/mcp/\"}")
					FINDING("low", "2", "{\"url\":\"https://127.0.0.1:2/sse\"}")
						FINDING("low", "3", "{\"command\":\"npx\"}")
							FINDING("low", "4", "\"elsewhere\""),
				&a),
			 200);
	assert_int_equal(reply_report_decode(a.body, strlen(a.body), &r), 0);
	rig_answer_done(&a);
	assert_int_equal(r.n_servers, 3);
	assert_string_equal(r.servers[0].server, "a");
	assert_string_equal(r.servers[1].server, "b");
	assert_string_equal(r.servers[2].server, "files");
	assert_true(r.servers[0].after < r.servers[0].before);
	assert_int_equal(r.n_unmatched, 1);
	assert_string_equal(r.unmatched[0].server, "elsewhere");
	reply_report_done(&r);
	assert_int_equal(rig_ask(&rig, "POST", "/v1/findings?server=nobody", "{}", &a), 404);
	rig_answer_done(&a);
	assert_int_equal(rig_ask(&rig, "POST", "/v1/findings?format=xml", "{}", &a), 400);
	rig_answer_done(&a);
	rig_client(RIG_NOBODY, RIG_NOBODY);
	assert_int_equal(report("{}", &a), 403);
	rig_answer_done(&a);
	rig_client(0, 0);
}

static void test_a_bad_report_changes_nothing(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_int_equal(report(FINDING("critical", "1", "\"a\"") "{\"source\":\"s\"}", &a), 400);
	assert_non_null(strstr(a.body, "report:2:"));
	rig_answer_done(&a);
	assert_float_equal(score("a"), 40, 0.01);
	assert_string_equal(quarantined_by("a"), "");
}

static void test_grave_findings_quarantine(void **state)
{
	struct reply_explain e;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	reported(FINDING("high", "shadowing", "\"a\""));
	assert_string_equal(quarantined_by("a"), "switchgear (trust)");
	assert_string_equal(quarantined_by("b"), "");
	assert_int_equal(rig_events(&rig, "\"event\":\"quarantine\"", "shadowing"), 1);
	explained("a", &e);
	assert_int_equal(e.trust.view.quarantine, TRUST_BY_FINDING);
	assert_int_equal(e.trust.view.strikes, 1);
	reply_explain_done(&e);
	/* again is nothing new */
	reported(FINDING("high", "shadowing", "\"a\""));
	assert_int_equal(rig_events(&rig, "\"event\":\"quarantine\"", "shadowing"), 1);
}

static void released(const char *name)
{
	struct rig_answer a;
	char path[128];

	snprintf(path, sizeof(path), "/v1/servers/%s/release", name);
	assert_int_equal(rig_ask(&rig, "POST", path, "{}", &a), 200);
	rig_answer_done(&a);
}

static void test_release_waives_what_is_known(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	reported(FINDING("high", "r", "\"a\""));
	released("a");
	rig_advance(&rig, SECONDS(120));
	rig_pass(&rig);
	assert_string_equal(quarantined_by("a"), "");
	reported(FINDING("high", "r", "\"a\""));
	assert_string_equal(quarantined_by("a"), "");
	reported(FINDING("high", "another", "\"a\""));
	assert_string_equal(quarantined_by("a"), "switchgear (trust)");
}

/* An order of an operator stays his: its end waives nothing, and the rule holds after it. */
static void test_the_end_of_an_order_waives_nothing(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_int_equal(rig_ask(&rig, "POST", "/v1/servers/a/quarantine",
				 "{\"reason\":\"mine\",\"for\":60}", &a),
			 200);
	rig_answer_done(&a);
	reported(FINDING("high", "r", "\"a\""));
	assert_string_not_equal(quarantined_by("a"), "switchgear (trust)");
	for (int i = 0; i < 5; i++) {
		rig_advance(&rig, SECONDS(60));
		rig_pass(&rig);
	}
	assert_string_equal(quarantined_by("a"), "switchgear (trust)");
}

static void test_kept_over_restart_reboot_and_absence(void **state)
{
	double before;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	calls("b", SG_SUCCESS, 40);
	reported(FINDING("medium", "r", "\"a\""));
	before = score("a");
	assert_true(before < 35);
	rig_restart(&rig, SERVERS(A "," B));
	assert_float_equal(score("a"), before, 0.01);
	assert_true(score("b") > 60);
	rig_reboot(&rig, SERVERS(A "," B));
	assert_float_equal(score("a"), before, 0.1);
	/* taken out and put in again */
	rig_reload(&rig, SERVERS(B));
	rig_reload(&rig, SERVERS(A "," B));
	assert_float_equal(score("a"), before, 0.1);
	/* and over a restart in between, under another name at the same place */
	rig_restart(&rig, SERVERS(B));
	rig_restart(&rig, SERVERS("\"renamed\":{\"url\":\"http://127.0.0.1:1/mcp\"}," B));
	assert_float_equal(score("renamed"), before, 0.1);
}

/* One that is run as a command is kept like any other, and so is one that is taken out. */
static void test_kept_without_a_socket(void **state)
{
	double before;

	(void)state;
	rig_start(&rig, SERVERS(A "," FILES));
	reported(FINDING("medium", "r", "\"files\""));
	before = score("files");
	assert_true(before < 35);
	rig_reload(&rig, SERVERS(A));
	rig_reload(&rig, SERVERS(A "," FILES));
	assert_float_equal(score("files"), before, 0.1);
	rig_restart(&rig, SERVERS(A));
	rig_restart(&rig, SERVERS(A "," FILES));
	assert_float_equal(score("files"), before, 0.1);
}

/* Another address is another server, under the ceiling of the one before. */
static void test_another_address_washes_nothing(void **state)
{
	struct reply_explain e;
	double before;

	(void)state;
	rig_start(&rig, SERVERS(A));
	calls("a", SG_SUCCESS, 40);
	reported(FINDING("medium", "r", "\"a\""));
	before = score("a");
	rig_advance(&rig, SECONDS(1));
	rig_reload(&rig, SERVERS("\"a\":{\"url\":\"http://127.0.0.1:9/mcp\"}"));
	assert_true(score("a") <= before);
	explained("a", &e);
	assert_int_equal(e.n_findings, 1);
	assert_string_equal(e.changes[e.n_changes - 1].causes, "another identity");
	reply_explain_done(&e);
}

static void test_rule_ends_by_itself_and_is_told(void **state)
{
	(void)state;
	rig_start(&rig,
		  "{\"defaults\":{\"trust\":{\"dwell_seconds\":60,\"security_rise_per_day\":1},"
		  "\"breaker\":{\"consecutive_failures\":100}},\"mcpServers\":{" A "}}");
	calls("a", SG_HARD, 20);
	for (int i = 0; i < 12; i++) {
		char body[256];

		snprintf(
			body, sizeof(body),
			"{\"source\":\"s\",\"severity\":\"medium\",\"rule\":\"%d\",\"server\":\"a\"}",
			i);
		reported(body);
	}
	assert_string_equal(quarantined_by("a"), "switchgear (trust)");
	assert_int_equal(rig_events(&rig, "\"event\":\"quarantine\"", "its trust fell to"), 1);
	rig_advance(&rig, SECONDS(1));
	/* mended, scanned clean, and it behaves again */
	reported("{\"source\":\"s\",\"severity\":\"clean\",\"server\":\"a\"}");
	for (int i = 0; i < 10; i++)
		rig_advance(&rig, DAY / 2);
	calls("a", SG_SUCCESS, 120);
	rig_advance(&rig, SECONDS(120));
	rig_pass(&rig);
	assert_string_equal(quarantined_by("a"), "");
	assert_int_equal(rig_events(&rig, "\"event\":\"release\"", "its trust has recovered"), 1);
}

static void selected(const char *query, struct reply_select *ret)
{
	struct rig_answer a;
	char path[128];

	snprintf(path, sizeof(path), "/v1/select%s", query);
	assert_int_equal(rig_ask(&rig, "GET", path, NULL, &a), 200);
	memset(ret, 0, sizeof(*ret));
	assert_int_equal(reply_select_decode(a.body, strlen(a.body), ret), 0);
	rig_answer_done(&a);
}

static void expect_selected(const char *query, const char *name)
{
	struct reply_select r;

	selected(query, &r);
	assert_string_equal(r.server, name);
	assert_true(r.reason[0]);
	reply_select_done(&r);
}

#define GROUPED(name, port) \
	"\"" name "\":{\"url\":\"http://127.0.0.1:" port "/mcp\",\"group\":\"search\"}"

#define BRIDGED(name, version)                                                           \
	"\"" name "\":{\"command\":\"npx\",\"args\":[\"-y\",\"mcp-remote@" version "\"," \
	"\"http://127.0.0.1:1/mcp\"]}"

static size_t findings_of(const char *name, const char *rule)
{
	struct reply_explain e;
	size_t n = 0;

	explained(name, &e);
	for (size_t i = 0; i < e.n_findings; i++)
		n += !strcmp(e.findings[i].rule, rule) &&
		     !strcmp(e.findings[i].source, "switchgear (bridges)");
	reply_explain_done(&e);
	return n;
}

/* Once, for as long as the configuration says so, and without a quarantine. */
static void test_vulnerable_bridges(void **state)
{
	struct reply_explain e;
	double before;

	(void)state;
	rig_start(&rig, SERVERS(BRIDGED("a", "0.1.16") "," B "," FILES));
	assert_int_equal(findings_of("a", "CVE-2025-6514"), 0);
	before = score("a");
	rig_advance(&rig, SECONDS(5));
	rig_reload(&rig, SERVERS(BRIDGED("a", "0.1.10") "," B "," FILES));
	assert_int_equal(findings_of("a", "CVE-2025-6514"), 1);
	assert_int_equal(findings_of("b", "CVE-2025-6514"), 0);
	assert_true(score("a") < before);
	assert_string_equal(quarantined_by("a"), "");
	/* another version, another entry of the same server, another daemon: still one */
	rig_advance(&rig, SECONDS(5));
	rig_reload(&rig, SERVERS(BRIDGED("a", "0.1.11") "," BRIDGED("a2", "0.1.11") "," B));
	assert_int_equal(findings_of("a", "CVE-2025-6514"), 1);
	rig_advance(&rig, SECONDS(5));
	rig_restart(&rig, SERVERS(BRIDGED("a", "0.1.11") "," BRIDGED("a2", "0.1.11") "," B));
	assert_int_equal(findings_of("a", "CVE-2025-6514"), 1);
	/* as long as one of them has it */
	rig_advance(&rig, SECONDS(5));
	rig_reload(&rig, SERVERS(BRIDGED("a", "0.1.16") "," BRIDGED("a2", "0.1.11") "," B));
	assert_int_equal(findings_of("a", "CVE-2025-6514"), 1);
	calls("a", SG_HARD, 4); /* not even with a bad score */
	assert_string_equal(quarantined_by("a"), "");
	reported(FINDING("low", "r1", "\"a\""));
	rig_advance(&rig, SECONDS(5));
	rig_reload(&rig, SERVERS(BRIDGED("a", "0.1.16") "," BRIDGED("a2", "latest") "," B));
	assert_int_equal(findings_of("a", "CVE-2025-6514"), 0);
	/* a restart brings it not back, and what others found is untouched */
	rig_restart(&rig, SERVERS(BRIDGED("a", "0.1.16") "," B));
	assert_int_equal(findings_of("a", "CVE-2025-6514"), 0);
	explained("a", &e);
	assert_int_equal(e.n_findings, 1);
	assert_string_equal(e.findings[0].rule, "r1");
	reply_explain_done(&e);
}

static void test_selection(void **state)
{
	struct reply_select r;
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(GROUPED("x", "1") "," GROUPED("y", "2") "," FILES));
	expect_selected("?group=search", "x");
	calls("y", SG_SUCCESS, 40);
	expect_selected("?group=search", "y");
	expect_selected("?group=x", "x");
	reported(FINDING("high", "r", "\"y\""));
	expect_selected("?group=search", "x");
	selected("?group=search", &r);
	assert_int_equal(r.n_alternatives, 2);
	assert_false(r.alternatives[1].usable);
	assert_non_null(strstr(r.alternatives[1].reason, "quarantine"));
	reply_select_done(&r);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/select?group=none", NULL, &a), 404);
	rig_answer_done(&a);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/capabilities", NULL, &a), 200);
	assert_non_null(strstr(a.body, "\"name\":\"search\",\"available\":true,\"server\":\"x\""));
	assert_non_null(strstr(a.body, "\"name\":\"files\",\"available\":true"));
	rig_answer_done(&a);
	assert_int_equal(rig_order(&rig, "x", "quarantine", "{\"reason\":\"x\",\"for\":60}"), 200);
	expect_selected("?group=search", "");
	assert_int_equal(rig_ask(&rig, "GET", "/v1/capabilities", NULL, &a), 200);
	assert_non_null(strstr(a.body, "\"name\":\"search\",\"available\":false,\"server\":null"));
	assert_non_null(strstr(a.body, "\"until\":\"2")); /* with its end */
	rig_answer_done(&a);
}

#define STANDS_IN(how)                                                   \
	"\"main\":{\"url\":\"http://127.0.0.9:1/mcp\",\"fallback\":" how \
	"}," GROUPED("x", "1") "," GROUPED("y", "2")

static void expect_standing_in(const char *wanted)
{
	struct reply_select r;
	char got[1024] = "";

	selected("?server=main", &r);
	snprintf(got, sizeof(got), "%s:", r.server);
	for (size_t i = 0; i < r.n_alternatives; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), " %s",
			 r.alternatives[i].server);
	assert_string_equal(got, wanted);
	reply_select_done(&r);
}

static void test_fallbacks_by_trust(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(STANDS_IN("[\"x\",\"y\"]")));
	calls("y", SG_SUCCESS, 40);
	expect_standing_in("main: main x y");
	rig_reload(&rig, SERVERS(STANDS_IN("{\"servers\":[\"x\",\"y\"],\"by\":\"trust\"}")));
	expect_standing_in("main: main y x");
	assert_int_equal(rig_order(&rig, "main", "quarantine", "{\"reason\":\"r\"}"), 200);
	expect_standing_in("y: main y x");
	assert_int_equal(rig_order(&rig, "y", "quarantine", "{\"reason\":\"r\"}"), 200);
	expect_standing_in("x: main x y");
	rig_reload(&rig, SERVERS(STANDS_IN("{\"servers\":[\"y\",\"x\"],\"by\":\"list\"}")));
	expect_standing_in("x: main y x");
	assert_int_equal(rig_ask(&rig, "GET", "/v1/select?server=none", NULL, &a), 404);
	rig_answer_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls_move_the_score),
		TEST(test_explanation_adds_up),
		TEST(test_reports_are_of_whom_they_name),
		TEST(test_a_bad_report_changes_nothing),
		TEST(test_grave_findings_quarantine),
		TEST(test_release_waives_what_is_known),
		TEST(test_the_end_of_an_order_waives_nothing),
		TEST(test_kept_over_restart_reboot_and_absence),
		TEST(test_kept_without_a_socket),
		TEST(test_another_address_washes_nothing),
		TEST(test_rule_ends_by_itself_and_is_told),
		TEST(test_vulnerable_bridges),
		TEST(test_selection),
		TEST(test_fallbacks_by_trust),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
