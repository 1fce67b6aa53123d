/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever comes as a message, or as a stream of events with messages in it: what is read
 * strictly is read tolerantly, and as the same; ids come back from what is written of them as
 * equals; how a stream was cut changes nothing. Input: a byte (stream or not, length of the
 * pieces), then the text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/mcp.h"
#include "codec/sse.h"

#define TOLD_MAX (1U << 20)
#define LINE_BYTES 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_id(const struct mcp_id *id)
{
	return id->type == MCP_ID_NUMBER || id->type == MCP_ID_TEXT;
}

static void check_id(const struct mcp_id *id)
{
	CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
	CLEANUP(buf_done) struct buf text = BUF(8192);
	struct mcp_message m;

	buf_puts(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"id\":");
	if (mcp_id_put(&text, id))
		abort();
	buf_putc(&text, '}');
	if (mcp_parse(buf_str(&text), text.len, true, &d))
		abort();
	mcp_message(&d, 0, &m);
	if (is_id(id) ? m.kind != MCP_REQUEST || !mcp_id_equal(&m.id, id) : m.id.type)
		abort();
}

static void check_message(const struct mcp_message *m)
{
	check_id(&m->id);
	check_id(&m->about);
	check_id(&m->progress);
	if (m->kind == MCP_REQUEST && (!is_id(&m->id) || !*m->method))
		abort();
	if (m->kind == MCP_NOTIFICATION && (m->id.type || !*m->method))
		abort();
	if (m->kind == MCP_RESULT && (!is_id(&m->id) || !m->result || *m->method))
		abort();
	if (m->stateless && !mcp_is_stateless(m->protocol))
		abort();
	if (mcp_class(m, false) >= SG_CLASS_COUNT || mcp_class(m, true) >= SG_CLASS_COUNT)
		abort();
}

static void check_text(const char *text, size_t len)
{
	CLEANUP(mcp_document_done) struct mcp_document strict = { 0 };
	CLEANUP(mcp_document_done) struct mcp_document tolerant = { 0 };
	int s = mcp_parse(text, len, true, &strict);
	int t = mcp_parse(text, len, false, &tolerant);

	if (s == 0 && (t || strict.n != tolerant.n || strict.batch != tolerant.batch))
		abort();
	for (size_t i = 0; i < tolerant.n; i++) {
		struct mcp_message a;
		struct mcp_message b;

		mcp_message(&tolerant, i, &a);
		check_message(&a);
		if (s)
			continue;
		mcp_message(&strict, i, &b);
		if (a.kind != b.kind || strcmp(a.method, b.method) != 0 || a.code != b.code ||
		    is_id(&a.id) != is_id(&b.id) || (is_id(&a.id) && !mcp_id_equal(&a.id, &b.id)))
			abort();
	}
}

static void tell_stream(const char *text, size_t len, size_t piece, bool check, struct buf *out)
{
	CLEANUP(sse_done) struct sse_reader r;
	enum sse_came came = SSE_MORE;

	sse_init(&r, LINE_BYTES);
	for (size_t at = 0; at < len && came != SSE_ERROR; at += piece) {
		const char *p = text + at;
		size_t left = len - at < piece ? len - at : piece;

		while ((came = sse_feed(&r, &p, &left)) == SSE_EVENT) {
			if (r.data.len > LINE_BYTES || r.line.len > LINE_BYTES)
				abort();
			buf_printf(out, "%s|%zu|", r.type, r.id.len);
			buf_append(out, buf_str(&r.data), r.data.len);
			if (check)
				check_text(buf_str(&r.data), r.data.len);
		}
	}
	buf_printf(out, "%d %d %d %llu", came == SSE_ERROR, r.has_id, r.has_retry,
		   (unsigned long long)r.retry_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = BUF(TOLD_MAX);
	CLEANUP(buf_done) struct buf torn = BUF(TOLD_MAX);

	if (!size)
		return 0;
	if (data[0] & 1) {
		check_text((const char *)data + 1, size - 1);
		return 0;
	}
	tell_stream((const char *)data + 1, size - 1, SIZE_MAX / 2, true, &whole);
	tell_stream((const char *)data + 1, size - 1, 1 + data[0] / 2 % 64, false, &torn);
	if (whole.len != torn.len || memcmp(buf_str(&whole), buf_str(&torn), whole.len) != 0)
		abort();
	return 0;
}
