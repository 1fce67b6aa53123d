/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connects to Unix sockets: by which bytes of an address a server is known, and what they get. */
#include "bpf/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_AT offsetof(struct sockaddr_un, sun_path)

static struct dataplane *dp;
static char dir[] = "/tmp/sg-bpf-unix-XXXXXX";

/* Names without a listener will do: ENOENT or ECONNREFUSED is what is let through. */
static int connects(int type, const char *name, size_t len)
{
	CLEANUP(closep) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	assert_true(fd >= 0 && len <= sizeof(sun.sun_path));
	memcpy(sun.sun_path, name, len);
	return connect(fd, (struct sockaddr *)&sun, (socklen_t)(NAME_AT + len)) ? errno : 0;
}

static int path_gets(const char *path)
{
	return connects(SOCK_STREAM, path, strlen(path) + 1);
}

static void begin_with(const char *name, unsigned int probes)
{
	struct sg_policy policy = rig_policy();

	policy.deny_errno = EHOSTUNREACH;
	policy.probes = probes;
	rig_server(dp, &policy, NS_PER_SEC);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
	assert_int_equal(dataplane_unix_set(dp, RIG_SERVER, name), 0);
}

static void begin(const char *name)
{
	begin_with(name, 0);
}

static void quarantine(void)
{
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
}

static void order(enum sg_state to, uint64_t until_ns)
{
	(void)rig_command(dp, (struct sg_command){ .op = SG_CMD_ORDER,
						   .server = RIG_SERVER,
						   .state = (__u8)to,
						   .until_ns = until_ns });
}

/* One of them, by whom; a Unix socket has no address that would fit. */
static void denial_is_told(void)
{
	struct rig_events events = { .n = 0 };
	size_t told = 0;

	rig_read(dp, &events);
	for (size_t i = 0; i < events.n; i++) {
		if (events.e[i].type != SG_EV_DENIAL)
			continue;
		told++;
		assert_int_equal(events.e[i].pid, getpid());
		assert_int_equal(events.e[i].port, 0);
	}
	assert_int_equal(told, 1);
}

static void test_paths(void **state)
{
	char path[SG_UNIX_PATH + 1];
	char name[SG_UNIX_PATH];

	(void)state;
	snprintf(path, sizeof(path), "%s/a.sock", dir);
	begin(path);
	assert_int_equal(path_gets(path), ENOENT);
	assert_int_equal(rig_stats(dp).connects, 1);
	quarantine();
	assert_int_equal(path_gets(path), EHOSTUNREACH);
	assert_int_equal(connects(SOCK_DGRAM, path, strlen(path) + 1), EHOSTUNREACH);
	assert_int_equal(connects(SOCK_SEQPACKET, path, strlen(path) + 1), EHOSTUNREACH);
	/* without a zero at its end, and with anything behind that */
	assert_int_equal(connects(SOCK_STREAM, path, strlen(path)), EHOSTUNREACH);
	memset(name, 'x', sizeof(name));
	memcpy(name, path, strlen(path) + 1);
	assert_int_equal(connects(SOCK_STREAM, name, sizeof(name)), EHOSTUNREACH);
	assert_int_equal(rig_stats(dp).denied, 5);
	denial_is_told();
	/* others */
	assert_int_equal(connects(SOCK_STREAM, path, strlen(path) - 1), ENOENT);
	snprintf(path, sizeof(path), "%s/a.sockx", dir);
	assert_int_equal(path_gets(path), ENOENT);
	assert_int_equal(path_gets("/"), ECONNREFUSED);
	assert_int_equal(connects(SOCK_STREAM, "", 0), EINVAL);
	assert_int_equal(rig_stats(dp).denied, 5);
}

/* As long as an address can be: no zero fits behind it. */
static void test_the_longest_path(void **state)
{
	char path[SG_UNIX_PATH + 1];

	(void)state;
	memset(path, 'x', sizeof(path));
	memcpy(path, dir, strlen(dir));
	path[strlen(dir)] = '/';
	path[SG_UNIX_PATH - 1] = '\0';
	begin(path);
	quarantine();
	assert_int_equal(connects(SOCK_STREAM, path, SG_UNIX_PATH), EHOSTUNREACH);
	assert_int_equal(connects(SOCK_STREAM, path, SG_UNIX_PATH - 1), EHOSTUNREACH);
	path[SG_UNIX_PATH - 1] = 'x';
	assert_int_equal(connects(SOCK_STREAM, path, SG_UNIX_PATH), ENOENT);
}

