/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/status.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

static void test_names(void **state)
{
	static const char *const visibilities[] = { "plaintext", "tls_uprobe", "metadata", "none" };
	static const char *const verdicts[] = { "allow", "refuse", "redirect", "stand_in" };

	(void)state;
	for (unsigned int i = 0; i < VISIBILITY_COUNT; i++) {
		assert_string_equal(visibility_name((enum visibility)i), visibilities[i]);
		assert_int_equal(visibility_from_name(visibilities[i]), i);
	}
	for (unsigned int i = 0; i < VERDICT_COUNT; i++) {
		assert_string_equal(status_verdict_name((enum status_verdict)i), verdicts[i]);
		assert_int_equal(status_verdict_from_name(verdicts[i]), i);
	}
	assert_string_equal(visibility_name(VISIBILITY_COUNT), "unknown");
	assert_string_equal(status_verdict_name(VERDICT_COUNT), "unknown");
	assert_int_equal(visibility_from_name("unknown"), -EINVAL);
	assert_int_equal(status_verdict_from_name(""), -EINVAL);
}

static void test_init_and_done(void **state)
{
	struct status s = { .n_servers = 1, .n_degraded = 1 };

	(void)state;
	s.servers = calloc(1, sizeof(*s.servers));
	s.degraded = calloc(1, sizeof(*s.degraded));
	assert_non_null(s.servers);
	assert_non_null(s.degraded);
	s.degraded[0] = strdup("no XDP");
	status_server_init(&s.servers[0]);
	assert_true(isnan(s.servers[0].breaker.failure_rate) && isnan(s.servers[0].latency.p99));
	assert_true(s.servers[0].quarantine.until_wall_ns == STATUS_NEVER);
	assert_int_equal(s.servers[0].state, SG_CLOSED);
	s.servers[0].url = strdup("u");
	s.servers[0].command = strdup("c");
	s.servers[0].group = strdup("g");
	status_done(&s);
	assert_int_equal(s.n_servers, 0);
	assert_null(s.servers);
	status_done(&s);
}

/* What nobody counted is never a number. */
static void test_survivors(void **state)
{
	static const struct {
		uint32_t survivors;
		const char *why;
		const char *text;
	} rows[] = {
		{ 0, "", "0 survivors" },
		{ 1, "", "1 survivor" },
		{ UINT32_MAX - 1, "", "4294967294 survivors" },
		{ STATUS_UNKNOWN, "", "survivors unknown" },
		{ STATUS_UNKNOWN, "no memory", "survivors unknown: no memory" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(status_survivors(out, sizeof(out), rows[i].survivors,
						     rows[i].why),
				    rows[i].text);
	assert_string_equal(status_survivors(out, 10, STATUS_UNKNOWN, "x"), "survivors");
}

static void test_unrecorded(void **state)
{
	char out[512];

	(void)state;
	status_unrecorded(out, sizeof(out), "a", 12);
	assert_string_equal(
		out,
		"12 connects to \"a\" could not be recorded (their sockets' option memory or "
		"the table of flows was full): judged at connect, not measured; found again by "
		"address when it opens or is quarantined");
	status_unrecorded(out, sizeof(out), "b", 1);
	assert_non_null(strstr(out, "1 connect to \"b\" could"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_init_and_done),
		cmocka_unit_test(test_survivors),
		cmocka_unit_test(test_unrecorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
