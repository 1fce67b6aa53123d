/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/history.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "unit/unit.h"

#define S NS_PER_SEC
#define NO_LIMITS                      \
	{                              \
		UINT64_MAX, UINT64_MAX \
	}

static char dir[] = "/tmp/sg-test-history-XXXXXX";
static char path[64];
static char why[HISTORY_WHY_MAX];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sg-test-history-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/history.db", dir);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct history *opened(struct history_limits limits)
{
	struct history *h = NULL;

	if (history_open(path, &limits, &h, why))
		fail_msg("%s", why);
	return h;
}

static void add(struct history *h, uint64_t t, const char *server, const char *line)
{
	const struct history_event e = { t, server, "transition", line, 0 };

	assert_int_equal(history_add_event(h, &e), 0);
}

static bool collect(void *data, const struct history_event *e)
{
	struct buf *out = data;

	buf_printf(out, "%llu %s %s;", (unsigned long long)(e->wall_ns / S), e->server, e->line);
	return out->len < 200;
}

static void expect(struct history *h, const char *server, uint64_t from, uint64_t to,
		   const char *wanted)
{
	struct buf out = BUF(1024);

	assert_int_equal(history_events(h, server, from, to, collect, &out), 0);
	assert_string_equal(buf_str(&out), wanted);
	buf_done(&out);
}

static void test_what_was_added_is_read(void **state)
{
	struct history *h = opened((struct history_limits)NO_LIMITS);
	struct stat st;

	(void)state;
	add(h, 3 * S, "b", "three");
	add(h, 1 * S, "a", "o'ne");
	add(h, 2 * S, "", "two \xc3\xa4");
	expect(h, NULL, 0, UINT64_MAX, "1 a o'ne;2  two \xc3\xa4;3 b three;");
	expect(h, "a", 0, UINT64_MAX, "1 a o'ne;");
	expect(h, NULL, 2 * S, 3 * S, "2  two \xc3\xa4;");
	history_close(h);
	h = opened((struct history_limits)NO_LIMITS);
	expect(h, NULL, 2 * S, UINT64_MAX, "2  two \xc3\xa4;3 b three;");
	history_close(h);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static bool collect_ids(void *data, const struct history_event *e)
{
	buf_printf(data, "%llu %s;", (unsigned long long)e->id, e->line);
	return true;
}

static void behind(struct history *h, uint64_t after, unsigned int limit, const char *wanted)
{
	struct buf out = BUF(1024);

	assert_int_equal(history_events_after(h, after, limit, collect_ids, &out), 0);
	assert_string_equal(buf_str(&out), wanted);
	buf_done(&out);
}

static void test_serials(void **state)
{
	struct history *h = opened((struct history_limits)NO_LIMITS);
	struct history_event e = { 5 * S, "a", "x", "big", 1ULL << 50 };
	uint64_t id = 1;
	bool there;

	(void)state;
	assert_int_equal(history_newest(h, UINT64_MAX, &id), 0);
	assert_int_equal(id, 0);
	add(h, 7 * S, "a", "one");
	add(h, 6 * S, "b", "two");
	assert_int_equal(history_add_event(h, &e), 0);
	assert_true(history_add_event(h, &e) < 0); /* no two have the same */
	add(h, 8 * S, "a", "next");
	behind(h, 0, 9, "1 one;2 two;1125899906842624 big;1125899906842625 next;");
	behind(h, 1, 2, "2 two;1125899906842624 big;");
	behind(h, UINT64_MAX, 9, "");
	assert_int_equal(history_newest(h, UINT64_MAX, &id), 0);
	assert_int_equal(id, (1ULL << 50) + 1);
	assert_int_equal(history_newest(h, 7 * S, &id), 0);
	assert_int_equal(id, 2); /* by time */
	assert_int_equal(history_newest(h, 5 * S, &id), 0);
	assert_int_equal(id, 0);
	assert_int_equal(history_has(h, 2, &there), 0);
	assert_true(there);
	assert_int_equal(history_has(h, 3, &there), 0);
	assert_false(there);
	history_close(h);
}

static bool count_sample(void *data, const struct history_sample *s)
{
	struct buf *out = data;

	buf_printf(out, "%llu %.1f %s %d;", (unsigned long long)(s->wall_ns / S), s->score,
		   s->state, s->quarantined);
	return true;
}

static void test_samples(void **state)
{
	struct history *h = opened((struct history_limits)NO_LIMITS);
	const struct history_sample rows[] = { { 1 * S, "a", 40.5, "closed", false },
					       { 2 * S, "b", 1, "open", false },
					       { 3 * S, "a", NAN, "open", true } };
	struct buf out = BUF(1024);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(history_add_sample(h, &rows[i]), 0);
	assert_int_equal(history_samples(h, "a", 0, count_sample, &out), 0);
	assert_string_equal(buf_str(&out), "1 40.5 closed 0;3 nan open 1;");
	buf_done(&out);
	history_close(h);
}

/* A process that is killed loses what it had not committed, and nothing else. */
static void test_survives_a_kill(void **state)
{
	struct history *h;
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		h = opened((struct history_limits)NO_LIMITS);
		add(h, 1 * S, "a", "kept");
		if (history_commit(h))
			_exit(1);
		add(h, 2 * S, "a", "lost");
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	h = opened((struct history_limits)NO_LIMITS);
	expect(h, NULL, 0, UINT64_MAX, "1 a kept;");
	history_close(h);
}

static void prune(struct history *h, uint64_t now)
{
	bool done = false;

	for (int i = 0; i < 100 && !done; i++)
		assert_int_equal(history_prune(h, now, &done), 0);
	assert_true(done);
}

static void test_bounded_by_age(void **state)
{
	struct history *h = opened((struct history_limits){ 10 * S, UINT64_MAX });

	(void)state;
	for (uint64_t t = 1; t <= 5000; t++)
		add(h, t * S, "a", "x");
	add(h, 5005 * S, "a", "y");
	prune(h, 5010 * S);
	expect(h, NULL, 0, UINT64_MAX, "5000 a x;5005 a y;");
	history_close(h);
}

static void test_bounded_by_size(void **state)
{
	struct history *h = opened((struct history_limits){ UINT64_MAX, 1 << 20 });
	char line[1001];
	struct stat st;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (uint64_t t = 1; t <= 8000; t++)
		add(h, t * S, "a", line);
	prune(h, 9000 * S);
	history_close(h);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 12 << 20);
	h = opened((struct history_limits)NO_LIMITS);
	expect(h, NULL, 0, 7000 * S, ""); /* the oldest went */
	history_close(h);
}

