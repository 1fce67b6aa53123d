/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a connect or an exchange may lead to, by name: see struct talk_outcome. */
#ifndef SWITCHGEAR_TESTS_BPF_OUTCOMES_H
#define SWITCHGEAR_TESTS_BPF_OUTCOMES_H

#include "bpf/talk.h"

#define OUTCOME(of, why, http, whole, after)                                                \
	{                                                                                   \
		.class = of, .cause = why, .status = http, .complete = whole, .late = after \
	}

#define RESET OUTCOME(SG_HARD, SG_CAUSE_RESET, 0, false, false)
#define TRUNCATED OUTCOME(SG_HARD, SG_CAUSE_TRUNCATED, 0, false, false)
#define TRUNCATED200 OUTCOME(SG_HARD, SG_CAUSE_TRUNCATED, 200, false, false)
#define RESET200 OUTCOME(SG_HARD, SG_CAUSE_RESET, 200, false, false)
#define GIVEN_UP OUTCOME(SG_CALLER, SG_CAUSE_ABANDONED, 0, false, false)
#define GIVEN_UP200 OUTCOME(SG_CALLER, SG_CAUSE_ABANDONED, 200, false, false)
#define ABANDONED OUTCOME(SG_HARD, SG_CAUSE_ABANDONED, 0, false, false)
#define ABANDONED200 OUTCOME(SG_HARD, SG_CAUSE_ABANDONED, 200, false, false)
#define STALE OUTCOME(SG_CALLER, SG_CAUSE_STALE, 0, false, false)
#define GOOD OUTCOME(SG_SUCCESS, SG_CAUSE_ANSWER, 200, true, false)
#define LATE OUTCOME(SG_SUCCESS, SG_CAUSE_ANSWER, 200, true, true)
#define UNREAD OUTCOME(SG_SUCCESS, SG_CAUSE_ANSWER, 0, true, false)
#define REFUSAL OUTCOME(SG_HARD, SG_CAUSE_STATUS, 503, true, false)
#define NEUTRAL OUTCOME(SG_LOCAL, SG_CAUSE_NONE, 0, false, false)
#define NEUTRAL200 OUTCOME(SG_LOCAL, SG_CAUSE_NONE, 200, false, false)
#define TLS OUTCOME(SG_HARD, SG_CAUSE_TLS, 0, false, false)
#define NO_ANSWER OUTCOME(SG_HARD, SG_CAUSE_NO_ANSWER, 0, false, false)
#define UNSEEN OUTCOME(SG_UNKNOWN, SG_CAUSE_UNSEEN, 0, false, false)

#endif
