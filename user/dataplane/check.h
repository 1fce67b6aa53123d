/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `switchgeard --check` says about the kernel, as text for an operator: what
 * works, what is missing and only measures, and what enforcement lost, each by its
 * effect first, then the program, the kernel's own error, and the remedy.
 */
#ifndef SWITCHGEAR_DATAPLANE_CHECK_H
#define SWITCHGEAR_DATAPLANE_CHECK_H

#include <stddef.h>

#include "base/buf.h"
#include "dataplane/dataplane.h"

/* What dataplane_probe() found. */
struct check {
	const char *release; /* of the kernel, as uname tells it */
	const struct dataplane_feature *features;
	size_t n;
	int error; /* -errno: nothing can be enforced; 0 */
};

enum check_result {
	CHECK_FULL,    /* whatever is missing only measures */
	CHECK_PARTIAL, /* something that enforces is missing */
	CHECK_NONE
};

enum check_result check_result(const struct check *c);

/* Appends the text; its last paragraph is one sentence that says the result. */
void check_format(const struct check *c, struct buf *out);

#endif
