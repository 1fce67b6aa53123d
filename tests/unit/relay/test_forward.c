/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What goes on to a target, and what comes back. */
#include "unit/relay/rig.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"

#define CALL(id, tool)                    \
	"{\"jsonrpc\":\"2.0\",\"id\":" id \
	",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool "\"}}"
#define OK "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}"
#define BEGUN                                                                                    \
	"{\"jsonrpc\":\"2.0\",\"id\":\"switchgear-initialize\",\"result\":{\"protocolVersion\":" \
	"\"2025-03-26\",\"capabilities\":{},\"serverInfo\":{\"name\":\"c\",\"version\":\"1\"}}}"
#define INITIALIZE \
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}"
#define SESSION(id) "Mcp-Session-Id: " id "\r\n"

/* --- targets -------------------------------------------------------------------------------------- */

static void with_answer(struct rig_conn *c)
{
	rig_reply_json(c, 200, "", OK);
}

/* Sessions "s1", "s2", ...; only the newest one is known. */
static int begun;

static bool is_initialize(const struct rig_conn *c)
{
	return strstr(c->text, "\"initialize\"") != NULL;
}

static void begin_session(struct rig_conn *c)
{
	char line[64];

	snprintf(line, sizeof(line), "Mcp-Session-Id: s%d\r\n", ++begun);
	rig_reply_json(c, 200, line, BEGUN);
}

static bool knows(const struct rig_conn *c)
{
	char line[64];

	snprintf(line, sizeof(line), "\r\nMcp-Session-Id: s%d\r\n", begun);
	return strstr(c->text, line) != NULL;
}

static void with_sessions(struct rig_conn *c)
{
	if (is_initialize(c))
		begin_session(c);
	else if (!knows(c))
		rig_reply_json(c, 404, "", "{}");
	else if (strstr(c->text, "notifications/"))
		rig_reply(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
	else
		rig_reply_json(c, 200, "", OK);
}

static void with_sessions_of_its_own_words(struct rig_conn *c)
{
	if (is_initialize(c) || knows(c))
		with_sessions(c);
	else
		rig_reply_json(c, 400, "",
			       "{\"error\":{\"message\":\"Bad Request: Server not initialized\"}}");
}

static void open_with_sessions(struct rig *r, rig_serve_fn *serve)
{
	begun = 0;
	rig_open(r);
	rig_forward(r, serve);
}

/* --- the request ---------------------------------------------------------------------------------- */

static void a_request_is_made_the_targets(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, with_answer);
	text = rig_ask(
		&r,
		"POST /mcp/deeper?key=k HTTP/1.1\r\nHost: files.example\r\n"
		"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
		"Authorization: Bearer b\r\nProxy-Authorization: p\r\nCookie: c=1\r\n"
		"X-Api-Key: a\r\nX-Own: o\r\nAccept: application/json\r\n"
		"Accept-Encoding: gzip\r\n"
		"MCP-Protocol-Version: 2025-06-18\r\nMcp-Name: add\r\n"
		"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
		"10\r\n{\"jsonrpc\":\"2.0\"\r\n18\r\n,\"id\":1,\"method\":\"ping\"}\r\n0\r\n\r\n");
	assert_has(text, "HTTP/1.1 200 ");
	assert_has(text, "\r\nConnection: close\r\n");
	assert_has(text, "\r\n\r\n" OK);
	assert_int_equal(r.n_seen, 1);
	assert_int_equal(strncmp(r.seen[0], "POST /second/deeper HTTP/1.1\r\n", 30), 0);
	assert_has(r.seen[0], "\r\nHost: copies.example:8080\r\n");
	assert_has(r.seen[0], "\r\nConnection: close\r\n");
	assert_has(r.seen[0], "\r\nAccept: application/json\r\n");
	assert_has(r.seen[0], "\r\nMCP-Protocol-Version: 2025-06-18\r\n");
	assert_has(r.seen[0], "\r\nMcp-Name: add\r\n");
	assert_has(r.seen[0], "\r\nContent-Length: 40\r\n");
	assert_has(r.seen[0], "\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	for (size_t i = 0; i < 10; i++) {
		static const char *const words[] = {
			"X-Hop",  "Keep-Alive", "TE:",   "Bearer",  "Proxy-Auth",
			"Cookie", "X-Api-Key",  "X-Own", "chunked", "gzip"
		};

		assert_lacks(r.seen[0], words[i]);
	}
	rig_close(&r);
}

