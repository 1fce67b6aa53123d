/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose failures count: which address of a server failed, and who it was that saw it
 * fail. Pure rules over what a server's record keeps of both; the caller holds its lock.
 *
 *  W1  A connect that failed is a failure of the server only if it raises the minimum of
 *      failures over the server's addresses: with one address each of them is, with one
 *      good address of several none is. A connect that succeeds, or an answer, sets its
 *      address back to none. An address to which there is no way at all, so that no connect
 *      can fail at it, is not asked, unless there is no other.
 *  W2  Failures in a row do not open the breaker while there is a witness: another source
 *      that succeeded within 10 s and has not failed since. It is not enough to count
 *      sources, of which an ordinary user can have several. The daemon's own probe is no
 *      witness against what the server itself answered to somebody else.
 *  W3  While another source asks for probes none holds more than one, and none gets one
 *      again that gave one back unused.
 *
 * A source is a cgroup or a user, see sg_source(); it is a number other than 0.
 */
#ifndef SWITCHGEAR_WITNESS_H
#define SWITCHGEAR_WITNESS_H

#include "breaker.h"

#define SG_SLOTS_MAX 8U   /* addresses of a server that are told apart; others share the last */
#define SG_SOURCES_MAX 8U /* sources that are told apart; others are a crowd */
#define SG_SOURCE_NONE 0U
#define SG_SOURCE_DAEMON 1U          /* its own probes */
#define SG_SOURCE_UNKNOWN 2U         /* connected before anybody looked */
#define SG_SOURCE_USER 3U            /* and the uid, from here on */
#define SG_SOURCE_CGROUP 0x80000000U /* with a hash of its id */

/* Times are kept in steps of 2^26 ns (67 ms): 31 bits last for four years. */
#define SG_TICK_SHIFT 26
#define SG_WITNESS_TICKS 149U /* 10 s */
#define SG_ASKED_TICKS 74U    /* 5 s */
#define SG_TICKS_MAX 0x7fffffffU

/* The addresses of a server. */
struct sg_slots {
	__u16 failed[SG_SLOTS_MAX]; /* connects in a row; saturates */
	__u16 level;                /* the minimum that was a failure of the server */
	__u8 mask;                  /* addresses that there are; 0: each connect counts */
	__u8 nowhere;               /* those of them that this host has no route to */
};

struct sg_source {
	__u32 id;     /* 0: free */
	__u32 seen;   /* tick of its latest success; 0: none */
	__u16 probes; /* that it holds, of generation `of` */
	__u16 of;     /* low bits of a generation */
	__u8 failed;  /* since its latest success */
	__u8 wasted;  /* gave a probe of `of` back that had told nothing */
	__u8 pad[2];
};

/* Who asked for a probe. */
struct sg_asker {
	__u32 id;
	__u32 tick;
};

struct sg_sources {
	struct sg_source v[SG_SOURCES_MAX];
	struct sg_asker asker[2]; /* the latest two that differ */
	__u32 crowd;              /* tick of the latest success of one that has no place */
	__u32 first;              /* who failed first in this row; 0: nobody */
	__u32 generation;         /* of `first` and `others` */
	__u16 others;             /* 1: somebody else failed, too */
	__u16 said;               /* 1: a failure of the row was an answer of the server */
};

static __always_inline __u32 sg_tick(__u64 now)
{
	__u64 tick = now >> SG_TICK_SHIFT;

	return tick < SG_TICKS_MAX - 1 ? (__u32)tick + 1 : SG_TICKS_MAX - 1;
}

/* Was it within so many ticks? (`then` 0: never) */
static __always_inline bool sg_tick_recent(__u32 then, __u32 tick, __u32 ticks)
{
	return then && tick < then + ticks;
}

/* --- addresses (W1) ----------------------------------------------------------------- */

static __always_inline void sg_slot_reached(struct sg_slots *a, __u32 slot)
{
	a->failed[slot & (SG_SLOTS_MAX - 1)] = 0;
	a->level = 0;
}

