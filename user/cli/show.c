/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `status`, a line for each server, and `show NAME`: all about one, a line each. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages.h"
#include "core/counters.h"
#include "core/names.h"

#define ENDPOINTS_SHOWN 2
#define TEXT_MAX 65536U

/* How parts of a status are written: into b, in place of what is there. Returns its text. */

static const char *show_state(const struct status_server *s, struct buf *b)
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

/* With what became of its processes on this host. */
static const char *show_quarantine(const struct status_server *s, struct buf *b)
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
	if (s->has_isolation)
		buf_printf(b, " (processes %s%s)", s->isolation.state,
			   s->isolation.frozen ? ", frozen" : "");
	return buf_str(b);
}

/* "forced_open by root since TIME until undone: why" */
static const char *show_order(const struct status_server *s, struct buf *b)
{
	const struct status_quarantine *o = &s->order;
	char text[32];

	buf_clear(b);
	buf_printf(b, "%s by %s since %s", state_name(s->order_state), *o->by ? o->by : "?",
		   clock_format(text, sizeof(text), o->since_wall_ns));
	if (o->until_wall_ns == STATUS_NEVER)
		buf_puts(b, " until undone");
	else
		buf_printf(b, " until %s", clock_format(text, sizeof(text), o->until_wall_ns));
	if (*o->reason)
		buf_printf(b, ": %s", o->reason);
	return buf_str(b);
}

static const char *show_endpoints(const struct status_server *s, size_t most, struct buf *b)
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
		if (*e->owner)
			buf_printf(b, " (of \"%s\")", e->owner);
		if (e->failed)
			buf_printf(b, " (%" PRIu32 " connect%s failed)", e->failed,
				   e->failed > 1 ? "s" : "");
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

/* --- show -------------------------------------------------------------------- */

/* One line: what it is, and a text by a format. */
#define ROW(t, label, colour, ...)                     \
	do {                                           \
		table_add(t, COLOUR_DIM, "%s", label); \
		table_add(t, colour, __VA_ARGS__);     \
	} while (0)

static void add_rate(struct table *t, const char *label, double rate)
{
	if (isfinite(rate))
		ROW(t, label, COLOUR_NONE, "%.1f %%", rate * 100);
	else
		ROW(t, label, COLOUR_NONE, "- (too few calls)");
}

static void add_identity(struct table *t, const struct status_server *s, struct buf *b)
{
	ROW(t, "name", COLOUR_HEAD, "%s", s->name);
	if (s->url)
		ROW(t, "url", COLOUR_NONE, "%s", s->url);
	if (s->command)
		ROW(t, "command", COLOUR_NONE, "%s", s->command);
	if (s->places.members)
		ROW(t, "group", COLOUR_NONE,
		    "%s: %" PRIu32 " servers, %" PRIu32 " open, %" PRIu32 " may be",
		    s->group ? s->group : "(by fallback)", s->places.members, s->places.open,
		    s->places.limit);
	else if (s->group)
		ROW(t, "group", COLOUR_NONE, "%s", s->group);
	ROW(t, "endpoints", COLOUR_NONE, "%s", show_endpoints(s, SIZE_MAX, b));
	ROW(t, "visibility", COLOUR_NONE, "%s%s%s", visibility_name(s->visibility),
	    *s->visibility_reason ? ": " : "", s->visibility_reason);
}

static void add_breaker(struct table *t, const struct status_server *s, struct buf *b)
{
	ROW(t, "state", text_state_colour(s->state), "%s", show_state(s, b));
	ROW(t, "verdict", s->verdict == VERDICT_ALLOW ? COLOUR_NONE : COLOUR_BAD, "%s",
	    status_verdict_name(s->verdict));
	if (s->panic)
		ROW(t, "held", COLOUR_BAD, "panic: failing, but the last usable of its group");
	else if (s->held)
		ROW(t, "held", COLOUR_BAD, "failing, but a limit across servers forbids to open");
	if (s->ordered)
		ROW(t, "order", COLOUR_WARN, "%s", show_order(s, b));
	add_rate(t, "failure rate", s->breaker.failure_rate);
	add_rate(t, "slow rate", s->breaker.slow_rate);
	ROW(t, "failures in a row", COLOUR_NONE, "%" PRIu32, s->breaker.consecutive_failures);
	ROW(t, "generation", COLOUR_NONE, "%" PRIu32, s->breaker.generation);
}

