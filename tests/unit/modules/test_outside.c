/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is told outside: the API, its documents, the history, metrics, and the disk. */
#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "daemon/mark.h"
#include "unit/modules/modules_rig.h"

#define GROUP_ONLY(...) "{\"api_read\":\"group\",\"mcpServers\":{" __VA_ARGS__ "}}"

static bool asks(const char *method, const char *path, unsigned int status, const char *text)
{
	struct rig_answer a;
	bool right;

	rig_ask(&rig, method, path, NULL, &a);
	right = a.status == status && (!text || strstr(a.body, text));
	if (!right)
		print_error("%s %s: %u %s\n", method, path, a.status, a.body);
	rig_answer_done(&a);
	return right;
}

static size_t count(const char *text, const char *of)
{
	size_t n = 0;

	for (; (text = strstr(text, of)); text++)
		n++;
	return n;
}

/* --- api ----------------------------------------------------------------------------------- */

static void test_routes(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B "," FILES));
	assert_true(asks("GET", "/v1/status", 200, "\"servers\":["));
	assert_true(asks("GET", "/v1/servers/a", 200, "\"name\":\"a\""));
	assert_true(asks("GET", "/v1/servers/files", 200, "\"name\":\"files\""));
	assert_true(asks("GET", "/v1/events", 200, NULL));
	assert_true(asks("GET", "/metrics", 200, "switchgear_build_info"));
	assert_true(asks("GET", "/", 404, "docs/protocol.md"));
	assert_true(asks("GET", "/v1", 404, "there is nothing at this path"));
	assert_true(asks("GET", "/v1/statusx", 404, "there is nothing"));
	assert_true(asks("GET", "/v1/status/more", 404, "there is nothing"));
	assert_true(asks("POST", "/v1/status", 404, "there is nothing"));
	assert_true(asks("GET", "/v1/servers/a/trip", 404, "there is nothing"));
	assert_true(asks("POST", "/v1/servers/a/nothing", 404, "there is nothing"));
	assert_true(asks("DELETE", "/v1/servers/a", 405, "only GET and POST"));
	assert_true(asks("PUT", "/v1/servers/a", 405, "\"code\":\"bad_method\""));
	assert_true(asks("POST", "/v1/servers/files/trip", 409, "\"code\":\"not_watched\""));
}

static void test_unknown_server(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS("\"search\":{\"url\":\"http://127.0.0.1:1/\"}," B));
	assert_true(asks("GET", "/v1/servers/serch", 404, "did you mean \\\"search\\\"?"));
	assert_true(asks("POST", "/v1/servers/serch/trip", 404, "did you mean \\\"search\\\"?"));
	assert_true(asks("GET", "/v1/servers/wholly-different", 404, "lists the servers"));
}

static void test_rights(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	rig_client(RIG_NOBODY, RIG_NOBODY);
	assert_true(asks("GET", "/v1/status", 200, NULL));
	assert_true(asks("GET", "/v1/events", 200, NULL));
	assert_true(asks("GET", "/v1/events?calls=1", 403, "leave out --calls"));
	assert_true(asks("GET", "/v1/events?calls=0", 200, NULL));
	assert_true(asks("POST", "/v1/servers/a/trip", 403, "\"code\":\"not_permitted\""));
	assert_true(asks("POST", "/v1/selftest", 403, NULL));
	assert_true(asks("POST", "/v1/detach", 403, NULL));
	assert_true(asks("POST", "/v1/nothing", 403, NULL));
	assert_int_equal(kernel("a")->kernel.breaker.state, SG_CLOSED);
	assert_false(rig.d.dp->detached);
	rig.settings.has_gid = true;
	rig.settings.gid = RIG_GROUP;
	assert_true(asks("POST", "/v1/servers/a/trip", 403, NULL));
	rig_client(RIG_NOBODY, RIG_GROUP);
	assert_true(asks("POST", "/v1/servers/a/trip", 200, NULL));
	assert_true(asks("GET", "/v1/events?calls=1", 200, NULL));
	rig_reload(&rig, GROUP_ONLY(A));
	assert_true(asks("GET", "/v1/status", 200, NULL));
	rig_client(RIG_NOBODY, RIG_NOBODY);
	assert_true(asks("GET", "/v1/status", 403, "reading is for root"));
	assert_true(asks("GET", "/metrics", 403, NULL));
}

#define SECRET "https://u:hush@127.0.0.1:9/0123456789abcdef/mcp?k=hush"

