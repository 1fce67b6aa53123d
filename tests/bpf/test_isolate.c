/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A cgroup that is cut off: who is in it is reached by nobody and reaches nothing, in either family,
 * by TCP and UDP, but for what is allowed; until it ends, by its time, too.
 */
#include "bpf/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "dataplane/isolate.h"

#define INSIDE_PORT 4001
#define OUTSIDE_PORT 4002
#define OTHER_PORT 4003
#define SOON_MS 300   /* what does not come is not waited for longer */
#define LATE_MS 10000 /* and what does come, no longer than this */
#define TIMES_OUT 1000

static struct dataplane *dp;
static char inside[500];
static pid_t server = -1;
static int outside[4] = { -1, -1, -1, -1 }; /* an internal system: TCP, UDP of both families */

/* --- both sides ------------------------------------------------------------------------------ */

static struct sockaddr_in6 at(const char *addr, uint16_t port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct addr a;

	if (parse_addr(addr, &a))
		abort();
	memcpy(&to.sin6_addr, a.bytes, sizeof(to.sin6_addr));
	return to;
}

/* A socket of its family, v4 as such. */
static int make(const char *addr, int type)
{
	return socket(strchr(addr, ':') ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);
}

static socklen_t name_of(const char *addr, uint16_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in6 six = at(addr, port);
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };

	memset(to, 0, sizeof(*to));
	if (strchr(addr, ':')) {
		memcpy(to, &six, sizeof(six));
		return sizeof(six);
	}
	inet_pton(AF_INET, addr, &four.sin_addr);
	memcpy(to, &four, sizeof(four));
	return sizeof(four);
}

static int waits(const char *addr, uint16_t port, int type)
{
	int fd = make(addr, type);
	struct sockaddr_storage to;
	socklen_t len = name_of(addr, port, &to);
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (strchr(addr, ':'))
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&to, len) || (type == SOCK_STREAM && listen(fd, 64)))
		abort();
	return fd;
}

/* 0, an errno, or TIMES_OUT. */
static int connects(const char *addr, uint16_t port, int *ret_fd)
{
	int fd = make(addr, SOCK_STREAM | SOCK_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct sockaddr_storage to;
	socklen_t len = name_of(addr, port, &to);
	int error = 0;
	int r;

	r = connect(fd, (struct sockaddr *)&to, len) ? errno : 0;
	if (r == EINPROGRESS && !poll(&p, 1, SOON_MS)) {
		r = TIMES_OUT;
	} else if (r == EINPROGRESS) {
		len = sizeof(error);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		r = error;
	}
	if (!r && ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return r;
}

/* Sends a datagram and waits for the answer. */
static int asks(const char *addr, uint16_t port)
{
	CLEANUP(closep) int fd = make(addr, SOCK_DGRAM);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_storage to;
	socklen_t len = name_of(addr, port, &to);

	if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, len) < 0)
		return errno;
	return poll(&p, 1, SOON_MS) ? 0 : TIMES_OUT;
}

/* Accepts what comes and keeps it; answers datagrams. */
static void serve(const int *fds, size_t n)
{
	struct pollfd p[4];

	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	while (poll(p, n, -1) >= 0) {
		for (size_t i = 0; i < n; i++) {
			struct sockaddr_storage from;
			socklen_t len = sizeof(from);
			char c[8];

			if (!p[i].revents)
				continue;
			if (i < 2)
				(void)!accept(fds[i], NULL, NULL);
			else if (recvfrom(fds[i], c, sizeof(c), 0, (void *)&from, &len) > 0)
				(void)!sendto(fds[i], c, 1, 0, (void *)&from, len);
		}
	}
}

/* --- inside -------------------------------------------------------------------------------------- */

static void move_inside(void)
{
	char path[700];
	CLEANUP(closep) int fd = -1;

	snprintf(path, sizeof(path), "%s/cgroup.procs", inside);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		abort();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

struct doing {
	int (*fn)(const char *addr, uint16_t port);
	const char *addr;
	uint16_t port;
};

static int connects_to(const char *addr, uint16_t port)
{
	return connects(addr, port, NULL);
}

static int unix_connects(const char *path, uint16_t unused)
{
	CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	(void)unused;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) ? errno : 0;
}

