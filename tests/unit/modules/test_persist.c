/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A state that is damaged, and a directory that cannot be used. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "io/store.h"
#include "unit/modules/modules_rig.h"

#define NEWEST "state.json"
#define BEFORE "state.json.1"
#define ASIDE "state.json.damaged-1"
#define HELD "the state was damaged, so it holds until it is released; before: "

#define B_RENAMED "\"bee\":{\"url\":\"https://127.0.0.1:2/mcp\"}"
#define D "\"d\":{\"url\":\"http://127.0.0.1:4/mcp\"}"

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", rig.state_dir, name);
	return path;
}

static void file_write(const char *name, const void *data, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static char *file_text(const char *name, size_t *ret_len)
{
	char *text = NULL;

	assert_int_equal(file_read(path_of(name), 65536, &text, ret_len), 0);
	return text;
}

static bool there(const char *name)
{
	return !access(path_of(name), F_OK);
}

/* Writes x over it, wherever it stands. */
static void replace(const char *name, const char *what)
{
	CLEANUP(freep) char *text = NULL;
	size_t len;

	text = file_text(name, &len);
	for (char *p = text; (p = strstr(p, what)); p++)
		memset(p, 'x', strlen(what));
	file_write(name, text, len);
}

/* Turns one bit of it over, in the byte behind the last `mark`. */
static void flip(const char *name, const char *mark)
{
	CLEANUP(freep) char *text = NULL;
	char *at = NULL;
	size_t len;

	text = file_text(name, &len);
	for (char *p = text; (p = strstr(p, mark)); p++)
		at = p + strlen(mark);
	assert_non_null(at);
	*at ^= 1;
	file_write(name, text, len);
}

static void copy(const char *from, const char *to)
{
	CLEANUP(freep) char *text = NULL;
	size_t len;

	text = file_text(from, &len);
	file_write(to, text, len);
}

/* The daemon ends, and what is told to break breaks before the machine is up again. */
static void reboot_with(const char *config, void (*damage)(void))
{
	rig_end(&rig);
	fake_dataplane_wipe(rig.d.dp);
	fake_clock_reboot();
	damage();
	fake_log_forget();
	rig_start(&rig, config);
}

static void reason_is(const char *name, const char *reason)
{
	struct status s;
	bool found = false;

	rig_status(&rig, &s);
	for (size_t i = 0; i < s.n_servers; i++)
		if (!strcmp(s.servers[i].name, name)) {
			found = true;
			assert_true(s.servers[i].quarantined);
			assert_string_equal(s.servers[i].quarantine.reason, reason);
			assert_true(s.servers[i].quarantine.until_wall_ns == STATUS_NEVER);
		}
	assert_true(found);
	status_done(&s);
}

/* One with "a" in quarantine for an hour, then "b", and nothing of "c". */
static void two_in_quarantine(void)
{
	rig_start(&rig, SERVERS(A "," B "," C));
	open_up("c");
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"odd\",\"for\":\"1h\"}"),
			 200);
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"bad\"}"), 200);
	rig_end(&rig);
	rig.d.dp->taken_over = false;
}

/* --- one is damaged ---------------------------------------------------------------------------- */

static void newest_is_empty(void)
{
	file_write(NEWEST, "", 0);
}

static void newest_is_garbage(void)
{
	file_write(NEWEST, "\0\xff garbage", 10);
}

static void newest_is_later(void)
{
	static const char text[] = "{\"version\":99}";

	file_write(NEWEST, text, sizeof(text) - 1);
}

static void newest_is_a_directory(void)
{
	assert_int_equal(remove(path_of(NEWEST)), 0);
	assert_int_equal(mkdir(path_of(NEWEST), 0700), 0);
}

static void newest_is_a_link(void)
{
	assert_int_equal(remove(path_of(NEWEST)), 0);
	assert_int_equal(symlink("/etc/hostname", path_of(NEWEST)), 0);
}

static void newest_is_too_long(void)
{
	assert_int_equal(truncate(path_of(NEWEST), STATE_SIZE_MAX + 1), 0);
}

