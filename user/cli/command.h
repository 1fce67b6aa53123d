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
		 const char *message, const char *hint) MUST_CHECK;

/*
 * Asks the daemon. EXIT_DONE with a 2xx answer; else it has complained and
 * returns what the program exits with. The caller frees reply->body in each case.
 */
int command_ask(const struct context *context, const char *method, const char *target,
		const char *body, struct client_reply *reply) MUST_CHECK;
/* The same with the answer's lines handed to fn as they come; -ECANCELED from it ends that
 * without a complaint, as EXIT_FAILED. */
int command_stream(const struct context *context, const char *target, client_line_fn *fn,
		   void *data) MUST_CHECK;
/* EXIT_DONE for a 2xx answer, else a complaint. */
int command_check(const struct context *context, const struct client_reply *reply) MUST_CHECK;
/* What client_call() returned, as a complaint. */
int command_unreachable(const struct context *context, int r, bool connected) MUST_CHECK;
/* Prints the daemon's own document, for --json. */
int command_print_json(const struct client_reply *reply) MUST_CHECK;
/* The answer was not understood. */
int command_misread(const struct context *context) MUST_CHECK;

int run_status(struct context *context);
int run_show(struct context *context);
int run_quarantine(struct context *context);
int run_order(struct context *context); /* release, trip, reset, force */
int run_events(struct context *context);
int run_simulate(struct context *context);
int run_selftest(struct context *context);
int run_metrics(struct context *context);
int run_detach(struct context *context);
int run_complete(struct context *context);
int run_help(struct context *context);

#endif
