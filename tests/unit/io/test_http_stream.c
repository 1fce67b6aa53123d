/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers without an end, by a real server on a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "io/http.h"
#include "unit/io/http_client.h"

static char why[HTTP_WHY_MAX];

struct fixture {
	char dir[64];
	char path[100];
	struct http *http;
	struct http_stream *stream;
	unsigned int gone;
	size_t more; /* so many lines are pushed when the backlog is sent */
	size_t room; /* of the backlog then, each time */
	char *text;  /* what a client got */
	size_t len;
};

/* --- the server ------------------------------------------------------------- */

static void loss(void *data, uint64_t lost, struct buf *line)
{
	(void)data;
	buf_printf(line, "loss %llu\n", (unsigned long long)lost);
}

static void gone(void *data)
{
	struct fixture *f = data;

	f->gone++;
	f->stream = NULL;
}

static void more(void *data)
{
	struct fixture *f = data;

	f->room = http_stream_room(f->stream);
	if (f->more && f->more--)
		http_stream_push(f->stream, "more\n", 5);
}

static const struct http_stream_ops stream_ops = { .loss = loss, .gone = gone, .more = more };

static void handle(void *data, struct http_request *q)
{
	struct fixture *f = data;

	assert_int_equal(http_reply_stream(q, "text/plain", &stream_ops, f, &f->stream), 0);
}

