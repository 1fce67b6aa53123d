/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The only place of user space that reads a clock. */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

uint64_t clock_asleep_ns(void)
{
	uint64_t awake = clock_ns(CLOCK_MONOTONIC); /* first, or it could be ahead */

	return clock_ns(CLOCK_BOOTTIME) - awake;
}

uint64_t clock_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

char *clock_format(char *out, size_t size, uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_SEC);
	struct tm tm;
	char day[32];

	if (!gmtime_r(&seconds, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(day, sizeof(day), "1970-01-01T00:00:00");
	snprintf(out, size, "%s.%03" PRIu64 "Z", day, wall_ns % NS_PER_SEC / NS_PER_MS);
	return out;
}

uint64_t clock_boot_to_wall_ns(uint64_t boot_ns)
{
	uint64_t boot_now = clock_boot_ns();
	uint64_t wall_now = clock_wall_ns();

	/* Unsigned wrap-around is meant: a boot time may lie in the future. */
	return wall_now + (boot_ns - boot_now);
}
