/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/settings.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/cgroup.h"
#include "io/store.h"

#define SUB "config"
#define CONFIG_PATH "/etc/switchgear/switchgear.json"
#define ERRORS_SIZE 65536

/* --- the command line ---------------------------------------------------------------------- */

enum kind {
	KIND_TEXT,
	KIND_INTERFACE,
	KIND_CHECK,
	KIND_ATTACH,
	KIND_HELP,
	KIND_VERSION,
};

struct row {
	const char *key;      /* the option's name, with underscores */
	const char *argument; /* NULL: none, of KIND_TEXT: no option either */
	const char *fallback; /* NULL: none */
	const char *help;
	size_t given; /* KIND_TEXT: of a const char * in struct settings */
	enum kind kind;
	bool env;
};

static const struct row rows[] = {
	{ "config", "FILE", CONFIG_PATH, "configuration", offsetof(struct settings, config),
	  KIND_TEXT, true },
#define ROW(key, reader, argument, fallback, help) \
	{ #key, argument, fallback, help, offsetof(struct settings, given_##key), KIND_TEXT, true },
	CONFIG_SETTINGS(ROW)
#undef ROW
		{ "interface", "IF", NULL,
		  "drop packets of quarantined servers here (XDP); repeatable", 0, KIND_INTERFACE,
		  false },
	{ "mode", "enforce|observe", NULL, "observe: count and log what would have been done",
	  offsetof(struct settings, mode), KIND_TEXT, true },
	{ "import", "HOME", NULL,
	  "print a configuration with the servers of the MCP clients there, and exit",
	  offsetof(struct settings, import), KIND_TEXT, false },
	{ "check", NULL, NULL, "check configuration and host, change nothing, and exit", 0,
	  KIND_CHECK, false },
	{ "attach", NULL, NULL, "start also after `switchgear detach`, which then is over", 0,
	  KIND_ATTACH, false },
	{ "help", NULL, NULL, "this text", 0, KIND_HELP, false },
	{ "version", NULL, NULL, "the version", 0, KIND_VERSION, false },
};

/* The key with dashes for underscores; or in capitals, of a variable. */
static const char *row_name(const struct row *row, bool variable, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%s%s", variable ? "SWITCHGEAR_" : "", row->key);

	for (size_t i = 0; i < n; i++) {
		if (variable)
			out[i] = (char)toupper((unsigned char)out[i]);
		else if (out[i] == '_')
			out[i] = '-';
	}
	return out;
}

static bool is_option(const struct row *row)
{
	return row->kind != KIND_TEXT || row->argument;
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: switchgeard [OPTION]...\n"
		"Circuit breakers and quarantine for MCP servers, carried out in the kernel.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[32];
		char left[64];

		if (!is_option(&rows[i]))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s",
			 row_name(&rows[i], false, name, sizeof(name)), rows[i].argument ? " " : "",
			 rows[i].argument ? rows[i].argument : "");
		fprintf(to, rows[i].fallback ? "  %-26s %s (%s)\n" : "  %-26s %s\n", left,
			rows[i].help, rows[i].fallback);
	}
}

static const char **member(struct settings *s, const struct row *row)
{
	return (const char **)((char *)s + row->given);
}

static enum settings_result interface_add(struct settings *s, const char *name)
{
	size_t n = 0;

	while (s->interfaces[n])
		n++;
	if (n == SETTINGS_INTERFACES_MAX) {
		fprintf(stderr, "switchgeard: at most %d --interface options\n",
			SETTINGS_INTERFACES_MAX);
		return SETTINGS_USAGE;
	}
	s->interfaces[n] = name;
	return SETTINGS_RUN;
}

static enum settings_result take(struct settings *s, const struct row *row, const char *value)
{
	switch (row->kind) {
	case KIND_HELP:
		usage(stdout);
		return SETTINGS_DONE;
	case KIND_VERSION:
		printf("switchgeard " SWITCHGEAR_VERSION "\n");
		return SETTINGS_DONE;
	case KIND_INTERFACE:
		return interface_add(s, value);
	case KIND_CHECK:
		s->check = true;
		return SETTINGS_RUN;
	case KIND_ATTACH:
		s->attach = true;
		return SETTINGS_RUN;
	default:
		*member(s, row) = value;
		return SETTINGS_RUN;
	}
}

