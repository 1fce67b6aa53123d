/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The blast limit over the servers of a simulation, as the kernel and the daemon work it. */
#ifndef SWITCHGEAR_SIM_BLAST_H
#define SWITCHGEAR_SIM_BLAST_H

#include "core/blast.h"
#include "sim/sim.h"

struct sim_blast {
	struct blast blast;
	bool failed; /* there was no memory: from then on the limit may miss something */
};

/* The limits for struct sim_setup; *b outlives the simulation: sim_blast_done(). */
struct sim_limits sim_blast_init(struct sim_blast *b, const struct breaker_policy *policy);
void sim_blast_done(struct sim_blast *b);

#endif
