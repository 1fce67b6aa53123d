/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Orders about one server: quarantine, release, trip, reset, force, approve. */
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "cli/command.h"
#include "cli/text.h"
#include "codec/messages.h"
#include "core/names.h"

static int send_order(const struct context *context, struct request *request,
		      command_report_fn *report)
{
	CLEANUP(buf_done) struct buf target = { 0 };
	CLEANUP(buf_done) struct buf body = BUF(REQUEST_SIZE_MAX);
	const char *reason = context->args.reason ? context->args.reason : "";

	if (strlen(reason) >= sizeof(request->reason))
		return command_fail(context, EXIT_USAGE, "usage", "",
				    "--reason is longer than %zu bytes",
				    sizeof(request->reason) - 1);
	memcpy(request->reason, reason, strlen(reason) + 1);
	command_server_target(context, "/", &target);
	buf_puts(&target, request_verb_name(request->verb));
	if (buf_error(&target) || request_encode(request, &body))
		return command_fail(context, EXIT_USAGE, "usage", "",
				    "the name or the reason is too long");
	return command_run(context, "POST", buf_str(&target), buf_str(&body), report);
}

/* --- quarantine -------------------------------------------------------------- */

static void print_kill(const char *name, const struct reply_kill *kill)
{
	char survivors[160];
	char elapsed[64];

	text_line(stdout, COLOUR_NONE, false,
		  "%s: quarantined, %" PRIu32 " connection%s killed, %s (%s)", name, kill->killed,
		  kill->killed == 1 ? "" : "s",
		  status_survivors(survivors, sizeof(survivors), kill->survivors, kill->error),
		  format_duration(elapsed, sizeof(elapsed), kill->elapsed_ns));
}

static void print_isolation(const char *name, const struct status_isolation *i)
{
	bool isolated = !strcmp(i->state, "isolated");
	char survivors[160];

	if (!isolated) {
		text_line(stdout, COLOUR_NONE, false,
			  "%s: its processes on this host are NOT isolated: %s%s%s%s", name,
			  *i->why ? i->why : i->state, *i->cgroup ? " (cgroup " : "", i->cgroup,
			  *i->cgroup ? ")" : "");
		return;
	}
	text_line(stdout, COLOUR_NONE, false,
		  "%s: cgroup %s isolated%s%s, %" PRIu32 " process%s, %" PRIu32
		  " connection%s cut, %s",
		  name, i->cgroup, i->frozen ? " and frozen" : "", i->forced ? " by force" : "",
		  i->processes, i->processes == 1 ? "" : "es", i->cut, i->cut == 1 ? "" : "s",
		  status_survivors(survivors, sizeof(survivors), i->survivors, ""));
	if (i->outside)
		text_line(stdout, COLOUR_NONE, false,
			  "%s: %" PRIu32 " of its sockets were made in another cgroup: who "
			  "connects to them is kept away only by the quarantine",
			  name, i->outside);
	if (*i->why)
		text_line(stdout, COLOUR_NONE, false, "%s: %s", name, i->why);
}

