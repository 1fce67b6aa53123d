/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
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

/* Two in quarantine, and one between them that is not. */
#define SUM "f165d09e6be2b460"
#define ORDER                                                                 \
	"\"order\":{\"since\":\"2023-11-14T22:13:20.000Z\",\"reason\":\"o\"," \
	"\"by\":\"uid 1\"}"
#define ENTRY_A                                                                           \
	"\"a b\":{\"state\":\"open\",\"shadow\":true,\"age_s\":1.5,\"remaining_s\":12.0," \
	"\"order_s\":null,\"next_open_s\":60.0,\"this_open_s\":30.0,\"generation\":4,"    \
	"\"streak\":2,\"trips\":3,\"good_s\":7.25,\"quarantine\":{\"remaining_s\":null,"  \
	"\"since\":\"2023-11-14T22:13:20.000Z\",\"reason\":\"r\\\"\",\"by\":\"uid 0\","   \
	"\"given_for\":\"http://h:1\"},\"origin\":\"http://h:1\","                        \
	"\"entry\":\"{\\\"url\\\":\\\"http://h:1/\\\"}\"," ORDER "}"
#define CLOSED                                                                      \
	"{\"state\":\"closed\",\"shadow\":false,\"age_s\":0.0,\"remaining_s\":0.0," \
	"\"order_s\":0.0,\"next_open_s\":0.0,\"this_open_s\":0.0,\"generation\":0," \
	"\"streak\":0,\"trips\":0,\"good_s\":0.0,\"quarantine\":"
#define ENTRY_B "\"b\":" CLOSED "null," ORDER "}"
#define ENTRY_C                                                                         \
	"\"c\":" CLOSED "{\"remaining_s\":60.0,\"since\":\"2023-11-14T22:13:20.000Z\"," \
	"\"reason\":\"\",\"by\":\"uid 7\"},\"order\":null}"
#define CLOCKS "\"boot_id\":\"boot-a\",\"boot_s\":1000.0,\"time\":\"2023-11-14T22:13:20.000Z\","

static const char document[] = "{\"checksum\":\"" SUM "\",\n\"version\":2," CLOCKS
			       "\"servers\":{" ENTRY_A "," ENTRY_B "," ENTRY_C "}}\n";

static const struct state_server servers_of_document[] = {
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
	  .given_for = "http://h:1",
	  .origin = "http://h:1",
	  .entry = "{\"url\":\"http://h:1/\"}",
	  .ordered = true,
	  .order_since_wall_ns = WALL,
	  .order_reason = "o",
	  .order_by = "uid 1" },
	{ .name = "b",
	  .ordered = true,
	  .order_since_wall_ns = WALL,
	  .order_reason = "o",
	  .order_by = "uid 1" },
	{ .name = "c",
	  .quarantined = true,
	  .quarantine_ns = SECONDS(60),
	  .since_wall_ns = WALL,
	  .by = "uid 7" },
};

static void decodes_as_written(const char *text, size_t len)
{
	CLEANUP(buf_done) struct buf why = BUF(4096);
	struct state back;

	assert_int_equal(state_decode(text, len, &back, &why), 0);
	assert_string_equal(buf_str(&why), "");
	assert_int_equal(back.n_servers, ARRAY_SIZE(servers_of_document));
	for (size_t i = 0; i < back.n_servers; i++)
		assert_memory_equal(&back.servers[i], &servers_of_document[i],
				    sizeof(back.servers[i]));
	assert_memory_equal(&back.saved, &saved, sizeof(saved));
	state_done(&back);
}

static void test_codec(void **state)
{
	struct state s = { saved, (struct state_server *)servers_of_document,
			   ARRAY_SIZE(servers_of_document) };
	CLEANUP(buf_done) struct buf out = BUF(1 << 16);

	(void)state;
	assert_int_equal(state_encode(&s, &out), 0);
	assert_string_equal(buf_str(&out), document);
	decodes_as_written(document, sizeof(document) - 1);
}

