/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `events`: the daemon's lines as they come, as JSON or a line each for people. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages.h"
#include "core/event.h"
#include "core/names.h"

#define LINE_TEXT_MAX 4096U

static enum colour event_colour(const struct event *e)
{
	switch (e->type) {
	case EVENT_TRANSITION:
		return text_state_colour(e->to);
	case EVENT_QUARANTINE:
	case EVENT_ALARM:
		return COLOUR_BAD;
	case EVENT_KILL:
		return e->survivors ? COLOUR_BAD : COLOUR_NONE;
	case EVENT_LOSS:
	case EVENT_ONE_CLIENT:
	case EVENT_FINDING:
		return COLOUR_WARN;
	case EVENT_TOOLS:
		return !strcmp(e->error, "rug_pull") ? COLOUR_BAD : COLOUR_NONE;
	case EVENT_ISOLATION:
		return strcmp(e->error, "released") ? COLOUR_BAD : COLOUR_NONE;
	case EVENT_BYPASS:
		return e->ok ? COLOUR_BAD : COLOUR_GOOD;
	case EVENT_SELFTEST:
	case EVENT_HOST_OFFLINE:
		return e->ok ? COLOUR_GOOD : COLOUR_BAD;
	default:
		return COLOUR_NONE;
	}
}

static void describe_who(const struct event *e, struct buf *out)
{
	if (*e->address)
		buf_printf(out, ", %s", e->address);
	if (e->pid)
		buf_printf(out, ", pid %" PRIu32 " %s", e->pid, e->comm);
	if (*e->text)
		buf_printf(out, " in %s", e->text);
}

static void describe_call(const struct event *e, struct buf *out)
{
	char text[32];

	buf_printf(out, "%s (%s)", class_name(e->outcome), cause_name(e->cause));
	if (e->status)
		buf_printf(out, ", HTTP %u", e->status);
	if (e->latency_ns != STATUS_NEVER)
		buf_printf(out, ", %s",
			   text_milliseconds(text, sizeof(text), (double)e->latency_ns / 1e6));
	if (e->corrected)
		buf_puts(out, ", corrected");
	if (e->estimate)
		buf_puts(out, ", an estimate");
	describe_who(e, out);
}

static void describe_transition(const struct event *e, struct buf *out)
{
	char text[64];

	buf_printf(out, "%s -> %s (%s", state_name(e->from), state_name(e->to),
		   reason_name(e->reason));
	if (isfinite(e->failure_rate))
		buf_printf(out, ", %.0f %% failed", e->failure_rate * 100);
	if (isfinite(e->slow_rate) && e->slow_rate > 0)
		buf_printf(out, ", %.0f %% slow", e->slow_rate * 100);
	if (e->calls)
		buf_printf(out, ", %" PRIu32 " calls", e->calls);
	buf_putc(out, ')');
	if (e->open_ns == STATUS_NEVER)
		buf_puts(out, ", until undone");
	else if (e->open_ns)
		buf_printf(out, ", for %s", format_duration(text, sizeof(text), e->open_ns));
	if (*e->text)
		buf_printf(out, ": %s", e->text);
}

static void describe_quarantine(const struct event *e, struct buf *out)
{
	char survivors[160];
	char text[32];

	buf_printf(out, "quarantined: %s, %" PRIu32 " killed, %s", e->text, e->killed,
		   status_survivors(survivors, sizeof(survivors), e->survivors, e->error));
	if (e->until_wall_ns && e->until_wall_ns != STATUS_NEVER)
		buf_printf(out, ", until %s", clock_format(text, sizeof(text), e->until_wall_ns));
}

static void describe_kill(const struct event *e, struct buf *out)
{
	char survivors[160];

	buf_printf(out, "%" PRIu32 " killed, ", e->killed);
	if (e->busy != STATUS_UNKNOWN)
		buf_printf(out, "%" PRIu32 " busy, ", e->busy);
	buf_puts(out, status_survivors(survivors, sizeof(survivors), e->survivors, e->error));
}

