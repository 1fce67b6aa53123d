/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/clients.h"
#include "daemon/settings.h"
#include "io/store.h"

/* Where a client keeps its file, for this home; false if not for it. */
static bool place_path(const struct client_place *place, const char *home, char *path, size_t size)
{
	switch (place->base) {
	case CLIENT_HOME:
		snprintf(path, size, "%s/%s", home, place->path);
		return true;
	case CLIENT_CONFIG:
		snprintf(path, size, "%s/.config/%s", home, place->path);
		return true;
	case CLIENT_ROOT:
		snprintf(path, size, "%s", place->path);
		return true;
	default:
		return false; /* projects: nobody says which */
	}
}

static int place_read(const struct client_place *place, const char *home, struct client_list *list)
{
	CLEANUP(freep) char *text = NULL;
	size_t before = list->n;
	char path[4096];
	size_t len = 0;
	int r;

	if (!place_path(place, home, path, sizeof(path)))
		return 0;
	r = file_read(path, CLIENTS_SIZE_MAX, &text, &len);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (!r)
		r = clients_parse(place, text, len, &settings_env, list);
	if (r == -ENOMEM)
		return r;
	if (r == -ENOTSUP)
		fprintf(stderr, "%s: %s: this format is not read\n", place->client, path);
	else if (r)
		fprintf(stderr, "%s: %s: %s; ignoring\n", place->client, path, strerror(-r));
	else
		fprintf(stderr, "%s: %s: %zu servers\n", place->client, path, list->n - before);
	return 0;
}

int import_print(const char *home)
{
	struct client_list list = { 0 };
	struct buf out = BUF(CONFIG_SIZE_MAX);
	int r = 0;

	for (size_t i = 0; i < client_places_count && !r; i++)
		r = place_read(&client_places[i], home, &list);
	for (size_t i = 0; i < list.n; i++)
		if (list.v[i].skipped)
			fprintf(stderr, "%s: server \"%s\" is skipped: %s\n", list.v[i].client,
				list.v[i].name, list.v[i].skipped);
	if (list.proxies_left)
		fprintf(stderr,
			"%zu proxies in the environments of servers are not watched: they are not "
			"of HTTP in clear, not known by a name, or too many\n",
			list.proxies_left);
	if (!r && !list.n) {
		fprintf(stderr, "no MCP client's configuration with servers was found below %s\n",
			home);
		r = -ENOENT;
	}
	if (!r)
		r = clients_to_config(&list, &out);
	if (!r)
		fputs(buf_str(&out), stdout);
	client_list_done(&list);
	buf_done(&out);
	return r;
}