/* What the version before wrote. */
static void test_version_1(void **state)
{
	static const char text[] = "{\"version\":1," CLOCKS "\"servers\":{" ENTRY_A "," ENTRY_B
				   "," ENTRY_C "}}\n";

	(void)state;
	decodes_as_written(text, sizeof(text) - 1);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *message;
	} rows[] = {
		{ "", -EBADMSG, "empty" },
		{ "\x7f"
		  "ELF",
		  -EBADMSG, "truncated or damaged in line 1, column 1: " },
		{ "[]", -EBADMSG, "not a state file" },
		{ "{}", -EBADMSG, "not a state file" },
		{ "{\"version\":\"1\"}", -EBADMSG, "not a state file" },
		{ "{\"version\":3,\"servers\":{}}", -EPROTONOSUPPORT,
		  "written in version 3 of the format, this daemon knows 2" },
		/* sealed by who does not know the seal: damage, not another version */
		{ "{\"checksum\":\"0000000000000000\",\n\"version\":3,\"servers\":{}}", -EBADMSG,
		  "the checksum in its first line is of other bytes" },
		{ "{\"version\":2,\"servers\":{}}", -EBADMSG, "checksum" },
		{ "{\"checksum\":\"0000000000000000\",\n\"version\":1,\"servers\":{}}", -EBADMSG,
		  "checksum" },
		{ "{\"version\":1}", -EBADMSG, "no \"servers\"" },
		{ "{\"version\":1,\"servers\":[]}", -EBADMSG, "no \"servers\"" },
		{ "{\"version\":1,\"servers\":{\"a\":{},\"a\":{}}}", -EBADMSG, "already given" },
		{ "{\"version\":1,\"odd\":1,\"servers\":{}}", -EBADMSG,
		  "\"odd\" is no key of the format" },
		{ "{\"version\":1,\"boot_s\":\"1\",\"servers\":{}}", -EBADMSG, "\"boot_s\"" },
#define ONE(name, entry) "{\"version\":1,\"servers\":{\"" name "\":" entry "}}"
		{ ONE("a", "1"), -EBADMSG, "server \"a\": it is not an object" },
		{ ONE("", "{\"state\":\"open\"}"), -EBADMSG, "its name is empty or too long" },
		{ ONE("0123456789012345678901234567890123456789012345678901234567890123",
		      "{\"state\":\"open\"}"),
		  -EBADMSG, "its name is empty or too long" },
		{ ONE("b", "{}"), -EBADMSG, "server \"b\": its state is missing or unknown" },
		{ ONE("c", "{\"state\":\"shadow\"}"), -EBADMSG, "its state is missing or unknown" },
		{ ONE("d", "{\"state\":\"melted\"}"), -EBADMSG, "its state is missing or unknown" },
		{ ONE("e", "{\"state\":\"open\",\"odd\":1}"), -EBADMSG,
		  "server \"e\": \"odd\" is no key of it" },
		{ ONE("f", "{\"state\":\"open\",\"remaining_s\":-4}"), -EBADMSG,
		  "\"remaining_s\"" },
		{ ONE("f", "{\"state\":\"open\",\"streak\":-1}"), -EBADMSG, "\"streak\"" },
		{ ONE("f", "{\"state\":\"open\",\"streak\":1.5}"), -EBADMSG, "\"streak\"" },
		{ ONE("f", "{\"state\":\"open\",\"shadow\":0}"), -EBADMSG, "\"shadow\"" },
		/* a server in quarantine must not be free by a key that is not read */
		{ ONE("g", "{\"state\":\"open\",\"quarantine\":7}"), -EBADMSG, "\"quarantine\"" },
		{ ONE("g", "{\"state\":\"open\",\"quarantine\":{\"odd\":1}}"), -EBADMSG,
		  "\"odd\"" },
		{ ONE("g", "{\"state\":\"open\",\"quarantine\":{\"remaining_s\":\"x\"}}"), -EBADMSG,
		  "\"remaining_s\"" },
		{ ONE("g", "{\"state\":\"open\",\"quarantine\":{\"by\":7}}"), -EBADMSG, "\"by\"" },
		{ ONE("g", "{\"state\":\"open\",\"since\":null}"), -EBADMSG, "\"since\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_done) struct buf why = BUF(4096);
		struct state back = { .n_servers = 77 };

		assert_int_equal(state_decode(rows[i].text, strlen(rows[i].text), &back, &why),
				 rows[i].r);
		assert_int_equal(back.n_servers, 77);
		if (!strstr(buf_str(&why), rows[i].message))
			assert_string_equal(buf_str(&why), rows[i].message);
	}
}

/* --- damage ----------------------------------------------------------------------------- */

/* What a damaged text still says. */
struct rest {
	bool a, b, c;
	bool by_origin; /* of "a b", whose name cannot be read */
	size_t n;
	size_t nameless;
};

static struct rest salvage(const char *text, size_t len)
{
	struct rest rest = { 0 };
	struct state s;

