/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `explain NAME`: what a server's score is made of; `select`: which one to use; `report FILE`:
 * what scanners found. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/findings.h"
#include "codec/messages_select.h"
#include "codec/messages_trust.h"

#define REPORT_PATH "/v1/findings"

/* --- explain ---------------------------------------------------------------------------------- */

#define SAY(...) text_line(stdout, COLOUR_NONE, false, __VA_ARGS__)

static void print_performance(const struct trust_explanation *e)
{
	char age[64];

	SAY("performance %.4f: the lesser of", e->view.performance);
	SAY("  slow %.4f = (%.4f + %g x %g) / (%.4f + %.4f + %g)", e->performance_slow,
	    e->slow.good, e->prior, e->prior_weight, e->slow.good, e->slow.bad, e->prior_weight);
	SAY("  fast %.4f = (%.4f + %.4f x %g) / (%.4f + %.4f + %g)", e->performance_fast,
	    e->fast.good, e->performance_slow, e->prior_weight, e->fast.good, e->fast.bad,
	    e->prior_weight);
	SAY("  evidence up to %s ago, %" PRIu32 " successes",
	    format_duration(age, sizeof(age), e->evidence_age_ns), e->successes);
}

static void print_findings(const struct reply_explain *r, bool coloured)
{
	struct table t;
	char age[64];

	if (!r->n_findings)
		return;
	table_init(&t, 7, 0);
	for (const char *const *head = (const char *const[]){ "  SEVERITY", "CONF", "CEILING", "x",
							      "AGE", "SCANNER", "FINDING", NULL };
	     *head; head++)
		table_add(&t, COLOUR_HEAD, "%s", *head);
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct explain_finding *f = &r->findings[i];

		table_add(&t, f->severity >= TRUST_HIGH ? COLOUR_BAD : COLOUR_WARN, "  %s%s",
			  f->severity < TRUST_SEVERITY_COUNT ? trust_severity_names[f->severity]
							     : "?",
			  f->waived ? " (waived)" : "");
		table_add(&t, COLOUR_NONE, isnan(f->confidence) ? "-" : "%.2f", f->confidence);
		table_add(&t, COLOUR_NONE, "%.4f", f->ceiling);
		table_add(&t, COLOUR_NONE, "%.4f", f->factor);
		table_add(&t, COLOUR_NONE, "%s", format_duration(age, sizeof(age), f->age_ns));
		table_add(&t, COLOUR_NONE, "%s", f->source ? f->source : "");
		table_add(&t, COLOUR_NONE, "%s%s%s%s%s", f->rule ? f->rule : "",
			  f->location && *f->location ? " at " : "", f->location ? f->location : "",
			  f->message && *f->message ? ": " : "", f->message ? f->message : "");
	}
	(void)!table_print(&t, coloured, stdout);
	table_done(&t);
}

static void print_security(const struct reply_explain *r, bool coloured)
{
	const struct trust_explanation *e = &r->trust;
	char age[64];

	SAY("security %.4f, at most its target %.4f", e->view.security, e->target);
	SAY("  target = lowest ceiling %.4f x factors %.4f, at least %.2f, at most %.4f by scars, "
	    "%.2f %s",
	    e->lowest, e->product, e->floor, e->scarred, e->cap,
	    !e->scanned ? "without a recent scan"
	    : e->capped ? "by ratings"
			: "otherwise");
	if (e->scan_age_ns != SG_FOREVER)
		SAY("  scanned %s ago", format_duration(age, sizeof(age), e->scan_age_ns));
	else
		SAY("  never scanned");
	print_findings(r, coloured);
}

static void print_path(const struct explain_rater *rater, struct buf *out)
{
	for (size_t i = 0; i < rater->n_path; i++)
		buf_printf(out, "%s%s", i ? " > " : "", rater->path[i] ? rater->path[i] : "?");
	if (rater->revoked)
		buf_puts(out, rater->n_path ? ", revoked" : "revoked");
	else if (rater->n_path == 1)
		buf_puts(out, ", an anchor");
	if (rater->inherited)
		buf_puts(out, ", of the identity before this one");
}

