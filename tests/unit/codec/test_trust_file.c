/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is kept of trust reads back as it was, to the bit, and damage is seen. */
#include "codec/trust_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/trust_entry.h"
#include "unit/unit.h"

#define S 1000000000ULL

static uint64_t seed = 7;

static unsigned int roll(unsigned int n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(seed >> 33) % n;
}

static void identify(const char *place, struct trust_id *ret)
{
	const char *const texts[TRUST_FIELD_COUNT] = {
		[TRUST_FIELD_TRANSPORT] = "http", [TRUST_FIELD_ENDPOINT] = place
	};

	trust_identity(texts, ret);
}

/* A life of some events, with as many findings as fit and more. */
static void live(struct trust_entry *e, const char *name, unsigned int events)
{
	struct trust_policy p = trust_policy_defaults();
	uint64_t now = 1000 * S;

	*e = (struct trust_entry){ 0 };
	snprintf(e->name, sizeof(e->name), "%s", name);
	trust_init(&e->trust, &p, now);
	identify(name, &e->trust.identity);
	e->tools = calloc(TRUST_TOOLS, sizeof(*e->tools));
	trust_give(&e->trust, e->tools, NULL);
	for (unsigned int i = 0; i < events; i++) {
		struct trust_call call = { .tool = roll(5),
					   .class = roll(4) ? SG_SUCCESS : SG_HARD,
					   .latency_ns = (roll(3000) + 1) * (S / 1000),
					   .learn = true };
		char rule[16];
		struct finding f = { .source = strdup("scanner"),
				     .rule = NULL,
				     .message = strdup("m \"quoted\" \xc3\xa4"),
				     .severity = (enum finding_severity)(FINDING_INFO + roll(5)),
				     .confidence = roll(100) / 99.0,
				     .wall_ns = 1767225600ULL * S };

		now += roll(60) * S;
		snprintf(rule, sizeof(rule), "r%u", i);
		f.rule = strdup(rule);
		trust_call(&e->trust, &p, now, &call);
		if (roll(3) == 0)
			(void)trust_entry_report(e, &p, now, &f, true);
		finding_done(&f);
	}
	trust_entry_tidy(e);
}

static struct trust_file some(unsigned int events)
{
	struct trust_file f = {
		.clock_ns = 123456789012345678ULL,
		.saved = { .boot_ns = 5 * S, .wall_ns = 1767225600ULL * S, .boot_id = "boot" },
		.n_entries = 2
	};

	f.entries = calloc(2, sizeof(*f.entries));
	live(&f.entries[0], "a", events);
	live(&f.entries[1], "b \"x\"", events / 2);
	return f;
}

/* Each member: between them there may be anything. */
static void same_finding(const struct trust_finding *a, const struct trust_finding *b)
{
	assert_memory_equal(a->identity, b->identity, sizeof(a->identity));
	assert_true(a->scanner == b->scanner && a->since_ns == b->since_ns &&
		    a->seen_ns == b->seen_ns && a->confidence == b->confidence);
	assert_true(a->ruleset == b->ruleset && a->severity == b->severity && a->peak == b->peak &&
		    a->flags == b->flags);
}

/* Pointers apart, the same bytes. */
static void same(const struct trust_entry *a, const struct trust_entry *b)
{
	struct trust x = a->trust;
	struct trust y = b->trust;

	trust_give(&x, NULL, NULL);
	trust_give(&y, NULL, NULL);
	x.performance.tools = y.performance.tools = NULL;
	x.security.findings = y.security.findings = NULL;
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->n_records, b->n_records);
	assert_memory_equal(a->tools, b->tools, TRUST_TOOLS * sizeof(*a->tools));
	assert_int_equal(x.security.n_findings, y.security.n_findings);
	for (uint32_t i = 0; a->findings && i < x.security.n_findings; i++)
		same_finding(&a->findings[i], &b->findings[i]);
	assert_memory_equal(&x.performance, &y.performance, sizeof(x.performance));
	assert_memory_equal(&x.identity, &y.identity, sizeof(x.identity));
	assert_true(x.score == y.score && x.security.anchor == y.security.anchor &&
		    x.security.target == y.security.target);
	assert_memory_equal(x.security.scars, y.security.scars, sizeof(x.security.scars));
	assert_memory_equal(&x.security.rest, &y.security.rest, sizeof(x.security.rest));
	assert_memory_equal(x.changes, y.changes, sizeof(x.changes));
}

/* And what it would tell from now on. */
static void tells_the_same(const struct trust_entry *a, const struct trust_entry *b)
{
	struct trust_policy p = trust_policy_defaults();

	for (uint64_t later = 0; later < 400ULL * 86400 * S; later += 9ULL * 86400 * S) {
		struct trust_view x;
		struct trust_view y;

		trust_read(&a->trust, &p, a->trust.now_ns + later, &x);
		trust_read(&b->trust, &p, a->trust.now_ns + later, &y);
		assert_true(x.score == y.score && x.band == y.band && x.strikes == y.strikes &&
			    x.quarantine == y.quarantine && x.earliest_ns == y.earliest_ns);
	}
}

