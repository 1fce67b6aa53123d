/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/findings.h"

#include <errno.h>
#include <string.h>

#include "codec/findings_read.h"
#include "codec/jsonget.h"
#include "codec/jsonw.h"

#define ENCODED_MAX (16 * FINDING_TEXT_MAX * 6)

static const struct {
	const char *name;
	const struct findings_kind *kind;
} formats[] = {
	[FINDINGS_AUTO] = { "auto", NULL },
	[FINDINGS_NATIVE] = { "native", &findings_native },
	[FINDINGS_SARIF] = { "sarif", &findings_sarif },
	[FINDINGS_SNYK] = { "snyk", &findings_snyk },
	[FINDINGS_CISCO] = { "cisco", &findings_cisco },
	[FINDINGS_MCPSPY] = { "mcpspy", &findings_mcpspy },
	[FINDINGS_GUARDIAN] = { "guardian", &findings_guardian },
};
_Static_assert(ARRAY_SIZE(formats) == FINDINGS_FORMAT_COUNT, "each has a reader");

const char *findings_format_name(unsigned int format)
{
	return format < FINDINGS_FORMAT_COUNT ? formats[format].name : "?";
}

int findings_format_from_name(const char *name)
{
	for (int i = 0; i < FINDINGS_FORMAT_COUNT; i++)
		if (!strcmp(name, formats[i].name))
			return i;
	return -EINVAL;
}

/* --- a file ---------------------------------------------------------------------------------- */

static void read_document(struct findings_reader *f, const struct findings_kind *kind,
			  struct json_object *root)
{
	const struct config_value v = finding_document(root);

	kind->read(f, &v);
}

/* Parses the reader's text; complains. */
static int parse(struct findings_reader *f, struct json_object **ret)
{
	struct jsonpos_fault fault;
	int r = jsonpos_parse(f->r.text, f->r.len, JSONPOS_DEPTH_MAX, ret, &fault);

	if (!r || r == -ENOMEM)
		return r;
	f->r.n_errors++;
	buf_printf(f->r.errors, "%s:%u:%u: %s\n", f->r.file, fault.at.line + f->r.lines_before,
		   fault.at.column, fault.what);
	return -EINVAL;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

static size_t line_length(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);

	return end ? (size_t)(end - text) : len;
}

static int read_lines(struct findings_reader *f, const struct findings_kind *kind, const char *text,
		      size_t len)
{
	int r = 0;

	for (size_t n; len && !r; text += n, len -= n) {
		CLEANUP(json_putp) struct json_object *root = NULL;

		n = line_length(text, len);
		f->r.text = text;
		f->r.len = n;
		n += n < len;
		if (!is_blank(f->r.text, f->r.len)) {
			r = parse(f, &root);
			if (!r)
				read_document(f, kind, root);
		}
		f->r.lines_before++;
	}
	return r;
}

/* The first line that is not blank, if it is a document of its own and not the only one. */
static bool first_line(const char *text, size_t len, struct json_object **ret)
{
	struct jsonpos_fault fault;
	size_t n = line_length(text, len);

	while (len && is_blank(text, n)) {
		n += n < len;
		text += n;
		len -= n;
		n = line_length(text, len);
	}
	return n && !jsonpos_parse(text, n, JSONPOS_DEPTH_MAX, ret, &fault);
}

static enum findings_format recognise(const struct json_object *root, const char *file)
{
	for (int i = FINDINGS_NATIVE; i < FINDINGS_FORMAT_COUNT; i++)
		if (formats[i].kind->is(root, file))
			return i;
	return FINDINGS_AUTO;
}

static int unknown(struct findings_reader *f)
{
	f->r.n_errors++;
	buf_printf(f->r.errors, "%s: of no known format: ", f->r.file);
	for (int i = FINDINGS_NATIVE; i < FINDINGS_FORMAT_COUNT; i++)
		buf_printf(f->r.errors, "%s%s", i == FINDINGS_NATIVE ? "" : ", ", formats[i].name);
	buf_puts(f->r.errors, "; is this what the scanner wrote?\n");
	return -EINVAL;
}

static int read_file(struct findings_reader *f, const char *text, size_t len)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	enum findings_format format = f->o->format;
	bool lines = first_line(text, len, &root);
	int r = 0;

	f->r.text = text;
	f->r.len = len;
	if (!lines)
		r = parse(f, &root);
	if (r)
		return r;
	if (format == FINDINGS_AUTO)
		format = recognise(root, f->o->file);
	if (format == FINDINGS_AUTO)
		return unknown(f);
	f->to->format = format;
	if (lines && formats[format].kind->lines)
		return read_lines(f, formats[format].kind, text, len);
	if (lines) { /* the line may not have been all of it */
		json_putp(&root);
		root = NULL;
		r = parse(f, &root);
	}
	if (!r)
		read_document(f, formats[format].kind, root);
	return r;
}

int findings_read(const char *text, size_t len, const struct findings_options *o,
		  struct findings *ret, struct buf *errors)
{
	const char *file = o->file ? o->file : "-";
	struct findings_reader f = { .r = { .file = file, .errors = errors }, .o = o, .to = ret };
	int r = 0;

	*ret = (struct findings){ 0 };
	if (len > FINDINGS_SIZE_MAX) {
		buf_printf(errors, "%s: %zu bytes; a report may have at most %u\n", file, len,
			   FINDINGS_SIZE_MAX);
		return -EINVAL;
	}
	if (is_blank(text, len)) {
		buf_printf(errors, "%s: it is empty; did the scanner fail?\n", file);
		return -EINVAL;
	}
	r = read_file(&f, text, len);
	if (f.r.no_memory)
		r = -ENOMEM;
	else if (!r && f.r.n_errors)
		r = -EINVAL;
	if (r)
		findings_done(ret);
	return r;
}

int finding_encode(const struct finding *f, struct buf *out)
{
	static const struct {
		const char *key;
		size_t offset;
	} texts[] = {
		{ "version", offsetof(struct finding, version) },
		{ "rule", offsetof(struct finding, rule) },
		{ "location", offsetof(struct finding, location) },
		{ "digest", offsetof(struct finding, digest) },
		{ "message", offsetof(struct finding, message) },
		{ "evidence_sha256", offsetof(struct finding, evidence) },
	};
	CLEANUP(buf_done) struct buf line = BUF(ENCODED_MAX);
	struct jsonw w;

	jsonw_init(&w, &line);
	jsonw_object(&w, NULL);
	if (f->wall_ns)
		jsonw_time(&w, "time", f->wall_ns);
	jsonw_bytes(&w, "source", f->source, strlen(f->source));
	jsonw_bytes(&w, "severity", finding_severity_name(f->severity),
		    strlen(finding_severity_name(f->severity)));
	jsonw_double(&w, "confidence", f->confidence);
	jsonw_object(&w, "server");
	/* whole: whoever reads it has to find the server by them */
	if (f->server.name)
		jsonw_bytes(&w, "name", f->server.name, strlen(f->server.name));
	if (f->server.url)
		jsonw_bytes(&w, "url", f->server.url, strlen(f->server.url));
	if (f->server.command)
		jsonw_bytes(&w, "command", f->server.command, strlen(f->server.command));
	jsonw_object_end(&w);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = *(char *const *)((const char *)f + texts[i].offset);

		if (text)
			jsonw_bytes(&w, texts[i].key, text, strlen(text));
	}
	jsonw_object_end(&w);
	buf_putc(&line, '\n');
	if (buf_error(&line))
		return buf_error(&line);
	buf_append(out, line.data, line.len);
	return buf_error(out);
}
