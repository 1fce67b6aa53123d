/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the command line to an exit status. */
#include <errno.h>
#include <string.h>

#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages.h"

#define SOCKET_DEFAULT "/run/switchgear/switchgear.sock"
#define PIN_DIR_DEFAULT "/sys/fs/bpf/switchgear/v1"

void command_complain(const char *message, const char *hint)
{
	struct buf text CLEANUP(buf_done) = { 0 };

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
	struct buf json CLEANUP(buf_done) = { 0 };

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

static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

static const char *choose(const char *option, const char *variable, const char *fallback)
{
	const char *value = getenv(variable);

	if (option)
		return option;
	return value && *value ? value : fallback;
}

static int dispatch(struct context *context)
{
	const struct args *args = &context->args;

	if (args->version) {
		printf("switchgear %s\n", SWITCHGEAR_VERSION);
		return EXIT_DONE;
	}
	if (args->help)
		return run_help(context);
	if (!args->command)
		return command_fail(context, EXIT_USAGE, "usage", "no command was given",
				    "`switchgear help` lists them");
	return args->command->run(context);
}

int cli_run(char *const *argv)
{
	struct context context = { .coloured = wants_colour() };
	struct buf why CLEANUP(buf_done) = { 0 };
	int status;

	buf_init(&why, 4096);
	if (args_parse(cli_commands, cli_commands_n, argv, &context.args, &why) < 0)
		return command_fail(&context, EXIT_USAGE, "usage", buf_str(&why), "");
	context.socket = choose(context.args.socket, "SWITCHGEAR_SOCKET", SOCKET_DEFAULT);
	context.pin_dir = choose(context.args.pin_dir, "SWITCHGEAR_PIN_DIR", PIN_DIR_DEFAULT);
	status = dispatch(&context);
	/* A full disk or a closed pipe must not look like success. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "switchgear: cannot write the output: %s\n", strerror(errno));
		return status == EXIT_DONE ? EXIT_FAILED : status;
	}
	return status;
}
