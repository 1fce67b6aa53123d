/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All modules, one file each. No module includes another: they have no headers. */
#ifndef SWITCHGEAR_MODULES_MODULES_H
#define SWITCHGEAR_MODULES_MODULES_H

#include "daemon/bus.h"

/*
 * Hooks are called in this order, stop() against it: the API begins first and ends last,
 * so that whoever waits for an answer gets one. The order of `degraded` is that of the
 * sentences in the status document.
 */
#define MODULES(X)     \
	X(api)         \
	X(kernel)      \
	X(timeouts)    \
	X(selftest)    \
	X(locals)      \
	X(foreign)     \
	X(proxied)     \
	X(persist)     \
	X(breaker)     \
	X(groups)      \
	X(healthcheck) \
	X(quarantine)  \
	X(isolate)     \
	X(trust)       \
	X(community)   \
	X(bridges)     \
	X(tools)       \
	X(secondaries) \
	X(fallback)    \
	X(why)         \
	X(reports)     \
	X(killer)      \
	X(resolve)     \
	X(shared)      \
	X(routes)      \
	X(streams)     \
	X(bypass)      \
	X(capture)     \
	X(journal)     \
	X(history)     \
	X(summary)     \
	X(shown)       \
	X(exporter)

#define MODULE_DECLARE(name) extern const struct module name##_module;
MODULES(MODULE_DECLARE)
#undef MODULE_DECLARE

extern const struct module *const modules_all[];
extern const size_t n_modules_all;
extern const struct subscription modules_table[];
extern const size_t n_modules_table;

#endif
