/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

/* A record in short: "high 0.80 NAME|URL|COMMAND RULE@LOCATION". */
static void print(const struct finding *f, struct buf *out)
{
	const char *server = f->server.name ?: f->server.url ?: f->server.command ?: "-";

	buf_printf(out, "%s %.2f %s %s@%s\n", finding_severity_name(f->severity), f->confidence,
		   server, f->rule ?: "-", f->location ?: "-");
}

static void expect(const char *file, const char *text, const char *format, size_t passed_over,
		   const char *expected)
{
	struct findings_options o = { .file = file };
	CLEANUP(buf_done) struct buf errors = BUF(1 << 16);
	CLEANUP(buf_done) struct buf shown = BUF(1 << 16);
	CLEANUP(findings_done) struct findings f = {};

	if (findings_read(text, strlen(text), &o, &f, &errors))
		fail_msg("%s", buf_str(&errors));
	for (size_t i = 0; i < f.n; i++)
		print(&f.v[i], &shown);
	assert_string_equal(buf_str(&shown), expected);
	assert_string_equal(findings_format_name(f.format), format);
	assert_int_equal(f.n_passed_over, passed_over);
}

static void refused(const char *file, const char *text, const char *expected)
{
	struct findings_options o = { .file = file };
	CLEANUP(buf_done) struct buf errors = BUF(1 << 16);
	CLEANUP(findings_done) struct findings f = {};

	assert_int_equal(findings_read(text, strlen(text), &o, &f, &errors), -EINVAL);
	assert_int_equal(f.n, 0);
	if (!strstr(buf_str(&errors), expected))
		fail_msg("%s is not in %s", expected, buf_str(&errors));
}

static void test_native(void **state)
{
	(void)state;
	expect("f",
	       "{\"source\":\"s\",\"severity\":\"high\",\"rule\":\"r\",\"server\":\"a\","
	       "\"confidence\":0.5,\"location\":\"tool\"}\n\n"
	       "{\"source\":\"s\",\"severity\":\"clean\",\"server\":{\"url\":\"http://h/\"}}\n"
	       "{\"source\":\"s\",\"severity\":\"info\",\"rule\":\"r\","
	       "\"server\":{\"command\":\"npx x\"},\"more\":1}",
	       "native", 0, "high 0.50 a r@tool\nclean 1.00 http://h/ -@-\ninfo 1.00 npx x r@-\n");
	expect("f", "{\n \"source\": \"s\",\n \"severity\": \"low\", \"rule\": \"r\"\n}\n",
	       "native", 0, "low 1.00 - r@-\n");
}

static void test_mistakes_are_named(void **state)
{
	(void)state;
	refused("f", "", "f: it is empty");
	refused("f", " \n", "f: it is empty");
	refused("f", "2026-01-01 INFO scanning\n[]", "f:1:");
	refused("f", "{\"a\":1}", "f: of no known format: native, sarif");
	refused("f", "[1]", "of no known format");
	refused("f",
		"{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"r\"}\n"
		"{\"source\":\"s\",\"severity\":\"bad\",\"rule\":\"r\"}\n",
		"f:2:26: severity: \"bad\" is no severity");
	refused("f", "{\"source\":\"s\",\"severity\":\"low\"}", "\"rule\" is missing");
	refused("f", "{\"source\":\"\",\"severity\":\"low\",\"rule\":\"r\"}",
		"f:1:11: source: this is empty");
	refused("f", "{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"r\",\"confidence\":2}",
		"confidence: 2 is outside of 0 to 1");
	refused("f", "{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"r\",\"time\":\"today\"}",
		"time: this is no time");
	refused("f",
		"{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"r\",\"evidence_sha256\":\"ab\"}",
		"evidence_sha256: this is no SHA-256");
	refused("f", "{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"r\",\"server\":7}",
		"server: this is a number");
	refused("f",
		"{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"r\"}\n{\"source\":\"s\",\"sev",
		"f:2:");
	refused("f", "{\"version\":\"2.0.0\",\"runs\":[]}", "SARIF 2.0.0 is not read");
	refused("f", "{\"version\":\"2.1.0\",\"$schema\":\"sarif.json\"}", "it has no \"runs\"");
	refused("f", "{\"version\":\"2.1.0\",\"runs\":[{}]}", "runs[0]: it has no \"tool\"");
	refused("f",
		"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"t\"}},\n"
		"\"results\":[{\"level\":\"fatal\"}]}]}",
		"f:2:12: runs[0].results[0]: \"fatal\" is no level");
	refused("f",
		"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"t\"}},"
		"\"externalPropertyFileReferences\":{\"results\":[{}]}}]}",
		"the results are in another file");
	refused("f",
		"{\"p\":{\"servers\":[],\"issues\":[{\"code\":\"E001\",\"reference\":[1,null]}]}}",
		"p.issues[0].reference: there is no such server among the 0");
	refused("f",
		"{\"scan_path_responses\":[{\"server_risks\":[{\"name\":\"a\",\"risk_indexes\":"
		"{\"private_data\":{\"score\":1001}}}]}]}",
		"private_data.score: 1001 is outside of 0 to 1000");
	refused("/home/u/pending/inbound_a_inbound_12345678-1234-1234-1234-123456789012",
		"{\"jsonrpc\":\"2.0\"}", "was not denied");
}

