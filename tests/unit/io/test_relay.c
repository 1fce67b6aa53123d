/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The daemon's side of the relay. Its process is this program itself, as the name of the first rule
 * tells it to behave. */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "io/relay.h"

#define AMPLE_NS (20 * NS_PER_SEC)

/* --- the process ---------------------------------------------------------------------------------- */

static struct wire in;

static void say(uint32_t kind, uint32_t what, const void *data, size_t len)
{
	const struct wire_head head = { .kind = kind, .what = what, .len = (uint32_t)len };

	if (wire_send(RELAY_FD_LINE, &head, data, -1))
		_exit(9);
}

static void wait_for_line(void)
{
	struct pollfd p = { .fd = RELAY_FD_LINE, .events = POLLIN };

	poll(&p, 1, -1);
}

static void obey(const char *order, int tools)
{
	struct relay_stats stats = { .server = 3, .answered = 1, .sessions = 2 };
	struct stat st;
	char text[8] = "";

	if (!strcmp(order, "die"))
		_exit(5);
	if (!strcmp(order, "babble"))
		say(99, 0, "", 0);
	if (!strcmp(order, "greet again"))
		say(RELAY_WIRE_HELLO, 0, SWITCHGEAR_VERSION, sizeof(SWITCHGEAR_VERSION));
	if (!strcmp(order, "short stats"))
		say(RELAY_WIRE_STATS, 0, &stats, sizeof(stats) - 1);
	if (!strcmp(order, "foreign stats")) {
		stats.server = SG_SERVERS_MAX;
		say(RELAY_WIRE_STATS, 0, &stats, sizeof(stats));
	}
	if (!strcmp(order, "endless trouble"))
		say(RELAY_WIRE_TROUBLE, 0, "abc", 3);
	if (!strcmp(order, "hang"))
		pause();
	if (!strcmp(order, "tools")) { /* sealed, and what they were */
		stats.answered = tools >= 0 && pread(tools, text, 8, 0) == 4 ? 4 : 0;
		stats.failed = write(tools, "x", 1) < 0 && !fstat(tools, &st) ? (uint64_t)st.st_size
									      : 0;
	}
	if (!strcmp(order, "fds"))
		stats.answered = (fcntl(RELAY_FD_LISTEN4, F_GETFD) >= 0) +
				 2U * (fcntl(RELAY_FD_ORIGINS, F_GETFD) >= 0);
	say(RELAY_WIRE_STATS, 0, &stats, sizeof(stats));
}

/* Counts rules before READY: those go back as `forwarded`. */
static int be_a_relay(void)
{
	static struct relay_rule rule;
	struct relay_stats stats = { .server = 0 };
	bool ready = false;

	say(RELAY_WIRE_HELLO, 0, SWITCHGEAR_VERSION, sizeof(SWITCHGEAR_VERSION));
	for (;;) {
		CLEANUP(closep) int fd = -1;
		int r;

		wait_for_line();
		r = wire_recv(RELAY_FD_LINE, 0, &in, &fd);
		if (r != 1)
			return 0;
		if (in.head.kind == RELAY_WIRE_RULE) {
			memcpy(&rule, in.data, sizeof(rule));
			if (ready)
				obey(rule.name, fd);
			stats.forwarded++;
		} else if (in.head.kind == RELAY_WIRE_DROP) {
			stats.failed++;
			stats.server = in.head.what;
			say(RELAY_WIRE_STATS, 0, &stats, sizeof(stats));
		} else {
			ready = true;
			say(RELAY_WIRE_ALIVE, 0, NULL, 0);
			say(RELAY_WIRE_STATS, 0, &stats, sizeof(stats));
		}
	}
}

/* --- the daemon's side ------------------------------------------------------------------------------ */

static struct relay_stats seen;
static unsigned int n_seen;

static void on_stats(void *owner, const struct relay_stats *stats)
{
	assert_ptr_equal(owner, &seen);
	seen = *stats;
	n_seen++;
}

