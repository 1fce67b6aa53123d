/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/server_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "codec/config_read.h"
#include "codec/jsonget.h"

#define OFFICIAL "io.modelcontextprotocol.registry/official"
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"
#define SHA256_DIGITS 64

const char *const registry_status_names[REGISTRY_STATUS_COUNT + 1] = { "unknown", "active",
								       "deprecated", "deleted",
								       NULL };

static void package_done(struct registry_package *p)
{
	free(p->type);
	free(p->identifier);
	free(p->version);
	free(p->transport);
	free(p->sha256);
}

void server_json_done(struct server_json *s)
{
	for (size_t i = 0; i < s->n_packages; i++)
		package_done(&s->packages[i]);
	for (size_t i = 0; i < s->n_remotes; i++) {
		free(s->remotes[i].type);
		free(s->remotes[i].url);
	}
	free(s->packages);
	free(s->remotes);
	free(s->name);
	free(s->version);
	*s = (struct server_json){ 0 };
}

/* --- members ---------------------------------------------------------------------------------- */

/* The member, if it is there and not null; its place goes on from `of`, which stays. */
static bool member(const struct config_value *of, const char *key, struct config_value *ret)
{
	*ret = (struct config_value){ { of->path.up || of->path.key ? &of->path : NULL, key, 0 },
				      jget(of->obj, key),
				      NULL };
	return ret->obj != NULL;
}

/* An owned copy; NULL without, or after a complaint. */
static char *text_of(struct config_reader *r, const struct config_value *of, const char *key,
		     bool needed)
{
	struct config_value v;
	const char *text;
	char *copy;

	if (!member(of, key, &v)) {
		if (needed)
			config_complain(r, of->path.key || of->path.up ? &of->path : NULL, false,
					"\"%s\" is missing", key);
		return NULL;
	}
	text = config_text(r, &v);
	if (text && !*text) {
		config_complain(r, &v.path, true, "is empty");
		return NULL;
	}
	copy = text ? strdup(text) : NULL;
	if (text && !copy)
		config_no_memory(r);
	return copy;
}

/* The list of that name, of objects; NULL: none. */
static struct json_object *list_of(struct config_reader *r, const struct config_value *of,
				   const char *key, struct config_value *ret, size_t *ret_n)
{
	*ret_n = 0;
	if (!member(of, key, ret) || !config_is(r, ret, json_type_array, "a list"))
		return NULL;
	*ret_n = json_object_array_length(ret->obj);
	if (*ret_n > SERVER_JSON_LIST_MAX) {
		config_complain(r, &ret->path, true, "%zu of them; at most %u are read", *ret_n,
				SERVER_JSON_LIST_MAX);
		*ret_n = 0;
	}
	return ret->obj;
}

static bool item_of(struct config_reader *r, const struct config_value *list, size_t i,
		    struct config_value *ret)
{
	*ret = (struct config_value){ { &list->path, NULL, i },
				      json_object_array_get_idx(list->obj, i),
				      NULL };
	return config_is(r, ret, json_type_object, "an object");
}

/* --- parts ------------------------------------------------------------------------------------- */

static void check_sha256(struct config_reader *r, const struct config_value *v,
			 const struct registry_package *p)
{
	struct config_value at;

	if (p->sha256 && member(v, "fileSha256", &at) &&
	    (strlen(p->sha256) != SHA256_DIGITS ||
	     strspn(p->sha256, "0123456789abcdef") != SHA256_DIGITS))
		config_complain(r, &at.path, true,
				"this is no SHA-256: 64 hexadecimal digits in lower case");
	if (!p->sha256 && p->type && !strcmp(p->type, "mcpb"))
		config_complain(r, &v->path, false, "a package of type mcpb needs \"fileSha256\"");
}

static void read_package(struct config_reader *r, const struct config_value *v,
			 struct registry_package *p)
{
	struct config_value transport;

	p->type = text_of(r, v, "registryType", true);
	p->identifier = text_of(r, v, "identifier", true);
	p->version = text_of(r, v, "version", false);
	p->sha256 = text_of(r, v, "fileSha256", false);
	check_sha256(r, v, p);
	if (p->version && !strcmp(p->version, "latest") && member(v, "version", &transport))
		config_complain(r, &transport.path, true, "\"latest\" is no version");
	if (member(v, "transport", &transport) &&
	    config_is(r, &transport, json_type_object, "an object"))
		p->transport = text_of(r, &transport, "type", true);
}

static void read_packages(struct config_reader *r, const struct config_value *of,
			  struct server_json *s)
{
	struct config_value list, v;
	size_t n;

