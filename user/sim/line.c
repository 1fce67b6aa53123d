/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "sim/line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "codec/jsonlex.h"
#include "core/names.h"

#define WORD_MAX 32
#define BIT(field) (1U << SIM_FIELD_##field)

#define KEY(field, key) { key, sizeof(key) - 1 },
static const struct scan_key keys[] = { SIM_FIELDS(KEY) };

struct reader {
	struct sim_line *line;
	struct scan_fault *fault;
};

#define complain(r, at, ...) scan_complain((r)->fault, at, __VA_ARGS__)

static int wrong_type(struct reader *r, enum sim_field field, const char *wanted)
{
	const struct scan_value *v = &r->line->values[field];

	return complain(r, v->at, "\"%s\" is %s; %s is expected", keys[field].name,
			scan_type_name(v->type), wanted);
}

static bool given(const struct reader *r, enum sim_field field)
{
	return r->line->values[field].type > SCAN_NULL;
}

/* Names stay in the line unless they were written with escapes. */
static int read_name(struct reader *r, enum sim_field field, char *scratch, struct sim_text *ret)
{
	const struct scan_value *v = &r->line->values[field];

	if (!given(r, field))
		return 0;
	if (v->type != SCAN_TEXT)
		return wrong_type(r, field, "text");
	*ret = (struct sim_text){ v->raw, v->len };
	if (v->escaped) {
		ret->s = scratch;
		if (json_decode(v->raw, v->len, scratch, SIM_NAME_MAX, &ret->len) < 0)
			ret->len = SIM_NAME_MAX + 1;
	}
	if (ret->len > SIM_NAME_MAX)
		return complain(r, v->at, "\"%s\" is longer than %u bytes", keys[field].name,
				SIM_NAME_MAX);
	if (!ret->len)
		return complain(r, v->at, "\"%s\" is empty", keys[field].name);
	return 0;
}

