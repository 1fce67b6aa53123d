/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One end of a stream that goes on: it sends a line with the time at which it was
 * sent, again and again, or reads what comes in calls that block, and prints a
 * line for each with the latest time in it. So a script can tell what was sent
 * after a moment from what was only read after it. TCP either way round, UDP and
 * UDP-Lite, connected or not.
 */
#include <signal.h>

#include "dial.h"

#define STAMP "us=" /* then microseconds of the wall clock; peer sends it, too */
#define SENDERS_MAX 64

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

static struct {
	struct endpoint from;
	struct endpoint to;
	int proto;
	bool listen;
	bool connect;
	bool md5_keys;
	const char *ask;
	long send_ms;
	double until;
} opt = { .proto = IPPROTO_TCP };

static const char usage[] =
	"usage: drip [--proto tcp|udp|udplite] [--from ADDR:PORT] [--to ADDR:PORT] [--listen]\n"
	"            [--connect] [--ask PATH] [--send MS] [--md5-keys] [--seconds N]\n"
	"--from    bind there\n"
	"--to      TCP: connect there; else send a datagram there first\n"
	"--listen  TCP: take one connection at --from\n"
	"--connect connect the datagram socket to --to\n"
	"--ask     TCP: send a POST for PATH first\n"
	"--send    send a line each MS: on the connection, or to --to, or to whoever has sent\n"
	"          a datagram; without it: read\n"
	"--md5-keys  fill the socket's option memory first\n"
	"Lines: ready PORT | accepted | sent TOTAL US | got TOTAL US LATEST | end RESULT ERRNO US\n"
	"with US the wall clock in microseconds, LATEST the greatest that came, RESULT: eof,\n"
	"error, or connect (with the errno of that; ETIME: our own patience, one second).\n"
	"Exit status: 0 it ended, 1 its time was over, 2 usage, 77 not supported here.\n";

static long long wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

__attribute__((noreturn)) static void end(const char *result, int error)
{
	printf("end %s %s %lld\n", result, errno_name(error), wall_us());
	fflush(stdout);
	exit(0);
}

static bool is_stream(void)
{
	return opt.proto == IPPROTO_TCP;
}

