/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Servers in the configuration files of MCP clients: where the files are, what is
 * in them, and a configuration of Switchgear made of that. Values of headers are never
 * read, of env only host and port of HTTP proxies are; user information and queries of URLs never kept, keys in paths,
 * commands and arguments redacted. Files are read by the caller.
 */
#ifndef SWITCHGEAR_CODEC_CLIENTS_H
#define SWITCHGEAR_CODEC_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/config.h"

#define CLIENTS_SIZE_MAX (64U << 20) /* bytes of one file: ~/.claude.json holds histories */
#define CLIENTS_FOUND_MAX 4096U

enum client_base {
	CLIENT_HOME,    /* below the user's home */
	CLIENT_CONFIG,  /* below $XDG_CONFIG_HOME, default ~/.config */
	CLIENT_ROOT,    /* absolute */
	CLIENT_PROJECT, /* below a project's directory */
};

struct client_place {
	const char *client; /* for people */
	enum client_base base;
	const char *path;
	const char *dir_env; /* a variable that, if set, replaces the path's directory; NULL: none */
	/* Where the servers are: keys joined by a slash, an asterisk for any key; "" the
	 * document itself, tried when it has no container of the others. The first is NULL
	 * for formats that are not read (TOML, YAML). */
	const char *containers[3];
};

extern const struct client_place client_places[];
extern const size_t client_places_count;

struct client_server {
	const char *client; /* of the place */
	char *name;
	char *scope;   /* what '*' matched: a project's path; NULL without */
	char *url;     /* without user information and query, redacted; NULL: stdio */
	char *command; /* redacted; NULL with url */
	char *bridge;  /* "mcp-remote@0.1.10": what reaches the URL; NULL: none is known */
	struct config_list args; /* redacted */
	const char *skipped;     /* why it cannot be used, static; NULL: usable */
};

struct client_list {
	struct client_server *v;
	size_t n;
	struct config_list proxies; /* each as "host:port", once */
	size_t proxies_left;        /* that cannot be watched, or were too many */
};

void client_list_done(struct client_list *list);

/*
 * Appends the servers of one file, and the proxies that their `env` has; entries that cannot be used are appended with
 * `skipped` set and do not disturb the others. env expands ${VAR} in URLs; may be
 * NULL. -ENOTSUP: this format is not read; -EBADMSG: not JSON, or larger than
 * CLIENTS_SIZE_MAX; -ENOMEM.
 */
int clients_parse(const struct client_place *place, const char *text, size_t len,
		  const struct config_env *env, struct client_list *list) MUST_CHECK;

/*
 * Writes a configuration with every usable server: equal ones once, names made
 * unique and valid. config_parse() accepts the result. buf_error().
 */
int clients_to_config(const struct client_list *list, struct buf *out) MUST_CHECK;

#endif
