/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/rules.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "codec/rpc.h"

static uint32_t target_of(const struct relay_rule *is)
{
	struct {
		uint8_t addr[16];
		uint16_t port;
		char path[RELAY_PATH_MAX];
	} t = { .port = is->port };
	uint64_t sum;

	if (is->kind != RELAY_FORWARD)
		return 0;
	memcpy(t.addr, is->addr, sizeof(t.addr));
	snprintf(t.path, sizeof(t.path), "%s", is->target_path);
	sum = fnv1a(&t, sizeof(t));
	sum ^= sum >> 32;
	return (uint32_t)sum ? (uint32_t)sum : 1;
}

int rules_set(struct rules *r, const struct relay_rule *is, int tools)
{
	struct rule *rule;

	if (relay_rule_check(is))
		return -EINVAL;
	rule = calloc(1, sizeof(*rule));
	if (!rule)
		return -ENOMEM;
	rule->is = *is;
	rule->target = target_of(is);
	rule->tools = tools;
	rule->holders = 1;
	rule_put(r->v[is->server]);
	r->v[is->server] = rule;
	return 0;
}

void rules_drop(struct rules *r, uint32_t server)
{
	if (server < SG_SERVERS_MAX)
		rule_put(TAKE_PTR(r->v[server]));
}

void rules_done(struct rules *r)
{
	for (uint32_t i = 0; i < SG_SERVERS_MAX; i++)
		rules_drop(r, i);
}

bool rules_are_for(const struct rules *r, uint32_t server, uint32_t incarnation)
{
	return server < SG_SERVERS_MAX && r->v[server] &&
	       r->v[server]->is.incarnation == incarnation;
}

struct rule *rules_hold(struct rules *r, uint32_t server, uint32_t incarnation)
{
	if (!rules_are_for(r, server, incarnation))
		return NULL;
	r->v[server]->holders++;
	return r->v[server];
}

void rule_put(struct rule *rule)
{
	if (!rule || --rule->holders)
		return;
	closep(&rule->tools);
	free(rule);
}

/* --- what it says ------------------------------------------------------------------------------ */

void rule_tools(const struct rule *rule, struct buf *out)
{
	CLEANUP(freep) char *text = rule->tools < 0 ? NULL : malloc(RELAY_TOOLS_MAX);
	ssize_t n = text ? pread(rule->tools, text, RELAY_TOOLS_MAX, 0) : -1;

	if (n <= 0) {
		buf_puts(out, "[]");
		return;
	}
	for (ssize_t i = 0; i < n; i++) /* which are between tokens: a line of an event holds it */
		if (text[i] == '\n' || text[i] == '\r')
			text[i] = ' ';
	buf_append(out, text, (size_t)n);
}

bool rule_may_repeat(const struct rule *rule, const char *tool)
{
	CLEANUP(buf_done) struct buf tools = BUF(RELAY_TOOLS_MAX);

	for (const char *name = rule->is.idempotent; *name; name += strlen(name) + 1)
		if (!strcmp(name, tool))
			return true;
	rule_tools(rule, &tools);
	return !buf_error(&tools) && rpc_may_repeat(buf_str(&tools), tools.len, tool);
}

bool rule_shares(const struct rule *rule)
{
	return rule->is.flags & (RELAY_SHARE_AUTHORIZATION | RELAY_TO_PRIMARY);
}

int rule_path(const struct rule *rule, const char *path, size_t len, struct buf *out)
{
	const char *target = rule->is.target_path;
	size_t own = strlen(rule->is.path);
	size_t to = strlen(target);

	/* "/mcp/" is the same place as "/mcp", and "/" as "" */
	own -= own && rule->is.path[own - 1] == '/';
	if (len < own || memcmp(path, rule->is.path, own) != 0 || (len > own && path[own] != '/'))
		return -ENOENT;
	path += own;
	len -= own;
	if (len > 1 && to && target[to - 1] == '/')
		to--;
	if (len == 1) /* a slash at the end is the target's choice */
		len = 0;
	buf_append(out, target, to);
	buf_append(out, path, len);
	if (!to && !len)
		buf_putc(out, '/');
	return buf_error(out);
}
