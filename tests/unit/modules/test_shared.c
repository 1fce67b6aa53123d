/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses of several names: who is refused by name, why, and what survives a restart. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "unit/modules/modules_relay.h"
#include "unit/modules/modules_rig.h"
#include "unit/modules/modules_work.h"

#define ONE "\"one\":{\"url\":\"https://One.Example/mcp\"}"
#define TWO "\"two\":{\"url\":\"https://two.example/mcp\"}"
#define ALWAYS "\"one\":{\"url\":\"https://one.example/mcp\",\"shared\":true}"
#define NEVER "\"one\":{\"url\":\"https://one.example/mcp\",\"shared\":false}"
#define LITERAL "\"lit\":{\"url\":\"https://192.0.2.5/mcp\"}"
#define WEB(more) "\"web\":{\"url\":\"http://web.example/mcp\",\"on_open\":\"stand_in\"" more "}"
#define NETS "\"nets\":{\"url\":\"https://nets.example/mcp\",\"networks\":[\"198.51.100.0/24\"]}"

static void answer(const char *host, unsigned int first, uint32_t n)
{
	fake_name_answer(fake_name_id(host), first, n, NULL);
	rig_turn(&rig);
}

static uint32_t flags(const char *name)
{
	return kernel(name)->kernel.flags & (SG_SRV_NAMED | SG_SRV_SHARED);
}

static const char *reason(const char *name)
{
	static char text[12];
	CLEANUP(status_done) struct status all = { 0 };

	rig_status(&rig, &all);
	for (size_t i = 0; i < all.n_servers; i++)
		if (!strcmp(all.servers[i].name, name))
			memcpy(text, all.servers[i].shared, sizeof(text));
	return text;
}

static void test_names(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," ONE "," NETS));
	assert_int_equal(rig.d.dp->n_hosts, 1);
	assert_string_equal((const char *)rig.d.dp->hosts[0].name.text, "one.example");
	assert_int_equal(be16toh(rig.d.dp->hosts[0].name.port), 443);
	assert_int_equal(rig.d.dp->hosts[0].server, rig_server(&rig, "one")->id);
	assert_int_equal(flags("one"), SG_SRV_NAMED);
	assert_int_equal(flags("a"), 0);
	assert_int_equal(flags("nets"), 0);
	rig_reload(&rig, SERVERS(A "," TWO));
	assert_int_equal(rig.d.dp->n_hosts, 1);
	assert_string_equal((const char *)rig.d.dp->hosts[0].name.text, "two.example");
}

static void test_configured(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(ALWAYS));
	assert_int_equal(flags("one"), SG_SRV_NAMED | SG_SRV_SHARED);
	assert_string_equal(reason("one"), "configured");
	rig_reload(&rig, SERVERS(NEVER));
	assert_int_equal(flags("one"), 0);
	assert_string_equal(reason("one"), "");
	rig_reload(&rig, SERVERS(ONE));
	assert_int_equal(flags("one"), SG_SRV_NAMED);
}

/* Who had an address keeps it, and is told from who claims it by name; a literal is not. */
static void test_claimed(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(ONE "," TWO "," LITERAL));
	answer("one.example", 7, 1);
	assert_int_equal(flags("one"), SG_SRV_NAMED);
	answer("two.example", 7, 1);
	assert_int_equal(kernel("one")->n_addrs, 1);
	assert_int_equal(kernel("two")->n_addrs, 0);
	assert_int_equal(flags("one"), SG_SRV_NAMED | SG_SRV_SHARED);
	assert_string_equal(reason("one"), "claimed");
	assert_int_equal(flags("two"), SG_SRV_NAMED);
	rig_advance(&rig, SECONDS(30));
	answer("two.example", 5, 1);
	assert_int_equal(flags("one"), SG_SRV_NAMED);
	assert_int_equal(flags("lit"), 0);
	assert_int_equal(kernel("lit")->n_addrs, 1);
}

/* An address that comes in quarantine may be anybody's: its name is what is cut off. */
static void test_moved(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(ONE));
	answer("one.example", 7, 1);
	assert_int_equal(rig_order(&rig, "one", "quarantine", "{\"reason\":\"x\"}"), 200);
	rig_turn(&rig);
	assert_int_equal(flags("one"), SG_SRV_NAMED);
	rig_advance(&rig, SECONDS(30));
	answer("one.example", 7, 2);
	assert_int_equal(flags("one"), SG_SRV_NAMED | SG_SRV_SHARED);
	assert_string_equal(reason("one"), "moved");
	assert_int_equal(rig_order(&rig, "one", "release", "{\"reason\":\"x\"}"), 200);
	rig_turn(&rig);
	rig_turn(&rig);
	assert_int_equal(flags("one"), SG_SRV_NAMED);
}

/* What the kernel has learned is known from then on, also by a kernel that has not. */
static void test_learned(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(ONE));
	kernel("one")->kernel.flags |= SG_SRV_LEARNED;
	rig_advance(&rig, SECONDS(11));
	assert_string_equal(reason("one"), "learned");
	assert_int_equal(flags("one"), SG_SRV_NAMED | SG_SRV_SHARED);
	assert_int_equal(fake_log_said("others are at its addresses"), 1);
	rig_advance(&rig, SECONDS(11));
	assert_int_equal(fake_log_said("others are at its addresses"), 1);
	rig_reboot(&rig, SERVERS(ONE));
	assert_false(kernel("one")->kernel.flags & SG_SRV_LEARNED);
	assert_string_equal(reason("one"), "learned");
	assert_int_equal(flags("one"), SG_SRV_NAMED | SG_SRV_SHARED);
	rig_reload(&rig, SERVERS(NEVER));
	assert_int_equal(flags("one"), 0);
	rig_reload(&rig, SERVERS("\"one\":{\"url\":\"https://else.example/mcp\"}"));
	assert_int_equal(flags("one"), SG_SRV_NAMED);
}

/* What is refused by its name goes nowhere else: it is not said to. */
static void test_verdict(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		CLEANUP(status_done) struct status all = { 0 };

		fake_relay = (struct fake_relay){ .up = true };
		rig_start(&rig, i ? SERVERS(WEB(",\"shared\":true")) : SERVERS(WEB("")));
		answer("web.example", 7, 1);
		assert_int_equal(rig_order(&rig, "web", "trip", "{\"for\":\"1h\"}"), 200);
		rig_turn(&rig);
		rig_status(&rig, &all);
		assert_int_equal(all.servers[0].verdict, i ? VERDICT_REFUSE : VERDICT_STAND_IN);
		rig_end(&rig);
	}
}

/* Without the names nobody is told from anybody. */
static void test_unwritten(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(ALWAYS));
	rig.d.dp->hosts_error = -E2BIG;
	rig_reload(&rig, SERVERS(ALWAYS "," TWO));
	assert_int_equal(flags("one"), 0);
	assert_true(rig_degraded(&rig, "could not be told the names"));
	rig.d.dp->hosts_error = 0;
	rig_advance(&rig, SECONDS(11));
	assert_int_equal(flags("one"), SG_SRV_NAMED | SG_SRV_SHARED);
	assert_false(rig_degraded(&rig, "could not be told the names"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),   TEST(test_configured), TEST(test_claimed), TEST(test_moved),
		TEST(test_learned), TEST(test_unwritten),  TEST(test_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
