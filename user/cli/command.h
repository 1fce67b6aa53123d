/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the commands have in common: their surroundings, exit statuses, asking the daemon. */
#ifndef SWITCHGEAR_CLI_COMMAND_H
#define SWITCHGEAR_CLI_COMMAND_H

#include "cli/args.h"
#include "cli/client.h"

/* Part of the contract with scripts. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
	EXIT_NOT_PERMITTED = 4
};

struct context {
	struct args args;
	const char *socket;
	const char *pin_dir;
	const char *state_dir;
	bool coloured; /* standard output is a terminal that wants it */
};

/* The whole program but for main(). */
int cli_run(char *const *argv);

/* commands.c */
extern const struct command cli_commands[];
extern const size_t n_cli_commands;

/* One line on stderr, made harmless for a terminal; hint may be empty. */
void command_complain(const char *message, const char *hint);
/* Complains on stderr, and with --json as {"error":...} on stdout too; returns status. */
int command_fail(const struct context *context, enum exit_status status, const char *code,
		 const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6) MUST_CHECK;

/* Appends the path of the server that was named, and what follows it. */
void command_server_target(const struct context *context, const char *rest, struct buf *out);

/* What a 2xx answer means; returns an enum exit_status. */
typedef int command_report_fn(const struct context *context, const struct buf *answer);
/* In place of a complaint that there is no daemon: r is -ENOENT or -ECONNREFUSED. */
typedef int command_absent_fn(const struct context *context);

/* Asks the daemon. Returns an enum exit_status: what report says of the answer, or for a failure,
 * which it has complained about, what the program exits with. */
int command_run(const struct context *context, const char *method, const char *target,
		const char *body, command_report_fn *report) MUST_CHECK;
/* The same for any request; report and absent may be NULL. -ECANCELED from request->line ends
 * it without a complaint, as EXIT_FAILED. */
int command_call(const struct context *context, const struct client_request *request,
		 command_report_fn *report, command_absent_fn *absent) MUST_CHECK;
/* Prints the daemon's own document, for --json. */
int command_print_json(const struct buf *answer) MUST_CHECK;
/* The answer was not understood. */
int command_misread(const struct context *context) MUST_CHECK;

int run_status(struct context *context);
int run_show(struct context *context);
int run_explain(struct context *context);
int run_report(struct context *context);
int run_keys(struct context *context);
int run_rate(struct context *context);
int run_vouch(struct context *context);
int run_revoke(struct context *context);
int run_verify(struct context *context);
int run_history(struct context *context);
int run_select(struct context *context);
int run_why(struct context *context);
int run_approve(struct context *context);
int run_quarantine(struct context *context);
int run_order(struct context *context); /* release, trip, reset, force */
int run_events(struct context *context);
int run_simulate(struct context *context);
int run_capture(struct context *context);
int run_bypass(struct context *context);
int run_selftest(struct context *context);
int run_metrics(struct context *context);
int run_detach(struct context *context);
int run_attach(struct context *context);
int run_complete(struct context *context);
int run_help(struct context *context);

#endif
