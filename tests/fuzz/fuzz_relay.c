/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever an agent says to the relay is answered once, in HTTP that ends its connection, or not at
 * all; how the bytes were cut changes nothing; nothing is left when it has gone. What is handed on
 * holds no credentials; ids of events get marks however a stream was cut. Input: one byte (stand-in
 * or forward, size of the pieces), then what the agent says.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "relay/agent.h"
#include "relay/events.h"
#include "relay/heads.h"

#define SERVER 7
#define FORWARDS 0x40
#define ANSWER_MAX (1U << 22)
#define TURNS_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct env env;
static struct agents agents = { .env = &env, .max = AGENTS_MAX };

/* Nobody listens at the target: what cannot be reached is answered here, too. */
static void set_up(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	if (loop_new(&env.loop) || sessions_new(&env.sessions))
		abort();
}

static void set_rule(bool forwards)
{
	static const uint8_t nobody[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };
	struct relay_rule rule = { .server = SERVER,
				   .kind = forwards ? RELAY_FORWARD : RELAY_STAND_IN,
				   .port = 1,
				   .name = "n",
				   .path = "/mcp",
				   .target = "t",
				   .target_host = "t:1",
				   .target_path = "/" };

	memcpy(rule.addr, nobody, sizeof(nobody));
	if (rules_set(&env.rules, &rule, -1))
		abort();
}

static void take(int fd, struct buf *out)
{
	char piece[65536];
	ssize_t n;

	if (loop_turn(env.loop, 0))
		abort();
	while ((n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
		buf_append(out, piece, (size_t)n);
}

static void play(const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
	int pair[2];
	int turns = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		abort();
	agent_new(&agents, pair[1], SERVER, 0);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (send(pair[0], data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
		take(pair[0], out);
	}
	/* a connect that is under way ends before the agent goes */
	for (; turns < 20 && agents.n && agents.first; turns++)
		take(pair[0], out);
	shutdown(pair[0], SHUT_WR);
	for (turns = 0; agents.n && turns < TURNS_MAX; turns++)
		take(pair[0], out);
	take(pair[0], out);
	close(pair[0]);
	if (agents.n || env.held)
		abort();
}

static void check_answer(const struct buf *out)
{
	const char *text = buf_str(out);

	if (!strncmp(text, "HTTP/1.1 100 Continue\r\n\r\n", 25))
		text += 25;
	if (!*text)
		return;
	if (strncmp(text, "HTTP/1.1 ", 9) != 0 || !strstr(text, "\r\nConnection: close\r\n"))
		abort();
}

/* What would go on, of a request without those words but in fields. */
static void check_head(const uint8_t *data, size_t size)
{
	static const char *const secrets[] = { "\nauthorization:", "\ncookie:",
					       "\nproxy-authorization:", "\nmcp-session-id:",
					       "\nx-api-key:" };
	CLEANUP(buf_done) struct buf out = BUF(1U << 20);
	const struct heads_own own = { .length = 0 };
	struct http1_span in = { (const char *)data, size };
	struct http1_span body;
	struct rule *rule = rules_hold(&env.rules, SERVER, 0);
	static struct http1 h;

	http1_init(&h, HTTP1_REQUESTS, 65536);
	if (http1_feed(&h, &in, &body) == HTTP1_HEAD && !heads_request(rule, &h, &own, &out))
		for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
			if (strcasestr(buf_str(&out), secrets[i]))
				abort();
	http1_done(&h);
	rule_put(rule);
}

static void check_events(const char *data, size_t size, size_t piece)
{
	CLEANUP(buf_done) struct buf whole = BUF(ANSWER_MAX);
	CLEANUP(buf_done) struct buf torn = BUF(ANSWER_MAX);
	struct events e;

	events_init(&e, 1);
	events_feed(&e, data, size, &whole);
	events_end(&e, &whole);
	events_init(&e, 1);
	for (size_t at = 0; at < size; at += piece)
		events_feed(&e, data + at, size - at < piece ? size - at : piece, &torn);
	events_end(&e, &torn);
	if (whole.len != torn.len || memcmp(buf_str(&whole), buf_str(&torn), whole.len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = BUF(ANSWER_MAX);
	CLEANUP(buf_done) struct buf torn = BUF(ANSWER_MAX);
	size_t piece;

	if (!size)
		return 0;
	set_up();
	set_rule(data[0] & FORWARDS);
	piece = 1 + (data[0] & 0x3f);
	play(data + 1, size - 1, SIZE_MAX / 2, &whole);
	play(data + 1, size - 1, piece, &torn);
	check_answer(&whole);
	/* one who reads no answer may be torn off before all was sent to him */
	if (whole.len == torn.len && memcmp(buf_str(&whole), buf_str(&torn), whole.len) != 0)
		abort();
	check_head(data + 1, size - 1);
	check_events((const char *)data + 1, size - 1, piece);
	return 0;
}
