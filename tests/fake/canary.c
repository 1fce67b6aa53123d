/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The self-test and this host's addresses, of which only the outcome matters here. */
#include "dataplane/canary.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "dataplane/locals.h"
#include "fake/dataplane.h"

struct canary {
	int fd;
	bool ended;
	struct canary_result result;
};

struct fake_canary fake_canary = { .ok = true };
static struct canary *now;

int canary_new(struct dataplane *dp, const char *cgroup, struct canary **ret)
{
	struct canary *c = calloc(1, sizeof(*c));

	(void)dp;
	(void)cgroup;
	if (!c)
		return -ENOMEM;
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fake_canary = (struct fake_canary){ .ok = fake_canary.ok };
	now = c;
	*ret = c;
	return 0;
}

void canary_free(struct canary *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c);
	now = NULL;
}

static void conclude(struct canary *c)
{
	eventfd_t unused;

	(void)!eventfd_read(c->fd, &unused);
	fake_canary.running = false;
	c->ended = true;
	c->result = (struct canary_result){ .ok = fake_canary.ok, .elapsed_ns = 2000000 };
	snprintf(c->result.text, sizeof(c->result.text), "%s",
		 fake_canary.ok ? "ok" : "the canary was not refused");
}

void canary_start(struct canary *c)
{
	fake_canary.started++;
	fake_canary.running = true;
	if (!fake_canary.lingering)
		conclude(c);
}

bool canary_running(const struct canary *c)
{
	(void)c;
	return fake_canary.running;
}

int canary_fd(const struct canary *c)
{
	return c->fd;
}

uint64_t canary_due_ns(const struct canary *c)
{
	(void)c;
	return fake_canary.running ? clock_boot_ns() + CANARY_RUN_NS : UINT64_MAX;
}

void canary_step(struct canary *c)
{
	if (fake_canary.running)
		conclude(c);
}

const struct canary_result *canary_result(const struct canary *c)
{
	return c->ended ? &c->result : NULL;
}

const struct canary_result *canary_wait(struct canary *c)
{
	fake_canary.waited++;
	conclude(c);
	return &c->result;
}

void fake_canary_end(void)
{
	eventfd_write(now->fd, 1);
}

/* --- addresses ------------------------------------------------------------------------------- */

struct locals {
	int fd;
};

static int locals_event = -1;
static struct addr own[] = { { { 0 } } };

int locals_watch(struct locals **ret)
{
	struct locals *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->fd = locals_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*ret = l;
	return 0;
}

void locals_free(struct locals *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l);
}

int locals_fd(const struct locals *l)
{
	return l->fd;
}

int locals_changed(struct locals *l)
{
	eventfd_t n;

	return eventfd_read(l->fd, &n) ? 0 : 1;
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
