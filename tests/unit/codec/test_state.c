/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

#define WALL 1700000000000000000ULL

static const struct state_clock saved = { SECONDS(1000), WALL, "boot-a" };

static struct state_clock clock_at(double boot_s, double wall_s, const char *id)
{
	struct state_clock now = { SECONDS(boot_s), 0, "" };

	now.wall_ns = wall_s < 0 ? WALL - SECONDS(-wall_s) : WALL + SECONDS(wall_s);
	snprintf(now.boot_id, sizeof(now.boot_id), "%s", id);
	return now;
}

static void test_left(void **state)
{
	static const struct {
		double boot_s, wall_s;
		const char *id;
		uint64_t remaining, cap, left;
	} rows[] = {
		{ 1000, 0, "boot-a", SECONDS(20), SECONDS(900), SECONDS(20) },
		{ 1005, 0, "boot-a", SECONDS(20), SECONDS(900), SECONDS(15) },
		/* the wall clock means nothing within one boot */
		{ 1005, 3600, "boot-a", SECONDS(20), SECONDS(900), SECONDS(15) },
		{ 1005, -3600, "boot-a", SECONDS(20), SECONDS(900), SECONDS(15) },
		{ 1030, 30, "boot-a", SECONDS(20), SECONDS(900), 0 },
		{ 900, 0, "boot-a", SECONDS(20), SECONDS(900), SECONDS(20) },
		/* after a reboot it is all there is; one that went back counts nothing */
		{ 10, 5, "boot-b", SECONDS(20), SECONDS(900), SECONDS(15) },
		{ 10, 50, "boot-b", SECONDS(20), SECONDS(900), 0 },
		{ 10, -50, "boot-b", SECONDS(20), SECONDS(900), SECONDS(20) },
		{ 2000, -50, "", SECONDS(20), SECONDS(900), SECONDS(20) },
		{ 1000, 0, "boot-a", SECONDS(5000), SECONDS(900), SECONDS(900) },
		{ 1000, 0, "boot-a", SG_FOREVER - 1, SECONDS(900), SECONDS(900) },
		{ 1000, 0, "boot-a", SG_FOREVER, SECONDS(900), SG_FOREVER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct state_clock now = clock_at(rows[i].boot_s, rows[i].wall_s, rows[i].id);

		assert_true(state_left_ns(&saved, &now, rows[i].remaining, rows[i].cap) ==
			    rows[i].left);
	}
}

/* Two unknown boots are not the same boot. */
static void test_unknown_boot(void **state)
{
	const struct state_clock nowhere = { SECONDS(1000), WALL, "" };
	struct state_clock now = clock_at(1019, 1, "");

	(void)state;
	assert_int_equal(state_left_ns(&nowhere, &now, SECONDS(20), SECONDS(900)), SECONDS(19));
}

/* Takes a breaker at 1000 s and restores it 5 s later, in the same or the next boot. */
static struct sg_breaker restored(const struct sg_breaker *b, bool reboot)
{
	struct state_clock now = reboot ? clock_at(50, 5, "boot-b") : clock_at(1005, 5, "boot-a");
	struct state_server s;
	struct sg_breaker ret;

	state_server_take(&s, "a", b, SECONDS(1000));
	state_server_restore(&s, &saved, &now, SECONDS(900), SECONDS(60), &ret);
	return ret;
}

static void test_open_goes_on(void **state)
{
	const struct sg_breaker b = { .state = SG_OPEN,
				      .since_ns = SECONDS(990),
				      .deadline_ns = SECONDS(1020),
				      .generation = 4,
				      .next_open_ns = SECONDS(60),
				      .this_open_ns = SECONDS(30) };
	struct sg_breaker r = restored(&b, false);

	(void)state;
	assert_int_equal(r.state, SG_OPEN);
	assert_int_equal(r.deadline_ns, SECONDS(1020));
	assert_int_equal(r.since_ns, SECONDS(990));
	assert_int_equal(r.generation, 4);
	assert_int_equal(r.next_open_ns, SECONDS(60));
	assert_int_equal(r.this_open_ns, SECONDS(30));
	assert_int_equal(r.may_trip, 1);
	r = restored(&b, true);
	assert_int_equal(r.state, SG_OPEN);
	assert_int_equal(r.deadline_ns, SECONDS(50 + 15));
	assert_int_equal(r.since_ns, SECONDS(35));
}

static void test_half_open_becomes_open(void **state)
{
	const struct sg_breaker b = { .state = SG_HALF_OPEN,
				      .since_ns = SECONDS(990),
				      .deadline_ns = SECONDS(1080),
				      .generation = 4,
				      .probes_out = 2,
				      .probes_ok = 1 };
	const struct sg_policy policy = { .probes = 3 };
	struct sg_breaker r = restored(&b, true);
	struct sg_transition mv;

	(void)state;
	assert_int_equal(r.state, SG_OPEN);
	assert_int_equal(r.deadline_ns, SECONDS(50));
	assert_int_equal(r.generation, 5);
	assert_int_equal(r.probes_out + r.probes_ok, 0);
	assert_true(sg_breaker_tick(&r, &policy, SECONDS(50), &mv));
	assert_int_equal(r.state, SG_HALF_OPEN);
}

static void test_others_stay(void **state)
{
	struct sg_breaker b = { .state = SG_RAMP,
				.since_ns = SECONDS(970),
				.deadline_ns = SECONDS(1030) };
	struct sg_breaker r = restored(&b, true);

	(void)state;
	assert_int_equal(r.state, SG_RAMP);
	assert_int_equal(r.deadline_ns, SECONDS(50 + 25));
	b = (struct sg_breaker){ .state = SG_FORCED_OPEN,
				 .since_ns = SECONDS(1),
				 .order_until_ns = SG_FOREVER };
	r = restored(&b, true);
	assert_int_equal(r.state, SG_FORCED_OPEN);
	assert_true(r.order_until_ns == SG_FOREVER);
	b.order_until_ns = SECONDS(1000 + 7200);
	r = restored(&b, true);
	assert_int_equal(r.order_until_ns, SECONDS(50 + 7195));
	r = restored(&b, false);
	assert_int_equal(r.order_until_ns, SECONDS(8200));
	b = (struct sg_breaker){ .state = SG_OPEN,
				 .shadow = 1,
				 .deadline_ns = SECONDS(1020),
				 .order_until_ns = SECONDS(1100) };
	r = restored(&b, false);
	assert_int_equal(r.shadow, 1);
	assert_int_equal(r.deadline_ns, SECONDS(1020));
	assert_int_equal(r.order_until_ns, SECONDS(1100));
	b = (struct sg_breaker){ .state = SG_CLOSED, .streak = 3, .since_ns = SECONDS(100) };
	r = restored(&b, false);
	assert_int_equal(r.streak, 3);
	assert_int_equal(r.deadline_ns, 0);
	assert_int_equal(r.order_until_ns, 0);
	r = restored(&b, true);
	assert_int_equal(r.streak, 0);
	assert_int_equal(r.since_ns, 0); /* older than this boot */
}

static void test_restore_clamps(void **state)
{
	struct state_clock now = clock_at(1000, 0, "boot-a");
	struct state_server s = { .state = SG_OPEN,
				  .remaining_ns = SG_FOREVER,
				  .next_open_ns = SG_FOREVER,
				  .this_open_ns = SG_FOREVER,
				  .age_ns = SG_FOREVER };
	struct sg_breaker r;

	(void)state;
	state_server_restore(&s, &saved, &now, SECONDS(900), SECONDS(60), &r);
	assert_int_equal(r.deadline_ns, SECONDS(1900));
	assert_int_equal(r.next_open_ns, SECONDS(900));
	assert_int_equal(r.this_open_ns, SECONDS(900));
	assert_int_equal(r.since_ns, 0);
	s.state = SG_RAMP;
	state_server_restore(&s, &saved, &now, SECONDS(900), SECONDS(60), &r);
	assert_int_equal(r.deadline_ns, SECONDS(1060));
	s.state = SG_DISABLED;
	s.order_ns = SG_FOREVER - 1;
	state_server_restore(&s, &saved, &now, SECONDS(900), SECONDS(60), &r);
	assert_true(r.order_until_ns > SECONDS(1000) && r.order_until_ns < SG_FOREVER);
}

static const char document[] =
	"{\"version\":1,\"boot_id\":\"boot-a\",\"boot_s\":1000.0,"
	"\"time\":\"2023-11-14T22:13:20.000Z\",\"servers\":{"
	"\"a b\":{\"state\":\"open\",\"shadow\":true,\"age_s\":1.5,\"remaining_s\":12.0,"
	"\"order_s\":null,\"next_open_s\":60.0,\"this_open_s\":30.0,\"generation\":4,\"streak\":2,"
	"\"trips\":3,\"good_s\":7.25,\"quarantine\":{\"remaining_s\":null,"
	"\"since\":\"2023-11-14T22:13:20.000Z\",\"reason\":\"r\\\"\",\"by\":\"uid 0\"},"
	"\"order\":{\"since\":\"2023-11-14T22:13:20.000Z\",\"reason\":\"o\",\"by\":\"uid 1\"}},"
	"\"b\":{\"state\":\"closed\",\"shadow\":false,\"age_s\":0.0,\"remaining_s\":0.0,"
	"\"order_s\":0.0,\"next_open_s\":0.0,\"this_open_s\":0.0,\"generation\":0,\"streak\":0,"
	"\"trips\":0,\"good_s\":0.0,\"quarantine\":null,\"order\":null}}}\n";

static void test_codec(void **state)
{
	struct state_server servers[2] = {
		{ .name = "a b",
		  .state = SG_OPEN,
		  .shadow = true,
		  .age_ns = SECONDS(1.5),
		  .remaining_ns = SECONDS(12),
		  .order_ns = SG_FOREVER,
		  .next_open_ns = SECONDS(60),
		  .this_open_ns = SECONDS(30),
		  .generation = 4,
		  .streak = 2,
		  .trips = 3,
		  .good_ns = SECONDS(7.25),
		  .quarantined = true,
		  .quarantine_ns = SG_FOREVER,
		  .since_wall_ns = WALL,
		  .reason = "r\"",
		  .by = "uid 0",
		  .ordered = true,
		  .order_since_wall_ns = WALL,
		  .order_reason = "o",
		  .order_by = "uid 1" },
		{ .name = "b" },
	};
	struct state s = { saved, servers, 2 };
	struct buf out, errors;
	struct state back;

	(void)state;
	out = BUF(1 << 16);
	errors = BUF(1 << 16);
	assert_int_equal(state_encode(&s, &out), 0);
	assert_string_equal(buf_str(&out), document);
	assert_int_equal(state_decode(document, sizeof(document) - 1, "f", &back, &errors), 0);
	assert_string_equal(buf_str(&errors), "");
	assert_int_equal(back.n_servers, 2);
	assert_memory_equal(&back.servers[0], &servers[0], sizeof(servers[0]));
	assert_memory_equal(&back.servers[1], &servers[1], sizeof(servers[1]));
	assert_memory_equal(&back.saved, &saved, sizeof(saved));
	state_done(&back);
	buf_done(&out);
	buf_done(&errors);
}

static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(document) - 2; n++) {
		struct state back = { .n_servers = 77 };
		struct buf errors;

		errors = BUF(4096);
		assert_int_equal(state_decode(document, n, "f", &back, &errors), -EBADMSG);
		assert_int_equal(back.n_servers, 77);
		assert_non_null(strstr(buf_str(&errors), "move it away"));
		buf_done(&errors);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *message;
	} rows[] = {
		{ "", -EBADMSG, "f: empty; move it away" },
		{ "\x7f"
		  "ELF",
		  -EBADMSG, "f:1:1: truncated or damaged" },
		{ "[]", -EBADMSG, "f: not a state file" },
		{ "{}", -EBADMSG, "f: not a state file" },
		{ "{\"version\":\"1\"}", -EBADMSG, "f: not a state file" },
		{ "{\"version\":2,\"servers\":{}}", -EPROTONOSUPPORT,
		  "f: written in version 2 of the format, this daemon knows 1" },
		{ "{\"version\":1}", -EBADMSG, "no \"servers\"" },
		{ "{\"version\":1,\"servers\":[]}", -EBADMSG, "no \"servers\"" },
		{ "{\"version\":1,\"servers\":{\"a\":{},\"a\":{}}}", -EBADMSG, "already given" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct state back;
		struct buf errors;

		errors = BUF(4096);
		assert_int_equal(state_decode(rows[i].text, strlen(rows[i].text), "f", &back,
					      &errors),
				 rows[i].r);
		if (!strstr(buf_str(&errors), rows[i].message))
			assert_string_equal(buf_str(&errors), rows[i].message);
		buf_done(&errors);
	}
}

