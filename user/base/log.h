/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One line per message on stderr, with a level and a subsystem; under systemd
 * (JOURNAL_STREAM set) with the "<N>" prefix instead of a level word. Messages
 * say what happened, to which object, why, and what to do; one that changes
 * nothing ends in "ignoring".
 */
#ifndef SWITCHGEAR_BASE_LOG_H
#define SWITCHGEAR_BASE_LOG_H

#include "base/cleanup.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_COUNT
};

/* Messages above this level are dropped; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* Writes one line; line breaks and control characters in it are escaped. */
void log_line(enum log_level level, const char *subsystem, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Logs an error, with ": " and the text of -r appended if r is negative; returns r. */
int log_failure(int r, const char *subsystem, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(sub, ...) log_line(LOG_LEVEL_ERROR, sub, __VA_ARGS__)
#define log_warning(sub, ...) log_line(LOG_LEVEL_WARNING, sub, __VA_ARGS__)
#define log_notice(sub, ...) log_line(LOG_LEVEL_NOTICE, sub, __VA_ARGS__)
#define log_info(sub, ...) log_line(LOG_LEVEL_INFO, sub, __VA_ARGS__)
#define log_debug(sub, ...) log_line(LOG_LEVEL_DEBUG, sub, __VA_ARGS__)

#endif