/* Whether a path is answered with the secret's path, its origin alone, or neither. */
static const char *shows(const char *path)
{
	struct rig_answer a;
	const char *what;

	assert_int_equal(rig_ask(&rig, "GET", path, NULL, &a), 200);
	what = strstr(a.body, "hush") || strstr(a.body, "abcdef")      ? "the secret"
	       : strstr(a.body, "https://***@127.0.0.1:9/***/mcp?***") ? "the path"
	       : strstr(a.body, "https://127.0.0.1:9")                 ? "the origin"
								       : "nothing";
	if (strstr(a.body, "/mcp") && !strcmp(what, "the origin"))
		what = "another path";
	rig_answer_done(&a);
	return what;
}

/* Of URLs only root and the group see more than the origin, wherever they stand. */
static void test_urls(void **state)
{
	struct rig_answer a = { 0 };
	int follower;

	(void)state;
	rig_start(&rig, SERVERS("\"s\":{\"url\":\"" SECRET "\"},"
				"\"c\":{\"command\":\"npx\",\"args\":[\"x\",\"" SECRET "\"]}"));
	assert_int_equal(rig_order(&rig, "s", "trip", "{\"reason\":\"see " SECRET " now\"}"), 200);
	rig.d.dp->degraded[0] = "what " SECRET " lacks";
	assert_string_equal(shows("/v1/servers/s"), "the path");
	assert_string_equal(shows("/v1/servers/c"), "the path");
	assert_string_equal(shows("/v1/events"), "the path");
	rig.settings.has_gid = true;
	rig.settings.gid = RIG_GROUP;
	rig_client(1000, RIG_GROUP);
	assert_string_equal(shows("/v1/servers/s"), "the path");
	rig_client(RIG_NOBODY, RIG_NOBODY);
	assert_string_equal(shows("/v1/status"), "the origin");
	assert_string_equal(shows("/v1/servers/s"), "the origin");
	assert_string_equal(shows("/v1/servers/c"), "the origin");
	assert_string_equal(shows("/v1/events"), "the origin");
	assert_string_equal(shows("/metrics"), "nothing");
	follower = rig_send(&rig, "GET", "/v1/events?follow=1", NULL);
	rig_turn(&rig);
	rig_client(0, 0);
	assert_int_equal(rig_order(&rig, "s", "reset", "{\"reason\":\"no " SECRET "\"}"), 200);
	rig_turn(&rig);
	(void)rig_look(&rig, follower, &a);
	assert_non_null(strstr(a.text, "\"text\":\"no https://127.0.0.1:9\""));
	rig_answer_done(&a);
	close(follower);
	assert_int_equal(fake_log_said("hush"), 0);
	assert_int_equal(fake_log_said("0123456789abcdef"), 0);
}

static void test_detach(void **state)
{
	struct rig_answer a = { 0 };
	char who[MARK_TEXT_MAX];
	int fd;

	(void)state;
	rig_start(&rig, SERVERS(A));
	fake_fail(rig.d.dp, FAKE_DETACH, 1, 1, EBUSY);
	assert_true(asks("POST", "/v1/detach", 500, "not every pin could be removed"));
	assert_false(mark_find(rig.state_dir, who)); /* it is attached */
	fd = rig_send(&rig, "POST", "/v1/detach", NULL);
	assert_int_equal(loop_run(rig.d.loop), MARK_EXIT); /* until it is told to stop */
	assert_true(rig.d.dp->detached);
	assert_true(rig_look(&rig, fd, &a));
	assert_true(mark_find(rig.state_dir, who));
	assert_int_equal(strncmp(who, "by root (uid 0), pid ", 21), 0);
	assert_string_equal(a.body, "{\"detached\":true,\"daemon\":true,\"removed\":0,"
				    "\"kept\":[],\"directory_removed\":false}");
	rig_answer_done(&a);
	close(fd);
}

/* --- documents ------------------------------------------------------------------------------ */

