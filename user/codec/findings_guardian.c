/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * MCP Guardian keeps the messages that a person denied as files, each one JSON-RPC message, named
 * DIRECTION_SERVER_DIRECTION_UUID in a directory "denied".
 */
#include <errno.h>
#include <string.h>

#include "codec/findings_read.h"
#include "codec/jsonget.h"

#define SOURCE "mcp-guardian"
#define CONFIDENCE 0.5
#define UUID_LEN 36

static const char *const directions[] = { "inbound", "outbound" };
enum direction {
	FROM_SERVER,
	FROM_AGENT,
	UNKNOWN
};

static const char *base_name(const char *file)
{
	const char *slash = file ? strrchr(file, '/') : NULL;

	return slash ? slash + 1 : file ? file : "";
}

/* By the file's name; *ret_server and its length, if it has one. */
static enum direction direction_of(const char *file, const char **ret_server, size_t *ret_len)
{
	const char *name = base_name(file);
	size_t len = strlen(name);

	for (int i = FROM_SERVER; i < UNKNOWN; i++) {
		size_t word = strlen(directions[i]);
		const char *again;

		/* "inbound_" NAME "_inbound_" UUID */
		if (len <= 2 * word + 3 + UUID_LEN || strncmp(name, directions[i], word) != 0)
			continue;
		again = name + len - UUID_LEN - 1 - word;
		if (strncmp(again, directions[i], word) != 0 || again[-1] != '_')
			continue;
		*ret_server = name + word + 1;
		*ret_len = (size_t)(again - 1 - *ret_server);
		return i;
	}
	return UNKNOWN;
}

static bool guardian_is(const struct json_object *root, const char *file)
{
	const char *server;
	size_t len;

	return json_object_is_type(root, json_type_object) && jget(root, "jsonrpc") &&
	       direction_of(file, &server, &len) != UNKNOWN;
}

/* Is this word a directory in the file's path? */
static bool is_below(const char *file, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = file; at && (at = strstr(at, word)); at++)
		if ((at == file || at[-1] == '/') && at[len] == '/')
			return true;
	return false;
}

static void guardian_read(struct findings_reader *f, const struct config_value *v)
{
	struct finding_draft d = { .source = SOURCE,
				   .rule = "denied-message",
				   .message = "a person denied this message in MCP Guardian",
				   .severity = FINDING_LOW,
				   .confidence = CONFIDENCE };
	CLEANUP(freep) char *server = NULL;
	const char *from = NULL;
	size_t len = 0;

	if (!finding_is(f, v, json_type_object, "a JSON-RPC message, an object"))
		return;
	if (is_below(f->o->file, "pending") || is_below(f->o->file, "approved")) {
		config_complain(
			&f->r, NULL, false,
			"this message was not denied: it is among those pending or approved");
		return;
	}
	if (direction_of(f->o->file, &from, &len) == FROM_SERVER)
		d.severity = FINDING_MEDIUM;
	server = from ? strndup(from, len) : NULL;
	if (from && !server)
		config_no_memory(&f->r);
	d.name = server;
	d.location = finding_text(f, v, "method");
	finding_add(f, v, &d);
}

const struct findings_kind findings_guardian = { guardian_is, guardian_read, .lines = false };
