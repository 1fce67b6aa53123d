/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All modules, one file each. No module includes another: they have no headers. */
#ifndef SWITCHGEAR_MODULES_MODULES_H
#define SWITCHGEAR_MODULES_MODULES_H

#include "daemon/bus.h"

extern const struct module api_module;
extern const struct module breaker_module;
extern const struct module exporter_module;
extern const struct module groups_module;
extern const struct module healthcheck_module;
extern const struct module journal_module;
extern const struct module kernel_module;
extern const struct module killer_module;
extern const struct module locals_module;
extern const struct module persist_module;
extern const struct module quarantine_module;
extern const struct module resolve_module;
extern const struct module selftest_module;
extern const struct module shown_module;
extern const struct module timeouts_module;

extern const struct module *const modules_all[];
extern const size_t n_modules_all;
extern const struct subscription modules_table[];
extern const size_t n_modules_table;

#endif
