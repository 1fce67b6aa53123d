/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ending connections whose owner would not hear of it otherwise: MPTCP ones with
 * both ends on the loopback, by a descriptor and by net.mptcp.close_timeout.
 */
#include "bpf/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include "base/log.h"
#include "dataplane/sockdiag.h"
#include "dataplane/endsock.h"

#define MPTCP 262
#define TIMEOUT "/proc/sys/net/mptcp/close_timeout"
#define PLENTY_MS 5000 /* to be told at once; otherwise it takes a minute */

/* A connection of which the test has the server's end. */
struct pair {
	int listener; /* stays: further subflows come to it */
	int server;
	int client;  /* -1: the child's alone */
	pid_t child; /* waits in recv(), 0: there is none */
	int report;  /* what it found out */
	ino_t inode; /* of the client's socket */
	struct sg_kill_target v;
};

/* What the owner of the client's end is told. */
struct told {
	int recv_errno; /* 0: end of stream */
	int send_errno;
};

static int destroy(const struct sg_kill_target *v)
{
	CLEANUP(closep) int fd = -1;

	assert_int_equal(sockdiag_open(&fd), 0);
	return sockdiag_destroy(fd, v);
}

static bool have_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP);

	if (fd < 0) {
		print_message("skipped: this kernel has no MPTCP: %s\n", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

#define NEED_MPTCP                 \
	do {                       \
		(void)state;       \
		if (!have_mptcp()) \
			skip();    \
	} while (0)

static bool have_timeout(void)
{
	return !access(TIMEOUT, F_OK);
}

/* --- connections --------------------------------------------------------------------- */

static ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void address_put(const struct sockaddr_storage *from, __u8 *addr, __be16 *port)
{
	const struct sockaddr_in6 *six = (const void *)from;
	const struct sockaddr_in *four = (const void *)from;

	if (from->ss_family == AF_INET6) {
		memcpy(addr, &six->sin6_addr, 16);
		*port = six->sin6_port;
		return;
	}
	addr[10] = addr[11] = 0xff;
	memcpy(addr + 12, &four->sin_addr, 4);
	*port = four->sin_port;
}

static struct sg_kill_target victim_of(int fd)
{
	struct sockaddr_storage local;
	struct sockaddr_storage remote;
	socklen_t len = sizeof(local);
	struct sg_kill_target v = { .proto = IPPROTO_TCP };

	assert_int_equal(getsockname(fd, (void *)&local, &len), 0);
	len = sizeof(remote);
	assert_int_equal(getpeername(fd, (void *)&remote, &len), 0);
	v.family = local.ss_family;
	address_put(&local, v.local, &v.local_port);
	address_put(&remote, v.remote, &v.remote_port);
	return v;
}

/* client: the family of its socket; addr: where to, "::ffff:127.0.0.1" is for AF_INET6. */
static struct pair pair_between(int protocol, int server, int client, const char *addr)
{
	struct pair p = { .client = -1, .report = -1 };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	bool mapped = !strncmp(addr, "::ffff:", 7);
	int family = mapped ? AF_INET : client;
	struct sockaddr *at = family == AF_INET ? (void *)&four : (void *)&six;
	socklen_t len = family == AF_INET ? sizeof(four) : sizeof(six);

	p.listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, server);
	inet_pton(AF_INET, mapped ? addr + 7 : addr, &four.sin_addr);
	inet_pton(AF_INET6, addr, &six.sin6_addr);
	assert_true(p.listener >= 0);
	assert_int_equal(bind(p.listener, at, len), 0);
	assert_int_equal(listen(p.listener, 1), 0);
	assert_int_equal(getsockname(p.listener, at, &len), 0);
	if (mapped) {
		six.sin6_port = four.sin_port;
		at = (void *)&six;
		len = sizeof(six);
	}
	p.client = socket(client, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	assert_true(p.client >= 0);
	assert_int_equal(connect(p.client, at, len), 0);
	p.server = accept(p.listener, NULL, NULL);
	assert_true(p.server >= 0);
	/* both ends have seen data: only then is it surely no fallback to TCP */
	assert_int_equal(send(p.client, "x", 1, 0), 1);
	assert_int_equal(recv(p.server, &(char){ 0 }, 1, 0), 1);
	assert_int_equal(send(p.server, "x", 1, 0), 1);
	assert_int_equal(recv(p.client, &(char){ 0 }, 1, 0), 1);
	p.v = victim_of(p.client);
	p.inode = inode_of(p.client);
	return p;
}

static struct pair pair_make(int protocol, int client, const char *addr)
{
	return pair_between(protocol, protocol, client, addr);
}

static struct told told_by(int fd)
{
	struct told t = { 0 };
	char c;

	if (recv(fd, &c, 1, 0) < 0)
		t.recv_errno = errno;
	if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
		t.send_errno = errno;
	return t;
}

/* A child that waits in recv() becomes the only owner of the client's end. */
static void give_away(struct pair *p)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	p->child = fork();
	assert_true(p->child >= 0);
	if (!p->child) {
		struct told t;

		close(p->server);
		t = told_by(p->client);
		_exit(write(ends[1], &t, sizeof(t)) != sizeof(t));
	}
	close(ends[1]);
	p->report = ends[0];
	close(p->client);
	p->client = -1;
	usleep(20000); /* until it waits */
}

/* One byte with room for a descriptor. */
struct parcel {
	char byte;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec io;
	struct msghdr msg;
};

static struct msghdr *parcel(struct parcel *p)
{
	memset(p, 0, sizeof(*p));
	p->io = (struct iovec){ .iov_base = &p->byte, .iov_len = 1 };
	p->msg = (struct msghdr){ .msg_iov = &p->io,
				  .msg_iovlen = 1,
				  .msg_control = p->control,
				  .msg_controllen = sizeof(p->control) };
	return &p->msg;
}

/* Nobody holds the client's end any more: it is on its way from one socket to another. */
static int send_away(struct pair *p)
{
	struct parcel parcel_;
	struct msghdr *msg = parcel(&parcel_);
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &p->client, sizeof(int));
	assert_int_equal(sendmsg(ends[0], msg, 0), 1);
	close(ends[0]);
	close(p->client);
	p->client = -1;
	return ends[1];
}

