/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * npm packages that clients run between themselves and an MCP server, and which versions of them
 * are known to be vulnerable. A row is here only if its range was published by who repaired it.
 * A version counts if the command line pins it: "mcp-remote@0.1.10". What "mcp-remote",
 * "mcp-remote@latest" and ranges come to is decided by npm and by what it has in its cache.
 */
#ifndef SWITCHGEAR_CODEC_BRIDGES_H
#define SWITCHGEAR_CODEC_BRIDGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "codec/findings.h"
#include "core/version.h"

#define BRIDGE_SOURCE \
	"switchgear (bridges)" /* of the findings: all of them go when they are told anew */
#define BRIDGE_SPEC_MAX 128U   /* bytes of "package@version" */

struct bridge {
	const char *package; /* of the table */
	char version[VERSION_TEXT_MAX];
	struct version v;
};

struct bridge_flaw {
	const char *package;
	const char *from;  /* the first version that has it */
	const char *fixed; /* the first one that has it no more */
	const char *rule;  /* "CVE-2025-6514" */
	enum finding_severity severity;
	const char *what;
};

/* The first package of the table with a pinned version in a command line, however it is run: by
 * npx, npm exec, pnpm dlx, yarn dlx, bunx, a shell, or from pnpm's store. */
bool bridge_find(const char *command, const char *const *args, size_t n_args, struct bridge *ret);
/* "mcp-remote@0.1.10". False: not of the table, or not pinned. */
bool bridge_parse(const char *spec, struct bridge *ret);

/* The flaws of a version, one after another: NULL first, then the one before. NULL: no more. */
const struct bridge_flaw *bridge_flaw_next(const struct bridge *b, const struct bridge_flaw *after);
/* In a sentence, with what to do. */
void bridge_flaw_print(const struct bridge *b, const struct bridge_flaw *flaw, struct buf *out);
/* The record of it, about the configured server of that name; finding_done() frees it. -ENOMEM. */
int bridge_finding(const struct bridge *b, const struct bridge_flaw *flaw, const char *server,
		   struct finding *ret) MUST_CHECK;

#endif
