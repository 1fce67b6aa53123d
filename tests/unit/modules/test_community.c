/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ratings in the daemon: keys, statements, who may say what, and what becomes of scores. */
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "codec/messages_community.h"
#include "codec/messages_trust.h"
#include "core/quota.h"
#include "unit/modules/modules_rig.h"
#include "unit/unit.h"

#define DAY SECONDS(86400)
#define MANY 1000U
#define PART 100U

static unsigned int post(const char *path, const char *body, struct rig_answer *a)
{
	return rig_ask(&rig, "POST", path, body, a);
}

static void expect(unsigned int status, const char *path, const char *body, const char *text)
{
	struct rig_answer a;

	if (post(path, body, &a) != status || !strstr(a.text, text))
		fail_msg("%s %s: wanted %u and \"%s\": %s", path, body, status, text, a.text);
	rig_answer_done(&a);
}

static void explained(struct reply_explain *ret)
{
	struct rig_answer a;

	assert_int_equal(rig_ask(&rig, "GET", "/v1/servers/a/explain", NULL, &a), 200);
	memset(ret, 0, sizeof(*ret));
	assert_int_equal(reply_explain_decode(a.body, strlen(a.body), ret), 0);
	rig_answer_done(&a);
}

static double score(void)
{
	struct reply_explain e;
	double ret;

	explained(&e);
	ret = e.trust.view.score;
	reply_explain_done(&e);
	return ret;
}

/* T, R and N can be computed from what is told, T to the last bit. */
static void adds_up(void)
{
	struct reply_explain e;
	const struct trust_explanation *t = &e.trust;
	double good, bad;

	explained(&e);
	assert_true(fmin(t->score_max, 100 * t->view.security *
					       ((1 - t->community_weight) * t->view.performance +
						t->community_weight * ((t->ratings_good + 1) /
								       (t->ratings_good +
									t->ratings_bad + 2)))) ==
		    t->view.score);
	good = e.unknown.good + e.others.good;
	bad = e.unknown.bad + e.others.bad;
	for (size_t i = 0; i < e.n_raters; i++) {
		const struct explain_rater *r = &e.raters[i];

		good += r->weight * r->fade * fmax(r->value, 0);
		bad += r->weight * r->fade * fmax(-r->value, 0);
	}
	assert_float_equal(good, t->ratings_good, 1e-6);
	assert_float_equal(e.negative_weight * bad, t->ratings_bad, 1e-6);
	reply_explain_done(&e);
}

static struct key_entry key_of(const char *name)
{
	struct reply_keys all = { 0 };
	struct key_entry found = { 0 };
	struct rig_answer a;

	assert_int_equal(rig_ask(&rig, "GET", "/v1/keys", NULL, &a), 200);
	assert_int_equal(reply_keys_decode(a.body, strlen(a.body), &all), 0);
	rig_answer_done(&a);
	for (size_t i = 0; i < all.n_keys; i++)
		if (!strcmp(all.keys[i].name, name))
			found = all.keys[i];
	reply_keys_done(&all);
	return found;
}

/* H of "a", as this host has it: of a rating that takes itself back. */
static struct trust_id place(void)
{
	struct statement s;
	struct reply_said said = { 0 };
	struct rig_answer a;
	char why[128];

	assert_int_equal(post("/v1/ratings", "{\"server\":\"a\",\"value\":0}", &a), 200);
	assert_int_equal(reply_said_decode(a.body, strlen(a.body), &said), 0);
	assert_int_equal(
		statement_decode(said.statement, strlen(said.statement), &s, why, sizeof(why)), 0);
	assert_true(statement_verify(&s));
	reply_said_done(&said);
	rig_answer_done(&a);
	return s.says.subject;
}

static void line_of(const struct trust_id *subject, enum reputation_type type,
		    uint8_t secret[STATEMENT_SECRET_LEN], double value, struct buf *out)
{
	struct statement s = { .says = { .type = type,
					 .subject = *subject,
					 .value = value,
					 .depth = 1,
					 .seq = 1,
					 .not_before_ns = clock_wall_ns(),
					 .expires_ns = clock_wall_ns() + DAY } };

	assert_int_equal(statement_sign(&s, secret), 0);
	assert_int_equal(statement_encode(&s, out), 0);
}

