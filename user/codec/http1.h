/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP/1.x (RFC 9112) as it comes on a connection: one message after another, requests or
 * answers, in pieces of any size. The only parser of it that this project has. It pushes: each
 * call takes bytes up to one event and says which. What two readers could understand
 * differently is refused, and never repaired: see enum http1_error.
 *
 *	struct http1_span in = { data, len }, body;
 *	enum http1_event e;
 *
 *	do {
 *		e = http1_feed(&h, &in, &body);
 *		switch (e) ...
 *	} while (e != HTTP1_MORE && e != HTTP1_ERROR);
 *
 * Events come in this order: HTTP1_HEAD, any number of HTTP1_BODY, HTTP1_MESSAGE. The caller
 * may leave the loop at each of them and come back later with what `in` still holds: a
 * message that is complete ends the call, also if requests follow in the same bytes. An event
 * may need no byte (the end of a message without body): go on until HTTP1_MORE, also with
 * nothing left. The peer's end of the connection is told by http1_eof().
 *
 * Invariants:
 *  T1  How the bytes were cut into pieces changes nothing but how many HTTP1_BODY there are.
 *  T2  Only the head is kept: head_max bytes at most, and 16 more for each of HTTP1_FIELDS_MAX
 *      fields; lines between chunks have HTTP1_CHUNK_LINE_MAX bytes, trailers head_max. Time is
 *      linear.
 *  T3  An error is final; nothing behind the byte it is about was taken for HTTP.
 *  T4  Nothing behind the end of a message is consumed before the next call, and never if
 *      the connection does not go on (persist).
 *
 * A parser belongs to one thread. Nothing here logs.
 */
#ifndef SWITCHGEAR_CODEC_HTTP1_H
#define SWITCHGEAR_CODEC_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define HTTP1_HEAD_MAX 65536U      /* a head_max for who has no other wish */
#define HTTP1_FIELDS_MAX 2000U     /* fields of a head, as in Node.js */
#define HTTP1_CHUNK_LINE_MAX 4096U /* bytes of the line that a chunk begins with */

/* Bytes that belong to somebody else, without terminator. {NULL, 0} is empty. */
struct http1_span {
	const char *p;
	size_t len;
};

#define HTTP1_SPAN(text) ((struct http1_span){ (text), strlen(text) })

enum http1_kind {
	HTTP1_REQUESTS,
	HTTP1_ANSWERS,
	/* Answers to requests of our own, read as tolerantly as the programs in the kernel read
	 * those to agents (headers/http1.h), so that an answer means the same in both places: a
	 * line may end in LF alone, lengths that are repeated may be equal, chunks win over a
	 * length, the version is 1.x, blanks and anything printable may follow the size of a chunk.
	 * Never for what is handed on to somebody else. */
	HTTP1_ANSWERS_TOLERANT,
};

enum http1_event {
	HTTP1_MORE,    /* all bytes are consumed, and nothing is left to be told */
	HTTP1_HEAD,    /* the head is complete: what struct http1 says of the message holds */
	HTTP1_BODY,    /* a piece of the body without its framing, not empty, a part of the input */
	HTTP1_MESSAGE, /* the message is complete; what it was holds until the next call */
	HTTP1_ERROR,   /* http1.error, at http1.error_at */
};

/* Why something is no message that is taken. http1_error_words() has the words. */
enum http1_error {
	HTTP1_FINE,
	HTTP1_BAD_METHOD,     /* no token */
	HTTP1_BAD_TARGET,     /* of none of the four forms, or not of the one its method has */
	HTTP1_BAD_VERSION,    /* not HTTP/1.0 or HTTP/1.1, or not HTTP at all */
	HTTP1_BAD_STATUS,     /* not three digits from 100 to 599 */
	HTTP1_BAD_LINE_END,   /* CR or LF alone */
	HTTP1_BAD_CONTROL,    /* NUL or another control character */
	HTTP1_BAD_FIELD,      /* a line without colon, or no token in front of it (or a blank) */
	HTTP1_BAD_FOLD,       /* a line that begins with a blank */
	HTTP1_BAD_LENGTH,     /* a Content-Length that is no number below 2^63; one of a CONNECT */
	HTTP1_TWO_LENGTHS,    /* a second Content-Length */
	HTTP1_BAD_CODING,     /* a Transfer-Encoding other than chunked, once, in HTTP/1.1 */
	HTTP1_LENGTH_CODING,  /* Content-Length and Transfer-Encoding */
	HTTP1_BAD_HOST,       /* a Host that is none, is repeated, or missing in HTTP/1.1 */
	HTTP1_BAD_CHUNK,      /* a malformed size, extension, or end of a chunk */
	HTTP1_CHUNK_TOO_LONG, /* a size of 2^60 bytes or more */
	HTTP1_HEAD_TOO_LONG,  /* more bytes or fields, in head or trailers, than may be */
	HTTP1_AFTER_END,      /* bytes behind the last message of the connection */
	HTTP1_CUT_OFF,        /* the connection ended inside a message */
	HTTP1_NO_MEMORY,      /* ours, not the peer's */
	HTTP1_ERROR_COUNT
};

/* How the end of the body is known. */
enum http1_framing {
	HTTP1_NO_BODY, /* whatever the fields say */
	HTTP1_BY_LENGTH,
	HTTP1_BY_CHUNKS,
	HTTP1_BY_CLOSE, /* answers only */
};

