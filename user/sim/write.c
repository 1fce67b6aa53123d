/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A line is put together on the stack and appended once: no printf per call. */
#include "sim/write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/names.h"

/* Two names in which each byte becomes \u00XX, and what stands around them. */
#define LINE_MAX_BYTES (2 * 6 * SIM_NAME_MAX + 640)
#define PUT(w, literal) put(w, literal, sizeof(literal) - 1)

struct line {
	size_t len;
	char text[LINE_MAX_BYTES];
};

static void put(struct line *w, const char *s, size_t len)
{
	memcpy(w->text + w->len, s, len);
	w->len += len;
}

static void put_word(struct line *w, const char *word)
{
	w->text[w->len++] = '"';
	put(w, word, strlen(word));
	w->text[w->len++] = '"';
}

static void put_uint(struct line *w, uint64_t value)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(w, digits + i, sizeof(digits) - i);
}

/* "12.5", "3.0": as codec/jsonw writes seconds. */
static void put_seconds(struct line *w, uint64_t ns)
{
	uint32_t rest = (uint32_t)(ns % NS_PER_SEC);
	char digits[9];
	size_t n = 9;

	put_uint(w, ns / NS_PER_SEC);
	w->text[w->len++] = '.';
	for (size_t i = 9; i--; rest /= 10)
		digits[i] = (char)('0' + rest % 10);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	put(w, digits, n);
}

/* The shortest decimal that reads back as the same; most rates are short. */
static void put_rate(struct line *w, double rate)
{
	char text[32];

	if (!isfinite(rate)) {
		PUT(w, "null");
		return;
	}
	for (int precision = 1; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, rate);
		if (strtod(text, NULL) == rate)
			break;
	}
	put(w, text, strlen(text));
}

static void put_text(struct line *w, struct sim_text text)
{
	static const char hex[] = "0123456789abcdef";

	w->text[w->len++] = '"';
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.s[i];

		if (c < 0x20) {
			PUT(w, "\\u00");
			w->text[w->len++] = hex[c >> 4];
			w->text[w->len++] = hex[c & 15];
			continue;
		}
		if (c == '"' || c == '\\')
			w->text[w->len++] = '\\';
		w->text[w->len++] = (char)c;
	}
	w->text[w->len++] = '"';
}

static void put_rates(struct line *w, const struct sim_report *r)
{
	PUT(w, ",\"failure_rate\":");
	put_rate(w, r->failure_rate);
	PUT(w, ",\"slow_rate\":");
	put_rate(w, r->slow_rate);
	PUT(w, ",\"calls\":");
	put_uint(w, r->calls);
}

static void put_admission(struct line *w, const struct sim_report *r)
{
	PUT(w, ",\"op\":");
	put_word(w, sim_ops[r->op]);
	if (r->admitted)
		PUT(w, ",\"admitted\":true,\"state\":");
	else
		PUT(w, ",\"admitted\":false,\"state\":");
	put_word(w, state_name(r->state));
	if (r->would_deny)
		PUT(w, ",\"would_deny\":true");
}

static void put_transition(struct line *w, const struct sim_report *r)
{
	PUT(w, ",\"event\":\"transition\",\"from\":");
	put_word(w, state_name(r->move->from));
	PUT(w, ",\"to\":");
	put_word(w, state_name(r->move->to));
	PUT(w, ",\"reason\":");
	put_word(w, reason_name(r->move->reason));
	put_rates(w, r);
}

static void put_state(struct line *w, const struct sim_report *r)
{
	PUT(w, ",\"op\":\"state\",\"state\":");
	put_word(w, state_name(r->state));
	put_rates(w, r);
	PUT(w, ",\"failed_calls\":");
	put_uint(w, r->failed_calls);
	PUT(w, ",\"slow_calls\":");
	put_uint(w, r->slow_calls);
	PUT(w, ",\"not_permitted\":");
	put_uint(w, r->not_permitted);
	PUT(w, ",\"open_remaining_s\":");
	if (r->remaining_ns == SG_FOREVER)
		PUT(w, "null");
	else
		put_seconds(w, r->remaining_ns);
	if (r->would_denies) {
		PUT(w, ",\"would_deny\":");
		put_uint(w, r->would_denies);
	}
	if (r->overflow) {
		PUT(w, ",\"overflow\":");
		put_uint(w, r->overflow);
	}
}

void sim_report_write(const struct sim_report *report, struct buf *out)
{
	struct line w;

	w.len = 0;
	PUT(&w, "{\"t\":");
	put_seconds(&w, report->t_ns);
	PUT(&w, ",\"server\":");
	put_text(&w, report->server);
	if (report->tool.len) {
		PUT(&w, ",\"tool\":");
		put_text(&w, report->tool);
	}
	switch (report->type) {
	case SIM_ADMISSION:
		put_admission(&w, report);
		break;
	case SIM_TRANSITION:
		put_transition(&w, report);
		break;
	case SIM_SHOWN_STATE:
		put_state(&w, report);
		break;
	case SIM_SHOWN_TRUST:
		PUT(&w, ",\"op\":\"trust\",\"score\":null,\"factors\":null");
		break;
	}
	PUT(&w, "}\n");
	buf_append(out, w.text, w.len);
}

void sim_summary_write(const struct sim_summary *s, struct buf *out)
{
	buf_printf(out,
		   "{\"summary\":{\"calls\":%" PRIu64 ",\"admitted\":%" PRIu64
		   ",\"refused\":%" PRIu64 ",\"refused_success\":%" PRIu64
		   ",\"refused_failed\":%" PRIu64 ",\"refused_neutral\":%" PRIu64
		   ",\"trips\":%" PRIu64 ",\"recorded_trips\":%" PRIu64 ",\"tool_trips\":%" PRIu64
		   ",\"would_deny\":%" PRIu64 ",\"overflow\":%" PRIu64 "}}\n",
		   s->calls, s->admitted, s->refused, s->refused_success, s->refused_failed,
		   s->refused_neutral, s->trips, s->recorded_trips, s->tool_trips, s->would_deny,
		   s->overflow);
}

static void print_row(struct buf *out, const char *what, uint64_t n, const char *more)
{
	buf_printf(out, "%-24s %" PRIu64 "%s\n", what, n, more);
}

void sim_summary_print(const struct sim_summary *s, struct buf *out)
{
	char more[96];

	snprintf(more, sizeof(more), " (recorded: %" PRIu64 "), of tools %" PRIu64,
		 s->recorded_trips, s->tool_trips);
	print_row(out, "trips", s->trips, more);
	snprintf(more, sizeof(more), ", %" PRIu64 " admitted, %" PRIu64 " refused", s->admitted,
		 s->refused);
	print_row(out, "calls", s->calls, more);
	print_row(out, "refused, had succeeded", s->refused_success, "");
	print_row(out, "refused, had failed", s->refused_failed, " (failures avoided)");
	print_row(out, "refused, neither", s->refused_neutral, "");
	if (s->would_deny)
		print_row(out, "let through by a shadow", s->would_deny, "");
	if (s->overflow)
		print_row(out, "trips held by a limit", s->overflow, "");
}
