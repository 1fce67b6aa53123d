/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Requests that are kept and answered later, by a real server on a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "io/http.h"
#include "unit/io/http_client.h"

#define REQUEST "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
#define KEPT_MAX 16

static char why[HTTP_WHY_MAX];

struct fixture {
	char dir[64];
	char path[100];
	struct http *http;
	struct http_deferred *kept[KEPT_MAX];
	size_t n;
	bool at_once; /* answers before the handler returns */
	bool again;   /* tries everything else after it */
	char text[65536];
};

static void handle(void *data, struct http_request *q)
{
	static const struct http_stream_ops ops = { 0 };
	struct fixture *f = data;
	struct http_stream *stream;

	if (!q->segments || strcmp(q->segment[0], "later") != 0) {
		http_reply(q, 200, "text/plain", "now", 3);
		return;
	}
	assert_true(f->n < KEPT_MAX);
	f->kept[f->n] = http_defer(q);
	assert_non_null(f->kept[f->n]);
	f->n++;
	if (f->again) {
		assert_null(http_defer(q));
		http_reply(q, 200, "text/plain", "early", 5);
		assert_int_equal(http_reply_stream(q, "text/plain", &ops, f, &stream), -EALREADY);
	}
	if (f->at_once)
		http_reply_deferred(f->kept[--f->n], 200, "text/plain", "at once", 7);
}

