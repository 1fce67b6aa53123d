/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* base/clock.c as it is, but for what asks the clocks. */
#define clock_boot_ns real_boot_ns
#define clock_wall_ns real_wall_ns
#define clock_boot_to_wall_ns real_boot_to_wall_ns
#include "base/clock.c"
#undef clock_boot_ns
#undef clock_wall_ns
#undef clock_boot_to_wall_ns
uint64_t clock_boot_ns(void);
uint64_t clock_wall_ns(void);
uint64_t clock_boot_to_wall_ns(uint64_t ns);

#include "fake/clock.h"

#define BOOT_NS (1000 * NS_PER_SEC)

static uint64_t boot_ns = BOOT_NS;
static uint64_t wall_ns = UINT64_C(1800000000) * NS_PER_SEC;
static struct itimerspec armed;
static int armed_fd = -1;

static bool live; /* what is real takes its time: see fake_clock_live() */

uint64_t clock_boot_ns(void)
{
	return live ? real_boot_ns() : boot_ns;
}

uint64_t clock_wall_ns(void)
{
	return wall_ns;
}

uint64_t clock_boot_to_wall_ns(uint64_t ns)
{
	return wall_ns + (ns - boot_ns);
}

/* What is due is due at once, what is not never comes by itself. */
static int arm(int fd, const struct itimerspec *want)
{
	uint64_t due =
		(uint64_t)want->it_value.tv_sec * NS_PER_SEC + (uint64_t)want->it_value.tv_nsec;
	struct itimerspec now = { .it_value.tv_nsec = due && due <= boot_ns };

	if (live)
		now = *want;
	return (int)syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &now, NULL);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *want, struct itimerspec *old)
{
	(void)flags;
	(void)old;
	armed = *want;
	armed_fd = fd;
	return arm(fd, want);
}

void fake_clock_advance(uint64_t ns)
{
	boot_ns += ns;
	wall_ns += ns;
	if (armed_fd >= 0)
		arm(armed_fd, &armed);
}

void fake_clock_live(void)
{
	live = true;
}

void fake_clock_reboot(void)
{
	boot_ns = BOOT_NS;
}

/* Who waits for nothing has waited. (poll.h is left out for its inline functions.) */
struct pollfd;
int poll(struct pollfd *fds, unsigned long n, int timeout_ms);
int poll(struct pollfd *fds, unsigned long n, int timeout_ms)
{
	struct timespec now = { 0 };
	int r;

	if (live && timeout_ms >= 0)
		now = (struct timespec){ timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	r = (int)syscall(SYS_ppoll, fds, n, live && timeout_ms < 0 ? NULL : &now, NULL, 0);
	if (!live && !r && timeout_ms > 0)
		fake_clock_advance((uint64_t)timeout_ms * NS_PER_MS);
	return r;
}
