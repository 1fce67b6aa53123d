/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/causes.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

static uint64_t minute_of(uint64_t t_ns)
{
	return t_ns / MINUTE_NS + 1;
}

/* Makes room for the minutes up to this one. */
static void minutes_turn(struct minutes *m, uint64_t minute)
{
	if (minute <= m->newest)
		return;
	if (minute - m->newest >= MINUTES_KEPT)
		memset(m->v, 0, sizeof(m->v));
	else
		for (uint64_t k = m->newest + 1; k <= minute; k++)
			m->v[k % MINUTES_KEPT] = 0;
	m->newest = minute;
}

void minutes_add(struct minutes *m, uint64_t t_ns, uint32_t n)
{
	uint64_t minute = minute_of(t_ns);

	minutes_turn(m, minute);
	if (m->newest - minute < MINUTES_KEPT)
		m->v[minute % MINUTES_KEPT] += n;
}

/* Takes one back that was counted at about t_ns: from the latest minute up to then that has any. */
static void minutes_take(struct minutes *m, uint64_t t_ns)
{
	uint64_t minute = minute_of(t_ns);

	if (minute > m->newest)
		minute = m->newest;
	for (; minute && m->newest - minute < MINUTES_KEPT; minute--) {
		if (!m->v[minute % MINUTES_KEPT])
			continue;
		m->v[minute % MINUTES_KEPT]--;
		return;
	}
}

uint64_t minutes_sum(const struct minutes *m, uint64_t now)
{
	uint64_t minute = minute_of(now);
	uint64_t sum = 0;

	if (minute < m->newest)
		minute = m->newest; /* `now` was read before the latest of them came */
	for (uint64_t k = m->newest; k && minute - k < MINUTES_KEPT; k--)
		sum += m->v[k % MINUTES_KEPT];
	return sum;
}

void causes_done(struct causes *c)
{
	free(c->v);
	*c = (struct causes){ 0 };
}

/* NULL: there is no such pair, or no memory for it. */
static struct cause_count *count_of(struct causes *c, uint8_t class, uint8_t cause)
{
	if (class >= SG_CLASS_COUNT || cause >= SG_CAUSE_COUNT)
		return NULL;
	if (!c->at[class][cause]) {
		if (list_grow(&c->v, c->n, sizeof(*c->v)))
			return NULL;
		c->v[c->n] = (struct cause_count){ .class = (enum sg_class) class,
						   .cause = (enum sg_cause)cause };
		c->at[class][cause] = (uint8_t)++c->n;
	}
	return &c->v[c->at[class][cause] - 1];
}

void causes_add(struct causes *c, uint8_t class, uint8_t cause, uint64_t t_ns, uint64_t latency_ns)
{
	struct cause_count *k = count_of(c, class, cause);

	if (!k) {
		c->missed++;
		return;
	}
	k->total++;
	minutes_add(&k->minutes, t_ns, 1);
	if (t_ns < k->latest_ns)
		return;
	k->latest_ns = t_ns;
	k->latency_ns = latency_ns;
}

void causes_correct(struct causes *c, uint8_t class, uint8_t cause, uint64_t t_ns)
{
	struct cause_count *k;

	/* nobody counted it: it was lost, or before this daemon's time */
	if (class >= SG_CLASS_COUNT || cause >= SG_CAUSE_COUNT || !c->at[class][cause])
		return;
	k = &c->v[c->at[class][cause] - 1];
	if (k->corrected == k->total)
		return;
	k->corrected++;
	minutes_take(&k->minutes, t_ns);
}
