/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "codec/jsonpos.h"
#include "codec/messages.h"
#include "unit/unit.h"

#define WALL 1700000000000000000ULL
#define HEAD "{\"t\":7.5,\"time\":\"2023-11-14T22:13:20.000Z\",\"server\":\"a\","

static struct event event_of(enum event_type type)
{
	return (struct event){ .t_ns = SECONDS(7.5),
			       .wall_ns = WALL,
			       .type = type,
			       .server = "a",
			       .failure_rate = NAN,
			       .slow_rate = NAN };
}

/* Encodes, compares, decodes and encodes again; no type has a key twice. */
static void check(const struct event *e, const char *text)
{
	struct jsonpos_fault fault;
	struct event back;
	struct buf out;

	out = BUF(8192);
	assert_int_equal(event_encode(e, URL_MASKED, &out), 0);
	assert_string_equal(buf_str(&out), text);
	assert_int_equal(event_decode(buf_str(&out), out.len, &back), 0);
	buf_clear(&out);
	assert_int_equal(event_encode(&back, URL_MASKED, &out), 0);
	assert_string_equal(buf_str(&out), text);
	assert_int_equal(jsonpos_parse(buf_str(&out), out.len, 8, NULL, &fault), 0);
	buf_done(&out);
}

static void test_call(void **state)
{
	struct event e = event_of(EVENT_CALL);

	(void)state;
	e.outcome = SG_SOFT;
	e.cause = SG_CAUSE_STATUS;
	e.status = 429;
	e.latency_ns = SECONDS(0.2);
	e.retry_after_ns = SECONDS(30);
	snprintf(e.tool, sizeof(e.tool), "%s", "read");
	check(&e, HEAD "\"tool\":\"read\",\"op\":\"call\",\"outcome\":\"soft\",\"latency\":0.2,"
		       "\"retry_after\":30.0,\"cause\":\"status\",\"status\":429}");
	e = event_of(EVENT_CALL);
	e.outcome = SG_HARD;
	e.latency_ns = STATUS_NEVER;
	check(&e, HEAD "\"op\":\"call\",\"outcome\":\"hard\"}");
	e.corrected = true;
	e.estimate = true;
	e.pid = 4711;
	snprintf(e.comm, sizeof(e.comm), "a\n\x1b\"\xff");
	snprintf(e.text, sizeof(e.text), "/agents/a");
	snprintf(e.address, sizeof(e.address), "[::1]:80");
	snprintf(e.by, sizeof(e.by), "switchgear");
	check(&e, HEAD "\"op\":\"call\",\"outcome\":\"hard\",\"corrected\":true,\"estimate\":true,"
		       "\"pid\":4711,"
		       "\"comm\":\"a\\n\\u001b\\\"\xef\xbf\xbd\",\"cgroup\":\"/agents/a\","
		       "\"address\":\"[::1]:80\",\"by\":\"switchgear\"}");
}

static void test_transition(void **state)
{
	struct event e = event_of(EVENT_TRANSITION);

	(void)state;
	e.from = SG_CLOSED;
	e.to = SG_OPEN;
	e.reason = SG_REASON_FAILURE_RATE;
	e.failure_rate = 0.6;
	e.slow_rate = 0.1;
	e.calls = 20;
	e.open_ns = SECONDS(30);
	check(&e, HEAD
	      "\"event\":\"transition\",\"from\":\"closed\",\"to\":\"open\","
	      "\"reason\":\"failure_rate\",\"failure_rate\":0.6,\"slow_rate\":0.1,\"calls\":20,"
	      "\"open_seconds\":30.0}");
	e.to = SG_FORCED_OPEN;
	e.reason = SG_REASON_MANUAL;
	e.failure_rate = e.slow_rate = NAN;
	e.calls = 0;
	e.open_ns = STATUS_NEVER;
	check(&e, HEAD "\"event\":\"transition\",\"from\":\"closed\",\"to\":\"forced_open\","
		       "\"reason\":\"manual\",\"failure_rate\":null,\"slow_rate\":null,\"calls\":0,"
		       "\"open_seconds\":null}");
	snprintf(e.by, sizeof(e.by), "%s", "uid 0");
	snprintf(e.text, sizeof(e.text), "%s", "why \"so\"");
	check(&e, HEAD "\"event\":\"transition\",\"from\":\"closed\",\"to\":\"forced_open\","
		       "\"reason\":\"manual\",\"failure_rate\":null,\"slow_rate\":null,\"calls\":0,"
		       "\"open_seconds\":null,\"by\":\"uid 0\",\"text\":\"why \\\"so\\\"\"}");
}

