/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/rpc.h"

#include <errno.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonw.h"

/* --- reading --------------------------------------------------------------------------------- */

static void document_done(struct mcp_document *d)
{
	mcp_document_done(d);
}

static char *id_text(const struct mcp_id *id)
{
	CLEANUP(buf_done) struct buf text = BUF(6 * MCP_ID_MAX + 2);

	return mcp_id_put(&text, id) ? NULL : buf_steal(&text);
}

static int read_one(const struct mcp_message *from, struct rpc_message *m)
{
	const char *tool = jget_text(from->params, "name", NULL);

	if (from->kind == MCP_MALFORMED)
		return -EINVAL;
	m->kind = from->kind;
	m->method = strdup(from->method);
	if (!m->method)
		return -ENOMEM;
	if (m->kind == MCP_REQUEST) {
		m->id = id_text(&from->id);
		if (!m->id)
			return -ENOMEM;
	}
	if (!strcmp(m->method, "initialize"))
		memcpy(m->version, from->protocol, sizeof(m->version));
	if (strcmp(m->method, "tools/call") != 0 || !tool)
		return 0;
	m->tool = strdup(tool);
	return m->tool ? 0 : -ENOMEM;
}

static int read_all(const struct mcp_document *d, struct rpc_batch *b)
{
	if (d->n > RPC_BATCH_MAX)
		return -EINVAL;
	b->v = calloc(d->n, sizeof(*b->v));
	if (!b->v)
		return -ENOMEM;
	b->n = d->n;
	b->is_list = d->batch;
	for (size_t i = 0; i < d->n; i++) {
		struct mcp_message m;
		int r;

		mcp_message(d, i, &m);
		r = read_one(&m, &b->v[i]);
		if (r)
			return r;
		b->stateless |= m.stateless;
	}
	return 0;
}

int rpc_read(const char *text, size_t len, struct rpc_batch *ret)
{
	CLEANUP(document_done) struct mcp_document d = { 0 };
	CLEANUP(rpc_done) struct rpc_batch b = { 0 };
	int r = mcp_parse(text, len, true, &d);

	if (r)
		return r == -ENOMEM ? r : -EBADMSG;
	r = read_all(&d, &b);
	if (r)
		return r;
	*ret = b;
	b = (struct rpc_batch){ 0 };
	return 0;
}

void rpc_done(struct rpc_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].id);
		free(b->v[i].method);
		free(b->v[i].tool);
	}
	free(b->v);
	*b = (struct rpc_batch){ 0 };
}

/* --- what it says ----------------------------------------------------------------------------- */

const struct rpc_message *rpc_find(const struct rpc_batch *b, const char *method)
{
	for (size_t i = 0; i < b->n; i++)
		if (!strcmp(b->v[i].method, method))
			return &b->v[i];
	return NULL;
}

size_t rpc_requests(const struct rpc_batch *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->v[i].kind == MCP_REQUEST;
	return n;
}

static bool may_repeat(const struct json_object *tool)
{
	const struct json_object *hints = jget_object(tool, "annotations");

	return jget_bool(hints, "idempotentHint", false) || jget_bool(hints, "readOnlyHint", false);
}

bool rpc_may_repeat(const char *tools, size_t len, const char *tool)
{
	CLEANUP(json_putp) struct json_object *list = NULL;

	if (json_parse(tools, len, MCP_DEPTH_MAX, &list) ||
	    !json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const struct json_object *one = json_object_array_get_idx(list, i);

		if (json_object_is_type(one, json_type_object) &&
		    !strcmp(jget_text(one, "name", ""), tool))
			return may_repeat(one);
	}
	return false;
}

bool rpc_initialized(const char *text, size_t len, char version[RPC_VERSION_MAX])
{
	CLEANUP(document_done) struct mcp_document d = { 0 };
	struct mcp_message m;

	if (mcp_parse(text, len, true, &d) || d.batch)
		return false;
	mcp_message(&d, 0, &m);
	if (m.kind != MCP_RESULT)
		return false;
	memcpy(version, m.protocol, sizeof(m.protocol));
	return true;
}

void rpc_put_string(struct buf *out, const char *text)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_text(&w, NULL, text);
}
