/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prometheus text; the format is specified in its "Exposition formats". */
#include "core/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "core/histogram.h"
#include "hist.h"

#define LE_TEXT_MAX 32

static const char *const metrics_types[] = {
	[METRICS_COUNTER] = "counter",
	[METRICS_GAUGE] = "gauge",
	[METRICS_HISTOGRAM] = "histogram",
};
_Static_assert(ARRAY_SIZE(metrics_types) == METRICS_TYPE_COUNT, "a type has no name");

static void metrics_fail(struct metrics *m)
{
	if (!m->out->error)
		m->out->error = -EINVAL;
}

static bool is_name(const char *s, bool colon)
{
	static const char bytes[] =
		":0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *s && (*s < '0' || *s > '9') && !s[strspn(s, bytes + !colon)];
}

static void put_escaped(struct buf *out, const char *s, bool quotes)
{
	const char *end = s + strlen(s);

	while (s < end) {
		const char *at = s;
		int32_t c = utf8_next(&s, end);

		if (c < 0) {
			buf_putc(out, '?');
			s++;
		} else if (c == '\n') {
			buf_puts(out, "\\n");
		} else {
			if (c == '\\' || (c == '"' && quotes))
				buf_putc(out, '\\');
			buf_append(out, at, (size_t)(s - at));
		}
	}
}

void metrics_init(struct metrics *m, struct buf *out)
{
	*m = (struct metrics){ .out = out, .start = out->len };
}

/* The output itself knows which families there were. */
static bool metrics_has(const struct metrics *m, const char *name)
{
	char line[sizeof(m->family) + 16];

	snprintf(line, sizeof(line), "# TYPE %s ", name);
	return strstr(buf_str(m->out) + m->start, line) != NULL;
}

void metrics_family(struct metrics *m, const char *name, enum metrics_type type, const char *help)
{
	if (!strcmp(m->family, name))
		return;
	if (!is_name(name, true) || strlen(name) >= sizeof(m->family) || metrics_has(m, name)) {
		metrics_fail(m);
		return;
	}
	snprintf(m->family, sizeof(m->family), "%s", name);
	buf_printf(m->out, "# HELP %s ", name);
	put_escaped(m->out, help, false);
	buf_printf(m->out, "\n# TYPE %s %s\n", name, metrics_types[type]);
}

static void put_label(struct metrics *m, char before, const char *name, const char *value)
{
	if (!is_name(name, false))
		metrics_fail(m);
	buf_putc(m->out, before);
	buf_puts(m->out, name);
	buf_puts(m->out, "=\"");
	put_escaped(m->out, value, true);
	buf_putc(m->out, '"');
}

/* The sample's name, labels and, if not NULL, the label le; a blank after it. */
static void put_series(struct metrics *m, const char *suffix, const struct metrics_label *labels,
		       size_t count, const char *le)
{
	char before = '{';

	if (!m->family[0])
		metrics_fail(m);
	buf_printf(m->out, "%s%s", m->family, suffix);
	for (size_t i = 0; i < count; i++) {
		put_label(m, before, labels[i].name, labels[i].value);
		before = ',';
	}
	if (le) {
		put_label(m, before, "le", le);
		before = ',';
	}
	buf_puts(m->out, before == ',' ? "} " : " ");
}

static void put_double(struct buf *out, double v)
{
	if (isnan(v))
		buf_puts(out, "NaN\n");
	else if (isinf(v))
		buf_puts(out, v > 0 ? "+Inf\n" : "-Inf\n");
	else
		buf_printf(out, "%.15g\n", v);
}

void metrics_u64(struct metrics *m, const struct metrics_label *labels, size_t count, uint64_t v)
{
	put_series(m, "", labels, count, NULL);
	buf_printf(m->out, "%" PRIu64 "\n", v);
}

void metrics_double(struct metrics *m, const struct metrics_label *labels, size_t count, double v)
{
	put_series(m, "", labels, count, NULL);
	put_double(m->out, v);
}

void metrics_hist(struct metrics *m, const struct metrics_label *labels, size_t count,
		  const struct sg_hist *h)
{
	uint64_t total = hist_total(h);
	char le[LE_TEXT_MAX];

	for (uint32_t i = 0; i < HIST_LE_COUNT; i++) {
		uint32_t index = hist_le_index(i);

		snprintf(le, sizeof(le), "%.9g", (double)sg_hist_bound(index) / NS_PER_SEC);
		put_series(m, "_bucket", labels, count, le);
		buf_printf(m->out, "%" PRIu64 "\n", hist_cumulative(h, index));
	}
	put_series(m, "_bucket", labels, count, "+Inf");
	buf_printf(m->out, "%" PRIu64 "\n", total);
	put_series(m, "_sum", labels, count, NULL);
	put_double(m->out, (double)h->sum_ns / NS_PER_SEC);
	put_series(m, "_count", labels, count, NULL);
	buf_printf(m->out, "%" PRIu64 "\n", total);
}