static struct relay *open_relay(const char *path)
{
	int map = memfd_create("origins", MFD_CLOEXEC);
	const struct relay_spec spec = {
		.path = path, .origins = &map, .stats = on_stats, .owner = &seen
	};
	struct relay *r = NULL;

	assert_true(map >= 0);
	n_seen = 0;
	assert_int_equal(relay_new(&spec, &r), 0);
	close(map);
	assert_false(relay_up(r));
	assert_int_equal(relay_due_ns(r), 0);
	return r;
}

static void turn(struct relay *r)
{
	struct pollfd p = { .fd = relay_fd(r), .events = POLLIN };
	uint64_t now = clock_boot_ns();
	uint64_t due = relay_due_ns(r);
	uint64_t ms = due > now ? (due - now) / NS_PER_MS + 1 : 0;

	poll(&p, 1, ms < 100 ? (int)ms : 100);
	relay_run(r);
}

#define TURN_UNTIL(r, what)                                  \
	do {                                                 \
		uint64_t end_ = clock_boot_ns() + AMPLE_NS;  \
		while (!(what)) {                            \
			assert_true(clock_boot_ns() < end_); \
			turn(r);                             \
		}                                            \
	} while (0)

static void set(struct relay *r, uint32_t server, const char *name)
{
	struct relay_rule rule = { .server = server };

	snprintf(rule.name, sizeof(rule.name), "%s", name);
	assert_int_equal(relay_set_rule(r, &rule, "[{}]", 4), 0);
}

static void a_process_gets_all_rules_first(void **state)
{
	struct relay *r = open_relay("/proc/self/exe");

	(void)state;
	for (uint32_t i = 0; i < 100; i++) /* more than a socket holds */
		set(r, i, "x");
	relay_drop_rule(r, 50);
	TURN_UNTIL(r, relay_up(r) && n_seen);
	assert_int_equal(seen.forwarded, 99);
	assert_string_equal(relay_why(r), "");
	assert_true(relay_pid(r) > 0);
	n_seen = 0;
	relay_drop_rule(r, 51);
	relay_drop_rule(r, 51);
	relay_drop_rule(r, SG_SERVERS_MAX);
	TURN_UNTIL(r, n_seen);
	assert_int_equal(seen.server, 51);
	assert_int_equal(seen.failed, 1);
	kill(relay_pid(r), SIGKILL);
	n_seen = 0;
	TURN_UNTIL(r, !relay_up(r));
	assert_string_equal(relay_why(r), "it was killed");
	TURN_UNTIL(r, relay_up(r) && n_seen);
	assert_int_equal(seen.forwarded, 98);
	relay_free(r);
}

static void it_gets_what_it_needs(void **state)
{
	struct relay *r = open_relay("/proc/self/exe");

	(void)state;
	TURN_UNTIL(r, relay_up(r) && n_seen);
	n_seen = 0;
	set(r, 3, "tools");
	TURN_UNTIL(r, n_seen);
	assert_int_equal(seen.answered, 4);
	assert_int_equal(seen.failed, 4);
	n_seen = 0;
	set(r, 3, "fds");
	TURN_UNTIL(r, n_seen);
	assert_int_equal(seen.answered, 3);
	relay_free(r);
}

