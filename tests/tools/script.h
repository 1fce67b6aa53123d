/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a peer answers, as a script: STEP[,STEP]... where the last step repeats
 * for ever and STEP is WORD[+MODIFIER]...[*TIMES]. build_reply() turns a step
 * into bytes and the moments at which they are sent.
 */
#ifndef SWITCHGEAR_TESTS_SCRIPT_H
#define SWITCHGEAR_TESTS_SCRIPT_H

#include "util.h"

#define STEPS_MAX 32
#define PARTS_MAX 64

enum word {
	WORD_OK,
	WORD_CHUNKED,
	WORD_SSE,
	WORD_SPLIT,
	WORD_STREAM,
	WORD_TICKS,
	WORD_HTML,
	WORD_MALFORMED,
	WORD_TRUNCATE,
	WORD_HANG,
	WORD_RST,
	WORD_EOF,
	WORD_STATUS,
	WORD_COUNT
};

static const char *const word_names[] = {
	[WORD_OK] = "ok",
	[WORD_CHUNKED] = "chunked",
	[WORD_SSE] = "sse",
	[WORD_SPLIT] = "split",
	[WORD_STREAM] = "stream",
	[WORD_TICKS] = "ticks",
	[WORD_HTML] = "html",
	[WORD_MALFORMED] = "malformed",
	[WORD_TRUNCATE] = "truncate",
	[WORD_HANG] = "hang",
	[WORD_RST] = "rst",
	[WORD_EOF] = "eof",
	[WORD_STATUS] = "NNN",
};
_Static_assert(sizeof(word_names) / sizeof(word_names[0]) == WORD_COUNT, "word without a name");

struct step {
	enum word word;
	long status;
	long delay_ms; /* before the first byte */
	long gap_ms;   /* between parts */
	long parts;
	long body;           /* bytes of padding in the body */
	long retry_after;    /* -1: no such header */
	bool close;          /* Connection: close, and then it is */
	bool hold;           /* not before the command "go" */
	unsigned long times; /* how often; the last step goes on after that */
};

struct script {
	struct step steps[STEPS_MAX];
	unsigned int count;
	unsigned int at;
	unsigned long used; /* of the current step */
};

enum ending {
	END_KEEP,
	END_CLOSE,
	END_RST
};

struct reply {
	char *data;
	size_t len;
	size_t cut[PARTS_MAX]; /* end of each part */
	unsigned int parts;
	enum ending ending;
	bool ticks; /* an event follows each gap, for ever */
};

static inline bool parse_modifier(struct step *s, const char *text)
{
	static const struct {
		const char *name;
		size_t offset;
		long max;
	} known[] = {
		{ "delay=", offsetof(struct step, delay_ms), 600000 },
		{ "status=", offsetof(struct step, status), 599 },
		{ "gap=", offsetof(struct step, gap_ms), 600000 },
		{ "parts=", offsetof(struct step, parts), PARTS_MAX - 2 },
		{ "body=", offsetof(struct step, body), 1 << 24 },
		{ "retry-after=", offsetof(struct step, retry_after), 86400 },
	};

	if (!strcmp(text, "close") || !strcmp(text, "hold")) {
		*(*text == 'c' ? &s->close : &s->hold) = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = strlen(known[i].name);
		char *end;
		long value;

		if (strncmp(text, known[i].name, len))
			continue;
		value = strtol(text + len, &end, 10);
		if (end == text + len || *end || value < 0 || value > known[i].max)
			return false;
		*(long *)((char *)s + known[i].offset) = value;
		return true;
	}
	return false;
}

static inline bool parse_word(struct step *s, const char *text)
{
	char *end;

	for (int i = 0; i < WORD_STATUS; i++) {
		if (!strcmp(text, word_names[i])) {
			s->word = (enum word)i;
			return true;
		}
	}
	s->word = WORD_STATUS;
	s->status = strtol(text, &end, 10);
	return end == text + 3 && !*end && s->status >= 100 && s->status <= 599;
}

static inline bool parse_step(struct step *s, char *text)
{
	char *times = strchr(text, '*');
	char *save = NULL;
	char *word;

	memset(s, 0, sizeof(*s));
	s->status = 200;
	s->retry_after = -1;
	s->gap_ms = 50;
	s->parts = 3;
	s->times = 1;
	if (times) {
		*times++ = '\0';
		s->times = strtoul(times, NULL, 10);
		if (!s->times)
			return false;
	}
	word = strtok_r(text, "+", &save);
	if (!word || !parse_word(s, word))
		return false;
	while ((word = strtok_r(NULL, "+", &save))) {
		if (!parse_modifier(s, word))
			return false;
	}
	return true;
}