	if (!list_of(r, of, "packages", &list, &n))
		return;
	s->packages = calloc(n + 1, sizeof(*s->packages));
	if (!s->packages) {
		config_no_memory(r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (item_of(r, &list, i, &v))
			read_package(r, &v, &s->packages[s->n_packages++]);
}

/* Not one that could be read as another: no user information, each variable closed. */
static bool is_pattern(const char *url)
{
	size_t scheme = !strncasecmp(url, "https://", 8)  ? 8
			: !strncasecmp(url, "http://", 7) ? 7
							  : 0;
	size_t host = strcspn(url + scheme, "/?#");

	if (!scheme || !host || memchr(url + scheme, '@', host))
		return false;
	for (const char *p = url; *p; p++) {
		if (*p == '}')
			return false;
		if (*p != '{')
			continue;
		p += strcspn(p + 1, "{}/.:?#@") + 1;
		if (*p != '}' || p[-1] == '{' || p[1] == '{')
			return false;
	}
	return true;
}

static void read_remotes(struct config_reader *r, const struct config_value *of,
			 struct server_json *s)
{
	struct config_value list, v, at;
	size_t n;

	if (!list_of(r, of, "remotes", &list, &n))
		return;
	s->remotes = calloc(n + 1, sizeof(*s->remotes));
	if (!s->remotes) {
		config_no_memory(r);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct registry_remote *to = &s->remotes[s->n_remotes];

		if (!item_of(r, &list, i, &v))
			continue;
		s->n_remotes++;
		to->type = text_of(r, &v, "type", true);
		to->url = text_of(r, &v, "url", true);
		if (to->type && strcmp(to->type, "streamable-http") != 0 &&
		    strcmp(to->type, "sse") != 0 && member(&v, "type", &at))
			config_complain(r, &at.path, true,
					"\"%s\" is no transport of a remote: streamable-http, sse",
					to->type);
		if (to->url && !is_pattern(to->url) && member(&v, "url", &at))
			config_complain(r, &at.path, true,
					"not an http or https URL without user information, with "
					"variables as {name} that do not touch");
	}
}

/* "com.example/tool" */
static void check_name(struct config_reader *r, const struct config_value *of,
		       const struct server_json *s)
{
	size_t n = s->name ? strspn(s->name, NAME_CHARS) : 0;
	struct config_value at;

	if (!s->name || !member(of, "name", &at))
		return;
	if (!n || s->name[n] != '/' || !s->name[n + 1] || *s->name == '.' ||
	    s->name[n - 1] == '.' || strstr(s->name, "..") ||
	    strspn(s->name + n + 1, NAME_CHARS "_") != strlen(s->name + n + 1))
		config_complain(r, &at.path, true,
				"not a name in a namespace, as \"com.example/tool\"");
}

/* Of the entry itself, or of what the registry's API has beside it. */
static void read_status(struct config_reader *r, const struct config_value *of,
			struct server_json *s)
{
	struct config_value meta, official, v;
	bool said = member(of, "status", &v);
	int word;

	if (member(of, "_meta", &meta) && config_is(r, &meta, json_type_object, "an object") &&
	    member(&meta, OFFICIAL, &official) &&
	    config_is(r, &official, json_type_object, "an object") &&
	    jget(official.obj, "status")) {
		said = member(&official, "status", &v);
	}
	if (!said)
		return;
	word = config_word(r, &v, registry_status_names + REGISTRY_ACTIVE);
	if (word >= 0)
		s->status = (enum registry_status)(REGISTRY_ACTIVE + word);
}

static void read_document(struct config_reader *r, const struct config_value *root,
			  struct server_json *s)
{
	struct config_value server = *root;

	if (jget(root->obj, "server") && !jget(root->obj, "name") &&
	    (!member(root, "server", &server) ||
	     !config_is(r, &server, json_type_object, "an object")))
		return;
	s->name = text_of(r, &server, "name", true);
	s->version = text_of(r, &server, "version", true);
	check_name(r, &server, s);
	read_packages(r, &server, s);
	read_remotes(r, &server, s);
	read_status(r, &server, s);
	if (server.obj != root->obj)
		read_status(r, root, s);
	if (!r->n_errors && !s->n_packages && !s->n_remotes)
		config_complain(r, NULL, false, "there are neither packages nor remotes in it");
}

int server_json_read(const char *text, size_t len, const char *file, struct server_json *ret,
		     struct buf *errors)
{
	CLEANUP(json_putp) struct json_object *obj = NULL;
	struct config_reader r = { .text = text, .len = len, .file = file, .errors = errors };
	struct config_value root = { 0 };
	int e = config_read_tree(&r, "server.json", &obj);

	*ret = (struct server_json){ 0 };
	if (e)
		return e;
	root.obj = obj;
	if (config_is_at(&r, NULL, obj, json_type_object, "an object"))
		read_document(&r, &root, ret);
	if (!r.n_errors && !r.no_memory)
		return 0;
	server_json_done(ret);
	return r.no_memory ? -ENOMEM : -EINVAL;
}