static void test_status(void **state)
{
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(A "," B "," FILES "," COVERED));
	rig_advance(&rig, SECONDS(3));
	kernel("b")->stats.requests = 12;
	open_up("b");
	rig_status(&rig, &s);
	assert_int_equal(s.abi, SG_ABI);
	assert_false(s.observe);
	assert_int_equal(s.uptime_ns, SECONDS(3));
	assert_string_equal(s.selftest, "ok");
	assert_int_equal(s.n_xdp, 1);
	assert_string_equal(s.xdp[0].mode, "generic");
	assert_int_equal(s.n_degraded, 0);
	assert_int_equal(s.n_servers, 4);
	assert_string_equal(s.servers[0].url, "http://127.0.0.1:1/mcp");
	assert_string_equal(s.servers[0].endpoints[0].address, "127.0.0.1");
	assert_string_equal(s.servers[0].endpoints[0].source, "config");
	assert_int_equal(s.servers[0].endpoints[0].port, 1);
	/* without an id: nothing is known of it, and nothing is asked */
	assert_string_equal(s.servers[2].name, "files");
	assert_string_equal(s.servers[2].command, "npx");
	assert_int_equal(s.servers[2].state, SG_CLOSED);
	assert_int_equal(s.servers[2].n_endpoints, 0);
	/* covered: all of it is its owner's, but what it is called */
	assert_string_equal(s.servers[3].name, "again");
	assert_int_equal(s.servers[3].state, SG_OPEN);
	assert_int_equal(s.servers[3].verdict, VERDICT_REFUSE);
	assert_int_equal(s.servers[3].counters.requests, s.servers[1].counters.requests);
	assert_int_equal(s.servers[3].endpoints[0].port, 2);
	status_done(&s);
	rig.d.dp->degraded[0] = "the kernel is old";
	assert_true(rig_degraded(&rig, "the kernel is old"));
	assert_true(rig_metric(&rig, "switchgear_degraded 1"));
	fake_fail(rig.d.dp, FAKE_COMMAND, 1, 1, EIO);
	assert_true(asks("GET", "/v1/servers/b", 500, "Input/output error"));
	fake_fail(rig.d.dp, FAKE_STATS, 1, 1, ENOENT); /* counters can be missing */
	assert_true(asks("GET", "/v1/servers/b", 200, NULL));
}

static void test_networks(void **state)
{
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS("\"n\":{\"networks\":[\"10.0.0.0/8\"]}"));
	rig_status(&rig, &s);
	assert_string_equal(s.servers[0].endpoints[0].address, "10.0.0.0/8");
	assert_string_equal(s.servers[0].endpoints[0].source, "network");
	status_done(&s);
}

static void test_metrics(void **state)
{
	static const char *const families[] = {
		"build_info",
		"observe_mode",
		"degraded",
		"events_lost_total",
		"map_entries",
		"map_max_entries",
		"program_runs_total",
		"circuit_state",
		"transitions_total",
		"held",
		"panic",
		"group_open",
		"group_limit",
		"blast_places",
		"blast_limit",
		"quarantined",
		"kill_survivors",
		"kills_unproved_total",
		"selftest_ok",
		"connects_total",
		"request_failures_total",
		"outcomes_total",
		"rtt_seconds_mean",
		"connect_duration_seconds",
		"denied_total",
		"unrecorded_connects_total",
	};
	struct rig_answer a;
	char line[128];

	(void)state;
	rig_start(&rig, SERVERS(A "," B "," FILES "," COVERED));
	kernel("b")->stats.rtt_count = 2;
	kernel("b")->stats.rtt_us_sum = 3000000;
	rig.d.dp->lost = 5;
	rig_ask(&rig, "GET", "/metrics", NULL, &a);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		snprintf(line, sizeof(line), "# TYPE switchgear_%s ", families[i]);
		if (count(a.body, line) != 1)
			fail_msg("%s is there %zu times", line, count(a.body, line));
	}
	assert_int_equal(count(a.body, "# TYPE mcp_client_operation_duration_seconds histogram"),
			 1);
	assert_int_equal(count(a.body, "server=\"files\""), 1); /* the trust in it alone */
	assert_int_equal(count(a.body, "switchgear_trust_score{server=\"files\"}"), 1);
	assert_int_equal(count(a.body, "server=\"again\""), 0); /* its owner's, counted once */
	assert_int_equal(count(a.body, "switchgear_circuit_state{"), 2 * SG_STATE_COUNT);
	assert_int_equal(count(a.body, "switchgear_rtt_seconds_mean{"), 1);
	rig_answer_done(&a);
	assert_true(rig_metric(&rig, "switchgear_rtt_seconds_mean{server=\"b\"} 1.5"));
	assert_true(rig_metric(&rig, "switchgear_events_lost_total 5"));
	assert_true(
		rig_metric(&rig, "switchgear_program_run_seconds_total{program=\"sg_one\"} 1.5"));
	assert_true(rig_metric(&rig, "switchgear_map_entries{map=\"flows\"} 4"));
	fake_fail(rig.d.dp, FAKE_HIST, 1, 1, ENOENT);
	assert_true(asks("GET", "/metrics", 200, NULL));
}

