/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose an endpoint is when several servers claim it. It has one owner:
 *
 *  C1  who has the address in its configuration, before who got it from a name;
 *  C2  of names, who had it already: a name that is pointed at another server's address
 *      takes nothing away;
 *  C3  else who stands first in the configuration.
 *
 * Who loses claims again each time, and has it when the owner leaves.
 */
#ifndef SWITCHGEAR_CORE_CLAIMS_H
#define SWITCHGEAR_CORE_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/parse.h"

struct claim {
	struct addr addr;
	uint16_t port;
	bool literal; /* from the configuration, not from a name */
	bool held;    /* it was the owner until now */
	size_t rank;  /* in the configuration; the same for all claims of one server */
	size_t item;  /* the caller's: which of its addresses this is */

	size_t owner; /* out: rank of the owner */
};

/* As which an address is asked for: the unspecified one as the loopback's of its family. */
struct addr claim_addr(const struct addr *a);

/* Settles n claims, and leaves them in another order. */
void claims_settle(struct claim *claims, size_t n);

#endif