static void take_back(struct pair *p, int from)
{
	struct parcel parcel_;
	struct msghdr *msg = parcel(&parcel_);

	assert_int_equal(recvmsg(from, msg, 0), 1);
	assert_non_null(CMSG_FIRSTHDR(msg));
	memcpy(&p->client, CMSG_DATA(CMSG_FIRSTHDR(msg)), sizeof(int));
	close(from);
}

/* What the child was told, if that was in time. */
static bool heard(struct pair *p, struct told *t)
{
	struct timeval limit = { .tv_sec = PLENTY_MS / 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(p->report, &set);
	return select(p->report + 1, &set, NULL, NULL, &limit) == 1 &&
	       read(p->report, t, sizeof(*t)) == sizeof(*t);
}

static void pair_done(struct pair *p)
{
	if (p->child) {
		kill(p->child, SIGKILL);
		waitpid(p->child, NULL, 0);
		close(p->report);
	}
	if (p->client >= 0)
		close(p->client);
	close(p->server);
	close(p->listener);
}

/* The errno of the server's next recv(), 0 at the end of the stream, -1 if it waits. */
static int server_told(const struct pair *p)
{
	char c;

	for (int i = 0; i < 100; i++) {
		ssize_t n = recv(p->server, &c, 1, MSG_DONTWAIT);

		if (n >= 0)
			return 0;
		if (errno != EAGAIN)
			return errno;
		usleep(10000);
	}
	return -1;
}

static void timeout_is(const char *want)
{
	FILE *f = fopen(TIMEOUT, "re");
	char text[32] = "";

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, want);
}