static void who_misbehaves_is_replaced(void **state)
{
	static const struct {
		const char *order, *why;
	} rows[] = {
		{ "die", "exit status 5" },
		{ "babble", "nobody understands" },
		{ "greet again", "nobody understands" },
		{ "short stats", "nobody understands" },
		{ "foreign stats", "nobody understands" },
		{ "endless trouble", "nobody understands" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct relay *r = open_relay("/proc/self/exe");

		TURN_UNTIL(r, relay_up(r));
		set(r, 3, rows[i].order);
		TURN_UNTIL(r, !relay_up(r));
		assert_non_null(strstr(relay_why(r), rows[i].why));
		assert_int_equal(relay_pid(r), 0);
		relay_drop_rule(r, 3);
		TURN_UNTIL(r, relay_up(r));
		relay_free(r);
	}
}

static void who_hangs_is_replaced(void **state)
{
	struct relay *r = open_relay("/proc/self/exe");

	(void)state;
	TURN_UNTIL(r, relay_up(r));
	set(r, 3, "hang");
	TURN_UNTIL(r, !relay_up(r));
	assert_string_equal(relay_why(r), "it hangs");
	relay_free(r);
}

static int dial(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void without_a_process_nobody_waits(void **state)
{
	struct relay *r = open_relay("/nonexistent/relay");
	uint16_t v4, v6;
	char byte;
	int fd[2];

	(void)state;
	relay_ports(r, &v4, &v6);
	assert_true(v4);
	fd[0] = dial(v4);
	relay_run(r);
	assert_non_null(strstr(relay_why(r), "/nonexistent/relay"));
	assert_int_equal(recv(fd[0], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	fd[1] = dial(v4);
	turn(r);
	assert_int_equal(recv(fd[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd[0]);
	close(fd[1]);
	relay_free(r);
	/* and once it is gone the port is */
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	{
		struct sockaddr_in at = { .sin_family = AF_INET,
					  .sin_port = htons(v4),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		assert_int_equal(connect(fd[0], (struct sockaddr *)&at, sizeof(at)), -1);
	}
	close(fd[0]);
}

static void rules_have_a_shape(void **state)
{
	static const struct relay_rule good = { .server = 1,
						.kind = RELAY_FORWARD,
						.port = 80,
						.name = "a",
						.path = "/a",
						.target = "b",
						.target_host = "b:80",
						.target_path = "" };
	struct relay *r = open_relay("/nonexistent/relay");
	struct relay_rule rule = good;

	(void)state;
	assert_int_equal(relay_rule_check(&good), 0);
#define BAD(field, value)                                                     \
	do {                                                                  \
		rule = good;                                                  \
		rule.field = (value);                                         \
		assert_int_equal(relay_set_rule(r, &rule, NULL, 0), -EINVAL); \
	} while (0)
#define BAD_TEXT(field, value)                                                \
	do {                                                                  \
		rule = good;                                                  \
		memcpy(rule.field, value, sizeof(value));                     \
		assert_int_equal(relay_set_rule(r, &rule, NULL, 0), -EINVAL); \
	} while (0)
	BAD(server, SG_SERVERS_MAX);
	BAD(kind, RELAY_KIND_COUNT);
	BAD(flags, 4);
	BAD(port, 0);
	BAD_TEXT(name, "");
	BAD_TEXT(name, "a\nb");
	BAD_TEXT(name, "\xff");
	BAD_TEXT(path, "mcp");
	BAD_TEXT(path, "/a?b");
	BAD_TEXT(path, "/a b");
	BAD_TEXT(target, "");
	BAD_TEXT(target_host, "");
	BAD_TEXT(target_host, "b\r\nX: y");
	BAD_TEXT(target_path, "/\xc3\xa9");
	rule = good;
	memset(rule.reason, 'x', sizeof(rule.reason));
	assert_int_equal(relay_set_rule(r, &rule, NULL, 0), -EINVAL);
	rule = good;
	memset(rule.idempotent, 'x', sizeof(rule.idempotent));
	assert_int_equal(relay_set_rule(r, &rule, NULL, 0), -EINVAL);
	rule.idempotent[sizeof(rule.idempotent) - 1] = '\0';
	assert_int_equal(relay_set_rule(r, &rule, NULL, 0), -EINVAL);
	rule.idempotent[sizeof(rule.idempotent) - 2] = '\0';
	assert_int_equal(relay_set_rule(r, &rule, NULL, 0), 0);
	assert_int_equal(relay_set_rule(r, &good, "", RELAY_TOOLS_MAX + 1), -E2BIG);
	relay_free(r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_gets_all_rules_first),
		cmocka_unit_test(it_gets_what_it_needs),
		cmocka_unit_test(who_misbehaves_is_replaced),
		cmocka_unit_test(who_hangs_is_replaced),
		cmocka_unit_test(without_a_process_nobody_waits),
		cmocka_unit_test(rules_have_a_shape),
	};

	if (argc == 4 && !strcmp(argv[0], "switchgear-relay"))
		return be_a_relay();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
