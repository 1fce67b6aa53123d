/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `keys`, `rate`, `vouch` and `revoke`: what is said of servers and keys, and who is believed. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/digest.h"
#include "codec/messages_community.h"

#define KEYS_PATH "/v1/keys"
#define STATEMENTS_PATH "/v1/statements"
#define SIGN_PATH "/v1/sign"
#define RATINGS_PATH "/v1/ratings"
#define EVIDENCE_MAX (64U << 20)
#define LINES_SHOWN 10U

#define SAY(...) text_line(stdout, COLOUR_NONE, false, __VA_ARGS__)

/* --- files --------------------------------------------------------------------------------------- */

static int read_file(const struct context *context, const char *name, size_t max, struct buf *out)
{
	CLEANUP(fclosep) FILE *file = NULL;
	bool standard = !strcmp(name, "-");
	FILE *from;
	char piece[65536];
	size_t n;

	*out = BUF(max);
	if (!standard)
		file = fopen(name, "re");
	from = standard ? stdin : file;
	if (!from)
		return command_fail(context, EXIT_FAILED, "not_read", "", "%.200s: %s", name,
				    strerror(errno));
	while (!buf_error(out) && (n = fread(piece, 1, sizeof(piece), from)) > 0)
		buf_append(out, piece, n);
	if (ferror(from))
		return command_fail(context, EXIT_FAILED, "not_read", "", "%.200s: %s", name,
				    strerror(errno));
	if (buf_error(out))
		return command_fail(context, EXIT_FAILED, "too_large", "split it",
				    "%.200s: more than %zu bytes", name, max);
	return EXIT_DONE;
}

/* Where --output says. */
static int write_output(const struct context *context, const char *text, size_t len)
{
	FILE *to = fopen(context->args.output, "we");
	bool good = to && fwrite(text, 1, len, to) == len;

	if (to && fclose(to))
		good = false;
	if (good)
		return EXIT_DONE;
	return command_fail(context, EXIT_FAILED, "not_written",
			    "it is known here all the same: see `switchgear keys export`",
			    "%.200s: %s", context->args.output, strerror(errno));
}

/* --- keys ------------------------------------------------------------------------------------------ */

static int print_list(const struct context *context, const struct buf *answer)
{
	CLEANUP(reply_keys_done) struct reply_keys r = { 0 };
	struct table t;
	int status;

	if (context->args.json)
		return command_print_json(answer);
	if (reply_keys_decode(buf_str(answer), answer->len, &r))
		return command_misread(context);
	table_init(&t, 5, 1U << 1 | 1U << 2);
	for (const char *const *head =
		     (const char *const[]){ "NAME", "WEIGHT", "SAID", "IS", "KEY", NULL };
	     *head; head++)
		table_add(&t, COLOUR_HEAD, "%s", *head);
	for (size_t i = 0; i < r.n_keys; i++) {
		const struct key_entry *k = &r.keys[i];

		table_add(&t, k->anchor ? COLOUR_GOOD : COLOUR_NONE, "%s", k->name);
		table_add(&t, COLOUR_NONE, "%.3f", k->weight);
		table_add(&t, COLOUR_NONE, "%" PRIu32, k->statements);
		table_add(&t, k->revoked ? COLOUR_BAD : COLOUR_NONE, "%s%s%s%s",
			  k->own ? "own " : "", k->anchor ? "anchor " : "",
			  k->revoked ? "revoked " : "", k->error[0] ? "unusable" : "");
		table_add(&t, COLOUR_NONE, "%s", k->key);
	}
	status = table_print(&t, context->coloured, stdout) ? EXIT_FAILED : EXIT_DONE;
	table_done(&t);
	for (size_t i = 0; i < r.n_keys; i++)
		if (r.keys[i].error[0])
			SAY("%s: %s", r.keys[i].name, r.keys[i].error);
	return status;
}

static int print_key(const struct context *context, const struct buf *answer)
{
	struct key_entry k;

	if (context->args.json)
		return command_print_json(answer);
	if (reply_key_decode(buf_str(answer), answer->len, &k))
		return command_misread(context);
	SAY("%s %s%s%s", k.name, k.key, k.own ? ", own" : "",
	    k.anchor ? ", anchor: its word counts fully" : "");
	if (k.error[0])
		command_complain(k.error, "");
	return EXIT_DONE;
}

