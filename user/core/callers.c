/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/callers.h"

#include <stdio.h>

#include "witness.h"

static uint64_t window_of(uint64_t t_ns)
{
	return t_ns / CALLERS_WINDOW_NS + 1;
}

/* What of a caller is still counted at this window. */
static struct caller as_of(const struct caller *from, uint64_t window)
{
	struct caller k = *from;

	if (window <= k.window)
		return k;
	k.calls[1] = window == k.window + 1 ? k.calls[0] : 0;
	k.bad[1] = window == k.window + 1 ? k.bad[0] : 0;
	k.calls[0] = 0;
	k.bad[0] = 0;
	k.window = window;
	return k;
}

void callers_add(struct callers *c, uint32_t source, bool bad, uint64_t t_ns)
{
	struct caller *k = &c->v[0];

	for (int i = 0; i < CALLERS_MAX; i++) {
		struct caller *other = &c->v[i];

		if (other->source == source) {
			k = other;
			break;
		}
		if (other->window < k->window)
			k = other;
	}
	if (k->source != source)
		*k = (struct caller){ .source = source };
	*k = as_of(k, window_of(t_ns));
	k->calls[0]++;
	k->bad[0] += bad;
}

void callers_correct(struct callers *c, uint32_t source)
{
	for (int i = 0; i < CALLERS_MAX; i++) {
		struct caller *k = &c->v[i];

		if (k->source != source)
			continue;
		if (k->bad[0])
			k->bad[0]--;
		else if (k->bad[1])
			k->bad[1]--;
		return;
	}
}

bool callers_served(const struct callers *c, double limit, uint64_t t_ns)
{
	for (int i = 0; i < CALLERS_MAX; i++) {
		struct caller k = as_of(&c->v[i], window_of(t_ns));
		double calls = (double)k.calls[0] + k.calls[1];
		double bad = (double)k.bad[0] + k.bad[1];

		if (calls >= CALLERS_ENOUGH && bad * CALLERS_WELL <= calls * limit)
			return true;
	}
	return false;
}

double callers_share(const struct callers *c, uint32_t source, uint64_t t_ns)
{
	for (int i = 0; i < CALLERS_MAX; i++) {
		struct caller k = as_of(&c->v[i], window_of(t_ns));
		double calls = (double)k.calls[0] + k.calls[1];

		if (k.source == source && calls > 0)
			return ((double)k.bad[0] + k.bad[1]) / calls;
	}
	return 0;
}

char *callers_name(uint32_t source, char *out, size_t size)
{
	if (source & SG_SOURCE_CGROUP)
		snprintf(out, size, "cgroup 0x%08x", source & ~SG_SOURCE_CGROUP);
	else if (source >= SG_SOURCE_USER)
		snprintf(out, size, "uid %u", source - SG_SOURCE_USER);
	else
		snprintf(out, size, "%s",
			 source == SG_SOURCE_DAEMON ? "switchgeard" : "somebody unknown");
	return out;
}
