/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What would raise a server's trust, in sentences, from the numbers that its score is made of. */
#ifndef SWITCHGEAR_CORE_TRUST_ADVICE_H
#define SWITCHGEAR_CORE_TRUST_ADVICE_H

#include "base/buf.h"
#include "core/trust.h"

#define TRUST_ADVICE_MAX 4096U

/* Appends one sentence a line, the one that is worth most first; nothing if nothing would. What
 * a sentence promises is the score if that alone changed. */
void trust_advice(const struct trust_explanation *e, struct buf *out);

/* The names of causes (TRUST_CAUSE_*), with commas: "hard failure, time". */
void trust_causes_print(uint32_t causes, struct buf *out);

#endif
