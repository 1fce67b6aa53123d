/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pins of Switchgear in a directory, removed without a daemon. */
#ifndef SWITCHGEAR_CLI_PINS_H
#define SWITCHGEAR_CLI_PINS_H

#include "core/pins.h"

#define PINS_WHY_MAX 768

/*
 * Removes maps and links that are Switchgear's, by name, kind and the name in the kernel, and
 * the directory if nothing is left in it; ret->kept names what is not ours. Only on a BPF file
 * system, and only where the map "cfg" is of this layout: -EMEDIUMTYPE, -ESTALE. -ENOENT: there
 * is no such directory, or an empty one, which is removed; -EBUSY: a daemon holds it. why says
 * what was refused or failed. On another failure some pins may be gone already.
 */
int pins_remove(const char *dir, struct detach_result *ret, char *why) MUST_CHECK;

#endif
