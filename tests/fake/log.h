/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is logged is kept, and not shown. */
#ifndef SWITCHGEAR_TESTS_FAKE_LOG_H
#define SWITCHGEAR_TESTS_FAKE_LOG_H

#include <stddef.h>

/* In how many lines, "LEVEL: SUBSYSTEM: TEXT", since fake_log_forget(). */
size_t fake_log_said(const char *text);
void fake_log_forget(void);

#endif
