/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The automaton for an answer's header: a status line, then a trie of the four
 * field names that matter, each leading into a small machine for its value.
 * Everything that is not said here leads to SKIP (within a line) or BAD.
 * All lines are there twice: behind the first Content-Length the copy is used in
 * which another one is known to be another one, at no cost for each byte.
 * And the automaton for what is between the data of chunks.
 */
#include "core/answer.h"

#include <errno.h>
#include <string.h>

#define CLASS_OTHER 0

/* The states that every line of a copy begins with, and in which it does not matter. */
struct lines {
	unsigned int start;
	unsigned int skip;
	unsigned int length; /* where the value of a Content-Length begins */
};

struct builder {
	struct sg_http_table *t;
	unsigned int classes;
	unsigned int states;
	struct lines at; /* of the copy that is being built */
	int error;
};

/* The class of a byte, made on first use; letters share it with their capitals. */
static unsigned int class_of(struct builder *b, char c)
{
	unsigned int byte = (unsigned char)c;

	if (b->t->class[byte] != CLASS_OTHER)
		return b->t->class[byte];
	if (b->classes >= SG_HTTP_CLASSES) {
		b->error = -ENOSPC;
		return CLASS_OTHER;
	}
	b->t->class[byte] = (__u8)b->classes;
	if (byte >= 'a' && byte <= 'z')
		b->t->class[byte - 'a' + 'A'] = (__u8)b->classes;
	return b->classes++;
}

/* A new state whose every way leads to `otherwise`; a line's end leads to the next line. */
static unsigned int state_new(struct builder *b, unsigned int otherwise)
{
	unsigned int s = b->states;

	if (s >= SG_HTTP_STATES) {
		b->error = -ENOSPC;
		return SG_HTTP_STATE_BAD;
	}
	b->states++;
	memset(b->t->next[s], (int)otherwise, SG_HTTP_CLASSES);
	if (otherwise != SG_HTTP_STATE_BAD)
		b->t->next[s][class_of(b, '\n')] = (__u8)b->at.start;
	return s;
}

static void edge(struct builder *b, unsigned int from, char c, unsigned int to)
{
	b->t->next[from][class_of(b, c)] = (__u8)to;
}

static void digit_edges(struct builder *b, unsigned int from, unsigned int to)
{
	for (char c = '0'; c <= '9'; c++)
		edge(b, from, c, to);
}

/* Follows or lays the path of a word from a state; the last byte leads to `end`. */
static void word(struct builder *b, unsigned int from, const char *text, unsigned int otherwise,
		 unsigned int end)
{
	unsigned int at = from;

	for (; text[1]; text++) {
		unsigned int to = b->t->next[at][class_of(b, *text)];

		if (to == otherwise) {
			to = state_new(b, otherwise);
			edge(b, at, *text, to);
		}
		at = to;
	}
	edge(b, at, *text, end);
}

static void blank_edges(struct builder *b, unsigned int from, unsigned int to)
{
	edge(b, from, ' ', to); /* and tabs */
}

/*
 * The value of a Content-Length, which may be a list: numbers with blanks around them, else the header
 * is malformed. Whatever follows the first one is in the copy `then`.
 */
static unsigned int length_value(struct builder *b, unsigned int effect, const struct lines *then)
{
	unsigned int begin = state_new(b, SG_HTTP_STATE_BAD);
	unsigned int blank = state_new(b, SG_HTTP_STATE_BAD);
	unsigned int digits = state_new(b, SG_HTTP_STATE_BAD);
	unsigned int after = state_new(b, SG_HTTP_STATE_BAD);
	unsigned int again = then ? then->length : begin;
	unsigned int line = then ? then->start : b->at.start;
	unsigned int ends[] = { digits, after };

	blank_edges(b, begin, blank);
	blank_edges(b, blank, blank);
	digit_edges(b, begin, digits);
	digit_edges(b, blank, digits);
	digit_edges(b, digits, digits);
	for (size_t i = 0; i < 2; i++) {
		blank_edges(b, ends[i], after);
		edge(b, ends[i], '\r', after);
		edge(b, ends[i], '\n', line);
		edge(b, ends[i], ',', again);
	}
	b->t->slot[digits] = SG_SLOT_LENGTH;
	b->t->effect[begin] = (__u16)effect;
	return begin;
}

