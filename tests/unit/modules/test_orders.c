/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Quarantines over configurations that change at random, with new daemons and reboots in
 * between: none is lost, none is at an endpoint that it was not given for.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/modules/modules_rig.h"
#include "unit/modules/modules_work.h"

#define NAMES 5  /* "a" to "e", at addresses of their own */
#define PLACES 5 /* 127.0.0.1 to 127.0.0.5 */
#define DNS_HOST "named.example"

static unsigned int seed;

static int pick(int n)
{
	return rand_r(&seed) % n;
}

/* --- what is, as the kernel has it ------------------------------------------------------ */

struct now {
	int owner[PLACES + 1];        /* of an address in the configuration; its name */
	bool quarantined[PLACES + 1]; /* and that one is in quarantine */
	bool name[NAMES];             /* the server of this name is */
};

static int place_of(const struct addr *a)
{
	return a->bytes[15];
}

static struct now look(void)
{
	struct now now = { 0 };
	int owners[PLACES + 1] = { 0 };

	for (const struct server *s = servers_first(rig.d.servers); s; s = s->next) {
		const struct server *o = s->covered_by ? s->covered_by : s;
		const struct fake_server *k = &rig.d.dp->servers[o->id];

		if (strlen(s->config->name) == 1)
			now.name[s->config->name[0] - 'a'] = k->quarantine_ns != 0;
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
			now.quarantined[place] = k->quarantine_ns != 0;
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

static int ordered;            /* where the latest order was given, that holds; 0: nowhere */
static bool given[PLACES + 1]; /* a quarantine was given there, and not all are released yet */

static void check(const struct now *before, const struct layout *was, const struct layout *is)
{
	struct now after = look();

	for (int p = 1; p <= PLACES; p++) {
		bool named = false;
		bool stays = !is->place[before->owner[p]]; /* it is not elsewhere now */
		bool configured = false;

		for (int i = 0; i < NAMES; i++) {
			configured |= is->place[i] == p;
			named |= is->place[i] == p && before->name[i];
		}
		bool must = named ||
			    (before->quarantined[p] && (configured ? p == ordered : stays));
		bool may = given[p] || named;

		if (must ? after.quarantined[p] : !after.quarantined[p] || may)
			continue;
		say("from", was);
		say("to", is);
		fail_msg("127.0.0.%d %s in quarantine", p, must ? "is not any more" : "is");
	}
	for (int p = 1; p <= PLACES; p++)
		given[p] |= after.quarantined[p];
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
	struct status status;
	const char *name;
	int n;

	ordered = 0;
	rig_status(&rig, &status);
	n = (int)status.n_servers;
	if (n) {
		name = status.servers[pick(n)].name;
		if (pick(3)) {
			rig_order(&rig, name, "quarantine", "{\"reason\":\"test\"}");
			ordered = literal_place(name);
		} else {
			rig_order(&rig, name, "release", NULL);
		}
	}
	status_done(&status);
	rig_turn(&rig); /* orphans that are released go */
	for (int p = 1; p <= PLACES; p++)
		given[p] |= look().quarantined[p];
}

/* Every quarantine is released by a name that is listed. */
static void release_all(void)
{
	for (size_t round = 0; round < 2; round++) {
		struct status status;

		rig_status(&rig, &status);
		for (size_t i = 0; i < status.n_servers; i++)
			if (status.servers[i].quarantined)
				assert_int_equal(rig_order(&rig, status.servers[i].name, "release",
							   NULL),
						 200);
		status_done(&status);
		rig_turn(&rig);
	}
	for (uint32_t id = SG_RESERVED; id < SG_SERVERS_MAX; id++)
		assert_int_equal(rig.d.dp->servers[id].quarantine_ns, 0);
	for (const struct server *s = servers_first(rig.d.servers); s; s = s->next)
		assert_false(s->orphan);
	memset(given, 0, sizeof(given));
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

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
