/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `detach`: by the daemon, or, where there is none, of the pin directory by this command itself. */
#include <errno.h>
#include <string.h>

#include "cli/command.h"
#include "cli/pins.h"
#include "cli/text.h"
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

/* Nobody answers: what is pinned is all that enforces. */
static int detach_alone(const struct context *context)
{
	struct detach_result result = { .detached = true };
	CLEANUP(buf_done) struct buf json = BUF(REPLY_SIZE_MAX);
	char why[PINS_WHY_MAX] = "";
	int r = pins_remove(context->pin_dir, &result, why);
	int status = EXIT_DONE;

	if (r && r != -ENOENT) {
		status = detach_failed(context, r, why);
	} else if (context->args.json) {
		r = reply_detach_encode(&result, &json);
		printf("%s\n", r ? "{}" : buf_str(&json));
		status = r ? EXIT_FAILED : EXIT_DONE;
	} else if (r) {
		printf("nothing was attached: no daemon answers on %s and there are no pins in %s\n",
		       context->socket, context->pin_dir);
	} else {
		printf("detached: removed %u pins in %s (no daemon was running)\n", result.removed,
		       context->pin_dir);
		print_kept(context->pin_dir, &result);
	}
	detach_result_done(&result);
	return status;
}

static int report_detached(const struct context *context, const struct buf *answer)
{
	struct detach_result result;
	int status = EXIT_DONE;

	if (context->args.json)
		status = command_print_json(answer);
	if (reply_detach_decode(buf_str(answer), answer->len, &result)) {
		status = command_misread(context);
	} else if (!context->args.json) {
		printf("detached: nothing is enforced any more, and the daemon ends\n");
		if (result.daemon)
			print_kept("of its pins", &result);
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