static void taken(const struct buf *lines, uint32_t accepted, uint32_t old)
{
	struct reply_taken r = { 0 };
	struct rig_answer a;

	assert_int_equal(post("/v1/statements", buf_str(lines), &a), 200);
	assert_int_equal(reply_taken_decode(a.body, strlen(a.body), &r), 0);
	assert_int_equal(r.accepted, accepted);
	assert_int_equal(r.old, old);
	reply_taken_done(&r);
	rig_answer_done(&a);
}

/* MANY unknown keys say the same, in parts that the test's socket holds; *ret is the latest part. */
static void crowd(const struct trust_id *subject, double value, struct buf *ret)
{
	uint8_t secret[STATEMENT_SECRET_LEN];
	struct trust_id key;

	for (unsigned int i = 0; i < MANY; i++) {
		if (i % PART == 0)
			buf_clear(ret);
		assert_int_equal(statement_key_new(&key, secret), 0);
		line_of(subject, REPUTATION_RATING, secret, value, ret);
		if (i % PART == PART - 1)
			taken(ret, PART, 0);
	}
}

static void test_strangers_share_one_weight(void **state)
{
	CLEANUP(buf_done) struct buf lines = BUF(COMMUNITY_FILE_MAX);
	struct trust_id subject;
	double before, praised;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	subject = place();
	before = score();
	crowd(&subject, 1, &lines);
	praised = score();
	assert_true(praised > before && praised <= before + 0.37);
	adds_up();
	taken(&lines, 0, PART); /* again is nothing */
	assert_true(fabs(score() - praised) < 1e-3);
	crowd(&subject, -1, &lines);
	assert_true(score() < praised && score() >= before - 0.72);
	adds_up();
}

static void test_an_anchors_word_counts(void **state)
{
	CLEANUP(buf_done) struct buf lines = BUF(COMMUNITY_FILE_MAX);
	uint8_t alice[STATEMENT_SECRET_LEN], bob[STATEMENT_SECRET_LEN];
	struct trust_id a, b, subject;
	struct reply_explain e;
	char text[KEY_TEXT_LEN];
	char body[256];
	double before;

	(void)state;
	rig_start(&rig, SERVERS(A));
	subject = place();
	assert_int_equal(statement_key_new(&a, alice), 0);
	assert_int_equal(statement_key_new(&b, bob), 0);
	line_of(&b, REPUTATION_VOUCH, alice, 1, &lines);
	line_of(&subject, REPUTATION_RATING, bob, -1, &lines);
	taken(&lines, 2, 0);
	before = score();
	hex_print(a.b, sizeof(a.b), text);
	snprintf(body, sizeof(body), "{\"do\":\"add\",\"name\":\"alice\",\"key\":\"%s\"}", text);
	expect(200, "/v1/keys", body, "\"anchor\":false");
	expect(200, "/v1/keys", "{\"do\":\"anchor\",\"name\":\"alice\"}", "\"anchor\":true");
	assert_true(score() < before - 1 && score() > before - 5.2);
	explained(&e);
	assert_int_equal(e.n_raters, 1);
	assert_int_equal(e.raters[0].n_path, 2);
	assert_string_equal(e.raters[0].path[0], "alice");
	assert_float_equal(e.raters[0].weight, 0.5, 1e-9);
	assert_string_equal(e.changes[e.n_changes - 1].causes, "ratings");
	reply_explain_done(&e);
	adds_up();
	/* over a restart all of it holds, and nothing has happened to the score */
	rig_restart(&rig, SERVERS(A));
	taken(&lines, 0, 2);
	explained(&e);
	assert_int_equal(e.n_raters, 1);
	assert_float_equal(e.raters[0].weight, 0.5, 1e-9);
	reply_explain_done(&e);
	adds_up();
	expect(200, "/v1/keys", "{\"do\":\"remove\",\"name\":\"alice\"}", "\"anchor\":false");
	assert_true(fabs(score() - before) < 0.1);
}

