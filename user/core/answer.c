/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The automaton for an answer's header: a status line, then a trie of the four
 * field names that matter, each leading into a small machine for its value.
 * Everything that is not said here leads to SKIP (within a line) or BAD.
 */
#include "core/answer.h"

#include <errno.h>
#include <string.h>

#define CLASS_OTHER 0

struct builder {
	struct sg_http_table *t;
	unsigned int classes;
	unsigned int states;
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

/* A new state whose every way leads to `otherwise`; a line's end leads to LINE. */
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
		b->t->next[s][class_of(b, '\n')] = SG_HTTP_STATE_LINE;
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

/* A number behind optional space, `effect` as soon as its field's name is over. Anything
 * but a number leads to `otherwise`. */
static unsigned int number_value(struct builder *b, enum sg_http_slot slot, unsigned int effect,
				 unsigned int otherwise)
{
	unsigned int space = state_new(b, otherwise);
	unsigned int digits = state_new(b, otherwise);
	unsigned int after = state_new(b, otherwise);

	edge(b, space, ' ', space);
	edge(b, space, '\t', space);
	digit_edges(b, space, digits);
	digit_edges(b, digits, digits);
	edge(b, digits, '\r', after);
	edge(b, digits, ' ', after);
	edge(b, digits, '\n', SG_HTTP_STATE_LINE);
	edge(b, after, '\r', after);
	edge(b, after, ' ', after);
	edge(b, after, '\n', SG_HTTP_STATE_LINE);
	b->t->slot[digits] = slot;
	b->t->effect[space] = (__u8)effect;
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
	unsigned int found = state_new(b, SG_HTTP_STATE_SKIP);
	unsigned int at = start;

	memset(b->t->next[start], (int)start, SG_HTTP_CLASSES);
	edge(b, start, '\n', SG_HTTP_STATE_LINE);
	if (end)
		edge(b, start, end, SG_HTTP_STATE_SKIP);
	b->t->effect[start] = (__u8)begun;
	b->t->effect[found] = (__u8)(begun | effect);
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
	unsigned int found = state_new(b, SG_HTTP_STATE_SKIP);
	unsigned int json =
		search_value(b, "json", ';', SG_HTTP_TYPE, SG_HTTP_TYPE | SG_HTTP_TYPE_MCP);
	unsigned int subtype = state_new(b, 0);
	unsigned int first;

	memset(b->t->next[type], (int)type, SG_HTTP_CLASSES);
	edge(b, type, '\n', SG_HTTP_STATE_LINE);
	edge(b, type, ';', SG_HTTP_STATE_SKIP);
	edge(b, type, '/', subtype);
	b->t->effect[type] = SG_HTTP_TYPE;
	b->t->effect[found] = SG_HTTP_TYPE_MCP | SG_HTTP_STREAM;
	memcpy(b->t->next[subtype], b->t->next[json], SG_HTTP_CLASSES);
	first = b->states;
	word(b, subtype, "event-stream", json, found);
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
	edge(b, at, ' ', SG_HTTP_STATE_SKIP);
	edge(b, at, '\r', SG_HTTP_STATE_SKIP);
	edge(b, at, '\n', SG_HTTP_STATE_LINE);
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
	memset(b->t->next[SG_HTTP_STATE_LINE], SG_HTTP_STATE_SKIP, SG_HTTP_CLASSES);
	memset(b->t->next[SG_HTTP_STATE_SKIP], SG_HTTP_STATE_SKIP, SG_HTTP_CLASSES);
	b->t->effect[SG_HTTP_STATE_BAD] = SG_HTTP_BAD;
	b->t->effect[SG_HTTP_STATE_END] = SG_HTTP_END;
	edge(b, SG_HTTP_STATE_SKIP, '\n', SG_HTTP_STATE_LINE);
	edge(b, SG_HTTP_STATE_LINE, '\n', SG_HTTP_STATE_END);
}

int answer_table_build(struct sg_http_table *t)
{
	struct sg_http_table table = { 0 };
	struct builder b = { .t = &table, .states = SG_HTTP_STATE_FREE };
	unsigned int last;

	shared_classes(&b);
	fixed_states(&b);
	last = state_new(&b, SG_HTTP_STATE_SKIP);
	edge(&b, SG_HTTP_STATE_LINE, '\r', last);
	edge(&b, last, '\n', SG_HTTP_STATE_END);
	status_line(&b);
	word(&b, SG_HTTP_STATE_LINE, "content-length:", SG_HTTP_STATE_SKIP,
	     number_value(&b, SG_SLOT_LENGTH, SG_HTTP_LENGTH, SG_HTTP_STATE_BAD));
	word(&b, SG_HTTP_STATE_LINE, "retry-after:", SG_HTTP_STATE_SKIP,
	     number_value(&b, SG_SLOT_RETRY, SG_HTTP_RETRY, SG_HTTP_STATE_SKIP));
	word(&b, SG_HTTP_STATE_LINE, "transfer-encoding:", SG_HTTP_STATE_SKIP,
	     search_value(&b, "chunked", 0, 0, SG_HTTP_CHUNKED));
	word(&b, SG_HTTP_STATE_LINE, "content-type:", SG_HTTP_STATE_SKIP, type_value(&b));
	if (b.error)
		return b.error;
	*t = table;
	return 0;
}
