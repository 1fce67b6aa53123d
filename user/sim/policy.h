/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A policy by itself: {"breaker": {...}, "trust": {...}}, both optional, with
 * the keys, limits and messages of the configuration, or a bare breaker object.
 */
#ifndef SWITCHGEAR_SIM_POLICY_H
#define SWITCHGEAR_SIM_POLICY_H

#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "core/policy.h"
#include "core/trust_policy.h"

struct sim_policy {
	struct breaker_policy breaker;
	struct trust_policy trust;
};

/*
 * What the file does not say has its default. -EINVAL with at least one line
 * "FILE:LINE:COLUMN: path: text" in errors; -ENOMEM.
 */
int sim_policy_parse(const char *text, size_t len, const char *file, struct sim_policy *ret,
		     struct buf *errors) MUST_CHECK;

#endif
