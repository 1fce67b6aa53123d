/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Probes of a server on loopback that lives in the same thread and answers as told. */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "io/probe.h"

#define CONNS_MAX 64
#define PATIENCE_NS (10 * NS_PER_SEC)

#define JSON(id, result)                                            \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define INIT                                                                         \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s\r\n" \
	"\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\"}}"
#define STATUS(code) "HTTP/1.1 " code " x\r\nContent-Length: 0\r\n\r\n"

enum manner {
	AT_ONCE,
	IN_DRIPS, /* a byte at a time */
	THEN_RESET,
	THEN_SILENT,
	SLOWLY,   /* a byte every 5 ms */
	LATE,     /* 50 ms after the request */
	FOR_EVER, /* again and again */
};

struct reply {
	const char *to; /* a part of the request */
	const char *text;
	enum manner manner;
};

static const struct reply session[] = {
	{ "\"initialize\"", INIT, AT_ONCE },
	{ "notifications/initialized", STATUS("202"), AT_ONCE },
	{ "\"ping\"", JSON("3", "{}"), AT_ONCE },
	{ "DELETE", STATUS("200"), AT_ONCE },
	{ NULL, NULL, AT_ONCE },
};

struct conn {
	int fd; /* -1: free */
	char request[4096];
	size_t len;
	const struct reply *reply; /* NULL: the request is not complete */
	size_t sent;
	uint64_t next_ns;
};

struct server {
	int fd;
	uint16_t port;
	const struct reply *replies;
	struct conn conns[CONNS_MAX];
	char seen[8][16]; /* the first words of requests, in their order */
	size_t requests;
};

static void server_start(struct server *s, const struct reply *replies)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	memset(s, 0, sizeof(*s));
	s->replies = replies;
	for (size_t i = 0; i < CONNS_MAX; i++)
		s->conns[i].fd = -1;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_return_code(bind(s->fd, (struct sockaddr *)&sin, sizeof(sin)), errno);
	assert_return_code(listen(s->fd, CONNS_MAX), errno);
	assert_return_code(getsockname(s->fd, (struct sockaddr *)&sin, &len), errno);
	s->port = ntohs(sin.sin_port);
}

static void conn_close(struct conn *c, bool reset)
{
	struct linger linger = { .l_onoff = 1 };

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(c->fd);
	c->fd = -1;
}

static void server_stop(struct server *s)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (s->conns[i].fd >= 0)
			conn_close(&s->conns[i], false);
	close(s->fd);
}

static void server_accept(struct server *s)
{
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		size_t i = 0;

		while (i < CONNS_MAX && s->conns[i].fd >= 0)
			i++;
		assert_true(i < CONNS_MAX);
		s->conns[i] = (struct conn){ .fd = fd };
	}
}

static bool complete(const struct conn *c)
{
	const char *body = strstr(c->request, "\r\n\r\n");
	const char *length = strstr(c->request, "Content-Length: ");

	return body && strlen(body + 4) >= (length ? strtoul(length + 16, NULL, 10) : 0);
}

static void conn_read(struct server *s, struct conn *c)
{
	ssize_t n = recv(c->fd, c->request + c->len, sizeof(c->request) - 1 - c->len, 0);

	if (n <= 0) {
		if (n == 0)
			conn_close(c, false);
		return;
	}
	c->len += (size_t)n;
	if (!complete(c))
		return;
	for (c->reply = s->replies; c->reply->to && !strstr(c->request, c->reply->to); c->reply++)
		;
	if (s->requests < ARRAY_SIZE(s->seen))
		snprintf(s->seen[s->requests], sizeof(s->seen[0]), "%s",
			 c->reply->to ? c->reply->to : "?");
	s->requests++;
	c->next_ns = clock_boot_ns() + (c->reply->manner == LATE ? 50 * NS_PER_MS : 0);
}

