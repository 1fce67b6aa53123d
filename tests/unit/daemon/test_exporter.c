/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The families that need no kernel. */
#include <string.h>

#include "unit/unit.h"

#include "daemon/exporter.c"

static void has(const struct buf *out, const char *line)
{
	if (!strstr(buf_str(out), line))
		fail_msg("\"%s\" is not in:\n%s", line, buf_str(out));
}

static void test_kills(void **state)
{
	struct config_server config[] = { { .name = "none" },
					  { .name = "counted" },
					  { .name = "unknown" },
					  { .name = "stdio" } };
	struct app_server servers[] = {
		{ .config = &config[0], .id = 1 },
		{ .config = &config[1], .id = 2, .kill_counted = true, .kill_survivors = 7 },
		{ .config = &config[2], .id = 3, .kill_survivors = 7, .kills_unproved = 2 },
		{ .config = &config[3] },
	};
	struct app_server *all[] = { &servers[0], &servers[1], &servers[2], &servers[3] };
	struct app app = { .servers = all, .servers_n = 4 };
	struct metrics m;
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	metrics_init(&m, &out);
	kills(&app, &m);
	assert_int_equal(buf_error(&out), 0);
	has(&out, "# TYPE switchgear_kill_survivors gauge\n"
		  "switchgear_kill_survivors{server=\"counted\"} 7\n"
		  "# HELP switchgear_kills_unproved_total");
	has(&out, "# TYPE switchgear_kills_unproved_total counter\n"
		  "switchgear_kills_unproved_total{server=\"none\"} 0\n"
		  "switchgear_kills_unproved_total{server=\"counted\"} 0\n"
		  "switchgear_kills_unproved_total{server=\"unknown\"} 2\n");
	assert_null(strstr(buf_str(&out), "stdio"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
