/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers as a network may deliver them: in pieces that come twice, overlap,
 * come in the wrong order, or were never sent by the server. A raw socket plays
 * the server's TCP; the client's is the kernel's own.
 */
#include "bpf/talk.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#define POST "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
#define BUSY "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 20\r\n\r\n01234567890123456789"
#define OK_BODY \
	"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n0123456789012345678901234567890123456789"
#define OK_CHUNKED \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n0\r\n\r\n"

static struct dataplane *dp;
static struct talk talk;
static struct rig_events events;
static int raw = -1;

/* The server's view of the connection, at the start of its next answer. */
static struct {
	uint32_t seq;
	uint32_t ack;
	uint16_t client_port;
	size_t fin; /* the segment that ends there closes the connection; 0: none does */
} at;

static int setup(void **state)
{
	(void)state;
	rig_sysctl("net/ipv4/tcp_timestamps", "0");
	dp = rig_open();
	talk_init(&talk, dp);
	raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	assert_true(raw >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(raw);
	talk_done(&talk);
	assert_int_equal(dataplane_detach(dp, &(struct detach_result){ 0 }), 0);
	dataplane_close(dp);
	return 0;
}

static uint32_t queue_seq(int queue)
{
	socklen_t len = sizeof(uint32_t);
	uint32_t seq;

	assert_int_equal(
		setsockopt(talk.server, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)), 0);
	assert_int_equal(getsockopt(talk.server, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &len), 0);
	return seq;
}

/* Connects, sends a request, and takes the server's kernel out of the conversation. */
static void begin(void)
{
	struct sg_policy policy = rig_policy();
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int on = 1;
	int off = -1; /* without a window probe */

	talk_end(&talk);
	rig_server(dp, &policy, NS_PER_SEC);
	events.n = 0;
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(getsockname(talk.client, (struct sockaddr *)&sin, &len), 0);
	talk_ask(&talk, POST);
	assert_int_equal(setsockopt(talk.server, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)), 0);
	at.seq = queue_seq(TCP_SEND_QUEUE);
	at.ack = queue_seq(TCP_RECV_QUEUE);
	assert_int_equal(setsockopt(talk.server, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)), 0);
	at.client_port = sin.sin_port;
	at.fin = 0;
}