/* The last generation knows of both, so does that before it: what is in it holds. */
static void test_the_one_before_is_used(void **state)
{
	static void (*const damages[])(void) = { newest_is_empty,  newest_is_garbage,
						 newest_is_later,  newest_is_a_directory,
						 newest_is_a_link, newest_is_too_long };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		char text[64];

		two_in_quarantine(); /* its end has written a second time */
		reboot_with(SERVERS(A "," B "," C), damages[i]);
		assert_true(kernel("a")->quarantine_ns == SG_FOREVER);
		assert_true(kernel("b")->quarantine_ns == SG_FOREVER);
		assert_int_equal(kernel("c")->quarantine_ns, 0);
		assert_int_equal(rig_server(&rig, "c")->breaker.state, SG_OPEN);
		reason_is("a", HELD "odd");
		reason_is("b", HELD "bad");
		/* said, with what is left of the damaged one */
		snprintf(text, sizeof(text), "state.json.damaged-%zu", i + 1);
		assert_true(there(text));
		assert_true(there(NEWEST));                                    /* a new one */
		assert_int_equal(fake_log_said("state.json is damaged ("), 2); /* and the alarm */
		assert_int_equal(fake_log_said(text), 2);
		assert_int_equal(rig_events(&rig, "alarm", "state.json is damaged ("), 1);
		assert_int_equal(rig_events(&rig, "\"a\"", "in quarantine until it is released"),
				 1);
		assert_true(rig_degraded(&rig, "the state was damaged: see which servers"));
		assert_int_equal(rig_order(&rig, "a", "release", NULL), 200);
		assert_int_equal(rig_order(&rig, "b", "release", NULL), 200);
		assert_int_equal(rig_order(&rig, "c", "reset", NULL), 200);
		rig_end(&rig);
	}
	/* until somebody has looked */
	rig_start(&rig, SERVERS(A "," B "," C));
	assert_int_equal(kernel("a")->quarantine_ns, 0);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		char text[64];

		assert_true(rig_degraded(&rig, "the state was damaged"));
		snprintf(text, sizeof(text), "state.json.damaged-%zu", i + 1);
		assert_int_equal(remove(path_of(text)), 0);
	}
	assert_false(rig_degraded(&rig, "the state was damaged"));
}

static void newest_says_b_only(void)
{
	flip(NEWEST, "\"streak\":");
}

/* "a" was released meanwhile, by the newest, which nobody may believe; "b" stands in the newest
 * only. Both hold. */
static void test_union_of_both(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"odd\"}"), 200);
	copy(NEWEST, "kept");
	assert_int_equal(rig_order(&rig, "a", "release", NULL), 200);
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"bad\"}"), 200);
	rig_end(&rig);
	copy("kept", BEFORE);
	reboot_with(SERVERS(A "," B), newest_says_b_only);
	reason_is("a", HELD "odd");
	reason_is("b", HELD "bad");
	rig_reboot(&rig, SERVERS(A "," B)); /* whole again: nothing is said twice */
	reason_is("a", HELD "odd");
	assert_int_equal(rig_events(&rig, "alarm", NULL), 0);
}

static void both_are_damaged(void)
{
	flip(NEWEST, "\"streak\":");
	flip(BEFORE, "\"streak\":");
}

static void only_the_one_before_is_damaged(void)
{
	file_write(BEFORE, "", 0);
}

static void nothing_can_be_read(void)
{
	newest_is_garbage();
	only_the_one_before_is_damaged();
}

static void since_and_by_are_destroyed(void)
{
	both_are_damaged();
	for (size_t i = 0; i < 2; i++) {
		replace(i ? NEWEST : BEFORE, "\"since\":\"");
		replace(i ? NEWEST : BEFORE, "\"by\":\"");
	}
}

static void newest_is_missing(void)
{
	assert_int_equal(remove(path_of(NEWEST)), 0);
}

static void newest_is_missing_and_the_other_damaged(void)
{
	newest_is_missing();
	flip(BEFORE, "\"streak\":");
}

static void test_the_one_before_as_well(void **state)
{
	(void)state;
	two_in_quarantine();
	reboot_with(SERVERS(A "," B "," C), both_are_damaged);
	reason_is("a", HELD "odd");
	reason_is("b", HELD "bad");
	assert_int_equal(rig_server(&rig, "c")->breaker.state, SG_CLOSED);
	assert_true(there(ASIDE));
	assert_true(there("state.json.1.damaged-1"));
	assert_int_equal(rig_events(&rig, "alarm", "none before it is whole"), 1);
	assert_true(rig_degraded(&rig, "(2 such files)"));

	reboot_with(SERVERS(A "," B "," C), only_the_one_before_is_damaged);
	reason_is("a", HELD "odd");
	assert_true(there("state.json.1.damaged-2"));
	assert_int_equal(rig_events(&rig, "alarm", "the newest is whole"), 1);

	reboot_with(SERVERS(A "," B "," C), newest_is_missing);
	reason_is("b", HELD "bad");
	assert_int_equal(rig_events(&rig, "alarm", "state.json is missing"), 1);

	rig_end(&rig);
	rig_start(&rig, SERVERS(A "," B "," C)); /* a second generation again */
	reboot_with(SERVERS(A "," B "," C), newest_is_missing_and_the_other_damaged);
	reason_is("b", HELD "bad");
	assert_int_equal(rig_events(&rig, "alarm", "state.json is missing"), 1);
	assert_true(there("state.json.1.damaged-3"));

	reboot_with(SERVERS(A "," B "," C), nothing_can_be_read);
	assert_int_equal(kernel("a")->quarantine_ns, 0);
	assert_int_equal(rig_events(&rig, "alarm", "none before it is whole"), 1);
}

