/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What servers offer: asked for, compared, held against them, approved, and kept. */
#include <string.h>

#include "codec/messages.h"
#include "codec/messages_trust.h"
#include "unit/modules/modules_rig.h"
#include "unit/unit.h"

#define EVERY SECONDS(800) /* with the spread */
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define TOOL(name, description)                                                              \
	"{\"name\":\"" name "\",\"description\":\"" description "\",\"inputSchema\":\"" ZERO \
	"\",\"annotations\":\"" ZERO "\"}"
#define LIST(version, ...) "{\"version\":\"" version "\",\"tools\":[" __VA_ARGS__ "]}"
#define WITH(policy, ...) "{\"defaults\":{\"trust\":{" policy "}},\"mcpServers\":{" __VA_ARGS__ "}}"
#define CUTS_OFF "\"rug_pull_quarantine\":true"

/* The server with its tools; status_server_done(). */
static struct status_server shown(const char *name)
{
	struct status_server s;
	struct rig_answer a;
	char path[128];

	snprintf(path, sizeof(path), "/v1/servers/%s", name);
	assert_int_equal(rig_ask(&rig, "GET", path, NULL, &a), 200);
	assert_int_equal(status_server_decode(a.body, strlen(a.body), &s), 0);
	rig_answer_done(&a);
	assert_true(s.has_tools);
	return s;
}

static void expect_unknown(const char *name, const char *why)
{
	struct status_server s = shown(name);

	assert_string_equal(s.tools.unknown, why);
	status_server_done(&s);
}

static void expect_tools(const char *name, uint32_t count, bool approved, size_t changed)
{
	struct status_server s = shown(name);

	assert_string_equal(s.tools.unknown, "");
	assert_int_equal(s.tools.count, count);
	assert_int_equal(s.tools.approved, approved);
	assert_int_equal(s.n_changed, changed);
	assert_int_equal(strlen(s.tools.digest), 64);
	assert_int_equal(!strcmp(s.tools.digest, s.tools.approved_digest), approved);
	status_server_done(&s);
}

static double score(const char *name)
{
	struct status_server s = shown(name);
	double t = s.trust.score;

	status_server_done(&s);
	return t;
}

static bool quarantined(const char *name)
{
	struct status_server s = shown(name);
	bool q = s.quarantined;

	status_server_done(&s);
	return q;
}

/* What servers offer from now on, and an asking of each. */
static void offer(const char *text)
{
	fake_list.text = text;
	rig_advance(&rig, EVERY);
	rig_pass(&rig);
}

static size_t findings_of(const char *name, struct reply_explain *e)
{
	struct rig_answer a;
	char path[128];

	snprintf(path, sizeof(path), "/v1/servers/%s/explain", name);
	assert_int_equal(rig_ask(&rig, "GET", path, NULL, &a), 200);
	memset(e, 0, sizeof(*e));
	assert_int_equal(reply_explain_decode(a.body, strlen(a.body), e), 0);
	rig_answer_done(&a);
	return e->n_findings;
}

static void expect_findings(const char *name, size_t n)
{
	struct reply_explain e;

	assert_int_equal(findings_of(name, &e), n);
	reply_explain_done(&e);
}

static void begin(const char *config, const char *text)
{
	fake_list = (struct fake_list){ .text = text };
	rig_start(&rig, config);
	rig_advance(&rig, SECONDS(1));
	rig_pass(&rig);
}

static void the_first_list_is_approved(void **state)
{
	struct status_server s;

	(void)state;
	begin(SERVERS(A "," FILES), LIST("1.0", TOOL("a", ZERO) "," TOOL("b", ZERO)));
	expect_tools("a", 2, true, 0);
	s = shown("a");
	assert_string_equal(s.tools.version, "1.0");
	assert_string_equal(s.tools.approved_by, "switchgear: seen first");
	assert_true(s.tools.seen_wall_ns && s.tools.approved_wall_ns);
	status_server_done(&s);
	expect_unknown("files",
		       "it is not at a URL: who starts it sees its tools, the daemon does not");
	assert_int_equal(fake_list.asked, 1);
	expect_findings("a", 0);
}