/* Leaves *script untouched and returns false when the text is not a script. */
static inline bool parse_script(struct script *script, const char *text)
{
	struct script fresh = {};
	char copy[1024];
	char *save = NULL;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	for (char *t = strtok_r(copy, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
		if (fresh.count == STEPS_MAX || !parse_step(&fresh.steps[fresh.count++], t))
			return false;
	}
	if (!fresh.count)
		return false;
	*script = fresh;
	return true;
}

static inline const struct step *script_next(struct script *script)
{
	const struct step *s = &script->steps[script->at];

	if (++script->used >= s->times && script->at + 1 < script->count) {
		script->at++;
		script->used = 0;
	}
	return s;
}

static inline void reply_add(FILE *out, struct reply *r)
{
	fflush(out);
	r->cut[r->parts++] = (size_t)ftell(out);
}

static inline void print_head(FILE *out, const struct step *s, const char *type, long length)
{
	fprintf(out, "HTTP/1.1 %ld %s\r\n", s->status, s->status < 400 ? "OK" : "Failed");
	if (type)
		fprintf(out, "Content-Type: %s\r\n", type);
	if (length >= 0)
		fprintf(out, "Content-Length: %ld\r\n", length);
	if (s->retry_after >= 0)
		fprintf(out, "Retry-After: %ld\r\n", s->retry_after);
	if (s->close)
		fputs("Connection: close\r\n", out);
}

static inline void print_chunked(FILE *out, struct reply *r, const struct step *s, const char *body)
{
	size_t len = strlen(body);

	print_head(out, s, "application/json", -1);
	fprintf(out, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%.*s\r\n", len / 2, (int)(len / 2),
		body);
	reply_add(out, r);
	fprintf(out, "%zx\r\n%s\r\n", len - len / 2, body + len / 2);
	reply_add(out, r);
	fputs("0\r\n\r\n", out);
	reply_add(out, r);
}

static inline void print_sse(FILE *out, struct reply *r, const struct step *s, const char *body)
{
	print_head(out, s, "text/event-stream", -1);
	fputs("Transfer-Encoding: chunked\r\n\r\n", out);
	reply_add(out, r);
	if (s->word == WORD_STREAM || s->word == WORD_TICKS)
		return;
	for (long i = 1; i < s->parts; i++) {
		fputs("f\r\n: keep waiting\n\r\n", out);
		reply_add(out, r);
	}
	fprintf(out, "%zx\r\nevent: message\ndata: %s\n\n\r\n0\r\n\r\n", strlen(body) + 23, body);
	reply_add(out, r);
}

static inline void print_plain(FILE *out, struct reply *r, const struct step *s, const char *body)
{
	bool empty = s->word == WORD_STATUS && (s->status == 202 || s->status == 204);
	long length = empty ? 0 : (long)strlen(body);

	if (s->word == WORD_HTML)
		body = "<!doctype html><p>no";
	if (s->word == WORD_HTML)
		length = (long)strlen(body);
	print_head(out, s, s->word == WORD_HTML ? "text/html" : "application/json",
		   s->word == WORD_TRUNCATE ? length + 100 : length);
	fputs("\r\n", out);
	if (s->word == WORD_SPLIT) {
		fprintf(out, "%.*s", (int)(length / 2), body);
		reply_add(out, r);
		body += length / 2;
	}
	fputs(empty ? "" : body, out);
	reply_add(out, r);
}

/* The caller frees reply.data. `body` is the JSON text of a good answer. */
static inline struct reply build_reply(const struct step *s, const char *body)
{
	struct reply r = { .ending = s->close ? END_CLOSE : END_KEEP,
			   .ticks = s->word == WORD_TICKS };
	FILE *out = open_memstream(&r.data, &r.len);

	if (!out)
		die("out of memory");
	switch (s->word) {
	case WORD_CHUNKED:
		print_chunked(out, &r, s, body);
		break;
	case WORD_SSE:
	case WORD_STREAM:
	case WORD_TICKS:
		print_sse(out, &r, s, body);
		break;
	case WORD_MALFORMED:
		fputs("SSH-2.0-not-http\r\n\r\n", out);
		reply_add(out, &r);
		break;
	case WORD_HANG:
		break;
	case WORD_RST:
		r.ending = END_RST;
		break;
	case WORD_EOF:
		r.ending = END_CLOSE;
		break;
	default:
		print_plain(out, &r, s, body);
		break;
	}
	if (s->word == WORD_TRUNCATE)
		r.ending = END_CLOSE;
	fclose(out);
	return r;
}

#endif
