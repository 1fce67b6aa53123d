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

void view_state(const struct status_server *s, struct buf *out)
{
	uint64_t left = s->breaker.open_remaining_ns;

	buf_puts(out, state_name(s->state));
	if (left && left != STATUS_NEVER) {
		buf_puts(out, ", ");
		text_remaining(out, left, 0);
		buf_puts(out, " left");
	}
	if (s->panic)
		buf_puts(out, ", panic");
	else if (s->held)
		buf_puts(out, ", held");
}

void view_quarantine(const struct status_server *s, struct buf *out)
{
	if (!s->quarantined) {
		buf_putc(out, '-');
		return;
	}
	if (s->quarantine.until_wall_ns != STATUS_NEVER) {
		text_remaining(out, s->quarantine.until_wall_ns, clock_wall_ns());
		buf_puts(out, " left: ");
	}
	buf_puts(out, s->quarantine.reason);
}

void view_endpoints(const struct status_server *s, size_t most, struct buf *out)
{
	if (!s->n_endpoints)
		buf_putc(out, '-');
	for (size_t i = 0; i < s->n_endpoints && i < most; i++) {
		const struct status_endpoint *e = &s->endpoints[i];
		bool v6 = strchr(e->address, ':') && e->port;

		buf_printf(out, "%s%s%s%s", i ? " " : "", v6 ? "[" : "", e->address, v6 ? "]" : "");
		if (e->port)
			buf_printf(out, ":%u", e->port);
	}
	if (s->n_endpoints > most)
		buf_printf(out, " +%zu", s->n_endpoints - most);
}

static uint64_t failures_of(const struct sg_stats *c)
{
	return c->refused + c->timeout + c->reset + c->unreachable + c->r5xx + c->bad_responses +
	       c->timeouts;
}

/* --- status ------------------------------------------------------------------ */

/* Escaped, since even the daemon's sentences quote what others sent. */
static void print_line(enum colour colour, bool coloured, FILE *out, const char *label,
		       const char *text)
{
	CLEANUP(buf_done) struct buf safe = { 0 };

	buf_init(&safe, TEXT_MAX);
	text_escape(&safe, text);
	fprintf(out, "%s%s%s%s\n", text_begin(colour, coloured), label, buf_str(&safe),
		text_end(colour, coloured));
}

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
	print_line(COLOUR_NONE, coloured, out, "", buf_str(&head));
	if (!strcmp(s->selftest, "ok"))
		print_line(COLOUR_GOOD, coloured, out, "selftest: ", "ok");
	else
		print_line(COLOUR_BAD, coloured, out,
			   "SELFTEST FAILED: ", *s->selftest ? s->selftest : "no result yet");
	for (size_t i = 0; i < s->n_degraded; i++)
		print_line(COLOUR_BAD, coloured, out, "DEGRADED: ", s->degraded[i]);
	if (s->lost_events) {
		snprintf(text, sizeof(text), "%" PRIu64, s->lost_events);
		print_line(COLOUR_WARN, coloured, out, "lost events: ", text);
	}
}

/* What was written to b as a cell; empties it. */
static void flush_cell(struct table *t, enum colour colour, struct buf *b)
{
	table_add(t, colour, "%s", buf_str(b));
	buf_clear(b);
}

static void add_server(struct table *t, const struct status_server *s, struct buf *b)
{
	uint64_t failures = failures_of(&s->counters);

	table_add(t, COLOUR_NONE, "%s", s->name);
	view_state(s, b);
	flush_cell(t, view_state_colour(s), b);
	table_add(t, s->verdict == VERDICT_ALLOW ? COLOUR_NONE : COLOUR_BAD, "%s",
		  status_verdict_name(s->verdict));
	view_quarantine(s, b);
	flush_cell(t, s->quarantined ? COLOUR_BAD : COLOUR_NONE, b);
	table_add(t, COLOUR_NONE, "%" PRIu64, (uint64_t)s->counters.requests);
	table_add(t, failures ? COLOUR_WARN : COLOUR_NONE, "%" PRIu64, failures);
	table_add(t, s->counters.denied ? COLOUR_WARN : COLOUR_NONE, "%" PRIu64,
		  (uint64_t)s->counters.denied);
	text_milliseconds(b, s->latency.p50);
	flush_cell(t, COLOUR_NONE, b);
	text_milliseconds(b, s->latency.p95);
	flush_cell(t, COLOUR_NONE, b);
	view_endpoints(s, ENDPOINTS_SHOWN, b);
	flush_cell(t, COLOUR_DIM, b);
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