static void credentials_are_shared_on_demand(void **state)
{
	static const char request[] = "POST /mcp?key=k HTTP/1.1\r\nHost: h\r\nAuthorization: b\r\n"
				      "Cookie: c=1\r\nX-Own: o\r\nConnection: X-Own\r\n"
				      "Content-Length: 40\r\n\r\n"
				      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
	static const uint8_t flags[] = { RELAY_SHARE_AUTHORIZATION, RELAY_TO_PRIMARY };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		rig_open(&r);
		r.rule.flags = flags[i];
		rig_forward(&r, with_answer);
		text = rig_ask(&r, request);
		assert_has(r.seen[0], "POST /second?key=k HTTP/1.1\r\n");
		assert_has(r.seen[0], "\r\nAuthorization: b\r\n");
		assert_has(r.seen[0], "\r\nCookie: c=1\r\n");
		assert_lacks(r.seen[0], "X-Own"); /* of the connection */
		rig_close(&r);
	}
}

static void paths_that_are_not_the_servers_are_not_asked_for(void **state)
{
	static const struct {
		const char *own, *target, *asked, *is; /* NULL: refused */
	} rows[] = {
		{ "/mcp", "/second", "/mcp", "/second" },
		{ "/mcp", "/second", "/mcp/", "/second" },
		{ "/mcp/", "/second", "/mcp", "/second" },
		{ "/mcp", "/second/", "/mcp/x", "/second/x" },
		{ "/mcp", "", "/mcp", "/" },
		{ "/mcp", "", "/mcp/x/y", "/x/y" },
		{ "", "/second", "/", "/second" },
		{ "/", "/second", "/x", "/second/x" },
		{ "/mcp", "/second", "/mcpx", NULL },
		{ "/mcp", "/second", "/", NULL },
		{ "/mcp", "/second", "/other", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_done) struct buf out = BUF(100);
		struct rule rule = { .tools = -1 };
		int e;

		snprintf(rule.is.path, sizeof(rule.is.path), "%s", rows[i].own);
		snprintf(rule.is.target_path, sizeof(rule.is.target_path), "%s", rows[i].target);
		e = rule_path(&rule, rows[i].asked, strlen(rows[i].asked), &out);
		assert_int_equal(e, rows[i].is ? 0 : -ENOENT);
		if (rows[i].is)
			assert_string_equal(buf_str(&out), rows[i].is);
	}
}

static void binds_the_agent(struct rig_conn *c)
{
	rig_reply_json(
		c, 200,
		"Set-Cookie: a=b\r\nAlt-Svc: h2=\":1\"\r\nKeep-Alive: timeout=5\r\nMcp-Session-Id: x\r\nX-Note: n\r\n",
		OK);
}

static void an_answer_tells_nobody_whom_to_trust(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, binds_the_agent);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "\r\nX-Note: n\r\n");
	assert_lacks(text, "Set-Cookie");
	assert_lacks(text, "Alt-Svc");
	assert_lacks(text, "Keep-Alive");
	assert_lacks(text, "Mcp-Session-Id");
	rig_close(&r);
}

/* --- sessions ------------------------------------------------------------------------------------- */

static void a_session_of_the_servers_is_begun_anew(void **state)
{
	struct rig r;

	(void)state;
	open_with_sessions(&r, with_sessions);
	for (int i = 0; i < 2; i++) {
		CLEANUP(freep)
		char *text = rig_post(
			&r, SESSION("of-the-server") "MCP-Protocol-Version: 2025-06-18\r\n",
			CALL("1", "add"));

		assert_has(text, "HTTP/1.1 200 ");
		assert_lacks(text, "Mcp-Session-Id");
	}
	assert_int_equal(r.n_seen, 4);
	assert_has(r.seen[0], "\"initialize\"");
	assert_has(r.seen[0], "\"protocolVersion\":\"2025-06-18\"");
	assert_lacks(r.seen[0], "of-the-server");
	assert_has(r.seen[1], "notifications/initialized");
	assert_has(r.seen[1], "\r\nMcp-Session-Id: s1\r\n");
	/* what was agreed on, in the place of what the agent and the server had agreed on */
	assert_has(r.seen[1], "\r\nMCP-Protocol-Version: 2025-03-26\r\n");
	assert_has(r.seen[2], "\r\nMCP-Protocol-Version: 2025-03-26\r\n");
	assert_lacks(r.seen[2], "2025-06-18");
	assert_has(r.seen[2], "\r\nMcp-Session-Id: s1\r\n");
	assert_has(r.seen[3], "\r\nMcp-Session-Id: s1\r\n");
	assert_int_equal(r.env.stats[RIG_SERVER].replayed, 1);
	assert_int_equal(r.env.stats[RIG_SERVER].forwarded, 2);
	rig_close(&r);
}

static char *id_in(const char *text)
{
	const char *id = strstr(text, "\r\nMcp-Session-Id: ");

	assert_non_null(id);
	return strndup(id + 18, strcspn(id + 18, "\r"));
}