/* What is only older is no event of the model; what is over is. */
static void test_time(void **state)
{
	struct reply_explain e;
	uint32_t n;

	(void)state;
	rig_start(&rig, SERVERS(A));
	expect(200, "/v1/ratings", "{\"server\":\"a\",\"value\":1,\"for\":\"2h\"}", "uid-0");
	expect(200, "/v1/keys", "{\"do\":\"anchor\",\"name\":\"uid-0\"}", "");
	explained(&e);
	n = (uint32_t)e.n_changes;
	assert_true(e.trust.ratings_good > 0.99);
	reply_explain_done(&e);
	for (int i = 0; i < 110; i++) {
		rig_advance(&rig, SECONDS(60));
		rig_pass(&rig);
	}
	explained(&e);
	assert_int_equal(e.n_changes, n);
	assert_true(e.trust.ratings_good > 0.99);
	reply_explain_done(&e);
	adds_up();
	expect(200, "/v1/ratings", "{\"server\":\"a\",\"value\":1,\"for\":\"10m\"}", "uid-0");
	rig_advance(&rig, SECONDS(660)); /* not an hour */
	rig_pass(&rig);
	explained(&e);
	assert_true(e.trust.ratings_good < 1e-9);
	assert_int_equal(e.n_raters, 0);
	reply_explain_done(&e);
}

static void test_users_rate(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A));
	rig_client(RIG_NOBODY, RIG_NOBODY);
	for (unsigned int i = 0; i < QUOTA_TIMES; i++)
		expect(200, "/v1/ratings", "{\"server\":\"a\",\"value\":-1}", "uid-65534");
	expect(429, "/v1/ratings", "{\"server\":\"a\",\"value\":-1}", "Retry-After: 60");
	expect(404, "/v1/ratings", "{\"server\":\"none\",\"value\":-1}", "there is no server");
	expect(400, "/v1/ratings", "{\"server\":\"a\",\"value\":-1.5}", "value must be");
	expect(400, "/v1/ratings", "{\"server\":\"a\",\"value\":-1,\"by\":\"ops\"}", "\\\"by\\\"");
	expect(400, "/v1/ratings", "", "line 1");
	/* and nothing else */
	expect(403, "/v1/keys", "{\"do\":\"new\",\"name\":\"x\"}", "not_permitted");
	expect(403, "/v1/sign", "{}", "not_permitted");
	expect(403, "/v1/statements", "", "not_permitted");
	expect(403, "/v1/nothing", "", "not_permitted");
	assert_int_equal(rig_ask(&rig, "GET", "/v1/keys", NULL, &a), 403);
	rig_answer_done(&a);
	assert_int_equal(rig_ask(&rig, "GET", "/v1/statements", NULL, &a), 403);
	rig_answer_done(&a);
	rig_client(0, 0);
	assert_int_equal(key_of("uid-65534").statements, 1);
	rig_advance(&rig, SECONDS(61));
	rig_client(RIG_NOBODY, RIG_NOBODY);
	expect(200, "/v1/ratings", "{\"server\":\"a\",\"value\":-1}", "uid-65534");
	rig_client(0, 0);
}

static void test_where_reading_is_for_a_group_rating_is(void **state)
{
	(void)state;
	rig_start(&rig, "{\"api_read\":\"group\"," EXACT "\"mcpServers\":{" A "}}");
	rig_client(RIG_NOBODY, RIG_NOBODY);
	expect(403, "/v1/ratings", "{\"server\":\"a\",\"value\":1}", "api_read");
	rig_client(0, 0);
	expect(200, "/v1/ratings", "{\"server\":\"a\",\"value\":1}", "uid-0");
}

