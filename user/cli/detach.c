/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `detach`: by the daemon, or, where there is none, of the pin directory by this command itself;
 * and `attach`, which ends it. */
#include <errno.h>
#include <string.h>

#include "cli/command.h"
#include "cli/mark.h"
#include "cli/pins.h"
#include "cli/text.h"
#include "codec/jsonw.h"
#include "codec/messages.h"

static int detach_failed(const struct context *context, int r, const char *why)
{
	bool permitted = r != -EACCES && r != -EPERM;

	return command_fail(context, permitted ? EXIT_FAILED : EXIT_NOT_PERMITTED, "detach",
			    permitted ? "" : "run as root", "%s", why);
}

static void print_kept(const char *dir, const struct detach_result *result)
{
	for (size_t i = 0; i < result->n_kept; i++)
		text_line(stdout, COLOUR_NONE, false, "left alone, not Switchgear's: %s",
			  result->kept[i]);
	if (!result->gone)
		text_line(stdout, COLOUR_NONE, false, "the directory %s stays%s", dir,
			  result->n_kept ? "" : ": it is a mount point, or in use");
}

static int print_result(const struct context *context, const struct detach_result *result)
{
	CLEANUP(buf_done) struct buf json = BUF(REPLY_SIZE_MAX);
	int r = 0;

	if (context->args.json) {
		r = reply_detach_encode(result, &json);
		printf("%s\n", r ? "{}" : buf_str(&json));
	} else if (result->daemon) {
		printf("detached: nothing is enforced any more, and the daemon ends\n");
		print_kept("of its pins", result);
	} else if (!result->removed) {
		printf("nothing was attached: no daemon answers on %s and there are no pins in %s\n",
		       context->socket, context->pin_dir);
	} else {
		printf("detached: removed %u pins in %s (no daemon was running)\n", result->removed,
		       context->pin_dir);
		print_kept(context->pin_dir, result);
	}
	if (result->error[0])
		command_complain(result->error, "");
	else if (!context->args.json)
		printf("it stays so, after a reboot, too, until \"switchgear attach\"\n");
	return r || result->error[0] ? EXIT_FAILED : EXIT_DONE;
}

/* Nobody answers: what is pinned is all that enforces. The mark comes first, since a start may
 * come at any time. */
static int detach_alone(const struct context *context)
{
	struct detach_result result = { .detached = true };
	char who[MARK_TEXT_MAX];
	char why[PINS_WHY_MAX] = "";
	bool before = false;
	int status;
	int marked = mark_find(context->state_dir, &before, who);
	int r;

	if (!marked && !before)
		marked = mark_put(context->state_dir);
	if (marked)
		snprintf(result.error, sizeof(result.error),
			 "that it is to stay so cannot be written to %.300s (%s): the next start "
			 "attaches again; name the state directory with --state-dir",
			 context->state_dir, strerror(-marked));
	r = pins_remove(context->pin_dir, &result, why);
	if (r && r != -ENOENT && !marked && !before)
		(void)!mark_remove(context->state_dir);
	status = r && r != -ENOENT ? detach_failed(context, r, why)
				   : print_result(context, &result);
	detach_result_done(&result);
	return status;
}

static int report_detached(const struct context *context, const struct buf *answer)
{
	struct detach_result result = { 0 };
	int status;

	if (reply_detach_decode(buf_str(answer), answer->len, &result)) {
		status = command_misread(context);
	} else {
		result.daemon = true;
		status = print_result(context, &result);
	}
	detach_result_done(&result);
	return status;
}

int run_detach(struct context *context)
{
	const struct client_request request = { .socket = context->socket,
						.method = "POST",
						.target = "/v1/detach" };

	return command_call(context, &request, report_detached, detach_alone);
}

/* --- attach -------------------------------------------------------------------- */

static int print_attached(const struct context *context, const char *who)
{
	CLEANUP(buf_done) struct buf json = BUF(REPLY_SIZE_MAX);
	struct jsonw w;

	if (!context->args.json && who)
		printf("the detach %s is over: start switchgeard (systemctl start switchgeard)\n",
		       who);
	else if (!context->args.json)
		printf("no detach is marked in %s: a start attaches\n", context->state_dir);
	if (!context->args.json)
		return EXIT_DONE;
	jsonw_init(&w, &json);
	jsonw_object(&w, NULL);
	jsonw_bool(&w, "was_detached", who);
	jsonw_text(&w, "detached", who);
	jsonw_object_end(&w);
	printf("%s\n", buf_str(&json));
	return buf_error(&json) ? EXIT_FAILED : EXIT_DONE;
}

/* Asks no daemon: one that runs is attached. */
int run_attach(struct context *context)
{
	char who[MARK_TEXT_MAX];
	bool marked = false;
	int r = mark_find(context->state_dir, &marked, who);

	if (!r && marked)
		r = mark_remove(context->state_dir);
	if (!r)
		return print_attached(context, marked ? who : NULL);
	return command_fail(context, r == -EACCES || r == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED,
			    "attach",
			    r == -EACCES || r == -EPERM
				    ? "run as root"
				    : "remove it, or name the state directory with --state-dir",
			    "the mark of a detach, %.300s/" MARK_FILE ", cannot be removed (%s)",
			    context->state_dir, strerror(-r));
}
