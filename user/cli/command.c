/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every command does alike: asking the daemon, complaining, exit statuses. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "cli/text.h"
#include "codec/messages.h"

void command_complain(const char *message, const char *hint)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	buf_init(&text, 8192);
	text_escape(&text, message);
	if (*hint) {
		buf_puts(&text, ": ");
		text_escape(&text, hint);
	}
	fflush(stdout);
	fprintf(stderr, "switchgear: %s\n", buf_str(&text));
}

int command_fail(const struct context *context, enum exit_status status, const char *code,
		 const char *message, const char *hint)
{
	CLEANUP(buf_done) struct buf json = { 0 };

	buf_init(&json, 8192);
	command_complain(message, hint);
	if (context->args.json && reply_error_encode(code, message, hint, &json) == 0)
		printf("%s\n", buf_str(&json));
	return status;
}

int command_misread(const struct context *context)
{
	return command_fail(context, EXIT_FAILED, "bad_answer",
			    "the daemon's answer is not understood",
			    "do daemon and client have the same version?");
}

int command_unreachable(const struct context *context, int r, bool connected)
{
	char message[512];

	if (connected) {
		snprintf(message, sizeof(message), "the daemon at %.200s gave no whole answer (%s)",
			 context->socket, strerror(-r));
		return command_fail(context, EXIT_UNREACHABLE, "no_answer", message,
				    r == -ETIMEDOUT ? "is it stopped or stuck? see its log"
						    : "see its log");
	}
	if (r == -EACCES || r == -EPERM) {
		snprintf(message, sizeof(message), "not permitted to use the socket %.200s",
			 context->socket);
		return command_fail(context, EXIT_NOT_PERMITTED, "not_permitted", message,
				    "run as root");
	}
	snprintf(message, sizeof(message), "no daemon answers on %.200s (%s)", context->socket,
		 strerror(-r));
	return command_fail(context, EXIT_UNREACHABLE, "not_reachable", message,
			    "start switchgeard, or name its socket with --socket");
}

int command_check(const struct context *context, const struct client_reply *reply)
{
	struct reply_error error;
	char message[64];

	if (reply->status >= 200 && reply->status < 300)
		return EXIT_DONE;
	if (reply_error_decode(buf_str(&reply->body), reply->body.len, &error) < 0) {
		snprintf(message, sizeof(message), "the daemon answered with HTTP status %u",
			 reply->status);
		error = (struct reply_error){ .code = "http_status" };
		return command_fail(context, EXIT_FAILED, error.code, message, "see its log");
	}
	return command_fail(context, reply->status == 403 ? EXIT_NOT_PERMITTED : EXIT_FAILED,
			    error.code, error.message, error.hint);
}

int command_ask(const struct context *context, const char *method, const char *target,
		const char *body, struct client_reply *reply)
{
	const struct client_request request = {
		.socket = context->socket, .method = method, .target = target, .body = body
	};
	bool connected;
	int r = client_call(&request, reply, &connected);

	if (r < 0)
		return command_unreachable(context, r, connected);
	return command_check(context, reply);
}

int command_stream(const struct context *context, const char *target, client_line_fn *fn,
		   void *data)
{
	const struct client_request request = { .socket = context->socket,
						.method = "GET",
						.target = target,
						.line = fn,
						.data = data };
	struct client_reply reply;
	bool connected;
	int r = client_call(&request, &reply, &connected);
	int status = EXIT_FAILED;

	if (r == 0)
		status = command_check(context, &reply);
	else if (r != -ECANCELED)
		status = command_unreachable(context, r, connected);
	buf_done(&reply.body);
	return status;
}

int command_print_json(const struct client_reply *reply)
{
	const char *text = buf_str(&reply->body);
	bool ended = reply->body.len && text[reply->body.len - 1] == '\n';

	return printf("%s%s", text, ended ? "" : "\n") < 0 ? EXIT_FAILED : EXIT_DONE;
}