#define RUN(parts, results)                                                                  \
	"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"t\"" parts "}}," \
	"\"properties\":{\"mcp.server\":\"a\"},\"results\":[" results "]}]}"

static void test_sarif_severity(void **state)
{
	(void)state;
	expect("f", RUN("", ""), "sarif", 0, "clean 0.80 a -@-\n");
	expect("f",
	       RUN("",
		   "{\"ruleId\":\"1\",\"level\":\"error\"},{\"ruleId\":\"2\"},"
		   "{\"ruleId\":\"3\",\"level\":\"note\"},{\"ruleId\":\"4\",\"level\":\"none\"},"
		   "{\"ruleId\":\"5\",\"properties\":{\"severity\":\"CRITICAL\"}},"
		   "{\"ruleId\":\"6\",\"properties\":{\"security-severity\":\"9.1\"}},"
		   "{\"ruleId\":\"7\",\"kind\":\"open\"},{\"properties\":{\"mcp.server\":\"b\"}}"),
	       "sarif", 0,
	       "high 0.80 a 1@-\nmedium 0.80 a 2@-\nlow 0.80 a 3@-\ninfo 0.80 a 4@-\n"
	       "critical 0.80 a 5@-\ncritical 0.80 a 6@-\ninfo 0.80 a 7@-\n"
	       "medium 0.80 b unnamed@-\n");
	expect("f",
	       RUN(",\"rules\":[{\"id\":\"A\",\"defaultConfiguration\":{\"level\":\"error\"}},"
		   "{\"id\":\"B\",\"properties\":{\"security-severity\":\"4.0\","
		   "\"precision\":\"low\"}}]",
		   "{\"ruleIndex\":0},{\"ruleId\":\"B/sub\"},{\"rule\":{\"id\":\"A\"},"
		   "\"level\":\"note\",\"locations\":[{\"logicalLocations\":[{\"name\":\"f\"}]}]}"),
	       "sarif", 0, "high 0.80 a A@-\nmedium 0.40 a B/sub@-\nlow 0.80 a A@f\n");
}

static void test_sarif_what_is_none(void **state)
{
	(void)state;
	expect("f",
	       RUN("", "{\"ruleId\":\"1\",\"kind\":\"pass\"},"
		       "{\"ruleId\":\"2\",\"baselineState\":\"absent\"},"
		       "{\"ruleId\":\"3\",\"suppressions\":[{\"kind\":\"inSource\"}]},"
		       "{\"ruleId\":\"4\",\"suppressions\":[{\"kind\":\"external\","
		       "\"status\":\"rejected\"}]},{\"ruleId\":\"5\",\"suppressions\":[]}"),
	       "sarif", 3, "medium 0.80 a 4@-\nmedium 0.80 a 5@-\n");
	expect("f", RUN("", "{\"ruleId\":\"1\",\"kind\":\"pass\"}"), "sarif", 1,
	       "clean 0.80 a -@-\n");
	/* it failed, or did not look: nobody is clean by that */
	expect("f",
	       "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"t\"}}},"
	       "{\"tool\":{\"driver\":{\"name\":\"t\"}},\"results\":[],"
	       "\"invocations\":[{\"executionSuccessful\":false}]}]}",
	       "sarif", 1, "");
}