static void conn_write(struct conn *c)
{
	const struct reply *reply = c->reply;
	const char *text = reply->text ? reply->text : "";
	size_t len = strlen(text);
	bool drips = reply->manner == IN_DRIPS || reply->manner == SLOWLY;
	size_t piece = drips && len - c->sent > 1 ? 1 : len - c->sent;
	ssize_t n;

	if ((reply->manner == SLOWLY || reply->manner == LATE) && clock_boot_ns() < c->next_ns)
		return;
	c->next_ns = clock_boot_ns() + 5 * NS_PER_MS;
	n = send(c->fd, text + c->sent, piece, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		conn_close(c, false);
		return;
	}
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < len)
		return;
	if (reply->manner == FOR_EVER)
		c->sent = 0;
	else if (reply->manner != THEN_SILENT)
		conn_close(c, reply->manner == THEN_RESET);
}

static void server_run(struct server *s)
{
	server_accept(s);
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &s->conns[i];

		if (c->fd >= 0 && !c->reply)
			conn_read(s, c);
		if (c->fd >= 0 && c->reply)
			conn_write(c);
	}
}

/* --- driving ---------------------------------------------------------------------------------- */

static struct probe *start_late(const char *const *addrs, uint16_t port, uint64_t limit_ns,
				uint64_t late_ns)
{
	struct probe_job job = { .port = port,
				 .host = "localhost",
				 .path = "/mcp",
				 .connect_ns = limit_ns / 2,
				 .limit_ns = limit_ns };
	const struct probe_spec spec = { .job = &job, .version = "1", .late_ns = late_ns };
	struct probe *p = NULL;

	for (; addrs[job.n_addrs]; job.n_addrs++)
		assert_int_equal(parse_addr(addrs[job.n_addrs], &job.addrs[job.n_addrs]), 0);
	assert_int_equal(probe_new(&spec, &p), 0);
	return p;
}

static struct probe *start_at(const char *const *addrs, uint16_t port, uint64_t limit_ns)
{
	return start_late(addrs, port, limit_ns, 0);
}

static struct probe *start(const struct server *s, uint64_t limit_ns)
{
	static const char *const addrs[] = { "127.0.0.1", NULL };

	return start_at(addrs, s->port, limit_ns);
}

/* As an event loop would: only when it is readable or due. */
static void step(struct server *s, struct probe *p)
{
	struct pollfd poll_fd = { .fd = probe_fd(p), .events = POLLIN };

	if (s)
		server_run(s);
	if (poll(&poll_fd, 1, 1) > 0 || clock_boot_ns() >= probe_due_ns(p))
		probe_run(p);
}

static const struct probe_result *judge(struct server *s, struct probe *p)
{
	uint64_t end = clock_boot_ns() + PATIENCE_NS;

	while (!probe_result(p)) {
		step(s, p);
		assert_true(clock_boot_ns() < end);
	}
	return probe_result(p);
}