/* Over TCP there is nothing but metrics; an address that is none ends the start. */
static void test_metrics_address(void **state)
{
	(void)state;
	rig.settings.metrics_off = false;
	assert_int_equal(parse_addr_port("127.0.0.1:0", &rig.settings.metrics_addr,
					 &rig.settings.metrics_port),
			 0);
	rig_start(&rig, SERVERS(A));
	assert_false(rig_degraded(&rig, "metrics cannot be reached"));
}

/* Enforcement does not wait for who is told, nor for who may give orders. */
static void test_not_yet(void **state)
{
	const struct sockaddr_in sin = { .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in bound = { 0 };
	socklen_t len = sizeof(bound);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char way[96];

	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
	rig.settings.metrics_off = false;
	assert_int_equal(parse_addr_port("127.0.0.1:0", &rig.settings.metrics_addr,
					 &rig.settings.metrics_port),
			 0);
	rig.settings.metrics_port = ntohs(bound.sin_port);
	rig.settings.api_group = (char *)"operators";
	fake_group = (struct resolver_group){ .error = "there is none" };
	rig_start(&rig, SERVERS(A));
	assert_true(rig_degraded(&rig, "metrics cannot be reached: cannot listen on 127.0.0.1:"));
	assert_true(rig_degraded(&rig, "the group \"operators\" (\"api_group\") is not known"));
	assert_true(rig_metric(&rig, "switchgear_degraded 2"));
	rig_advance(&rig, SECONDS(10));
	assert_int_equal(fake_log_said("metrics cannot be reached"), 1); /* once a reason */
	assert_int_equal(fake_log_said("the group \"operators\""), 1);
	rig_client(RIG_NOBODY, RIG_GROUP);
	assert_true(asks("POST", "/v1/servers/a/trip", 403, NULL));
	close(fd);
	fake_group = (struct resolver_group){ .found = true, .gid = RIG_GROUP };
	rig_advance(&rig, SECONDS(5));
	assert_true(rig_metric(&rig, "switchgear_degraded 0"));
	assert_int_equal(fake_log_said("metrics can be reached from now on"), 1);
	assert_int_equal(fake_log_said("the group \"operators\" may give orders from now on"), 1);
	assert_true(asks("POST", "/v1/servers/a/trip", 200, NULL));
	assert_true(rig.d.dp->xdp_retries >= 2);

	/* the API itself: a file is where its directory is to be */
	rig_end(&rig);
	snprintf(way, sizeof(way), "%s/run", rig.dir);
	assert_int_equal(rmdir(way), 0);
	close(open(way, O_CREAT | O_WRONLY, 0600));
	rig_start(&rig, SERVERS(A));
	assert_int_equal(fake_log_said("the API cannot be reached: cannot make the directory"), 1);
	assert_int_equal(unlink(way), 0);
	rig_advance(&rig, SECONDS(5));
	assert_true(asks("GET", "/v1/status", 200, NULL));
	assert_int_equal(fake_log_said("the API can be reached from now on"), 1);
}

/* --- history ------------------------------------------------------------------------------------ */

static void test_history(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	fake_successes(rig.d.dp, id_of("a"), 2);
	open_up("b");
	rig_ask(&rig, "GET", "/v1/events", NULL, &a);
	assert_int_equal(count(a.body, "\"op\":\"call\""), 0);
	rig_answer_done(&a);
	rig_ask(&rig, "GET", "/v1/events?calls=1", NULL, &a);
	assert_int_equal(count(a.body, "\"op\":\"call\""), 7);
	rig_answer_done(&a);
	rig_ask(&rig, "GET", "/v1/events?calls=1&server=a", NULL, &a);
	assert_int_equal(count(a.body, "\n"), 2);
	rig_answer_done(&a);
	rig_advance(&rig, SECONDS(20));
	fake_order(rig.d.dp, id_of("a"), SG_DISABLED, SG_FOREVER);
	rig_pass(&rig);
	rig_ask(&rig, "GET", "/v1/events?since=10s", NULL, &a);
	assert_int_equal(count(a.body, "transition"), 1);
	rig_answer_done(&a);
	assert_true(asks("GET", "/v1/events?since=soon", 400, "not a valid duration"));
	/* both rings in the order of time, and the oldest are forgotten */
	for (int i = 0; i < 41; i++) {
		fake_successes(rig.d.dp, id_of("a"), 100);
		rig_pass(&rig);
	}
	rig_ask(&rig, "GET", "/v1/events?calls=1", NULL, &a);
	assert_int_equal(count(a.body, "\"op\":\"call\""), 4096);
	assert_true(strstr(a.body, "\"to\":\"open\"") < strstr(a.body, "\"op\":\"call\""));
	rig_answer_done(&a);
}

static void test_followers(void **state)
{
	struct rig_answer all = { 0 };
	struct rig_answer one = { 0 };
	int fds[40];
	int fd;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	open_up("a");
	rig_advance(&rig, NS_PER_SEC);
	fd = rig_send(&rig, "GET", "/v1/events?follow=1&calls=1", NULL);
	fds[0] = rig_send(&rig, "GET", "/v1/events?follow=1&server=b&since=1h", NULL);
	assert_false(rig_look(&rig, fd, &all));
	assert_false(rig_look(&rig, fds[0], &one));
	fake_failures(rig.d.dp, id_of("a"), 1);
	open_up("b");
	rig_look(&rig, fd, &all);
	rig_look(&rig, fds[0], &one);
	assert_int_equal(count(all.text, "\"op\":\"call\""), 6);
	assert_int_equal(count(all.text, "\"event\":\"transition\""), 1); /* since it follows */
	assert_int_equal(count(one.text, "\"server\":\"b\",\"event\":\"transition\""), 1);
	assert_int_equal(count(one.text, "\"server\":\"a\""), 0);
	rig_answer_done(&all);
	rig_answer_done(&one);
	close(fd);
	close(fds[0]);
	rig_advance(&rig, SECONDS(3));
	/* places are limited, and free again when a client is gone */
	for (int i = 0; i < 32; i++) {
		fds[i] = rig_send(&rig, "GET", "/v1/events?follow=1", NULL);
		assert_false(rig_look(&rig, fds[i], &all));
		assert_int_equal(all.status, 200);
		rig_answer_done(&all);
	}
	assert_true(asks("GET", "/v1/events?follow=1", 503, "too many clients follow"));
	close(fds[5]);
	rig_advance(&rig, SECONDS(3));
	fds[5] = rig_send(&rig, "GET", "/v1/events?follow=1", NULL);
	assert_false(rig_look(&rig, fds[5], &all));
	assert_int_equal(all.status, 200);
	rig_answer_done(&all);
	for (int i = 0; i < 32; i++)
		close(fds[i]);
}

/* --- the disk -------------------------------------------------------------------------------------- */

static void state_write(const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/state.json", rig.state_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool state_has(const char *text)
{
	char path[128];
	char read_text[8192];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/state.json", rig.state_dir);
	fd = open(path, O_RDONLY);
	n = read(fd, read_text, sizeof(read_text) - 1);
	close(fd);
	assert_true(n >= 0);
	read_text[n] = '\0';
	return strstr(read_text, text) != NULL;
}

/* What is reported is on disk: a daemon that is killed has lost nothing of it. */
static void test_saved_at_once(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_true(state_has("\"state\":\"closed\""));
	open_up("a");
	assert_true(state_has("\"state\":\"open\""));
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"odd\"}"), 200);
	assert_true(state_has("\"odd\""));
	assert_int_equal(rig_order(&rig, "a", "release", NULL), 200);
	assert_false(state_has("\"odd\""));
}

