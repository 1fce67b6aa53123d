/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SARIF 2.1.0, as far as it tells findings: rules and what they set by default, results with
 * their kind, level, baseline and suppressions, messages by their ids, taxonomies.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/findings_read.h"
#include "codec/jsonget.h"

#define VERSION "2.1.0"
#define SERVER_KEY "mcp.server" /* among the properties of a run or a result */
#define CONFIDENCE 0.8
#define TAXA_MAX 4U

/* One run while it is read. */
struct run {
	struct config_value at;
	struct config_value driver;
	const char *source;
	const char *version;
	const char *server;
	uint64_t wall_ns;
};

static bool sarif_is(const struct json_object *root, const char *file)
{
	const char *schema = jget_text(root, "$schema", "");

	(void)file;
	return json_object_is_type(root, json_type_object) &&
	       (strstr(schema, "sarif") || (jget(root, "runs") && jget(root, "version")));
}

/* --- rules ----------------------------------------------------------------------------------- */

/* Is this the rule? A result may name a part of one: "RULE/part". */
static bool is_rule(const char *id, const char *wanted)
{
	size_t len = strlen(id);

	return !strncmp(id, wanted, len) && (!wanted[len] || wanted[len] == '/');
}

/* A result's rule, where it stands; what its links borrow lives in *w. */
struct rule {
	bool there;
	struct config_value tool;
	struct config_value extensions;
	struct config_value component;
	struct config_value rules;
	struct config_value at;
};

/* The component of the tool that has the rules: the driver, or an extension by its index. */
static bool component(struct findings_reader *f, const struct run *run, int extension,
		      struct rule *w)
{
	w->component = run->driver;
	if (extension < 0)
		return true;
	return finding_object(f, &run->at, "tool", &w->tool) &&
	       finding_list(f, &w->tool, "extensions", &w->extensions) &&
	       (size_t)extension < finding_count(&w->extensions) &&
	       finding_item(f, &w->extensions, (size_t)extension, &w->component);
}

static void find_rule(struct findings_reader *f, const struct run *run,
		      const struct config_value *result, struct rule *w)
{
	const char *id = finding_text(f, result, "ruleId");
	int index = finding_index(f, result, "ruleIndex");
	struct config_value reference;
	struct config_value of;
	int extension = -1;

	*w = (struct rule){};
	if (finding_object(f, result, "rule", &reference)) {
		if (!id)
			id = finding_text(f, &reference, "id");
		if (index < 0)
			index = finding_index(f, &reference, "index");
		if (finding_object(f, &reference, "toolComponent", &of))
			extension = finding_index(f, &of, "index");
	}
	if (!component(f, run, extension, w) || !finding_list(f, &w->component, "rules", &w->rules))
		return;
	if (index >= 0 && (size_t)index < finding_count(&w->rules)) {
		w->there = finding_item(f, &w->rules, (size_t)index, &w->at);
		return;
	}
	for (size_t i = 0; id && i < finding_count(&w->rules) && !w->there; i++) {
		const char *its = finding_item(f, &w->rules, i, &w->at)
					  ? finding_text(f, &w->at, "id")
					  : NULL;

		w->there = its && is_rule(its, id);
	}
}

static const char *rule_id(struct findings_reader *f, const struct config_value *result,
			   const struct rule *rule)
{
	const char *id = finding_text(f, result, "ruleId");
	struct config_value reference;

	if (!id && finding_object(f, result, "rule", &reference))
		id = finding_text(f, &reference, "id");
	if (!id && rule->there)
		id = finding_text(f, &rule->at, "id");
	return id;
}

/* --- severity and confidence ----------------------------------------------------------------- */

/* Of the properties of a result or a rule: a number, or one as text. -1 without. */
static double property_number(struct findings_reader *f, const struct config_value *of,
			      const char *key)
{
	struct config_value properties;
	struct config_value v;
	const char *text;
	char *end;
	double x;

	if (!finding_object(f, of, "properties", &properties) ||
	    !finding_member(&properties, key, &v))
		return -1;
	if (!json_object_is_type(v.obj, json_type_string))
		return finding_number(f, &properties, key, 0, 10, -1);
	text = json_object_get_string(v.obj);
	x = strtod(text, &end);
	if (end != text && !*end && x >= 0 && x <= 10)
		return x;
	config_complain(&f->r, finding_path(&v), true, "this is no number of 0 to 10");
	return -1;
}

