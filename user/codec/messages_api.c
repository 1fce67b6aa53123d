/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Requests and their replies. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "codec/fields.h"
#include "codec/jsonpos.h"
#include "codec/messages.h"
#include "core/names.h"

#define REQUEST_DEPTH_MAX 4U
#define REPLY_SMALL_MAX 65536U

static const char *const verbs[] = {
	[REQUEST_QUARANTINE] = "quarantine",
	[REQUEST_RELEASE] = "release",
	[REQUEST_TRIP] = "trip",
	[REQUEST_RESET] = "reset",
	[REQUEST_FORCE] = "force",
	[REQUEST_APPROVE] = "approve",
	[REQUEST_BYPASS] = "bypass",
};
NAME_FUNCTIONS(request_verb, enum request_verb, verbs, REQUEST_COUNT)

const struct request_force request_forces[REQUEST_FORCES] = {
	{ "closed", SG_FORCED_CLOSED },
	{ "shadow", SG_SHADOW },
	{ "disabled", SG_DISABLED },
};

/* --- requests ------------------------------------------------------------------ */

struct complaint {
	char *text;
	size_t size;
};

#define refuse(c, ...) explain(-EINVAL, (c)->text, (c)->size, __VA_ARGS__)

static int read_reason(struct json_object *v, struct request *q, const struct complaint *c)
{
	CLEANUP(buf_done) struct buf shown = BUF(sizeof(q->reason) - 1);
	const char *text;
	size_t n;

	if (!json_object_is_type(v, json_type_string))
		return refuse(c, "reason must be text");
	text = json_object_get_string(v);
	n = (size_t)json_object_get_string_len(v);
	if (!n || n >= sizeof(q->reason))
		return refuse(c, "reason must have 1 to %zu bytes", sizeof(q->reason) - 1);
	if (utf8_has_control(text, n))
		return refuse(c, "reason must not contain control characters");
	url_redact(text, URL_MASKED, &shown);
	if (buf_error(&shown))
		return refuse(c,
			      "reason is longer than %zu bytes once keys in its URLs are \"***\"",
			      sizeof(q->reason) - 1);
	memcpy(q->reason, buf_str(&shown), shown.len + 1);
	return 0;
}

static int read_for(struct json_object *v, struct request *q, const struct complaint *c)
{
	uint64_t ns = 0;

	if (json_object_is_type(v, json_type_null))
		return 0;
	if (json_object_is_type(v, json_type_string)) {
		if (parse_duration(json_object_get_string(v), &ns) < 0)
			return refuse(c, "for must be a duration: 90s, 10m, 2h, 1d, or seconds");
	} else if (json_object_is_type(v, json_type_int) ||
		   json_object_is_type(v, json_type_double)) {
		ns = seconds_to_ns(json_object_get_double(v));
	} else {
		return refuse(c, "for must be a duration: 90s, 10m, 2h, 1d, or seconds");
	}
	if (!ns || ns > REQUEST_FOR_MAX_NS)
		return refuse(c, "for must be more than 0 and at most 10 years");
	q->for_ns = ns;
	return 0;
}

static int read_to(struct json_object *v, struct request *q, const struct complaint *c)
{
	const char *text = json_object_is_type(v, json_type_string) ? json_object_get_string(v)
								    : "";

	for (size_t i = 0; i < REQUEST_FORCES; i++) {
		if (strcmp(request_forces[i].word, text))
			continue;
		q->to = request_forces[i].state;
		return 0;
	}
	return refuse(c, "to must be closed, shadow or disabled");
}

static int read_flag(struct json_object *v, bool *ret, const char *name, const struct complaint *c)
{
	if (!json_object_is_type(v, json_type_boolean))
		return refuse(c, "%s must be true or false", name);
	*ret = json_object_get_boolean(v);
	return 0;
}

static int read_freeze(struct json_object *v, struct request *q, const struct complaint *c)
{
	return read_flag(v, &q->freeze, "freeze", c);
}

static int read_force(struct json_object *v, struct request *q, const struct complaint *c)
{
	return read_flag(v, &q->force, "force", c);
}

static int read_on(struct json_object *v, struct request *q, const struct complaint *c)
{
	return read_flag(v, &q->on, "on", c);
}

/* The members that requests have, and who has and who needs them. */
static const struct {
	const char *name;
	int (*read)(struct json_object *v, struct request *q, const struct complaint *c);
	unsigned int allowed; /* bits of verbs */
	unsigned int required;
} members[] = {
	{ "reason", read_reason, (1U << REQUEST_COUNT) - 1, 1U << REQUEST_QUARANTINE },
	{ "for", read_for,
	  1U << REQUEST_QUARANTINE | 1U << REQUEST_TRIP | 1U << REQUEST_FORCE |
		  1U << REQUEST_BYPASS,
	  0 },
	{ "to", read_to, 1U << REQUEST_FORCE, 1U << REQUEST_FORCE },
	{ "freeze", read_freeze, 1U << REQUEST_QUARANTINE, 0 },
	{ "force", read_force, 1U << REQUEST_QUARANTINE, 0 },
	{ "on", read_on, 1U << REQUEST_BYPASS, 1U << REQUEST_BYPASS },
};

