/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The self-test and this host's addresses, of which only the outcome matters here. */
#include "dataplane/canary.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "dataplane/locals.h"
#include "fake/dataplane.h"

struct canary {
	struct canary_result result;
};

struct fake_canary fake_canary = { .ok = true };

int canary_new(struct dataplane *dp, const char *cgroup, struct canary **ret)
{
	(void)dp;
	(void)cgroup;
	fake_canary = (struct fake_canary){ .ok = fake_canary.ok };
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void canary_free(struct canary *c)
{
	free(c);
}

const int *canary_fds(const struct canary *c)
{
	static const int none[CANARY_FDS] = { 0, 1, 2 };

	(void)c;
	return none;
}

void canary_begin(struct canary *c)
{
	(void)c;
	fake_canary.started++;
}

int canary_order_run(void *order, void *outcome, size_t size)
{
	struct canary_outcome *out = outcome;

	(void)order;
	(void)size;
	out->found = fake_canary.ok ? CANARY_OK : CANARY_CONNECTED;
	return 0;
}

const struct canary_result *canary_end(struct canary *c, int r,
				       const struct canary_outcome *outcome)
{
	bool ok = !r && outcome && outcome->found == CANARY_OK;

	c->result = (struct canary_result){ .ok = ok, .elapsed_ns = 2000000 };
	snprintf(c->result.text, sizeof(c->result.text), "%s",
		 ok ? "ok" : "the canary was not refused");
	return &c->result;
}

/* --- addresses ------------------------------------------------------------------------------- */

static int locals_event = -1;
static struct addr own[] = { { { 0 } } };

int locals_watch(int *ret_fd)
{
	*ret_fd = locals_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return 0;
}

int locals_changed(int fd)
{
	eventfd_t n;

	return eventfd_read(fd, &n) ? 0 : 1;
}

int locals_read(struct locals_list *ret)
{
	*ret = (struct locals_list){ .addrs = own, .n = 1 };
	return 0;
}

void locals_list_done(struct locals_list *list)
{
	list->n = 0;
}

void fake_locals_change(void)
{
	eventfd_write(locals_event, 1);
}
