/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A daemon over the fakes beside this: a real loop, bus and servers, and the modules and
 * table that a test gives. Its state, socket and clock are its own.
 */
#ifndef SWITCHGEAR_TESTS_FAKE_RIG_H
#define SWITCHGEAR_TESTS_FAKE_RIG_H

#include <sys/types.h>

#include "base/buf.h"
#include "core/status.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "daemon/settings.h"
#include "fake/alloc.h"
#include "fake/clock.h"
#include "fake/dataplane.h"
#include "fake/log.h"
#include "unit/unit.h"

struct rig_parts {
	const struct module *const *modules;
	size_t n_modules;
	const struct subscription *table;
	size_t n_table;
};

struct rig {
	struct daemon d;
	struct settings settings;
	struct modules *modules;
	struct rig_parts parts;
	char dir[64];
	char state_dir[80];
	char socket[80];
	size_t started; /* modules */
};

/* A host, without a daemon. */
void rig_make(struct rig *rig, const struct rig_parts *parts);
void rig_free(struct rig *rig); /* with its daemon, if one runs */

/* A daemon up to its first configuration; -errno of a module's start() or of the rest. */
int rig_begin(struct rig *rig);
int rig_apply(struct rig *rig, const char *config); /* servers_apply() alone */
void rig_end(struct rig *rig);                      /* the kernel and the disk stay */
/* All of that, and a pass; it must go well. */
void rig_start(struct rig *rig, const char *config);
void rig_reload(struct rig *rig, const char *config);
void rig_restart(struct rig *rig, const char *config);
void rig_reboot(struct rig *rig, const char *config);
struct config *rig_config(const char *text);

void rig_pass(struct rig *rig);
void rig_turn(struct rig *rig); /* of the loop, until nothing is due */
void rig_advance(struct rig *rig, uint64_t ns);
struct server *rig_server(struct rig *rig, const char *name);

/* --- over the socket -------------------------------------------------------------------------- */

struct rig_answer {
	unsigned int status;
	char *body; /* owned: rig_answer_done() */
	char *text; /* with the header */
	size_t len;
};

/* Who clients are from now on; RIG_NOBODY is no root, and in no group. */
#define RIG_NOBODY 65534U
#define RIG_GROUP 4242U /* what settings_resolve() made of api_group */
void rig_client(uid_t uid, gid_t gid);
/* One request, and its answer. */
unsigned int rig_ask(struct rig *rig, const char *method, const char *path, const char *body,
		     struct rig_answer *ret);
/* The same in two steps; rig_look() reads what is there, and says whether it ended. */
int rig_send(struct rig *rig, const char *method, const char *path, const char *body);
/* A GET with lines of a header, each with its line break; by HTTP/1.0, so that what comes is not
 * in chunks. */
int rig_get(struct rig *rig, const char *path, const char *header);
bool rig_look(struct rig *rig, int fd, struct rig_answer *to);
void rig_answer_done(struct rig_answer *a);

/* POST v1/servers/NAME/VERB; its status. */
unsigned int rig_order(struct rig *rig, const char *name, const char *verb, const char *body);
void rig_status(struct rig *rig, struct status *ret); /* status_done() */
bool rig_degraded(struct rig *rig, const char *text); /* is a sentence with it there? */
/* How many of the events that are kept contain all of these texts (NULL: not asked). */
size_t rig_events(struct rig *rig, const char *a, const char *b);
bool rig_metric(struct rig *rig, const char *line); /* is this line there? */

#endif