static void a_session_can_be_born_here(void **state)
{
	static uint32_t count[SG_SERVERS_MAX];
	CLEANUP(freep) char *born = NULL;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *text = NULL;
	char line[128];
	struct rig r;

	(void)state;
	open_with_sessions(&r, with_sessions);
	born = rig_post(&r, "", INITIALIZE);
	id = id_in(born);
	assert_int_equal(strncmp(id, SESSION_MARK, strlen(SESSION_MARK)), 0);
	assert_int_equal(strlen(id), strlen(SESSION_MARK) + 32);
	sessions_count(r.env.sessions, clock_boot_ns(), count, SG_SERVERS_MAX);
	assert_int_equal(count[RIG_SERVER], 1);
	sessions_count(r.env.sessions, clock_boot_ns() + SESSION_RECENT_NS, count, SG_SERVERS_MAX);
	assert_int_equal(count[RIG_SERVER], 0);

	snprintf(line, sizeof(line), "Mcp-Session-Id: %s\r\n", id);
	text = rig_post(&r, line, CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 2);
	assert_has(r.seen[1], "\r\nMcp-Session-Id: s1\r\n");

	/* the server itself is back: it gets a session of its own */
	r.rule.flags = RELAY_TO_PRIMARY;
	snprintf(r.rule.target_path, sizeof(r.rule.target_path), "/mcp");
	rig_rule(&r, NULL);
	free(text);
	text = rig_post(&r, line, CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 5);
	assert_has(r.seen[2], "\"initialize\"");
	assert_has(r.seen[4], "\r\nMcp-Session-Id: s2\r\n");
	rig_close(&r);
}

static void the_servers_own_sessions_are_left_to_it(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	open_with_sessions(&r, with_sessions);
	begun = 1; /* it knows s1 */
	r.rule.flags = RELAY_TO_PRIMARY;
	rig_rule(&r, NULL);
	text = rig_post(&r, SESSION("s1"), CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 1);
	/* one that it has forgotten is begun anew */
	free(text);
	text = rig_post(&r, SESSION("s0"), CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 5);
	assert_has(r.seen[1], "\r\nMcp-Session-Id: s0\r\n");
	assert_has(r.seen[2], "\"initialize\"");
	rig_close(&r);
}

static uint32_t counted(const struct rig *r)
{
	uint32_t count[SG_SERVERS_MAX];

	sessions_count(r->env.sessions, clock_boot_ns(), count, SG_SERVERS_MAX);
	return count[r->rule.server];
}

/* What was translated while the server was away is its own again, if it still knows it; and what
 * begins at the server is never ours. */
static void translations_end_when_the_server_is_back(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	open_with_sessions(&r, with_sessions);
	text = rig_post(&r, SESSION("p1"), CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_has(r.seen[2], "\r\nMcp-Session-Id: s1\r\n");
	assert_int_equal(counted(&r), 1);
	r.rule.flags = RELAY_TO_PRIMARY;
	snprintf(r.rule.target_path, sizeof(r.rule.target_path), "/mcp");
	rig_rule(&r, NULL);
	free(text);
	text = rig_post(&r, SESSION("p1"), CALL("1", "add")); /* it knows s1 alone */
	assert_has(text, "HTTP/1.1 200 ");
	assert_has(r.seen[3], "\r\nMcp-Session-Id: p1\r\n");
	assert_has(r.seen[4], "\"initialize\"");
	assert_int_equal(counted(&r), 1);
	free(text);
	text = rig_post(&r, "",
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}");
	assert_has(text, "\r\nMcp-Session-Id: s3\r\n");
	assert_int_equal(counted(&r), 1);
	rig_close(&r);
}

static void forgets_all(struct rig_conn *c)
{
	if (is_initialize(c))
		begin_session(c);
	else if (strstr(c->text, "notifications/"))
		rig_reply(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
	else
		rig_reply_json(c, 404, "", "{}");
}

static void a_lost_session_is_begun_anew_once(void **state)
{
	static rig_serve_fn *const targets[] = { with_sessions, with_sessions_of_its_own_words };
	CLEANUP(freep) char *last = NULL;
	struct rig r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		CLEANUP(freep) char *text = NULL;

		open_with_sessions(&r, targets[i]);
		text = rig_post(&r, SESSION("a"), CALL("1", "add"));
		begun++; /* the target has forgotten */
		free(text);
		text = rig_post(&r, SESSION("a"), CALL("1", "add"));
		assert_has(text, "HTTP/1.1 200 ");
		assert_int_equal(r.n_seen, 7);
		assert_has(r.seen[3], "\r\nMcp-Session-Id: s1\r\n");
		assert_has(r.seen[6], "\r\nMcp-Session-Id: s3\r\n");
		rig_close(&r);
	}
	open_with_sessions(&r, forgets_all);
	last = rig_post(&r, SESSION("a"), CALL("1", "add"));
	assert_has(last, "HTTP/1.1 404 ");
	assert_int_equal(r.n_seen, 6); /* begun, asked, begun, asked */
	rig_close(&r);
}

static void other_refusals_are_not_about_the_session(struct rig_conn *c)
{
	if (is_initialize(c) || strstr(c->text, "notifications/"))
		with_sessions(c);
	else
		rig_reply_json(c, 400, "X-Why: w\r\n",
			       "{\"error\":{\"message\":\"no such thing\"}}");
}

static void what_was_held_back_goes_on(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	open_with_sessions(&r, other_refusals_are_not_about_the_session);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	assert_has(text, "HTTP/1.1 400 ");
	assert_has(text, "\r\nX-Why: w\r\n");
	assert_has(text, "no such thing");
	assert_int_equal(r.n_seen, 3);
	rig_close(&r);
}

static void many_wait_for_one_session(void **state)
{
	CLEANUP(freep) char *request = rig_post_text(SESSION("a"), CALL("1", "add"));
	struct rig r;
	int fd[20];

	(void)state;
	open_with_sessions(&r, with_sessions);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = rig_dial(&r);
		rig_say(fd[i], request);
	}
	close(fd[3]); /* and some go */
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		if (i != 3) {
			CLEANUP(freep) char *text = rig_hear(&r, fd[i]);

			assert_has(text, "HTTP/1.1 200 ");
		}
	assert_int_equal(begun, 1);
	rig_close(&r);
}