/* By a process that comes into the cgroup for it: what it gets. */
static int within(int (*fn)(const char *addr, uint16_t port), const char *addr, uint16_t port)
{
	int result = -1;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		move_inside();
		result = fn(addr, port);
		(void)!write(ends[1], &result, sizeof(result));
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &result, sizeof(result)), sizeof(result));
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return result;
}

static void server_begin(void)
{
	int ends[2];
	char c;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	server = fork();
	if (!server) {
		int fds[4];

		close(dp->dir_fd); /* it holds the lock of the pins */
		move_inside();
		for (int i = 0; i < 4; i++)
			fds[i] = waits(i % 2 ? "::1" : "127.0.0.1", INSIDE_PORT,
				       i < 2 ? SOCK_STREAM : SOCK_DGRAM);
		(void)!write(ends[1], "r", 1);
		serve(fds, 4);
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &c, 1), 1);
	close(ends[0]);
}

/* --- the test's own ------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct sg_policy policy = rig_policy();
	static pid_t system;

	(void)state;
	snprintf(inside, sizeof(inside), "%.480s/inside", rig_cgroup());
	assert_int_equal(mkdir(inside, 0755), 0);
	for (int i = 0; i < 4; i++)
		outside[i] = waits(i % 2 ? "::1" : "0.0.0.0", OUTSIDE_PORT,
				   i < 2 ? SOCK_STREAM : SOCK_DGRAM);
	system = fork();
	if (!system) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(outside, 4);
		_exit(1);
	}
	dp = rig_open();
	dataplane_lease(dp, SG_FOREVER);
	rig_server(dp, &policy, NS_PER_SEC);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dataplane_close(dp);
	return 0;
}

static int each_begin(void **state)
{
	(void)state;
	server_begin();
	return 0;
}

static int each_end(void **state)
{
	(void)state;
	(void)!dataplane_isolation_end(dp, RIG_SERVER);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
	dataplane_bypass(dp, 0);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}

static struct isolate_order order(void)
{
	struct isolate_order o = { .dp = dp, .server = RIG_SERVER };

	snprintf(o.ask.cgroup, sizeof(o.ask.cgroup), "%s", inside);
	return o;
}

static struct isolate_result run_order(const struct isolate_order *o)
{
	struct isolate_result result = { 0 };
	struct isolate_order copy = *o;

	assert_int_equal(isolate_order_run(&copy, &result, sizeof(result)), 0);
	if (result.state == ISOLATE_FAILED)
		fail_msg("%s", result.why);
	return result;
}

static struct isolate_result isolate_with(struct isolate_order o)
{
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	return run_order(&o);
}

static void allow(struct isolate_order *o, const char *network, uint16_t port)
{
	struct isolate_allowed *a = &o->allow[o->n_allow++];
	unsigned int len;

	assert_int_equal(parse_network(network, &a->addr, &len), 0);
	a->len = (uint8_t)len;
	a->port = port;
}

/* What is refused at once; EPERM where the kernel cannot say it. */
static int refusal(void)
{
	return dp->skel->rodata_sg->sg_rodata.has_retval ? ENETUNREACH : EPERM;
}

static void everything_works(void)
{
	static const char *const addrs[] = { "127.0.0.1", "::1" };

	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		assert_int_equal(connects(addrs[i], INSIDE_PORT, NULL), 0);
		assert_int_equal(asks(addrs[i], INSIDE_PORT), 0);
		assert_int_equal(within(connects_to, addrs[i], OUTSIDE_PORT), 0);
		assert_int_equal(within(asks, addrs[i], OUTSIDE_PORT), 0);
	}
}

