/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs of others that may send connects elsewhere: named, since nobody else would tell. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "modules/modules.h"

#define SUB "foreign"
#define LOOK_NS (10 * NS_PER_SEC)
#define FOREIGN_MAX 8

struct foreign {
	struct part part;
	struct loop_timer *look;
	uint32_t told[FOREIGN_MAX]; /* ids that were logged */
	size_t n_told;
};

static void sentence(const struct dataplane_foreign *f, char *out, size_t size)
{
	if (f->before)
		snprintf(out, size,
			 "the BPF program \"%.16s\" (id %u) sees connects of the protected cgroup "
			 "before Switchgear does and may rewrite their addresses: a server is "
			 "watched only at the address that it makes of them; name that one in the "
			 "configuration, or start that program after switchgeard",
			 f->name, f->id);
	else
		snprintf(out, size,
			 "the BPF program \"%.16s\" (id %u) sees connects of the protected cgroup "
			 "after Switchgear does and may rewrite their addresses: what it sends to "
			 "a server is not refused at connect, but stopped at its first request",
			 f->name, f->id);
}

static int foreign_degraded(void *m, struct status *to)
{
	const struct foreign *foreign = m;
	struct dataplane_foreign v[FOREIGN_MAX];
	size_t n = dataplane_foreign(foreign->part.d->dp, v, FOREIGN_MAX);
	char text[400];
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		sentence(&v[i], text, sizeof(text));
		r = status_degrade(to, text);
	}
	return r;
}

static bool was_told(const struct foreign *m, uint32_t id)
{
	for (size_t i = 0; i < m->n_told; i++)
		if (m->told[i] == id)
			return true;
	return false;
}

/* Each is logged once, while it stays. */
static void on_look(void *data)
{
	struct foreign *m = data;
	struct dataplane_foreign v[FOREIGN_MAX];
	size_t n = dataplane_foreign(m->part.d->dp, v, FOREIGN_MAX);
	char text[400];

	for (size_t i = 0; i < n; i++) {
		if (was_told(m, v[i].id))
			continue;
		sentence(&v[i], text, sizeof(text));
		log_warning(SUB, "%s", text);
	}
	for (m->n_told = 0; m->n_told < n; m->n_told++)
		m->told[m->n_told] = v[m->n_told].id;
	loop_timer_set(m->look, clock_boot_ns() + LOOK_NS);
}

static int foreign_start(void *m)
{
	struct foreign *foreign = m;
	int r = loop_timer_new(foreign->part.d->loop, on_look, foreign, &foreign->look);

	if (!r)
		loop_timer_set(foreign->look, clock_boot_ns());
	return r;
}

const struct module foreign_module = {
	.name = SUB,
	.size = sizeof(struct foreign),
	.start = foreign_start,
	.degraded = foreign_degraded,
};