static void test_only_so_many_users(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	for (uid_t uid = 2000; uid < 2064; uid++) {
		rig_client(uid, uid);
		expect(200, "/v1/ratings", "{\"server\":\"a\",\"value\":1}", "uid-2");
		rig_advance(&rig, SECONDS(61));
	}
	rig_client(3000, 3000);
	expect(503, "/v1/ratings", "{\"server\":\"a\",\"value\":1}", "switchgear keys remove");
	rig_client(0, 0);
	expect(200, "/v1/keys", "{\"do\":\"remove\",\"name\":\"uid-2000\"}", "");
	rig_client(3000, 3000);
	expect(200, "/v1/ratings", "{\"server\":\"a\",\"value\":1}", "uid-3000");
	rig_client(0, 0);
}

static void test_keys_of_this_host(void **state)
{
	char path[160];

	(void)state;
	rig_start(&rig, SERVERS(A));
	expect(400, "/v1/sign", "{\"type\":\"revoke\"}", "\\\"key\\\" is missing");
	expect(404, "/v1/sign", "{\"type\":\"revoke\",\"key\":\"ops\",\"by\":\"ops\"}", "no key");
	expect(400, "/v1/sign", "{\"type\":\"rating\",\"server\":\"a\",\"value\":1}",
	       "keys new NAME");
	expect(400, "/v1/keys", "{\"do\":\"new\",\"name\":\"uid-7\"}", "uid-");
	expect(400, "/v1/keys", "{\"do\":\"new\",\"name\":\"../x\"}", "a name is");
	expect(200, "/v1/keys", "{\"do\":\"new\",\"name\":\"ops\"}", "\"own\":true");
	expect(409, "/v1/keys", "{\"do\":\"new\",\"name\":\"ops\"}", "exists");
	expect(200, "/v1/sign", "{\"type\":\"rating\",\"server\":\"a\",\"value\":1}", "\"ops\"");
	expect(409, "/v1/sign", "{\"type\":\"vouch\",\"key\":\"ops\",\"value\":1}", "bad value");
	snprintf(path, sizeof(path), "%s/keys/ops.key", rig.state_dir);
	assert_int_equal(chmod(path, 0644), 0);
	expect(500, "/v1/sign", "{\"type\":\"rating\",\"server\":\"a\",\"value\":1}", "chmod 0600");
	assert_non_null(strstr(key_of("ops").error, "chmod 0600"));
	assert_int_equal(chmod(path, 0600), 0);
	expect(200, "/v1/sign", "{\"type\":\"revoke\",\"key\":\"ops\"}", "\"revoke\"");
	assert_true(key_of("ops").revoked);
	expect(409, "/v1/sign", "{\"type\":\"rating\",\"server\":\"a\",\"value\":1}", "revoked");
	expect(200, "/v1/keys", "{\"do\":\"remove\",\"name\":\"ops\"}", "");
	assert_int_equal(access(path, F_OK), -1);
	assert_string_equal(key_of("ops").name, "");
}

/* One text for another of the same length. */
static void forge(struct buf *lines, const char *from, const char *to)
{
	char *at = strstr(lines->data, from);

	assert_non_null(at);
	memcpy(at, to, strlen(to));
}

static void test_bad_statements_are_refused_whole(void **state)
{
	CLEANUP(buf_done) struct buf lines = BUF(COMMUNITY_FILE_MAX);
	uint8_t secret[STATEMENT_SECRET_LEN];
	struct trust_id key, subject;

	(void)state;
	rig_start(&rig, SERVERS(A));
	subject = place();
	assert_int_equal(statement_key_new(&key, secret), 0);
	line_of(&subject, REPUTATION_RATING, secret, 1, &lines);
	buf_puts(&lines, "{\"v\":1}\n");
	expect(400, "/v1/statements", buf_str(&lines), "line 2: ");
	lines.data[lines.len - 8] = '\0';
	lines.len -= 8;
	taken(&lines, 1, 0);
	/* a forged one, by itself */
	forge(&lines, "\"seq\":1,", "\"seq\":2,");
	taken(&lines, 0, 0);
	forge(&lines, "\"seq\":2,", "\"seq\":1,");
	taken(&lines, 0, 1);
}

