/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Snyk's agent-scan, once mcp-scan. Until 0.5 an object of paths, each with servers and with
 * issues that point to them by index; from 0.6 on a list of paths, each with servers and the
 * risks of each. What is said of skills is not about servers.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "codec/findings_read.h"
#include "codec/jsonget.h"

#define SOURCE "snyk-agent-scan"
#define CONFIDENCE 0.8
#define CONFIDENCE_UNKNOWN 0.6 /* of a code or name that is not known here */
#define SCORE_MAX 1000

/* --- until 0.5 ------------------------------------------------------------------------------- */

/* By the documentation of its codes; skills' are left out. */
static const struct {
	const char *code;
	int severity;
} codes[] = {
	{ "E001", FINDING_CRITICAL }, /* prompt injection in a tool's description */
	{ "E002", FINDING_HIGH },     /* tool shadowing */
	{ "E003", FINDING_HIGH },     /* a description that hijacks the agent */
	{ "W001", FINDING_LOW },      /* suspicious words */
	{ "W002", FINDING_INFO },     /* too many tools */
	{ "W003", -1 },               /* notes of the scanner to itself */
	{ "W004", -1 },
	{ "W005", -1 },
	{ "W006", -1 },
	{ "W015", FINDING_MEDIUM }, /* untrusted content */
	{ "W016", FINDING_LOW },
	{ "W017", FINDING_MEDIUM }, /* private data */
	{ "W018", FINDING_LOW },
	{ "W019", FINDING_MEDIUM }, /* destructive tools */
	{ "W020", FINDING_LOW },
	{ "W021", FINDING_MEDIUM }, /* hidden Unicode */
	{ "TF001", FINDING_INFO },  /* of servers together, of none alone */
	{ "TF002", FINDING_INFO },
};

static int severity_of_code(const char *code, double *ret_confidence)
{
	*ret_confidence = CONFIDENCE;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (!strcmp(code, codes[i].code))
			return codes[i].severity;
	*ret_confidence = CONFIDENCE_UNKNOWN;
	if (code[0] == 'E')
		return FINDING_HIGH;
	return code[0] == 'W' ? FINDING_LOW : -1; /* X: the scan itself */
}

/* A server of a path: is it one, and was it analysed? */
struct inspected {
	struct config_value at; /* its entry; the path stays valid with the list's */
	const char *url;
	struct buf command;
	bool is_skill;
	bool failed;
	bool found;
};

static void inspect(struct findings_reader *f, struct inspected *s)
{
	struct config_value server;
	struct config_value signature;
	const char *type = NULL;
	struct config_value error;

	s->failed = finding_member(&s->at, "error", &error) ||
		    !finding_member(&s->at, "signature", &signature);
	if (!finding_object(f, &s->at, "server", &server))
		return;
	type = finding_text(f, &server, "type");
	s->is_skill = type && !strcmp(type, "skill");
	if (!s->is_skill)
		finding_transport(f, &server, &s->url, &s->command);
}

static struct finding_draft draft_of(struct findings_reader *f, const struct inspected *s)
{
	return (struct finding_draft){ .name = finding_text(f, &s->at, "name"),
				       .url = s->url,
				       .command = s->command.len ? buf_str(&s->command) : NULL,
				       .source = SOURCE,
				       .confidence = CONFIDENCE };
}

/* The tool, prompt or resource at an index over all of them, in the scanner's order. */
static const char *entity_name(struct findings_reader *f, const struct inspected *s, size_t index)
{
	static const char *const kinds[] = { "prompts", "resources", "resource_templates",
					     "tools" };
	struct config_value signature;

	if (!finding_object(f, &s->at, "signature", &signature))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct config_value list;
		struct config_value item;
		size_t n = 0;

		if (finding_list(f, &signature, kinds[i], &list))
			n = finding_count(&list);
		if (index < n)
			return finding_item(f, &list, index, &item) ? finding_text(f, &item, "name")
								    : NULL;
		index -= n;
	}
	return NULL;
}

/* "reference": [server, entity or null]. The server's index, or -1. */
static int reference_of(struct findings_reader *f, const struct config_value *issue, size_t n,
			int *ret_entity)
{
	struct config_value list;
	struct json_object *server;
	struct json_object *entity;

	*ret_entity = -1;
	if (!finding_list(f, issue, "reference", &list))
		return -1;
	server = json_object_array_get_idx(list.obj, 0);
	entity = json_object_array_get_idx(list.obj, 1);
	if (!json_object_is_type(server, json_type_int) || json_object_get_int64(server) < 0 ||
	    json_object_get_int64(server) >= (int64_t)n) {
		config_complain(&f->r, finding_path(&list), true,
				"there is no such server among the %zu", n);
		return -1;
	}
	if (json_object_is_type(entity, json_type_int) && json_object_get_int(entity) >= 0)
		*ret_entity = json_object_get_int(entity);
	return json_object_get_int(server);
}

