/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What isolated processes may reach all the same, and where a server of this host runs. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "codec/config_read.h"
#include "codec/jsonget.h"

/* "10.0.0.5", "192.0.2.0/24", either with ":514"; IPv6 with a port in brackets. */
int config_parse_allowed(const char *text, struct config_allowed *ret)
{
	CLEANUP(freep) char *copy = strdup(text);
	struct config_allowed a = { 0 };
	char *address = copy;
	char *colon;
	uint64_t port;

	if (!copy)
		return -ENOMEM;
	colon = strrchr(copy, ':');
	if (*copy == '[') {
		char *end = strchr(copy, ']');

		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		*end = '\0';
		address++;
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && strchr(copy, ':') != colon) {
		colon = NULL; /* IPv6 without a port */
	}
	if (colon) {
		if (parse_u64(colon + 1, 1, UINT16_MAX, &port))
			return -EINVAL;
		*colon = '\0';
		a.port = (uint16_t)port;
	}
	a.prefix = 128;
	if (strchr(address, '/') ? parse_network(address, &a.addr, &a.prefix)
				 : parse_addr(address, &a.addr))
		return -EINVAL;
	*ret = a;
	return 0;
}

static bool read_allow(struct config_reader *r, const struct config_value *v, void *target)
{
	struct config_isolation *to = target;
	size_t n;

	if (!config_is(r, v, json_type_array, "a list like [\"10.0.0.5\", \"192.0.2.0/24:514\"]"))
		return false;
	n = json_object_array_length(v->obj);
	if (n > v->key->max)
		return config_complain(r, &v->path, true,
				       "%zu entries; at most %" PRIu64 " are allowed", n,
				       v->key->max);
	free(to->allow);
	to->allow = calloc(n ? n : 1, sizeof(*to->allow));
	to->n_allow = 0;
	if (!to->allow)
		return config_no_memory(r);
	for (size_t i = 0; i < n; i++) {
		struct config_value item = { { &v->path, NULL, i },
					     json_object_array_get_idx(v->obj, i),
					     NULL };
		const char *text = config_text(r, &item);
		int e = text ? config_parse_allowed(text, &to->allow[i]) : -EINVAL;

		if (e == -ENOMEM)
			return config_no_memory(r);
		if (e && text)
			return config_complain(r, &item.path, true,
					       "\"%s\" is neither an address nor a network; write "
					       "it like 10.0.0.5, 192.0.2.0/24:514 or "
					       "[fd00::5]:514, with no bits set behind the prefix",
					       text);
		if (e)
			return false;
		to->n_allow++;
	}
	return true;
}

static const char *const when_words[] = { "quarantine", "asked", NULL };

static const struct config_key isolation_keys[] = {
	CONFIG_KEY("when", config_read_second, config_isolation, asked, .words = when_words),
	CONFIG_KEY("allow", read_allow, config_isolation, allow, .max = CONFIG_ALLOW_MAX),
};

bool config_read_isolation(struct config_reader *r, const struct config_value *v, void *target)
{
	static const struct config_keys keys = { .keys = isolation_keys,
						 .n = ARRAY_SIZE(isolation_keys) };

	return config_read_object(r, v, &keys, (char *)target + v->key->offset);
}

bool config_isolation_same(const struct config_isolation *a, const struct config_isolation *b)
{
	return a->asked == b->asked && a->n_allow == b->n_allow &&
	       (!a->n_allow || !memcmp(a->allow, b->allow, a->n_allow * sizeof(*a->allow)));
}

/* --- where it runs ---------------------------------------------------------------------------- */

static const struct config_key local_keys[] = {
	CONFIG_KEY("unit", config_read_text, config_server, local_unit),
	CONFIG_KEY("cgroup", config_read_text, config_server, local_cgroup),
	CONFIG_KEY("container", config_read_text, config_server, local_container),
	CONFIG_KEY("listen", config_read_text, config_server, local_listen),
};

static bool is_short(struct config_reader *r, const struct config_value *v, const char *key,
		     const char *text, size_t most)
{
	if (!text || (*text && strlen(text) <= most))
		return true;
	return config_complain(r, &v->path, true, "\"%s\" must have 1 to %zu bytes", key, most);
}

bool config_read_local(struct config_reader *r, const struct config_value *v,
		       struct config_server *s)
{
	static const struct config_keys keys = { .keys = local_keys, .n = ARRAY_SIZE(local_keys) };
	struct addr addr;
	uint16_t port;

	if (!config_read_object(r, v, &keys, s))
		return false;
	if (s->local_listen && parse_addr_port(s->local_listen, &addr, &port) < 0)
		return config_complain(r, &v->path, true, "\"listen\" must be ADDRESS:PORT");
	if (s->local_unit && strchr(s->local_unit, '/'))
		return config_complain(r, &v->path, true,
				       "\"unit\" must be the name of a unit, like \"web.service\"");
	if (s->local_cgroup && s->local_cgroup[0] != '/')
		return config_complain(r, &v->path, true, "\"cgroup\" must begin with /");
	return is_short(r, v, "unit", s->local_unit, CONFIG_LOCAL_MAX) &&
	       is_short(r, v, "cgroup", s->local_cgroup, 4 * CONFIG_LOCAL_MAX) &&
	       is_short(r, v, "container", s->local_container, CONFIG_LOCAL_MAX);
}
