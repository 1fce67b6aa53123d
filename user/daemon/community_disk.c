/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/community_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define SUB "community"
#define FILE_NAME "statements.jsonl"

struct disk {
	struct store *store;
	struct bus *bus;
	struct community *all;
};

struct generation {
	const char *name;
	char *text; /* owned; NULL: it could not be read */
	size_t len;
	int r; /* -ENOENT: it is not there */
	struct buf why;
};

/* What is whole of it is taken over. */
static struct generation generation_load(const struct disk *d, const char *name)
{
	struct generation g = { .name = name, .why = BUF(512) };

	g.r = store_read(d->store, name, COMMUNITY_FILE_MAX, &g.text, &g.len);
	if (!g.r)
		g.r = community_decode(d->all, g.text, g.len, &g.why);
	return g;
}

/* One that is damaged is set aside; what is signed in it is good all the same. */
static void generation_done(const struct disk *d, struct generation *g)
{
	size_t saved;

	if (g->r && g->r != -ENOENT) {
		saved = g->text ? community_salvage(d->all, g->text, g->len) : 0;
		store_damaged(d->store, SUB, g->name, g->r, buf_str(&g->why));
		bus_alarm(d->bus, "",
			  "%s is damaged: %zu statements of it that were not known were saved by "
			  "their signatures; names and anchors are those of the generation before: "
			  "see `switchgear keys list`",
			  g->name, saved);
	}
	free(g->text);
	buf_done(&g->why);
}

/* Servers and names, which only a whole file tells, come first; then what a damaged one adds. */
bool community_disk_load(struct store *store, struct bus *bus, struct community *c)
{
	const struct disk d = { .store = store, .bus = bus, .all = c };
	struct generation now = generation_load(&d, FILE_NAME);
	struct generation before = { .r = -ENOENT, .why = BUF(0) };
	bool damaged;

	if (now.r)
		before = generation_load(&d, FILE_NAME ".1");
	damaged = (now.r && now.r != -ENOENT) || (before.r && before.r != -ENOENT);
	generation_done(&d, &before);
	generation_done(&d, &now);
	return damaged;
}

int community_disk_save(struct store *store, const struct community *c)
{
	CLEANUP(buf_done) struct buf out = BUF(COMMUNITY_FILE_MAX);
	int r = community_encode(c, &out);

	return r ? r : store_write(store, FILE_NAME, out.data, out.len);
}
