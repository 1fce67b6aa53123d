/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Commands about the daemon itself: metrics, selftest, detach. */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "cli/command.h"
#include "cli/pins.h"
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

/* --- detach ------------------------------------------------------------------ */

static int detach_failed(const struct context *context, int r)
{
	bool permitted = r != -EACCES && r != -EPERM;
	const char *hint = "look at what is left there";

	if (!permitted)
		hint = "run as root";
	else if (r == -EMEDIUMTYPE)
		hint = "it is not on a BPF file system: name the pin directory with --pin-dir";
	else if (r == -EBUSY)
		hint = "a daemon holds it: name its socket with --socket";
	return command_fail(context, permitted ? EXIT_FAILED : EXIT_NOT_PERMITTED, "detach", hint,
			    "cannot remove the pins in %.300s (%s)", context->pin_dir,
			    r == -EMEDIUMTYPE ? "not pins" : strerror(-r));
}

/* Nobody answers: what is pinned is all that enforces. */
static int detach_alone(const struct context *context)
{
	size_t removed = 0;
	int r = pins_remove(context->pin_dir, &removed);

	if (r && r != -ENOENT)
		return detach_failed(context, r);
	if (context->args.json)
		printf("{\"detached\":true,\"daemon\":false,\"removed\":%zu}\n", removed);
	else if (r == -ENOENT)
		printf("nothing was attached: no daemon answers on %s and %s does not exist\n",
		       context->socket, context->pin_dir);
	else
		printf("detached: removed %zu pins in %s (no daemon was running)\n", removed,
		       context->pin_dir);
	return EXIT_DONE;
}

static int report_detached(const struct context *context, const struct buf *answer)
{
	if (context->args.json)
		return command_print_json(answer);
	printf("detached: nothing is enforced any more, and the daemon ends\n");
	return EXIT_DONE;
}

int run_detach(struct context *context)
{
	const struct client_request request = { .socket = context->socket,
						.method = "POST",
						.target = "/v1/detach" };

	return command_call(context, &request, report_detached, detach_alone);
}