	assert_int_equal(state_salvage(text, len, &s, &rest.nameless), 0);
	rest.n = s.n_servers;
	for (size_t i = 0; i < s.n_servers; i++) {
		assert_true(s.servers[i].quarantined);
		assert_true(s.servers[i].quarantine_ns == SG_FOREVER);
		rest.a |= !strcmp(s.servers[i].name, "a b");
		rest.b |= !strcmp(s.servers[i].name, "b");
		rest.c |= !strcmp(s.servers[i].name, "c");
		rest.by_origin |= !strncmp(s.servers[i].name, "damaged-", 8) &&
				  !strcmp(s.servers[i].origin, "http://h:1");
	}
	state_done(&s);
	return rest;
}

/* It is found to be damaged, which is what alarms. */
static void is_refused(const char *text, size_t len)
{
	CLEANUP(buf_done) struct buf why = BUF(4096);
	struct state back = { .n_servers = 77 };

	assert_int_equal(state_decode(text, len, &back, &why), -EBADMSG);
	assert_int_equal(back.n_servers, 77);
	assert_true(why.len > 0);
}

static size_t offset_behind(const char *mark)
{
	return (size_t)(strstr(document, mark) - document) + strlen(mark);
}

static void test_every_truncation(void **state)
{
	/* from where on it can be told that the two are in quarantine */
	size_t a = offset_behind("\"good_s\":7.25,\"quarantine\":{");
	size_t c = offset_behind("\"quarantine\":null,");

	(void)state;
	c += (size_t)(strstr(document + c, "\"quarantine\":{") - (document + c));
	c += strlen("\"quarantine\":{");
	for (size_t n = 0; n < sizeof(document) - 1; n++) {
		CLEANUP(freep) char *text = malloc(n + 1); /* not a byte behind its end is read */
		struct rest rest;

		memcpy(text, document, n);
		is_refused(text, n);
		rest = salvage(text, n);
		assert_int_equal(rest.a, n >= a);
		assert_int_equal(rest.c, n >= c);
		assert_false(rest.b);
		assert_int_equal(rest.nameless, 0);
	}
}

/*
 * Whichever bit is another one, it is noticed, and what was in quarantine is found by its name,
 * or is counted without one, unless it was the name itself that became another. Nobody else is.
 */
static void test_every_bit(void **state)
{
	size_t name_a = offset_behind("\"servers\":{\"");
	size_t name_c = offset_behind("},\"c") - 1;
	char text[sizeof(document)];

	(void)state;
	memcpy(text, document, sizeof(document));
	for (size_t i = 0; i < 8 * (sizeof(document) - 1); i++) {
		size_t at = i / 8;
		bool in_a = at >= name_a && at < name_a + strlen("a b");
		bool in_c = at >= name_c && at < name_c + strlen("c");
		struct rest rest;

		text[at] ^= (char)(1 << i % 8);
		is_refused(text, sizeof(text) - 1);
		rest = salvage(text, sizeof(text) - 1);
		/* "b" only where "c" has become that; a third never */
		if (rest.n + rest.nameless != 2 || (!in_a && !rest.a && !rest.by_origin) ||
		    (!in_c && !rest.c && !rest.nameless) || (rest.b && !in_c))
			fail_msg("bit %zu of byte %zu: a %d, b %d, c %d, %zu and %zu: %.*s", i % 8,
				 at, rest.a, rest.b, rest.c, rest.n, rest.nameless, 40, text + at);
		text[at] ^= (char)(1 << i % 8);
	}
}

#define BLOCK 64
#define HEAD(name) "\"" name "\":{\"state\":"

/* A byte that is lost or written twice; a block of zeros, as file systems leave it. */
static void test_other_damage(void **state)
{
	size_t len = sizeof(document) - 1;
	char text[2 * sizeof(document)];

	(void)state;
	for (size_t at = 0; at < len; at++) {
		memcpy(text, document, at);
		memcpy(text + at, document + at + 1, len - at - 1);
		is_refused(text, len - 1);
		assert_true(salvage(text, len - 1).n + salvage(text, len - 1).nameless >= 1);
		memcpy(text, document, at + 1);
		memcpy(text + at + 1, document + at, len - at);
		is_refused(text, len + 1);
		assert_true(salvage(text, len + 1).n + salvage(text, len + 1).nameless >= 2);
	}
	for (size_t at = 0; at + BLOCK <= len; at++) {
		size_t head_a = offset_behind("\"servers\":{");
		size_t head_c = offset_behind("},\"c") - 2;
		struct rest rest;

		memcpy(text, document, len);
		memset(text + at, 0, BLOCK);
		is_refused(text, len);
		rest = salvage(text, len);
		assert_true(rest.a || (at < head_a + strlen(HEAD("a b")) && at + BLOCK >= head_a));
		assert_true(rest.c || (at < head_c + strlen(HEAD("c")) && at + BLOCK >= head_c));
	}
	memset(text, 0, len);
	is_refused(text, len);
	assert_int_equal(salvage(text, len).n + salvage(text, len).nameless, 0);
}

