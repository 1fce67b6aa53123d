/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit/relay/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/clock.h"

#define PATIENCE_NS (20 * NS_PER_SEC)
#define MOMENT_MS 30

void assert_has(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" is not in:\n%s", words, text);
}

void assert_lacks(const char *text, const char *words)
{
	if (strstr(text, words))
		fail_msg("\"%s\" is in:\n%s", words, text);
}

/* --- the target --------------------------------------------------------------------------------- */

/* Does the request have all of its body? */
static bool is_complete(const struct rig_conn *c)
{
	const char *end = strstr(c->text, "\r\n\r\n");
	const char *length = strcasestr(c->text, "\r\ncontent-length: ");
	size_t body = length && end && length < end ? strtoul(length + 18, NULL, 10) : 0;

	return end && c->len >= (size_t)(end - c->text) + 4 + body;
}

static void on_conn(void *data)
{
	struct rig_conn *c = data;
	ssize_t n = recv(c->fd, c->text + c->len, sizeof(c->text) - c->len - 1, MSG_DONTWAIT);

	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		c->gone = true;
		loop_del(TAKE_PTR(c->source));
		return;
	}
	c->len += (size_t)n;
	c->text[c->len] = '\0';
	if (c->served || !is_complete(c))
		return;
	c->served = true;
	assert_true(c->rig->n_seen < RIG_SEEN_MAX);
	c->rig->seen[c->rig->n_seen++] = strdup(c->text);
	c->rig->serve(c);
}

static void on_listener(void *data)
{
	struct rig *r = data;
	struct rig_conn *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->rig = r;
	c->fd = accept(r->listener, NULL, NULL);
	assert_true(c->fd >= 0);
	c->next = r->conns;
	r->conns = c;
	assert_int_equal(loop_add_fd(r->env.loop, c->fd, on_conn, c, &c->source), 0);
}

void rig_reply(struct rig_conn *c, const char *text)
{
	(void)!send(c->fd, text, strlen(text), MSG_NOSIGNAL);
}

void rig_reply_json(struct rig_conn *c, unsigned int status, const char *lines, const char *body)
{
	CLEANUP(buf_done) struct buf out = BUF(1 << 20);

	buf_printf(
		&out,
		"HTTP/1.1 %u X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
		status, lines, strlen(body), body);
	rig_reply(c, buf_str(&out));
}

void rig_end(struct rig_conn *c)
{
	loop_del(TAKE_PTR(c->source));
	closep(&c->fd);
	c->fd = -1;
}

void rig_hang_up(struct rig_conn *c)
{
	const struct linger at_once = { 1, 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	rig_end(c);
}

/* --- the whole ------------------------------------------------------------------------------------ */

static void listen_there(struct rig *r)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	r->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(r->listener >= 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(r->listener, 64), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &len), 0);
	r->rule.addr[10] = r->rule.addr[11] = 0xff;
	memcpy(r->rule.addr + 12, &at.sin_addr, 4);
	r->rule.port = ntohs(at.sin_port);
	assert_int_equal(loop_add_fd(r->env.loop, r->listener, on_listener, r, &r->source), 0);
}

void rig_open(struct rig *r)
{
	*r = (struct rig){ .rule = { .server = RIG_SERVER,
				     .incarnation = RIG_INCARNATION,
				     .name = "files",
				     .path = "/mcp",
				     .reason = "it failed 5 times",
				     .instead = "\"copies\"" } };
	assert_int_equal(loop_new(&r->env.loop), 0);
	assert_int_equal(sessions_new(&r->env.sessions), 0);
	r->agents.env = &r->env;
	r->agents.max = AGENTS_MAX;
	listen_there(r);
	rig_rule(r, NULL);
}

