/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A relay that tests look into: what it was told, and what it is to say. */
#ifndef SWITCHGEAR_TESTS_MODULES_RELAY_H
#define SWITCHGEAR_TESTS_MODULES_RELAY_H

#include "io/relay.h"

#define FAKE_RELAY_V4 901
#define FAKE_RELAY_V6 902
#define FAKE_RELAY_USER 4711

extern struct fake_relay {
	bool up;      /* fake_relay_is() */
	int refuses;  /* what relay_new() returns; 0: a relay */
	size_t begun; /* relays */
	size_t sets;  /* rules that were set */
	size_t drops; /* and dropped */
	size_t tools; /* bytes of the list that came with the latest rule */
	struct relay *now;
	struct relay_rule rules[SG_SERVERS_MAX]; /* all zero: none */
} fake_relay;

/* The loop hears of both when it turns next. */
void fake_relay_is(bool up);
void fake_relay_says(const struct relay_stats *stats);

#endif