static void test_others(void **state)
{
	struct event e = event_of(EVENT_QUARANTINE);

	(void)state;
	snprintf(e.text, sizeof(e.text), "%s", "why");
	snprintf(e.by, sizeof(e.by), "%s", "uid 0");
	e.until_wall_ns = STATUS_NEVER;
	e.killed = 3;
	e.survivors = 1;
	e.busy = 2;
	check(&e,
	      HEAD "\"event\":\"quarantine\",\"reason\":\"why\",\"until\":null,\"by\":\"uid 0\","
		   "\"killed\":3,\"survivors\":1,\"busy\":2}");
	e.until_wall_ns = WALL;
	check(&e, HEAD "\"event\":\"quarantine\",\"reason\":\"why\","
		       "\"until\":\"2023-11-14T22:13:20.000Z\",\"by\":\"uid 0\",\"killed\":3,"
		       "\"survivors\":1,\"busy\":2}");
	e = event_of(EVENT_RELEASE);
	snprintf(e.by, sizeof(e.by), "%s", "uid 0");
	check(&e, HEAD "\"event\":\"release\",\"by\":\"uid 0\"}");
	snprintf(e.text, sizeof(e.text), "%s", "fixed");
	check(&e, HEAD "\"event\":\"release\",\"by\":\"uid 0\",\"text\":\"fixed\"}");
	e = event_of(EVENT_RESET);
	snprintf(e.by, sizeof(e.by), "%s", "uid 0");
	check(&e, HEAD "\"event\":\"reset\",\"by\":\"uid 0\"}");
	e = event_of(EVENT_KILL);
	e.killed = 9;
	check(&e, HEAD "\"event\":\"kill\",\"killed\":9,\"survivors\":0,\"busy\":0}");
	e.survivors = STATUS_UNKNOWN;
	e.busy = STATUS_UNKNOWN;
	snprintf(e.error, sizeof(e.error), "%s", "no \"memory\"");
	check(&e, HEAD "\"event\":\"kill\",\"killed\":9,\"survivors\":null,\"busy\":null,"
		       "\"error\":\"no \\\"memory\\\"\"}");
	e = event_of(EVENT_ALARM);
	snprintf(e.text, sizeof(e.text), "%s", "held");
	check(&e, HEAD "\"event\":\"alarm\",\"detail\":\"held\"}");
	e = event_of(EVENT_LOSS);
	e.server[0] = '\0';
	e.count = 12;
	check(&e,
	      "{\"t\":7.5,\"time\":\"2023-11-14T22:13:20.000Z\",\"server\":null,\"event\":\"loss\","
	      "\"count\":12}");
	e = event_of(EVENT_SELFTEST);
	e.ok = true;
	check(&e, HEAD "\"event\":\"selftest\",\"ok\":true,\"detail\":\"\"}");
	e = event_of(EVENT_RELOAD);
	snprintf(e.text, sizeof(e.text), "%s", "1 added");
	check(&e, HEAD "\"event\":\"reload\",\"detail\":\"1 added\"}");
}

/* Survivors that a line does not tell of are unknown, not 0; other lines have none. */
static void test_unknown(void **state)
{
	static const char *const killed[] = {
		"{\"event\":\"kill\",\"killed\":1,\"survivors\":null,\"busy\":0}",
		"{\"event\":\"kill\",\"killed\":1}",
		"{\"event\":\"quarantine\",\"survivors\":\"2\"}",
		"{\"event\":\"quarantine\",\"survivors\":-1}",
	};
	static const char quarantine[] =
		"{\"event\":\"quarantine\",\"reason\":\"why\",\"until\":null,\"by\":\"root\","
		"\"killed\":3,\"survivors\":null,\"busy\":null,\"error\":\"Out of memory\"}";
	static const char alarm[] = "{\"event\":\"alarm\",\"detail\":\"x\",\"error\":\"y\"}";
	struct event e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(killed); i++) {
		assert_int_equal(event_decode(killed[i], strlen(killed[i]), &e), 0);
		assert_int_equal(e.survivors, STATUS_UNKNOWN);
		assert_string_equal(e.error, "");
	}
	assert_int_equal(event_decode(quarantine, sizeof(quarantine) - 1, &e), 0);
	assert_int_equal(e.killed, 3);
	assert_int_equal(e.survivors, STATUS_UNKNOWN);
	assert_int_equal(e.busy, STATUS_UNKNOWN);
	assert_string_equal(e.error, "Out of memory");
	assert_int_equal(event_decode(alarm, sizeof(alarm) - 1, &e), 0);
	assert_int_equal(e.survivors, 0);
	assert_string_equal(e.error, "");
}

static void test_garbage(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{ "", -EBADMSG },
		{ "{", -EBADMSG },
		{ "[]", -EBADMSG },
		{ "{}", -EBADMSG },
		{ "{\"t\":1,\"server\":\"a\"}", -EBADMSG },
		{ "{\"op\":\"start\"}", -ENOTSUP },
		{ "{\"event\":\"later\"}", -ENOTSUP },
		{ "{\"event\":\"call\"}", -ENOTSUP },
	};
	static const char odd[] = "{\"op\":\"call\",\"outcome\":\"x\",\"t\":-3}";
	struct event e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(event_decode(rows[i].text, strlen(rows[i].text), &e), rows[i].r);
	assert_int_equal(event_decode(odd, sizeof(odd) - 1, &e), 0);
	assert_int_equal(e.outcome, SG_UNKNOWN);
	assert_int_equal(e.t_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),    cmocka_unit_test(test_transition),
		cmocka_unit_test(test_others),  cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