void rig_close(struct rig *r)
{
	agents_done(&r->agents);
	rig_turn(r);
	while (r->conns) {
		struct rig_conn *c = r->conns;

		r->conns = c->next;
		if (c->fd >= 0)
			rig_end(c);
		free(c);
	}
	for (size_t i = 0; i < r->n_seen; i++)
		free(r->seen[i]);
	assert_int_equal(r->env.held, 0);
	rules_done(&r->env.rules);
	sessions_free(r->env.sessions);
	close(r->listener);
	loop_free(r->env.loop);
}

void rig_rule(struct rig *r, const char *tools)
{
	int fd = -1;

	if (tools) {
		fd = memfd_create("tools", MFD_CLOEXEC);
		assert_int_equal(write(fd, tools, strlen(tools)), strlen(tools));
	}
	assert_int_equal(rules_set(&r->env.rules, &r->rule, fd), 0);
	agents_retire(&r->agents, RIG_SERVER);
}

void rig_forward(struct rig *r, rig_serve_fn *serve)
{
	r->serve = serve;
	r->rule.kind = RELAY_FORWARD;
	snprintf(r->rule.target, sizeof(r->rule.target), "copies");
	snprintf(r->rule.target_host, sizeof(r->rule.target_host), "copies.example:8080");
	snprintf(r->rule.target_path, sizeof(r->rule.target_path), "/second");
	rig_rule(r, NULL);
}

/* --- agents ----------------------------------------------------------------------------------------- */

int rig_dial(struct rig *r)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	agent_new(&r->agents, pair[1], RIG_SERVER, RIG_INCARNATION);
	return pair[0];
}

void rig_say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

void rig_turn(struct rig *r)
{
	uint64_t end = clock_boot_ns() + PATIENCE_NS;
	uint64_t before;

	do {
		before = clock_boot_ns();
		assert_int_equal(loop_turn(r->env.loop, MOMENT_MS), 0);
		assert_true(before < end);
	} while (clock_boot_ns() - before < MOMENT_MS * NS_PER_MS);
}

void rig_turn_until(struct rig *r, const bool *done)
{
	uint64_t end = clock_boot_ns() + PATIENCE_NS;

	while (!*done && clock_boot_ns() < end)
		assert_int_equal(loop_turn(r->env.loop, MOMENT_MS), 0);
	assert_true(*done);
}

/* words NULL: up to the end. */
static char *hear(struct rig *r, int fd, const char *words)
{
	struct buf got = BUF(64 << 20);
	uint64_t end = clock_boot_ns() + PATIENCE_NS;

	for (;;) {
		char piece[65536];
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

		if (n > 0)
			buf_append(&got, piece, (size_t)n);
		if (words && strstr(buf_str(&got), words))
			break;
		if (!n || (n < 0 && errno != EAGAIN))
			break;
		if (n < 0)
			assert_int_equal(loop_turn(r->env.loop, MOMENT_MS), 0);
		if (clock_boot_ns() >= end)
			fail_msg("it does not end after:\n%s", buf_str(&got));
	}
	if (!got.data)
		buf_puts(&got, "");
	return buf_steal(&got);
}

char *rig_hear(struct rig *r, int fd)
{
	char *text = hear(r, fd, NULL);

	close(fd);
	return text ? text : strdup("");
}

char *rig_hear_until(struct rig *r, int fd, const char *words)
{
	char *text = hear(r, fd, words);

	assert_has(text ? text : "", words);
	return text;
}

char *rig_ask(struct rig *r, const char *text)
{
	int fd = rig_dial(r);

	rig_say(fd, text);
	return rig_hear(r, fd);
}

char *rig_post_text(const char *lines, const char *body)
{
	struct buf text = BUF(4 << 20);

	buf_printf(&text,
		   "POST /mcp HTTP/1.1\r\nHost: files.example\r\n"
		   "Content-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
		   strlen(body), lines, body);
	return buf_steal(&text);
}

char *rig_post(struct rig *r, const char *lines, const char *body)
{
	CLEANUP(freep) char *text = rig_post_text(lines, body);

	return rig_ask(r, text);
}
