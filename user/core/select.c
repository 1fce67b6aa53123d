/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/select.h"

#include <math.h>
#include <string.h>

static const char *state_says(const struct status_server *s)
{
	switch (s->state) {
	case SG_OPEN:
		return "its breaker is open";
	case SG_FORCED_OPEN:
		return "an operator has opened its breaker";
	case SG_HALF_OPEN:
		return "its breaker is half-open: probes decide";
	default:
		return "";
	}
}

enum select_use select_use(const struct status_server *s, bool for_tool, const char **ret_why)
{
	*ret_why = s->quarantined ? "it is in quarantine" : state_says(s);
	if (**ret_why)
		return SELECT_NO;
	if (s->orphan)
		*ret_why = "it is not configured any more";
	else if (for_tool && s->has_trust && s->trust.restricted)
		*ret_why = "findings restrict it to tools that only read";
	if (**ret_why)
		return SELECT_NO;
	if (s->state != SG_RAMP)
		return SELECT_YES;
	*ret_why = "it is in its slow start: some calls are refused";
	return SELECT_SLOWLY;
}

/* Higher is better; who has no score is as one that is new. */
static int band_rank(const struct status_server *s)
{
	if (!s->has_trust || !strcmp(s->trust.band, "watch"))
		return 1;
	return strcmp(s->trust.band, "trusted") ? 0 : 2;
}

/* What is compared before the score: use, then band. */
static int rank(const struct status_server *s, bool for_tool)
{
	const char *why;
	enum select_use use = select_use(s, for_tool, &why);

	return use == SELECT_NO ? -1 : (int)use * 3 + band_rank(s);
}

static double score(const struct status_server *s)
{
	return s->has_trust ? s->trust.score : 0;
}

size_t select_best(const struct status_server *const *servers, size_t n, bool for_tool,
		   size_t before)
{
	double fastest = NAN;
	double highest = 0;
	int best = -1;

	for (size_t i = 0; i < n; i++)
		if (rank(servers[i], for_tool) > best)
			best = rank(servers[i], for_tool);
	if (best < 0)
		return SELECT_NONE;
	for (size_t i = 0; i < n; i++)
		if (rank(servers[i], for_tool) == best)
			highest = fmax(highest, score(servers[i]));
#define NEAR(i) (rank(servers[i], for_tool) == best && score(servers[i]) >= highest - SELECT_NEAR)
	for (size_t i = 0; i < n; i++)
		if (NEAR(i))
			fastest = fmin(fastest, servers[i]->latency.p50);
	if (before < n && NEAR(before) && !(servers[before]->latency.p50 > fastest * SELECT_SLOWER))
		return before;
	for (size_t i = 0; i < n; i++)
		if (NEAR(i) && !(servers[i]->latency.p50 > fastest * SELECT_FASTER))
			return i;
#undef NEAR
	return SELECT_NONE;
}

static bool goes_before(const struct status_server *a, const struct status_server *b, bool for_tool)
{
	int x = rank(a, for_tool);
	int y = rank(b, for_tool);

	return x != y ? x > y : score(a) > score(b);
}

void select_order(const struct status_server *const *servers, size_t n, bool for_tool,
		  bool by_trust, size_t *order)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		while (by_trust && at &&
		       goes_before(servers[i], servers[order[at - 1]], for_tool)) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = i;
	}
}