static void add_quarantine(struct table *t, const struct status_server *s, struct buf *b)
{
	char since[32];

	ROW(t, "quarantine", s->quarantined ? COLOUR_BAD : COLOUR_NONE, "%s",
	    show_quarantine(s, b));
	if (s->quarantined)
		ROW(t, "quarantined", COLOUR_NONE, "%s by %s",
		    clock_format(since, sizeof(since), s->quarantine.since_wall_ns),
		    *s->quarantine.by ? s->quarantine.by : "?");
}

/* Of processes on this host, if there are any. */
static void add_isolation(struct table *t, const struct status_server *s)
{
	const struct status_isolation *i = &s->isolation;
	bool isolated = s->has_isolation && !strcmp(i->state, "isolated");

	if (!s->has_isolation)
		return;
	ROW(t, "isolation", isolated ? COLOUR_BAD : COLOUR_WARN, "%s%s%s%s%s%s%s", i->state,
	    i->frozen ? ", frozen" : "", i->forced ? ", forced" : "", *i->cgroup ? ": " : "",
	    i->cgroup, *i->why ? ": " : "", i->why);
	if (!isolated)
		return;
	ROW(t, "", COLOUR_NONE,
	    "%" PRIu32 " processes, %" PRIu64 " packets dropped, %" PRIu64 " connects refused",
	    i->processes, i->dropped, i->refused);
	ROW(t, "not cut", COLOUR_NONE, "%s", i->not_cut);
	if (i->outside)
		ROW(t, "", COLOUR_WARN, "%" PRIu32 " sockets that were made in another cgroup",
		    i->outside);
}

static void add_latency(struct table *t, const char *label, const struct status_latency *l)
{
	char p50[32];
	char p95[32];
	char p99[32];

	ROW(t, label, COLOUR_NONE, "p50 %s, p95 %s, p99 %s",
	    text_milliseconds(p50, sizeof(p50), l->p50),
	    text_milliseconds(p95, sizeof(p95), l->p95),
	    text_milliseconds(p99, sizeof(p99), l->p99));
}

/* What is not as it was approved, a line each. */
/* What becomes of denied connects, now or if there were any; and who could stand in. */
static void add_fallback(struct table *t, const struct status_server *s)
{
	const struct status_fallback *f = &s->fallback;
	bool denied = s->verdict != VERDICT_ALLOW;

	if (!s->has_fallback)
		return;
	switch (f->kind) {
	case SG_REDIRECT_DIRECT:
	case SG_REDIRECT_FORWARD:
		ROW(t, "fallback", denied ? COLOUR_WARN : COLOUR_NONE, "%s \"%s\"%s%s",
		    f->returning ? "through the relay, until all know it again; else" : "to", f->to,
		    f->kind == SG_REDIRECT_FORWARD ? ", by the relay" : "", denied ? ": now" : "");
		break;
	case SG_REDIRECT_STAND_IN:
		ROW(t, "fallback", denied ? COLOUR_WARN : COLOUR_NONE, "the stand-in%s%s%s",
		    denied ? ": now" : "", *f->why ? ": " : "", f->why);
		break;
	default:
		ROW(t, "fallback", COLOUR_BAD, "none: %s", f->why);
		break;
	}
	for (size_t i = 0; i < s->n_candidates; i++) {
		const struct status_candidate *c = &s->candidates[i];

		ROW(t, "", c->usable ? COLOUR_NONE : COLOUR_WARN, "%s: %s%s%s", c->server,
		    c->usable ? "can be used" : c->why, *c->differs ? "; its tools: " : "",
		    c->differs);
	}
}

