/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fixed-width types for code that is compiled for the kernel (BPF target) and
 * for user space. BPF objects take them from the reduced kernel header, user
 * space from the kernel's exported headers; nothing else may differ.
 */
#ifndef SWITCHGEAR_TYPES_H
#define SWITCHGEAR_TYPES_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/types.h>

/* The kernel's exported headers define it as a mere hint. */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

#endif