/* Another object of an entry, with some of the same keys, is no quarantine. */
static void test_other_objects(void **state)
{
#define OTHER "\"order\":{\"since\":\"2023-11-14T22:13:20.000Z\",\"reason\":\"x\",\"by\":\"y\"}"
	static const char twice[] = "\"state\":1,\"by\":\"\",\"origin\":\"http://h\","
				    "\"state\":1,\"by\":\"\",\"origin\":\"http://h\",";
	static const char only[] = "{\"b\":{\"state\":\"open\",xxx,\"given_for\":\"http://h\"}";
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {
		{ "\"servers\":{\"b\":{\"state\":\"open\",\"quarantine\":null," OTHER "},", 0 },
		{ "\"servers\":{\"b\":{\"state\":\"open\"," OTHER ",\"quarantine\":null},", 0 },
		{ "\"servers\":{\"b\":{\"state\":\"open\"," OTHER ",\"quarantine\":{", 1 },
		{ "\"servers\":{\"b\":{\"state\":\"open\",\"quarantine\":{\"x\":1}," OTHER, 1 },
		{ "\"servers\":{\"a\":{\"state\":\"open\"," OTHER "},\"b\":{\"state\":\"open\","
		  "\"quarantinf\":z\"remaining_t\":1,\"since\":\"x\"}}",
		  1 },
		{ "\"b\":{\"state\":\"open\","
		  "\"order\"z{\"since\":\"\",\"reason\":\"x\"}",
		  0 },
		{ "\"b\":{\"state\":\"open\",\"order\":z\"since\":\"\",\"reason\":\"x\"}", 0 },
	};

	(void)state;
	assert_true(salvage(only, sizeof(only) - 1).b);
	assert_int_equal(salvage(twice, sizeof(twice) - 1).n, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rest rest = salvage(rows[i].text, strlen(rows[i].text));

		assert_int_equal(rest.n, rows[i].n);
		assert_int_equal(rest.b, rows[i].n);
		assert_int_equal(rest.nameless, 0);
	}
}

/* Names and texts that look like marks. */
static void test_salvage_of_marks(void **state)
{
	static const char *const names[] = { "state",  "servers", "quarantine",  "since",
					     "reason", "by",      "remaining_s", "a\":{",
					     "\\",     "x\\\":",  "\xc3\xa4",    "\n" };
	struct state_server servers[ARRAY_SIZE(names)] = { 0 };
	struct state s = { .servers = servers, .n_servers = ARRAY_SIZE(names) };

	(void)state;
	for (size_t in = 0; in <= ARRAY_SIZE(names); in++) { /* the one that is in quarantine */
		CLEANUP(buf_done) struct buf out = BUF(1 << 16);
		CLEANUP(state_done) struct state found = { 0 };
		size_t nameless;

		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			snprintf(servers[i].name, sizeof(servers[i].name), "%s", names[i]);
			servers[i].quarantined = i == in;
			servers[i].since_wall_ns = WALL + SECONDS(i);
			snprintf(servers[i].reason, sizeof(servers[i].reason), "%s",
				 "},\"b\":{\"state\":\"open\",\"quarantine\":{\"since\":\\");
			snprintf(servers[i].by, sizeof(servers[i].by), "\xc3\xb6");
		}
		assert_int_equal(state_encode(&s, &out), 0);
		assert_int_equal(state_salvage(out.data, out.len, &found, &nameless), 0);
		assert_int_equal(nameless, 0);
		assert_int_equal(found.n_servers, in < ARRAY_SIZE(names));
		if (!found.n_servers)
			continue;
		assert_string_equal(found.servers[0].name, names[in]);
		assert_string_equal(found.servers[0].reason, servers[in].reason);
		assert_string_equal(found.servers[0].by, servers[in].by);
		assert_true(found.servers[0].since_wall_ns == servers[in].since_wall_ns);
	}
}