static void start_checking(struct fixture *f, unsigned int connections, unsigned int timeout_s,
			   unsigned int check_ms)
{
	const struct http_options options = { .path = f->path,
					      .connections = connections,
					      .timeout_s = timeout_s,
					      .check_ms = check_ms,
					      .handler = handle,
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
	snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/sg-test-stream-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/api.sock", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	rmdir(f->dir);
	free(f->text);
	free(f);
	return 0;
}

/* --- a client ----------------------------------------------------------------- */

static int dial(const struct fixture *f)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
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

/* --- streams ---------------------------------------------------------------- */

static int open_stream(struct fixture *f)
{
	static const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = dial(f);

	send_all(f, fd, request, sizeof(request) - 1);
	receive(f, fd, 20);
	assert_non_null(f->stream);
	assert_non_null(strstr(f->text, "Transfer-Encoding: chunked"));
	return fd;
}

static void stream_delivers_lines_as_they_come(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	CLEANUP(closep) int other = -1;

	start_checking(f, 0, 1, 50);
	fd = open_stream(f);
	http_stream_push(f->stream, "one\n", 4);
	http_stream_push(f->stream, "two\n", 4);
	assert_false(receive(f, fd, 20));
	assert_non_null(strstr(f->text, "one\n"));
	assert_non_null(strstr(f->text, "two\n"));
	/* Nothing to say for longer than the timeout is not the client's fault, however often
	 * it is looked at: one that came later, and does not ask, is cut off meanwhile. */
	other = dial(f);
	assert_true(receive(f, other, 4000));
	pump(f, 300);
	assert_false(receive(f, fd, 20));
	assert_int_equal(f->len, 0);
	http_stream_push(f->stream, "three\n", 6);
	assert_false(receive(f, fd, 20));
	assert_string_equal(f->text, "6\r\nthree\n\r\n");
	assert_int_equal(f->gone, 0);
}

static void stream_goes_on_when_there_is_room(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	char line[1000];

	start(f, 0, 0);
	fd = open_stream(f);
	assert_int_equal(f->room, HTTP_BACKLOG_MAX);
	memset(line, 'z', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	f->more = 3;
	http_stream_push(f->stream, line, sizeof(line));
	assert_int_equal(http_stream_room(f->stream), HTTP_BACKLOG_MAX - sizeof(line));
	assert_false(receive(f, fd, 20));
	assert_non_null(strstr(f->text, "zz"));
	assert_int_equal(f->more, 0);
	assert_int_equal(http_stream_room(f->stream), HTTP_BACKLOG_MAX);
	/* no loss as long as it is asked, and after one there is no room until it is told */
	while (http_stream_room(f->stream) >= sizeof(line))
		http_stream_push(f->stream, line, sizeof(line));
	for (int i = 0; i < 4; i++)
		assert_false(receive(f, fd, 20));
	assert_null(strstr(f->text, "loss"));
	while (http_stream_room(f->stream))
		http_stream_push(f->stream, line, sizeof(line));
	f->room = 1;
	for (int i = 0; i < 4 && f->room != HTTP_BACKLOG_MAX; i++)
		assert_false(receive(f, fd, 20));
	assert_int_equal(f->room, HTTP_BACKLOG_MAX);
}

static void stream_hears_that_its_client_is_gone(void **state)
{
	struct fixture *f = *state;
	int silent;
	int talking;

	start_checking(f, 0, 0, 100);
	silent = open_stream(f);
	close(silent);
	for (int ms = 0; ms < 4500 && !f->gone; ms += 250)
		pump(f, 250);
	assert_int_equal(f->gone, 1);
	talking = open_stream(f);
	close(talking);
	http_stream_push(f->stream, "x\n", 2);
	pump(f, 10);
	if (f->stream) { /* the first write may still have gone through */
		http_stream_push(f->stream, "x\n", 2);
		pump(f, 10);
	}
	assert_int_equal(f->gone, 2);
}

/* With a stream, the caller is told to come back often enough to look for silent clients. */
static void stream_asks_for_turns(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;

	start(f, 0, 60);
	assert_int_equal(http_timeout_ms(f->http), -1);
	fd = open_stream(f);
	assert_in_range(http_timeout_ms(f->http), 1, 2000);
	close(TAKE_FD(fd));
	http_free(TAKE_PTR(f->http));
	start_checking(f, 0, 60, 123);
	fd = open_stream(f);
	assert_in_range(http_timeout_ms(f->http), 1, 124); /* since the latest look */
}

static void stream_tells_a_slow_client_what_it_lost(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	CLEANUP(freep) char *got = calloc(1, 4 << 20);
	unsigned long long lost = 0;
	size_t lines = 0;
	size_t len = 0;
	char line[512];
	char *p;

	assert_non_null(got);
	start(f, 0, 0);
	fd = open_stream(f);
	memset(line, 'z', sizeof(line));
	line[0] = 'L';
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 4000; i++) { /* 2 MB: more than socket and backlog hold */
		http_stream_push(f->stream, line, sizeof(line));
		pump(f, 0);
	}
	/* One that would still fit does not overtake those that were lost. */
	http_stream_push(f->stream, "small\n", 6);
	while (!strstr(got, "the end")) {
		assert_false(receive(f, fd, 20));
		assert_true(len + f->len < 4 << 20);
		memcpy(got + len, f->text, f->len);
		len += f->len;
		http_stream_push(f->stream, "the end\n", 8);
	}
	for (p = got; (p = strchr(p, 'L')); p++)
		lines++;
	p = strstr(got, "loss ");
	assert_non_null(p);
	assert_int_equal(sscanf(p, "loss %llu\n", &lost), 1);
	assert_true(lost > 0);
	assert_null(strstr(p + 1, "loss "));
	assert_int_equal(lines + lost, 4001);
	assert_null(strstr(got, "small"));
	/* in its place: before what came afterwards */
	assert_true(p < strstr(got, "the end"));
}

static void server_ends_with_streams_open(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int a = -1;
	CLEANUP(closep) int b = -1;

	start(f, 0, 0);
	a = open_stream(f);
	b = open_stream(f);
	http_free(TAKE_PTR(f->http));
	assert_int_equal(f->gone, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stream_delivers_lines_as_they_come),
		TEST(stream_goes_on_when_there_is_room),
		TEST(stream_hears_that_its_client_is_gone),
		TEST(stream_asks_for_turns),
		TEST(stream_tells_a_slow_client_what_it_lost),
		TEST(server_ends_with_streams_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
