/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a message of MCP is: JSON-RPC 2.0 in the revisions from 2024-11-05 to 2026-07-28. One
 * text (a body, or the data of an event) is read as a whole into a document of one message or, as
 * in 2024-11-05 and 2025-03-26, a batch. No I/O, no clock; the caller bounds the text.
 *
 * Invariants:
 *  M1  A message is a request, a notification, a result or an error, or malformed: nothing
 *      is guessed. What a malformed one still tells (id, method) is there for who must
 *      find the one that was meant.
 *  M2  Ids are kept exactly: two are equal only if every reader has to think so. Numbers that
 *      readers round, and texts that they repair, are none.
 *  M3  Read strictly, no two readers of the text see different members (RFC 8259, none twice).
 *  M4  At most MCP_TEXT_MAX bytes and MCP_DEPTH_MAX levels are read, in linear time but for the
 *      sorting of keys.
 */
#ifndef SWITCHGEAR_CODEC_MCP_H
#define SWITCHGEAR_CODEC_MCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/http1.h"

#define MCP_TEXT_MAX (4U << 20) /* bytes of a text */
#define MCP_DEPTH_MAX 64U       /* nesting of JSON */
#define MCP_ID_MAX 256U         /* bytes of an id that is a text */
#define MCP_METHOD_MAX 127U
#define MCP_VERSION_MAX 32U

/* What is offered, and spoken without having been offered. */
#define MCP_VERSION_SESSION "2025-11-25"
#define MCP_VERSION_STATELESS "2026-07-28"
#define MCP_META "io.modelcontextprotocol/" /* what keys of _meta begin with */

/* Codes of errors that are acted upon. */
#define MCP_CODE_INTERNAL (-32603)
#define MCP_CODE_NO_METHOD (-32601)
#define MCP_CODE_NO_RESOURCE (-32002) /* in all revisions: the caller's */
#define MCP_CODE_SERVER_FIRST (-32000)
#define MCP_CODE_SERVER_LAST (-32019) /* what is below has a meaning of MCP's */

struct json_object;

enum mcp_id_type {
	MCP_ID_NONE, /* there is none, or it is null */
	MCP_ID_NUMBER,
	MCP_ID_TEXT,
	MCP_ID_BAD, /* something else, a number beyond 2^53, or a text that is too long or broken */
};

struct mcp_id {
	enum mcp_id_type type;
	int64_t number;
	size_t len;
	char text[MCP_ID_MAX]; /* not terminated, may hold NULs */
};

enum mcp_kind {
	MCP_MALFORMED,
	MCP_REQUEST,
	MCP_NOTIFICATION,
	MCP_RESULT,
	MCP_ERROR,
};

/* What a result says of itself (resultType, isError). */
enum mcp_result {
	MCP_COMPLETE,
	MCP_TOOL_FAILED,    /* isError */
	MCP_INPUT_REQUIRED, /* the request is to be made again, with what is asked for */
};

/* Pointers are into the document. */
struct mcp_message {
	enum mcp_kind kind;
	struct mcp_id id;
	char method[MCP_METHOD_MAX + 1]; /* "": none, or longer */
	char protocol[MCP_VERSION_MAX +
		      1];        /* protocolVersion of an initialize, its result, or _meta; "" */
	bool stateless;          /* _meta names a revision without sessions */
	enum mcp_result outcome; /* of a result */
	int64_t code;            /* of an error */
	struct mcp_id about; /* requestId of notifications/cancelled, progressToken of .../progress */
	struct mcp_id progress;           /* progressToken of a request: it may be told of */
	const char *reason;               /* of notifications/cancelled; NULL: none */
	const struct json_object *params; /* borrowed; NULL: none */
	struct json_object *result;       /* borrowed; NULL: none */
};

struct mcp_document {
	struct json_object *root; /* owned */
	bool batch;
	size_t n; /* messages, at least 1 */
};

/*
 * Reads a text; *ret is the caller's, mcp_document_done(). Strictly, it is RFC 8259 without a
 * member that is there twice; else as tolerantly as json_parse(), which is for judging whether an
 * answer would do. -EBADMSG, -EEXIST (twice) and -E2BIG (depth) for what is no JSON or no message
 * or list of them (an empty one is none); -EMSGSIZE above MCP_TEXT_MAX; -ENOMEM. *ret is
 * untouched on failure.
 */
int mcp_parse(const char *text, size_t len, bool strict, struct mcp_document *ret) MUST_CHECK;
void mcp_document_done(struct mcp_document *d); /* may be called twice, and on zeros */

/* i < d->n. Always sets all of *ret. */
void mcp_message(const struct mcp_document *d, size_t i, struct mcp_message *ret);

/* Equal numbers, or equal texts; ids that are none or bad equal nothing. */
bool mcp_id_equal(const struct mcp_id *a, const struct mcp_id *b);
struct mcp_id mcp_id_of(int64_t number);
/* Appends it as JSON, null if it is none. buf_error(). */
int mcp_id_put(struct buf *out, const struct mcp_id *id) MUST_CHECK;

/* Is this a revision without sessions (2026-07-28 and later)? False for what is no date. */
bool mcp_is_stateless(const char *version);

/* Do the fields that repeat what the body says (MCP-Protocol-Version, Mcp-Method) say the same? Asked
 * of requests without a session only: older clients send other versions than they spoke. */
bool mcp_fields_agree(const struct http1 *head, const struct mcp_message *m);

/* What a JSON-RPC error at HTTP 200 means. Codes that nobody has defined are the caller's. */
enum sg_class mcp_code_class(int64_t code, bool stateless);
/* What a result or an error means for who asked; a request, a notification or what is malformed:
 * SG_HARD, which is no answer. */
enum sg_class mcp_class(const struct mcp_message *m, bool stateless);

#endif
