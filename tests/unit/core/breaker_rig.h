/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Breakers to begin with, for the tests of headers/breaker.h. */
#ifndef SWITCHGEAR_TESTS_BREAKER_RIG_H
#define SWITCHGEAR_TESTS_BREAKER_RIG_H

#include "base/cleanup.h"
#include "breaker.h"
#include "unit/unit.h"

#define OPEN_NS SECONDS(5)
#define ENTERED SECONDS(1000) /* when the state under test was entered */
#define STREAK 2              /* of those in which it counts; three trip */

/* Policy R of the conformance list, and a streak that trips at three. */
extern const struct sg_policy policy_r;
struct sg_policy with_ramp(void); /* the same with a ramp of 40 s */

/* Closed, generation 0, may trip. */
struct sg_breaker fresh(void);

/* A breaker that came into `state` at ENTERED by a way that exists, generation 10. */
struct sg_breaker in_state(enum sg_state state);

#endif