static void name_of_a_is_destroyed(void)
{
	flip(NEWEST, "\"servers\":{\"");
	flip(BEFORE, "\"servers\":{");
}

static void what_a_was_is_destroyed(void)
{
	name_of_a_is_destroyed();
	replace(NEWEST, "//127.0.0.1:1");
	replace(BEFORE, "\"origin\":\"http://127.0.0.1:1\"");
}

/* Whom it was for is told by where he was; what cannot be told is told. */
static void test_names(void **state)
{
	(void)state;
	two_in_quarantine();
	reboot_with(SERVERS(A "," B "," C), name_of_a_is_destroyed);
	reason_is("a", HELD "odd");
	reason_is("b", HELD "bad");
	assert_int_equal(rig_events(&rig, "\"server\":\"a\"", "in quarantine until"), 1);
	rig_end(&rig);
	rig_start(&rig, SERVERS(A "," B "," C));
	reboot_with(SERVERS(A "," B "," C), what_a_was_is_destroyed);
	assert_int_equal(kernel("a")->quarantine_ns, 0);
	reason_is("b", HELD "bad");
	assert_int_equal(rig_events(&rig, "alarm", "a quarantine of \\\"`\\\" stands in"), 1);
	assert_int_equal(
		rig_events(&rig, "alarm", "1 quarantines in state.json.1.damaged-2 are of"), 1);
}

/* What is not known is said, or is the time when it was found. */
static void test_since_and_by(void **state)
{
	struct status s;

	(void)state;
	two_in_quarantine();
	reboot_with(SERVERS(A "," B "," C), since_and_by_are_destroyed);
	reason_is("a", HELD "odd");
	rig_status(&rig, &s);
	assert_string_equal(s.servers[0].quarantine.by, "unknown");
	assert_true(s.servers[0].quarantine.since_wall_ns > 0);
	status_done(&s);
}

/* The kernel's maps are the truth, whatever the disk says. */
static void test_maps_win(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"odd\"}"), 200);
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"bad\"}"), 200);
	rig_end(&rig);
	newest_is_garbage();
	rig.d.dp->servers[2].quarantine_ns = 0; /* released by another program */
	rig.d.dp->taken_over = true;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(id_of("a"), 2);
	assert_int_equal(kernel("a")->quarantine_ns, 0);
	reason_is("b", HELD "bad");
	assert_int_equal(rig_events(&rig, "\"a\"", "not in quarantine by the kernel's maps"), 1);
	rig_reload(&rig, SERVERS(A "," B)); /* once */
	assert_int_equal(rig_events(&rig, "\"a\"", "not in quarantine by the kernel's maps"), 1);
	assert_true(there(ASIDE));
}

/* At a reload it is read again, for servers that are new. */
static void test_damaged_while_it_runs(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	newest_is_garbage();
	rig_reload(&rig, SERVERS(A "," B));
	assert_true(there(ASIDE));
	assert_true(rig_degraded(&rig, "the state was damaged"));
	assert_int_equal(rig_events(&rig, "alarm", "state.json is damaged"), 1);
}

/* --- the directory ----------------------------------------------------------------------------- */

