/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the service manager wants to hear, by the protocol of sd_notify(3).
 * Without NOTIFY_SOCKET in the environment each call does nothing and returns
 * 0. Never blocks. A failure is harmless to enforcement: log it, go on.
 */
#ifndef SWITCHGEAR_IO_NOTIFY_H
#define SWITCHGEAR_IO_NOTIFY_H

int notify_ready(const char *status); /* after the start, and after a reload */
int notify_reloading(void);
int notify_stopping(void);

#endif