/* A connect to this address failed: is that a failure of the server? */
static __always_inline bool sg_slot_failed(struct sg_slots *a, __u32 slot)
{
	__u16 *failed = &a->failed[slot & (SG_SLOTS_MAX - 1)];
	__u32 asked = a->mask & ~a->nowhere;
	__u32 least = 0xffff;
	__u32 i;

	if (!a->mask)
		return true;
	if (!asked)
		asked = a->mask;
	if (*failed < 0xffff)
		(*failed)++;
	for (i = 0; i < SG_SLOTS_MAX; i++)
		if (asked >> i & 1 && a->failed[i] < least)
			least = a->failed[i];
	if (least <= a->level && least < 0xffff)
		return false;
	a->level = (__u16)least;
	return true;
}

/* Which addresses there are from now on; a new one has not failed yet. */
static __always_inline void sg_slots_set(struct sg_slots *a, __u8 mask)
{
	__u32 i;

	for (i = 0; i < SG_SLOTS_MAX; i++)
		if (!(a->mask >> i & 1))
			a->failed[i] = 0;
	if (mask & ~a->mask)
		a->level = 0;
	a->mask = mask;
	a->nowhere &= mask;
}

/* Is there no way to this address any more, or is there one again? */
static __always_inline void sg_slot_nowhere(struct sg_slots *a, __u32 slot, bool nowhere)
{
	__u8 bit = (__u8)(1U << (slot & (SG_SLOTS_MAX - 1)));

	if (!nowhere && a->nowhere & bit)
		a->level = 0; /* it has not failed yet */
	a->nowhere = nowhere ? a->nowhere | bit : a->nowhere & (__u8)~bit;
}

/* --- sources (W2) ---------------------------------------------------------------------- */

/* Where a source is; SG_SOURCES_MAX: nowhere. */
static __always_inline __u32 sg_source_find(const struct sg_sources *w, __u32 source)
{
	__u32 at = SG_SOURCES_MAX;
	__u32 i;

	for (i = 0; i < SG_SOURCES_MAX; i++)
		if (w->v[i].id == source)
			at = i;
	return at;
}

/* A place that nobody needs: free, or of one that has not succeeded for long and holds no
 * probe; SG_SOURCES_MAX: there is none. */
static __always_inline __u32 sg_source_spare(const struct sg_sources *w, __u32 generation,
					     __u32 tick)
{
	__u32 at = SG_SOURCES_MAX;
	__u32 i;

	for (i = 0; i < SG_SOURCES_MAX; i++) {
		const struct sg_source *s = &w->v[i];

		if (s->id && sg_tick_recent(s->seen, tick, SG_WITNESS_TICKS))
			continue;
		if (s->id && s->of == (__u16)generation && (s->probes || s->wasted))
			continue;
		at = i;
	}
	return at;
}

/* Where a source is, entered if there is room for it; SG_SOURCES_MAX: there is none. */
static __always_inline __u32 sg_source_enter(struct sg_sources *w, __u32 source, __u32 generation,
					     __u32 tick)
{
	__u32 at = sg_source_find(w, source);
	struct sg_source *s;

	if (at < SG_SOURCES_MAX)
		return at;
	at = sg_source_spare(w, generation, tick);
	if (at >= SG_SOURCES_MAX)
		return at;
	s = &w->v[at & (SG_SOURCES_MAX - 1)];
	s->id = source;
	s->seen = 0;
	s->probes = 0;
	s->of = (__u16)generation;
	s->failed = 0;
	s->wasted = 0;
	return at;
}

