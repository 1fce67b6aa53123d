/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The map of the daemon: which modules there are, and who hears of what. */
#include "modules/modules.h"

#define MODULE_ROW(name) &name##_module,
const struct module *const modules_all[] = { MODULES(MODULE_ROW) };
const size_t n_modules_all = ARRAY_SIZE(modules_all);

/* In the order in which they hear of it: what is told of a call before what it causes; the
 * engine before the limits, these before the probe and the kill. */
const struct subscription modules_table[] = {
	{ SIGNAL_TICK,
	  { &persist_module, &quarantine_module, &routes_module, &history_module, &bypass_module,
	    &isolate_module, &capture_module, &fallback_module, &shared_module } },
	{ SIGNAL_OUTCOME,
	  { &journal_module, &summary_module, &trust_module, &breaker_module, &groups_module,
	    &healthcheck_module, &tools_module, &secondaries_module } },
	{ SIGNAL_TRANSITION,
	  { &breaker_module, &groups_module, &healthcheck_module, &killer_module, &tools_module,
	    &fallback_module } },
	{ SIGNAL_DENIAL, { &journal_module } },
	{ SIGNAL_DOUBT, { &secondaries_module } },
	{ SIGNAL_KILL, { &killer_module } },
	{ SIGNAL_SUPPRESSED, { &groups_module } },
	{ SIGNAL_QUARANTINED,
	  { &groups_module, &killer_module, &isolate_module, &fallback_module } },
	{ SIGNAL_RELEASED,
	  { &groups_module, &trust_module, &tools_module, &isolate_module, &fallback_module } },
	{ SIGNAL_FINDINGS, { &trust_module } },
	{ SIGNAL_RATED, { &trust_module } },
	{ SIGNAL_TOOLS, { &trust_module, &fallback_module } },
	{ SIGNAL_PROVEN, { &fallback_module } },
	{ SIGNAL_RULED, { &quarantine_module } },
	{ SIGNAL_HELD, { &quarantine_module, &fallback_module } },
	{ SIGNAL_RESET, { &groups_module, &fallback_module } },
	{ SIGNAL_ADDRS, { &killer_module, &routes_module, &secondaries_module, &fallback_module } },
	{ SIGNAL_APPLIED,
	  { &resolve_module, &killer_module, &selftest_module, &routes_module, &bridges_module,
	    &isolate_module, &secondaries_module, &fallback_module } },
};
const size_t n_modules_table = ARRAY_SIZE(modules_table);
