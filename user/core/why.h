/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why connects to a server are denied, in words that go on behind "because": for operators
 * (`switchgear why`), and for agents, whom the stand-in tells. Pure: from what the status document
 * has.
 */
#ifndef SWITCHGEAR_CORE_WHY_H
#define SWITCHGEAR_CORE_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "core/status.h"

#define WHY_TEXT_LEN 512

enum why_rule {
	WHY_NOTHING, /* nothing denies them */
	WHY_QUARANTINE,
	WHY_ORDER,     /* an operator opened its breaker */
	WHY_OPEN,      /* its breaker is open */
	WHY_HALF_OPEN, /* only probes get through */
	WHY_RAMP,      /* a share of them is denied */
	WHY_RULE_COUNT
};

struct why {
	enum why_rule rule;
	char because[WHY_TEXT_LEN]; /* "" with WHY_NOTHING */
	char by[STATUS_BY_LEN];     /* who ordered it; "": nobody did */
	uint64_t since_wall_ns;     /* 0: not known */
	uint64_t until_wall_ns;     /* STATUS_NEVER: until somebody or something else ends it */
};

const char *why_rule_name(unsigned int rule); /* "nothing", "quarantine", "half_open", ... */
int why_rule_from_name(const char *name) MUST_CHECK;

/* The rule that decides: quarantine, then an order, then the breaker. `now`: wall time. */
void why_of(const struct status_server *s, uint64_t now, struct why *ret);

#endif
