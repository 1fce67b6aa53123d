/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of commands, and the help that is made from it. */
#include <string.h>

#include "cli/command.h"

#define BIT(id) (1U << (id))

const struct command cli_commands[] = {
	{ "status", "", 0, 0, run_status, "the daemon's health and all servers",
	  .help = "CALLS counts requests, FAIL connects and calls that failed, DENIED connects that\n"
		  "were refused. P50 and P95 are times from a request to the end of its answer.\n" },
	{ "show", "NAME", 1, 1, run_show, "everything about one server", .help = NULL },
	{ "explain", "NAME", 1, 1, run_explain,
	  "what a server's trust is made of, and what would raise it",
	  .help = "Every number that the score is computed from: it can be computed again by hand.\n" },
	{ "select", "", 0, 0, run_select, "which server to use now, and why",
	  .options = BIT(OPTION_GROUP) | BIT(OPTION_TOOL) | BIT(OPTION_SERVER),
	  .help = "Prints its name, and for each that was considered what speaks for it or against it.\n"
		  "With --server: that one, then those of its \"fallback\" in the order in force.\n"
		  "Fails (1) if none can be used.\n" },
	{ "why", "HOST[:PORT]|NAME", 1, 1, run_why,
	  "why a connect is refused or goes elsewhere, and what to do",
	  .help = "Asks about what is so now: which rule decides, since when, until when, who ordered\n"
		  "it, and what an agent sees that connects.\n" },
	{ "history", "NAME", 1, 1, run_history, "scores and states over time (default: 7 days)",
	  .options = BIT(OPTION_SINCE),
	  .help = "A line of the lowest scores, one of the states below it, and each change.\n" },
	{ "quarantine", "NAME", 1, 1, run_quarantine,
	  "cut a server off: refuse connects, kill connections, drop packets",
	  .options = BIT(OPTION_REASON) | BIT(OPTION_FOR) | BIT(OPTION_FREEZE) | BIT(OPTION_FORCE),
	  .required = BIT(OPTION_REASON),
	  .help = "Reports how many connections were killed and how many are left. Fails (1) when\n"
		  "any is left, or when nobody could count them. Without --for it holds until\n"
		  "`switchgear release NAME`, with or without the daemon.\n"
		  "Processes of the server on this host are isolated: they are reached by nobody and\n"
		  "reach nothing but what \"isolation\" in the configuration allows. A cgroup that\n"
		  "others are in is not, which fails (1) where --freeze was asked for; --force does.\n" },
	{ "release", "NAME", 1, 1, run_order, "end a quarantine", .options = BIT(OPTION_REASON) },
	{ "trip", "NAME", 1, 1, run_order, "open a server's breaker by hand",
	  .options = BIT(OPTION_REASON) | BIT(OPTION_FOR),
	  .help = "When --for ends the server is probed like after any opening. Without --for it\n"
		  "stays open until `switchgear reset NAME`.\n" },
	{ "reset", "NAME", 1, 1, run_order,
	  "close a server's breaker and forget its history; ends trip and force",
	  .options = BIT(OPTION_REASON) },
	{ "force", "NAME closed|shadow|disabled", 2, 2, run_order, "overrule a server's breaker",
	  .options = BIT(OPTION_REASON) | BIT(OPTION_FOR),
	  .help = "closed    let everything through, count on\n"
		  "shadow    decide and report as usual, refuse nothing\n"
		  "disabled  let everything through, count nothing\n"
		  "Ends with --for or `switchgear reset NAME`.\n" },
	{ "report", "FILE|-", 1, 1, run_report, "tell what a security scanner found",
	  .options = BIT(OPTION_FORMAT) | BIT(OPTION_SERVER),
	  .help = "Takes what these write, as they write it: our own JSON lines (native), SARIF 2.1.0,\n"
		  "agent-scan (snyk), mcp-scanner (cisco), MCPSpy's alerts, and messages that were\n"
		  "denied in MCP Guardian. All of a file is taken or nothing of it. --server is whose\n"
		  "findings are that name no server. Fails (1) if none of it is of a server here.\n" },
	{ "keys", "new|list|anchor|unanchor|remove|export|import [NAME|FILE]", 1, 2, run_keys,
	  "keys that sign ratings: this host's, and those that are believed",
	  .options = BIT(OPTION_STATEMENTS) | BIT(OPTION_OUTPUT),
	  .help = "new NAME        make a pair; the secret half never leaves this host\n"
		  "list            keys by name, what they weigh and how much they said\n"
		  "anchor NAME     believe this key, a name or 64 hexadecimal digits, fully\n"
		  "unanchor NAME   no longer\n"
		  "remove NAME     forget the name, and the secret half if it is here\n"
		  "export [NAME]   print the key for others; with --statements what it said, too,\n"
		  "                without a name what all keys said\n"
		  "import FILE|-   take keys and statements that others exported; fails (1) if a\n"
		  "                line was refused. Imported keys are not anchored.\n" },
	{ "rate", "NAME VALUE", 2, 2, run_rate,
	  "say what a server is worth: -1 to 1, 0 takes it back",
	  .options = BIT(OPTION_KEY) | BIT(OPTION_FOR) | BIT(OPTION_EVIDENCE) | BIT(OPTION_OUTPUT),
	  .help = "Every local user may: without --key the daemon signs with a key that it keeps for\n"
		  "the user, ten times a minute. Holds for 180 days, or --for.\n" },
	{ "vouch", "KEY AMOUNT", 2, 2, run_vouch, "say how far a key may be believed: 0 to 1",
	  .options = BIT(OPTION_KEY) | BIT(OPTION_FOR) | BIT(OPTION_DEPTH) | BIT(OPTION_EVIDENCE) |
		     BIT(OPTION_OUTPUT),
	  .help = "KEY is a name or 64 hexadecimal digits. 0 takes it back. --key may be left out\n"
		  "where there is only one.\n" },
	{ "revoke", "KEY", 1, 1, run_revoke,
	  "say that a key must not be believed any more, for ever",
	  .options = BIT(OPTION_KEY) | BIT(OPTION_EVIDENCE) | BIT(OPTION_OUTPUT),
	  .help = "A key of this host revokes itself; another one is revoked by those who vouch for\n"
		  "it, with more than half of what it was given.\n" },
	{ "verify", "NAME", 1, 1, run_verify,
	  "is a server what a registry's server.json describes?",
	  .options = BIT(OPTION_SERVER_JSON) | BIT(OPTION_REPORT),
	  .required = BIT(OPTION_SERVER_JSON),
	  .help = "Compares its URL with the remotes, or the package that its command runs with the\n"
		  "packages, and says whether the name is of who owns the host's domain. That proves\n"
		  "who owns the name, no more. Fails (1) if it does not match or was deleted; a file\n"
		  "that cannot be understood is 2.\n" },
	{ "approve", "NAME", 1, 1, run_approve, "accept the tools that a server offers now",
	  .options = BIT(OPTION_REASON),
	  .help = "Takes the list that `switchgear show NAME` tells of; what changed behind one's back\n"
		  "is no finding any more, and a quarantine for it ends. Fails (1) if no list is known.\n" },
	{ "events", "", 0, 0, run_events, "what happened: transitions, quarantines, kills, alarms",
	  .options = BIT(OPTION_FOLLOW) | BIT(OPTION_SINCE) | BIT(OPTION_SERVER) |
		     BIT(OPTION_CALLS) },
	{ "simulate", "[EVENTS|-]", 0, 1, run_simulate,
	  "replay events through a policy; needs no daemon",
	  .options = BIT(OPTION_POLICY) | BIT(OPTION_SEED) | BIT(OPTION_SUMMARY) |
		     BIT(OPTION_BLAST),
	  .required = BIT(OPTION_POLICY),
	  .help = "EVENTS holds one JSON object a line: what `switchgear events --json --calls`\n"
		  "printed, or ops of one's own; without it, or with -, they come from the\n"
		  "standard input. Prints one object a line for each call and each transition.\n"
		  "With --summary the comparison goes to the standard error, with --json to the\n"
		  "output as its last line.\n" },
	{ "capture", "NAME", 1, 1, run_capture, "packets that were refused for a server, as pcapng",
	  .options = BIT(OPTION_FOLLOW) | BIT(OPTION_WRITE),
	  .help = "The latest that were dropped, by the quarantine, the open breaker or the isolation of\n"
		  "its processes: 256 bytes of each, 32 a second at most. With --follow it goes on.\n"
		  "switchgear capture NAME --follow | tshark -r -\n" },
	{ "bypass", "on|off", 1, 1, run_bypass, "for an emergency: refuse nothing for a while",
	  .options = BIT(OPTION_REASON) | BIT(OPTION_FOR),
	  .help = "Everything passes, servers in quarantine and isolated processes included, and what\n"
		  "would have been refused is counted. To turn it on takes --for, 24 hours at most:\n"
		  "then it ends by itself, with or without the daemon.\n" },
	{ "selftest", "", 0, 0, run_selftest,
	  "prove with a canary that enforcement works; fails (1) if it does not", .help = NULL },
	{ "metrics", "", 0, 0, run_metrics, "the metrics, as Prometheus gets them", .help = NULL },
	{ "detach", "", 0, 0, run_detach, "remove everything from the kernel and end the daemon",
	  .help = "Nothing is enforced afterwards, quarantines included. Without a daemon the\n"
		  "pins are removed by this command itself. What is not Switchgear's is left alone\n"
		  "and named. A start respects it, after a reboot, too, until `switchgear attach`.\n" },
	{ "attach", "", 0, 0, run_attach,
	  "end a detach: the next start of the daemon attaches again",
	  .help = "Asks no daemon, and starts none.\n" },
	{ "help", "[COMMAND]", 0, 1, run_help, "this list, or all about one command",
	  .help = NULL },
	{ "complete", "", 0, 0, run_complete, "server names, for the shell's completion",
	  .hidden = true },
};
const size_t n_cli_commands = ARRAY_SIZE(cli_commands);