/* It is a directory now: nothing can be renamed to it. */
static void state_break(bool broken)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/state.json", rig.state_dir);
	if (!broken)
		assert_int_equal(rmdir(path), 0);
	else if (remove(path) || mkdir(path, 0700))
		fail_msg("%s", strerror(errno));
}

static void test_save_that_fails(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_false(rig_degraded(&rig, "the state cannot be written"));
	state_break(true);
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"x\"}"), 200);
	assert_int_equal(rig_events(&rig, "quarantine", NULL), 1); /* reported all the same */
	assert_true(rig_degraded(&rig, "the state cannot be written to"));
	assert_int_equal(fake_log_said("is not on disk"), 1);
	rig_pass(&rig);
	assert_int_equal(fake_log_said("is not on disk"), 1);
	state_break(false);
	rig_pass(&rig);
	assert_false(rig_degraded(&rig, "the state cannot be written"));
	rig_reboot(&rig, SERVERS(A));
	assert_int_equal(kernel("a")->quarantine_ns, SG_FOREVER);
}

/* Nothing is saved of a daemon that was detached, nor of one that never had a configuration. */
static void test_nothing_to_save(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	open_up("a");
	rig.d.dp->detached = true;
	state_write("mine");
	rig_end(&rig);
	assert_true(state_has("mine"));
	rig.d.dp->detached = false;
	assert_int_equal(rig_begin(&rig), 0);
	rig_end(&rig);
	assert_true(state_has("mine"));
}