static void begins_by_events(struct rig_conn *c)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	char text[1024];

	if (!is_initialize(c)) {
		with_sessions(c);
		return;
	}
	begun++;
	snprintf(text, sizeof(text), "id: 1\ndata: \n\nevent: message\ndata: %s\n\n", BEGUN);
	rig_reply(c, "HTTP/1.1 200 OK\r\nMcp-Session-Id: s1\r\n");
	rig_reply(c, head + strlen("HTTP/1.1 200 OK\r\n"));
	dprintf(c->fd, "%zx\r\n%s\r\n", strlen(text), text); /* and no end */
}

static void a_session_may_begin_with_a_stream(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	open_with_sessions(&r, begins_by_events);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 3);
	rig_close(&r);
}

static void begins_nothing(struct rig_conn *c)
{
	rig_reply_json(c, 500, "", "{}");
}

static void without_a_session_nothing_is_sent(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	open_with_sessions(&r, begins_nothing);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_has(text, "does not begin a session");
	assert_int_equal(r.n_seen, 1);
	rig_close(&r);
}

static void without_sessions(struct rig_conn *c)
{
	assert_lacks(c->text, "Mcp-Session-Id");
	if (is_initialize(c))
		rig_reply_json(c, 200, "", BEGUN);
	else if (strstr(c->text, "notifications/"))
		rig_reply(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
	else
		rig_reply_json(c, 200, "", OK);
}

static void a_target_may_have_no_sessions(void **state)
{
	CLEANUP(freep) char *born = NULL;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *text = NULL;
	char line[128];
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, without_sessions);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 3);
	born = rig_post(&r, "", INITIALIZE);
	id = id_in(born);
	snprintf(line, sizeof(line), "Mcp-Session-Id: %s\r\n", id);
	free(text);
	text = rig_post(&r, line, CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 5);
	rig_close(&r);
}

static void agents_without_sessions_have_none(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, without_sessions);
	text = rig_post(&r, SESSION("a") "MCP-Protocol-Version: 2026-07-28\r\n", CALL("1", "add"));
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 1);
	rig_close(&r);
}

static void a_session_is_ended_where_it_is(void **state)
{
	static const char end[] = "DELETE /mcp HTTP/1.1\r\nHost: h\r\nMcp-Session-Id: a\r\n\r\n";
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	open_with_sessions(&r, with_sessions);
	text = rig_ask(&r, end); /* unknown there */
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 0);
	free(text);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	free(text);
	text = rig_ask(&r, end);
	assert_has(text, "HTTP/1.1 200 ");
	assert_int_equal(r.n_seen, 4);
	assert_has(r.seen[3], "DELETE /second HTTP/1.1\r\n");
	assert_has(r.seen[3], "\r\nMcp-Session-Id: s1\r\n");
	assert_lacks(r.seen[3], "Content-Length");
	assert_null(sessions_find(r.env.sessions, RIG_SERVER, "a", 1, 1));
	rig_close(&r);
}

/* --- what fails ------------------------------------------------------------------------------------ */

static void hangs_up(struct rig_conn *c)
{
	rig_hang_up(c);
}

static int hang_ups;

