/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses of several names: whose a connection is by the server name of its ClientHello or the
 * Host of its request, in whatever pieces these come; what is refused then, and what is not.
 */
#include "bpf/rows.h"

#include "bpf/hello.h"

#define OTHER_SERVER (RIG_SERVER + 1)

#define OK "HTTP/1.1 200 It\r\nContent-Length: 2\r\n\r\n{}"
#define BROKEN "HTTP/1.1 500 It\r\nContent-Length: 2\r\n\r\n{}"
#define POST(host) "POST /mcp HTTP/1.1\r\n" host "Content-Length: 0\r\n\r\n"
#define SERVER_HELLO "\x16\x03\x03\x00\x05hello\x14\x03\x03\x00\x01\x01"
#define FINISHED "\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x05kkkkk"
#define RECORD "\x17\x03\x03\x00\x05"

static void name_is(struct dataplane_host *h, const char *name, uint32_t server)
{
	*h = (struct dataplane_host){ .server = server, .name.port = htons(talk.port) };
	memcpy(h->name.text, name, strlen(name));
}

static void flags(uint32_t server, uint32_t flags)
{
	struct sg_policy policy = rig_policy();

	assert_int_equal(
		dataplane_server_set(dp, server, "rig", flags, 0, &policy, NS_PER_SEC, true), 0);
}

static void forget(uint32_t id)
{
	struct sg_command cmd = { .op = SG_CMD_FORGET, .server = id };

	assert_int_equal(dataplane_quarantine_set(dp, id, 0), 0);
	assert_int_equal(dataplane_command(dp, &cmd), 0);
}

/* RIG_SERVER has the address and the name s.test, another one o.test: both anew. */
static void named(uint32_t how)
{
	struct sg_policy policy = rig_policy();
	struct dataplane_host v[2];

	forget(RIG_SERVER);
	forget(OTHER_SERVER);
	fresh(&policy);
	flags(RIG_SERVER, SG_SRV_NAMED | how);
	flags(OTHER_SERVER, SG_SRV_NAMED | SG_SRV_SHARED);
	rig_endpoint(dp, "127.0.0.1", talk.port);
	name_is(&v[0], "s.test", RIG_SERVER);
	name_is(&v[1], "o.test", OTHER_SERVER);
	assert_int_equal(dataplane_hosts_set(dp, v, 2), 0);
}

static struct sg_flow flow(void)
{
	uint64_t cookie = rig_cookie(talk.client);
	struct sg_flow f = { 0 };

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.flows), &cookie, &f), 0);
	return f;
}

/* Sends what the server gets in pieces of `piece` bytes. */
static void give(const uint8_t *v, size_t n, size_t piece)
{
	char got[4096];

	for (size_t at = 0; at < n; at += piece) {
		size_t k = n - at < piece ? n - at : piece;

		assert_int_equal(send(talk.client, v + at, k, MSG_NOSIGNAL), k);
		for (size_t came = 0; came < k;) {
			ssize_t r = recv(talk.server, got, sizeof(got), 0);

			assert_true(r > 0);
			came += (size_t)r;
		}
	}
}

/* A string as it stands, zeros included. */
#define give_text(text) give((const uint8_t *)(text), sizeof(text) - 1, sizeof(text) - 1)

/* Sends what the server does not get. */
static void lose(const void *v, size_t n)
{
	assert_int_equal(send(talk.client, v, n, MSG_NOSIGNAL), n);
	assert_false(talk_heard(&talk));
}

static void order_open(uint32_t server)
{
	struct sg_command cmd = { .op = SG_CMD_ORDER,
				  .server = server,
				  .state = SG_FORCED_OPEN,
				  .until_ns = SG_FOREVER };

	assert_int_equal(dataplane_command(dp, &cmd), 0);
}

static bool learned(uint32_t id)
{
	struct sg_server srv;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.srv_state), &id, &srv), 0);
	return srv.flags & SG_SRV_LEARNED;
}