static void test_hold(void **state)
{
	static const char held[] =
		"the state was damaged, so it holds until it is released; before: ";
	struct state_server before[] = {
		{ .name = "a",
		  .state = SG_OPEN,
		  .trips = 3,
		  .quarantined = true,
		  .quarantine_ns = SECONDS(5),
		  .since_wall_ns = 7,
		  .reason = "old",
		  .by = "uid 1" },
		{ .name = "b", .state = SG_RAMP, .origin = "http://b" },
		{ .name = "c", .quarantined = true, .reason = "c's" },
	};
	struct state_server now[] = {
		{ .name = "a", .quarantined = true, .reason = "new" },
		{ .name = "d", .quarantined = true, .by = "uid 2" },
		{ .name = "e" },
		{ .name = "c", .quarantined = true },
	};
	struct state_server wrong[] = {
		{ .name = "d",
		  .quarantined = true,
		  .origin = "http://b",
		  .reason = "b's",
		  .given_for = "http://b" },
		{ .name = "damaged-2", .quarantined = true, .origin = "http://z" },
		{ .name = "z", .quarantined = true, .origin = "http://z" },
	};
	const struct state misnamed = { .servers = wrong, .n_servers = ARRAY_SIZE(wrong) };
	const struct state old = { .servers = before, .n_servers = ARRAY_SIZE(before) };
	const struct state newest = { .servers = now, .n_servers = ARRAY_SIZE(now) };
	CLEANUP(state_done) struct state s = { 0 };
	char reason[STATUS_REASON_LEN];

	(void)state;
	s.servers = calloc(3, sizeof(*s.servers));
	memcpy(s.servers, before, sizeof(before));
	s.n_servers = 3;
	assert_int_equal(state_hold(&s, &old), 0);
	assert_int_equal(state_hold(&s, &newest), 0);
	assert_int_equal(s.n_servers, 4);
	assert_string_equal(s.servers[0].reason + strlen(held), "new");
	assert_memory_equal(s.servers[0].reason, held, strlen(held));
	assert_true(s.servers[0].quarantine_ns == SG_FOREVER);
	assert_int_equal(s.servers[0].since_wall_ns, 7);
	assert_string_equal(s.servers[0].by, "uid 1");
	assert_int_equal(s.servers[0].state, SG_OPEN); /* the breaker is that before */
	assert_int_equal(s.servers[0].trips, 3);
	assert_false(s.servers[1].quarantined);
	assert_string_equal(s.servers[2].reason + strlen(held), "c's");
	assert_string_equal(s.servers[3].name, "d");
	assert_string_equal(s.servers[3].by, "uid 2");
	/* one whose name was damaged is found by its origin, one with another's name is both */
	assert_int_equal(state_hold(&s, &misnamed), 0);
	assert_int_equal(s.n_servers, 6);
	assert_true(s.servers[1].quarantined);
	assert_string_equal(s.servers[1].reason + strlen(held), "b's");
	assert_string_equal(s.servers[1].given_for, "http://b");
	assert_int_equal(s.servers[1].state, SG_RAMP);
	assert_string_equal(s.servers[4].name, "damaged-2");
	assert_string_equal(s.servers[4].origin, "http://z");
	assert_string_equal(s.servers[5].name, "z"); /* whose name may be right */
	/* damaged again: the reason says so once; a long one ends with a whole character */
	assert_int_equal(state_hold(&s, &s), 0);
	assert_string_equal(s.servers[0].reason + strlen(held), "new");
	for (size_t i = 0; i < sizeof(s.servers[0].reason) - 2; i += 2)
		memcpy(s.servers[0].reason + i, "\xc3\xa4", 3);
	assert_int_equal(state_hold(&s, &s), 0);
	memcpy(reason, s.servers[0].reason, sizeof(reason));
	assert_int_equal(utf8_end(reason, reason + strlen(reason)) - reason, strlen(reason));
	assert_true(strlen(reason) >= sizeof(reason) - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_left),          cmocka_unit_test(test_unknown_boot),
		cmocka_unit_test(test_open_goes_on),  cmocka_unit_test(test_half_open_becomes_open),
		cmocka_unit_test(test_others_stay),   cmocka_unit_test(test_restore_clamps),
		cmocka_unit_test(test_codec),         cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_bad),           cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_bit),     cmocka_unit_test(test_other_damage),
		cmocka_unit_test(test_other_objects), cmocka_unit_test(test_salvage_of_marks),
		cmocka_unit_test(test_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