static const char *property_text(struct findings_reader *f, const struct config_value *of,
				 const char *key)
{
	struct config_value properties;
	struct config_value v;

	if (!finding_object(f, of, "properties", &properties) ||
	    !finding_member(&properties, key, &v) || !json_object_is_type(v.obj, json_type_string))
		return NULL; /* they are the tool's own, of whatever type */
	return json_object_get_string(v.obj);
}

static int severity_of_number(double x)
{
	if (x >= 9)
		return FINDING_CRITICAL;
	if (x >= 7)
		return FINDING_HIGH;
	if (x >= 4)
		return FINDING_MEDIUM;
	return x > 0 ? FINDING_LOW : FINDING_INFO;
}

/* -1: none. */
static int severity_of_properties(struct findings_reader *f, const struct config_value *of)
{
	double x = property_number(f, of, "security-severity");
	const char *word;
	char lower[16] = { 0 };
	int severity;

	if (x >= 0)
		return severity_of_number(x);
	word = property_text(f, of, "severity");
	for (size_t i = 0; word && word[i] && i + 1 < sizeof(lower); i++)
		lower[i] = (char)(word[i] | (word[i] >= 'A' && word[i] <= 'Z' ? 0x20 : 0));
	severity = word ? finding_severity_from_name(lower) : -1;
	return severity > FINDING_CLEAN ? severity : -1;
}

/* "none" included; -1 after a complaint. */
static int severity_of_level(struct findings_reader *f, const struct config_value *at,
			     const char *level)
{
	static const struct {
		const char *word;
		int severity;
	} words[] = { { "error", FINDING_HIGH },
		      { "warning", FINDING_MEDIUM },
		      { "note", FINDING_LOW },
		      { "none", FINDING_INFO } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(level, words[i].word))
			return words[i].severity;
	config_complain(&f->r, finding_path(at), true,
			"\"%s\" is no level; they are: error, warning, note, none", level);
	return -1;
}

/* The level that the user set for the rule when the tool ran, NULL without. */
static const char *overridden(struct findings_reader *f, const struct run *run, const char *id)
{
	const char *level = NULL;
	struct config_value runs;
	struct config_value one;
	struct config_value list;

	if (!id || !finding_list(f, &run->at, "invocations", &runs) || !finding_count(&runs) ||
	    !finding_item(f, &runs, 0, &one) ||
	    !finding_list(f, &one, "ruleConfigurationOverrides", &list))
		return NULL;
	for (size_t i = 0; i < finding_count(&list); i++) {
		struct config_value item;
		struct config_value about;
		struct config_value to;
		const char *its;

		if (!finding_item(f, &list, i, &item) ||
		    !finding_object(f, &item, "descriptor", &about) ||
		    !finding_object(f, &item, "configuration", &to))
			continue;
		its = finding_text(f, &about, "id");
		if (its && is_rule(its, id))
			level = finding_text(f, &to, "level");
	}
	return level;
}

static int severity_of(struct findings_reader *f, const struct run *run,
		       const struct config_value *result, const struct rule *rule, const char *id)
{
	const char *level = finding_text(f, result, "level");
	const struct config_value *at = result;
	struct config_value set;
	int severity = severity_of_properties(f, result);

	if (severity < 0 && rule->there)
		severity = severity_of_properties(f, &rule->at);
	if (severity >= 0)
		return severity;
	if (!level)
		level = overridden(f, run, id);
	if (!level && rule->there && finding_object(f, &rule->at, "defaultConfiguration", &set)) {
		level = finding_text(f, &set, "level");
		at = &rule->at;
	}
	return severity_of_level(f, at, level ? level : "warning");
}

