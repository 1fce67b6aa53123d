/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "codec/messages.h"
#include "unit/unit.h"

static int decode(enum request_verb verb, const char *text, struct request *q, char *why, size_t n)
{
	why[0] = '\0';
	return request_decode(verb, text, strlen(text), q, why, n);
}

static void test_good(void **state)
{
	static const struct {
		enum request_verb verb;
		const char *text;
		uint64_t for_ns;
		enum sg_state to;
		const char *again; /* as encoded */
	} rows[] = {
		{ REQUEST_QUARANTINE, "{\"reason\":\"r\"}", SG_FOREVER, SG_CLOSED,
		  "{\"reason\":\"r\"}" },
		{ REQUEST_QUARANTINE, "{\"reason\":\"r\",\"for\":\"10m\"}", SECONDS(600), SG_CLOSED,
		  "{\"reason\":\"r\",\"for\":600.0}" },
		{ REQUEST_QUARANTINE, "{\"for\":null,\"reason\":\"r\"}", SG_FOREVER, SG_CLOSED,
		  "{\"reason\":\"r\"}" },
		{ REQUEST_RELEASE, "", SG_FOREVER, SG_CLOSED, "{}" },
		{ REQUEST_RELEASE, "{\"reason\":\"r\"}", SG_FOREVER, SG_CLOSED,
		  "{\"reason\":\"r\"}" },
		{ REQUEST_RESET, "{\"reason\":\"r\"}", SG_FOREVER, SG_CLOSED,
		  "{\"reason\":\"r\"}" },
		{ REQUEST_TRIP, "{\"reason\":\"r\",\"for\":5}", SECONDS(5), SG_CLOSED,
		  "{\"reason\":\"r\",\"for\":5.0}" },
		{ REQUEST_FORCE, "{\"reason\":\"r\",\"to\":\"closed\"}", SG_FOREVER,
		  SG_FORCED_CLOSED, "{\"reason\":\"r\",\"to\":\"closed\"}" },
		{ REQUEST_RESET, "{}", SG_FOREVER, SG_CLOSED, "{}" },
		{ REQUEST_TRIP, "", SG_FOREVER, SG_CLOSED, "{}" },
		{ REQUEST_TRIP, "{\"for\":1.5}", SECONDS(1.5), SG_CLOSED, "{\"for\":1.5}" },
		{ REQUEST_FORCE, "{\"to\":\"closed\"}", SG_FOREVER, SG_FORCED_CLOSED,
		  "{\"to\":\"closed\"}" },
		{ REQUEST_FORCE, "{\"to\":\"shadow\",\"for\":5}", SECONDS(5), SG_SHADOW,
		  "{\"to\":\"shadow\",\"for\":5.0}" },
		{ REQUEST_FORCE, "{\"to\":\"disabled\"}", SG_FOREVER, SG_DISABLED,
		  "{\"to\":\"disabled\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct request q;
		struct buf out;
		char why[200];

		assert_int_equal(decode(rows[i].verb, rows[i].text, &q, why, sizeof(why)), 0);
		assert_int_equal(q.verb, rows[i].verb);
		assert_true(q.for_ns == rows[i].for_ns);
		assert_int_equal(q.to, rows[i].to);
		assert_string_equal(q.reason, strstr(rows[i].text, "reason") ? "r" : "");
		out = BUF(1000);
		assert_int_equal(request_encode(&q, &out), 0);
		assert_string_equal(buf_str(&out), rows[i].again);
		buf_done(&out);
	}
}

/* An operator's word is shown to everybody: what its URLs hide is not kept. */
static void test_reason_with_url(void **state)
{
	char text[400] = "{\"reason\":\"leaked: https://u:p@h/a?k=v, see http://w/mcp\"}";
	struct request q;
	char why[200];

	(void)state;
	assert_int_equal(decode(REQUEST_TRIP, text, &q, why, sizeof(why)), 0);
	assert_string_equal(q.reason, "leaked: https://***@h/a?*** see http://w/mcp");
	snprintf(text, sizeof(text), "{\"reason\":\"http://h/%0240d?\"}", 7);
	assert_int_equal(decode(REQUEST_TRIP, text, &q, why, sizeof(why)), 0);
	snprintf(text, sizeof(text), "{\"reason\":\"http://h/%0*d/x?\"}", 242, 7);
	memset(strchr(text, '0'), 'o', 242);
	assert_int_equal(decode(REQUEST_TRIP, text, &q, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "longer than 255 bytes once"));
}

static void test_bad(void **state)
{
	static const struct {
		enum request_verb verb;
		const char *text, *why;
	} rows[] = {
		{ REQUEST_QUARANTINE, "", "quarantine needs the key \"reason\"" },
		{ REQUEST_QUARANTINE, "{\"reason\":null}", "reason must be text" },
		{ REQUEST_QUARANTINE, "{\"reason\":\"\"}", "1 to 255 bytes" },
		{ REQUEST_QUARANTINE, "{\"reason\":\"a\\nb\"}", "control characters" },
		{ REQUEST_QUARANTINE, "{\"reason\":\"a\\u0000b\"}", "control characters" },
		{ REQUEST_QUARANTINE, "{\"reason\":\"r\",\"until\":1}",
		  "does not know the key \"until\"" },
		{ REQUEST_QUARANTINE, "{\"reason\":\"r\",\"to\":\"x\"}",
		  "does not know the key \"to\"" },
		{ REQUEST_RELEASE, "{\"for\":1}", "release does not know the key \"for\"" },
		{ REQUEST_TRIP, "{\"reason\":\"\"}", "1 to 255 bytes" },
		{ REQUEST_RESET, "{\"reason\":1}", "reason must be text" },
		{ REQUEST_TRIP, "{\"for\":\"soon\"}", "must be a duration" },
		{ REQUEST_TRIP, "{\"for\":[]}", "must be a duration" },
		{ REQUEST_TRIP, "{\"for\":0}", "more than 0" },
		{ REQUEST_TRIP, "{\"for\":-5}", "more than 0" },
		{ REQUEST_TRIP, "{\"for\":1e12}", "at most 10 years" },
		{ REQUEST_TRIP, "{\"for\":1,\"for\":2}", "already given" },
		{ REQUEST_FORCE, "{}", "force needs the key \"to\"" },
		{ REQUEST_FORCE, "{\"to\":\"open\"}", "closed, shadow or disabled" },
		{ REQUEST_FORCE, "{\"to\":1}", "closed, shadow or disabled" },
		{ REQUEST_RESET, "{", "line 1, column 1: this { is never closed" },
		{ REQUEST_RESET, "[]", "must be a JSON object" },
		{ REQUEST_RESET, "1", "must be a JSON object" },
		{ REQUEST_RESET, "[[[[[]]]]]", "deeper than 4" },
	};
	static char big[REQUEST_SIZE_MAX + 2];
	struct request q = { .reason = "untouched" };
	char why[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(decode(rows[i].verb, rows[i].text, &q, why, sizeof(why)), -EINVAL);
		if (!strstr(why, rows[i].why))
			assert_string_equal(why, rows[i].why);
	}
	memset(big, ' ', sizeof(big) - 1);
	assert_int_equal(decode(REQUEST_RESET, big, &q, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "at most 4096"));
	assert_string_equal(q.reason, "untouched");
}

static void test_verbs(void **state)
{
	(void)state;
	for (int i = 0; i < REQUEST_COUNT; i++)
		assert_int_equal(request_verb_from_name(request_verb_name((enum request_verb)i)),
				 i);
	assert_string_equal(request_verb_name(REQUEST_TRIP), "trip");
	assert_string_equal(request_verb_name(REQUEST_COUNT), "unknown");
	assert_int_equal(request_verb_from_name("unknown"), -EINVAL);
}

static void test_replies(void **state)
{
	const struct reply_kill kill = {
		.server = "a", .killed = 3, .busy = 1, .elapsed_ns = 1234567
	};
	const struct reply_selftest test = { true, "fine", 2000000 };
	const struct reply_state force = { "a", SG_SHADOW, false };
	const struct reply_state release = { "a", SG_CLOSED, true };
	struct reply_error error;
	struct reply_kill kill_back;
	struct reply_selftest test_back;
	struct reply_state force_back;
	struct buf out;

	(void)state;
	out = BUF(1000);
	assert_int_equal(reply_error_encode("not_found", "no server \"x\"", "see status", &out), 0);
	assert_string_equal(buf_str(&out), "{\"error\":{\"code\":\"not_found\",\"message\":"
					   "\"no server \\\"x\\\"\",\"hint\":\"see status\"}}");
	assert_int_equal(reply_error_decode(buf_str(&out), out.len, &error), 0);
	assert_string_equal(error.code, "not_found");
	assert_string_equal(error.message, "no server \"x\"");
	assert_string_equal(error.hint, "see status");
	buf_clear(&out);
	assert_int_equal(reply_kill_encode(&kill, &out), 0);
	assert_string_equal(buf_str(&out),
			    "{\"server\":\"a\",\"killed\":3,\"survivors\":0,\"busy\":1,"
			    "\"elapsed_ms\":1.234}");
	assert_int_equal(reply_kill_decode(buf_str(&out), out.len, &kill_back), 0);
	assert_string_equal(kill_back.server, "a");
	assert_int_equal(kill_back.killed, 3);
	assert_int_equal(kill_back.survivors, 0);
	assert_int_equal(kill_back.busy, 1);
	assert_int_equal(kill_back.elapsed_ns, 1234000);
	assert_string_equal(kill_back.error, "");
	buf_clear(&out);
	assert_int_equal(reply_selftest_encode(&test, &out), 0);
	assert_string_equal(buf_str(&out), "{\"ok\":true,\"detail\":\"fine\",\"elapsed_ms\":2}");
	assert_int_equal(reply_selftest_decode(buf_str(&out), out.len, &test_back), 0);
	assert_true(test_back.ok);
	assert_string_equal(test_back.detail, "fine");
	assert_int_equal(test_back.elapsed_ns, 2000000);
	buf_clear(&out);
	assert_int_equal(reply_state_encode(&force, &out), 0);
	assert_string_equal(buf_str(&out), "{\"server\":\"a\",\"state\":\"shadow\"}");
	assert_int_equal(reply_state_decode(buf_str(&out), out.len, &force_back), 0);
	assert_int_equal(force_back.state, SG_SHADOW);
	assert_false(force_back.unchanged);
	buf_clear(&out);
	assert_int_equal(reply_state_encode(&release, &out), 0);
	assert_string_equal(buf_str(&out),
			    "{\"server\":\"a\",\"state\":\"closed\",\"unchanged\":true}");
	assert_int_equal(reply_state_decode(buf_str(&out), out.len, &force_back), 0);
	assert_true(force_back.unchanged);
	buf_done(&out);
}

/* Nobody counted the survivors: null, and why; missing is no promise either. */
static void test_unknown_survivors(void **state)
{
	static const char text[] =
		"{\"server\":\"a\",\"killed\":3,\"survivors\":null,\"busy\":null,"
		"\"elapsed_ms\":2,\"error\":\"Cannot allocate memory\"}";
	static const char *const untold[] = {
		"{\"server\":\"a\",\"killed\":3}",
		"{\"server\":\"a\",\"killed\":3,\"survivors\":\"0\"}",
		"{\"server\":\"a\",\"killed\":3,\"survivors\":-1}",
	};
	const struct reply_kill kill = { .server = "a",
					 .killed = 3,
					 .survivors = STATUS_UNKNOWN,
					 .busy = STATUS_UNKNOWN,
					 .elapsed_ns = 2000000,
					 .error = "Cannot allocate memory" };
	struct reply_kill back;
	struct buf out;

	(void)state;
	out = BUF(1000);
	assert_int_equal(reply_kill_encode(&kill, &out), 0);
	assert_string_equal(buf_str(&out), text);
	assert_int_equal(reply_kill_decode(text, sizeof(text) - 1, &back), 0);
	assert_int_equal(back.killed, 3);
	assert_int_equal(back.survivors, STATUS_UNKNOWN);
	assert_int_equal(back.busy, STATUS_UNKNOWN);
	assert_string_equal(back.error, "Cannot allocate memory");
	for (size_t i = 0; i < ARRAY_SIZE(untold); i++) {
		assert_int_equal(reply_kill_decode(untold[i], strlen(untold[i]), &back), 0);
		assert_int_equal(back.survivors, STATUS_UNKNOWN);
	}
	buf_done(&out);
}

static void test_garbage_replies(void **state)
{
	static const char *const garbage[] = { "",
					       "{",
					       "{}",
					       "[]",
					       "null",
					       "{\"error\":1}",
					       "{\"killed\":1}",
					       "{\"ok\":1}",
					       "{\"state\":\"x\"}" };
	struct reply_error error;
	struct reply_kill kill;
	struct reply_selftest test;
	struct reply_state force;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		size_t n = strlen(garbage[i]);

		assert_int_equal(reply_error_decode(garbage[i], n, &error), -EBADMSG);
		assert_int_equal(reply_kill_decode(garbage[i], n, &kill), -EBADMSG);
		assert_int_equal(reply_selftest_decode(garbage[i], n, &test), -EBADMSG);
		assert_int_equal(reply_state_decode(garbage[i], n, &force), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_reason_with_url),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_unknown_survivors),
		cmocka_unit_test(test_garbage_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