static int print_taken(const struct context *context, const struct buf *answer)
{
	CLEANUP(reply_taken_done) struct reply_taken r = { 0 };
	unsigned int shown = 0;

	if (context->args.json && command_print_json(answer) != EXIT_DONE)
		return EXIT_FAILED;
	if (reply_taken_decode(buf_str(answer), answer->len, &r))
		return command_misread(context);
	if (!context->args.json)
		SAY("%zu lines: %" PRIu32 " accepted, %" PRIu32 " known before, %" PRIu32
		    " of servers that are not here, %" PRIu32 " refused",
		    r.n_lines, r.accepted, r.old, r.unknown, r.refused);
	for (size_t i = 0; i < r.n_lines && r.refused && !context->args.json; i++) {
		const struct taken_line *line = &r.lines[i];

		if (!strcmp(line->verdict, "accepted") || shown++ >= LINES_SHOWN)
			continue;
		SAY("  line %" PRIu32 ", of %s: %s", line->line, line->issuer, line->verdict);
	}
	if (r.error[0])
		command_complain(r.error, "");
	return r.refused ? EXIT_FAILED : EXIT_DONE;
}

static int print_export(const struct context *context, const struct buf *answer)
{
	if (context->args.output)
		return write_output(context, buf_str(answer), answer->len);
	return command_print_json(answer);
}

static int keys_list(struct context *context)
{
	return command_run(context, "GET", KEYS_PATH, NULL, print_list);
}

static int keys_change(struct context *context, enum keys_order order)
{
	CLEANUP(buf_done) struct buf body = BUF(4096);
	struct request_keys ask = { .order = order };

	if (strlen(context->args.operand[1]) >= sizeof(ask.name))
		return command_fail(context, EXIT_USAGE, "usage", "",
				    "\"%.64s...\" is no name of a key", context->args.operand[1]);
	snprintf(ask.name, sizeof(ask.name), "%s", context->args.operand[1]);
	if (request_keys_encode(&ask, &body))
		return EXIT_FAILED;
	return command_run(context, "POST", KEYS_PATH, buf_str(&body), print_key);
}

static int keys_export(struct context *context)
{
	CLEANUP(buf_done) struct buf target = BUF(8192);

	if (!context->args.operand[1] && !context->args.statements)
		return command_fail(context, EXIT_USAGE, "usage", "", "keys export needs NAME");
	buf_puts(&target, STATEMENTS_PATH);
	client_add_query(&target, "key", context->args.operand[1]);
	client_add_query(&target, "statements", context->args.statements ? "1" : "0");
	return command_run(context, "GET", buf_str(&target), NULL, print_export);
}

static int keys_import(struct context *context)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct client_request request = { .socket = context->socket,
					  .method = "POST",
					  .target = STATEMENTS_PATH };
	int status = read_file(context, context->args.operand[1], COMMUNITY_FILE_MAX, &body);

	if (status != EXIT_DONE)
		return status;
	request.body = buf_str(&body);
	request.body_len = body.len;
	return command_call(context, &request, print_taken, NULL);
}

static int keys_new(struct context *context)
{
	return keys_change(context, KEYS_NEW);
}

static int keys_anchor(struct context *context)
{
	return keys_change(context, KEYS_ANCHOR);
}

static int keys_unanchor(struct context *context)
{
	return keys_change(context, KEYS_UNANCHOR);
}

static int keys_remove(struct context *context)
{
	return keys_change(context, KEYS_REMOVE);
}

int run_keys(struct context *context)
{
	static const struct {
		const char *name;
		const char *operand; /* NULL: none */
		bool optional;
		int (*run)(struct context *context);
	} verbs[] = {
		{ "new", "NAME", false, keys_new },
		{ "list", NULL, false, keys_list },
		{ "anchor", "NAME", false, keys_anchor },
		{ "unanchor", "NAME", false, keys_unanchor },
		{ "remove", "NAME", false, keys_remove },
		{ "export", "NAME", true, keys_export },
		{ "import", "FILE", false, keys_import },
	};
	const struct args *args = &context->args;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(args->operand[0], verbs[i].name) != 0)
			continue;
		if (!verbs[i].operand && args->operands > 1)
			return command_fail(context, EXIT_USAGE, "usage", "",
					    "keys list: \"%.64s\" is one word too many",
					    args->operand[1]);
		if (verbs[i].operand && !verbs[i].optional && args->operands < 2)
			return command_fail(context, EXIT_USAGE, "usage", "", "keys %s needs %s",
					    verbs[i].name, verbs[i].operand);
		return verbs[i].run(context);
	}
	return command_fail(context, EXIT_USAGE, "usage",
			    "new, list, anchor, unanchor, remove, export or import",
			    "keys cannot \"%.64s\"", args->operand[0]);
}