/* Something else is where it should be; the daemon runs, says so, and uses it when it can. */
static void test_directory_comes_later(void **state)
{
	char away[128];
	int fd;

	(void)state;
	rig_start(&rig, SERVERS(A "," B "," C "," D));
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"odd\",\"for\":\"1h\"}"),
			 200);
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"bad\"}"), 200);
	assert_int_equal(rig_order(&rig, "c", "quarantine", "{\"reason\":\"old\"}"), 200);
	assert_int_equal(rig_order(&rig, "d", "quarantine", "{\"reason\":\"d\",\"for\":\"5s\"}"),
			 200);
	rig_end(&rig);
	snprintf(away, sizeof(away), "%s.away", rig.state_dir);
	assert_int_equal(rename(rig.state_dir, away), 0);
	fake_dataplane_wipe(rig.d.dp);
	fake_clock_reboot();
	fd = open(rig.state_dir, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	fake_log_forget();
	rig_start(&rig, SERVERS(A "," B_RENAMED "," C "," D));
	assert_int_equal(kernel("a")->quarantine_ns, 0); /* nobody knows */
	assert_true(rig_degraded(&rig, "the state cannot be written to"));
	assert_true(rig_degraded(&rig, "what was in quarantine before a reboot may not be"));
	assert_int_equal(rig_events(&rig, "alarm", "cannot be used"), 1);
	assert_int_equal(rig_order(&rig, "c", "quarantine", "{\"reason\":\"new\"}"), 200);
	for (int i = 0; i < 5; i++)
		rig_advance(&rig, SECONDS(2));
	assert_int_equal(fake_log_said("error: store: "), 1);
	assert_int_equal(remove(rig.state_dir), 0);
	assert_int_equal(rename(away, rig.state_dir), 0);
	rig_advance(&rig, SECONDS(2));
	assert_true(kernel("a")->quarantine_ns > 0 && kernel("a")->quarantine_ns < SG_FOREVER);
	assert_int_equal(rig_events(&rig, "\"event\":\"quarantine\"", "\"reason\":\"odd\""), 1);
	assert_int_equal(rig_events(&rig, "\"a\"", "in quarantine again"), 1);
	reason_is("bee", "bad");                         /* which is what "b" is called now */
	reason_is("c", "new");                           /* what was ordered meanwhile stays */
	assert_int_equal(kernel("d")->quarantine_ns, 0); /* its time is over */
	assert_int_equal(rig_events(&rig, "\"d\"", NULL), 0);
	assert_false(rig_degraded(&rig, "the state"));
	rig_reboot(&rig, SERVERS(A "," B_RENAMED "," C)); /* it is on disk */
	reason_is("bee", "bad");
	reason_is("c", "new");
}

/* The maps know better than a directory that comes later. */
static void test_directory_comes_later_than_maps(void **state)
{
	char away[128];

	(void)state;
	two_in_quarantine();
	snprintf(away, sizeof(away), "%s.away", rig.state_dir);
	assert_int_equal(rename(rig.state_dir, away), 0);
	assert_int_equal(symlink("/dev/null", rig.state_dir), 0);
	rig_restart(&rig, SERVERS(A "," B "," C));
	assert_false(rig_degraded(&rig, "before a reboot"));
	assert_int_equal(rig_order(&rig, "b", "release", NULL), 200);
	assert_int_equal(remove(rig.state_dir), 0);
	assert_int_equal(rename(away, rig.state_dir), 0);
	rig_advance(&rig, SECONDS(2));
	assert_int_equal(kernel("b")->quarantine_ns, 0);
	assert_int_equal(rig_events(&rig, "alarm", NULL), 0);
	assert_false(rig_degraded(&rig, "the state"));
}

/* It is removed while the daemon runs: it is made again, with all that is to be in it. */
static void test_directory_goes(void **state)
{
	char away[128];

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"odd\"}"), 200);
	snprintf(away, sizeof(away), "rm -r %s", rig.state_dir);
	assert_int_equal(system(away), 0);
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"bad\"}"), 200);
	assert_true(rig_degraded(&rig, "the state cannot be written to"));
	rig_advance(&rig, SECONDS(2));
	assert_false(rig_degraded(&rig, "the state"));
	rig_reboot(&rig, SERVERS(A "," B));
	reason_is("a", "odd");
	reason_is("b", "bad");
}

static void test_one_daemon_at_a_time(void **state)
{
	struct store *other = NULL;

	(void)state;
	assert_int_equal(store_open(rig.state_dir, 0, &other), 0);
	assert_int_equal(rig_begin(&rig), -EBUSY);
	assert_int_equal(fake_log_said("another switchgeard keeps its state in "), 1);
	assert_int_equal(fake_log_said(rig.state_dir), 1);
	rig_end(&rig);
	store_close(other);
	rig_start(&rig, SERVERS(A));
	assert_int_equal(store_open(rig.state_dir, 0, &other), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_one_before_is_used),
		TEST(test_union_of_both),
		TEST(test_the_one_before_as_well),
		TEST(test_names),
		TEST(test_since_and_by),
		TEST(test_maps_win),
		TEST(test_damaged_while_it_runs),
		TEST(test_directory_comes_later),
		TEST(test_directory_comes_later_than_maps),
		TEST(test_directory_goes),
		TEST(test_one_daemon_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
