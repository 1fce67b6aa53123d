/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One write(2) per message, so that lines of several processes never mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define LOG_TEXT_MAX 2048 /* longer messages are cut and end in "..." */

static enum log_level log_threshold = LOG_LEVEL_INFO;

static const struct {
	const char *word;
	const char *prefix; /* as sd-daemon(3) has it */
} log_levels[] = {
	[LOG_LEVEL_ERROR] = { "error", "<3>" },   [LOG_LEVEL_WARNING] = { "warning", "<4>" },
	[LOG_LEVEL_NOTICE] = { "notice", "<5>" }, [LOG_LEVEL_INFO] = { "info", "<6>" },
	[LOG_LEVEL_DEBUG] = { "debug", "<7>" },
};
_Static_assert(ARRAY_SIZE(log_levels) == LOG_LEVEL_COUNT, "a level has no name");

void log_set_level(enum log_level level)
{
	log_threshold = level;
}

/* Copies text with control characters as \xNN (line breaks as \n); returns the length. */
static size_t log_escape(char *out, size_t size, const char *text)
{
	size_t len = 0;

	for (; *text && len + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			len += (size_t)snprintf(out + len, size - len, "\\n");
		else if (c < 0x20 || c == 0x7f)
			len += (size_t)snprintf(out + len, size - len, "\\x%02x", c);
		else
			out[len++] = (char)c;
	}
	out[len] = '\0';
	return len;
}

static void log_write(enum log_level level, const char *subsystem, const char *text)
{
	char line[2 * LOG_TEXT_MAX + 128];
	size_t len;
	ssize_t n;

	if (getenv("JOURNAL_STREAM"))
		len = (size_t)snprintf(line, 100, "%s%.60s: ", log_levels[level].prefix, subsystem);
	else
		len = (size_t)snprintf(line, 100, "%s: %.60s: ", log_levels[level].word, subsystem);
	len += log_escape(line + len, sizeof(line) - len - 1, text);
	line[len++] = '\n';
	do
		n = write(STDERR_FILENO, line, len);
	while (n < 0 && errno == EINTR);
}

/* `r` negative: its text is appended. */
static void PRINTF_LIKE(4, 0)
	log_format(enum log_level level, int r, const char *subsystem, const char *fmt, va_list ap)
{
	char text[LOG_TEXT_MAX];
	int saved = errno;
	int n;

	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n >= (int)sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	else if (n >= 0 && r < 0)
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", strerror(-r));
	log_write(level, subsystem, text);
	errno = saved;
}

void log_line(enum log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list ap;

	if (level > log_threshold)
		return;
	va_start(ap, fmt);
	log_format(level, 0, subsystem, fmt, ap);
	va_end(ap);
}

int log_failure(int r, const char *subsystem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_format(LOG_LEVEL_ERROR, r, subsystem, fmt, ap);
	va_end(ap);
	return r;
}