static void print_raters(const struct reply_explain *r, bool coloured)
{
	struct table t;

	table_init(&t, 5, 1U << 1 | 1U << 2 | 1U << 3);
	for (const char *const *head =
		     (const char *const[]){ "  RATER", "VALUE", "WEIGHT", "FADED", "PATH", NULL };
	     *head && r->n_raters; head++)
		table_add(&t, COLOUR_HEAD, "%s", *head);
	for (size_t i = 0; i < r->n_raters; i++) {
		const struct explain_rater *rater = &r->raters[i];
		CLEANUP(buf_done) struct buf path = BUF(4096);

		print_path(rater, &path);
		table_add(&t, rater->value > 0 ? COLOUR_GOOD : COLOUR_BAD, "  %s",
			  rater->name ? rater->name : "?");
		table_add(&t, COLOUR_NONE, "%+.2f", rater->value);
		table_add(&t, COLOUR_NONE, "%.4f", rater->weight);
		table_add(&t, COLOUR_NONE, "%.4f", rater->fade);
		table_add(&t, COLOUR_NONE, "%s", buf_str(&path));
	}
	(void)!table_print(&t, coloured, stdout);
	table_done(&t);
}

static void print_community(const struct reply_explain *r, bool coloured)
{
	const struct trust_explanation *e = &r->trust;

	SAY("community %.4f = (%.4f + 1) / (%.4f + %.4f + 2), of ratings", e->view.community,
	    e->ratings_good, e->ratings_good, e->ratings_bad);
	if (r->n_raters || r->unknown.n)
		SAY("  good = sum of weight x faded x value; bad the same, x %g",
		    r->negative_weight);
	print_raters(r, coloured);
	if (r->others.n)
		SAY("  %" PRIu32 " more raters: good %.4f, bad %.4f", r->others.n, r->others.good,
		    r->others.bad);
	if (r->unknown.n)
		SAY("  %" PRIu32 " unknown rater%s, who share one weight: good %.4f, bad %.4f",
		    r->unknown.n, r->unknown.n == 1 ? "" : "s", r->unknown.good, r->unknown.bad);
}

static void print_changes(const struct reply_explain *r)
{
	char at[32];

	if (r->n_changes)
		SAY("changes");
	for (size_t i = 0; i < r->n_changes; i++) {
		const struct explain_change *c = &r->changes[i];

		SAY("  %s  %5.1f -> %5.1f  %s%s", clock_format(at, sizeof(at), c->wall_ns),
		    c->before, c->after, c->causes ? c->causes : "", c->n > 1 ? ", several" : "");
	}
}

static int print_explanation(const struct context *context, const struct buf *answer)
{
	static const enum colour colours[] = { COLOUR_BAD, COLOUR_WARN, COLOUR_GOOD };
	struct reply_explain r = { 0 };
	const struct trust_explanation *e = &r.trust;
	int status = EXIT_DONE;

	if (context->args.json)
		return command_print_json(answer);
	if (reply_explain_decode(buf_str(answer), answer->len, &r)) {
		status = command_misread(context);
	} else {
		text_line(stdout, colours[e->view.band < TRUST_BAND_COUNT ? e->view.band : 0],
			  context->coloured, "%s: %.1f, %s%s", r.server, e->view.score,
			  trust_band_names[e->view.band],
			  e->view.quarantine == TRUST_FREE ? "" : ", in quarantine by rule");
		SAY("  the lesser of %.1f (%" PRIu32 " strikes) and "
		    "100 x security %.4f x (%g x performance %.4f + %g x community %.4f)",
		    e->score_max, e->view.strikes, e->view.security, 1 - e->community_weight,
		    e->view.performance, e->community_weight, e->view.community);
		print_performance(e);
		print_security(&r, context->coloured);
		print_community(&r, context->coloured);
		print_changes(&r);
		if (r.n_advice)
			SAY("what would raise it");
		for (size_t i = 0; i < r.n_advice; i++)
			SAY("  %s", r.advice[i]);
	}
	reply_explain_done(&r);
	return status;
}

int run_explain(struct context *context)
{
	CLEANUP(buf_done) struct buf target = { 0 };

	command_server_target(context, "/explain", &target);
	return command_run(context, "GET", buf_str(&target), NULL, print_explanation);
}

/* --- select ------------------------------------------------------------------------------------- */

static int print_select(const struct context *context, const struct buf *answer)
{
	struct reply_select r = { 0 };
	bool none;

	if (context->args.json && command_print_json(answer) != EXIT_DONE)
		return EXIT_FAILED;
	if (reply_select_decode(buf_str(answer), answer->len, &r)) {
		reply_select_done(&r);
		return command_misread(context);
	}
	none = !r.server[0];
	if (none)
		command_complain(r.reason, "");
	else if (!context->args.json)
		SAY("%s", r.server);
	for (size_t i = 0; i < r.n_alternatives && !context->args.json; i++)
		SAY("  %s%s: %s", r.alternatives[i].server,
		    r.alternatives[i].usable ? "" : " (not usable)", r.alternatives[i].reason);
	reply_select_done(&r);
	return none ? EXIT_FAILED : EXIT_DONE;
}