static void hangs_up_once(struct rig_conn *c)
{
	if (hang_ups++)
		with_answer(c);
	else
		rig_hang_up(c);
}

static void a_call_is_not_repeated(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, hangs_up);
	text = rig_post(&r, "", CALL("\"c\"", "add"));
	assert_has(text, "\"id\":\"c\",\"result\":{\"content\":");
	assert_has(text, "\"copies\\\", which stands in for it, ended while this was under way");
	assert_has(text, "\"isError\":true");
	assert_int_equal(r.n_seen, 1);
	assert_int_equal(r.env.stats[RIG_SERVER].failed, 1);
	assert_int_equal(r.env.stats[RIG_SERVER].answered, 1);
	rig_close(&r);
}

static void ends_in_order(struct rig_conn *c)
{
	rig_end(c);
}

static void an_end_is_a_failure_too(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, ends_in_order);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "ended while this was under way");
	assert_int_equal(r.n_seen, 1);
	rig_close(&r);
}

static void unless_it_does_no_harm(void **state)
{
	static const struct {
		char names[16];
		const char *tools;
		size_t calls;
	} rows[] = {
		{ "x\0add\0", NULL, 2 },
		{ "x\0", "[{\"name\":\"add\",\"annotations\":{\"idempotentHint\":true}}]", 2 },
		{ "", "[{\"name\":\"add\",\"annotations\":{\"readOnlyHint\":true}}]", 2 },
		{ "", "[{\"name\":\"add\",\"annotations\":{\"destructiveHint\":false}}]", 1 },
		{ "",
		  "[{\"name\":\"sub\",\"annotations\":{\"readOnlyHint\":true}},{\"name\":\"add\"}]",
		  1 },
		{ "ad\0addx\0", "nonsense", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		hang_ups = 0;
		rig_open(&r);
		memcpy(r.rule.idempotent, rows[i].names, sizeof(rows[i].names));
		rig_forward(&r, hangs_up_once);
		rig_rule(&r, rows[i].tools);
		text = rig_post(&r, "", CALL("1", "add"));
		assert_int_equal(r.n_seen, rows[i].calls);
		assert_has(text, rows[i].calls == 2 ? OK : "isError");
		rig_close(&r);
	}
	{ /* not twice */
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		rig_open(&r);
		memcpy(r.rule.idempotent, "add", 4);
		rig_forward(&r, hangs_up);
		text = rig_post(&r, "", CALL("1", "add"));
		assert_int_equal(r.n_seen, 2);
		assert_has(text, "isError");
		rig_close(&r);
	}
	{ /* nor is anything else */
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		rig_open(&r);
		memcpy(r.rule.idempotent, "add", 4);
		rig_forward(&r, hangs_up);
		text = rig_post(&r, "", "[" CALL("1", "add") "," CALL("2", "sub") "]");
		assert_int_equal(r.n_seen, 1);
		assert_has(text, "\"id\":2,");
		rig_close(&r);
	}
}

static void nobody_there_is_told(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, with_answer);
	loop_del(TAKE_PTR(r.source));
	shutdown(r.listener, SHUT_RDWR);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "cannot be reached; nothing was sent");
	assert_has(text, "\"isError\":true");
	free(text);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	assert_has(text, "cannot be reached; nothing was sent");
	free(text);
	text = rig_post(&r, "", INITIALIZE);
	assert_has(text, "\"instructions\":");
	assert_int_equal(r.env.stats[RIG_SERVER].failed, 3);
	rig_close(&r);
}

/* A listener whose queue is full takes no SYN, so that a connect hangs. */
static void nobody_who_answers_a_connect_is_told(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;
	int fd[8];

	(void)state;
	rig_open(&r);
	rig_forward(&r, with_answer);
	loop_del(TAKE_PTR(r.source));
	assert_int_equal(listen(r.listener, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++) {
		struct sockaddr_storage at;
		socklen_t len = sizeof(at);

		assert_int_equal(getsockname(r.listener, (struct sockaddr *)&at, &len), 0);
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fd[i], (struct sockaddr *)&at, len);
	}
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "cannot be reached; nothing was sent");
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	rig_close(&r);
}

static unsigned int refusal;

static void refuses(struct rig_conn *c)
{
	rig_reply_json(c, refusal, "WWW-Authenticate: Bearer\r\nLocation: http://x/\r\n", "{}");
}

static void who_wants_credentials_does_not_get_them_out(void **state)
{
	static const unsigned int statuses[] = { 401, 403, 407, 302, 307 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		refusal = statuses[i];
		rig_open(&r);
		rig_forward(&r, refuses);
		text = rig_post(&r, "", CALL("1", "add"));
		assert_has(text, "HTTP/1.1 200 ");
		assert_has(text, refusal / 100 == 4 ? "wants credentials" : "cannot be used");
		assert_lacks(text, "WWW-");
		rig_close(&r);
	}
}