/* What is said of a socket that nobody holds: there may be processes here that even root
 * cannot look into. */
static int nobody(void)
{
	char link[8];

	return readlink("/proc/1/fd/0", link, sizeof(link)) < 0 && errno == EACCES ? -EPERM
										   : -ENOENT;
}

/* --- by a descriptor ------------------------------------------------------------------ */

/* The owner is told at once, and sends nothing any more; the server gets a reset. What a
 * waiting recv() returns depends on the kernel: the end of the stream on 6.18. */
static void expect_ended(struct pair *p)
{
	struct told t;

	assert_true(heard(p, &t));
	assert_true(t.recv_errno == 0 || t.recv_errno == ENOTCONN || t.recv_errno == EPIPE);
	assert_int_equal(t.send_errno, EPIPE);
	assert_int_equal(server_told(p), ECONNRESET);
}

static void test_mptcp_by_descriptor(void **state)
{
	static const struct {
		int family;
		const char *addr;
	} cases[] = { { AF_INET, "127.0.0.1" },
		      { AF_INET6, "::1" },
		      { AF_INET6, "::ffff:127.0.0.1" } };

	NEED_MPTCP;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair p = pair_make(MPTCP, cases[i].family, cases[i].addr);
		struct pair other = pair_make(MPTCP, cases[i].family, cases[i].addr);

		give_away(&p);
		assert_int_equal(endsock_mptcp(&p.v), 0);
		expect_ended(&p);
		assert_int_equal(endsock_mptcp(&p.v), -ENOENT);
		assert_int_equal(send(other.client, "x", 1, 0), 1); /* not the stranger */
		assert_int_equal(recv(other.server, &(char){ 0 }, 1, 0), 1);
		pair_done(&p);
		pair_done(&other);
	}
}

static void test_mptcp_of_nobody_else(void **state)
{
	struct pair p;
	struct sg_kill_target v;

	NEED_MPTCP;
	p = pair_make(MPTCP, AF_INET, "127.0.0.1");
	for (int i = 0; i < 4; i++) {
		v = p.v;
		v.local[15] += i == 0;
		v.remote[15] += i == 1;
		v.local_port ^= i == 2;
		v.remote_port ^= i == 3;
		assert_int_equal(endsock_mptcp(&v), -ENOENT);
	}
	assert_int_equal(send(p.client, "x", 1, 0), 1);
	assert_int_equal(recv(p.server, &(char){ 0 }, 1, 0), 1);
	pair_done(&p);
}

/* As long as the connection is there it is found, even if its subflow was destroyed before. */
static void test_mptcp_without_its_subflow(void **state)
{
	struct pair p;
	struct told t;

	NEED_MPTCP;
	p = pair_make(MPTCP, AF_INET, "127.0.0.1");
	give_away(&p);
	assert_int_equal(destroy(&p.v), 0);
	assert_int_equal(destroy(&p.v), -ENOENT);
	assert_int_equal(endsock_mptcp(&p.v), 0);
	assert_true(heard(&p, &t));
	assert_int_equal(t.send_errno, EPIPE);
	pair_done(&p);
}

/* Where the kernel does not disconnect under a waiting thread (5.10), both ends see the
 * end of the stream first. */
static void expect_ended_tcp(struct pair *p)
{
	struct told t;
	int server;

	assert_true(heard(p, &t));
	assert_true(t.send_errno == EPIPE || t.send_errno == ECONNRESET);
	server = server_told(p);
	assert_true(server == ECONNRESET || (server == 0 && t.recv_errno == 0));
}

static void test_tcp(void **state)
{
	struct pair p = pair_make(IPPROTO_TCP, AF_INET6, "::1");

	(void)state;
	give_away(&p);
	assert_int_equal(endsock_inode(p.inode), 0);
	expect_ended_tcp(&p);
	pair_done(&p);
}