static void read_issue(struct findings_reader *f, const struct config_value *v,
		       struct inspected *servers, size_t n)
{
	const char *code = finding_needed(f, v, "code");
	struct finding_draft d;
	double confidence = 0;
	int severity = code ? severity_of_code(code, &confidence) : -1;
	struct inspected *s;
	int entity;
	int at;

	if (severity < 0) {
		f->to->n_passed_over++;
		return;
	}
	at = reference_of(f, v, n, &entity);
	if (at < 0 || servers[at].is_skill) {
		f->to->n_passed_over++;
		return;
	}
	s = &servers[at];
	d = draft_of(f, s);
	d.severity = (enum finding_severity)severity;
	d.confidence = confidence;
	d.rule = code;
	d.message = finding_text(f, v, "message");
	d.location = entity >= 0 ? entity_name(f, s, (size_t)entity) : NULL;
	s->found |= severity > FINDING_INFO;
	finding_add(f, v, &d);
}

/* A failed analysis is said in the issues: nobody is clean by it. */
static bool is_failure(struct findings_reader *f, const struct config_value *issue)
{
	const char *code = finding_text(f, issue, "code");

	return code && code[0] == 'X' && strcmp(code, "X002") != 0; /* X002 was "whitelisted" */
}

static void read_servers(struct findings_reader *f, const struct config_value *path,
			 struct inspected *servers, size_t n, bool failed)
{
	struct config_value issues;
	size_t n_issues = 0;

	if (finding_list(f, path, "issues", &issues))
		n_issues = finding_count(&issues);
	else
		failed = true; /* only inspected */
	for (size_t i = 0; i < n_issues; i++) {
		struct config_value issue;

		if (!finding_item(f, &issues, i, &issue))
			continue;
		failed |= is_failure(f, &issue);
		read_issue(f, &issue, servers, n);
	}
	for (size_t i = 0; i < n; i++) {
		struct finding_draft d = draft_of(f, &servers[i]);

		d.severity = FINDING_CLEAN;
		if (failed || servers[i].failed)
			f->to->n_passed_over += !servers[i].found;
		else if (!servers[i].found && !servers[i].is_skill)
			finding_add(f, &servers[i].at, &d);
	}
}

static void read_path(struct findings_reader *f, const struct config_value *path)
{
	struct config_value list;
	struct config_value error;
	struct inspected *servers;
	size_t n;

	if (!finding_list(f, path, "servers", &list)) {
		f->to->n_passed_over++; /* the file could not be read */
		return;
	}
	n = finding_count(&list);
	servers = calloc(n + 1, sizeof(*servers));
	if (!servers) {
		config_no_memory(&f->r);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		servers[i].command = BUF(COMMAND_SHOWN_MAX);
		if (finding_item(f, &list, i, &servers[i].at))
			inspect(f, &servers[i]);
	}
	read_servers(f, path, servers, n, finding_member(path, "error", &error));
	for (size_t i = 0; i < n; i++)
		buf_done(&servers[i].command);
	free(servers);
}

/* --- from 0.6 on ----------------------------------------------------------------------------- */

/* Risks by their names, and what the worst is that each alone can mean. */
static const struct {
	const char *name;
	enum finding_severity most;
} risks[] = {
	{ "prompt_injection_tool_desc", FINDING_CRITICAL },
	{ "dangerous_words", FINDING_LOW },
	/* what a server can do, whoever it is */
	{ "untrusted_content", FINDING_MEDIUM },
	{ "private_data", FINDING_MEDIUM },
	{ "destructive_capabilities", FINDING_MEDIUM },
};

/* It uses 100, 300, 600 and 1000; what is between is the nearer of them. */
static enum finding_severity severity_of_score(double score)
{
	if (score >= 800)
		return FINDING_CRITICAL;
	if (score >= 450)
		return FINDING_HIGH;
	if (score >= 200)
		return FINDING_MEDIUM;
	return score > 0 ? FINDING_LOW : FINDING_INFO;
}

static void judge_risk(const char *name, double score, struct finding_draft *d)
{
	enum finding_severity most = FINDING_HIGH;

	d->confidence = CONFIDENCE_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(risks); i++) {
		if (strcmp(name, risks[i].name) != 0)
			continue;
		most = risks[i].most;
		d->confidence = CONFIDENCE;
	}
	d->severity = severity_of_score(score);
	if (d->severity > most)
		d->severity = most;
}

