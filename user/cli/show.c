/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `show NAME`: all that the daemon tells about one server, a line each. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/view.h"
#include "codec/messages.h"
#include "core/counters.h"
#include "core/names.h"

#define TEXT_MAX 65536U

static void row(struct table *t, enum colour colour, const char *label, const char *text)
{
	table_add(t, COLOUR_DIM, "%s", label);
	table_add(t, colour, "%s", text);
}

/* Adds what was written to b as a row, and empties it. */
static void flush_row(struct table *t, enum colour colour, const char *label, struct buf *b)
{
	row(t, colour, label, buf_str(b));
	buf_clear(b);
}

static void add_rate(struct table *t, const char *label, double rate)
{
	if (isfinite(rate)) {
		table_add(t, COLOUR_DIM, "%s", label);
		table_add(t, COLOUR_NONE, "%.1f %%", rate * 100);
	} else {
		row(t, COLOUR_NONE, label, "- (too few calls)");
	}
}

static void add_identity(struct table *t, const struct status_server *s, struct buf *b)
{
	row(t, COLOUR_HEAD, "name", s->name);
	if (s->url)
		row(t, COLOUR_NONE, "url", s->url);
	if (s->command)
		row(t, COLOUR_NONE, "command", s->command);
	if (s->group || s->places.members) {
		buf_puts(b, s->group ? s->group : "(by fallback)");
		if (s->places.members)
			buf_printf(b, ": %" PRIu32 " servers, %" PRIu32 " open, %" PRIu32 " may be",
				   s->places.members, s->places.open, s->places.limit);
		flush_row(t, COLOUR_NONE, "group", b);
	}
	view_endpoints(s, SIZE_MAX, b);
	flush_row(t, COLOUR_NONE, "endpoints", b);
	row(t, COLOUR_NONE, "visibility", visibility_name(s->visibility));
}

static void add_breaker(struct table *t, const struct status_server *s, struct buf *b)
{
	view_state(s, b);
	flush_row(t, view_state_colour(s), "state", b);
	row(t, s->verdict == VERDICT_ALLOW ? COLOUR_NONE : COLOUR_BAD, "verdict",
	    status_verdict_name(s->verdict));
	if (s->panic)
		row(t, COLOUR_BAD, "held", "panic: failing, but the last usable of its group");
	else if (s->held)
		row(t, COLOUR_BAD, "held", "failing, but a limit across servers forbids to open");
	add_rate(t, "failure rate", s->breaker.failure_rate);
	add_rate(t, "slow rate", s->breaker.slow_rate);
	buf_printf(b, "%" PRIu32, s->breaker.consecutive_failures);
	flush_row(t, COLOUR_NONE, "failures in a row", b);
	buf_printf(b, "%" PRIu32, s->breaker.generation);
	flush_row(t, COLOUR_NONE, "generation", b);
}

static void add_quarantine(struct table *t, const struct status_server *s, struct buf *b)
{
	char since[32];

	view_quarantine(s, b);
	flush_row(t, s->quarantined ? COLOUR_BAD : COLOUR_NONE, "quarantine", b);
	if (!s->quarantined)
		return;
	buf_printf(b, "%s by %s", clock_format(since, sizeof(since), s->quarantine.since_wall_ns),
		   *s->quarantine.by ? s->quarantine.by : "?");
	flush_row(t, COLOUR_NONE, "quarantined", b);
}

static void add_trust(struct table *t, const struct status_server *s, struct buf *b)
{
	if (!s->has_trust)
		return;
	buf_printf(b,
		   "%.1f (%s): performance %.2f, security %.2f, community %.2f, strikes %" PRIu32,
		   s->trust.score, s->trust.band, s->trust.performance, s->trust.security,
		   s->trust.community, s->trust.strikes);
	flush_row(t, COLOUR_NONE, "trust", b);
}

static void add_latency(struct table *t, const struct status_server *s, struct buf *b)
{
	const struct {
		const char *name;
		double ms;
	} parts[] = { { "p50 ", s->latency.p50 },
		      { ", p95 ", s->latency.p95 },
		      { ", p99 ", s->latency.p99 } };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		buf_puts(b, parts[i].name);
		text_milliseconds(b, parts[i].ms);
	}
	flush_row(t, COLOUR_NONE, "latency", b);
}

static void add_counters(struct table *t, const struct sg_stats *stats, struct buf *b)
{
	for (const struct counter *c = counters; c->value; c++) {
		if (!c->label)
			continue;
		buf_printf(b, "%" PRIu64, counter_get(c, stats));
		flush_row(t, COLOUR_NONE, c->label, b);
	}
}

static int server_print(const struct status_server *s, bool coloured, FILE *out)
{
	CLEANUP(table_done) struct table table;
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_init(&b, TEXT_MAX);
	table_init(&table, 2, 0);
	add_identity(&table, s, &b);
	add_breaker(&table, s, &b);
	add_quarantine(&table, s, &b);
	add_trust(&table, s, &b);
	add_latency(&table, s, &b);
	add_counters(&table, &s->counters, &b);
	return table_print(&table, coloured, out);
}

int run_show(struct context *context)
{
	CLEANUP(status_server_done) struct status_server server = { 0 };
	CLEANUP(buf_done) struct buf target = { 0 };
	struct client_reply reply;
	int status;

	buf_init(&target, 16384);
	buf_puts(&target, "/v1/servers/");
	client_encode(&target, context->args.operand[0]);
	status = command_ask(context, "GET", buf_str(&target), NULL, &reply);
	if (status == EXIT_DONE && context->args.json)
		status = command_print_json(&reply);
	else if (status == EXIT_DONE &&
		 status_server_decode(buf_str(&reply.body), reply.body.len, &server) < 0)
		status = command_misread(context);
	else if (status == EXIT_DONE)
		status = server_print(&server, context->coloured, stdout) < 0 ? EXIT_FAILED
									      : EXIT_DONE;
	buf_done(&reply.body);
	return status;
}

static int ask_status(struct context *context, struct status *ret, struct client_reply *reply)
{
	int status = command_ask(context, "GET", "/v1/status", NULL, reply);

	if (status != EXIT_DONE)
		return status;
	if (status_decode(buf_str(&reply->body), reply->body.len, ret) < 0)
		return command_misread(context);
	return EXIT_DONE;
}

int run_status(struct context *context)
{
	CLEANUP(status_done) struct status s = { 0 };
	struct client_reply reply;
	int status = ask_status(context, &s, &reply);

	if (status == EXIT_DONE && context->args.json) {
		status = command_print_json(&reply);
	} else if (status == EXIT_DONE) {
		status_print(&s, context->coloured, stdout);
		printf("\n");
		if (servers_print(&s, context->coloured, stdout) < 0)
			status = EXIT_FAILED;
	}
	buf_done(&reply.body);
	return status;
}

/* Names a shell can complete: one a line, what a line cannot hold left out. */
int run_complete(struct context *context)
{
	CLEANUP(status_done) struct status s = { 0 };
	struct client_reply reply;
	int status = ask_status(context, &s, &reply);

	for (size_t i = 0; status == EXIT_DONE && i < s.n_servers; i++)
		if (!strpbrk(s.servers[i].name, "\n\r\033"))
			printf("%s\n", s.servers[i].name);
	buf_done(&reply.body);
	return status;
}