static int open_socket(void)
{
	int family = opt.to.len ? opt.to.sa.ss_family : opt.from.sa.ss_family;
	int fd = socket(family, (is_stream() ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, opt.proto);
	int one = 1;

	if (fd < 0 && errno == EPROTONOSUPPORT) {
		fprintf(stderr, "drip: this kernel does not have the protocol\n");
		exit(EXIT_SKIP);
	}
	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (opt.md5_keys)
		md5_keys_fill(fd, family);
	if (opt.from.len && bind(fd, (struct sockaddr *)&opt.from.sa, opt.from.len))
		die("--from: %s", strerror(errno));
	return fd;
}

static void ready(int fd)
{
	printf("ready %d\n", local_port(fd));
	fflush(stdout);
}

static void ask(int fd)
{
	char text[1024];
	int len = snprintf(
		text, sizeof(text),
		"POST %s HTTP/1.1\r\nHost: drip.test\r\nContent-Type: application/json\r\n"
		"Content-Length: 35\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\"}",
		opt.ask);

	if (len >= (int)sizeof(text))
		die("--ask: the path is too long");
	if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		end("error", errno);
}

static int open_stream(void)
{
	int fd = open_socket();
	int taken;
	int r;

	if (opt.listen) {
		if (listen(fd, 1))
			die("--listen: %s", strerror(errno));
		ready(fd);
		taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (taken < 0)
			die("accept: %s", strerror(errno));
		puts("accepted");
		fflush(stdout);
		return taken;
	}
	r = dial_blocking(fd, &opt.to, now_ms() + 1000);
	if (r)
		end("connect", -r);
	set_nonblocking(fd, false);
	ready(fd);
	if (opt.ask)
		ask(fd);
	return fd;
}

static void hello(int fd)
{
	ssize_t n = 0;

	if (opt.connect)
		n = send(fd, "hello", 5, MSG_NOSIGNAL);
	else if (opt.to.len)
		n = sendto(fd, "hello", 5, MSG_NOSIGNAL, (struct sockaddr *)&opt.to.sa, opt.to.len);
	if (n < 0)
		end("error", errno);
}

/* Calls that block give up after so long; 0: never. */
static void patience(int fd, long ms)
{
	struct timeval limit = { .tv_usec = ms * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static int open_datagrams(void)
{
	int fd = open_socket();

	if (opt.connect && connect(fd, (struct sockaddr *)&opt.to.sa, opt.to.len))
		end("connect", errno);
	if (!opt.send_ms)
		hello(fd);
	ready(fd);
	return fd;
}

/* --- reading ------------------------------------------------------------------ */

static long long latest_in(const char *data, long long latest)
{
	for (const char *p = data; (p = strstr(p, STAMP)); p++) {
		long long us = strtoll(p + strlen(STAMP), NULL, 10);

		if (us > latest)
			latest = us;
	}
	return latest;
}

static void take(int fd)
{
	static char data[65536];
	long long latest = 0, total = 0;
	ssize_t n;

	if (!is_stream()) /* a datagram may be lost: until something comes it is sent again */
		patience(fd, 500);
	for (;;) {
		n = recv(fd, data, sizeof(data) - 1, 0);
		if (n < 0 && errno == EAGAIN) {
			hello(fd);
			continue;
		}
		if (n < 0)
			end("error", errno);
		if (!total)
			patience(fd, 0);
		if (!n && is_stream())
			end("eof", 0);
		data[n] = '\0';
		total += n;
		latest = latest_in(data, latest);
		printf("got %lld %lld %lld\n", total, wall_us(), latest);
		fflush(stdout);
	}
}

/* --- sending ------------------------------------------------------------------ */

static struct endpoint senders[SENDERS_MAX];
static int n_senders;

/* Who has sent a datagram gets the lines from now on. */
static void meet_senders(int fd)
{
	struct endpoint e = { .len = sizeof(e.sa) };
	char data[64];

	while (n_senders < SENDERS_MAX && recvfrom(fd, data, sizeof(data), MSG_DONTWAIT,
						   (struct sockaddr *)&e.sa, &e.len) >= 0) {
		senders[n_senders++] = e;
		e = (struct endpoint){ .len = sizeof(e.sa) };
	}
}

static long send_line(int fd, const char *line, size_t len)
{
	long sent = 0;

	if (is_stream()) {
		ssize_t n = send(fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			end("error", errno);
		return n > 0 ? n : 0;
	}
	for (int i = 0; i < n_senders; i++)
		if (sendto(fd, line, len, MSG_NOSIGNAL, (struct sockaddr *)&senders[i].sa,
			   senders[i].len) == (ssize_t)len)
			sent += (long)len;
	return sent;
}

static void give(int fd)
{
	long total = 0;
	char line[64];
	int len;

	if (!is_stream() && opt.to.len)
		senders[n_senders++] = opt.to;
	while (now_ms() < opt.until) {
		if (!is_stream())
			meet_senders(fd);
		len = snprintf(line, sizeof(line), STAMP "%lld\n", wall_us());
		total += send_line(fd, line, (size_t)len);
		printf("sent %ld %lld\n", total, wall_us());
		fflush(stdout);
		usleep((useconds_t)opt.send_ms * 1000);
	}
}

/* --- options ------------------------------------------------------------------- */

static int parse_proto(const char *text)
{
	if (!strcmp(text, "tcp"))
		return IPPROTO_TCP;
	if (!strcmp(text, "udp"))
		return IPPROTO_UDP;
	if (!strcmp(text, "udplite"))
		return IPPROTO_UDPLITE;
	die("--proto: tcp, udp or udplite");
}

static void option(const char *name, const char *value, long *seconds)
{
	if (!value)
		die("%s", usage);
	if (!strcmp(name, "--proto"))
		opt.proto = parse_proto(value);
	else if (!strcmp(name, "--from"))
		opt.from = parse_endpoint(value);
	else if (!strcmp(name, "--to"))
		opt.to = parse_endpoint(value);
	else if (!strcmp(name, "--ask"))
		opt.ask = value;
	else if (!strcmp(name, "--send"))
		opt.send_ms = parse_long(name, value, 1, 10000);
	else if (!strcmp(name, "--seconds"))
		*seconds = parse_long(name, value, 1, 86400);
	else
		die("%s", usage);
}

static void on_alarm(int number)
{
	(void)number;
	_exit(1);
}

int main(int argc, char **argv)
{
	long seconds = 300;
	int fd;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--listen")) {
			opt.listen = true;
		} else if (!strcmp(argv[i], "--connect")) {
			opt.connect = true;
		} else if (!strcmp(argv[i], "--md5-keys")) {
			opt.md5_keys = true;
		} else {
			option(argv[i], argv[i + 1], &seconds);
			i++;
		}
	}
	if ((!opt.to.len && !opt.from.len) || (opt.listen && !opt.from.len) ||
	    (opt.connect && !opt.to.len) || (is_stream() && !opt.listen && !opt.to.len))
		die("%s", usage);
	signal(SIGALRM, on_alarm); /* a call that blocks has no other end */
	alarm((unsigned int)seconds);
	opt.until = now_ms() + (double)seconds * 1e3;
	fd = is_stream() ? open_stream() : open_datagrams();
	if (!opt.send_ms)
		take(fd);
	give(fd);
	return 1;
}
