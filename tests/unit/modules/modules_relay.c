/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* In place of io/relay.c: no process, but what it would have been told (modules_relay.h). */
#include "unit/modules/modules_relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "unit/unit.h"

struct relay {
	struct relay_spec spec;
	int fd;
};

struct fake_relay fake_relay;

int relay_new(const struct relay_spec *spec, struct relay **ret)
{
	struct relay *r;

	if (fake_relay.refuses)
		return fake_relay.refuses;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->spec = *spec;
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(r->fd >= 0);
	fake_relay.begun++;
	fake_relay.now = r;
	*ret = r;
	return 0;
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	close(r->fd);
	memset(fake_relay.rules, 0, sizeof(fake_relay.rules));
	fake_relay.now = NULL;
	free(r);
}

int relay_fd(const struct relay *r)
{
	return r->fd;
}

uint64_t relay_due_ns(const struct relay *r)
{
	(void)r;
	return UINT64_MAX;
}

void relay_run(struct relay *r)
{
	eventfd_t unused;

	(void)!eventfd_read(r->fd, &unused);
}

int relay_set_rule(struct relay *r, const struct relay_rule *rule, const char *tools, size_t len)
{
	(void)r;
	assert_int_equal(relay_rule_check(rule), 0);
	if (tools && len > RELAY_TOOLS_MAX)
		return -E2BIG;
	fake_relay.rules[rule->server] = *rule;
	fake_relay.sets++;
	fake_relay.tools = len;
	return 0;
}

void relay_drop_rule(struct relay *r, uint32_t server)
{
	(void)r;
	memset(&fake_relay.rules[server], 0, sizeof(fake_relay.rules[server]));
	fake_relay.drops++;
}

void relay_ports(const struct relay *r, uint16_t *ret_v4, uint16_t *ret_v6)
{
	(void)r;
	*ret_v4 = FAKE_RELAY_V4;
	*ret_v6 = FAKE_RELAY_V6;
}

bool relay_up(const struct relay *r)
{
	(void)r;
	return fake_relay.up;
}

const char *relay_why(const struct relay *r)
{
	(void)r;
	return fake_relay.up ? "" : "it was killed";
}

pid_t relay_pid(const struct relay *r)
{
	(void)r;
	return 0;
}

uid_t relay_user(const struct relay *r)
{
	(void)r;
	return FAKE_RELAY_USER;
}

void fake_relay_is(bool up)
{
	fake_relay.up = up;
	if (fake_relay.now)
		(void)!eventfd_write(fake_relay.now->fd, 1);
}

void fake_relay_says(const struct relay_stats *stats)
{
	assert_non_null(fake_relay.now);
	fake_relay.now->spec.stats(fake_relay.now->spec.owner, stats);
	(void)!eventfd_write(fake_relay.now->fd, 1);
}
