/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose the user ids are that newuidmap hands out (subuid(5)): an ordinary user who has
 * 65,536 of them is one source of failures all the same. Read from files alone: a name
 * service could keep the daemon waiting.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "dataplane/private.h"

#define SUB "bpf"
#define SUBUID_FILE "/etc/subuid"
#define PASSWD_FILE "/etc/passwd"

/* The uid of a name; `otherwise` if no file knows it. */
static uint32_t uid_of(const char *name, uint32_t otherwise)
{
	CLEANUP(fclosep) FILE *f = fopen(PASSWD_FILE, "re");
	const struct passwd *entry;
	uint64_t uid;

	if (!parse_u64(name, 0, UINT32_MAX, &uid))
		return (uint32_t)uid;
	while (f && (entry = fgetpwent(f)))
		if (!strcmp(entry->pw_name, name))
			return entry->pw_uid;
	return otherwise;
}

/* "name:first:count", as subuid(5); -EINVAL for what is none. */
int dataplane_subuid_parse(char *line, uint32_t *ret_owner, uint32_t *ret_first, uint64_t *ret_n)
{
	char *rest = line;
	const char *name = strsep(&rest, ":");
	const char *first = strsep(&rest, ":");
	const char *count = strsep(&rest, ":\n");
	uint64_t from;

	if (!count || parse_u64(first, 1, UINT32_MAX, &from) ||
	    parse_u64(count, 1, UINT32_MAX - from + 1, ret_n))
		return -EINVAL;
	*ret_first = (uint32_t)from;
	*ret_owner = uid_of(name, *ret_first);
	return 0;
}

/* A range as the fewest prefixes. */
static int range_put(struct dataplane *dp, uint32_t owner, uint64_t first, uint64_t n)
{
	while (n) {
		unsigned int bits = first ? (unsigned int)__builtin_ctzll(first) : 31;
		struct sg_subuid key;

		while (1ULL << bits > n)
			bits--;
		key.prefixlen = 32 - bits;
		key.uid = htonl((uint32_t)first);
		if (dataplane_map_put(dp->skel->maps.subuids, &key, &owner, BPF_ANY))
			return -errno;
		first += 1ULL << bits;
		n -= 1ULL << bits;
	}
	return 0;
}

void dataplane_subuids_write(struct dataplane *dp)
{
	CLEANUP(fclosep) FILE *f = fopen(SUBUID_FILE, "re");
	char line[256];
	int r = 0;

	while (f && !r && fgets(line, sizeof(line), f)) {
		uint32_t owner;
		uint32_t first;
		uint64_t n;

		if (!dataplane_subuid_parse(line, &owner, &first, &n))
			r = range_put(dp, owner, first, n);
	}
	if (r)
		log_failure(r, SUB,
			    "not all of " SUBUID_FILE " could be taken over: who has user ids of "
			    "it can count as several callers");
}
