/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One HTTP answer to one request of a probe, fed in pieces of any size, and what
 * it means. http1.h reads it (tolerantly, as the programs do), and the very automaton that the
 * kernel uses (headers/http1.h) scans the same header beside it, so that a status means the same
 * in both places; the body is JSON or an event stream (sse.h), in which the first message with the
 * request's id counts (mcp.h). The classes are those of docs/protocol.md, "outcomes": transport, then
 * the status, then the JSON-RPC code, then isError.
 *
 * Invariants:
 *  P1  How the bytes were cut into pieces changes nothing.
 *  P2  At most PROBE_ANSWER_MAX bytes are taken (or what probe_answer_keep() said), at most
 *      PROBE_HEAD_MAX of them in headers; memory and time are linear in that.
 *  P3  Success needs a complete answer with status 200 and a result of our id.
 */
#ifndef SWITCHGEAR_CODEC_PROBE_ANSWER_H
#define SWITCHGEAR_CODEC_PROBE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/http1.h"
#include "codec/sse.h"
#include "core/answer.h"

#define PROBE_ANSWER_MAX 65536U /* bytes read of one answer, framing included */
#define PROBE_HEAD_MAX 16384U   /* of them before the body; more is malformed, as for agents */
#define PROBE_SESSION_MAX 1024U
#define PROBE_VERSION_MAX 32U

/* What an answer, or a probe, came to: what struct sg_ended wants to know. */
struct probe_result {
	enum sg_class class;
	enum sg_cause cause;
	uint16_t status;         /* HTTP, 0 if none */
	bool complete;           /* a complete answer came, whatever it said */
	uint64_t retry_after_ns; /* 0: none; at most SG_RETRY_AFTER_MAX_NS */
	/* Left alone here, the adapter knows the time: */
	uint64_t latency_ns;
	uint64_t first_ns; /* to the first byte of that answer; 0: none came */
};

struct json_object;

struct probe_answer {
	const struct sg_http_table *table; /* borrowed */
	struct sg_http http;
	struct http1 reader;
	bool modern;  /* codes are read by the rules of the sessionless era */
	bool message; /* a JSON-RPC message is wanted, else the header is enough */
	bool stream;  /* the body is an event stream */
	bool over;    /* result holds */
	bool keep;    /* the result is wanted, and read strictly */
	bool head;    /* what comes is of a header */
	size_t max;   /* bytes that are taken */
	size_t taken;
	size_t head_taken;
	int id;
	uint64_t wall_ns; /* when the header came, by the wall clock; 0: a date in it says nothing */
	int64_t code;     /* of a JSON-RPC error, 0 if none */
	struct buf text;  /* the JSON body */
	struct sse_reader events;
	char protocol[PROBE_VERSION_MAX + 1]; /* result.protocolVersion, "" without */
	struct json_object *kept;             /* the result of a success; NULL: none */
	struct probe_result result;
};

void probe_answer_init(struct probe_answer *a, const struct sg_http_table *table);
void probe_answer_done(struct probe_answer *a);

/* From the next reset on `kept` holds results, of answers of at most max bytes. Two members of
 * one name are malformed then: not everybody reads the same of them. */
void probe_answer_keep(struct probe_answer *a, size_t max);

/* Forgets everything for the answer to the next request. */
void probe_answer_reset(struct probe_answer *a, int id, bool message, bool modern);

/* Both return whether a->result holds now; what follows is then ignored. */
bool probe_answer_feed(struct probe_answer *a, const char *data, size_t len);
bool probe_answer_eof(struct probe_answer *a); /* the peer closed */

/* The session id of the header if there is a valid one; else "". */
void probe_answer_session(const struct probe_answer *a, char out[PROBE_SESSION_MAX + 1]);

#endif