static double confidence_of(struct findings_reader *f, const struct rule *rule)
{
	static const struct {
		const char *word;
		double confidence;
	} words[] = { { "very-high", 0.95 }, { "high", 0.85 }, { "medium", 0.7 }, { "low", 0.4 } };
	const char *word = rule->there ? property_text(f, &rule->at, "precision") : NULL;

	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i].word))
			return words[i].confidence;
	return CONFIDENCE;
}

/* --- messages, places, taxa ------------------------------------------------------------------ */

/* Appends a message with {0} and its like replaced by the arguments. */
static void fill_in(const char *text, const struct config_value *arguments, struct buf *out)
{
	while (*text) {
		char *end;
		unsigned long index;

		if ((text[0] == '{' || text[0] == '}') && text[1] == text[0]) {
			buf_putc(out, *text);
			text += 2;
			continue;
		}
		index = text[0] == '{' ? strtoul(text + 1, &end, 10) : 0;
		if (text[0] == '{' && text[1] >= '0' && text[1] <= '9' && *end == '}' &&
		    index < finding_count(arguments)) {
			const char *arg = json_object_get_string(
				json_object_array_get_idx(arguments->obj, index));

			buf_puts(out, arg ? arg : "");
			text = end + 1;
			continue;
		}
		buf_putc(out, *text++);
	}
}

static const char *string_of(struct findings_reader *f, const struct config_value *of,
			     const char *table, const char *id)
{
	struct config_value strings;
	struct config_value one;

	if (!finding_object(f, of, table, &strings) || !finding_object(f, &strings, id, &one))
		return NULL;
	return finding_text(f, &one, "text");
}

static void read_message(struct findings_reader *f, const struct run *run,
			 const struct config_value *result, const struct rule *rule,
			 struct buf *out)
{
	struct config_value message;
	struct config_value arguments;
	const char *text;
	const char *id;

	if (!finding_object(f, result, "message", &message))
		return;
	text = finding_text(f, &message, "text");
	id = finding_text(f, &message, "id");
	if (!text && id && rule->there)
		text = string_of(f, &rule->at, "messageStrings", id);
	if (!text && id)
		text = string_of(f, &run->driver, "globalMessageStrings", id);
	if (!text)
		text = id;
	if (!text)
		text = finding_text(f, &message, "markdown");
	if (text && finding_list(f, &message, "arguments", &arguments))
		fill_in(text, &arguments, out);
	else if (text)
		buf_puts(out, text);
}

/* "CWE-77": the taxonomy's name and the taxon's id, unless that has it already. */
static void add_taxon(struct findings_reader *f, const struct config_value *reference,
		      struct buf *out)
{
	const char *id = finding_text(f, reference, "id");
	struct config_value of;
	const char *name = NULL;

	if (finding_object(f, reference, "toolComponent", &of))
		name = finding_text(f, &of, "name");
	if (!id)
		return;
	buf_puts(out, out->len ? " [" : "[");
	if (name && strncmp(id, name, strlen(name)) != 0)
		buf_printf(out, "%s-", name);
	buf_printf(out, "%s]", id);
}

/* What a result, or its rule, says of where it stands in taxonomies. */
static void add_taxa(struct findings_reader *f, const struct config_value *result,
		     const struct rule *rule, struct buf *out)
{
	struct config_value list;
	struct config_value item;
	struct config_value target;

	if (finding_list(f, result, "taxa", &list) && finding_count(&list)) {
		for (size_t i = 0; i < finding_count(&list) && i < TAXA_MAX; i++)
			if (finding_item(f, &list, i, &item))
				add_taxon(f, &item, out);
		return;
	}
	if (!rule->there || !finding_list(f, &rule->at, "relationships", &list))
		return;
	for (size_t i = 0; i < finding_count(&list) && i < TAXA_MAX; i++)
		if (finding_item(f, &list, i, &item) && finding_object(f, &item, "target", &target))
			add_taxon(f, &target, out);
}