static const char *message_of(const char *text, struct findings *f)
{
	struct findings_options o = { .file = "f" };
	CLEANUP(buf_done) struct buf errors = BUF(1 << 16);

	if (findings_read(text, strlen(text), &o, f, &errors))
		fail_msg("%s", buf_str(&errors));
	assert_int_equal(f->n, 1);
	return f->v[0].message;
}

static void test_sarif_messages_and_taxa(void **state)
{
	static const char *const rows[][2] = {
		{ RUN("", "{\"message\":{\"text\":\"{0} and {{1}} {7}\",\"arguments\":[\"x\"]}}"),
		  "x and {1} {7}" },
		{ RUN(",\"rules\":[{\"id\":\"A\",\"messageStrings\":{\"m\":{\"text\":\"of {1}\"}},"
		      "\"relationships\":[{\"target\":{\"id\":\"77\",\"toolComponent\":"
		      "{\"name\":\"CWE\"}}}]}]",
		      "{\"ruleId\":\"A\",\"message\":{\"id\":\"m\",\"arguments\":[\"x\",\"y\"]}}"),
		  "of y [CWE-77]" },
		{ RUN(",\"globalMessageStrings\":{\"g\":{\"text\":\"all\"}}",
		      "{\"message\":{\"id\":\"g\"},\"taxa\":[{\"id\":\"CWE-9\",\"toolComponent\":"
		      "{\"name\":\"CWE\"}}]}"),
		  "all [CWE-9]" },
		{ RUN("", "{\"message\":{\"text\":\"a\\nb http://u:p@h/?q\"}}"), "a b http://" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(findings_done) struct findings f = {};
		const char *message = message_of(rows[i][0], &f);

		if (strncmp(message, rows[i][1], strlen(rows[i][1])) != 0)
			fail_msg("%s, not %s", message, rows[i][1]);
		assert_null(strstr(message, "u:p"));
	}
}

static void test_sarif_extensions_and_overrides(void **state)
{
	(void)state;
	expect("f",
	       "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"t\"},"
	       "\"extensions\":[{\"name\":\"x\",\"rules\":[{\"id\":\"X1\","
	       "\"defaultConfiguration\":{\"level\":\"error\"}}]}]},\"results\":[{\"rule\":"
	       "{\"index\":0,\"toolComponent\":{\"index\":0}}},{\"rule\":{\"index\":4,"
	       "\"toolComponent\":{\"index\":3}}}]}]}",
	       "sarif", 0, "high 0.80 - X1@-\nmedium 0.80 - unnamed@-\n");
	expect("f",
	       "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"t\"}},"
	       "\"artifacts\":[{\"location\":{\"uri\":\"s.py\"}}],"
	       "\"invocations\":[{\"executionSuccessful\":true,\"ruleConfigurationOverrides\":"
	       "[{\"descriptor\":{\"id\":\"A\"},\"configuration\":{\"level\":\"note\"}}]}],"
	       "\"results\":[{\"ruleId\":\"A\",\"locations\":[{\"physicalLocation\":"
	       "{\"artifactLocation\":{\"index\":0},\"region\":{\"startLine\":7}}}]}]}]}",
	       "sarif", 0, "low 0.80 - A@s.py:7\n");
}

#define SNYK(servers, issues) "{\"/p\":{\"servers\":[" servers "],\"issues\":[" issues "]}}"
#define REMOTE(name)                                                                        \
	"{\"name\":\"" name "\",\"server\":{\"url\":\"https://h/" name "\"},\"signature\":" \
	"{\"prompts\":[{\"name\":\"ask\"}],\"tools\":[{\"name\":\"run\"}]}}"
#define SKILL "{\"name\":\"s\",\"server\":{\"type\":\"skill\",\"path\":\"/s\"},\"signature\":{}}"

static void test_snyk_by_code(void **state)
{
	(void)state;
	expect("f",
	       SNYK(REMOTE("a") "," REMOTE("b") "," SKILL,
		    "{\"code\":\"E001\",\"reference\":[0,1]},{\"code\":\"W015\",\"reference\":[0,0]},"
		    "{\"code\":\"W004\",\"reference\":[0,null]},{\"code\":\"E004\",\"reference\":[2,0]},"
		    "{\"code\":\"TF001\",\"reference\":null},{\"code\":\"E077\",\"reference\":[0,9]}"),
	       "snyk", 3,
	       "critical 0.80 a E001@run\nmedium 0.80 a W015@ask\nhigh 0.60 a E077@-\n"
	       "clean 0.80 b -@-\n");
	/* what could not be started or analysed is not clean */
	expect("f",
	       SNYK("{\"name\":\"a\",\"server\":{\"command\":\"npx\",\"args\":[\"x\"]},"
		    "\"error\":{\"is_failure\":true}}",
		    ""),
	       "snyk", 1, "");
	expect("f", SNYK(REMOTE("a"), "{\"code\":\"X001\",\"reference\":null}"), "snyk", 2, "");
	expect("f", "{\"/p\":{\"servers\":null,\"issues\":[]}}", "snyk", 1, "");
	/* a name is not needed */
	expect("f",
	       SNYK("{\"server\":{\"command\":\"npx\",\"args\":[\"x\",\"--token\",\"hush\"]},"
		    "\"signature\":{}}",
		    "{\"code\":\"W001\",\"reference\":[0,null]}"),
	       "snyk", 0, "low 0.80 npx x --token *** W001@-\n");
}

static void test_snyk_by_risk(void **state)
{
	(void)state;
	expect("f",
	       "{\"scan_path_responses\":[{\"path\":\"p\",\"server_risks\":[{\"name\":\"a\","
	       "\"entities\":[{\"name\":\"get\",\"type\":\"tool\"},{\"name\":\"put\","
	       "\"type\":\"tool\"}],\"risk_indexes\":{\"prompt_injection_tool_desc\":{"
	       "\"score\":1000,\"evidence\":\"e\",\"affected_tools\":[1]},"
	       "\"private_data\":{\"score\":1000,\"evidence\":\"e\",\"affected_tools\":[0,1]},"
	       "\"untrusted_content\":{\"score\":100,\"evidence\":\"e\"},"
	       "\"new_risk\":{\"score\":1000,\"evidence\":\"e\"},"
	       "\"dangerous_words\":{\"score\":0,\"evidence\":\"e\"}}},"
	       "{\"name\":\"b\",\"entities\":[],\"risk_indexes\":{}},"
	       "{\"name\":\"c\",\"error\":{\"message\":\"m\"}}],"
	       "\"skill_risks\":[{\"name\":\"s\"}]}]}",
	       "snyk", 2,
	       "critical 0.80 a prompt_injection_tool_desc@put\n"
	       "medium 0.80 a private_data@get, put\nlow 0.80 a untrusted_content@-\n"
	       "high 0.60 a new_risk@-\ninfo 0.80 a dangerous_words@-\nclean 0.80 b -@-\n");
}

static void test_cisco(void **state)
{
	(void)state;
	expect("f",
	       "{\"server_url\":\"http://h/sse\",\"scan_results\":[{\"tool_name\":\"run\","
	       "\"status\":\"completed\",\"is_safe\":false,\"findings\":{\"yara_analyzer\":{"
	       "\"severity\":\"HIGH\",\"threat_names\":[\"X\",\"Y\"],\"threat_summary\":\"s\"},"
	       "\"llm_analyzer\":{\"severity\":\"MEDIUM\",\"threat_names\":[]},"
	       "\"api_analyzer\":{\"severity\":\"SAFE\"},"
	       "\"readiness_analyzer\":{\"severity\":\"HIGH\",\"threat_names\":[\"HEUR-001\"]}}}]}",
	       "cisco", 0,
	       "high 0.80 http://h/sse yara_analyzer/X@run\n"
	       "high 0.80 http://h/sse yara_analyzer/Y@run\n"
	       "medium 0.60 http://h/sse llm_analyzer@run\n"
	       "info 0.80 http://h/sse readiness_analyzer/HEUR-001@run\n");
	expect("f",
	       "[{\"tool_name\":\"a\",\"is_safe\":true,\"findings\":{}},"
	       "{\"prompt_name\":\"b\",\"is_safe\":true,\"findings\":{}}]",
	       "cisco", 0, "clean 0.80 - -@-\n");
	expect("f",
	       "{\"/cfg\":[{\"tool_name\":\"a\",\"server_name\":\"x\",\"is_safe\":true},"
	       "{\"tool_name\":\"b\",\"server_name\":\"y\",\"is_safe\":true,\"findings\":{}},"
	       "{\"tool_name\":\"c\",\"server_name\":\"y\",\"is_safe\":false,\"status\":\"failed\"}]}",
	       "cisco", 1, "clean 0.80 x -@-\n");
	expect("f",
	       "{\"server_url\":\"stdio:npx x\",\"scan_results\":[{\"tool_name\":\"a\","
	       "\"is_safe\":false,\"findings\":{\"yara_analyzer\":{\"severity\":\"UNKNOWN\"}}}]}",
	       "cisco", 1, "");
}

#define ALERT(level, score, event)                                        \
	"{\"timestamp\":\"2026-01-31T12:00:00Z\",\"risk_level\":\"" level \
	"\",\"risk_score\":" score                                        \
	",\"category\":\"injection\",\"analyzed_text\":\"t\",\"mcp_event\":{" event "}}\n"
#define HTTP "\"http_transport\":{\"host\":\"h:3001\"},"

static void test_mcpspy(void **state)
{
	(void)state;
	expect("f",
	       ALERT("critical", "1",
		     HTTP "\"type\":\"response\",\"request\":{\"method\":"
			  "\"tools/list\"}") ALERT("critical", "1",
						   HTTP
						   "\"type\":\"response\",\"request\":{\"method\":"
						   "\"tools/call\"}")
		       ALERT("high", "0.8", HTTP "\"type\":\"request\"")
			       ALERT("none", "0.1", HTTP "\"type\":\"response\"")
				       ALERT("medium", "0.6",
					     "\"type\":\"response\",\"stdio_transport\":"
					     "{\"from_comm\":\"srv\",\"to_comm\":\"agent\"}"),
	       "mcpspy", 1,
	       "critical 1.00 http://h:3001 injection@tools/list\n"
	       "high 0.65 http://h:3001 injection@tools/call\n"
	       "info 0.80 http://h:3001 injection@-\nmedium 0.39 srv injection@-\n");
	refused("f", ALERT("huge", "1", HTTP "\"type\":\"response\""), "no level of risk");
}

static void test_guardian(void **state)
{
#define UUID "12345678-1234-1234-1234-123456789012"
	(void)state;
	expect("/g/denied/inbound_my_server_inbound_" UUID,
	       "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "guardian", 0,
	       "medium 0.50 my_server denied-message@-\n");
	expect("outbound_a_outbound_" UUID,
	       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}", "guardian", 0,
	       "low 0.50 a denied-message@tools/call\n");
}