static uint16_t checksum(const uint8_t *data, size_t len)
{
	/* pseudo header: 127.0.0.1 twice, protocol, length */
	uint32_t sum = 2 * (0x7f00 + 0x0001) + IPPROTO_TCP + (uint32_t)len;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)data[i] << 8 | (i + 1 < len ? data[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Sends bytes [from, to) of an answer; a lie is added to the checksum. */
static void inject(const char *text, size_t from, size_t to, uint16_t lie)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	uint8_t packet[20 + 512] = { 0 };
	struct tcphdr *tcp = (struct tcphdr *)packet;
	size_t len = to - from;

	assert_true(len <= 512);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	tcp->source = htons(talk.port);
	tcp->dest = at.client_port;
	tcp->seq = htonl(at.seq + (uint32_t)from);
	tcp->ack_seq = htonl(at.ack);
	tcp->doff = 5;
	tcp->ack = 1;
	tcp->psh = 1;
	tcp->fin = at.fin && to == at.fin;
	tcp->window = htons(1000);
	memcpy(packet + 20, text + from, len);
	tcp->check = htons((uint16_t)(checksum(packet, 20 + len) + lie));
	assert_int_equal(sendto(raw, packet, 20 + len, 0, (struct sockaddr *)&sin, sizeof(sin)),
			 20 + len);
}

static void whole(const char *text)
{
	inject(text, 0, strlen(text), 0);
}

/* The client has received exactly this text. */
static void expect_received(const char *text)
{
	char buf[1024];
	size_t got = 0;

	for (int i = 0; i < 100 && got < strlen(text); i++) {
		ssize_t n = recv(talk.client, buf + got, sizeof(buf) - got, MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else
			usleep(1000);
	}
	assert_int_equal(got, strlen(text));
	assert_memory_equal(buf, text, got);
}

static void expect_one(enum sg_class class, unsigned int status)
{
	rig_wait(dp, &events, 1);
	assert_int_equal(events.n, 1);
	assert_int_equal(events.e[0].type, SG_EV_OUTCOME);
	assert_int_equal(events.e[0].outcome, class);
	assert_int_equal(events.e[0].status, status);
	events.n = 0;
	rig_read(dp, &events);
	assert_int_equal(events.n, 0);
}

static void expect_none(void)
{
	usleep(3000);
	rig_read(dp, &events);
	assert_int_equal(events.n, 0);
	assert_int_equal(rig_stats(dp).r5xx, 0);
	assert_int_equal(rig_stats(dp).hard, 0);
}

static void test_duplicates_count_once(void **state)
{
	(void)state;
	begin();
	for (size_t i = 0; i < 5; i++)
		whole(BUSY);
	expect_received(BUSY);
	expect_one(SG_HARD, 503);
	assert_int_equal(rig_stats(dp).r5xx, 1);
	assert_int_equal(rig_stats(dp).hard, 1);
}

static void test_overlaps_count_once(void **state)
{
	size_t len = strlen(BUSY);

	(void)state;
	for (size_t a = 1; a < len; a += 7) {
		for (size_t b = 0; b <= a; b += 11) {
			begin();
			inject(BUSY, 0, a, 0);
			inject(BUSY, b, len, 0);
			inject(BUSY, b, a, 0);
			expect_received(BUSY);
			expect_one(SG_HARD, 503);
			assert_int_equal(rig_stats(dp).r5xx, 1);
		}
	}
}

/* The end comes before the beginning, wherever it is torn: one answer, at once or by silence. */
static void out_of_order(const char *text, enum sg_class class, unsigned int status)
{
	size_t len = strlen(text);
	struct dataplane_sweep sweep;

	for (size_t a = strlen("HTTP/1.1 200"); a < len; a += 5) {
		begin();
		inject(text, a, len, 0);
		expect_none();
		inject(text, 0, a, 0);
		expect_received(text);
		rig_read(dp, &events);
		if (!events.n) {
			usleep(210000);
			assert_int_equal(dataplane_sweep(dp, &sweep), 0);
		}
		expect_one(class, status);
	}
}

static void test_out_of_order(void **state)
{
	(void)state;
	out_of_order(BUSY, SG_HARD, 503);
	out_of_order(OK_BODY, SG_SUCCESS, 200);
	out_of_order(OK_CHUNKED, SG_SUCCESS, 200);
}

/* What came in the wrong order is over when the next request comes. */
static void test_out_of_order_then_the_next_turn(void **state)
{
	size_t len = strlen(OK_BODY);

	(void)state;
	for (size_t a = strlen("HTTP/1.1 200"); a < len; a += 5) {
		begin();
		inject(OK_BODY, a, len, 0);
		inject(OK_BODY, 0, a, 0);
		expect_received(OK_BODY);
		at.seq += (uint32_t)len;
		assert_int_equal(send(talk.client, POST, strlen(POST), MSG_NOSIGNAL), strlen(POST));
		at.ack += (uint32_t)strlen(POST);
		whole(BUSY);
		expect_received(BUSY);
		rig_wait(dp, &events, 2);
		assert_int_equal(events.n, 2);
		assert_int_equal(events.e[0].outcome, SG_SUCCESS);
		assert_int_equal(events.e[0].status, 200);
		assert_int_equal(events.e[1].outcome, SG_HARD);
		assert_int_equal(events.e[1].status, 503);
		assert_int_equal(rig_stats(dp).requests, 2);
	}
}

/* --- answers in any order, and then the end ------------------------------------------------ */

#define ANSWERS 1150
#define PIECES_MAX 6
#define JSON "HTTP/1.1 200 OK\r\nServer: any\r\nContent-Type: application/json\r\n"

static uint32_t random_state = 12;

static uint32_t some(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

/* An answer of some length in `text`, framed in one of three ways. */
static void make_answer(char *text, size_t size, uint32_t framing)
{
	char body[100];
	uint32_t n = 1 + some(sizeof(body) - 1);
	int at_ = 0;

	memset(body, 'b', n);
	body[n] = '\0';
	if (framing == SG_FRAMING_LENGTH) {
		snprintf(text, size, JSON "Content-Length: %u\r\n\r\n%s", n, body);
	} else if (framing == SG_FRAMING_CLOSE) {
		snprintf(text, size, JSON "Connection: close\r\n\r\n%s", body);
	} else {
		at_ = snprintf(text, size, JSON "Transfer-Encoding: chunked\r\n\r\n");
		for (uint32_t i = 0, k; i < n; i += k) {
			k = 1 + some(n - i);
			at_ += snprintf(text + at_, size - (size_t)at_, "%x%s\r\n%.*s\r\n", k,
					some(2) ? "" : ";x=y", (int)k, body);
		}
		snprintf(text + at_, size - (size_t)at_, "0%s\r\n%s\r\n", some(2) ? "" : "00",
			 some(2) ? "" : "X: 0\r\n");
	}
}

/* Sends the first `len` bytes in pieces, in any order or as they are, and closes behind them. */
static void send_shuffled(const char *text, size_t len, bool shuffled)
{
	size_t ends[PIECES_MAX + 1] = { 0 };
	size_t order[PIECES_MAX];
	size_t n = 1;

	for (size_t i = 1; i < len && n < PIECES_MAX; i++)
		if (some((uint32_t)len) < PIECES_MAX - 1)
			ends[n++] = i;
	ends[n] = len;
	for (size_t i = 0; i < n; i++) {
		size_t j = shuffled ? some((uint32_t)i + 1) : i;

		order[i] = order[j];
		order[j] = i;
	}
	at.fin = len;
	for (size_t i = 0; i < n; i++)
		inject(text, ends[order[i]], ends[order[i] + 1], 0);
}

/* Waits until the client's TCP has taken all of it, the end too. */
static void expect_closed(size_t len)
{
	char buf[2048];
	size_t got = 0;

	for (int i = 0; i < 2000; i++) {
		ssize_t n = recv(talk.client, buf, sizeof(buf), MSG_DONTWAIT);

		if (!n)
			break;
		if (n > 0)
			got += (size_t)n;
		else
			usleep(1000);
	}
	assert_int_equal(got, len);
}

static const struct sg_event *one_outcome(void)
{
	rig_wait(dp, &events, 1);
	assert_int_equal(events.n, 1);
	assert_int_equal(events.e[0].type, SG_EV_OUTCOME);
	return &events.e[0];
}

/* Of a server that is well none is a failure, in whatever order TCP got what it was given. */
static void test_healthy_answers_in_any_order(void **state)
{
	size_t classes[SG_CLASS_COUNT] = { 0 };
	char text[2048];

	(void)state;
	for (uint32_t i = 0; i < ANSWERS; i++) {
		const struct sg_event *e;

		make_answer(text, sizeof(text), SG_FRAMING_LENGTH + i % 3);
		begin();
		send_shuffled(text, strlen(text), true);
		expect_closed(strlen(text));
		e = one_outcome();
		classes[e->outcome]++;
		if (e->outcome == SG_SUCCESS ? e->status != 200 : e->cause != SG_CAUSE_UNSEEN)
			fail_msg("answer %u: class %u, cause %u, status %u: %s", i, e->outcome,
				 e->cause, e->status, text);
	}
	print_message("%zu successes, %zu unknown\n", classes[SG_SUCCESS], classes[SG_UNKNOWN]);
	assert_int_equal(classes[SG_SUCCESS] + classes[SG_UNKNOWN], ANSWERS);
	assert_true(classes[SG_SUCCESS] > ANSWERS * 3 / 4);
	assert_true(classes[SG_UNKNOWN]); /* or nothing was hidden */
}

/* What ends too early, in the right order, is a failure each time, but where the end is the end. */
static void test_truncated_answers(void **state)
{
	char text[2048];

	(void)state;
	for (uint32_t i = 0; i < 150; i++) {
		uint32_t framing = SG_FRAMING_LENGTH + i % 2;
		const struct sg_event *e;
		size_t len;

		make_answer(text, sizeof(text), framing);
		len = 1 + some((uint32_t)strlen(text) - 1);
		begin();
		send_shuffled(text, len, false);
		expect_closed(len);
		e = one_outcome();
		if (e->outcome != SG_HARD || e->cause != SG_CAUSE_TRUNCATED)
			fail_msg("cut at %zu: class %u, cause %u: %s", len, e->outcome, e->cause,
				 text);
	}
}

/* Where the header came in order, and a length or a chunk tells, so is what ends too early in another. */
static void test_truncated_bodies_in_any_order(void **state)
{
	static const char *const texts[] = {
		JSON "Content-Length: 60\r\n\r\n01234567890123456789",
		JSON "Transfer-Encoding: chunked\r\n\r\n60\r\n01234567890123456789",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t len = strlen(texts[i]);

		begin();
		at.fin = len;
		inject(texts[i], 0, len - 15, 0);
		inject(texts[i], len - 9, len, 0);
		inject(texts[i], len - 15, len - 9, 0);
		expect_closed(len);
		assert_int_equal(one_outcome()->cause, SG_CAUSE_TRUNCATED);
	}
}

static void test_forged_numbers_count_nothing(void **state)
{
	static const uint32_t offs[] = { 1,          100,        (uint32_t)-1000, 1000000,
					 0x7fffff00, 0x80000000, 0x90000000 };

	(void)state;
	begin();
	for (size_t i = 0; i < ARRAY_SIZE(offs); i++) {
		at.seq += offs[i];
		whole(BUSY);
		at.seq -= offs[i];
	}
	at.client_port = htons(9);
	whole(BUSY);
	expect_none();
}

/* Headers that lie about their lengths, on the very connection. */
static void test_malformed_segments_count_nothing(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	uint8_t packet[60];

	(void)state;
	begin();
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t len = 1; len <= 40; len++) {
		for (unsigned int doff = 0; doff < 16; doff++) {
			struct tcphdr *tcp = (struct tcphdr *)packet;

			memset(packet, 0, sizeof(packet));
			tcp->source = htons(talk.port);
			tcp->dest = at.client_port;
			tcp->seq = htonl(at.seq + 5000);
			tcp->ack_seq = htonl(at.ack);
			tcp->doff = doff & 15;
			tcp->ack = 1;
			tcp->check = htons(checksum(packet, len));
			sendto(raw, packet, len, 0, (struct sockaddr *)&sin, sizeof(sin));
		}
	}
	expect_none();
	whole(BUSY); /* and it still works */
	expect_received(BUSY);
	expect_one(SG_HARD, 503);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duplicates_count_once),
		cmocka_unit_test(test_overlaps_count_once),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_out_of_order_then_the_next_turn),
		cmocka_unit_test(test_healthy_answers_in_any_order),
		cmocka_unit_test(test_truncated_answers),
		cmocka_unit_test(test_truncated_bodies_in_any_order),
		cmocka_unit_test(test_forged_numbers_count_nothing),
		cmocka_unit_test(test_malformed_segments_count_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
