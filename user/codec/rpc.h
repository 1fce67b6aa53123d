/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an agent says to an MCP server, as far as somebody who stands between the two has to know:
 * which messages there are in a body, who waits for an answer under which id, and which tool is
 * called. Bodies are handed on as they came; nothing here is a second opinion of what they mean.
 */
#ifndef SWITCHGEAR_CODEC_RPC_H
#define SWITCHGEAR_CODEC_RPC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/mcp.h"

#define RPC_BATCH_MAX 256U
#define RPC_VERSION_MAX (MCP_VERSION_MAX + 1)

/* All owned by the batch. */
struct rpc_message {
	enum mcp_kind kind;            /* not MCP_MALFORMED */
	char *id;                      /* of a request, as JSON; else NULL */
	char *method;                  /* "" in an answer, to a request of the server's */
	char *tool;                    /* tools/call: params.name; NULL: not there */
	char version[RPC_VERSION_MAX]; /* protocolVersion of initialize; "": not there */
};

struct rpc_batch {
	bool is_list;   /* it came as one, and is answered as one */
	bool stateless; /* one of them names a revision without sessions */
	struct rpc_message *v;
	size_t n; /* never 0 */
};

/* -EBADMSG: no JSON (strict, no member twice); -EINVAL: a message is malformed, or there are more
 * than RPC_BATCH_MAX; -ENOMEM. *ret is untouched then. */
int rpc_read(const char *text, size_t len, struct rpc_batch *ret) MUST_CHECK;
void rpc_done(struct rpc_batch *b); /* may be called twice, and on zeros */

/* The first message with this method; NULL: there is none. */
const struct rpc_message *rpc_find(const struct rpc_batch *b, const char *method);
/* How many wait for an answer. */
size_t rpc_requests(const struct rpc_batch *b);

/* Does the "tools" list of a tools/list say of this tool that calling it again does no harm
 * (idempotentHint or readOnlyHint)? What cannot be read says no. */
bool rpc_may_repeat(const char *tools, size_t len, const char *tool);

/* An answer to initialize. True: it is a result; its protocolVersion goes to `version`, "" if
 * there is none. */
bool rpc_initialized(const char *text, size_t len, char version[RPC_VERSION_MAX]);

/* `text` as a JSON string, with its quotes. */
void rpc_put_string(struct buf *out, const char *text);

#endif