/* The artifact by its index among those of the run. */
static const char *artifact_uri(struct findings_reader *f, const struct run *run, int index)
{
	struct config_value list;
	struct config_value item;
	struct config_value at;

	if (index < 0 || !finding_list(f, &run->at, "artifacts", &list) ||
	    (size_t)index >= finding_count(&list) ||
	    !finding_item(f, &list, (size_t)index, &item) ||
	    !finding_object(f, &item, "location", &at))
		return NULL;
	return finding_text(f, &at, "uri");
}

static void physical_location(struct findings_reader *f, const struct run *run,
			      const struct config_value *location, struct buf *out)
{
	struct config_value physical;
	struct config_value artifact;
	struct config_value region;
	const char *uri = NULL;
	int line = -1;

	if (!finding_object(f, location, "physicalLocation", &physical))
		return;
	if (finding_object(f, &physical, "artifactLocation", &artifact)) {
		uri = finding_text(f, &artifact, "uri");
		if (!uri)
			uri = artifact_uri(f, run, finding_index(f, &artifact, "index"));
	}
	if (!uri)
		return;
	if (finding_object(f, &physical, "region", &region))
		line = finding_index(f, &region, "startLine");
	buf_puts(out, uri);
	if (line > 0)
		buf_printf(out, ":%d", line);
}

static void read_location(struct findings_reader *f, const struct run *run,
			  const struct config_value *result, struct buf *out)
{
	struct config_value list;
	struct config_value first;
	struct config_value logical;
	struct config_value item;
	const char *name;

	if (!finding_list(f, result, "locations", &list) || !finding_count(&list) ||
	    !finding_item(f, &list, 0, &first))
		return;
	physical_location(f, run, &first, out);
	if (out->len || !finding_list(f, &first, "logicalLocations", &logical) ||
	    !finding_count(&logical) || !finding_item(f, &logical, 0, &item))
		return;
	name = finding_text(f, &item, "fullyQualifiedName");
	if (!name)
		name = finding_text(f, &item, "name");
	buf_puts(out, name ? name : "");
}

/* --- results --------------------------------------------------------------------------------- */

/* By all of them: one that is under review or was rejected leaves the result what it is. */
static bool is_suppressed(struct findings_reader *f, const struct config_value *result)
{
	struct config_value list;
	struct config_value item;

	if (!finding_list(f, result, "suppressions", &list) || !finding_count(&list))
		return false;
	for (size_t i = 0; i < finding_count(&list); i++) {
		const char *status =
			finding_item(f, &list, i, &item) ? finding_text(f, &item, "status") : NULL;

		if (status && strcmp(status, "accepted") != 0)
			return false;
	}
	return true;
}

/* Is there nothing wrong by it? *ret_info: it is only told. */
static bool is_none(struct findings_reader *f, const struct config_value *result, bool *ret_info)
{
	const char *baseline = finding_text(f, result, "baselineState");
	const char *kind = finding_text(f, result, "kind");

	*ret_info = kind && strcmp(kind, "fail") != 0;
	if (baseline && !strcmp(baseline, "absent"))
		return true;
	if (kind && (!strcmp(kind, "pass") || !strcmp(kind, "notApplicable")))
		return true;
	return is_suppressed(f, result);
}

static void read_result(struct findings_reader *f, const struct run *run,
			const struct config_value *v)
{
	CLEANUP(buf_done) struct buf message = BUF(FINDINGS_SIZE_MAX);
	CLEANUP(buf_done) struct buf location = BUF(FINDINGS_SIZE_MAX);
	struct finding_draft d = { .source = run->source,
				   .version = run->version,
				   .wall_ns = run->wall_ns };
	struct rule rule;
	int severity;
	bool info;

	if (is_none(f, v, &info)) {
		f->to->n_passed_over++;
		return;
	}
	find_rule(f, run, v, &rule);
	d.name = property_text(f, v, SERVER_KEY);
	if (!d.name)
		d.name = run->server;
	d.rule = rule_id(f, v, &rule);
	severity = severity_of(f, run, v, &rule, d.rule);
	d.severity = info || severity < 0 ? FINDING_INFO : (enum finding_severity)severity;
	d.confidence = confidence_of(f, &rule);
	read_message(f, run, v, &rule, &message);
	add_taxa(f, v, &rule, &message);
	read_location(f, run, v, &location);
	if (!d.rule)
		d.rule = "unnamed"; /* a result need not have a rule */
	d.message = buf_str(&message);
	d.location = buf_str(&location);
	if (buf_error(&message) || buf_error(&location))
		config_no_memory(&f->r);
	finding_add(f, v, &d);
}

