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

enum option_kind {
	OPTION_FLAG,     /* bool */
	OPTION_TEXT,     /* const char *, borrowed from argv; never empty */
	OPTION_DURATION, /* uint64_t, ns, > 0 */
	OPTION_NUMBER,   /* uint64_t */
};

/* X(id, type and name of the member of struct args, kind, whether every command takes it, the
 * option's name, how its value is called (NULL: a flag), help). Without it the member is 0; for_ns
 * is SG_FOREVER, since_ns SINCE_ALL. */
/* clang-format off */
#define ARGS_OPTIONS(X) \
	X(SOCKET, const char *, socket, TEXT, true, "socket", "PATH", \
	  "the daemon's socket (environment: SWITCHGEAR_SOCKET)") \
	X(PIN_DIR, const char *, pin_dir, TEXT, true, "pin-dir", "DIR", \
	  "its pins, for detach without a daemon (SWITCHGEAR_PIN_DIR)") \
	X(STATE_DIR, const char *, state_dir, TEXT, true, "state-dir", "DIR", \
	  "its state, for attach, and detach without a daemon (SWITCHGEAR_STATE_DIR)") \
	X(JSON, bool, json, FLAG, true, "json", NULL, "print JSON for programs") \
	X(HELP, bool, help, FLAG, true, "help", NULL, "explain the command, do nothing") \
	X(VERSION, bool, version, FLAG, true, "version", NULL, "print the version") \
	X(FOR, uint64_t, for_ns, DURATION, false, "for", "DUR", \
	  "how long: 90s, 10m, 2h, 1d, or seconds (default: until undone)") \
	X(REASON, const char *, reason, TEXT, false, "reason", "TEXT", \
	  "why; shown in status, events and the log") \
	X(FOLLOW, bool, follow, FLAG, false, "follow", NULL, "go on with new events as they come") \
	X(SINCE, uint64_t, since_ns, DURATION, false, "since", "DUR", \
	  "begin so long ago (default: all that is kept)") \
	X(SERVER, const char *, server, TEXT, false, "server", "NAME", "only of this server") \
	X(FORMAT, const char *, format, TEXT, false, "format", "FORMAT", \
	  "auto, native, sarif, snyk, cisco, mcpspy, guardian") \
	X(SERVER_JSON, const char *, server_json, TEXT, false, "server-json", "FILE", \
	  "what a registry of MCP servers says of it") \
	X(REPORT, bool, report, FLAG, false, "report", NULL, \
	  "report it as a finding if it was deleted there") \
	X(GROUP, const char *, group, TEXT, false, "group", "NAME", \
	  "of this group, or this server (default: of all)") \
	X(TOOL, const char *, tool, TEXT, false, "tool", "TOOL", \
	  "for this tool: nobody whom findings restrict") \
	X(CALLS, bool, calls, FLAG, false, "calls", NULL, \
	  "also one line per call (not for everybody)") \
	X(POLICY, const char *, policy, TEXT, false, "policy", "FILE", \
	  "JSON: {\"breaker\":{...}} with the configuration's keys") \
	X(SEED, uint64_t, seed, NUMBER, false, "seed", "N", \
	  "of jitter and ramp: 0 to 2^64 - 1 (default: 1)") \
	X(SUMMARY, bool, summary, FLAG, false, "summary", NULL, \
	  "at the end, what differs from the recording") \
	X(BLAST, bool, blast, FLAG, false, "blast", NULL, \
	  "with the blast limit over all servers of the input") \
	X(KEY, const char *, key, TEXT, false, "key", "NAME", "the key of this host that signs") \
	X(DEPTH, uint64_t, depth, NUMBER, false, "depth", "N", \
	  "how many vouches may follow below it: 0 to 16 (default: 0)") \
	X(EVIDENCE, const char *, evidence, TEXT, false, "evidence", "FILE", \
	  "its SHA-256 is signed, too") \
	X(OUTPUT, const char *, output, TEXT, false, "output", "FILE", \
	  "write what was signed or exported there") \
	X(FREEZE, bool, freeze, FLAG, false, "freeze", NULL, \
	  "stop its processes on this host, too; they are kept as they are") \
	X(FORCE, bool, force, FLAG, false, "force", NULL, \
	  "isolate them whoever else is in their cgroup") \
	X(WRITE, const char *, write, TEXT, false, "write", "FILE", \
	  "write packets there, also as -w (default: the standard output)") \
	X(STATEMENTS, bool, statements, FLAG, false, "statements", NULL, \
	  "with what the key has said")
/* clang-format on */

enum option_id {
#define ARGS_ID(id, ...) OPTION_##id,
	ARGS_OPTIONS(ARGS_ID)
#undef ARGS_ID
	OPTION_COUNT
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
#define ARGS_MEMBER(id, type, member, ...) type member;
	ARGS_OPTIONS(ARGS_MEMBER)
#undef ARGS_MEMBER
};

struct context;

struct command {
	const char *name;
	const char *operands; /* for the usage: "NAME" */
	size_t least;
	size_t most;
	int (*run)(struct context *context); /* returns an enum exit_status */
	const char *summary;
	const char *help;  /* more, for `help COMMAND`; may be NULL */
	uint32_t options;  /* bit per option_id, without the global ones */
	uint32_t required; /* of these */
	bool hidden;
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
