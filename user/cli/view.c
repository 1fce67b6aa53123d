/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "core/names.h"

#define ENDPOINTS_SHOWN 2
#define TEXT_MAX 8192U

enum colour view_state_colour(const struct status_server *s)
{
	switch (s->state) {
	case SG_CLOSED:
		return COLOUR_GOOD;
	case SG_OPEN:
	case SG_FORCED_OPEN:
		return COLOUR_BAD;
	default:
		return COLOUR_WARN;
	}
}

const char *view_state(const struct status_server *s, struct buf *b)
{
	uint64_t left = s->breaker.open_remaining_ns;
	char text[64];

	buf_clear(b);
	buf_puts(b, state_name(s->state));
	if (left && left != STATUS_NEVER)
		buf_printf(b, ", %s left", text_remaining(text, sizeof(text), left, 0));
	if (s->panic)
		buf_puts(b, ", panic");
	else if (s->held)
		buf_puts(b, ", held");
	return buf_str(b);
}

const char *view_quarantine(const struct status_server *s, struct buf *b)
{
	char text[64];

	if (!s->quarantined)
		return "-";
	buf_clear(b);
	if (s->quarantine.until_wall_ns != STATUS_NEVER)
		buf_printf(b, "%s left: ",
			   text_remaining(text, sizeof(text), s->quarantine.until_wall_ns,
					  clock_wall_ns()));
	buf_puts(b, s->quarantine.reason);
	return buf_str(b);
}

const char *view_endpoints(const struct status_server *s, size_t most, struct buf *b)
{
	if (!s->n_endpoints)
		return "-";
	buf_clear(b);
	for (size_t i = 0; i < s->n_endpoints && i < most; i++) {
		const struct status_endpoint *e = &s->endpoints[i];
		bool v6 = strchr(e->address, ':') && e->port;

		buf_printf(b, "%s%s%s%s", i ? " " : "", v6 ? "[" : "", e->address, v6 ? "]" : "");
		if (e->port)
			buf_printf(b, ":%u", e->port);
	}
	if (s->n_endpoints > most)
		buf_printf(b, " +%zu", s->n_endpoints - most);
	return buf_str(b);
}

static uint64_t failures_of(const struct sg_stats *c)
{
	return c->refused + c->timeout + c->reset + c->unreachable + c->r5xx + c->bad_responses +
	       c->timeouts;
}

/* --- status ------------------------------------------------------------------ */

void status_print(const struct status *s, bool coloured, FILE *out)
{
	CLEANUP(buf_done) struct buf head = { 0 };
	char text[64];

	buf_init(&head, TEXT_MAX);
	buf_printf(&head, "switchgeard %s, pid %" PRIu32 ", mode %s, up %s", s->version, s->pid,
		   s->observe ? "observe (refuses nothing)" : "enforce",
		   format_duration(text, sizeof(text), s->uptime_ns));
	for (size_t i = 0; i < s->n_xdp; i++)
		buf_printf(&head, ", xdp %s %s", s->xdp[i].interface, s->xdp[i].mode);
	text_line(out, COLOUR_NONE, coloured, "%s", buf_str(&head));
	if (!strcmp(s->selftest, "ok"))
		text_line(out, COLOUR_GOOD, coloured, "selftest: ok");
	else
		text_line(out, COLOUR_BAD, coloured, "SELFTEST FAILED: %s",
			  *s->selftest ? s->selftest : "no result yet");
	for (size_t i = 0; i < s->n_degraded; i++)
		text_line(out, COLOUR_BAD, coloured, "DEGRADED: %s", s->degraded[i]);
	if (s->lost_events)
		text_line(out, COLOUR_WARN, coloured, "lost events: %" PRIu64, s->lost_events);
}

static void add_server(struct table *t, const struct status_server *s, struct buf *b)
{
	uint64_t failures = failures_of(&s->counters);
	char text[64];

	table_add(t, COLOUR_NONE, "%s", s->name);
	table_add(t, view_state_colour(s), "%s", view_state(s, b));
	table_add(t, s->verdict == VERDICT_ALLOW ? COLOUR_NONE : COLOUR_BAD, "%s",
		  status_verdict_name(s->verdict));
	table_add(t, s->quarantined ? COLOUR_BAD : COLOUR_NONE, "%s", view_quarantine(s, b));
	table_add(t, COLOUR_NONE, "%" PRIu64, (uint64_t)s->counters.requests);
	table_add(t, failures ? COLOUR_WARN : COLOUR_NONE, "%" PRIu64, failures);
	table_add(t, s->counters.denied ? COLOUR_WARN : COLOUR_NONE, "%" PRIu64,
		  (uint64_t)s->counters.denied);
	table_add(t, COLOUR_NONE, "%s", text_milliseconds(text, sizeof(text), s->latency.p50));
	table_add(t, COLOUR_NONE, "%s", text_milliseconds(text, sizeof(text), s->latency.p95));
	table_add(t, COLOUR_DIM, "%s", view_endpoints(s, ENDPOINTS_SHOWN, b));
}

int servers_print(const struct status *s, bool coloured, FILE *out)
{
	static const char *const names[] = {
		"NAME", "STATE",  "VERDICT", "QUARANTINE", "CALLS",
		"FAIL", "DENIED", "P50",     "P95",        "ENDPOINTS"
	};
	CLEANUP(table_done) struct table table;
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, TEXT_MAX);
	table_init(&table, ARRAY_SIZE(names), 0x1f0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		table_add(&table, COLOUR_HEAD, "%s", names[i]);
	for (size_t i = 0; i < s->n_servers; i++)
		add_server(&table, &s->servers[i], &b);
	return table_print(&table, coloured, out);
}
