/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `metrics`: the daemon's text as it is, or with --json a list of its samples:
 * [{"name","labels":{},"value"}]. Values that JSON has no number for (NaN, +Inf)
 * are null.
 */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "cli/command.h"
#include "cli/metrics.h"
#include "codec/jsonw.h"
#include "codec/messages.h"

#define WORD_MAX 1024

static bool name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
	       (!first && c >= '0' && c <= '9');
}

static int take_name(const char **s, char *out)
{
	size_t n = 0;

	while (name_char(**s, n == 0) && n < WORD_MAX - 1)
		out[n++] = *(*s)++;
	out[n] = '\0';
	return n ? 0 : -EBADMSG;
}

/* What is between quotes; \\, \" and \n are undone. */
static int take_value(const char **s, char *out)
{
	size_t n = 0;

	for (; **s != '"'; ++*s) {
		char c = **s;

		if (c == '\\') {
			c = *++*s;
			c = c == 'n' ? '\n' : c;
		}
		if (!**s || n == WORD_MAX - 1)
			return -EBADMSG;
		out[n++] = c;
	}
	++*s;
	out[n] = '\0';
	return 0;
}

static int take_labels(const char **s, struct jsonw *w)
{
	char name[WORD_MAX];
	char value[WORD_MAX];

	if (**s != '{')
		return 0;
	++*s;
	while (**s != '}') {
		if (take_name(s, name) < 0 || (*s)[0] != '=' || (*s)[1] != '"')
			return -EBADMSG;
		*s += 2;
		if (take_value(s, value) < 0)
			return -EBADMSG;
		jsonw_text(w, name, value);
		if (**s == ',')
			++*s;
	}
	++*s;
	return 0;
}

static int take_sample(const char *s, struct jsonw *w)
{
	char name[WORD_MAX];
	double value;

	if (take_name(&s, name) < 0)
		return -EBADMSG;
	jsonw_object(w, NULL);
	jsonw_text(w, "name", name);
	jsonw_object(w, "labels");
	if (take_labels(&s, w) < 0 || *s != ' ')
		return -EBADMSG;
	jsonw_object_end(w);
	if (parse_double(s + 1, -__DBL_MAX__, __DBL_MAX__, &value) < 0)
		jsonw_null(w, "value");
	else
		jsonw_double(w, "value", value);
	jsonw_object_end(w);
	return 0;
}

int metrics_to_json(char *text, struct buf *out)
{
	struct jsonw w;
	char *save = NULL;

	jsonw_init(&w, out);
	jsonw_list(&w, NULL);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int r = line[0] == '#' ? 0 : take_sample(line, &w);

		if (r)
			return r;
	}
	jsonw_list_end(&w);
	return buf_error(out);
}

int run_metrics(struct context *context)
{
	CLEANUP(buf_done) struct buf json = { 0 };
	CLEANUP(freep) char *text = NULL;
	struct client_reply reply;
	int status = command_ask(context, "GET", "/metrics", NULL, &reply);

	buf_init(&json, REPLY_SIZE_MAX);
	if (status == EXIT_DONE && context->args.json) {
		text = strdup(buf_str(&reply.body));
		if (!text || metrics_to_json(text, &json) < 0)
			status = command_misread(context);
		else
			printf("%s\n", buf_str(&json));
	} else if (status == EXIT_DONE) {
		printf("%s", buf_str(&reply.body));
	}
	buf_done(&reply.body);
	return status;
}