/*
 * Retry-After: seconds, or a date, of which all digits are kept. A date without a comma has its
 * year behind the time, and is left alone.
 */
static unsigned int retry_value(struct builder *b)
{
	unsigned int name = state_new(b, 0);
	unsigned int space = state_new(b, name);
	unsigned int seconds = state_new(b, b->at.skip);
	unsigned int date = state_new(b, 0);
	unsigned int digits = state_new(b, date);

	memset(b->t->next[name], (int)name, SG_HTTP_CLASSES);
	memset(b->t->next[date], (int)date, SG_HTTP_CLASSES);
	edge(b, name, '\n', b->at.start);
	edge(b, name, ',', date);
	edge(b, date, '\n', b->at.start);
	digit_edges(b, date, digits);
	digit_edges(b, digits, digits);
	blank_edges(b, space, space);
	digit_edges(b, space, seconds);
	digit_edges(b, seconds, seconds);
	b->t->slot[seconds] = SG_SLOT_RETRY;
	b->t->slot[digits] = SG_SLOT_RETRY;
	b->t->effect[space] = SG_HTTP_RETRY;
	b->t->effect[date] = SG_HTTP_DATE;
	return space;
}

/* What does not fit in these states is looked at as if the search began with it. */
static void restart(struct builder *b, unsigned int first, unsigned int start)
{
	for (unsigned int s = first; s < b->states; s++)
		for (unsigned int c = 1; c < b->classes; c++)
			if (b->t->next[s][c] == start)
				b->t->next[s][c] = b->t->next[start][c];
}

/*
 * Looks for a word up to the end of the line, or up to `end` if it is not 0; once found,
 * `effect` and the rest of the line is skipped. After a mismatch the search starts again at
 * the byte that did not fit, which is exact for words whose first byte does not recur in
 * them before the mismatch, as "chunked" and "json". Entering it has the effect `begun`.
 */
static unsigned int search_value(struct builder *b, const char *text, char end, unsigned int begun,
				 unsigned int effect)
{
	unsigned int first = b->states;
	unsigned int start = state_new(b, 0);
	unsigned int found = state_new(b, b->at.skip);
	unsigned int at = start;

	memset(b->t->next[start], (int)start, SG_HTTP_CLASSES);
	edge(b, start, '\n', b->at.start);
	if (end)
		edge(b, start, end, b->at.skip);
	b->t->effect[start] = (__u16)begun;
	b->t->effect[found] = (__u16)(begun | effect);
	for (const char *p = text; p[1]; p++) {
		unsigned int to = state_new(b, start);

		edge(b, at, *p, to);
		at = to;
	}
	edge(b, at, text[strlen(text) - 1], found);
	restart(b, first, start);
	return start;
}

/*
 * A content type is one of MCP's by what is behind its slash, whatever parameters follow: an
 * event stream, or what is, or is made of, JSON.
 */
static unsigned int type_value(struct builder *b)
{
	unsigned int type = state_new(b, 0);
	unsigned int found = state_new(b, b->at.skip);
	unsigned int text = state_new(b, b->at.skip);
	unsigned int json =
		search_value(b, "json", ';', SG_HTTP_TYPE, SG_HTTP_TYPE | SG_HTTP_TYPE_MCP);
	unsigned int subtype = state_new(b, 0);
	unsigned int first;

	memset(b->t->next[type], (int)type, SG_HTTP_CLASSES);
	edge(b, type, '\n', b->at.start);
	edge(b, type, ';', b->at.skip);
	edge(b, type, '/', subtype);
	b->t->effect[type] = SG_HTTP_TYPE;
	b->t->effect[found] = SG_HTTP_TYPE_MCP | SG_HTTP_STREAM;
	b->t->effect[text] = SG_HTTP_TEXT;
	memcpy(b->t->next[subtype], b->t->next[json], SG_HTTP_CLASSES);
	first = b->states;
	word(b, subtype, "event-stream", json, found);
	word(b, subtype, "plain", json, text);
	word(b, subtype, "html", json, text);
	restart(b, first, json);
	return type;
}