static void expect(struct server *s, struct probe *p, enum sg_class class, enum sg_cause cause)
{
	const struct probe_result *r = judge(s, p);

	if (r->class != class || r->cause != cause)
		fail_msg("class %d, cause %d instead of %d, %d", r->class, r->cause, class, cause);
	probe_free(p);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void test_session(void **state)
{
	static const char *const wanted[] = { "\"initialize\"", "notifications/i", "\"ping\"",
					      "DELETE" };
	struct server s;
	struct probe *p;
	const struct probe_result *r;

	(void)state;
	server_start(&s, session);
	p = start(&s, SECONDS(5));
	assert_null(probe_result(p));
	r = judge(&s, p);
	assert_int_equal(r->class, SG_SUCCESS);
	assert_int_equal(r->status, 200);
	assert_true(r->complete);
	assert_in_range(r->latency_ns, 1, SECONDS(5));
	assert_int_equal(probe_generation(p), PROBE_GENERATION_SESSION);
	assert_int_equal(s.requests, 3); /* the verdict does not wait for the farewell */
	assert_false(probe_over(p));
	while (!probe_over(p))
		step(&s, p);
	assert_int_equal(s.requests, 4);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_string_equal(s.seen[i], wanted[i]);
	assert_true(probe_due_ns(p) == UINT64_MAX);
	probe_free(p);
	server_stop(&s);
}

static void test_modern_is_one_connection(void **state)
{
	static const struct reply replies[] = {
		{ "server/discover", JSON("5", "{}"), AT_ONCE },
		{ NULL, STATUS("400"), AT_ONCE },
	};
	struct server s;
	struct probe *p;
	struct probe_job job = {
		.n_addrs = 1, .host = "localhost", .connect_ns = NS_PER_SEC, .limit_ns = NS_PER_SEC
	};
	const struct probe_spec spec = { .job = &job, .version = "1" };

	(void)state;
	server_start(&s, replies);
	p = start(&s, SECONDS(5));
	assert_int_equal(judge(&s, p)->class, SG_SUCCESS);
	assert_true(probe_over(p));
	assert_int_equal(s.requests, 2);
	job.era = probe_generation(p);
	probe_free(p);
	assert_int_equal(parse_addr("127.0.0.1", &job.addrs[0]), 0);
	job.port = s.port;
	assert_int_equal(probe_new(&spec, &p), 0);
	expect(&s, p, SG_SUCCESS, SG_CAUSE_ANSWER);
	assert_int_equal(s.requests, 3);
	server_stop(&s);
}

static void test_the_slowest_turn_is_the_latency(void **state)
{
	static const struct reply replies[] = {
		{ "\"initialize\"", INIT, LATE },
		{ "notifications/initialized", STATUS("202"), AT_ONCE },
		{ "\"ping\"", JSON("3", "{}"), AT_ONCE },
		{ NULL, NULL, AT_ONCE },
	};
	const struct probe_result *r;
	struct server s;
	struct probe *p;

	(void)state;
	server_start(&s, replies);
	p = start(&s, SECONDS(5));
	r = judge(&s, p);
	assert_int_equal(r->class, SG_SUCCESS);
	assert_in_range(r->latency_ns, 50 * NS_PER_MS, SECONDS(5));
	assert_in_range(r->first_ns, 50 * NS_PER_MS, r->latency_ns);
	probe_free(p);
	server_stop(&s);
}

static void test_drips_are_put_together(void **state)
{
	static const struct reply replies[] = {
		{ "\"initialize\"", INIT, IN_DRIPS },
		{ "notifications/initialized", STATUS("202"), IN_DRIPS },
		{ "\"ping\"", JSON("3", "{}"), IN_DRIPS },
		{ NULL, NULL, AT_ONCE },
	};
	struct server s;

	(void)state;
	server_start(&s, replies);
	expect(&s, start(&s, SECONDS(5)), SG_SUCCESS, SG_CAUSE_ANSWER);
	server_stop(&s);
}

static void test_broken_connections(void **state)
{
	static const struct {
		struct reply reply;
		enum sg_cause cause;
	} cases[] = {
		{ { NULL, NULL, THEN_RESET }, SG_CAUSE_RESET },
		{ { NULL, NULL, AT_ONCE }, SG_CAUSE_TRUNCATED },
		{ { NULL, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", AT_ONCE },
		  SG_CAUSE_TRUNCATED },
		{ { NULL, NULL, THEN_SILENT }, SG_CAUSE_NO_ANSWER },
		{ { NULL, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
		    THEN_SILENT },
		  SG_CAUSE_NO_ANSWER },
		{ { NULL, "HTTP/1.1 500 x\r\n\r\n", THEN_SILENT }, SG_CAUSE_STATUS },
	};
	struct server s;
	uint64_t limit;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		server_start(&s, &cases[i].reply);
		limit = cases[i].cause == SG_CAUSE_NO_ANSWER ? 150 * NS_PER_MS : SECONDS(5);
		expect(&s, start(&s, limit), SG_HARD, cases[i].cause);
		server_stop(&s);
	}
}

static void test_the_limit_holds_for_all_turns_together(void **state)
{
	static const struct reply replies[] = {
		{ "\"initialize\"", INIT, AT_ONCE },
		{ "notifications/initialized", STATUS("202"), AT_ONCE },
		/* the ping's answer would take too long, though something comes all the time */
		{ NULL,
		  "HTTP/1.1 200 OK\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  SLOWLY },
	};
	uint64_t begun = clock_boot_ns();
	struct server s;
	struct probe *p;
	const struct probe_result *r;

	(void)state;
	server_start(&s, replies);
	p = start(&s, 500 * NS_PER_MS);
	r = judge(&s, p);
	assert_int_equal(r->class, SG_HARD);
	assert_int_equal(r->cause, SG_CAUSE_NO_ANSWER);
	assert_true(clock_boot_ns() - begun >= 500 * NS_PER_MS);
	assert_in_range(r->latency_ns, 100 * NS_PER_MS, SECONDS(5));
	assert_in_range(r->first_ns, 1, r->latency_ns / 2);
	assert_true(probe_over(p));
	probe_free(p);
	server_stop(&s);
}

static void test_floods_are_cut_off(void **state)
{
	static const struct reply replies[] = {
		{ NULL, "HTTP/1.1 100 x\r\n\r\n", FOR_EVER },
	};
	static const struct reply endless[] = {
		{ NULL, "HTTP/1.1 404 x\r\n\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  FOR_EVER },
	};
	struct server s;

	(void)state;
	server_start(&s, replies);
	expect(&s, start(&s, SECONDS(5)), SG_HARD, SG_CAUSE_BAD_RESPONSE);
	server_stop(&s);
	server_start(&s, endless);
	expect(&s, start(&s, SECONDS(9)), SG_LOCAL, SG_CAUSE_NONE);
	server_stop(&s);
}

static void test_connects(void **state)
{
	static const char *const second[] = { "127.0.0.2", "127.0.0.1", NULL };
	static const char *const refused[] = { "127.0.0.2", "127.0.0.3", NULL };
	static const char *const nowhere[] = { "224.0.0.1", NULL };
	static const char *const both[] = { "127.0.0.2", "224.0.0.1", NULL };
	struct server s;

	(void)state;
	server_start(&s, session);
	expect(&s, start_at(second, s.port, SECONDS(5)), SG_SUCCESS, SG_CAUSE_ANSWER);
	expect(&s, start_at(refused, s.port, SECONDS(5)), SG_HARD, SG_CAUSE_REFUSED);
	expect(&s, start_at(nowhere, s.port, SECONDS(5)), SG_LOCAL, SG_CAUSE_NONE);
	expect(&s, start_at(both, s.port, SECONDS(5)), SG_HARD, SG_CAUSE_REFUSED);
	server_stop(&s);
}

static void test_syn_unanswered(void **state)
{
	struct server s;
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fds[4];

	(void)state;
	server_start(&s, session);
	assert_return_code(listen(s.fd, 0), errno);
	sin.sin_port = htons(s.port);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fds[i], (struct sockaddr *)&sin, sizeof(sin));
	}
	expect(NULL, start(&s, 300 * NS_PER_MS), SG_HARD, SG_CAUSE_TIMEOUT);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	server_stop(&s);
}

/* A host that slept past the limit has not seen a server fail; one that was only busy has. */
static void test_asleep(void **state)
{
	static const char *const addrs[] = { "127.0.0.1", NULL };
	static const struct reply silent = { NULL, NULL, THEN_SILENT };
	static const struct {
		uint64_t late_ns;
		enum sg_class class;
		enum sg_cause cause;
	} cases[] = {
		{ 200 * NS_PER_MS, SG_LOCAL, SG_CAUSE_NONE },
		{ SECONDS(60), SG_HARD, SG_CAUSE_NO_ANSWER },
	};
	const struct timespec nap = { 0, 700000000 };
	struct probe *p[ARRAY_SIZE(cases)];
	struct server s;

	(void)state;
	assert_true(PROBE_LATE_NS == SECONDS(1)); /* where the caller says nothing */
	server_start(&s, &silent);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		p[i] = start_late(addrs, s.port, 300 * NS_PER_MS, cases[i].late_ns);
	while (s.requests < ARRAY_SIZE(cases))
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
			step(&s, p[i]);
	nanosleep(&nap, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(&s, p[i], cases[i].class, cases[i].cause);
	server_stop(&s);
}

static void test_several_at_a_time(void **state)
{
	struct probe *p[16];
	struct server s;
	bool all = false;

	(void)state;
	server_start(&s, session);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = start(&s, SECONDS(9));
	for (int round = 0; !all && round < 2000; round++) {
		all = true;
		for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
			step(&s, p[i]);
			all = all && probe_over(p[i]);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		assert_true(probe_over(p[i]));
		assert_int_equal(probe_result(p[i])->class, SG_SUCCESS);
		probe_free(p[i]);
	}
	assert_int_equal(s.requests, 4 * ARRAY_SIZE(p));
	server_stop(&s);
}

static void test_bad_targets(void **state)
{
	struct probe_job job = { .host = "h", .path = "/" };
	const struct probe_spec spec = { .job = &job, .version = "1" };
	struct probe *p = NULL;

	(void)state;
	assert_int_equal(parse_addr("127.0.0.1", &job.addrs[0]), 0);
	assert_int_equal(probe_new(&spec, &p), -EINVAL);
	job.n_addrs = PROBE_ADDRS_MAX + 1;
	assert_int_equal(probe_new(&spec, &p), -EINVAL);
	job.n_addrs = 1;
	job.tls = true; /* and nobody who could */
	assert_int_equal(probe_new(&spec, &p), -EINVAL);
	job.tls = false;
	snprintf(job.path, sizeof(job.path), "/a b");
	assert_int_equal(probe_new(&spec, &p), -EINVAL);
	assert_null(p);
	probe_free(p);
}

static void test_verdicts_of_strangers(void **state)
{
	const struct probe_verdict good = { .result = { .class = SG_SUCCESS,
							.cause = SG_CAUSE_ANSWER } };
	struct probe_verdict v = good;

	(void)state;
	assert_true(probe_verdict_valid(&v, sizeof(v)));
	assert_false(probe_verdict_valid(&v, sizeof(v) - 1));
	v.era = PROBE_GENERATION_COUNT;
	assert_false(probe_verdict_valid(&v, sizeof(v)));
	v = good;
	v.result.class = SG_CLASS_COUNT;
	assert_false(probe_verdict_valid(&v, sizeof(v)));
	v = good;
	v.result.cause = SG_CAUSE_COUNT;
	assert_false(probe_verdict_valid(&v, sizeof(v)));
	v = good;
	*(uint8_t *)&v.result.complete = 2;
	assert_false(probe_verdict_valid(&v, sizeof(v)));
	v = good;
	memset(v.why, 'x', sizeof(v.why));
	assert_false(probe_verdict_valid(&v, sizeof(v)));
}

/* --- TLS, as it may behave ---------------------------------------------------------------------- */

static struct {
	int opened;
	int closed;
	int shakes; /* that are still to come */
	int socket;
	const struct probe_objection *objection;
} tls;

static int tls_open(int socket, const char *host, uint16_t port, void **ret)
{
	(void)port;
	assert_string_equal(host, "localhost");
	tls.opened++;
	tls.socket = socket;
	*ret = &tls;
	return 0;
}

static int tls_shake(void *data, struct probe_objection *objection)
{
	assert_ptr_equal(data, &tls);
	if (tls.shakes-- > 0)
		return -EAGAIN;
	if (!tls.objection)
		return 0;
	*objection = *tls.objection;
	return -EPROTO;
}

static ssize_t tls_send(void *data, const void *text, size_t len)
{
	ssize_t n = send(((typeof(tls) *)data)->socket, text, len, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

/* Gives less than it took from the socket at a time. */
static ssize_t tls_recv(void *data, void *text, size_t len)
{
	static char taken[4096];
	static ssize_t n;
	static ssize_t at;

	(void)len;
	if (at >= n) {
		at = 0;
		n = recv(((typeof(tls) *)data)->socket, taken, sizeof(taken), 0);
		if (n <= 0)
			return n < 0 ? -errno : 0;
	}
	*(char *)text = taken[at++];
	return 1;
}

static void tls_close(void *data)
{
	assert_ptr_equal(data, &tls);
	tls.closed++;
}

static const struct probe_tls fake_tls = { tls_open, tls_shake, tls_send, tls_recv, tls_close };

static struct probe *start_tls(const struct server *s, int shakes,
			       const struct probe_objection *objection)
{
	struct probe_job job = { .n_addrs = 1,
				 .port = s->port,
				 .host = "localhost",
				 .path = "/mcp",
				 .tls = true,
				 .connect_ns = SECONDS(1),
				 .limit_ns = SECONDS(2) };
	const struct probe_spec spec = { .job = &job, .version = "1", .tls = &fake_tls };
	struct probe *p = NULL;

	memset(&tls, 0, sizeof(tls));
	tls.shakes = shakes;
	tls.objection = objection;
	assert_int_equal(parse_addr("127.0.0.1", &job.addrs[0]), 0);
	assert_int_equal(probe_new(&spec, &p), 0);
	return p;
}

static void test_over_tls(void **state)
{
	struct server s;
	struct probe *p;

	(void)state;
	server_start(&s, session);
	p = start_tls(&s, 3, NULL);
	assert_int_equal(judge(&s, p)->class, SG_SUCCESS);
	assert_string_equal(probe_objection(p), "");
	while (!probe_over(p))
		step(&s, p);
	assert_int_equal(tls.opened, 4);
	assert_int_equal(tls.closed, 4);
	probe_free(p);
	server_stop(&s);
}

static void test_a_handshake_that_fails(void **state)
{
	static const struct probe_objection objections[] = {
		{ SG_CALLER, SG_CAUSE_TLS, "unknown issuer" },
		{ SG_HARD, SG_CAUSE_RESET, "" },
		{ SG_LOCAL, SG_CAUSE_NONE, "no memory" },
	};
	struct server s;

	(void)state;
	server_start(&s, session);
	for (size_t i = 0; i < ARRAY_SIZE(objections); i++) {
		struct probe *p = start_tls(&s, 1, &objections[i]);

		judge(&s, p);
		assert_string_equal(probe_objection(p), objections[i].why);
		assert_int_equal(tls.closed, 1);
		expect(&s, p, objections[i].class, objections[i].cause);
	}
	/* it lasts for ever */
	expect(&s, start_tls(&s, INT32_MAX, NULL), SG_HARD, SG_CAUSE_NO_ANSWER);
	assert_int_equal(s.requests, 0);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_over_tls),
		cmocka_unit_test(test_a_handshake_that_fails),
		cmocka_unit_test(test_verdicts_of_strangers),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_modern_is_one_connection),
		cmocka_unit_test(test_the_slowest_turn_is_the_latency),
		cmocka_unit_test(test_drips_are_put_together),
		cmocka_unit_test(test_broken_connections),
		cmocka_unit_test(test_the_limit_holds_for_all_turns_together),
		cmocka_unit_test(test_floods_are_cut_off),
		cmocka_unit_test(test_connects),
		cmocka_unit_test(test_syn_unanswered),
		cmocka_unit_test(test_asleep),
		cmocka_unit_test(test_several_at_a_time),
		cmocka_unit_test(test_bad_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
