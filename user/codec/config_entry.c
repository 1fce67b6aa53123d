/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One server of a configuration as a text that outlives it. */
#include <errno.h>
#include <string.h>

#include "codec/config.h"
#include "codec/jsonw.h"

char *config_origin(const struct config_server *c, char *out, size_t size)
{
	bool v6 = strchr(c->host, ':');

	*out = '\0';
	if (c->unix_name && !config_text_same(c->url_shown, CONFIG_UNIX_HIDDEN))
		snprintf(out, size, CONFIG_UNIX_SCHEME "%s", c->unix_name);
	if (c->has_url)
		snprintf(out, size, "%s://%s%s%s:%u", c->scheme == URL_HTTPS ? "https" : "http",
			 v6 ? "[" : "", c->host, v6 ? "]" : "", c->port);
	return out;
}

static int entry_text(const struct config_server *c, size_t n_networks, char *out, size_t size)
{
	CLEANUP(buf_done) struct buf text = BUF(size - 1);
	char origin[CONFIG_ORIGIN_MAX];
	struct jsonw w;

	jsonw_init(&w, &text);
	jsonw_object(&w, NULL);
	if (*config_origin(c, origin, sizeof(origin)))
		jsonw_text(&w, "url", origin);
	else if (!n_networks)
		jsonw_text(&w, "command", "unknown");
	jsonw_uint(&w, "deny_errno", c->deny_errno);
	if (c->shared != CONFIG_SHARED_LEARNED)
		jsonw_bool(&w, "shared", c->shared == CONFIG_SHARED_ALWAYS);
	if (n_networks)
		jsonw_list(&w, "networks");
	for (size_t i = 0; i < n_networks; i++)
		jsonw_text(&w, NULL, c->networks[i].text);
	if (n_networks)
		jsonw_list_end(&w);
	jsonw_object_end(&w);
	if (buf_error(&text))
		return buf_error(&text);
	memcpy(out, buf_str(&text), text.len + 1);
	return 0;
}

int config_entry_write(const struct config_server *c, char *out, size_t size)
{
	int r = entry_text(c, c->n_networks, out, size);

	if (r == -EMSGSIZE && !entry_text(c, 0, out, size))
		return r;
	return r;
}

int config_entry_read(const char *name, const char *entry, struct config **ret)
{
	CLEANUP(buf_done) struct buf text = BUF(CONFIG_ENTRY_MAX * 2);
	CLEANUP(buf_done) struct buf errors = BUF(4096);
	struct jsonw w;

	buf_puts(&text, "{\"mcpServers\":{");
	jsonw_init(&w, &text);
	jsonw_text(&w, NULL, name);
	buf_printf(&text, ":%s}}", entry);
	if (buf_error(&text))
		return buf_error(&text);
	return config_parse(buf_str(&text), text.len, name, NULL, ret, &errors);
}
