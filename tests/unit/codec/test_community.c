/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/community.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

#define NOW 1790000000000000000ULL
#define DAY_NS 86400000000000ULL

static struct community c;
static struct trust_policy policy;
static uint8_t secrets[3][STATEMENT_SECRET_LEN];
static struct trust_id keys[3];
static struct trust_id place = { .b = { 1, 2, 3 } };

static int setup(void **state)
{
	const char *name;
	uint32_t i;

	(void)state;
	policy = trust_policy_defaults();
	assert_int_equal(community_init(&c, 1), 0);
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		assert_int_equal(statement_key_new(&keys[k], secrets[k]), 0);
	assert_int_equal(community_add(&c, "alice", &keys[0], &name), 0);
	assert_int_equal(community_anchor(&c, "alice", true), 0);
	assert_int_equal(community_server(&c, "search", &place, &i), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	community_done(&c);
	return 0;
}

static struct statement said(enum reputation_type type, size_t by, const struct trust_id *of,
			     double value, uint64_t seq)
{
	struct statement s = { .says = { .type = type,
					 .subject = *of,
					 .value = value,
					 .depth = 1,
					 .seq = seq,
					 .not_before_ns = NOW,
					 .expires_ns = NOW + 100 * DAY_NS } };

	assert_int_equal(statement_sign(&s, secrets[by]), 0);
	return s;
}

static enum reputation_verdict take(const struct statement *s)
{
	return community_take(&c, s, NOW);
}

/* alice vouches for 1, who rates; 2 is unknown and rates; alice takes 1's revocation over. */
static void fill(void)
{
	struct statement all[] = { said(REPUTATION_VOUCH, 0, &keys[1], 0.5, 7),
				   said(REPUTATION_RATING, 1, &place, 1, 8),
				   said(REPUTATION_RATING, 2, &place, -0.25, 9) };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_int_equal(take(&all[i]), REPUTATION_ACCEPTED);
	reputation_weigh(&c.web, &policy, NOW);
	reputation_sums(&c.web, &policy, NOW);
}

static struct trust_ratings sums(struct community *of)
{
	reputation_weigh(&of->web, &policy, NOW);
	reputation_sums(&of->web, &policy, NOW);
	return of->web.servers[0].ratings;
}

static void same_again(const char *text, size_t len)
{
	CLEANUP(buf_done) struct buf out = BUF(COMMUNITY_FILE_MAX);
	CLEANUP(buf_done) struct buf why = BUF(512);
	struct trust_ratings before = sums(&c);
	struct trust_ratings after;
	struct community again;

	assert_int_equal(community_init(&again, 2), 0);
	if (community_decode(&again, text, len, &why))
		fail_msg("%s", buf_str(&why));
	after = sums(&again);
	assert_true(before.good == after.good && before.bad == after.bad);
	assert_int_equal(again.web.n_records, c.web.n_records);
	reputation_restored(&again.web);
	assert_int_equal(again.web.n_pathless, 1); /* the rating of whom nobody vouches for */
	assert_true(community_named(&again, "alice")->anchor);
	/* and what was seen is known */
	assert_int_equal(community_encode(&again, &out), 0);
	assert_int_equal(out.len, len);
	community_done(&again);
}

static void test_the_file_says_the_same(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(COMMUNITY_FILE_MAX);
	struct statement revoke = said(REPUTATION_REVOKE, 1, &keys[1], 0.3, 10);
	struct statement old = said(REPUTATION_RATING, 1, &place, 1, 8);

	(void)state;
	fill();
	assert_true(sums(&c).good > 0.2);
	assert_int_equal(community_encode(&c, &out), 0);
	same_again(out.data, out.len);
	assert_int_equal(take(&revoke), REPUTATION_ACCEPTED);
	assert_true(sums(&c).good < 0.01);
	buf_clear(&out);
	assert_int_equal(community_encode(&c, &out), 0);
	same_again(out.data, out.len);
	assert_int_equal(take(&old), REPUTATION_REVOKED);
}

/* Also of one whose value counts for nothing, and of those of another host. */
static void test_what_is_exported_is_signed(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(COMMUNITY_FILE_MAX);
	CLEANUP(community_lines_done) struct community_lines lines = { 0 };
	struct statement revoke = said(REPUTATION_REVOKE, 1, &keys[1], 0.3, 10);
	char why[256];

	(void)state;
	fill();
	assert_int_equal(take(&revoke), REPUTATION_ACCEPTED);
	assert_int_equal(community_key_line(community_named(&c, "alice"), &out), 0);
	assert_int_equal(community_export(&c, NULL, &out), 0);
	assert_int_equal(community_lines_read(out.data, out.len, &lines, why, sizeof(why)), 0);
	assert_int_equal(lines.n, 5);
	assert_true(lines.v[0].is_key && !lines.v[0].key.anchor);
	for (size_t i = 1; i < lines.n; i++)
		assert_true(statement_verify(&lines.v[i].statement));
}

static void test_damage_is_found(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(COMMUNITY_FILE_MAX);

	(void)state;
	fill();
	assert_int_equal(community_encode(&c, &out), 0);
	for (size_t at = 0; at < out.len; at += 7) {
		CLEANUP(buf_done) struct buf why = BUF(512);
		struct community other;
		char was = out.data[at];

		assert_int_equal(community_init(&other, 3), 0);
		out.data[at] ^= 4;
		assert_int_equal(community_decode(&other, out.data, out.len, &why), -EBADMSG);
		assert_true(why.len > 0 && !other.web.n_records && !other.n_keys);
		out.data[at] = was;
		assert_int_equal(community_decode(&other, out.data, at, &why), -EBADMSG);
		/* whatever is cut off, what is signed and whole is saved */
		assert_true(community_salvage(&other, out.data, at) <= 3);
		community_done(&other);
	}
}

static void test_what_is_signed_is_saved(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(COMMUNITY_FILE_MAX);
	struct community other;
	char *sig;

	(void)state;
	fill();
	assert_int_equal(community_encode(&c, &out), 0);
	out.data[5] = 'x';
	assert_int_equal(community_init(&other, 3), 0);
	assert_int_equal(community_salvage(&other, out.data, out.len), 3);
	assert_int_equal(community_salvage(&other, out.data, out.len), 0);
	assert_int_equal(other.n_keys, 0); /* names prove nothing */
	community_done(&other);
	sig = strstr(out.data, "\"sig\":\"");
	assert_non_null(sig);
	sig[8] = sig[8] == '0' ? '1' : '0';
	assert_int_equal(community_init(&other, 3), 0);
	assert_int_equal(community_salvage(&other, out.data, out.len), 2);
	community_done(&other);
}

static void test_a_server_that_moves_keeps_what_is_bad(void **state)
{
	struct trust_id moved = { .b = { 9 } };
	struct trust_id other = { .b = { 8 } };
	struct statement good = said(REPUTATION_RATING, 0, &place, 1, 1);
	struct statement bad = said(REPUTATION_RATING, 0, &place, -1, 2);
	CLEANUP(buf_done) struct buf out = BUF(COMMUNITY_FILE_MAX);
	CLEANUP(buf_done) struct buf why = BUF(512);
	struct community again;
	uint32_t i;

	(void)state;
	assert_int_equal(take(&good), REPUTATION_ACCEPTED);
	assert_int_equal(community_server(&c, "search", &moved, &i), 0);
	assert_int_equal(i, 1);
	(void)sums(&c);
	assert_true(c.web.servers[1].ratings.good < 1e-9);
	assert_int_equal(take(&bad), REPUTATION_ACCEPTED);
	(void)sums(&c);
	assert_true(c.web.servers[1].ratings.bad > 1.9);
	/* and over a restart */
	assert_int_equal(community_encode(&c, &out), 0);
	assert_int_equal(community_init(&again, 2), 0);
	assert_int_equal(community_server(&again, "other", &other, &i), 0); /* was here before */
	assert_int_equal(community_decode(&again, out.data, out.len, &why), 0);
	assert_int_equal(community_server(&again, "search", &moved, &i), 0);
	assert_int_equal(i, 2);
	(void)sums(&again);
	assert_true(again.web.servers[2].ratings.bad > 1.9);
	community_done(&again);
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"",
		".x",
		"-x",
		"a b",
		"a/b",
		"a\nb",
		"0000000000000000000000000000000000000000000000000000000000000000"
	};
	const char *name = NULL;
	struct trust_id found;
	char shown[COMMUNITY_NAME_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(community_name_is_good(bad[i]));
	assert_true(community_name_is_good("ops@host-1.example"));
	assert_int_equal(community_add(&c, "alice", &keys[1], &name), -EEXIST);
	assert_int_equal(community_add(&c, "again", &keys[0], &name), -EALREADY);
	assert_string_equal(name, "alice");
	assert_true(community_find(&c, "alice", &found));
	assert_memory_equal(&found, &keys[0], sizeof(found));
	community_remove(&c, "alice");
	assert_false(community_find(&c, "alice", &found));
	community_show(&c, &keys[0], shown);
	assert_int_equal(strlen(shown), 16);
	reputation_weigh(&c.web, &policy, NOW);
	assert_int_equal(reputation_key(&c.web, &keys[0])->weight, 0); /* no anchor any more */
}

static void bad_lines(const char *text, const char *what)
{
	CLEANUP(community_lines_done) struct community_lines lines = { 0 };
	char why[256] = "";

	assert_int_equal(community_lines_read(text, strlen(text), &lines, why, sizeof(why)),
			 -EINVAL);
	if (!strstr(why, what))
		fail_msg("\"%s\" does not say \"%s\"", why, what);
}

static void test_lines_that_are_wrong(void **state)
{
	CLEANUP(community_lines_done) struct community_lines none = { 0 };
	CLEANUP(buf_done) struct buf many = BUF(1 << 20);
	char why[256] = "";

	(void)state;
	bad_lines("\n  \nx", "line 3: column 1");
	bad_lines("[]", "line 1: it is no object");
	bad_lines("{\"v\":1,\"type\":\"key\",\"key\":\"12\",\"name\":\"a\"}", "64 hexadecimal");
	bad_lines("{\"v\":1,\"type\":\"rating\"}", "\"issuer\" is not 64");
	for (unsigned int i = 0; i <= COMMUNITY_LINES_MAX; i++)
		assert_int_equal(community_key_line(community_named(&c, "alice"), &many), 0);
	bad_lines(buf_str(&many), "line 2049: these are more than 2048 lines");
	assert_int_equal(community_lines_read("\r\n\n", 3, &none, why, sizeof(why)), 0);
	assert_int_equal(none.n, 0);
}

/* Above those of a past that is lost, too. */
static void test_seq_grows(void **state)
{
	struct statement s = said(REPUTATION_RATING, 0, &place, 1, NOW + 5);

	(void)state;
	assert_int_equal(community_seq(&c, &s.says, NOW), NOW);
	assert_int_equal(take(&s), REPUTATION_ACCEPTED);
	assert_int_equal(community_seq(&c, &s.says, NOW), NOW + 6);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_file_says_the_same),
		TEST(test_what_is_exported_is_signed),
		TEST(test_damage_is_found),
		TEST(test_what_is_signed_is_saved),
		TEST(test_a_server_that_moves_keeps_what_is_bad),
		TEST(test_names),
		TEST(test_lines_that_are_wrong),
		TEST(test_seq_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
