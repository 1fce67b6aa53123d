/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names to addresses, this host's own ones, and the daemon's probe of a half-open server. */
#include <errno.h>
#include <string.h>

#include "unit/modules/modules_rig.h"
#include "unit/modules/modules_work.h"

#define OTHER "\"named\":{\"url\":\"https://other.example/mcp\"}"

static void answer(const char *host, unsigned int first, uint32_t n, const char *error)
{
	fake_name_answer(fake_name_id(host), first, n, error);
	rig_turn(&rig);
}

static void test_answers(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," NAMED "," FILES));
	assert_int_equal(fake_names_asked(), 1);
	assert_false(rig_server(&rig, "named")->resolved);
	fake_forget_calls(rig.d.dp);
	answer("named.example", 5, 2, NULL);
	assert_int_equal(kernel("named")->n_addrs, 2);
	assert_int_equal(kernel("named")->addrs[1].bytes[15], 6);
	assert_int_equal(kernel("named")->ports[0], 443);
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_ADOPT, 0), 1); /* what is open there */
	rig_advance(&rig, SECONDS(29));
	assert_int_equal(fake_names_asked(), 1);
	rig_advance(&rig, SECONDS(1));
	assert_int_equal(fake_names_asked(), 2);
	rig_advance(&rig, SECONDS(60)); /* one question at a time */
	assert_int_equal(fake_names_asked(), 2);
	fake_forget_calls(rig.d.dp);
	answer("named.example", 5, 2, NULL); /* the same: nothing is touched */
	assert_int_equal(fake_called(rig.d.dp, FAKE_ENDPOINTS_SET, 0), 0);
	rig_advance(&rig, SECONDS(30));
	answer("named.example", 6, 1, NULL);
	assert_int_equal(kernel("named")->n_addrs, 1);
}

static void test_errors(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(NAMED));
	answer("named.example", 0, 0, "no such name");
	assert_true(rig_degraded(&rig, "\"named.example\" cannot be resolved: no such name; it is "
				       "not watched"));
	assert_int_equal(fake_log_said("cannot resolve"), 1);
	rig_advance(&rig, SECONDS(5));
	assert_int_equal(fake_names_asked(), 2);
	answer("named.example", 0, 0, "no such name");
	assert_int_equal(fake_log_said("cannot resolve"), 1); /* the same error, once */
	rig_advance(&rig, SECONDS(5));
	answer("named.example", 1, 1, NULL);
	assert_int_equal(fake_log_said("\"named.example\" resolves again"), 1);
	assert_false(rig_degraded(&rig, "cannot be resolved"));
	/* what was known stays when it fails later */
	rig_advance(&rig, SECONDS(30));
	answer("named.example", 0, 0, "timed out");
	assert_int_equal(kernel("named")->n_addrs, 1);
	assert_true(rig_degraded(&rig, "cannot be resolved: timed out"));
	assert_false(rig_degraded(&rig, "it is not watched"));
	fake_names_refuse(-ENOBUFS);
	rig_advance(&rig, SECONDS(5));
	assert_true(rig_degraded(&rig, strerror(ENOBUFS)));
}

static void test_old_answer(void **state)
{
	size_t old;

	(void)state;
	rig_start(&rig, SERVERS(NAMED));
	old = fake_name_id("named.example");
	rig_reload(&rig, SERVERS(OTHER));
	assert_int_equal(fake_names_asked(), 2);
	fake_name_answer(old, 5, 1, NULL);
	rig_turn(&rig);
	assert_false(rig_server(&rig, "named")->resolved);
	assert_int_equal(kernel("named")->n_addrs, 0);
	answer("other.example", 9, 1, NULL);
	assert_int_equal(kernel("named")->addrs[0].bytes[15], 9);
	/* and one for a server that is gone */
	rig_advance(&rig, SECONDS(30));
	old = fake_name_id("other.example");
	rig_reload(&rig, SERVERS(A));
	fake_name_answer(old, 5, 1, NULL);
	rig_turn(&rig);
	assert_int_equal(kernel("a")->n_addrs, 1);
	assert_int_equal(kernel("a")->addrs[0].bytes[15], 1);
}

#define SERVER(n) "\"" n "\":{\"url\":\"https://" n ".example/mcp\"}"

