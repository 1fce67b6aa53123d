/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the command line to an exit status. */
#include <errno.h>
#include <string.h>

#include "cli/command.h"

#define SOCKET_DEFAULT "/run/switchgear/switchgear.sock"
#define PIN_DIR_DEFAULT "/sys/fs/bpf/switchgear/v1"
#define STATE_DIR_DEFAULT "/var/lib/switchgear"

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
		return command_fail(context, EXIT_USAGE, "usage", "`switchgear help` lists them",
				    "no command was given");
	return args->command->run(context);
}

int cli_run(char *const *argv)
{
	struct context context = { .coloured = wants_colour() };
	CLEANUP(buf_done) struct buf why = BUF(4096);
	int status;

	if (args_parse(cli_commands, n_cli_commands, argv, &context.args, &why))
		return command_fail(&context, EXIT_USAGE, "usage", "", "%s", buf_str(&why));
	context.socket = choose(context.args.socket, "SWITCHGEAR_SOCKET", SOCKET_DEFAULT);
	context.pin_dir = choose(context.args.pin_dir, "SWITCHGEAR_PIN_DIR", PIN_DIR_DEFAULT);
	context.state_dir =
		choose(context.args.state_dir, "SWITCHGEAR_STATE_DIR", STATE_DIR_DEFAULT);
	status = dispatch(&context);
	/* A full disk or a closed pipe must not look like success. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "switchgear: cannot write the output: %s\n", strerror(errno));
		return status == EXIT_DONE ? EXIT_FAILED : status;
	}
	return status;
}