static void test_duplicates_once_the_worst_stays(void **state)
{
#define LINE(severity, confidence)                                                         \
	"{\"source\":\"s\",\"severity\":\"" severity "\",\"rule\":\"r\",\"server\":\"a\"," \
	"\"confidence\":" confidence "}\n"
	(void)state;
	expect("f", LINE("low", "1") LINE("high", "0.5") LINE("high", "0.9") LINE("medium", "1"),
	       "native", 0, "high 0.90 a r@-\n");
}

static void test_too_many_are_refused(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF(FINDINGS_SIZE_MAX);

	(void)state;
	for (unsigned int i = 0; i <= FINDINGS_MAX; i++)
		buf_printf(&text,
			   "{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"%u\","
			   "\"server\":\"a\"}\n",
			   i);
	refused("f", buf_str(&text), "f:4097:1: more than 4096 findings");
}

static void test_server_by_option_where_none_is_named(void **state)
{
	struct findings_options o = { .file = "f", .server = "mine" };
	const char *text =
		"{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"1\"}\n"
		"{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"2\",\"server\":\"b\"}\n";
	CLEANUP(buf_done) struct buf errors = BUF(1 << 16);
	CLEANUP(findings_done) struct findings f = {};

	(void)state;
	assert_int_equal(findings_read(text, strlen(text), &o, &f, &errors), 0);
	assert_string_equal(f.v[0].server.name, "mine");
	assert_string_equal(f.v[1].server.name, "b");
}

