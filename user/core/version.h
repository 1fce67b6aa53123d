/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Versions as npm writes them (semver.org), and which of two is older. */
#ifndef SWITCHGEAR_CORE_VERSION_H
#define SWITCHGEAR_CORE_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#define VERSION_TEXT_MAX 64U

struct version {
	uint32_t part[3];
	char pre[VERSION_TEXT_MAX]; /* "beta.1"; "": a release */
};

/* "1.2.3", "v1.2.3-beta.1+build" (what is behind the plus does not count). False: it is no such
 * version, as "latest", "1.2", "^1.2.3" and "1.2.x" are none. */
bool version_parse(const char *text, struct version *ret);
/* Below 0: a is older; above: newer. */
int version_compare(const struct version *a, const struct version *b);

#endif
