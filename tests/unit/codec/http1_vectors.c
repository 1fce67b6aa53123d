/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit/codec/http1_vectors.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "unit/unit.h"

#define DIRECTORY "tests/data/http1"
#define VECTORS_MAX 400
#define TEXT_MAX 65536

/* --- the files --------------------------------------------------------------------------- */

static void put_utf8(struct buf *out, unsigned int byte)
{
	if (byte < 0x80) {
		buf_putc(out, (char)byte);
		return;
	}
	buf_putc(out, (char)(0xc0 | byte >> 6));
	buf_putc(out, (char)(0x80 | (byte & 0x3f)));
}

/* One escape, behind its backslash; returns how long it is. */
static size_t put_escape(struct buf *out, const char *p)
{
	static const char plain[][2] = { "r\r", "n\n", "t\t", "f\f" };
	unsigned int value = 0;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (*p == plain[i][0]) {
			buf_putc(out, plain[i][1]);
			return 1;
		}
	if (*p == 'x') {
		while (n < 2 && parse_hex(p[1 + n]) >= 0)
			value = value * 16 + (unsigned int)parse_hex(p[1 + n++]);
		put_utf8(out, value);
		return n + 1;
	}
	for (; n < 3 && p[n] >= '0' && p[n] <= '7'; n++)
		value = value * 8 + (unsigned int)(p[n] - '0');
	if (n)
		put_utf8(out, value);
	else
		buf_putc(out, '\\');
	return n;
}

/* What is written in a file, as bytes: its line ends are CR LF, but behind a backslash none. */
static void put_input(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && text[i + 1] == '\n')
			i++;
		else if (text[i] == '\\')
			i += put_escape(out, text + i + 1);
		else if (text[i] == '\n')
			buf_puts(out, "\r\n");
		else
			buf_putc(out, text[i]);
	}
}

/* The block behind a fence up to the next one; returns what is behind it. */
static const char *block(const char *p, size_t *ret_len)
{
	const char *end = strstr(p, "\n```");

	assert_non_null(end);
	*ret_len = (size_t)(end - p);
	return end + 4;
}

static void set_meta(struct http1_vector *v, const char *line)
{
	const char *end = strchr(line, '\n');
	char meta[128] = "";

	assert_non_null(end);
	memcpy(meta, line,
	       (size_t)(end - line) < sizeof(meta) ? (size_t)(end - line) : sizeof(meta) - 1);
	v->answers = strstr(meta, "\"response") != NULL;
	v->lenient = strstr(meta, "-lenient-") != NULL;
	v->finish = strstr(meta, "-finish") != NULL;
	v->skip_body = strstr(meta, "skipBody") != NULL;
}

static void set_name(struct http1_vector *v, const char *line)
{
	line += strspn(line, "# ");
	snprintf(v->name, sizeof(v->name), "%.*s", (int)strcspn(line, "\n"), line);
}

static size_t read_text(const char *file, const char *text, struct http1_vector *out, size_t n)
{
	struct http1_vector v = { 0 };
	size_t first = n;

	snprintf(v.file, sizeof(v.file), "%.40s", file);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *body;
		size_t len;

		line += *line == '\n';
		if (*line == '#') {
			set_name(&v, line);
		} else if (!strncmp(line, "<!-- meta", 9)) {
			set_meta(&v, line);
		} else if (!strncmp(line, "```http\n", 8)) {
			assert_true(n < VECTORS_MAX);
			body = line + 8;
			line = block(body, &len);
			out[n] = v;
			out[n].input = BUF(TEXT_MAX);
			out[n].log = BUF(TEXT_MAX);
			put_input(&out[n].input, body, len);
		} else if (!strncmp(line, "```log\n", 7)) {
			body = line + 7;
			line = block(body, &len);
			buf_append(&out[n].log, body, len);
			buf_putc(&out[n].log, '\n');
			n++;
		}
	}
	assert_true(n > first);
	return n;
}

static size_t read_file(const char *name, struct http1_vector *out, size_t n)
{
	CLEANUP(freep) char *text = calloc(1, TEXT_MAX);
	CLEANUP(fclosep) FILE *f = NULL;
	char path[300];
	size_t len;

	snprintf(path, sizeof(path), DIRECTORY "/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(text);
	len = fread(text, 1, TEXT_MAX - 1, f);
	assert_true(len && len < TEXT_MAX - 1);
	return read_text(name, text, out, n);
}

static int is_markdown(const struct dirent *entry)
{
	return strstr(entry->d_name, ".md") != NULL;
}

struct http1_vector *http1_vectors_read(size_t *ret_n)
{
	struct http1_vector *v = calloc(VECTORS_MAX, sizeof(*v));
	struct dirent **files = NULL;
	int count = scandir(DIRECTORY, &files, is_markdown, alphasort);
	size_t n = 0;

	assert_non_null(v);
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		n = read_file(files[i]->d_name, v, n);
		free(files[i]);
	}
	free(files);
	*ret_n = n;
	return v;
}

void http1_vectors_free(struct http1_vector *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_done(&v[i].input);
		buf_done(&v[i].log);
	}
	free(v);
}

/* --- what llhttp tells ----------------------------------------------------------------------- */

/* One line of the log: a span of the input, or that something is complete. */
struct entry {
	size_t off;
	size_t len;
	char what[32]; /* of a span; else "" */
	const char *words;
};