/* Four at once; who waits has its turn when one ends, and each once. */
static void test_many(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(SERVER("n1") "," SERVER("n2") "," SERVER("n3") "," SERVER(
				"n4") "," SERVER("n5") "," SERVER("n6")));
	assert_int_equal(fake_names_asked(), 4);
	assert_int_equal(fake_name_id("n5.example"), 0);
	rig_advance(&rig, SECONDS(14)); /* nothing turns meanwhile */
	assert_int_equal(fake_names_asked(), 4);
	answer("n2.example", 0, 0, "no such name");
	assert_int_equal(fake_names_asked(), 5);
	rig_advance(&rig, SECONDS(5)); /* who never had a turn comes before who failed */
	answer("n1.example", 1, 1, NULL);
	assert_int_equal(fake_names_asked(), 6);
	assert_int_not_equal(fake_name_id("n6.example"), 0);
	answer("n6.example", 2, 1, NULL);
	assert_int_equal(fake_names_asked(), 7);
	assert_int_equal(fake_name_id("n2.example"), 7);
}

/* What became of the process is told as any other failure, and asked again. */
static void test_deaths(void **state)
{
	static const struct {
		int r;
		const char *error;
	} ends[] = {
		{ -EOWNERDEAD, "the worker that looks up names: it was killed" },
		{ -ETIMEDOUT, "no answer within 15.0 s: is a name server reachable?" },
		{ -EMFILE, NULL },
	};

	(void)state;
	rig_start(&rig, SERVERS(NAMED));
	answer("named.example", 1, 1, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		rig_advance(&rig, SECONDS(30));
		fake_name_end(fake_name_id("named.example"), ends[i].r);
		rig_turn(&rig);
		assert_true(rig_degraded(&rig, ends[i].error ? ends[i].error : strerror(EMFILE)));
		assert_int_equal(kernel("named")->n_addrs, 1);
	}
	rig_advance(&rig, SECONDS(5));
	answer("named.example", 1, 1, NULL);
	assert_false(rig_degraded(&rig, "cannot be resolved"));
}

/* Endpoints that could not be written are written when the same addresses come again. */
static void test_endpoints_that_fail(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(NAMED));
	fake_fail(rig.d.dp, FAKE_ENDPOINTS_SET, 1, 1, EIO);
	answer("named.example", 5, 1, NULL);
	assert_int_equal(kernel("named")->n_addrs, 0);
	rig_advance(&rig, SECONDS(30));
	answer("named.example", 5, 1, NULL);
	assert_int_equal(kernel("named")->n_addrs, 1);
}

/* --- this host's addresses -------------------------------------------------------------------- */

static void test_own_addresses(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B "," FILES));
	assert_int_equal(fake_called(rig.d.dp, FAKE_LOCALS_SET, 0), 1);
	fake_forget_calls(rig.d.dp);
	fake_locals_change();
	rig_turn(&rig);
	assert_int_equal(fake_called(rig.d.dp, FAKE_LOCALS_SET, 0), 1);
	assert_int_equal(fake_called(rig.d.dp, FAKE_ENDPOINTS_SET, 0), 2);
	fake_fail(rig.d.dp, FAKE_ENDPOINTS_SET, 2, 1, E2BIG);
	fake_locals_change();
	rig_turn(&rig);
	assert_true(rig_degraded(&rig, "the endpoint map is full: server \"b\""));
}

/* --- the daemon's own probe ---------------------------------------------------------------------- */

#define HIDDEN "\"hidden\":{\"url\":\"http://127.0.0.1:4/mcp?key=0123456789abcdef\"}"

static void test_flag(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B "," HIDDEN));
	assert_int_equal(kernel("a")->kernel.flags, SG_SRV_USED | SG_SRV_PROBED);
	assert_int_equal(kernel("b")->kernel.flags, SG_SRV_USED | SG_SRV_PROBED);
	assert_int_equal(kernel("hidden")->kernel.flags, SG_SRV_USED);
	rig_reload(&rig, SERVERS("\"a\":{\"url\":\"http://127.0.0.1:1/mcp?q=1\"}," B));
	assert_int_equal(kernel("a")->kernel.flags, SG_SRV_USED);
	rig_reload(&rig, SERVERS(A "," B));
	assert_int_equal(kernel("a")->kernel.flags, SG_SRV_USED | SG_SRV_PROBED);
}

/* Opens it, and lets it become half-open. */
static void half_open(const char *name)
{
	open_up(name);
	rig_advance(&rig, SECONDS(30));
	for (int i = 0; i < 10; i++)
		rig_turn(&rig);
}