/* `source` had a complete answer. */
static __always_inline void sg_source_succeeded(struct sg_sources *w, __u32 source,
						__u32 generation, __u64 now)
{
	__u32 tick = sg_tick(now);
	__u32 at = sg_source_enter(w, source, generation, tick);
	struct sg_source *s = &w->v[at & (SG_SOURCES_MAX - 1)];

	w->first = SG_SOURCE_NONE;
	w->others = 0;
	w->said = 0;
	if (at >= SG_SOURCES_MAX) {
		w->crowd = tick;
		return;
	}
	s->seen = tick;
	s->failed = 0;
}

/* `source` saw a failure, `said`: as an answer of the server. Is there a witness that the
 * server is well? */
static __always_inline bool sg_source_failed(struct sg_sources *w, __u32 source, __u32 generation,
					     bool said, __u64 now)
{
	__u32 tick = sg_tick(now);
	bool witness = sg_tick_recent(w->crowd, tick, SG_WITNESS_TICKS);
	__u32 i;

	if (w->generation != generation) {
		w->generation = generation;
		w->first = SG_SOURCE_NONE;
		w->others = 0;
		w->said = 0;
	}
	w->said |= said;
	if (!w->first)
		w->first = source;
	else if (w->first != source)
		w->others = 1;
	for (i = 0; i < SG_SOURCES_MAX; i++) {
		struct sg_source *s = &w->v[i];

		if (s->id == source)
			s->failed = 1;
		else if (s->id && !s->failed && !(said && s->id == SG_SOURCE_DAEMON) &&
			 sg_tick_recent(s->seen, tick, SG_WITNESS_TICKS))
			witness = true;
	}
	return witness;
}

/* The only one whose word there is for the failures that opened a breaker; SG_SOURCE_NONE:
 * there were several, or the server itself answered so. */
static __always_inline __u32 sg_source_only(const struct sg_sources *w)
{
	return w->others || w->said ? SG_SOURCE_NONE : w->first;
}

/* --- probes (W3) ------------------------------------------------------------------------- */

/* `source` asks for a probe: may it have one, as far as others are concerned? */
static __always_inline bool sg_source_asks(struct sg_sources *w, __u32 source, __u32 generation,
					   __u64 now)
{
	__u32 tick = sg_tick(now);
	const struct sg_source *s;
	bool others;
	__u32 at;

	if (source == SG_SOURCE_DAEMON)
		return true;
	others = (w->asker[0].id != source &&
		  sg_tick_recent(w->asker[0].tick, tick, SG_ASKED_TICKS)) ||
		 (w->asker[1].id != source &&
		  sg_tick_recent(w->asker[1].tick, tick, SG_ASKED_TICKS));
	if (w->asker[0].id != source)
		w->asker[1] = w->asker[0];
	w->asker[0].id = source;
	w->asker[0].tick = tick;
	at = sg_source_find(w, source);
	if (!others || at >= SG_SOURCES_MAX)
		return true;
	s = &w->v[at & (SG_SOURCES_MAX - 1)];
	return s->of != (__u16)generation || !(s->probes || s->wasted);
}

static __always_inline void sg_source_takes(struct sg_sources *w, __u32 source, __u32 generation,
					    __u64 now)
{
	__u32 at = sg_source_enter(w, source, generation, sg_tick(now));
	struct sg_source *s = &w->v[at & (SG_SOURCES_MAX - 1)];

	if (at >= SG_SOURCES_MAX)
		return;
	if (s->of != (__u16)generation) {
		s->of = (__u16)generation;
		s->probes = 0;
		s->wasted = 0;
	}
	if (s->probes < 0xffff)
		s->probes++;
}

/* Its probe is over; `decided`: it told something of the server. */
static __always_inline void sg_source_returns(struct sg_sources *w, __u32 source, __u32 generation,
					      bool decided)
{
	__u32 at = sg_source_find(w, source);
	struct sg_source *s;

	if (at >= SG_SOURCES_MAX)
		return;
	s = &w->v[at & (SG_SOURCES_MAX - 1)];
	if (s->of != (__u16)generation || !s->probes)
		return;
	s->probes--;
	if (!decided)
		s->wasted = 1;
}

#endif