static void nothing_changes_by_asking_again(void **state)
{
	double before;

	(void)state;
	begin(SERVERS(A), LIST("1.0", TOOL("a", ZERO) "," TOOL("b", ONE)));
	before = score("a");
	offer(LIST("1.0", TOOL("b", ONE) "," TOOL("a", ZERO)));
	assert_true(fake_list.asked >= 2);
	expect_tools("a", 2, true, 0);
	expect_findings("a", 0);
	assert_int_equal(rig_events(&rig, "\"event\":\"tools\"", NULL), 0);
	assert_true(score("a") == before);
}

static void another_list_under_the_same_version_is_found(void **state)
{
	struct reply_explain e;
	struct status_server s;
	double before;

	(void)state;
	begin(SERVERS(A), LIST("1.0", TOOL("add", ZERO)));
	before = score("a");
	offer(LIST("1.0", TOOL("add", ONE) "," TOOL("more", ZERO)));
	expect_tools("a", 2, false, 2);
	s = shown("a");
	assert_string_equal(s.changed[0].name, "add");
	assert_string_equal(s.changed[0].change, "changed");
	assert_string_equal(s.changed[0].fields, "description");
	assert_string_equal(s.changed[1].name, "more");
	assert_string_equal(s.changed[1].change, "added");
	status_server_done(&s);
	assert_int_equal(findings_of("a", &e), 1);
	assert_string_equal(e.findings[0].source, "switchgear");
	assert_string_equal(e.findings[0].rule, "rug_pull");
	assert_int_equal(e.findings[0].severity, TRUST_HIGH);
	assert_true(e.findings[0].waived); /* it is reported, and cuts nobody off */
	assert_string_equal(e.findings[0].message,
			    "other tools under the same version 1.0: add: description; new: more");
	reply_explain_done(&e);
	assert_int_equal(rig_events(&rig, "\"change\":\"rug_pull\"", "add: description"), 1);
	assert_false(quarantined("a"));
	assert_true(score("a") < before / 4);
	/* said once */
	offer(LIST("1.0", TOOL("add", ONE) "," TOOL("more", ZERO)));
	expect_findings("a", 1);
	assert_int_equal(rig_events(&rig, "rug_pull", NULL), 1);
	/* and what was approved stays what it is compared with */
	offer(LIST("1.0", TOOL("add", ZERO)));
	expect_tools("a", 1, true, 0);
	assert_int_equal(rig_events(&rig, "\"change\":\"returned\"", NULL), 1);
	expect_findings("a", 1);
}

static void policy_may_cut_it_off_and_approval_ends_that(void **state)
{
	struct rig_answer a;
	struct reply_approve reply;
	struct status_server s;
	double before;

	(void)state;
	begin(WITH(CUTS_OFF, A), LIST("1.0", TOOL("add", ZERO)));
	before = score("a");
	offer(LIST("1.0", TOOL("add", ONE)));
	assert_true(quarantined("a"));
	s = shown("a");
	assert_non_null(strstr(s.quarantine.reason,
			       "high finding of switchgear: rug_pull at tools/list: other tools "
			       "under the same version 1.0: add: description"));
	status_server_done(&s);
	/* who is cut off is not asked */
	fake_list.asked = 0;
	rig_advance(&rig, 2 * EVERY);
	assert_int_equal(fake_list.asked, 0);

	assert_int_equal(
		rig_ask(&rig, "POST", "/v1/servers/a/approve", "{\"reason\":\"known\"}", &a), 200);
	assert_int_equal(reply_approve_decode(a.body, strlen(a.body), &reply), 0);
	rig_answer_done(&a);
	assert_string_equal(reply.server, "a");
	assert_int_equal(reply.tools, 1);
	assert_int_equal(reply.changes, 1);
	assert_false(quarantined("a"));
	expect_findings("a", 0);
	expect_tools("a", 1, true, 0);
	s = shown("a");
	assert_non_null(strstr(s.tools.approved_by, "uid 0"));
	status_server_done(&s);
	assert_int_equal(rig_events(&rig, "\"change\":\"approved\"", "known"), 1);
	/* what is left is a scar, and a strike */
	assert_true(score("a") > before * 0.9);
	rig_advance(&rig, 2 * EVERY);
	rig_pass(&rig);
	assert_false(quarantined("a"));
	assert_true(fake_list.asked > 0);
	/* and the one before is a change from now on */
	offer(LIST("1.0", TOOL("add", ZERO)));
	assert_true(quarantined("a"));
}

