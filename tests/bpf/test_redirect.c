/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connects that a server does not get go elsewhere: where that is right, and nowhere else. */
#include "bpf/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER (RIG_SERVER + 1) /* the server that stands in */
#define RELAY_USER 61184U

static struct dataplane *dp;
/* Listeners of the server, of the other one, and the relay's: in both families. */
static struct {
	int v4;
	int v6;
	uint16_t port;
} own, other, relay;

enum name {
	V4,
	V6,
	MAPPED,
	NAMES
};

static const char *const names[NAMES] = { "127.0.0.1", "::1", "::ffff:127.0.0.1" };

static socklen_t address(enum name name, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (name == V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, names[name], &v4->sin_addr), 1);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, names[name], &v6->sin6_addr), 1);
	return sizeof(*v6);
}

static int listener(enum name name, uint16_t port)
{
	int fd = socket(name == V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	struct sockaddr_storage sa;
	socklen_t len = address(name, port, &sa);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static int dial_from(int fd, enum name name, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = address(name, port, &sa);

	return connect(fd, (struct sockaddr *)&sa, len) ? -errno : 0;
}

static int socket_for(enum name name)
{
	int fd = socket(name == V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A socket that is connected, or -errno. */
static int dial(enum name name)
{
	int fd = socket_for(name);
	int r = dial_from(fd, name, own.port);

	if (r)
		close(fd);
	return r ? r : fd;
}

static void shows_what_was_asked(int fd, enum name name)
{
	struct sockaddr_storage want;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	memset(&sa, 0, sizeof(sa));
	assert_int_equal(getpeername(fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(len, address(name, own.port, &want));
	assert_memory_equal(&sa, &want, len);
}

/* Who has it to accept: closes it; -EAGAIN: nobody did. */
static int take(int v4, int v6, struct sockaddr_storage *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = accept(v4, (struct sockaddr *)ret, &len);

	if (fd < 0)
		fd = accept(v6, (struct sockaddr *)ret, &len);
	if (fd < 0)
		return -EAGAIN;
	close(fd);
	return 0;
}

static struct sg_stats stats_of(uint32_t id)
{
	struct sg_stats s;

	assert_int_equal(dataplane_stats(dp, id, &s), 0);
	return s;
}

static void use(uint32_t id)
{
	struct sg_policy policy = rig_policy();

	policy.deny_errno = ECONNREFUSED;
	(void)!dataplane_server_forget(dp, id);
	assert_int_equal(dataplane_server_set(dp, id, id == OTHER ? "other" : "own", 0, 0, &policy,
					      NS_PER_SEC, true),
			 0);
}

static void order(uint32_t id, enum sg_state to)
{
	struct sg_command cmd = {
		.op = SG_CMD_ORDER, .server = id, .state = (__u8)to, .until_ns = SG_FOREVER
	};

	assert_int_equal(dataplane_command(dp, &cmd), 0);
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(text, &a), 0);
	return a;
}

static void endpoints(uint32_t id, uint16_t port)
{
	const struct addr addrs[] = { addr_of("127.0.0.1"), addr_of("::1") };
	const uint16_t ports[] = { port, port };

	assert_int_equal(dataplane_endpoints_set(dp, id, addrs, ports, 2), 0);
}

static struct sg_redirect to(enum sg_redirect_kind kind, uint16_t port)
{
	struct sg_redirect r = { .kind = kind,
				 .netns = dataplane_home_netns(dp),
				 .port4 = htons(port),
				 .port6 = htons(port) };
	const struct addr v4 = addr_of("127.0.0.1");
	const struct addr v6 = addr_of("::1");

	memcpy(r.addr4, v4.bytes, sizeof(r.addr4));
	memcpy(r.addr6, v6.bytes, sizeof(r.addr6));
	if (kind == SG_REDIRECT_DIRECT) {
		assert_int_equal(dataplane_endpoint_at(dp, OTHER, &v4, port, &r.at4), 0);
		assert_int_equal(dataplane_endpoint_at(dp, OTHER, &v6, port, &r.at6), 0);
	}
	return r;
}

static void redirect(const struct sg_redirect *r)
{
	assert_int_equal(dataplane_redirect_set(dp, RIG_SERVER, r), 0);
}

static void direct(void)
{
	const struct sg_redirect r = to(SG_REDIRECT_DIRECT, other.port);

	redirect(&r);
}

static void to_relay(enum sg_redirect_kind kind)
{
	const struct sg_redirect r = to(kind, relay.port);

	redirect(&r);
}

/* Both servers are as new, this one is open, and nothing goes elsewhere. */
static void fresh(void)
{
	use(RIG_SERVER);
	use(OTHER);
	endpoints(RIG_SERVER, own.port);
	endpoints(OTHER, other.port);
	order(RIG_SERVER, SG_FORCED_OPEN);
	dataplane_lease(dp, SG_FOREVER);
	dataplane_relay_user(dp, RELAY_USER);
	rig_drain(dp);
}

static void test_direct(void **state)
{
	struct sockaddr_storage unused;
	struct sg_flow f;

	(void)state;
	for (int name = 0; name < NAMES; name++) {
		CLEANUP(closep) int fd = -1;
		uint64_t cookie;

		fresh();
		assert_int_equal(dial((enum name)name), -ECONNREFUSED);
		direct();
		fd = dial((enum name)name);
		assert_true(fd >= 0);
		shows_what_was_asked(fd, (enum name)name);
		assert_int_equal(take(other.v4, other.v6, &unused), 0);
		assert_int_equal(take(own.v4, own.v6, &unused), -EAGAIN);
		cookie = rig_cookie(fd);
		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.flows), &cookie, &f), 0);
		assert_int_equal(f.server, OTHER);
		assert_int_equal(f.origin, RIG_SERVER);
		assert_int_equal(ntohs(f.remote_port), other.port);
		assert_int_equal(stats_of(RIG_SERVER).redirected, 1);
		assert_int_equal(stats_of(RIG_SERVER).denied, 1);
		assert_int_equal(stats_of(RIG_SERVER).connects, 0);
		assert_int_equal(stats_of(OTHER).connects, 1);
		assert_int_equal(stats_of(OTHER).established, 1);
	}
}

/* Quarantine, too, sends elsewhere; and one that is let through by its own breaker stays. */
static void test_when(void **state)
{
	struct sockaddr_storage unused;
	CLEANUP(closep) int quarantined = -1;
	CLEANUP(closep) int closed = -1;

	(void)state;
	fresh();
	direct();
	order(RIG_SERVER, SG_FORCED_CLOSED);
	closed = dial(V4);
	assert_true(closed >= 0);
	assert_int_equal(take(own.v4, own.v6, &unused), 0);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	quarantined = dial(V4);
	assert_true(quarantined >= 0);
	assert_int_equal(take(other.v4, other.v6, &unused), 0);
	assert_int_equal(stats_of(RIG_SERVER).redirected, 1);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
}

/* The other server's own verdict holds. */
static void test_other_denied(void **state)
{
	(void)state;
	fresh();
	direct();
	order(OTHER, SG_FORCED_OPEN);
	assert_int_equal(dial(V4), -ECONNREFUSED);
	order(OTHER, SG_FORCED_CLOSED);
	assert_int_equal(dataplane_quarantine_set(dp, OTHER, SG_FOREVER), 0);
	assert_int_equal(dial(V6), -ECONNREFUSED);
	assert_int_equal(dataplane_quarantine_set(dp, OTHER, 0), 0);
	assert_int_equal(stats_of(RIG_SERVER).denied, 2);
	assert_int_equal(stats_of(RIG_SERVER).redirected, 0);
	endpoints(OTHER, own.port + 1); /* the address is not its own any more, but the id is */
	use(OTHER);                     /* and now it is another server's */
	assert_int_equal(dial(V4), -ECONNREFUSED);
}

/* A half-open breaker's probe is for the server itself. */
static void test_probe(void **state)
{
	CLEANUP(closep) int elsewhere = -1;
	struct sg_policy policy = rig_policy();
	struct sockaddr_storage unused;
	CLEANUP(closep) int probe = -1;

	(void)state;
	fresh();
	direct();
	policy.probes = 1;
	policy.deny_errno = ECONNREFUSED;
	assert_int_equal(
		dataplane_server_set(dp, RIG_SERVER, "own", 0, 0, &policy, NS_PER_SEC, true), 0);
	(void)rig_command(dp, (struct sg_command){ .op = SG_CMD_ORDER,
						   .server = RIG_SERVER,
						   .state = SG_FORCED_OPEN,
						   .until_ns = clock_boot_ns() + 1 });
	probe = dial(V4);
	assert_true(probe >= 0);
	elsewhere = dial(V4);
	assert_true(elsewhere >= 0);
	assert_int_equal(take(own.v4, own.v6, &unused), 0);
	assert_int_equal(take(own.v4, own.v6, &unused), -EAGAIN);
	assert_int_equal(take(other.v4, other.v6, &unused), 0);
}

/* Now the server gets connects again: who was redirected goes back, but not in a call. */
static void test_drains(void **state)
{
	struct dataplane_targets targets;
	CLEANUP(closep) int fd = -1;
	int conn;

	(void)state;
	fresh();
	direct();
	fd = dial(V4);
	assert_true(fd >= 0);
	conn = accept(other.v4, NULL, NULL);
	assert_true(conn >= 0);
	assert_int_equal(dataplane_find(dp, RIG_SERVER, &targets), 0);
	assert_int_equal(targets.n, 0);
	dataplane_targets_done(&targets);
	assert_int_equal(write(fd, "POST / HTTP/1.1\r\n\r\n", 19), 19);
	order(RIG_SERVER, SG_FORCED_CLOSED);
	assert_int_equal(dataplane_find(dp, RIG_SERVER, &targets), 0);
	assert_int_equal(targets.n, 0);
	assert_int_equal(targets.busy, 1);
	dataplane_targets_done(&targets);
	assert_int_equal(write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38), 38);
	assert_int_equal(read(fd, (char[64]){ 0 }, 64), 38);
	assert_int_equal(dataplane_find(dp, RIG_SERVER, &targets), 0);
	assert_int_equal(targets.n, 1);
	assert_int_equal(targets.v[0].cookie, rig_cookie(fd));
	dataplane_targets_done(&targets);
	close(conn);
}

static void origin_of(const struct sockaddr_storage *peer, struct sg_origin *ret)
{
	__u32 port = ntohs(peer->ss_family == AF_INET
				   ? ((const struct sockaddr_in *)peer)->sin_port
				   : ((const struct sockaddr_in6 *)peer)->sin6_port);

	assert_int_equal(bpf_map_lookup_elem(dataplane_origins_fd(dp), &port, ret), 0);
}

static void test_relay(void **state)
{
	(void)state;
	for (int name = 0; name < NAMES; name++) {
		CLEANUP(closep) int fd = -1;
		struct sockaddr_storage peer;
		uint64_t now = clock_boot_ns();
		struct sg_origin o;
		struct addr asked = addr_of(names[name]);

		fresh();
		to_relay(name == V4 ? SG_REDIRECT_STAND_IN : SG_REDIRECT_FORWARD);
		fd = dial((enum name)name);
		assert_true(fd >= 0);
		shows_what_was_asked(fd, (enum name)name);
		assert_int_equal(take(relay.v4, relay.v6, &peer), 0);
		origin_of(&peer, &o);
		assert_true(o.t_ns >= now);
		assert_int_equal(o.cookie, rig_cookie(fd));
		assert_int_equal(o.server, RIG_SERVER);
		assert_int_equal(ntohs(o.remote_port), own.port);
		assert_memory_equal(o.remote, asked.bytes, sizeof(o.remote));
		assert_memory_equal(o.local, asked.bytes, sizeof(o.local)); /* as loopback has it */
		assert_int_equal(stats_of(RIG_SERVER).redirected, name != V4);
		assert_int_equal(stats_of(RIG_SERVER).stand_in, name == V4);
		assert_int_equal(stats_of(RIG_SERVER).denied, 0);
	}
}

/* What is of the relay ends with the daemon, what is of another server does not. */
static void test_without_a_daemon(void **state)
{
	CLEANUP(closep) int fd = -1;

	(void)state;
	fresh();
	dataplane_lease(dp, clock_boot_ns());
	to_relay(SG_REDIRECT_FORWARD);
	assert_int_equal(dial(V4), -ECONNREFUSED);
	direct();
	fd = dial(V4);
	assert_true(fd >= 0);
}

static int dial_as(uid_t user)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(setuid(user) ? 255 : -dial(V4) & 255);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_nobody_who_must_not(void **state)
{
	CLEANUP(closep) int fd = -1;
	uint64_t cookie;

	(void)state;
	fresh();
	to_relay(SG_REDIRECT_FORWARD);
	assert_int_equal(dial_as(RELAY_USER), ECONNREFUSED);
	assert_int_not_equal(dial_as(RELAY_USER + 1), ECONNREFUSED);
	fd = socket_for(V4); /* the daemon's own */
	assert_int_equal(dataplane_own_add(dp, fd, &cookie), 0);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(dial_from(fd, V4, own.port), -ECONNREFUSED);
	dataplane_own_remove(dp, cookie);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
}

static void test_sockets_that_would_not_get_there(void **state)
{
	CLEANUP(closep) int bound = -1;
	CLEANUP(closep) int only = -1;
	CLEANUP(closep) int udp = -1;
	struct sg_redirect r;
	const int on = 1;
	int want = rig_refusal(dp, ECONNREFUSED);

	(void)state;
	fresh();
	to_relay(SG_REDIRECT_FORWARD);
	bound = socket_for(V4);
	assert_int_equal(setsockopt(bound, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	assert_int_not_equal(dial_from(bound, V4, own.port), 0);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(udp >= 0);
	assert_int_not_equal(dial_from(udp, V4, own.port), 0);
	r = to(SG_REDIRECT_FORWARD, relay.port);
	memset(r.addr6, 0, sizeof(r.addr6)); /* over IPv4 only, then */
	redirect(&r);
	only = socket_for(V6);
	assert_int_equal(setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(dial_from(only, V6, own.port), -want);
	close(only);
	only = dial(V6);
	assert_true(only >= 0);
	shows_what_was_asked(only, V6);
	memset(r.addr4, 0, sizeof(r.addr4));
	redirect(&r);
	assert_int_equal(dial(V4), -ECONNREFUSED);
	assert_int_equal(stats_of(RIG_SERVER).redirected, 1);
}

/* From another namespace the relay cannot be reached, nor what is local to the daemon's. */
static void test_other_namespace(void **state)
{
	struct sg_redirect r;
	int status;
	pid_t pid;

	(void)state;
	fresh();
	r = to(SG_REDIRECT_FORWARD, relay.port);
	r.netns ^= 1; /* of another one than this */
	redirect(&r);
	assert_int_equal(dial(V4), -ECONNREFUSED);
	r.netns = 0;
	redirect(&r);
	pid = dial(V4); /* means the same everywhere: this goes */
	assert_true(pid >= 0);
	close(pid);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) /* asks for an address of its own namespace: the server is not meant */
		_exit(unshare(CLONE_NEWNET) || dial(V4) == 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Watching only: nothing goes elsewhere. */
static void test_observed(void **state)
{
	struct sockaddr_storage unused;
	CLEANUP(closep) int fd = -1;

	(void)state;
	fresh();
	direct();
	dp->cfg->observe = 1;
	fd = dial(V4);
	dp->cfg->observe = 0;
	assert_true(fd >= 0);
	assert_int_equal(take(own.v4, own.v6, &unused), 0);
	assert_int_equal(stats_of(RIG_SERVER).would_deny, 1);
	assert_int_equal(stats_of(RIG_SERVER).redirected, 0);
}

/* A socket that is used again shows no peer that it had before. */
static void test_used_again(void **state)
{
	struct sockaddr unspecified = { .sa_family = AF_UNSPEC };
	CLEANUP(closep) int fd = -1;
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	(void)state;
	fresh();
	direct();
	fd = dial(V4);
	assert_true(fd >= 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(connect(fd, &unspecified, sizeof(unspecified)), 0);
		assert_int_equal(dial_from(fd, V4, again ? relay.port : other.port), 0);
		assert_int_equal(getpeername(fd, (struct sockaddr *)&sa, &len), 0);
		assert_int_equal(ntohs(sa.sin_port), again ? relay.port : other.port);
	}
}

static int setup(void **state)
{
	uint16_t port = 4100;

	(void)state;
	dp = rig_open();
	own.port = port;
	other.port = (uint16_t)(port + 2);
	relay.port = (uint16_t)(port + 4);
	own.v4 = listener(V4, own.port);
	own.v6 = listener(V6, own.port);
	other.v4 = listener(V4, other.port);
	other.v6 = listener(V6, other.port);
	relay.v4 = listener(V4, relay.port);
	relay.v6 = listener(V6, relay.port);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(dataplane_detach(dp, &(struct detach_result){ 0 }), 0);
	dataplane_close(dp);
	return 0;
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_other_denied),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_drains),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_without_a_daemon),
		cmocka_unit_test(test_nobody_who_must_not),
		cmocka_unit_test(test_sockets_that_would_not_get_there),
		cmocka_unit_test(test_other_namespace),
		cmocka_unit_test(test_observed),
		cmocka_unit_test(test_used_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
