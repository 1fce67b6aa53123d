/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A module: one concern of the daemon in one file, which nobody includes. It meets
 * the others through hooks (below), signals (bus.h) and what servers.h keeps. Who
 * hears which signal stands in one table, modules/modules.c; nothing registers by itself.
 *
 * Every hook may be NULL. Hooks are called in the order of modules.h, stop() and
 * server_removed() against it. `m` is the module's own memory: `size` bytes of zeros
 * that begin with a struct part. Per server it has `server_size` bytes of zeros, see
 * module_server().
 */
#ifndef SWITCHGEAR_DAEMON_MODULE_H
#define SWITCHGEAR_DAEMON_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/state.h"
#include "core/event.h"
#include "core/status.h"
#include "daemon/daemon.h"

#define MODULES_MAX 40
#define API_REPORT_MAX (16U << 20)

struct config;
struct http_request;
struct metrics;
struct module;
struct reply_explain;
struct server;
struct signal;

/* The head of every module's memory, filled before start(). */
struct part {
	struct daemon *d;
	size_t slot; /* of its memory in every server */
};

/* How a server begins. */
struct server_start {
	const struct state *state;       /* as it was on disk */
	const struct state_server *old;  /* its entry there; NULL: none */
	const struct state_clock *clock; /* now */
	bool first;                      /* of this daemon's configurations */
	bool pinned;                     /* the kernel knows it from a daemon before this one */
};

enum api_right {
	API_READ,
	API_CHANGE, /* root and the configured group */
	API_REPORT, /* the same, with a body of up to API_REPORT_MAX bytes */
	API_RATE,   /* every local user who may read */
};

/* One path of the API: "v1/servers/NAME/quarantine" with a star in place of the name. */
struct api_route {
	const char *method; /* "GET", "POST" */
	const char *path;   /* without a slash in front */
	enum api_right right;
	/* Answers, now or later; s: the server of that name, NULL without a star. A server that the kernel knows nothing
	 * of (stdio) comes only to reading routes; one that shares an endpoint only there,
	 * else the owner of the endpoint comes in its place. */
	void (*handler)(void *m, struct http_request *q, struct server *s);
};

struct module {
	const char *name;
	size_t size;
	size_t server_size;

	/* Before the first configuration; -errno, logged, ends the daemon. */
	int (*start)(void *m);
	/* After a start() that was called, whether it failed or not. */
	void (*stop)(void *m);

	/* A server appears: first what `wanted` is to be when the kernel learns of it (-errno,
	 * logged by the caller, makes it unwatched), then, with its breaker as it is there,
	 * the rest. */
	int (*server_added)(void *m, struct server *s, const struct server_start *start);
	int (*server_ready)(void *m, struct server *s, const struct server_start *start);
	/* Its entry changed: s->config is the new one, diff is CONFIG_DIFF_*. */
	int (*server_changed)(void *m, struct server *s, unsigned int diff);
	void (*server_removed)(void *m, struct server *s);
	/* An id in the kernel's maps has no server any more. */
	void (*id_forgotten)(void *m, uint32_t id);
	/* A new configuration is about to be put in force; nothing of it is there yet. */
	void (*applying)(void *m);
	/* All servers of a new configuration are there. */
	void (*applied)(void *m, const struct config *config);

	/* A pass of the bus (bus.h): what the kernel reports is collected, each signal goes to
	 * whom the table gives it, the turn ends (which may emit more), the kernel is written
	 * to, the state is committed, and events are published. */
	void (*collect)(void *m);
	void (*on_signal)(void *m, const struct signal *signal);
	void (*turn)(void *m, uint64_t now);
	void (*write)(void *m);
	int (*commit)(void *m);
	void (*publish)(void *m, const struct event *events, size_t n);

	/* What others ask for. load(): the state as it was saved, empty if there is none, and
	 * the clocks now; one module has it. */
	void (*load)(void *m, struct state *ret, struct state_clock *now);
	void (*save)(void *m, struct server *s, struct state_server *to, uint64_t now);
	int (*fill_status)(void *m, struct status *to);
	/* Also of one that the kernel knows nothing of; of one that is covered, who covers it. */
	int (*fill_server)(void *m, struct server *s, struct status_server *to);
	/* What its trust is made of, beyond the model's own numbers. */
	int (*explain)(void *m, struct server *s, struct reply_explain *to);
	int (*degraded)(void *m, struct status *to);
	void (*write_metrics)(void *m, struct metrics *to);
	const struct api_route *routes; /* ends with an empty row */
	/* The same for who asks for Server-Sent Events, before `routes` of whomever. */
	const struct api_route *streams;
};

/* The modules of a process, and their memory. */
struct modules {
	const struct module *const *v;
	size_t n;
	void *memory[MODULES_MAX];
};

/* Makes the memory of each; nothing is started. -ENOMEM; -E2BIG: MODULES_MAX. */
int modules_new(const struct module *const *v, size_t n, struct daemon *d,
		struct modules **ret) MUST_CHECK;
void modules_free(struct modules *ms); /* NULL-safe; what was started is stopped before */

/* A module's memory for a server. */
void *module_server(const void *m, const struct server *s);

/* Calls `hook` of each that has one; MODULES_TRY ends at the first error, which is `r`. */
#define MODULES_EACH(ms, hook, ...)                                                 \
	do {                                                                        \
		for (size_t i_ = 0; i_ < (ms)->n; i_++)                             \
			if ((ms)->v[i_]->hook)                                      \
				(ms)->v[i_]->hook((ms)->memory[i_], ##__VA_ARGS__); \
	} while (0)
#define MODULES_TRY(r, ms, hook, ...)                                                     \
	do {                                                                              \
		for (size_t i_ = 0; i_ < (ms)->n && !(r); i_++)                           \
			if ((ms)->v[i_]->hook)                                            \
				(r) = (ms)->v[i_]->hook((ms)->memory[i_], ##__VA_ARGS__); \
	} while (0)

/* What keeps this host or its configuration from working as they should: adds it to
 * to->degraded. -ENOMEM. */
int modules_degraded(struct modules *ms, struct status *to) MUST_CHECK;
/* One sentence more. -ENOMEM. */
int status_degrade(struct status *to, const char *text) MUST_CHECK;

#endif