static void describe_isolation(const struct event *e, struct buf *out)
{
	char survivors[160];

	buf_printf(out, "%s%s%s", e->error, *e->cgroup ? " " : "", e->cgroup);
	if (*e->detail)
		buf_printf(out, " (%s)", e->detail);
	if (*e->cgroup)
		buf_printf(out, ", %" PRIu32 " cut, %s", e->killed,
			   status_survivors(survivors, sizeof(survivors), e->survivors, ""));
	buf_printf(out, "%s%s%s%s", e->frozen ? ", frozen" : "", e->forced ? ", forced" : "",
		   *e->text ? ": " : "", e->text);
}

static void describe_bypass(const struct event *e, struct buf *out)
{
	char text[32];

	buf_puts(out, e->ok ? "everything passes" : "what is denied is refused again");
	if (e->ok && e->until_wall_ns != STATUS_NEVER)
		buf_printf(out, " until %s", clock_format(text, sizeof(text), e->until_wall_ns));
	if (*e->text)
		buf_printf(out, ": %s", e->text);
}

static void describe(const struct event *e, struct buf *out)
{
	switch (e->type) {
	case EVENT_CALL:
		describe_call(e, out);
		break;
	case EVENT_DENIAL:
		buf_puts(out, "denied");
		describe_who(e, out);
		break;
	case EVENT_FINDING:
		buf_printf(out, "%s: %s", e->severity, e->text);
		break;
	case EVENT_TRANSITION:
		describe_transition(e, out);
		break;
	case EVENT_QUARANTINE:
		describe_quarantine(e, out);
		break;
	case EVENT_KILL:
		describe_kill(e, out);
		break;
	case EVENT_RESET:
		buf_printf(out, "history forgotten%s%s", *e->text ? ": " : "", e->text);
		break;
	case EVENT_LOSS:
		buf_printf(out, "%" PRIu64 " events are missing here", e->count);
		break;
	case EVENT_ISOLATION:
		describe_isolation(e, out);
		break;
	case EVENT_CAPTURE:
		buf_puts(out, "refused packets are read");
		break;
	case EVENT_BYPASS:
		describe_bypass(e, out);
		break;
	case EVENT_SELFTEST:
		buf_printf(out, "%s%s%s", e->ok ? "ok" : "FAILED", *e->text ? ": " : "", e->text);
		break;
	default:
		buf_puts(out, e->text);
		break;
	}
	if (*e->by)
		buf_printf(out, " (by %s)", e->by);
}

static int print_event(const struct context *context, const struct event *e)
{
	CLEANUP(buf_done) struct buf text = BUF(LINE_TEXT_MAX);
	char when[32];

	describe(e, &text);
	printf("%s  ", clock_format(when, sizeof(when), e->wall_ns));
	return text_line(stdout, event_colour(e), context->coloured, "%-10s  %s%s%s  %s",
			 event_type_name(e->type), *e->server ? e->server : "-",
			 *e->tool ? "/" : "", e->tool, buf_str(&text));
}

static int take_line(void *data, const char *line, size_t len)
{
	const struct context *context = data;
	struct event e;
	int r;

	if (context->args.json) {
		printf("%s\n", line);
	} else {
		r = event_decode(line, len, &e);
		if (r && r != -ENOTSUP) /* a newer daemon's type is passed over */
			return r;
		if (!r && print_event(context, &e))
			return -ENOMEM;
	}
	/* Whoever follows wants the line now; nobody who reads any more ends it. */
	return fflush(stdout) != 0 ? -ECANCELED : 0;
}

int run_events(struct context *context)
{
	const struct args *args = &context->args;
	CLEANUP(buf_done) struct buf target = BUF(16384);
	struct client_request request = {
		.socket = context->socket, .method = "GET", .line = take_line, .data = context
	};

	buf_printf(&target, "/v1/events?follow=%d&calls=%d", args->follow, args->calls);
	if (args->since_ns != SINCE_ALL)
		buf_printf(&target, "&since=%" PRIu64 ".%09" PRIu64,
			   args->since_ns / (uint64_t)NS_PER_SEC,
			   args->since_ns % (uint64_t)NS_PER_SEC);
	client_add_query(&target, "server", args->server);
	if (buf_error(&target))
		return command_fail(context, EXIT_USAGE, "usage", "", "--server is too long");
	request.target = buf_str(&target);
	return command_call(context, &request, NULL, NULL);
}