/* --- the self-test -------------------------------------------------------------------------------- */

static void test_selftest(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_int_equal(fake_canary.started, 1);
	assert_true(rig_metric(&rig, "switchgear_selftest_ok 1"));
	assert_int_equal(rig_events(&rig, "\"event\":\"selftest\"", "\"ok\":true"), 1);
	rig_reload(&rig, SERVERS(A));
	assert_int_equal(fake_canary.started, 1); /* at the start only */
	rig_ask(&rig, "POST", "/v1/selftest", NULL, &a);
	assert_non_null(strstr(a.body, "\"ok\":true"));
	rig_answer_done(&a);
	assert_int_equal(rig_events(&rig, "selftest", NULL), 1); /* no news */
	fake_canary.ok = false;
	rig_advance(&rig, SECONDS(60));
	assert_true(rig_metric(&rig, "switchgear_selftest_ok 0"));
	assert_true(rig_degraded(&rig, "self-test: the canary was not refused"));
	assert_int_equal(rig_events(&rig, "\"event\":\"selftest\"", "\"ok\":false"), 1);
	assert_int_equal(fake_log_said("error: selftest: the canary was not refused"), 1);
}

/* Who asks while a test runs waits for it; those who still do at the end are told. */
static void test_askers(void **state)
{
	struct rig_answer a[40] = { 0 };
	int fds[40];

	(void)state;
	rig_start(&rig, SERVERS(A));
	rig_turn(&rig); /* other work of the start is done */
	modules_work_hold();
	for (int i = 0; i < 33; i++) {
		fds[i] = rig_send(&rig, "POST", "/v1/selftest", NULL);
		assert_int_equal(rig_look(&rig, fds[i], &a[i]), i == 32);
	}
	assert_int_equal(fake_canary.started, 2); /* with that at the start */
	assert_int_equal(a[32].status, 503);
	modules_work_release();
	rig_advance(&rig, 1);
	for (int i = 0; i < 32; i++) {
		assert_true(rig_look(&rig, fds[i], &a[i]));
		assert_int_equal(a[i].status, 200);
		assert_non_null(strstr(a[i].body, "\"ok\":true"));
	}
	for (int i = 0; i < 33; i++) {
		rig_answer_done(&a[i]);
		close(fds[i]);
	}
	modules_work_hold();
	fds[0] = rig_send(&rig, "POST", "/v1/selftest", NULL);
	assert_false(rig_look(&rig, fds[0], &a[0]));
	rig_end(&rig);
	rig_answer_done(&a[0]);
	a[0].text = calloc(1, 4096);
	assert_true(recv(fds[0], a[0].text, 4095, 0) > 0);
	assert_non_null(strstr(a[0].text, "\"code\":\"stopping\""));
	rig_answer_done(&a[0]);
	close(fds[0]);
}

/* --- the clock ---------------------------------------------------------------------------------- */

static void test_tick(void **state)
{
	size_t sweeps;

	(void)state;
	rig_start(&rig, SERVERS(A));
	rig_turn(&rig);
	assert_int_equal(rig.d.dp->lease_ns, clock_boot_ns() + SG_LEASE_NS);
	sweeps = rig.d.dp->sweeps;
	rig_advance(&rig, 99 * NS_PER_MS);
	assert_int_equal(rig.d.dp->sweeps, sweeps);
	rig_advance(&rig, NS_PER_MS);
	assert_int_equal(rig.d.dp->sweeps, sweeps + 1);
	assert_int_equal(rig.d.dp->lease_ns, clock_boot_ns() + SG_LEASE_NS);
	fake_forget_calls(rig.d.dp);
	rig_advance(&rig, SECONDS(61));
	rig_advance(&rig, SECONDS(1));
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_FORGET_LOST, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_routes),
		TEST(test_unknown_server),
		TEST(test_rights),
		TEST(test_urls),
		TEST(test_detach),
		TEST(test_status),
		TEST(test_networks),
		TEST(test_metrics),
		TEST(test_metrics_address),
		TEST(test_not_yet),
		TEST(test_history),
		TEST(test_followers),
		TEST(test_nothing_to_save),
		TEST(test_save_that_fails),
		TEST(test_selftest),
		TEST(test_askers),
		TEST(test_tick),
		TEST(test_saved_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
