/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct option_row {
	const char *name;
	const char *env;
	size_t offset; /* of a const char * in struct options */
	const char *argument;
	const char *help;
};

static const struct option_row rows[] = {
	{ "config", "SWITCHGEAR_CONFIG", offsetof(struct options, config), "FILE",
	  "configuration (/etc/switchgear/switchgear.json)" },
	{ "cgroup", "SWITCHGEAR_CGROUP", offsetof(struct options, cgroup), "PATH|auto",
	  "whose processes are protected (auto: the whole host)" },
	{ "interface", NULL, 0, "IF",
	  "drop packets of quarantined servers here (XDP); repeatable" },
	{ "pin-dir", "SWITCHGEAR_PIN_DIR", offsetof(struct options, pin_dir), "DIR",
	  "where maps and links are pinned (/sys/fs/bpf/switchgear/v1)" },
	{ "socket", "SWITCHGEAR_SOCKET", offsetof(struct options, socket), "PATH",
	  "API socket (/run/switchgear/switchgear.sock)" },
	{ "state-dir", "SWITCHGEAR_STATE_DIR", offsetof(struct options, state_dir), "DIR",
	  "durable state (/var/lib/switchgear)" },
	{ "metrics", "SWITCHGEAR_METRICS", offsetof(struct options, metrics), "ADDR:PORT|off",
	  "Prometheus metrics (127.0.0.1:9464)" },
	{ "mode", "SWITCHGEAR_MODE", offsetof(struct options, mode), "enforce|observe",
	  "observe: count and log what would have been done" },
	{ "import", NULL, offsetof(struct options, import), "HOME",
	  "print a configuration with the servers of the MCP clients there, and exit" },
	{ "check", NULL, 0, NULL, "check configuration and host, change nothing, and exit" },
	{ "help", NULL, 0, NULL, "this text" },
	{ "version", NULL, 0, NULL, "the version" },
};

static void usage(FILE *to)
{
	fprintf(to,
		"usage: switchgeard [OPTION]...\n"
		"Circuit breakers and quarantine for MCP servers, carried out in the kernel.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
			 rows[i].argument ? rows[i].argument : "");
		fprintf(to, "  %-26s %s\n", left, rows[i].help);
	}
}

static const char **member(struct options *o, const struct option_row *row)
{
	return (const char **)((char *)o + row->offset);
}

static int interface_add(struct options *o, const char *name)
{
	for (size_t i = 0; i < OPTIONS_INTERFACES_MAX; i++) {
		if (o->interfaces[i])
			continue;
		o->interfaces[i] = name;
		return 0;
	}
	fprintf(stderr, "switchgeard: at most %d --interface options\n", OPTIONS_INTERFACES_MAX);
	return -1;
}

static enum options_result apply(struct options *o, const struct option_row *row, const char *value)
{
	if (!strcmp(row->name, "help")) {
		usage(stdout);
		return OPTIONS_DONE;
	}
	if (!strcmp(row->name, "version")) {
		printf("switchgeard " SWITCHGEAR_VERSION "\n");
		return OPTIONS_DONE;
	}
	if (!strcmp(row->name, "check"))
		o->check = true;
	else if (!strcmp(row->name, "interface"))
		return interface_add(o, value) ? OPTIONS_USAGE : OPTIONS_RUN;
	else
		*member(o, row) = value;
	return OPTIONS_RUN;
}

enum options_result options_parse(int argc, char **argv, struct options *ret)
{
	struct option longs[ARRAY_SIZE(rows) + 1] = { 0 };
	struct options o = { 0 };
	enum options_result r;
	int index;
	int c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		longs[i].name = rows[i].name;
		longs[i].has_arg = rows[i].argument ? required_argument : no_argument;
		if (rows[i].env)
			*member(&o, &rows[i]) = getenv(rows[i].env);
	}
	while ((c = getopt_long(argc, argv, "", longs, &index)) != -1) {
		if (c == '?') {
			fprintf(stderr, "try \"switchgeard --help\"\n");
			return OPTIONS_USAGE;
		}
		r = apply(&o, &rows[index], optarg);
		if (r != OPTIONS_RUN)
			return r;
	}
	if (optind < argc) {
		fprintf(stderr,
			"switchgeard: unexpected argument \"%s\"; try \"switchgeard --help\"\n",
			argv[optind]);
		return OPTIONS_USAGE;
	}
	if (o.mode && strcmp(o.mode, "enforce") && strcmp(o.mode, "observe")) {
		fprintf(stderr, "switchgeard: --mode is \"enforce\" or \"observe\", not \"%s\"\n",
			o.mode);
		return OPTIONS_USAGE;
	}
	*ret = o;
	return OPTIONS_RUN;
}
