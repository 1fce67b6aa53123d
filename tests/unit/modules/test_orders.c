/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Quarantines and breakers that are open by order, over configurations that change at random,
 * with new daemons and reboots in between: none is lost, none is at an endpoint that it was not
 * given for.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/modules/modules_rig.h"
#include "unit/modules/modules_work.h"

#define NAMES 5  /* "a" to "e", at addresses of their own */
#define PLACES 5 /* 127.0.0.1 to 127.0.0.5 */
#define DNS_HOST "named.example"

enum kind {
	QUARANTINE,
	TRIP,
	KINDS
};

static const struct {
	const char *give;
	const char *take;
	const char *is;
} kinds[] = {
	[QUARANTINE] = { "quarantine", "release", "in quarantine" },
	[TRIP] = { "trip", "reset", "open by order" },
};

static unsigned int seed;

static int pick(int n)
{
	return rand_r(&seed) % n;
}

/* --- what is, as the kernel has it ------------------------------------------------------ */

struct now {
	int owner[PLACES + 1];         /* of an address in the configuration; its name */
	bool place[KINDS][PLACES + 1]; /* an order is in force for that one */
	bool name[KINDS][NAMES];       /* and for the server of this name */
};

static int place_of(const struct addr *a)
{
	return a->bytes[15];
}

static bool in_force(const struct fake_server *k, enum kind kind)
{
	return kind == QUARANTINE ? k->quarantine_ns != 0
				  : k->kernel.breaker.state == SG_FORCED_OPEN;
}

static struct now look(void)
{
	struct now now = { 0 };
	int owners[PLACES + 1] = { 0 };

	for (const struct server *s = servers_first(rig.d.servers); s; s = s->next) {
		const struct server *o = s->covered_by ? s->covered_by : s;
		const struct fake_server *k = &rig.d.dp->servers[o->id];

		for (enum kind kind = 0; kind < KINDS && strlen(s->config->name) == 1; kind++)
			now.name[kind][s->config->name[0] - 'a'] = in_force(k, kind);
		if (s->covered_by)
			continue;
		assert_int_equal(k->quarantine_ns, s->quarantine_ns);
		for (size_t i = 0; i < k->n_addrs; i++) {
			int place = place_of(&k->addrs[i]);

			assert_in_range(place, 1, PLACES);
			owners[place]++;
			if (!s->config->has_addr)
				continue;
			now.owner[place] = s->config->name[0] - 'a';
			for (enum kind kind = 0; kind < KINDS; kind++)
				now.place[kind][place] = in_force(k, kind);
		}
	}
	for (int p = 1; p <= PLACES; p++)
		assert_in_range(owners[p], 0, 1);
	return now;
}

/* --- configurations ------------------------------------------------------------------------ */

struct layout {
	int place[NAMES]; /* 0: not configured */
	int order[NAMES];
	bool dns;
};

static struct layout layout_random(void)
{
	struct layout l = { .dns = pick(2) };

	for (int i = 0; i < NAMES; i++) {
		l.place[i] = pick(3) ? 1 + pick(PLACES) : 0;
		l.order[i] = i;
	}
	for (int i = NAMES - 1; i > 0; i--) {
		int k = pick(i + 1);
		int t = l.order[i];

		l.order[i] = l.order[k];
		l.order[k] = t;
	}
	return l;
}

static void layout_text(const struct layout *l, char *out, size_t size)
{
	const char *comma = "";
	size_t n = (size_t)snprintf(out, size, "{\"mcpServers\":{");

	if (l->dns) {
		n += (size_t)snprintf(out + n, size - n,
				      "\"named\":{\"url\":\"http://" DNS_HOST ":1/mcp\"}");
		comma = ",";
	}
	for (int i = 0; i < NAMES; i++) {
		int k = l->order[i];

		if (!l->place[k])
			continue;
		n += (size_t)snprintf(out + n, size - n,
				      "%s\"%c\":{\"url\":\"http://127.0.0.%d:1/mcp\"}", comma,
				      'a' + k, l->place[k]);
		comma = ",";
	}
	snprintf(out + n, size - n, "}}");
}

static void names_answer(void)
{
	struct server *s = servers_by_name(rig.d.servers, "named");
	struct addr a = { { [10] = 0xff, [11] = 0xff, [12] = 127 } };

	if (!s || !s->id)
		return;
	a.bytes[15] = (uint8_t)(1 + pick(PLACES));
	assert_int_equal(server_set_addrs(s, &a, 1), 0);
	rig_pass(&rig);
}

/* --- the rules -------------------------------------------------------------------------------- */

