/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every command does alike: asking the daemon, complaining, exit statuses. */
#include "cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/text.h"
#include "codec/messages.h"

#define MESSAGE_MAX 4096U

void command_complain(const char *message, const char *hint)
{
	fflush(stdout);
	text_line(stderr, COLOUR_NONE, false, "switchgear: %s%s%s", message, *hint ? ": " : "",
		  hint);
}

int command_fail(const struct context *context, enum exit_status status, const char *code,
		 const char *hint, const char *fmt, ...)
{
	CLEANUP(buf_done) struct buf message = BUF(MESSAGE_MAX);
	CLEANUP(buf_done) struct buf json = BUF(2 * MESSAGE_MAX);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&message, fmt, ap);
	va_end(ap);
	command_complain(buf_str(&message), hint);
	if (context->args.json && !reply_error_encode(code, buf_str(&message), hint, &json))
		printf("%s\n", buf_str(&json));
	return status;
}

int command_misread(const struct context *context)
{
	return command_fail(context, EXIT_FAILED, "bad_answer",
			    "do daemon and client have the same version?",
			    "the daemon's answer is not understood");
}

static int unreachable(const struct context *context, int r, bool connected)
{
	if (connected)
		return command_fail(context, EXIT_UNREACHABLE, "no_answer",
				    r == -ETIMEDOUT ? "is it stopped or stuck? see its log"
						    : "see its log",
				    "the daemon at %.200s gave no whole answer (%s)",
				    context->socket, strerror(-r));
	if (r == -EACCES || r == -EPERM)
		return command_fail(context, EXIT_NOT_PERMITTED, "not_permitted", "run as root",
				    "not permitted to use the socket %.200s", context->socket);
	return command_fail(context, EXIT_UNREACHABLE, "not_reachable",
			    "start switchgeard, or name its socket with --socket",
			    "no daemon answers on %.200s (%s)", context->socket, strerror(-r));
}

static int refused(const struct context *context, const struct client_reply *reply)
{
	struct reply_error error;

	if (reply_error_decode(buf_str(&reply->body), reply->body.len, &error))
		return command_fail(context, EXIT_FAILED, "http_status", "see its log",
				    "the daemon answered with HTTP status %u", reply->status);
	return command_fail(context, reply->status == 403 ? EXIT_NOT_PERMITTED : EXIT_FAILED,
			    error.code, error.hint, "%s", error.message);
}

void command_server_target(const struct context *context, const char *rest, struct buf *out)
{
	*out = BUF(16384);
	buf_puts(out, "/v1/servers/");
	client_encode(out, context->args.operand[0]);
	buf_puts(out, rest);
}

int command_call(const struct context *context, const struct client_request *request,
		 command_report_fn *report, command_absent_fn *absent)
{
	CLEANUP(client_reply_done) struct client_reply reply;
	int r = client_call(request, &reply);

	if (r == -ECANCELED)
		return EXIT_FAILED;
	if (absent && !reply.connected && (r == -ENOENT || r == -ECONNREFUSED))
		return absent(context);
	if (r)
		return unreachable(context, r, reply.connected);
	if (reply.status < 200 || reply.status >= 300)
		return refused(context, &reply);
	return report ? report(context, &reply.body) : EXIT_DONE;
}

int command_run(const struct context *context, const char *method, const char *target,
		const char *body, command_report_fn *report)
{
	const struct client_request request = {
		.socket = context->socket, .method = method, .target = target, .body = body
	};

	return command_call(context, &request, report, NULL);
}

int command_print_json(const struct buf *answer)
{
	const char *text = buf_str(answer);
	bool ended = answer->len && text[answer->len - 1] == '\n';

	return printf("%s%s", text, ended ? "" : "\n") < 0 ? EXIT_FAILED : EXIT_DONE;
}
