/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Performance at two time scales: evidence as counts of good and bad that halve with time, a
 * beta distribution whose prior weighs W calls (Jøsang and Ismail: The Beta Reputation System,
 * 2002), the calls of each tool and bucket scaled down to evidence_cap.
 *
 * Why it cannot be played: of two states the one with no more good and no less bad has no higher
 * P, now and after any events that both see, since decay, addition and the cap keep that order. The
 * sums of a bucket are whole numbers, so that no order of adding them shows.
 */
#include <math.h>

#include "base/clock.h"
#include "core/trust_private.h"

#define LEARN_SUCCESSES 30U
#define LEARN_MAX (TRUST_LEARNED - 1)
#define LEARN_ONE 4294967296.0            /* 2^32: sums of the first successes are in its parts */
#define LATENCY_FLOOR 1e-6                /* seconds; a shorter latency counts as this */
#define DEVIATION_MIN 0.25                /* of ln x: a steadier server is not judged by less */
#define DEVIATIONS_USUAL 3                /* so many above the mean lose nothing */
#define DEVIATIONS_RANGE 3                /* and so many more lose all */
#define TARGETS_RANGE 3                   /* so many targets beyond the first lose all */
#define OUTLIER_DEVIATIONS 2              /* a slower success counts as this slow in the baseline */
#define RISE_PER_DAY 1.05                 /* the mean grows by this factor a day at most */
#define BUCKET_CALLS_MAX (1U << 25)       /* of one tool: what its sums have room for */
#define HASH_FACTOR 0x9e3779b97f4a7c15ULL /* 2^64 / golden ratio (Knuth, 6.4) */

/* --- the usual latency of a tool ------------------------------------------------------ */

static double log_seconds(double latency_ns)
{
	return log(fmax(latency_ns / (double)NS_PER_SEC, LATENCY_FLOOR));
}

/* Half of the way in a day; upward by RISE_PER_DAY at most; outliers count as two deviations. */
static void baseline_follow(struct trust_tool *tool)
{
	double days = (double)tool->pending_wait / TRUST_DAY_NS;
	double weight = 1 - exp2(-days);
	double y = fmin(log_seconds((double)tool->pending_ns),
			tool->mean + OUTLIER_DEVIATIONS * sqrt(tool->variance));
	double off = y - tool->mean;

	tool->mean += fmin(weight * off, days * log(RISE_PER_DAY));
	tool->variance += weight * (off * off - tool->variance);
	tool->pending_ns = 0;
}

/* What was learned up to the instant before; nothing of `now` is judged by itself. */
static void baseline_advance(struct trust_tool *tool, uint64_t now)
{
	double n = tool->learned;
	double mean;

	if (now <= tool->last_ns)
		return;
	if (tool->learned == TRUST_LEARNED) {
		if (tool->pending_ns > 0)
			baseline_follow(tool);
		return;
	}
	if (tool->learned < LEARN_SUCCESSES)
		return;
	mean = (double)tool->sum / LEARN_ONE / n;
	tool->variance = fmax((double)tool->squares / LEARN_ONE / n - mean * mean, 0);
	tool->mean = mean;
	tool->learned = TRUST_LEARNED;
}

/* A success at `now`, to which the baseline was brought. */
static void baseline_add(struct trust_tool *tool, uint64_t now, uint64_t latency_ns)
{
	float latency = (float)(latency_ns ? latency_ns : 1);
	double x;

	if (tool->learned < TRUST_LEARNED) {
		x = log_seconds((double)latency_ns);
		tool->sum += llround(x * LEARN_ONE);
		tool->squares += llround(x * x * LEARN_ONE);
		tool->learned += tool->learned < LEARN_MAX;
		tool->last_ns = now;
		return;
	}
	if (now > tool->last_ns) {
		tool->pending_wait = (float)(now - tool->last_ns);
		tool->pending_ns = latency;
		tool->last_ns = now;
	} else if (latency < tool->pending_ns) {
		tool->pending_ns = latency;
	}
}

static double clamp(double x)
{
	return fmin(fmax(x, 0), 1);
}

