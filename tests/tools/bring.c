/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets that are made in one place and used in another: by a process that a script moves
 * meanwhile, or that hands them to another one (SCM_RIGHTS). Whoever has them at the end says
 * how each of them ended.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/un.h>

#include "util.h"

#define COUNT_MAX 64
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static struct {
	struct endpoint to;
	int proto;
	long count;
	bool mapped;
	bool later;
	bool stay;
	bool thread;
	bool twice;
	const char *give;
	const char *take;
	const char *device;
} opt = { .proto = IPPROTO_TCP, .count = 1 };

static int fds[COUNT_MAX];
static volatile sig_atomic_t asked;

static const char usage[] =
	"usage: bring --to ADDR:PORT [--proto tcp|udp|mptcp] [--mapped] [--count N] [--later]\n"
	"             [--device NAME] [--give PATH [--stay]] [--thread] [--twice]\n"
	"       bring --take PATH [--to ADDR:PORT] [--count N] [--later] [--thread]\n"
	"Makes N sockets and connects them to --to (--mapped: as ::ffff:A.B.C.D), or takes N over\n"
	"from who gives them at the socket PATH. --later: they are not connected before SIGUSR1.\n"
	"--give: hands them over, and has none of them afterwards; --stay: keeps them as well.\n"
	"--thread: only a thread with a table of its own has them. --twice: two descriptors of\n"
	"each. Lines:\n"
	"listening | ready N | connect K ERRNO | answer K BYTES ERRNO | end K RESULT ERRNO\n"
	"Each SIGUSR1 connects those that are not, else sends a request and waits two seconds for\n"
	"an answer. RESULT: eof, error. Exit status: 0 all have ended, 2 usage, 77 not supported.\n";

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void on_ask(int number)
{
	(void)number;
	asked = 1;
}

static bool is_stream(void)
{
	return opt.proto != IPPROTO_UDP;
}

static int connect_one(int fd)
{
	struct endpoint to = opt.mapped ? map_endpoint(&opt.to) : opt.to;

	return connect(fd, (struct sockaddr *)&to.sa, to.len) ? errno : 0;
}

static int make_one(void)
{
	int family = opt.mapped ? AF_INET6 : opt.to.sa.ss_family;
	int fd = socket(family, (is_stream() ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, opt.proto);
	int r;

	if (fd < 0 && opt.proto == IPPROTO_MPTCP) {
		fprintf(stderr, "bring: this kernel has no MPTCP: %s\n", strerror(errno));
		exit(EXIT_SKIP);
	}
	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (opt.device &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opt.device, (socklen_t)strlen(opt.device)))
		die("--device: %s", strerror(errno));
	r = opt.later ? 0 : connect_one(fd);
	if (r)
		die("connect: %s", strerror(r));
	return fd;
}

/* --- from one to the other ------------------------------------------------------- */

static int unix_socket(const char *path, struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at->sun_family = AF_UNIX;
	if (fd < 0 || strlen(path) >= sizeof(at->sun_path))
		die("%s: no socket", path);
	snprintf(at->sun_path, sizeof(at->sun_path), "%s", path);
	return fd;
}

struct letter {
	char byte;
	struct iovec io;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg;
};

static void letter_init(struct letter *l)
{
	*l = (struct letter){ .byte = 'x' };
	l->io = (struct iovec){ &l->byte, 1 };
	l->msg = (struct msghdr){ .msg_iov = &l->io,
				  .msg_iovlen = 1,
				  .msg_control = l->control.bytes,
				  .msg_controllen = sizeof(l->control.bytes) };
}

static void give(void)
{
	struct sockaddr_un at = {};
	int to = unix_socket(opt.give, &at);

	if (connect(to, (struct sockaddr *)&at, sizeof(at)))
		die("--give %s: %s", opt.give, strerror(errno));
	for (long i = 0; i < opt.count; i++) {
		struct letter l;
		struct cmsghdr *c;

		letter_init(&l);
		c = CMSG_FIRSTHDR(&l.msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fds[i], sizeof(int));
		if (sendmsg(to, &l.msg, MSG_NOSIGNAL) != 1)
			die("--give: %s", strerror(errno));
	}
	close(to);
}

static void take(void)
{
	struct sockaddr_un at = {};
	int listener = unix_socket(opt.take, &at);
	int from;

	unlink(opt.take);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 1))
		die("--take %s: %s", opt.take, strerror(errno));
	say("listening");
	from = accept(listener, NULL, NULL);
	for (long i = 0; i < opt.count; i++) {
		struct letter l;
		struct cmsghdr *c;

		letter_init(&l);
		if (recvmsg(from, &l.msg, MSG_CMSG_CLOEXEC) != 1)
			die("--take: %s", strerror(errno));
		c = CMSG_FIRSTHDR(&l.msg);
		if (!c || c->cmsg_type != SCM_RIGHTS)
			die("--take: no descriptor came");
		memcpy(&fds[i], CMSG_DATA(c), sizeof(int));
	}
	close(from);
	close(listener);
}