static void speaks_something_else(struct rig_conn *c)
{
	rig_reply(c, "220 mail.example ESMTP\r\n");
}

static void what_is_no_answer_is_told(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, speaks_something_else);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "gave an answer that cannot be used");
	rig_close(&r);
}

/* --- bodies ------------------------------------------------------------------------------------------ */

#define STREAM                                                                                 \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n" \
	"\r\n"

static void begins_a_stream(struct rig_conn *c)
{
	rig_reply(c, STREAM "1b\r\nid: 5\nevent: message\ndata: \r\n6\r\n{}\n\nid\r\n");
}

static void a_stream_comes_as_it_is_made(void **state)
{
	CLEANUP(freep) char *first = NULL;
	CLEANUP(freep) char *rest = NULL;
	CLEANUP(freep) char *request = rig_post_text("", CALL("1", "add"));
	struct rig r;
	int fd;

	(void)state;
	rig_open(&r);
	rig_forward(&r, begins_a_stream);
	fd = rig_dial(&r);
	rig_say(fd, request);
	first = rig_hear_until(&r, fd, "{}\n\n");
	assert_has(first, "Transfer-Encoding: chunked\r\n");
	assert_has(first, "\nid: sg");
	assert_has(first, "-5\nevent: message\n");
	rig_reply(r.conns, "8\r\n: 6\ndata\r\n0\r\n\r\n");
	rest = rig_hear(&r, fd);
	assert_has(rest, "id: sg");
	assert_has(rest, "-6\ndata");
	assert_has(rest, "\r\n0\r\n\r\n");
	rig_close(&r);
}

static void compresses(struct rig_conn *c)
{
	rig_reply(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		     "Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\n\nid: 5\n");
}

static void what_is_compressed_is_not_touched(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, compresses);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "\r\n\r\n\nid: 5\n");
	rig_close(&r);
}

static void ends_in_mid_stream(struct rig_conn *c)
{
	begins_a_stream(c);
	rig_hang_up(c);
}

static void a_stream_that_breaks_says_so(void **state)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *old = NULL;
	char request[512];
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, begins_a_stream);
	{
		CLEANUP(freep) char *asked = rig_post_text("", CALL("1", "add"));
		int fd = rig_dial(&r);

		rig_say(fd, asked);
		text = rig_hear_until(&r, fd, "{}\n\n");
		rig_hang_up(r.conns);
		free(text);
		text = rig_hear(&r, fd);
	}
	assert_has(text, "id\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":");
	assert_has(text, "isError");
	assert_has(text, "\r\n0\r\n\r\n");
	/* to an agent of HTTP/1.0 there are no chunks */
	r.serve = ends_in_mid_stream;
	snprintf(request, sizeof(request), "POST /mcp HTTP/1.0\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(CALL("1", "add")), CALL("1", "add"));
	old = rig_ask(&r, request);
	assert_has(old, "isError");
	assert_lacks(old, "chunked");
	rig_close(&r);
}

static void promises_too_much(struct rig_conn *c)
{
	rig_reply(
		c,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\":");
	rig_end(c);
}

static void what_cannot_be_completed_is_torn_off(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, promises_too_much);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "Content-Length: 100\r\n");
	assert_true(strlen(strstr(text, "\r\n\r\n") + 4) < 100);
	assert_lacks(text, "isError");
	rig_close(&r);
}

static char *last_event_id(const char *text)
{
	const char *id = strstr(text, "\nid: ");

	assert_non_null(id);
	return strndup(id + 5, strcspn(id + 5, "\n"));
}

static void only_who_gave_an_id_is_asked_for_what_is_behind_it(void **state)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *again = NULL;
	CLEANUP(freep) char *foreign = NULL;
	char request[512];
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, ends_in_mid_stream);
	do { /* unless the reset was faster than the stream */
		free(text);
		text = rig_post(&r, "", CALL("1", "add"));
	} while (!strstr(text, "\nid: "));
	id = last_event_id(text);
	r.serve = with_answer;
	r.rule.flags = 0;
	snprintf(request, sizeof(request),
		 "GET /mcp HTTP/1.1\r\nHost: h\r\nLast-Event-ID: %s\r\n\r\n", id);
	again = rig_ask(&r, request);
	assert_has(r.seen[r.n_seen - 1], "\r\nLast-Event-ID: 5\r\n");
	foreign = rig_ask(&r, "GET /mcp HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 5\r\n\r\n");
	assert_has(foreign, "switchgear-lost");
	assert_has(foreign, "under way there");
	free(again);
	r.rule.port = (uint16_t)(r.rule.port ^ 1); /* another target: nobody there is asked */
	rig_rule(&r, NULL);
	again = rig_ask(&r, request);
	assert_has(again, "switchgear-lost");
	rig_close(&r);
}