static void start(struct fixture *f, unsigned int connections, unsigned int timeout_s)
{
	const struct http_options options = { .path = f->path,
					      .connections = connections,
					      .timeout_s = timeout_s,
					      .handler = handle,
					      .data = f };

	assert_int_equal(http_new(&options, &f->http, why), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/sg-test-defer-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/api.sock", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->n; i++)
		http_reply_deferred(f->kept[i], 200, "text/plain", "", 0);
	http_free(f->http);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void pump(struct fixture *f, int ms)
{
	http_pump(f->http, ms);
}

static int dial(struct fixture *f)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Sends a request that the handler keeps. */
static int ask(struct fixture *f)
{
	size_t before = f->n;
	int fd = dial(f);

	send_text(fd, REQUEST);
	for (int i = 0; i < 200 && f->n == before; i++)
		pump(f, 5);
	assert_int_equal(f->n, before + 1);
	return fd;
}

/* Reads what is there; true at the end. */
static bool receive(struct fixture *f, int fd, int ms)
{
	uint64_t stop = clock_boot_ns() + (uint64_t)ms * NS_PER_MS;
	size_t len = 0;
	ssize_t n;

	do {
		if (f->http)
			pump(f, 1);
		n = recv(fd, f->text + len, sizeof(f->text) - len - 1, 0);
		if (n > 0)
			len += (size_t)n;
		f->text[len] = '\0';
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
	} while (clock_boot_ns() < stop);
	return false;
}

static void reply(struct fixture *f, size_t i, const char *text)
{
	http_reply_deferred(f->kept[i], 202, "text/x-later", text, strlen(text));
	f->kept[i] = NULL; /* NULL-safe: see teardown() */
}

/* --- tests ------------------------------------------------------------------- */

static void answer_comes_later(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	CLEANUP(closep) int other = -1;
	char text[] = "the answer";

	start(f, 0, 0);
	fd = ask(f);
	assert_false(receive(f, fd, 50));
	assert_string_equal(f->text, "");
	/* others are served meanwhile */
	other = dial(f);
	send_text(other, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
	receive(f, other, 30);
	assert_non_null(strstr(f->text, "now"));
	reply(f, 0, text);
	memset(text, 'x', sizeof(text) - 1); /* it was copied */
	receive(f, fd, 30);
	assert_ptr_equal(strstr(f->text, "HTTP/1.1 202 "), f->text);
	assert_non_null(strstr(f->text, "Content-Type: text/x-later\r\n"));
	assert_non_null(strstr(f->text, "Cache-Control: no-store\r\n"));
	assert_non_null(strstr(f->text, "\r\n\r\nthe answer"));
	/* and the connection goes on */
	send_text(fd, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
	receive(f, fd, 30);
	assert_non_null(strstr(f->text, "now"));
}

static void answers_in_any_order_on_pipelines(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int a = -1;
	CLEANUP(closep) int b = -1;

	start(f, 0, 0);
	a = dial(f);
	send_text(a, REQUEST REQUEST);
	pump(f, 20);
	assert_int_equal(f->n, 1); /* one at a time on each connection */
	b = ask(f);
	reply(f, 1, "to b");
	receive(f, b, 20);
	assert_non_null(strstr(f->text, "to b"));
	reply(f, 0, "to a, 1");
	receive(f, a, 20);
	assert_non_null(strstr(f->text, "to a, 1"));
	assert_int_equal(f->n, 3);
	reply(f, 2, "to a, 2");
	receive(f, a, 20);
	assert_non_null(strstr(f->text, "to a, 2"));
	assert_null(strstr(f->text, "to a, 1"));
}

static void handler_may_answer_itself_and_only_once(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;

	start(f, 0, 0);
	f->at_once = true;
	fd = dial(f);
	send_text(fd, REQUEST);
	receive(f, fd, 30);
	assert_non_null(strstr(f->text, "at once"));
	f->at_once = false;
	f->again = true;
	send_text(fd, REQUEST);
	receive(f, fd, 30);
	assert_string_equal(f->text, "");
	assert_int_equal(f->n, 1);
	reply(f, 0, "later");
	receive(f, fd, 30);
	assert_non_null(strstr(f->text, "later"));
	assert_null(strstr(f->text, "early"));
}

static void client_that_is_gone_gets_nothing_and_holds_no_place(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int second = -1;
	int fd;

	start(f, 1, 0); /* one place */
	fd = ask(f);
	close(fd);
	second = dial(f);
	send_text(second, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
	receive(f, second, HTTP_CHECK_MS * 2 + 500);
	assert_non_null(strstr(f->text, "now"));
	reply(f, 0, "to nobody"); /* its client was seen to be gone */
	close(second);
	second = -1;
	pump(f, 20);
	fd = ask(f);
	close(fd);
	reply(f, 1, "to nobody"); /* it is gone, and nobody knows yet */
	pump(f, 50);
	second = ask(f);
	reply(f, 2, "to somebody");
	receive(f, second, 30);
	assert_non_null(strstr(f->text, "to somebody"));
}

/* It said all it has to say, and still reads. */
static void client_that_only_listens_is_not_gone(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;

	start(f, 0, 0);
	fd = ask(f);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_false(receive(f, fd, HTTP_CHECK_MS + 500));
	reply(f, 0, "heard");
	receive(f, fd, 30);
	assert_non_null(strstr(f->text, "heard"));
}

static void nobody_waits_for_ever(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	uint64_t begin = clock_boot_ns();

	start(f, 0, 1);
	fd = ask(f);
	do
		receive(f, fd, 10);
	while (!f->text[0] && clock_boot_ns() - begin < 5 * NS_PER_SEC);
	assert_ptr_equal(strstr(f->text, "HTTP/1.1 504 "), f->text);
	assert_true(clock_boot_ns() - begin >= NS_PER_SEC);
	reply(f, 0, "too late");
	receive(f, fd, 30);
	assert_string_equal(f->text, "");
}

static void server_ends_with_requests_kept(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int a = -1;
	CLEANUP(closep) int b = -1;

	start(f, 0, 0);
	a = ask(f);
	b = ask(f);
	reply(f, 0, "not even sent");
	http_free(TAKE_PTR(f->http));
	receive(f, a, 20);
	assert_true(receive(f, b, 20));
	assert_string_equal(f->text, "");
	reply(f, 1, "to nobody");
}

static void flush_sends_what_was_answered(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	uint64_t begin;

	start(f, 0, 0);
	fd = ask(f);
	begin = clock_boot_ns();
	http_flush(f->http, 100); /* waits for the answer, but no longer than that */
	assert_true(clock_boot_ns() - begin < 2 * NS_PER_SEC);
	reply(f, 0, "the last");
	http_flush(f->http, 1000);
	http_free(TAKE_PTR(f->http));
	assert_true(receive(f, fd, 20));
	assert_non_null(strstr(f->text, "the last"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(answer_comes_later),
		TEST(answers_in_any_order_on_pipelines),
		TEST(handler_may_answer_itself_and_only_once),
		TEST(client_that_is_gone_gets_nothing_and_holds_no_place),
		TEST(client_that_only_listens_is_not_gone),
		TEST(nobody_waits_for_ever),
		TEST(server_ends_with_requests_kept),
		TEST(flush_sends_what_was_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
