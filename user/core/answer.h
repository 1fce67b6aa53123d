/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Builds the automaton that headers/http1.h runs. */
#ifndef SWITCHGEAR_CORE_ANSWER_H
#define SWITCHGEAR_CORE_ANSWER_H

#include "http1.h"

#include "base/cleanup.h"

/* Fills *t. -ENOSPC if states or classes do not suffice (a bug, not a condition). */
int answer_table_build(struct sg_http_table *t) MUST_CHECK;

#endif
