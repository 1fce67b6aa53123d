/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cisco's mcp-scanner: {"server_url", "scan_results": [...]}, a bare list, or one per file. */
#include <errno.h>
#include <string.h>

#include "codec/findings_read.h"
#include "codec/jsonget.h"

#define SOURCE "cisco-mcp-scanner"
#define STDIO "stdio:"
#define CONFIDENCE 0.8
#define CONFIDENCE_OF_MODELS 0.6 /* a language model's opinion, below what quarantines by itself */

/* Is this a list of results? An empty one is, too. */
static bool is_results(struct json_object *list)
{
	if (!json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const struct json_object *result = json_object_array_get_idx(list, i);

		if (!json_object_is_type(result, json_type_object) ||
		    (!jget(result, "is_safe") && !jget(result, "findings")))
			return false;
	}
	return true;
}

static bool cisco_is(const struct json_object *root, const char *file)
{
	size_t members = 0;

	(void)file;
	if (json_object_is_type(root, json_type_array))
		return is_results((struct json_object *)root);
	if (!json_object_is_type(root, json_type_object))
		return false;
	if (jget(root, "scan_results"))
		return true;
	json_object_object_foreach((struct json_object *)root, key, value)
	{
		(void)key;
		if (!is_results(value))
			return false;
		members++;
	}
	return members > 0;
}

/* What is said of one server. */
struct scanned {
	const char *url;     /* the server's, or NULL */
	const char *command; /* redacted */
	const char *name;
};

/* -1: none; FINDING_CLEAN: it was analysed, and safe. */
static int severity_of(const char *word)
{
	static const struct {
		const char *word;
		int severity;
	} words[] = {
		{ "SAFE", FINDING_CLEAN }, { "INFO", FINDING_INFO },
		{ "LOW", FINDING_LOW },    { "MEDIUM", FINDING_MEDIUM },
		{ "HIGH", FINDING_HIGH },  { "CRITICAL", FINDING_CRITICAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i].word))
			return words[i].severity;
	return -1; /* UNKNOWN: the analysis failed */
}

static double confidence_of(const char *analyser)
{
	return strstr(analyser, "llm") || strstr(analyser, "behavioral") ? CONFIDENCE_OF_MODELS
									 : CONFIDENCE;
}

static void add_finding(struct findings_reader *f, const struct config_value *at,
			const struct finding_draft *d, const char *analyser, const char *threat)
{
	CLEANUP(buf_done) struct buf rule = BUF(2 * FINDING_TEXT_MAX);
	struct finding_draft made = *d;

	buf_printf(&rule, "%.*s", (int)FINDING_TEXT_MAX / 2, analyser);
	if (threat && *threat)
		buf_printf(&rule, "/%.*s", (int)FINDING_TEXT_MAX / 2, threat);
	made.rule = buf_str(&rule);
	finding_add(f, at, &made);
}

/* Of one analyser: a finding for each threat that it names. Was it analysed? */
static bool read_analyser(struct findings_reader *f, const struct config_value *v,
			  const struct finding_draft *of, const char *analyser)
{
	const char *word = finding_needed(f, v, "severity");
	int severity = word ? severity_of(word) : -1;
	struct finding_draft d = *of;
	struct config_value threats;
	size_t n = 0;

	if (severity <= FINDING_CLEAN) {
		f->to->n_passed_over += severity < 0;
		return severity == FINDING_CLEAN;
	}
	/* of how well a server is run, not of its security */
	d.severity = strstr(analyser, "readiness") ? FINDING_INFO : (enum finding_severity)severity;
	d.confidence = confidence_of(analyser);
	d.message = finding_text(f, v, "threat_summary");
	if (finding_list(f, v, "threat_names", &threats))
		n = finding_count(&threats);
	for (size_t i = 0; i < n; i++)
		add_finding(f, v, &d, analyser,
			    json_object_get_string(json_object_array_get_idx(threats.obj, i)));
	if (!n)
		add_finding(f, v, &d, analyser, NULL);
	return true;
}

/* The result for a tool, a prompt, a resource or a server's instructions. Was it analysed? */
static bool read_result(struct findings_reader *f, const struct config_value *v,
			const struct scanned *of)
{
	static const char *const names[] = { "tool_name", "prompt_name", "resource_uri",
					     "resource_name" };
	const char *status = finding_text(f, v, "status");
	struct finding_draft d = {
		.name = of->name, .url = of->url, .command = of->command, .source = SOURCE
	};
	struct config_value findings;
	bool analysed;

	if (status && strcmp(status, "completed") != 0) {
		f->to->n_passed_over++;
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names) && !d.location; i++)
		d.location = finding_text(f, v, names[i]);
	if (!d.name)
		d.name = finding_text(f, v, "server_name");
	analysed = finding_bool(f, v, "is_safe", false);
	if (!finding_object(f, v, "findings", &findings))
		return analysed;
	json_object_object_foreach(findings.obj, analyser, value)
	{
		const struct config_value one = { .path = { finding_path(&findings), analyser, 0 },
						  .obj = value };

		if (finding_is(f, &one, json_type_object, "an object"))
			analysed |= read_analyser(f, &one, &d, analyser);
	}
	return analysed;
}

/* Who the results of a list are of, if they say so themselves. */
static const char *named_in(struct findings_reader *f, const struct config_value *list, size_t i)
{
	struct config_value v;

	return finding_item(f, list, i, &v) ? finding_text(f, &v, "server_name") : NULL;
}

/* A server whose results were all without a finding is clean, if there were any. */
static void add_clean(struct findings_reader *f, const struct config_value *at,
		      const struct scanned *of, const char *name)
{
	const struct finding_draft d = { .name = of->name ? of->name : name,
					 .url = of->url,
					 .command = of->command,
					 .source = SOURCE,
					 .severity = FINDING_CLEAN,
					 .confidence = CONFIDENCE };

	finding_add(f, at, &d);
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void read_results(struct findings_reader *f, const struct config_value *list,
			 const struct scanned *of)
{
	size_t n = finding_count(list);

	/* results of one server stand together */
	for (size_t i = 0, next; i < n; i = next) {
		const char *name = named_in(f, list, i);
		size_t before = f->to->n;
		bool all = true;

		for (next = i; next < n && same_name(named_in(f, list, next), name); next++) {
			struct config_value v;

			all &= finding_item(f, list, next, &v) && read_result(f, &v, of);
		}
		if (all && f->to->n == before)
			add_clean(f, list, of, name);
	}
}

static void cisco_read(struct findings_reader *f, const struct config_value *v)
{
	const char *url = NULL;
	struct scanned of = {};
	struct config_value list;

	if (json_object_is_type(v->obj, json_type_array)) {
		read_results(f, v, &of);
		return;
	}
	if (!finding_is(f, v, json_type_object, "an object or a list"))
		return;
	if (finding_list(f, v, "scan_results", &list)) {
		url = finding_text(f, v, "server_url");
		if (url && !strncmp(url, STDIO, strlen(STDIO)))
			of.command = url + strlen(STDIO);
		else if (url && strstr(url, "://"))
			of.url = url;
		read_results(f, &list, &of);
		return;
	}
	json_object_object_foreach(v->obj, path, value)
	{
		const struct config_value of_file = { .path = { finding_path(v), path, 0 },
						      .obj = value };

		if (finding_is(f, &of_file, json_type_array, "a list"))
			read_results(f, &of_file, &of);
	}
}

const struct findings_kind findings_cisco = { cisco_is, cisco_read, .lines = false };