static void status_line(struct builder *b)
{
	unsigned int at = SG_HTTP_STATE_START;
	unsigned int minor = state_new(b, SG_HTTP_STATE_BAD);
	unsigned int space = state_new(b, SG_HTTP_STATE_BAD);

	word(b, at, "http/1.", SG_HTTP_STATE_BAD, minor);
	at = state_new(b, SG_HTTP_STATE_BAD);
	digit_edges(b, minor, space);
	edge(b, space, ' ', at);
	for (int i = 0; i < 3; i++) {
		unsigned int digit = state_new(b, SG_HTTP_STATE_BAD);

		digit_edges(b, at, digit);
		b->t->slot[digit] = SG_SLOT_STATUS;
		at = digit;
	}
	edge(b, at, ' ', b->at.skip);
	edge(b, at, '\r', b->at.skip);
	edge(b, at, '\n', b->at.start);
}

/* Bytes that no word tells apart: blanks, and digits but the one of "http/1.". */
static void shared_classes(struct builder *b)
{
	b->classes = CLASS_OTHER + 1;
	b->t->class['\t'] = (__u8)class_of(b, ' ');
	for (char c = '2'; c <= '9'; c++)
		b->t->class[(unsigned char)c] = (__u8)class_of(b, '0');
}

static void fixed_states(struct builder *b)
{
	memset(b->t->next[SG_HTTP_STATE_BAD], SG_HTTP_STATE_BAD, SG_HTTP_CLASSES);
	memset(b->t->next[SG_HTTP_STATE_START], SG_HTTP_STATE_BAD, SG_HTTP_CLASSES);
	memset(b->t->next[SG_HTTP_STATE_END], SG_HTTP_STATE_END, SG_HTTP_CLASSES);
	b->t->effect[SG_HTTP_STATE_BAD] = SG_HTTP_BAD;
	b->t->effect[SG_HTTP_STATE_END] = SG_HTTP_END;
}

/* Everything behind the status line, or behind the first Content-Length, which leads to `then`. */
static void fields(struct builder *b, const struct lines *then)
{
	unsigned int effect = then ? SG_HTTP_LENGTH : SG_HTTP_LENGTH | SG_HTTP_AGAIN;
	struct lines *at = &b->at;
	unsigned int last;

	at->skip = state_new(b, 0);
	at->start = state_new(b, at->skip);
	last = state_new(b, at->skip);
	memset(b->t->next[at->skip], (int)at->skip, SG_HTTP_CLASSES);
	edge(b, at->skip, '\n', at->start);
	edge(b, at->start, '\n', SG_HTTP_STATE_END);
	edge(b, at->start, '\r', last);
	edge(b, last, '\n', SG_HTTP_STATE_END);
	at->length = length_value(b, effect, then);
	word(b, at->start, "content-length:", at->skip, at->length);
	word(b, at->start, "retry-after:", at->skip, retry_value(b));
	word(b, at->start, "transfer-encoding:", at->skip,
	     search_value(b, "chunked", 0, 0, SG_HTTP_CHUNKED));
	word(b, at->start, "content-type:", at->skip, type_value(b));
}

/* --- chunks ------------------------------------------------------------------------- */

enum chunk_class {
	CHUNK_OTHER,
	CHUNK_ZERO,
	CHUNK_DIGIT, /* but 0 */
	CHUNK_CR,
	CHUNK_LF,
	CHUNK_BEHIND, /* what may be behind a size: blanks, and the ; of an extension */
};

/* Two ways to end a line, as everywhere: CR LF, and LF alone. */
static void chunk_line(struct sg_http_table *t, enum sg_chunk_state in, enum sg_chunk_state cr,
		       enum sg_chunk_state next)
{
	t->chunk_next[in][CHUNK_CR] = cr;
	t->chunk_next[in][CHUNK_LF] = next;
	t->chunk_next[cr][CHUNK_LF] = next;
}

