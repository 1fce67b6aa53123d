/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * URLs of MCP servers, and the lines in which servers are shown. Both may carry
 * secrets (user information, queries, tokens in a path, arguments of a command):
 * what is kept for showing is redacted here, once, before it gets anywhere else.
 */
#ifndef SWITCHGEAR_CODEC_URL_H
#define SWITCHGEAR_CODEC_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/parse.h"

#define URL_HOST_MAX 253U
#define URL_TEXT_MAX 4096U
#define COMMAND_SHOWN_MAX 512U

enum url_scheme {
	URL_HTTP,
	URL_HTTPS,
	URL_SCHEME_COUNT
};

struct url {
	enum url_scheme scheme;
	char host[URL_HOST_MAX + 1]; /* lower case; IPv6 without brackets */
	bool has_addr;               /* the host is a literal address: addr */
	struct addr addr;
	uint16_t port;   /* never 0 */
	bool has_secret; /* user information or a query was there */
	char *shown;     /* redacted, for showing */
	char *bare;      /* without user information, query and fragment */
};

/*
 * Parses an absolute http or https URL. -EINVAL with *ret_why (a static text:
 * what is wrong and what is expected) if it is none, -ENOMEM. url_done() frees.
 */
int url_parse(const char *text, struct url *ret, const char **ret_why) MUST_CHECK;
void url_done(struct url *u);

/*
 * Expands ${VAR}, ${VAR:-default} and ${env:VAR} by `lookup`, which returns NULL
 * for what is not set (an empty value counts as unset before ":-"). -ENOENT if a
 * variable without default is not set, -EINVAL if a "${" is never closed or holds
 * no name; ret_name (size bytes) then holds the variable. buf_error() of out else.
 */
int expand_variables(const char *text, const char *(*lookup)(void *arg, const char *name),
		     void *arg, struct buf *out, char *ret_name, size_t size) MUST_CHECK;

/*
 * Appends a command line for people, at most COMMAND_SHOWN_MAX bytes: URLs
 * redacted, what follows an option or assignment that names a secret as "***".
 */
void command_print(const char *command, const char *const *args, size_t n_args, struct buf *out);

/*
 * Appends one argument of a command line, redacted; `secret`: the argument before
 * announced this one as a secret. Returns whether this one announces the next.
 */
bool command_print_arg(const char *arg, bool secret, struct buf *out);

/*
 * Some commands are only bridges to a server elsewhere (mcp-remote, supergateway):
 * the http or https URL in their arguments, borrowed, or NULL.
 */
const char *command_remote_url(const char *command, const char *const *args, size_t n_args);

#endif