static void say(const char *what, const struct layout *l)
{
	char text[1024];

	layout_text(l, text, sizeof(text));
	print_error("%s: %s\n", what, text);
}

static int ordered[KINDS]; /* where the latest order was given, that holds; 0: nowhere */
/* One was given there, and not all are taken back yet. */
static bool given[KINDS][PLACES + 1];
/* Or for that name: a breaker's order waits for it while it is not configured. */
static bool named[KINDS][NAMES];

static void remember(const struct now *now)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		for (int p = 1; p <= PLACES; p++)
			given[kind][p] |= now->place[kind][p];
		for (int i = 0; i < NAMES; i++)
			named[kind][i] |= now->name[kind][i];
	}
}

/* Must it be in force at this place? */
static bool must_be(enum kind kind, int p, const struct now *before, const struct layout *is)
{
	bool configured = false;

	for (int i = 0; i < NAMES; i++) {
		if (is->place[i] == p && before->name[kind][i])
			return true;
		configured |= is->place[i] == p;
	}
	if (!before->place[kind][p])
		return false;
	if (configured)
		return p == ordered[kind];
	/* nobody is judged there, but cut off: unless it is elsewhere now */
	return kind == QUARANTINE && !is->place[before->owner[p]];
}

static bool may_be(enum kind kind, int p, const struct now *before, const struct layout *is)
{
	for (int i = 0; i < NAMES; i++)
		if (is->place[i] == p && (kind == TRIP ? named[kind][i] : before->name[kind][i]))
			return true;
	return given[kind][p];
}

static void check(const struct now *before, const struct layout *was, const struct layout *is)
{
	struct now after = look();

	for (enum kind kind = 0; kind < KINDS; kind++)
		for (int p = 1; p <= PLACES; p++) {
			bool must = must_be(kind, p, before, is);

			if (must ? after.place[kind][p]
				 : !after.place[kind][p] || may_be(kind, p, before, is))
				continue;
			say("from", was);
			say("to", is);
			fail_msg("seed %u: 127.0.0.%d %s %s", seed, p,
				 must ? "is not any more" : "is", kinds[kind].is);
		}
	remember(&after);
}

static void put_in_force(const struct layout *l)
{
	char text[1024];

	layout_text(l, text, sizeof(text));
	switch (pick(6)) {
	case 0:
		rig_restart(&rig, text);
		break;
	case 1:
		rig_reboot(&rig, text);
		break;
	default:
		rig_reload(&rig, text);
		break;
	}
}

static int literal_place(const char *name)
{
	const struct server *s = servers_by_name(rig.d.servers, name);

	if (s->covered_by)
		s = s->covered_by;
	return s->config->has_addr ? place_of(&s->config->addr) : 0;
}

static void order_random(void)
{
	enum kind kind = (enum kind)pick(KINDS);
	struct status status;
	struct now now;
	const char *name;
	int n;

	memset(ordered, 0, sizeof(ordered));
	rig_status(&rig, &status);
	n = (int)status.n_servers;
	if (n) {
		name = status.servers[pick(n)].name;
		if (pick(3)) {
			rig_order(&rig, name, kinds[kind].give, "{\"reason\":\"test\"}");
			ordered[kind] = literal_place(name);
			given[kind][ordered[kind]] = true; /* an orphan may have lost it */
		} else {
			rig_order(&rig, name, kinds[kind].take, NULL);
		}
	}
	status_done(&status);
	rig_turn(&rig); /* orphans that are released go */
	now = look();
	remember(&now);
}

static void take_back(const char *name, bool orphan)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		if (orphan && kind == TRIP)
			continue; /* it goes with its quarantine */
		assert_int_equal(rig_order(&rig, name, kinds[kind].take, NULL), 200);
	}
}

/* Every order is taken back by a name that is listed; those of names that were left out have to
 * be put in again for that. */
static void release_all(void)
{
	struct layout all = { 0 };

	for (int i = 0; i < NAMES; i++) {
		all.place[i] = 1 + i % PLACES;
		all.order[i] = i;
	}
	for (size_t round = 0; round < 3; round++) {
		struct status status;

		rig_status(&rig, &status);
		for (size_t i = 0; i < status.n_servers; i++)
			take_back(status.servers[i].name, status.servers[i].orphan);
		status_done(&status);
		rig_turn(&rig);
		if (!round) {
			char text[1024];

			layout_text(&all, text, sizeof(text));
			rig_reload(&rig, text);
		}
	}
	for (uint32_t id = SG_RESERVED; id < SG_SERVERS_MAX; id++)
		for (enum kind kind = 0; kind < KINDS; kind++)
			assert_false(in_force(&rig.d.dp->servers[id], kind));
	for (const struct server *s = servers_first(rig.d.servers); s; s = s->next)
		assert_false(s->orphan);
	memset(given, 0, sizeof(given));
	memset(named, 0, sizeof(named));
}