static const char *next_entry(const char *line, struct entry *ret)
{
	const char *end = strchr(line, '\n');
	char *rest;

	if (strncmp(line, "off=", 4) != 0 || !end)
		return NULL;
	memset(ret, 0, sizeof(*ret));
	ret->off = strtoul(line + 4, &rest, 10);
	ret->words = strchr(line, ' ') + 1;
	if (!strncmp(ret->words, "len=", 4)) {
		ret->len = strtoul(ret->words + 4, &rest, 10);
		if (!strncmp(rest, " span[", 6))
			snprintf(ret->what, sizeof(ret->what), "%.*s", (int)strcspn(rest + 6, "]"),
				 rest + 6);
	}
	return end + 1;
}

/* What was told of a message so far. */
struct telling {
	struct buf method, target, reason, fields;
	bool head;
	bool body;
};

static void told_head(struct telling *t, const char *words, struct buf *out)
{
	const char *status = strstr(words, "status=");
	const char *version = strstr(words, "v=");

	assert_non_null(version);
	if (status)
		buf_printf(out, "HEAD %.3s %s", status + 7, buf_str(&t->reason));
	else
		buf_printf(out, "HEAD %s %s", buf_str(&t->method), buf_str(&t->target));
	buf_printf(out, " %c.%c\n%s", version[2], version[4], buf_str(&t->fields));
	t->head = true;
}

static bool says(const struct entry *e, const char *words)
{
	return !strncmp(e->words, words, strlen(words));
}

static void told_span(struct telling *t, const struct entry *e, const char *input, struct buf *out)
{
	const char *p = input + e->off;

	if (!strcmp(e->what, "method")) {
		buf_append(&t->method, p, e->len);
	} else if (!strcmp(e->what, "url")) {
		buf_append(&t->target, p, e->len);
	} else if (!strcmp(e->what, "status")) {
		buf_append(&t->reason, p, e->len);
	} else if (!strcmp(e->what, "header_field")) {
		buf_putc(&t->fields, ' ');
		buf_append(&t->fields, p, e->len);
	} else if (!strcmp(e->what, "header_value")) {
		buf_append(&t->fields, p, e->len);
	} else if (!strcmp(e->what, "body")) {
		buf_puts(out, t->body ? "" : "BODY ");
		buf_append(out, p, e->len);
		t->body = true;
	}
}

static void tell_again(struct telling *t)
{
	buf_clear(&t->method);
	buf_clear(&t->target);
	buf_clear(&t->reason);
	buf_clear(&t->fields);
	t->head = false;
}

/* Blanks behind a value belong to it there, and not to us. */
static void trim(struct buf *fields)
{
	while (fields->len && strchr(" \t", fields->data[fields->len - 1]))
		fields->data[--fields->len] = '\0';
	if (fields->len && fields->data[fields->len - 1] == ':')
		buf_putc(fields, ' ');
}

static void told(struct telling *t, const struct entry *e, const char *input, struct buf *out)
{
	bool error = says(e, "error");

	if (t->body && strcmp(e->what, "body") != 0 && (says(e, "message complete") || error)) {
		buf_putc(out, '\n');
		t->body = false;
	}
	if (says(e, "message begin"))
		tell_again(t);
	else if (says(e, "header_field complete"))
		buf_puts(&t->fields, ": ");
	else if (says(e, "header_value complete")) {
		trim(&t->fields);
		buf_putc(&t->fields, '\n');
	} else if (says(e, "headers complete"))
		told_head(t, e->words, out);
	else if (says(e, "message complete"))
		buf_puts(out, "MESSAGE\n");
	else if (error)
		buf_puts(out, strstr(e->words, "Pause on") ? "TUNNEL\n" : "ERROR\n");
	else if (says(e, "finish="))
		buf_puts(out, e->words[7] == '2'   ? "ERROR\n"
			      : e->words[7] == '1' ? "MESSAGE\n"
						   : "");
	else
		told_span(t, e, input, out);
}

void http1_vector_transcript(const struct http1_vector *v, struct buf *out)
{
	struct telling t = { BUF(TEXT_MAX), BUF(TEXT_MAX), BUF(TEXT_MAX), BUF(TEXT_MAX), 0, 0 };
	const char *line = buf_str(&v->log);
	struct entry e;

	while ((line = next_entry(line, &e)))
		told(&t, &e, buf_str(&v->input), out);
	if (t.body)
		buf_putc(out, '\n');
	buf_done(&t.method);
	buf_done(&t.target);
	buf_done(&t.reason);
	buf_done(&t.fields);
}

/* --- the Host that they lack --------------------------------------------------------------------- */

/* Has the message whose log this is one, as far as it goes? */
static bool has_host(const char *line, const char *input)
{
	struct entry e;

	while ((line = next_entry(line, &e)) && !says(&e, "message begin"))
		if (!strcmp(e.what, "header_field") && e.len == 4 &&
		    !strncasecmp(input + e.off, "host", 4))
			return true;
	return false;
}

void http1_vector_with_host(const struct http1_vector *v, struct buf *out)
{
	const char *input = buf_str(&v->input);
	const char *line = buf_str(&v->log);
	const char *message = line;
	size_t at = 0;
	struct entry e;

	while (!v->answers && (line = next_entry(line, &e))) {
		size_t behind = e.off + e.len;

		if (says(&e, "message begin"))
			message = line;
		if (strcmp(e.what, "version") != 0 || strncmp(input + e.off, "1.1", 3) != 0 ||
		    strncmp(input + behind, "\r\n", 2) != 0 || has_host(message, input))
			continue;
		buf_append(out, input + at, behind - at);
		buf_puts(out, "\r\nHost: a");
		at = behind;
	}
	buf_append(out, input + at, v->input.len - at);
}