static double latency_loss(const struct trust_tool *tool, const struct trust_policy *p,
			   uint64_t latency_ns)
{
	double target = p->latency_target_seconds;
	double x = (double)latency_ns / (double)NS_PER_SEC;
	double absolute = clamp((x / target - 1) / TARGETS_RANGE);
	double z;

	if (x <= target / 4 || tool->learned < TRUST_LEARNED)
		return absolute;
	z = (log_seconds((double)latency_ns) - tool->mean) /
	    fmax(sqrt(tool->variance), DEVIATION_MIN);
	return fmax(absolute, clamp((z - DEVIATIONS_USUAL) / DEVIATIONS_RANGE) / 2);
}

/* --- buckets ---------------------------------------------------------------------------- */

static uint64_t bucket_ns(const struct trust_policy *p)
{
	return (uint64_t)(p->evidence_bucket_seconds * (double)NS_PER_SEC);
}

static double bad_scaled(double rest, double n_rest, double soft, double weight, double cap)
{
	double n = n_rest + soft;

	return (rest + soft * weight * TRUST_ONE) * (n > cap ? cap / n : 1);
}

/*
 * What a tool's calls of the open bucket count: as at most `cap` of their mean. A flood of soft
 * failures must not thin out hard ones: the bad part is never less than with as many soft ones
 * as fit below the cap.
 */
static void tool_sums(const struct trust_tool *tool, const struct trust_policy *p, int64_t *good,
		      int64_t *bad)
{
	double cap = p->evidence_cap;
	double n_rest = (double)tool->good + tool->hard;
	double n = n_rest + tool->soft;
	double rest = (double)tool->loss / 2 + tool->hard * p->hard_weight * TRUST_ONE;
	double sum = (double)tool->good * TRUST_ONE - (double)tool->loss;
	double fits = fmin(tool->soft, fmax(cap - n_rest, 0));

	*good = llround(n > cap ? sum * (cap / n) : sum);
	*bad = llround(fmax(bad_scaled(rest, n_rest, tool->soft, p->soft_weight, cap),
			    bad_scaled(rest, n_rest, fits, p->soft_weight, cap)));
}

static void scale_decay(struct trust_scale *k, double ns, double half_life_seconds)
{
	double factor = exp2(-ns / (half_life_seconds * (double)NS_PER_SEC));

	k->good *= factor;
	k->bad *= factor;
}

static void scale_add(struct trust_scale *k, double good, double bad, double cap)
{
	double sum;

	k->good += good;
	k->bad += bad;
	sum = k->good + k->bad;
	if (sum <= cap)
		return;
	k->good *= cap / sum;
	k->bad *= cap / sum;
}

static void evidence_decay(struct trust_evidence *e, const struct trust_policy *p, double ns)
{
	if (ns <= 0)
		return;
	scale_decay(&e->fast, ns, p->fast_half_life_seconds);
	scale_decay(&e->slow, ns, p->slow_half_life_seconds);
}

/* The scales with the open bucket added at `end`, and then decayed until `now`. */
static struct trust_evidence evidence_at(const struct trust_performance *f,
					 const struct trust_policy *p, uint64_t end, uint64_t now)
{
	struct trust_evidence e = { f->fast, f->slow };
	double good = fmax((double)f->open_good / TRUST_ONE, 0);
	double bad = (double)f->open_bad / TRUST_ONE;

	evidence_decay(&e, p, (double)end - (double)f->evidence_ns);
	scale_add(&e.fast, good, bad, p->fast_cap);
	scale_add(&e.slow, good, bad, p->slow_cap);
	evidence_decay(&e, p, (double)now - (double)end);
	return e;
}

static void bucket_add(struct trust_performance *f, const struct trust_policy *p, uint64_t end)
{
	struct trust_evidence e = evidence_at(f, p, end, end);

	f->fast = e.fast;
	f->slow = e.slow;
	f->evidence_ns = end;
	f->open_good = 0;
	f->open_bad = 0;
}

static bool bucket_is_empty(const struct trust_performance *f)
{
	return !f->open_good && !f->open_bad;
}

void trust_performance_init(struct trust_performance *f, const struct trust_policy *p,
			    uint64_t now_ns)
{
	*f = (struct trust_performance){ .evidence_ns = now_ns, .bucket = now_ns / bucket_ns(p) };
}

