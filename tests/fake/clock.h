/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A clock that stands still until a test moves it; timers of the loop obey it. */
#ifndef SWITCHGEAR_TESTS_FAKE_CLOCK_H
#define SWITCHGEAR_TESTS_FAKE_CLOCK_H

#include <stdint.h>

#include "base/clock.h"

void fake_clock_advance(uint64_t ns);
void fake_clock_live(void);   /* for the rest of this program it is the real one */
void fake_clock_reboot(void); /* boot time begins anew, wall time goes on */

#endif
