/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/relay_wire.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

/* It ends within its array, is UTF-8, and has no control characters. */
static bool is_text(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);

	return end && utf8_end(text, end) == end && !utf8_has_control(text, (size_t)(end - text));
}

/* It can stand in a line of a request: visible ASCII. */
static bool is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static bool is_path(const char *text)
{
	return is_visible(text) && !strpbrk(text, "?#") && (!*text || *text == '/');
}

static bool are_names(const char *names, size_t size)
{
	const char *end = names + size;

	while (*names) {
		const char *stop = memchr(names, '\0', (size_t)(end - names));

		if (!stop || stop + 1 >= end)
			return false;
		names = stop + 1;
	}
	return true;
}

static bool is_target(const struct relay_rule *r)
{
	return r->port && r->target[0] && r->target_host[0] && is_visible(r->target_host) &&
	       is_path(r->target_path);
}

int relay_rule_check(const struct relay_rule *r)
{
	if (r->server >= SG_SERVERS_MAX || r->kind >= RELAY_KIND_COUNT ||
	    r->flags & ~(RELAY_SHARE_AUTHORIZATION | RELAY_TO_PRIMARY))
		return -EINVAL;
	if (!is_text(r->name, sizeof(r->name)) || !is_text(r->path, sizeof(r->path)) ||
	    !is_text(r->reason, sizeof(r->reason)) || !is_text(r->instead, sizeof(r->instead)) ||
	    !is_text(r->target, sizeof(r->target)) ||
	    !is_text(r->target_host, sizeof(r->target_host)) ||
	    !is_text(r->target_path, sizeof(r->target_path)) ||
	    !are_names(r->idempotent, sizeof(r->idempotent)))
		return -EINVAL;
	if (!r->name[0] || !is_path(r->path))
		return -EINVAL;
	return r->kind == RELAY_FORWARD && !is_target(r) ? -EINVAL : 0;
}