/* What was asked for of its processes, and did not come of it, is a failure. */
static int check_isolation(const struct context *context, const struct reply_kill *kill)
{
	const struct status_isolation *i = &kill->isolation;
	bool wanted = context->args.freeze || context->args.force;
	bool isolated = kill->has_isolation && !strcmp(i->state, "isolated");

	if (kill->has_isolation && !context->args.json)
		print_isolation(context->args.operand[0], i);
	if (wanted && !isolated) {
		command_complain("the quarantine is set, but its processes are not isolated",
				 !kill->has_isolation
					 ? "none was found on this host; say where it runs by "
					   "\"local\" in the configuration"
					 : "see `switchgear show`; --force isolates whoever is in "
					   "the cgroup");
		return EXIT_FAILED;
	}
	if (isolated && context->args.freeze && !i->frozen) {
		command_complain("its processes are isolated, but not frozen", i->why);
		return EXIT_FAILED;
	}
	if (isolated && i->survivors) {
		command_complain("its processes are isolated, but some of their connections are "
				 "not cut",
				 "no packet of theirs passes");
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* Only 0 survivors that somebody counted is success. */
static int report_kill(const struct context *context, const struct buf *answer)
{
	struct reply_kill kill;
	char message[256];
	int isolated;

	if (context->args.json && command_print_json(answer) != EXIT_DONE)
		return EXIT_FAILED;
	if (reply_kill_decode(buf_str(answer), answer->len, &kill))
		return command_misread(context);
	if (!context->args.json)
		print_kill(context->args.operand[0], &kill);
	isolated = check_isolation(context, &kill);
	if (!kill.survivors)
		return isolated;
	if (kill.survivors == STATUS_UNKNOWN)
		snprintf(message, sizeof(message),
			 "the quarantine is set, but connections may live on: they could not be "
			 "counted (%s)",
			 *kill.error ? kill.error : "the daemon does not say why");
	else
		snprintf(message, sizeof(message),
			 "the quarantine is set, but %" PRIu32 " connection%s could not be killed",
			 kill.survivors, kill.survivors == 1 ? "" : "s");
	command_complain(
		message,
		!strcmp(kill.error, STATUS_UNIX_UNCOUNTED)
			? "end what is left by restarting the server, or its agents "
			  "(\"ss -xp\" names them)"
			: "quarantine it again, which kills again, or end what is left with "
			  "\"ss -K dst ADDRESS\" or by restarting its agents; see the daemon's "
			  "log");
	return EXIT_FAILED;
}

int run_quarantine(struct context *context)
{
	struct request request = { .verb = REQUEST_QUARANTINE,
				   .for_ns = context->args.for_ns,
				   .freeze = context->args.freeze,
				   .force = context->args.force };

	return send_order(context, &request, report_kill);
}

/* --- the others -------------------------------------------------------------- */

static int choose_target(const struct context *context, struct request *request)
{
	const char *names[REQUEST_FORCES + 1] = { NULL };
	const char *word = context->args.operand[1];
	char hint[64] = "closed, shadow or disabled";
	const char *near;

	for (size_t i = 0; i < REQUEST_FORCES; i++) {
		names[i] = request_forces[i].word;
		if (strcmp(names[i], word))
			continue;
		request->to = request_forces[i].state;
		return EXIT_DONE;
	}
	near = nearest_word(word, names);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	return command_fail(context, EXIT_USAGE, "usage", hint,
			    "a server cannot be forced \"%.48s\"", word);
}

static int report_state(const struct context *context, const struct buf *answer)
{
	static const char *const done[] = {
		[REQUEST_QUARANTINE] = "quarantined", [REQUEST_RELEASE] = "released",
		[REQUEST_TRIP] = "tripped",           [REQUEST_RESET] = "reset",
		[REQUEST_FORCE] = "forced",           [REQUEST_APPROVE] = "approved",
		[REQUEST_BYPASS] = "passed",
	};
	_Static_assert(ARRAY_SIZE(done) == REQUEST_COUNT, "a verb has no word");
	const struct args *args = &context->args;
	int verb = request_verb_from_name(args->command->name);
	bool ends = args->for_ns != SG_FOREVER;
	struct reply_state state;
	char duration[64];

	if (args->json)
		return command_print_json(answer);
	if (reply_state_decode(buf_str(answer), answer->len, &state))
		return command_misread(context);
	if (state.unchanged)
		text_line(stdout, COLOUR_NONE, false, "%s: %s", args->operand[0],
			  verb == REQUEST_RELEASE ? "is not in quarantine"
						  : "has nothing to reset");
	else
		text_line(stdout, COLOUR_NONE, false, "%s: %s, now %s%s%s", args->operand[0],
			  done[verb], state_name(state.state), ends ? " for " : "",
			  ends ? format_duration(duration, sizeof(duration), args->for_ns) : "");
	return EXIT_DONE;
}

int run_order(struct context *context)
{
	int verb = request_verb_from_name(context->args.command->name);
	struct request request = { .verb = (enum request_verb)verb,
				   .for_ns = context->args.for_ns };
	int status = verb == REQUEST_FORCE ? choose_target(context, &request) : EXIT_DONE;

	return status == EXIT_DONE ? send_order(context, &request, report_state) : status;
}

/* --- approve ----------------------------------------------------------------- */

static int report_approve(const struct context *context, const struct buf *answer)
{
	struct reply_approve a;

	if (context->args.json)
		return command_print_json(answer);
	if (reply_approve_decode(buf_str(answer), answer->len, &a))
		return command_misread(context);
	text_line(stdout, COLOUR_NONE, false,
		  "%s: approved, %" PRIu32 " tool%s (%.12s), %" PRIu32 " change%s",
		  context->args.operand[0], a.tools, a.tools == 1 ? "" : "s", a.digest, a.changes,
		  a.changes == 1 ? "" : "s");
	return EXIT_DONE;
}

int run_approve(struct context *context)
{
	struct request request = { .verb = REQUEST_APPROVE, .for_ns = SG_FOREVER };

	return send_order(context, &request, report_approve);
}