static int read_members(struct json_object *root, struct request *q, const struct complaint *c)
{
	unsigned int verb = 1U << q->verb;
	bool known = true;
	int r;

	json_object_object_foreach(root, key, value)
	{
		known = false;
		for (size_t i = 0; i < ARRAY_SIZE(members) && !known; i++) {
			if (strcmp(members[i].name, key) || !(members[i].allowed & verb))
				continue;
			known = true;
			r = members[i].read(value, q, c);
			if (r)
				return r;
		}
		if (!known)
			return refuse(c, "%s does not know the key \"%.64s\"", verbs[q->verb], key);
	}
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if ((members[i].required & verb) && !jget(root, members[i].name))
			return refuse(c, "%s needs the key \"%s\"", verbs[q->verb],
				      members[i].name);
	}
	return 0;
}

/* Nobody leaves a host open for longer than he can remember. */
static int check_bypass(const struct request *q, const struct complaint *c)
{
	if (q->verb != REQUEST_BYPASS || !q->on)
		return 0;
	if (q->for_ns == SG_FOREVER)
		return refuse(c, "bypass needs the key \"for\": how long everything may pass");
	if (q->for_ns > SG_BYPASS_MAX_NS)
		return refuse(c, "bypass lasts 24 hours at most");
	return 0;
}

int request_decode(enum request_verb verb, const char *text, size_t len, struct request *ret,
		   char *why, size_t why_size)
{
	const struct complaint c = { why, why_size };
	CLEANUP(json_putp) struct json_object *root = NULL;
	struct request q = { .verb = verb, .for_ns = SG_FOREVER };
	struct jsonpos_fault fault;
	int r;

	if (len > REQUEST_SIZE_MAX)
		return refuse(&c, "the body has %zu bytes; at most %u are allowed", len,
			      REQUEST_SIZE_MAX);
	if (!len) {
		text = "{}";
		len = 2;
	}
	r = jsonpos_parse(text, len, REQUEST_DEPTH_MAX, &root, &fault);
	if (r == -ENOMEM)
		return r;
	if (r)
		return refuse(&c, "line %u, column %u: %s", fault.at.line, fault.at.column,
			      fault.what);
	if (!json_object_is_type(root, json_type_object))
		return refuse(&c, "the body must be a JSON object");
	r = read_members(root, &q, &c);
	if (!r)
		r = check_bypass(&q, &c);
	if (r)
		return r;
	*ret = q;
	return 0;
}

int request_encode(const struct request *q, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	if (q->verb == REQUEST_QUARANTINE || *q->reason)
		jsonw_text(&w, "reason", q->reason);
	for (size_t i = 0; q->verb == REQUEST_FORCE && i < REQUEST_FORCES; i++)
		if (request_forces[i].state == q->to)
			jsonw_text(&w, "to", request_forces[i].word);
	if (q->for_ns != SG_FOREVER && q->verb != REQUEST_RELEASE && q->verb != REQUEST_RESET)
		jsonw_seconds(&w, "for", q->for_ns);
	if (q->verb == REQUEST_BYPASS)
		jsonw_bool(&w, "on", q->on);
	if (q->freeze)
		jsonw_bool(&w, "freeze", true);
	if (q->force)
		jsonw_bool(&w, "force", true);
	jsonw_object_end(&w);
	return buf_error(out);
}

/* --- replies ------------------------------------------------------------------- */

/* clang-format off */
static const struct field error_fields[] = {
	FIELD_OBJECT("error"),
		FIELD("code", KIND_TEXT, reply_error, code),
		FIELD("message", KIND_TEXT, reply_error, message),
		FIELD("hint", KIND_TEXT, reply_error, hint),
	FIELD_END,
	FIELDS_STOP
};

static const struct field kill_fields[] = {
	FIELD("server", KIND_TEXT, reply_kill, server),
	FIELD("killed", KIND_UINT32, reply_kill, killed),
	FIELD("survivors", KIND_COUNT, reply_kill, survivors),
	FIELD("busy", KIND_COUNT, reply_kill, busy),
	FIELD("elapsed_ms", KIND_MS, reply_kill, elapsed_ns),
	FIELD("error", KIND_TEXT, reply_kill, error, .zero = ZERO_OMITTED),
	FIELD("isolation", KIND_OBJECT, reply_kill, has_isolation, .zero = ZERO_OMITTED),
		ISOLATION_FIELDS(reply_kill),
	FIELD_END,
	FIELDS_STOP
};

