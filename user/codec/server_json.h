/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a registry of MCP servers says of one (server.json, schema 2025-12-11, alone or as the
 * registry's API wraps it), and whether a configured server is what it describes. It proves who
 * owns the name, no more: nobody has looked at the code, nor at what answers at the URL.
 */
#ifndef SWITCHGEAR_CODEC_SERVER_JSON_H
#define SWITCHGEAR_CODEC_SERVER_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define SERVER_JSON_SIZE_MAX (1U << 20)
#define SERVER_JSON_LIST_MAX 64U /* packages, and remotes */

enum registry_status {
	REGISTRY_UNKNOWN, /* the file does not say */
	REGISTRY_ACTIVE,
	REGISTRY_DEPRECATED,
	REGISTRY_DELETED,
	REGISTRY_STATUS_COUNT
};

struct registry_package {
	char *type; /* "npm", "pypi", "nuget", "oci", "mcpb", or another */
	char *identifier;
	char *version;   /* NULL: not said */
	char *transport; /* "stdio"; NULL */
	char *sha256;    /* of mcpb */
};

struct registry_remote {
	char *type; /* "streamable-http", "sse" */
	char *url;  /* with variables as {name} */
};

struct server_json {
	char *name; /* "com.example/tool" */
	char *version;
	enum registry_status status;
	struct registry_package *packages;
	size_t n_packages;
	struct registry_remote *remotes;
	size_t n_remotes;
};

/* -EINVAL with "FILE:LINE:COLUMN: path: what is wrong" in errors, several lines at most; -ENOMEM.
 * *ret is empty then; server_json_done() frees it. Members that are not used are passed over. */
int server_json_read(const char *text, size_t len, const char *file, struct server_json *ret,
		     struct buf *errors) MUST_CHECK;
void server_json_done(struct server_json *s);

enum verify_result {
	VERIFY_MATCHES,
	VERIFY_DIFFERS,
	VERIFY_UNKNOWN, /* it cannot be told from what is known */
	VERIFY_NOTE,    /* there is nothing to compare, or it decides nothing */
	VERIFY_RESULT_COUNT
};

enum verify_check {
	VERIFY_STATUS,    /* the registry has not deleted it */
	VERIFY_URL,       /* its URL is one of the remotes */
	VERIFY_PACKAGE,   /* its command runs one of the packages */
	VERIFY_NAMESPACE, /* the name's namespace is the host's domain, backwards */
	VERIFY_CHECK_COUNT
};

#define VERIFY_DETAIL_MAX 400

struct verification {
	struct {
		enum verify_result result;
		char detail[VERIFY_DETAIL_MAX];
	} checks[VERIFY_CHECK_COUNT];
	bool matches; /* not deleted, and the URL or else the package is there */
};

/* url and command as the status document shows them: each may be NULL. */
void server_json_verify(const struct server_json *s, const char *url, const char *command,
			struct verification *ret);
/* Does a remote's URL, with variables that stand for one label or segment, stand for this one?
 * VERIFY_UNKNOWN: it might, but parts of it are not shown. */
enum verify_result server_json_url_matches(const char *pattern, const char *url);
/* Does "com.example/x" belong to the domain of this host? */
bool server_json_owns(const char *name, const char *host);

extern const char *const registry_status_names[REGISTRY_STATUS_COUNT + 1];
extern const char *const verify_result_names[VERIFY_RESULT_COUNT + 1];
extern const char *const verify_check_names[VERIFY_CHECK_COUNT + 1];

#endif
