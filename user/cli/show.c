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
	ROW(t, "endpoints", COLOUR_NONE, "%s", view_endpoints(s, SIZE_MAX, b));
	ROW(t, "visibility", COLOUR_NONE, "%s", visibility_name(s->visibility));
}

static void add_breaker(struct table *t, const struct status_server *s, struct buf *b)
{
	ROW(t, "state", view_state_colour(s), "%s", view_state(s, b));
	ROW(t, "verdict", s->verdict == VERDICT_ALLOW ? COLOUR_NONE : COLOUR_BAD, "%s",
	    status_verdict_name(s->verdict));
	if (s->panic)
		ROW(t, "held", COLOUR_BAD, "panic: failing, but the last usable of its group");
	else if (s->held)
		ROW(t, "held", COLOUR_BAD, "failing, but a limit across servers forbids to open");
	add_rate(t, "failure rate", s->breaker.failure_rate);
	add_rate(t, "slow rate", s->breaker.slow_rate);
	ROW(t, "failures in a row", COLOUR_NONE, "%" PRIu32, s->breaker.consecutive_failures);
	ROW(t, "generation", COLOUR_NONE, "%" PRIu32, s->breaker.generation);
}

static void add_quarantine(struct table *t, const struct status_server *s, struct buf *b)
{
	char since[32];

	ROW(t, "quarantine", s->quarantined ? COLOUR_BAD : COLOUR_NONE, "%s",
	    view_quarantine(s, b));
	if (s->quarantined)
		ROW(t, "quarantined", COLOUR_NONE, "%s by %s",
		    clock_format(since, sizeof(since), s->quarantine.since_wall_ns),
		    *s->quarantine.by ? s->quarantine.by : "?");
}

static void add_measured(struct table *t, const struct status_server *s)
{
	char p50[32];
	char p95[32];
	char p99[32];

	if (s->has_trust)
		ROW(t, "trust", COLOUR_NONE,
		    "%.1f (%s): performance %.2f, security %.2f, community %.2f, strikes %" PRIu32,
		    s->trust.score, s->trust.band, s->trust.performance, s->trust.security,
		    s->trust.community, s->trust.strikes);
	ROW(t, "latency", COLOUR_NONE, "p50 %s, p95 %s, p99 %s",
	    text_milliseconds(p50, sizeof(p50), s->latency.p50),
	    text_milliseconds(p95, sizeof(p95), s->latency.p95),
	    text_milliseconds(p99, sizeof(p99), s->latency.p99));
	for (const struct counter *c = counters; c->value; c++)
		if (c->label)
			ROW(t, c->label, COLOUR_NONE, "%" PRIu64, counter_get(c, &s->counters));
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
	add_measured(&table, s);
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
