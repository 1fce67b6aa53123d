/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What security scanners say of MCP servers: their files, recognised by content, as records of
 * one kind. The formats, and what of them becomes which severity and confidence:
 *
 *  native    JSON lines, one record each: "source", "severity" (critical high medium low info
 *            clean), "rule" (unless clean), "server" (a name, or {"name", "url", "command"}); and
 *            if known "confidence" (0 to 1, default 1), "message", "location", "version" of the
 *            rules, "digest" of the tool list that was scanned, "time" (RFC 3339),
 *            "evidence_sha256".
 *  sarif     SARIF 2.1.0. Severity: "security-severity" of result or rule (9, 7, 4: critical,
 *            high, medium), "severity" among a result's properties, else the level (error high,
 *            warning medium, note low). Confidence by "precision" of the rule, 0.8 without.
 *            Suppressed results, absent ones and those that passed are none.
 *  snyk      agent-scan's --json, of 0.5 (issues by code) and of 0.6 (risks by name and score).
 *            Risks that are a capability, as "private_data", are at most medium.
 *  cisco     mcp-scanner's --format raw, and its --raw: a bare list, or one per file scanned.
 *            Confidence 0.8, of what language models say 0.6.
 *  mcpspy    MCPSpy's alerts, JSON lines. What a server sent is judged, what an agent sent is
 *            info. Critical only in a list of tools; confidence 0.65 of the score elsewhere.
 *  guardian  a message that was denied in MCP Guardian, one file each: medium if the server sent
 *            it, else low; confidence 0.5.
 *
 * A file is read whole or not at all. A scan that completed and found nothing of a server, or
 * only what is info, is a record too: FINDING_CLEAN. What a scanner could not analyse is none.
 */
#ifndef SWITCHGEAR_CODEC_FINDINGS_H
#define SWITCHGEAR_CODEC_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* What the daemon itself finds: other tools under the same version (docs/trust.md). */
#define FINDING_OURS "switchgear"
#define FINDING_RUG_PULL "rug_pull"

#define FINDINGS_SIZE_MAX (16U << 20) /* bytes of a file */
#define FINDINGS_MAX 4096U            /* records of a file */
#define FINDING_TEXT_MAX 512U         /* bytes of a text; longer ones are cut */

enum finding_severity {
	FINDING_CLEAN, /* a scan that found nothing */
	FINDING_INFO,
	FINDING_LOW,
	FINDING_MEDIUM,
	FINDING_HIGH,
	FINDING_CRITICAL,
	FINDING_SEVERITY_COUNT
};

enum findings_format {
	FINDINGS_AUTO, /* by content */
	FINDINGS_NATIVE,
	FINDINGS_SARIF,
	FINDINGS_SNYK,
	FINDINGS_CISCO,
	FINDINGS_MCPSPY,
	FINDINGS_GUARDIAN,
	FINDINGS_FORMAT_COUNT
};

/* What the scanner calls the server; all NULL: it does not say. Owned. */
struct finding_server {
	char *name;
	char *url;     /* as it stands there: never show it unredacted */
	char *command; /* as command_print() shows it */
};

/* Texts are owned, UTF-8 without control characters; NULL: not known. */
struct finding {
	struct finding_server server;
	char *source; /* the scanner */
	char *version;
	char *rule; /* NULL if clean */
	char *location;
	char *digest;
	char *message; /* URLs in it redacted */
	char *evidence;
	enum finding_severity severity;
	double confidence; /* [0, 1] */
	uint64_t wall_ns;  /* when it was found; 0: not known */
};

struct findings {
	struct finding *v;
	size_t n;
	size_t n_passed_over; /* results that are no findings: suppressed, of skills, not analysed */
	enum findings_format format;
};

struct findings_options {
	enum findings_format format;
	const char *file;   /* for messages, and what MCP Guardian says by the name of a file */
	const char *server; /* the server of records that name none; may be NULL */
};

const char *finding_severity_name(unsigned int severity); /* "high" */
int finding_severity_from_name(const char *name);         /* -EINVAL */
const char *findings_format_name(unsigned int format);    /* "sarif" */
int findings_format_from_name(const char *name);          /* -EINVAL; "auto" too */

/*
 * Reads a file. Duplicates (of server, source, rule, digest and location) are kept once, as the
 * most severe. -EINVAL with "FILE:LINE:COLUMN: PATH: what is wrong" in errors, several lines of
 * them at most; -ENOMEM. *ret is empty then; findings_done() frees it.
 */
int findings_read(const char *text, size_t len, const struct findings_options *o,
		  struct findings *ret, struct buf *errors) MUST_CHECK;
void findings_done(struct findings *f);
void finding_done(struct finding *f); /* one; it is not empty afterwards */

/*
 * Is this what a scanner says of the configured server? By the first of these that it tells at
 * all: FINDING_BY_URL (the same origin; *ret_exact: the same path, too), FINDING_BY_NAME,
 * FINDING_BY_COMMAND (the same command line, as it is shown). -1: it is not; what it says of
 * itself, if there is more, does not matter then.
 */
enum finding_match {
	FINDING_BY_URL,
	FINDING_BY_NAME,
	FINDING_BY_COMMAND,
};
struct config_server;
int finding_matches(const struct finding_server *f, const struct config_server *c, bool *ret_exact);

/* Appends a record as a line of the native format, which findings_read() reads as the same. */
int finding_encode(const struct finding *f, struct buf *out) MUST_CHECK;

#endif