static void test_damage_is_no_end(void **state)
{
	struct history *h = opened((struct history_limits)NO_LIMITS);
	int fd;

	(void)state;
	add(h, 1 * S, "a", "x");
	history_close(h);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "garbage garbage garbage", 23, 0), 23);
	close(fd);
	h = NULL;
	assert_int_equal(history_open(path, &(struct history_limits)NO_LIMITS, &h, why), -EBADMSG);
	assert_null(h);
	assert_true(why[0]);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_not_equal(history_open(path, &(struct history_limits)NO_LIMITS, &h, why), 0);
	assert_int_equal(history_open("/nonexistent/x", &(struct history_limits)NO_LIMITS, &h, why),
			 -ENOENT);
}

/* Who writes to a file that nobody finds any more is to know. */
static void test_taken_away(void **state)
{
	struct history *h = opened((struct history_limits)NO_LIMITS);

	(void)state;
	add(h, 1 * S, "a", "before");
	assert_int_equal(history_commit(h), 0);
	assert_int_equal(unlink(path), 0);
	add(h, 2 * S, "a", "lost");
	assert_int_equal(history_commit(h), -ESTALE);
	assert_string_equal(history_why(h), "the file was moved or removed");
	history_close(h);
	h = opened((struct history_limits)NO_LIMITS);
	add(h, 3 * S, "a", "after");
	assert_int_equal(history_commit(h), 0);
	expect(h, NULL, 0, UINT64_MAX, "3 a after;");
	history_close(h);
}

/* A disk without room, as a limit of file sizes: it is said, and goes on when there is some. */
static void test_full_disk(void **state)
{
	struct history *h = opened((struct history_limits)NO_LIMITS);
	const struct rlimit small = { 200000, 10 << 20 };
	const struct rlimit large = { 10 << 20, 10 << 20 };
	char line[4001];
	int r = 0;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (uint64_t t = 1; t <= 1000 && !r; t++) {
		const struct history_event e = { t * S, "a", "x", line, 0 };

		r = history_add_event(h, &e);
		if (!r)
			r = history_commit(h);
	}
	assert_int_not_equal(r, 0);
	assert_true(history_why(h)[0]);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &large), 0);
	(void)!history_commit(h);
	add(h, 5000 * S, "a", "after");
	assert_int_equal(history_commit(h), 0);
	expect(h, NULL, 5000 * S, UINT64_MAX, "5000 a after;");
	history_close(h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_added_is_read),
		TEST(test_serials),
		TEST(test_samples),
		TEST(test_survives_a_kill),
		TEST(test_bounded_by_age),
		TEST(test_bounded_by_size),
		TEST(test_damage_is_no_end),
		TEST(test_taken_away),
		TEST(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
