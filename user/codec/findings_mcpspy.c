/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* MCPSpy's alerts, JSON lines: a message, and what a classifier thinks of it. */
#include <errno.h>
#include <string.h>

#include "codec/findings_read.h"
#include "codec/jsonget.h"

#define SOURCE "mcpspy"
#define CONTENT_WEIGHT 0.65 /* what a tool returned may be another's text */

static bool mcpspy_is(const struct json_object *root, const char *file)
{
	(void)file;
	return json_object_is_type(root, json_type_object) && jget(root, "risk_level") &&
	       jget(root, "mcp_event");
}

static int level_of(const char *word)
{
	if (!strcmp(word, "none"))
		return FINDING_CLEAN;
	return finding_severity_from_name(word);
}

/* Of whom it is: the host of the request for HTTP, the process that answers for stdio. */
static void read_server(struct findings_reader *f, const struct config_value *event, bool sent,
			struct finding_draft *d, struct buf *url)
{
	struct config_value via;
	const char *host = NULL;

	if (finding_object(f, event, "http_transport", &via))
		host = finding_text(f, &via, "host");
	if (host && *host) {
		buf_printf(url, "http://%s", host);
		d->url = buf_str(url);
		return;
	}
	if (finding_object(f, event, "stdio_transport", &via))
		d->command = finding_text(f, &via, sent ? "from_comm" : "to_comm");
}

/* Did the server send it? Its list of tools is its own word, what a tool returned need not be. */
static void judge(struct findings_reader *f, const struct config_value *event, bool sent, int level,
		  double score, struct finding_draft *d)
{
	struct config_value request;
	const char *method = NULL;

	d->severity = FINDING_INFO;
	d->confidence = score;
	if (!sent)
		return;
	if (finding_object(f, event, "request", &request))
		method = finding_text(f, &request, "method");
	d->severity = (enum finding_severity)level;
	d->location = method;
	if (method && !strcmp(method, "tools/list"))
		return;
	if (d->severity > FINDING_HIGH)
		d->severity = FINDING_HIGH;
	d->confidence = score * CONTENT_WEIGHT;
}

static void mcpspy_read(struct findings_reader *f, const struct config_value *v)
{
	CLEANUP(buf_done) struct buf url = BUF(2 * FINDING_TEXT_MAX);
	struct finding_draft d = { .source = SOURCE };
	struct config_value event;
	struct config_value at;
	const char *word;
	const char *type;
	bool sent;
	int level;

	if (!finding_is(f, v, json_type_object, "an alert, an object"))
		return;
	word = finding_needed(f, v, "risk_level");
	level = word ? level_of(word) : FINDING_CLEAN;
	if (level < 0 && finding_member(v, "risk_level", &at))
		config_complain(&f->r, finding_path(&at), true, "\"%s\" is no level of risk", word);
	if (level <= FINDING_CLEAN || !finding_object(f, v, "mcp_event", &event)) {
		f->to->n_passed_over++;
		return;
	}
	type = finding_text(f, &event, "type");
	sent = type && !strcmp(type, "response");
	read_server(f, &event, sent, &d, &url);
	judge(f, &event, sent, level, finding_number(f, v, "risk_score", 0, 1, 0.5), &d);
	d.rule = finding_needed(f, v, "category");
	d.message = finding_text(f, v, "analyzed_text");
	d.wall_ns = finding_time(f, v, "timestamp");
	finding_add(f, v, &d);
}

const struct findings_kind findings_mcpspy = { mcpspy_is, mcpspy_read, .lines = true };
