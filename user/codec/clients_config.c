/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A configuration of Switchgear from what clients have. */
#include <errno.h>
#include <string.h>

#include "codec/clients.h"
#include "codec/jsonw.h"

#define NAME_ROOM 8U           /* for "-1023" */
#define CLIENTS_NAME_MAX 4096U /* of a longer one nothing is left */
#define SMALL_SUFFIXES 10U

static bool same_server(const struct client_server *a, const struct client_server *b)
{
	return config_text_same(a->url, b->url) && config_text_same(a->command, b->command) &&
	       config_text_same(a->bridge, b->bridge) && config_list_same(&a->args, &b->args);
}

/* Names are plain ASCII here: whatever else a client allows becomes '_'. */
static void name_clean(const char *wanted, char *out)
{
	CLEANUP(buf_done) struct buf shown = BUF(CLIENTS_NAME_MAX);
	const char *name;
	size_t n = 0;

	url_redact(wanted, URL_MASKED, &shown);
	name = buf_str(&shown);

	while (*name == ' ')
		name++;
	for (; *name && n < SG_NAME_LEN - 1 - NAME_ROOM; name++)
		out[n++] = *name < 0x20 || *name > 0x7e ? '_' : *name;
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	if (!n)
		snprintf(out, SG_NAME_LEN, "server");
}

static bool name_taken(char (*names)[SG_NAME_LEN], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

static void name_unique(char (*names)[SG_NAME_LEN], size_t n, const char *wanted)
{
	char base[SG_NAME_LEN];

	name_clean(wanted, base);
	snprintf(names[n], SG_NAME_LEN, "%s", base);
	for (unsigned int i = 2; name_taken(names, n, names[n]); i++) {
		if (i == SMALL_SUFFIXES && n > i)
			i = (unsigned int)n; /* hardly ever taken: spares trying all of them */
		snprintf(names[n], SG_NAME_LEN, "%.*s-%u", (int)(SG_NAME_LEN - 1 - NAME_ROOM), base,
			 i % 10000);
	}
}

/* Where this server was found, in a comment; a file's text must not end the comment. */
static void write_origin(const struct client_server *s, struct buf *out)
{
	buf_printf(out, "\t\t// %s", s->client);
	if (s->scope) {
		buf_puts(out, ", ");
		for (const char *p = s->scope; *p; p++)
			buf_putc(out, *p < 0x20 || *p > 0x7e ? '?' : *p);
	}
	buf_putc(out, '\n');
}

static void write_server(const struct client_server *s, const char *name, struct buf *out)
{
	struct jsonw w;

	buf_puts(out, "\t\t");
	jsonw_init(&w, out);
	jsonw_text(&w, NULL, name);
	buf_puts(out, ": ");
	jsonw_object(&w, NULL);
	if (s->url) {
		jsonw_text(&w, "url", s->url);
		if (s->bridge)
			jsonw_text(&w, "bridge", s->bridge);
	} else {
		jsonw_text(&w, "command", s->command);
		jsonw_list(&w, "args");
		for (size_t i = 0; i < s->args.n; i++)
			jsonw_text(&w, NULL, s->args.v[i]);
		jsonw_list_end(&w);
	}
	jsonw_object_end(&w);
}

/* Of the environment nothing else is kept. */
static void write_proxies(const struct config_list *proxies, struct buf *out)
{
	struct jsonw w;

	if (!proxies->n)
		return;
	buf_puts(out, "\t// HTTP proxies in their environments: calls through these are watched.\n"
		      "\t\"proxies\": ");
	jsonw_init(&w, out);
	jsonw_list(&w, NULL);
	for (size_t i = 0; i < proxies->n; i++) {
		char url[sizeof("http://") + URL_HOST_MAX + 8];

		snprintf(url, sizeof(url), "http://%s", proxies->v[i]);
		jsonw_text(&w, NULL, url);
	}
	jsonw_list_end(&w);
	buf_puts(out, ",\n");
}

static bool seen_before(const struct client_list *list, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (!list->v[j].skipped && same_server(&list->v[j], &list->v[i]))
			return true;
	}
	return false;
}

int clients_to_config(const struct client_list *list, struct buf *out)
{
	CLEANUP(freep) char(*names)[SG_NAME_LEN] = calloc(CONFIG_SERVERS_MAX, sizeof(*names));
	size_t n = 0;

	if (!names)
		return -ENOMEM;
	buf_puts(
		out,
		"// Servers found in the configuration files of MCP clients. Headers, environment,\n"
		"// user information and queries of URLs were left out: they may hold secrets.\n"
		"{\n");
	write_proxies(&list->proxies, out);
	buf_puts(out, "\t\"mcpServers\": {\n");
	for (size_t i = 0; i < list->n && n < CONFIG_SERVERS_MAX; i++) {
		const struct client_server *s = &list->v[i];

		if (s->skipped || seen_before(list, i))
			continue;
		if (n)
			buf_puts(out, ",\n");
		name_unique(names, n, s->name);
		write_origin(s, out);
		write_server(s, names[n++], out);
	}
	buf_puts(out, n ? "\n\t}\n}\n" : "\t}\n}\n");
	return buf_error(out);
}
