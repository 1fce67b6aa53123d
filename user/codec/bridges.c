/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/bridges.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* That the version has the flaw is certain; that the server behind it would use it is not known.
 * Below quarantine_confidence, and low enough that it alone quarantines nobody by the score. */
#define CONFIDENCE 0.25
#define WORD_ENDS " \t\n\r\"'`;&|()"

/* clang-format off */
static const struct bridge_flaw flaws[] = {
	{ "mcp-remote", "0.0.5", "0.1.16", "CVE-2025-6514", FINDING_CRITICAL,
	  "a server that it connects to can run commands on the client's host" },
	{ "@modelcontextprotocol/inspector", "0.0.0-0", "0.14.1", "CVE-2025-49596", FINDING_CRITICAL,
	  "web pages can run commands on its host, since its proxy asks nobody who he is" },
	{ "@modelcontextprotocol/inspector", "0.0.0-0", "0.16.6", "CVE-2025-58444", FINDING_HIGH,
	  "a server that it connects to can run script in its page, and by that commands" },
};
/* clang-format on */

/* The length of a package's name at the begin of a word; pnpm's store has "@a+b" for "@a/b". */
static size_t name_at(const char *word, size_t n, const char *package)
{
	size_t len = strlen(package);

	if (n < len)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (word[i] != package[i] && !(package[i] == '/' && word[i] == '+'))
			return 0;
	return len;
}

/* May a name begin here? Not behind a scope: "@other/mcp-remote" is another package. */
static bool may_begin(const char *word, const char *at)
{
	const char *before = at - 1;

	if (at == word || *before == '=')
		return true;
	if (*before == ':')
		return at - word >= 4 && !strncmp(at - 4, "npm:", 4);
	if (*before != '/')
		return false;
	while (before > word && before[-1] != '/')
		before--;
	return *before != '@';
}

/* A version of a table's package behind `at`, up to the end of the word or of a directory. */
static bool pinned(const char *at, size_t n, const char *package, struct bridge *ret)
{
	size_t len = name_at(at, n, package);
	size_t end;

	if (!len || len == n || at[len] != '@')
		return false;
	at += len + 1;
	n -= len + 1;
	end = strcspn(at, "/_"); /* pnpm tells peers behind an underscore or in brackets */
	n = end < n ? end : n;
	if (!n || n >= sizeof(ret->version))
		return false;
	memcpy(ret->version, at, n);
	ret->version[n] = '\0';
	ret->package = package;
	return version_parse(ret->version, &ret->v);
}

static bool find_in_word(const char *word, size_t n, struct bridge *ret)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(flaws); k++)
			if (may_begin(word, word + i) &&
			    pinned(word + i, n - i, flaws[k].package, ret))
				return true;
	return false;
}

/* One argument may be a whole command line: sh -c "npx ...". */
static bool find_in_text(const char *text, struct bridge *ret)
{
	while (*text) {
		size_t n = strcspn(text, WORD_ENDS);

		if (!memmem(text, n, "://", 3) && find_in_word(text, n, ret))
			return true;
		text += n;
		text += strspn(text, WORD_ENDS);
	}
	return false;
}

bool bridge_find(const char *command, const char *const *args, size_t n_args, struct bridge *ret)
{
	struct bridge found;
	bool is = find_in_text(command, &found);

	for (size_t i = 0; i < n_args && !is; i++)
		is = find_in_text(args[i], &found);
	if (is)
		*ret = found;
	return is;
}

bool bridge_parse(const char *spec, struct bridge *ret)
{
	for (size_t k = 0; k < ARRAY_SIZE(flaws); k++)
		if (pinned(spec, strlen(spec), flaws[k].package, ret))
			return !strpbrk(spec + strlen(ret->package), "/_");
	return false;
}

const struct bridge_flaw *bridge_flaw_next(const struct bridge *b, const struct bridge_flaw *after)
{
	for (const struct bridge_flaw *f = after ? after + 1 : flaws; f < flaws + ARRAY_SIZE(flaws);
	     f++) {
		struct version from, fixed;

		if (!strcmp(f->package, b->package) && version_parse(f->from, &from) &&
		    version_parse(f->fixed, &fixed) && version_compare(&b->v, &from) >= 0 &&
		    version_compare(&b->v, &fixed) < 0)
			return f;
	}
	return NULL;
}

void bridge_flaw_print(const struct bridge *b, const struct bridge_flaw *flaw, struct buf *out)
{
	buf_printf(out, "%s %s has %s: %s; use %s or later", b->package, b->version, flaw->rule,
		   flaw->what, flaw->fixed);
}

int bridge_finding(const struct bridge *b, const struct bridge_flaw *flaw, const char *server,
		   struct finding *ret)
{
	struct buf message = BUF(FINDING_TEXT_MAX);
	struct finding f = { .severity = flaw->severity, .confidence = CONFIDENCE };

	bridge_flaw_print(b, flaw, &message);
	f.server.name = strdup(server);
	f.source = strdup(BRIDGE_SOURCE);
	f.rule = strdup(flaw->rule);
	f.location = strdup(b->package); /* whatever the version: the same finding */
	f.message = buf_steal(&message);
	*ret = f;
	if (f.server.name && f.source && f.rule && f.location && f.message)
		return 0;
	finding_done(ret);
	*ret = (struct finding){ 0 };
	return -ENOMEM;
}
