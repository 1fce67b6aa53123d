/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/mcp.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonpos.h"
#include "codec/jsonw.h"

#define SAFE_INTEGER ((1LL << 53) - 1) /* beyond it, some readers round */
#define REPLACEMENT "\xef\xbf\xbd"     /* what json-c makes of half a character */

int mcp_parse(const char *text, size_t len, bool strict, struct mcp_document *ret)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	struct jsonpos_fault fault;
	bool batch;
	int r;

	if (len > MCP_TEXT_MAX)
		return -EMSGSIZE;
	r = strict ? jsonpos_parse_strict(text, len, MCP_DEPTH_MAX, &root, &fault)
		   : json_parse(text, len, MCP_DEPTH_MAX, &root);
	if (r)
		return r;
	batch = json_object_is_type(root, json_type_array);
	if (batch ? !json_object_array_length(root) : !json_object_is_type(root, json_type_object))
		return -EBADMSG;
	ret->batch = batch;
	ret->n = batch ? json_object_array_length(root) : 1;
	ret->root = TAKE_PTR(root);
	return 0;
}

void mcp_document_done(struct mcp_document *d)
{
	json_object_put(TAKE_PTR(d->root));
	d->n = 0;
}

/* --- ids --------------------------------------------------------------------------------- */

static void read_id(struct json_object *from, struct mcp_id *ret)
{
	*ret = (struct mcp_id){ .type = from ? MCP_ID_BAD : MCP_ID_NONE };
	if (json_object_is_type(from, json_type_int)) {
		ret->number = json_object_get_int64(from);
		if (ret->number >= -SAFE_INTEGER && ret->number <= SAFE_INTEGER)
			ret->type = MCP_ID_NUMBER;
	} else if (json_object_is_type(from, json_type_string)) {
		size_t len = (size_t)json_object_get_string_len(from);
		const char *text = json_object_get_string(from);

		if (len > sizeof(ret->text) || memmem(text, len, REPLACEMENT, 3))
			return;
		memcpy(ret->text, text, len);
		ret->len = len;
		ret->type = MCP_ID_TEXT;
	}
}

bool mcp_id_equal(const struct mcp_id *a, const struct mcp_id *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == MCP_ID_NUMBER)
		return a->number == b->number;
	return a->type == MCP_ID_TEXT && a->len == b->len && !memcmp(a->text, b->text, a->len);
}

struct mcp_id mcp_id_of(int64_t number)
{
	return (struct mcp_id){ .type = MCP_ID_NUMBER, .number = number };
}

int mcp_id_put(struct buf *out, const struct mcp_id *id)
{
	struct jsonw w;

	jsonw_init(&w, out);
	if (id->type == MCP_ID_NUMBER)
		buf_printf(out, "%" PRId64, id->number);
	else if (id->type == MCP_ID_TEXT)
		jsonw_bytes(&w, NULL, id->text, id->len);
	else
		jsonw_null(&w, NULL);
	return buf_error(out);
}

/* --- messages ------------------------------------------------------------------------------ */

bool mcp_is_stateless(const char *version)
{
	static const char form[] = "dddd-dd-dd";

	if (strlen(version) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? version[i] < '0' || version[i] > '9' : version[i] != '-')
			return false;
	return strcmp(version, MCP_VERSION_STATELESS) >= 0;
}

/* A text that fits and holds no NUL, else "". */
static void read_word(const struct json_object *from, const char *key, char *out, size_t size)
{
	struct json_object *value = jget(from, key);

	if (!json_object_is_type(value, json_type_string) || !jget_copy(from, key, out, size) ||
	    strlen(out) != (size_t)json_object_get_string_len(value))
		out[0] = '\0';
}