/* What an answer is to. */
enum http1_asked {
	HTTP1_ASKED_OTHER,
	HTTP1_ASKED_HEAD,
	HTTP1_ASKED_CONNECT,
};

/* Where the name and the value of a field are in http1.head; the value without blanks around. */
struct http1_place {
	uint32_t name;
	uint32_t name_len;
	uint32_t value;
	uint32_t value_len;
};

struct http1_field {
	struct http1_span name;
	struct http1_span value;
};

struct http1 {
	/* The message, from HTTP1_HEAD on until the call behind HTTP1_MESSAGE; spans are into
	 * `head`. Read only. The struct may be moved, but not copied. */
	struct http1_span method; /* of a request */
	struct http1_span target;
	unsigned int status;      /* of an answer; 0 in a request */
	struct http1_span reason; /* may be empty */
	unsigned int minor;       /* of the version: 0 or 1 (tolerant: to 9) */
	enum http1_framing framing;
	uint64_t length; /* of the body: HTTP1_BY_LENGTH; else 0 */
	bool persist;    /* another message may follow on the connection */
	bool interim;    /* 1xx but 101: the answer itself follows as another message */
	bool tunnel;     /* 101, or 2xx to CONNECT: what follows is no HTTP, and the caller's */
	bool upgrade;    /* Connection: upgrade, and an Upgrade field */
	unsigned int n_fields;

	/* Where it stands. Read only. */
	enum http1_error error;
	uint64_t error_at; /* the byte it is about, counted from http1_init(), from 0 */
	uint64_t taken;    /* bytes consumed since http1_init() */
	uint64_t left;     /* bytes that the length, or the chunk, still lacks */

	/* The parser's own. */
	enum http1_kind kind;
	enum http1_asked asked;
	uint8_t state;
	bool host, close, keep_alive, upgrade_token, upgrade_field, has_length, chunked;
	size_t head_max;
	size_t line;     /* where the current line begins in head */
	size_t between;  /* bytes of the line between chunks, or of the trailer */
	uint64_t begins; /* of what is in head: taken, then */
	struct buf head;
	struct http1_place first; /* method and target, or the reason as a value */
	struct http1_place *fields;
	unsigned int fields_cap;
};

/* head_max: bytes of a head, from 64 to 1 MiB. Allocates nothing. */
void http1_init(struct http1 *h, enum http1_kind kind, size_t head_max);
/* The same parser for another connection; memory is kept. */
void http1_reset(struct http1 *h);
void http1_done(struct http1 *h); /* frees; may be called twice, and on zeros */

/* Before the head of an answer comes: what it is to. Holds over interim answers, up to the end of
 * the final one; then it is HTTP1_ASKED_OTHER again. */
void http1_asked(struct http1 *h, enum http1_asked asked);

/* Consumes from the front of *in up to one event; *ret_body is the piece at HTTP1_BODY, else
 * empty. The result is to be looked at: errors are in it. */
enum http1_event http1_feed(struct http1 *h, struct http1_span *in,
			    struct http1_span *ret_body) MUST_CHECK;

/* The connection ended, behind all that was fed and after HTTP1_MORE. HTTP1_MORE: between two
 * messages (or before the first). HTTP1_MESSAGE: that end was what the body was read up to.
 * HTTP1_ERROR: HTTP1_CUT_OFF, or the error that was there. */
enum http1_event http1_eof(struct http1 *h) MUST_CHECK;

/* "the size of a chunk is malformed": for people, no full stop. Never NULL. */
const char *http1_error_words(enum http1_error error);

/* --- what the head says -------------------------------------------------------------- */

/* i < n_fields; in their order. */
struct http1_field http1_field(const struct http1 *h, unsigned int i);

/* How many fields have this name, in whatever case. *ret (may be NULL) is the value of the first
 * one, untouched without. More than one is a reason to refuse what has to be single. */
unsigned int http1_find(const struct http1 *h, const char *name, struct http1_span *ret);

/* Is this token a member of the list that the fields of this name are together? The case of neither
 * matters; parameters (;) of a member are not looked at. */
bool http1_has_token(const struct http1 *h, const char *name, const char *token);

/* The same of one value. */
bool http1_list_has(struct http1_span list, const char *token);

/* Is there one Content-Type, and is it this ("application/json"), in whatever case and with whatever
 * parameters? */
bool http1_is_type(const struct http1 *h, const char *type);

bool http1_equal(struct http1_span a, const char *text);      /* byte for byte */
bool http1_equal_case(struct http1_span a, const char *text); /* but the case of ASCII letters */
bool http1_is_token(struct http1_span a);                     /* RFC 9110: not empty, tchar only */

/* --- making heads ---------------------------------------------------------------------- */

/* Each appends one line. -EINVAL, with nothing appended, for what could break out of its place:
 * a method or name that is no token, a target with blanks or controls, a value or reason with
 * CR, LF, NUL or another control but a tab, a status outside 100 to 599. Else buf_error(). */
int http1_put_request(struct buf *out, struct http1_span method,
		      struct http1_span target) MUST_CHECK; /* HTTP/1.1 */
int http1_put_status(struct buf *out, unsigned int status, struct http1_span reason) MUST_CHECK;
int http1_put_field(struct buf *out, struct http1_span name, struct http1_span value) MUST_CHECK;
int http1_put_number(struct buf *out, const char *name, uint64_t value) MUST_CHECK;
/* The empty line. */
int http1_put_end(struct buf *out) MUST_CHECK;

#endif
