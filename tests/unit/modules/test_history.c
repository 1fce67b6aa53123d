/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is kept of the past, and that nothing depends on it. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "codec/messages_history.h"
#include "io/history.h"
#include "unit/modules/modules_rig.h"
#include "unit/unit.h"

#define MINUTE SECONDS(60)

static void told(const char *query, struct reply_history *ret)
{
	struct rig_answer a;
	char path[128];

	snprintf(path, sizeof(path), "/v1/servers/a/history%s", query);
	assert_int_equal(rig_ask(&rig, "GET", path, NULL, &a), 200);
	memset(ret, 0, sizeof(*ret));
	assert_int_equal(reply_history_decode(a.body, strlen(a.body), ret), 0);
	rig_answer_done(&a);
}

static void minutes(int n)
{
	for (int i = 0; i < n; i++) {
		rig_advance(&rig, MINUTE);
		rig_pass(&rig);
	}
}

static void test_scores_and_states(void **state)
{
	struct reply_history r;
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A));
	minutes(3);
	open_up("a");
	minutes(2);
	told("", &r);
	assert_true(r.n_samples >= 2);
	assert_string_equal(r.samples[0].state, "closed");
	assert_string_equal(r.samples[1].state, "open");
	assert_true(r.samples[r.n_samples - 1].score < r.samples[0].score);
	/* what did not change is not told again */
	assert_true(r.n_samples <= 5);
	reply_history_done(&r);
	rig_advance(&rig, SECONDS(2));
	told("?since=1", &r);
	assert_int_equal(r.n_samples, 1); /* what holds since then */
	reply_history_done(&r);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/servers/a/history?since=x", NULL, &a), 400);
	rig_answer_done(&a);
}

static size_t events(const char *query, const char *what)
{
	struct rig_answer a;
	size_t n = 0;

	assert_int_equal(rig_ask(&rig, "GET", query, NULL, &a), 200);
	for (const char *at = a.body; (at = strstr(at, what)); at++)
		n++;
	rig_answer_done(&a);
	return n;
}

static void test_events_outlive_the_daemon(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	open_up("a");
	rig_advance(&rig, SECONDS(1));
	rig_restart(&rig, SERVERS(A));
	assert_int_equal(events("/v1/events", "\"to\":\"open\""), 0);
	assert_int_equal(events("/v1/events?since=1h", "\"to\":\"open\""), 1);
	assert_int_equal(events("/v1/events?since=1h&server=a", "\"to\":\"open\""), 1);
	assert_int_equal(events("/v1/events?since=1h&server=b", "\"to\":\"open\""), 0);
	/* once, also what is both on the disk and in memory */
	rig_order(&rig, "a", "quarantine", "{\"reason\":\"now\"}");
	assert_int_equal(events("/v1/events?since=1h", "\"reason\":\"now\""), 1);
	rig_client(RIG_NOBODY, RIG_NOBODY);
	assert_int_equal(events("/v1/events?since=1h", "\"to\":\"open\""), 1);
	rig_client(0, 0);
}

static void test_damage_is_degraded_and_no_more(void **state)
{
	char path[200];
	int fd;

	(void)state;
	rig_start(&rig, SERVERS(A));
	rig_end(&rig);
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, rig.state_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "this is no database at all, is it", 33), 33);
	close(fd);
	rig_start(&rig, SERVERS(A));
	open_up("a");
	assert_true(rig_degraded(&rig, "move it away, and a new one is begun"));
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"r\"}"), 200);
	assert_true(kernel("a")->quarantine_ns != 0);
	assert_int_equal(remove(path), 0);
	minutes(2);
	assert_false(rig_degraded(&rig, "no history is kept"));
}

/* Nothing of what is told from then on is missing in the new one. */
static void test_a_file_that_was_taken_away(void **state)
{
	char path[200];

	(void)state;
	rig_start(&rig, SERVERS(A));
	rig_order(&rig, "a", "quarantine", "{\"reason\":\"before\"}");
	rig_advance(&rig, SECONDS(1));
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, rig.state_dir);
	assert_int_equal(remove(path), 0);
	rig_order(&rig, "a", "quarantine", "{\"reason\":\"after\"}");
	rig_advance(&rig, SECONDS(1));
	assert_false(rig_degraded(&rig, "no history is kept"));
	rig_restart(&rig, SERVERS(A));
	assert_int_equal(events("/v1/events?since=1h", "\"reason\":\"after\""), 1);
	assert_int_equal(events("/v1/events?since=1h", "\"reason\":\"before\""), 0);
}

/* How long and how much is kept is the operator's to say, also while it runs. */
static void test_retention_is_configured(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	rig_order(&rig, "a", "quarantine", "{\"reason\":\"old\"}");
	rig_advance(&rig, SECONDS(2 * 86400));
	rig_order(&rig, "a", "release", "{}");
	rig_order(&rig, "a", "quarantine", "{\"reason\":\"new\"}");
	minutes(3);
	rig_restart(&rig, SERVERS(A));
	assert_int_equal(events("/v1/events?since=9d", "\"reason\":\"old\""), 1);
	rig_reload(&rig, "{\"history\":{\"days\":1},\"mcpServers\":{" A "}}");
	minutes(1);
	for (int i = 0; i < 5; i++)
		rig_advance(&rig, SECONDS(1));
	assert_int_equal(events("/v1/events?since=9d", "\"reason\":\"old\""), 0);
	assert_int_equal(events("/v1/events?since=9d", "\"reason\":\"new\""), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scores_and_states),
		TEST(test_events_outlive_the_daemon),
		TEST(test_damage_is_degraded_and_no_more),
		TEST(test_a_file_that_was_taken_away),
		TEST(test_retention_is_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
