/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading and reloading the configuration. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/app.h"
#include "daemon/file.h"
#include "io/notify.h"

#define SUB "config"
#define CONFIG_PATH "/etc/switchgear/switchgear.json"
#define ERRORS_SIZE 65536

static const char *lookup(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

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

int app_config_read(const struct options *options, struct config **ret)
{
	const char *path = options->config ? options->config : CONFIG_PATH;
	const struct config_env env = { .lookup = lookup };
	CLEANUP(freep) char *text = NULL;
	struct buf messages;
	size_t len;
	int r;

	r = file_read(path, CONFIG_SIZE_MAX, &text, &len);
	if (r == -ENOENT)
		return log_failure(r, SUB,
				   "no configuration at %s; write one (an example is in "
				   "switchgear.json(5)) or name it with --config",
				   path);
	if (r)
		return log_failure(r, SUB,
				   "cannot read the configuration %s; check the path and its "
				   "permissions",
				   path);
	buf_init(&messages, ERRORS_SIZE);
	r = config_parse(text, len, path, &env, ret, &messages);
	log_lines(r ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, buf_str(&messages));
	buf_done(&messages);
	return r;
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; i < a->n && same; i++)
		same = !strcmp(a->v[i], b->v[i]);
	return same;
}

/* What needs a restart to change; says so. */
static void reload_warn(const struct config *old, const struct config *new)
{
	const struct {
		const char *key;
		const char *before;
		const char *after;
	} fixed[] = {
		{ "cgroup", old->cgroup, new->cgroup },
		{ "pin_dir", old->pin_dir, new->pin_dir },
		{ "socket", old->socket, new->socket },
		{ "state_dir", old->state_dir, new->state_dir },
		{ "metrics", old->metrics, new->metrics },
		{ "api_group", old->api_group, new->api_group },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		const char *a = fixed[i].before ? fixed[i].before : "";
		const char *b = fixed[i].after ? fixed[i].after : "";

		if (strcmp(a, b))
			log_warning(SUB, "\"%s\" changes only at a restart; ignoring until then",
				    fixed[i].key);
	}
	if (!same_list(&old->interfaces, &new->interfaces))
		log_warning(SUB, "\"interfaces\" change only at a restart; ignoring until then");
}

/* The command line's --mode holds over every configuration. */
static void reload_mode(struct app *app, const struct config *config)
{
	if (app->options.mode || app->observe == config->observe)
		return;
	app->observe = config->observe;
	dataplane_observe(app->dp, app->observe);
	log_notice(SUB, "%s from now on", app->observe ? "observing only" : "enforcing");
}

void app_reload(struct app *app)
{
	CLEANUP(config_freep) struct config *config = NULL;
	struct event e;
	int r;

	(void)!notify_reloading();
	app_event_init(&e, EVENT_RELOAD, "");
	r = app_config_read(&app->options, &config);
	if (r) {
		log_error(SUB, "the configuration was not reloaded; the old one stays in force");
		snprintf(e.text, sizeof(e.text), "refused: the new configuration has errors");
	} else {
		size_t n = config->n_servers;

		reload_warn(app->config, config);
		reload_mode(app, config);
		r = app_servers_apply(app, TAKE_PTR(config));
		log_notice(SUB, "the configuration was reloaded: %zu servers", n);
		snprintf(e.text, sizeof(e.text), "%s", r ? "reloaded with errors" : "reloaded");
	}
	app_report(app, &e);
	app_flush(app);
	app_schedule(app);
	loop_timer_set(app->resolver_timer, 0); /* there may be new names */
	(void)!notify_ready("watching");
}