static void test_abstract_names(void **state)
{
	static const char name[] = "\0sg-a\0\0";

	(void)state;
	begin("@sg-a");
	quarantine();
	assert_int_equal(connects(SOCK_STREAM, name, 5), EHOSTUNREACH);
	/* zeros behind it make another socket to the kernel, and none here */
	assert_int_equal(connects(SOCK_STREAM, name, 7), EHOSTUNREACH);
	assert_int_equal(connects(SOCK_STREAM, name, 4), ECONNREFUSED);
	assert_int_equal(connects(SOCK_STREAM, "\0sg-a\0b", 7), ECONNREFUSED);
	assert_int_equal(connects(SOCK_STREAM, "\0sg-ab", 6), ECONNREFUSED);
	assert_int_equal(path_gets("@sg-a"), ENOENT);
	/* of another network namespace than the daemon's */
	dp->cfg->home_netns++;
	assert_int_equal(connects(SOCK_STREAM, name, 5), ECONNREFUSED);
	dp->cfg->home_netns--;
	assert_int_equal(connects(SOCK_STREAM, name, 5), EHOSTUNREACH);
}

static void test_breaker(void **state)
{
	uint64_t now = clock_boot_ns();

	(void)state;
	begin("/none/a.sock");
	order(SG_FORCED_OPEN, SG_FOREVER);
	assert_int_equal(path_gets("/none/a.sock"), EHOSTUNREACH);
	order(SG_SHADOW, SG_FOREVER);
	assert_int_equal(path_gets("/none/a.sock"), ENOENT);
	/* its time is over: nobody has to say so, and no probe has to tell */
	order(SG_FORCED_OPEN, now + NS_PER_MS);
	usleep(2000);
	assert_int_equal(path_gets("/none/a.sock"), ENOENT);
	assert_int_equal(rig_command(dp,
				     (struct sg_command){ .op = SG_CMD_READ, .server = RIG_SERVER })
				 .breaker.state,
			 SG_CLOSED);
	dp->cfg->observe = 1;
	quarantine();
	assert_int_equal(path_gets("/none/a.sock"), ENOENT);
	assert_int_equal(rig_stats(dp).would_deny, 1);
	dp->cfg->observe = 0;
	assert_int_equal(path_gets("/none/a.sock"), EHOSTUNREACH);
}

/* Of a server that has networks as well: its probes are decided there, and none is taken here. */
static void test_half_open(void **state)
{
	unsigned int probes = rig_policy().probes;

	(void)state;
	begin_with("/none/a.sock", probes);
	order(SG_FORCED_OPEN, SG_FOREVER);
	assert_int_equal(path_gets("/none/a.sock"), EHOSTUNREACH);
	order(SG_FORCED_OPEN, clock_boot_ns() + NS_PER_MS);
	usleep(2000);
	for (unsigned int i = 0; i < 2 * probes; i++)
		assert_int_equal(path_gets("/none/a.sock"), ENOENT);
	assert_int_equal(rig_command(dp,
				     (struct sg_command){ .op = SG_CMD_READ, .server = RIG_SERVER })
				 .breaker.state,
			 SG_HALF_OPEN);
}

/* An entry of whoever had the id before, and one that is gone. */
static void test_entries(void **state)
{
	(void)state;
	begin("/none/a.sock");
	quarantine();
	assert_int_equal(path_gets("/none/a.sock"), EHOSTUNREACH);
	assert_int_equal(dataplane_unix_set(dp, RIG_SERVER, "/none/b.sock"), 0);
	assert_int_equal(path_gets("/none/a.sock"), ENOENT);
	assert_int_equal(path_gets("/none/b.sock"), EHOSTUNREACH);
	(void)rig_command(dp, (struct sg_command){ .op = SG_CMD_FORGET, .server = RIG_SERVER });
	begin(NULL);
	quarantine();
	assert_int_equal(path_gets("/none/b.sock"), ENOENT);
}

static void test_attached_while_needed(void **state)
{
	(void)state;
	begin("/none/a.sock");
	quarantine();
	dataplane_unix_settle(dp);
	assert_int_equal(path_gets("/none/a.sock"), EHOSTUNREACH);
	assert_int_equal(dataplane_unix_set(dp, RIG_SERVER, NULL), 0);
	dataplane_unix_settle(dp);
	assert_int_equal(dataplane_unix_set(dp, RIG_SERVER, "/none/a.sock"), 0);
	assert_int_equal(path_gets("/none/a.sock"), ENOENT);
	assert_true(dataplane_unix_begin(dp));
	assert_int_equal(path_gets("/none/a.sock"), EHOSTUNREACH);
}

/* Where the kernel does not have the hook, that is said, and nothing is refused. */
static void test_without_the_hook(void **state)
{
	(void)state;
	begin("/none/a.sock");
	quarantine();
	assert_int_equal(path_gets("/none/a.sock"), ENOENT);
	assert_non_null(strstr(dataplane_unix_error(dp), "Linux 6.7"));
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_the_longest_path),
		cmocka_unit_test(test_abstract_names),
		cmocka_unit_test(test_breaker),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_attached_while_needed),
	};
	const struct CMUnitTest without[] = { cmocka_unit_test(test_without_the_hook) };
	int r;

	dp = rig_open();
	if (!dp || !mkdtemp(dir))
		return 1;
	r = dataplane_unix_begin(dp) ? cmocka_run_group_tests(tests, NULL, NULL)
				     : cmocka_run_group_tests(without, NULL, NULL);
	rmdir(dir);
	dataplane_close(dp);
	return r;
}

int main(void)
{
	return rig_main(run);
}