static void another_version_is_another_server(void **state)
{
	(void)state;
	begin(WITH(CUTS_OFF, A), LIST("1.0", TOOL("add", ZERO)));
	offer(LIST("1.1", TOOL("add", ONE)));
	expect_tools("a", 1, true, 0);
	expect_findings("a", 0);
	assert_false(quarantined("a"));
	assert_int_equal(
		rig_events(&rig, "\"change\":\"new_version\"",
			   "other tools with version 1.1, which was 1.0: add: description"),
		1);
	/* a version alone is none */
	offer(LIST("1.2", TOOL("add", ONE)));
	assert_int_equal(rig_events(&rig, "\"event\":\"tools\"", NULL), 1);
	offer(LIST("1.2", TOOL("add", ZERO)));
	assert_true(quarantined("a"));
}

static void a_scan_is_of_a_list(void **state)
{
	struct reply_explain e;
	struct rig_answer a;

	(void)state;
	begin(SERVERS(A), NULL); /* its tools are not known yet */
	expect_unknown("a", "it has no tools");
	assert_int_equal(rig_ask(&rig, "POST", "/v1/findings",
				 "{\"source\":\"s\",\"severity\":\"clean\",\"server\":\"a\"}\n",
				 &a),
			 200);
	rig_answer_done(&a);
	offer(LIST("1.0", TOOL("add", ZERO)));
	findings_of("a", &e);
	assert_true(e.trust.scanned); /* it had these tools when it was scanned */
	reply_explain_done(&e);
	offer(LIST("1.1", TOOL("add", ONE)));
	findings_of("a", &e);
	assert_false(e.trust.scanned);
	reply_explain_done(&e);
}

static void what_cannot_be_asked_harms_nothing(void **state)
{
	double before;

	(void)state;
	begin(WITH(CUTS_OFF, A), LIST("1.0", TOOL("add", ZERO)));
	before = score("a");
	offer("{\"version\":\"1.0\",\"why\":\"it wants credentials (HTTP status 401)\"}");
	expect_unknown("a", "it wants credentials (HTTP status 401)");
	offer("{\"version\":");
	expect_unknown("a", "the worker said what is no answer");
	offer("");
	expect_unknown("a", "it was killed");
	assert_false(quarantined("a"));
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_CLOSED);
	assert_true(score("a") == before);
	offer(LIST("1.0", TOOL("add", ZERO)));
	expect_tools("a", 1, true, 0);
}

static void approval_needs_a_list(void **state)
{
	struct rig_answer a;

	(void)state;
	begin(SERVERS(A), NULL);
	assert_int_equal(rig_ask(&rig, "POST", "/v1/servers/a/approve", NULL, &a), 409);
	assert_non_null(strstr(a.body, "no_list"));
	assert_non_null(strstr(a.body, "it has no tools"));
	rig_answer_done(&a);
	assert_int_equal(rig_order(&rig, "nobody", "approve", NULL), 404);
	assert_int_equal(rig_order(&rig, "a", "approve", "{\"for\":1}"), 400);
	rig_client(RIG_NOBODY, RIG_NOBODY);
	assert_int_equal(rig_order(&rig, "a", "approve", NULL), 403);
	rig_client(0, 0);
}

static void nobody_is_asked_where_that_is_off(void **state)
{
	(void)state;
	begin(WITH("\"tools_seconds\":0", A), LIST("1.0", TOOL("add", ZERO)));
	rig_advance(&rig, 2 * EVERY);
	assert_int_equal(fake_list.asked, 0);
	expect_unknown("a", "trust.tools_seconds is 0: nobody is asked");
}

