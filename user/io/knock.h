/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is anybody there? A connect of TCP, of which only the answer matters: it is given up as soon
 * as one came. Nothing blocks.
 */
#ifndef SWITCHGEAR_IO_KNOCK_H
#define SWITCHGEAR_IO_KNOCK_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/parse.h"

/* A socket for it, which the caller closes. -errno. */
int knock_open(const struct addr *to, int *ret_fd) MUST_CHECK;
/* Sends the SYN. -errno: it did not leave. */
int knock_send(int fd, const struct addr *to, uint16_t port) MUST_CHECK;
/* 1: an answer came, a refusal too; 0: none yet; -errno: none will. */
int knock_answered(int fd) MUST_CHECK;

#endif