static void add_tools(struct table *t, const struct status_server *s)
{
	const struct status_tools *tools = &s->tools;
	bool known = s->has_tools && *tools->digest;
	char when[32];

	if (known)
		ROW(t, "tools", COLOUR_NONE, "%" PRIu32 "%s%s, seen %s", tools->count,
		    *tools->version ? " of version " : "", tools->version,
		    clock_format(when, sizeof(when), tools->seen_wall_ns));
	if (s->has_tools && *tools->unknown)
		ROW(t, known ? "" : "tools", COLOUR_WARN, "unknown%s: %s", known ? " now" : "",
		    tools->unknown);
	if (!known)
		return;
	ROW(t, "approved", tools->approved ? COLOUR_NONE : COLOUR_BAD, "%s at %s: %s",
	    tools->approved ? "these" : "OTHER tools",
	    clock_format(when, sizeof(when), tools->approved_wall_ns), tools->approved_by);
	for (size_t i = 0; i < s->n_changed; i++)
		ROW(t, i ? "" : "tools changed", COLOUR_BAD, "%s %s%s%s", s->changed[i].change,
		    s->changed[i].name, *s->changed[i].fields ? ": " : "", s->changed[i].fields);
}

static void add_measured(struct table *t, const struct status_server *s)
{
	if (s->has_trust)
		ROW(t, "trust", COLOUR_NONE,
		    "%.1f (%s): performance %.2f, security %.2f, community %.2f, strikes %" PRIu32,
		    s->trust.score, s->trust.band, s->trust.performance, s->trust.security,
		    s->trust.community, s->trust.strikes);
	add_latency(t, "latency", &s->latency);
	if (!isnan(s->handshake.p50))
		add_latency(t, "tls handshake", &s->handshake);
	for (const struct counter *c = counters; c->value; c++)
		if (c->label)
			ROW(t, c->label, COLOUR_NONE, "%" PRIu64, counter_get(c, &s->counters));
}

/* How calls ended lately, one line each: "3 hard no_answer, the latest at TIME after 60.0 s" */
static void add_causes(struct table *t, const struct status_server *s)
{
	char when[32];
	char text[32];

	if (!s->n_causes)
		ROW(t, "last hour", COLOUR_NONE, "no calls that ended");
	for (size_t i = 0; i < s->n_causes; i++) {
		const struct status_cause *c = &s->causes[i];
		bool bad = c->class == SG_HARD || c->class == SG_SOFT;

		ROW(t, i ? "" : "last hour", bad ? COLOUR_WARN : COLOUR_NONE,
		    "%" PRIu64 " %s %s, the latest at %s after %s", c->calls, class_name(c->class),
		    cause_name(c->cause), clock_format(when, sizeof(when), c->latest_wall_ns),
		    text_milliseconds(text, sizeof(text), (double)c->latency_ns / 1e6));
	}
	if (s->causes_lost)
		ROW(t, "", COLOUR_BAD, "%" PRIu64 " records were lost: sums are incomplete",
		    s->causes_lost);
}

static void add_proxied(struct table *t, const struct status_server *s)
{
	for (size_t i = 0; i < s->n_proxied; i++) {
		const struct status_proxied *p = &s->proxied[i];

		ROW(t, p->watched ? "by proxy" : "not watched",
		    p->watched ? COLOUR_NONE : COLOUR_WARN,
		    "pid %" PRIu32 " (%s), through the proxy %s", p->pid, p->comm, p->proxy);
	}
}

static void add_shared(struct table *t, const struct status_server *s)
{
	if (*s->shared)
		ROW(t, "shared", COLOUR_NONE,
		    "others are at its addresses, too (%s): it is refused by its name", s->shared);
}

static int server_print(const struct status_server *s, bool coloured, FILE *out)
{
	CLEANUP(table_done) struct table table;
	CLEANUP(buf_done) struct buf b = BUF(TEXT_MAX);

	table_init(&table, 2, 0);
	add_identity(&table, s, &b);
	add_breaker(&table, s, &b);
	add_quarantine(&table, s, &b);
	add_isolation(&table, s);
	add_tools(&table, s);
	add_fallback(&table, s);
	add_measured(&table, s);
	add_causes(&table, s);
	add_proxied(&table, s);
	add_shared(&table, s);
	return table_print(&table, coloured, out);
}