static void it_holds_over_a_restart(void **state)
{
	(void)state;
	begin(SERVERS(A "," C), LIST("1.0", TOOL("add", ZERO)));
	expect_tools("a", 1, true, 0);
	fake_list.text = LIST("1.0", TOOL("add", ONE));
	rig_restart(&rig, SERVERS(A));
	rig_advance(&rig, SECONDS(1));
	rig_pass(&rig);
	expect_tools("a", 1, false, 1);
	expect_findings("a", 1);
	/* who was taken out of the configuration comes back as it was */
	rig_restart(&rig, SERVERS(A "," C));
	rig_advance(&rig, SECONDS(1));
	rig_pass(&rig);
	expect_tools("c", 1, false, 1);
	expect_findings("a", 1);
	rig_reload(&rig, SERVERS(A "," C));
	rig_advance(&rig, SECONDS(1));
	rig_pass(&rig);
	expect_findings("a", 1); /* what is withdrawn then is another of our own kinds */
	/* and who is moved by the operator is another one */
	rig_reload(&rig, SERVERS("\"a\":{\"url\":\"http://127.0.0.1:9/mcp\"}"));
	rig_advance(&rig, SECONDS(1));
	rig_pass(&rig);
	expect_tools("a", 1, true, 0);
}

/* Whatever it calls itself, and its tools: what is kept can be read again. */
static void foreign_text_harms_nothing(void **state)
{
	struct reply_explain e;

	(void)state;
	begin(SERVERS(A), LIST("1\\n\\u0001\\u007f", TOOL("a\\u0001\\n\\u00e4 \\\"", ZERO)));
	offer(LIST("1\\n\\u0001\\u007f", TOOL("a\\u0001\\n\\u00e4 \\\"", ONE)));
	findings_of("a", &e);
	assert_string_equal(e.findings[0].message, "other tools under the same version 1___: "
						   "a__\xc3\xa4_\": description");
	reply_explain_done(&e);
	rig_restart(&rig, SERVERS(A));
	expect_findings("a", 1);
	assert_int_equal(rig_events(&rig, "damaged", NULL), 0);
	rig_advance(&rig, SECONDS(1));
	rig_pass(&rig);
	expect_tools("a", 1, false, 1);
}

static void an_asking_ends_with_its_server(void **state)
{
	(void)state;
	fake_list = (struct fake_list){ .text = LIST("1.0", TOOL("add", ZERO)) };
	rig_start(&rig, SERVERS(A "," C));
	modules_work_hold();
	rig_advance(&rig, SECONDS(1));
	rig_reload(&rig, SERVERS(A));
	expect_unknown("a", "it has not been asked yet");
	rig_end(&rig); /* and with the daemon */
	assert_int_equal(fake_list.asked, 0);
}

static void a_damaged_file_is_set_aside(void **state)
{
	char path[160];
	FILE *f;

	(void)state;
	begin(SERVERS(A), LIST("1.0", TOOL("add", ZERO)));
	rig_end(&rig);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/tools.json%s", rig.state_dir, i ? ".1" : "");
		f = fopen(path, i ? "we" : "r+e");
		assert_non_null(f);
		fputs("{\"checksum\":\"0\",", f);
		fclose(f);
	}
	fake_list.text = LIST("1.0", TOOL("add", ONE));
	rig_start(&rig, SERVERS(A));
	rig_advance(&rig, SECONDS(1));
	rig_pass(&rig);
	expect_tools("a", 1, true, 0);
	assert_int_equal(rig_events(&rig, "tools.json is damaged", NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_list_is_approved),
		TEST(nothing_changes_by_asking_again),
		TEST(another_list_under_the_same_version_is_found),
		TEST(policy_may_cut_it_off_and_approval_ends_that),
		TEST(another_version_is_another_server),
		TEST(a_scan_is_of_a_list),
		TEST(what_cannot_be_asked_harms_nothing),
		TEST(approval_needs_a_list),
		TEST(nobody_is_asked_where_that_is_off),
		TEST(it_holds_over_a_restart),
		TEST(foreign_text_harms_nothing),
		TEST(an_asking_ends_with_its_server),
		TEST(a_damaged_file_is_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
