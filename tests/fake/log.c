/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fake/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define LINES_MAX 2048

static char lines[LINES_MAX][400];
static size_t n_lines;

void fake_log_forget(void)
{
	n_lines = 0;
}

size_t fake_log_said(const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < n_lines; i++)
		n += strstr(lines[i], text) != NULL;
	return n;
}

static void add(enum log_level level, const char *subsystem, int r, const char *fmt, va_list ap)
{
	static const char *const words[] = { "error", "warning", "notice", "info", "debug" };
	char *to = lines[n_lines % LINES_MAX];
	size_t size = sizeof(lines[0]);
	size_t len = (size_t)snprintf(to, size, "%s: %s: ", words[level], subsystem);

	n_lines += n_lines < LINES_MAX - 1;
	vsnprintf(to + len, size - len, fmt, ap);
	len = strlen(to);
	if (r < 0)
		snprintf(to + len, size - len, ": %s", strerror(-r));
}

void log_set_level(enum log_level level)
{
	(void)level;
}

void log_line(enum log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(level, subsystem, 0, fmt, ap);
	va_end(ap);
}

int log_failure(int r, const char *subsystem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(LOG_LEVEL_ERROR, subsystem, r, fmt, ap);
	va_end(ap);
	return r;
}
