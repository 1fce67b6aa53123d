/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The names under which this version or an earlier one pins: what a detach may remove, by the
 * daemon or by the client alone.
 */
#ifndef SWITCHGEAR_CORE_PINS_H
#define SWITCHGEAR_CORE_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define PINS_CFG "cfg"  /* the map that says which layout the others are of: removed last */
#define PINS_XDP "xdp_" /* before an interface's name: a link to PINS_XDP_PROGRAM */
#define PINS_XDP_PROGRAM "sg_xdp"
#define PINS_ISOLATE "iso_" /* before a server's number and a hook: links of isolated cgroups */

bool pins_map(const char *name);
bool pins_link(const char *name); /* without those of XDP */

/* What a detach came to. */
struct detach_result {
	bool detached;
	bool daemon;      /* by it; else by the client alone */
	uint32_t removed; /* pins */
	char **kept;      /* names in the pin directory that are not ours, owned */
	size_t n_kept;
	bool gone;       /* the directory, too */
	char error[512]; /* what of it failed all the same; "": nothing */
};
int detach_result_keep(struct detach_result *d, const char *name) MUST_CHECK; /* -ENOMEM */
void detach_result_done(struct detach_result *d);

#endif
