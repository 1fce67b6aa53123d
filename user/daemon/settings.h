/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon is told when it starts: the command line over the environment over
 * the configuration over the default. The list of settings that are one text each is
 * CONFIG_SETTINGS (codec/config_types.h): a line there is all that a new one takes.
 */
#ifndef SWITCHGEAR_DAEMON_SETTINGS_H
#define SWITCHGEAR_DAEMON_SETTINGS_H

#include <stdbool.h>
#include <sys/types.h>

#include "codec/config.h"
#include "io/worker.h"

#define SETTINGS_INTERFACES_MAX 8

struct settings {
	const char *config; /* path; NULL: the default */
	const char *mode;   /* "enforce" or "observe"; NULL: as the configuration says */
	const char *import; /* a home directory: print a configuration made from its clients */
	bool check;
	bool attach; /* also after a detach that is marked */
	const char *interfaces[SETTINGS_INTERFACES_MAX + 1]; /* of the command line */
	/* As given by option or environment, NULL: not; and what holds, see settings_resolve(). */
#define SETTINGS_MEMBER(key, reader, argument, fallback, help) \
	const char *given_##key;                               \
	char *key;
	CONFIG_SETTINGS(SETTINGS_MEMBER)
#undef SETTINGS_MEMBER
	bool metrics_off;
	struct addr metrics_addr;
	uint16_t metrics_port;
	char unmarked[256]; /* why the mark of a detach could not be removed; "" */
	char error[512];    /* why the latest reading of the configuration failed; "": it did not */
	uint64_t loaded_ns; /* wall time of the latest one that did not */
	struct worker_program worker; /* of settings_resolve() */
	gid_t gid; /* of api_group; valid with has_gid, which comes when the name is known */
	bool has_gid;
};

enum settings_result {
	SETTINGS_RUN,
	SETTINGS_DONE,  /* help or version was printed: exit 0 */
	SETTINGS_USAGE, /* a message was printed: exit 2 */
};

/* argv must outlive *ret, which settings_done() frees. */
enum settings_result settings_parse(int argc, char **argv, struct settings *ret);
void settings_done(struct settings *s);

/* Reads the configuration; logs what is wrong with it, and keeps the first of it in s->error. */
int settings_config(struct settings *s, struct config **ret) MUST_CHECK;
/* Decides what holds; finds and checks the cgroup. -ENOENT, -ENOTDIR, -EINVAL: logged. */
int settings_resolve(struct settings *s, const struct config *config) MUST_CHECK;
bool settings_observe(const struct settings *s, const struct config *config);
/* Warns of what changes only at a restart. */
void settings_warn(const struct config *old, const struct config *now);

/* Variables of the environment, as ${NAME} in a configuration. */
extern const struct config_env settings_env;

#endif
