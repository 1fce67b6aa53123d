/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "daemon/servers.h"

int modules_new(const struct module *const *v, size_t n, struct daemon *d, struct modules **ret)
{
	struct modules *ms;

	if (n > MODULES_MAX)
		return -E2BIG;
	ms = calloc(1, sizeof(*ms));
	if (!ms)
		return -ENOMEM;
	ms->v = v;
	ms->n = n;
	for (size_t i = 0; i < n; i++) {
		struct part *part =
			calloc(1, v[i]->size > sizeof(*part) ? v[i]->size : sizeof(*part));

		if (!part) {
			modules_free(ms);
			return -ENOMEM;
		}
		*part = (struct part){ .d = d, .slot = i };
		ms->memory[i] = part;
	}
	*ret = ms;
	return 0;
}

void modules_free(struct modules *ms)
{
	if (!ms)
		return;
	for (size_t i = 0; i < ms->n; i++)
		free(ms->memory[i]);
	free(ms);
}

void *module_server(const void *m, const struct server *s)
{
	const struct part *part = m;

	return s->memory[part->slot];
}

int status_degrade(struct status *to, const char *text)
{
	char *copy = strdup(text);
	int r = copy ? list_grow(&to->degraded, to->n_degraded, sizeof(copy)) : -ENOMEM;

	if (r)
		free(copy);
	else
		to->degraded[to->n_degraded++] = copy;
	return r;
}

int modules_degraded(struct modules *ms, struct status *to)
{
	const struct part *part = ms->memory[0];
	const char *text;
	int r = 0;

	for (size_t i = 0; (text = dataplane_degraded(part->d->dp, i)) && !r; i++)
		r = status_degrade(to, text);
	MODULES_TRY(r, ms, degraded, to);
	return r;
}