static void test_reads_back_the_same(void **state)
{
	(void)state;
	for (unsigned int events = 0; events < 200; events += 7) {
		CLEANUP(trust_file_done) struct trust_file f = some(events);
		CLEANUP(trust_file_done) struct trust_file again = { 0 };
		CLEANUP(buf_done) struct buf text = BUF(TRUST_FILE_MAX);
		CLEANUP(buf_done) struct buf why = BUF(512);

		assert_int_equal(trust_file_encode(&f, &text), 0);
		if (trust_file_decode(text.data, text.len, &again, &why))
			fail_msg("%s", buf_str(&why));
		assert_int_equal(again.clock_ns, f.clock_ns);
		assert_memory_equal(&again.saved, &f.saved, sizeof(f.saved));
		assert_int_equal(again.n_entries, 2);
		for (size_t i = 0; i < 2; i++) {
			same(&f.entries[i], &again.entries[i]);
			tells_the_same(&f.entries[i], &again.entries[i]);
		}
	}
}

static void test_damage_is_seen(void **state)
{
	CLEANUP(trust_file_done) struct trust_file f = some(60);
	CLEANUP(buf_done) struct buf text = BUF(TRUST_FILE_MAX);

	(void)state;
	assert_int_equal(trust_file_encode(&f, &text), 0);
	for (size_t i = 0; i < text.len; i += 1 + roll(97)) {
		CLEANUP(trust_file_done) struct trust_file again = { 0 };
		CLEANUP(buf_done) struct buf why = BUF(512);
		char was = text.data[i];

		assert_int_equal(trust_file_decode(text.data, i, &again, &why), -EBADMSG);
		assert_true(why.len > 0);
		text.data[i] = was == '0' ? '1' : '0';
		assert_int_not_equal(trust_file_decode(text.data, text.len, &again, &why), 0);
		assert_null(again.entries);
		text.data[i] = was;
	}
}

static void test_newer_version_is_not_guessed_at(void **state)
{
	static const char text[] = "{\"version\":2}\n";
	CLEANUP(trust_file_done) struct trust_file f = { 0 };
	CLEANUP(buf_done) struct buf why = BUF(512);

	(void)state;
	assert_int_equal(trust_file_decode(text, strlen(text), &f, &why), -EPROTONOSUPPORT);
	assert_non_null(strstr(buf_str(&why), "version 2"));
}

static void test_clock_goes_on(void **state)
{
	const struct trust_file f = {
		.clock_ns = 1000 * S,
		.saved = { .boot_ns = 50 * S, .wall_ns = 5000 * S, .boot_id = "one" }
	};
	const struct {
		struct state_clock now;
		uint64_t model;
	} rows[] = {
		{ { .boot_ns = 60 * S, .wall_ns = 9000 * S, .boot_id = "one" }, 1010 * S },
		{ { .boot_ns = 3 * S, .wall_ns = 5100 * S, .boot_id = "two" }, 1100 * S },
		{ { .boot_ns = 3 * S, .wall_ns = 4000 * S, .boot_id = "two" }, 1000 * S },
		{ { .boot_ns = 9000 * S, .wall_ns = 5001 * S, .boot_id = "two" }, 1001 * S },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(rows[i].now.boot_ns + trust_file_clock(&f, &rows[i].now),
				 rows[i].model);
}

static void test_kept_by_name_and_by_what_it_is(void **state)
{
	CLEANUP(trust_file_done) struct trust_file f = { 0 };
	struct trust_entry e = { 0 };
	struct trust_id other;
	struct trust_id id;

	(void)state;
	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		live(&e, name, 3);
		e.trust.now_ns = (uint64_t)(10 - i) * S;
		trust_file_keep(&f, &e, 4);
		assert_string_equal(e.name, "");
	}
	assert_int_equal(f.n_entries, 4); /* that which came in last had been still for longest */
	identify("n1", &id);
	identify("nowhere", &other);
	assert_true(trust_file_take(&f, "n0", &other, &e));
	assert_string_equal(e.name, "n0");
	trust_entry_done(&e);
	assert_true(trust_file_take(&f, "renamed", &id, &e));
	assert_string_equal(e.name, "n1");
	trust_entry_done(&e);
	assert_false(trust_file_take(&f, "n1", &id, &e));
}

/* No two lists of texts have the same bytes; FIPS 180's own figure for none at all. */
static void test_digest(void **state)
{
	static const uint8_t empty[4] = { 0xe3, 0xb0, 0xc4, 0x42 };
	const char *const ab_c[] = { "ab", "c" };
	const char *const a_bc[] = { "a", "bc" };
	const char *const null[] = { NULL };
	const char *const nothing[] = { "" };
	struct digest x;
	struct digest y;

	(void)state;
	digest_texts(NULL, 0, &x);
	assert_memory_equal(x.b, empty, sizeof(empty));
	digest_texts(ab_c, 2, &x);
	digest_texts(a_bc, 2, &y);
	assert_memory_not_equal(x.b, y.b, DIGEST_LEN);
	digest_texts(null, 1, &x);
	digest_texts(nothing, 1, &y);
	assert_memory_equal(x.b, y.b, DIGEST_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back_the_same),
		cmocka_unit_test(test_damage_is_seen),
		cmocka_unit_test(test_newer_version_is_not_guessed_at),
		cmocka_unit_test(test_clock_goes_on),
		cmocka_unit_test(test_kept_by_name_and_by_what_it_is),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
