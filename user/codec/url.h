/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * URLs of MCP servers, and the lines in which servers are shown. Both may carry
 * secrets (user information, queries, keys in a path, arguments of a command):
 * what is kept for showing is redacted here, once, before it gets anywhere else.
 *
 * Everybody is shown user information, queries and keys in a path as "***". A segment of a
 * path is a key if
 *  - it begins with what keys begin with: sk- pk- ghp_ github_pat_ glpat- xox eyJ AKIA AIza and
 *    others of their kind, or with key- or token- and goes on with anything but plain words;
 *  - it has 16 hexadecimal digits or more and nothing else but dashes (so UUIDs are keys);
 *  - it has 16 characters or more, a digit among them, and 8 of them stand in odd parts; without
 *    any digit 16 in odd parts. Parts are what is between characters that are neither letters
 *    nor digits. Odd are numbers of more than eight digits, and those of more than four
 *    characters that, a version at their end left out, change between letters and digits more
 *    than twice, or from small to capital letters every third letter or, around a digit, twice,
 *    or have more than four consonants in a row (five in a long one);
 *  - it is NAME=VALUE, and the name that of a secret;
 *  - it comes after one that is called token, key, secret, apikey, api-key or auth (or nearly so).
 * So are the arguments of a command judged, and besides what follows --token, --api-key, --key,
 * --password, --secret and their like, in the same argument (NAME=VALUE, NAME: VALUE) or the next.
 * A short key that nothing announces is not known as one.
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

/* Who looks. */
enum url_view {
	URL_MASKED, /* root and the API's group */
	URL_ORIGIN, /* everybody else: of a URL only scheme, host and port */
};

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
	char *bare;      /* the same without user information, query and fragment */
};

/*
 * Parses an absolute http or https URL. -EINVAL with *ret_why (a static text:
 * what is wrong and what is expected) if it is none, -ENOMEM. url_done() frees.
 */
int url_parse(const char *text, struct url *ret, const char **ret_why) MUST_CHECK;
void url_done(struct url *u);

/* secret.c */
bool secret_is_named(const char *s, size_t n); /* the name of something that is one: "API_KEY" */
/* Appends a path, its keys as "***". */
void secret_print_path(const char *s, size_t n, struct buf *out);
/* Appends a text with the URLs in it, of whatever scheme, as they are shown. */
void url_redact(const char *text, enum url_view view, struct buf *out);

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
 * Appends one argument of a command line, or a command, redacted; `secret`: the argument
 * before announced this one as a secret. Returns whether this one announces the next.
 */
bool command_print_arg(const char *arg, bool secret, struct buf *out);

/*
 * Some commands are only bridges to a server elsewhere (mcp-remote, supergateway):
 * the http or https URL in their arguments, borrowed, or NULL.
 */
const char *command_remote_url(const char *command, const char *const *args, size_t n_args);

#endif
