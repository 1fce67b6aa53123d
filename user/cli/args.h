/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line as data: one table of options, one of commands, one loop.
 * Options may stand anywhere, as "--for 10m" or "--for=10m", never shortened;
 * "--" ends them.
 */
#ifndef SWITCHGEAR_CLI_ARGS_H
#define SWITCHGEAR_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define OPERANDS_MAX 2
#define SINCE_ALL UINT64_MAX

enum option_id {
	OPTION_SOCKET,
	OPTION_PIN_DIR,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_FOR,
	OPTION_REASON,
	OPTION_FOLLOW,
	OPTION_SINCE,
	OPTION_SERVER,
	OPTION_CALLS,
	OPTION_POLICY,
	OPTION_SEED,
	OPTION_SUMMARY,
	OPTION_BLAST,
	OPTION_COUNT
};

enum option_kind {
	OPTION_FLAG,     /* bool */
	OPTION_TEXT,     /* const char *, borrowed from argv; never empty */
	OPTION_DURATION, /* uint64_t, ns, > 0 */
	OPTION_NUMBER,   /* uint64_t */
};

struct option_spec {
	const char *name;  /* without the dashes */
	const char *value; /* how its value is called; NULL: a flag */
	enum option_kind kind;
	size_t offset; /* in struct args */
	bool global;   /* every command takes it */
	const char *help;
};

struct command;

struct args {
	const struct command *command; /* NULL: none was named */
	const char *operand[OPERANDS_MAX];
	size_t operands;
	uint32_t given; /* bit per option_id */
	const char *socket;
	const char *pin_dir;
	const char *reason;
	const char *server;
	uint64_t for_ns;   /* SG_FOREVER without */
	uint64_t since_ns; /* SINCE_ALL without */
	const char *policy;
	uint64_t seed; /* valid if given */
	bool json;
	bool help;
	bool version;
	bool follow;
	bool calls;
	bool summary;
	bool blast;
};

struct context;

struct command {
	const char *name;
	const char *operands; /* for the usage: "NAME" */
	size_t least;
	size_t most;
	uint32_t options;  /* bit per option_id, without the global ones */
	uint32_t required; /* of these */
	bool hidden;
	int (*run)(struct context *context); /* returns an enum exit_status */
	const char *summary;
	const char *help; /* more, for `help COMMAND`; may be NULL */
};

extern const struct option_spec args_options[OPTION_COUNT];

/*
 * argv ends with NULL. 0, or -EINVAL with one line in why: what is wrong and
 * what was perhaps meant. With --help or --version nothing else is demanded.
 */
int args_parse(const struct command *commands, size_t n_commands, char *const *argv,
	       struct args *ret, struct buf *why) MUST_CHECK;

/* NULL if there is none of this name. */
const struct command *args_find(const struct command *commands, size_t n_commands,
				const char *name);

#endif