/* Nor if the session in which it was given is not known any more. */
static void an_event_is_of_its_session(void **state)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *again = NULL;
	char request[512];
	struct rig r;

	(void)state;
	open_with_sessions(&r, with_sessions);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	free(text);
	r.serve = begins_a_stream;
	{
		CLEANUP(freep) char *asked = rig_post_text(SESSION("a"), CALL("1", "add"));
		int fd = rig_dial(&r);

		rig_say(fd, asked);
		text = rig_hear_until(&r, fd, "{}\n\n");
		close(fd);
	}
	id = last_event_id(text);
	r.serve = with_answer;
	for (int i = 0; i < 2; i++) {
		snprintf(request, sizeof(request),
			 "GET /mcp HTTP/1.1\r\nHost: h\r\nMcp-Session-Id: %s\r\n"
			 "Last-Event-ID: %s\r\n\r\n",
			 i ? "b" : "a", id);
		free(again);
		again = rig_ask(&r, request);
		assert_has(again, i ? "switchgear-lost" : OK);
	}
	assert_int_equal(r.n_seen, 5);
	assert_has(r.seen[4], "\r\nLast-Event-ID: 5\r\n");
	assert_has(r.seen[4], "\r\nMcp-Session-Id: s1\r\n");
	rig_close(&r);
}

static void waits(struct rig_conn *c)
{
	(void)c;
}

static void who_goes_cancels(void **state)
{
	CLEANUP(freep) char *request = rig_post_text("", CALL("1", "add"));
	struct rig r;
	int fd;

	(void)state;
	rig_open(&r);
	rig_forward(&r, waits);
	fd = rig_dial(&r);
	rig_say(fd, request);
	rig_turn(&r);
	assert_int_equal(r.n_seen, 1);
	close(fd);
	rig_turn_until(&r, &r.conns->gone);
	assert_int_equal(r.agents.n, 0);
	rig_close(&r);
}