/* --- what is said -------------------------------------------------------------------------------------- */

static int print_said(const struct context *context, const struct buf *answer)
{
	CLEANUP(reply_said_done) struct reply_said r = { 0 };
	CLEANUP(buf_done) struct buf line = BUF(STATEMENT_LINE_MAX);
	int status = EXIT_DONE;
	char until[32];

	if (context->args.json && command_print_json(answer) != EXIT_DONE)
		return EXIT_FAILED;
	if (reply_said_decode(buf_str(answer), answer->len, &r) || !r.statement)
		return command_misread(context);
	buf_printf(&line, "%s\n", r.statement);
	if (context->args.output)
		status = write_output(context, buf_str(&line), line.len);
	if (!context->args.json && r.type == REPUTATION_REVOKE)
		SAY("%s: revoked by %s, for ever", r.subject, r.name);
	else if (!context->args.json)
		SAY("%s: %s of %+g by %s, until %s", r.subject, statement_type_name(r.type),
		    r.value, r.name, clock_format(until, sizeof(until), r.expires_wall_ns));
	if (r.error[0])
		command_complain(r.error, "");
	return status;
}

static int read_evidence(const struct context *context, struct request_say *ask)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct digest d;
	int status;

	if (!context->args.evidence)
		return EXIT_DONE;
	status = read_file(context, context->args.evidence, EVIDENCE_MAX, &text);
	if (status != EXIT_DONE)
		return status;
	digest_bytes(buf_str(&text), text.len, &d);
	memcpy(ask->evidence.b, d.b, sizeof(ask->evidence.b));
	return EXIT_DONE;
}

static int read_value(const struct context *context, double least, double *ret)
{
	const char *text = context->args.operand[1];
	char *end;

	*ret = strtod(text, &end);
	if (end != text && !*end && *ret >= least && *ret <= 1)
		return EXIT_DONE;
	return command_fail(context, EXIT_USAGE, "usage", "", "\"%.64s\" is no number of %g to 1",
			    text, least);
}

static int read_texts(const struct context *context, struct request_say *ask)
{
	const struct args *args = &context->args;

	if (strlen(args->operand[0]) >= sizeof(ask->subject) ||
	    (args->key && strlen(args->key) >= sizeof(ask->by)))
		return command_fail(context, EXIT_USAGE, "usage", "",
				    "a name has at most %zu bytes", sizeof(ask->by) - 1);
	snprintf(ask->subject, sizeof(ask->subject), "%s", args->operand[0]);
	snprintf(ask->by, sizeof(ask->by), "%s", args->key ? args->key : "");
	ask->depth = args->depth;
	ask->for_ns = args->for_ns == SG_FOREVER ? 0 : args->for_ns;
	return read_evidence(context, ask);
}

static int say(struct context *context, enum reputation_type type, double least)
{
	CLEANUP(buf_done) struct buf body = BUF(8192);
	struct request_say ask = { .type = type, .value = 1 };
	bool user = type == REPUTATION_RATING && !context->args.key;
	int status = read_texts(context, &ask);

	if (status == EXIT_DONE && type != REPUTATION_REVOKE)
		status = read_value(context, least, &ask.value);
	if (status != EXIT_DONE)
		return status;
	if (request_say_encode(user, &ask, &body))
		return EXIT_FAILED;
	return command_run(context, "POST", user ? RATINGS_PATH : SIGN_PATH, buf_str(&body),
			   print_said);
}

int run_rate(struct context *context)
{
	return say(context, REPUTATION_RATING, -1);
}

int run_vouch(struct context *context)
{
	return say(context, REPUTATION_VOUCH, 0);
}

int run_revoke(struct context *context)
{
	return say(context, REPUTATION_REVOKE, 0);
}
