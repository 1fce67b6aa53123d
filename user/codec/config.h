/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration file: JSON with comments, whose `mcpServers` has the shape
 * that MCP clients use, so that a client's own file can be pasted. Keys of
 * clients are known and ignored (headers and env are never stored); any other
 * unknown key is an error. switchgear.json(5) describes the keys.
 *
 * Messages are lines "FILE:LINE:COLUMN: path: what is wrong and what to do".
 */
#ifndef SWITCHGEAR_CODEC_CONFIG_H
#define SWITCHGEAR_CODEC_CONFIG_H

#include "codec/config_types.h"

/*
 * Reads a configuration. `file` is its name in messages, `env` may be NULL (no
 * variable is set). 0 with *ret (config_free() it) and warnings, if any, in
 * errors; -EINVAL with at least one line in errors; -ENOMEM. Nothing is kept of
 * text or env.
 */
int config_parse(const char *text, size_t len, const char *file, const struct config_env *env,
		 struct config **ret, struct buf *errors) MUST_CHECK;

#define CONFIG_ORIGIN_MAX (URL_HOST_MAX + 24)
#define CONFIG_ENTRY_MAX 1024U

/* "http://host:port", by which an endpoint is known whatever its path; "" without a URL.
 * Returns out, which has CONFIG_ORIGIN_MAX. */
char *config_origin(const struct config_server *c, char *out, size_t size);

/*
 * What of an entry must outlive it: origin, networks and errno, as the text of an entry.
 * -EMSGSIZE: the networks did not fit and are left out. Reading makes a configuration of
 * that one server, to be freed by config_free(); one without a URL or networks is a server of which
 * nothing is known but its name.
 */
int config_entry_write(const struct config_server *c, char *out, size_t size) MUST_CHECK;
int config_entry_read(const char *name, const char *entry, struct config **ret) MUST_CHECK;

#endif
