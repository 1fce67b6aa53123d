/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `verify NAME`: is a configured server what a registry's server.json describes? */
#include <errno.h>
#include <string.h>

#include "cli/command.h"
#include "cli/text.h"
#include "codec/findings.h"
#include "codec/jsonw.h"
#include "codec/messages.h"
#include "codec/server_json.h"

#define ERRORS_MAX 8192U
#define SOURCE "registry"
/* Its publisher may have had any reason: it lowers the score, and people decide. */
#define DELETED_CONFIDENCE 0.6
#define PROVES                                                                          \
	"this proves who owns the name, no more: a registry looks at neither the code " \
	"nor what answers at the URL"

/* What the answer is compared with. */
struct verifying {
	struct context context; /* first: this is how it is found again */
	struct server_json file;
};

static int read_file(const char *name, struct buf *out)
{
	CLEANUP(fclosep) FILE *file = fopen(name, "re");
	char piece[16384];
	size_t n;

	*out = BUF(SERVER_JSON_SIZE_MAX);
	if (!file)
		return -errno;
	while (!buf_error(out) && (n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_append(out, piece, n);
	return ferror(file) ? -EIO : buf_error(out);
}

/* Each mistake is one line, with its line and field. */
static int read_server_json(const struct context *context, struct server_json *ret)
{
	CLEANUP(buf_done) struct buf errors = BUF(ERRORS_MAX);
	CLEANUP(buf_done) struct buf text = { 0 };
	const char *name = context->args.server_json;
	int r = read_file(name, &text);

	if (r == -EMSGSIZE)
		return command_fail(context, EXIT_USAGE, "too_large", "",
				    "%.200s: more than %u bytes", name, SERVER_JSON_SIZE_MAX);
	if (r)
		return command_fail(context, EXIT_USAGE, "not_read", "", "%.200s: %s", name,
				    strerror(-r));
	r = server_json_read(buf_str(&text), text.len, name, ret, &errors);
	if (!r)
		return EXIT_DONE;
	return command_fail(context, EXIT_USAGE, "bad_file", "", "%s",
			    errors.len ? buf_str(&errors) : strerror(-r));
}

static int print_json(const struct verifying *v, const char *server, const struct verification *of)
{
	CLEANUP(buf_done) struct buf out = BUF(REPLY_SIZE_MAX);
	struct jsonw w;

	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "server", server);
	jsonw_text(&w, "name", v->file.name);
	jsonw_text(&w, "version", v->file.version);
	jsonw_text(&w, "status", registry_status_names[v->file.status]);
	jsonw_bool(&w, "matches", of->matches);
	jsonw_list(&w, "checks");
	for (int i = 0; i < VERIFY_CHECK_COUNT; i++) {
		jsonw_object(&w, NULL);
		jsonw_text(&w, "check", verify_check_names[i]);
		jsonw_text(&w, "result", verify_result_names[of->checks[i].result]);
		jsonw_text(&w, "detail", of->checks[i].detail);
		jsonw_object_end(&w);
	}
	jsonw_list_end(&w);
	jsonw_text(&w, "proves", PROVES);
	jsonw_object_end(&w);
	buf_putc(&out, '\n');
	return command_print_json(&out);
}

static void print_text(const struct verifying *v, const char *server, const struct verification *of)
{
	static const enum colour colours[VERIFY_RESULT_COUNT] = { COLOUR_GOOD, COLOUR_BAD,
								  COLOUR_WARN, COLOUR_NONE };

	text_line(stdout, of->matches ? COLOUR_GOOD : COLOUR_BAD, v->context.coloured,
		  "%s: %s %s %s", server, of->matches ? "is" : "is not", v->file.name,
		  v->file.version);
	for (int i = 0; i < VERIFY_CHECK_COUNT; i++)
		text_line(stdout, colours[of->checks[i].result], v->context.coloured,
			  "  %-9s  %-7s  %s", verify_check_names[i],
			  verify_result_names[of->checks[i].result], of->checks[i].detail);
	text_line(stdout, COLOUR_NONE, false, "  " PROVES);
}

static int say_reported(const struct context *context, UNUSED const struct buf *answer)
{
	if (!context->args.json)
		text_line(stdout, COLOUR_NONE, false,
			  "  reported: it was deleted from the registry");
	return EXIT_DONE;
}

/* A name that was deleted is a finding; that it differs is for people alone. */
static int report(const struct verifying *v, const char *server)
{
	CLEANUP(buf_done) struct buf line = BUF(ERRORS_MAX);
	struct context context = v->context;
	struct client_request request = { .socket = context.socket,
					  .method = "POST",
					  .target = "/v1/findings?format=native&file=server.json" };
	struct jsonw w;

	if (v->file.status != REGISTRY_DELETED) {
		if (!context.args.json)
			text_line(stdout, COLOUR_NONE, false,
				  "  nothing to report: only what was deleted is a finding");
		return EXIT_DONE;
	}
	jsonw_init(&w, &line);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "source", SOURCE);
	jsonw_text(&w, "severity", finding_severity_name(FINDING_HIGH));
	jsonw_text(&w, "rule", "deleted");
	jsonw_text(&w, "server", server);
	jsonw_double(&w, "confidence", DELETED_CONFIDENCE);
	jsonw_text(&w, "location", v->file.name);
	jsonw_text(&w, "message", "it was deleted from the registry of MCP servers");
	jsonw_object_end(&w);
	if (buf_error(&line))
		return command_fail(&context, EXIT_FAILED, "failed", "", "out of memory");
	request.body = buf_str(&line);
	request.body_len = line.len;
	return command_call(&context, &request, say_reported, NULL);
}

static int compare(const struct context *context, const struct buf *answer)
{
	const struct verifying *v = (const struct verifying *)context;
	CLEANUP(status_server_done) struct status_server server = { 0 };
	struct verification of;
	int status = EXIT_DONE;

	if (status_server_decode(buf_str(answer), answer->len, &server))
		return command_misread(context);
	server_json_verify(&v->file, server.url, server.command, &of);
	if (context->args.json)
		status = print_json(v, server.name, &of);
	else
		print_text(v, server.name, &of);
	if (status == EXIT_DONE && context->args.report)
		status = report(v, server.name);
	return status != EXIT_DONE ? status : of.matches ? EXIT_DONE : EXIT_FAILED;
}

int run_verify(struct context *context)
{
	struct verifying v = { .context = *context };
	CLEANUP(buf_done) struct buf target = { 0 };
	int status = read_server_json(context, &v.file);

	if (status != EXIT_DONE)
		return status;
	command_server_target(&v.context, "", &target);
	status = command_run(&v.context, "GET", buf_str(&target), NULL, compare);
	server_json_done(&v.file);
	return status;
}
