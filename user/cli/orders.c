/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Orders about one server: quarantine, release, trip, reset, force. */
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages.h"
#include "core/names.h"

/* Sends the order; the answer is the caller's to read. */
static int send_order(const struct context *context, const struct request *request,
		      struct client_reply *reply)
{
	CLEANUP(buf_done) struct buf target = { 0 };
	CLEANUP(buf_done) struct buf body = { 0 };

	buf_init(&target, 16384);
	buf_init(&body, REQUEST_SIZE_MAX);
	buf_puts(&target, "/v1/servers/");
	client_encode(&target, context->args.operand[0]);
	buf_printf(&target, "/%s", request_verb_name(request->verb));
	if (buf_error(&target) < 0 || request_encode(request, &body) < 0) {
		buf_init(&reply->body, 1);
		return command_fail(context, EXIT_USAGE, "usage",
				    "the name or the reason is too long", "");
	}
	return command_ask(context, "POST", buf_str(&target), buf_str(&body), reply);
}

static void print_name(const char *name)
{
	CLEANUP(buf_done) struct buf safe = { 0 };

	buf_init(&safe, 4096);
	text_escape(&safe, name);
	printf("%s: ", buf_str(&safe));
}

/* --- quarantine -------------------------------------------------------------- */

static void print_kill(const char *name, const struct reply_kill *kill)
{
	CLEANUP(buf_done) struct buf safe = { 0 };
	char survivors[160];
	char elapsed[64];

	buf_init(&safe, 4096);
	text_escape(&safe,
		    status_survivors(survivors, sizeof(survivors), kill->survivors, kill->error));
	print_name(name);
	printf("quarantined, %" PRIu32 " connection%s killed, %s (%s)\n", kill->killed,
	       kill->killed == 1 ? "" : "s", buf_str(&safe),
	       format_duration(elapsed, sizeof(elapsed), kill->elapsed_ns));
}

/* Only 0 survivors that somebody counted is success. */
static int report_kill(const struct context *context, const struct reply_kill *kill)
{
	char message[256];

	if (!context->args.json)
		print_kill(context->args.operand[0], kill);
	if (!kill->survivors)
		return EXIT_DONE;
	if (kill->survivors == STATUS_UNKNOWN)
		snprintf(message, sizeof(message),
			 "the quarantine is set, but connections may live on: they could not be "
			 "counted (%s)",
			 *kill->error ? kill->error : "the daemon does not say why");
	else
		snprintf(message, sizeof(message),
			 "the quarantine is set, but %" PRIu32 " connection%s could not be killed",
			 kill->survivors, kill->survivors == 1 ? "" : "s");
	command_complain(message,
			 "quarantine it again, which kills again, or end what is left with "
			 "\"ss -K dst ADDRESS\" or by restarting its agents; see the daemon's log");
	return EXIT_FAILED;
}

static int copy_reason(const struct context *context, struct request *request)
{
	const char *reason = context->args.reason;
	char message[96];

	if (strlen(reason) >= sizeof(request->reason)) {
		snprintf(message, sizeof(message), "--reason is longer than %zu bytes",
			 sizeof(request->reason) - 1);
		return command_fail(context, EXIT_USAGE, "usage", message, "");
	}
	memcpy(request->reason, reason, strlen(reason) + 1);
	return EXIT_DONE;
}

int run_quarantine(struct context *context)
{
	struct request request = { .verb = REQUEST_QUARANTINE, .for_ns = context->args.for_ns };
	struct client_reply reply;
	struct reply_kill kill;
	int status = copy_reason(context, &request);

	if (status != EXIT_DONE)
		return status;
	status = send_order(context, &request, &reply);
	if (status == EXIT_DONE && context->args.json)
		status = command_print_json(&reply);
	if (status == EXIT_DONE) {
		if (reply_kill_decode(buf_str(&reply.body), reply.body.len, &kill) < 0)
			status = command_misread(context);
		else
			status = report_kill(context, &kill);
	}
	buf_done(&reply.body);
	return status;
}

/* --- the others -------------------------------------------------------------- */

static int choose_target(const struct context *context, struct request *request)
{
	static const struct {
		const char *word;
		enum sg_state state;
	} targets[] = { { "closed", SG_FORCED_CLOSED },
			{ "shadow", SG_SHADOW },
			{ "disabled", SG_DISABLED } };
	const char *names[ARRAY_SIZE(targets) + 1] = { NULL };
	const char *word = context->args.operand[1];
	char hint[64] = "closed, shadow or disabled";
	char message[96];
	const char *near;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		names[i] = targets[i].word;
		if (!strcmp(targets[i].word, word)) {
			request->to = targets[i].state;
			return EXIT_DONE;
		}
	}
	snprintf(message, sizeof(message), "a server cannot be forced \"%.48s\"", word);
	near = nearest_word(word, names);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	return command_fail(context, EXIT_USAGE, "usage", message, hint);
}

static void report_state(const struct context *context, enum request_verb verb, enum sg_state state)
{
	static const char *const done[] = {
		[REQUEST_QUARANTINE] = "quarantined", [REQUEST_RELEASE] = "released",
		[REQUEST_TRIP] = "tripped",           [REQUEST_RESET] = "reset",
		[REQUEST_FORCE] = "forced",
	};
	_Static_assert(ARRAY_SIZE(done) == REQUEST_COUNT, "a verb has no word");
	char duration[64];

	print_name(context->args.operand[0]);
	printf("%s, now %s", done[verb], state_name(state));
	if (context->args.for_ns != SG_FOREVER)
		printf(" for %s",
		       format_duration(duration, sizeof(duration), context->args.for_ns));
	printf("\n");
}

int run_order(struct context *context)
{
	int verb = request_verb_from_name(context->args.command->name);
	struct request request = { .verb = (enum request_verb)verb,
				   .for_ns = context->args.for_ns };
	struct client_reply reply;
	struct reply_state state;
	int status = EXIT_DONE;

	if (verb == REQUEST_FORCE)
		status = choose_target(context, &request);
	if (status != EXIT_DONE)
		return status;
	status = send_order(context, &request, &reply);
	if (status == EXIT_DONE && context->args.json)
		status = command_print_json(&reply);
	else if (status == EXIT_DONE &&
		 reply_state_decode(buf_str(&reply.body), reply.body.len, &state) < 0)
		status = command_misread(context);
	else if (status == EXIT_DONE)
		report_state(context, request.verb, state.state);
	buf_done(&reply.body);
	return status;
}