static void nothing_works(void)
{
	static const char *const addrs[] = { "127.0.0.1", "::1" };

	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		assert_int_equal(connects(addrs[i], INSIDE_PORT, NULL), TIMES_OUT);
		assert_int_equal(asks(addrs[i], INSIDE_PORT), TIMES_OUT);
		assert_int_equal(within(connects_to, addrs[i], OUTSIDE_PORT), refusal());
		assert_int_equal(within(asks, addrs[i], OUTSIDE_PORT), refusal());
	}
}

/* --- tests ------------------------------------------------------------------------------------------ */

static void test_nobody_reaches_it_and_it_reaches_nothing(void **state)
{
	struct isolate_result result;
	struct sg_isolation iso;

	(void)state;
	everything_works();
	result = isolate_with(order());
	assert_int_equal(result.state, ISOLATE_DONE);
	assert_true(result.fresh);
	assert_int_equal(result.processes, 1);
	nothing_works();
	assert_true(dataplane_isolation(dp, RIG_SERVER, &iso));
	assert_true(iso.dropped > 0);
	assert_int_equal(iso.refused, 4);
	result = isolate_with(order());
	assert_int_equal(result.state, ISOLATE_DONE);
	assert_false(result.fresh);
	assert_int_equal(dataplane_isolation_end(dp, RIG_SERVER), 0);
	assert_false(dataplane_isolation(dp, RIG_SERVER, &iso));
	everything_works();
}

/* How an open connection ends here: 0: not, else an errno; EPIPE: at its end. */
static int ends(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;
	ssize_t n;

	if (!poll(&p, 1, ms))
		return 0;
	n = recv(fd, &c, 1, 0);
	return n < 0 ? errno : EPIPE;
}

static void test_what_is_open_is_cut_at_both_ends(void **state)
{
	CLEANUP(closep) int four = -1;
	CLEANUP(closep) int six = -1;
	struct isolate_result result;

	(void)state;
	assert_int_equal(connects("127.0.0.1", INSIDE_PORT, &four), 0);
	assert_int_equal(connects("::1", INSIDE_PORT, &six), 0);
	assert_int_equal(ends(four, 50), 0);
	result = isolate_with(order());
	assert_in_range(result.cut, 2, 10);
	assert_int_equal(result.survivors, 0);
	assert_int_equal(ends(four, LATE_MS), ECONNRESET);
	assert_int_equal(ends(six, LATE_MS), ECONNRESET);
}

static void test_what_is_allowed_passes_both_ways(void **state)
{
	struct isolate_order o = order();

	(void)state;
	allow(&o, "127.0.0.2/32", OUTSIDE_PORT);
	allow(&o, "::1/128", 0);
	(void)isolate_with(o);
	assert_int_equal(within(connects_to, "127.0.0.2", OUTSIDE_PORT), 0);
	assert_int_equal(within(connects_to, "127.0.0.2", OTHER_PORT), refusal());
	assert_int_equal(within(connects_to, "127.0.0.1", OUTSIDE_PORT), refusal());
	assert_int_equal(within(connects_to, "::1", OUTSIDE_PORT), 0);
	assert_int_equal(within(asks, "::1", OUTSIDE_PORT), 0);
	assert_int_equal(connects("::1", INSIDE_PORT, NULL), 0); /* an investigator comes in */
	assert_int_equal(connects("127.0.0.1", INSIDE_PORT, NULL), TIMES_OUT);
}

/* The kernel looks at the longest prefix alone. */
static void test_a_narrow_network_has_what_a_wide_one_allows(void **state)
{
	struct isolate_order o = order();

	(void)state;
	allow(&o, "127.0.0.0/8", OUTSIDE_PORT);
	allow(&o, "127.0.0.2/32", OTHER_PORT);
	(void)isolate_with(o);
	assert_int_equal(within(connects_to, "127.0.0.2", OUTSIDE_PORT), 0);
	assert_int_equal(within(connects_to, "127.0.0.2", OTHER_PORT), ECONNREFUSED);
	assert_int_equal(within(connects_to, "127.0.0.3", OTHER_PORT), refusal());
	/* and a second order has what it says, no more */
	o.n_allow = 0;
	(void)isolate_with(o);
	assert_int_equal(within(connects_to, "127.0.0.2", OUTSIDE_PORT), refusal());
}