int run_select(struct context *context)
{
	CLEANUP(buf_done) struct buf target = BUF(8192);

	buf_puts(&target, "/v1/select");
	if (context->args.group && context->args.server)
		return command_fail(context, EXIT_USAGE, "usage", "",
				    "--group and --server are two questions; ask one of them");
	client_add_query(&target, "group", context->args.group);
	client_add_query(&target, "server", context->args.server);
	client_add_query(&target, "tool", context->args.tool);
	return command_run(context, "GET", buf_str(&target), NULL, print_select);
}

/* --- report ------------------------------------------------------------------------------------- */

static void print_matched(const struct report_server *s)
{
	if (s->findings)
		SAY("%s: %" PRIu32 " finding%s, %" PRIu32 " of them known, score %.1f, was %.1f",
		    s->server, s->findings, s->findings == 1 ? "" : "s", s->known, s->after,
		    s->before);
	else
		SAY("%s: scanned clean, score %.1f, was %.1f", s->server, s->after, s->before);
}

/* A report of nobody here is no success: whoever reads it would believe that it counted. */
static int print_report(const struct context *context, const struct buf *answer)
{
	struct reply_report r = { 0 };
	int status = EXIT_DONE;

	if (context->args.json && command_print_json(answer) != EXIT_DONE)
		return EXIT_FAILED;
	if (reply_report_decode(buf_str(answer), answer->len, &r)) {
		reply_report_done(&r);
		return command_misread(context);
	}
	for (size_t i = 0; i < r.n_servers && !context->args.json; i++)
		print_matched(&r.servers[i]);
	for (size_t i = 0; i < r.n_unmatched && !context->args.json; i++)
		SAY("no server here: %s (%" PRIu32 " finding%s)", r.unmatched[i].server,
		    r.unmatched[i].findings, r.unmatched[i].findings == 1 ? "" : "s");
	if (r.passed_over && !context->args.json)
		SAY("%" PRIu64 " result%s passed over: suppressed, not analysed, or of no server",
		    r.passed_over, r.passed_over == 1 ? "" : "s");
	if (!r.n_servers && r.n_unmatched) {
		command_complain("nothing in this report is of a server here",
				 "say which one with --server NAME");
		status = EXIT_FAILED;
	} else if (!r.n_servers && !context->args.json) {
		SAY("nothing in this report is a finding, and no scan was completed");
	}
	reply_report_done(&r);
	return status;
}

/* All of it, up to what the daemon takes and one byte more. */
static int read_all(FILE *from, struct buf *out)
{
	char piece[65536];
	size_t n;

	*out = BUF(FINDINGS_SIZE_MAX);
	while (!buf_error(out) && (n = fread(piece, 1, sizeof(piece), from)) > 0)
		buf_append(out, piece, n);
	return ferror(from) ? -EIO : buf_error(out);
}

static int read_report(const struct context *context, const char *name, struct buf *out)
{
	CLEANUP(fclosep) FILE *file = NULL;
	bool standard = !strcmp(name, "-");
	int r;

	if (!standard)
		file = fopen(name, "re");
	r = !standard && !file ? -errno : read_all(standard ? stdin : file, out);
	if (!r)
		return EXIT_DONE;
	if (r == -EMSGSIZE)
		return command_fail(context, EXIT_FAILED, "too_large", "split the report",
				    "%.200s: more than %u bytes", name, FINDINGS_SIZE_MAX);
	return command_fail(context, EXIT_FAILED, "not_read", "", "%.200s: %s", name, strerror(-r));
}

int run_report(struct context *context)
{
	const struct args *args = &context->args;
	CLEANUP(buf_done) struct buf target = BUF(16384);
	CLEANUP(buf_done) struct buf body = { 0 };
	struct client_request request = { .socket = context->socket, .method = "POST" };
	const char *name = args->operand[0];
	int status;

	if (args->format && findings_format_from_name(args->format) < 0)
		return command_fail(context, EXIT_USAGE, "usage",
				    "auto, native, sarif, snyk, cisco, mcpspy or guardian",
				    "\"%.48s\" is no format", args->format);
	status = read_report(context, name, &body);
	if (status != EXIT_DONE)
		return status;
	buf_puts(&target, REPORT_PATH);
	client_add_query(&target, "format", args->format);
	client_add_query(&target, "server", args->server);
	client_add_query(&target, "file", strcmp(name, "-") != 0 ? name : NULL);
	request.target = buf_str(&target);
	request.body = buf_str(&body);
	request.body_len = body.len;
	return command_call(context, &request, print_report, NULL);
}