static void test_bad_entries_are_left_out(void **state)
{
	static const char text[] =
		"{\"version\":1,\"servers\":{\"a\":1,\"\":{\"state\":\"open\"},\"b\":{},"
		"\"c\":{\"state\":\"shadow\"},\"d\":{\"state\":\"melted\"},"
		"\"0123456789012345678901234567890123456789012345678901234567890123\":"
		"{\"state\":\"open\"},\"ok\":{\"state\":\"open\",\"remaining_s\":-4,\"streak\":-1}}}";
	struct buf errors;
	struct state back;
	size_t lines = 0;

	(void)state;
	errors = BUF(4096);
	assert_int_equal(state_decode(text, sizeof(text) - 1, "f", &back, &errors), 0);
	assert_int_equal(back.n_servers, 1);
	assert_string_equal(back.servers[0].name, "ok");
	assert_int_equal(back.servers[0].remaining_ns, 0);
	assert_int_equal(back.servers[0].streak, 0);
	for (const char *p = buf_str(&errors); *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 6);
	assert_non_null(strstr(buf_str(&errors), "server \"d\": its state is missing or unknown, "
						 "ignoring\n"));
	state_done(&back);
	buf_done(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_unknown_boot),
		cmocka_unit_test(test_open_goes_on),
		cmocka_unit_test(test_half_open_becomes_open),
		cmocka_unit_test(test_others_stay),
		cmocka_unit_test(test_restore_clamps),
		cmocka_unit_test(test_codec),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bad_entries_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