/* /proc shows every process, whatever network namespace it is looked at from. */
static void test_tcp_from_another_namespace(void **state)
{
	struct pair p = pair_make(IPPROTO_TCP, AF_INET, "127.0.0.1");
	int status;
	pid_t pid;

	(void)state;
	give_away(&p);
	pid = fork();
	if (!pid)
		_exit(unshare(CLONE_NEWNET) || endsock_inode(p.inode));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	expect_ended_tcp(&p);
	pair_done(&p);
}

/* A datagram socket loses its peer and stays. */
static void test_udp(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (void *)&at, sizeof(at)), 0);
	assert_int_equal(endsock_inode(inode_of(fd)), 0);
	assert_int_equal(send(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EDESTADDRREQ);
	close(fd);
}

static void test_nothing_there(void **state)
{
	int ends[2];
	ino_t inode;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	inode = inode_of(ends[0]);
	assert_int_equal(endsock_inode(inode), nobody()); /* no socket */
	assert_int_equal(endsock_inode(0), nobody());
	close(ends[0]);
	close(ends[1]);
}

/* --- by the time limit ------------------------------------------------------------------ */

#define CAP(n) (1U << (n) % 32)

/* Runs fn without CAP_SYS_PTRACE, which the owners of sockets here have. */
static int without_ptrace(int (*fn)(const struct pair *), const struct pair *p)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (syscall(SYS_capget, &header, data))
			_exit(99);
		data[0].effective &= ~CAP(CAP_SYS_PTRACE);
		data[0].permitted &= ~CAP(CAP_SYS_PTRACE);
		_exit(syscall(SYS_capset, &header, data) ? 99 : -fn(p));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static int end_mptcp(const struct pair *p)
{
	return endsock_mptcp(&p->v);
}

static int end_inode(const struct pair *p)
{
	return endsock_inode(p->inode);
}

static void limit_set(const char *text)
{
	if (have_timeout())
		rig_sysctl("net/mptcp/close_timeout", text);
}