static void print_option(size_t id)
{
	const struct option_spec *o = &args_options[id];
	char left[32];

	snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "",
		 o->value ? o->value : "");
	printf("  %-16s %s\n", left, o->help);
}

static void help_all(void)
{
	printf("usage: switchgear [OPTIONS] COMMAND ...\n\n");
	for (size_t i = 0; i < n_cli_commands; i++) {
		const struct command *c = &cli_commands[i];
		char left[64];

		if (c->hidden)
			continue;
		snprintf(left, sizeof(left), "%s %s", c->name, c->operands);
		printf("  %-34s %s\n", left, c->summary);
	}
	printf("\nOptions of every command:\n");
	for (size_t id = 0; id < OPTION_COUNT; id++)
		if (args_options[id].global)
			print_option(id);
	printf("\nExit status: 0 done, 1 failed, 2 usage, 3 daemon not reachable, 4 not permitted.\n"
	       "`switchgear help COMMAND` tells more.\n");
}

static void help_one(const struct command *c)
{
	printf("usage: switchgear %s%s%s", c->name, *c->operands ? " " : "", c->operands);
	for (size_t id = 0; id < OPTION_COUNT; id++) {
		const struct option_spec *o = &args_options[id];
		bool must = c->required & BIT(id);

		if (c->options & BIT(id))
			printf(" %s--%s%s%s%s", must ? "" : "[", o->name, o->value ? " " : "",
			       o->value ? o->value : "", must ? "" : "]");
	}
	printf("%s\n\n%s\n", c->run == run_metrics ? "" : " [--json]", c->summary);
	if (c->help)
		printf("\n%s", c->help);
	if (c->options)
		printf("\nOptions:\n");
	for (size_t id = 0; id < OPTION_COUNT; id++)
		if (c->options & BIT(id))
			print_option(id);
}

/* `help`, `help COMMAND`, `COMMAND --help`, `--help` */
int run_help(struct context *context)
{
	const struct args *args = &context->args;
	const struct command *c = args->command;

	if (c && c->run == run_help)
		c = args->operands ? args_find(cli_commands, n_cli_commands, args->operand[0])
				   : NULL;
	if (c) {
		help_one(c);
		return EXIT_DONE;
	}
	if (args->command && args->operands)
		return command_fail(context, EXIT_USAGE, "usage", "`switchgear help` lists them",
				    "there is no command \"%.64s\"", args->operand[0]);
	help_all();
	return EXIT_DONE;
}