/* Whatever they say of themselves: who is believed is this operator's business. */
static void test_nobody_is_anchored_by_an_import(void **state)
{
	CLEANUP(buf_done) struct buf line = BUF(4096);
	struct community_key k = { .name = "mallory", .anchor = true };

	(void)state;
	rig_start(&rig, SERVERS(A));
	memset(k.key.b, 7, sizeof(k.key.b));
	assert_int_equal(community_key_line(&k, &line), 0);
	line.data[line.len - 2] = '\0';
	line.len -= 2;
	buf_puts(&line, ",\"anchor\":true}");
	taken(&line, 1, 0);
	taken(&line, 0, 1);
	assert_string_equal(key_of("mallory").name, "mallory");
	assert_false(key_of("mallory").anchor);
	buf_clear(&line);
	snprintf(k.name, sizeof(k.name), "uid-5");
	k.key.b[0] = 8;
	assert_int_equal(community_key_line(&k, &line), 0);
	taken(&line, 0, 0);
	assert_string_equal(key_of("uid-5").name, "");
}

static void damage(const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", rig.state_dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 20), 1);
	close(fd);
}

static void test_damage_is_said_and_little_is_lost(void **state)
{
	CLEANUP(buf_done) struct buf lines = BUF(COMMUNITY_FILE_MAX);
	uint8_t secret[STATEMENT_SECRET_LEN];
	struct trust_id key, subject;

	(void)state;
	rig_start(&rig, SERVERS(A));
	subject = place();
	expect(200, "/v1/keys", "{\"do\":\"anchor\",\"name\":\"uid-0\"}", "");
	assert_int_equal(statement_key_new(&key, secret), 0);
	line_of(&subject, REPUTATION_RATING, secret, 1, &lines);
	taken(&lines, 1, 0);
	rig_end(&rig);
	damage("statements.jsonl");
	rig_start(&rig, SERVERS(A));
	assert_true(key_of("uid-0").anchor);
	taken(&lines, 0, 1);
	assert_true(rig_degraded(&rig, "statements.jsonl.damaged-1"));
	assert_int_equal(rig_events(&rig, "\"alarm\"", "statements.jsonl is damaged"), 1);
	/* both: keys of this host are files, and what was seen is signed */
	rig_end(&rig);
	damage("statements.jsonl");
	damage("statements.jsonl.1");
	rig_start(&rig, SERVERS(A));
	assert_true(key_of("uid-0").own && !key_of("uid-0").anchor);
	taken(&lines, 0, 1);
}

static void test_a_disk_that_fails_is_said(void **state)
{
	char path[160];

	(void)state;
	rig_start(&rig, SERVERS(A));
	expect(200, "/v1/keys", "{\"do\":\"new\",\"name\":\"ops\"}", "\"own\":true");
	snprintf(path, sizeof(path), "%s/.statements.jsonl.new", rig.state_dir);
	assert_int_equal(mkdir(path, 0700), 0); /* in the way of the next one */
	expect(200, "/v1/sign", "{\"type\":\"rating\",\"server\":\"a\",\"value\":1}",
	       "would not survive a restart");
	assert_true(rig_degraded(&rig, "keys and ratings cannot be written"));
	assert_int_equal(rmdir(path), 0);
	rig_advance(&rig, SECONDS(61));
	rig_pass(&rig);
	assert_false(rig_degraded(&rig, "keys and ratings cannot be written"));
	rig_restart(&rig, SERVERS(A));
	assert_int_equal(key_of("ops").statements, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_strangers_share_one_weight),
		TEST(test_an_anchors_word_counts),
		TEST(test_time),
		TEST(test_users_rate),
		TEST(test_where_reading_is_for_a_group_rating_is),
		TEST(test_only_so_many_users),
		TEST(test_keys_of_this_host),
		TEST(test_bad_statements_are_refused_whole),
		TEST(test_nobody_is_anchored_by_an_import),
		TEST(test_damage_is_said_and_little_is_lost),
		TEST(test_a_disk_that_fails_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