/* The names of the tools it concerns. */
static void affected(struct findings_reader *f, const struct config_value *server,
		     const struct config_value *risk, struct buf *out)
{
	struct config_value entities;
	struct config_value tools;

	if (!finding_list(f, risk, "affected_tools", &tools) ||
	    !finding_list(f, server, "entities", &entities))
		return;
	for (size_t i = 0; i < finding_count(&tools); i++) {
		struct json_object *index = json_object_array_get_idx(tools.obj, i);
		int64_t at = json_object_is_type(index, json_type_int)
				     ? json_object_get_int64(index)
				     : -1;
		struct config_value tool;
		const char *name;

		if (at < 0 || at >= (int64_t)finding_count(&entities)) {
			config_complain(&f->r, finding_path(&tools), true, "there is no such tool");
			return;
		}
		name = finding_item(f, &entities, (size_t)at, &tool)
			       ? finding_text(f, &tool, "name")
			       : NULL;
		buf_printf(out, "%s%s", out->len ? ", " : "", name ? name : "?");
	}
}

/* Was there one that is more than info? */
static bool read_risk(struct findings_reader *f, const struct config_value *server,
		      const struct config_value *risk, const char *name)
{
	CLEANUP(buf_done) struct buf tools = BUF(4 * FINDING_TEXT_MAX);
	struct finding_draft d = { .name = finding_text(f, server, "name"),
				   .source = SOURCE,
				   .rule = name };
	double score;

	if (!finding_is(f, risk, json_type_object, "a risk, an object"))
		return false;
	score = finding_number(f, risk, "score", 0, SCORE_MAX, -1);
	if (score < 0) {
		config_complain(&f->r, finding_path(risk), true, "it has no \"score\" of 0 to %d",
				SCORE_MAX);
		return false;
	}
	judge_risk(name, score, &d);
	affected(f, server, risk, &tools);
	d.location = tools.len ? buf_str(&tools) : NULL;
	d.message = finding_text(f, risk, "evidence");
	finding_add(f, risk, &d);
	return d.severity > FINDING_INFO;
}

static void read_risks(struct findings_reader *f, const struct config_value *server)
{
	const struct finding_draft clean = { .name = finding_needed(f, server, "name"),
					     .source = SOURCE,
					     .severity = FINDING_CLEAN,
					     .confidence = CONFIDENCE };
	struct config_value all;
	struct config_value error;
	bool found = false;

	if (finding_member(server, "error", &error) ||
	    !finding_object(f, server, "risk_indexes", &all)) {
		f->to->n_passed_over++;
		return;
	}
	json_object_object_foreach(all.obj, name, value)
	{
		const struct config_value risk = { .path = { finding_path(&all), name, 0 },
						   .obj = value };

		if (value)
			found |= read_risk(f, server, &risk, name);
	}
	if (!found)
		finding_add(f, server, &clean);
}

static void read_response(struct findings_reader *f, const struct config_value *path)
{
	struct config_value list;
	struct config_value error;
	struct config_value server;

	if (finding_list(f, path, "skill_risks", &list))
		f->to->n_passed_over += finding_count(&list);
	if (finding_member(path, "error", &error) ||
	    !finding_list(f, path, "server_risks", &list)) {
		f->to->n_passed_over++;
		return;
	}
	for (size_t i = 0; i < finding_count(&list); i++)
		if (finding_item(f, &list, i, &server))
			read_risks(f, &server);
}

/* --- both ------------------------------------------------------------------------------------ */

static bool is_path(struct json_object *value)
{
	return json_object_is_type(value, json_type_object) &&
	       (json_object_object_get_ex(value, "servers", NULL) ||
		json_object_object_get_ex(value, "issues", NULL));
}

static bool snyk_is(const struct json_object *root, const char *file)
{
	size_t n = 0;

	(void)file;
	if (!json_object_is_type(root, json_type_object))
		return false;
	if (jget(root, "scan_path_responses"))
		return true;
	json_object_object_foreach((struct json_object *)root, key, value)
	{
		(void)key;
		if (!is_path(value))
			return false;
		n++;
	}
	return n > 0;
}

static void snyk_read(struct findings_reader *f, const struct config_value *v)
{
	struct config_value list;
	struct config_value item;

	if (!finding_is(f, v, json_type_object, "an object"))
		return;
	if (finding_list(f, v, "scan_path_responses", &list)) {
		for (size_t i = 0; i < finding_count(&list); i++)
			if (finding_item(f, &list, i, &item))
				read_response(f, &item);
		return;
	}
	json_object_object_foreach(v->obj, path, value)
	{
		const struct config_value at = { .path = { finding_path(v), path, 0 },
						 .obj = value };

		if (finding_is(f, &at, json_type_object, "an object"))
			read_path(f, &at);
	}
}

const struct findings_kind findings_snyk = { snyk_is, snyk_read, .lines = false };