static void test_random(void **state)
{
	struct layout was = { 0 };

	(void)state;
	rig_start(&rig, "{\"mcpServers\":{}}");
	for (unsigned int sequence = 0; sequence < 1000; sequence++) {
		seed = sequence;
		for (int step = 0; step < 6; step++) {
			struct layout is = layout_random();
			struct now before = look();

			put_in_force(&is);
			check(&before, &was, &is);
			names_answer();
			check(&before, &was, &is);
			order_random();
			was = is;
		}
		release_all();
	}
}

/* --- handed over, once ---------------------------------------------------------------------- */

#define AT(name, place) "\"" name "\":{\"url\":\"http://127.0.0." place ":1/mcp\"}"
#define THESE(...) "{\"mcpServers\":{" __VA_ARGS__ "}}"

static bool is(enum kind kind, const char *name)
{
	return in_force(kernel(name), kind);
}

static void order_now(enum kind kind, const char *name, bool give)
{
	assert_int_equal(rig_order(&rig, name, give ? kinds[kind].give : kinds[kind].take,
				   give ? "{\"reason\":\"test\"}" : NULL),
			 200);
}

/* What is taken back where it was handed over to does not come again. */
static void test_handed_over_once(void **state)
{
	(void)state;
	rig_start(&rig, THESE(AT("a", "1") "," AT("b", "3")));
	for (enum kind kind = 0; kind < KINDS; kind++) {
		order_now(kind, "a", true);
		rig_reload(&rig, THESE(AT("a", "2") "," AT("b", "1")));
		assert_true(is(kind, "a"));
		assert_true(is(kind, "b"));
		order_now(kind, "b", false);
		rig_reload(&rig, THESE(AT("a", "2") "," AT("b", "1") "," AT("c", "4")));
		assert_false(is(kind, "b"));
		rig_restart(&rig, THESE(AT("a", "2") "," AT("b", "1")));
		assert_false(is(kind, "b"));
		rig_reboot(&rig, THESE(AT("a", "2") "," AT("b", "1") "," AT("c", "4")));
		assert_false(is(kind, "b"));
		assert_true(is(kind, "a"));
		order_now(kind, "a", false);
		rig_reload(&rig, THESE(AT("a", "1") "," AT("b", "3")));
		assert_false(is(kind, "a"));
	}
}

/* Of a breaker whose server is left out: for the name, and for who comes there. */
static void test_left_out(void **state)
{
	(void)state;
	rig_start(&rig, THESE(AT("a", "1") "," AT("b", "3")));
	order_now(TRIP, "a", true);
	rig_reload(&rig, THESE(AT("b", "3")));
	assert_false(is(TRIP, "b"));
	rig_restart(&rig, THESE(AT("b", "3")));
	assert_false(is(TRIP, "b"));
	rig_reload(&rig, THESE(AT("b", "1")));
	assert_true(is(TRIP, "b"));
	assert_int_equal(rig_events(&rig, "as \\\"a\\\" was: test", NULL), 1);
	order_now(TRIP, "b", false);
	rig_reload(&rig, THESE(AT("b", "1") "," AT("c", "4")));
	assert_false(is(TRIP, "b"));
	rig_reboot(&rig, THESE(AT("b", "1")));
	assert_false(is(TRIP, "b"));
	rig_reload(&rig, THESE(AT("b", "1") "," AT("a", "5")));
	assert_true(is(TRIP, "a"));
	assert_false(is(TRIP, "b"));
}

/* One with an end ends everywhere at that time. */
static void test_its_end_goes_along(void **state)
{
	(void)state;
	rig_start(&rig, THESE(AT("a", "1") "," AT("b", "3")));
	assert_int_equal(rig_order(&rig, "a", "trip", "{\"reason\":\"test\",\"for\":\"60s\"}"),
			 200);
	rig_advance(&rig, SECONDS(20));
	rig_reload(&rig, THESE(AT("a", "2") "," AT("b", "1")));
	assert_true(is(TRIP, "b"));
	rig_advance(&rig, SECONDS(41));
	rig_pass(&rig);
	assert_int_equal(server_read(rig_server(&rig, "b")), 0);
	assert_false(is(TRIP, "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_random), TEST(test_handed_over_once),
					    TEST(test_left_out), TEST(test_its_end_goes_along) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