static int report_server(const struct context *context, const struct buf *answer)
{
	CLEANUP(status_server_done) struct status_server server = { 0 };

	if (context->args.json)
		return command_print_json(answer);
	if (status_server_decode(buf_str(answer), answer->len, &server))
		return command_misread(context);
	return server_print(&server, context->coloured, stdout) ? EXIT_FAILED : EXIT_DONE;
}

int run_show(struct context *context)
{
	CLEANUP(buf_done) struct buf target = { 0 };

	command_server_target(context, "", &target);
	return command_run(context, "GET", buf_str(&target), NULL, report_server);
}

/* --- status ------------------------------------------------------------------ */

static void status_print(const struct status *s, bool coloured, FILE *out)
{
	CLEANUP(buf_done) struct buf head = BUF(TEXT_MAX);
	char text[64];

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
	for (size_t i = 0; i < s->n_servers; i++)
		if (s->servers[i].ordered)
			text_line(out, COLOUR_WARN, coloured, "order: %s: %s", s->servers[i].name,
				  show_order(&s->servers[i], &head));
}

static void add_server(struct table *t, const struct status_server *s, struct buf *b)
{
	uint64_t failures = failures_of(&s->counters);
	char text[64];

	table_add(t, COLOUR_NONE, "%s", s->name);
	table_add(t, text_state_colour(s->state), "%s", show_state(s, b));
	table_add(t, s->verdict == VERDICT_ALLOW ? COLOUR_NONE : COLOUR_BAD, "%s",
		  status_verdict_name(s->verdict));
	table_add(t, s->quarantined ? COLOUR_BAD : COLOUR_NONE, "%s", show_quarantine(s, b));
	table_add(t, COLOUR_NONE, "%" PRIu64, (uint64_t)s->counters.requests);
	table_add(t, failures ? COLOUR_WARN : COLOUR_NONE, "%" PRIu64, failures);
	table_add(t, s->counters.denied ? COLOUR_WARN : COLOUR_NONE, "%" PRIu64,
		  (uint64_t)s->counters.denied);
	table_add(t, COLOUR_NONE, "%s", text_milliseconds(text, sizeof(text), s->latency.p50));
	table_add(t, COLOUR_NONE, "%s", text_milliseconds(text, sizeof(text), s->latency.p95));
	table_add(t, COLOUR_DIM, "%s", show_endpoints(s, ENDPOINTS_SHOWN, b));
}

static int servers_print(const struct status *s, bool coloured, FILE *out)
{
	static const char *const names[] = {
		"NAME", "STATE",  "VERDICT", "QUARANTINE", "CALLS",
		"FAIL", "DENIED", "P50",     "P95",        "ENDPOINTS"
	};
	CLEANUP(table_done) struct table table;
	CLEANUP(buf_done) struct buf b = BUF(TEXT_MAX);

	table_init(&table, ARRAY_SIZE(names), 0x1f0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		table_add(&table, COLOUR_HEAD, "%s", names[i]);
	for (size_t i = 0; i < s->n_servers; i++)
		add_server(&table, &s->servers[i], &b);
	return table_print(&table, coloured, out);
}

static int report_status(const struct context *context, const struct buf *answer)
{
	CLEANUP(status_done) struct status s = { 0 };

	if (status_decode(buf_str(answer), answer->len, &s))
		return command_misread(context);
	if (context->args.json)
		return command_print_json(answer);
	status_print(&s, context->coloured, stdout);
	printf("\n");
	return servers_print(&s, context->coloured, stdout) ? EXIT_FAILED : EXIT_DONE;
}

int run_status(struct context *context)
{
	return command_run(context, "GET", "/v1/status", NULL, report_status);
}

/* Names a shell can complete: one a line, what a line cannot hold left out. */
static int report_names(const struct context *context, const struct buf *answer)
{
	CLEANUP(status_done) struct status s = { 0 };

	if (status_decode(buf_str(answer), answer->len, &s))
		return command_misread(context);
	for (size_t i = 0; i < s.n_servers; i++)
		if (!strpbrk(s.servers[i].name, "\n\r\033"))
			printf("%s\n", s.servers[i].name);
	return EXIT_DONE;
}

int run_complete(struct context *context)
{
	return command_run(context, "GET", "/v1/status", NULL, report_names);
}
