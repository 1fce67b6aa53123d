/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/quota.h"

static uint64_t latest(const struct quota_user *u)
{
	return u->n ? u->at_ns[(u->n - 1) % QUOTA_TIMES] : 0;
}

/* His place, or one of who has been still for long enough, or the one that is free first. */
static struct quota_user *place(struct quota *q, uint32_t uid)
{
	struct quota_user *found = &q->users[0];

	for (uint32_t i = 0; i < QUOTA_USERS; i++) {
		struct quota_user *u = &q->users[i];

		if (u->n && u->uid == uid)
			return u;
		if (latest(u) < latest(found))
			found = u;
	}
	return found;
}

uint64_t quota_take(struct quota *q, uint32_t uid, uint64_t now_ns)
{
	struct quota_user *u = place(q, uid);
	bool his = u->n && u->uid == uid;
	uint64_t until = his ? u->at_ns[u->n % QUOTA_TIMES] : latest(u);
	bool full = his ? u->n >= QUOTA_TIMES : u->n > 0;

	if (full && now_ns < until + QUOTA_NS)
		return until + QUOTA_NS - now_ns;
	if (!his)
		*u = (struct quota_user){ .uid = uid };
	u->at_ns[u->n % QUOTA_TIMES] = now_ns;
	u->n = u->n + 1 ? u->n + 1 : QUOTA_TIMES;
	return 0;
}
