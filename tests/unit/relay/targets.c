/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit/relay/targets.h"

void with_answer(struct rig_conn *c)
{
	rig_reply_json(c, 200, "", OK);
}

int begun;

bool is_initialize(const struct rig_conn *c)
{
	return strstr(c->text, "\"initialize\"") != NULL;
}

void begin_session(struct rig_conn *c)
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

void with_sessions(struct rig_conn *c)
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

void with_sessions_of_its_own_words(struct rig_conn *c)
{
	if (is_initialize(c) || knows(c))
		with_sessions(c);
	else
		rig_reply_json(c, 400, "",
			       "{\"error\":{\"message\":\"Bad Request: Server not initialized\"}}");
}

void open_with_sessions(struct rig *r, rig_serve_fn *serve)
{
	begun = 0;
	rig_open(r);
	rig_forward(r, serve);
}
