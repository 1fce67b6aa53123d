/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A real server on a real socket, and clients that send what they like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "io/http.h"
#include "unit/io/http_client.h"

#define CLIENTS 8

static char why[HTTP_WHY_MAX];

struct fixture {
	char dir[64];
	char path[100];
	struct http *http;
	unsigned int handled;
	bool accepts;    /* "text/event-stream" */
	bool mute;       /* do not answer */
	size_t body_max; /* of "/long", for this user; 0: as usual */
	bool in_group;   /* 4242 */
	char seen[512];
	char *text; /* what a client got */
	size_t len;
};

/* --- the server ------------------------------------------------------------- */

static size_t body_max(void *data, const struct http_request *q)
{
	struct fixture *f = data;

	return f->body_max && q->local && q->peer.uid == getuid() && q->segments == 1 &&
			       !strcmp(q->segment[0], "long")
		       ? f->body_max
		       : HTTP_BODY_MAX;
}

static void handle(void *data, struct http_request *q)
{
	struct fixture *f = data;
	const char *query = http_query(q, "q");
	int n = snprintf(f->seen, sizeof(f->seen), "%s %s [", q->method, q->path);

	f->handled++;
	for (size_t i = 0; i < q->segments; i++)
		n += snprintf(f->seen + n, sizeof(f->seen) - (size_t)n, "%s%s", i ? "|" : "",
			      q->segment[i]);
	snprintf(f->seen + n, sizeof(f->seen) - (size_t)n, "] q=%s body=%zu", query ? query : "-",
		 q->body_len);
	assert_int_equal(strlen(q->body), q->body_len);
	f->in_group = http_peer_in_group(q, 4242);
	f->accepts = http_accepts(q, "text/event-stream");
	if (f->mute)
		return;
	if (q->local)
		assert_int_equal(q->peer.pid > 0, 1);
	http_reply(q, 200, "text/plain", f->seen, strlen(f->seen));
	http_reply(q, 500, "text/plain", "", 0); /* the second answer changes nothing */
}

static void start_checking(struct fixture *f, unsigned int connections, unsigned int timeout_s,
			   unsigned int check_ms)
{
	const struct http_options options = { .path = f->path,
					      .connections = connections,
					      .timeout_s = timeout_s,
					      .check_ms = check_ms,
					      .handler = handle,
					      .body_max = body_max,
					      .data = f };

	assert_int_equal(http_new(&options, &f->http, why), 0);
}

static void start(struct fixture *f, unsigned int connections, unsigned int timeout_s)
{
	start_checking(f, connections, timeout_s, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/sg-test-http-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(chmod(f->dir, 0755), 0);
	snprintf(f->path, sizeof(f->path), "%s/run/api.sock", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	unlink(f->path);
	*strrchr(f->path, '/') = '\0';
	rmdir(f->path);
	rmdir(f->dir);
	free(f->text);
	free(f);
	return 0;
}

/* --- clients ---------------------------------------------------------------- */

static int try_dial(const struct fixture *f)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return fd;
}

static int dial(const struct fixture *f)
{
	int fd = try_dial(f);

	assert_true(fd >= 0);
	return fd;
}

static void pump(struct fixture *f, int ms)
{
	http_pump(f->http, ms);
}

static void send_all(struct fixture *f, int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			pump(f, 1);
			continue;
		}
		if (n < 0)
			return; /* the server may close in the middle */
		data += n;
		len -= (size_t)n;
	}
}

/* What came within the time, or until the end; true at the end. */
static bool receive(struct fixture *f, int fd, int ms)
{
	uint64_t stop = clock_boot_ns() + (uint64_t)ms * NS_PER_MS;

	f->text = realloc(f->text, 1 << 20);
	assert_non_null(f->text);
	f->len = 0;
	do {
		ssize_t n;

		pump(f, 0);
		n = recv(fd, f->text + f->len, (1 << 20) - f->len - 1, 0);
		if (n > 0)
			f->len += (size_t)n;
		f->text[f->len] = '\0';
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		if (n < 0)
			pump(f, 1);
	} while (clock_boot_ns() < stop);
	return false;
}

/* True if the server closed the connection. */
static bool ask(struct fixture *f, const char *request)
{
	CLEANUP(closep) int fd = dial(f);

	send_all(f, fd, request, strlen(request));
	return receive(f, fd, 30);
}

/* --- tests ------------------------------------------------------------------ */

