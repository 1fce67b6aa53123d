/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `bypass on --for DUR`, `bypass off`. */
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages.h"

static int report_bypass(const struct context *context, const struct buf *answer)
{
	struct reply_bypass b;
	char until[32];

	if (context->args.json)
		return command_print_json(answer);
	if (reply_bypass_decode(buf_str(answer), answer->len, &b))
		return command_misread(context);
	if (b.on)
		text_line(stdout, COLOUR_BAD, context->coloured,
			  "bypass: nothing is refused until %s",
			  clock_format(until, sizeof(until), b.until_wall_ns));
	else
		text_line(stdout, COLOUR_NONE, false, "bypass: %s",
			  b.unchanged ? "was off" : "off, what is denied is refused again");
	return EXIT_DONE;
}

int run_bypass(struct context *context)
{
	struct request request = { .verb = REQUEST_BYPASS, .for_ns = context->args.for_ns };
	CLEANUP(buf_done) struct buf body = BUF(REQUEST_SIZE_MAX);
	const char *reason = context->args.reason ? context->args.reason : "";

	request.on = !strcmp(context->args.operand[0], "on");
	if (!request.on && strcmp(context->args.operand[0], "off") != 0)
		return command_fail(context, EXIT_USAGE, "usage", "on or off",
				    "a bypass cannot be \"%.48s\"", context->args.operand[0]);
	if (request.on && request.for_ns == SG_FOREVER)
		return command_fail(context, EXIT_USAGE, "usage", "24h at most",
				    "bypass on needs --for DUR: how long everything may pass");
	if (!request.on)
		request.for_ns = SG_FOREVER;
	if (strlen(reason) >= sizeof(request.reason))
		return command_fail(context, EXIT_USAGE, "usage", "",
				    "--reason is longer than %zu bytes",
				    sizeof(request.reason) - 1);
	memcpy(request.reason, reason, strlen(reason) + 1);
	if (request_encode(&request, &body))
		return command_fail(context, EXIT_USAGE, "usage", "", "the reason is too long");
	return command_run(context, "POST", "/v1/bypass", buf_str(&body), report_bypass);
}