void trust_performance_advance(struct trust_performance *f, const struct trust_policy *p,
			       uint64_t now_ns)
{
	uint64_t bucket = now_ns / bucket_ns(p);

	if (bucket <= f->bucket)
		return;
	if (!bucket_is_empty(f))
		bucket_add(f, p, (f->bucket + 1) * bucket_ns(p));
	f->bucket = bucket;
}

void trust_performance_close(struct trust_performance *f, const struct trust_policy *p,
			     uint64_t now_ns)
{
	trust_performance_advance(f, p, now_ns);
	bucket_add(f, p, now_ns > f->evidence_ns ? now_ns : f->evidence_ns);
}

void trust_performance_reopen(struct trust_performance *f, const struct trust_policy *p,
			      uint64_t now_ns)
{
	f->bucket = now_ns / bucket_ns(p);
}

/* --- calls ------------------------------------------------------------------------------ */

/* A tool's slot: the first free one from its hash on. Beyond the limit tools share one. */
static struct trust_tool *tool_of(struct trust_performance *f, uint64_t key)
{
	size_t at = key * HASH_FACTOR >> 58;

	static_assert(TRUST_TOOLS == 64, "the hash is of six bits");
	if (!key || !f->tools)
		return &f->shared;
	for (size_t i = 0; i < TRUST_TOOLS; i++) {
		struct trust_tool *tool = &f->tools[(at + i) % TRUST_TOOLS];

		if (!tool->key)
			tool->key = key;
		if (tool->key == key)
			return tool;
	}
	return &f->shared;
}

static void tool_bucket(struct trust_tool *tool, uint64_t bucket)
{
	if (tool->bucket == (uint32_t)bucket)
		return;
	tool->bucket = (uint32_t)bucket;
	tool->good = 0;
	tool->hard = 0;
	tool->soft = 0;
	tool->loss = 0;
}

static void tool_success(struct trust_tool *tool, const struct trust_policy *p, uint64_t now,
			 const struct trust_call *call)
{
	tool->good++;
	if (call->latency_ns == SG_FOREVER)
		return;
	tool->loss += (uint64_t)llround(latency_loss(tool, p, call->latency_ns) * TRUST_ONE);
	if (call->learn)
		baseline_add(tool, now, call->latency_ns);
}

void trust_performance_call(struct trust_performance *f, const struct trust_policy *p,
			    uint64_t now_ns, const struct trust_call *call)
{
	struct trust_tool *tool = tool_of(f, call->tool);
	int64_t good, bad, good_before, bad_before;

	tool_bucket(tool, f->bucket);
	if (tool->good + tool->hard + tool->soft >= BUCKET_CALLS_MAX)
		return;
	tool_sums(tool, p, &good_before, &bad_before);
	baseline_advance(tool, now_ns);
	if (call->class == SG_SUCCESS)
		tool_success(tool, p, now_ns, call);
	else if (call->class == SG_HARD)
		tool->hard++;
	else
		tool->soft++;
	tool_sums(tool, p, &good, &bad);
	f->open_good += good - good_before;
	f->open_bad += bad - bad_before;
}

/*
 * What the open bucket's calls add to the good from now on counts, and not what they had added:
 * their counts stay, so that the limit of a bucket does.
 */
void trust_performance_worse(struct trust_performance *f)
{
	f->fast.good = 0;
	f->slow.good = 0;
	f->open_good = 0;
}

/* --- reading ------------------------------------------------------------------------------ */

struct trust_evidence trust_performance_read(const struct trust_performance *f,
					     const struct trust_policy *p, uint64_t now_ns)
{
	uint64_t end = (f->bucket + 1) * bucket_ns(p);

	return evidence_at(f, p, now_ns < end ? now_ns : end, now_ns);
}

double trust_slow(const struct trust_evidence *e, double prior, double weight)
{
	const struct trust_scale *k = &e->slow;

	return (k->good + prior * weight) / (k->good + k->bad + weight);
}

double trust_fast(const struct trust_evidence *e, double slow, double weight)
{
	const struct trust_scale *k = &e->fast;

	return (k->good + slow * weight) / (k->good + k->bad + weight);
}
