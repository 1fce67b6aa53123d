/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unix sockets as keys: the kernel knows of a connect what was written into its address, so that
 * each way to write a path is a key of its own. Those that are known beforehand are entered.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"

/* --- names --------------------------------------------------------------------------------- */

/* False: it is too long, or there already. */
static bool key_add(struct sg_unix *keys, size_t *n, const char *directory, const char *rest)
{
	struct sg_unix key = { { 0 } };
	int len = snprintf(key.path, sizeof(key.path), "%s%s", directory, rest);

	if (len < 0 || (size_t)len >= sizeof(key.path))
		return false;
	for (size_t i = 0; i < *n; i++)
		if (!memcmp(&keys[i], &key, sizeof(key)))
			return false;
	keys[(*n)++] = key;
	return true;
}

/* /var/run leads to /run on most hosts, and programs write the one or the other. */
static void var_run_add(struct sg_unix *keys, size_t *n, const char *real)
{
	char run[PATH_MAX];

	if (!strncmp(real, "/run/", 5) && realpath("/var/run", run) && !strcmp(run, "/run"))
		(void)key_add(keys, n, "/var", real);
}

size_t dataplane_unix_keys(const char *name, struct sg_unix *ret)
{
	const char *base = strrchr(name, '/');
	char directory[SG_UNIX_PATH + 1];
	char real[PATH_MAX + SG_UNIX_PATH];
	size_t n = 0;

	if (!key_add(ret, &n, "", name))
		return 0;
	if (*name == '@')
		ret[0].path[0] = '\0';
	if (*name == '@' || !base)
		return n;
	snprintf(directory, sizeof(directory), "%.*s", (int)(base - name) + 1, name);
	if (!realpath(directory, real))
		return n;
	if (!strcmp(real, "/"))
		real[0] = '\0';
	strncat(real, base, SG_UNIX_PATH);
	(void)key_add(ret, &n, "", real);
	var_run_add(ret, &n, real);
	return n;
}

/* --- entries -------------------------------------------------------------------------------- */

static bool is_others(struct dataplane *dp, const struct sg_unix *key, uint32_t id)
{
	uint32_t at;

	return !bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.unix2srv), key, &at) &&
	       dataplane_others(dp, id, at);
}

static int enter(struct dataplane *dp, uint32_t id, const struct sg_unix *keys, size_t n)
{
	uint32_t incarnation = dataplane_incarnation(dp, id);

	for (size_t i = 0; i < n; i++) {
		uint32_t at = SG_AT(id, 0, i > 0, incarnation);

		if (i && is_others(dp, &keys[i], id)) {
			dp->left[id] = true;
			continue;
		}
		if (dataplane_map_put(dp->skel->maps.unix2srv, &keys[i], &at, BPF_ANY))
			return log_failure(-errno, SUB, "cannot enter a Unix socket of server %u",
					   id);
	}
	return 0;
}

int dataplane_unix_set(struct dataplane *dp, uint32_t id, const char *name)
{
	struct sg_unix keys[UNIX_KEYS_MAX];
	size_t n = name ? dataplane_unix_keys(name, keys) : 0;
	int r = enter(dp, id, keys, n);

	return r ? r
		 : dataplane_map_keep(dp->skel->maps.unix2srv, "cannot list the Unix sockets", id,
				      keys, n);
}

static int any_left(void *data, UNUSED const void *key, const void *owner)
{
	struct dataplane *dp = data;
	uint32_t at = *(const uint32_t *)owner;

	return dataplane_incarnation(dp, SG_AT_ID(at)) == SG_AT_INCARNATION(at);
}

void dataplane_unix_settle(struct dataplane *dp)
{
	int r = dataplane_map_walk(dp->skel->maps.unix2srv, "cannot list the Unix sockets",
				   any_left, dp);

	if (!r)
		dataplane_unix_end(dp);
	else if (r > 0)
		(void)dataplane_unix_begin(dp); /* a daemon before attached it */
}