static void test_probe(void **state)
{
	size_t probes;

	(void)state;
	fake_probe = (struct fake_probe){ .result = { SG_HARD, SG_CAUSE_REFUSED }, .why = "" };
	rig_start(&rig, SERVERS(A "," B "," HIDDEN));
	half_open("a");
	assert_int_equal(fake_probe.asked, 1);
	assert_int_equal(fake_probe.job.port, 1);
	assert_false(fake_probe.job.tls);
	assert_string_equal(fake_probe.job.path, "/mcp");
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_PROBE, id_of("a")), 1);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_OUTCOME, id_of("a")), 1);
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_OPEN);
	assert_int_equal(rig_events(&rig, "\"reason\":\"half_open_failed\"", NULL), 1);
	assert_int_equal(rig.d.dp->own, 0); /* none of our sockets is exempt any more */
	/* what is encrypted, too */
	half_open("b");
	assert_int_equal(fake_probe.asked, 2);
	assert_true(fake_probe.job.tls);
	/* agents probe what is not shown, and what is in quarantine */
	half_open("hidden");
	assert_int_equal(rig_server(&rig, "hidden")->breaker.state, SG_HALF_OPEN);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_PROBE, id_of("hidden")), 0);
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"x\"}"), 200);
	probes = fake_commands(rig.d.dp, SG_CMD_PROBE, id_of("a"));
	rig_advance(&rig, SECONDS(200));
	assert_int_equal(rig_server(&rig, "a")->breaker.state, SG_HALF_OPEN);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_PROBE, id_of("a")), probes);
}

/* Nothing that a worker says or leaves out decides, or keeps a token. */
static void test_probe_that_tells_nothing(void **state)
{
	static const struct {
		struct fake_probe probe;
		const char *degraded; /* NULL: nothing is */
	} cases[] = {
		{ { .result = { SG_CALLER, SG_CAUSE_TLS }, .why = "self-signed certificate" },
		  "self-signed certificate" },
		{ { .result = { SG_LOCAL, SG_CAUSE_NONE }, .why = "" }, NULL },
		{ { .result = { SG_SUCCESS, SG_CAUSE_ANSWER }, .why = "", .cut = 1 }, NULL },
		{ { .result = { SG_CLASS_COUNT, SG_CAUSE_ANSWER }, .why = "" }, NULL },
		{ { .result = { SG_SUCCESS, SG_CAUSE_COUNT }, .why = "" }, NULL },
		{ { .r = -EOWNERDEAD }, "it was killed" },
		{ { .r = -ETIMEDOUT }, NULL },
		{ { .result = { SG_CALLER, SG_CAUSE_ANSWER }, .why = "", .r = -EMFILE },
		  "Too many open files" },
	};

	(void)state;
	rig_start(&rig, SERVERS(B));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_probe = cases[i].probe;
		half_open("b");
		assert_int_equal(fake_probe.asked, 1);
		assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_HALF_OPEN);
		assert_int_equal(kernel("b")->kernel.breaker.probes_out, 0);
		assert_int_equal(rig.d.dp->own, 0);
		if (cases[i].degraded)
			assert_true(rig_degraded(&rig, cases[i].degraded));
		assert_int_equal(rig_order(&rig, "b", "reset", NULL), 200);
	}
	/* an answer ends it */
	fake_probe = (struct fake_probe){ .result = { SG_SUCCESS, SG_CAUSE_ANSWER, 200, true },
					  .why = "" };
	half_open("b");
	assert_int_equal(kernel("b")->kernel.breaker.probes_ok, 1);
	assert_false(rig_degraded(&rig, "cannot ask it"));
}

/* A token that was taken goes back, whatever becomes of the server. */
static void test_token_goes_back(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	open_up("a");
	fake_clock_advance(SECONDS(30));
	assert_int_equal(server_read(rig_server(&rig, "a")), 0);
	rig_pass(&rig); /* takes the token; nothing is connected before the loop turns */
	assert_int_equal(kernel("a")->kernel.breaker.probes_out, 1);
	rig_reload(&rig, SERVERS("\"a\":{\"url\":\"http://127.0.0.1:3/mcp\"}"));
	assert_int_equal(kernel("a")->kernel.breaker.probes_out, 0);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_OUTCOME, 0), 1);
	rig_turn(&rig);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_OUTCOME, 0), 1);
	assert_int_equal(rig.d.dp->own, 0);
	rig_reload(&rig, SERVERS(A));
	assert_int_equal(rig_order(&rig, "a", "reset", NULL), 200);
	open_up("a");
	fake_clock_advance(SECONDS(30));
	assert_int_equal(server_read(rig_server(&rig, "a")), 0);
	rig_pass(&rig);
	assert_int_equal(kernel("a")->kernel.breaker.probes_out, 1);
	rig_end(&rig); /* the end of the daemon, too */
	assert_int_equal(rig.d.dp->servers[fake_id(rig.d.dp, "a")].kernel.breaker.probes_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_errors),
		TEST(test_many),
		TEST(test_deaths),
		TEST(test_old_answer),
		TEST(test_endpoints_that_fail),
		TEST(test_own_addresses),
		TEST(test_flag),
		TEST(test_probe),
		TEST(test_token_goes_back),
		TEST(test_probe_that_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