/* --- using them --------------------------------------------------------------------- */

static void ask(long i)
{
	static const char request[] =
		"POST /mcp HTTP/1.1\r\nHost: bring.test\r\nContent-Length: 0\r\n\r\n";
	struct pollfd p = { .fd = fds[i], .events = POLLIN };
	char data[65536];
	ssize_t n = send(fds[i], request, sizeof(request) - 1, MSG_NOSIGNAL);

	if (n > 0)
		n = poll(&p, 1, 2000) > 0 ? recv(fds[i], data, sizeof(data), 0)
					  : (errno = ETIME, -1);
	say("answer %ld %zd %s", i, n < 0 ? 0 : n, errno_name(n < 0 ? errno : 0));
}

static void act(void)
{
	for (long i = 0; i < opt.count; i++) {
		if (fds[i] < 0)
			continue;
		if (opt.later)
			say("connect %ld %s", i, errno_name(connect_one(fds[i])));
		else
			ask(i);
	}
	opt.later = false;
}

/* The end of one that is readable; false if it goes on. */
static bool ended(long i)
{
	char data[65536];
	ssize_t n = recv(fds[i], data, sizeof(data), MSG_DONTWAIT);

	if (n > 0 || (!n && !is_stream()) || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return false;
	say("end %ld %s %s", i, n ? "error" : "eof", errno_name(n ? errno : 0));
	close(fds[i]);
	fds[i] = -1;
	return true;
}

static void *use(void *unused)
{
	struct pollfd p[COUNT_MAX];
	long left = opt.count;

	(void)unused;
	while (left) {
		if (asked) {
			asked = 0;
			act();
		}
		for (long i = 0; i < opt.count; i++) /* one that never connected is always ready */
			p[i] = (struct pollfd){ .fd = opt.later ? -1 : fds[i], .events = POLLIN };
		if (poll(p, (nfds_t)opt.count, 50) <= 0)
			continue;
		for (long i = 0; i < opt.count; i++)
			left -= p[i].revents && ended(i);
	}
	exit(0);
}

static void *use_alone(void *ready)
{
	if (unshare(CLONE_FILES))
		die("--thread: %s", strerror(errno));
	pthread_barrier_wait(ready); /* it has copies now */
	pthread_barrier_wait(ready); /* and nobody else has them any more */
	say("ready %ld", opt.count);
	return use(NULL);
}

static void use_in_thread(void)
{
	pthread_barrier_t ready;
	pthread_t thread;

	pthread_barrier_init(&ready, NULL, 2);
	if (pthread_create(&thread, NULL, use_alone, &ready))
		die("--thread: no thread");
	pthread_barrier_wait(&ready);
	for (long i = 0; i < opt.count; i++)
		close(fds[i]); /* in this table */
	pthread_barrier_wait(&ready);
	pthread_join(thread, NULL);
}

/* --- options ------------------------------------------------------------------- */

static int parse_proto(const char *text)
{
	if (!strcmp(text, "tcp"))
		return IPPROTO_TCP;
	if (!strcmp(text, "udp"))
		return IPPROTO_UDP;
	if (!strcmp(text, "mptcp"))
		return IPPROTO_MPTCP;
	die("--proto: tcp, udp or mptcp");
}

static bool flag(const char *arg)
{
	if (!strcmp(arg, "--mapped"))
		opt.mapped = true;
	else if (!strcmp(arg, "--later"))
		opt.later = true;
	else if (!strcmp(arg, "--stay"))
		opt.stay = true;
	else if (!strcmp(arg, "--thread"))
		opt.thread = true;
	else if (!strcmp(arg, "--twice"))
		opt.twice = true;
	else
		return false;
	return true;
}

static void option(const char *name, const char *value)
{
	if (!value)
		die("%s", usage);
	if (!strcmp(name, "--to"))
		opt.to = parse_endpoint(value);
	else if (!strcmp(name, "--proto"))
		opt.proto = parse_proto(value);
	else if (!strcmp(name, "--count"))
		opt.count = parse_long(name, value, 1, COUNT_MAX);
	else if (!strcmp(name, "--give"))
		opt.give = value;
	else if (!strcmp(name, "--take"))
		opt.take = value;
	else if (!strcmp(name, "--device"))
		opt.device = value;
	else
		die("%s", usage);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (flag(argv[i]))
			continue;
		option(argv[i], argv[i + 1]);
		i++;
	}
	if (!opt.to.len && (!opt.take || opt.later))
		die("%s", usage);
	signal(SIGUSR1, on_ask);
	alarm(600);
	for (long i = 0; i < opt.count && !opt.take; i++)
		fds[i] = make_one();
	if (opt.take)
		take();
	if (opt.give)
		give();
	if (opt.give && !opt.stay)
		return 0;
	for (long i = 0; i < opt.count && opt.twice; i++)
		if (dup(fds[i]) < 0)
			die("--twice: %s", strerror(errno));
	if (opt.thread)
		use_in_thread();
	say("ready %ld", opt.count);
	use(NULL);
}