static int none_of(struct reader *r, enum sim_field field, const char *const *words)
{
	char list[128] = "";
	size_t n = 0;

	for (size_t i = 0; words[i] && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", words[i]);
	return complain(r, r->line->values[field].at, "\"%s\" is none of %s", keys[field].name,
			list);
}

/* A text of at most WORD_MAX bytes; "" if it is longer. */
static void short_text(const struct scan_value *v, char out[WORD_MAX + 1])
{
	size_t len;

	if (json_decode(v->raw, v->len, out, WORD_MAX, &len) < 0)
		len = 0;
	out[len] = '\0';
}

/* Index of the word, or an error with what was perhaps meant. words ends with NULL. */
static int read_word(struct reader *r, enum sim_field field, const char *const *words)
{
	const struct scan_value *v = &r->line->values[field];
	char word[WORD_MAX + 1];
	const char *near;

	if (v->type != SCAN_TEXT)
		return wrong_type(r, field, "text");
	short_text(v, word);
	for (int i = 0; *word && words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	near = nearest_word(word, words);
	if (near)
		return complain(r, v->at, "unknown \"%s\": \"%s\"; did you mean \"%s\"?",
				keys[field].name, word, near);
	return none_of(r, field, words);
}

/* Seconds, or a duration like 10m where `durations`. */
static int read_time(struct reader *r, enum sim_field field, bool durations, uint64_t *ret)
{
	const struct scan_value *v = &r->line->values[field];
	char text[WORD_MAX + 1];

	if (v->type == SCAN_TEXT && durations) {
		short_text(v, text);
		if (parse_duration(text, ret) < 0)
			return complain(
				r, v->at,
				"\"%s\" is not a valid duration: seconds, or 90s, 10m, 2h, 1d",
				keys[field].name);
		return 0;
	}
	if (v->type != SCAN_NUMBER)
		return wrong_type(r, field, "a number of seconds");
	if (scan_nano(v, SIM_TIME_MAX, ret) < 0)
		return complain(r, v->at, "\"%s\" is out of range: 0 to %" PRIu64 " s",
				keys[field].name, (uint64_t)(SIM_TIME_MAX / NS_PER_SEC));
	return 0;
}

static int read_outcome(struct reader *r, struct sim_event *e)
{
	static const char *const words[SG_CLASS_COUNT + 1] = { "success", "hard",  "soft",   "app",
							       "caller",  "local", "unknown" };
	const struct scan_value *cause = &r->line->values[SIM_FIELD_CAUSE];
	int outcome = read_word(r, SIM_FIELD_OUTCOME, words);
	bool given_up;

	if (outcome < 0)
		return outcome;
	if (given(r, SIM_FIELD_CAUSE) && cause->type != SCAN_TEXT)
		return wrong_type(r, SIM_FIELD_CAUSE, "text");
	/* A call that its agent gave up has seen no answer, whoever is to blame. */
	given_up = given(r, SIM_FIELD_CAUSE) && cause->len == strlen("abandoned") &&
		   !memcmp(cause->raw, "abandoned", cause->len);
	e->outcome = (enum sg_class)outcome;
	e->complete = outcome == SG_SUCCESS || outcome == SG_APP ||
		      (outcome == SG_CALLER && !given_up);
	return 0;
}

static int read_order(struct reader *r, struct sim_event *e)
{
	static const char *const words[] = { "forced_open", "forced_closed", "disabled",
					     "shadow",      "reset",         NULL };
	static const enum sg_state states[] = { SG_FORCED_OPEN, SG_FORCED_CLOSED, SG_DISABLED,
						SG_SHADOW, SG_CLOSED };
	int to = read_word(r, SIM_FIELD_TO, words);

	if (to < 0)
		return to;
	e->to = states[to];
	if (!given(r, SIM_FIELD_FOR))
		return 0;
	if (e->to == SG_CLOSED)
		return complain(r, r->line->values[SIM_FIELD_FOR].key_at,
				"a reset takes no \"for\": it is done at once");
	if (read_time(r, SIM_FIELD_FOR, true, &e->for_ns) < 0)
		return -EBADMSG;
	if (!e->for_ns)
		return complain(r, r->line->values[SIM_FIELD_FOR].at,
				"\"for\" is 0; it must be longer, or left out for no end");
	return 0;
}

static int read_finding(struct reader *r, struct sim_event *e)
{
	static const char *const words[] = { "critical", "high", "medium", "low", "clean", NULL };
	const struct scan_value *v = &r->line->values[SIM_FIELD_CONFIDENCE];
	int severity = read_word(r, SIM_FIELD_SEVERITY, words);
	uint64_t parts;

	if (severity < 0)
		return severity;
	e->clean = !words[severity + 1];
	e->severity = e->clean ? TRUST_INFO : (enum trust_severity)(TRUST_CRITICAL - severity);
	e->confidence = 1;
	if (!given(r, SIM_FIELD_CONFIDENCE))
		return 0;
	if (v->type != SCAN_NUMBER)
		return wrong_type(r, SIM_FIELD_CONFIDENCE, "a number from 0 to 1");
	if (scan_nano(v, NS_PER_SEC, &parts) < 0)
		return complain(r, v->at, "\"confidence\" is out of range: 0 to 1");
	e->confidence = (double)parts / (double)NS_PER_SEC;
	return 0;
}

/* What an op must have beside t, op and server, the names and times that it takes, and the rest. */
static const struct {
	uint32_t needs;
	uint32_t takes;
	int (*read)(struct reader *r, struct sim_event *e); /* what has a meaning of its own */
} op_fields[SIM_OP_COUNT] = {
	[SIM_CALL] = { BIT(OUTCOME), BIT(LATENCY) | BIT(RETRY_AFTER) | BIT(TOOL) | BIT(ID),
		       read_outcome },
	[SIM_START] = { BIT(ID), BIT(ID) | BIT(TOOL), NULL },
	[SIM_END] = { BIT(ID) | BIT(OUTCOME), BIT(ID) | BIT(LATENCY) | BIT(RETRY_AFTER),
		      read_outcome },
	[SIM_ADMIT] = { 0, BIT(ID), NULL },
	[SIM_CANCEL] = { BIT(ID), BIT(ID), NULL },
	[SIM_FORCE] = { BIT(TO), 0, read_order },
	[SIM_STATE] = { 0, BIT(TOOL), NULL },
	[SIM_FINDING] = { BIT(SEVERITY), 0, read_finding },
	[SIM_TRUST] = { 0, 0, NULL },
};

static int read_members(struct reader *r, struct sim_event *e)
{
	uint32_t takes = op_fields[e->op].takes;
	int k = read_time(r, SIM_FIELD_T, false, &e->t_ns);

	if (k == 0)
		k = read_name(r, SIM_FIELD_SERVER, r->line->scratch[0], &e->server);
	if (k == 0 && takes & BIT(TOOL))
		k = read_name(r, SIM_FIELD_TOOL, r->line->scratch[1], &e->tool);
	if (k == 0 && takes & BIT(ID))
		k = read_name(r, SIM_FIELD_ID, r->line->scratch[2], &e->id);
	if (k == 0 && takes & BIT(LATENCY) && given(r, SIM_FIELD_LATENCY))
		k = read_time(r, SIM_FIELD_LATENCY, true, &e->latency_ns);
	if (k == 0 && takes & BIT(RETRY_AFTER) && given(r, SIM_FIELD_RETRY_AFTER))
		k = read_time(r, SIM_FIELD_RETRY_AFTER, true, &e->retry_after_ns);
	return k == 0 && op_fields[e->op].read ? op_fields[e->op].read(r, e) : k;
}

static int read_op(struct reader *r, struct sim_event *e)
{
	uint32_t needs = BIT(T) | BIT(SERVER);
	int op;

	if (!given(r, SIM_FIELD_OP))
		return complain(r, 0, "\"op\" is missing: call, start, end, admit, ...");
	op = read_word(r, SIM_FIELD_OP, sim_ops);
	if (op < 0)
		return op;
	e->op = (enum sim_op)op;
	needs |= op_fields[op].needs;
	for (int field = 0; field < SIM_FIELD_COUNT; field++)
		if (needs & 1U << field && !given(r, (enum sim_field)field))
			return complain(r, r->line->values[SIM_FIELD_OP].at,
					"\"%s\" needs \"%s\", which is missing", sim_ops[op],
					keys[field].name);
	if (e->op == SIM_FORCE && given(r, SIM_FIELD_TOOL))
		return complain(r, r->line->values[SIM_FIELD_TOOL].key_at,
				"orders are for whole servers: leave \"tool\" out");
	return read_members(r, e);
}

static bool is_text(const struct scan_value *v, const char *text)
{
	return v->type == SCAN_TEXT && v->len == strlen(text) && !memcmp(v->raw, text, v->len);
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	return true;
}

int sim_line_parse(const char *text, size_t len, struct sim_line *ret, struct scan_fault *ret_fault)
{
	struct reader r = { ret, ret_fault };
	int k;

	if (is_blank(text, len)) {
		ret->type = SIM_LINE_BLANK;
		return 0;
	}
	if (len > SIM_LINE_MAX)
		return complain(&r, SIM_LINE_MAX, "the line is longer than %u bytes", SIM_LINE_MAX);
	k = scan_object(text, len, keys, SIM_FIELD_COUNT, ret->values, ret_fault);
	if (k < 0)
		return k;
	ret->recorded = given(&r, SIM_FIELD_TIME);
	if (given(&r, SIM_FIELD_EVENT)) {
		if (ret->values[SIM_FIELD_EVENT].type != SCAN_TEXT)
			return wrong_type(&r, SIM_FIELD_EVENT, "text");
		ret->type = SIM_LINE_PASSED;
		if (is_text(&ret->values[SIM_FIELD_EVENT], "transition") &&
		    is_text(&ret->values[SIM_FIELD_TO], "open"))
			ret->type = SIM_LINE_TRIP;
		return 0;
	}
	ret->type = SIM_LINE_EVENT;
	ret->event = (struct sim_event){ .latency_ns = SG_FOREVER, .for_ns = SG_FOREVER };
	return read_op(&r, &ret->event);
}

#define LIMIT(number) LIMIT_TEXT(number)
#define LIMIT_TEXT(number) #number

void sim_line_explain(const struct sim_line *line, enum sim_fault fault, uint64_t before_ns,
		      struct scan_fault *ret)
{
	static const struct {
		enum sim_field field;
		const char *what;
	} faults[] = {
		[SIM_FAULT_ID_LIVE] = { SIM_FIELD_ID,
					"a call of this id is running; end or cancel it first" },
		[SIM_FAULT_ID_UNKNOWN] = { SIM_FIELD_ID,
					   "no call of this id is running on this server" },
		[SIM_FAULT_BREAKERS] = { SIM_FIELD_SERVER,
					 "more than " LIMIT(
						 SIM_BREAKERS_MAX) " servers and tools; split the file by server" },
		[SIM_FAULT_CALLS] = { SIM_FIELD_ID,
				      "more than " LIMIT(
					      SIM_CALLS_MAX) " calls without an end; end or cancel them" },
		[SIM_FAULT_SIZE] = { SIM_FIELD_SERVER,
				     "the breakers need more than " LIMIT(
					     SIM_MEMORY_MAX_MIB) " MiB; choose smaller windows, or split the file by server" },
		[SIM_FAULT_MEMORY] = { SIM_FIELD_SERVER, "out of memory" },
	};
	struct reader r = { (struct sim_line *)line, ret };
	const struct scan_value *v = line->values;

	if (fault == SIM_FAULT_TIME)
		(void)complain(&r, v[SIM_FIELD_T].at,
			       "\"t\" goes back: the line before has %" PRIu64 ".%09" PRIu64
			       "; sort the lines by time",
			       before_ns / NS_PER_SEC, before_ns % NS_PER_SEC);
	else if (fault != SIM_FAULT_NONE)
		(void)complain(&r, v[faults[fault].field].at, "%s", faults[fault].what);
}
