/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `why HOST[:PORT]`: why a connect there is refused, or goes elsewhere. */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages_why.h"

#define SAY(...) text_line(stdout, COLOUR_NONE, false, __VA_ARGS__)

static void print_one(const struct why_server *s, bool coloured)
{
	enum colour colour = s->verdict == VERDICT_ALLOW ? COLOUR_GOOD : COLOUR_BAD;
	char time[40];

	text_line(stdout, colour, coloured, "%s (%s): %s", s->server, s->url ? s->url : "no URL",
		  status_verdict_name((enum status_verdict)s->verdict));
	if (*s->because)
		SAY("  because %s", s->because);
	if (*s->by)
		SAY("  by      %s", s->by);
	if (s->since_wall_ns)
		SAY("  since   %s", clock_format(time, sizeof(time), s->since_wall_ns));
	if (s->rule != WHY_NOTHING)
		SAY("  until   %s", s->until_wall_ns == STATUS_NEVER
					    ? "something ends it"
					    : clock_format(time, sizeof(time), s->until_wall_ns));
	SAY("  agents  %s", s->agent);
	if (*s->advice)
		SAY("  to do   %s", s->advice);
}

static int print_why(const struct context *context, const struct buf *answer)
{
	struct reply_why r = { 0 };

	if (context->args.json)
		return command_print_json(answer);
	if (reply_why_decode(buf_str(answer), answer->len, &r)) {
		reply_why_done(&r);
		return command_misread(context);
	}
	for (size_t i = 0; i < r.n_servers; i++)
		print_one(&r.servers[i], context->coloured);
	if (!r.n_servers)
		SAY("%s is no server of Switchgear's: nothing of it is in the way",
		    context->args.operand[0]);
	reply_why_done(&r);
	return EXIT_DONE;
}

int run_why(struct context *context)
{
	CLEANUP(buf_done) struct buf target = BUF(8192);

	buf_puts(&target, "/v1/why");
	client_add_query(&target, "to", context->args.operand[0]);
	return command_run(context, "GET", buf_str(&target), NULL, print_why);
}