static const struct field selftest_fields[] = {
	FIELD("ok", KIND_BOOL, reply_selftest, ok),
	FIELD("detail", KIND_TEXT, reply_selftest, detail),
	FIELD("elapsed_ms", KIND_MS, reply_selftest, elapsed_ns),
	FIELDS_STOP
};

static const struct field state_fields[] = {
	FIELD("server", KIND_TEXT, reply_state, server),
	FIELD("state", KIND_WORD, reply_state, state, FIELD_WORDS(state, SG_STATE_COUNT)),
	FIELD("unchanged", KIND_BOOL, reply_state, unchanged, .zero = ZERO_OMITTED),
	FIELDS_STOP
};

static const struct field approve_fields[] = {
	FIELD("server", KIND_TEXT, reply_approve, server),
	FIELD("digest", KIND_TEXT, reply_approve, digest),
	FIELD("tools", KIND_UINT32, reply_approve, tools),
	FIELD("changes", KIND_UINT32, reply_approve, changes),
	FIELDS_STOP
};

static const struct field bypass_fields[] = {
	FIELD("on", KIND_BOOL, reply_bypass, on),
	FIELD("until", KIND_TIME, reply_bypass, until_wall_ns, .none = STATUS_NEVER),
	FIELD("unchanged", KIND_BOOL, reply_bypass, unchanged, .zero = ZERO_OMITTED),
	FIELDS_STOP
};

static const struct field detach_fields[] = {
	FIELD("detached", KIND_BOOL, detach_result, detached),
	FIELD("daemon", KIND_BOOL, detach_result, daemon),
	FIELD("removed", KIND_UINT32, detach_result, removed),
	FIELD_LIST(detach_result, kept, NULL),
	FIELD("directory_removed", KIND_BOOL, detach_result, gone),
	FIELD("error", KIND_TEXT, detach_result, error, .zero = ZERO_OMITTED),
	FIELDS_STOP
};

#define REPLY(noun, ...) \
	static const struct document noun##_reply = { \
		noun##_fields, REPLY_SMALL_MAX, REQUEST_DEPTH_MAX, { __VA_ARGS__ } \
	}
REPLY(error, { "error", json_type_object });
REPLY(kill, { "server", json_type_string }, { "killed", json_type_int });
REPLY(detach, { "detached", json_type_boolean });
REPLY(selftest, { "ok", json_type_boolean });
REPLY(approve, { "server", json_type_string }, { "digest", json_type_string });
REPLY(bypass, { "on", json_type_boolean });
REPLY(state, { "server", json_type_string }, { "state", json_type_string });
/* clang-format on */

int reply_error_encode(const char *code, const char *message, const char *hint, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_object(&w, "error");
	jsonw_text(&w, "code", code);
	jsonw_text(&w, "message", message);
	jsonw_text(&w, "hint", hint);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	return buf_error(out);
}

int reply_error_decode(const char *text, size_t len, struct reply_error *ret)
{
	return document_decode(&error_reply, text, len, ret);
}

int reply_kill_encode(const struct reply_kill *k, struct buf *out)
{
	return document_encode(&kill_reply, k, URL_MASKED, out);
}

int reply_kill_decode(const char *text, size_t len, struct reply_kill *ret)
{
	return document_decode(&kill_reply, text, len, ret);
}

int reply_bypass_encode(const struct reply_bypass *b, struct buf *out)
{
	return document_encode(&bypass_reply, b, URL_MASKED, out);
}

int reply_bypass_decode(const char *text, size_t len, struct reply_bypass *ret)
{
	return document_decode(&bypass_reply, text, len, ret);
}

int reply_detach_encode(const struct detach_result *d, struct buf *out)
{
	return document_encode(&detach_reply, d, URL_MASKED, out);
}

int reply_detach_decode(const char *text, size_t len, struct detach_result *ret)
{
	return document_decode(&detach_reply, text, len, ret);
}

int reply_selftest_encode(const struct reply_selftest *t, struct buf *out)
{
	return document_encode(&selftest_reply, t, URL_MASKED, out);
}

int reply_selftest_decode(const char *text, size_t len, struct reply_selftest *ret)
{
	return document_decode(&selftest_reply, text, len, ret);
}

int reply_approve_encode(const struct reply_approve *a, struct buf *out)
{
	return document_encode(&approve_reply, a, URL_MASKED, out);
}

int reply_approve_decode(const char *text, size_t len, struct reply_approve *ret)
{
	return document_decode(&approve_reply, text, len, ret);
}

int reply_state_encode(const struct reply_state *s, struct buf *out)
{
	return document_encode(&state_reply, s, URL_MASKED, out);
}

int reply_state_decode(const char *text, size_t len, struct reply_state *ret)
{
	int r = document_decode(&state_reply, text, len, ret);

	return !r && ret->state == SG_STATE_COUNT ? -EBADMSG : r;
}