static bool is_over(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Where there is no limit to change (before 6.7) the owner is told later, and that is said. */
static void expect_limited(struct pair *p, int r, const char *limit)
{
	assert_int_equal(r, have_timeout() ? 0 : -EOPNOTSUPP);
	if (!have_timeout())
		return;
	timeout_is(limit);
	if (p->child) {
		struct told t;

		assert_true(heard(p, &t));
		assert_int_equal(t.send_errno, EPIPE);
		return;
	}
	assert_true(is_over(p->client));
}

static void test_mptcp_that_nobody_holds(void **state)
{
	struct pair p;
	int away;
	int r;

	NEED_MPTCP;
	p = pair_make(MPTCP, AF_INET, "127.0.0.1");
	limit_set("37");
	away = send_away(&p);
	assert_int_equal(endsock_inode(p.inode), nobody());
	r = endsock_mptcp(&p.v);
	take_back(&p, away);
	expect_limited(&p, r, "37");
	assert_int_equal(destroy(&p.v), -ENOENT); /* the subflow is gone in any case */
	pair_done(&p);
}

static void test_mptcp_without_the_capability(void **state)
{
	struct pair p;

	NEED_MPTCP;
	p = pair_make(MPTCP, AF_INET6, "::1");
	limit_set("60");
	give_away(&p);
	assert_int_equal(without_ptrace(end_inode, &p), -EPERM);
	expect_limited(&p, without_ptrace(end_mptcp, &p), "60");
	assert_int_equal(destroy(&p.v), -ENOENT);
	pair_done(&p);
}

/* Too late for the time limit: said, and the limit is as it was. */
static void test_mptcp_that_is_too_late(void **state)
{
	struct pair p;
	int away;

	NEED_MPTCP;
	p = pair_make(MPTCP, AF_INET, "127.0.0.1");
	limit_set("60");
	away = send_away(&p);
	assert_int_equal(destroy(&p.v), 0);
	usleep(100000); /* the kernel's worker reads the limit a moment later */
	assert_int_equal(endsock_mptcp(&p.v), have_timeout() ? -ETIMEDOUT : -EOPNOTSUPP);
	if (have_timeout())
		timeout_is("60");
	take_back(&p, away);
	pair_done(&p);
}

/* The server speaks TCP only: then the connection is one, of an MPTCP socket. */
static void test_mptcp_that_fell_back(void **state)
{
	struct pair p;
	int away;

	NEED_MPTCP;
	limit_set("60");
	p = pair_between(MPTCP, IPPROTO_TCP, AF_INET, "127.0.0.1");
	give_away(&p);
	assert_int_equal(endsock_mptcp(&p.v), 0);
	expect_ended(&p);
	pair_done(&p);
	p = pair_between(MPTCP, IPPROTO_TCP, AF_INET, "127.0.0.1");
	away = send_away(&p);
	assert_int_equal(endsock_mptcp(&p.v), 0); /* which needs no limit */
	take_back(&p, away);
	assert_true(is_over(p.client));
	if (have_timeout())
		timeout_is("60");
	pair_done(&p);
}

/* --- several subflows ---------------------------------------------------------------------- */

struct second {
	__be16 port; /* of the server */
	__be16 not ; /* the first one's */
	struct sg_kill_target v;
	size_t n;
};

static int second_find(void *data, const struct sg_kill_target *v)
{
	struct second *s = data;

	if (v->remote_port == s->port && v->local_port != s->not ) {
		s->v = *v;
		s->n++;
	}
	return 0;
}

/* A pair with a subflow more, from 127.0.0.2; *ret is that one. False if none came. */
static bool pair_with_two(struct pair *p, struct sg_kill_target *ret)
{
	struct second s = { 0 };

	if (system("ip mptcp limits set subflows 2 add_addr_accepted 2 && ip mptcp endpoint flush && "
		   "ip mptcp endpoint add 127.0.0.2 dev lo subflow"))
		return false;
	*p = pair_make(MPTCP, AF_INET, "127.0.0.1");
	s.port = p->v.remote_port;
	s.not = p->v.local_port;
	for (int i = 0; i < 100 && !s.n; i++) {
		usleep(10000);
		assert_int_equal(sockdiag_list(IPPROTO_TCP, NULL, second_find, &s), 0);
	}
	usleep(50000); /* until it is joined */
	*ret = s.v;
	if (!s.n)
		pair_done(p);
	return s.n;
}

static void test_mptcp_by_its_second_subflow(void **state)
{
	struct sg_kill_target second;
	struct pair p;

	NEED_MPTCP;
	if (!pair_with_two(&p, &second)) {
		print_message("skipped: no second subflow came\n");
		skip();
	}
	give_away(&p);
	assert_int_equal(endsock_mptcp(&second), 0);
	expect_ended(&p);
	pair_done(&p);
}

static void test_mptcp_of_two_subflows_that_nobody_holds(void **state)
{
	struct sg_kill_target second;
	struct pair p;
	int away;
	int r;

	NEED_MPTCP;
	limit_set("60");
	if (!pair_with_two(&p, &second)) {
		print_message("skipped: no second subflow came\n");
		skip();
	}
	away = send_away(&p);
	r = endsock_mptcp(&second);
	take_back(&p, away);
	expect_limited(&p, r, "60");
	assert_int_equal(destroy(&p.v), -ENOENT);
	assert_int_equal(destroy(&second), -ENOENT);
	pair_done(&p);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mptcp_by_descriptor),
		cmocka_unit_test(test_mptcp_of_nobody_else),
		cmocka_unit_test(test_mptcp_without_its_subflow),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_from_another_namespace),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_mptcp_that_nobody_holds),
		cmocka_unit_test(test_mptcp_without_the_capability),
		cmocka_unit_test(test_mptcp_that_is_too_late),
		cmocka_unit_test(test_mptcp_that_fell_back),
		cmocka_unit_test(test_mptcp_by_its_second_subflow),
		cmocka_unit_test(test_mptcp_of_two_subflows_that_nobody_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return rig_main(run);
}