static void streams_without_an_end_end_with_the_rule(void **state)
{
	static const struct {
		const char *request;
		const char *has;
	} rows[] = {
		{ "GET /mcp HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n",
		  "\"method\":\"notifications/tools/list_changed\"}\n\n\r\n0\r\n\r\n" },
		{ "POST /mcp HTTP/1.1\r\nHost: h\r\nMCP-Protocol-Version: 2026-07-28\r\nContent-Length: 58\r\n\r\n"
		  "{\"jsonrpc\":\"2.0\",\"id\":\"l\",\"method\":\"subscriptions/listen\"}",
		  "\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"l\"}}}\n\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(freep) char *first = NULL;
		CLEANUP(freep) char *rest = NULL;
		CLEANUP(freep) char *call = rig_post_text("", CALL("1", "add"));
		CLEANUP(freep) char *called = NULL;
		struct rig r;
		int fd, busy;

		rig_open(&r);
		rig_forward(&r, begins_a_stream);
		fd = rig_dial(&r);
		rig_say(fd, rows[i].request);
		first = rig_hear_until(&r, fd, "{}\n\n");
		r.serve = waits;
		busy = rig_dial(&r);
		rig_say(busy, call);
		rig_turn(&r);
		rules_drop(&r.env.rules, RIG_SERVER);
		agents_retire(&r.agents, RIG_SERVER);
		rest = rig_hear(&r, fd);
		assert_has(rest, rows[i].has);
		/* what has an end goes on to it */
		rig_reply_json(r.conns, 200, "", OK);
		called = rig_hear(&r, busy);
		assert_has(called, OK);
		rig_close(&r);
	}
}

#define FLOOD (8 << 20)
static size_t flooded;

static void flood(struct rig_conn *c)
{
	char piece[65536];
	ssize_t n;

	memset(piece, 'x', sizeof(piece));
	while (flooded < FLOOD &&
	       (n = send(c->fd, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		flooded += (size_t)n;
}

static void floods(struct rig_conn *c)
{
	rig_reply(c,
		  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8388608\r\n\r\n");
	flooded = 0;
	flood(c);
}

static void who_does_not_read_holds_back_who_sends(void **state)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *request = rig_post_text("", CALL("1", "add"));
	struct buf got = BUF(16 << 20);
	struct rig r;
	size_t stuck;
	int fd;

	(void)state;
	rig_open(&r);
	rig_forward(&r, floods);
	fd = rig_dial(&r);
	rig_say(fd, request);
	for (int i = 0; i < 20; i++) {
		rig_turn(&r);
		flood(r.conns);
	}
	stuck = flooded;
	rig_turn(&r);
	flood(r.conns);
	assert_int_equal(flooded, stuck);
	assert_true(stuck < FLOOD);
	for (int i = 0; i < 100000 && got.len < FLOOD; i++) {
		char piece[65536];
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

		if (n > 0)
			buf_append(&got, piece, (size_t)n);
		assert_int_equal(loop_turn(r.env.loop, n > 0 ? 0 : 1), 0);
		if (r.conns->fd >= 0)
			flood(r.conns);
	}
	text = rig_hear(&r, fd);
	buf_puts(&got, text);
	assert_int_equal(got.len - (size_t)(strstr(got.data, "\r\n\r\n") + 4 - got.data), FLOOD);
	buf_done(&got);
	rig_close(&r);
}

static struct session *woken;
static struct session_wait wait[3];
static int wakes;

/* The first one ends the others, of whom one waits again. */
static void on_wake(void *owner, int r)
{
	(void)owner;
	assert_int_equal(r, -EIO);
	wakes++;
	session_no_wait(woken, &wait[0]);
	session_no_wait(woken, &wait[1]);
	session_wait(woken, &wait[0]);
}

static void who_waits_may_go_while_others_are_woken(void **state)
{
	CLEANUP(sessions_freep) struct sessions *s = NULL;

	(void)state;
	assert_int_equal(sessions_new(&s), 0);
	woken = sessions_add(s, 1, "a", 1, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wait); i++) {
		wait[i].fn = on_wake;
		session_wait(woken, &wait[i]);
	}
	session_wake(woken, -EIO);
	assert_int_equal(wakes, 1);
	session_wake(woken, -EIO);
	assert_int_equal(wakes, 2);
}

static void the_oldest_session_goes_first(void **state)
{
	CLEANUP(sessions_freep) struct sessions *s = NULL;
	struct session *used;
	char id[16];

	(void)state;
	assert_int_equal(sessions_new(&s), 0);
	used = sessions_add(s, 1, "used", 4, 0);
	used->users++;
	for (unsigned int i = 0; i < SESSIONS_MAX; i++) {
		snprintf(id, sizeof(id), "%u", i);
		assert_non_null(sessions_add(s, 1, id, strlen(id), i + 1));
	}
	assert_ptr_equal(sessions_find(s, 1, "used", 4, 0), used);
	assert_null(sessions_find(s, 1, "0", 1, 9));
	assert_non_null(sessions_find(s, 1, "1", 1, 9));
	assert_null(sessions_find(s, 2, "1", 1, 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_made_the_targets),
		cmocka_unit_test(credentials_are_shared_on_demand),
		cmocka_unit_test(paths_that_are_not_the_servers_are_not_asked_for),
		cmocka_unit_test(an_answer_tells_nobody_whom_to_trust),
		cmocka_unit_test(a_session_of_the_servers_is_begun_anew),
		cmocka_unit_test(a_session_can_be_born_here),
		cmocka_unit_test(the_servers_own_sessions_are_left_to_it),
		cmocka_unit_test(translations_end_when_the_server_is_back),
		cmocka_unit_test(a_lost_session_is_begun_anew_once),
		cmocka_unit_test(what_was_held_back_goes_on),
		cmocka_unit_test(many_wait_for_one_session),
		cmocka_unit_test(a_session_may_begin_with_a_stream),
		cmocka_unit_test(without_a_session_nothing_is_sent),
		cmocka_unit_test(a_target_may_have_no_sessions),
		cmocka_unit_test(agents_without_sessions_have_none),
		cmocka_unit_test(a_session_is_ended_where_it_is),
		cmocka_unit_test(a_call_is_not_repeated),
		cmocka_unit_test(an_end_is_a_failure_too),
		cmocka_unit_test(unless_it_does_no_harm),
		cmocka_unit_test(nobody_there_is_told),
		cmocka_unit_test(nobody_who_answers_a_connect_is_told),
		cmocka_unit_test(who_wants_credentials_does_not_get_them_out),
		cmocka_unit_test(what_is_no_answer_is_told),
		cmocka_unit_test(a_stream_comes_as_it_is_made),
		cmocka_unit_test(a_stream_that_breaks_says_so),
		cmocka_unit_test(what_cannot_be_completed_is_torn_off),
		cmocka_unit_test(only_who_gave_an_id_is_asked_for_what_is_behind_it),
		cmocka_unit_test(who_goes_cancels),
		cmocka_unit_test(streams_without_an_end_end_with_the_rule),
		cmocka_unit_test(who_does_not_read_holds_back_who_sends),
		cmocka_unit_test(an_event_is_of_its_session),
		cmocka_unit_test(what_is_compressed_is_not_touched),
		cmocka_unit_test(who_waits_may_go_while_others_are_woken),
		cmocka_unit_test(the_oldest_session_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