/* What is not said leads to SG_CHUNK_BAD, which is 0. */
static void chunks(struct sg_http_table *t)
{
	for (unsigned int byte = 0; byte < 256; byte++)
		if ((byte >= '1' && byte <= '9') || (byte >= 'A' && byte <= 'F') ||
		    (byte >= 'a' && byte <= 'f'))
			t->chunk_class[byte] = CHUNK_DIGIT;
	t->chunk_class['0'] = CHUNK_ZERO;
	t->chunk_class['\r'] = CHUNK_CR;
	t->chunk_class['\n'] = CHUNK_LF;
	t->chunk_class[' '] = t->chunk_class['\t'] = t->chunk_class[';'] = CHUNK_BEHIND;
	memset(t->chunk_next[SG_CHUNK_EXTENSION], SG_CHUNK_EXTENSION, SG_CHUNK_CLASSES);
	memset(t->chunk_next[SG_CHUNK_LAST], SG_CHUNK_LAST, SG_CHUNK_CLASSES);
	memset(t->chunk_next[SG_CHUNK_TRAILER], SG_CHUNK_FIELD, SG_CHUNK_CLASSES);
	memset(t->chunk_next[SG_CHUNK_FIELD], SG_CHUNK_FIELD, SG_CHUNK_CLASSES);
	memset(t->chunk_next[SG_CHUNK_END], SG_CHUNK_END, SG_CHUNK_CLASSES);
	t->chunk_next[SG_CHUNK_SIZE][CHUNK_ZERO] = SG_CHUNK_ZERO;
	t->chunk_next[SG_CHUNK_SIZE][CHUNK_DIGIT] = SG_CHUNK_DIGITS;
	t->chunk_next[SG_CHUNK_ZERO][CHUNK_ZERO] = SG_CHUNK_ZERO;
	t->chunk_next[SG_CHUNK_ZERO][CHUNK_DIGIT] = SG_CHUNK_DIGITS;
	t->chunk_next[SG_CHUNK_DIGITS][CHUNK_ZERO] = SG_CHUNK_DIGITS;
	t->chunk_next[SG_CHUNK_DIGITS][CHUNK_DIGIT] = SG_CHUNK_DIGITS;
	t->chunk_next[SG_CHUNK_ZERO][CHUNK_BEHIND] = SG_CHUNK_LAST;
	t->chunk_next[SG_CHUNK_DIGITS][CHUNK_BEHIND] = SG_CHUNK_EXTENSION;
	t->chunk_shift[SG_CHUNK_DIGITS] = 4;
	chunk_line(t, SG_CHUNK_DIGITS, SG_CHUNK_SIZE_CR, SG_CHUNK_DATA);
	chunk_line(t, SG_CHUNK_EXTENSION, SG_CHUNK_SIZE_CR, SG_CHUNK_DATA);
	chunk_line(t, SG_CHUNK_ZERO, SG_CHUNK_LAST_CR, SG_CHUNK_TRAILER);
	chunk_line(t, SG_CHUNK_LAST, SG_CHUNK_LAST_CR, SG_CHUNK_TRAILER);
	chunk_line(t, SG_CHUNK_AFTER, SG_CHUNK_AFTER_CR, SG_CHUNK_SIZE);
	chunk_line(t, SG_CHUNK_TRAILER, SG_CHUNK_TRAILER_CR, SG_CHUNK_END);
	t->chunk_next[SG_CHUNK_FIELD][CHUNK_LF] = SG_CHUNK_TRAILER;
}

int answer_table_build(struct sg_http_table *t)
{
	struct sg_http_table table = { 0 };
	struct builder b = { .t = &table, .states = SG_HTTP_STATE_FREE };
	struct lines later;

	shared_classes(&b);
	fixed_states(&b);
	fields(&b, NULL);
	later = b.at;
	fields(&b, &later);
	status_line(&b);
	chunks(&table);
	if (b.error)
		return b.error;
	*t = table;
	return 0;
}
