/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/config_types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const on_open_words[] = { "refuse", "stand_in", "fallback", NULL };

void config_list_done(struct config_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct config_list){ 0 };
}

int config_list_add(struct config_list *list, const char *text)
{
	char **v = reallocarray(list->v, list->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	list->v = v;
	v[list->n] = strdup(text);
	if (!v[list->n])
		return -ENOMEM;
	list->n++;
	return 0;
}

bool config_text_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool config_list_same(const struct config_list *a, const struct config_list *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; i < a->n && same; i++)
		same = !strcmp(a->v[i], b->v[i]);
	return same;
}

static void server_done(struct config_server *s)
{
	free(s->url_shown);
	free(s->bridge);
	free(s->command_shown);
	free(s->unix_name);
	free(s->networks);
	free(s->group);
	free(s->local_unit);
	free(s->local_cgroup);
	free(s->local_container);
	free(s->local_listen);
	free(s->isolation.allow);
	config_list_done(&s->fallback);
	config_list_done(&s->idempotent_tools);
	*s = (struct config_server){};
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_servers; i++)
		server_done(&config->servers[i]);
	free(config->servers);
#define SETTING_FREE(key, reader, argument, fallback, help) free(config->key);
	CONFIG_SETTINGS(SETTING_FREE)
#undef SETTING_FREE
	config_list_done(&config->interfaces);
	config_list_done(&config->proxies);
	free(config->isolation.allow);
	free(config);
}

const struct config_server *config_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_servers; i++) {
		if (!strcmp(config->servers[i].name, name))
			return &config->servers[i];
	}
	return NULL;
}
