/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/rpc.h"

#include <errno.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonpos.h"
#include "codec/jsonw.h"

#define META_VERSION "io.modelcontextprotocol/protocolVersion"

/* --- reading --------------------------------------------------------------------------------- */

static bool is_id(const struct json_object *id)
{
	return json_object_is_type(id, json_type_int) || json_object_is_type(id, json_type_string);
}

static char *id_text(struct json_object *id)
{
	const char *text = json_object_to_json_string_ext(
		id, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	return text && strlen(text) <= RPC_ID_MAX ? strdup(text) : NULL;
}

static int read_params(const struct json_object *obj, struct rpc_message *m, char *version)
{
	const struct json_object *params = jget_object(obj, "params");
	const struct json_object *meta = jget_object(params, "_meta");
	const char *tool = jget_text(params, "name", NULL);

	if (!strcmp(m->method, "initialize"))
		(void)jget_copy(params, "protocolVersion", m->version, sizeof(m->version));
	if (!*version)
		(void)jget_copy(meta, META_VERSION, version, RPC_VERSION_MAX);
	if (strcmp(m->method, "tools/call") != 0 || !tool)
		return 0;
	m->tool = strdup(tool);
	return m->tool ? 0 : -ENOMEM;
}

static int read_one(struct json_object *obj, struct rpc_message *m, char *version)
{
	struct json_object *id = jget(obj, "id");
	const char *method = jget_text(obj, "method", NULL);

	if (!json_object_is_type(obj, json_type_object) ||
	    strcmp(jget_text(obj, "jsonrpc", ""), "2.0") != 0)
		return -EINVAL;
	if (!method) {
		m->kind = RPC_RESPONSE;
		return jget(obj, "result") || jget(obj, "error") ? 0 : -EINVAL;
	}
	m->kind = json_object_object_get_ex(obj, "id", NULL) ? RPC_REQUEST : RPC_NOTIFICATION;
	if (m->kind == RPC_REQUEST) {
		if (!is_id(id))
			return -EINVAL;
		m->id = id_text(id);
		if (!m->id)
			return -EINVAL;
	}
	m->method = strdup(method);
	return m->method ? read_params(obj, m, version) : -ENOMEM;
}

static int read_all(struct json_object *root, struct rpc_batch *b)
{
	b->is_list = json_object_is_type(root, json_type_array);
	b->n = b->is_list ? json_object_array_length(root) : 1;
	if (!b->n || b->n > RPC_BATCH_MAX) {
		b->n = 0;
		return -EINVAL;
	}
	b->v = calloc(b->n, sizeof(*b->v));
	if (!b->v) {
		b->n = 0;
		return -ENOMEM;
	}
	for (size_t i = 0; i < b->n; i++) {
		struct json_object *one = b->is_list ? json_object_array_get_idx(root, i) : root;
		int r = read_one(one, &b->v[i], b->version);

		if (r)
			return r;
	}
	return 0;
}

int rpc_read(const char *text, size_t len, struct rpc_batch *ret)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	CLEANUP(rpc_done) struct rpc_batch b = { 0 };
	struct jsonpos_fault fault;
	int r = jsonpos_parse(text, len, RPC_DEPTH_MAX, &root, &fault);

	if (r)
		return r == -ENOMEM ? r : -EBADMSG;
	r = read_all(root, &b);
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
		if (b->v[i].method && !strcmp(b->v[i].method, method))
			return &b->v[i];
	return NULL;
}

size_t rpc_requests(const struct rpc_batch *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->v[i].kind == RPC_REQUEST;
	return n;
}

/* They are dates, which compare as texts do. */
bool rpc_is_stateless(const char *version)
{
	return strcmp(version, RPC_STATELESS) >= 0;
}

static bool may_repeat(const struct json_object *tool)
{
	const struct json_object *hints = jget_object(tool, "annotations");

	return jget_bool(hints, "idempotentHint", false) || jget_bool(hints, "readOnlyHint", false);
}

bool rpc_may_repeat(const char *tools, size_t len, const char *tool)
{
	CLEANUP(json_putp) struct json_object *list = NULL;

	if (json_parse(tools, len, RPC_DEPTH_MAX, &list) ||
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
	CLEANUP(json_putp) struct json_object *root = NULL;
	const struct json_object *result;

	if (json_parse(text, len, RPC_DEPTH_MAX, &root))
		return false;
	result = json_object_is_type(root, json_type_object) ? jget_object(root, "result") : NULL;
	version[0] = '\0';
	(void)jget_copy(result, "protocolVersion", version, RPC_VERSION_MAX);
	return result != NULL;
}

void rpc_put_string(struct buf *out, const char *text)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_text(&w, NULL, text);
}