/* Whose a connection is that begins so, in pieces and records of many lengths. */
static void test_whose(void **state)
{
	static const struct {
		const char *name;
		uint32_t server; /* SG_NOBODY: nobody's */
	} rows[] = {
		{ "s.test", RIG_SERVER }, { "S.Test", RIG_SERVER },    { "s.test.", RIG_SERVER },
		{ NULL, RIG_SERVER },     { "127.0.0.1", RIG_SERVER }, { "o.test", OTHER_SERVER },
		{ "x.test", SG_NOBODY },  { "s.test.x", SG_NOBODY },   { "xs.test", SG_NOBODY },
		{ "s.tes", SG_NOBODY },   { HELLO_LONG, SG_NOBODY },   { HELLO_127, SG_NOBODY },
	};
	static const size_t pieces[] = { 4096, 1, 3, 5, 43, 100, 517, 1400 };
	static const size_t records[] = { 4096, 1, 50, 200 };
	uint8_t v[HELLO_MAX];

	(void)state;
	for (size_t big = 0; big < 2; big++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			for (size_t p = 0; p < ARRAY_SIZE(pieces); p++)
				for (size_t r = 0; r < ARRAY_SIZE(records); r++) {
					size_t n = hello_make(v, rows[i].name, big, records[r]);

					if (records[r] == 1 && pieces[p] > 100)
						continue; /* that nobody sends, see test_torn() */
					if (big && pieces[p] == 1 && records[r] != 4096)
						continue; /* for time's sake */
					named(SG_SRV_SHARED);
					assert_int_equal(talk_dial(&talk), 0);
					assert_int_equal(flow().proxied, SG_PROXIED_UNNAMED);
					give(v, n, pieces[p]);
					if (flow().server != rows[i].server)
						fail_msg("%s in %zu, records of %zu, big %zu: %u",
							 rows[i].name ? rows[i].name : "none",
							 pieces[p], records[r], big, flow().server);
				}
}

/* Records of single bytes in one segment are more than is read of it: it is the server's. */
static void test_torn(void **state)
{
	uint8_t v[HELLO_MAX];
	size_t n = hello_make(v, "x.test", true, 1);

	(void)state;
	named(SG_SRV_SHARED);
	assert_int_equal(talk_dial(&talk), 0);
	give(v, n, n);
	assert_int_equal(flow().server, RIG_SERVER);
}

static void test_host(void **state)
{
	static const struct {
		const char *request;
		uint32_t server;
	} rows[] = {
		{ POST("Host: s.test\r\n"), RIG_SERVER },
		{ POST("Host: s.test:443\r\n"), RIG_SERVER },
		{ POST("hOST:S.TEST\r\n"), RIG_SERVER },
		{ POST("Host: \t s.test \r\n"), RIG_SERVER },
		{ POST("X-Host: x.test\r\nA: b\r\nHost: s.test\r\n"), RIG_SERVER },
		{ POST("Accept: application/json, text/event-stream\r\nUser-Agent: an agent of "
		       "which nobody knows what it is, with a name that is rather long\r\n"
		       "Host: o.test\r\n"),
		  OTHER_SERVER },
		{ POST("Host: 127.0.0.1:80\r\n"), RIG_SERVER },
		{ POST("Host: [::1]:80\r\n"), RIG_SERVER },
		{ POST("Host:\r\n"), RIG_SERVER },
		{ POST(""), RIG_SERVER },
		{ POST("") "\nHost: x.test\r\n", RIG_SERVER },
		{ POST("Host: x.test\r\n"), SG_NOBODY },
		{ POST("Host: " HELLO_LONG "\r\n"), SG_NOBODY },
		{ POST("Host: s.test.x\r\n"), SG_NOBODY },
	};
	static const size_t pieces[] = { 4096, 1, 2, 22, 23, 27, 28, 31, 127 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
			const char *text = rows[i].request;

			named(SG_SRV_SHARED);
			assert_int_equal(talk_dial(&talk), 0);
			give((const uint8_t *)text, strlen(text), pieces[p]);
			if (flow().server != rows[i].server)
				fail_msg("%s in %zu: %u", text, pieces[p], flow().server);
		}
}

/* What a stranger's connection comes to is no outcome, with or without the address's being known
 * to be shared; the first time it is learned, from who is trusted. */
static void test_strangers(void **state)
{
	uint8_t v[HELLO_MAX];
	size_t n;

	(void)state;
	for (int how = 0; how < 2; how++)
		for (size_t piece = 100; piece <= 4096; piece += 3996) {
			named(how ? SG_SRV_SHARED : 0);
			n = hello_make(v, "x.test", false, 4096);
			assert_int_equal(talk_dial(&talk), 0);
			give(v, n, piece);
			talk_say(&talk, SERVER_HELLO);
			give_text(FINISHED);
			give_text(RECORD "query");
			talk_reset(talk.server);
			talk.server = -1;
			assert_int_equal(talk_error(talk.client), ECONNRESET);
			talk_end(&talk);
			rig_read(dp, &events);
			assert_int_equal(events.n, 0);
			assert_int_equal(rig_stats(dp).requests, 0);
			assert_int_equal(learned(RIG_SERVER), !how);
			/* and now it counts as shared */
			order_open(RIG_SERVER);
			assert_int_equal(talk_dial(&talk), 0);
			give(v, n, piece);
			talk_end(&talk);
		}
}

/* The server's own are as they are elsewhere. */
static void test_own(void **state)
{
	uint8_t v[HELLO_MAX];
	size_t n = hello_make(v, "s.test", false, 4096);

	(void)state;
	for (int how = 0; how < 2; how++)
		for (size_t piece = 100; piece <= 4096; piece += 3996) {
			named(how ? SG_SRV_SHARED : 0);
			assert_int_equal(talk_dial(&talk), 0);
			give(v, n, piece);
			talk_say(&talk, SERVER_HELLO);
			give_text(FINISHED);
			give_text(RECORD "query");
			talk_reset(talk.server);
			talk.server = -1;
			assert_int_equal(talk_error(talk.client), ECONNRESET);
			talk_end(&talk);
			rig_wait(dp, &events, 1);
			assert_int_equal(events.n, 1);
			assert_int_equal(events.e[0].server, RIG_SERVER);
			assert_int_equal(events.e[0].cause, SG_CAUSE_RESET);
			assert_int_equal(events.e[0].proxied, SG_PROXIED_NOT);
			assert_int_equal(rig_stats(dp).handshakes, 1);
			assert_int_equal(rig_stats(dp).requests, 1);
			assert_int_equal(rig_stats(dp).connects, 1);
			assert_false(learned(RIG_SERVER));
		}
}

/* A request in clear, its Host in another segment: its method is known, and its answer counts. */
static void test_clear(void **state)
{
	static const char text[] = POST("Host: s.test\r\n");

	(void)state;
	for (size_t piece = 10; piece <= 100; piece += 90) {
		named(SG_SRV_SHARED);
		assert_int_equal(talk_dial(&talk), 0);
		give((const uint8_t *)text, strlen(text), piece);
		assert_int_equal(flow().method, SG_METHOD_POST);
		talk_say(&talk, BROKEN);
		talk_end(&talk);
		rig_wait(dp, &events, 1);
		assert_int_equal(events.n, 1);
		assert_int_equal(events.e[0].server, RIG_SERVER);
		assert_int_equal(events.e[0].status, 500);
	}
}

/* What a server is denied, by its name: by its breaker or a quarantine, whether the daemon lives
 * or not. Others' names pass, and so does what was sent again. */
static void test_refused(void **state)
{
	uint8_t v[HELLO_MAX];

	(void)state;
	for (int i = 0; i < 16; i++) {
		bool quarantine = i & 1;
		bool daemon = i & 2;
		bool clear = i & 4;
		size_t piece = i & 8 ? 4096 : 90;
		size_t n = hello_make(v, "s.test", false, 4096);
		size_t head = n > piece ? n / piece * piece : 0;

		named(SG_SRV_SHARED);
		dataplane_lease(dp, daemon ? SG_FOREVER : 0);
		if (quarantine)
			assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
		else
			order_open(RIG_SERVER);
		assert_int_equal(talk_dial(&talk), 0);
		assert_int_equal(rig_kill(dp), 0);
		if (clear) {
			lose(POST("Host: s.test\r\n"), strlen(POST("Host: s.test\r\n")));
		} else {
			/* the name stands behind the first segment, or in it */
			head = piece == 90 ? 90 : 0;
			give(v, head, 90);
			lose(v + head, n - head);
		}
		assert_int_equal(rig_stats(dp).denied, 1);
		assert_int_equal(rig_stats(dp).passed_open, 0);
		assert_true(flow().flags & SG_FLOW_STOPPED);
		if (daemon)
			assert_int_equal(rig_kill(dp), 1);
		else
			assert_int_equal(talk_error(talk.client), ETIMEDOUT);
		talk_end(&talk);

		assert_int_equal(talk_dial(&talk), 0);
		if (clear) {
			give_text(POST("Host: o.test\r\n"));
		} else {
			n = hello_make(v, "o.test", false, 4096);
			give(v, n, piece);
		}
		talk_say(&talk, OK);
		assert_int_equal(flow().server, OTHER_SERVER);
		assert_int_equal(rig_kill(dp), 0);
		talk_end(&talk);

		assert_int_equal(talk_dial(&talk), 0);
		n = hello_make(v, "x.test", false, 4096);
		give(v, n, piece);
		talk_say(&talk, SERVER_HELLO);
		give_text(FINISHED);
		assert_int_equal(rig_kill(dp), 0);
		talk_end(&talk);
	}
	dataplane_lease(dp, SG_FOREVER);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
}

/* A name that is pointed at another's address is refused there, and takes nothing away. */
static void test_elsewhere(void **state)
{
	uint8_t v[HELLO_MAX];
	size_t n;

	(void)state;
	named(SG_SRV_SHARED);
	assert_int_equal(dataplane_quarantine_set(dp, OTHER_SERVER, SG_FOREVER), 0);
	assert_int_equal(talk_dial(&talk), 0);
	n = hello_make(v, "o.test", false, 4096);
	lose(v, n);
	assert_int_equal(flow().server, OTHER_SERVER);
	talk_end(&talk);
	assert_int_equal(talk_dial(&talk), 0);
	n = hello_make(v, "s.test", false, 4096);
	give(v, n, n);
	assert_int_equal(flow().server, RIG_SERVER);
	talk_end(&talk);
	assert_int_equal(dataplane_quarantine_set(dp, OTHER_SERVER, 0), 0);
}

/* The probe of a half-open breaker is whose request it is, and not whose connect. */
static void test_probe(void **state)
{
	struct sg_command cmd = { .op = SG_CMD_READ, .server = RIG_SERVER };

	(void)state;
	named(SG_SRV_SHARED);
	assert_int_equal(dataplane_command(dp, &cmd), 0);
	cmd.op = SG_CMD_TRIP;
	cmd.generation = cmd.breaker.generation;
	cmd.reason = SG_REASON_CONSECUTIVE;
	assert_int_equal(dataplane_command(dp, &cmd), 0);
	cmd = (struct sg_command){ .op = SG_CMD_READ,
				   .server = RIG_SERVER,
				   .now_ns = clock_boot_ns() + 3600 * NS_PER_SEC };
	assert_int_equal(dataplane_command(dp, &cmd), 0);
	assert_int_equal(cmd.breaker.state, SG_HALF_OPEN);
	assert_int_equal(talk_dial(&talk), 0);
	assert_false(flow().flags & SG_FLOW_PROBE);
	give_text(POST("Host: x.test\r\n"));
	assert_false(flow().flags & SG_FLOW_PROBE);
	talk_end(&talk);
	assert_int_equal(talk_dial(&talk), 0);
	give_text(POST("Host: s.test\r\n"));
	assert_true(flow().flags & SG_FLOW_PROBE);
}

/* The ramp lets a share of the requests through, as of connects. */
static void test_ramp(void **state)
{
	static const char request[] = POST("Host: s.test\r\n");
	struct sg_policy policy = rig_policy();
	uint64_t now = clock_boot_ns();

	(void)state;
	named(SG_SRV_SHARED);
	policy.ramp_ns = now / 2 * 8; /* an eighth of it is over */
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", SG_SRV_NAMED | SG_SRV_SHARED,
					      0, &policy, NS_PER_SEC, true),
			 0);
	rig_ramp(dp, now);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(talk_dial(&talk), 0);
		assert_int_equal(send(talk.client, request, sizeof(request) - 1, MSG_NOSIGNAL),
				 sizeof(request) - 1);
		talk_end(&talk);
	}
	assert_true(rig_stats(dp).denied >= 1);
	assert_int_equal(rig_stats(dp).denied + rig_stats(dp).requests, 40);
}

/* A failed connect is the server's that has the address. */
static void test_connect(void **state)
{
	struct sockaddr_storage addr;
	socklen_t len;
	uint16_t port = talk.port;
	int fd;

	(void)state;
	named(SG_SRV_SHARED);
	talk.port = 1;
	rig_endpoint(dp, "127.0.0.1", 1);
	fd = talk_socket(&talk, &addr, &len);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	talk.port = port;
	rig_wait(dp, &events, 1);
	assert_int_equal(events.n, 1);
	assert_int_equal(events.e[0].cause, SG_CAUSE_REFUSED);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose),   cmocka_unit_test(test_torn),
		cmocka_unit_test(test_host),    cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_own),     cmocka_unit_test(test_clear),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_probe),   cmocka_unit_test(test_ramp),
		cmocka_unit_test(test_connect),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