/* Longer than is kept, characters of several bytes, control characters: cut and blank. */
static void test_texts_are_cut(void **state)
{
	struct findings_options o = { .file = "f" };
	CLEANUP(buf_done) struct buf text = BUF(1 << 16);
	CLEANUP(buf_done) struct buf errors = BUF(1 << 16);
	CLEANUP(findings_done) struct findings f = {};

	(void)state;
	buf_puts(&text, "{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"a\\u0007b\","
			"\"message\":\"x");
	for (int i = 0; i < 1000; i++)
		buf_puts(&text, "\xc3\xa4");
	buf_puts(&text, "\"}");
	assert_int_equal(findings_read(text.data, text.len, &o, &f, &errors), 0);
	assert_string_equal(f.v[0].rule, "a b");
	assert_int_equal(strlen(f.v[0].message), FINDING_TEXT_MAX - 1);
}

static void test_encoded_reads_the_same(void **state)
{
	static const char text[] =
		"{\"time\":\"2026-01-31T12:00:00.000Z\",\"source\":\"s\",\"severity\":\"high\","
		"\"confidence\":0.7,\"server\":{\"name\":\"a\",\"url\":\"http://u:p@h/?q\","
		"\"command\":\"npx x\"},\"version\":\"1\",\"rule\":\"r\",\"location\":\"l\","
		"\"digest\":\"d\",\"message\":\"m\",\"evidence_sha256\":"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}\n";
	struct findings_options o = { .file = "f" };
	CLEANUP(buf_done) struct buf errors = BUF(1 << 16);
	CLEANUP(buf_done) struct buf again = BUF(1 << 16);
	CLEANUP(findings_done) struct findings f = {};

	(void)state;
	assert_int_equal(findings_read(text, strlen(text), &o, &f, &errors), 0);
	assert_int_equal(finding_encode(&f.v[0], &again), 0);
	assert_string_equal(buf_str(&again), text);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < FINDING_SEVERITY_COUNT; i++)
		assert_int_equal(finding_severity_from_name(finding_severity_name(i)), i);
	for (int i = 0; i < FINDINGS_FORMAT_COUNT; i++)
		assert_int_equal(findings_format_from_name(findings_format_name(i)), i);
	assert_int_equal(finding_severity_from_name("worse"), -EINVAL);
	assert_int_equal(findings_format_from_name("xml"), -EINVAL);
	assert_string_equal(finding_severity_name(FINDING_SEVERITY_COUNT), "?");
	assert_string_equal(findings_format_name(FINDINGS_FORMAT_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_sarif_severity),
		cmocka_unit_test(test_sarif_what_is_none),
		cmocka_unit_test(test_sarif_messages_and_taxa),
		cmocka_unit_test(test_sarif_extensions_and_overrides),
		cmocka_unit_test(test_snyk_by_code),
		cmocka_unit_test(test_snyk_by_risk),
		cmocka_unit_test(test_cisco),
		cmocka_unit_test(test_mcpspy),
		cmocka_unit_test(test_guardian),
		cmocka_unit_test(test_duplicates_once_the_worst_stays),
		cmocka_unit_test(test_too_many_are_refused),
		cmocka_unit_test(test_server_by_option_where_none_is_named),
		cmocka_unit_test(test_texts_are_cut),
		cmocka_unit_test(test_encoded_reads_the_same),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