static void test_it_ends_with_the_quarantine(void **state)
{
	(void)state;
	(void)isolate_with(order());
	assert_int_equal(
		dataplane_quarantine_set(dp, RIG_SERVER, clock_boot_ns() + 300 * NS_PER_MS), 0);
	assert_int_equal(within(connects_to, "127.0.0.1", OUTSIDE_PORT), refusal());
	usleep(350000);
	everything_works();
}

static void test_in_a_bypass_it_passes_and_is_counted(void **state)
{
	(void)state;
	(void)isolate_with(order());
	dataplane_bypass(dp, clock_boot_ns() + NS_PER_SEC * 600);
	everything_works();
	assert_true(rig_stats(dp).would_deny > 0);
	dataplane_bypass(dp, 0);
	nothing_works();
}

static void test_unix_sockets(void **state)
{
	static const char path[] = "/nowhere/at/all";
	struct bpf_program *prog = dp->skel->progs.sg_isolate_cu;

	(void)state;
	assert_int_equal(within(unix_connects, path, 0), ENOENT);
	(void)isolate_with(order());
	assert_int_equal(within(unix_connects, path, 0),
			 dataplane_loaded(prog) ? ENETUNREACH : ENOENT);
	assert_int_equal(unix_connects(path, 0), ENOENT);
}

/* A new daemon: its programs come in place of the old ones. */
static void test_the_next_load_keeps_it(void **state)
{
	struct sg_isolation iso;

	(void)state;
	(void)isolate_with(order());
	dataplane_close(dp);
	assert_int_equal(connects("127.0.0.1", INSIDE_PORT, NULL), TIMES_OUT);
	dp = rig_open();
	assert_true(dataplane_isolation(dp, RIG_SERVER, &iso));
	nothing_works();
	assert_int_equal(dataplane_isolation_end(dp, RIG_SERVER), 0);
	everything_works();
}

static void test_others_in_the_cgroup_are_named_and_spared(void **state)
{
	struct isolate_order o = { .dp = dp, .server = RIG_SERVER };
	struct isolate_result result;
	CLEANUP(closep) int its = -1;
	char name[32];
	pid_t stranger;

	(void)state;
	assert_int_equal(parse_addr("127.0.0.1", &o.ask.addrs[0]), 0);
	o.ask.n_addrs = 1;
	o.ask.port = INSIDE_PORT;
	stranger = fork();
	if (!stranger) {
		move_inside();
		prctl(PR_SET_NAME, "stranger");
		pause();
		_exit(0);
	}
	usleep(100000);
	assert_int_equal(connects("127.0.0.1", INSIDE_PORT, &its), 0);
	result = isolate_with(o);
	assert_int_equal(result.state, ISOLATE_REFUSED);
	snprintf(name, sizeof(name), "stranger (pid %d)", stranger);
	assert_non_null(strstr(result.why, name));
	assert_int_equal(ends(its, LATE_MS), ECONNRESET); /* the server's own connections are cut */
	assert_int_equal(within(connects_to, "127.0.0.1", OUTSIDE_PORT), 0);
	o.force = true;
	result = run_order(&o);
	assert_int_equal(result.state, ISOLATE_DONE);
	nothing_works();
	o.force = false;
	o.again = true; /* it stays so when it is looked at */
	assert_int_equal(run_order(&o).state, ISOLATE_DONE);
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
}