enum settings_result settings_parse(int argc, char **argv, struct settings *ret)
{
	struct option longs[ARRAY_SIZE(rows) + 1] = { 0 };
	char names[ARRAY_SIZE(rows)][32];
	const struct row *of[ARRAY_SIZE(rows)];
	char variable[64];
	struct settings s = { .worker.program.fd = -1 };
	enum settings_result r;
	size_t n = 0;
	int index;
	int c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!is_option(&rows[i]))
			continue;
		if (rows[i].env)
			*member(&s, &rows[i]) =
				getenv(row_name(&rows[i], true, variable, sizeof(variable)));
		longs[n].name = row_name(&rows[i], false, names[n], sizeof(names[n]));
		longs[n].has_arg = rows[i].argument ? required_argument : no_argument;
		of[n++] = &rows[i];
	}
	while ((c = getopt_long(argc, argv, "", longs, &index)) != -1) {
		if (c == '?') {
			fprintf(stderr, "try \"switchgeard --help\"\n");
			return SETTINGS_USAGE;
		}
		r = take(&s, of[index], optarg);
		if (r != SETTINGS_RUN)
			return r;
	}
	if (optind < argc) {
		fprintf(stderr,
			"switchgeard: unexpected argument \"%s\"; try \"switchgeard --help\"\n",
			argv[optind]);
		return SETTINGS_USAGE;
	}
	if (s.mode && strcmp(s.mode, "enforce") && strcmp(s.mode, "observe")) {
		fprintf(stderr, "switchgeard: --mode is \"enforce\" or \"observe\", not \"%s\"\n",
			s.mode);
		return SETTINGS_USAGE;
	}
	*ret = s;
	return SETTINGS_RUN;
}

void settings_done(struct settings *s)
{
#define DONE(key, reader, argument, fallback, help) free(s->key);
	CONFIG_SETTINGS(DONE)
#undef DONE
	worker_program_close(&s->worker);
}

/* --- the configuration ------------------------------------------------------------------------- */

static const char *lookup(UNUSED void *arg, const char *name)
{
	return getenv(name);
}

const struct config_env settings_env = { .lookup = lookup };

/* One log line per line of text. */
static void log_lines(enum log_level level, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len)
			log_line(level, SUB, "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static int unreadable(struct settings *s, int r, const char *path)
{
	if (r == -ENOENT)
		snprintf(s->error, sizeof(s->error),
			 "no configuration at %.200s; write one (an example is in "
			 "switchgear.json(5)) or name it with --config",
			 path);
	else
		snprintf(s->error, sizeof(s->error),
			 "cannot read the configuration %.200s; check the path and its "
			 "permissions: %s",
			 path, strerror(-r));
	log_error(SUB, "%s", s->error);
	return r;
}

int settings_config(struct settings *s, struct config **ret)
{
	const char *path = s->config ? s->config : CONFIG_PATH;
	CLEANUP(freep) char *text = NULL;
	CLEANUP(buf_done) struct buf messages = BUF(ERRORS_SIZE);
	size_t len;
	int r;

	r = file_read(path, CONFIG_SIZE_MAX, &text, &len);
	if (r)
		return unreadable(s, r, path);
	r = config_parse(text, len, path, &settings_env, ret, &messages);
	log_lines(r ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, buf_str(&messages));
	s->error[0] = '\0';
	if (r && messages.len) /* all of it is in the log */
		snprintf(s->error, sizeof(s->error), "%.*s", (int)strcspn(buf_str(&messages), "\n"),
			 buf_str(&messages));
	else if (r)
		snprintf(s->error, sizeof(s->error), "%.200s: %s", path, strerror(-r));
	else
		s->loaded_ns = clock_wall_ns();
	return r;
}

/* --- what holds ----------------------------------------------------------------------------------- */

bool settings_observe(const struct settings *s, const struct config *config)
{
	return s->mode ? !strcmp(s->mode, "observe") : config->observe;
}

/* A copy, since settings outlive the configuration that they came from (reload). */
static int resolve(const char *given, const char *configured, const char *fallback, char **ret)
{
	const char *text = given ? given : configured ? configured : fallback;

	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static int cgroup_resolve(char **cgroup)
{
	if (*cgroup && strcmp(*cgroup, "auto") != 0)
		return cgroup_check(*cgroup);
	free(TAKE_PTR(*cgroup));
	return cgroup_find(cgroup);
}

static int metrics_resolve(struct settings *s)
{
	int r;

	s->metrics_off = !strcmp(s->metrics, "off");
	if (s->metrics_off)
		return 0;
	r = parse_addr_port(s->metrics, &s->metrics_addr, &s->metrics_port);
	if (r)
		return log_failure(
			r, SUB, "\"%s\" is not an address for the metrics; write ADDR:PORT or off",
			s->metrics);
	return 0;
}

int settings_resolve(struct settings *s, const struct config *config)
{
	int r = 0;

#define SETTLE(key, reader, argument, fallback, help) \
	if (!r)                                       \
		r = resolve(s->given_##key, config->key, fallback, &s->key);
	CONFIG_SETTINGS(SETTLE)
#undef SETTLE
	if (!r)
		worker_program_open(&s->worker, getenv("SWITCHGEAR_WORKER"), s->ca_file);
	if (!r)
		r = cgroup_resolve(&s->cgroup);
	return r ? r : metrics_resolve(s);
}

void settings_warn(const struct config *old, const struct config *now)
{
#define WARN(key, reader, argument, fallback, help) \
	if (!config_text_same(old->key, now->key))  \
		log_warning(SUB, "\"" #key "\" changes only at a restart; ignoring until then");
	CONFIG_SETTINGS(WARN)
#undef WARN
	if (!config_list_same(&old->interfaces, &now->interfaces))
		log_warning(SUB, "\"interfaces\" change only at a restart; ignoring until then");
}
