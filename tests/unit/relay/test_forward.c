/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What goes on to a target, and in which session. */
#include "unit/relay/targets.h"

#include <errno.h>

#include "base/clock.h"

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
				      "Accept-Encoding: gzip\r\n"
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
		assert_lacks(r.seen[0], "gzip");
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
		cmocka_unit_test(who_waits_may_go_while_others_are_woken),
		cmocka_unit_test(the_oldest_session_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
