/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any text is a state or is refused with a message; what is restored from it obeys
 * the caps; what is read can be written and read again.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/state.h"

#define CAP_NS 900000000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_restore(const struct state *s)
{
	const struct state_clock now = { 5000000000ULL, 1700000000000000000ULL, "boot-a" };

	for (size_t i = 0; i < s->n_servers; i++) {
		struct sg_breaker b;

		state_server_restore(&s->servers[i], &s->saved, &now, CAP_NS, CAP_NS, &b);
		if (b.state >= SG_STATE_COUNT || b.state == SG_HALF_OPEN || b.state == SG_SHADOW)
			abort();
		if (b.deadline_ns > now.boot_ns + CAP_NS || b.since_ns > now.boot_ns)
			abort();
		if ((b.state == SG_OPEN || b.state == SG_RAMP) && !b.deadline_ns)
			abort();
	}
}

static void check_again(const struct state *s)
{
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(buf_done) struct buf errors = {};
	CLEANUP(state_done) struct state again = {};

	out = BUF(64 << 20);
	errors = BUF(1 << 20);
	if (state_encode(s, &out) < 0 || out.len > STATE_SIZE_MAX)
		return;
	if (state_decode(buf_str(&out), out.len, &again, &errors) < 0 || errors.len)
		abort();
	if (again.n_servers != s->n_servers)
		abort();
}

/* What is found of quarantines has a name that can be written, and holds. */
static void check_salvage(const char *text, size_t len)
{
	CLEANUP(state_done) struct state found = {};
	CLEANUP(state_done) struct state all = {};
	size_t nameless;

	if (state_salvage(text, len, &found, &nameless) < 0 || state_hold(&all, &found) < 0 ||
	    all.n_servers != found.n_servers)
		abort();
	for (size_t i = 0; i < all.n_servers; i++)
		if (!all.servers[i].quarantined || all.servers[i].quarantine_ns != SG_FOREVER)
			abort();
	check_again(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf errors = {};
	CLEANUP(state_done) struct state s = {};
	int r;

	errors = BUF(1 << 20);
	check_salvage((const char *)data, size);
	r = state_decode((const char *)data, size, &s, &errors);
	if (r < 0) {
		if ((r != -EBADMSG && r != -EPROTONOSUPPORT) || !errors.len || s.servers)
			abort();
		return 0;
	}
	check_restore(&s);
	check_again(&s);
	return 0;
}