/* Did the tool run to its end? Without a word of that, it did. */
static bool has_succeeded(struct findings_reader *f, struct run *run)
{
	struct config_value list;
	struct config_value item;
	bool good = true;

	if (!finding_list(f, &run->at, "invocations", &list))
		return true;
	for (size_t i = 0; i < finding_count(&list); i++) {
		if (!finding_item(f, &list, i, &item))
			continue;
		good &= finding_bool(f, &item, "executionSuccessful", true);
		if (!run->wall_ns)
			run->wall_ns = finding_time(f, &item, "endTimeUtc");
	}
	return good;
}

static bool has_more_elsewhere(struct findings_reader *f, const struct config_value *run)
{
	struct config_value elsewhere;
	struct config_value list;

	if (!finding_object(f, run, "externalPropertyFileReferences", &elsewhere) ||
	    !finding_list(f, &elsewhere, "results", &list) || !finding_count(&list))
		return false;
	config_complain(&f->r, finding_path(&list), false,
			"the results are in another file; have the tool write them into this one");
	return true;
}

static bool open_run(struct findings_reader *f, struct run *run)
{
	struct config_value tool;

	if (!finding_object(f, &run->at, "tool", &tool) ||
	    !finding_object(f, &tool, "driver", &run->driver)) {
		config_complain(&f->r, finding_path(&run->at), true,
				"it has no \"tool\" with a \"driver\"");
		return false;
	}
	run->driver.path.up = &run->at.path; /* shorter than it is, but it outlives this */
	run->driver.path.key = "tool";
	run->source = finding_needed(f, &run->driver, "name");
	run->version = finding_text(f, &run->driver, "semanticVersion");
	if (!run->version)
		run->version = finding_text(f, &run->driver, "version");
	run->server = property_text(f, &run->at, SERVER_KEY);
	return run->source && *run->source;
}

static void read_run(struct findings_reader *f, struct run *run)
{
	struct finding_draft clean = { .severity = FINDING_CLEAN, .confidence = CONFIDENCE };
	size_t before = f->to->n;
	struct config_value list;
	struct config_value item;
	bool good;

	if (!open_run(f, run) || has_more_elsewhere(f, &run->at))
		return;
	good = has_succeeded(f, run);
	if (!finding_list(f, &run->at, "results", &list)) {
		f->to->n_passed_over++; /* it did not get as far as looking */
		return;
	}
	for (size_t i = 0; i < finding_count(&list); i++)
		if (finding_item(f, &list, i, &item))
			read_result(f, run, &item);
	for (size_t i = before; i < f->to->n && good; i++)
		good = f->to->v[i].severity <= FINDING_INFO;
	if (!good)
		return;
	clean.name = run->server;
	clean.source = run->source;
	clean.version = run->version;
	clean.wall_ns = run->wall_ns;
	finding_add(f, &list, &clean);
}

static void sarif_read(struct findings_reader *f, const struct config_value *v)
{
	const char *version;
	struct config_value list;

	if (!finding_is(f, v, json_type_object, "an object"))
		return;
	version = finding_needed(f, v, "version");
	if (version && strcmp(version, VERSION) != 0) {
		config_complain(&f->r, finding_path(v), true, "SARIF %s is not read, only " VERSION,
				version);
		return;
	}
	if (!finding_list(f, v, "runs", &list)) {
		if (!f->r.n_errors)
			config_complain(&f->r, finding_path(v), true, "it has no \"runs\"");
		return;
	}
	for (size_t i = 0; i < finding_count(&list); i++) {
		struct run run = {};

		if (finding_item(f, &list, i, &run.at))
			read_run(f, &run);
	}
}

const struct findings_kind findings_sarif = { sarif_is, sarif_read, .lines = false };