static void answers(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	start(f, 0, 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	ask(f, "GET /v1/servers/a%2Fb%20c//x?follow=1&q=a%26b+c HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_string_equal(f->seen, "GET /v1/servers/a%2Fb%20c//x [v1|servers|a/b c|x] "
				     "q=a&b c body=0");
	assert_non_null(strstr(f->text, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(f->text, "Content-Type: text/plain\r\n"));
	assert_non_null(strstr(f->text, f->seen));
	ask(f, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
	assert_string_equal(f->seen, "POST / [] q=- body=5");
	ask(f, "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_string_equal(f->seen, "GET /x [x] q=- body=0");
	assert_null(strstr(f->text, "q=-"));
}

static void media_types_are_asked_for_by_name(void **state)
{
	static const struct {
		const char *header;
		bool accepts;
	} rows[] = {
		{ "", false },
		{ "Accept: text/event-stream\r\n", true },
		{ "accept: TEXT/Event-Stream\r\n", true },
		{ "Accept: text/html, text/event-stream;charset=utf-8\r\n", true },
		{ "Accept: text/html,\ttext/event-stream ; q=0.5 ,x/y\r\n", true },
		{ "Accept: text/event-stream;q=0.01\r\n", true },
		{ "Accept: text/event-stream; q=0\r\n", false },
		{ "Accept: text/event-stream; Q=0.000, x/y;q=1\r\n", false },
		{ "Accept: text/event-stream; seq=0\r\n", true },
		{ "Accept: text/event-streams\r\n", false },
		{ "Accept: xtext/event-stream\r\n", false },
		{ "Accept: */*\r\n", false },
		{ "Accept: text/*\r\n", false },
		{ "Accept:\r\n", false },
		{ "Accept: ,,;q=\r\n", false },
		{ "X: text/event-stream\r\n", false },
	};
	struct fixture *f = *state;
	char request[256];

	start(f, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n",
			 rows[i].header);
		ask(f, request);
		if (f->accepts != rows[i].accepts)
			fail_msg("%s", rows[i].header);
	}
	assert_int_equal(f->handled, ARRAY_SIZE(rows));
}

static void two_requests_on_one_connection(void **state)
{
	static const char request[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
				      "GET /b HTTP/1.1\r\nHost: x\r\n\r\n";
	struct fixture *f = *state;

	start(f, 0, 0);
	ask(f, request);
	assert_int_equal(f->handled, 2);
	assert_non_null(strstr(f->text, "/a"));
	assert_non_null(strstr(f->text, "/b"));
}

static void a_handler_without_answer_is_a_500(void **state)
{
	struct fixture *f = *state;

	start(f, 0, 0);
	f->mute = true;
	ask(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(strstr(f->text, "HTTP/1.1 500"));
}

static void malformed_requests_end_in_4xx_or_a_close(void **state)
{
	static const char *const bad[] = {
		"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a% HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /?a=%4 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET nothing HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /1/2/3/4/5/6/7/8/9 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /?1&2&3&4&5&6&7&8&9&a&b&c&d&e&f&g&h HTTP/1.1\r\nHost: x\r\n\r\n",
		"\r\n\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"GET\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	};
	struct fixture *f = *state;

	start(f, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ask(f, bad[i]);
		assert_true(f->len == 0 || strstr(f->text, "HTTP/1.1 4") == f->text ||
			    strstr(f->text, "HTTP/1.0 4") == f->text ||
			    strstr(f->text, "HTTP/1.1 505") == f->text);
	}
	assert_int_equal(f->handled, 0);
	ask(f, "GET /still/here HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(f->handled, 1);
}

/* A request with so many letters in its middle. */
static bool ask_long(struct fixture *f, const char *begin, size_t letters, const char *end)
{
	CLEANUP(buf_done) struct buf request = { 0 };

	request = BUF(letters + 1000);
	buf_puts(&request, begin);
	for (size_t i = 0; i < letters; i++)
		buf_putc(&request, 'y');
	buf_puts(&request, end);
	assert_int_equal(buf_error(&request), 0);
	return ask(f, buf_str(&request));
}

static void header_that_is_too_long_is_refused(void **state)
{
	struct fixture *f = *state;

	start(f, 0, 0);
	ask_long(f, "GET / HTTP/1.1\r\nHost: x\r\nX: ", HTTP_HEADER_MAX * 3, "\r\n\r\n");
	assert_int_equal(f->handled, 0);
	assert_non_null(strstr(f->text, "HTTP/1.1 431"));
	ask_long(f, "GET /", HTTP_HEADER_MAX * 3, " HTTP/1.1\r\n\r\n");
	assert_int_equal(f->handled, 0);
	assert_non_null(strstr(f->text, "HTTP/1.1 414"));
}

#define LONG "POST /long HTTP/1.1\r\nHost: x\r\nContent-Length: "
#define CHUNKED "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

static void body_that_is_too_long_is_refused(void **state)
{
	struct fixture *f = *state;

	start(f, 0, 0);
	/* announced */
	ask(f, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\nhello");
	assert_non_null(strstr(f->text, "HTTP/1.1 413"));
	/* not announced */
	ask_long(f, CHUNKED "10001\r\n", 65537, "\r\n0\r\n\r\n");
	assert_non_null(strstr(f->text, "HTTP/1.1 413"));
	/* endless */
	assert_true(ask_long(f, CHUNKED "fffffff\r\n", (size_t)HTTP_BODY_MAX * 3, ""));
	assert_int_equal(f->handled, 0);
	/* exactly as long as allowed */
	ask_long(f, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n", HTTP_BODY_MAX,
		 "");
	assert_int_equal(f->handled, 1);
	assert_string_equal(f->seen, "POST /x [x] q=- body=65536");
	/* where it may be longer, for this user */
	f->body_max = 131072;
	ask_long(f, LONG "131072\r\n\r\n", 131072, "");
	assert_non_null(strstr(f->seen, "body=131072"));
	ask(f, LONG "131073\r\n\r\n");
	assert_non_null(strstr(f->text, "longer than 128 KiB"));
}

static void torn_request_is_put_together(void **state)
{
	static const char request[] =
		"POST /torn?q=1 HTTP/1.1\r\nHost: x\r\n"
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;

	start(f, 0, 0);
	fd = dial(f);
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		send_all(f, fd, request + i, 1);
		pump(f, 0);
	}
	receive(f, fd, 20);
	assert_string_equal(f->seen, "POST /torn [torn] q=1 body=5");
}

static void slow_client_is_cut_off(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	uint64_t begin;

	start(f, 0, 1);
	fd = dial(f);
	send_all(f, fd, "GET / HT", 8);
	begin = clock_boot_ns();
	assert_true(receive(f, fd, 4000));
	assert_true(clock_boot_ns() - begin >= 500 * NS_PER_MS);
	assert_int_equal(f->handled, 0);
}

static void more_clients_than_places_are_served_in_turn(void **state)
{
	static const char request[] = "GET /n HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct fixture *f = *state;
	int fds[CLIENTS * 4];

	if (geteuid() != 0)
		skip(); /* one user has a quarter only */
	start(f, CLIENTS, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(f);
		send_all(f, fds[i], request, sizeof(request) - 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_true(receive(f, fds[i], 1000));
		assert_non_null(strstr(f->text, "200 OK"));
		close(fds[i]);
	}
	assert_int_equal(f->handled, ARRAY_SIZE(fds));
}

/* Another user's process that connects, then does what the test asks. */
static int dial_as(const struct fixture *f, uid_t uid, const gid_t *groups, size_t n)
{
	int pair[2];
	pid_t pid;
	int status = 0;
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 'x';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fd = -1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	if (pid == 0) {
		if (setgroups(n, groups) < 0 || setresgid(uid, uid, uid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			_exit(1);
		fd = try_dial(f);
		if (fd < 0)
			_exit(2);
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
		_exit(sendmsg(pair[0], &msg, 0) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(recvmsg(pair[1], &msg, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	close(pair[0]);
	close(pair[1]);
	return fd;
}

static void knows_the_groups_of_its_clients(void **state)
{
	static const gid_t groups[] = { 1234, 4242 };
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct fixture *f = *state;
	CLEANUP(closep) int with = -1;
	CLEANUP(closep) int without = -1;
	CLEANUP(closep) int own = -1;
	mode_t mask;

	if (geteuid() != 0)
		skip();
	mask = umask(077); /* it closes the socket's directory to nobody */
	start(f, 0, 0);
	umask(mask);
	with = dial_as(f, 12345, groups, 2);
	send_all(f, with, request, sizeof(request) - 1);
	receive(f, with, 20);
	assert_int_equal(f->handled, 1);
	assert_true(f->in_group);
	without = dial_as(f, 12345, groups, 1);
	send_all(f, without, request, sizeof(request) - 1);
	receive(f, without, 20);
	assert_int_equal(f->handled, 2);
	assert_false(f->in_group);
	own = dial_as(f, 4242, NULL, 0);
	send_all(f, own, request, sizeof(request) - 1);
	receive(f, own, 20);
	assert_int_equal(f->handled, 3);
	assert_true(f->in_group);
}

static void one_user_cannot_take_all_places(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct fixture *f = *state;
	int fds[32];

	if (geteuid() != 0)
		skip();
	start(f, 16, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		/* three users, then root */
		fds[i] = dial_as(f, 12345 + (uid_t)i / 8, NULL, 0);
		pump(f, 0);
	}
	assert_true(receive(f, fds[4], 10));
	assert_non_null(strstr(f->text, "503 Service Unavailable"));
	assert_false(receive(f, fds[3], 10));
	send_all(f, fds[3], request, sizeof(request) - 1);
	receive(f, fds[3], 20);
	assert_int_equal(f->handled, 1);
	ask(f, request);
	assert_int_equal(f->handled, 2);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	/* Places come back. */
	pump(f, 10);
	fds[0] = dial_as(f, 12345, NULL, 0);
	send_all(f, fds[0], request, sizeof(request) - 1);
	receive(f, fds[0], 20);
	close(fds[0]);
	assert_int_equal(f->handled, 3);
}

static void stale_socket_is_replaced_a_live_one_is_not(void **state)
{
	struct fixture *f = *state;
	const struct http_options options = { .path = f->path, .handler = handle, .data = f };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct http *second = NULL;
	struct stat st;
	int fd;

	start(f, 0, 0);
	assert_int_equal(http_new(&options, &second, why), -EADDRINUSE);
	assert_null(second);
	ask(f, "GET /alive HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(f->handled, 1);
	http_free(TAKE_PTR(f->http));
	assert_int_equal(stat(f->path, &st), -1);
	/* a socket whose owner is gone */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	start(f, 0, 0);
	ask(f, "GET /alive HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(f->handled, 2);
	/* The successor's socket stays when the old server goes. */
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(http_new(&options, &second, why), 0);
	http_free(f->http);
	f->http = second;
	ask(f, "GET /alive HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(f->handled, 3);
}

static void impossible_places_are_refused(void **state)
{
	struct fixture *f = *state;
	struct http_options options = { .path = f->path, .handler = handle, .data = f };
	char path[256];
	struct http *http = NULL;
	int fd;

	start(f, 0, 0);
	http_free(TAKE_PTR(f->http)); /* leaves the directory */
	fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(http_new(&options, &http, why), -EEXIST);
	assert_non_null(strstr(why, "is not a socket: remove it"));
	assert_int_equal(http_check(&options, why), -EEXIST);
	snprintf(path, sizeof(path), "%s/below/api.sock", f->path);
	options.path = path;
	assert_int_equal(http_new(&options, &http, why), -ENOTDIR);
	assert_int_equal(http_check(&options, why), -ENOTDIR);
	assert_non_null(strstr(why, "(Not a directory)"));
	memset(path, 'x', 200);
	path[200] = '\0';
	assert_int_equal(http_new(&options, &http, why), -ENAMETOOLONG);
	assert_int_equal(http_check(&options, why), -ENAMETOOLONG);
	assert_null(http);
	snprintf(path, sizeof(path), "%s/not/yet/api.sock", f->dir);
	assert_int_equal(http_check(&options, why), 0); /* and makes nothing */
	snprintf(path, sizeof(path), "%s/not", f->dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void tcp_knows_no_peer(void **state)
{
	struct fixture *f = *state;
	struct http_options options = { .handler = handle, .data = f };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	CLEANUP(closep) int fd = -1;
	struct http *second = NULL;
	struct addr loopback;

	assert_int_equal(parse_addr("127.0.0.1", &loopback), 0);
	options.address = &loopback;
	assert_int_equal(http_new(&options, &f->http, why), 0);
	options.port = http_port(f->http);
	assert_true(options.port > 0);
	assert_int_equal(http_new(&options, &second, why), -EADDRINUSE);
	assert_int_equal(http_check(&options, why), -EADDRINUSE);
	assert_non_null(strstr(why, "choose another place with --metrics ADDR:PORT"));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sin.sin_port = htons(options.port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	send_all(f, fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 35);
	receive(f, fd, 30);
	assert_int_equal(f->handled, 1);
	assert_false(f->in_group);
	assert_non_null(strstr(f->text, "200 OK"));
}

static void flush_writes_what_is_owed(void **state)
{
	static const char request[] = "GET /last HTTP/1.1\r\nHost: x\r\n\r\n";
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	char text[512] = "";

	start(f, 0, 0);
	fd = dial(f);
	send_all(f, fd, request, sizeof(request) - 1);
	while (!f->handled)
		http_run(f->http);
	http_flush(f->http, 1000);
	http_free(TAKE_PTR(f->http));
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "GET /last"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(answers),
		TEST(media_types_are_asked_for_by_name),
		TEST(two_requests_on_one_connection),
		TEST(a_handler_without_answer_is_a_500),
		TEST(malformed_requests_end_in_4xx_or_a_close),
		TEST(header_that_is_too_long_is_refused),
		TEST(body_that_is_too_long_is_refused),
		TEST(torn_request_is_put_together),
		TEST(slow_client_is_cut_off),
		TEST(more_clients_than_places_are_served_in_turn),
		TEST(knows_the_groups_of_its_clients),
		TEST(one_user_cannot_take_all_places),
		TEST(stale_socket_is_replaced_a_live_one_is_not),
		TEST(impossible_places_are_refused),
		TEST(tcp_knows_no_peer),
		TEST(flush_writes_what_is_owed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
