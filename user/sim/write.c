/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* No printf per line: jsonw writes whole numbers and seconds by hand. */
#include "sim/write.h"

#include <inttypes.h>
#include <stdio.h>

#include "codec/jsonw.h"
#include "core/names.h"

static void put_rates(struct jsonw *w, const struct sim_report *r)
{
	jsonw_double(w, "failure_rate", r->failure_rate);
	jsonw_double(w, "slow_rate", r->slow_rate);
	jsonw_uint(w, "calls", r->calls);
}

static void put_admission(struct jsonw *w, const struct sim_report *r)
{
	jsonw_text(w, "op", sim_ops[r->op]);
	jsonw_bool(w, "admitted", r->admitted);
	jsonw_text(w, "state", state_name(r->state));
	if (r->would_deny)
		jsonw_bool(w, "would_deny", true);
}

static void put_transition(struct jsonw *w, const struct sim_report *r)
{
	jsonw_text(w, "event", "transition");
	jsonw_text(w, "from", state_name(r->move->from));
	jsonw_text(w, "to", state_name(r->move->to));
	jsonw_text(w, "reason", reason_name(r->move->reason));
	put_rates(w, r);
}

static void put_state(struct jsonw *w, const struct sim_report *r)
{
	jsonw_text(w, "op", "state");
	jsonw_text(w, "state", state_name(r->state));
	put_rates(w, r);
	jsonw_uint(w, "failed_calls", r->failed_calls);
	jsonw_uint(w, "slow_calls", r->slow_calls);
	jsonw_uint(w, "not_permitted", r->not_permitted);
	if (r->remaining_ns == SG_FOREVER)
		jsonw_null(w, "open_remaining_s");
	else
		jsonw_seconds(w, "open_remaining_s", r->remaining_ns);
	if (r->would_denies)
		jsonw_uint(w, "would_deny", r->would_denies);
	if (r->overflow)
		jsonw_uint(w, "overflow", r->overflow);
}

static void put_trust(struct jsonw *w, const struct sim_report *r)
{
	static const char *const rules[] = { NULL, "finding", "score" };
	const struct trust_view *v = &r->trust;

	jsonw_text(w, "op", "trust");
	jsonw_double(w, "score", v->score);
	jsonw_object(w, "factors");
	jsonw_double(w, "performance", v->performance);
	jsonw_double(w, "security", v->security);
	jsonw_double(w, "community", v->community);
	jsonw_uint(w, "strikes", v->strikes);
	jsonw_double(w, "community_weight", r->community_weight);
	jsonw_double(w, "strike_penalty", r->strike_penalty);
	jsonw_object_end(w);
	jsonw_text(w, "band", trust_band_names[v->band]);
	jsonw_text(w, "quarantine", rules[v->quarantine]);
	jsonw_bool(w, "restricted", v->restricted);
}

void sim_report_write(const struct sim_report *report, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_seconds(&w, "t", report->t_ns);
	jsonw_bytes(&w, "server", report->server.s, report->server.len);
	if (report->tool.len)
		jsonw_bytes(&w, "tool", report->tool.s, report->tool.len);
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
		put_trust(&w, report);
		break;
	}
	jsonw_object_end(&w);
	buf_putc(out, '\n');
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
