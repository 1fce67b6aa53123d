/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose fault it is that nothing comes back: the server's, or that of the way to it. Pure
 * rules over what is kept of a route (a next hop and an interface); the caller holds its lock.
 *
 *  R1  Only calls of which nothing at all came back are judged: no refusal, no reset, no
 *      answer. Such a failure of one server alone is its own.
 *  R2  A failure that would open a breaker is held, if another server of the route failed, too,
 *      and nothing has come from any of them since the first failure of this row.
 *  R3  What comes after two of them had failed, or while something was held, brings the route
 *      back: calls that began before tell nothing, nor do rows that did.
 *  R4  While the daemon knows that the route is of no use nothing counts at all.
 *  R5  Servers on the link of an interface share no hop: of them only R4 holds. That several
 *      hosts of a network, or several servers of one, are gone is no sign of the way.
 */
#ifndef SWITCHGEAR_ROUTE_H
#define SWITCHGEAR_ROUTE_H

#include "types.h"

#define SG_ROUTE_NONE 0U
#define SG_ROUTE_STEP_NS 100000000ULL    /* what comes is noted once in so long */
#define SG_ROUTE_BROKEN_NS 1000000000ULL /* nothing for so long is a break */

/* Flags of a route. */
#define SG_ROUTE_USED 1U
#define SG_ROUTE_OFFLINE 2U /* of no use, while the daemon lives that says so */
#define SG_ROUTE_LINK 4U    /* there is no next hop */

struct sg_route {
	__u64 ok_ns;   /* about the latest time that something came from a server of it */
	__u64 back_ns; /* it came back then, after a break */
	__u64 held_ns; /* failures are held since then; 0: none is */
	/* Two that failed since ok_ns, 0: none. Whatever the server, these tell whether there is
	 * another one: who asks is at most one of them. */
	__u32 failed[2];
	__u32 flags; /* SG_ROUTE_* */
	__u32 pad;
};

/* What a failure is, as far as its route goes. */
enum sg_route_says {
	SG_ROUTE_COUNTS, /* the server's own */
	SG_ROUTE_BEFORE, /* of a call that began before the route was back */
	SG_ROUTE_BROKEN, /* of the route, as the daemon knows */
	SG_ROUTE_HOLDS,  /* perhaps of the route: it must not open the breaker */
};

static __always_inline bool sg_route_another(const struct sg_route *r, __u32 server)
{
	return (r->failed[0] && r->failed[0] != server) || (r->failed[1] && r->failed[1] != server);
}

static __always_inline void sg_route_leave(struct sg_route *r, __u32 server)
{
	if (r->failed[0] == server)
		r->failed[0] = 0;
	if (r->failed[1] == server)
		r->failed[1] = 0;
}

/* Have others failed, too, and has nothing come since `since`? (R2) */
static __always_inline bool sg_route_suspect(const struct sg_route *r, __u32 server, __u64 since)
{
	return sg_route_another(r, server) && r->ok_ns < since;
}

/*
 * Nothing came back to a call of `server` that began at `began`. `since`: the first failure of
 * its row; `opens`: this one would open the breaker; `alive`: so is the daemon.
 */
static __always_inline __u32 sg_route_failed(struct sg_route *r, __u32 server, __u64 began,
					     __u64 since, bool opens, bool alive, __u64 now)
{
	if (began < r->back_ns)
		return SG_ROUTE_BEFORE;
	if (!(r->flags & SG_ROUTE_LINK) && r->failed[0] != server && r->failed[1] != server) {
		if (!r->failed[0])
			r->failed[0] = server;
		else if (!r->failed[1])
			r->failed[1] = server;
	}
	if (r->flags & SG_ROUTE_OFFLINE && alive)
		return SG_ROUTE_BROKEN;
	if (!opens || !sg_route_suspect(r, server, since))
		return SG_ROUTE_COUNTS;
	if (!r->held_ns)
		r->held_ns = now;
	return SG_ROUTE_HOLDS;
}

/* Is it worth a note that something came? Asked without the lock, for each packet. */
static __always_inline bool sg_route_quiet(const struct sg_route *r, __u64 now)
{
	return now > r->ok_ns + SG_ROUTE_STEP_NS;
}

/* Something came from a server of it. True: that brings it back (R3). */
static __always_inline bool sg_route_came(struct sg_route *r, __u64 now)
{
	bool back = r->held_ns || r->flags & SG_ROUTE_OFFLINE ||
		    (r->failed[0] && r->failed[1] && now > r->ok_ns + SG_ROUTE_BROKEN_NS);

	if (back)
		r->back_ns = now;
	r->flags &= ~SG_ROUTE_OFFLINE; /* the daemon says so again, should it be so */
	r->held_ns = 0;
	r->failed[0] = 0;
	r->failed[1] = 0;
	r->ok_ns = now;
	return back;
}

#endif