/* Of a request or notification. */
static void read_call(const struct json_object *from, struct mcp_message *m)
{
	const struct json_object *params = jget(from, "params");
	const struct json_object *meta = jget_object(params, "_meta");

	m->params = params;
	if (jget_text(meta, MCP_META "protocolVersion", NULL)) {
		read_word(meta, MCP_META "protocolVersion", m->protocol, sizeof(m->protocol));
		m->stateless = mcp_is_stateless(m->protocol);
	} else if (!strcmp(m->method, "initialize")) {
		read_word(params, "protocolVersion", m->protocol, sizeof(m->protocol));
	} else if (!strcmp(m->method, "notifications/cancelled")) {
		read_id(jget(params, "requestId"), &m->about);
		m->reason = jget_text(params, "reason", NULL);
	} else if (!strcmp(m->method, "notifications/progress")) {
		read_id(jget(params, "progressToken"), &m->about);
	}
	read_id(jget(meta, "progressToken"), &m->progress);
	if (m->id.type == MCP_ID_NUMBER || m->id.type == MCP_ID_TEXT)
		m->kind = MCP_REQUEST;
	else if (!json_object_object_get_ex(from, "id", NULL))
		m->kind = MCP_NOTIFICATION;
}

static void read_result(struct json_object *result, struct mcp_message *m)
{
	if ((m->id.type != MCP_ID_NUMBER && m->id.type != MCP_ID_TEXT) ||
	    !json_object_is_type(result, json_type_object))
		return;
	m->kind = MCP_RESULT;
	m->result = result;
	read_word(result, "protocolVersion", m->protocol, sizeof(m->protocol));
	if (!strcmp(jget_text(result, "resultType", ""), "input_required"))
		m->outcome = MCP_INPUT_REQUIRED;
	else if (jget_bool(result, "isError", false))
		m->outcome = MCP_TOOL_FAILED;
}

/* An error may come without id: a server that could not read the request has none. */
static void read_error(const struct json_object *error, struct mcp_message *m)
{
	const struct json_object *code = jget(error, "code");

	if (m->id.type == MCP_ID_BAD || !json_object_is_type(code, json_type_int))
		return;
	m->kind = MCP_ERROR;
	m->code = json_object_get_int64(code);
}

void mcp_message(const struct mcp_document *d, size_t i, struct mcp_message *ret)
{
	const struct json_object *from = d->batch ? json_object_array_get_idx(d->root, i) : d->root;
	struct json_object *result = jget(from, "result");
	const struct json_object *error = jget(from, "error");

	memset(ret, 0, sizeof(*ret));
	read_id(jget(from, "id"), &ret->id);
	read_word(from, "method", ret->method, sizeof(ret->method));
	if (strcmp(jget_text(from, "jsonrpc", ""), "2.0") != 0)
		return;
	if (ret->method[0] && !result && !error)
		read_call(from, ret);
	else if (result && !error && !jget(from, "method"))
		read_result(result, ret);
	else if (error && !result && !jget(from, "method"))
		read_error(error, ret);
}

bool mcp_fields_agree(const struct http1 *head, const struct mcp_message *m)
{
	struct http1_span version;
	struct http1_span method;

	return http1_find(head, "mcp-protocol-version", &version) == 1 &&
	       http1_find(head, "mcp-method", &method) == 1 && http1_equal(version, m->protocol) &&
	       http1_equal(method, m->method);
}

/* --- what they mean --------------------------------------------------------------------------- */

enum sg_class mcp_code_class(int64_t code, bool stateless)
{
	if (code == MCP_CODE_INTERNAL)
		return SG_HARD;
	if (code == MCP_CODE_NO_RESOURCE || code > MCP_CODE_SERVER_FIRST ||
	    code < MCP_CODE_SERVER_LAST)
		return SG_CALLER;
	return stateless || code < MCP_CODE_NO_RESOURCE ? SG_HARD : SG_CALLER;
}

enum sg_class mcp_class(const struct mcp_message *m, bool stateless)
{
	if (m->kind == MCP_ERROR)
		return mcp_code_class(m->code, stateless);
	if (m->kind != MCP_RESULT)
		return SG_HARD;
	if (m->outcome == MCP_INPUT_REQUIRED)
		return SG_CALLER;
	return m->outcome == MCP_TOOL_FAILED ? SG_APP : SG_SUCCESS;
}
