/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Commands about the daemon itself: metrics, selftest, detach. */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "cli/command.h"
#include "cli/pins.h"
#include "cli/text.h"
#include "codec/messages.h"

int run_metrics(struct context *context)
{
	struct client_reply reply;
	int status;

	if (context->args.json)
		return command_fail(context, EXIT_USAGE, "usage",
				    "metrics have one format, the text that Prometheus reads", "");
	status = command_ask(context, "GET", "/metrics", NULL, &reply);
	if (status == EXIT_DONE)
		printf("%s", buf_str(&reply.body));
	buf_done(&reply.body);
	return status;
}

/* --- selftest ---------------------------------------------------------------- */

static int report_selftest(const struct context *context, const struct reply_selftest *result)
{
	char elapsed[64];

	if (!result->ok) {
		command_complain("the selftest failed", result->detail);
		return EXIT_FAILED;
	}
	if (!context->args.json)
		printf("%sselftest ok%s (%s)\n", text_begin(COLOUR_GOOD, context->coloured),
		       text_end(COLOUR_GOOD, context->coloured),
		       format_duration(elapsed, sizeof(elapsed), result->elapsed_ns));
	return EXIT_DONE;
}

int run_selftest(struct context *context)
{
	struct reply_selftest result;
	struct client_reply reply;
	int status = command_ask(context, "POST", "/v1/selftest", NULL, &reply);

	if (status == EXIT_DONE && context->args.json)
		status = command_print_json(&reply);
	if (status == EXIT_DONE) {
		if (reply_selftest_decode(buf_str(&reply.body), reply.body.len, &result) < 0)
			status = command_misread(context);
		else
			status = report_selftest(context, &result);
	}
	buf_done(&reply.body);
	return status;
}

/* --- detach ------------------------------------------------------------------ */

static int detach_failed(const struct context *context, int r)
{
	char message[512];
	const char *hint = "";
	enum exit_status status = EXIT_FAILED;

	switch (r) {
	case -EMEDIUMTYPE:
		hint = "it is not on a BPF file system: name the pin directory with --pin-dir";
		break;
	case -EBUSY:
		hint = "a daemon holds it: name its socket with --socket";
		break;
	case -EACCES:
	case -EPERM:
		hint = "run as root";
		status = EXIT_NOT_PERMITTED;
		break;
	default:
		hint = "look at what is left there";
		break;
	}
	snprintf(message, sizeof(message), "cannot remove the pins in %.300s (%s)",
		 context->pin_dir, r == -EMEDIUMTYPE ? "not pins" : strerror(-r));
	return command_fail(context, status, "detach", message, hint);
}

/* Nobody answers: what is pinned is all that enforces. */
static int detach_alone(const struct context *context)
{
	size_t removed = 0;
	int r = pins_remove(context->pin_dir, &removed);

	if (r < 0 && r != -ENOENT)
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

int run_detach(struct context *context)
{
	const struct client_request request = { .socket = context->socket,
						.method = "POST",
						.target = "/v1/detach" };
	struct client_reply reply;
	bool connected;
	int r = client_call(&request, &reply, &connected);
	int status;

	if (!connected && (r == -ENOENT || r == -ECONNREFUSED))
		status = detach_alone(context);
	else if (r < 0)
		status = command_unreachable(context, r, connected);
	else
		status = command_check(context, &reply);
	if (r == 0 && status == EXIT_DONE && context->args.json)
		status = command_print_json(&reply);
	else if (r == 0 && status == EXIT_DONE)
		printf("detached: nothing is enforced any more, and the daemon ends\n");
	buf_done(&reply.body);
	return status;
}