/* Found by its socket, with nobody else there. */
static void test_it_is_found_by_its_address(void **state)
{
	struct isolate_order o = { .dp = dp, .server = RIG_SERVER };

	(void)state;
	assert_int_equal(parse_addr("127.0.0.1", &o.ask.addrs[0]), 0);
	o.ask.n_addrs = 1;
	o.ask.port = OTHER_PORT;
	assert_int_equal(isolate_with(o).state, ISOLATE_NONE);
	o.ask.port = INSIDE_PORT;
	assert_int_equal(isolate_with(o).state, ISOLATE_DONE);
	nothing_works();
	o.ask.port = OUTSIDE_PORT; /* of a process beside us, in the protected cgroup */
	assert_int_equal(isolate_with(o).state, ISOLATE_REFUSED);
	o.force = true;
	assert_int_equal(isolate_with(o).state, ISOLATE_REFUSED); /* we are in it ourselves */
}

struct kept {
	struct sg_captured v[256];
	size_t n;
};

static void keep(void *data, const struct sg_captured *p)
{
	struct kept *kept = data;

	if (kept->n < ARRAY_SIZE(kept->v))
		kept->v[kept->n++] = *p;
}

/* Enough of them, and not all; each with its IP header first. */
static void test_what_is_dropped_is_kept_in_part(void **state)
{
	struct sockaddr_storage to;
	socklen_t len = name_of("127.0.0.1", INSIDE_PORT, &to);
	CLEANUP(closep) int fd = make("127.0.0.1", SOCK_DGRAM);
	static struct kept kept;
	char text[600];
	size_t skipped = 0;

	(void)state;
	(void)isolate_with(order());
	assert_true(dataplane_captures_read(dp, keep, &kept) >= 0);
	kept.n = 0;
	usleep(1100000); /* another second begins */
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&to, len),
				 sizeof(text));
	usleep(1100000);
	assert_int_equal(sendto(fd, "y", 1, 0, (struct sockaddr *)&to, len), 1);
	assert_true(dataplane_captures_read(dp, keep, &kept) >= 0);
	assert_in_range(kept.n, SG_CAPTURE_RATE, 3 * SG_CAPTURE_RATE);
	for (size_t i = 0; i < kept.n; i++) {
		const struct sg_captured *p = &kept.v[i];

		assert_int_equal(p->server, RIG_SERVER);
		assert_int_equal(p->by, SG_CAPTURE_ISOLATION);
		assert_int_equal(p->out, 0);
		assert_int_equal(p->data[0], 0x45);
		skipped += p->skipped;
		if (i == kept.n - 1)
			break;
		assert_int_equal(p->len, 20 + 8 + sizeof(text));
		assert_int_equal(p->have, SG_CAPTURE_BYTES);
		assert_int_equal(p->data[28], 'x');
	}
	assert_int_equal(kept.v[kept.n - 1].have, 29);
	assert_int_equal(kept.v[kept.n - 1].data[28], 'y');
	assert_int_equal(kept.n + skipped, 1001);
}

static void test_frozen_until_it_ends(void **state)
{
	struct isolate_order o = order();
	struct isolate_result result;
	struct sg_isolation iso;

	(void)state;
	o.freeze = true;
	result = isolate_with(o);
	assert_true(result.frozen);
	assert_true(dataplane_isolation(dp, RIG_SERVER, &iso));
	assert_true(iso.flags & SG_ISOLATED_FROZEN);
	assert_true(dataplane_isolation_frozen(dp, &iso));
	assert_int_equal(dataplane_isolation_end(dp, RIG_SERVER), 0);
	assert_false(dataplane_isolation_frozen(dp, &iso));
	everything_works();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, each_begin, each_end)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nobody_reaches_it_and_it_reaches_nothing),
		TEST(test_what_is_open_is_cut_at_both_ends),
		TEST(test_what_is_allowed_passes_both_ways),
		TEST(test_a_narrow_network_has_what_a_wide_one_allows),
		TEST(test_it_ends_with_the_quarantine),
		TEST(test_in_a_bypass_it_passes_and_is_counted),
		TEST(test_unix_sockets),
		TEST(test_the_next_load_keeps_it),
		TEST(test_others_in_the_cgroup_are_named_and_spared),
		TEST(test_it_is_found_by_its_address),
		TEST(test_what_is_dropped_is_kept_in_part),
		TEST(test_frozen_until_it_ends),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
