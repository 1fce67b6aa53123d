/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The two clocks. Everything that decides uses boot time; wall time is for people. */
#ifndef SWITCHGEAR_BASE_CLOCK_H
#define SWITCHGEAR_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

uint64_t clock_boot_ns(void); /* CLOCK_BOOTTIME, as bpf_ktime_get_boot_ns() */
/* For how long the host was asleep since boot: the difference of two clocks, so that it may
 * be off by what passes between reading them. */
uint64_t clock_asleep_ns(void);
uint64_t clock_wall_ns(void); /* CLOCK_REALTIME */

/* "2026-11-20T18:53:19.123Z"; size at least 32. Returns out. */
char *clock_format(char *out, size_t size, uint64_t wall_ns);

/* The wall time that belongs to a boot time, by today's difference of the clocks. */
uint64_t clock_boot_to_wall_ns(uint64_t boot_ns);

#endif
