/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/words.h"

#include <string.h>

#include "base/clock.h"

/* "%s" is the name of the server that stands in. */
static const char *const troubles[] = {
	[WORDS_NO_TROUBLE] = NULL,
	[WORDS_UNREACHED] = "\"%s\", which stands in for it, cannot be reached; nothing was sent.",
	[WORDS_LOST] = "\"%s\", which stands in for it, ended while this was under way: whether it "
		       "was carried out is not known.",
	[WORDS_SILENT] = "\"%s\", which stands in for it, did not answer in time: whether this was "
			 "carried out is not known.",
	[WORDS_REFUSED] = "\"%s\", which stands in for it, wants credentials, and those of this "
			  "agent are not shared with it.",
	[WORDS_SESSION] = "\"%s\", which stands in for it, does not begin a session; nothing was "
			  "sent.",
	[WORDS_GARBLED] = "\"%s\", which stands in for it, gave an answer that cannot be used.",
	[WORDS_WAS_THERE] = "This was under way there: whether it was carried out is not known.",
};
_Static_assert(ARRAY_SIZE(troubles) == WORDS_TROUBLE_COUNT, "a trouble has no words");

/* "2026-11-20T18:53:19Z": nobody needs the milliseconds. */
static void put_time(uint64_t s, struct buf *out)
{
	char text[32];

	clock_format(text, sizeof(text), s * NS_PER_SEC);
	buf_printf(out, "%.19sZ", text);
}

static void put_when(const struct relay_rule *rule, struct buf *out)
{
	if (rule->since_s) {
		buf_puts(out, " since ");
		put_time(rule->since_s, out);
	}
	if (rule->until_s) {
		buf_puts(out, ", until ");
		put_time(rule->until_s, out);
	} else if (rule->since_s) {
		buf_puts(out, ", until it is released");
	}
}

static void put_unavailable(const struct relay_rule *rule, struct buf *out)
{
	buf_printf(out, "The MCP server \"%s\" is not available", rule->name);
	put_when(rule, out);
	if (rule->reason[0])
		buf_printf(out, ", because %s", rule->reason);
	buf_puts(out, ".");
}

static void put_trouble(const struct relay_rule *rule, enum words_trouble trouble, struct buf *out)
{
	const char *text = troubles[trouble];
	const char *gap = text ? strstr(text, "%s") : NULL;

	if (!text)
		return;
	buf_putc(out, ' ');
	if (!gap) {
		buf_puts(out, text);
		return;
	}
	buf_append(out, text, (size_t)(gap - text));
	buf_puts(out, rule->target[0] ? rule->target : rule->name);
	buf_puts(out, gap + 2);
}

static void put_advice(const struct relay_rule *rule, struct buf *out)
{
	if (rule->instead[0])
		buf_printf(out, " Use %s.", rule->instead);
	if (!rule->retry_s) {
		buf_puts(out, " Do not retry.");
		return;
	}
	buf_puts(out, " Do not retry before ");
	put_time(rule->retry_s, out);
	buf_putc(out, '.');
}

void words_put(const struct relay_rule *rule, enum words_trouble trouble, struct buf *out)
{
	/* a server that is back is no longer unavailable: only what went wrong is of interest */
	if (!(rule->flags & RELAY_TO_PRIMARY))
		put_unavailable(rule, out);
	else
		buf_printf(out, "The MCP server \"%s\" has just come back.", rule->name);
	put_trouble(rule, trouble, out);
	if (!(rule->flags & RELAY_TO_PRIMARY))
		put_advice(rule, out);
}
