/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Commands about the daemon itself: metrics, selftest. */
#include "base/parse.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages.h"

static int report_metrics(const struct context *context, const struct buf *answer)
{
	(void)context;
	return printf("%s", buf_str(answer)) < 0 ? EXIT_FAILED : EXIT_DONE;
}

int run_metrics(struct context *context)
{
	if (context->args.json)
		return command_fail(context, EXIT_USAGE, "usage", "",
				    "metrics have one format, the text that Prometheus reads");
	return command_run(context, "GET", "/metrics", NULL, report_metrics);
}

/* --- selftest ---------------------------------------------------------------- */

static int report_selftest(const struct context *context, const struct buf *answer)
{
	struct reply_selftest result;
	char elapsed[64];

	if (context->args.json && command_print_json(answer) != EXIT_DONE)
		return EXIT_FAILED;
	if (reply_selftest_decode(buf_str(answer), answer->len, &result))
		return command_misread(context);
	if (!result.ok) {
		command_complain("the selftest failed", result.detail);
		return EXIT_FAILED;
	}
	if (!context->args.json)
		printf("%sselftest ok%s (%s)\n", text_begin(COLOUR_GOOD, context->coloured),
		       text_end(COLOUR_GOOD, context->coloured),
		       format_duration(elapsed, sizeof(elapsed), result.elapsed_ns));
	return EXIT_DONE;
}

int run_selftest(struct context *context)
{
	return command_run(context, "POST", "/v1/selftest", NULL, report_selftest);
}
